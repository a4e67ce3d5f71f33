// The part of the page verbs that runs inside the page, in an isolated world:
// the page's own scripts neither see nor change it. One instance per document.

const now = () => performance.now();
const squeeze = (s) => String(s ?? '').normalize('NFC').replace(/[\s\u00a0\u200b]+/g, ' ').trim();
const fold = (s) => squeeze(s).toUpperCase().toLowerCase();
const marks = /(?:\s*(?:\*|:|\(required\)))+$/;

// nameOf is what two names are compared by.
const nameOf = (s) => fold(s).replace(marks, '');

// matcher compares a wanted name with the names found. A * matches anything,
// except as the mark of a required field at the end of a label: " *".
function matcher(wanted, plain) {
  const w = fold(wanted).replace(plain ? /(?:\s*:|\s*\(required\))+$/ : /(?:\s+\*|\s*:|\s*\(required\))+$/, '');
  if (!w.includes('*')) return (s) => nameOf(s) === w;
  const re = new RegExp('^' + w.split('*').map((x) => x.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('[^]*') + '$');
  return (s) => re.test(nameOf(s)) || re.test(fold(s));
}

const tag = (el) => (el.localName || '').toLowerCase();
const typeOf = (el) => (tag(el) === 'input' ? el.type : '');
const isFrame = (el) => tag(el) === 'iframe' || tag(el) === 'frame';
const isToggle = (el) => typeOf(el) === 'checkbox' || typeOf(el) === 'radio';

function frameDocument(el) {
  try { return el.contentDocument; } catch { return null; }
}

function parentOf(el) {
  if (el.assignedSlot) return el.assignedSlot;
  if (el.parentElement) return el.parentElement;
  const root = el.getRootNode();
  return root.host || null;
}

function boxed(el) {
  for (const r of el.getClientRects()) if (r.width > 0 && r.height > 0) return true;
  return false;
}

// shown: in the document, rendered, not visibility:hidden, with a box that has a
// size. Opacity and being outside of the viewport don't matter.
function shown(el, depth = 0) {
  if (!el.isConnected || !el.checkVisibility({ visibilityProperty: true, checkVisibilityCSS: true })) {
    if (!(el.isConnected && depth < 3 && getComputedStyle(el).display === 'contents')) return false;
  }
  if (!boxed(el)) {
    if (depth >= 3) return false;
    let inner = false;
    for (const kid of el.children) if (shown(kid, depth + 1)) { inner = true; break; }
    if (!inner) return false;
  }
  if (depth) return true;
  const frame = el.ownerDocument !== document && el.ownerDocument.defaultView && el.ownerDocument.defaultView.frameElement;
  return !frame || shown(frame);
}

// reachable: shown, or a box or button of a group whose label is shown, as sites
// that draw their own do.
const reachable = (el) => shown(el) || (isToggle(el) && [...(el.labels || [])].some((l) => shown(l)));

// text is what a person reads in an element.
function text(el) {
  const t = tag(el);
  if (t === 'textarea' || t === 'input') return typeOf(el) === 'password' ? '' : squeeze(el.value);
  if (t === 'select') return squeeze([...el.selectedOptions].map((o) => o.label).join(', '));
  return squeeze(el.innerText ?? el.textContent);
}

const describe = (el) => {
  let s = '<' + tag(el);
  for (const a of ['id', 'name', 'type', 'role', 'class', 'aria-label']) {
    const v = el.getAttribute && el.getAttribute(a);
    if (v) s += ` ${a}="${squeeze(v).slice(0, 60)}"`;
  }
  const inside = isFrame(el) || tag(el) === 'input' || tag(el) === 'textarea' ? '' : squeeze(el.textContent).slice(0, 60);
  return s + '>' + inside;
};

// Handles name elements between two calls.
const handles = new Map();
let handleCount = 0;
function keep(el) {
  const id = ++handleCount;
  handles.set(id, el);
  if (handles.size > 64) handles.delete(handles.keys().next().value);
  return id;
}

// Waking: whoever waits for a change of the page is woken by a mutation, by the
// events that change what is visible without one, or by a slow timer.
const waiting = new Set();
const listeners = new Set();
const observedRoots = new WeakSet();
let observing = false;
const observer = new MutationObserver((records) => {
  for (const f of listeners) f(records);
  wake();
});
const watched = { subtree: true, childList: true, attributes: true, characterData: true };
const wakers = ['transitionend', 'animationend', 'animationstart', 'load', 'toggle', 'hashchange', 'popstate', 'readystatechange', 'DOMContentLoaded'];
function wake() {
  const all = [...waiting];
  waiting.clear();
  for (const f of all) f();
}
function observe(root = document) {
  if (!observing) {
    observing = true;
    for (const e of wakers) addEventListener(e, wake, true);
    document.addEventListener('readystatechange', wake);
    if (globalThis.navigation) navigation.addEventListener('currententrychange', wake);
  }
  if (!observedRoots.has(root)) {
    observedRoots.add(root);
    observer.observe(root, watched);
  }
}

let lastCheck = 0;
let checkCost = 0;

// change resolves at the next change, at the latest after ms. Checks keep a
// distance that grows with what they cost, so that a page which never stops
// changing does not eat the processor.
async function change(ms, frames) {
  observe();
  await new Promise((done) => {
    const timer = setTimeout(end, Math.max(0, ms));
    function end() { clearTimeout(timer); waiting.delete(end); done(); }
    waiting.add(end);
    if (frames) requestAnimationFrame(() => requestAnimationFrame(end));
  });
  const gap = Math.min(250, Math.max(8, 4 * checkCost)) - (now() - lastCheck);
  if (gap > 0) await new Promise((done) => setTimeout(done, gap));
}

// repeat calls attempt until it returns something, or until ms have passed.
async function repeat(ms, attempt) {
  const end = now() + ms;
  for (;;) {
    const begun = now();
    let r = attempt(begun >= end);
    if ((!r || r.again) && begun < end && now() >= end) r = attempt(true);
    lastCheck = now();
    checkCost = lastCheck - begun;
    if (r && !r.again) return r;
    if (lastCheck >= end) return r || { state: 'timeout' };
    await change(Math.min((r && r.within) || 250, Math.max(0, end - now())), r && r.frames);
  }
}

function responseStatus() {
  const nav = performance.getEntriesByType('navigation')[0];
  return (nav && nav.responseStatus) || 0;
}

const errorish = '[role=alert],[aria-live=assertive],.error,.errors,.errorbox,.error-message,.errormsg,.alert-danger,.alert-error,.invalid-feedback,.field-error,.help-block.error,.notice-error,#login_error,.mw-message-box-error,[class*=error]';

// state is the page as an error shows it.
function state() {
  const said = [];
  for (const el of document.querySelectorAll(errorish)) {
    if (said.length >= 3) break;
    if (!shown(el)) continue;
    const t = text(el).slice(0, 160);
    if (t && !said.some((s) => s.includes(t))) said.push(t);
  }
  return { title: squeeze(document.title).slice(0, 160), url: location.href, status: responseStatus(), ready: document.readyState, said };
}

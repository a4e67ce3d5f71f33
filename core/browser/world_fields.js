// Controls: reading and setting them.

const secrets = new WeakSet();
const natives = ['date', 'time', 'month', 'week', 'datetime-local', 'color', 'range'];

function kindOf(el) {
  const t = tag(el), type = typeOf(el);
  if (t === 'select') return 'select';
  if (type === 'checkbox') return 'check';
  if (type === 'radio') return 'radio';
  if (type === 'file') return 'file';
  if (['button', 'submit', 'reset', 'image', 'hidden'].includes(type)) return 'none';
  if (natives.includes(type)) return 'native';
  if (t === 'input' || t === 'textarea') return 'text';
  if (el.isContentEditable) return 'rich';
  if (['checkbox', 'switch', 'menuitemcheckbox'].includes(roleOf(el))) return 'ariacheck';
  return 'none';
}

const lines = (s) => String(s).replace(/\r\n?/g, '\n');
const fire = (el) => {
  el.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
  el.dispatchEvent(new Event('change', { bubbles: true }));
};
const truthy = (s) => /^(true|yes|on|1)$/i.test(s);

function group(el) {
  if (!el.name) return [el];
  const root = el.form || el.getRootNode();
  return [...root.querySelectorAll('input[type=radio]')].filter((r) => r.name === el.name && r.form === el.form);
}

function radioFor(el, want) {
  const all = group(el).filter((r) => !r.disabled);
  for (const w of want) {
    const m = matcher(w);
    const r = all.find((x) => x.value === w) || all.find((x) => labelsOf(x).some(m));
    if (r) return r;
  }
  return null;
}

function optionFor(el, want) {
  const all = [...el.options].filter((o) => !o.disabled && !(o.parentElement && o.parentElement.disabled));
  for (const w of want) {
    const m = matcher(w);
    const o = all.find((x) => x.value === w) || all.find((x) => m(x.label) || m(x.text));
    if (o) return o;
  }
  return null;
}

// valueOf is what a control holds, as it would be set again.
function valueOf(el) {
  switch (kindOf(el)) {
    case 'select': return el.selectedOptions[0] ? el.selectedOptions[0].value : '';
    case 'check': return String(el.checked);
    case 'radio': { const r = group(el).find((x) => x.checked); return r ? r.value : ''; }
    case 'rich': return lines(el.innerText).trim();
    case 'file': return el.files.length ? el.files[0].name : '';
    default: return el.value === undefined ? '' : lines(el.value);
  }
}

// assign sets a control that is not typed into; it says what happened.
function assign(el, want) {
  switch (kindOf(el)) {
    case 'select': {
      const o = optionFor(el, want);
      if (!o) return { state: 'nochoice', near: [...el.options].slice(0, 12).map((x) => squeeze(x.label)) };
      if (o.selected) return { state: 'kept' };
      el.focus({ preventScroll: true });
      o.selected = true;
      fire(el);
      return o.selected ? { state: 'set' } : { state: 'differs' };
    }
    case 'radio': {
      const r = radioFor(el, want);
      if (!r) return { state: 'nochoice', near: group(el).slice(0, 12).map((x) => squeeze(labelsOf(x)[0] || x.value)) };
      if (r.checked) return { state: 'kept' };
      r.click();
      return r.checked ? { state: 'set' } : { state: 'differs' };
    }
    case 'check': {
      const on = truthy(want[0]);
      if (el.checked === on) return { state: 'kept' };
      el.click();
      return el.checked === on ? { state: 'set' } : { state: 'differs' };
    }
    case 'native': {
      if (el.value === want[0]) return { state: 'kept' };
      el.focus({ preventScroll: true });
      const before = el.value;
      el.value = want[0];
      if (el.value !== want[0] && !(typeOf(el) === 'color' && el.value === want[0].toLowerCase())) {
        const got = el.value;
        el.value = before;
        return { state: 'differs', got };
      }
      fire(el);
      return { state: 'set' };
    }
  }
  return { state: 'none' };
}

// insert types into an input or textarea, checked and written in one task, so
// that the text can't land anywhere else.
function insert(el, value, secret) {
  focusOn(el, true);
  if (deepFocus() !== el) return false;
  if (secret) secrets.add(el);
  const doc = el.ownerDocument;
  if (value === '') doc.execCommand('delete');
  else doc.execCommand('insertText', false, value);
  return true;
}

function compare(el, value, secret) {
  const got = valueOf(el), want = kindOf(el) === 'rich' ? lines(value).trim() : lines(value);
  const squash = (s) => s.replace(/\s+/g, ' ').trim();
  const same = got === want || (kindOf(el) === 'rich' && squash(got) === squash(want)) || (['email', 'url'].includes(typeOf(el)) && got === want.trim()) || (tag(el) === 'input' && got === want.replace(/\n/g, ''));
  return { same, length: got.length, want: want.length, prefix: got !== '' && want.startsWith(got), got: secret || typeOf(el) === 'password' ? '' : got.slice(0, 20000) };
}

// put sets a control for fill: what is typed into is written and read back
// after the page had its turn.
async function put(a) {
  const el = handles.get(a.handle);
  if (!el || !el.isConnected) return { state: 'gone' };
  const kind = kindOf(el);
  if (kind === 'file' || kind === 'none' || kind === 'ariacheck') return { state: 'none', kind };
  if (kind === 'text') {
    if (!insert(el, a.value, a.secret)) return { state: 'nofocus' };
    await tick();
    return { state: 'typed', ...compare(el, a.value, a.secret) };
  }
  if (kind === 'rich') return { state: 'rich' };
  const r = assign(el, a.want && a.want.length ? a.want : [a.value]);
  await tick();
  return r;
}

// back reads a control back after the browser typed into it.
async function back(a) {
  const el = handles.get(a.handle);
  if (!el || !el.isConnected) return { state: 'gone' };
  await tick();
  const r = { state: 'typed', ...compare(el, a.value, false) };
  if (a.blur) (deepFocus() || el).blur();
  return r;
}

const blur = (a) => { const el = handles.get(a.handle); if (el) el.blur(); return {}; };

// focusKept gives a kept element the focus, all of its text selected, or the
// caret at its end; with only it just looks whether it still has it.
function focusKept(a) {
  const el = handles.get(a.handle);
  if (!el || !el.isConnected) return { state: 'gone' };
  if (a.secret) secrets.add(el);
  if (!a.only) {
    if (deepFocus() !== el || !a.end) focusOn(el, !a.end);
    if (a.end && el.setSelectionRange && el.value !== undefined && ['text', 'search', 'tel', 'url', 'password', 'textarea'].includes(el.type)) el.setSelectionRange(el.value.length, el.value.length);
    else if (a.end && el.isContentEditable) { const s = el.ownerDocument.getSelection(); s.selectAllChildren(el); s.collapseToEnd(); }
  }
  const f = deepFocus();
  return { state: f === el || (el.isContentEditable && el.contains(f)) ? 'ok' : 'lost' };
}

// clear empties the selection of an editor.
const clear = (a) => { const el = handles.get(a.handle); focusOn(el, true); el.ownerDocument.execCommand('delete'); return {}; };

function pick(a) {
  const el = handles.get(a.handle);
  if (!el) return { state: 'gone' };
  let of = el;
  if (kindOf(el) === 'none' && ['group', 'radiogroup'].includes(roleOf(el))) of = el.querySelector('input[type=radio]') || el;
  const kind = kindOf(of);
  if (kind === 'select' || kind === 'radio') return assign(of, a.want);
  return { state: 'none' };
}

// readFields waits for the controls that must be there and reads all of them.
function readFields(a) {
  return repeat(a.timeout, (last) => {
    const b = banner(a.dismiss, null, false);
    if (b) return b;
    if (location.protocol === 'chrome-error:') return { state: 'failed' };
    const out = [];
    let missing = null;
    for (const f of a.fields) {
      const r = first(f.at, reachable);
      let els = r.els;
      if (els.length > 1 && els.every((e) => typeOf(e) === 'radio') && els.every((e) => e.name === els[0].name)) els = [els[0]];
      if (!els.length && r.cross) { out.push({ state: 'cross', at: r.at }); continue; }
      const files = els.length ? [] : first(f.at, (el) => typeOf(el) === 'file').els;
      if (!els.length && files.length) els = files;
      if (els.length !== 1) {
        const why = els.length ? `${els.length} elements match, where one is acted on` : r.hidden.length ? 'all matches are hidden' : 'nothing matches';
        const what = { state: 'missing', why, many: els.length > 1, near: els.length ? els.slice(0, 6).map(describe) : last ? candidates(f.at) : [] };
        out.push(what);
        if (!f.optional || els.length) missing ||= what;
        continue;
      }
      const el = control(els[0]);
      const off = disabled(el) || (readOnly(el) ? 'readonly' : '');
      if (off && !f.optional && !last) missing ||= { state: 'off' };
      const secret = typeOf(el) === 'password' || secrets.has(el);
      out.push({ state: 'ok', at: r.at, handle: keep(el), kind: kindOf(el), off, info: info(el), value: secret ? '' : valueOf(el).slice(0, 100000) });
    }
    if ((missing || document.readyState === 'loading') && !last) return { again: true };
    return { state: 'ok', fields: out, page: last && missing ? state() : null };
  });
}

// writeFields sets all of them in one task each, and reads back.
async function writeFields(a) {
  const out = [];
  for (const f of a.fields) {
    const el = handles.get(f.handle);
    out.push(await put(f));
    if (el && out.at(-1).state === 'typed' && a.blur) el.blur();
  }
  return { fields: out };
}

// paste puts HTML into an editor as a person's paste would; an editor that does
// not handle pasting itself gets it inserted.
async function paste(a) {
  const el = handles.get(a.handle);
  if (!el || !el.isConnected) return { state: 'gone' };
  const doc = new DOMParser().parseFromString(a.html, 'text/html');
  for (const bad of doc.querySelectorAll('script,style,iframe,object,embed,link,meta,base,form')) bad.remove();
  for (const e of doc.querySelectorAll('*')) {
    for (const { name, value } of [...e.attributes]) {
      if (/^on/i.test(name) || name === 'srcdoc' || (/^(href|src|action|formaction|xlink:href)$/i.test(name) && /^\s*(javascript|data|vbscript):/i.test(value))) e.removeAttribute(name);
    }
  }
  const html = doc.body.innerHTML, plain = doc.body.innerText || doc.body.textContent;
  if (!el.isContentEditable) {
    if (kindOf(el) !== 'text') return { state: 'none' };
    if (!insert(el, a.html, false)) return { state: 'nofocus' };
    await tick();
    return { state: 'typed', ...compare(el, a.html, false) };
  }
  focusOn(el, true);
  await tick();
  const data = new DataTransfer();
  data.setData('text/html', html);
  data.setData('text/plain', plain);
  const handled = !el.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true, composed: true }));
  if (!handled) el.ownerDocument.execCommand('insertHTML', false, html);
  await tick();
  const bare = (s) => s.replace(/[^\p{L}\p{N}]+/gu, '');
  const same = bare(el.textContent).includes(bare(doc.body.textContent));
  return { state: 'typed', same, length: el.textContent.length, want: plain.length };
}

// peek reads without waiting: exists, text, attr.
function peek(a) {
  const r = first(a.locs, a.what === 'attr' ? (el) => el.isConnected : reachable);
  if (!r.els.length && r.cross) return { state: 'cross', at: r.at, cross: r.cross };
  if (a.what === 'exists') return { state: 'ok', n: r.els.length };
  if (!r.els.length) return { state: 'fault', why: r.hidden.length ? 'all matches are hidden' : 'nothing matches', near: candidates(a.locs), page: state() };
  let els = r.els;
  if (els.length > 1 && a.what === 'attr') els = els.filter(reachable).length === 1 ? els.filter(reachable) : els;
  if (els.length > 1) return { state: 'fault', why: `${els.length} elements match, where one is read`, near: els.slice(0, 6).map(describe), page: state() };
  const el = control(els[0]);
  const hides = (e) => secrets.has(e) || typeOf(e) === 'password';
  if (hides(el)) {
    const plain = a.what === 'attr' && !/^(value|text|data-.*)$/i.test(a.name);
    if (!plain || secrets.has(el) && /value/i.test(a.name)) return { state: 'secret' };
  }
  if (a.what === 'text') return { state: 'ok', value: text(els[0]).slice(0, 1000000) };
  const name = a.name.toLowerCase();
  let v = els[0].getAttribute(a.name);
  if (v === null && name !== 'value') return { state: 'ok', none: true };
  if (['href', 'src', 'action'].includes(name)) {
    try { v = new URL(v, els[0].baseURI).href; } catch { /* stays as written */ }
  } else if (name === 'value' && 'value' in el) v = String(el.value);
  else if (name === 'checked') v = String(el.checked);
  return v === null ? { state: 'ok', none: true } : { state: 'ok', value: v.slice(0, 1000000) };
}

const chosen = (a) => { const el = handles.get(a.handle); return { n: el.files ? el.files.length : -1, size: el.files && el.files[0] ? el.files[0].size : 0 }; };
const checked = (a) => { const el = handles.get(a.handle); return { state: el && el.isConnected ? 'ok' : 'gone', on: el ? (isToggle(el) ? el.checked : el.getAttribute('aria-checked') === 'true') : false }; };

// terms finds the text that a box agrees to.
async function terms(a) {
  const el = handles.get(a.handle);
  const label = squeeze([...(el.labels || [])].map((l) => l.innerText).join(' ') || labelsOf(el)[0] || text(el));
  let links = [...(el.labels || [])].flatMap((l) => [...l.querySelectorAll('a[href]')]);
  for (let up = el.parentElement, n = 0; !links.length && up && n < 3 && tag(up) !== 'body'; up = up.parentElement, n++) {
    const near = [...up.querySelectorAll('a[href]')].filter((l) => shown(l));
    if (near.length <= 4) links = near;
  }
  const link = links.find((l) => /term|condition|tos|rule|agree|legal|điều khoản|dieu-khoan|quy định/i.test(l.textContent + ' ' + l.getAttribute('href'))) || links[0];
  const out = { label, url: link ? link.href : location.href, text: '' };
  if (!link || new URL(link.href).origin !== location.origin || link.href.split('#')[0] === location.href.split('#')[0]) return out;
  try {
    const r = await fetch(link.href, { signal: AbortSignal.timeout(Math.min(5000, a.timeout)), credentials: 'same-origin' });
    if (!r.ok) return out;
    const doc = new DOMParser().parseFromString((await r.text()).slice(0, 1000000), 'text/html');
    for (const e of doc.querySelectorAll('script,style,noscript,template')) e.remove();
    out.text = squeeze(doc.body.textContent);
  } catch { /* the label is what is hashed */ }
  return out;
}

const verbs = { act, watch, look, ready, remember: (a) => ({ watch: remember(a.id, a.signs).cross }), put, back, blur, focusKept, clear, pick, readFields, writeFields, paste, peek, chosen, checked, terms, spot, painted, tick, accept: () => { accepted = true; return {}; }, state: () => state(), where: () => ({ url: location.href }) };

globalThis.rollcall = {
  element,
  call: async (name, arg) => {
    try {
      return await verbs[name](arg || {});
    } catch (e) {
      if (e instanceof BadLocator) return { state: 'badlocator', why: e.message };
      throw e;
    }
  },
};

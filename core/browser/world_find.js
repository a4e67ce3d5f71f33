// Locators.

class BadLocator extends Error {}

// cut splits at a separator that stands outside of quotes and brackets.
function cut(s, sep) {
  const out = [];
  let depth = 0, quote = '', from = 0;
  for (let i = 0; i < s.length; i++) {
    const c = s[i];
    if (quote) {
      if (c === '\\') i++;
      else if (c === quote) quote = '';
    } else if ((c === '"' || c === "'") && depth) quote = c;
    else if (c === '[' || c === '(') depth++;
    else if ((c === ']' || c === ')') && depth) depth--;
    else if (!depth && s.startsWith(sep, i)) { out.push(s.slice(from, i)); from = i + sep.length; i = from - 1; }
  }
  out.push(s.slice(from));
  return out.map((x) => x.trim());
}

const unquote = (s) => (/^(["']).*\1$/s.test(s) ? s.slice(1, -1).replace(/\\(.)/gs, '$1') : s);

const parsedLocators = new Map();
function parse(loc) {
  let parts = parsedLocators.get(loc);
  if (parts) return parts;
  parts = cut(loc, '>>').map((src) => {
    if (!src) throw new BadLocator('a part of the locator is empty');
    const m = /^(css|label|role|text|placeholder|testid|xpath)=([^]*)$/.exec(src);
    const kind = m ? m[1] : 'css';
    const body = (m ? m[2] : src).trim();
    if (!body) throw new BadLocator(`nothing stands after ${kind}=`);
    if (kind === 'css') {
      try { document.createDocumentFragment().querySelector(body); } catch { throw new BadLocator(`${body} is not a CSS selector`); }
      return { kind, body, src };
    }
    if (kind === 'xpath') {
      try { document.createExpression(body); } catch { throw new BadLocator(`${body} is not an XPath expression`); }
      return { kind, body, src };
    }
    if (kind === 'role') {
      const r = /^([a-z]+)\s*(?:\[\s*name\s*=\s*([^]*)\])?$/.exec(body);
      if (!r) throw new BadLocator('a role is written role=button or role=button[name=Save]');
      return { kind, role: r[1], match: r[2] === undefined ? null : matcher(unquote(r[2].trim())), src };
    }
    const want = unquote(body);
    return { kind, body: want, match: matcher(want, kind === 'text'), src };
  });
  parsedLocators.set(loc, parts);
  return parts;
}

const textInputs = ['text', 'email', 'tel', 'url'];
const implicit = {
  button: 'button,summary,input[type=button],input[type=submit],input[type=reset],input[type=image]',
  link: 'a[href],area[href]', checkbox: 'input[type=checkbox]', radio: 'input[type=radio]',
  textbox: 'textarea,input', searchbox: 'input[type=search]', spinbutton: 'input[type=number]', slider: 'input[type=range]',
  combobox: 'select,input[list]', listbox: 'select', option: 'option', heading: 'h1,h2,h3,h4,h5,h6', img: 'img', list: 'ul,ol,menu',
  listitem: 'li', table: 'table', row: 'tr', cell: 'td', columnheader: 'th', rowheader: 'th[scope=row]', navigation: 'nav', main: 'main',
  banner: 'header', contentinfo: 'footer', form: 'form', region: 'section', article: 'article', complementary: 'aside', dialog: 'dialog',
  status: 'output', progressbar: 'progress', meter: 'meter', paragraph: 'p', figure: 'figure', group: 'fieldset,details,optgroup', separator: 'hr', term: 'dt', definition: 'dd',
};
const known = new Set([...Object.keys(implicit), 'alert', 'alertdialog', 'log', 'marquee', 'menu', 'menubar', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'note', 'none', 'presentation', 'radiogroup', 'rowgroup', 'scrollbar', 'search', 'switch', 'tab', 'tablist', 'tabpanel', 'timer', 'toolbar', 'tooltip', 'tree', 'treeitem', 'grid', 'gridcell', 'feed', 'application', 'document', 'math', 'directory']);

function roleOf(el) {
  for (const r of (el.getAttribute('role') || '').toLowerCase().split(/\s+/)) if (known.has(r)) return r;
  const t = tag(el);
  if (t === 'input') {
    const type = el.type;
    if (textInputs.includes(type)) return el.list ? 'combobox' : 'textbox';
    if (type === 'search') return el.list ? 'combobox' : 'searchbox';
    return { checkbox: 'checkbox', radio: 'radio', number: 'spinbutton', range: 'slider', button: 'button', submit: 'button', reset: 'button', image: 'button' }[type] || '';
  }
  if (t === 'select') return el.multiple || el.size > 1 ? 'listbox' : 'combobox';
  if (t === 'th') return el.scope === 'row' ? 'rowheader' : 'columnheader';
  if (t === 'textarea') return 'textbox';
  for (const role in implicit) if (el.matches(implicit[role])) return role;
  if (el.isContentEditable && el.getAttribute('contenteditable') !== null) return 'textbox';
  return '';
}

const byIds = (el, attr) => (el.getAttribute(attr) || '').split(/\s+/).filter(Boolean).map((id) => el.getRootNode().getElementById(id)).filter(Boolean);

// inner is the text of a subtree as a name is made of it.
function inner(node, skipControls, depth = 0) {
  if (depth > 40) return '';
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (node.nodeType !== Node.ELEMENT_NODE) return '';
  const t = tag(node);
  if (t === 'script' || t === 'style' || t === 'template' || t === 'noscript') return '';
  if (depth) {
    if (node.getAttribute('aria-hidden') === 'true' && !skipControls) return '';
    if (!node.checkVisibility({ visibilityProperty: true }) && getComputedStyle(node).display !== 'contents') return '';
    const label = node.getAttribute('aria-label');
    if (label && label.trim()) return ' ' + label + ' ';
    if (t === 'img') return ' ' + (node.alt || '') + ' ';
    if (t === 'input' || t === 'select' || t === 'textarea') return skipControls ? '' : ' ' + (node.value || '') + ' ';
    if (t === 'button' && skipControls) return '';
  }
  let s = '';
  const kids = t === 'slot' ? node.assignedNodes({ flatten: true }) : node.shadowRoot ? node.shadowRoot.childNodes : node.childNodes;
  for (const kid of kids) s += inner(kid, skipControls, depth + 1);
  if (t === 'br' || (depth && getComputedStyle(node).display !== 'inline')) s = ' ' + s + ' ';
  return s;
}

// labelsOf lists the names that label= may call a control by.
function labelsOf(el) {
  const out = [];
  const by = byIds(el, 'aria-labelledby');
  if (by.length) out.push(by.map((e) => inner(e, true)).join(' '));
  if (el.getAttribute('aria-label')) out.push(el.getAttribute('aria-label'));
  for (const l of el.labels || []) out.push(inner(l, true));
  return out;
}

const fromContent = new Set(['button', 'link', 'heading', 'cell', 'gridcell', 'columnheader', 'rowheader', 'row', 'option', 'tab', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'checkbox', 'radio', 'switch', 'treeitem', 'tooltip', 'term', 'listitem', 'paragraph', 'alert', 'status']);

// accessibleName follows the order of the accname specification.
function accessibleName(el) {
  const by = byIds(el, 'aria-labelledby');
  if (by.length) return squeeze(by.map((e) => inner(e)).join(' '));
  const aria = squeeze(el.getAttribute('aria-label'));
  if (aria) return aria;
  const t = tag(el);
  if (t === 'input' && ['submit', 'reset', 'button'].includes(el.type)) {
    return squeeze(el.hasAttribute('value') ? el.value : { submit: 'Submit', reset: 'Reset', button: '' }[el.type]) || squeeze(el.title);
  }
  if (t === 'img' || t === 'area' || typeOf(el) === 'image') {
    const alt = squeeze(el.alt);
    if (alt) return alt;
    if (typeOf(el) === 'image') return squeeze(el.title) || 'Submit';
  }
  if (el.labels && el.labels.length && t !== 'button') return squeeze([...el.labels].map((l) => inner(l, true)).join(' '));
  const own = { fieldset: 'legend', table: 'caption', figure: 'figcaption' }[t];
  if (own) {
    const e = el.querySelector(':scope > ' + own);
    if (e) return squeeze(inner(e));
  }
  if (t === 'option') return squeeze(el.label);
  if (fromContent.has(roleOf(el)) || t === 'summary') {
    const s = squeeze(inner(el));
    if (s) return s;
  }
  return squeeze(el.title) || squeeze(el.getAttribute('placeholder'));
}

const controls = 'input:not([type=hidden]),textarea,select,button,meter,output,progress,[contenteditable],[role],[aria-label],[aria-labelledby]';

function* textNodes(root) {
  const doc = root.ownerDocument || root;
  const w = doc.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let n = w.nextNode(); n; n = w.nextNode()) if (n.data.trim()) yield n;
}

function byText(root, part) {
  const hits = new Set();
  const limit = part.body.length + 40;
  for (const n of textNodes(root)) {
    let el = n.parentElement;
    for (let up = 0; el && up < 6 && root.contains(el); up++, el = el.parentElement) {
      const t = tag(el);
      if (t === 'script' || t === 'style' || t === 'noscript' || t === 'head' || t === 'title') break;
      const s = el.textContent;
      if (s.length > 2000 || (!part.body.includes('*') && squeeze(s).length > limit)) break;
      if (part.match(s)) { hits.add(el); break; }
    }
  }
  for (const el of root.querySelectorAll('input[type=submit],input[type=button],input[type=reset]')) if (part.match(el.value)) hits.add(el);
  const all = [...hits];
  return all.filter((el) => !all.some((o) => o !== el && el.contains(o)));
}

// query runs one part in one tree, without entering shadow roots or frames.
function query(root, part) {
  switch (part.kind) {
    case 'css': return [...root.querySelectorAll(part.body)];
    case 'xpath': {
      const doc = root.ownerDocument || root;
      const expr = root.nodeType === Node.DOCUMENT_NODE ? part.body : part.body.replace(/^\(*\/\//, (m) => m.replace('//', './/'));
      const r = doc.evaluate(expr, root, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
      const out = [];
      for (let i = 0; i < r.snapshotLength; i++) if (r.snapshotItem(i).nodeType === Node.ELEMENT_NODE) out.push(r.snapshotItem(i));
      return out;
    }
    case 'testid': {
      const v = CSS.escape(part.body);
      return [...root.querySelectorAll(`[data-testid="${v}"],[data-test-id="${v}"],[data-test="${v}"]`)];
    }
    case 'placeholder': return [...root.querySelectorAll('[placeholder],[aria-placeholder]')].filter((el) => part.match(el.getAttribute('placeholder') ?? el.getAttribute('aria-placeholder')));
    case 'label': return [...root.querySelectorAll(controls)].filter((el) => labelsOf(el).some(part.match));
    case 'text': return byText(root, part);
    case 'role': {
      const sel = (implicit[part.role] ? implicit[part.role] + ',' : '') + `[role~="${part.role}" i]` + (part.role === 'textbox' ? ',[contenteditable]' : '');
      return [...root.querySelectorAll(sel)].filter((el) => roleOf(el) === part.role && (!part.match || part.match(accessibleName(el))));
    }
  }
  return [];
}

// trees lists the open shadow roots and same-origin frame documents below a root.
function* trees(root) {
  if (root.shadowRoot) { observe(root.shadowRoot); yield root.shadowRoot; yield* trees(root.shadowRoot); }
  for (const el of root.querySelectorAll('*')) {
    if (el.shadowRoot) { observe(el.shadowRoot); yield el.shadowRoot; yield* trees(el.shadowRoot); }
    else if (isFrame(el)) {
      const doc = frameDocument(el);
      if (doc) { observe(doc); yield doc; yield* trees(doc); }
    }
  }
}

// below runs a part under the scopes: the light DOM first; what it has not is
// looked for in shadow roots and same-origin frames.
function below(scopes, part, fits) {
  const light = new Set();
  for (const s of scopes) for (const el of query(s, part)) light.add(el);
  const seen = [...light];
  const ok = seen.filter(fits);
  if (ok.length) return { ok, hidden: [] };
  const deep = new Set();
  if (part.kind !== 'xpath') for (const s of scopes) for (const root of trees(s)) for (const el of query(root, part)) deep.add(el);
  const all = [...deep];
  return { ok: all.filter(fits), hidden: [...seen, ...all] };
}

// find resolves one locator: its matches, the hidden ones beside them, or the
// frame of another origin in which the rest has to be looked for.
function find(loc, fits = reachable) {
  const parts = parse(loc);
  let scopes = [document];
  for (let i = 0; i < parts.length; i++) {
    const last = i === parts.length - 1;
    const r = below(scopes, parts[i], last ? fits : (el) => el.isConnected);
    if (last) return { els: r.ok, hidden: r.hidden };
    scopes = [];
    for (const el of r.ok) {
      if (!isFrame(el)) { scopes.push(el); continue; }
      const doc = frameDocument(el);
      if (doc) { observe(doc); scopes.push(doc); }
      else return { els: [], hidden: [], cross: { handle: keep(el), rest: parts.slice(i + 1).map((p) => p.src).join(' >> ') } };
    }
  }
  return { els: [], hidden: [] };
}

// first tries the alternatives in order.
function first(locs, fits) {
  let hidden = [], cross = null, crossAt = -1;
  for (let i = 0; i < locs.length; i++) {
    const r = find(locs[i], fits);
    if (r.els.length) return { els: r.els, at: i, hidden: [] };
    if (r.cross && !cross) { cross = r.cross; crossAt = i; }
    hidden = hidden.concat(r.hidden);
  }
  return { els: [], at: crossAt, hidden, cross };
}

// candidates are what an author may have meant, for the error.
function candidates(locs) {
  const out = [];
  for (const loc of locs) {
    const part = parse(loc).at(-1);
    let els = [];
    if (part.kind === 'role') els = query(document, { kind: 'role', role: part.role, match: null }).map((el) => accessibleName(el));
    else if (part.kind === 'label') els = [...document.querySelectorAll('input:not([type=hidden]),textarea,select')].filter(reachable).map((el) => squeeze(labelsOf(el)[0]));
    else if (part.kind === 'placeholder') els = [...document.querySelectorAll('[placeholder]')].map((el) => el.placeholder);
    else if (part.kind === 'css') els = [...document.querySelectorAll('input:not([type=hidden]),textarea,select,button')].filter(reachable).map((el) => tag(el) + (el.id ? '#' + el.id : '') + (el.name ? `[name=${el.name}]` : ''));
    else if (part.kind === 'text') els = [...document.querySelectorAll('a,button,h1,h2,h3,label')].filter((el) => shown(el)).map((el) => squeeze(el.textContent));
    for (const s of els) if (s && out.length < 12 && !out.includes(s.slice(0, 60))) out.push(s.slice(0, 60));
  }
  return out;
}

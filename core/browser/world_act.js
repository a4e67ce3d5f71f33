// Acting: one element, visible, enabled, steady, and the one that a click hits.

const disabled = (el) => (el.matches(':disabled') ? 'disabled' : el.closest('[aria-disabled=true]') ? 'marked aria-disabled' : '');

// readOnly does not count the attribute on controls that don't know it.
const readOnly = (el) => Boolean(el.readOnly) || el.getAttribute('aria-readonly') === 'true';

// offset is where a frame's content begins in the top document.
function offset(el) {
  let x = 0, y = 0, doc = el.ownerDocument;
  while (doc !== document) {
    const frame = doc.defaultView.frameElement;
    const r = frame.getBoundingClientRect();
    const cs = getComputedStyle(frame);
    x += r.left + frame.clientLeft + parseFloat(cs.paddingLeft);
    y += r.top + frame.clientTop + parseFloat(cs.paddingTop);
    doc = frame.ownerDocument;
  }
  return { x, y };
}

const composedContains = (a, b) => { for (let e = b; e; e = parentOf(e)) if (e === a) return true; return false; };

// hit is the element that a click at a point of el's document would reach, down
// through shadow roots; up through frames it must be the frame itself.
function hit(el, x, y) {
  let root = el.ownerDocument, e = root.elementFromPoint(x, y);
  while (e && e.shadowRoot) {
    const deeper = e.shadowRoot.elementFromPoint(x, y);
    if (!deeper || deeper === e) break;
    e = deeper;
  }
  for (let doc = el.ownerDocument; doc !== document;) {
    const frame = doc.defaultView.frameElement, r = frame.getBoundingClientRect();
    x += r.left + frame.clientLeft;
    y += r.top + frame.clientTop;
    doc = frame.ownerDocument;
    const top = doc.elementFromPoint(x, y);
    if (top !== frame && !(top && top.shadowRoot && composedContains(top, frame))) return top;
  }
  return e;
}

function reaches(el, found) {
  if (!found) return false;
  if (composedContains(el, found) || found === el) return true;
  const label = found.closest && found.closest('label');
  if (label && label.control === el) return true;
  return isToggle(el) && composedContains(found, el) && found.localName === 'label';
}

// points are where el could be clicked: the middle of its boxes first.
function points(el) {
  const view = el.ownerDocument.defaultView;
  const w = view.innerWidth, h = view.innerHeight, out = [];
  for (const r of el.getClientRects()) {
    const l = Math.max(0, r.left), t = Math.max(0, r.top), right = Math.min(w, r.right), b = Math.min(h, r.bottom);
    if (right - l < 1 || b - t < 1) continue;
    out.push([(l + right) / 2, (t + b) / 2]);
    if (right - l > 8 && b - t > 8) for (const [fx, fy] of [[0.2, 0.5], [0.8, 0.5], [0.5, 0.2], [0.5, 0.8]]) out.push([l + (right - l) * fx, t + (b - t) * fy]);
  }
  return out;
}

function moving(el) {
  for (const a of el.ownerDocument.getAnimations ? el.ownerDocument.getAnimations() : []) {
    const target = a.effect && a.effect.target;
    if (a.playState === 'running' && target && composedContains(target, el)) return true;
  }
  return false;
}

// shifting says that images before el are still to come: el may jump when they do.
const shifting = (el) => [...el.ownerDocument.images].some((i) => !i.complete && i.loading !== 'lazy' && (i.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING));

const place = (el) => { const r = el.getBoundingClientRect(); return [r.left, r.top, r.width, r.height].map(Math.round).join(); };

const dismissed = new Map();

// banner finds what the driver said to click away, when it can be clicked.
function banner(locs, target, deep) {
  for (const loc of locs || []) {
    if ((dismissed.get(loc) || 0) >= 3) continue;
    const part = parse(loc);
    let els = part.length === 1 ? query(document, part[0]).filter((el) => shown(el)) : find(loc, shown).els;
    if (!els.length && deep) els = find(loc, shown).els;
    const el = els[0];
    if (!el || el === target || (target && (el.contains(target) || target.contains(el)))) continue;
    el.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    const p = points(el).find(([x, y]) => reaches(el, hit(el, x, y)));
    if (!p) continue;
    dismissed.set(loc, (dismissed.get(loc) || 0) + 1);
    const o = offset(el);
    return { state: 'dismiss', x: p[0] + o.x, y: p[1] + o.y, loc };
  }
  return null;
}

function info(el) {
  const form = el.form || el.closest('form');
  const win = el.ownerDocument.location;
  return {
    tag: tag(el), type: typeOf(el), name: el.getAttribute('name') || '', id: el.id || '', autocomplete: el.getAttribute('autocomplete') || '',
    inputmode: el.getAttribute('inputmode') || '', pattern: el.getAttribute('pattern') || '', maxlength: el.maxLength > 0 ? el.maxLength : 0,
    editable: Boolean(el.isContentEditable), multiple: Boolean(el.multiple), role: roleOf(el),
    page: win.href === 'about:blank' || win.href === 'about:srcdoc' ? location.href : win.href,
    action: form && form.action && typeof form.action === 'string' ? form.action : '',
    checked: isToggle(el) ? el.checked : el.getAttribute('aria-checked') === 'true', label: squeeze(labelsOf(el)[0]).slice(0, 300),
  };
}

const control = (el) => (tag(el) === 'label' && el.control ? el.control : el);

// act waits until what a verb needs holds, takes the memory for the signs, and
// says where to click or what control it is. The wants: click, hover, edit,
// focus, any, read.
function act(a) {
  let doubtful = 0, place0 = '', placedAt = 0, shiftingAt = 0;
  return repeat(a.timeout, (last) => {
    const fail = (why, extra) => (last || (extra && extra.now) ? { state: 'fault', why, page: state(), ...extra } : { again: true, within: 100, ...extra });
    if (location.protocol === 'chrome-error:') return { state: 'failed' };
    const r = first(a.locs, a.want === 'any' ? (el) => el.isConnected : reachable);
    if (a.dismiss && a.dismiss.length) {
      const b = banner(a.dismiss, r.els[0], false);
      if (b) return b;
    }
    if (!r.els.length && r.cross) return { state: 'cross', at: r.at, cross: r.cross };
    if (!r.els.length) {
      if (!last) return { again: true };
      return { state: 'fault', why: r.hidden.length ? `${r.hidden.length === 1 ? 'the only match is' : 'all matches are'} hidden` : 'nothing matches', near: candidates(a.locs), page: state() };
    }
    let els = r.els;
    if (els.length > 1 && (a.want === 'group') && els.every(isToggle)) els = [els[0]];
    if (els.length > 1) {
      doubtful ||= now();
      return fail(`${els.length} elements match, where one is acted on`, { now: now() - doubtful > 400, near: els.slice(0, 6).map(describe) });
    }
    doubtful = 0;
    const found = els[0];
    const el = a.want === 'click' || a.want === 'hover' ? found : control(found);
    const at = { at: r.at };
    if (a.want !== 'hover' && a.want !== 'any' && a.want !== 'read') {
      const off = disabled(el);
      if (off) return fail('the element is ' + off, at);
      if ((a.want === 'edit' || a.want === 'group') && readOnly(el)) return fail('the element is readonly', at);
    }
    const done = (more) => {
      const b = a.signs ? remember(a.id, a.signs) : null;
      return { state: 'ok', handle: keep(el), info: info(el), cross: null, watch: b ? b.cross : [], ...at, ...more };
    };
    if (a.want === 'any' || a.want === 'read' || a.want === 'group') return done();
    const target = isToggle(el) && !shown(el) ? [...el.labels].find((l) => shown(l)) : el;
    const rect = target.getBoundingClientRect(), view = target.ownerDocument.defaultView;
    const outside = rect.top < 0 || rect.left < 0 || rect.bottom > view.innerHeight || rect.right > view.innerWidth;
    if (outside || target.ownerDocument !== document) target.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    if (a.want === 'edit' || a.want === 'focus') {
      if (a.test) return done();
      focusOn(el, a.want === 'edit');
      if (a.want === 'edit' && deepFocus() !== el && !(el.isContentEditable && el.contains(deepFocus()))) return fail('the element does not take the focus', at);
      return done();
    }
    if (shifting(target)) {
      shiftingAt ||= now();
      if (now() - shiftingAt < 500) return { again: true, within: 25 };
    }
    if (moving(target)) {
      const p = place(target);
      placedAt ||= now();
      if (p !== place0 && now() - placedAt < 1000) { place0 = p; return { again: true, frames: true, within: 100 }; }
    }
    let blocker = null;
    for (const [x, y] of points(target)) {
      const found = hit(target, x, y);
      if (reaches(target, found) || (target !== el && reaches(el, found))) { const o = offset(target); return done({ x: x + o.x, y: y + o.y }); }
      blocker ||= found;
    }
    const b = banner(a.dismiss, el, true);
    if (b) return b;
    if (outside || !blocker) target.scrollIntoView({ block: last ? 'nearest' : 'center', inline: 'center', behavior: 'instant' });
    let cover = blocker ? describe(blocker) : '', up = blocker;
    while (up && parentOf(up) && !composedContains(parentOf(up), target)) up = parentOf(up);
    if (up !== blocker) cover += ' in ' + describe(up).replace(/>[^]*$/, '>');
    return fail(blocker ? `${cover} covers it` : 'it can\'t be scrolled into view', { ...at, covers: cover });
  });
}

function deepFocus() {
  let e = document.activeElement;
  for (;;) {
    if (e && e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement;
    else if (e && isFrame(e) && frameDocument(e) && frameDocument(e).activeElement) e = frameDocument(e).activeElement;
    else return e;
  }
}

function focusOn(el, select) {
  if (el.ownerDocument !== document) el.ownerDocument.defaultView.focus();
  if (deepFocus() !== el) el.focus({ preventScroll: true });
  if (!select) return;
  if (el.isContentEditable) {
    const s = el.ownerDocument.getSelection();
    s.selectAllChildren(el);
  } else if (el.select) el.select();
}

// spot is where a kept frame's content begins now, for elements in frames of
// another origin; with a point inside of it, the page is first scrolled to that.
function spot(a) {
  const el = handles.get(a.handle);
  if (!el || !el.isConnected) return { gone: true };
  const at = () => {
    const r = el.getBoundingClientRect(), o = offset(el), cs = getComputedStyle(el);
    return { x: r.left + o.x + el.clientLeft + parseFloat(cs.paddingLeft), y: r.top + o.y + el.clientTop + parseFloat(cs.paddingTop) };
  };
  let q = at();
  if (a.to && (q.y + a.to.y < 0 || q.y + a.to.y > innerHeight || q.x + a.to.x < 0 || q.x + a.to.x > innerWidth)) {
    scrollBy({ left: q.x + a.to.x - innerWidth / 2, top: q.y + a.to.y - innerHeight / 2, behavior: 'instant' });
    q = at();
  }
  return q;
}

// painted resolves when what was scrolled is on the screen: only then does a
// click find its way into a frame of another process.
const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done({}))));

const element = (a) => handles.get(a.handle);

// tick lets what an event started get under way.
const tick = () => new Promise((done) => setTimeout(done, 0));

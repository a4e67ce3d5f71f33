// Signs: what is there before a verb is remembered, and counts only once it
// changed. A document that came since has no memory, so all in it is new.

const baselines = new Map();
let accepted = false; // a verb ended well on this document: its status is explained

function urlMatches(pattern) {
  const here = location.pathname + location.search + (pattern.includes('#') ? location.hash : '');
  let plain = here;
  try { plain = decodeURIComponent(here); } catch { /* keeps the raw form */ }
  const re = new RegExp(pattern.split('*').map((x) => x.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('[^]*'));
  return re.test(here) || re.test(plain);
}

const body = (el) => el.textContent;

function remember(id, signs) {
  const b = { href: location.href, nodes: new Map(), gone: new Map(), cross: [] };
  for (const s of signs) {
    for (const loc of s.any) {
      if (loc.startsWith('url=')) continue;
      const gone = loc.startsWith('gone=');
      const bare = gone ? loc.slice(5) : loc;
      const r = find(bare, shown);
      if (r.cross) b.cross.push({ label: s.label, gone, loc, ...r.cross });
      else if (gone) { if (!r.els.length) b.gone.set(loc, bare); }
      else for (const el of r.els) b.nodes.set(el, body(el));
    }
  }
  baselines.set(id, b);
  if (baselines.size > 8) baselines.delete(baselines.keys().next().value);
  listeners.add(notice);
  observe();
  return b;
}

// notice drops from every memory what was replaced, hidden or gone for a moment.
function notice(records) {
  let looked = false;
  for (const b of baselines.values()) {
    for (const el of b.nodes.keys()) {
      let changed = !el.isConnected;
      for (const r of records) {
        if (changed) break;
        if (r.type === 'childList') {
          changed = (r.addedNodes.length > 0 && el.contains(r.target)) || [...r.removedNodes].some((n) => n === el || n.contains(el));
        } else if (r.type === 'characterData') changed = el.contains(r.target) && r.target.data.trim() !== '' && body(el) === b.nodes.get(el);
        looked ||= r.type === 'attributes' || r.type === 'childList';
      }
      if (changed || (looked && !shown(el))) b.nodes.delete(el);
    }
    for (const [loc, bare] of b.gone) if (find(bare, shown).els.length) b.gone.delete(loc);
  }
}

// check lists the signs that are there and are news.
function check(b, signs) {
  const hits = [];
  const cross = [];
  for (const s of signs) {
    for (const loc of s.any) {
      if (loc.startsWith('url=')) {
        if (urlMatches(loc.slice(4)) && (!b || b.href !== location.href)) { hits.push({ label: s.label, loc, said: '' }); break; }
        continue;
      }
      const gone = loc.startsWith('gone=');
      const bare = gone ? loc.slice(5) : loc;
      const r = find(bare, shown);
      if (r.cross) { cross.push({ label: s.label, gone, loc, ...r.cross }); continue; }
      if (gone) {
        if (r.els.length) { if (b) b.gone.delete(loc); continue; }
        if (!b || !b.gone.has(loc)) { hits.push({ label: s.label, loc, said: '' }); break; }
        continue;
      }
      const news = b ? r.els.filter((el) => !(b.nodes.has(el) && b.nodes.get(el) === body(el))) : r.els;
      if (b) for (const el of b.nodes.keys()) if (!shown(el)) b.nodes.delete(el);
      if (news.length) {
        hits.push({ label: s.label, loc, said: news.map(text).filter(Boolean).join(' ').slice(0, 2000) });
        break;
      }
    }
  }
  return { hits, cross };
}

const settled = () => document.readyState !== 'loading' || now() > 3000;

// watch waits for a sign. With status, a document that came since the verb and
// whose answer was an error ends the wait once it is complete.
function watch(a) {
  let since = 0;
  const b = a.fresh ? null : baselines.get(a.id);
  return repeat(a.timeout, (last) => {
    if (location.protocol === 'chrome-error:') return { state: 'failed' };
    if (!settled()) return last ? { state: 'timeout', page: state() } : null;
    const { hits, cross } = check(b, a.signs);
    if (hits.length) {
      if (hits.length === 1) accepted = true;
      return { state: 'seen', hits, url: location.href };
    }
    const status = responseStatus();
    since ||= now();
    if (!b && !accepted && a.status && status >= 400 && !cross.length && (document.readyState === 'complete' || now() - since > 1000)) {
      return { state: 'status', status, page: state() };
    }
    if (last) return { state: 'timeout', page: state(), near: candidates(a.signs.flatMap((s) => s.any).filter((l) => !/^(url|gone)=/.test(l))) };
    if (cross.length && now() - since > 200) { since = now(); return { state: 'cross', cross, known: Boolean(b) }; }
    return { again: true };
  });
}

// look reads what a locator matches now, for signs in frames of another origin.
function look(a) {
  const r = find(a.loc, shown);
  return { n: r.els.length, said: r.els.map(text).filter(Boolean).join(' ').slice(0, 2000), cross: r.cross || null };
}

// ready waits until the document can be acted on.
function ready(a) {
  return repeat(a.timeout, (last) => {
    if (location.protocol === 'chrome-error:') return { state: 'failed' };
    if (document.readyState === 'loading') return last ? { state: 'timeout', page: state() } : null;
    const status = responseStatus();
    if (status < 400) return { state: 'ready', status, url: location.href };
    return { state: 'ready', status, url: location.href, page: state(), accepted };
  });
}

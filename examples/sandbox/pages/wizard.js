'use strict';
// A small app in the manner of the large frameworks: state, a render per change,
// inputs that belong to the state, routes by history.pushState.

const boot = JSON.parse(document.getElementById('state').textContent);
const app = document.getElementById('app');
let csrf = document.querySelector('meta[name=csrf-token]').content;
let me = boot.me || '';
const signup = { username: '', email: '', password: '', name: '', location: '', bio: '', picture: '', terms: false };
const steps = ['account', 'about', 'terms', 'review'];

async function call(method, path, body) {
  const form = body instanceof FormData;
  const headers = { 'X-CSRF-Token': csrf };
  if (body && !form) headers['Content-Type'] = 'application/json';
  const answer = await fetch(path, { method, headers, body: form ? body : body && JSON.stringify(body) });
  let data = {};
  try { data = await answer.json(); } catch { data = { error: 'The server did not answer properly. Try again later.' }; }
  if (data.csrf) csrf = data.csrf;
  return { ok: answer.ok, status: answer.status, data };
}

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

let ids = 0;
// field is a controlled input: what it shows is the state's value. A value that
// was set without a person's input event is put back.
function field(label, state, key, props = {}) {
  const id = `f${++ids}`;
  const input = el(props.rows ? 'textarea' : 'input', { id, ...props });
  input.value = state[key];
  input.addEventListener('input', (event) => {
    if (event.isTrusted) state[key] = input.value;
    else input.value = state[key];
  });
  for (const name of ['change', 'blur']) input.addEventListener(name, () => { if (input.value !== state[key]) input.value = state[key]; });
  return el('div', { className: 'field' }, el('label', { htmlFor: id }, label), input);
}

function link(path, text) {
  return el('a', { href: path, onclick: (event) => { event.preventDefault(); go(path); } }, text);
}

function go(path, replace) {
  history[replace ? 'replaceState' : 'pushState']({}, '', path);
  render();
}
addEventListener('popstate', () => render());

function show(...nodes) { app.replaceChildren(...nodes.filter((n) => n)); }

function problem() { return el('p', { className: 'problem', role: 'alert', hidden: true }); }
function say(node, text) { node.textContent = text; node.hidden = !text; }

// The upload: a button and a drop zone; the file input exists only while it is used.
function upload(done) {
  const state = el('p', { className: 'hint' }, 'PNG, JPEG or GIF, at most 100 kB.');
  const send = async (file) => {
    const form = new FormData();
    form.append('picture', file);
    const { ok, data } = await call('POST', '/api/uploads', form);
    if (!ok) { state.replaceChildren(el('span', { className: 'problem', role: 'alert' }, data.error)); return; }
    done(data.id);
    const preview = el('img', { alt: 'Your picture', src: URL.createObjectURL(file) });
    state.replaceChildren(preview);
  };
  const choose = () => {
    const input = el('input', { type: 'file', accept: 'image/*', hidden: true });
    input.addEventListener('change', () => { if (input.files.length) send(input.files[0]); input.remove(); });
    zone.append(input);
    input.click();
  };
  const zone = el('div', { className: 'drop' }, el('p', {}, 'Drop a picture here, or'), el('button', { type: 'button', onclick: choose }, 'Choose a picture'), state);
  zone.addEventListener('dragover', (event) => event.preventDefault());
  zone.addEventListener('drop', (event) => { event.preventDefault(); if (event.dataTransfer.files.length) send(event.dataTransfer.files[0]); });
  return zone;
}

// The second step is a web component with its own shadow tree.
customElements.define('about-step', class extends HTMLElement {
  connectedCallback() {
    const root = this.attachShadow({ mode: 'open' });
    root.append(
      el('link', { rel: 'stylesheet', href: '/static/wizard.css' }),
      el('h2', {}, 'About you'),
      field('Display name', signup, 'name', { type: 'text' }),
      field('Location', signup, 'location', { type: 'text' }),
      field('Bio', signup, 'bio', { rows: 4, maxLength: 300 }),
      upload((id) => { signup.picture = id; }),
      el('p', {}, el('button', { type: 'button', onclick: () => go('/signup/terms') }, 'Continue')),
    );
  }
});

function accountStep() {
  const said = problem();
  const status = el('p', { className: 'fine', role: 'status' });
  const username = field('Username', signup, 'username', { type: 'text', autocomplete: 'username' });
  let asked = '';
  let free = null;
  const check = async () => {
    const name = signup.username;
    if (!name || name === asked) return;
    asked = name;
    free = call('GET', `/api/usernames/${encodeURIComponent(name)}`).then(({ data }) => data.free);
    const yes = await free;
    if (name !== signup.username) return;
    status.textContent = yes ? `${name} is free.` : '';
    say(said, yes ? '' : 'That username is already taken.');
  };
  username.querySelector('input').addEventListener('blur', check);
  const next = async () => {
    await check();
    if (!signup.username || !signup.email || !signup.password) { say(said, 'Fill in all three fields.'); return; }
    if (!(await free)) { say(said, 'That username is already taken.'); return; }
    go('/signup/about');
  };
  return [
    el('h2', {}, 'Your account'), said, username, status,
    field('Email', signup, 'email', { type: 'email', autocomplete: 'email' }),
    field('Password', signup, 'password', { type: 'password', autocomplete: 'new-password' }),
    el('button', { type: 'button', onclick: next }, 'Continue'),
  ];
}

function termsStep() {
  const next = el('button', { type: 'button', disabled: !signup.terms, onclick: () => go('/signup/review') }, 'Continue');
  const hear = (event) => {
    if (event.origin !== location.origin || typeof event.data.terms !== 'boolean') return;
    signup.terms = event.data.terms;
    next.disabled = !signup.terms;
  };
  removeEventListener('message', termsStep.hear);
  termsStep.hear = hear;
  addEventListener('message', hear);
  return [el('h2', {}, 'The small print'), el('iframe', { src: '/terms-frame', title: 'Terms of service' }), next];
}

function reviewStep() {
  const said = problem();
  const create = el('button', { type: 'button' }, 'Create account');
  create.addEventListener('click', async () => {
    create.disabled = true;
    say(said, '');
    const { ok, data } = await call('POST', '/api/accounts', signup);
    if (ok) { me = data.username; go('/welcome'); return; }
    create.disabled = false;
    say(said, data.error);
  });
  return [
    el('h2', {}, 'Is this right?'),
    el('dl', {}, el('dt', {}, 'Username'), el('dd', {}, signup.username), el('dt', {}, 'Email'), el('dd', {}, signup.email)),
    said, create,
  ];
}

function loginPage() {
  const said = problem();
  const state = { username: '', password: '' };
  const form = el('form', { onsubmit: async (event) => {
    event.preventDefault();
    const { ok, data } = await call('POST', '/api/sessions', state);
    if (ok) { me = data.username; go('/profile'); return; }
    say(said, data.error);
  } },
  field('Username', state, 'username', { type: 'text', autocomplete: 'username' }),
  field('Password', state, 'password', { type: 'password', autocomplete: 'current-password' }),
  el('button', { type: 'submit' }, 'Sign in'));
  show(el('h1', {}, 'Sign in'), said, form);
}

async function profilePage() {
  const path = location.pathname;
  const { ok, data } = await call('GET', '/api/profile');
  if (location.pathname !== path) return;
  if (!ok) { go('/login', true); return; }
  const state = { ...data, links: data.links.join('\n') };
  const said = problem();
  const saved = el('p', { className: 'fine', role: 'status' });
  const form = el('form', { onsubmit: async (event) => {
    event.preventDefault();
    say(said, '');
    const body = { ...state, links: state.links.split('\n').map((l) => l.trim()).filter((l) => l) };
    const answer = await call('PUT', '/api/profile', body);
    saved.textContent = answer.ok ? 'All changes saved.' : '';
    if (!answer.ok) say(said, answer.data.error);
  } },
  field('Display name', state, 'name', { type: 'text' }),
  field('Location', state, 'location', { type: 'text' }),
  field('Bio', state, 'bio', { rows: 4, maxLength: 300 }),
  field('Website', state, 'website', { type: 'url' }),
  field('Links, one per line', state, 'links', { rows: 5 }),
  el('button', { type: 'submit' }, 'Save'));
  show(el('h1', {}, 'Your profile'), said, saved, form, link(`/people/${state.username}`, 'View public profile'));
}

function personPage(person) {
  const out = (href) => el('a', { href, rel: 'nofollow ugc' }, href);
  show(
    el('h1', {}, person.name),
    person.avatar ? el('img', { src: person.avatar, alt: `Picture of ${person.name}`, width: 96, height: 96 }) : null,
    el('p', { id: 'bio' }, person.bio),
    person.location ? el('p', {}, person.location) : null,
    person.website ? el('p', {}, 'Website: ', out(person.website)) : null,
    person.links.length ? el('ul', {}, ...person.links.map((l) => el('li', {}, out(l)))) : null,
  );
}

function render() {
  const [first, second] = location.pathname.split('/').filter(Boolean);
  if (first === 'signup') {
    const step = steps.includes(second) ? second : 'account';
    if (step !== 'account' && !signup.username) { go('/signup', true); return; }
    const parts = { account: accountStep, terms: termsStep, review: reviewStep };
    show(el('h1', {}, 'Join Wizard'), el('p', {}, `Step ${steps.indexOf(step) + 1} of ${steps.length}`),
      ...(step === 'about' ? [document.createElement('about-step')] : parts[step]()));
  } else if (first === 'login') {
    loginPage();
  } else if (first === 'profile') {
    profilePage();
  } else if (first === 'welcome' && me) {
    show(el('h1', {}, `Welcome, ${me}`), el('p', {}, link('/profile', 'Your profile')));
  } else if (first === 'people') {
    if (boot.person && boot.person.username.toLowerCase() === decodeURIComponent(second || '').toLowerCase()) personPage(boot.person);
    else if (!boot.person) show(el('h1', {}, 'Nobody here'));
    else location.reload();
  } else {
    show(el('h1', {}, 'Wizard'), el('p', {}, link('/signup', 'Join'), ' or ', link('/login', 'sign in'), '.'));
  }
}
render();

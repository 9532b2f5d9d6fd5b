// What the page's parts are made of.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Puts exactly these elements into the parent, in this order, moving as few as possible.
export function arrange(parent, elements) {
  let at = parent.firstChild;
  for (const element of elements) {
    if (element === at) at = at.nextSibling;
    else parent.insertBefore(element, at);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

const quiet = matchMedia("(prefers-reduced-motion: reduce)");

// A light behind the row that fades: its opacity is the compositor's work, so a busy page is not painted for it.
export function flash(row) {
  if (!row.isConnected || quiet.matches) return;
  row.animate([{ opacity: 1 }, { opacity: 0 }], { duration: 1400, easing: "ease-out", pseudoElement: "::before" });
}

// One element whose parts are a gradient: a change of it is painted, nothing is laid out.
export class Bar {
  constructor() {
    this.element = make("span", { class: "bar", "aria-hidden": "true" });
  }

  draw({ capacity, used, claimed }) {
    const whole = Math.max(capacity, used + claimed, 1);
    const until = (value) => `${((100 * Math.max(0, value)) / whole).toFixed(1)}%`;
    this.element.style.setProperty("--used-to", until(used));
    this.element.style.setProperty("--claimed-to", until(used + claimed));
    this.element.classList.toggle("over", used + claimed > capacity);
  }
}

// Gives the reader a file that the page made.
export function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = make("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, { credentials: "same-origin", ...options, headers: { Accept: "application/json", ...options.headers } });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.errors?.[0]?.detail ?? body.detail ?? `the portal answered ${answer.status}`);
  return body;
}

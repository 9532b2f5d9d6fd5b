// What is looked at and how: all of it is in the page's address, so that a link shows a colleague the same.

export const FACETS = ["class", "state", "alive", "rack", "zone", "trait"];
const DEFAULTS = { view: "map", colour: "free", group: "rack", zoom: "1", span: "900", q: "", host: "", at: "", sort: "name" };

export class View {
  #listeners = [];

  constructor() {
    this.#read();
    addEventListener("popstate", () => {
      const before = JSON.stringify([this.values, this.facets]);
      this.#read();
      if (JSON.stringify([this.values, this.facets]) !== before) this.#tell(new Set([...Object.keys(DEFAULTS), ...FACETS]));
    });
  }

  get(name) { return this.values[name]; }

  onChange(listener) { this.#listeners.push(listener); }

  // `step`: Back comes back to how it was.
  set(changes, step = false) {
    const changed = new Set();
    for (const [name, value] of Object.entries(changes)) {
      if (FACETS.includes(name)) {
        if (same(this.facets[name], value)) continue;
        this.facets[name] = [...value];
      } else {
        if (this.values[name] === String(value)) continue;
        this.values[name] = String(value);
      }
      changed.add(name);
    }
    if (!changed.size) return;
    const url = this.address();
    if (step) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    this.#tell(changed);
  }

  // The address of what is shown; with an instant, of what is shown at that instant.
  address(at = this.values.at) {
    const url = new URL(location.href);
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...this.values, at })) if (value && value !== DEFAULTS[name]) query.set(name, value);
    for (const name of FACETS) for (const value of this.facets[name]) query.append(name, value);
    url.search = query.toString();
    return url.href;
  }

  isNarrowed() { return Boolean(this.values.q.trim()) || FACETS.some((name) => this.facets[name].length); }

  #read() {
    const query = new URLSearchParams(location.search);
    this.values = Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, query.get(name) ?? value]));
    this.facets = Object.fromEntries(FACETS.map((name) => [name, query.getAll(name)]));
  }

  #tell(changed) { for (const listener of this.#listeners) listener(changed); }
}

const same = (a, b) => a.length === b.length && a.every((one, n) => one === b[n]);

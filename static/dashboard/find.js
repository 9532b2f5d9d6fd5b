// Which hosts are looked at: words, and facets with how many there are of each. One set for map and table.

const version = new URL(import.meta.url).search;
const [{ FACETS }, { byName, className, count }, { make, setText, arrange }] = await Promise.all(
  ["view", "format", "parts"].map((name) => import(`./${name}.js${version}`)));

const WORDS = { class: "Class", state: "State", alive: "Heard from", rack: "Rack", zone: "Zone", trait: "Trait" };
const SHOWN = 40; // values of a facet; more are found by typing
const EVERY = 2000; // milliseconds between two counts

const values = {
  class: (host) => [host.resource_class], state: (host) => [host.state],
  alive: (host) => [host.heartbeat === "none" ? "external" : host.alive ? "alive" : "silent"],
  rack: (host) => [host.rack], zone: (host) => [host.zone], trait: (host) => host.traits,
};
const label = (name, value) => (name === "class" ? className(value) : value || `no ${name}`);

export class Find {
  #matching = new Set();
  #menus = new Map();
  #counted = 0;

  constructor({ facets, found, chips }, state, view) {
    Object.assign(this, { facets, found, chips, state, view });
    for (const name of FACETS) this.#menu(name);
    document.addEventListener("click", (event) => {
      for (const { element } of this.#menus.values()) if (element.open && !element.contains(event.target)) element.open = false;
    });
    facets.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      const menu = event.target.closest("details[open]");
      if (menu) { menu.open = false; menu.firstElementChild.focus(); event.stopPropagation(); }
    });
  }

  matches(id) { return this.#matching.has(id); }
  get size() { return this.#matching.size; }

  // All hosts again: the question changed, or the cell.
  renew() {
    this.words = this.view.get("q").toLowerCase().split(/\s+/).filter(Boolean);
    this.#matching = new Set();
    for (const host of this.state.hosts.values()) if (this.#does(host)) this.#matching.add(host.id);
    this.#count();
    this.#drawChips();
  }

  update(ids) {
    for (const id of ids) {
      const host = this.state.hosts.get(id);
      if (host && this.#does(host)) this.#matching.add(id); else this.#matching.delete(id);
    }
    if (performance.now() - this.#counted > EVERY) this.#count();
    this.#say();
  }

  #does(host) {
    for (const name of FACETS) {
      const wanted = this.view.facets[name];
      if (wanted.length && !values[name](host).some((value) => wanted.includes(value))) return false;
    }
    if (!this.words.length) return true;
    const text = [host.name, host.resource_class, className(host.resource_class), host.state, host.rack, host.zone, ...host.traits,
      host.alive ? "alive" : "silent", host.claims ? "claimed" : "", host.id].join(" ").toLowerCase();
    return this.words.every((word) => text.includes(word));
  }

  #say() {
    setText(this.found, this.view.isNarrowed() ? `${count(this.#matching.size)} of ${count(this.state.hosts.size)}` : "");
  }

  #count() {
    this.#counted = performance.now();
    this.#say();
    for (const [name, menu] of this.#menus) {
      const counts = new Map();
      for (const host of this.state.hosts.values()) for (const value of values[name](host)) counts.set(value, (counts.get(value) ?? 0) + 1);
      for (const value of this.view.facets[name]) if (!counts.has(value)) counts.set(value, 0);
      menu.counts = counts;
      menu.element.hidden = counts.size < 2 && !this.view.facets[name].length;
      if (menu.element.open) this.#fill(name);
      const chosen = this.view.facets[name].length;
      setText(menu.title, chosen ? `${WORDS[name]} (${chosen})` : WORDS[name]);
    }
  }

  #menu(name) {
    const title = make("summary", {}, WORDS[name]);
    const input = make("input", { type: "search", placeholder: "narrow …", "aria-label": `Narrow ${WORDS[name].toLowerCase()}`, hidden: "" });
    const list = make("div", { class: "choices", role: "group", "aria-label": WORDS[name] });
    const element = make("details", { class: "facet", "data-facet": name }, title, make("div", { class: "menu" }, input, list));
    element.addEventListener("toggle", () => {
      if (!element.open) return;
      for (const menu of this.#menus.values()) if (menu.element !== element) menu.element.open = false;
      this.#fill(name);
    });
    input.addEventListener("input", () => this.#fill(name));
    this.#menus.set(name, { element, title, list, input, counts: new Map(), rows: new Map() });
    this.facets.append(element);
  }

  #fill(name) {
    const menu = this.#menus.get(name), wanted = this.view.facets[name];
    const typed = menu.input.value.trim().toLowerCase();
    menu.input.hidden = menu.counts.size <= SHOWN;
    const shown = [...menu.counts].filter(([value]) => label(name, value).toLowerCase().includes(typed))
      .sort((a, b) => wanted.includes(b[0]) - wanted.includes(a[0]) || byName(label(name, a[0]), label(name, b[0]))).slice(0, SHOWN);
    arrange(menu.list, shown.map(([value, number]) => this.#choice(name, menu, value, number, wanted.includes(value))));
  }

  #choice(name, menu, value, number, isChosen) {
    let row = menu.rows.get(value);
    if (!row) {
      const box = make("input", { type: "checkbox" }), many = make("small");
      box.addEventListener("change", () => {
        const now = this.view.facets[name];
        this.view.set({ [name]: box.checked ? [...now, value] : now.filter((one) => one !== value) }, true);
      });
      row = { element: make("label", {}, box, make("span", {}, label(name, value)), many), box, many };
      menu.rows.set(value, row);
    }
    row.box.checked = isChosen;
    setText(row.many, count(number));
    return row.element;
  }

  // What narrows, each with a way to take it away.
  #drawChips() {
    const chips = FACETS.flatMap((name) => this.view.facets[name].map((value) => {
      const chip = make("button", { type: "button", class: "chip" }, `${WORDS[name]}: ${label(name, value)} ✕`);
      chip.setAttribute("aria-label", `Do not narrow to ${label(name, value)} any more`);
      chip.onclick = () => this.view.set({ [name]: this.view.facets[name].filter((one) => one !== value) }, true);
      return chip;
    }));
    arrange(this.chips, chips);
  }
}

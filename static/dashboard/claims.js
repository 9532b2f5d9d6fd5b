// The claims in flight, newest first, and the figures at the top of the page.

const version = new URL(import.meta.url).search;
const { age, amounts, count, shortId } = await import(`./format.js${version}`);
const { arrange, flash, make, setText } = await import(`./parts.js${version}`);

const SHOWN = 100;

export class ClaimsPanel {
  #rows = new Map();

  constructor(place, note, none, state, links) {
    Object.assign(this, { place, note, none, state, links });
    setInterval(() => this.drawAges(), 1000);
  }

  draw(changed) {
    if (!changed.all && changed.claims.size === 0) return;
    const newest = [...this.state.claims.values()].sort((a, b) => (a.since < b.since ? 1 : a.since > b.since ? -1 : 0));
    const shown = newest.slice(0, SHOWN);
    const known = new Set(this.#rows.keys());
    arrange(this.place, shown.map((claim) => this.#row(claim)));
    if (!changed.all) for (const [id, row] of this.#rows) if (!known.has(id)) flash(row.element);
    const ids = new Set(shown.map((claim) => claim.id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
    this.none.hidden = newest.length > 0;
    setText(this.note, newest.length > SHOWN ? `newest ${SHOWN} of ${count(newest.length)}` : "");
    this.drawAges();
  }

  drawAges() {
    for (const [id, row] of this.#rows) {
      const claim = this.state.claims.get(id);
      if (claim) setText(row.age, age(this.state.ageOf(claim)));
    }
  }

  #row(claim) {
    let row = this.#rows.get(claim.id);
    if (!row) {
      row = this.#make(claim);
      this.#rows.set(claim.id, row);
    }
    setText(row.state, claim.state);
    row.state.className = `pill ${claim.state}`;
    return row.element;
  }

  #make(claim) {
    const host = this.state.hosts.get(claim.provider);
    const link = this.links("claim", claim.id);
    const id = make(link ? "a" : "span", link ? { href: link } : {}, shortId(claim.id));
    id.title = claim.id;
    const state = make("span");
    const old = make("td", { class: "number", role: "cell" });
    const wanted = amounts(claim.amounts, this.state.units[host?.resource_class]);
    const cell = (label, ...content) => make("td", { "data-label": label, role: "cell" }, ...content);
    const element = make("tr", { "data-claim": claim.id, role: "row" },
      make("th", { scope: "row", role: "rowheader" }, id), cell("consumer", claim.consumer), cell("host", host?.name ?? shortId(claim.provider)),
      cell("amounts", wanted), cell("state", state), old);
    return { element, state, age: old };
  }
}

export class Figures {
  #values = {};

  constructor(place, state) {
    this.state = state;
    for (const name of ["hosts", "alive", "silent", "not enabled", "instances", "claims in flight", "oldest claim"]) {
      this.#values[name] = make("dd");
      place.append(make("div", { "data-figure": name }, make("dt", {}, name), this.#values[name]));
    }
    setInterval(() => this.#drawOldest(), 1000);
  }

  draw() {
    const sums = { alive: 0, "not enabled": 0, instances: 0 };
    for (const host of this.state.hosts.values()) {
      if (host.alive) sums.alive += 1;
      if (host.state !== "enabled") sums["not enabled"] += 1;
      sums.instances += host.instances;
    }
    const hosts = this.state.hosts.size;
    const figures = { hosts, ...sums, silent: hosts - sums.alive, "claims in flight": this.state.claims.size };
    for (const [name, value] of Object.entries(figures)) setText(this.#values[name], count(value));
    this.#values.silent.classList.toggle("bad", figures.silent > 0);
    this.#drawOldest();
  }

  #drawOldest() {
    let oldest = 0;
    for (const claim of this.state.claims.values()) oldest = Math.max(oldest, this.state.ageOf(claim));
    setText(this.#values["oldest claim"], this.state.claims.size ? age(oldest) : "–");
  }
}

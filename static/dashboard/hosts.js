// The hosts, a table a resource class. Rows are kept by id and only what changed in them is touched.

const version = new URL(import.meta.url).search;
const { byName, className, count, exact, number, title } = await import(`./format.js${version}`);

const PARTS = ["available", "claimed", "used", "total"];
const A_PAGE = 300;
const FLASHES = 60; // rows that may flash in one frame; a storm is not made better by fireworks

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

// A light behind the row that fades: its opacity is the compositor's work, so a busy page is not painted for it.
export function flash(row) {
  if (row.isConnected) row.animate([{ opacity: 1 }, { opacity: 0 }], { duration: 1400, easing: "ease-out", pseudoElement: "::before" });
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

class Row {
  constructor(host, units, link) {
    this.name = make(link ? "a" : "span", link ? { href: link, tabindex: "0" } : {});
    this.where = make("small");
    this.state = make("span", { class: "pill" });
    this.alive = make("span", { class: "alive" });
    this.claims = make("td", { class: "number", role: "cell", "data-part": "claims", "data-label": "claims" });
    this.element = make("tr", { "data-host": host.id, role: "row" },
      make("th", { scope: "row", role: "rowheader" }, this.name, this.where),
      make("td", { class: "state", role: "cell" }, this.state, this.alive),
      this.claims);
    this.amounts = Object.keys(host.amounts).map((name) => this.#amount(name, units[name] ?? ""));
  }

  #amount(name, unit) {
    const bar = new Bar();
    this.element.append(make("td", { class: "bar", role: "cell", "data-label": title(name, unit) }, bar.element));
    const cells = PARTS.map((part) => {
      const cell = make("td", {
        class: `number ${part}`, role: "cell", "data-amount": name, "data-part": part, "data-label": part,
      });
      this.element.append(cell);
      return [part, cell];
    });
    return { name, unit, bar, cells };
  }

  draw(host) {
    setText(this.name, host.name);
    setText(this.where, [host.parent ? "child" : "", host.rack, host.zone].filter(Boolean).join(" · "));
    setText(this.state, host.state);
    this.state.className = `pill ${host.state}`;
    this.state.title = host.state_reason;
    const alive = host.heartbeat === "none" ? "external" : host.alive ? "alive" : "silent";
    setText(this.alive, alive);
    this.alive.className = `alive ${alive}`;
    setText(this.claims, count(host.claims));
    this.claims.classList.toggle("zero", host.claims === 0);
    for (const amount of this.amounts) this.#drawAmount(amount, host.amounts[amount.name]);
  }

  #drawAmount({ unit, bar, cells }, amount) {
    bar.draw(amount);
    for (const [part, cell] of cells) {
      const value = part === "total" ? amount.capacity : amount[part];
      if (cell.dataset.value === String(value)) continue;
      cell.dataset.value = value;
      cell.textContent = number(value, unit);
      cell.title = part === "total" && amount.capacity !== amount.total
        ? `${exact(value, unit)} can be sold of ${exact(amount.total, unit)} that the host has`
        : exact(value, unit);
      cell.classList.toggle("zero", value === 0 && part !== "available" && part !== "total");
      cell.classList.toggle("negative", value < 0);
    }
  }
}

class Group {
  rows = new Map();
  shown = A_PAGE;

  constructor(name, sample, units, onMore) {
    this.name = name;
    this.units = units;
    this.total = make("p", { class: "hint" });
    this.bars = Object.keys(sample.amounts).map((amount) => this.#summary(amount));
    this.body = make("tbody", { role: "rowgroup" });
    this.more = make("button", { type: "button", class: "more", hidden: "" });
    this.more.onclick = () => { this.shown += 5 * A_PAGE; onMore(); };
    const id = `class-${name.replaceAll(/[^a-z0-9_-]/gi, "-")}`;
    this.element = make("section", { class: "group card", "data-class": name, "aria-labelledby": id },
      make("header", {}, make("h2", { id }, className(name)), this.total,
        make("div", { class: "summaries" }, ...this.bars.map((bar) => bar.element))),
      make("table", { role: "table", "aria-labelledby": id }, this.#head(sample), this.body), this.more);
    this.element.style.setProperty("--amounts", this.bars.length);
    this.element.dataset.amounts = this.bars.length;
  }

  #summary(name) {
    const bar = new Bar();
    const text = make("span");
    const unit = this.units[name] ?? "";
    return { name, unit, bar, text, element: make("p", { class: "summary" }, make("b", {}, title(name, unit)), bar.element, text) };
  }

  #head(sample) {
    const head = (text, of = {}) => make("th", { scope: "col", role: "columnheader", ...of }, text);
    const upper = make("tr", { role: "row" }, make("td", { colspan: "3", role: "cell", class: "corner" }));
    const lower = make("tr", { role: "row" }, head("Host"), head("State"), head("Claims", { class: "number" }));
    for (const name of Object.keys(sample.amounts)) {
      upper.append(head(title(name, this.units[name] ?? ""), { scope: "colgroup", colspan: "5", class: "amount" }));
      lower.append(head(make("span", { class: "unseen" }, "share"), { class: "bar" }));
      for (const part of PARTS) lower.append(head(part === "available" ? "avail." : part, { class: "number" }));
    }
    return make("thead", { role: "rowgroup" }, upper, lower);
  }

  drawTotals(hosts) {
    const silent = hosts.filter((host) => !host.alive).length;
    const out = hosts.filter((host) => host.state !== "enabled").length;
    setText(this.total, [`${count(hosts.length)} ${hosts.length === 1 ? "host" : "hosts"}`, silent && `${count(silent)} silent`,
      out && `${count(out)} not enabled`].filter(Boolean).join(", "));
    for (const { name, unit, bar, text } of this.bars) {
      const sum = { capacity: 0, used: 0, claimed: 0, available: 0 };
      for (const host of hosts) for (const part in sum) sum[part] += host.amounts[name]?.[part] ?? 0;
      bar.draw(sum);
      setText(text, `${number(sum.available, unit)} of ${number(sum.capacity, unit)} available`);
    }
  }
}

export class HostTables {
  #groups = new Map();
  #words = [];

  constructor(place, state, links) {
    this.place = place;
    this.state = state;
    this.links = links;
  }

  filter(text) {
    this.#words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return this.draw({ all: true }, false);
  }

  // Draws what changed; returns how many hosts match the filter.
  draw(changed, flashes = true) {
    const byClass = grouped(this.state.hosts.values());
    const touched = [...(changed.all ? this.state.hosts.keys() : changed.hosts)];
    const flashing = flashes && !changed.all && touched.length <= FLASHES;
    let arranging = changed.all;
    for (const id of touched) arranging = this.#drawHost(id, flashing) || arranging;
    for (const name of this.#groups.keys()) if (!byClass.has(name)) this.#groups.delete(name);
    for (const [name, hosts] of byClass) this.#groups.get(name).drawTotals(hosts);
    return arranging || this.#words.length ? this.#arrange(byClass) : this.state.hosts.size;
  }

  // True when rows have to be arranged anew: the host came, went or changed its name.
  #drawHost(id, flashing) {
    const host = this.state.hosts.get(id);
    if (!host) {
      for (const one of this.#groups.values()) one.rows.delete(id);
      return true;
    }
    let one = this.#groups.get(host.resource_class);
    if (!one) {
      one = new Group(host.resource_class, host, this.state.units[host.resource_class] ?? {}, () => this.draw({ all: true }, false));
      this.#groups.set(host.resource_class, one);
    }
    let row = one.rows.get(id);
    const isNew = !row;
    if (isNew) {
      row = new Row(host, one.units, this.links(host.resource_class, host.id));
      one.rows.set(id, row);
    }
    const renamed = !isNew && row.name.textContent !== host.name;
    row.draw(host);
    if (flashing) flash(row.element);
    return isNew || renamed;
  }

  #arrange(byClass) {
    let found = 0;
    const names = [...this.#groups.keys()].sort((a, b) => order(a) - order(b) || byName(a, b));
    for (const name of names) {
      const one = this.#groups.get(name);
      const ids = new Set(byClass.get(name).map((host) => host.id));
      for (const id of one.rows.keys()) if (!ids.has(id)) one.rows.delete(id);
      const hosts = byClass.get(name).filter((host) => this.#matches(host)).sort((a, b) => byName(a.name, b.name));
      found += hosts.length;
      arrange(one.body, hosts.slice(0, one.shown).map((host) => one.rows.get(host.id).element));
      one.element.hidden = hosts.length === 0;
      one.more.hidden = hosts.length <= one.shown;
      setText(one.more, `Show more (${count(Math.max(0, hosts.length - one.shown))} left)`);
    }
    arrange(this.place, names.map((name) => this.#groups.get(name).element));
    return found;
  }

  #matches(host) {
    if (!this.#words.length) return true;
    const text = [host.name, host.resource_class, className(host.resource_class), host.state, host.rack, host.zone,
      host.alive ? "alive" : "silent", host.claims ? "claimed" : "", host.id].join(" ").toLowerCase();
    return this.#words.every((word) => text.includes(word));
  }
}

const ORDER = ["compute", "baremetal", "block_storage", "network"];
const order = (name) => (ORDER.indexOf(name) + ORDER.length + 1) % (ORDER.length + 1);

function grouped(hosts) {
  const groups = new Map();
  for (const host of hosts) {
    const there = groups.get(host.resource_class);
    if (there) there.push(host);
    else groups.set(host.resource_class, [host]);
  }
  return groups;
}

// The hosts, a table a resource class. Rows are kept by id and only what changed in them is touched.

const version = new URL(import.meta.url).search;
const { byName, className, count, exact, number, title } = await import(`./format.js${version}`);
const { Bar, arrange, flash, make, setText } = await import(`./parts.js${version}`);

const PARTS = ["available", "claimed", "used", "total"];
const A_PAGE = 300;
const FLASHES = 60; // rows that may flash in one frame; a storm is not made better by fireworks

class Row {
  constructor(host, units, onOpen) {
    this.name = make("button", { type: "button", class: "quiet", title: "Show this host" });
    this.name.onclick = () => onOpen(host.id);
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

  flash() { flash(this.element); }

  draw(host) {
    this.host = host;
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

  constructor(name, sample, units, view, onMore) {
    Object.assign(this, { name, units, view });
    this.heads = new Map();
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
    const sorts = (text, key, of = {}) => {
      const button = make("button", { type: "button", class: "quiet sort", title: "Sort by this" }, text);
      button.onclick = () => {
        const now = this.view.get("sort"), first = key === "name" || key === "state" ? key : `-${key}`;
        this.view.set({ sort: now === first ? (first.startsWith("-") ? key : `-${key}`) : first }, true);
      };
      const cell = head(button, of);
      this.heads.set(key, cell);
      return cell;
    };
    const upper = make("tr", { role: "row" }, make("td", { colspan: "3", role: "cell", class: "corner" }));
    const lower = make("tr", { role: "row" }, sorts("Host", "name"), sorts("State", "state"), sorts("Claims", "claims", { class: "number" }));
    for (const name of Object.keys(sample.amounts)) {
      upper.append(head(title(name, this.units[name] ?? ""), { scope: "colgroup", colspan: "5", class: "amount" }));
      lower.append(head(make("span", { class: "unseen" }, "share"), { class: "bar" }));
      for (const part of PARTS) lower.append(sorts(part === "available" ? "avail." : part, `${name}.${part}`, { class: "number" }));
    }
    return make("thead", { role: "rowgroup" }, upper, lower);
  }

  drawOrder() {
    const by = this.view.get("sort");
    for (const [key, cell] of this.heads) {
      const way = by === key ? "ascending" : by === `-${key}` ? "descending" : null;
      if (way) cell.setAttribute("aria-sort", way); else cell.removeAttribute("aria-sort");
    }
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

  constructor(place, state, view, find, onOpen) {
    Object.assign(this, { place, state, view, find, onOpen });
  }

  // Draws what changed, where the table is what is looked at.
  draw(changed, flashes = true) {
    if (this.view.get("view") !== "table") return;
    if (changed.all) this.#groups.clear();
    const byClass = grouped([...this.state.hosts.values()].filter((host) => this.find.matches(host.id)));
    const known = new Set([...this.#groups.values()].flatMap((one) => [...one.rows.keys()]));
    this.#arrange(byClass);
    const touched = [...changed.hosts].filter((id) => known.has(id));
    if (flashes && touched.length <= FLASHES) for (const id of touched) this.#row(id)?.flash();
  }

  #row(id) {
    const host = this.state.hosts.get(id);
    return host && this.#groups.get(host.resource_class)?.rows.get(id);
  }

  #group(name, sample) {
    let one = this.#groups.get(name);
    if (!one) {
      one = new Group(name, sample, this.state.units[name] ?? {}, this.view, () => this.draw({ all: false, hosts: new Set() }, false));
      this.#groups.set(name, one);
    }
    return one;
  }

  #arrange(byClass) {
    for (const name of this.#groups.keys()) if (!byClass.has(name)) this.#groups.delete(name);
    const names = [...byClass.keys()].sort((a, b) => order(a) - order(b) || byName(a, b));
    for (const name of names) {
      const all = byClass.get(name), one = this.#group(name, all[0]);
      const hosts = sorted(all, this.view.get("sort"));
      one.drawTotals(hosts);
      one.drawOrder();
      const shown = hosts.slice(0, one.shown).map((host) => this.#drawn(one, host));
      const ids = new Set(hosts.slice(0, one.shown).map((host) => host.id));
      for (const id of one.rows.keys()) if (!ids.has(id)) one.rows.delete(id);
      arrange(one.body, shown);
      one.more.hidden = hosts.length <= one.shown;
      setText(one.more, `Show more (${count(Math.max(0, hosts.length - one.shown))} left)`);
    }
    arrange(this.place, names.map((name) => this.#groups.get(name).element));
  }

  // Rows are kept by id; one whose host did not change is not touched.
  #drawn(one, host) {
    let row = one.rows.get(host.id);
    if (!row) {
      row = new Row(host, one.units, this.onOpen);
      one.rows.set(host.id, row);
    }
    if (row.host !== host) row.draw(host);
    return row.element;
  }
}

// What a table is sorted by: "name", "claims", or an amount and its part, as in "-vcpus.available"; "-": the largest first.
function sorted(hosts, by) {
  const key = by.replace(/^-/, ""), way = by.startsWith("-") ? -1 : 1;
  const [amount, part] = key.split(".");
  const value = {
    name: null, state: (host) => `${host.alive ? 1 : 0} ${host.state}`, claims: (host) => host.claims,
  }[key] ?? (part ? (host) => host.amounts[amount]?.[part === "total" ? "capacity" : part] ?? -1 : null);
  const byNames = (a, b) => byName(a.name, b.name);
  if (!value) return hosts.sort((a, b) => way * byNames(a, b));
  return hosts.sort((a, b) => { const [x, y] = [value(a), value(b)]; return x < y ? -way : x > y ? way : byNames(a, b); });
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

// One host, beside the map: what it has, who holds it, how it is, what happened on it, and why a request does not fit.

const version = new URL(import.meta.url).search;
const [{ age, amounts, count, exact, number, shortId, title }, { Bar, ask, make, setText, arrange }, { lineElement }] = await Promise.all(
  ["format", "parts", "feed"].map((name) => import(`./${name}.js${version}`)));

const HEADERS = { "OpenStack-API-Version": "scheduling 1.2" };
const section = (name, ...children) => make("section", {}, make("h3", {}, name), ...children);
const facts = (pairs) => make("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));

export class Drawer {
  #id = null;
  #from = null;

  constructor(element, state, view, links, paths) {
    Object.assign(this, { element, state, view, links, paths });
    this.body = element.querySelector(".body");
    this.title = element.querySelector("h2");
    element.querySelector(".close").onclick = () => this.close();
    element.addEventListener("keydown", (event) => { if (event.key === "Escape") { this.close(); event.stopPropagation(); } });
  }

  get id() { return this.#id; }

  open(id, from = document.activeElement) {
    const host = this.state.hosts.get(id);
    if (!host) return;
    const isOther = this.#id !== id;
    if (this.element.hidden) this.#from = from;
    this.#id = id;
    this.element.hidden = false;
    this.view.set({ host: id }, true);
    if (isOther) this.#build(host);
    this.draw();
    this.title.focus();
  }

  close() {
    if (this.element.hidden) return;
    this.element.hidden = true;
    this.#id = null;
    this.view.set({ host: "" }, true);
    this.#from?.isConnected && this.#from.focus();
  }

  // Follows the host while it is open.
  draw(changed) {
    if (!this.#id || (changed && !changed.all && !changed.hosts.has(this.#id))) return;
    const host = this.state.hosts.get(this.#id);
    if (!host) { setText(this.gone, "This host was removed from the cell."); this.gone.hidden = false; return; }
    this.gone.hidden = true;
    setText(this.title, host.name);
    this.#drawSums(host);
    this.#drawClaims(host);
    this.#drawHealth(host);
    this.#drawTree(host);
  }

  #build(host) {
    this.gone = make("p", { class: "bad", hidden: "" });
    this.sums = make("table", { class: "sums" });
    this.claims = make("ul", { class: "plain" });
    this.health = make("div");
    this.tree = make("ul", { class: "plain tree" });
    this.facts = make("div", {}, make("p", { class: "hint" }, "Reading the record …"));
    this.events = make("ol", { class: "lines" });
    this.refusals = make("ol", { class: "lines" });
    this.bars = new Map();
    const link = this.links(host.resource_class, host.id);
    this.body.replaceChildren(this.gone, this.health,
      link ? make("p", {}, make("a", { href: link }, "Open in the admin")) : "",
      section("Record and claims", this.sums), section("Claims in flight", this.claims), section("Tree", this.tree),
      section("Properties and traits", this.facts), section("Why not here?", this.#tester(host)),
      section("Refused lately", this.refusals), section("Last events", this.events));
    this.#read(host.id);
  }

  #drawSums(host) {
    const units = this.state.units[host.resource_class] ?? {};
    const head = make("tr", {}, ...["", "total", "can be sold", "used", "claimed", "available"].map((text) => make("th", { scope: "col" }, text)));
    const rows = Object.entries(host.amounts).map(([name, amount]) => {
      const bar = new Bar();
      bar.draw(amount);
      const cell = (value, bad = false) => make("td", { class: `number${bad ? " negative" : ""}` }, number(value, units[name]));
      return make("tr", {}, make("th", { scope: "row" }, title(name, units[name] ?? ""), bar.element),
        cell(amount.total), cell(amount.capacity), cell(0 - amount.used), cell(0 - amount.claimed), cell(amount.available, amount.available < 0));
    });
    this.sums.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
  }

  #drawClaims(host) {
    const held = [...this.state.claims.values()].filter((claim) => claim.provider === host.id).sort((a, b) => (a.since < b.since ? 1 : -1));
    const items = held.slice(0, 50).map((claim) => {
      const link = this.links("claim", claim.id);
      return make("li", {}, link ? make("a", { href: link }, shortId(claim.id)) : make("code", {}, shortId(claim.id)),
        ` ${claim.consumer} · ${amounts(claim.amounts, this.state.units[host.resource_class])} · ${claim.state} · ${age(this.state.ageOf(claim))}`);
    });
    arrange(this.claims, items.length ? items : [make("li", { class: "hint" }, `None in flight; ${count(host.instances)} ${host.instances === 1 ? "instance is" : "instances are"} built.`)]);
  }

  #drawHealth(host) {
    const heard = host.heartbeat === "none" ? "external: it has no agent" : !host.alive ? `silent${host.heard_at ? ` for ${age((this.state.at - Date.parse(host.heard_at)) / 1000)}` : ""}`
      : host.heard_at ? `late: ${age((this.state.at - Date.parse(host.heard_at)) / 1000)} ago` : "heard in time";
    this.health.replaceChildren(facts([
      ["State", host.state_reason ? `${host.state}: ${host.state_reason}` : host.state], ["Heartbeat", heard],
      ["Failed builds", `${count(host.failed_builds)} in half an hour`], ["Conflicts", `in ${count(host.conflicts)} of the last 3 minutes`],
      ["Where", [host.rack && `rack ${host.rack}`, host.zone && `zone ${host.zone}`].filter(Boolean).join(", ") || "not said"],
    ]));
  }

  #drawTree(host) {
    const family = [...this.state.hosts.values()].filter((one) => one.root === host.root);
    const under = (parent) => family.filter((one) => one.parent === parent).map((one) => {
      const name = one.id === host.id ? make("strong", { "aria-current": "true" }, one.name) : make("button", { type: "button", class: "quiet" }, one.name);
      if (one.id !== host.id) name.onclick = () => this.open(one.id);
      const children = under(one.id);
      return make("li", {}, name, make("small", { class: "hint" }, ` ${one.resource_class}`), children.length ? make("ul", {}, ...children) : "");
    });
    this.tree.replaceChildren(...under(null));
  }

  async #read(id) {
    const of = (path, headers) => ask(path, { headers }).catch((problem) => ({ problem: problem.message }));
    const [provider, events, refusals] = await Promise.all([
      of(`${this.paths.provider}${id}`, HEADERS), of(`${this.paths.events}?provider=${id}`), of(`${this.paths.events}?provider=${id}&type=claim.refused`),
    ]);
    if (this.#id !== id) return;
    this.#drawFacts(provider);
    this.#drawLines(this.events, events, "Nothing in the log.");
    this.#drawLines(this.refusals, refusals, "No claim was refused here in the log's last hours.");
  }

  #drawFacts(provider) {
    if (provider.problem) { this.facts.replaceChildren(make("p", { class: "bad" }, `The record could not be read: ${provider.problem}`)); return; }
    const properties = Object.entries(provider.properties ?? {});
    this.facts.replaceChildren(facts([
      ["Id", make("code", {}, provider.id)], ["Generation", exact(provider.generation)],
      ...properties.map(([name, value]) => [name, String(value)]),
      ["Traits", provider.traits?.length ? provider.traits.join(", ") : "none"],
      ["Aggregates", provider.aggregates?.length ? provider.aggregates.join(", ") : "none"],
    ]));
  }

  #drawLines(list, said, none) {
    if (said.problem) { list.replaceChildren(make("li", { class: "bad" }, said.problem)); return; }
    const lines = said.events.slice(0, 12).map((line) => lineElement(line, this.state, (id) => this.open(id)));
    list.replaceChildren(...(lines.length ? lines : [make("li", { class: "hint" }, none)]));
  }

  // Asks the scheduler itself, as a dry run, about this one host.
  #tester(host) {
    const units = this.state.units[host.resource_class] ?? {};
    const inputs = Object.keys(host.amounts).map((name) => {
      const input = make("input", { type: "number", min: "0", step: "1", name, value: "1", id: `try-${name}` });
      return [name, input, make("label", { for: `try-${name}` }, `${name} ${units[name] && units[name] !== "vCPU" ? `(${units[name]})` : ""}`)];
    });
    const answer = make("p", { role: "status" });
    const form = make("form", { class: "tester" }, ...inputs.flatMap(([, input, label]) => [label, input]), make("button", {}, "Ask the scheduler"), answer);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wanted = Object.fromEntries(inputs.map(([name, input]) => [name, Number(input.value)]).filter(([, value]) => value > 0));
      const body = { consumer: "why-not-here", project: "dashboard", cell: this.view.cell, resources: [{ resource_class: host.resource_class, amounts: wanted }] };
      setText(answer, "Asking …");
      try {
        const said = await ask(`${this.paths.explain}?provider=${host.id}`, {
          method: "POST", body: JSON.stringify(body), headers: { ...HEADERS, "Content-Type": "application/json", "X-CSRFToken": this.paths.csrf },
        });
        const [reason] = said.providers;
        answer.className = reason.fits ? "good" : "bad";
        setText(answer, reason.fits ? "It fits here as things are now." : `It does not fit: ${reason.detail || reason.reason}`);
      } catch (problem) { answer.className = "bad"; setText(answer, problem.message); }
    });
    return form;
  }
}

// What happens in the cell, newest first: narrowed by topic, stopped at will, and never moving under a reader's eyes.

const version = new URL(import.meta.url).search;
const [{ amounts, count, shortId }, { arrange, make, setText }] = await Promise.all(
  ["format", "parts"].map((name) => import(`./${name}.js${version}`)));

const SHOWN = 60;
const TOPICS = {
  claims: ["claim.held", "claim.claimed", "claim.building", "claim.changed", "claim.consumed", "claim.released", "instance.destroyed"],
  refusals: ["claim.refused", "claim.failed"],
  requests: ["request.state"],
  hosts: ["provider.created", "provider.changed", "provider.removed", "provider.repaired"],
  silence: ["provider.silent", "provider.heard", "cell.silent", "cell.changed"],
};
const TOPIC_OF = Object.fromEntries(Object.entries(TOPICS).flatMap(([topic, types]) => types.map((type) => [type, topic])));
const SAYS = {
  "claim.held": "held", "claim.claimed": "claimed", "claim.building": "builds", "claim.changed": "changed", "claim.consumed": "is active",
  "claim.released": "released", "claim.failed": "failed to build", "claim.refused": "refused: no room any more", "instance.destroyed": "destroyed",
  "provider.created": "host registered", "provider.changed": "host changed", "provider.removed": "host removed", "provider.repaired": "view repaired",
  "provider.silent": "fell silent", "provider.heard": "is heard again", "cell.silent": "hosts fell silent at once", "cell.changed": "cell changed",
};
const CHANGES = { destroying: "to be destroyed", releasing: "to be released", active: "is active" };
const KEY = "sched-feed";

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function describe(line, state) {
  const host = line.provider && state.hosts.get(line.provider);
  const where = host?.name ?? line.data.name ?? (line.provider ? shortId(line.provider) : "");
  const who = line.data.consumer ?? "";
  let what = SAYS[line.type] ?? line.type;
  if (line.type === "request.state") what = `request ${line.data.state}${line.data.reason ? `: ${line.data.reason.replaceAll("_", " ")}` : ""}${line.data.stage ? ` (${line.data.stage})` : ""}`;
  if (line.type === "claim.changed" && line.data.state) what = CHANGES[line.data.state] ?? line.data.state;
  if (line.type === "cell.silent") what = `${count(line.data.hosts)} of ${count(line.data.of)} hosts fell silent at once`;
  const much = line.data.amounts && host ? amounts(negative(line.data.amounts), state.units[host.resource_class]) : "";
  return { where, who, what, much };
}
const negative = (wanted) => Object.fromEntries(Object.entries(wanted).map(([name, value]) => [name, -Math.abs(value)]));

export function lineElement(line, state, onOpen) {
  const { where, who, what, much } = describe(line, state);
  const name = line.provider && state.hosts.has(line.provider) ? make("button", { type: "button", class: "quiet" }, where) : make("span", {}, where);
  if (name.localName === "button") name.onclick = () => onOpen(line.provider);
  return make("li", { "data-type": line.type, "data-topic": TOPIC_OF[line.type] ?? "hosts" },
    make("time", { datetime: line.at, title: line.at }, time.format(new Date(line.at))),
    make("span", { class: "what" }, what), make("span", { class: "where", title: [where, who, much].filter(Boolean).join(" ") }, name, who ? ` ${who}` : "", much ? make("small", {}, ` ${much}`) : ""));
}

export class Feed {
  #elements = new Map();
  #waiting = 0;

  constructor({ list, topics, pause, fresh }, state, onOpen) {
    Object.assign(this, { list, topics, pause, fresh, state, onOpen });
    this.off = new Set(read());
    this.paused = false;
    for (const topic of Object.keys(TOPICS)) {
      const button = make("button", { type: "button", class: "chip", "aria-pressed": String(!this.off.has(topic)), "data-topic": topic }, topic);
      button.onclick = () => this.#toggle(topic, button);
      topics.append(button);
    }
    pause.onclick = () => this.stop(!this.paused);
    fresh.onclick = () => this.show();
    list.parentElement.addEventListener("scroll", () => { if (!this.paused && list.parentElement.scrollTop < 4 && this.#waiting) this.show(); }, { passive: true });
  }

  stop(paused) {
    this.paused = paused;
    this.pause.setAttribute("aria-pressed", String(paused));
    setText(this.pause, paused ? "Go on" : "Pause");
    if (!paused) this.show();
  }

  add(lines) {
    const wanted = lines.filter((line) => this.#wants(line)).length;
    if (!wanted) return;
    // Whoever reads further down is not disturbed: what is new waits.
    if (this.paused || this.list.parentElement.scrollTop > 4) {
      this.#waiting += wanted;
      this.fresh.hidden = false;
      setText(this.fresh, `${count(this.#waiting)} new – show`);
    } else this.show(false);
  }

  show(toTop = true) {
    this.#waiting = 0;
    this.fresh.hidden = true;
    const shown = (this.past ?? this.state.lines).filter((line) => this.#wants(line)).slice(0, SHOWN);
    const ids = new Set(shown.map((line) => line.id));
    for (const id of this.#elements.keys()) if (!ids.has(id)) this.#elements.delete(id);
    arrange(this.list, shown.map((line) => {
      if (!this.#elements.has(line.id)) this.#elements.set(line.id, lineElement(line, this.state, this.onOpen));
      return this.#elements.get(line.id);
    }));
    this.list.dataset.empty = shown.length ? "" : "yes";
    if (toTop) this.list.parentElement.scrollTop = 0;
  }

  // Lines of the past, or null for the live ones.
  lookBack(lines) { this.past = lines; this.#elements.clear(); this.show(); }

  #wants(line) { return !this.off.has(TOPIC_OF[line.type] ?? "hosts"); }

  #toggle(topic, button) {
    if (!this.off.delete(topic)) this.off.add(topic);
    button.setAttribute("aria-pressed", String(!this.off.has(topic)));
    try { localStorage.setItem(KEY, JSON.stringify([...this.off])); } catch { /* it lasts as long as the page */ }
    this.show();
  }
}

function read() {
  try { return JSON.parse(localStorage.getItem(KEY) ?? "[]"); } catch { return []; }
}

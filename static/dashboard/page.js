// One cell's page: messages change the state at once, and the page once a frame.

const version = new URL(import.meta.url).search; // every script of a page is of one version
const [{ Connection }, { State }, { View }, { Find }, { Grid, GROUPS }, { HostTables }, { ClaimsPanel, Figures }, { Charts }, { Feed }, { Drawer }, { Timeline },
  { colourings }, { age, count }, { ask, make, save, setText }] = await Promise.all(
  ["connection", "state", "view", "find", "grid", "hosts", "claims", "charts", "feed", "drawer", "timeline", "colours", "format", "parts"].map((name) => import(`./${name}.js${version}`)));

const byId = (id) => document.getElementById(id);
const root = byId("cell");
const state = new State();
const view = new View();
view.cell = root.dataset.cell;

// The admin's page for a thing, or nothing.
function links(kind, id) {
  const camel = (text) => text.replace(/[-_](\w)/g, (_, letter) => letter.toUpperCase());
  const link = root.getAttribute(`data-link-${kind}`) ?? (kind === "claim" ? null : root.dataset[camel("link-own")]);
  return link ? link.replace(root.dataset.anyId, id) : null;
}

const paths = { ...root.dataset, csrf: root.dataset.csrf };
const find = new Find({ facets: byId("facets"), found: byId("found"), chips: byId("chips") }, state, view);
const drawer = new Drawer(byId("drawer"), state, view, links, paths);
const open = (id) => drawer.open(id);
const grid = new Grid({ scroller: byId("map"), canvas: byId("tiles"), tip: byId("tip"), said: byId("said"), summary: byId("coarse") }, state, view, find, open);
const tables = new HostTables(byId("classes"), state, view, find, open);
const claims = new ClaimsPanel(byId("claims"), byId("claims-count"), byId("no-claims"), state, links);
const figures = new Figures(byId("figures"), state);
const charts = new Charts({ place: byId("charts"), span: byId("span"), note: byId("no-figures") }, state, view, paths.figures);
const feed = new Feed({ list: byId("feed"), topics: byId("topics"), pause: byId("pause"), fresh: byId("fresh") }, state, open);
const timeline = new Timeline({ slider: byId("when"), said: byId("when-said"), live: byId("to-live"), box: byId("timeline") }, state, view, paths.past, moved);
const filter = byId("filter");
const ALL = { all: true, hosts: new Set(), claims: new Set() };

let waiting = null; // what is to be drawn in the next frame
let lag = null; // milliseconds from a transaction to its frame

function receive(message) {
  const changed = state.put(message);
  changed.happened = state.happened;
  if (!waiting) { requestAnimationFrame(draw); waiting = changed; return; }
  waiting.all ||= changed.all;
  for (const name of ["hosts", "claims"]) for (const id of changed[name]) waiting[name].add(id);
  waiting.lines.push(...changed.lines);
  waiting.figures ??= changed.figures;
  waiting.happened ||= changed.happened;
}

let began = false;
function draw() {
  const changed = waiting;
  waiting = null;
  if (changed.all && !began) begin();
  if (changed.all || changed.hosts.size || changed.claims.size) drawCell(changed);
  feed.add(changed.lines);
  if (changed.figures) charts.add(changed.figures);
  if (changed.happened && !changed.all) note(Date.now() + state.skew - changed.happened);
  connection.acknowledge();
  drawBadge();
}

function drawCell(changed) {
  byId("no-hosts").hidden = state.hosts.size > 0;
  byId("tools").hidden = state.hosts.size === 0;
  byId("hosts").dataset.view = view.get("view");
  if (changed.all) find.renew(); else find.update(changed.hosts);
  const claimed = [...changed.claims].map((id) => state.claims.get(id)?.provider).filter(Boolean);
  grid.draw({ ...changed, claimed });
  tables.draw(changed);
  claims.draw(changed);
  figures.draw();
  drawer.draw(changed);
}

// The first snapshot is there.
function begin() {
  began = true;
  root.hidden = false;
  byId("waiting").hidden = true;
  fillChoices();
  filter.value = view.get("q");
  feed.show();
  ask(paths.events).then((said) => { state.remember(said.events); feed.show(); }, () => {});
  charts.load();
  if (view.get("at")) timeline.go(view.get("at"));
  else if (view.get("host")) requestAnimationFrame(() => open(view.get("host")));
}

function moved(past) {
  root.classList.toggle("past", past !== null);
  feed.lookBack(past?.lines ?? null);
  drawCell(ALL);
  drawBadge();
}

// How long a change takes from its transaction to this page, told by the badge: of a frame's changes the oldest.
function note(milliseconds) {
  lag = Math.max(0, milliseconds);
  byId("badge").dataset.lag = Math.round(lag);
}

const badge = byId("badge");
function drawBadge() {
  const { status, seconds, text } = connection.status();
  const words = {
    connecting: "connecting", live: "live", ended: text,
    behind: `${age(seconds)} behind`, polling: "polling",
    reconnecting: seconds >= 2 ? `reconnecting · ${age(seconds)} old` : "reconnecting",
  };
  const shown = state.isPast ? "past" : status;
  badge.dataset.status = shown;
  setText(badge, state.isPast ? "the past" : words[status]);
  badge.title = state.isPast ? "Looking back: press l to come back to live" : status === "polling" ? "WebSockets are blocked here: the page asks every half second"
    : lag === null ? "" : `the last change was here ${(lag / 1000).toFixed(1)} s after its transaction`;
  root.classList.toggle("old", !state.isPast && (status === "reconnecting" || status === "ended"));
}

function ended(code) {
  if (code === 4401) location.assign(`${root.dataset.login}?next=${encodeURIComponent(location.pathname + location.search)}`);
  else byId("waiting").textContent = code === 4404 ? "There is no such cell any more." : "Your user may not watch this cell.";
  byId("waiting").hidden = false;
  drawBadge();
}

// Choices above the map

function fillChoices() {
  const options = (pairs) => pairs.map(([value, text]) => make("option", { value }, text));
  byId("colour").replaceChildren(...options(Object.entries(colourings(state.units)).map(([name, { label }]) => [name, label])));
  byId("group").replaceChildren(...options(Object.entries(GROUPS)));
  drawChoices();
}

function drawChoices() {
  for (const name of ["colour", "group"]) byId(name).value = view.get(name);
  byId("span").value = view.get("span");
  for (const button of document.querySelectorAll("[data-view-as]")) button.setAttribute("aria-pressed", String(button.dataset.viewAs === view.get("view")));
  byId("hosts").dataset.view = view.get("view");
  const all = colourings(state.units), { legend } = all[view.get("colour")] ?? all.free;
  byId("legend").replaceChildren(...(legend.named
    ? legend.named.map(([name, colour]) => make("span", {}, swatch(colour), name))
    : [make("span", {}, legend.low), ...legend.scale.map(swatch), make("span", {}, legend.high)]),
  make("span", { class: "marks" }, make("i", { class: "mark-claim" }), "claim in flight", make("i", { class: "mark-silent" }), "silent", make("i", { class: "mark-state" }), "not enabled"));
}
function swatch(colour) { const element = make("i"); element.style.background = colour; return element; }

for (const name of ["colour", "group"]) byId(name).addEventListener("change", (event) => view.set({ [name]: event.target.value }, true));
for (const button of document.querySelectorAll("[data-view-as]")) button.onclick = () => view.set({ view: button.dataset.viewAs }, true);
byId("closer").onclick = () => zoom(2);
byId("wider").onclick = () => zoom(0.5);
function zoom(by) { view.set({ zoom: Math.min(16, Math.max(1, Number(view.get("zoom")) * by)) }); }

let typing = 0;
filter.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => view.set({ q: filter.value }), 80);
});
byId("tools").addEventListener("submit", (event) => event.preventDefault());

view.onChange((changed) => {
  const has = (...names) => names.some((name) => changed.has(name));
  if (has("q", "class", "state", "alive", "rack", "zone", "trait")) {
    if (document.activeElement !== filter) filter.value = view.get("q");
    find.renew();
    grid.rebuild();
    tables.draw(ALL, false);
    if (has("class")) charts.rebuild();
  }
  if (has("view", "colour", "group", "zoom")) {
    drawChoices();
    grid.rebuild();
    tables.draw(ALL, false);
  }
  if (has("sort")) tables.draw({ all: false, hosts: new Set() }, false);
  if (has("span")) charts.load();
  if (has("host") && view.get("host") !== (drawer.id ?? "")) view.get("host") ? open(view.get("host")) : drawer.close();
});

// Take away

const COLUMNS = ["name", "resource_class", "state", "alive", "rack", "zone", "claims", "instances", "failed_builds", "conflicts", "id"];
function shownHosts() { return [...state.hosts.values()].filter((host) => find.matches(host.id)); }
const stamp = () => new Date(state.at).toISOString().replace(/\.\d+Z$/, "Z");
function fileName(kind) { return `${view.cell.replaceAll(/[^\w.-]/g, "_")}-${stamp().replaceAll(":", "")}.${kind}`; }

function asCsv() {
  const hosts = shownHosts();
  const names = [...new Set(hosts.flatMap((host) => Object.keys(host.amounts)))];
  const parts = ["total", "capacity", "used", "claimed", "available"];
  const head = [...COLUMNS, "traits", ...names.flatMap((name) => parts.map((part) => `${name}.${part}`))];
  const lines = hosts.map((host) => [...COLUMNS.map((name) => host[name]), host.traits.join(" "), ...names.flatMap((name) => parts.map((part) => host.amounts[name]?.[part] ?? ""))]);
  // A spreadsheet takes what begins with = + - @ for a formula: names are text, so a quote goes before it.
  const cell = (value) => { const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value); return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; };
  return [head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n");
}
const takes = {
  csv: () => save(fileName("csv"), asCsv(), "text/csv"),
  json: () => save(fileName("json"), JSON.stringify({ cell: view.cell, at: stamp(), units: state.units, hosts: shownHosts(), claims: [...state.claims.values()] }, null, 1), "application/json"),
  png: async () => save(fileName("png"), await grid.toBlob(), "image/png"),
  link: async () => {
    const address = view.address(stamp());
    byId("address").value = address;
    byId("address-box").hidden = false;
    byId("address").select();
    try { await navigator.clipboard.writeText(address); setText(byId("copied"), "copied"); } catch { setText(byId("copied"), "copy it from here"); }
  },
};
for (const button of document.querySelectorAll("[data-take]")) button.onclick = () => { takes[button.dataset.take](); byId("take").open = button.dataset.take === "link"; };

// Keys

const go = (id) => { const element = byId(id); element.scrollIntoView({ block: "start" }); element.focus(); };
const JUMPS = { m: () => { view.set({ view: "map" }); go("map"); }, t: () => { view.set({ view: "table" }); go("classes"); }, c: () => go("claims-box"), e: () => go("feed-box"), h: () => go("charts-box"),
  o: () => location.assign(root.dataset.overview) };
let jumping = 0;
const help = byId("help");
const KEYS = {
  "/": () => filter.focus(), "?": () => help.showModal(), v: () => view.set({ view: view.get("view") === "map" ? "table" : "map" }, true),
  l: () => timeline.comeBack(), "[": () => timeline.step(-10), "]": () => timeline.step(10), p: () => feed.stop(!feed.paused), "+": () => zoom(2), "-": () => zoom(0.5),
};
addEventListener("keydown", (event) => {
  if (event.target === filter && event.key === "Escape") { filter.value = ""; view.set({ q: "" }); filter.blur(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || help.open || /^(input|textarea|select)$/i.test(event.target.tagName ?? "")) return;
  const now = Date.now();
  if (now - jumping < 1200 && JUMPS[event.key]) { jumping = 0; event.preventDefault(); JUMPS[event.key](); return; }
  jumping = event.key === "g" ? now : 0;
  if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
});
byId("show-help").onclick = () => help.showModal();
help.querySelector("button").onclick = () => help.close();

const connection = new Connection({ socket: paths.socket, snapshot: paths.snapshot, poll: paths.poll }, receive, ended);
setInterval(() => { drawBadge(); grid.tick(); }, 500);

// One cell's page: messages change the state at once, and the page once a frame.

const version = new URL(import.meta.url).search; // every script of a page is of one version
const [{ Connection }, { State }, { HostTables }, { ClaimsPanel, Figures }, { age, count }] = await Promise.all(
  ["connection", "state", "hosts", "claims", "format"].map((name) => import(`./${name}.js${version}`)));

const byId = (id) => document.getElementById(id);
const root = byId("cell");
const state = new State();

// The admin's page for a thing, or nothing.
function links(kind, id) {
  const camel = (text) => text.replace(/[-_](\w)/g, (_, letter) => letter.toUpperCase());
  const link = root.getAttribute(`data-link-${kind}`) ?? (kind === "claim" ? null : root.dataset[camel("link-own")]);
  return link ? link.replace(root.dataset.anyId, id) : null;
}

const tables = new HostTables(byId("classes"), state, links);
const claims = new ClaimsPanel(byId("claims"), byId("claims-count"), byId("no-claims"), state, links);
const figures = new Figures(byId("figures"), state);
const filter = byId("filter");
let waiting = null; // what is to be drawn in the next frame

function receive(message) {
  const changed = state.put(message);
  if (!waiting) requestAnimationFrame(draw);
  if (!waiting || changed.all) waiting = changed;
  else if (!waiting.all) {
    for (const id of changed.hosts) waiting.hosts.add(id);
    for (const id of changed.claims) waiting.claims.add(id);
  }
}

function draw() {
  const changed = waiting;
  waiting = null;
  const isSame = !changed.all && changed.hosts.size === 0 && changed.claims.size === 0;
  if (!isSame) {
    say(tables.draw(changed));
    claims.draw(changed);
    figures.draw();
    byId("no-hosts").hidden = state.hosts.size > 0;
    byId("tools").hidden = state.hosts.size === 0;
    root.hidden = false;
    byId("waiting").hidden = true;
  }
  connection.acknowledge();
  drawBadge();
}

function say(found) {
  byId("found").textContent = filter.value.trim() ? `${count(found)} of ${count(state.hosts.size)}` : "";
}

const badge = byId("badge");
function drawBadge() {
  const { status, seconds, text } = connection.status();
  const words = {
    connecting: "connecting", live: "live", ended: text,
    behind: `${age(seconds)} behind`,
    reconnecting: seconds >= 2 ? `reconnecting · ${age(seconds)} old` : "reconnecting",
  };
  badge.dataset.status = status;
  if (badge.textContent !== words[status]) badge.textContent = words[status];
  root.classList.toggle("old", status === "reconnecting" || status === "ended");
}

function ended(code) {
  if (code === 4401) location.assign(`${root.dataset.login}?next=${encodeURIComponent(location.pathname)}`);
  else byId("waiting").textContent = code === 4404 ? "There is no such cell any more." : "Your user may not watch this cell.";
  byId("waiting").hidden = false;
  drawBadge();
}

let typing = 0;
filter.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => say(tables.filter(filter.value)), 80);
});
byId("tools").addEventListener("submit", (event) => event.preventDefault());
addEventListener("keydown", (event) => {
  const isTyping = /^(input|textarea|select)$/i.test(event.target.tagName ?? "");
  if (event.key === "/" && !isTyping) { event.preventDefault(); filter.focus(); }
  if (event.key === "Escape" && event.target === filter) { filter.value = ""; say(tables.filter("")); filter.blur(); }
});

const connection = new Connection(root.dataset.socket, receive, ended);
setInterval(drawBadge, 500);

// All cells, their figures asked for every few seconds. One query a cell, whatever its size.

const version = new URL(import.meta.url).search;
const [{ age, className, count, number, title }, { Bar, ask, make, setText }] = await Promise.all(["format", "parts"].map((name) => import(`./${name}.js${version}`)));

const EVERY = 3000;
const list = document.getElementById("cells");
const badge = document.getElementById("badge");
let heardAt = Date.now(), skew = 0, failed = 0;

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const rate = (row, name) => ((row.happened[name] ?? 0) / row.step).toFixed(1);
const refused = (row) => (Object.values(row.refused).reduce((sum, one) => sum + one, 0) / row.step).toFixed(1);
function conflicts(row) {
  const won = row.happened.claimed ?? 0, lost = row.happened.lost ?? 0;
  return won + lost ? `${Math.round((100 * lost) / (won + lost))} %` : "–";
}

function draw(cells, units) {
  const known = new Map([...list.children].map((element) => [element.dataset.cell, element]));
  if (cells.length !== known.size || cells.some((cell) => !known.has(cell.name))) { location.reload(); return; }
  for (const cell of cells) drawCell(known.get(cell.name), cell, units);
}

function drawCell(element, cell, units) {
  const health = element.querySelector(".health");
  setText(health, cell.state === "enabled" || cell.health.text.includes(cell.state) ? cell.health.text : `${cell.health.text} · ${cell.state}`);
  health.className = `health ${cell.health.level}`;
  const row = cell.figures;
  element.querySelector(".now").replaceChildren(...(row ? [hosts(row), happenings(row), amounts(row, units)] : []));
}

const large = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
const short = (value, unit) => (Math.abs(value) < 100_000 ? number(value, unit) : large.format(unit === "MiB" ? value / 1024 : value));
const figure = (name, value, bad = false) => make("div", {}, make("dt", {}, name), make("dd", bad ? { class: "bad" } : {}, value));

function hosts({ hosts: now, claims }) {
  const others = Object.entries(now).filter(([name]) => !["all", "silent"].includes(name)).sort();
  return make("dl", { class: "figures small" }, figure("hosts", count(now.all)), ...others.map(([name, value]) => figure(name, count(value))),
    figure("silent", count(now.silent), now.silent > 0), figure("claims in flight", count(claims.all)),
    figure("oldest", claims.oldest ? age(Math.max(0, (Date.now() + skew - Date.parse(claims.oldest)) / 1000)) : "–"));
}

function happenings(row) {
  return make("dl", { class: "figures small" }, figure("claims/s", rate(row, "claimed")), figure("refusals/s", refused(row)),
    figure("conflicts", conflicts(row)), figure("failed builds/s", rate(row, "failed"), (row.happened.failed ?? 0) > 0));
}

function amounts(row, units) {
  const lines = Object.entries(row.classes).sort((a, b) => b[1].hosts - a[1].hosts).flatMap(([name, one]) => [
    make("h3", {}, `${className(name)} (${count(one.hosts)})`),
    ...Object.entries(one.amounts).map(([amount, sum]) => {
      const bar = new Bar(), unit = units[name]?.[amount] ?? "";
      bar.draw(sum);
      return make("p", { class: "summary" }, make("b", {}, title(amount, unit)), bar.element,
        make("span", {}, `${short(sum.available, unit)} of ${short(sum.capacity, unit)} free`));
    })]);
  return make("div", { class: "amounts" }, ...lines);
}

function say() {
  const old = (Date.now() - heardAt) / 1000;
  badge.dataset.status = failed ? "reconnecting" : "live";
  setText(badge, failed ? `reconnecting · ${age(old)} old` : "live, every 3 s");
}

async function look() {
  if (!document.hidden) {
    try {
      const said = await ask(list.dataset.path);
      skew = Date.parse(said.at) - Date.now();
      heardAt = Date.now();
      failed = 0;
      draw(said.cells, said.units);
    } catch (problem) {
      failed += 1;
      if (problem.message.startsWith("log in")) location.assign(list.dataset.login);
    }
    say();
  }
  setTimeout(look, Math.min(30_000, EVERY * 2 ** Math.min(failed, 4)));
}

if (list) {
  draw(read("cells-now"), read("units"));
  say();
  setTimeout(look, EVERY);
} else badge.hidden = true;

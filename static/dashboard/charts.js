// The cell over time, drawn by uPlot from the figures that a conductor keeps.

const version = new URL(import.meta.url).search;
const root = document.getElementById("cell");
const [{ default: uPlot }, { className, title }, { ask, make, setText }] = await Promise.all(
  [import(root.dataset.uplot), ...["format", "parts"].map((name) => import(`./${name}.js${version}`))]);

const MOST = 1500; // points of a line
const HEIGHT = 132;
const COLOURS = { claimed: "#e69f00", active: "#0072b2", released: "#56b4e9", failed: "#d55e00", lost: "#cc79a7", used: "#4a7fb5" };
const REASONS = ["#d55e00", "#e69f00", "#cc79a7", "#0072b2", "#56b4e9", "#009e73"];
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
const a = (row, name) => (row.happened[name] ?? 0) / row.step;

export class Charts {
  #rows = [];
  #charts = [];
  #hidden = true;

  constructor({ place, span, note }, state, view, path) {
    Object.assign(this, { place, span, note, state, view, path });
    span.value = view.get("span");
    span.addEventListener("change", () => view.set({ span: span.value }));
    new IntersectionObserver(([entry]) => { this.#hidden = !entry.isIntersecting; if (!this.#hidden) this.draw(); }).observe(place);
    new ResizeObserver(() => this.#resize()).observe(place);
    addEventListener("theme", () => this.rebuild());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.rebuild());
  }

  // Everything anew: another time, or the first.
  async load() {
    const seconds = Number(this.span.value), until = new Date(this.state.at);
    const since = new Date(until.getTime() - seconds * 1000);
    try {
      const said = await ask(`${this.path}?since=${since.toISOString()}&until=${until.toISOString()}`);
      this.#rows = said.figures;
      setText(this.note, this.#rows.length ? "" : "No figures of this time: a conductor keeps them while it runs.");
    } catch (problem) { setText(this.note, `No figures: ${problem.message}`); }
    this.note.hidden = !this.note.textContent;
    this.rebuild();
  }

  // The newest figures, as they come.
  add(row) {
    if (this.state.isPast || Number(this.span.value) > 3600 || row.at <= (this.#rows.at(-1)?.at ?? "")) return;
    const first = new Date(Date.parse(row.at) - Number(this.span.value) * 1000).toISOString();
    this.#rows = [...this.#rows, row].filter((one) => Date.parse(one.at) >= Date.parse(first)).slice(-MOST);
    this.note.hidden = true;
    if (!this.#charts.length) this.rebuild(); else this.draw();
  }

  draw() {
    if (this.#hidden || document.hidden) return;
    for (const chart of this.#charts) {
      const lines = chart.lines(this.#rows);
      if (lines.length !== chart.count) { this.rebuild(); return; } // a reason that is new
      chart.plot.setData(this.#data(lines));
    }
  }

  rebuild() {
    for (const { plot } of this.#charts) plot.destroy();
    this.#charts = [];
    this.place.replaceChildren();
    if (!this.#rows.length) return;
    const name = this.#class();
    this.#chart(`Used and claimed, ${className(name)}`, (rows) => this.#capacity(rows, name), (v) => `${Math.round(v)} %`, [0, 100]);
    this.#chart("Claims a second", (rows) => ["claimed", "active", "released", "failed", "lost"].map((one) => (
      { label: one, colour: COLOURS[one], values: rows.map((row) => a(row, one)) })), (v) => v.toFixed(v < 10 ? 2 : 0));
    this.#chart("Claim to active, seconds", (rows) => ["p50", "p95"].map((one, n) => (
      { label: one, colour: [COLOURS.active, COLOURS.claimed][n], values: rows.map((row) => row.to_active?.[one] ?? null), points: true })), (v) => v.toFixed(1));
    this.#chart("Refused a minute, by reason", (rows) => this.#refusals(rows), (v) => v.toFixed(v < 10 ? 1 : 0));
    this.draw();
  }

  // Times and values; where rows are missing, because no conductor kept them, the line has a gap.
  #data(lines) {
    const times = [], values = lines.map(() => []);
    let apart = Infinity;
    for (const [n, row] of this.#rows.entries()) {
      const at = Date.parse(row.at) / 1000;
      if (n > 0) apart = Math.min(apart, at - times.at(-1));
      if (n > 0 && at - times.at(-1) > 3.5 * Math.max(apart, row.step)) {
        times.push(times.at(-1) + row.step);
        for (const one of values) one.push(null);
      }
      times.push(at);
      for (const [m, line] of lines.entries()) values[m].push(line.values[n]);
    }
    return [times, ...values];
  }

  // The class that most hosts are of, or the one that the map is narrowed to.
  #class() {
    const [wanted] = this.view.facets.class;
    const classes = this.#rows.at(-1).classes;
    return wanted && classes[wanted] ? wanted : Object.keys(classes).sort((x, y) => classes[y].hosts - classes[x].hosts)[0] ?? "compute";
  }

  #capacity(rows, name) {
    const names = Object.keys(rows.at(-1)?.classes[name]?.amounts ?? {});
    const units = this.state.units[name] ?? {};
    return names.map((one, n) => ({
      label: title(one, units[one] ?? ""), colour: REASONS[(n + 3) % REASONS.length],
      values: rows.map((row) => { const sum = row.classes[name]?.amounts[one]; return sum?.capacity ? (100 * (sum.used + sum.claimed)) / sum.capacity : null; }),
    }));
  }

  #refusals(rows) {
    const reasons = [...new Set(rows.flatMap((row) => Object.keys(row.refused)))].sort();
    const shown = reasons.length ? reasons : ["none"];
    return shown.map((reason, n) => ({ label: reason.replaceAll("_", " "), colour: REASONS[n % REASONS.length],
      values: rows.map((row) => ((row.refused[reason] ?? 0) * 60) / row.step) }));
  }

  #chart(name, lines, say, range) {
    const style = getComputedStyle(document.body);
    const ink = style.color, soft = style.getPropertyValue("outline-color");
    const element = make("figure", { class: "chart" }, make("figcaption", {}, name));
    this.place.append(element);
    const made = lines(this.#rows);
    const axis = { stroke: ink, grid: { stroke: soft, width: 1 }, ticks: { stroke: soft }, font: "11px system-ui, sans-serif" };
    const plot = new uPlot({
      width: Math.max(160, element.clientWidth - 12), height: HEIGHT, cursor: { sync: { key: "cell" }, y: false }, legend: { live: true },
      scales: { y: { range: range ? () => range : (_, low, high) => [0, Math.max(high || 0, 0.1) * 1.1] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => this.#tick(tick, ticks)) }, { ...axis, size: 46, values: (_, ticks) => ticks.map((tick) => (range ? `${tick}` : `${+tick.toFixed(2)}`)) }],
      series: [{ value: (_, v) => (v ? clock.format(new Date(v * 1000)) : "–") }, ...made.map(({ label, colour, points }) => (
        { label, stroke: colour, width: 1.6, spanGaps: Boolean(points), points: { show: Boolean(points), size: 4 }, value: (_, v) => (v === null || v === undefined ? "–" : say(v)) }))],
    }, this.#data(made), element);
    element.setAttribute("aria-label", `${name}: ${made.map(({ label, values }) => `${label} ${values.at(-1) === null || values.at(-1) === undefined ? "none" : say(values.at(-1))}`).join(", ")}`);
    element.setAttribute("role", "img");
    this.#charts.push({ plot, lines, element, count: made.length });
  }

  #tick(tick, ticks) {
    const apart = ticks.length > 1 ? ticks[1] - ticks[0] : 60, at = new Date(tick * 1000);
    return (apart < 60 ? clock : Number(this.span.value) > 86400 ? day : minute).format(at);
  }

  #resize() { for (const { plot, element } of this.#charts) plot.setSize({ width: Math.max(160, element.clientWidth - 12), height: HEIGHT }); }
}


// The map: one canvas in which each host is a tile. Only tiles that changed are painted, but for a new layout, another
// colouring or a scroll, where all in sight are. A frame in a tab that nobody sees is never drawn.

const version = new URL(import.meta.url).search;
const [{ LABEL, layOut, placeOf, tileAt }, { colourings }, { byName, className, count }] = await Promise.all(
  ["layout", "colours", "format"].map((name) => import(`./${name}.js${version}`)));

export const GROUPS = { none: "nothing", rack: "rack", zone: "zone", class: "resource class", state: "state", trait: "trait" };
const GLOW = 900; // milliseconds that a tile glows after a claim came or went
const GLOWS = 400; // at once: a storm is not made better by fireworks
const quiet = matchMedia("(prefers-reduced-motion: reduce)");

export class Grid {
  #tiles = []; // a host each, or a group of them where tiles would be too small
  #at = new Map(); // id -> number of the tile
  #layout = { blocks: [], pitch: 1, gap: 0, height: 0, isCoarse: false };
  #glows = new Map();
  #picked = -1;
  #due = null; // what the next frame draws: "all" or a set of ids
  #ink = {};

  constructor({ scroller, canvas, tip, said, summary }, state, view, find, onOpen) {
    Object.assign(this, { scroller, canvas, tip, said, summary, state, view, find, onOpen });
    this.pen = canvas.getContext("2d", { alpha: false });
    new ResizeObserver(() => this.rebuild()).observe(scroller);
    scroller.addEventListener("scroll", () => this.#wish("all"), { passive: true });
    scroller.addEventListener("pointermove", (event) => this.#hover(event));
    scroller.addEventListener("pointerleave", () => this.#hideTip());
    canvas.addEventListener("click", (event) => this.#click(event));
    scroller.addEventListener("keydown", (event) => this.#key(event));
    scroller.addEventListener("focus", () => { if (this.#picked < 0 && this.#tiles.length) this.#pick(0); });
    scroller.addEventListener("blur", () => { this.#hideTip(); this.#wish("all"); });
    addEventListener("theme", () => this.#wish("all"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#wish("all"));
  }

  get isCoarse() { return this.#layout.isCoarse; }

  // Hosts came, went, or others match: everything is laid out anew.
  rebuild() {
    const width = this.scroller.clientWidth, height = this.scroller.clientHeight;
    if (!width || !height || this.view.get("view") !== "map") return;
    const groups = this.#groups();
    this.#layout = layOut(groups.map(({ key, hosts }) => ({ key, count: hosts.length })), width - 14, height - 8, Number(this.view.get("zoom")) || 1);
    const picked = this.#tiles[this.#picked]?.id;
    this.#tiles = this.#layout.isCoarse ? groups.map(({ key, hosts }) => ({ id: `group:${key}`, key, hosts })) : groups.flatMap(({ hosts }) => hosts.map((host) => ({ id: host.id })));
    this.#at = new Map(this.#tiles.map((tile, n) => [tile.id, n]));
    if (this.#layout.isCoarse) for (const [n, tile] of this.#tiles.entries()) for (const host of tile.hosts) this.#at.set(host.id, n);
    this.#picked = picked === undefined ? -1 : this.#at.get(picked) ?? -1;
    this.canvas.parentElement.style.height = `${Math.max(height - 2, Math.ceil(this.#layout.height) + 8)}px`;
    this.#say();
    this.#wish("all");
  }

  // What a message changed. Hosts that are new or gone, or changed their group, need a new layout.
  draw(changed) {
    if (this.view.get("view") !== "map") return;
    const lost = [...changed.hosts].some((id) => this.state.hosts.has(id) && this.find.matches(id) ? !this.#at.has(id) || this.#moved(id) : this.#at.has(id));
    if (changed.all || lost) { this.rebuild(); return; }
    const touched = new Set(changed.hosts);
    for (const id of changed.claimed ?? []) { touched.add(id); this.#glow(id); }
    if (touched.size) this.#wish(touched);
  }

  // Colours that age by themselves.
  tick() { if (this.view.get("colour") === "heartbeat") this.#wish("all"); }

  #colouring() { const all = colourings(this.state.units); return all[this.view.get("colour")] ?? all.free; }

  #groupOf(host) {
    const by = this.view.get("group");
    if (by === "trait") return host.traits[0] ?? "no trait";
    if (by === "class") return className(host.resource_class);
    if (by === "rack" || by === "zone") return host[by] || `no ${by}`;
    return by === "state" ? (host.alive ? host.state : "silent") : "";
  }

  #groups() {
    const found = new Map();
    for (const host of this.state.hosts.values()) {
      if (!this.find.matches(host.id)) continue;
      const key = this.#groupOf(host);
      const there = found.get(key);
      if (there) there.push(host); else found.set(key, [host]);
    }
    this.groupOfHost = new Map();
    const groups = [...found].map(([key, hosts]) => ({ key, hosts: hosts.sort((a, b) => byName(a.name, b.name)) })).sort((a, b) => byName(a.key, b.key));
    for (const { key, hosts } of groups) for (const host of hosts) this.groupOfHost.set(host.id, key);
    return groups;
  }

  #moved(id) { return this.groupOfHost.get(id) !== this.#groupOf(this.state.hosts.get(id)); }

  #wish(what) {
    if (this.#due === null) requestAnimationFrame(() => this.#frame());
    if (what === "all" || this.#due === "all") this.#due = "all";
    else this.#due = this.#due ? new Set([...this.#due, ...what]) : new Set(what);
  }

  #glow(id) {
    if (quiet.matches || this.#glows.size >= GLOWS) return;
    const n = this.#at.get(id);
    if (n !== undefined) this.#glows.set(n, performance.now());
  }

  #frame() {
    const due = this.#due;
    this.#due = null;
    if (this.view.get("view") !== "map" || !this.scroller.clientWidth) return;
    const colouring = this.#colouring(), now = this.state.at;
    if (due === "all") this.#paintAll(colouring, now);
    else {
      const top = this.scroller.scrollTop;
      const numbers = new Set([...due].map((id) => (typeof id === "number" ? id : this.#at.get(id))).filter((n) => n !== undefined));
      for (const n of numbers) this.#paint(n, colouring, now, top);
    }
    this.#fade();
    this.onDrawn?.();
  }

  #fade() {
    if (!this.#glows.size) return;
    const now = performance.now(), numbers = [...this.#glows.keys()];
    for (const [n, since] of this.#glows) if (now - since > GLOW) this.#glows.delete(n);
    setTimeout(() => this.#wish(numbers), 120);
  }

  #paintAll(colouring, now) {
    const { canvas, pen, scroller } = this;
    const ratio = devicePixelRatio || 1, width = scroller.clientWidth, height = scroller.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const style = getComputedStyle(scroller);
    this.#ink = Object.fromEntries(["card", "ink", "quiet", "claimed", "accent"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    // A variable of light-dark() is not resolved by itself: the elements' own colours are.
    this.#ink.card = style.backgroundColor;
    this.#ink.ink = style.color;
    this.#ink.quiet = style.getPropertyValue("caret-color");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = this.#ink.card;
    pen.fillRect(0, 0, width, height);
    const top = scroller.scrollTop, { blocks, pitch } = this.#layout;
    pen.textBaseline = "alphabetic";
    for (const block of blocks) {
      const foot = block.y + LABEL + block.rows * pitch;
      if (foot < top || block.y > top + height) continue;
      if (block.key !== "") this.#label(block, top);
      for (let n = block.from; n < block.from + block.count; n += 1) this.#paint(n, colouring, now, top, block);
    }
  }

  #label(block, top) {
    const { pen } = this;
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = this.#ink.quiet;
    pen.fillText(shorten(pen, block.key, block.width - 2), block.x + 4, block.y + 11 - top + 4);
  }

  #paint(n, colouring, now, top, known) {
    const { pitch, gap, isCoarse } = this.#layout;
    const tile = this.#tiles[n];
    const host = isCoarse ? worst(tile.hosts, this.state) : this.state.hosts.get(tile.id);
    if (!host) return;
    let x, y;
    if (known) {
      const at = n - known.from;
      x = known.x + (at % known.columns) * pitch;
      y = known.y + (known.key === "" ? 0 : LABEL) + Math.floor(at / known.columns) * pitch;
    } else ({ x, y } = placeOf(this.#layout, n));
    x += 4; y += 4 - top;
    if (y + pitch < 0 || y > this.scroller.clientHeight) return;
    const { pen } = this, size = pitch - gap;
    pen.fillStyle = this.#ink.card;
    pen.fillRect(x - gap / 2, y - gap / 2, pitch, pitch);
    pen.fillStyle = colouring.colour(host, now);
    pen.fillRect(x, y, size, size);
    if (!host.alive) this.#hatch(x, y, size);
    if (host.state !== "enabled" && size >= 5) this.#frameOf(x, y, size);
    if (host.claims > 0) this.#mark(x, y, size);
    if (pitch >= 44) this.#write(isCoarse ? tile.key : host.name, x, y, size);
    const since = this.#glows.get(n);
    if (since !== undefined) this.#shine(x, y, size, 1 - (performance.now() - since) / GLOW);
    if (n === this.#picked && document.activeElement === this.scroller) this.#ring(x, y, size);
  }

  #hatch(x, y, size) {
    const { pen } = this;
    pen.strokeStyle = "#000"; pen.lineWidth = Math.max(1, size / 9);
    pen.beginPath(); pen.moveTo(x, y + size); pen.lineTo(x + size, y);
    if (size >= 10) { pen.moveTo(x, y); pen.lineTo(x + size, y + size); }
    pen.stroke();
  }

  #frameOf(x, y, size) {
    const { pen } = this;
    pen.strokeStyle = this.#ink.ink; pen.lineWidth = 1;
    pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
  }

  // Claims in flight: a light square with a dark edge, seen on every colour of every scale.
  #mark(x, y, size) {
    const { pen } = this, side = Math.max(2, Math.min(9, size / 2.6));
    pen.fillStyle = "#111"; pen.fillRect(x + size - side, y, side, side);
    pen.fillStyle = "#ff7f2a"; pen.fillRect(x + size - side + 0.7, y + 0.7, side - 1.4, side - 1.4);
  }

  #write(name, x, y, size) {
    const { pen } = this;
    pen.font = `${size > 60 ? 12 : 10}px system-ui, sans-serif`;
    pen.fillStyle = "rgb(255 255 255 / 82%)"; pen.fillRect(x, y + size - 15, size, 15);
    pen.fillStyle = "#111"; pen.fillText(tail(pen, name, size - 4), x + 2, y + size - 4);
  }

  #shine(x, y, size, strength) {
    if (strength <= 0) return;
    const { pen } = this;
    pen.strokeStyle = `rgb(255 127 42 / ${Math.round(strength * 100)}%)`; pen.lineWidth = Math.min(3, Math.max(1, size / 5));
    pen.strokeRect(x + pen.lineWidth / 2, y + pen.lineWidth / 2, size - pen.lineWidth, size - pen.lineWidth);
  }

  #ring(x, y, size) {
    const { pen } = this;
    pen.lineWidth = 2;
    pen.strokeStyle = this.#ink.card; pen.strokeRect(x + 1, y + 1, size - 2, size - 2);
    pen.strokeStyle = this.#ink.ink; pen.strokeRect(x - 1, y - 1, size + 2, size + 2);
  }

  #numberAt(event) {
    const box = this.canvas.getBoundingClientRect();
    return tileAt(this.#layout, event.clientX - box.left - 4, event.clientY - box.top - 4 + this.scroller.scrollTop);
  }

  #click(event) {
    const n = this.#numberAt(event);
    if (n < 0) return;
    this.#pick(n);
    this.#open(n);
  }

  #open(n) {
    const tile = this.#tiles[n];
    if (!this.#layout.isCoarse) { this.onOpen(tile.id); return; }
    const by = this.view.get("group");
    if (by !== "none") this.view.set({ [by]: [by === "class" ? tile.hosts[0].resource_class : tile.key.startsWith("no ") ? "" : tile.key] }, true);
  }

  #hover(event) {
    const n = this.#numberAt(event);
    if (n < 0) { this.#hideTip(); return; }
    const box = this.scroller.getBoundingClientRect();
    this.#showTip(n, event.clientX - box.left, event.clientY - box.top);
  }

  #showTip(n, x, y) {
    this.tip.textContent = this.#describe(n);
    this.tip.hidden = false;
    const wide = this.scroller.clientWidth;
    this.tip.style.left = `${Math.min(x + 14, Math.max(0, wide - this.tip.offsetWidth - 8))}px`;
    this.tip.style.top = `${y + 18}px`;
  }

  #hideTip() { this.tip.hidden = true; }

  #describe(n) {
    const tile = this.#tiles[n], colouring = this.#colouring(), now = this.state.at;
    if (this.#layout.isCoarse) {
      const host = worst(tile.hosts, this.state);
      return `${tile.key}: ${count(tile.hosts.length)} hosts; the fullest: ${host?.name}, ${host ? colouring.say(host, now) : ""}`;
    }
    const host = this.state.hosts.get(tile.id);
    if (!host) return "";
    const claims = host.claims ? `, ${count(host.claims)} ${host.claims === 1 ? "claim" : "claims"} in flight` : "";
    return `${host.name}: ${colouring.say(host, now)}, ${host.alive ? host.state : `silent, ${host.state}`}${claims}`;
  }

  #pick(n) {
    const before = this.#picked;
    this.#picked = n;
    const { y } = placeOf(this.#layout, n), { pitch } = this.#layout;
    if (y < this.scroller.scrollTop) this.scroller.scrollTop = Math.max(0, y - LABEL);
    else if (y + pitch + 8 > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = y + pitch + 12 - this.scroller.clientHeight;
    this.said.textContent = this.#describe(n);
    this.#wish(new Set([before, n].filter((one) => one >= 0)));
    this.#wish("all"); // the ring of the one before lies outside of its tile
  }

  #key(event) {
    if (!this.#tiles.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const n = Math.max(0, this.#picked), last = this.#tiles.length - 1;
    const { block } = placeOf(this.#layout, n);
    const to = {
      ArrowRight: n + 1, ArrowLeft: n - 1, ArrowDown: this.#below(n, block), ArrowUp: this.#above(n, block),
      Home: 0, End: last, PageDown: n + 10 * block.columns, PageUp: n - 10 * block.columns,
    }[event.key];
    if (to !== undefined) { event.preventDefault(); this.#pick(Math.min(last, Math.max(0, to))); }
    else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.#open(n); }
  }

  #below(n, block) { return n + block.columns < block.from + block.count ? n + block.columns : block.from + block.count; }

  #above(n, block) { return n - block.columns >= block.from ? n - block.columns : block.from - 1; }

  #say() {
    const hosts = [...this.state.hosts.keys()].filter((id) => this.find.matches(id)).length;
    const by = this.view.get("group");
    const tiles = this.#layout.isCoarse ? `Tiles would be too small for ${count(hosts)} hosts: a tile is a ${GROUPS[by]}, coloured as its fullest host. Open one to see its hosts.` : "";
    this.summary.textContent = tiles;
    this.summary.hidden = !tiles;
    this.scroller.setAttribute("aria-label", `Map of ${count(hosts)} hosts, grouped by ${GROUPS[by] ?? by}. Arrows move, Enter opens; v shows the same as a table.`);
    this.canvas.dataset.tiles = this.#tiles.length;
    this.canvas.dataset.pitch = this.#layout.pitch;
  }

  // For pictures: the view as it is, on its own.
  toBlob() { return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png")); }
}

// Of a group's hosts the one that is worst off speaks for it.
function worst(hosts, state) {
  let found = null, most = -1;
  for (const { id } of hosts) {
    const host = state.hosts.get(id);
    if (!host) continue;
    let share = host.alive ? 0 : 2;
    for (const { capacity, available } of Object.values(host.amounts)) if (capacity > 0) share = Math.max(share, 1 - available / capacity);
    if (share > most) { most = share; found = host; }
  }
  return found;
}

// Hosts of a rack differ at the end of their names.
function tail(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let from = 1;
  while (from < text.length - 1 && pen.measureText(`…${text.slice(from)}`).width > width) from += 1;
  return `…${text.slice(from)}`;
}

function shorten(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let most = text.length;
  while (most > 1 && pen.measureText(`${text.slice(0, most)}…`).width > width) most -= 1;
  return most > 1 ? `${text.slice(0, most)}…` : "";
}

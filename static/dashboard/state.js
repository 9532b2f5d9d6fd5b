// The cell as this page knows it: a snapshot, and every change laid over it. Looking back shows a snapshot of the past
// instead; what comes meanwhile is laid over the live one behind it.

const LINES = 500; // of the event feed

export class State {
  #live = { hosts: new Map(), claims: new Map() };
  #past = null;
  units = {};
  lines = []; // newest first
  figures = null;
  skew = 0; // milliseconds that the portal's clock is ahead of this one
  happened = 0; // when the oldest of the last message's new events happened (portal's clock, ms)

  get hosts() { return (this.#past ?? this.#live).hosts; }
  get claims() { return (this.#past ?? this.#live).claims; }
  get isPast() { return this.#past !== null; }
  get at() { return this.#past?.at ?? Date.now() + this.skew; }

  // Returns what is to be drawn again: { all } or { hosts, claims } (sets of ids), and the new lines of the feed.
  put(message) {
    this.skew = Date.parse(message.at) - Date.now();
    const lines = this.#putLines(message.events ?? []);
    if (message.figures) this.figures = message.figures;
    const changed = message.type === "snapshot" ? this.#replace(message) : this.#lay(message);
    return { ...(this.#past ? { hosts: new Set(), claims: new Set() } : changed), lines, figures: message.figures ?? null };
  }

  // Lines of before this page was opened.
  remember(lines) { this.#putLines([...lines].reverse()); this.happened = 0; }

  lookBack(message) {
    this.units = message.units;
    this.#past = { ...maps(message), at: Date.parse(message.past), lines: [...message.events].reverse() };
    return this.#past;
  }

  comeBack() { this.#past = null; }

  ageOf(claim) { return Math.max(0, (this.at - Date.parse(claim.since)) / 1000); }

  #lay(message) {
    const { hosts, claims } = this.#live;
    const changed = { hosts: new Set(), claims: new Set() };
    for (const host of message.hosts) { hosts.set(host.id, host); changed.hosts.add(host.id); }
    for (const id of message.removed) { hosts.delete(id); changed.hosts.add(id); }
    for (const claim of message.claims) { claims.set(claim.id, claim); changed.claims.add(claim.id); }
    for (const id of message.ended) { claims.delete(id); changed.claims.add(id); }
    return changed;
  }

  #replace(message) {
    this.units = message.units;
    this.#live = maps(message);
    return { all: true, hosts: new Set(), claims: new Set() };
  }

  #putLines(told) {
    this.happened = 0;
    if (!told.length) return [];
    const known = new Set(this.lines.map((line) => line.id));
    const fresh = told.filter((line) => !known.has(line.id)); // a resumption tells some of them twice
    if (!fresh.length) return [];
    this.happened = Date.parse(fresh[0].at);
    this.lines = [...fresh.reverse(), ...this.lines].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)).slice(0, LINES);
    return fresh;
  }
}

const maps = (message) => ({
  hosts: new Map(message.hosts.map((host) => [host.id, host])),
  claims: new Map(message.claims.map((claim) => [claim.id, claim])),
});

// The cell as this page knows it: a snapshot, and every change laid over it.

export class State {
  hosts = new Map();
  claims = new Map();
  units = {};
  skew = 0; // milliseconds that the portal's clock is ahead of this one

  // Returns what is to be drawn again: { all } or { hosts, claims } (sets of ids).
  put(message) {
    this.skew = Date.parse(message.at) - Date.now();
    if (message.type === "snapshot") return this.#replace(message);
    const changed = { hosts: new Set(), claims: new Set() };
    for (const host of message.hosts) { this.hosts.set(host.id, host); changed.hosts.add(host.id); }
    for (const id of message.removed) { this.hosts.delete(id); changed.hosts.add(id); }
    for (const claim of message.claims) { this.claims.set(claim.id, claim); changed.claims.add(claim.id); }
    for (const id of message.ended) { this.claims.delete(id); changed.claims.add(id); }
    return changed;
  }

  #replace(message) {
    this.units = message.units;
    this.hosts = new Map(message.hosts.map((host) => [host.id, host]));
    this.claims = new Map(message.claims.map((claim) => [claim.id, claim]));
    return { all: true };
  }

  ageOf(claim) {
    return Math.max(0, (Date.now() + this.skew - Date.parse(claim.since)) / 1000);
  }
}

// What a tile's colour says. The scales are those that people who see no red or no green can read as well (cividis, and
// Okabe and Ito's eight colours); no colour alone says that a host is silent or not enabled: hatches and frames do.

const version = new URL(import.meta.url).search;
const { age, count, exact, title } = await import(`./format.js${version}`);

const CIVIDIS = ["#26456e", "#3f5a7d", "#58708b", "#72848f", "#8b9591", "#a4a78c", "#bdb881", "#d6c96f", "#edda55", "#fdea45"];
const STATES = { enabled: "#3b7ea1", draining: "#e69f00", maintenance: "#cc79a7", disabled: "#d55e00" };
const OTHER = "#8c8c8c";
const STEPS = 32;

const channel = (hex, at) => parseInt(hex.slice(at, at + 2), 16);
function between(scale, share) {
  const at = Math.min(1, Math.max(0, share)) * (scale.length - 1);
  const low = Math.floor(at), part = at - low;
  const [a, b] = [scale[low], scale[Math.min(low + 1, scale.length - 1)]];
  return `rgb(${[1, 3, 5].map((n) => Math.round(channel(a, n) + part * (channel(b, n) - channel(a, n)))).join(" ")})`;
}
const SCALE = Array.from({ length: STEPS }, (_, n) => between(CIVIDIS, n / (STEPS - 1)));
const step = (share) => SCALE[Math.round(Math.min(1, Math.max(0, share)) * (STEPS - 1))];
const legend = (low, high) => ({ scale: CIVIDIS, low, high });

// The share that is taken of the scarcest amount of a host, or of one amount.
function taken(host, name) {
  let most = null;
  for (const one of name ? [name] : Object.keys(host.amounts)) {
    const amount = host.amounts[one];
    if (!amount) continue;
    const share = amount.capacity > 0 ? 1 - Math.max(0, amount.available) / amount.capacity : amount.available < 0 ? 1 : 0;
    if (most === null || share > most) most = share;
  }
  return most;
}

const percent = (share) => `${Math.round(100 * (1 - share))} % free`;

function byAmount(name, label) {
  return {
    label,
    colour: (host) => { const share = taken(host, name); return share === null ? OTHER : step(share); },
    say: (host) => { const share = taken(host, name); return share === null ? "has none of it" : percent(share); },
    legend: legend("all free", "nothing free"),
  };
}

const aged = (host, now) => (host.heard_at ? Math.max(0, (now - Date.parse(host.heard_at)) / 1000) : 0);

function fixed() {
  return {
    free: byAmount("", "Free: the scarcest amount"),
    state: {
      label: "State",
      colour: (host) => STATES[host.state] ?? OTHER,
      say: (host) => host.state,
      legend: { named: Object.entries(STATES) },
    },
    heartbeat: {
      label: "Heartbeat",
      colour: (host, now) => (host.heartbeat === "none" ? OTHER : !host.alive ? "#d55e00" : host.heard_at ? step(0.4 + aged(host, now) / 50) : SCALE[2]),
      say: (host, now) => (host.heartbeat === "none" ? "external, has none" : !host.alive ? "silent" : host.heard_at ? `late: ${age(aged(host, now))} ago` : "in time"),
      legend: { named: [["in time", SCALE[2]], ["late", step(0.8)], ["silent", "#d55e00"], ["external", OTHER]] },
    },
    conflicts: {
      label: "Conflicts",
      colour: (host) => step(host.conflicts / 3),
      say: (host) => `claims refused in ${count(host.conflicts)} of the last 3 minutes`,
      legend: legend("none", "in each of 3 minutes"),
    },
    failed: {
      label: "Failed builds",
      colour: (host) => step(host.failed_builds / 5),
      say: (host) => `${count(host.failed_builds)} failed builds in half an hour`,
      legend: legend("none", "5 or more"),
    },
  };
}

// By name: { label, colour(host, now), say(host, now), legend }. Amounts of every class there is, as `vcpus` ...
export function colourings(units) {
  const found = fixed();
  for (const amounts of Object.values(units)) for (const [name, unit] of Object.entries(amounts)) {
    found[name] ??= byAmount(name, `Free: ${title(name, unit)}`);
  }
  return found;
}

export const sum = (amount, unit) => `${exact(amount.available, unit)} free of ${exact(amount.capacity, unit)}`;

// Numbers, units, ages and ids as people read them.

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

const TITLES = {
  vcpus: "vCPU", memory_mb: "Memory", disk_gb: "Disk", nodes: "Nodes", capacity_gb: "Capacity", iops: "IOPS",
  ipv4_addresses: "IPv4 addresses", bandwidth_mbps: "Bandwidth",
};
const CLASSES = {
  compute: "Compute", baremetal: "Bare metal", block_storage: "Block storage", network: "Network",
};
const SHORT = { "operations/s": "IOPS", address: "IPv4" };
const SAID_BY_TITLE = new Set(["vCPU", "node", "address", "operations/s"]);

export const className = (name) => CLASSES[name] ?? name.replaceAll("_", " ");

// MiB are shown as GiB: nobody reads 262,144.
const isMebibyte = (unit) => unit === "MiB";

export function title(amount, unit) {
  const words = TITLES[amount] ?? amount.replaceAll("_", " ");
  if (isMebibyte(unit)) return `${words} GiB`;
  return unit && !SAID_BY_TITLE.has(unit) ? `${words} ${unit}` : words;
}

export const number = (value, unit) =>
  isMebibyte(unit) ? tenths.format(value / 1024) : whole.format(value);

export const count = (value) => whole.format(value);

export const exact = (value, unit) => `${whole.format(value)} ${unit ?? ""}`.trim();

export function amounts(wanted, units) {
  return Object.entries(wanted)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => {
      const unit = units?.[name] ?? "";
      if (isMebibyte(unit)) return `${tenths.format(-value / 1024)} GiB`;
      return `${whole.format(-value)} ${SHORT[unit] ?? (unit || name)}`;
    })
    .join(" · ");
}

export function age(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export const shortId = (id) => id.slice(0, 8);

export const byName = new Intl.Collator("en", { numeric: true }).compare;

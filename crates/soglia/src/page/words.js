// Numbers and times as people read them.

const count = (n) => Math.round(n).toLocaleString("en-US");

const many = (n, one, several) => `${count(n)} ${n === 1 ? one : several}`;

/** A duration, with three significant digits. */
function time(ns) {
  if (ns === null || ns === undefined) return "";
  const units = [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]];
  if (ns >= 120e9) {
    const s = Math.round(ns / 1e9);
    const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"], [s % 60, "s"]];
    const first = parts.findIndex(([n]) => n > 0);
    return parts.slice(first, first + 2).map(([n, unit]) => `${n} ${unit}`).join(" ");
  }
  const [unit, size] = units.findLast(([, size]) => ns >= size) ?? units[0];
  const value = ns / size;
  const digits = unit === "ns" || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

const atLeast = (ns, is) => (is ? "at least " : "") + time(ns);

const percent = (share) => (share >= 0.995 ? "100 %" : share >= 0.1 ? `${Math.round(share * 100)} %` : `${(share * 100).toFixed(1)} %`);

/** A moment of the run, in seconds since its start. */
const moment = (ns) => `${(ns / 1e9).toFixed(ns < 10e9 ? 6 : 3)} s`;

/** The place of a value in a row that is in order: the first one that `is` holds for. */
function firstWhere(length, is) {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Colours, and the switch between light and dark.

const theme = {
  listeners: [],
  set(name) {
    document.documentElement.dataset.theme = name;
    this.colours = null;
    this.listeners.forEach((listener) => listener());
  },
  get() {
    return document.documentElement.dataset.theme;
  },
  /** The value of a colour's variable, for canvases. */
  colour(name) {
    if (!this.colours) {
      this.style = getComputedStyle(document.documentElement);
      this.colours = new Map();
    }
    if (!this.colours.has(name)) this.colours.set(name, this.style.getPropertyValue(`--${name}`).trim());
    return this.colours.get(name);
  },
};

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
theme.set(prefersDark.matches ? "dark" : "light");
prefersDark.addEventListener("change", () => theme.set(prefersDark.matches ? "dark" : "light"));

// The libraries with the most time have colours of their own. Where one or two have all of the time,
// their functions have.
const COLOURS = 8;
const libraryOf = (name) => (name.includes("!") ? name.slice(0, name.indexOf("!")) : name);
const { groupOf, placeOf } = (() => {
  const timesBy = (group) => {
    const times = new Map();
    for (const row of targets) {
      if (!row.callback && !row.runtime_internal) times.set(group(row.name), (times.get(group(row.name)) ?? 0) + row.self_ns);
    }
    return times;
  };
  const byLibrary = timesBy(libraryOf);
  const all = [...byLibrary.values()].reduce((sum, time) => sum + time, 0);
  const large = [...byLibrary.values()].filter((time) => time > all * 0.03);
  const groupOf = large.length > 2 ? libraryOf : (name) => name;
  const first = [...timesBy(groupOf)].sort((a, b) => b[1] - a[1]).slice(0, COLOURS);
  return { groupOf, placeOf: new Map(first.map(([name], n) => [name, `c${n}`])) };
})();
const colourOf = (name, callback) => (callback ? "managed" : placeOf.get(groupOf(name)) ?? "other");

const swatch = (name, callback) => el("span", { class: "swatch", style: `background: var(--${colourOf(name, callback)})`, "aria-hidden": "true" });

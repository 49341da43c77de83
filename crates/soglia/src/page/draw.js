// What the charts on canvases share.

const FONT = 12;
const font = (weight = "") => `${weight} ${FONT}px ${getComputedStyle(document.documentElement).getPropertyValue("--mono")}`.trim();

/** Gives a canvas its size in the pixels of the screen, and returns its context. */
function prepare(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = font();
  context.textBaseline = "middle";
  return context;
}

/** The text as far as there is room for it, shortened in the middle. */
function fitted(text, width, charWidth) {
  const room = Math.floor(width / charWidth);
  if (text.length <= room) return text;
  // The function says more than its library.
  const entry = text.slice(text.lastIndexOf("!") + 1);
  if (entry.length <= room) return entry;
  if (room < 4) return "";
  // The end of a name says more than its beginning.
  const tail = Math.ceil((room - 1) * 0.6);
  return `${entry.slice(0, room - 1 - tail)}…${entry.slice(entry.length - tail)}`;
}

/** Whether black or white is easier to read on a colour. */
const inkOn = (() => {
  const known = new Map();
  return (colour) => {
    if (!known.has(colour)) {
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      known.set(colour, 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.3 ? "#101114" : "#ffffff");
    }
    return known.get(colour);
  };
})();

/** Calls a function once before the next picture, however often it is asked for. */
function once(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** Moments between two others that are round numbers, at most so many. */
function ticks(from, to, most) {
  const rough = (to - from) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to && found.length < 100; at += step) found.push(at);
  return { found, step };
}

/** A moment, as exact as the distance of ticks needs. */
function tickLabel(ns, step) {
  const [unit, size] = step >= 1e9 ? ["s", 1e9] : step >= 1e6 ? ["ms", 1e6] : step >= 1e3 ? ["µs", 1e3] : ["ns", 1];
  if (unit === "ms" && ns >= 1e10) return `${(ns / 1e9).toFixed(3)} s`;
  return `${count(ns / size)} ${unit}`;
}

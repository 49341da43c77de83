// The calls of a target by their duration.

/** A chart of the buckets, which grow with the duration: each doubling has the same width. */
function histogram(row) {
  if (row.histogram.length === 0) return el("p", { class: "soft" }, "No call that returned was timed.");
  const [width, height, left, bottom] = [460, 150, 8, 22];
  const log = (ns) => Math.log2(Math.max(ns, 1));
  // Buckets are an eighth of a doubling wide. Half of one is enough for a picture.
  const columns = new Map();
  for (const [ns, , calls] of row.histogram) {
    const column = Math.floor(log(ns) * 4);
    columns.set(column, (columns.get(column) ?? 0) + calls);
  }
  const places = [...columns.keys()];
  const first = Math.min(...places) - 2;
  const last = Math.max(...places) + 3;
  const x = (column) => left + ((column - first) / (last - first)) * (width - 2 * left);
  const most = Math.max(...columns.values());
  // A rare call must be seen too, so heights are logarithmic.
  const tall = (calls) => (Math.log1p(calls) / Math.log1p(most)) * (height - bottom - 14);
  const made = svg("svg", { class: "histogram", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Calls by duration: ${[...columns].sort((a, b) => a[0] - b[0]).map(([column, calls]) => `${count(calls)} of about ${time(2 ** (column / 4))}`).slice(0, 40).join(", ")}` });
  const base = height - bottom;
  for (const [column, calls] of columns) {
    const bar = svg("rect", { class: "bucket", x: x(column), y: base - tall(calls), width: Math.max(1, x(column + 1) - x(column) - 1), height: tall(calls) });
    bar.append(svg("title", {}, `${many(calls, "call", "calls")} of ${time(2 ** (column / 4))} to ${time(2 ** ((column + 1) / 4))}`));
    made.append(bar);
  }
  made.append(svg("line", { class: "axis", x1: left, x2: width - left, y1: base, y2: base }));
  let free = 0;
  for (let power = 0; power < 14; power++) {
    const column = Math.log2(10 ** power) * 4;
    if (column < first || column > last) continue;
    made.append(svg("line", { class: "axis", x1: x(column), x2: x(column), y1: base, y2: base + 4 }));
    const label = svg("text", { x: x(column), y: base + 16, "text-anchor": "middle" }, time(10 ** power).replace(/\.0+ /, " "));
    if (x(column) > free && x(column) > left + 12 && x(column) < width - 22) {
      made.append(label);
      free = x(column) + 44;
    }
  }
  let lastX = -99;
  let line = 0;
  for (const [name, ns] of [["p50", row.p50_ns], ["p90", row.p90_ns], ["p99", row.p99_ns], ["max", row.max_ns]]) {
    if (ns === null || ns === undefined) continue;
    const at = x(log(ns) * 4);
    line = at - lastX < 30 ? line + 1 : 0;
    lastX = at;
    if (line > 2) continue;
    made.append(svg("line", { class: "quantile", x1: at, x2: at, y1: 12 + line * 11, y2: base }));
    made.append(svg("text", { x: Math.min(at + 2, width - 26), y: 10 + line * 11 }, name));
  }
  return made;
}

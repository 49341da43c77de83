// The timeline: a row for each thread, a lane for each level of nesting.

const LABEL = 19;
const LANE = 18;
const GAP = 7;
const AXIS = 24;
const OVERVIEW = 40;

class Timeline {
  constructor(view, canvas, overview) {
    Object.assign(this, { view, canvas, overview });
    let whole = Math.max(report.duration_ns, ...list("tasks").map((task) => task.until));
    for (const lanes of timeline.lanes.values()) {
      for (const lane of lanes) if (lane.length > 0) whole = Math.max(whole, lane.end[lane.length - 1]);
    }
    this.whole = Math.max(whole, 1);
    this.from = 0;
    this.to = this.whole;
    this.selected = null;
    this.search = "";
    this.rows = [];
    let y = AXIS;
    for (const task of list("tasks")) {
      const lanes = timeline.lanes.get(task.task) ?? [];
      const height = LABEL + Math.max(lanes.length * LANE, 8) + GAP;
      this.rows.push({ task, lanes, y, height });
      y += height;
    }
    this.height = y + 4;
    this.matches = timeline.names.map(() => true);
    this.draw = once(() => this.drawNow());
  }

  /** Shows this part of the run. */
  show(from, to) {
    const least = Math.min(this.whole, 20);
    const length = clamp(to - from, least, this.whole * 1.04);
    const middle = (from + to) / 2;
    const edge = this.whole * 0.02;
    this.from = clamp(middle - length / 2, -edge, Math.max(-edge, this.whole + edge - length));
    this.to = this.from + length;
    this.draw();
  }

  all() {
    this.show(-this.whole * 0.01, this.whole * 1.01);
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(share) {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  }

  find(text) {
    this.search = text.trim().toLowerCase();
    this.matches = timeline.names.map(({ name }) => name.toLowerCase().includes(this.search));
    this.draw();
  }

  get width() {
    return this.canvas.clientWidth;
  }

  x(ns) {
    return ((ns - this.from) / (this.to - this.from)) * this.width;
  }

  at(x) {
    return this.from + (x / this.width) * (this.to - this.from);
  }

  /** The slice at a place on the canvas. */
  hit(x, y) {
    const top = y + this.view.scrollTop;
    if (y < AXIS) return null;
    const row = this.rows.find((row) => top >= row.y && top < row.y + row.height);
    if (!row) return null;
    const depth = Math.floor((top - row.y - LABEL) / LANE);
    const lane = row.lanes[depth];
    if (!lane || top < row.y + LABEL) return { row };
    const reach = ((this.to - this.from) / this.width) * 2;
    const ns = this.at(x);
    let n = firstWhere(lane.length, (n) => lane.end[n] > ns - reach);
    // Of several near the pointer, the one under it, else the first.
    const under = firstWhere(lane.length, (n) => lane.end[n] >= ns);
    if (under < lane.length && lane.begin[under] <= ns) n = under;
    if (n >= lane.length || lane.begin[n] > ns + reach) return { row };
    return { row, depth, n };
  }

  /** The slice that comes `by` places after the selected one in its lane, or the first one. */
  next(by) {
    const { selected } = this;
    if (!selected) {
      const row = this.rows.find((row) => row.lanes.some((lane) => lane.length > 0));
      if (row) this.select({ row, depth: row.lanes.findIndex((lane) => lane.length > 0), n: 0 });
      return;
    }
    const lane = selected.row.lanes[selected.depth];
    let n = selected.n + by;
    while (n >= 0 && n < lane.length && !this.matches[lane.name[n]]) n += by;
    if (n >= 0 && n < lane.length) this.select({ ...selected, n });
  }

  /** Selects the call that is nested in the selected one, or the one around it. */
  deeper(by) {
    const { selected } = this;
    if (!selected) return this.next(1);
    const depth = selected.depth + by;
    const lane = selected.row.lanes[depth];
    if (!lane) return;
    const { begin, end } = this.sliceOf(selected);
    const n = by > 0 ? firstWhere(lane.length, (n) => lane.end[n] > begin) : firstWhere(lane.length, (n) => lane.end[n] >= end);
    if (n < lane.length && lane.begin[n] < end) this.select({ ...selected, depth, n });
  }

  sliceOf({ row, depth, n }) {
    const lane = row.lanes[depth];
    return { task: row.task, depth, begin: lane.begin[n], end: lane.end[n], name: timeline.names[lane.name[n]]?.name ?? "?", callback: lane.callback[n], outcome: lane.outcome[n], calls: lane.calls[n], busy: lane.busy[n] };
  }

  select(hit) {
    this.selected = hit;
    const { begin, end } = this.sliceOf(hit);
    if (end < this.from || begin > this.to) this.show(begin - (this.to - this.from) / 2, begin + (this.to - this.from) / 2);
    const y = hit.row.y + LABEL + hit.depth * LANE;
    if (y < this.view.scrollTop + AXIS || y + LANE > this.view.scrollTop + this.view.clientHeight) this.view.scrollTop = y - this.view.clientHeight / 2;
    this.onselect?.(this.sliceOf(hit));
    this.draw();
  }

  /** Goes to the next slice that matches the search, after the selected one. */
  nextMatch() {
    const places = [];
    for (const row of this.rows) {
      row.lanes.forEach((lane, depth) => {
        const after = this.selected && this.selected.row === row && this.selected.depth === depth ? this.selected.n + 1 : 0;
        for (let n = after; n < lane.length; n++) {
          if (this.matches[lane.name[n]]) {
            places.push({ row, depth, n, isAfter: after > 0 });
            break;
          }
        }
      });
    }
    const order = (place) => place.row.y * 100 + place.depth;
    const here = this.selected ? order(this.selected) : -1;
    const next = places.find((place) => place.isAfter) ?? places.find((place) => order(place) > here) ?? places[0];
    if (!next) return false;
    const slice = this.sliceOf(next);
    const length = Math.max((slice.end - slice.begin) * 6, (this.to - this.from) / 8);
    this.show((slice.begin + slice.end - length) / 2, (slice.begin + slice.end + length) / 2);
    this.select(next);
    return true;
  }

  drawNow() {
    const width = this.width;
    if (width === 0) return;
    const height = Math.min(this.height, this.view.clientHeight || this.height);
    const context = prepare(this.canvas, width, height);
    const charWidth = context.measureText("0000000000").width / 10;
    const scroll = this.view.scrollTop;
    for (const row of this.rows) {
      const y = row.y - scroll;
      if (y + row.height >= AXIS && y <= height) this.drawRow(context, row, y, charWidth);
    }
    this.drawAxis(context, width, height);
    this.drawOverview();
    this.onview?.();
  }

  drawRow(context, row, y, charWidth) {
    const { task, lanes } = row;
    const width = this.width;
    const [x0, x1] = [Math.max(this.x(task.began), 0), Math.min(this.x(task.until), width)];
    const height = Math.max(lanes.length * LANE, 8);
    context.fillStyle = theme.colour("life");
    if (x1 > 0 && x0 < width) context.fillRect(x0, y + LABEL, Math.max(x1 - x0, 1), height - 1);
    lanes.forEach((lane, depth) => this.drawLane(context, lane, y + LABEL + depth * LANE, charWidth));
    const cut = timeline.tasks.find((of) => of.task === task.task)?.events_end;
    if (cut !== null && cut !== undefined && this.x(cut) < width) {
      context.fillStyle = theme.colour("problem");
      context.fillRect(this.x(cut), y + LABEL - 3, 2, height + 4);
    }
    context.fillStyle = theme.colour("ink");
    const native = task.unmanaged_ns === null ? "" : `, ${time(task.unmanaged_ns)} in native code`;
    context.fillText(fitted(`${taskName(task.task)}: ${many(task.crossings, "crossing", "crossings")}${native}`, width - 12, charWidth), 6, y + LABEL / 2 + 1);
  }

  drawLane(context, lane, y, charWidth) {
    const { from, to, width, selected, search } = this;
    const scale = width / (to - from);
    let painted = -1;
    for (let n = firstWhere(lane.length, (n) => lane.end[n] >= from); n < lane.length && lane.begin[n] <= to; n++) {
      const isSelected = selected && selected.n === n && selected.row.lanes[selected.depth] === lane;
      const x0 = Math.max((lane.begin[n] - from) * scale, -2);
      const x1 = Math.min((lane.end[n] - from) * scale, width + 2);
      const marked = lane.outcome[n] >= 2;
      // Many slices can share a pixel: one of them is enough.
      if (x1 <= painted && !isSelected && !marked) continue;
      const name = timeline.names[lane.name[n]]?.name ?? "?";
      const fits = search === "" || this.matches[lane.name[n]];
      const colour = theme.colour(colourOf(name, lane.callback[n]));
      const wide = Math.max(x1 - x0, 1);
      const gap = wide > 4 ? 1 : 0;
      const length = lane.end[n] - lane.begin[n];
      const density = lane.calls[n] > 1 && length > 0 ? 0.35 + 0.65 * Math.min(1, lane.busy[n] / length) : 1;
      context.globalAlpha = fits ? density : 0.15;
      context.fillStyle = colour;
      context.fillRect(x0, y, wide - gap, LANE - 2);
      context.globalAlpha = 1;
      if (marked && fits) {
        context.fillStyle = theme.colour(lane.outcome[n] === 4 ? "mark" : "problem");
        context.fillRect(x0, y + LANE - 5, Math.max(wide - gap, 2), 3);
      }
      if (wide > 4 * charWidth && fits) {
        const begin = Math.max(x0, 0);
        const room = Math.min(x1, width) - begin - 8;
        const label = lane.calls[n] > 1 ? `${count(lane.calls[n])}× ${written(name)}` : written(name);
        context.fillStyle = density < 0.7 ? theme.colour("ink") : inkOn(colour);
        context.fillText(fitted(label, room, charWidth), begin + 4, y + (LANE - 2) / 2 + 1);
      }
      if (isSelected) {
        context.strokeStyle = theme.colour("ink");
        context.lineWidth = 2;
        context.strokeRect(x0, y - 1, wide, LANE);
      }
      painted = Math.floor(x0) + (wide > 1 ? wide - 1 : 0.999);
    }
  }

  drawAxis(context, width, height) {
    context.fillStyle = theme.colour("card");
    context.fillRect(0, 0, width, AXIS);
    const { found, step } = ticks(Math.max(this.from, 0), Math.min(this.to, this.whole), width / 110);
    context.font = font().replace(theme.colour("mono"), theme.colour("sans"));
    for (const at of found) {
      const x = Math.round(this.x(at)) + 0.5;
      context.globalAlpha = 0.5;
      context.fillStyle = theme.colour("line");
      context.fillRect(x, AXIS, 1, height - AXIS);
      context.globalAlpha = 1;
      context.fillRect(x, AXIS - 6, 1, 6);
      context.fillStyle = theme.colour("soft");
      const label = tickLabel(at, step);
      if (x + context.measureText(label).width + 8 < width) context.fillText(label, x + 4, 11);
    }
    context.fillStyle = theme.colour("line");
    context.fillRect(0, AXIS - 1, width, 1);
    context.font = font();
  }

  /** How much time all threads spent in native code, over the whole run. */
  drawOverview() {
    const width = this.overview.clientWidth;
    const context = prepare(this.overview, width, OVERVIEW);
    if (!this.density || this.density.length !== width) this.density = this.densityAt(width);
    const most = Math.max(...this.density, 1e-9);
    context.fillStyle = theme.colour("c0");
    context.globalAlpha = 0.75;
    this.density.forEach((part, x) => {
      if (part > 0) {
        const height = Math.max(1.5, (part / most) * (OVERVIEW - 6));
        context.fillRect(x, OVERVIEW - height, 1, height);
      }
    });
    context.globalAlpha = 1;
    const [x0, x1] = [this.from, this.to].map((ns) => (ns / this.whole) * width);
    context.fillStyle = theme.colour("ink");
    context.globalAlpha = 0.13;
    context.fillRect(0, 0, x0, OVERVIEW);
    context.fillRect(x1, 0, width - x1, OVERVIEW);
    context.globalAlpha = 1;
    context.strokeStyle = theme.colour("accent");
    context.lineWidth = 2;
    context.strokeRect(Math.max(x0, 0) + 1, 1, Math.max(Math.min(x1, width) - Math.max(x0, 0) - 2, 2), OVERVIEW - 2);
  }

  densityAt(width) {
    const parts = new Array(width).fill(0);
    const per = width / this.whole;
    for (const lanes of timeline.lanes.values()) {
      const lane = lanes[0];
      for (let n = 0; lane && n < lane.length; n++) {
        const length = lane.end[n] - lane.begin[n];
        const share = length > 0 ? lane.busy[n] / length : 1;
        const [x0, x1] = [lane.begin[n] * per, lane.end[n] * per];
        for (let x = Math.floor(x0); x <= Math.min(Math.floor(x1), width - 1); x++) {
          parts[x] += (Math.min(x1, x + 1) - Math.max(x0, x)) * share;
        }
      }
    }
    return parts;
  }
}

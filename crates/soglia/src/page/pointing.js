// The timeline's section: its tools, the pointer and the keys.

let theTimeline = null;

function writeTimeline() {
  const hasSlices = [...timeline.lanes.values()].some((lanes) => lanes.some((lane) => lane.length > 0));
  const made = section("timeline", "Timeline");
  const search = el("input", { type: "search", placeholder: "Find a target", "aria-label": "Find a target in the timeline" });
  const button = (text, label, onclick) => el("button", { type: "button", "aria-label": label, title: label, onclick }, text);
  const view = el("div", { class: "view" });
  const canvas = el("canvas", { tabindex: "0", role: "application", "aria-label": "Timeline of threads. Arrow keys move, plus and minus zoom, N and P select the next and the previous call, Enter zooms to it.", "aria-describedby": "timeline-details" });
  const filler = el("div", { "aria-hidden": "true" });
  const overview = el("canvas", { "aria-hidden": "true" });
  const details = el("div", { class: "details soft", id: "timeline-details", "aria-live": "polite" }, hasSlices ? "Click on a block for what is known of it." : "");
  const shown = el("span", { class: "soft small number", id: "timeline-range" });
  view.append(canvas, filler);
  const chart = (theTimeline = new Timeline(view, canvas, overview));
  filler.style.height = `${Math.max(0, chart.height - 60)}px`;
  view.style.height = `${chart.height}px`;
  const note = timeline.has_events
    ? timeline.resolution_ns > 0
      ? `Calls shorter than ${time(timeline.resolution_ns)} that follow each other are drawn as one block, as dense as they were. Longer calls are exact.`
      : "Each call has its own block. What is nested in a call lies below it."
    : hasSlices
      ? "This recording has no events: the lines show each thread's life, its slow calls and the calls that were open. With --record events they show every call."
      : "This recording has no events and no slow calls: the lines show each thread's life. With --record events they show every call.";
  const left = timeline.tasks_left_out > 0 ? ` ${many(timeline.tasks_left_out, "thread has", "threads have")} no lanes here.` : "";
  made.append(
    el("p", { class: "soft" }, note, left),
    el("div", { class: "tools", style: "margin-bottom: 8px" },
      button("−", "Zoom out", () => chart.zoom(2)), button("+", "Zoom in", () => chart.zoom(0.5)),
      button("◀", "Move left", () => chart.pan(-0.3)), button("▶", "Move right", () => chart.pan(0.3)),
      button("All", "Show the whole run", () => chart.all()), search, button("Next", "Go to the next call that matches", () => chart.nextMatch()), shown),
    el("div", { class: "chart", style: "margin-bottom: 6px" }, overview),
    el("div", { class: "chart" }, view),
    el("ul", { class: "keys tools" },
      [["drag", "move"], ["Ctrl + wheel", "zoom"], ["double click", "zoom to a call"], ["← →", "move"], ["+ −", "zoom"], ["N P", "next, previous call"], ["↓ ↑", "nested, outer call"], ["Home", "all"]].map(([key, what]) => el("li", {}, el("kbd", {}, key), ` ${what}`))),
    legend(),
    details,
  );
  chart.onselect = (slice) => {
    details.classList.remove("soft");
    details.replaceChildren(sliceDetails(slice));
  };
  chart.onview = () => {
    shown.textContent = chart.to - chart.from > chart.whole ? `whole run, ${time(report.duration_ns)}` : `${moment(Math.max(0, chart.from))} to ${moment(chart.to)} (${time(chart.to - chart.from)})`;
  };
  search.addEventListener("input", () => chart.find(search.value));
  search.addEventListener("keydown", (event) => event.key === "Enter" && chart.nextMatch());
  chart.searchBox = search;
  view.addEventListener("scroll", chart.draw);
  new ResizeObserver(chart.draw).observe(view);
  theme.listeners.push(chart.draw);
  point(chart);
  brush(chart);
  chart.all();
}

/** What the colours stand for. */
function legend() {
  const item = (colour, name) => el("li", {}, el("span", { class: "swatch", style: `background: var(--${colour})` }), name);
  const named = [...placeOf].map(([name, colour]) => item(colour, written(name)));
  return el("ul", { class: "keys", "aria-label": "Colours" }, named, item("managed", "managed code"), named.length === COLOURS && item("other", "others"));
}

/** What is known of a slice. */
function sliceDetails(slice) {
  const { task, begin, end, name, calls, busy, outcome, callback, depth } = slice;
  const slow = list("slow").find((row) => row.task === task.task && row.target === name && Math.abs(row.began - begin) <= 1000 + (end - begin) / 100);
  const open = outcome === 4 && list("open").find((row) => row.task === task.task && row.target === name && Math.abs(row.began - begin) <= 1000);
  const frames = [slow, open].find((row) => row && row.stack.length > 0)?.stack;
  const length = end - begin;
  const what = calls > 1
    ? [`${count(calls)} calls that took ${time(busy)} in all, within ${time(length)}${length > 0 ? ` (${percent(Math.min(1, busy / length))} of it)` : ""}; most of the time is of this target`]
    : [outcome === 4 ? `open for ${atLeast(length, report.duration_at_least)}` : outcome === 1 ? `took at least ${time(length)}: the events end inside it` : `${OUTCOMES[outcome]} after ${time(length)}`];
  return el("div", {},
    el("p", {}, swatch(name, callback), targetLink(name), " ", badge(callback ? "callback" : "native call"), outcome >= 2 && [" ", badge(OUTCOMES[outcome], outcome === 4 ? "warning" : "problem")]),
    el("dl", { class: "list" },
      el("dt", {}, "Thread"), el("dd", {}, taskName(task.task), depth > 0 ? `, nested in ${many(depth, "call", "calls")}` : ""),
      el("dt", {}, "Began"), el("dd", {}, `${moment(begin)} after the start, at ${timeOfDay(begin)}`),
      el("dt", {}, "Length"), el("dd", {}, what)),
    frames && el("div", {}, el("p", { class: "soft small" }, "Managed stack:"), stack(frames)));
}

function point(chart) {
  const { canvas, view } = chart;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const [x] = place(event);
    drag = { x, from: chart.from, to: chart.to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (drag) {
      drag.moved ||= Math.abs(x - drag.x) > 3;
      if (drag.moved) {
        view.classList.add("dragging");
        const by = ((drag.x - x) / chart.width) * (drag.to - drag.from);
        chart.show(drag.from + by, drag.to + by);
        tip.hide();
      }
      return;
    }
    const hit = chart.hit(x, y);
    if (!hit || hit.n === undefined) return tip.hide();
    const slice = chart.sliceOf(hit);
    const lines = slice.calls > 1 ? [`mostly ${written(slice.name)}`, `${count(slice.calls)} calls, ${time(slice.busy)} in all, within ${time(slice.end - slice.begin)}`] : [written(slice.name), `${slice.callback ? "callback, " : ""}${OUTCOMES[slice.outcome]}, ${time(slice.end - slice.begin)}`];
    tip.show(event.clientX, event.clientY, [...lines, `began ${moment(slice.begin)}, ${timeOfDay(slice.begin)}`]);
  });
  const end = (event) => {
    if (drag && !drag.moved && event.type === "pointerup") {
      const hit = chart.hit(...place(event));
      if (hit?.n !== undefined) chart.select(hit);
    }
    drag = null;
    view.classList.remove("dragging");
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", tip.hide);
  canvas.addEventListener("dblclick", (event) => {
    const hit = chart.hit(...place(event));
    if (hit?.n !== undefined) zoomTo(chart, chart.sliceOf(hit));
    else chart.zoom(0.4, chart.at(place(event)[0]));
  });
  canvas.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) chart.zoom(Math.exp(clamp(event.deltaY, -120, 120) * 0.004), chart.at(place(event)[0]));
    else if (Math.abs(sideways) > 0) chart.pan(sideways / chart.width);
    else return;
    event.preventDefault();
  }, { passive: false });
  const keys = {
    ArrowLeft: () => chart.pan(-0.15), ArrowRight: () => chart.pan(0.15), "+": () => chart.zoom(0.6), "=": () => chart.zoom(0.6), "-": () => chart.zoom(1 / 0.6),
    ArrowDown: () => chart.deeper(1), ArrowUp: () => chart.deeper(-1), Home: () => chart.all(), 0: () => chart.all(), n: () => chart.next(1), p: () => chart.next(-1),
    PageDown: () => (view.scrollTop += view.clientHeight * 0.8), PageUp: () => (view.scrollTop -= view.clientHeight * 0.8),
    Enter: () => chart.selected && zoomTo(chart, chart.sliceOf(chart.selected)), "/": () => chart.searchBox.focus(),
  };
  canvas.addEventListener("keydown", (event) => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
}

function zoomTo(chart, { begin, end }) {
  const around = Math.max((end - begin) * 0.15, 10);
  chart.show(begin - around, end + around);
}

/** The overview: a drag shows the part of the run that it marks, a click goes there. */
function brush(chart) {
  const { overview } = chart;
  const at = (event) => {
    const box = overview.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * chart.whole;
  };
  let began = null;
  overview.style.cursor = "crosshair";
  overview.addEventListener("pointerdown", (event) => {
    began = at(event);
    overview.setPointerCapture(event.pointerId);
  });
  overview.addEventListener("pointermove", (event) => {
    if (began === null) return;
    const now = at(event);
    if (Math.abs(now - began) > chart.whole * 0.003) chart.show(Math.min(began, now), Math.max(began, now));
  });
  overview.addEventListener("pointerup", (event) => {
    if (began === null) return;
    const now = at(event);
    if (Math.abs(now - began) <= chart.whole * 0.003) {
      const half = (chart.to - chart.from) / 2;
      chart.show(now - half, now + half);
    }
    began = null;
  });
}

// The table of targets.

const MARKS = (row) => [
  row.callback && badge("callback"),
  row.runtime_internal && badge("runtime"),
  row.open > 0 && badge(`${count(row.open)} open`, "warning"),
  row.failed > 0 && badge(`${count(row.failed)} failed`, "problem"),
  row.refused > 0 && badge(`${count(row.refused)} ${report.policy?.audit ? "to deny" : "denied"}`, "problem"),
  row.abandoned > 0 && badge(`${count(row.abandoned)} abandoned`, "warning"),
  row.suppresses_gc_transition && badge("no GC transition", "hint"),
  row.redirected_to && badge("redirected", "hint"),
];

/** A time that may be an estimate. */
const about = (row, ns) => `${row.total_ns_se === null || ns === null ? "" : "~"}${time(ns)}`;

const COLUMNS = [
  { name: "Target", key: "name", value: (row) => row.name.toLowerCase() },
  { name: "Calls", key: "calls", value: (row) => row.calls, show: (row) => count(row.calls) },
  { name: "Total", key: "total", value: (row) => row.total_ns, show: (row) => about(row, row.total_ns) },
  { name: "Self", key: "self", value: (row) => row.self_ns, show: (row) => about(row, row.self_ns) },
  { name: "p50", key: "p50", value: (row) => row.p50_ns ?? -1, show: (row) => about(row, row.p50_ns) },
  { name: "p99", key: "p99", value: (row) => row.p99_ns ?? -1, show: (row) => about(row, row.p99_ns) },
  { name: "Longest", key: "max", value: (row) => Math.max(row.max_ns ?? -1, row.open_max_ns ?? -1), show: (row) => (row.open_max_ns > (row.max_ns ?? 0) ? `open ${time(row.open_max_ns)}` : time(row.max_ns)) },
  { name: "First", key: "first", value: (row) => row.first_call_ns ?? -1, show: (row) => time(row.first_call_ns) },
];

/** Shows one target in the table, and goes there. */
let showTarget = () => {};

function writeTargets() {
  const made = section("targets", "Targets");
  if (targets.length === 0) {
    made.append(el("p", { class: "soft" }, "No native call was recorded."));
    return;
  }
  const state = { sort: "total", down: true, text: "", kind: "all", internal: false, most: 30, opened: new Set() };
  const filter = el("input", { type: "search", placeholder: "Filter by name, caller, file", "aria-label": "Filter targets" });
  const kind = el("select", { "aria-label": "Kinds of targets" }, [["all", "calls and callbacks"], ["calls", "native calls"], ["callbacks", "callbacks"]].map(([value, name]) => el("option", { value }, name)));
  const internals = targets.filter((row) => row.runtime_internal).length;
  const internal = el("input", { type: "checkbox" });
  const found = el("span", { class: "soft small", role: "status" });
  const head = el("tr", {});
  const body = el("tbody", {});
  const more = el("div", {});
  made.append(
    el("div", { class: "tools", style: "margin-bottom: 8px" }, filter, kind, internals > 0 && el("label", { class: "small" }, internal, ` the runtime's own (${count(internals)})`), found),
    el("div", { class: "scroll" }, el("table", { class: "stacked", id: "targets-table" }, el("thead", {}, head), body)),
    more,
  );
  const heads = COLUMNS.map((column, n) => {
    const button = el("button", { type: "button", onclick: () => {
      state.down = state.sort === column.key ? !state.down : n > 0;
      state.sort = column.key;
      draw();
    } }, column.name);
    return el("th", { scope: "col", class: n > 0 && "right" }, button);
  });
  head.append(...heads);
  const text = (row) => [row.name, written(row.name), row.method, row.assembly, row.library, row.file, row.symbol, ...row.first_caller].filter(Boolean).join("\n").toLowerCase();
  const texts = new Map(targets.map((row) => [row, text(row)]));
  const longest = Math.max(...targets.filter((row) => !row.runtime_internal).map((row) => row.self_ns), 1);

  function draw() {
    const column = COLUMNS.find(({ key }) => key === state.sort);
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = targets.filter((row) => (state.internal || !row.runtime_internal) && (state.kind === "all" || (state.kind === "callbacks") === row.callback) && words.every((word) => texts.get(row).includes(word)));
    const order = (a, b) => (column.value(a) < column.value(b) ? -1 : column.value(a) > column.value(b) ? 1 : 0);
    shown.sort((a, b) => (state.down ? order(b, a) : order(a, b)));
    heads.forEach((th, n) => COLUMNS[n].key === state.sort ? th.setAttribute("aria-sort", state.down ? "descending" : "ascending") : th.removeAttribute("aria-sort"));
    body.replaceChildren(...shown.slice(0, state.most).flatMap(rowsOf));
    found.textContent = `${count(shown.length)} of ${many(targets.length, "target", "targets")}`;
    more.replaceChildren(...(shown.length > state.most ? [el("button", { type: "button", onclick: () => {
      state.most *= 4;
      draw();
    } }, `Show more (${count(shown.length - state.most)} are left)`)] : []));
  }

  function rowsOf(row) {
    const isOpen = state.opened.has(row);
    const toggle = () => {
      state.opened[isOpen ? "delete" : "add"](row);
      draw();
      [...body.querySelectorAll(".row-name")].find((button) => button.row === row)?.focus();
    };
    const button = el("button", { type: "button", class: "row-name", "aria-expanded": String(isOpen), onclick: toggle }, written(row.name));
    button.row = row;
    const callers = mainCallers(row);
    const cells = COLUMNS.map((column, n) => n === 0
      ? el("td", { class: "name" },
        swatch(row.name, row.callback), button, " ", within(row.processes?.map((of) => of.process) ?? []) && el("span", { class: "soft small" }, `${within(row.processes.map((of) => of.process))} `), MARKS(row).filter(Boolean).flatMap((mark) => [mark, " "]),
        callers.length > 0 && el("div", { class: "who", title: callers.join(" ← ") }, `← ${callers.map(shortName).join(" ← ")}`),
        el("div", { class: "bar", "aria-hidden": "true" }, el("i", { style: `width: ${Math.min(100, (row.self_ns / longest) * 100)}%; background: var(--${colourOf(row.name, row.callback)})` })))
      : el("td", { class: "right", "data-label": column.name }, column.show(row)));
    const made = el("tr", { class: isOpen ? "row opened" : "row" }, cells);
    return isOpen ? [made, el("tr", { class: "detail" }, el("td", { colspan: String(COLUMNS.length) }, targetDetails(row)))] : [made];
  }

  filter.addEventListener("input", () => {
    state.text = filter.value;
    draw();
  });
  kind.addEventListener("change", () => {
    state.kind = kind.value;
    draw();
  });
  internal.addEventListener("change", () => {
    state.internal = internal.checked;
    draw();
  });
  showTarget = (name) => {
    const row = targetsByName.get(name);
    if (!row) return;
    Object.assign(state, { text: "", kind: "all", internal: state.internal || row.runtime_internal });
    [filter.value, kind.value, internal.checked] = ["", "all", state.internal];
    state.opened.add(row);
    state.most = Math.max(state.most, targets.length > 500 ? 500 : targets.length);
    draw();
    const button = [...body.querySelectorAll(".row-name")].find((button) => button.row === row);
    button?.focus({ preventScroll: true });
    button?.closest("tr").scrollIntoView({ block: "start", behavior: "auto" });
    scrollBy(0, -60);
  };
  draw();
}

/** The innermost frames of the most frequent caller that is known, else of the first one. */
function mainCallers(row) {
  const stacks = (row.callers ?? []).toSorted((a, b) => b.calls - a.calls).map((caller) => caller.stack);
  return ([...stacks, row.first_caller].find((frames) => frames?.length > 0) ?? []).slice(0, 3);
}

/** A method with its type, without the namespace. */
const shortName = (frame) => (/^[\w.<>]+( \(lambda\))?$/.test(frame) ? frame.split(".").filter(Boolean).slice(-2).join(".") : frame);

function targetDetails(row) {
  const facts = [
    ["Method", row.method], ["Signature", row.signature], ["Assembly", row.assembly], ["Library", row.library], ["File", row.file], ["Symbol", row.symbol], ["Instead", row.redirected_to],
    ["Calls", `${count(row.calls)} on ${many(row.tasks, "thread", "threads")}${row.returned === row.calls ? "" : `; ${count(row.returned)} returned`}`],
    ["Processes", isMerged ? row.processes.slice(0, 8).map((of) => `${processName(of.process)}: ${many(of.calls, "call", "calls")}, ${time(of.total_ns)}`).join("; ") + (row.processes.length > 8 ? `; ${count(row.processes.length - 8)} more` : "") : null],
    ["Total", `${time(row.total_ns)}${row.self_ns !== row.total_ns ? `, ${time(row.self_ns)} without what was nested in it` : ""}`],
    ["Estimated", row.total_ns_se === null ? null : `from ${count(row.timed_calls)} timed calls; the standard error of the total is ${time(row.total_ns_se)}`],
    ["Share", report.duration_ns > 0 && row.self_ns > 0 ? `${percent(row.share_of_run ?? row.self_ns / report.duration_ns)} of the run, summed over threads${isMerged ? " and processes" : ""}` : null],
    ["Shortest, mean", row.min_ns === null ? null : `${time(row.min_ns)}, ${time(row.mean_ns)}`],
    ["p50, p90, p99", row.p50_ns === null ? null : `${time(row.p50_ns)}, ${time(row.p90_ns)}, ${time(row.p99_ns)}`],
    ["Longest", time(row.max_ns)], ["First call", time(row.first_call_ns)],
    ["Open", row.open > 0 ? `${count(row.open)}, the longest for ${atLeast(row.open_max_ns, row.open_at_least)}` : null],
    ["Untimed", row.untimed > 0 ? count(row.untimed) : null],
  ].filter(([, value]) => value);
  const slow = list("slow").filter((call) => call.target === row.name && !row.callback).slice(0, 5);
  const callers = (row.callers ?? []).filter((caller) => caller.stack.length > 0);
  const inTimeline = timeline.names.some(({ name }) => name === row.name);
  return el("div", {},
    el("div", { class: "columns" },
      el("div", {}, el("h3", {}, "Calls by duration"), histogram(row), el("p", { class: "soft small" }, "Heights are logarithmic, so that a single call is visible.")),
      el("dl", { class: "list" }, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: ["Method", "Signature", "File"].includes(name) && "mono" }, value)]))),
    el("div", { class: "columns", style: "margin-top: 12px" },
      callers.length > 0
        ? callers.slice(0, 8).map((caller) => el("div", {}, el("h3", {}, `Caller, ${many(caller.calls, "call was kept", "calls were kept")}`), stack(caller.stack)))
        : row.first_caller.length > 0 && el("div", {}, el("h3", {}, "First caller"), stack(row.first_caller)),
      slow.length > 0 && el("div", {}, el("h3", {}, "Slowest calls"), slow.map((call) => el("div", { style: "margin-bottom: 6px" }, `${time(call.duration_ns)}, began ${moment(call.began)} on ${taskName(call.task, call.process)}`, stack(call.stack))))),
    inTimeline && el("div", { class: "tools" }, el("button", { type: "button", onclick: () => findInTimeline(row.name) }, "Find in the timeline")));
}

function findInTimeline(name) {
  theTimeline.searchBox.value = name;
  theTimeline.find(name);
  theTimeline.nextMatch();
  byId("timeline").scrollIntoView({ block: "start" });
}

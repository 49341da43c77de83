// Failed, denied, open and overdue calls; slow calls; threads.

/** A table. Columns are [heading, is right-aligned]. Cells are texts or elements. */
function table(columns, rows, stacked = true) {
  const head = el("tr", {}, columns.map(([name, right]) => el("th", { scope: "col", class: right && "right" }, name)));
  const cell = (content, n) => el("td", { class: columns[n][1] && "right", "data-label": n > 0 && columns[n][0] }, content);
  const body = rows.map((row) => el("tr", { class: "row" }, row.map(cell)));
  return el("div", { class: "scroll" }, el("table", { class: stacked && "stacked" }, el("thead", {}, head), el("tbody", {}, body)));
}

/** The first rows of a long list, and a button for more. */
function someOf(rows, most, make) {
  const holder = el("div", {});
  const show = (n) => {
    holder.replaceChildren(make(rows.slice(0, n)));
    if (rows.length > n) holder.append(el("button", { type: "button", onclick: () => show(n * 4) }, `Show more (${count(rows.length - n)} are left)`));
  };
  show(most);
  return holder;
}

const targetLink = (name) => targetsByName.has(name) ? el("button", { type: "button", class: "mono link", onclick: () => showTarget(name) }, written(name)) : el("code", {}, written(name));

/** Rows with equal keys, in the order of the first of each. */
function groups(rows, key) {
  const found = new Map();
  for (const row of rows) {
    const of = key(row);
    if (!found.has(of)) found.set(of, []);
    found.get(of).push(row);
  }
  return [...found.values()];
}

const range = (values, show) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return show(low) === show(high) ? show(low) : `${show(low)} to ${show(high)}`;
};

const someTasks = (rows) => {
  const all = [...new Map(rows.map((row) => [taskKey(row), row])).values()];
  if (all.length === 1) return taskName(all[0].task, all[0].process);
  const of = new Set(all.map((row) => row.process)).size;
  if (of > 1) return `${count(all.length)} threads of ${count(of)} processes`;
  return `${count(all.length)} threads: ${all.slice(0, 6).map((row) => row.task).join(", ")}${all.length > 6 ? ", ..." : ""}${isMerged ? ` of ${processName(all[0].process)}` : ""}`;
};

function writeTroubles() {
  const failed = targets.filter((row) => row.failed > 0);
  const denied = targets.filter((row) => row.refused > 0);
  const open = list("open").filter((row) => !row.runtime_internal);
  const overdue = list("overdue").filter((row) => !row.runtime_internal);
  if (failed.length + denied.length + open.length + overdue.length + list("failures").length === 0) return;
  const made = section("troubles", "Failed, denied and open calls");
  if (list("failures").length > 0) {
    const what = (row) => el("div", {},
      REASONS[row.reason] ?? row.reason,
      row.exception && el("div", { class: "mono" }, row.exception),
      row.message && message(row.message),
      isMerged && el("div", { class: "soft small" }, `in ${processName(row.process)}`),
      row.missing && el("div", {}, "missing: ", el("code", {}, row.missing)),
      given(row),
      row.probed?.length > 0 && el("details", {}, el("summary", {}, many(row.probed.length, "file was probed", "files were probed")), stack(row.probed)));
    made.append(el("h3", {}, "Failed"), table([["Target"], ["Calls", true], ["Why"], ["First caller"]],
      list("failures").map((row) => [targetLink(row.target), count(row.calls), what(row), row.first_caller?.length ? stack(row.first_caller.slice(0, 6)) : ""])));
  } else if (failed.length > 0) {
    made.append(el("h3", {}, "Failed"), table([["Target"], ["Failed", true], ["Calls", true], ["First caller"]],
      failed.map((row) => [targetLink(row.name), count(row.failed), count(row.calls), row.first_caller.length ? stack(row.first_caller.slice(0, 6)) : ""])));
  }
  if (denied.length > 0) {
    made.append(el("h3", {}, report.policy?.audit ? "Would have been denied" : "Denied by the policy"), table([["Target"], ["Denied", true], ["First caller"]],
      denied.map((row) => [el("div", {}, targetLink(row.name), given(list("denied").find((call) => call.target === row.name))), count(row.refused), row.first_caller.length ? stack(row.first_caller.slice(0, 6)) : ""])));
  }
  if (overdue.length > 0) {
    made.append(el("h3", {}, "Past a deadline"), table([["Target"], ["Thread"], ["Began", true], ["Took", true], ["Outcome"], ["Stack"]],
      overdue.map((row) => [el("div", {}, targetLink(row.target), given(row)), taskName(row.task, row.process), began(row.began, row.process), atLeast(row.duration_ns, row.duration_at_least), row.outcome, overdueStack(row)])));
  }
  if (open.length > 0) {
    const rows = groups(open, (row) => `${row.target}\n${row.depth}\n${row.stack.join("\n")}`);
    made.append(el("h3", {}, isMerged ? "Still open at the end, or now" : OPEN_WHEN[report.ended] ?? "Still open at the end"), someOf(rows, 30, (some) => table([["Target"], ["Thread"], ["Began", true], ["Open for", true], ["Stack"]],
      some.map((rows) => {
        const [row] = rows;
        const name = el("div", { style: `padding-left: ${Math.min(row.depth, 12)}em` }, targetLink(row.target), row.direction === "reverse" && [" ", badge("callback")], given(row));
        return [name, someTasks(rows), firstBegan(rows), (row.duration_at_least ? "at least " : "") + range(rows.map((row) => row.duration_ns), time), row.stack.length ? stack(row.stack) : ""];
      }))));
  }
}

/** What an exception says: the first line, and the others behind it. Names show a line's end as \\n. */
function message(text) {
  const [first, ...rest] = text.split(/\\n/).filter((line) => line.trim() !== "");
  if (first === undefined) return "";
  if (rest.length === 0) return el("div", { class: "small" }, first);
  return el("details", { class: "small" }, el("summary", {}, first), el("ul", { class: "notes mono" }, rest.map((line) => el("li", {}, line))));
}

/** What a call was given, and what it returned. */
function given(row) {
  if (!row?.args) return "";
  const texts = row.args.map((arg) => `${arg.name}: ${arg.value}`);
  if (row.result) texts.push(`returned ${row.result}`);
  if (row.error) texts.push(`error ${row.error}`);
  const names = { route: "for", activity: "activity", trace_id: "trace", span_id: "span" };
  for (const [field, name] of Object.entries(names)) if (row[field]) texts.push(`${name} ${row[field]}`);
  return texts.length > 0 && el("ul", { class: "notes mono" }, texts.map((text) => el("li", {}, text)));
}

const OPEN_WHEN = { running: "Open now", detached: "Open when soglia let go" };

const REASONS = {
  "library-not-found": "The library was not found.",
  "dependency-missing": "A library that it needs was not found.",
  "entry-not-found": "The library has no such function.",
  "bad-image": "The file is not a library for this machine.",
  exception: "The call ended by an exception.",
};

const began = (ns, process = 1) => el("span", { class: "number", title: `began at ${timeOfDay(ns, false, process)}` }, moment(ns));
/** When the first of some calls began, each counted from the start of its process. */
const firstBegan = (rows) => {
  const first = rows.reduce((one, other) => (other.began < one.began ? other : one));
  return began(first.began, first.process);
};

function overdueStack(row) {
  const first = row.reports?.[0];
  if (!first) return "";
  return el("div", {}, first.native_stack?.length > 0 && stack(first.native_stack), first.stack.length > 0 ? stack(first.stack) : el("span", { class: "soft" }, first.no_stack ?? ""), row.dump && el("div", {}, "core dump: ", el("code", {}, row.dump)));
}

function writeSlow() {
  const slow = list("slow").filter((row) => !row.runtime_internal);
  if (slow.length === 0) return;
  const rows = groups(slow, (row) => `${row.target}\n${row.stack.join("\n")}`);
  rows.sort((a, b) => Math.max(...b.map((row) => row.duration_ns)) - Math.max(...a.map((row) => row.duration_ns)));
  section("slow", "Slow calls",
    el("p", { class: "soft" }, `${many(slow.length + (report.left_out?.slow ?? 0), "call", "calls")} took ${time(report.slow_threshold_ns)} or more. Calls with equal stacks are one row.`),
    someOf(rows, 25, (some) => table([["Target"], ["Calls", true], ["Took", true], ["First began", true], ["Thread"], ["Stack"]],
      some.map((rows) => [el("div", {}, targetLink(rows[0].target), rows[0].direction === "reverse" && [" ", badge("callback")]), count(rows.length), range(rows.map((row) => row.duration_ns), time), firstBegan(rows), someTasks(rows), el("div", {}, given(rows.toSorted((a, b) => b.duration_ns - a.duration_ns)[0]), rows[0].stack.length ? stack(rows[0].stack) : "")]))));
}

/** Slow calls by the route or activity that they were made for. */
function writeActivities() {
  const rows = list("activities");
  if (rows.length === 0) return;
  const name = (row) => row.route ?? row.activity;
  section("activities", "Slow calls by activity",
    el("p", { class: "soft" }, "The routes, or else the activities, that threads were working on when slow calls returned."),
    someOf(rows, 25, (some) => table([["Route or activity"], ["Slow calls", true], ["Time", true], ["Longest", true], ["Traces", true], ["Targets"]],
      some.map((row) => [name(row) === null ? "no activity" : el("code", {}, written(name(row))), count(row.calls), time(row.total_ns), el("span", { title: row.longest_trace_id ? `in trace ${row.longest_trace_id}` : "" }, time(row.max_ns)), count(row.traces),
        el("div", {}, row.targets.map((target) => el("div", {}, targetLink(target))))]))));
}

function writeThreads() {
  const rows = list("tasks").toSorted((a, b) => (b.unmanaged_ns ?? 0) - (a.unmanaged_ns ?? 0) || b.crossings - a.crossings);
  if (rows.length === 0) return;
  const share = (row) => {
    const life = row.until - row.began;
    const part = row.native_share ?? (row.unmanaged_ns !== null && life > 0 ? row.unmanaged_ns / life : null);
    if (part === null || part === undefined) return "";
    const width = clamp(part * 100, 0, 100);
    return el("div", {}, percent(Math.min(part, 1)), el("div", { class: "bar" }, el("i", { style: `width: ${width}%` })));
  };
  section("threads", "Threads", someOf(rows, 40, (some) => table([["Thread"], ["Crossings", true], ["In native code", true], ["Share of its time", true], ["Deepest", true], ["Began", true], ["Lasted", true]],
    some.map((row) => [
      el("div", {}, taskName(row.task, row.process), el("div", { class: "soft small" }, `tid ${row.os_thread}${row.threads > 1 ? `, ${row.threads} threads one after the other` : ""}`)),
      count(row.crossings), time(row.unmanaged_ns), share(row), row.max_depth === null ? "" : count(row.max_depth), began(row.began, row.process), atLeast(row.until - row.began, row.until_at_least),
    ]))));
}

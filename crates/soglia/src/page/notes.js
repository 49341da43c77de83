// What else a reader should know.

function writeNotes() {
  const notes = [];
  const add = (...parts) => notes.push(el("li", {}, ...parts));
  for (const fault of list("faults")) add(`${many(fault.count, "crossing", "crossings")} ${fault.count === 1 ? "does" : "do"} not nest (${fault.kind}): ${fault.meaning}`);
  if (report.fallback) add(`The engine recorded with runtime callbacks: ${report.fallback}`);
  if (report.dropped > 0) add(`The recording had no room for ${many(report.dropped, "record", "records")}.`);
  if (!isMerged && report.level !== "events") add("With --record events, the timeline has every call, and the calls can be shown by what they are nested in.");
  if (report.policy) add(`A policy was in force${report.policy.audit ? " as an audit" : ""}: ${report.policy.rules.join("; ")}`);
  if (report.deadlines) add(`Deadlines: ${report.deadlines.rules.join("; ")}`);
  if (report.slots) add(`At most ${many(report.slots.count, "thread", "threads")} could run managed code at a time. ${many(report.slots.waits, "wait", "waits")} took ${time(report.slots.waited_ns)} in all.`);
  for (const [name, rows] of data.cut) add(`${count(rows)} more ${name} are not on this page. The JSON has them.`);
  for (const remark of list("remarks")) add(remark);
  // The section about the attach has them.
  const unwatched = report.attach ? [] : list("not_watched");
  if (unwatched.length > 0) {
    const rows = unwatched.slice(0, 200).map((row) => el("li", {}, row.method ? [el("code", {}, row.method), ": "] : "", row.what, row.assembly ? ` (${row.assembly})` : ""));
    notes.push(el("li", {}, el("details", {}, el("summary", {}, many(unwatched.length, "kind of call was not watched", "kinds of calls were not watched")), el("ul", {}, rows))));
  }
  if (notes.length > 0) section("notes", "Notes", el("ul", { class: "notes" }, notes));
}

// The processes of a report of several.

function writeProcesses() {
  if (!isMerged) return;
  const first = Math.min(...[...processes.values()].map((row) => Date.parse(row.time)));
  const line = (row) => (row.command_line.length > 0 ? row.command_line : [row.program]).map((word) => (word === row.program || word === row.command_line[0] ? word.split("/").pop() : word)).join(" ");
  const command = (row) => el("div", {},
    el("div", { class: "mono", title: row.command_line.join(" ") }, line(row)),
    row.recording && el("div", { class: "soft small mono" }, row.recording));
  const began = (row) => el("span", { class: "number", title: timeOfDay(0, true, row.process) }, row.time ? moment((Date.parse(row.time) - first) * 1e6) : "");
  section("processes", "Processes",
    el("p", { class: "soft" }, "Each has a recording of its own. The rest of this page is of all of them: targets are added up, and calls name their process. `soglia report FILE` shows one with its timeline."),
    someOf([...processes.values()], 40, (some) => table([["Process"], ["Ended"], ["Began", true], ["Ran for", true], ["Native calls", true], ["In native code", true], ["Threads", true], ["Command"]],
      some.map((row) => [
        el("span", { class: "number", title: `process ${row.pid}` }, processName(row.process).replace("process ", "")),
        badge(...howItEnded(row)), began(row), atLeast(row.duration_ns, row.duration_at_least), count(row.calls), time(row.native_ns), count(row.threads), command(row),
      ]))));
}

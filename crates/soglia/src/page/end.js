// How the process was ended, and the last calls before that.

function writeEnd() {
  const { crash } = report;
  const isEnded = (process) => ["signal", "killed"].includes(processes.get(process)?.ended ?? report.ended);
  const inside = new Set(list("open").map(taskKey));
  const last = list("tasks").filter((task) => isEnded(task.process) && inside.has(taskKey(task)) && task.last?.some((row) => !row.runtime_internal)).slice(0, 8);
  if (!crash && last.length === 0) return;
  const made = section("end", "The end");
  if (crash) {
    const where = [crash.symbol, crash.file && (crash.offset ? `${crash.file}+${crash.offset}` : crash.file)].filter(Boolean);
    const facts = [
      ["Signal", crash.out_of_memory ? "SIGKILL by the kernel: memory had run out" : crash.signal && `${crash.signal}${SIGNALS[crash.signal] ? ` (${SIGNALS[crash.signal]})` : ""}`],
      ["In", where.length > 0 && el("span", { class: "mono" }, where.join(", "))],
      ["Instruction", crash.instruction && el("span", { class: "mono" }, crash.instruction)],
      ["Address used", crash.address && el("span", { class: "mono" }, crash.address)],
      ["Thread", crash.task && taskName(crash.task)],
      ["Inside the call", crash.target && targetLink(crash.target)],
    ].filter(([, value]) => value);
    made.append(el("dl", { class: "list" }, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
  }
  for (const task of last) {
    const rows = [];
    for (const row of task.last.filter((row) => !row.runtime_internal)) {
      const before = rows.at(-1);
      if (before && before.target === row.target) Object.assign(before, { times: before.times + 1, returned: row.returned });
      else rows.push({ ...row, times: 1 });
    }
    made.append(el("h3", { style: "margin-top: 10px" }, `Last calls of ${taskName(task.task, task.process)}, the latest last`),
      table([["Target"], ["Times", true], ["Returned", true]], rows.map((row) => [targetLink(row.target), count(row.times), el("span", { class: "number", title: `returned at ${timeOfDay(row.returned, false, task.process)}` }, moment(row.returned))])));
  }
}

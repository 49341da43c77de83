// What is special of a process to which the engine was attached.

function writeAttached() {
  const { attach } = report;
  if (!attach) return;
  const made = section("attached", "The attach",
    el("p", {}, `${many(attach.callers, "method", "methods")} that call ${many(attach.targets, "native function", "native functions")} were hooked in ${time(attach.live_ns)}. The engine looked through ${many(attach.modules, "module", "modules")}.`,
      attach.ended_by === "tool-gone" && " soglia was killed, so the engine let go by itself.",
      attach.ended_by === "engine" && " The engine gave up and let go.",
      attach.kept && " The hooks stay (--keep)."));
  const inside = list("before").filter((row) => row.inside);
  if (inside.length > 0) {
    const rows = groups(inside, (row) => `${row.callee}\n${row.crossed}\n${row.stack.join("\n")}\n${row.native_stack.join("\n")}`);
    const tids = (rows) => rows.slice(0, 4).map((row) => row.name ? `${row.os_thread} "${row.name}"` : row.os_thread).join(", ") + (rows.length > 4 ? ` and ${rows.length - 4} more` : "");
    made.append(el("h3", {}, "Inside native calls since before the attach"), el("p", { class: "soft" }, "These calls are not counted, and their ends are not seen."),
      someOf(rows, 30, (some) => table([["Inside"], ["Threads", true], ["Thread of the system"], ["Recorded calls since"], ["Native stack"], ["Stack"]],
        some.map((rows) => {
          const [row] = rows;
          const frames = (all) => all.length > 0 ? stack(all) : "";
          return [el("span", { class: "mono" }, row.callee ?? "a native function"), count(rows.length), tids(rows), row.crossed ? "yes" : "none", frames(row.native_stack), frames(row.stack)];
        }))));
  }
  if (data.gaps.length > 0) made.append(el("h3", {}, "Not seen"), el("ul", { class: "notes" }, data.gaps.map((gap) => el("li", {}, gap))));
}

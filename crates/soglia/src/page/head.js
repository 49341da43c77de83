// The program, how it ended, and how much it crossed.

const SIGNALS = { 1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM" };

function howItEnded(row) {
  const { ended, exit_code: code, signal } = row;
  if (ended === "exit") return code === null ? ["exited", ""] : [`exit code ${code}`, code === 0 ? "good" : "warning"];
  if (ended === "signal") return [`signal ${signal}${SIGNALS[signal] ? ` (${SIGNALS[signal]})` : ""}`, "problem"];
  if (ended === "killed") return [isMerged && signal === null ? "end not seen" : "killed", "problem"];
  if (ended === "running") return ["still running", "hint"];
  if (ended === "detached") return ["runs on", "hint"];
  return ["end unknown", "warning"];
}

/** A moment as a time of day, in the reader's time zone. */
function timeOfDay(ns, withDate = false, process = 1) {
  const time = processes.get(process)?.time ?? report.time;
  const start = time ? Date.parse(time) : data.wall_ns / 1e6;
  const at = new Date(start + ns / 1e6);
  if (Number.isNaN(at.getTime())) return "";
  const two = (n) => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return (withDate ? day : "") + clock + (withDate ? "" : `.${String(at.getMilliseconds()).padStart(3, "0")}`);
}

/** Calls a second, where a total says little: of a process that ran before and runs on. */
function rate(calls) {
  if (!report.attach || report.duration_ns === 0 || calls === 0) return "";
  const each = calls * 1e9 / report.duration_ns;
  return el("span", { class: "soft" }, ` (${each >= 99.95 ? count(Math.round(each)) : each.toFixed(1)}/s)`);
}

function writeHead() {
  const program = report.program.split("/").pop() || "a program";
  document.title = `${program}${isMerged ? ` and ${many(processes.size - 1, "more process", "more processes")}` : ""} - soglia`;
  const [ended, kind] = howItEnded(report);
  const badly = [...processes.values()].filter((row) => ["problem", "warning"].includes(howItEnded(row)[1])).length;
  const { leave, enter, reverse_enter: callbacks, reverse_leave: left } = report.crossings;
  const all = enter === null || left === null ? null : leave + enter + callbacks + left;
  const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
  const toggle = el("button", { type: "button", id: "theme" });
  const label = () => {
    const other = theme.get() === "dark" ? "light" : "dark";
    toggle.textContent = other === "dark" ? "Dark" : "Light";
    toggle.setAttribute("aria-label", `Show the page in ${other} colours`);
  };
  toggle.addEventListener("click", () => theme.set(theme.get() === "dark" ? "light" : "dark"));
  theme.listeners.push(label);
  label();
  const crossed = tasks.size + (report.left_out?.tasks ?? 0);
  byId("top").append(
    el("div", { class: "brand" }, el("span", {}, `soglia ${data.version}: calls between managed and native code`), toggle),
    el("h1", {}, isMerged ? `${program} and ${many(processes.size - 1, "more process", "more processes")}` : program),
    report.command_line.length > 0 && el("p", { class: "mono soft small", title: "command line" }, report.command_line.join(" ")),
    el("dl", { class: "facts" },
      isMerged
        ? fact("Ended", badly > 0 ? badge(`${count(badly)} of ${count(processes.size)} not with exit code 0`, "problem") : badge(ended === "running" ? "some still running" : "all with exit code 0", ended === "running" ? "hint" : "good"))
        : fact("Ended", badge(ended, kind)),
      fact(report.attach ? "Attached for" : "Ran for", atLeast(report.duration_ns, report.duration_at_least)),
      report.window && fact("This report is of", `${moment(report.window.from)} to ${moment(report.window.until)}`),
      fact(report.attach ? "Attached at" : "Started", timeOfDay(0, true)),
      report.attach?.process_time && fact("Process runs since", timeOfDay((Date.parse(report.attach.process_time) - Date.parse(report.time)) * 1e6, true)),
      fact("Native calls", count(leave), rate(leave)),
      fact("Callbacks", count(callbacks), rate(callbacks)),
      all !== null && fact("Crossings", count(all)),
      fact("Threads", count(crossed)),
      fact("Runtime", `${report.runtime.name} ${report.runtime.version}`.trim() || "unknown"),
      isMerged ? fact("Processes", count(processes.size)) : fact("Process", String(report.pid)),
      fact("Recorded", { counts: "counts", summary: "summary", events: "every crossing", mixed: "not the same in all processes" }[report.level] ?? report.level),
      report.times === "sampled" && fact("Times", `of a sample of the calls, and of all that last for two ticks of ${time(report.clock_ns)}`),
    ),
  );
  byId("sections").append(el("ul", {}));
  byId("foot").append(el("p", {}, `Made by soglia ${data.version} from ${isMerged ? "recordings" : "a recording"}. This file is complete: it loads nothing from a network.`));
}

// What the report found, in words.

function writeFindings() {
  if (report.findings === undefined) return;
  const made = section("findings", "Findings");
  const findings = list("findings");
  if (findings.length === 0) {
    made.append(el("p", { class: "calm" }, "Nothing stands out: no call in this recording looks slow, stuck, failing or wasteful."));
    return;
  }
  for (const finding of findings) {
    const jumps = (finding.targets ?? []).slice(0, 8).filter((name) => targetsByName.has(name));
    made.append(
      el("article", { class: `finding ${finding.severity}`, "data-id": finding.id },
        el("p", { class: "sentence" }, badge(finding.severity, finding.severity), " ", finding.sentence),
        isMerged && el("p", { class: "small soft" }, `In ${processName(finding.process)}`),
        finding.evidence && el("p", {}, finding.evidence),
        finding.advice && el("p", {}, el("b", {}, "What to do: "), finding.advice),
        finding.link && el("p", { class: "small soft" }, "More: ", el("code", {}, finding.link)),
        jumps.length > 0 && el("div", { class: "tools" }, jumps.map((name) => el("button", { type: "button", class: "mono", onclick: () => showTarget(name) }, written(name)))),
      ),
    );
  }
}

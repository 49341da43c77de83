//! The page of a report of several processes, in Chromium.

use serde_json::json;
use soglia_testing::chromium::Chromium;
use soglia_testing::needs::Outcome;

use crate::page::{NAMES, WIDE, open, succeeds, texts};
use crate::support::{Space, bare_command, fixture, text};

pub fn a_page_of_several_processes_names_them() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let (file, before) = bare_command();
    // The first process starts another one, which a signal ends inside a native call.
    let mut run = space.run(
        "-q --follow --slow 20ms -o a.soglia",
        "semantics.dll",
        "child",
    );
    run.arg(file).args(before);
    run.arg(fixture("semantics.dll")).arg("sigkill");
    succeeds(run);
    succeeds(space.run("-q --slow 20ms -o b.soglia", "semantics.dll", "slow 30"));
    succeeds(space.soglia("report --follow a.soglia b.soglia --format html -o a.html"));
    let output = space.soglia("report --follow a.soglia b.soglia --format json");
    let output = { output }.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["processes"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{}", text(&output.stderr));
    open(&mut chromium, &space.path("a.html"), WIDE, false);
    let title = chromium.eval("document.title");
    assert_eq!(title, json!("semantics.dll and 2 more processes - soglia"));
    let head = texts(&mut chromium, "#top").concat();
    assert!(head.contains("1 of 3 not with exit code 0"), "{head}");
    let listed = texts(&mut chromium, "#processes tbody tr");
    assert_eq!(listed.len(), 3);
    for (line, row) in listed.iter().zip(rows) {
        assert!(line.contains(&row["pid"].to_string()), "{line}");
        assert!(line.contains(row["recording"].as_str().unwrap()), "{line}");
    }
    let killed = format!("thread 1 (main) of process {}", rows[1]["pid"]);
    let open_calls = texts(&mut chromium, "#troubles").concat();
    assert!(open_calls.contains(&killed), "{open_calls}");
    let slow = texts(&mut chromium, "#slow").concat();
    assert!(
        slow.contains(&format!("of process {}", rows[2]["pid"])),
        "{slow}"
    );
    // There is no common timeline, and every target opens.
    assert!(texts(&mut chromium, "#timeline").is_empty());
    chromium.eval(&format!("document.querySelectorAll({NAMES:?})[0].click()"));
    let details = texts(&mut chromium, "tr.detail").concat();
    assert!(
        details.contains(&format!("process {}: 1 call", rows[2]["pid"])),
        "{details}"
    );
    for width in [400, 1000] {
        open(&mut chromium, &space.path("a.html"), (width, 900), true);
        let over = "document.documentElement.scrollWidth - innerWidth";
        assert_eq!(chromium.eval(over), json!(0), "{width}");
    }
    assert!(chromium.complaints().is_empty());
    Ok(())
}

//! Where pages are written, and what is not overwritten. `tests/viewers` opens them.

use std::fs;

use crate::support::{Space, text};

fn is_page(bytes: &[u8]) -> bool {
    bytes.starts_with(b"<!doctype html>") && bytes.ends_with(b"</html>\n")
}

#[test]
fn a_run_makes_a_page_beside_its_report() {
    let space = Space::new();
    let output = space
        .run("--page a.html", "sixsteps.dll", "")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("page: a.html"));
    assert!(text(&output.stderr).contains("sixsteps!first"));
    assert!(is_page(&fs::read(space.path("a.html")).unwrap()));
}

#[test]
fn a_run_says_how_to_get_a_page() {
    let space = Space::new();
    let output = space
        .run("--format html", "sixsteps.dll", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("--page FILE"),
        "{}",
        text(&output.stderr)
    );
    assert!(output.stdout.is_empty(), "the program has not run");
}

#[test]
fn every_format_can_go_to_a_file() {
    let space = Space::new();
    let run = space
        .run("-q -o a.soglia", "sixsteps.dll", "")
        .status()
        .unwrap();
    assert!(run.success());
    for format in ["text", "json", "csv", "html"] {
        let printed = space.soglia(&format!("report a.soglia --format {format}"));
        let kept = space.soglia(&format!("report a.soglia --format {format} -o out"));
        let [printed, kept] = [printed, kept].map(|mut command| command.output().unwrap());
        assert!(kept.status.success(), "{}", text(&kept.stderr));
        assert!(kept.stdout.is_empty());
        assert_eq!(fs::read(space.path("out")).unwrap(), printed.stdout);
        assert_eq!(is_page(&printed.stdout), format == "html");
    }
}

#[test]
fn a_report_overwrites_no_recording() {
    let space = Space::new();
    let run = space
        .run("-q -o a.soglia", "sixsteps.dll", "")
        .status()
        .unwrap();
    assert!(run.success());
    let before = fs::read(space.path("a.soglia")).unwrap();
    for format in ["text", "html"] {
        let args = format!("report a.soglia --format {format} -o a.soglia");
        let output = space.soglia(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("a.soglia is a recording"));
    }
    assert_eq!(fs::read(space.path("a.soglia")).unwrap(), before);
    let output = space
        .soglia("report a.soglia -o /nonexistent/a.txt")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write /nonexistent/a.txt"));
}

//! Which source a run records from, what it watches, and how the account says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Report, Space, setup, text};

/// Runs a case of `semantics` with these options and variables. Returns its report and the output
/// of the tool.
fn run(options: &str, case: &str, variables: &[(&str, &str)]) -> (Report, String) {
    let space = Space::new();
    let mut command = space.run(&format!("{options} -o a.soglia"), "semantics.dll", case);
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (space.recording("a.soglia").report(), text(&output.stderr))
}

fn source(report: &Report) -> (&str, &str) {
    (
        report.source.as_deref().unwrap_or_default(),
        report.scope.as_deref().unwrap_or_default(),
    )
}

const HOT_RELOAD: &[(&str, &str)] = &[("DOTNET_MODIFIABLE_ASSEMBLIES", "debug")];

#[test]
fn the_source_is_the_one_that_was_asked_for() {
    for (options, expected) in [
        ("--source transitions", ("transitions", "all")),
        ("--source woven", ("woven", "user")),
        ("--source auto", ("woven", "user")),
        ("--source woven --framework", ("woven", "framework")),
        ("--source woven --corelib", ("woven", "corelib")),
        ("--source woven --framework --corelib", ("woven", "corelib")),
    ] {
        let (report, _) = run(&format!("-q {options}"), "plain", &[]);
        assert_eq!(source(&report), expected, "{options}");
        assert_eq!((report.calls("plain"), report.fallback), (1, None));
    }
}

#[test]
fn where_wrappers_cannot_be_the_runtime_tells() {
    let (report, told) = run("-q --source auto", "plain", HOT_RELOAD);
    assert_eq!(source(&report), ("transitions", "all"));
    let because = report.fallback.unwrap();
    assert!(
        because.contains("DOTNET_MODIFIABLE_ASSEMBLIES"),
        "{because}"
    );
    // One line, also for those who want no account.
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains(&because), "{told}");
    let (_, told) = run("--source auto", "plain", HOT_RELOAD);
    let lines = told.lines().filter(|line| line.contains(&because));
    assert_eq!(lines.count(), 1, "{told}");
    // Options that need wrappers, such as policies and counting, fail before anything starts.
    for options in ["--source woven", "--deny nothing", "--counts"] {
        let space = Space::new();
        let mut command = space.run(
            &format!("-q {options} -o a.soglia"),
            "semantics.dll",
            "plain",
        );
        let output = command.envs(HOT_RELOAD.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{options}");
        let told = text(&output.stderr);
        assert!(
            told.contains("unset DOTNET_MODIFIABLE_ASSEMBLIES"),
            "{told}"
        );
        assert_eq!(text(&output.stdout), "");
        assert!(!space.path("a.soglia").exists());
    }
}

#[test]
fn the_frameworks_own_are_watched_when_asked_for() {
    let own = |report: &Report| {
        let of = report.targets.iter().filter(|row| row.runtime_internal);
        let assemblies = of.filter_map(|row| row.assembly.as_deref());
        let core = |name: &&str| *name == "System.Private.CoreLib";
        let (core, others): (Vec<&str>, Vec<&str>) = assemblies.partition(core);
        (!others.is_empty(), !core.is_empty())
    };
    for (options, expected) in [
        ("--source woven", (false, false)),
        ("--source woven --framework", (true, false)),
        ("--source woven --corelib", (true, true)),
        ("--source transitions", (true, true)),
    ] {
        let (report, _) = run(&format!("-q {options}"), "names", &[]);
        assert_eq!(own(&report), expected, "{options}");
        assert_eq!(report.calls("plain"), 8);
    }
}

/// Packages of .NET often are folders of links.
#[test]
fn the_framework_is_known_behind_links() {
    let space = Space::new();
    let (root, link) = (&setup().root.path, |from: &Path, to: PathBuf| {
        std::os::unix::fs::symlink(from, to).unwrap();
    });
    let entries = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let linked = space.path("linked");
    fs::create_dir_all(linked.join("shared")).unwrap();
    link(&root.join("host"), linked.join("host"));
    for framework in entries(&root.join("shared")) {
        let to = linked.join("shared").join(framework.file_name());
        fs::create_dir(&to).unwrap();
        for version in entries(&framework.path()) {
            link(&version.path(), to.join(version.file_name()));
        }
    }
    let mut command = space.run("-q -o a.soglia", "semantics.dll", "names");
    let output = command.env("DOTNET_ROOT", &linked).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = space.recording("a.soglia").report();
    let of_framework = report.targets.iter().filter(|row| row.runtime_internal);
    let of_framework: Vec<_> = of_framework.map(|row| &row.entry).collect();
    assert!(of_framework.is_empty(), "{of_framework:?}");
    let others = report.targets.iter();
    let assemblies: BTreeSet<_> = others.filter_map(|row| row.assembly.as_deref()).collect();
    assert_eq!(assemblies, BTreeSet::from(["semantics"]));
    assert_eq!(report.calls("plain"), 8);
}

/// That nothing was seen and that nothing was looked for are not the same.
#[test]
fn what_was_not_watched_is_said() {
    let said = |options: &str, what: &str| run(options, "plain", &[]).1.contains(what);
    for options in ["--source woven", "--source woven --all"] {
        assert!(said(options, "the framework's own calls were not watched"));
    }
    assert!(said(
        "--source woven --framework",
        "the core library's own calls were not watched"
    ));
    assert!(!said(
        "--source woven --corelib",
        "own calls were not watched"
    ));
    assert!(!said("--source transitions", "not watched"));
    let (_, told) = run("--source woven", "environment", &[]);
    assert!(told.contains("no watched code made native calls"), "{told}");
    let (report, told) = run("--source woven", "emit", &[]);
    let emitted = |of: &&crate::support::NotWatched| of.assembly.as_deref() == Some("emitted");
    let what = &report.not_watched.iter().find(emitted).unwrap().what;
    assert!(told.contains(what), "{told}");
}

/// The wrapper, which is the method that the program calls, is no caller.
#[test]
fn callers_are_the_same_whatever_the_source() {
    let callers = ["transitions", "woven"].map(|source| {
        let options = format!("-q --slow 20ms --source {source}");
        let (report, _) = run(&options, "slow 50", &[]);
        let row = report
            .targets
            .into_iter()
            .find(|row| row.entry.as_deref() == Some("sleep_ms"));
        let slow = report
            .slow
            .into_iter()
            .find(|slow| slow.target.ends_with("!sleep_ms"));
        (row.unwrap().first_caller, slow.unwrap().stack)
    });
    assert_eq!(callers[0], callers[1]);
    assert!(callers[0].0[0].ends_with("Load.Slow"), "{callers:?}");
}

#[test]
fn counting_times_nothing() {
    let (report, told) = run("--source woven --counts", "inlined", &[]);
    assert_eq!(report.level, "counts");
    let row = report
        .targets
        .iter()
        .find(|row| row.entry.as_deref() == Some("plain"));
    let row = row.unwrap();
    assert_eq!((row.calls, row.returned, row.untimed), (20_000, 0, 20_000));
    assert_eq!(
        (row.total_ns, row.mean_ns, row.first_call_ns),
        (0, None, None)
    );
    assert!(told.contains("counted: 20,000 native calls"), "{told}");
    let head: Vec<&str> = told
        .lines()
        .find(|line| line.contains("calls  target "))
        .into_iter()
        .collect();
    let head = head.join("\n");
    let columns: Vec<&str> = head.split_whitespace().collect();
    assert_eq!(columns, ["calls", "target", "called", "by"], "{told}");
    for (args, complaint) in [
        (
            "run --counts --source transitions /bin/true",
            "--source woven",
        ),
        ("run --counts --record events /bin/true", "--record"),
    ] {
        let output = Space::new().soglia(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(complaint),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn calls_that_fail_are_told_as_such() {
    let (report, told) = run("--source woven --record events", "nosuch", &[]);
    let row = report
        .targets
        .iter()
        .find(|row| row.entry.as_deref() == Some("no_such_entry"));
    let row = row.unwrap();
    assert_eq!((row.calls, row.returned, row.failed), (2, 0, 2));
    assert!(told.contains("2 failed"), "{told}");
}

/// Under wrappers the library is found and loaded in the first call, and that is marked.
#[test]
fn the_first_call_is_marked_where_it_took_longest() {
    let (report, told) = run("--source woven", "plain", &[]);
    let row = &report.targets[0];
    assert!(row.first_call_ns.is_some() && row.first_call_ns == row.max_ns);
    assert!(told.contains("the longest call was the first"), "{told}");
    assert!(told.lines().any(|line| line.contains("* -> ")), "{told}");
}

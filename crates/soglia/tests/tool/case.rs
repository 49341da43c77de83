//! One case of `semantics`, run with and without soglia and compared with what is documented of it.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;

use crate::check::{agree, follows, is_own, open_word, word};
use crate::support::{Line, Report, Space, setup, text};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Exit(i32),
    Signal(i32),
}
pub use Ends::{Exit, Signal};

/// A row of the tables in fixtures/README.md.
#[derive(Debug)]
pub struct Case {
    /// The case and its arguments.
    pub args: &'static str,
    /// Major versions of .NET that it is true for.
    pub on: (u64, u64),
    /// Crossings by task: `[COUNT] [KIND] [together]: PATTERN`, separated by `;`. The kind `any` is
    /// the one that the runtime picks. The tasks of a kind that are taken `together` are one.
    pub tasks: &'static str,
    pub ends: Ends,
    /// Own calls that stay open.
    pub open: &'static str,
    /// Layers that are unwound past.
    pub abandoned: u64,
    /// Whether crossings come after the runtime has announced its shutdown.
    pub late: bool,
    /// Calls that native code counts and that are recorded without the entry point's name.
    pub nameless: &'static [(&'static str, u64)],
    /// Recorded callbacks minus those that native code counts.
    pub callbacks: i64,
}

pub const fn case(args: &'static str, tasks: &'static str) -> Case {
    let ends = Exit(0);
    Case {
        args,
        on: (8, 99),
        tasks,
        ends,
        open: "",
        abandoned: 0,
        late: false,
        nameless: &[],
        callbacks: 0,
    }
}

fn ends(status: ExitStatus) -> Ends {
    status
        .code()
        .map_or_else(|| Signal(status.signal().unwrap()), Exit)
}

/// Runs the cases that are for this runtime, and reports all that fail.
pub fn verify_all(cases: &[Case]) {
    let major = setup().major;
    let applies = |case: &&Case| case.on.0 <= major && major <= case.on.1;
    let mut failed = Vec::new();
    for case in cases.iter().filter(applies) {
        println!("-- {}", case.args);
        if catch_unwind(AssertUnwindSafe(|| verify(case))).is_err() {
            failed.push(case.args);
        }
    }
    assert!(
        failed.is_empty(),
        "on .NET {major}, of {} cases failed: {failed:?}",
        cases.len()
    );
}

/// Runs one case; answers with its report and its events.
pub fn verify(case: &Case) -> (Report, Vec<Line>) {
    let space = Space::new();
    let bare = Space::new()
        .bare("semantics.dll", case.args)
        .output()
        .unwrap();
    let under = space
        .run(
            "--quiet --source transitions --record events -o a.soglia",
            "semantics.dll",
            case.args,
        )
        .output()
        .unwrap();
    assert_eq!(
        text(&under.stdout),
        text(&bare.stdout),
        "standard output with and without soglia"
    );
    assert_eq!(
        ends(bare.status),
        case.ends,
        "without soglia: {}",
        text(&bare.stderr)
    );
    assert_eq!(
        ends(under.status),
        case.ends,
        "with soglia: {}",
        text(&under.stderr)
    );

    let recording = space.recording("a.soglia");
    let (report, lines) = (recording.report(), recording.events());
    assert_eq!(
        report.runtime["version"].split('.').next(),
        Some(&*setup().major.to_string()),
        "the runtime"
    );
    assert_eq!((report.dropped, report.level.as_str()), (0, "events"));
    let ended = match case.ends {
        Exit(code) => ("exit", Some(code), None),
        Signal(9) => ("killed", None, Some(9)),
        Signal(signal) => ("signal", None, Some(signal)),
    };
    assert_eq!(
        (report.ended.as_str(), report.exit_code, report.signal),
        ended,
        "how it ended"
    );

    compare_tasks(case, &report, &lines);
    let sums = agree(&report, &lines);
    assert_eq!(sums.abandoned, case.abandoned, "abandoned, by events");
    compare_faults(case, &report);
    let open: Vec<String> = report
        .open
        .iter()
        .filter(|row| !row.runtime_internal)
        .map(open_word)
        .collect();
    assert!(follows(case.open, &open), "open calls: {open:?}");
    compare_oracle(case, &space, &report);

    // The same account, once kept while the program ran, once made from the events.
    let (mut kept, mut replayed) = (recording.json(""), recording.json("--replay"));
    for account in [&mut kept, &mut replayed] {
        // Events do not tell when the runtime announced its shutdown.
        account["faults"]
            .as_array_mut()
            .unwrap()
            .retain(|fault| fault["kind"] != "after-shutdown");
        account["targets"]
            .as_array_mut()
            .unwrap()
            .sort_by_key(ToString::to_string);
    }
    assert_eq!(
        kept, replayed,
        "the account, and the one made from the events"
    );
    (report, lines)
}

fn compare_tasks(case: &Case, report: &Report, lines: &[Line]) {
    let kind = |task: u32| {
        report
            .tasks
            .iter()
            .find(|row| row.task == task)
            .unwrap()
            .kind
            .as_str()
    };
    let mut tasks: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for line in lines.iter().filter(|line| is_own(line)) {
        tasks.entry(line.task).or_default().push(word(line));
    }
    let mut found: Vec<(&str, Vec<String>)> = tasks
        .into_iter()
        .map(|(task, words)| (kind(task), words))
        .collect();
    for expected in case
        .tasks
        .split(';')
        .map(str::trim)
        .filter(|task| !task.is_empty())
    {
        let (who, pattern) = expected.split_once(':').expect("who: pattern");
        let mut who: Vec<&str> = who.split_whitespace().collect();
        let together = who.last() == Some(&"together") && who.pop().is_some();
        let count = who.first().and_then(|count| count.parse().ok());
        let wanted = who[usize::from(count.is_some())];
        if together {
            let (of_kind, others): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|(kind, _)| *kind == wanted);
            let words: Vec<String> = of_kind.into_iter().flat_map(|(_, words)| words).collect();
            assert!(
                follows(pattern, &words),
                "{wanted} tasks together: {}",
                shown(&words)
            );
            found = others;
            continue;
        }
        for _ in 0..count.unwrap_or(1) {
            let at = found.iter().position(|(kind, words)| {
                [kind, "any"].contains(&wanted) && follows(pattern, words)
            });
            let left = || {
                found
                    .iter()
                    .map(|(kind, words)| format!("\n{kind}: {}", shown(words)))
                    .collect::<String>()
            };
            found.remove(
                at.unwrap_or_else(|| panic!("no {wanted} task with {pattern}, but{}", left())),
            );
        }
    }
    let left: String = found
        .iter()
        .map(|(kind, words)| format!("\n{kind}: {}", shown(words)))
        .collect();
    assert_eq!(left, "", "more than is documented");
}

fn shown(words: &[String]) -> String {
    let first: Vec<&str> = words.iter().take(40).map(String::as_str).collect();
    format!("{} crossings: {}", words.len(), first.join(" "))
}

fn compare_faults(case: &Case, report: &Report) {
    let mut faults: BTreeMap<&str, u64> = report
        .faults
        .iter()
        .map(|row| (row.kind.as_str(), row.count))
        .collect();
    // The runtime's own threads may cross then in every program.
    let late = faults.remove("after-shutdown").unwrap_or(0);
    assert!(late > 0 || !case.late, "nothing came after the shutdown");
    let expected = (case.abandoned > 0).then_some(("abandoned", case.abandoned));
    assert_eq!(faults, expected.into_iter().collect(), "faults");
}

fn compare_oracle(case: &Case, space: &Space, report: &Report) {
    let oracle = space.oracle();
    let mut counted: BTreeMap<String, u64> = oracle
        .iter()
        .filter(|(_, (calls, _))| *calls > 0)
        .map(|(name, (calls, _))| (name.clone(), *calls))
        .collect();
    for (name, calls) in case.nameless {
        let left = counted[*name].checked_sub(*calls).unwrap();
        if left == 0 {
            counted.remove(*name)
        } else {
            counted.insert((*name).into(), left)
        };
    }
    let own =
        |library: &Option<String>| matches!(library.as_deref(), Some("semantics" | "virtual-name"));
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for row in report.targets.iter().filter(|row| own(&row.library)) {
        *told.entry(row.entry.clone().unwrap()).or_default() += row.calls;
    }
    assert_eq!(
        told, counted,
        "calls that are recorded, and that native code counted"
    );
    let callbacks: u64 = oracle.values().map(|(_, callbacks)| callbacks).sum();
    let told: u64 = report
        .targets
        .iter()
        .filter(|row| row.direction == "reverse")
        .map(|row| row.calls)
        .sum();
    let difference = i64::try_from(told).unwrap() - i64::try_from(callbacks).unwrap();
    assert_eq!(
        difference, case.callbacks,
        "{told} callbacks are recorded, {callbacks} counted"
    );
}

//! What a recording must satisfy, written down a second time: patterns of crossings, nesting, and
//! sums. Nothing here uses the state machine of soglia-core.

use std::collections::BTreeMap;

use crate::support::{Line, Open, Report, Target};

/// The crossings of the fixtures' own functions. Calls through function pointers have no name and
/// are theirs too.
pub fn is_own(line: &Line) -> bool {
    let assembly = line.assembly.as_deref();
    let nameless = line.method.is_none() && line.entry.is_none();
    nameless
        || matches!(assembly, Some("semantics" | "plugin"))
        || line.library.as_deref() == Some("semantics")
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap()
}

/// A crossing in the notation of fixtures/README.md.
pub fn word(line: &Line) -> String {
    let method = line.method.as_deref().map(last);
    match line.crossing.as_str() {
        "LeaveRuntime" => format!("L({})", line.entry.as_deref().or(method).unwrap_or("?")),
        "ReverseEnterRuntime" => format!("R({})", method.unwrap_or("?")),
        "EnterRuntime" => "E".into(),
        "ReverseLeaveRuntime" => "V".into(),
        other => panic!("a crossing called {other}"),
    }
}

/// An open call of a report in the same notation.
pub fn open_word(row: &Open) -> String {
    let name = row
        .target
        .rsplit_once('!')
        .map_or_else(|| last(&row.target), |(_, entry)| entry);
    match (row.direction.as_str(), row.target.as_str()) {
        ("forward", "[function pointer]") => "L(?)".into(),
        ("forward", _) => format!("L({name})"),
        ("reverse", _) => format!("R({name})"),
        (other, _) => panic!("a direction called {other}"),
    }
}

/// Whether words follow a pattern: words, and `3 x [...]` or `* x [...]` for at least once, nested
/// as needed.
pub fn follows(pattern: &str, words: &[String]) -> bool {
    let spaced = pattern.replace('[', " [ ").replace(']', " ] ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    matches!(eat(&tokens, words), Some([]))
}

fn eat<'w>(mut tokens: &[&str], mut words: &'w [String]) -> Option<&'w [String]> {
    while let [first, after @ ..] = tokens {
        if let ["x", "[", body @ ..] = after {
            let mut depth = 1;
            let end = body.iter().position(|token| {
                depth += i32::from(*token == "[") - i32::from(*token == "]");
                depth == 0
            });
            let (body, rest) = body.split_at(end.expect("a pattern with balanced brackets"));
            match first.parse::<usize>() {
                Ok(count) => {
                    for _ in 0..count {
                        words = eat(body, words)?;
                    }
                }
                Err(_) => {
                    words = eat(body, words)?;
                    while let Some(left) = eat(body, words) {
                        words = left;
                    }
                }
            }
            tokens = &rest[1..];
        } else {
            let (word, left) = words.split_first()?;
            if word != first {
                return None;
            }
            (tokens, words) = (after, left);
        }
    }
    Some(words)
}

/// What tells one target from another.
pub type Key = (
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn key_of_line(line: &Line) -> Key {
    let forward = matches!(line.crossing.as_str(), "LeaveRuntime" | "EnterRuntime");
    let direction = if forward { "forward" } else { "reverse" };
    (
        direction.into(),
        line.method.clone(),
        line.assembly.clone(),
        line.library.clone(),
        line.entry.clone(),
    )
}

pub fn key_of_row(row: &Target) -> Key {
    let direction = row.direction.clone();
    (
        direction,
        row.method.clone(),
        row.assembly.clone(),
        row.library.clone(),
        row.entry.clone(),
    )
}

/// What the lines of events add up to.
#[derive(Default)]
pub struct Sums {
    pub calls: BTreeMap<Key, u64>,
    pub total_ns: BTreeMap<Key, u64>,
    pub crossings: [u64; 4],
    /// Crossings, deepest nesting and thread by task.
    pub tasks: BTreeMap<u32, (u64, usize, u32)>,
    /// Calls that others were found to have taken the place of.
    pub abandoned: u64,
    /// What stayed open, by task, outermost first.
    pub open: Vec<(u32, Key)>,
}

/// Goes through the lines with a stack of its own, and fails if they do not nest.
pub fn add_up(lines: &[Line]) -> Sums {
    let mut sums = Sums::default();
    let mut stacks: BTreeMap<u32, Vec<(Key, u64)>> = BTreeMap::new();
    let mut latest: BTreeMap<u32, u64> = BTreeMap::new();
    // A denied call is recorded, and is no crossing.
    for line in lines.iter().filter(|line| line.outcome != "refused") {
        let stack = stacks.entry(line.task).or_default();
        let number = [
            "LeaveRuntime",
            "EnterRuntime",
            "ReverseEnterRuntime",
            "ReverseLeaveRuntime",
        ]
        .iter()
        .position(|name| *name == line.crossing)
        .unwrap();
        sums.crossings[number] += 1;
        let before = latest.insert(line.task, line.t).unwrap_or(0);
        assert!(before <= line.t, "time goes back on a task: {line:?}");
        assert!(
            line.depth <= stack.len(),
            "{} layers are open: {line:?}",
            stack.len()
        );
        sums.abandoned += (stack.len() - line.depth) as u64;
        stack.truncate(line.depth);
        let key = key_of_line(line);
        if number % 2 == 0 {
            *sums.calls.entry(key.clone()).or_default() += 1;
            stack.push((key, line.t));
        } else {
            let (open, since) = stack
                .pop()
                .unwrap_or_else(|| panic!("nothing is open: {line:?}"));
            assert_eq!(open, key, "another call is open: {line:?}");
            *sums.total_ns.entry(key).or_default() += line.t - since;
        }
        let (count, deepest, os_thread) = sums.tasks.entry(line.task).or_default();
        *count += 1;
        *deepest = stack.len().max(*deepest);
        *os_thread = line.os_thread;
    }
    let open =
        |(task, stack): (u32, Vec<(Key, u64)>)| stack.into_iter().map(move |(key, _)| (task, key));
    sums.open = stacks.into_iter().flat_map(open).collect();
    sums
}

/// A report agrees with the events of the same recording.
pub fn agree(report: &Report, lines: &[Line]) -> Sums {
    let sums = add_up(lines);
    let mut calls: BTreeMap<Key, u64> = BTreeMap::new();
    for row in &report.targets {
        let sum = calls.entry(key_of_row(row)).or_default();
        assert_eq!(*sum, 0, "two rows for one target: {row:?}");
        *sum = row.calls;
        // The lines are rounded to nanoseconds, each by itself.
        let total = sums.total_ns.get(&key_of_row(row)).copied().unwrap_or(0);
        assert!(
            row.total_ns.abs_diff(total) <= 2 * row.calls,
            "{total} ns by events: {row:?}"
        );
    }
    assert_eq!(calls, sums.calls, "calls by target");
    let names = ["leave", "enter", "reverse_enter", "reverse_leave"];
    let crossings = names.map(|name| report.crossings[name]);
    assert_eq!(crossings, sums.crossings, "{names:?}");
    let tasks: BTreeMap<_, _> = report
        .tasks
        .iter()
        .map(|task| {
            (
                task.task,
                (task.crossings, task.max_depth.unwrap_or(0), task.os_thread),
            )
        })
        .collect();
    assert_eq!(tasks, sums.tasks, "crossings, depth and thread by task");
    let mut open: Vec<_> = report
        .open
        .iter()
        .map(|row| (row.task, row.depth, open_word(row)))
        .collect();
    open.sort();
    let mut expected: Vec<(u32, usize, String)> = Vec::new();
    for (task, (direction, method, _, _, entry)) in &sums.open {
        let depth = expected.iter().filter(|(other, ..)| other == task).count();
        let letter = if direction == "forward" { "L" } else { "R" };
        let name = entry
            .as_deref()
            .or(method.as_deref().map(last))
            .unwrap_or("?");
        expected.push((*task, depth, format!("{letter}({name})")));
    }
    expected.sort();
    assert_eq!(open, expected, "open calls");
    sums
}

#[test]
fn patterns_match_what_they_say_and_nothing_else() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert!(follows("", &[]) && !follows("", &words("E")) && !follows("E", &[]));
    assert!(follows("2 x [L(a) E] V", &words("L(a) E L(a) E V")));
    assert!(
        !follows("2 x [L(a) E] V", &words("L(a) E V")) && !follows("L(a) E", &words("L(a) E E"))
    );
    assert!(follows(
        "2 x [L(a) 2 x [R(b) V] E]",
        &words("L(a) R(b) V R(b) V E L(a) R(b) V R(b) V E")
    ));
    assert!(
        follows("* x [L(a)] E", &words("L(a) L(a) E")) && !follows("* x [L(a)] E", &words("E"))
    );
}

#[test]
#[should_panic(expected = "another call is open")]
fn a_return_from_another_call_is_found() {
    let line = |crossing: &str, entry: &str, depth| Line {
        time: String::new(),
        t: 0,
        task: 1,
        os_thread: 1,
        crossing: crossing.into(),
        outcome: "crossed".into(),
        depth,
        method: None,
        assembly: None,
        library: None,
        entry: Some(entry.into()),
        address: None,
        runtime_internal: false,
    };
    add_up(&[line("LeaveRuntime", "a", 0), line("EnterRuntime", "b", 1)]);
}

//! What every thread of a process was doing, for people.

use std::io::{self, Write};

use soglia_core::{plain::plain, trace::names::UNMANAGED};

use super::{
    calls::groups,
    frames::{frames, is_of_dotnet, method},
    screen::{Line, Screen},
    style::{DIM, HEAD},
    words::plural,
};
use crate::model::{Stacks, State, ThreadRow};

/// Which frames are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frames {
    /// All.
    #[default]
    Both,
    /// Those of native code.
    Native,
    /// Those of managed code.
    Managed,
}

/// Which threads and frames are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShownStacks {
    /// Also threads of the runtime, and others without the program's code.
    pub all: bool,
    /// The frames.
    pub frames: Frames,
    /// The width of the output.
    pub screen: Screen,
}

/// Columns before what is said of a thread.
const INDENT: usize = 2;
/// Columns before a frame.
const FRAME: usize = 6;
/// The most frames of one kind that are shown of a stack.
const MOST_FRAMES: usize = 100;
/// The most threads that are named one by one.
const MOST_NAMES: usize = 20;

/// Writes them. Threads with equal stacks are together; those inside native calls come first.
///
/// # Errors
/// Those of `out`.
pub fn stacks(stacks: &Stacks, shown: ShownStacks, out: &mut impl Write) -> io::Result<()> {
    let screen = shown.screen;
    let name = stacks.program.rsplit('/').next().unwrap_or_default();
    let runtime = stacks
        .runtime
        .as_deref()
        .map(|v| format!(", .NET {}", plain(v)));
    let time = stacks.local_time.as_ref().map(|time| format!(", {time}"));
    let count = stacks.threads.len() as u64 + stacks.left_out;
    let title = format!(
        "{} of process {} ({})",
        plural(count, "thread", "threads"),
        stacks.pid,
        plain(name),
    );
    Line::default()
        .styled(HEAD, &title)
        .text(&(runtime.unwrap_or_default() + &time.unwrap_or_default()))
        .write(screen, out)?;
    if let Some(why) = &stacks.no_stacks {
        let why = format!("no managed stacks: {}", plain(why));
        screen.sentences(Line::default(), DIM, &why, out)?;
    }
    for remark in &stacks.remarks {
        screen.sentences(Line::default(), DIM, &plain(remark).to_string(), out)?;
    }
    let (rows, folded): (Vec<&ThreadRow>, Vec<&ThreadRow>) = stacks
        .threads
        .iter()
        .partition(|row| shown.all || is_of_program(row));
    let mut groups = groups(&rows, |row| {
        (row.state, &row.inside, &row.stack, &row.native_stack)
    });
    groups.sort_by_key(|group| group.first().map(|row| row.state));
    for group in &groups {
        one(group, stacks, shown, out)?;
    }
    if !folded.is_empty() {
        let what = "threads of the runtime and of native libraries (--all shows them)";
        writeln!(out)?;
        let line = format!("{} {what}", folded.len()).replacen("1 threads", "1 thread", 1);
        Line::default().styled(DIM, &line).write(screen, out)?;
    }
    if stacks.left_out > 0 {
        writeln!(out, "{} threads are left out", stacks.left_out)?;
    }
    Ok(())
}

/// Whether the program's own code is on the stack, or may be. Without managed stacks, it may be on
/// that of each thread that runs or does not belong to the runtime.
fn is_of_program(row: &ThreadRow) -> bool {
    let own = |frame: &String| frame != UNMANAGED && !is_of_dotnet(frame);
    let is_runtimes = || {
        let name = row.name.as_deref().unwrap_or_default();
        name.starts_with(".NET ") && row.doing.as_deref() != Some("running")
    };
    row.stack.iter().any(own)
        || row.no_stack.is_some() && (row.state == State::Native || !is_runtimes())
}

/// Writes threads that are alike.
fn one(
    group: &[&ThreadRow],
    stacks: &Stacks,
    shown: ShownStacks,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(row) = group.first() else {
        return Ok(());
    };
    let screen = shown.screen;
    writeln!(out)?;
    let many = plural(group.len() as u64, "thread", "threads");
    let title = match group.len() {
        1 => state(row),
        _ => format!("{many} {}", state(row)),
    };
    let title = screen.name(&title, 0);
    Line::default().styled(HEAD, &title).write(screen, out)?;
    let indent = || Line::indented(INDENT);
    let names: Vec<String> = group
        .iter()
        .take(MOST_NAMES)
        .map(|row| name(row, stacks))
        .collect();
    let mut names = names.join(", ");
    if group.len() > MOST_NAMES {
        names += &format!(" and {} more", group.len() - MOST_NAMES);
    }
    let doing = match &row.doing {
        Some(doing) if group.len() == 1 => format!(": {}", plain(doing)),
        _ => String::new(),
    };
    screen.sentences(indent(), DIM, &format!("{names}{doing}"), out)?;
    if shown.frames != Frames::Managed {
        let native = folded(&row.native_stack, shown.all);
        listed(&native, screen, out)?;
        if let Some(why) = &row.native_end {
            let what = match row.native_stack.is_empty() {
                true => "no native frames",
                false => "no more native frames",
            };
            let why = format!("({what}: {})", plain(why));
            screen.sentences(Line::indented(FRAME), DIM, &why, out)?;
        }
    }
    if shown.frames != Frames::Native {
        let managed = frames(&row.stack);
        if shown.frames == Frames::Both && !managed.is_empty() && !row.native_stack.is_empty() {
            Line::indented(INDENT)
                .styled(DIM, CROSSING)
                .write(screen, out)?;
        }
        listed(&managed, screen, out)?;
        if let Some(why) = row.no_stack.as_ref().filter(|_| stacks.no_stacks.is_none()) {
            let why = format!("(no managed stack: {})", plain(why));
            screen.sentences(Line::indented(FRAME), DIM, &why, out)?;
        }
    }
    Ok(())
}

/// Stands between native and managed frames.
const CROSSING: &str = "^ native code, called by managed code:";

/// Where a thread is.
fn state(row: &ThreadRow) -> String {
    let innermost = || row.stack.iter().find(|frame| *frame != UNMANAGED);
    let by = |what: &str| match innermost() {
        Some(frame) => format!("{what} {}", plain(&method(frame))),
        None => what.to_owned(),
    };
    match (row.state, &row.inside) {
        (State::Native, Some(callee)) => format!("inside {}", plain(callee)),
        (State::Native, None) => "inside a native function".to_owned(),
        (State::Runtime, _) => by("in the runtime, called by"),
        (State::Managed, _) => by("in managed code,"),
        (State::Unmanaged, _) => "in native code, without managed frames".to_owned(),
        (State::Unknown, _) => "in native code or in the runtime".to_owned(),
    }
}

/// The number and the name of a thread.
fn name(row: &ThreadRow, stacks: &Stacks) -> String {
    let number = row.os_thread;
    match &row.name {
        Some(name) => format!("{number} {}", plain(name)),
        None if number == stacks.pid => format!("{number} (main)"),
        None => number.to_string(),
    }
}

/// Native frames, where several in a row of one file without names become one line.
fn folded(frames: &[String], all: bool) -> Vec<String> {
    let nameless = |frame: &String| {
        let (file, _) = frame.rsplit_once("+0x")?;
        (!all && !file.contains('!')).then(|| file.to_owned())
    };
    let runs = frames.chunk_by(|a, b| nameless(a).is_some_and(|file| nameless(b) == Some(file)));
    let lines = runs.flat_map(|run| match run {
        [first, _, _, ..] => {
            let file = nameless(first).unwrap_or_default();
            vec![format!("[{} frames of {file}]", run.len())]
        }
        few => few.to_vec(),
    });
    lines.collect()
}

fn listed(frames: &[String], screen: Screen, out: &mut impl Write) -> io::Result<()> {
    for frame in frames.iter().take(MOST_FRAMES) {
        let line = Line::indented(FRAME);
        let frame = screen.name(&plain(frame).to_string(), line.columns());
        line.text(&frame).write(screen, out)?;
    }
    if frames.len() > MOST_FRAMES {
        let more = format!("... {} more", frames.len() - MOST_FRAMES);
        Line::indented(FRAME)
            .styled(DIM, &more)
            .write(screen, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(os_thread: u32, state: State, native: &[&str], managed: &[&str]) -> ThreadRow {
        let own = |frames: &[&str]| frames.iter().map(|frame| (*frame).to_owned()).collect();
        ThreadRow {
            os_thread,
            state,
            stack: own(managed),
            native_stack: own(native),
            doing: Some("sleeping in read".into()),
            ..ThreadRow::default()
        }
    }

    fn shown(all: &Stacks, shown: ShownStacks) -> String {
        let mut out = Vec::new();
        stacks(all, shown, &mut out).unwrap();
        anstream::adapter::strip_bytes(&out)
            .into_vec()
            .try_into()
            .unwrap()
    }

    fn some() -> Stacks {
        let native = ["libc.so.6!__read+0x4c", "libx.so!wait_for_it+0x10"];
        let managed = [
            "Shop.Orders.Wait",
            "System.Threading.Thread.StartCallback",
            UNMANAGED,
        ];
        let inside = |os_thread| ThreadRow {
            inside: Some("x!wait_for_it".into()),
            name: Some(format!("worker {os_thread}")),
            ..row(os_thread, State::Native, &native, &managed)
        };
        let lock = ["libc.so.6!pthread_cond_wait+0x1e8"];
        Stacks {
            pid: 10,
            program: "/srv/shop.dll".into(),
            runtime: Some("9.0.7".into()),
            threads: vec![
                row(
                    10,
                    State::Runtime,
                    &lock,
                    &["System.Threading.Monitor.Enter", "Shop.Main"],
                ),
                row(11, State::Unmanaged, &lock, &[]),
                inside(12),
                inside(13),
                ThreadRow {
                    native_end: Some("the thread is running".into()),
                    doing: Some("running".into()),
                    ..row(14, State::Managed, &[], &["Shop.Loop"])
                },
            ],
            ..Stacks::default()
        }
    }

    #[test]
    fn threads_with_equal_stacks_are_together() {
        assert_eq!(
            shown(&some(), ShownStacks::default()),
            "\
5 threads of process 10 (shop.dll), .NET 9.0.7

2 threads inside x!wait_for_it
  12 worker 12, 13 worker 13
      libc.so.6!__read+0x4c
      libx.so!wait_for_it+0x10
  ^ native code, called by managed code:
      Shop.Orders.Wait
      System.Threading.Thread.StartCallback

in the runtime, called by System.Threading.Monitor.Enter
  10 (main): sleeping in read
      libc.so.6!pthread_cond_wait+0x1e8
  ^ native code, called by managed code:
      System.Threading.Monitor.Enter
      Shop.Main

in managed code, Shop.Loop
  14: running
      (no native frames: the thread is running)
      Shop.Loop

1 thread of the runtime and of native libraries (--all shows them)
"
        );
    }

    #[test]
    fn frames_and_threads_can_be_chosen() {
        let all = ShownStacks {
            all: true,
            frames: Frames::Managed,
            ..ShownStacks::default()
        };
        let text = shown(&some(), all);
        assert!(
            !text.contains("libc.so.6") && !text.contains(CROSSING),
            "{text}"
        );
        assert!(
            text.contains("in native code, without managed frames\n  11"),
            "{text}"
        );
        let native = ShownStacks {
            frames: Frames::Native,
            ..ShownStacks::default()
        };
        let text = shown(&some(), native);
        assert!(
            text.contains("wait_for_it+0x10") && !text.contains("Shop.Orders"),
            "{text}"
        );
    }

    #[test]
    fn frames_without_names_become_one_line() {
        let frames = [
            "a.so+0x1",
            "a.so+0x2",
            "b.so+0x1",
            "b.so+0x2",
            "b.so+0x3",
            "b.so!f+0x4",
        ];
        let frames = frames.map(str::to_owned);
        assert_eq!(
            folded(&frames, false),
            ["a.so+0x1", "a.so+0x2", "[3 frames of b.so]", "b.so!f+0x4"]
        );
        assert_eq!(folded(&frames, true), frames);
    }

    #[test]
    fn what_is_missing_is_said_once() {
        let why = "the runtime could not be suspended within 5 s";
        let mut all = some();
        all.no_stacks = Some(why.into());
        for thread in &mut all.threads {
            thread.no_stack = all.no_stacks.clone();
        }
        all.left_out = 2;
        let text = shown(&all, ShownStacks::default());
        assert_eq!(text.matches(why).count(), 1, "{text}");
        assert!(
            text.starts_with("7 threads") && text.ends_with("2 threads are left out\n"),
            "{text}"
        );
    }

    #[test]
    fn without_managed_stacks_idle_threads_of_the_runtime_are_left_out() {
        let thread = |os_thread, name: &str, doing: &str| ThreadRow {
            name: Some(name.into()),
            doing: Some(doing.into()),
            no_stack: Some("why".into()),
            ..row(os_thread, State::Unknown, &["libc.so.6!poll+0x1"], &[])
        };
        let all = Stacks {
            no_stacks: Some("why".into()),
            threads: vec![
                thread(21, "spinning", "running"),
                thread(22, ".NET TP Worker", "running"),
                thread(23, ".NET TP Gate", "sleeping in futex"),
                thread(24, "waiting", "sleeping in futex"),
            ],
            ..Stacks::default()
        };
        let text = shown(&all, ShownStacks::default());
        let has = |number: &str| text.contains(number);
        let shown = [
            has("21 spin"),
            has("22 .NET"),
            has("23 .NET"),
            has("24 wait"),
        ];
        assert_eq!(shown, [true, true, false, true], "{text}");
    }

    #[test]
    fn names_cannot_write_to_the_terminal() {
        let mut all = some();
        all.threads[2].name = Some("a\u{1b}[2Jb".into());
        all.threads[2].inside = Some("\u{7}x".into());
        let text = shown(&all, ShownStacks::default());
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text}");
    }
}

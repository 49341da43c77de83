//! The head of a report of several processes, and the list of them.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use anstyle::Style;
use soglia_core::plain::{plain, plain_path};

use super::{
    head::calls,
    moments::joined,
    screen::{Line, fit, width},
    shown::Shown,
    style::{BAD, DIM, HEAD},
    words::{count, plural, signal_name, time, time_of},
};
use crate::model::{Model, ProcessRow};

/// The most processes that are listed, unless all are asked for.
const MOST_LISTED: usize = 20;
/// The most columns of a command.
const MOST_COMMAND: usize = 100;
/// The columns that a command should have, and those that it must have.
const USUAL_COMMAND: usize = 36;
const LEAST_COMMAND: usize = 16;
/// The most programs that the title names.
const MOST_PROGRAMS: usize = 4;

/// Writes the first lines: which programs, how they ended, and the number of their calls.
pub(super) fn head(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let screen = shown.screen;
    let rows = &model.processes;
    let title = Line::default().styled(HEAD, "soglia: ");
    let what = format!("{} processes: {}", count(rows.len() as u64), programs(rows));
    let what = fit(&what, screen.columns().saturating_sub(title.columns()));
    title.styled(HEAD, &what).write(screen, out)?;
    let runtime = &model.runtime;
    let runtime = match runtime.version.is_empty() {
        true => String::new(),
        false => format!("{} {}, ", plain(&runtime.name), plain(&runtime.version)),
    };
    let began = model.wall.local_start();
    let facts = format!(
        "{runtime}{}{}, {}",
        time_of(model.duration_ns, model.duration_at_least),
        began.map_or_else(String::new, |began| format!(" from {began}")),
        endings(rows.iter()),
    );
    let style = match rows.iter().any(is_bad) {
        true => BAD,
        false => Style::new(),
    };
    screen.sentences(Line::default(), style, &facts, out)?;
    calls(model, shown, out)
}

/// `worker.dll (3) and sh.dll`: the programs, in the order in which they were started.
fn programs(rows: &[ProcessRow]) -> String {
    let mut names: Vec<(String, u64)> = Vec::new();
    for row in rows {
        let name = file_name(&row.program);
        match names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => *times += 1,
            None => names.push((name, 1)),
        }
    }
    let more = names.split_off(names.len().min(MOST_PROGRAMS));
    let mut words: Vec<String> = names
        .into_iter()
        .map(|(name, times)| match times {
            1 => name,
            times => format!("{name} ({})", count(times)),
        })
        .collect();
    if !more.is_empty() {
        words.push(format!("{} more programs", count(more.len() as u64)));
    }
    joined(&words)
}

/// How processes ended: `all exit code 0`, or `exit code 0: 3, SIGSEGV: 1`.
fn endings<'a>(rows: impl Iterator<Item = &'a ProcessRow>) -> String {
    let mut endings: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows {
        *endings.entry(ended(row)).or_default() += 1;
    }
    let mut endings: Vec<_> = endings.into_iter().collect();
    endings.sort_by_key(|(_, times)| Reverse(*times));
    match &endings[..] {
        [(how, 1)] => how.clone(),
        [(how, _)] => format!("all {how}"),
        several => {
            let words = several.iter();
            let words = words.map(|(how, times)| format!("{how}: {}", count(*times)));
            words.collect::<Vec<_>>().join(", ")
        }
    }
}

/// How a process ended, in few words.
fn ended(row: &ProcessRow) -> String {
    match (row.ended, row.exit_code, row.signal) {
        ("exit", Some(code), _) => format!("exit code {code}"),
        ("exit", ..) => "exit code not known".into(),
        (_, _, Some(signal)) => match signal_name(signal) {
            "no name" => format!("signal {signal}"),
            name => name.into(),
        },
        ("running", ..) => "still running".into(),
        ("detached", ..) => "runs on".into(),
        // Nothing was waiting for it, and it did not say.
        _ => "end not seen".into(),
    }
}

/// Whether a process ended in a way that is worth a look.
fn is_bad(row: &ProcessRow) -> bool {
    match row.ended {
        "exit" => row.exit_code.is_some_and(|code| code != 0),
        "running" | "detached" => false,
        _ => true,
    }
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name();
    let name = name.map_or(path.into(), |name| name.to_string_lossy());
    plain(&name).to_string()
}

/// The command line, with the program as its file name.
fn command(row: &ProcessRow) -> String {
    let words = row.command_line.iter().map(|word| {
        // Of `dotnet /a/b.dll`, both words have a folder that says little.
        let is_program = *word == row.program || row.command_line.first() == Some(word);
        match is_program {
            true => file_name(word),
            false => plain(word).to_string(),
        }
    });
    let words: Vec<String> = words.collect();
    match words.is_empty() {
        true => file_name(&row.program),
        false => words.join(" "),
    }
}

/// The processes that are listed: all if there are few, else those that ended badly and those with
/// the most calls.
fn listed(rows: &[ProcessRow], shown: Shown) -> Vec<&ProcessRow> {
    let mut listed: Vec<&ProcessRow> = rows.iter().collect();
    if shown.top > 0 && rows.len() > MOST_LISTED + 1 {
        listed.sort_by_key(|row| (!is_bad(row), Reverse(row.native_ns), Reverse(row.calls)));
        listed.truncate(MOST_LISTED);
        listed.sort_by_key(|row| row.process);
    }
    listed
}

/// A column before the command.
struct Column {
    title: &'static str,
    is_number: bool,
    cells: Vec<String>,
    width: usize,
}

impl Column {
    fn of(title: &'static str, is_number: bool, cells: Vec<String>) -> Self {
        let widest = cells.iter().map(|cell| width(cell)).max().unwrap_or(0);
        Self {
            title,
            is_number,
            width: widest.max(title.len()),
            cells,
        }
    }

    fn write(&self, line: Line, text: &str) -> Line {
        let up_to = line.columns() + self.width + 2;
        match self.is_number {
            true => line.right(self.width, text).text("  "),
            false => line.text(text).up_to(up_to),
        }
    }
}

/// Writes the list of processes.
pub(super) fn table(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let screen = shown.screen;
    let rows = listed(&model.processes, shown);
    let names = ProcessRow::names(&model.processes);
    let name = |row: &ProcessRow| names.get(row.process.saturating_sub(1) as usize).cloned();
    let cells = |of: &dyn Fn(&ProcessRow) -> String| rows.iter().map(|row| of(row)).collect();
    let optional = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), time);
    let mut columns = vec![
        Column::of("process", true, cells(&|row| name(row).unwrap_or_default())),
        Column::of("ended", false, cells(&ended)),
        Column::of("ran", true, cells(&|row| time(row.duration_ns))),
        Column::of("calls", true, cells(&|row| count(row.calls))),
        Column::of("native", true, cells(&|row| optional(row.native_ns))),
        Column::of("threads", true, cells(&|row| count(row.threads))),
    ];
    if names.iter().any(|name| name.starts_with('#')) {
        columns.insert(
            1,
            Column::of("pid", true, cells(&|row| row.pid.to_string())),
        );
    }
    let commands: Vec<String> = rows.iter().map(|row| command(row)).collect();
    let recordings: Vec<String> = rows
        .iter()
        .map(|row| row.recording.as_ref())
        .map(|path| path.map_or_else(String::new, |path| plain_path(Path::new(path)).to_string()))
        .collect();
    let widest = |texts: &[String]| texts.iter().map(|text| width(text)).max().unwrap_or(0);
    let wanted = widest(&commands).clamp("command".len(), MOST_COMMAND);
    let before = |columns: &[Column]| columns.iter().map(|of| of.width + 2).sum::<usize>();
    for spare in ["threads", "native", "ran", "calls"] {
        if !screen.has(before(&columns) + wanted.min(USUAL_COMMAND)) {
            columns.retain(|column| column.title != spare);
        }
    }
    let left = screen.columns().saturating_sub(before(&columns));
    let of_recordings = widest(&recordings);
    let beside = of_recordings > 0 && left >= wanted.min(USUAL_COMMAND) + 2 + of_recordings;
    let for_command = match beside {
        true => wanted.min(left - 2 - of_recordings),
        false => wanted.min(left.max(LEAST_COMMAND)),
    };
    writeln!(out)?;
    let mut line = Line::default();
    for column in &columns {
        line = column.write(line, column.title);
    }
    let at = line.columns();
    line = line.text("command");
    if beside {
        line = line.up_to(at + for_command + 2).text("recording");
    }
    line.in_style(HEAD).write(screen, out)?;
    for (n, row) in rows.iter().enumerate() {
        let mut line = Line::default();
        for column in &columns {
            let before = line.columns();
            line = match column.title == "ended" && is_bad(row) {
                true => line
                    .styled(BAD, &column.cells[n])
                    .up_to(before + column.width + 2),
                false => column.write(line, &column.cells[n]),
            };
        }
        line = line.text(&fit(&commands[n], for_command));
        if beside {
            line = line.up_to(at + for_command + 2).styled(DIM, &recordings[n]);
        }
        line.write(screen, out)?;
    }
    let hidden = model.processes.len() - rows.len();
    if hidden > 0 {
        let is_listed = |row: &&ProcessRow| rows.iter().any(|of| of.process == row.process);
        let others = || model.processes.iter().filter(|row| !is_listed(row));
        let sum = others().map(|row| row.calls).fold(0, u64::saturating_add);
        let said = format!(
            "more: {}, {} (--top 0 lists all, --format json has all)",
            endings(others()),
            plural(sum, "native call", "native calls"),
        );
        let line = Line::default().right(columns[0].width, &count(hidden as u64));
        screen.sentences(line.text("  "), DIM, &said, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Screen;

    fn row(process: u32, ended: &'static str, exit_code: Option<i32>) -> ProcessRow {
        ProcessRow {
            process,
            pid: 4000 + process,
            program: "/srv/worker.dll".into(),
            command_line: ["dotnet", "/srv/worker.dll", "--n", "1"]
                .map(str::to_owned)
                .to_vec(),
            ended,
            exit_code,
            calls: 1000,
            recording: Some(format!("a.soglia.{process}")),
            ..ProcessRow::default()
        }
    }

    fn written(model: &Model, columns: Option<usize>, top: usize) -> String {
        let shown = Shown {
            screen: Screen { columns },
            top,
            ..Shown::default()
        };
        let mut text = Vec::new();
        head(model, shown, &mut text).unwrap();
        table(model, shown, &mut text).unwrap();
        anstream::adapter::strip_str(str::from_utf8(&text).unwrap()).to_string()
    }

    #[test]
    fn many_processes_are_counted_and_those_that_failed_are_listed() {
        let mut processes: Vec<ProcessRow> = (1..=200)
            .map(|process| row(process, "exit", Some(0)))
            .collect();
        processes[149] = ProcessRow {
            signal: Some(libc::SIGSEGV),
            ..row(150, "signal", None)
        };
        processes[150] = row(151, "killed", None);
        let model = Model {
            processes,
            ..Model::default()
        };
        let text = written(&model, None, 20);
        assert!(
            text.starts_with("soglia: 200 processes: worker.dll (200)\n"),
            "{text}"
        );
        assert!(
            text.contains("exit code 0: 198, SIGSEGV: 1, end not seen: 1"),
            "{text}"
        );
        assert!(text.contains("4150  SIGSEGV"), "{text}");
        assert!(text.contains("4151  end not seen"), "{text}");
        assert!(text.contains("dotnet worker.dll --n 1"), "{text}");
        assert!(text.contains("a.soglia.150"), "{text}");
        assert!(
            text.contains("180  more: all exit code 0, 180,000 native calls (--top 0 lists all"),
            "{text}"
        );
        assert!(text.lines().count() < 30, "{text}");
        assert!(written(&model, None, 0).lines().count() > 200);
    }

    #[test]
    fn the_list_fits_every_terminal() {
        let model = Model {
            processes: vec![row(1, "exit", Some(0)), row(2, "exit", Some(3))],
            ..Model::default()
        };
        for columns in [30, 40, 60, 80, 120, 200] {
            for line in written(&model, Some(columns), 20).lines() {
                assert!(width(line) <= columns.max(40), "{columns}: {line}");
            }
        }
    }
}

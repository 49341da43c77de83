//! `soglia events`.
//!
//! | part | holds |
//! | --- | --- |
//! | `names` | what the lines of a target have in common |
//! | `passed` | the arguments of calls |
//! | `printer` | the lines |

mod names;
mod passed;
mod printer;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, BufWriter, Write},
};

use soglia::{
    model::no_room::{because, rows},
    text,
};
use soglia_core::{
    layer::Layer,
    trace::{
        ending::{Ended, Ending},
        reader::Reader,
        replay::{Crossings, Replayed, Uncounted, replay},
        writer::Level,
    },
};

use super::{
    complain::complain,
    options::{By, EventFormat, Events},
    recording::open,
};
use names::Names;
use printer::Printer;

/// Lists crossings.
pub fn events(options: &Events) -> anyhow::Result<()> {
    let source = options
        .attaching
        .source(&options.file, Level::Events, None)?;
    let reader = open(source.path(), options.partial)?;
    if !reader.has_events() {
        anyhow::bail!(
            "{} holds an account, but no events: `soglia run --record events` records them",
            options.file.display()
        );
    }
    let names = Names::of(&reader, options.format);
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let printer = Printer::new(options, &reader, &names);
    let ending = reader.ending();
    let mut tasks = Vec::new();
    let (mut last, mut dropped) = (0, 0_u64);
    for task in reader.each_task() {
        last = last.max(task.number);
        dropped = dropped.saturating_add(task.dropped);
        if options.thread.is_none_or(|wanted| task.number == wanted) {
            // Where events are missing, so are returns.
            let shows_open = options.format == EventFormat::Text && task.dropped == 0;
            tasks.push((task.number, shows_open));
        }
    }
    if let Some(wanted) = options.thread.filter(|_| tasks.is_empty()) {
        anyhow::bail!(
            "{} has no thread {wanted}: it has 1 to {last}",
            options.file.display(),
        );
    }
    match options.by {
        By::Thread => by_thread(&printer, &reader, &tasks, &ending, &mut out)?,
        By::Time => by_time(&printer, options, &reader, &tasks, &ending, &mut out)?,
    }
    out.flush()?;
    reader.check_whole()?;
    if dropped > 0 {
        complain(&format!(
            "{} crossings are not listed: {}",
            text::count(dropped),
            because(&rows(&reader))
        ));
    }
    Ok(())
}

/// Lists crossings thread by thread, in time order within each.
fn by_thread(
    printer: &Printer<'_>,
    reader: &Reader,
    tasks: &[(u32, bool)],
    ending: &Ending,
    out: &mut impl Write,
) -> io::Result<()> {
    for (task, shows_open) in tasks {
        let mut has_heading = !printer.is_text();
        let mut result = Ok(());
        let left = replay(reader, *task, &mut Uncounted, |crossed| {
            result = (|| {
                if !has_heading {
                    has_heading = printer.heading_of(*task, crossed, out)?;
                }
                printer.print(*task, crossed, out)
            })();
            result.is_ok()
        });
        result?;
        if *shows_open {
            printer.still_open(*task, left.layers().as_slice(), ending, out)?;
        }
    }
    Ok(())
}

/// Lists the crossings of all threads in time order. Each thread is read on only when its next
/// crossing is the earliest, so only one crossing of each is in memory.
fn by_time(
    printer: &Printer<'_>,
    options: &Events,
    reader: &Reader,
    tasks: &[(u32, bool)],
    ending: &Ending,
    out: &mut impl Write,
) -> io::Result<()> {
    // While the program runs, threads cross that were read to their ends already. All of them are
    // listed up to the same time.
    let until = match ending.how {
        Ended::Running => reader
            .start_ticks()
            .saturating_add(reader.scale().ticks(ending.ns)),
        _ => u64::MAX,
    };
    let mut threads: Vec<Crossings<'_>> = tasks
        .iter()
        .map(|(task, _)| Crossings::of(reader, *task))
        .collect();
    // The next crossing of each thread. Threads that cross at once come in the order of their
    // numbers.
    let mut next: Vec<Option<Replayed>> = Vec::new();
    let mut order = BinaryHeap::new();
    for (n, thread) in threads.iter_mut().enumerate() {
        let first = thread.next();
        order.extend(first.map(|crossed| Reverse((crossed.at, n))));
        next.push(first);
    }
    if options.format == EventFormat::Text {
        printer.heading(out)?;
    }
    while let Some(Reverse((at, n))) = order.pop() {
        if at > until {
            continue;
        }
        if let Some(crossed) = next[n].take() {
            printer.print(tasks[n].0, crossed, out)?;
        }
        next[n] = threads[n].next();
        order.extend(next[n].map(|crossed| Reverse((crossed.at, n))));
    }
    for ((task, shows_open), thread) in tasks.iter().zip(&threads) {
        let begun = |layer: &&Layer| layer.since <= until;
        let open: Vec<Layer> = thread.open().iter().filter(begun).copied().collect();
        if *shows_open {
            printer.still_open(*task, &open, ending, out)?;
        }
    }
    Ok(())
}

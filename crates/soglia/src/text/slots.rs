//! The section about slots: how long threads waited to run managed code.

use std::io::{self, Write};

use anstyle::Style;

use super::{
    screen::Line,
    shown::Shown,
    style::{HEAD, WARN},
    words::{count, plural, time},
};
use crate::model::Model;

pub(super) fn section(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let Some(slots) = &model.slots else {
        return Ok(());
    };
    let title = |line: Line, texts: [&str; 3]| {
        let [waits, total, longest] = texts;
        line.right(7, waits)
            .text("  ")
            .right(7, total)
            .text("  ")
            .right(7, longest)
            .text("  ")
    };
    let heading = title(Line::default(), ["waits", "total", "max"]).in_style(HEAD);
    let what = format!(
        "waits for {}{}",
        plural(slots.count.into(), "slot", "slots"),
        match (slots.at_least, model.ended) {
            (false, _) => "",
            (true, "running") => ", so far",
            (true, _) => ", at least: the process ended before it wrote the last figures",
        }
    );
    writeln!(out)?;
    shown.screen.sentences(heading, HEAD, &what, out)?;
    let mut notes = Vec::new();
    for (n, what) in [
        (slots.lent, "lent while the thread slept"),
        (slots.timed_out, "timed out"),
        (slots.abandoned, "left by a thread that ended"),
    ] {
        if n > 0 {
            notes.push(format!("{} {what}", count(n)));
        }
    }
    let style = match slots.timed_out.saturating_add(slots.abandoned) {
        0 => Style::new(),
        _ => WARN,
    };
    let said = match notes.is_empty() {
        true => "none timed out".into(),
        false => notes.join(", "),
    };
    let figures = [
        count(slots.waits),
        time(slots.waited_ns),
        time(slots.longest_wait_ns),
    ];
    let line = title(Line::default(), figures.each_ref().map(String::as_str));
    shown.screen.sentences(line, style, &said, out)
}

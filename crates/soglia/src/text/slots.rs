//! The section about slots: how long threads waited to run managed code.

use std::io::{self, Write};

use super::{
    style::{HEAD, WARN},
    words::{count, plural, time},
};
use crate::model::Model;

pub(super) fn section(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let Some(slots) = &model.slots else {
        return Ok(());
    };
    writeln!(
        out,
        "\n{HEAD}{:>11} {:>8} {:>8}  waits for {}{HEAD:#}{}",
        "waits",
        "total",
        "max",
        plural(slots.count.into(), "slot", "slots"),
        match (slots.at_least, model.ended) {
            (false, _) => "",
            (true, "running") => ", so far",
            (true, _) => ", at least: the process ended before it wrote the last figures",
        }
    )?;
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
    writeln!(
        out,
        "{:>11} {:>8} {:>8}  {}",
        count(slots.waits),
        time(slots.waited_ns),
        time(slots.longest_wait_ns),
        if notes.is_empty() {
            "none timed out".into()
        } else if slots.timed_out + slots.abandoned > 0 {
            format!("{WARN}{}{WARN:#}", notes.join(", "))
        } else {
            notes.join(", ")
        }
    )
}

//! A report as one HTML page, which needs no network.
//!
//! | part | does |
//! | --- | --- |
//! | `data` | gathers what the page shows |
//! | `lanes` | keeps a bounded number of calls, and draws short ones together |
//! | `nesting` | sums calls by what they are nested in |
//! | `events` | replays events into both |
//! | `timeline` | the lanes of each thread, from events or from the calls that a report names |
//! | `callers` | the tree of callers down to targets, from the stacks that were kept |
//! | `shown` | makes texts safe to show |
//! | `escape` | keeps names from ending the script element that holds the data |
//!
//! The page itself is written by hand: `page/page.html`, the `.css` files and the `.js` files
//! beside it. They are put together here.

mod callers;
mod data;
mod escape;
mod events;
mod lanes;
mod nesting;
mod shown;
mod timeline;

use std::io::{self, Write};

use soglia_core::trace::reader::Reader;

use self::{data::Data, escape::Escaped};
use crate::model::Model;

/// The page around its styles, data and scripts.
const PAGE: &str = include_str!("page/page.html");

const STYLES: [&str; 3] = [
    include_str!("page/page.css"),
    include_str!("page/parts.css"),
    include_str!("page/print.css"),
];

/// In the order in which they use each other. They share one function's scope.
const SCRIPTS: [&str; 19] = [
    include_str!("page/words.js"),
    include_str!("page/elements.js"),
    include_str!("page/read.js"),
    include_str!("page/colours.js"),
    include_str!("page/head.js"),
    include_str!("page/findings.js"),
    include_str!("page/calls.js"),
    include_str!("page/processes.js"),
    include_str!("page/end.js"),
    include_str!("page/attached.js"),
    include_str!("page/draw.js"),
    include_str!("page/timeline.js"),
    include_str!("page/pointing.js"),
    include_str!("page/histogram.js"),
    include_str!("page/targets.js"),
    include_str!("page/flame.js"),
    include_str!("page/tree.js"),
    include_str!("page/notes.js"),
    include_str!("page/main.js"),
];

/// Writes the page of a report. `reader` has the recording if there is one process.
///
/// # Errors
/// If `out` gives one.
pub fn write(reader: Option<&Reader>, model: Model, mut out: impl Write) -> io::Result<()> {
    let mut model = Some(model);
    for (n, part) in PAGE.split("<!--").enumerate() {
        // What follows a comment's name is the page again.
        let rest = match part.split_once("-->").filter(|_| n > 0) {
            None => part,
            Some((name, rest)) => {
                match name {
                    "styles" => all(&STYLES, &mut out)?,
                    "scripts" => all(&SCRIPTS, &mut out)?,
                    "data" => {
                        let data = Data::of(reader, model.take().unwrap_or_default());
                        serde_json::to_writer(Escaped(&mut out), &data)?;
                    }
                    _ => {}
                }
                rest
            }
        };
        out.write_all(rest.as_bytes())?;
    }
    out.flush()
}

fn all(parts: &[&str], out: &mut impl Write) -> io::Result<()> {
    parts
        .iter()
        .try_for_each(|part| out.write_all(part.as_bytes()))
}

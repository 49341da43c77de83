//! Flame graphs: folded stacks, and the picture of them.

use std::io::{self, Write};

use inferno::flamegraph::{self, Options};

use super::{named::Named, tree::Tree};
use crate::text::plain;

/// Writes a line per path: its frames, and its own time in nanoseconds.
///
/// # Errors
/// If the export cannot be written.
pub fn folded(tree: &Tree, mut out: impl Write) -> io::Result<()> {
    for line in lines(tree) {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Draws the flame graph as SVG.
///
/// # Errors
/// If the export cannot be written, or if there is nothing to draw.
pub fn picture(tree: &Tree, named: &Named, mut out: impl Write) -> io::Result<()> {
    let lines = lines(tree);
    if lines.is_empty() {
        let nothing = "there is nothing to draw: no call took any time";
        return Err(io::Error::other(nothing));
    }
    let mut options = Options::default();
    options.title = format!("Native calls of {}", plain(&named.program));
    let subtitle = "own time of native functions and of callbacks, by caller";
    options.subtitle = Some(match named.is_sampled {
        true => format!("{subtitle}, estimated from a sample of the calls"),
        false => subtitle.to_owned(),
    });
    options.count_name = "ns".to_owned();
    options.name_type = "Function:".to_owned();
    // Equal recordings have equal pictures.
    options.deterministic = true;
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut out)?;
    out.flush()
}

/// The lines, sorted.
fn lines(tree: &Tree) -> Vec<String> {
    let with_time = |(_, node): &(usize, &super::tree::Node)| node.own > 0;
    let nodes = tree.nodes.iter().enumerate().filter(with_time);
    let line = |(number, node): (usize, &super::tree::Node)| {
        let names = tree.names(number).into_iter().map(frame);
        let path = names.collect::<Vec<_>>().join(";");
        format!("{path} {}", node.own)
    };
    let mut lines: Vec<String> = nodes.map(line).collect();
    lines.sort();
    lines
}

/// A name without the characters that mean something between names.
fn frame(name: &str) -> String {
    plain(name).to_string().replace(';', ",")
}

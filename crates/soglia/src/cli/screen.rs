//! The width of what is printed.

use std::{env, os::fd::AsFd};

use soglia::text::Screen;
use terminal_size::{Width, terminal_size_of};

/// The width for output to this file: `COLUMNS` if it is set, else that of the terminal. What goes
/// elsewhere, and what is to be wide, is as wide as it needs to be.
pub fn screen(wide: bool, out: impl AsFd) -> Screen {
    let asked = || env::var("COLUMNS").ok()?.parse().ok();
    let terminal = || terminal_size_of(out).map(|(Width(columns), _)| columns.into());
    let columns = match wide {
        true => None,
        false => asked().filter(|columns| *columns > 0).or_else(terminal),
    };
    Screen { columns }
}

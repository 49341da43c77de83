//! `soglia top`: a live view of a program that runs under soglia. It only reads the recording.
//!
//! | part | holds |
//! | --- | --- |
//! | `look` | what is read of the recording, again and again |
//! | `rows` | the rows of the lists, made of a look |
//! | `screen` | what is shown, and what a key does to it |
//! | `draw` | drawing it, one file a part of the screen |
//! | `choose` | the list of programs to choose from |
//! | `style` | how things look |
//! | `terminal` | the terminal, which is left as it was |
//! | `run` | the loop over keys and looks |

mod choose;
mod draw;
mod look;
mod rows;
mod run;
mod screen;
mod style;
mod terminal;

pub use choose::{choose, heading, program_line};
pub use run::{Settings, run};

//! Reports for people.
//!
//! | part | writes |
//! | --- | --- |
//! | `report` | the report of a recording, from the parts below |
//! | `processes` | the head of a report of several processes, and the list of them |
//! | `head`, `overdue`, `calls`, `last`, `failures`, `threads`, `targets` | one section each |
//! | `slots`, `notes` | the last sections |
//! | `stacks` | what every thread of a process was doing |
//! | `attached` | what is special of a process to which the engine was attached |
//! | `activities` | slow calls by route or activity |
//! | `advice` | findings, in sentences |
//! | `news` | lines about calls that miss their deadlines, while the program runs |
//! | `comparison` | the outcome of `soglia verify` |
//! | `columns` | the columns of the table of targets, as many as the screen has room for |
//! | `screen` | lines and names that fit the terminal |
//! | `frames` | managed methods and stacks as people write them |
//! | `style`, `words`, `moments`, `place`, `shown`, `cell` | what these share |

mod activities;
mod advice;
mod attached;
mod calls;
mod cell;
mod columns;
mod comparison;
mod failures;
mod frames;
mod head;
mod last;
mod moments;
mod news;
mod notes;
mod overdue;
mod place;
mod processes;
mod report;
mod screen;
mod shown;
mod slots;
mod stacks;
mod style;
mod targets;
mod threads;
mod words;

pub use advice::advice;
pub use attached::gaps;
pub use calls::given_in;
pub use cell::cell;
pub use comparison::comparison;
pub use frames::{NATIVE, frames, is_of_dotnet, method, short_method};
pub use news::{News, Newsreader};
pub use report::report;
pub use screen::Screen;
pub use shown::{By, Shown, Sort, sort};
pub use soglia_core::plain::{Plain, plain, plain_path};
pub use stacks::{Frames, ShownStacks, stacks};
pub(crate) use style::{DIM, HEAD, WARN, arrow};
pub use words::{count, signal_name, time};

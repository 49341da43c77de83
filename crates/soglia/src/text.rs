//! Reports for people.
//!
//! | part | writes |
//! | --- | --- |
//! | `report` | the report of a recording, from the parts below |
//! | `head`, `targets`, `threads`, `slots`, `overdue`, `calls`, `notes` | one section each |
//! | `news` | lines about calls that miss their deadlines, while the program runs |
//! | `comparison` | the outcome of `soglia verify` |
//! | `style`, `words`, `place`, `shown`, `cell` | what these share |

mod calls;
mod cell;
mod comparison;
mod head;
mod news;
mod notes;
mod overdue;
mod place;
mod report;
mod shown;
mod slots;
mod style;
mod targets;
mod threads;
mod words;

pub use cell::cell;
pub use comparison::comparison;
pub use news::news;
pub use report::report;
pub use shown::{Shown, Sort, sort};
pub use soglia_core::plain::{Plain, plain, plain_path};
pub use words::{count, signal_name, time};

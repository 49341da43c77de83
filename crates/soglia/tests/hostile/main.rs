//! Recordings that nobody has recorded: made to take for ever, to fill the memory, or to speak to a terminal.
//!
//! Each is made of the blocks that `docs/format.md` describes, with numbers that no program would write. Every command that reads
//! recordings gets an account of it, or says in one line why there is none, in bounded memory and time.

mod bytes;
mod counts;
mod craft;
mod files;
mod names;
mod tool;

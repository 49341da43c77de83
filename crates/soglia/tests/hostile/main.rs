//! Recordings that no program has made: they take for ever, fill the memory, or write to a
//! terminal.
//!
//! Each is made of the blocks that `docs/format.md` describes, with numbers that no program writes.
//! Every command that reads recordings reports on it, or says in one line why it cannot, in bounded
//! memory and time.

mod bytes;
mod counts;
mod craft;
mod files;
mod names;
mod tool;

//! `docs/format.md` and the bytes say the same.
//!
//! - `tables`: the numbers in the tables are those of the code.
//! - `header` and `chunks`: a change of a field, bit by bit, at the place that the document names,
//!   changes what the document says it means. No field is left out.
//! - `events` and `records`: words that are laid out as the document says are what the code writes
//!   and reads.
//! - `zeros`: what the document does not name is zero.

mod attached;
mod chunks;
mod doc;
mod events;
mod fields;
mod header;
mod parts;
mod records;
mod sample;
mod tables;
mod zeros;

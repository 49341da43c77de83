//! The recording: a file that the recorded process maps and writes in place, and that anybody may read meanwhile.
//!
//! Nothing is ever "flushed". What a thread has stored is in the page cache, and stays there when the process is killed
//! between two instructions. So every piece of it is made readable by one last store: a record by its first word, a chunk
//! by its magic, a layer by the depth. `docs/format.md` has the bytes.
//!
//! ```text
//!  block 0      block 1 ..
//! +--------+---------------------+-----------+------------------------+----
//! | Header | Log chunk           | Task chunk| Events chunk           | ...
//! |        | names, stacks, slow | layers    | 4-byte words of a task |
//! |        | calls               | slots     |                        |
//! +--------+---------------------+-----------+------------------------+----
//! ```

mod by_id;
mod bytes;
mod clocks;
pub mod ending;
pub mod events;
pub mod format;
mod guard;
pub mod identity;
pub mod life;
pub mod log;
mod mapped_account;
mod mapped_events;
mod mapped_layers;
mod more_layers;
pub mod names;
pub mod open_layers;
pub mod overdue;
mod payload;
pub mod reader;
pub mod replay;
mod room;
mod slot_table;
pub mod snapshot;
mod starter;
pub mod task_writer;
pub mod writer;

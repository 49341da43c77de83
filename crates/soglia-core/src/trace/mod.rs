//! The recording: a file that the recorded process maps and writes in place, and that other
//! processes may read meanwhile.
//!
//! The engine never flushes anything. What a thread has stored is in the page cache, and stays
//! there when the process is killed between two instructions. So one last store makes each piece
//! readable: the first word of a record, the magic of a chunk, the depth above a layer.
//! `docs/format.md` has the bytes.
//!
//! ```text
//!  block 0      block 1 ..
//! +--------+---------------------+-----------+------------------------+----
//! | Header | Log chunk           | Task chunk| Events chunk           | ...
//! |        | names, stacks, slow | layers    | 4-byte words of a task |
//! |        | calls               | slots     |                        |
//! +--------+---------------------+-----------+------------------------+----
//! ```
//!
//! The files, from the bottom to the top:
//!
//! | files | purpose |
//! | --- | --- |
//! | `format`, `events`, `payload`, `log`, `overdue`, `facts`, `failure`, `loaded`, `crash`, `attached`, `arguments` | the bytes |
//! | `identity`, `room`, `starter`, `beside` | making and claiming the file |
//! | `writer` | the recording in the recorded process: claims it, and hands out its blocks |
//! | `mapped_*`, `by_id`, `slot_table`, `task_writer` | one live task |
//! | `more_layers`, `open_layers`, `argument_places`, `open_arguments`, `life` | what other threads of that process do |
//! | `guard`, `bytes`, `clocks`, `reader` | the file in the process that reads it |
//! | `snapshot`, `names`, `ending`, `replay` | what the reader makes of it |
//! | `folder` | which recordings of a folder are kept |

pub mod argument_places;
pub mod arguments;
pub mod attached;
pub mod beside;
mod by_id;
mod bytes;
mod clocks;
pub mod crash;
pub mod ending;
pub mod events;
pub mod facts;
pub mod failure;
pub mod folder;
pub mod format;
mod guard;
pub mod identity;
pub mod life;
pub mod loaded;
pub mod log;
mod mapped_account;
mod mapped_events;
mod mapped_layers;
mod mapping;
mod more_layers;
pub mod names;
mod open_arguments;
pub mod open_layers;
pub mod overdue;
mod payload;
pub mod reader;
pub mod replay;
mod room;
mod sample;
mod sampled;
mod slot_table;
pub mod snapshot;
mod starter;
mod tables;
pub mod task_writer;
pub mod writer;

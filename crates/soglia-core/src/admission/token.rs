//! What is in the cell of a slot: who holds it.
//!
//! | bits | 63 to 42 | 41 to 22 | 21 to 1 | 0 |
//! | --- | --- | --- | --- | --- |
//! | | the thread's number | when it began | which of its takes | [`WAITED_FOR`] |

use super::proc::Thread;

/// Nobody.
pub const FREE: u64 = 0;
/// Beside a task's: somebody waits in line, so that the slot must be given to the first there.
pub const WAITED_FOR: u64 = 1;

const NUMBER: u32 = 42;
const BEGAN: u32 = 22;
/// Linux has no number of 23 bits.
const NUMBERS: u64 = (1 << 22) - 1;
const TIMES: u64 = Thread::TIMES as u64 - 1;
const TAKES: u64 = (1 << 21) - 1;

/// A task's; of no two slots at a time the same, unless one of them was lent.
#[inline]
pub const fn of(thread: Thread, take: u32) -> u64 {
    (thread.number as u64 & NUMBERS) << NUMBER
        | (thread.began as u64 & TIMES) << BEGAN
        | (take as u64 & TAKES) << 1
}

/// The thread of the task whose this is, with or without the mark. `None`: nobody's.
pub const fn thread(word: u64) -> Option<Thread> {
    match word >> NUMBER {
        0 => None,
        number => Some(Thread {
            number: number as u32,
            began: (word >> BEGAN & TIMES) as u32,
        }),
    }
}

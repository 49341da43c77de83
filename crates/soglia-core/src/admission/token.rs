//! The word in the cell of a slot: it says who holds the slot.
//!
//! | bits | 63 to 42 | 41 to 22 | 21 to 1 | 0 |
//! | --- | --- | --- | --- | --- |
//! | | the thread's number | when it began | which of its takes | [`WAITED_FOR`] |

use super::proc::Thread;

/// No task holds the slot.
pub const FREE: u64 = 0;
/// A mark beside a task's token: tasks wait in line, so the slot must be given to the first of
/// them.
pub const WAITED_FOR: u64 = 1;

const NUMBER: u32 = 42;
const BEGAN: u32 = 22;
/// Linux gives no numbers of 23 bits.
const NUMBERS: u64 = (1 << 22) - 1;
const TIMES: u64 = Thread::TIMES as u64 - 1;
const TAKES: u64 = (1 << 21) - 1;

/// The token of a task. No two slots have the same at a time, unless one of them was lent.
#[inline]
pub const fn of(thread: Thread, take: u32) -> u64 {
    (thread.number as u64 & NUMBERS) << NUMBER
        | (thread.began as u64 & TIMES) << BEGAN
        | (take as u64 & TAKES) << 1
}

/// The thread of the task that has this token, with or without the mark. Returns `None` if no task
/// has it.
pub const fn thread(word: u64) -> Option<Thread> {
    match word >> NUMBER {
        0 => None,
        number => Some(Thread {
            number: number as u32,
            began: (word >> BEGAN & TIMES) as u32,
        }),
    }
}

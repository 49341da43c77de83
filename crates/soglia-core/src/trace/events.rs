//! Events: every crossing of a task, in 4-byte words.
//!
//! A chunk of events is a run of words that ends at its first zero. The low three bits of a word tell its kind:
//!
//! | kind | upper 29 bits | followed by |
//! | --- | --- | --- |
//! | 0 in a word that is not 0: either of the next, in short | 1 bit which, 10 bits the target's number (not 0), 18 bits ticks | |
//! | 1 LeaveRuntime, 3 ReverseEnterRuntime | ticks since the last crossing | a word: the target's number |
//! | 2 EnterRuntime, 4 ReverseLeaveRuntime: closes the innermost layer | ticks since the last crossing | |
//! | 5 unwound | that many of the innermost layers are gone | |
//! | 6 later | ticks / 2^29 to add to the next crossing's | |
//! | 7 rare | 3 bits which, 26 bits ticks / 2^32 | a word: the lower 32 bits of the ticks; if a call was refused, then a word: the target's number |
//!
//! Of what is rare, 1 to 4 are returns of that crossing without a call, 5 is the end of the innermost call by an exception, 6 a refused call.
//!
//! A call and its return are 8 bytes, or 12 where the target's number or the time since the last crossing is large. The
//! word with the kind is stored after the words that follow it, so a reader never sees half a record.

use crate::crossing::Crossing;

/// Bits of a word that tell its kind.
pub const KIND_BITS: u32 = 3;
/// Ticks that fit into a crossing's own word.
pub const TICK_BITS: u32 = 29;
/// The most words that one crossing needs: `later`, its own and the target; or unwound, `later` and its own.
pub const MOST_WORDS: usize = 3;

/// Bits of a short word for its target and its ticks.
const SHORT_TARGET_BITS: u32 = 10;
const SHORT_TICK_BITS: u32 = 18;

/// The one word for an opening crossing, if it fits into one. `target` is not 0.
#[inline]
pub const fn short(crossing: Crossing, target: u32, ticks: u64) -> Option<u32> {
    if target >> SHORT_TARGET_BITS != 0 || ticks >> SHORT_TICK_BITS != 0 {
        return None;
    }
    let side = crossing.side() as u32;
    let body = side | target << 1 | (ticks as u32) << (1 + SHORT_TARGET_BITS);
    Some(body << KIND_BITS)
}

/// Kind 5.
pub const UNWOUND: u32 = 5;
/// Kind 6.
pub const LATER: u32 = 6;
/// Kind 7: what it is stands above, or a crossing that was an unmatched return.
pub const RARE: u32 = 7;
/// Of kind 7: the innermost call ended by an exception.
pub const FAILED: u32 = 5;
/// Of kind 7: a policy refused a call.
pub const REFUSED: u32 = 6;

/// One record of a task's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A layer is opened.
    Open(Crossing, u32),
    /// The innermost layer is closed.
    Close(Crossing),
    /// That many of the innermost layers are gone.
    Unwound(u32),
    /// A return without a call.
    Unmatched(Crossing),
    /// The innermost layer is closed by an exception.
    Failed,
    /// A policy refused a call of this target.
    Refused(u32),
}

/// Reads events off the words of a chunk.
pub struct Words<F> {
    word: F,
    at: usize,
    /// Ticks of the last crossing.
    pub ticks: u64,
}

impl<F: Fn(usize) -> u32> Words<F> {
    /// `word` gives the n-th word, and 0 beyond the last.
    pub const fn new(word: F, base_ticks: u64) -> Self {
        Self {
            word,
            at: 0,
            ticks: base_ticks,
        }
    }
}

impl<F: Fn(usize) -> u32> Iterator for Words<F> {
    type Item = Event;

    #[inline]
    fn next(&mut self) -> Option<Event> {
        loop {
            let word = (self.word)(self.at);
            let (kind, value) = (word & ((1 << KIND_BITS) - 1), word >> KIND_BITS);
            match kind {
                0 if word != 0 => {
                    self.at += 1;
                    let crossing = if value & 1 == 0 {
                        Crossing::LeaveRuntime
                    } else {
                        Crossing::ReverseEnterRuntime
                    };
                    let target = value >> 1 & ((1 << SHORT_TARGET_BITS) - 1);
                    let ticks = value >> (1 + SHORT_TARGET_BITS);
                    self.ticks = self.ticks.wrapping_add(u64::from(ticks));
                    return Some(Event::Open(crossing, target));
                }
                1 | 3 => {
                    let target = (self.word)(self.at + 1);
                    self.at += 2;
                    self.ticks = self.ticks.wrapping_add(u64::from(value));
                    return Some(Event::Open(Crossing::from_number(kind)?, target));
                }
                2 | 4 => {
                    self.at += 1;
                    self.ticks = self.ticks.wrapping_add(u64::from(value));
                    return Some(Event::Close(Crossing::from_number(kind)?));
                }
                UNWOUND => {
                    self.at += 1;
                    return Some(Event::Unwound(value));
                }
                LATER => {
                    self.at += 1;
                    self.ticks = self.ticks.wrapping_add(u64::from(value) << TICK_BITS);
                }
                RARE => {
                    let low = (self.word)(self.at + 1);
                    self.at += 2;
                    self.ticks = self
                        .ticks
                        .wrapping_add(u64::from(value >> 3) << 32 | u64::from(low));
                    return Some(match value & 7 {
                        FAILED => Event::Failed,
                        REFUSED => {
                            self.at += 1;
                            Event::Refused((self.word)(self.at - 1))
                        }
                        crossing => Event::Unmatched(Crossing::from_number(crossing)?),
                    });
                }
                _ => return None,
            }
        }
    }
}

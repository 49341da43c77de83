//! Events: every crossing of a task, in 4-byte words.
//!
//! A chunk of events is a run of words that ends at its first zero. The low three bits of a word
//! are its kind:
//!
//! | kind | upper 29 bits | words that follow |
//! | --- | --- | --- |
//! | 0, in a word that is not 0: 1 or 3, in short | 1 bit side, 10 bits target (not 0), 18 bits ticks | |
//! | 1 `LeaveRuntime`, 3 `ReverseEnterRuntime` | ticks since the last crossing | the target's number |
//! | 2 `EnterRuntime`, 4 `ReverseLeaveRuntime` | ticks since the last crossing | |
//! | 5 unwound | how many of the innermost layers are gone | |
//! | 6 later | ticks / 2^29, added to those of the next crossing | |
//! | 7 rare | 3 bits which, 26 bits ticks / 2^32 | the lower 32 bits of the ticks |
//!
//! Kinds 2 and 4 close the innermost layer. Of kind 7, 1 to 4 are returns of that crossing without
//! a call, 5 is the end of the innermost call by an exception, and 6 is a denied call, which has a
//! third word with the target's number.
//!
//! A call and its return take 8 bytes, or 12 where the target's number or the time since the last
//! crossing is large. The writer stores the word with the kind after the words that follow it, so a
//! reader never sees half a record.

use crate::crossing::Crossing;

/// Bits of a word that hold its kind.
pub const KIND_BITS: u32 = 3;
/// Ticks that fit into a crossing's own word.
pub const TICK_BITS: u32 = 29;
/// The most words that one crossing needs: `later`, its own and the target; or `unwound`, `later`
/// and its own.
pub const MOST_WORDS: usize = 3;

/// Bits of a short word for its target and for its ticks.
const SHORT_TARGET_BITS: u32 = 10;
const SHORT_TICK_BITS: u32 = 18;

/// The short word for an opening crossing, or `None` if the crossing does not fit into one.
/// `target` is not 0.
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
/// Kind 7. The bits above say what it is: one of the next, or a crossing that was an unmatched
/// return.
pub const RARE: u32 = 7;
/// Of kind 7: the innermost call ended by an exception.
pub const FAILED: u32 = 5;
/// Of kind 7: a policy denied a call.
pub const REFUSED: u32 = 6;

/// One record of a task's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A layer opens, of this target.
    Open(Crossing, u32),
    /// The innermost layer closes.
    Close(Crossing),
    /// So many of the innermost layers are gone.
    Unwound(u32),
    /// A return without a call.
    Unmatched(Crossing),
    /// An exception closes the innermost layer.
    Failed,
    /// A policy denied a call of this target.
    Refused(u32),
}

/// Reads events from the words of a chunk.
pub struct Words<F> {
    word: F,
    at: usize,
    /// Ticks of the last crossing.
    pub ticks: u64,
}

impl<F: Fn(usize) -> u32> Words<F> {
    /// `word` returns the word with this index, and 0 beyond the last one.
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

//! The record about how a process was ended, which its starter appends to the log afterwards.

use super::payload::{Decoder, Encoder};

/// How a process was ended by a signal, as far as the kernel says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crash {
    /// The operating system's number of the thread that ended it; 0: not known.
    pub os_thread: u32,
    /// The kernel ended it because memory had run out.
    pub out_of_memory: bool,
    /// The address that the thread wanted to use and could not.
    pub address: Option<u64>,
    /// The address of the instruction.
    pub instruction: Option<u64>,
    /// The file of the instruction.
    pub file: Option<String>,
    /// The address of the instruction as the file has it.
    pub offset: Option<u64>,
    /// The function that it is in, with the distance from its begin: `f+0x10`.
    pub symbol: Option<String>,
}

const NONE: u64 = u64::MAX;

impl Crash {
    pub(super) fn encode(&self, to: &mut Encoder) {
        to.word(self.os_thread)
            .word(self.out_of_memory.into())
            .long(self.address.unwrap_or(NONE))
            .long(self.instruction.unwrap_or(NONE))
            .option(self.file.as_deref())
            .long(self.offset.unwrap_or(NONE))
            .option(self.symbol.as_deref());
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        let known = |number: u64| (number != NONE).then_some(number);
        Some(Self {
            os_thread: from.word()?,
            out_of_memory: from.word()? & 1 != 0,
            address: known(from.long()?),
            instruction: known(from.long()?),
            file: from.option()?,
            offset: known(from.long()?),
            symbol: from.option()?,
        })
    }
}

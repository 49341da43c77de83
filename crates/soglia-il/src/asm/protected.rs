//! Protected blocks and their handlers.

use soglia_abi::ids::MdToken;

use super::code::{Block, Code};
use crate::opcode::{ENDFAULT, wide::RETHROW};

/// A protected block that is not ended yet.
#[derive(Debug)]
#[must_use = "a block that is not ended protects nothing"]
pub struct Try {
    start: usize,
}

/// A handler that is not ended yet.
#[derive(Debug)]
#[must_use = "a handler that is not ended protects nothing"]
pub struct Fault {
    start: usize,
    handler: usize,
}

impl Code {
    /// Begins a protected block. The stack must be empty.
    pub fn begin_try(&mut self) -> Try {
        self.odd |= self.depth != Some(0);
        self.open += 1;
        Try {
            start: self.bytes.len(),
        }
    }

    /// Begins a fault handler, which runs when an exception leaves the block.
    /// The code must have left the block before.
    pub fn begin_fault(&mut self, block: Try) -> Fault {
        self.odd |= self.depth.is_some();
        self.depth = Some(0);
        Fault {
            start: block.start,
            handler: self.bytes.len(),
        }
    }

    /// Ends a fault handler with `endfault`.
    ///
    /// An inner block must be ended before an outer one: the CLR wants them in this order.
    pub fn end_fault(&mut self, block: Fault) {
        self.byte(ENDFAULT, 0, 0);
        self.never_goes_on(true);
        self.end_block(block, None);
    }

    /// Begins a handler that catches. The exception is on the stack.
    ///
    /// [`Code::leave`] or [`Code::rethrow`] leaves the handler.
    pub fn begin_catch(&mut self, block: Try) -> Fault {
        let fault = self.begin_fault(block);
        self.stack(0, 1);
        fault
    }

    /// Ends a handler that catches objects of `class`. The code must have left it before.
    pub fn end_catch(&mut self, block: Fault, class: MdToken) {
        self.odd |= self.depth.is_some();
        self.end_block(block, Some(class));
    }

    fn end_block(&mut self, Fault { start, handler }: Fault, catches: Option<MdToken>) {
        self.open -= 1;
        self.blocks.push(Block {
            start,
            handler,
            end: self.bytes.len(),
            catches,
        });
    }

    /// Throws the caught exception again.
    pub fn rethrow(&mut self) {
        self.wide(RETHROW, 0, 0);
        self.never_goes_on(true);
    }
}

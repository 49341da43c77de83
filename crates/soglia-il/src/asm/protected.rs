//! Protected blocks, and their handlers.

use soglia_abi::ids::MdToken;

use super::{Code, op};

/// A protected block whose end is not there yet.
#[derive(Debug)]
#[must_use = "a block that is not ended protects nothing"]
pub struct Try {
    start: usize,
}

/// A fault handler whose end is not there yet.
#[derive(Debug)]
#[must_use = "a handler that is not ended protects nothing"]
pub struct Fault {
    start: usize,
    handler: usize,
}

/// A protected block and its handler, complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clause {
    pub(super) start: usize,
    pub(super) handler: usize,
    pub(super) end: usize,
    /// What it catches; `None`: it is a fault handler.
    pub(super) catches: Option<MdToken>,
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

    /// Begins the handler. The protected block is left before.
    pub fn begin_fault(&mut self, block: Try) -> Fault {
        self.odd |= self.depth.is_some();
        self.depth = Some(0);
        Fault {
            start: block.start,
            handler: self.bytes.len(),
        }
    }

    /// Ends the handler: `endfault`. Inner blocks end before outer ones, which is the order that the CLR wants them in.
    pub fn end_fault(&mut self, block: Fault) {
        self.byte(op::ENDFAULT, 0, 0);
        self.never_goes_on(true);
        self.open -= 1;
        self.clauses.push(Clause {
            start: block.start,
            handler: block.handler,
            end: self.bytes.len(),
            catches: None,
        });
    }

    /// Begins a handler that catches objects of this class: one is on the stack. It is left by [`Code::leave`] or [`Code::rethrow`].
    pub fn begin_catch(&mut self, block: Try) -> Fault {
        let fault = self.begin_fault(block);
        self.stack(0, 1);
        fault
    }

    /// Ends such a handler.
    pub fn end_catch(&mut self, block: Fault, class: MdToken) {
        self.odd |= self.depth.is_some();
        self.open -= 1;
        self.clauses.push(Clause {
            start: block.start,
            handler: block.handler,
            end: self.bytes.len(),
            catches: Some(class),
        });
    }

    /// Throws what was caught once more.
    pub fn rethrow(&mut self) {
        self.byte(op::WIDE, 0, 0);
        self.bytes.push(op::WIDE_RETHROW);
        self.never_goes_on(true);
    }
}

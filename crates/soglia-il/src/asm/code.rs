//! Code in the making, and the depth of the evaluation stack.

use soglia_abi::ids::MdToken;

use super::label::{Label, Place};
use crate::opcode::WIDE;

/// The code of a method in the making.
#[derive(Debug, Default)]
pub struct Code {
    pub(super) bytes: Vec<u8>,
    pub(super) places: Vec<Place>,
    /// Distances to fill in: where, and to which label. They are counted from behind themselves.
    pub(super) branches: Vec<(usize, Label)>,
    pub(super) blocks: Vec<Block>,
    /// Protected blocks that are not ended yet.
    pub(super) open: u32,
    /// How many things are on the stack; `None` behind an instruction that always goes elsewhere.
    pub(super) depth: Option<u32>,
    deepest: u32,
    /// How many things lay on the stack before the code.
    pub(super) below: u32,
    /// Something does not balance: there will be no body.
    pub(super) odd: bool,
}

/// A protected block and its handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) start: usize,
    pub(super) handler: usize,
    pub(super) end: usize,
    /// The class that the handler catches; `None` for a fault handler.
    pub(super) catches: Option<MdToken>,
}

impl Code {
    /// Starts with no code and an empty stack.
    pub fn new() -> Self {
        Self {
            depth: Some(0),
            ..Self::default()
        }
    }

    /// Starts with no code, and with so many things on the stack.
    pub fn above(things: u32) -> Self {
        Self {
            depth: Some(things),
            deepest: things,
            below: things,
            ..Self::default()
        }
    }

    /// The instructions so far, with empty distances of branches.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The greatest depth of the stack so far; `None` if it is more than a header can say.
    pub(super) fn deepest(&self) -> Option<u16> {
        self.deepest.try_into().ok()
    }

    /// Notes how many things an instruction takes from the stack, and then puts there.
    pub(super) fn stack(&mut self, takes: u32, puts: u32) {
        match self.depth.and_then(|depth| depth.checked_sub(takes)) {
            Some(left) => {
                let depth = left.saturating_add(puts);
                self.deepest = self.deepest.max(depth);
                self.depth = Some(depth);
            }
            None => self.odd = true,
        }
    }

    /// Notes that the instruction before always goes elsewhere. Some must leave the stack empty.
    pub(super) fn never_goes_on(&mut self, empty: bool) {
        self.odd |= empty && self.depth != Some(0);
        self.depth = None;
    }

    pub(super) fn byte(&mut self, opcode: u8, takes: u32, puts: u32) {
        self.stack(takes, puts);
        self.bytes.push(opcode);
    }

    pub(super) fn wide(&mut self, second: u8, takes: u32, puts: u32) {
        self.byte(WIDE, takes, puts);
        self.bytes.push(second);
    }

    pub(super) fn with_token(&mut self, opcode: u8, token: MdToken, takes: u32, puts: u32) {
        self.byte(opcode, takes, puts);
        self.bytes.extend(token.0.to_le_bytes());
    }
}

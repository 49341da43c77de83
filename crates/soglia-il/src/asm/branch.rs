//! Labels and branches.

use super::{
    code::Code,
    label::{Label, Place},
};
use crate::opcode::{BGE, BR, BRFALSE, BRTRUE, LEAVE};

impl Code {
    /// A new label, which is not placed yet.
    pub fn label(&mut self) -> Label {
        self.places.push(Place::default());
        Label(self.places.len() - 1)
    }

    /// Puts a label here. A label can be placed once.
    pub fn place(&mut self, label: Label) {
        self.meet(label);
        let at = &mut self.places[label.0].at;
        self.odd |= at.is_some();
        *at = Some(self.bytes.len());
        // Behind a branch that is always taken, the depth is that of the branches that lead here.
        self.depth = self.depth.or(self.places[label.0].depth);
    }

    /// Notes that the code goes on at a label from here.
    /// The stack must be equally deep there on all ways.
    fn meet(&mut self, label: Label) {
        if let Some(depth) = self.depth {
            let there = *self.places[label.0].depth.get_or_insert(depth);
            self.odd |= there != depth;
        }
    }

    fn branch(&mut self, opcode: u8, label: Label, takes: u32) {
        self.byte(opcode, takes, 0);
        self.meet(label);
        self.branches.push((self.bytes.len(), label));
        self.bytes.extend([0; 4]);
    }

    /// Branches always.
    pub fn br(&mut self, label: Label) {
        self.branch(BR, label, 0);
        self.never_goes_on(false);
    }

    /// Branches if the top of the stack is zero.
    pub fn brfalse(&mut self, label: Label) {
        self.branch(BRFALSE, label, 1);
    }

    /// Branches if the top of the stack is not zero.
    pub fn brtrue(&mut self, label: Label) {
        self.branch(BRTRUE, label, 1);
    }

    /// Branches if the number below the top of the stack is not less than the top.
    pub fn bge(&mut self, label: Label) {
        self.branch(BGE, label, 2);
    }

    /// Leaves a protected block or a handler that catches. The stack is emptied.
    pub fn leave(&mut self, label: Label) {
        self.stack(self.depth.unwrap_or(0), 0);
        self.branch(LEAVE, label, 0);
        self.never_goes_on(true);
    }
}

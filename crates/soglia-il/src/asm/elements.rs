//! Instructions on elements of arrays and fields of objects, and code that goes in front of a body.

use soglia_abi::ids::MdToken;

use super::{Code, offset};

const SUB: u8 = 0x59;
const STFLD: u8 = 0x7D;
const LDELEM_I4: u8 = 0x94;
const LDELEM_I: u8 = 0x97;

impl Code {
    /// Subtracts.
    pub fn sub(&mut self) {
        self.byte(SUB, 2, 1);
    }

    /// Stores into a field of an object.
    pub fn stfld(&mut self, field: MdToken) {
        self.with_token(STFLD, field, 2, 0);
    }

    /// Loads an element of an array of `int32`.
    pub fn ldelem_i4(&mut self) {
        self.byte(LDELEM_I4, 2, 1);
    }

    /// Loads an element of an array of native ints.
    pub fn ldelem_i(&mut self) {
        self.byte(LDELEM_I, 2, 1);
    }

    /// The instructions so far, whose branches lead nowhere yet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The instructions, to be put in front of others, and the stack that they need. `None` as for [`Code::finish`], or if something is
    /// left on the stack, or protected.
    pub fn finish_prefix(mut self) -> Option<(Vec<u8>, u16)> {
        if self.odd || self.open != 0 || self.depth != Some(0) || !self.clauses.is_empty() {
            return None;
        }
        for (at, label) in std::mem::take(&mut self.branches) {
            let (to, from) = (offset(self.places[label.0].at?)?, offset(at + 4)?);
            let distance = to.cast_signed().checked_sub(from.cast_signed())?;
            self.bytes[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        Some((self.bytes, u16::try_from(self.deepest).ok()?))
    }
}

//! Method bodies: a small assembler (ECMA-335, II.25.4 and III), and on it the bodies of wrappers.
//!
//! A body is a header of 12 bytes, the code, and where something is protected a section of clauses, aligned to 4:
//!
//! | header | 0..2 | 2..4 | 4..8 | 8..12 |
//! | --- | --- | --- | --- | --- |
//! | | flags, and the header's own size (3 words) above bit 12 | greatest stack | bytes of code | token of the locals, or 0 |
//!
//! | section | 0 | 1..4 | then 24 for each clause |
//! | --- | --- | --- | --- |
//! | | `0x41`: clauses, in wide form | bytes, these 4 included | kind, try: start and length, handler: start and length, class or 0 |
//!
//! The assembler follows the evaluation stack, so that the header tells no guess, and gives no body where it does not
//! come out even: the CLR would find out only when the method is called, inside the recorded program.

mod elements;
mod protected;
mod wrappers;

use soglia_abi::ids::MdToken;

use protected::Clause;
pub use wrappers::{Hook, Pair};

/// Flags of the header: wide form, a section follows, locals begin as zero.
const FAT: u16 = 0x3;
const MORE_SECTIONS: u16 = 0x8;
const INIT_LOCALS: u16 = 0x10;
/// The header's own size in words of 4 bytes, and in bytes.
const HEADER_WORDS: u16 = 3;
const HEADER: usize = 12;
/// A section of clauses in wide form, and what a clause takes there.
const CLAUSES: u32 = 0x41;
const CLAUSE: usize = 24;
/// A clause whose handler runs when an exception flies through, and only then.
const FAULT: u32 = 4;
/// A clause whose handler takes exceptions of a class.
const CATCH: u32 = 0;

mod op {
    pub const LDARG_0: u8 = 0x02;
    pub const LDLOC_0: u8 = 0x06;
    pub const STLOC_0: u8 = 0x0A;
    pub const LDARG_S: u8 = 0x0E;
    pub const STARG_S: u8 = 0x10;
    pub const LDLOC_S: u8 = 0x11;
    pub const STLOC_S: u8 = 0x13;
    pub const LDC_I4_0: u8 = 0x16;
    pub const LDC_I4_S: u8 = 0x1F;
    pub const LDC_I4: u8 = 0x20;
    pub const LDC_I8: u8 = 0x21;
    pub const DUP: u8 = 0x25;
    pub const POP: u8 = 0x26;
    pub const CALL: u8 = 0x28;
    pub const CALLI: u8 = 0x29;
    pub const RET: u8 = 0x2A;
    pub const BR: u8 = 0x38;
    pub const BRFALSE: u8 = 0x39;
    pub const BRTRUE: u8 = 0x3A;
    pub const BGE: u8 = 0x3C;
    pub const LDIND_U1: u8 = 0x47;
    pub const LDIND_I: u8 = 0x4D;
    pub const ADD: u8 = 0x58;
    pub const AND: u8 = 0x5F;
    pub const SHR_UN: u8 = 0x64;
    pub const CONV_I4: u8 = 0x69;
    pub const CONV_U8: u8 = 0x6E;
    pub const CALLVIRT: u8 = 0x6F;
    pub const LDSTR: u8 = 0x72;
    pub const NEWOBJ: u8 = 0x73;
    pub const ISINST: u8 = 0x75;
    pub const THROW: u8 = 0x7A;
    pub const LDFLD: u8 = 0x7B;
    pub const BOX: u8 = 0x8C;
    pub const LDELEM_U1: u8 = 0x91;
    pub const LDTOKEN: u8 = 0xD0;
    pub const CONV_I: u8 = 0xD3;
    pub const ENDFAULT: u8 = 0xDC;
    pub const LEAVE: u8 = 0xDD;
    pub const STIND_I: u8 = 0xDF;
    pub const WIDE: u8 = 0xFE;
    pub const WIDE_CEQ: u8 = 0x01;
    pub const WIDE_LDARG: u8 = 0x09;
    pub const WIDE_LDLOC: u8 = 0x0C;
    pub const WIDE_STLOC: u8 = 0x0E;
    pub const WIDE_LOCALLOC: u8 = 0x0F;
    pub const WIDE_RETHROW: u8 = 0x1A;
}

/// A place in the code to branch to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// Where a label is, and how deep the stack is there, as far as both are known.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    at: Option<usize>,
    depth: Option<u32>,
}

/// A method's code in the making.
#[derive(Debug, Default)]
pub struct Code {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// Distances to fill in: where, and to which label. They are counted from behind themselves.
    branches: Vec<(usize, Label)>,
    clauses: Vec<Clause>,
    open: u32,
    /// On the evaluation stack now; `None` behind an instruction that never goes on.
    depth: Option<u32>,
    deepest: u32,
    odd: bool,
}

impl Code {
    /// No code yet.
    pub fn new() -> Self {
        Self {
            depth: Some(0),
            ..Self::default()
        }
    }

    /// What an instruction takes from the stack and puts there.
    fn stack(&mut self, takes: u32, puts: u32) {
        match self.depth.and_then(|depth| depth.checked_sub(takes)) {
            Some(left) => {
                let depth = left.saturating_add(puts);
                self.deepest = self.deepest.max(depth);
                self.depth = Some(depth);
            }
            None => self.odd = true,
        }
    }

    fn byte(&mut self, opcode: u8, takes: u32, puts: u32) {
        self.stack(takes, puts);
        self.bytes.push(opcode);
    }

    fn with_token(&mut self, opcode: u8, token: MdToken, takes: u32, puts: u32) {
        self.byte(opcode, takes, puts);
        self.bytes.extend(token.0.to_le_bytes());
    }

    /// The four short forms, the one with a byte, the one with two.
    fn numbered(&mut self, forms: (u8, u8, u8), number: u16, takes: u32, puts: u32) {
        self.stack(takes, puts);
        match u8::try_from(number) {
            Ok(number @ 0..4) => self.bytes.push(forms.0 + number),
            Ok(number) => self.bytes.extend([forms.1, number]),
            Err(_) => {
                self.bytes.extend([op::WIDE, forms.2]);
                self.bytes.extend(number.to_le_bytes());
            }
        }
    }

    /// Loads an argument.
    pub fn ldarg(&mut self, number: u16) {
        self.numbered((op::LDARG_0, op::LDARG_S, op::WIDE_LDARG), number, 0, 1);
    }

    /// Loads a local variable.
    pub fn ldloc(&mut self, number: u16) {
        self.numbered((op::LDLOC_0, op::LDLOC_S, op::WIDE_LDLOC), number, 0, 1);
    }

    /// Stores into a local variable.
    pub fn stloc(&mut self, number: u16) {
        self.numbered((op::STLOC_0, op::STLOC_S, op::WIDE_STLOC), number, 1, 0);
    }

    /// Stores into an argument, one of the first 256.
    pub fn starg(&mut self, number: u8) {
        self.byte(op::STARG_S, 1, 0);
        self.bytes.push(number);
    }

    /// Takes memory from the method's frame: so many bytes. Nothing else may be on the stack.
    pub fn localloc(&mut self, bytes: i32) {
        self.odd |= self.depth != Some(0);
        self.ldc_i4(bytes);
        self.byte(op::WIDE, 1, 1);
        self.bytes.push(op::WIDE_LOCALLOC);
    }

    /// Stores a native int; its address is below it.
    pub fn stind_i(&mut self) {
        self.byte(op::STIND_I, 2, 0);
    }

    /// Loads a native int from an address.
    pub fn ldind_i(&mut self) {
        self.byte(op::LDIND_I, 1, 1);
    }

    /// Loads a byte from an address.
    pub fn ldind_u1(&mut self) {
        self.byte(op::LDIND_U1, 1, 1);
    }

    /// Adds.
    pub fn add(&mut self) {
        self.byte(op::ADD, 2, 1);
    }

    /// The bits that both have.
    pub fn and(&mut self) {
        self.byte(op::AND, 2, 1);
    }

    /// Shifts the lower one right by the upper one.
    pub fn shr_un(&mut self) {
        self.byte(op::SHR_UN, 2, 1);
    }

    /// Loads a byte of an array; its place is above it.
    pub fn ldelem_u1(&mut self) {
        self.byte(op::LDELEM_U1, 2, 1);
    }

    /// Whether two are equal.
    pub fn ceq(&mut self) {
        self.byte(op::WIDE, 2, 1);
        self.bytes.push(op::WIDE_CEQ);
    }

    /// Loads a field of an object.
    pub fn ldfld(&mut self, field: MdToken) {
        self.with_token(op::LDFLD, field, 1, 1);
    }

    /// Makes none of an object that is of another class.
    pub fn isinst(&mut self, class: MdToken) {
        self.with_token(op::ISINST, class, 1, 1);
    }

    /// Loads the handle of a type.
    pub fn ldtoken(&mut self, of: MdToken) {
        self.with_token(op::LDTOKEN, of, 0, 1);
    }

    /// Makes an object of a value of this type.
    pub fn boxed(&mut self, of: MdToken) {
        self.with_token(op::BOX, of, 1, 1);
    }

    /// Code of another body, which leaves something on the stack, or nothing.
    pub fn inlined(&mut self, code: &[u8], stack: u16, puts: u32) {
        self.stack(0, stack.into());
        self.stack(stack.into(), puts);
        self.bytes.extend(code);
    }

    /// Goes on as another body, all of it: that one returns.
    pub fn goes_on_as(&mut self, code: &[u8], stack: u16) {
        self.inlined(code, stack, 0);
        self.never_goes_on(true);
    }

    /// Loads an `int32`.
    pub fn ldc_i4(&mut self, number: i32) {
        self.stack(0, 1);
        match i8::try_from(number) {
            // -1 is the one before 0.
            Ok(small @ -1..=8) => self.bytes.push(op::LDC_I4_0.wrapping_add_signed(small)),
            Ok(small) => self.bytes.extend([op::LDC_I4_S, small.cast_unsigned()]),
            Err(_) => {
                self.bytes.push(op::LDC_I4);
                self.bytes.extend(number.to_le_bytes());
            }
        }
    }

    /// Loads an `int64`.
    pub fn ldc_i8(&mut self, number: i64) {
        self.byte(op::LDC_I8, 0, 1);
        self.bytes.extend(number.to_le_bytes());
    }

    /// Makes a native int.
    pub fn conv_i(&mut self) {
        self.byte(op::CONV_I, 1, 1);
    }

    /// Makes an `int32`.
    pub fn conv_i4(&mut self) {
        self.byte(op::CONV_I4, 1, 1);
    }

    /// Makes an `int64`; an `int32` has no sign for it.
    pub fn conv_u8(&mut self) {
        self.byte(op::CONV_U8, 1, 1);
    }

    /// Calls a method.
    pub fn call(&mut self, method: MdToken, args: u16, returns: bool) {
        self.with_token(op::CALL, method, args.into(), returns.into());
    }

    /// Calls a function pointer that is on the stack, above the arguments.
    pub fn calli(&mut self, signature: MdToken, args: u16, returns: bool) {
        let takes = u32::from(args) + 1;
        self.with_token(op::CALLI, signature, takes, returns.into());
    }

    /// Calls a virtual method.
    pub fn callvirt(&mut self, method: MdToken, args: u16, returns: bool) {
        self.with_token(op::CALLVIRT, method, args.into(), returns.into());
    }

    /// Loads what is on top once more.
    pub fn dup(&mut self) {
        self.byte(op::DUP, 1, 2);
    }

    /// Drops what is on top.
    pub fn pop(&mut self) {
        self.byte(op::POP, 1, 0);
    }

    /// Loads a string of the module.
    pub fn ldstr(&mut self, string: MdToken) {
        self.with_token(op::LDSTR, string, 0, 1);
    }

    /// Makes an object.
    pub fn newobj(&mut self, constructor: MdToken, args: u16) {
        self.with_token(op::NEWOBJ, constructor, args.into(), 1);
    }

    /// Throws. What is below on the stack is gone.
    pub fn throw(&mut self) {
        self.byte(op::THROW, 1, 0);
        self.never_goes_on(false);
    }

    /// Returns.
    pub fn ret(&mut self, returns: bool) {
        self.byte(op::RET, returns.into(), 0);
        self.never_goes_on(true);
    }

    /// The instruction before goes elsewhere always. Some may leave nothing on the stack.
    fn never_goes_on(&mut self, empty: bool) {
        self.odd |= empty && self.depth != Some(0);
        self.depth = None;
    }

    /// A label that is nowhere yet.
    pub fn label(&mut self) -> Label {
        self.places.push(Place::default());
        Label(self.places.len() - 1)
    }

    /// Puts a label here.
    pub fn place(&mut self, label: Label) {
        self.meet(label);
        let at = &mut self.places[label.0].at;
        self.odd |= at.is_some();
        *at = Some(self.bytes.len());
        // Behind a branch that is always taken, what is known comes from those that lead here.
        self.depth = self.depth.or(self.places[label.0].depth);
    }

    /// The stack is as deep at a label, from wherever one comes.
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
        self.branch(op::BR, label, 0);
        self.never_goes_on(false);
    }

    /// Branches if what is on the stack is zero.
    pub fn brfalse(&mut self, label: Label) {
        self.branch(op::BRFALSE, label, 1);
    }

    /// Branches if what is on the stack is not zero.
    pub fn brtrue(&mut self, label: Label) {
        self.branch(op::BRTRUE, label, 1);
    }

    /// Branches if the one below is not less than the one above it.
    pub fn bge(&mut self, label: Label) {
        self.branch(op::BGE, label, 2);
    }

    /// Leaves a protected block. What was on the stack is gone.
    pub fn leave(&mut self, label: Label) {
        self.stack(self.depth.unwrap_or(0), 0);
        self.branch(op::LEAVE, label, 0);
        self.never_goes_on(true);
    }

    /// The body. `None` if the stack does not come out even or is too deep, a label is nowhere, a block is not ended.
    pub fn finish(mut self, locals: Option<MdToken>) -> Option<Vec<u8>> {
        if self.odd || self.open != 0 || self.depth.is_some() {
            return None;
        }
        for (at, label) in std::mem::take(&mut self.branches) {
            let (to, from) = (offset(self.places[label.0].at?)?, offset(at + 4)?);
            let distance = to.cast_signed().checked_sub(from.cast_signed())?;
            self.bytes[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        let mut flags = FAT | HEADER_WORDS << 12;
        if locals.is_some() {
            flags |= INIT_LOCALS;
        }
        if !self.clauses.is_empty() {
            flags |= MORE_SECTIONS;
        }
        let mut body = Vec::with_capacity(HEADER + self.bytes.len() + 8 + CLAUSE);
        body.extend(flags.to_le_bytes());
        body.extend(u16::try_from(self.deepest).ok()?.to_le_bytes());
        body.extend(offset(self.bytes.len())?.to_le_bytes());
        body.extend(locals.unwrap_or_default().0.to_le_bytes());
        body.append(&mut self.bytes);
        if !self.clauses.is_empty() {
            body.resize(body.len().next_multiple_of(4), 0);
            let size = offset(4 + CLAUSE * self.clauses.len())?;
            if size >> 24 != 0 {
                return None;
            }
            body.extend((CLAUSES | size << 8).to_le_bytes());
            for Clause {
                start,
                handler,
                end,
                catches,
            } in self.clauses
            {
                let kind = if catches.is_some() { CATCH } else { FAULT };
                body.extend(kind.to_le_bytes());
                for number in [start, handler - start, handler, end - handler] {
                    body.extend(offset(number)?.to_le_bytes());
                }
                body.extend(catches.unwrap_or_default().0.to_le_bytes());
            }
        }
        Some(body)
    }
}

/// Offsets and sizes are 31 bits wide: distances between them have a sign.
fn offset(number: usize) -> Option<u32> {
    i32::try_from(number).ok().map(i32::cast_unsigned)
}

#[cfg(test)]
mod tests;

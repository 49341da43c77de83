//! Single instructions, named as in ECMA-335, III.

use soglia_abi::ids::MdToken;

use super::code::Code;
use crate::opcode::{
    ADD, AND, BOX, CALL, CALLI, CALLVIRT, CONV_I, CONV_I4, CONV_U, CONV_U8, DUP, ISINST, LDARG_0,
    LDARG_S, LDARGA_S, LDC_I4, LDC_I4_0, LDC_I4_S, LDC_I8, LDELEM_I, LDELEM_I4, LDELEM_U1, LDFLD,
    LDIND_I, LDIND_U1, LDLEN, LDLOC_0, LDLOC_S, LDLOCA_S, LDNULL, LDSTR, LDTOKEN, NEWOBJ, POP, RET,
    SHR_UN, STARG_S, STFLD, STIND_I, STIND_I1, STIND_I4, STLOC_0, STLOC_S, SUB, THROW, WIDE,
    wide::{self, CEQ, LOCALLOC},
};

impl Code {
    /// Writes the shortest of an instruction's forms for a number: the first of the four without an
    /// operand, the one with a byte, the one with two bytes.
    fn numbered(&mut self, forms: (u8, u8, u8), number: u16, takes: u32, puts: u32) {
        self.stack(takes, puts);
        match u8::try_from(number) {
            Ok(number @ 0..4) => self.bytes.push(forms.0 + number),
            Ok(number) => self.bytes.extend([forms.1, number]),
            Err(_) => {
                self.bytes.extend([WIDE, forms.2]);
                self.bytes.extend(number.to_le_bytes());
            }
        }
    }

    /// Loads an argument.
    pub fn ldarg(&mut self, number: u16) {
        self.numbered((LDARG_0, LDARG_S, wide::LDARG), number, 0, 1);
    }

    /// Loads the address of an argument.
    pub fn ldarga(&mut self, number: u16) {
        self.stack(0, 1);
        match u8::try_from(number) {
            Ok(number) => self.bytes.extend([LDARGA_S, number]),
            Err(_) => {
                self.bytes.extend([WIDE, wide::LDARGA]);
                self.bytes.extend(number.to_le_bytes());
            }
        }
    }

    /// Stores into an argument, which is one of the first 256.
    pub fn starg(&mut self, number: u8) {
        self.byte(STARG_S, 1, 0);
        self.bytes.push(number);
    }

    /// Loads a local variable.
    pub fn ldloc(&mut self, number: u16) {
        self.numbered((LDLOC_0, LDLOC_S, wide::LDLOC), number, 0, 1);
    }

    /// Loads the address of a local variable, which is one of the first 256.
    pub fn ldloca(&mut self, number: u8) {
        self.byte(LDLOCA_S, 0, 1);
        self.bytes.push(number);
    }

    /// Stores into a local variable.
    pub fn stloc(&mut self, number: u16) {
        self.numbered((STLOC_0, STLOC_S, wide::STLOC), number, 1, 0);
    }

    /// Takes so many bytes of memory from the frame of the method. The stack must be empty before.
    pub fn localloc(&mut self, bytes: i32) {
        self.odd |= self.depth != Some(0);
        self.ldc_i4(bytes);
        self.wide(LOCALLOC, 1, 1);
    }

    /// Loads no object.
    pub fn ldnull(&mut self) {
        self.byte(LDNULL, 0, 1);
    }

    /// Loads an `int32`.
    pub fn ldc_i4(&mut self, number: i32) {
        self.stack(0, 1);
        match i8::try_from(number) {
            // The form for -1 precedes that for 0.
            Ok(small @ -1..=8) => self.bytes.push(LDC_I4_0.wrapping_add_signed(small)),
            Ok(small) => self.bytes.extend([LDC_I4_S, small.cast_unsigned()]),
            Err(_) => {
                self.bytes.push(LDC_I4);
                self.bytes.extend(number.to_le_bytes());
            }
        }
    }

    /// Loads an `int64`.
    pub fn ldc_i8(&mut self, number: i64) {
        self.byte(LDC_I8, 0, 1);
        self.bytes.extend(number.to_le_bytes());
    }

    /// Loads a string of the module.
    pub fn ldstr(&mut self, string: MdToken) {
        self.with_token(LDSTR, string, 0, 1);
    }

    /// The next instruction reads or writes what other threads may change.
    pub fn volatile(&mut self) {
        self.wide(wide::VOLATILE, 0, 0);
    }

    /// Loads the handle of a type.
    pub fn ldtoken(&mut self, of: MdToken) {
        self.with_token(LDTOKEN, of, 0, 1);
    }

    /// Replaces the object on top by the value of one of its fields.
    pub fn ldfld(&mut self, field: MdToken) {
        self.with_token(LDFLD, field, 1, 1);
    }

    /// Stores the top into a field of the object below it.
    pub fn stfld(&mut self, field: MdToken) {
        self.with_token(STFLD, field, 2, 0);
    }

    /// Replaces the address on top by the `native int` that is there.
    pub fn ldind_i(&mut self) {
        self.byte(LDIND_I, 1, 1);
    }

    /// Replaces the address on top by the byte that is there.
    pub fn ldind_u1(&mut self) {
        self.byte(LDIND_U1, 1, 1);
    }

    /// Stores the `native int` on top at the address below it.
    pub fn stind_i(&mut self) {
        self.byte(STIND_I, 2, 0);
    }

    /// Stores the `int32` on top at the address below it.
    pub fn stind_i4(&mut self) {
        self.byte(STIND_I4, 2, 0);
    }

    /// Stores the lowest byte of the number on top at the address below it.
    pub fn stind_i1(&mut self) {
        self.byte(STIND_I1, 2, 0);
    }

    /// Replaces the index on top and the array of bytes below it by the element.
    pub fn ldelem_u1(&mut self) {
        self.byte(LDELEM_U1, 2, 1);
    }

    /// Replaces the index on top and the array of `int32` below it by the element.
    pub fn ldelem_i4(&mut self) {
        self.byte(LDELEM_I4, 2, 1);
    }

    /// Replaces the index on top and the array of `native int` below it by the element.
    pub fn ldelem_i(&mut self) {
        self.byte(LDELEM_I, 2, 1);
    }

    /// Replaces an array by the number of its elements, a `native unsigned int`.
    pub fn ldlen(&mut self) {
        self.byte(LDLEN, 1, 1);
    }

    /// Loads the number of bytes of a value of this type, an `int32`.
    pub fn sizeof(&mut self, of: MdToken) {
        self.wide(wide::SIZEOF, 0, 1);
        self.bytes.extend(of.0.to_le_bytes());
    }

    /// Replaces two numbers by their sum.
    pub fn add(&mut self) {
        self.byte(ADD, 2, 1);
    }

    /// Subtracts the number on top from the one below it.
    pub fn sub(&mut self) {
        self.byte(SUB, 2, 1);
    }

    /// Replaces two numbers by the bits that both have.
    pub fn and(&mut self) {
        self.byte(AND, 2, 1);
    }

    /// Shifts the number below the top right by the number on top; zeros come in.
    pub fn shr_un(&mut self) {
        self.byte(SHR_UN, 2, 1);
    }

    /// Replaces two things by 1 if they are equal, by 0 if not.
    pub fn ceq(&mut self) {
        self.wide(CEQ, 2, 1);
    }

    /// Converts to `native int`.
    pub fn conv_i(&mut self) {
        self.byte(CONV_I, 1, 1);
    }

    /// Converts to `native unsigned int`.
    pub fn conv_u(&mut self) {
        self.byte(CONV_U, 1, 1);
    }

    /// Converts to `int32`.
    pub fn conv_i4(&mut self) {
        self.byte(CONV_I4, 1, 1);
    }

    /// Converts to `int64`. An `int32` counts as unsigned.
    pub fn conv_u8(&mut self) {
        self.byte(CONV_U8, 1, 1);
    }

    /// Replaces an object that is not of this class by null.
    pub fn isinst(&mut self, class: MdToken) {
        self.with_token(ISINST, class, 1, 1);
    }

    /// Replaces a value of this type by an object that holds it.
    pub fn boxed(&mut self, of: MdToken) {
        self.with_token(BOX, of, 1, 1);
    }

    /// Loads the top again.
    pub fn dup(&mut self) {
        self.byte(DUP, 1, 2);
    }

    /// Drops the top.
    pub fn pop(&mut self) {
        self.byte(POP, 1, 0);
    }

    /// Calls a method.
    pub fn call(&mut self, method: MdToken, args: u16, returns: bool) {
        self.with_token(CALL, method, args.into(), returns.into());
    }

    /// Calls a function pointer, which is on top of the arguments.
    pub fn calli(&mut self, signature: MdToken, args: u16, returns: bool) {
        let takes = u32::from(args) + 1;
        self.with_token(CALLI, signature, takes, returns.into());
    }

    /// Calls a virtual method.
    pub fn callvirt(&mut self, method: MdToken, args: u16, returns: bool) {
        self.with_token(CALLVIRT, method, args.into(), returns.into());
    }

    /// Makes an object. `args` counts the arguments without `this`.
    pub fn newobj(&mut self, constructor: MdToken, args: u16) {
        self.with_token(NEWOBJ, constructor, args.into(), 1);
    }

    /// Throws the exception on top.
    pub fn throw(&mut self) {
        self.byte(THROW, 1, 0);
        self.never_goes_on(false);
    }

    /// Returns. The stack must be empty, except for the result if the method `returns` one.
    pub fn ret(&mut self, returns: bool) {
        self.byte(RET, returns.into(), 0);
        self.never_goes_on(true);
    }

    /// Writes the code of another body, which needs `stack` and leaves `puts` things on the stack.
    pub fn inlined(&mut self, code: &[u8], stack: u16, puts: u32) {
        self.stack(0, stack.into());
        self.stack(stack.into(), puts);
        self.bytes.extend(code);
    }

    /// Writes the whole code of another body, with its returns. Nothing can follow.
    pub fn goes_on_as(&mut self, code: &[u8], stack: u16) {
        self.inlined(code, stack, 0);
        self.never_goes_on(true);
    }
}

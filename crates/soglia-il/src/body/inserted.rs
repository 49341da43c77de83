//! Code at the start of a body and before its returns.

use soglia_abi::ids::MdToken;

use super::{
    instruction::Instruction,
    moved::{Change, Piece, insert},
};
use crate::opcode::RET;

pub use super::moved::{Inserted, Moved};

/// Code to put into a body.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// The code at the start.
    pub enter: &'a [u8],
    /// The code before each return. The result of the method, if it has one, is on the stack.
    pub leave: &'a [u8],
    /// What the code needs of the stack.
    pub stack: u16,
    /// The signature of the local variables, if it is another one than that of the body.
    pub locals: Option<MdToken>,
}

/// Puts code at the start of a body and before each of its returns.
///
/// A branch to the start of the body leads behind the code at the start, and a branch to a return
/// leads to the code before it. With such code, a call that gives up the frame of the method no
/// longer does so.
///
/// Returns `None` if the body cannot be read, if it ends by a jump to another method before which
/// there would be code, or if it becomes too long.
pub fn around_returns(body: &[u8], put: &Put) -> Option<Inserted> {
    let change = Change {
        enter: put.enter,
        stack: put.stack,
        locals: put.locals,
        ends: !put.leave.is_empty(),
    };
    let before_returns = |instruction: &Instruction| Piece {
        outer: &[],
        inner: match instruction.opcode() {
            RET => put.leave,
            _ => &[],
        },
    };
    insert(body, &change, before_returns, |_, _| true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        body::{layout::Layout, moved::sample},
        clause::Clause,
        format::FILTER,
        opcode::{BRTRUE, CALL, JMP, LEAVE, LEAVE_S, NOP, SWITCH, WIDE, wide::TAIL},
    };

    const ENTER: &[u8] = &[0x17, 0x26];
    const LEAVE_CODE: &[u8] = &[0x18, 0x26, 0x00];

    const PUT: Put = Put {
        enter: ENTER,
        leave: LEAVE_CODE,
        stack: 3,
        locals: None,
    };

    fn tiny(code: &[u8]) -> Vec<u8> {
        let mut body = vec![(code.len() as u8) << 2 | 0x2];
        body.extend(code);
        body
    }

    fn fat(code: &[u8], clauses: &[Clause]) -> Vec<u8> {
        sample::fat(code, MdToken(0x1100_0005), clauses)
    }

    /// `nop`, `ret`, and one clause about the `nop`, byte by byte.
    fn with_section(wide: bool, kind: u8) -> Vec<u8> {
        let mut body = vec![
            0x0B, 0x30, 3, 0, 2, 0, 0, 0, 7, 0, 0, 0x11, 0x00, 0x2A, 0, 0,
        ];
        if wide {
            body.extend([0x41, 28, 0, 0]);
            for number in [u32::from(kind), 0, 1, 1, 1, 9] {
                body.extend(number.to_le_bytes());
            }
        } else {
            body.extend([0x01, 16, 0, 0, kind, 0, 0, 0, 1, 1, 0, 1, 9, 0, 0, 0]);
        }
        body
    }

    const IN_FRONT: Put = Put {
        leave: &[],
        stack: 0,
        ..PUT
    };

    fn code(body: &[u8]) -> &[u8] {
        Layout::read(body).unwrap().code()
    }

    #[test]
    fn each_return_gets_the_code_before_it() {
        // ldarg.0; brtrue.s +1; ret; ldc.i4.0; brtrue.s 0; ret
        let made =
            around_returns(&tiny(&[0x02, 0x2D, 1, RET, 0x16, 0x2D, 0xF9, RET]), &PUT).unwrap();
        let expected = [
            ENTER,
            &[0x02, BRTRUE, 4, 0, 0, 0],
            LEAVE_CODE,
            &[RET, 0x16, BRTRUE],
            // To the instruction behind the code at the start: from 18 to 2.
            &(-16_i32).to_le_bytes(),
            LEAVE_CODE,
            &[RET],
        ]
        .concat();
        assert_eq!(code(&made.body), expected);
        // Stack 8 and 3, no local variables.
        assert_eq!(made.body[..4], [0x03, 0x30, 11, 0]);
        assert_eq!(made.body[8..12], [0; 4]);
        let (moved, last) = (&made.moved, expected.len() as u32 - 1);
        let before: Vec<u32> = [0, 1, 2, 3, 4, 8, 10, 11, 12, 13, last]
            .map(|at| moved.before(at))
            .into();
        assert_eq!(before, [0, 0, 0, 1, 2, 3, 3, 3, 4, 5, 7]);
        assert_eq!(moved.now(3), Some(11));
        assert_eq!(moved.now(7), Some(last));
        assert_eq!(moved.now(2), None);
        let places: Vec<_> = moved.places().take(4).collect();
        assert_eq!(places, [(0, 2), (1, 3), (3, 8), (4, 12)]);
    }

    #[test]
    fn a_branch_to_a_return_leads_to_the_code_before_it() {
        // ldarg.0; brtrue.s +1; nop; ret
        let made = around_returns(&tiny(&[0x02, 0x2D, 1, NOP, RET]), &PUT).unwrap();
        let tail = &code(&made.body)[ENTER.len() + 1..];
        assert_eq!(tail[..6], [BRTRUE, 1, 0, 0, 0, NOP]);
        assert_eq!(tail[6..], [LEAVE_CODE, &[RET]].concat());
    }

    #[test]
    fn tables_of_a_switch_are_written_again() {
        // ldarg.0; switch (to 14, to 15); nop; nop; ret; ret
        let table = [SWITCH, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
        let before = [&[0x02][..], &table, &[NOP, RET, RET]].concat();
        let made = around_returns(&tiny(&before), &PUT).unwrap();
        let new = code(&made.body);
        assert_eq!(new[ENTER.len() + 1 + 5..][..8], [1, 0, 0, 0, 5, 0, 0, 0]);
    }

    #[test]
    fn protected_blocks_move_and_grow() {
        // .try { nop; leave.s 6 } filter { pop; ldc.i4.1; endfilter } { pop; leave.s } ret
        let before = [
            NOP, LEAVE_S, 7, 0x26, 0x17, WIDE, 0x11, 0x26, LEAVE_S, 0, RET,
        ];
        let clause = Clause {
            kind: FILTER,
            start: 0,
            length: 3,
            handler: 7,
            handler_length: 3,
            last: 3,
        };
        let made = around_returns(&fat(&before, &[clause]), &PUT).unwrap();
        let layout = Layout::read(&made.body).unwrap();
        // Both `leave` instructions have grown by three bytes.
        assert_eq!(
            layout.clauses().unwrap(),
            [Clause {
                kind: FILTER,
                start: 2,
                length: 6,
                handler: 12,
                handler_length: 6,
                last: 8,
            }]
        );
        assert_eq!(layout.locals, Some(MdToken(0x1100_0005)));
        let leaves = &layout.code()[2..];
        assert_eq!(leaves[..6], [NOP, LEAVE, 10, 0, 0, 0]);
        assert_eq!(leaves[10..16], [0x26, LEAVE, 0, 0, 0, 0]);
    }

    #[test]
    fn clauses_of_both_forms_move() {
        // A handler of `finally` keeps its last word; the place of a filter would move, and there
        // is no instruction at 9.
        for wide in [false, true] {
            let made = around_returns(&with_section(wide, 2), &IN_FRONT).unwrap();
            let layout = Layout::read(&made.body).unwrap();
            assert_eq!(layout.code(), [0x17, 0x26, 0x00, 0x2A]);
            assert_eq!(layout.stack, 3);
            assert_eq!(layout.locals, Some(MdToken(0x1100_0007)));
            let expected = Clause {
                kind: 2,
                start: 2,
                length: 1,
                handler: 3,
                handler_length: 1,
                last: 9,
            };
            assert_eq!(layout.clauses().unwrap(), [expected]);
            assert_eq!(around_returns(&with_section(wide, 1), &IN_FRONT), None);
        }
    }

    #[test]
    fn what_cannot_be_read_stays() {
        let mut another = with_section(true, 2);
        another[16] |= 0x80;
        for body in [&[0x0E, 0x2A][..], &with_section(true, 2)[..20], &another] {
            assert_eq!(around_returns(body, &IN_FRONT), None, "{body:?}");
        }
    }

    #[test]
    fn code_in_front_lets_calls_give_up_the_frame() {
        let tail = [WIDE, TAIL, CALL, 1, 0, 0, 6, RET];
        for before in [&tail[..], &[JMP, 1, 0, 0, 6]] {
            let made = around_returns(&tiny(before), &IN_FRONT).unwrap();
            assert_eq!(code(&made.body), [ENTER, before].concat());
        }
    }

    #[test]
    fn no_call_gives_up_the_frame() {
        let before = [WIDE, TAIL, CALL, 1, 0, 0, 6, RET];
        let made = around_returns(&tiny(&before), &PUT).unwrap();
        let expected = [ENTER, &[NOP, NOP, CALL, 1, 0, 0, 6], LEAVE_CODE, &[RET]].concat();
        assert_eq!(code(&made.body), expected);
        assert_eq!(around_returns(&tiny(&[JMP, 1, 0, 0, 6]), &PUT), None);
    }

    #[test]
    fn a_branch_into_an_instruction_is_refused() {
        // br.s +1, into the operand of ldc.i4.s
        assert_eq!(around_returns(&tiny(&[0x2B, 1, 0x1F, 0, RET]), &PUT), None);
        assert_eq!(around_returns(&tiny(&[0x2B, 0x7F, RET]), &PUT), None);
        assert_eq!(around_returns(&[], &PUT), None);
    }

    #[test]
    fn the_local_variables_can_be_others() {
        let put = Put {
            locals: Some(MdToken(0x1100_0009)),
            ..PUT
        };
        for body in [tiny(&[RET]), fat(&[RET], &[])] {
            let made = around_returns(&body, &put).unwrap();
            let layout = Layout::read(&made.body).unwrap();
            assert_eq!(layout.locals, put.locals);
        }
    }

    proptest! {
        #[test]
        fn nothing_put_in_changes_only_forms(code_bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let nothing = Put { enter: &[], leave: &[], stack: 0, locals: None };
            let body = fat(&code_bytes, &[]);
            if let Some(made) = around_returns(&body, &nothing) {
                // Long forms stay as they are.
                let again = around_returns(&made.body, &nothing).unwrap();
                prop_assert_eq!(&again.body, &made.body);
                let ends = |body: &[u8]| code(body).last().copied();
                prop_assert_eq!(ends(&made.body).is_none(), ends(&body).is_none());
            }
        }
    }
}

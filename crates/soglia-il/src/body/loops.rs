//! Code where loops begin again, and at the start of a body that may lead back to itself.
//!
//! A loop begins again at the target of a branch that leads back. The code there must be part of
//! the protected block that starts at that place if the branch is, and must not be part of it
//! otherwise. So a place can get the code twice:
//!
//! ```text
//!   while (true) {            POLL  <─────────┐
//!       try {                 .try { POLL <─┐ │
//!           while (true) {}           br ───┘ │
//!       } catch { }           } catch { leave ┘ }
//!   }
//! ```

use soglia_abi::ids::MdToken;

use super::{
    instruction::{Instruction, Instructions},
    layout::Layout,
    moved::{Change, Inserted, Piece, insert},
};
use crate::{
    bytes::u32_at,
    clause::Clause,
    format::{FAULT, FILTER, FINALLY},
    opcode::{
        BRANCHES, BRANCHES_S, CALL, CALLI, CALLVIRT, JMP, LEAVE, LEAVE_S, NEWOBJ, SWITCH, WIDE,
        wide::{LDFTN, LDVIRTFTN},
    },
};

/// Code to put into a body. None of it changes the stack.
#[derive(Clone, Copy, Debug)]
pub struct Polls<'a> {
    /// The code at the start.
    pub enter: &'a [u8],
    /// The code where a loop begins again.
    pub again: &'a [u8],
    /// The same in handlers that have to run to their end, and in filters.
    pub to_the_end: &'a [u8],
    /// What the code needs of the stack.
    pub stack: u16,
}

/// A branch that leads back: its place, and its target.
type Back = (u32, u32);

/// Puts code into a body. Calls that give up the frame of the method still do so.
///
/// Returns `None` if the body cannot be read, or if it becomes too long.
pub fn polled(body: &[u8], polls: &Polls) -> Option<Inserted> {
    let layout = Layout::read(body)?;
    let back = back(&layout)?;
    let blocks = Blocks::of(&layout.clauses()?)?;
    let change = Change {
        enter: polls.enter,
        stack: polls.stack,
        locals: None,
        ends: false,
    };
    let code_for = |to_the_end| match to_the_end {
        true => polls.to_the_end,
        false => polls.again,
    };
    let piece = |instruction: &Instruction| {
        let Ok(to) = u32::try_from(instruction.at()) else {
            return Piece::default();
        };
        let mut leads = back.iter().filter(|(_, target)| *target == to);
        let mut piece = Piece::default();
        for (from, _) in leads.by_ref() {
            if blocks.share_start(*from, to) {
                piece.inner = code_for(blocks.run_to_the_end(to, true));
            } else {
                piece.outer = code_for(blocks.run_to_the_end(to, false));
            }
        }
        piece
    };
    insert(body, &change, piece, |from, to| {
        blocks.share_start(from, to)
    })
}

/// Whether a body has a loop. `None`: it cannot be read.
pub fn has_loops(body: &[u8]) -> Option<bool> {
    back(&Layout::read(body)?).map(|back| !back.is_empty())
}

/// Whether a body may lead to itself: it calls methods that are not all `elsewhere`, or such as
/// only the running program knows, or makes pointers to some. `None`: it cannot be read.
pub fn may_recur(body: &[u8], mut elsewhere: impl FnMut(MdToken) -> bool) -> Option<bool> {
    let mut here = |token: Option<MdToken>| token.is_none_or(|token| !elsewhere(token));
    let mut recurs = false;
    for instruction in Instructions::new(Layout::read(body)?.code()) {
        let instruction = instruction?;
        recurs |= match instruction.opcode() {
            CALLVIRT | CALLI => true,
            CALL | NEWOBJ | JMP => here(instruction.token()),
            WIDE => match instruction.wide_opcode() {
                Some(LDVIRTFTN) => true,
                Some(LDFTN) => here(instruction.token()),
                _ => false,
            },
            _ => false,
        };
    }
    Some(recurs)
}

/// The branches that lead back.
fn back(layout: &Layout) -> Option<Vec<Back>> {
    let mut back = Vec::new();
    for instruction in Instructions::new(layout.code()) {
        let instruction = instruction?;
        let from = u32::try_from(instruction.at()).ok()?;
        for to in targets(&instruction)? {
            if to <= from {
                back.push((from, to));
            }
        }
    }
    Some(back)
}

/// Where an instruction may branch to.
fn targets(instruction: &Instruction) -> Option<Vec<u32>> {
    let (opcode, bytes) = (instruction.opcode(), instruction.bytes());
    let end = i64::try_from(instruction.end()).ok()?;
    let words = match opcode {
        LEAVE_S => return short(end, bytes),
        _ if BRANCHES_S.contains(&opcode) => return short(end, bytes),
        LEAVE => 1..5,
        _ if BRANCHES.contains(&opcode) => 1..5,
        SWITCH => 5..bytes.len(),
        _ => return Some(Vec::new()),
    };
    let there = |word: usize| {
        let distance = u32_at(bytes, word)?.cast_signed();
        u32::try_from(end + i64::from(distance)).ok()
    };
    words.step_by(4).map(there).collect()
}

fn short(end: i64, bytes: &[u8]) -> Option<Vec<u32>> {
    let distance = bytes.get(1)?.cast_signed();
    Some(vec![u32::try_from(end + i64::from(distance)).ok()?])
}

/// The protected blocks, handlers and filters of a body.
struct Blocks(Vec<Block>);

struct Block {
    start: u32,
    end: u32,
    to_the_end: bool,
}

impl Blocks {
    fn of(clauses: &[Clause]) -> Option<Self> {
        let mut blocks = Vec::new();
        for clause in clauses {
            let mut add = |start: u32, end: Option<u32>, to_the_end| {
                blocks.push(Block {
                    start,
                    end: end?,
                    to_the_end,
                });
                Some(())
            };
            add(clause.start, clause.start.checked_add(clause.length), false)?;
            let handled = clause.handler.checked_add(clause.handler_length);
            add(
                clause.handler,
                handled,
                matches!(clause.kind, FINALLY | FAULT),
            )?;
            if clause.kind == FILTER {
                add(clause.last, Some(clause.handler), true)?;
            }
        }
        Some(Self(blocks))
    }

    /// Whether a place is in a block that starts at this one.
    fn share_start(&self, from: u32, start: u32) -> bool {
        let mut starting = self.0.iter().filter(|block| block.start == start);
        starting.any(|block| (start..block.end).contains(&from))
    }

    /// Whether the code at a place has to run to its end. Blocks that start there count if it is
    /// `inside` them.
    fn run_to_the_end(&self, at: u32, inside: bool) -> bool {
        self.0.iter().any(|block| {
            block.to_the_end
                && (block.start..block.end).contains(&at)
                && (inside || block.start < at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        body::moved::sample,
        format::CATCH,
        opcode::{BR, BR_S, BRTRUE, NOP, RET},
    };

    const ENTER: u8 = 0x14;
    const AGAIN: u8 = 0x15;
    const TO_THE_END: u8 = 0x16;
    const POLLS: Polls<'static> = Polls {
        enter: &[ENTER],
        again: &[AGAIN],
        to_the_end: &[TO_THE_END],
        stack: 2,
    };

    fn fat(code: &[u8], clauses: &[Clause]) -> Vec<u8> {
        sample::fat(code, MdToken::default(), clauses)
    }

    fn made(code: &[u8], clauses: &[Clause]) -> (Vec<u8>, Vec<Clause>) {
        let made = polled(&fat(code, clauses), &POLLS).unwrap();
        let layout = Layout::read(&made.body).unwrap();
        assert_eq!(layout.stack, 10);
        (layout.code().to_vec(), layout.clauses().unwrap())
    }

    fn clause(kind: u32, block: [u32; 2], handler: [u32; 2], last: u32) -> Clause {
        Clause {
            kind,
            start: block[0],
            length: block[1],
            handler: handler[0],
            handler_length: handler[1],
            last,
        }
    }

    #[test]
    fn a_loop_gets_code_where_it_begins_again() {
        // br.s to the condition; nop; condition: ldarg.0; brtrue.s to the nop; ret
        let code = [BR_S, 1, NOP, 0x02, 0x2D, 0xFC, RET];
        let expected = [
            &[ENTER, BR][..],
            &2_i32.to_le_bytes(),
            &[AGAIN, NOP, 0x02, BRTRUE],
            &(-8_i32).to_le_bytes(),
            &[RET],
        ];
        assert_eq!(made(&code, &[]).0, expected.concat());
        assert_eq!(has_loops(&fat(&code, &[])), Some(true));
        assert_eq!(has_loops(&fat(&[BR_S, 0, RET], &[])), Some(false));
    }

    #[test]
    fn a_loop_around_a_block_gets_code_outside_of_it() {
        // .try { nop; leave.s to the handler's end } catch { pop; leave.s to the start } br.s start
        let code = [NOP, LEAVE_S, 3, 0x26, LEAVE_S, 0xFA, BR_S, 0xF8];
        let (new, clauses) = made(&code, &[clause(CATCH, [0, 3], [3, 3], 0x0100_0003)]);
        assert_eq!(new[..3], [ENTER, AGAIN, NOP]);
        // The block starts behind the code; both branches lead in front of it.
        assert_eq!(clauses[0], clause(CATCH, [2, 6], [8, 6], 0x0100_0003));
        assert_eq!(
            new[9..14],
            [&[LEAVE][..], &(-13_i32).to_le_bytes()].concat()
        );
        assert_eq!(new[14..], [&[BR][..], &(-18_i32).to_le_bytes()].concat());
    }

    #[test]
    fn a_loop_at_the_start_of_a_block_gets_code_inside() {
        // .try { start: br.s start } catch { pop; leave.s start } ret
        let code = [BR_S, 0xFE, 0x26, LEAVE_S, 0xFB, RET];
        let (new, clauses) = made(&code, &[clause(CATCH, [0, 2], [2, 3], 0x0100_0003)]);
        assert_eq!(new[..4], [ENTER, AGAIN, AGAIN, BR]);
        assert_eq!(clauses[0], clause(CATCH, [2, 6], [8, 6], 0x0100_0003));
        assert_eq!(new[4..8], (-6_i32).to_le_bytes());
        assert_eq!(
            new[9..14],
            [&[LEAVE][..], &(-13_i32).to_le_bytes()].concat()
        );
    }

    #[test]
    fn a_loop_right_behind_a_handler_is_not_part_of_it() {
        // .try { leave.s to the loop } finally { endfinally } start: br.s start
        let code = [LEAVE_S, 1, 0xDC, BR_S, 0xFE];
        let (new, clauses) = made(&code, &[clause(FINALLY, [0, 2], [2, 1], 0)]);
        assert_eq!(clauses[0], clause(FINALLY, [1, 5], [6, 1], 0));
        let expected = [
            &[ENTER, LEAVE][..],
            &1_i32.to_le_bytes(),
            &[0xDC, AGAIN, BR],
            &(-6_i32).to_le_bytes(),
        ];
        assert_eq!(new, expected.concat());
    }

    #[test]
    fn handlers_that_run_to_their_end_get_other_code() {
        // .try { leave.s } finally { start: nop; br.s start; endfinally } ret
        let code = [LEAVE_S, 4, NOP, BR_S, 0xFD, 0xDC, RET];
        for (kind, expected) in [(FINALLY, TO_THE_END), (FAULT, TO_THE_END), (CATCH, AGAIN)] {
            let (new, clauses) = made(&code, &[clause(kind, [0, 2], [2, 4], 0)]);
            assert_eq!(
                new[..8],
                [ENTER, LEAVE, 8, 0, 0, 0, expected, NOP],
                "{kind}"
            );
            assert_eq!((clauses[0].handler, clauses[0].handler_length), (6, 8));
        }
        // .try { nop } filter { start: br.s start } { pop } ret
        let code = [NOP, BR_S, 0xFE, 0x26, RET];
        let (new, _) = made(&code, &[clause(FILTER, [0, 1], [3, 1], 1)]);
        assert_eq!(new[..3], [ENTER, NOP, TO_THE_END]);
    }

    #[test]
    fn calls_that_give_up_the_frame_stay() {
        let tail = [WIDE, 0x14, CALL, 1, 0, 0, 6, RET];
        assert_eq!(made(&tail, &[]).0[1..], tail);
        let jump = [JMP, 1, 0, 0, 6];
        assert_eq!(made(&jump, &[]).0[1..], jump);
    }

    #[test]
    fn what_may_recur_is_told_apart() {
        let of = |code: &[u8]| may_recur(&fat(code, &[]), |token| token.table() == 0x0A);
        assert_eq!(of(&[CALL, 1, 0, 0, 6, RET]), Some(true));
        assert_eq!(of(&[CALL, 1, 0, 0, 0x2B, RET]), Some(true));
        assert_eq!(of(&[CALLVIRT, 1, 0, 0, 0x0A, RET]), Some(true));
        assert_eq!(of(&[WIDE, LDFTN, 1, 0, 0, 6, RET]), Some(true));
        assert_eq!(of(&[CALL, 1, 0, 0, 0x0A, RET]), Some(false));
        assert_eq!(of(&[NOP, RET]), Some(false));
        assert_eq!(of(&[0x24]), None);
    }
}

//! Code that is put into a body.
//!
//! What lies between moves, so branches become long ones, protected blocks are written again, and
//! [`Moved`] says where each instruction was.

use soglia_abi::ids::MdToken;

use super::{instruction::Instruction, layout::Layout};
use crate::{
    bytes::{u16_at, u32_at},
    clause::{self, Clause},
    format::{FAT, FILTER, HEADER, HEADER_WORDS, MORE_SECTIONS},
    opcode::{BR, BR_S, BRANCHES, BRANCHES_S, JMP, LEAVE, LEAVE_S, NOP, SWITCH, wide::TAIL},
};

/// A body with code put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The new body.
    pub body: Vec<u8>,
    /// Where its instructions were before.
    pub moved: Moved,
}

/// Where the instructions of a body with code put in were before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// For each instruction the place of what was put in front of it or of itself, its own place,
    /// and its place before; ascending.
    places: Vec<[u32; 3]>,
}

impl Moved {
    /// Where the instruction at this place of the new code was in the code before. Code that was
    /// put in counts as part of the instruction behind it.
    pub fn before(&self, at: u32) -> u32 {
        let behind = self.places.partition_point(|[start, ..]| *start <= at);
        let Some([_, own, before]) = behind.checked_sub(1).map(|last| self.places[last]) else {
            return 0;
        };
        before.saturating_add(at.saturating_sub(own))
    }

    /// The places of instructions before and now, both ascending. Code that was put in is at the
    /// place of the instruction behind it.
    pub fn places(&self) -> impl ExactSizeIterator<Item = (u32, u32)> {
        self.places
            .iter()
            .map(|[start, _, before]| (*before, *start))
    }

    /// Where the instruction that was at this place is now. `None`: there was none.
    pub fn now(&self, before: u32) -> Option<u32> {
        let found = self.places.binary_search_by_key(&before, |place| place[2]);
        found.ok().map(|at| self.places[at][1])
    }
}

/// Code that is put in front of an instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece<'a> {
    /// Not part of the protected blocks that start at the instruction.
    pub(super) outer: &'a [u8],
    /// Part of them.
    pub(super) inner: &'a [u8],
}

/// How code is put into a body.
pub(super) struct Change<'a> {
    /// The code at the start.
    pub(super) enter: &'a [u8],
    /// What the code needs of the stack.
    pub(super) stack: u16,
    /// The signature of the local variables, if it is another one than that of the body.
    pub(super) locals: Option<MdToken>,
    /// Whether code comes between a call and the return behind it. Such a call no longer gives up
    /// the frame of the method.
    pub(super) ends: bool,
}

/// Puts code into a body: `piece` in front of each instruction. A branch from the first place to
/// the second leads to the inner code if `inside` says so, and else to the outer one.
///
/// Returns `None` if the body cannot be read, or if it becomes too long.
pub(super) fn insert<'a>(
    body: &[u8],
    change: &Change,
    piece: impl Fn(&Instruction) -> Piece<'a>,
    inside: impl Fn(u32, u32) -> bool,
) -> Option<Inserted> {
    let layout = Layout::read(body)?;
    let code = layout.code();
    let mut out = change.enter.to_vec();
    let (mut places, mut inner) = (Vec::new(), Vec::new());
    let mut branches = Vec::new();
    for instruction in super::Instructions::new(code) {
        let instruction = instruction?;
        let start = out.len();
        let piece = piece(&instruction);
        out.extend(piece.outer);
        inner.push(u32::try_from(out.len()).ok()?);
        out.extend(piece.inner);
        places.push([start, out.len(), instruction.at()]);
        append(&instruction, change.ends, &mut out, &mut branches)?;
    }
    places.push([out.len(), out.len(), code.len()]);
    inner.push(u32::try_from(out.len()).ok()?);
    let places: Option<Vec<[u32; 3]>> = places.into_iter().map(narrow).collect();
    let places = places?;
    let found = |before: u32| {
        let found = places.binary_search_by_key(&before, |place| place[2]);
        found.ok()
    };
    for Branch {
        at,
        from,
        before,
        to,
    } in branches
    {
        let place = found(to)?;
        let to = match inside(before, to) {
            true => inner[place],
            false => places[place][0],
        };
        let distance = i32::try_from(i64::from(to) - i64::try_from(from).ok()?).ok()?;
        out.get_mut(at..at + 4)?
            .copy_from_slice(&distance.to_le_bytes());
    }
    let begin = |before: u32| Some(inner[found(before)?]);
    let end = |before: u32| Some(places[found(before)?][0]);
    let clauses = layout.clauses()?;
    let clauses = clauses.iter().map(|old| shift(old, &begin, &end));
    let clauses = clauses.collect::<Option<Vec<Clause>>>()?;
    let mut new = header(body, &layout, change, i32::try_from(out.len()).ok()?)?;
    new.append(&mut out);
    if layout.has_sections {
        clause::put_section(&mut new, &clauses)?;
    }
    Some(Inserted {
        body: new,
        moved: Moved { places },
    })
}

fn narrow(place: [usize; 3]) -> Option<[u32; 3]> {
    let [start, own, before] = place;
    let narrow = |number: usize| i32::try_from(number).ok().map(i32::cast_unsigned);
    Some([narrow(start)?, narrow(own)?, narrow(before)?])
}

fn header(body: &[u8], layout: &Layout, change: &Change, size: i32) -> Option<Vec<u8>> {
    // A fat header keeps its flags, so its local variables begin as before.
    let mut flags = match layout.is_fat() {
        true => u16_at(body, 0)?,
        false => FAT | HEADER_WORDS << 12,
    };
    if !layout.has_sections {
        flags &= !MORE_SECTIONS;
    }
    let locals = change.locals.or(layout.locals).unwrap_or_default();
    let mut new = Vec::with_capacity(HEADER);
    new.extend(flags.to_le_bytes());
    new.extend(layout.stack.checked_add(change.stack)?.to_le_bytes());
    new.extend(size.to_le_bytes());
    new.extend(locals.0.to_le_bytes());
    Some(new)
}

/// A distance to fill in.
struct Branch {
    /// Where it is in the new code, and from where it counts.
    at: usize,
    from: usize,
    /// Where it was in the code before, and where it led there.
    before: u32,
    to: u32,
}

/// Appends an instruction to new code: a branch in its long form, everything else as it is.
fn append(
    instruction: &Instruction,
    ends: bool,
    out: &mut Vec<u8>,
    branches: &mut Vec<Branch>,
) -> Option<()> {
    let (opcode, bytes) = (instruction.opcode(), instruction.bytes());
    let before = u32::try_from(instruction.at()).ok()?;
    let end = i64::try_from(instruction.end()).ok()?;
    let to = |distance: i64| u32::try_from(end.checked_add(distance)?).ok();
    let long = |word: usize| Some(i64::from(u32_at(bytes, word)?.cast_signed()));
    let mut branch = |opcode: u8, distance: i64, out: &mut Vec<u8>| {
        out.push(opcode);
        let at = out.len();
        out.extend([0; 4]);
        branches.push(Branch {
            at,
            from: at + 4,
            before,
            to: to(distance)?,
        });
        Some(())
    };
    match opcode {
        JMP if ends => None,
        LEAVE_S => branch(LEAVE, i64::from(bytes.get(1)?.cast_signed()), out),
        LEAVE => branch(LEAVE, long(1)?, out),
        _ if BRANCHES_S.contains(&opcode) => {
            let distance = i64::from(bytes.get(1)?.cast_signed());
            branch(opcode - BR_S + BR, distance, out)
        }
        _ if BRANCHES.contains(&opcode) => branch(opcode, long(1)?, out),
        SWITCH => {
            let at = out.len();
            out.extend(bytes);
            for word in (5..bytes.len()).step_by(4) {
                branches.push(Branch {
                    at: at + word,
                    from: at + bytes.len(),
                    before,
                    to: to(long(word)?)?,
                });
            }
            Some(())
        }
        // The return that must follow is no longer right behind the call.
        _ if ends && instruction.wide_opcode() == Some(TAIL) => {
            out.extend([NOP, NOP]);
            Some(())
        }
        _ => {
            out.extend(bytes);
            Some(())
        }
    }
}

/// A clause for code that has moved.
///
/// A block begins behind outer code, and ends in front of it.
fn shift(
    old: &Clause,
    begin: &impl Fn(u32) -> Option<u32>,
    end: &impl Fn(u32) -> Option<u32>,
) -> Option<Clause> {
    let block = |start: u32, length: u32| {
        let (start, end) = (begin(start)?, end(start.checked_add(length)?)?);
        Some((start, end.checked_sub(start)?))
    };
    let (start, length) = block(old.start, old.length)?;
    let (handler, handler_length) = block(old.handler, old.handler_length)?;
    Some(Clause {
        kind: old.kind,
        start,
        length,
        handler,
        handler_length,
        last: match old.kind {
            FILTER => begin(old.last)?,
            _ => old.last,
        },
    })
}

#[cfg(test)]
pub(super) mod sample {
    use super::*;

    /// A body with a fat header, which needs a stack of 8.
    pub(in super::super) fn fat(code: &[u8], locals: MdToken, clauses: &[Clause]) -> Vec<u8> {
        let flags = if clauses.is_empty() {
            0x3013
        } else {
            0x301B_u16
        };
        let mut body = flags.to_le_bytes().to_vec();
        body.extend(8_u16.to_le_bytes());
        body.extend((code.len() as u32).to_le_bytes());
        body.extend(locals.0.to_le_bytes());
        body.extend(code);
        if !clauses.is_empty() {
            clause::put_section(&mut body, clauses).unwrap();
        }
        body
    }
}

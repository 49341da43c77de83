//! Code in front of a body.
//!
//! The body may have protected blocks, and branches and returns anywhere: what lies behind the new
//! code moves as a whole.

use soglia_abi::ids::MdToken;

use super::layout::Layout;
use crate::{
    clause::{self, Clause},
    format::{FILTER, HEADER},
    opcode::{CALL, LDELEM_I4, LDFLD, LDLOC_0, LDLOC_3, LDLOC_S},
};

/// The method that is called right behind the first instructions of a body, which are `begins`.
///
/// Returns `None` if the body begins otherwise.
pub fn call_behind(body: &[u8], begins: &[u8]) -> Option<MdToken> {
    let layout = Layout::read(body)?;
    let rest = layout.code().strip_prefix(begins)?;
    match rest {
        [CALL, token @ ..] => Some(MdToken(u32::from_le_bytes(*token.first_chunk()?))),
        _ => None,
    }
}

/// The local variable that is the index where the body first reads an element of `field`, an array
/// of `int32`.
///
/// Returns `None` if there is no such place, or if the body cannot be read up to it.
pub fn index_of(body: &[u8], field: MdToken) -> Option<u16> {
    let layout = Layout::read(body)?;
    for instruction in layout.instructions() {
        let instruction = instruction?;
        if instruction.opcode() != LDFLD || instruction.token() != Some(field) {
            continue;
        }
        match body[..layout.end][instruction.end()..] {
            [short @ LDLOC_0..=LDLOC_3, LDELEM_I4, ..] => return Some((short - LDLOC_0).into()),
            [LDLOC_S, index, LDELEM_I4, ..] => return Some(index.into()),
            _ => {}
        }
    }
    None
}

/// A body with `prefix` in the place of the first `skip` bytes of its code. No branch may lead to
/// those. `stack` is what the prefix needs of the stack.
///
/// Returns `None` if the header is not a fat one, the code is shorter than `skip`, or what follows
/// the code cannot be read.
pub fn with_prefix(body: &[u8], skip: usize, prefix: &[u8], stack: u16) -> Option<Vec<u8>> {
    let layout = Layout::read(body)?;
    let rest = layout.code().get(skip..)?;
    if !layout.is_fat() {
        return None;
    }
    let size = prefix.len().checked_add(rest.len())?;
    let moved = i64::try_from(prefix.len()).ok()? - i64::try_from(skip).ok()?;
    let mut out = Vec::with_capacity(HEADER.checked_add(size)?);
    out.extend(&body[..2]);
    out.extend(layout.stack.max(stack).to_le_bytes());
    out.extend(u32::try_from(size).ok()?.to_le_bytes());
    out.extend(&body[8..HEADER]);
    out.extend(prefix);
    out.extend(rest);
    if layout.has_sections {
        let clauses = layout.clauses()?;
        let clauses: Option<Vec<_>> = clauses.iter().map(|clause| shift(clause, moved)).collect();
        clause::put_section(&mut out, &clauses?)?;
    }
    Some(out)
}

/// A clause for code that has moved.
fn shift(clause: &Clause, moved: i64) -> Option<Clause> {
    let there = |offset: u32| u32::try_from(i64::from(offset) + moved).ok();
    let last = match clause.kind {
        FILTER => there(clause.last)?,
        _ => clause.last,
    };
    Some(Clause {
        start: there(clause.start)?,
        handler: there(clause.handler)?,
        last,
        ..*clause
    })
}

/// Whether the code calls `callee` at the place `from` or later, and the first such call is neither
/// protected nor in a handler. Without a `callee`, any `call` counts.
///
/// Returns `None` if the body cannot be read.
pub fn calls_unprotected(body: &[u8], from: usize, callee: Option<MdToken>) -> Option<bool> {
    let layout = Layout::read(body)?;
    for instruction in layout.instructions() {
        let instruction = instruction?;
        let at = instruction.at() - layout.start;
        let is_it = instruction.opcode() == CALL
            && callee.is_none_or(|callee| instruction.token() == Some(callee));
        if at >= from && is_it {
            return Some(is_unprotected(&layout.clauses()?, u32::try_from(at).ok()?));
        }
    }
    Some(false)
}

/// Whether a place in the code is neither protected nor in a handler.
fn is_unprotected(clauses: &[Clause], at: u32) -> bool {
    let within = |start: u32, length: u32| start <= at && at - start < length;
    let mut clauses = clauses.iter();
    clauses.all(|clause| {
        !within(clause.start, clause.length) && !within(clause.handler, clause.handler_length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::u32_at;

    /// `ldarg.0; call 0x06000007; .try { nop; leave } catch { pop; leave }`, then twice
    /// `ldfld 0x04000009`, the second time with `ldloc.2; ldelem.i4` behind it, and `ret`.
    fn body(wide: bool) -> Vec<u8> {
        let mut code = vec![0x02, 0x28, 7, 0, 0, 6];
        let start = code.len() as u8;
        code.extend([0x00, 0xDE, 0x03, 0x26, 0xDE, 0x00]);
        code.extend([0x7B, 9, 0, 0, 4, 0x26, 0x7B, 9, 0, 0, 4, 0x08, 0x94, 0x2A]);
        let mut body = vec![0x1B, 0x30, 8, 0, code.len() as u8, 0, 0, 0, 5, 0, 0, 0x11];
        body.extend(&code);
        body.resize(body.len().next_multiple_of(4), 0);
        let class = 0x0100_0003_u32;
        if wide {
            body.extend((0x41_u32 | 28 << 8).to_le_bytes());
            let words = [0, start.into(), 3, u32::from(start) + 3, 3, class];
            body.extend(words.iter().flat_map(|word: &u32| word.to_le_bytes()));
        } else {
            body.extend([0x01, 16, 0, 0, 0, 0, start, 0, 3, start + 3, 0, 3]);
            body.extend(class.to_le_bytes());
        }
        body
    }

    #[test]
    fn what_begins_a_body_is_found() {
        let body = body(false);
        assert_eq!(call_behind(&body, &[0x02]), Some(MdToken(0x0600_0007)));
        assert_eq!(call_behind(&body, &[0x03]), None);
        assert_eq!(call_behind(&body, &[]), None);
        assert_eq!(index_of(&body, MdToken(0x0400_0009)), Some(2));
        assert_eq!(index_of(&body, MdToken(0x0400_0008)), None);
    }

    #[test]
    fn protected_blocks_move_with_their_code() {
        let prefix = [0x00; 31];
        for wide in [false, true] {
            let body = body(wide);
            let made = with_prefix(&body, 6, &prefix, 20).unwrap();
            let Layout { start, end, .. } = Layout::read(&made).unwrap();
            assert_eq!((start, end - start), (12, 31 + 14 + 6));
            assert_eq!(made[2], 20);
            assert_eq!(made[8..12], body[8..12]);
            assert_eq!(made[12..43], prefix);
            assert_eq!(made[43..end], body[18..38]);
            let section = &made[end.next_multiple_of(4)..];
            let words: Vec<u32> = (0..7).map(|at| u32_at(section, 4 * at).unwrap()).collect();
            assert_eq!(words, [0x41 | 28 << 8, 0, 31, 3, 34, 3, 0x0100_0003]);
            assert_eq!(section.len(), 28);
            // A smaller need is no need.
            assert_eq!(with_prefix(&body, 6, &prefix, 3).unwrap()[2], 8);
            assert_eq!(with_prefix(&body, 60, &prefix, 3), None);
        }
    }

    #[test]
    fn calls_in_protected_blocks_are_told_apart() {
        let method = MdToken(0x0600_0007);
        for wide in [false, true] {
            let body = body(wide);
            assert_eq!(calls_unprotected(&body, 0, Some(method)), Some(true));
            assert_eq!(calls_unprotected(&body, 0, None), Some(true));
            assert_eq!(calls_unprotected(&body, 2, None), Some(false));
            let other = Some(MdToken(0x0600_0008));
            assert_eq!(calls_unprotected(&body, 0, other), Some(false));
            // The call where the `nop` of the protected block was, and in the handler.
            for (at, length) in [(0, 6_u32), (1, 11)] {
                let mut body = body.clone();
                let clause = body.len() - if wide { 24 } else { 12 };
                if wide {
                    body[clause + 4..clause + 12].fill(0);
                    body[clause + 8] = length as u8;
                } else {
                    body[clause + 2..clause + 5].copy_from_slice(&[0, 0, length as u8]);
                }
                assert_eq!(calls_unprotected(&body, at, Some(method)), Some(false));
            }
        }
    }
}

//! Code that is put in front of a body which has protected blocks, branches and returns wherever it likes: all that moves is moved together.

use soglia_abi::ids::MdToken;

use super::{CALL, FAT, HEADER, MORE_SECTIONS, code, next, u32_at};

const LDFLD: u8 = 0x7B;
const LDELEM_I4: u8 = 0x94;
const LDLOC_0: u8 = 0x06;
const LDLOC_3: u8 = 0x09;
const LDLOC_S: u8 = 0x11;

/// A section's first byte: clauses of protected blocks, in wide form, and another section behind it.
const CLAUSES: u8 = 0x01;
const WIDE: u8 = 0x40;
const ANOTHER: u8 = 0x80;
/// Bytes of a clause, short and wide.
const SHORT_CLAUSE: usize = 12;
const WIDE_CLAUSE: usize = 24;
/// A clause whose last word is where its filter begins.
const FILTER: u32 = 1;

/// The method that is called right behind these first instructions.
pub fn call_behind(body: &[u8], begins: &[u8]) -> Option<MdToken> {
    let (start, end) = code(body)?;
    let rest = body[start..end].strip_prefix(begins)?;
    (rest.first() == Some(&CALL)).then(|| u32_at(rest, 1).map(MdToken))?
}

/// The local variable by which elements of this field, an array of `int32`, are read.
pub fn index_of(body: &[u8], field: MdToken) -> Option<u16> {
    let (start, end) = code(body)?;
    let (code, mut at) = (&body[..end], start);
    while at < end {
        let after = next(code, at)?;
        if code[at] == LDFLD && u32_at(code, at + 1) == Some(field.0) {
            let index = match *code.get(after..)? {
                [short @ LDLOC_0..=LDLOC_3, LDELEM_I4, ..] => Some(short - LDLOC_0),
                [LDLOC_S, index, LDELEM_I4, ..] => Some(index),
                _ => None,
            };
            if index.is_some() {
                return index.map(u16::from);
            }
        }
        at = after;
    }
    None
}

/// A body with `prefix` in the place of its first `skip` bytes of code, which no branch leads to. `stack` is what the prefix needs.
pub fn with_prefix(body: &[u8], skip: usize, prefix: &[u8], stack: u16) -> Option<Vec<u8>> {
    let (start, end) = code(body)?;
    if start != HEADER || skip > end - start {
        return None;
    }
    let flags = u16::from_le_bytes(*body.first_chunk()?);
    let greatest = u16::from_le_bytes(*body.get(2..)?.first_chunk()?);
    let size = u32::try_from(prefix.len() + (end - start) - skip).ok()?;
    let moved = i64::try_from(prefix.len()).ok()? - i64::try_from(skip).ok()?;
    let mut out = Vec::with_capacity(HEADER + size as usize + 4);
    out.extend(flags.to_le_bytes());
    out.extend(greatest.max(stack).to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(&body[8..HEADER]);
    out.extend(prefix);
    out.extend(&body[start + skip..end]);
    debug_assert_eq!(flags & 0x7, FAT);
    if flags & MORE_SECTIONS != 0 {
        out.resize(out.len().next_multiple_of(4), 0);
        let clauses = clauses(body.get(end.next_multiple_of(4)..)?)?;
        out.extend(moved_section(&clauses, moved)?);
    }
    Some(out)
}

/// A clause: its kind, where the protected code and the handler begin and how long they are, and a class or a filter.
type Clause = [u32; 6];

/// The clauses of a section, the only one of its body.
fn clauses(section: &[u8]) -> Option<Vec<Clause>> {
    let kind = *section.first()?;
    if kind & (CLAUSES | ANOTHER) != CLAUSES {
        return None;
    }
    let (bytes, clause) = match kind & WIDE {
        0 => (usize::from(*section.get(1)?), SHORT_CLAUSE),
        _ => ((u32_at(section, 0)? >> 8) as usize, WIDE_CLAUSE),
    };
    let all = section.get(4..bytes)?;
    if all.len() % clause != 0 {
        return None;
    }
    let read = |clause: &[u8]| -> Option<Clause> {
        let u16_at = |at: usize| Some(u32::from(u16::from_le_bytes(*clause[at..].first_chunk()?)));
        if clause.len() == SHORT_CLAUSE {
            let (protected, handler) = (clause[4].into(), clause[7].into());
            let last = u32_at(clause, 8)?;
            return Some([u16_at(0)?, u16_at(2)?, protected, u16_at(5)?, handler, last]);
        }
        let mut words = [0; 6];
        for (index, word) in words.iter_mut().enumerate() {
            *word = u32_at(clause, 4 * index)?;
        }
        Some(words)
    };
    all.chunks(clause).map(read).collect()
}

/// A section of these clauses in wide form, for code that has moved.
fn moved_section(clauses: &[Clause], moved: i64) -> Option<Vec<u8>> {
    let size = u32::try_from(4 + clauses.len() * WIDE_CLAUSE).ok()?;
    let mut out = Vec::new();
    out.extend((u32::from(CLAUSES | WIDE) | size << 8).to_le_bytes());
    let there = |offset: u32| u32::try_from(i64::from(offset) + moved).ok();
    for [kind, start, length, handler, handled, last] in clauses {
        let last = if *kind == FILTER {
            there(*last)?
        } else {
            *last
        };
        for word in [
            *kind,
            there(*start)?,
            *length,
            there(*handler)?,
            *handled,
            last,
        ] {
            out.extend(word.to_le_bytes());
        }
    }
    Some(out)
}

/// Whether there is a call of this method, or of any method if none is named, from this place in the code on, and the first of them is neither protected nor in a handler.
/// `None`: the body cannot be read.
pub fn calls_unprotected(body: &[u8], from: usize, callee: Option<MdToken>) -> Option<bool> {
    let (start, end) = code(body)?;
    let (code, mut at) = (&body[..end], start);
    let is_it = |at: usize| {
        code[at] == CALL && callee.is_none_or(|callee| u32_at(code, at + 1) == Some(callee.0))
    };
    while at < end && !(at - start >= from && is_it(at)) {
        at = next(code, at)?;
    }
    if at >= end {
        return Some(false);
    }
    if start != HEADER || u16::from_le_bytes(*body.first_chunk()?) & MORE_SECTIONS == 0 {
        return Some(true);
    }
    let at = u32::try_from(at - start).ok()?;
    let within = |start: u32, length: u32| start <= at && at - start < length;
    let clauses = clauses(body.get(end.next_multiple_of(4)..)?)?;
    let is_free = |clause: &Clause| {
        let [_, start, length, handler, handled, _] = *clause;
        !within(start, length) && !within(handler, handled)
    };
    Some(clauses.iter().all(is_free))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ldarg.0; call 0x06000007; .try { nop; leave } catch { pop; leave } ldfld 0x04000009 twice, with ldloc.2 and ldelem.i4 behind the second; ret`
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
            let (start, end) = code(&made).unwrap();
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

//! Changes methods of CoreLib in which a thread looks at what other threads do, or waits for it.
//! Where slots are bounded ([`crate::slots`]), a thread that would look again first gives its slot
//! to one that waits for it. A thread that blocks has no slot meanwhile.
//!
//! ```text
//!   bool Monitor.TryEnter(object o) {          bool WaitHandle.WaitOneNoCheck(int time, ...) {
//!       if (*waiting != 0) give_way()              if (time != 0) park()
//!       as it was                                  as it was; before each return: slept()
//!   }                                          }
//! ```
//!
//! All spinning leads to `Thread.Yield` and `Thread.Sleep`, which are occasions already
//! ([`super::occasions`]). A wait that an exception ends leaves the thread without a slot until
//! its next crossing.

use soglia_abi::ids::MdToken;
use soglia_il::{
    asm::Code,
    body::inserted::{Put, around_returns},
    sig::{self, MethodSig},
};

use super::{
    corelib::CoreLib,
    occasions::{Done, notify},
};
use crate::{notify::occasions, slots};

/// All methods of these names, whatever they take. Some versions lack some of the classes.
const METHODS: [(&str, &str); 7] = [
    // Runs between two work items of a thread of the pool; `Task.Yield` runs one after the other.
    ("System.Threading.Thread", "ResetThreadPoolThread"),
    ("System.Threading.Monitor", "TryEnter"),
    ("System.Threading.Lock", "TryEnter"),
    ("System.Threading.WaitHandle", "WaitOne"),
    ("System.Threading.SemaphoreSlim", "Wait"),
    ("System.Threading.ManualResetEventSlim", "Wait"),
    ("System.Threading.Tasks.Task", "Wait"),
];

/// The methods in which a thread blocks, the number of the argument that is the time, and how many
/// parameters they have. Those of another shape stay as they are, and so do those without code.
const WAITS: [(&str, &str, Option<u16>, usize); 11] = [
    ("System.Threading.WaitHandle", "WaitOneNoCheck", Some(1), 1),
    ("System.Threading.WaitHandle", "WaitOneNoCheck", Some(1), 4),
    ("System.Threading.WaitHandle", "WaitMultiple", Some(2), 3),
    ("System.Threading.WaitHandle", "WaitAnyMultiple", Some(1), 2),
    ("System.Threading.WaitHandle", "SignalAndWait", Some(2), 3),
    (MONITOR, "Wait", Some(1), 2),
    (MONITOR, "TryEnter_Slowpath", Some(1), 2),
    (MONITOR, "Enter_Slowpath", None, 1),
    // Of .NET 8 and 9, added before.
    (MONITOR, ENTER_PARKED, None, 2),
    (MONITOR, TRY_ENTER_PARKED, Some(1), 3),
    // Idle threads of the pool.
    (
        "System.Threading.LowLevelLifoSemaphore",
        "WaitForSignal",
        Some(1),
        1,
    ),
];

const MONITOR: &str = "System.Threading.Monitor";
/// Methods that call what blocks, in versions where that is native code.
pub(super) const ENTER_PARKED: &str = "ReliableEnter_Parked";
pub(super) const TRY_ENTER_PARKED: &str = "ReliableEnterTimeout_Parked";

/// Changes all of them that exist.
pub(super) fn take_over(corelib: &CoreLib, done: &mut Done) {
    for (class, name) in METHODS {
        let Ok(token) = corelib.class(class) else {
            continue;
        };
        for (method, signature) in corelib.methods(token, name) {
            match gives_way(corelib, method, &signature) {
                Ok(true) => {
                    done.changed.insert(method.row());
                }
                Ok(false) => {}
                Err(why) => {
                    let missing = format!("no slot is given away in {class}.{name}: {why}");
                    done.missing.push(missing);
                }
            }
        }
    }
    for (class, name, time, parameters) in WAITS {
        let Ok(token) = corelib.class(class) else {
            continue;
        };
        for (method, signature) in corelib.methods(token, name) {
            if !has(&signature, time, parameters) {
                continue;
            }
            match parks(corelib, method, time) {
                Ok(true) => {
                    done.changed.insert(method.row());
                }
                Ok(false) => {}
                Err(why) => {
                    let missing = format!("a slot is kept in {class}.{name}: {why}");
                    done.missing.push(missing);
                }
            }
        }
    }
}

/// Whether a method has so many parameters, and a number of milliseconds in this argument.
fn has(signature: &[u8], time: Option<u16>, parameters: usize) -> bool {
    MethodSig::parse(signature).is_some_and(|of| {
        let time = time.map(|time| usize::from(time) - usize::from(of.has_this()));
        let is_number = |at: usize| of.params().nth(at).is_some_and(|of| of == [sig::INT32]);
        of.params().count() == parameters && time.is_none_or(is_number)
    })
}

/// Has a thread give its slot back for the time of a method, if the time in this argument is not
/// 0. Returns `false` if the method has no code.
fn parks(corelib: &CoreLib, method: MdToken, time: Option<u16>) -> Result<bool, String> {
    let Some(body) = corelib.whole_body(method) else {
        return Ok(false);
    };
    let odd = || "its body is of an unknown shape".to_owned();
    let (mut enter, mut leave) = (Code::new(), Code::new());
    let on = enter.label();
    if let Some(time) = time {
        enter.ldarg(time);
        enter.brfalse(on);
    }
    notify(corelib, &mut enter, occasions::park)?;
    enter.place(on);
    notify(corelib, &mut leave, occasions::slept)?;
    let (enter, first) = enter.finish_prefix().ok_or_else(odd)?;
    let (leave, second) = leave.finish_prefix().ok_or_else(odd)?;
    let put = Put {
        enter: &enter,
        leave: &leave,
        stack: first.max(second),
        locals: None,
    };
    let made = around_returns(body, &put).ok_or_else(odd)?;
    corelib.set_body(method, &made.body)?;
    Ok(true)
}

/// Changes one method. Returns `false` if it has no code: another method of its name then calls it
/// or is called by it.
fn gives_way(corelib: &CoreLib, method: MdToken, signature: &[u8]) -> Result<bool, String> {
    let Some(body) = corelib.whole_body(method) else {
        return Ok(false);
    };
    let odd = || "its body is of an unknown shape".to_owned();
    let whole = Whole::read(body).ok_or_else(odd)?;
    let returns = !MethodSig::parse(signature).ok_or_else(odd)?.returns_void();
    let mut code = Code::new();
    let on = code.label();
    let waiting = std::ptr::from_ref(slots::waiting()).expose_provenance();
    code.ldc_i8((waiting as u64).cast_signed());
    code.conv_i();
    code.ldind_i();
    code.brfalse(on);
    notify(corelib, &mut code, occasions::give_way)?;
    code.place(on);
    let body = whole.behind(code, returns).ok_or_else(odd)?;
    corelib.set_body(method, &body)?;
    Ok(true)
}

/// The size of a fat header, and the flags in it.
const HEADER: usize = 12;
const MORE_SECTIONS: u16 = 0x8;
/// The kind of a section: it has clauses, they are wide, and another section follows.
const CLAUSES: u8 = 0x1;
const WIDE: u8 = 0x40;
const MORE: u8 = 0x80;
/// The kind of a clause whose last number is an offset too.
const FILTER: u32 = 0x1;

/// A complete body, with its sections (ECMA-335, II.25.4).
pub(super) struct Whole<'a> {
    code: &'a [u8],
    stack: u16,
    locals: MdToken,
    clauses: Vec<[u32; 6]>,
}

impl<'a> Whole<'a> {
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let first = *body.first()?;
        if first & 0x3 == 0x2 {
            let size = usize::from(first >> 2);
            return Some(Self {
                code: body.get(1..1 + size)?,
                stack: 8,
                locals: MdToken(0),
                clauses: Vec::new(),
            });
        }
        let flags = u16::from_le_bytes(*body.first_chunk()?);
        if flags & 0x7 != 0x3 || usize::from(flags >> 12) * 4 != HEADER {
            return None;
        }
        let word = |at: usize| Some(u32::from_le_bytes(*body.get(at..)?.first_chunk()?));
        let size = usize::try_from(word(4)?).ok()?;
        let end = HEADER.checked_add(size)?;
        let clauses = if flags & MORE_SECTIONS == 0 {
            Vec::new()
        } else {
            clauses(body.get(end.next_multiple_of(4)..)?)?
        };
        Some(Self {
            code: body.get(HEADER..end)?,
            stack: u16::from_le_bytes(*body.get(2..)?.first_chunk()?),
            locals: MdToken(word(8)?),
            clauses,
        })
    }

    /// This body after other code, which leaves nothing on the stack.
    pub(super) fn behind(&self, mut code: Code, returns: bool) -> Option<Vec<u8>> {
        code.inlined(self.code, self.stack, returns.into());
        // The old code has returns of its own, so this one is never reached.
        code.ret(returns);
        let locals = (!self.locals.is_nil()).then_some(self.locals);
        let mut body = code.finish(locals)?;
        if self.clauses.is_empty() {
            return Some(body);
        }
        let before = u32::try_from(body.len() - HEADER - self.code.len() - 1).ok()?;
        body[0] |= MORE_SECTIONS as u8;
        body.resize(body.len().next_multiple_of(4), 0);
        let size = u32::try_from(4 + 24 * self.clauses.len()).ok()?;
        body.extend((u32::from(CLAUSES | WIDE) | size << 8).to_le_bytes());
        for [kind, start, length, handler, handled, last] in &self.clauses {
            let last = if *kind == FILTER {
                last + before
            } else {
                *last
            };
            for number in [
                *kind,
                start + before,
                *length,
                handler + before,
                *handled,
                last,
            ] {
                body.extend(number.to_le_bytes());
            }
        }
        Some(body)
    }
}

/// The clauses of the only section. Each has its kind, the start and length of the protected block
/// and of the handler, and a type or a filter.
fn clauses(section: &[u8]) -> Option<Vec<[u32; 6]>> {
    let header = u32::from_le_bytes(*section.first_chunk()?);
    let kind = header as u8;
    if kind & !WIDE != CLAUSES || kind & MORE != 0 {
        return None;
    }
    let (size, each) = match kind & WIDE {
        0 => (header >> 8 & 0xff, 12),
        _ => (header >> 8, 24),
    };
    let bytes = section.get(4..usize::try_from(size).ok()?)?;
    let clause = |clause: &[u8]| {
        let short = |at: usize| {
            Some(u32::from(u16::from_le_bytes(
                *clause.get(at..)?.first_chunk()?,
            )))
        };
        let word = |at: usize| Some(u32::from_le_bytes(*clause.get(at..)?.first_chunk()?));
        if each == 24 {
            return Some([
                word(0)?,
                word(4)?,
                word(8)?,
                word(12)?,
                word(16)?,
                word(20)?,
            ]);
        }
        let byte = |at: usize| clause.get(at).map(|byte| u32::from(*byte));
        Some([
            short(0)?,
            short(2)?,
            byte(4)?,
            short(5)?,
            byte(7)?,
            word(8)?,
        ])
    };
    bytes.chunks_exact(each).map(clause).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `nop`, `ret`, and one clause about the `nop`.
    fn fat(wide: bool, kind: u8) -> Vec<u8> {
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

    fn behind_two_bytes(body: &[u8]) -> Option<Whole<'static>> {
        let mut code = Code::new();
        code.ldc_i4(0);
        code.pop();
        let made = Whole::read(body)?.behind(code, false)?;
        Whole::read(Vec::leak(made))
    }

    #[test]
    fn clauses_move_with_their_code() {
        for wide in [false, true] {
            for (kind, last) in [(2, 9), (1, 11)] {
                let whole = behind_two_bytes(&fat(wide, kind)).unwrap();
                assert_eq!(whole.code, [0x16, 0x26, 0x00, 0x2A, 0x2A]);
                assert_eq!((whole.stack, whole.locals), (3, MdToken(0x1100_0007)));
                assert_eq!(whole.clauses, [[kind.into(), 2, 1, 3, 1, last]]);
            }
        }
    }

    #[test]
    fn a_small_body_becomes_a_large_one() {
        let whole = behind_two_bytes(&[0x0A, 0x00, 0x2A]).unwrap();
        assert_eq!(whole.code, [0x16, 0x26, 0x00, 0x2A, 0x2A]);
        assert_eq!((whole.stack, whole.locals), (8, MdToken(0)));
        assert!(whole.clauses.is_empty());
    }

    #[test]
    fn what_cannot_be_read_stays() {
        let mut more = fat(true, 2);
        more[16] |= MORE;
        for body in [&[][..], &[0x0E, 0x2A], &fat(true, 2)[..20], &more] {
            assert!(behind_two_bytes(body).is_none(), "{body:?}");
        }
    }
}

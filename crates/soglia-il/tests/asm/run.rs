//! Takes bodies apart, and runs them.

use soglia_abi::ids::MdToken;

/// An instruction: its place, its name and its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    pub at: usize,
    pub name: &'static str,
    pub operand: i64,
}

#[derive(Debug)]
pub struct Body {
    pub max_stack: u16,
    pub locals: u32,
    pub init: bool,
    pub code: usize,
    pub ops: Vec<Op>,
    /// The start and the length of the protected block, then of its handler.
    pub clauses: Vec<[usize; 4]>,
}

pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn disassemble(body: &[u8]) -> Body {
    let flags = u16_at(body, 0);
    assert_eq!((flags & 0x3, flags >> 12), (3, 3));
    let code = u32_at(body, 4) as usize;
    let bytes = &body[12..12 + code];
    let mut ops = Vec::new();
    let mut at = 0;
    while at < code {
        let (name, operand) = match bytes[at] {
            0x02..=0x05 => ("ldarg", -i64::from(bytes[at] - 0x02)),
            0x06..=0x09 => ("ldloc", -i64::from(bytes[at] - 0x06)),
            0x0A..=0x0D => ("stloc", -i64::from(bytes[at] - 0x0A)),
            0x15..=0x1E => ("ldc.i4", 0x16 - i64::from(bytes[at])),
            0x0E => ("ldarg", 1),
            0x11 => ("ldloc", 1),
            0x13 => ("stloc", 1),
            0x1F => ("ldc.i4", 1),
            0x20 => ("ldc.i4", 4),
            0x21 => ("ldc.i8", 8),
            0x25 => ("dup", 0),
            0x26 => ("pop", 0),
            0x28 => ("call", 4),
            0x29 => ("calli", 4),
            0x2A => ("ret", 0),
            0x39 => ("brfalse", 4),
            0x3C => ("bge", 4),
            0x6E => ("conv.u8", 0),
            0x72 => ("ldstr", 4),
            0x73 => ("newobj", 4),
            0x7A => ("throw", 0),
            0xD3 => ("conv.i", 0),
            0x6F => ("callvirt", 4),
            0xDC => ("endfault", 0),
            0xDD => ("leave", 4),
            0xFE => match bytes[at + 1] {
                0x09 => ("ldarg", 2),
                0x0C => ("ldloc", 2),
                0x0E => ("stloc", 2),
                wide => panic!("{wide:#x} at {at}"),
            },
            opcode => panic!("{opcode:#x} at {at}"),
        };
        let start = at;
        at += if bytes[at] == 0xFE { 2 } else { 1 };
        // What is negative or zero above is the operand itself, and else the bytes that it takes.
        let long = bytes[start] >= 0x0E && !(0x15..=0x1E).contains(&bytes[start]);
        let operand = if long && operand > 0 {
            let size = operand as usize;
            let mut wide = [0; 8];
            wide[..size].copy_from_slice(&bytes[at..at + size]);
            at += size;
            let shift = 64 - 8 * size as u32;
            let unsigned = i64::from_le_bytes(wide);
            let number = unsigned << shift >> shift;
            match name {
                // Numbers of arguments have no sign; branches count from behind themselves.
                "ldarg" | "ldloc" | "stloc" => unsigned,
                "brfalse" | "bge" | "leave" => number + at as i64,
                _ => number,
            }
        } else {
            -operand
        };
        ops.push(Op {
            at: start,
            name,
            operand,
        });
    }
    assert_eq!(at, code, "the last instruction is whole");
    let starts: Vec<usize> = ops.iter().map(|op| op.at).collect();
    for op in &ops {
        if matches!(op.name, "brfalse" | "bge" | "leave") {
            assert!(starts.contains(&(op.operand as usize)), "{op:?} to nowhere");
        }
    }
    let end = (12 + code).next_multiple_of(4);
    let mut clauses = Vec::new();
    if flags & 0x8 != 0 {
        assert!(body[12 + code..end].iter().all(|byte| *byte == 0));
        let section = &body[end..];
        assert_eq!(section[0], 0x41);
        let size = u32_at(section, 0) as usize >> 8;
        assert_eq!(size, section.len());
        assert_eq!((size - 4) % 24, 0);
        for clause in section[4..].chunks(24) {
            assert_eq!((u32_at(clause, 0), u32_at(clause, 20)), (4, 0));
            let clause = [4, 8, 12, 16].map(|at| u32_at(clause, at) as usize);
            let [start, len, handler, handler_len] = clause;
            assert_eq!(start + len, handler);
            for at in [start, handler] {
                assert!(starts.contains(&at));
            }
            assert!(starts.contains(&(handler + handler_len)) || handler + handler_len == code);
            clauses.push(clause);
        }
    } else {
        assert_eq!(body.len(), 12 + code);
    }
    Body {
        max_stack: u16_at(body, 2),
        locals: u32_at(body, 8),
        init: flags & 0x10 != 0,
        code,
        ops,
        clauses,
    }
}

pub const NATIVE: MdToken = MdToken(0x0600_0077);
pub const THROW: MdToken = MdToken(0x0A00_0001);
pub const RESULT: i64 = 4711;

/// Runs a body. `answer` says what the hook at an address returns; `throws` says whether the native
/// method throws. Returns what was called, and the result (`Ok(None)` for nothing) or an exception.
pub fn run(
    body: &Body,
    answer: &dyn Fn(i64) -> Option<i64>,
    throws: bool,
    id: i64,
) -> (Vec<i64>, Result<Option<i64>, ()>) {
    let index = |at: i64| {
        let found = body.ops.iter().position(|op| op.at as i64 == at);
        found.unwrap()
    };
    let protecting = |at: usize| {
        let mut clauses = body.clauses.iter();
        clauses.find(|[start, len, ..]| (*start..start + len).contains(&at))
    };
    let (mut stack, mut locals, mut called) = (Vec::new(), [0_i64; 2], Vec::new());
    let mut next = 0;
    loop {
        assert!(stack.len() <= body.max_stack.into());
        let Op { at, name, operand } = body.ops[next];
        next += 1;
        let mut pop = || stack.pop().unwrap();
        match name {
            "ldarg" => stack.push(1000 + operand),
            "ldloc" => stack.push(locals[operand as usize]),
            "stloc" => locals[operand as usize] = pop(),
            "ldc.i4" | "ldc.i8" => stack.push(operand),
            "conv.u8" => {
                let number = pop();
                stack.push(i64::from(number as u32));
            }
            "conv.i" => {}
            "calli" => {
                let (hook, arg) = (pop(), pop());
                assert_eq!(arg, id);
                called.push(hook);
                stack.extend(answer(hook));
            }
            "call" if operand == i64::from(NATIVE.0) => {
                called.push(operand);
                for number in (0..stack.len()).rev() {
                    assert_eq!(stack.pop(), Some(1000 + number as i64));
                }
                if throws {
                    match protecting(at) {
                        Some([_, _, handler, _]) => next = index(*handler as i64),
                        None => return (called, Err(())),
                    }
                } else if body.ops[next].name == "stloc" {
                    stack.push(RESULT);
                }
            }
            "call" => {
                assert_eq!(operand, i64::from(THROW.0));
                assert!(pop() < 0);
                assert!(protecting(at).is_none());
                return (called, Err(()));
            }
            "brfalse" => {
                if pop() == 0 {
                    next = index(operand);
                }
            }
            "bge" => {
                let (above, below) = (pop(), pop());
                if below >= above {
                    next = index(operand);
                }
            }
            "pop" => drop(pop()),
            "leave" => {
                stack.clear();
                assert!(protecting(at).is_some());
                next = index(operand);
            }
            "endfault" => return (called, Err(())),
            "ret" => {
                let result = stack.pop();
                assert!(stack.is_empty());
                return (called, Ok(result));
            }
            name => panic!("{name}"),
        }
    }
}

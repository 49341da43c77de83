use super::*;

/// An instruction as it is found again: where, which, its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Op {
    at: usize,
    name: &'static str,
    operand: i64,
}

#[derive(Debug)]
struct Body {
    max_stack: u16,
    locals: u32,
    init: bool,
    code: usize,
    ops: Vec<Op>,
    /// Start and length of what is protected, then of the handler.
    clauses: Vec<[usize; 4]>,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn disassemble(body: &[u8]) -> Body {
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

const NATIVE: MdToken = MdToken(0x0600_0077);
const THROW: MdToken = MdToken(0x0A00_0001);
const RESULT: i64 = 4711;

/// Runs a body. `answer` says what a hook at an address returns, whether the native method throws is `throws`. Tells what
/// was called, and what came of it: the result (`Ok(None)` for nothing) or an exception.
fn run(
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

const ID: u32 = 0x8000_0001;

/// The hook with this number, which is its address as well.
fn hook(address: usize, answers: bool) -> Hook {
    Hook {
        address,
        signature: MdToken(0x1100_0000 | address as u32),
        answers,
        pointer: None,
    }
}

/// A wrapper: hooks 0x10 and 0x11 before the call, 0x20 and 0x21 after it, 0x30 if it throws.
fn example(args: u16, returns: bool, may_refuse: bool) -> Vec<u8> {
    let mut code = Code::new();
    let slow = hook(0x11, true);
    if may_refuse {
        code.hook(ID, slow);
        code.stloc(0);
        let go = code.label();
        code.ldloc(0);
        code.ldc_i4(0);
        code.bge(go);
        code.ldloc(0);
        code.call(THROW, 1, false);
        code.place(go);
    } else {
        let quick = hook(0x10, true);
        code.hooks(ID, Pair { quick, slow });
    }
    let ret = returns.then_some(u16::from(may_refuse));
    code.watched(
        ret,
        |code| {
            code.arguments(args);
            code.call(NATIVE, args, returns);
        },
        |code| code.hook(ID, hook(0x30, false)),
    );
    let (quick, slow) = (hook(0x20, true), hook(0x21, false));
    code.hooks(ID, Pair { quick, slow });
    code.give_back(ret);
    code.finish(Some(MdToken(0x1100_0005))).unwrap()
}

#[test]
fn wrappers_do_what_their_listings_say() {
    let native = i64::from(NATIVE.0);
    for returns in [false, true] {
        for args in [0, 1, 2, 3, 5, 300, 65_535] {
            let done = Ok(returns.then_some(RESULT));
            // may refuse; leave, leave_slow, enter, native throws -> what is called, what comes of it
            for (may_refuse, leave, slow, enter, throws, calls, result) in [
                (false, 0, 9, 0, false, vec![0x10, native, 0x20], done),
                (false, 1, 0, 0, false, vec![0x10, 0x11, native, 0x20], done),
                (false, 1, -5, 0, false, vec![0x10, 0x11, native, 0x20], done),
                (false, 0, 9, 1, false, vec![0x10, native, 0x20, 0x21], done),
                (false, 0, 9, 0, true, vec![0x10, native, 0x30], Err(())),
                (true, 9, 0, 0, false, vec![0x11, native, 0x20], done),
                (true, 9, 1, 1, false, vec![0x11, native, 0x20, 0x21], done),
                (true, 9, 0, 0, true, vec![0x11, native, 0x30], Err(())),
                (true, 9, -5, 0, false, vec![0x11], Err(())),
            ] {
                let body = disassemble(&example(args, returns, may_refuse));
                assert_eq!(body.max_stack, args.max(2));
                assert!(body.init);
                assert_eq!(body.locals, 0x1100_0005);
                assert_eq!(body.clauses.len(), 1);
                let answer = |hook| match hook {
                    0x10 => Some(leave),
                    0x11 => Some(slow),
                    0x20 => Some(enter),
                    _ => None,
                };
                let ran = run(&body, &answer, throws, ID.into());
                assert_eq!(ran, (calls, result), "{args} {returns} {may_refuse}");
            }
        }
    }
}

#[test]
fn a_small_body_byte_for_byte() {
    let mut code = Code::new();
    let end = code.label();
    let block = code.begin_try();
    code.ldarg(0);
    code.ldarg(4);
    code.call(MdToken(0x0600_0002), 2, true);
    code.stloc(0);
    code.leave(end);
    let handler = code.begin_fault(block);
    code.end_fault(handler);
    code.place(end);
    code.ldloc(0);
    code.ret(true);
    let body = code.finish(Some(MdToken(0x1100_0001))).unwrap();
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = [
        "1b30",
        "0200",
        "11000000",
        "01000011", // header
        "02",
        "0e04",
        "2802000006",
        "0a",
        "dd01000000", // try: 0..14
        "dc",         // fault: 14..15
        "06",
        "2a",     // 15..17
        "000000", // to a multiple of 4
        "411c0000",
        "04000000",
        "00000000",
        "0e000000",
        "0e000000",
        "01000000",
        "00000000",
    ];
    assert_eq!(hex, expected.concat());
}

#[test]
fn a_loop_byte_for_byte() {
    let mut code = Code::new();
    let again = code.label();
    code.place(again);
    code.ldarg(0);
    code.ldfld(MdToken(0x0400_0001));
    code.conv_i4();
    code.ldc_i4(3);
    code.ceq();
    code.brfalse(again);
    code.br(again);
    let body = code.finish(None).unwrap();
    let mut expected = vec![0x02, 0x7B, 1, 0, 0, 4, 0x69, 0x19, 0xFE, 0x01];
    expected.extend([0x39, 0xF1, 0xFF, 0xFF, 0xFF, 0x38, 0xEC, 0xFF, 0xFF, 0xFF]);
    assert_eq!(u16_at(&body, 2), 2);
    assert_eq!(body[12..], expected);
}

#[test]
fn numbers_take_the_shortest_form() {
    let bytes = |write: &dyn Fn(&mut Code)| {
        let mut code = Code::new();
        write(&mut code);
        code.bytes
    };
    for (number, form) in [
        (-1, &[0x15][..]),
        (0, &[0x16]),
        (8, &[0x1E]),
        (9, &[0x1F, 9]),
        (-2, &[0x1F, 0xFE]),
        (-128, &[0x1F, 0x80]),
        (128, &[0x20, 128, 0, 0, 0]),
        (i32::MIN, &[0x20, 0, 0, 0, 0x80]),
    ] {
        assert_eq!(bytes(&|code| code.ldc_i4(number)), form);
    }
    assert_eq!(bytes(&|code| code.ldarg(3)), [5]);
    assert_eq!(bytes(&|code| code.ldarg(255)), [0x0E, 255]);
    assert_eq!(bytes(&|code| code.ldarg(256)), [0xFE, 9, 0, 1]);
    assert_eq!(bytes(&|code| code.ldloc(256)), [0xFE, 12, 0, 1]);
    assert_eq!(bytes(&|code| code.ldloc(4)), [0x11, 4]);
}

#[test]
fn a_refusal_with_a_text() {
    let mut code = Code::new();
    let go = code.label();
    code.ldarg(0);
    code.dup();
    code.pop();
    code.brfalse(go);
    code.ldstr(MdToken(0x7000_0001));
    code.newobj(MdToken(0x0A00_0001), 1);
    code.throw();
    code.place(go);
    code.ret(false);
    let body = disassemble(&code.finish(None).unwrap());
    assert_eq!((body.max_stack, body.locals, body.init), (2, 0, false));
    assert_eq!(body.ops.last().unwrap().name, "ret");
    assert_eq!(body.code, 1 + 1 + 1 + 5 + 5 + 5 + 1 + 1);
}

#[test]
fn blocks_nest_inner_first() {
    let mut code = Code::new();
    let end = code.label();
    let outer = code.begin_try();
    let after = code.label();
    let inner = code.begin_try();
    code.leave(after);
    let handler = code.begin_fault(inner);
    code.end_fault(handler);
    code.place(after);
    code.leave(end);
    let handler = code.begin_fault(outer);
    code.end_fault(handler);
    code.place(end);
    code.ret(false);
    let body = disassemble(&code.finish(None).unwrap());
    assert_eq!(body.clauses, [[0, 5, 5, 1], [0, 11, 11, 1]]);
}

#[test]
fn what_does_not_come_out_even_is_no_body() {
    let broken: [&dyn Fn(&mut Code); 9] = [
        &|_| {},                // runs off its end
        &|code| code.ret(true), // returns what is not there
        &|code| {
            code.ldarg(0);
            code.ret(false); // returns nothing with something there
        },
        &|code| {
            code.pop();
            code.ret(false);
        },
        &|code| {
            let nowhere = code.label();
            code.ldarg(0);
            code.brfalse(nowhere);
            code.ret(false);
        },
        &|code| {
            let twice = code.label();
            code.place(twice);
            code.place(twice);
            code.ret(false);
        },
        &|code| {
            // One way leaves more on the stack than the other.
            let end = code.label();
            code.ldarg(0);
            code.brfalse(end);
            code.ldarg(0);
            code.place(end);
            code.ret(true);
        },
        &|code| {
            let _ = code.begin_try();
            code.ret(false);
        },
        &|code| {
            // Falls out of what is protected.
            let block = code.begin_try();
            let handler = code.begin_fault(block);
            code.end_fault(handler);
        },
    ];
    for (index, write) in broken.iter().enumerate() {
        let mut code = Code::new();
        write(&mut code);
        assert_eq!(code.finish(None), None, "{index}");
    }
}

#[test]
fn hooks_hear_of_pointers() {
    let mut code = Code::new();
    let told = Hook {
        pointer: Some(4),
        ..hook(0x10, false)
    };
    code.hook(7, told);
    code.ret(false);
    let body = code.finish(None).unwrap();
    let hex: String = body[12..].iter().map(|b| format!("{b:02x}")).collect();
    // ldc.i4.7; conv.u8; ldarg.s 4; ldc.i8; conv.i; calli; ret
    assert_eq!(hex, "1d6e0e04211000000000000000d329100000112a");
    assert_eq!(u16_at(&body, 2), 3, "the deepest stack");
}

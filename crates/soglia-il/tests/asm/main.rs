//! Assembled bodies: byte for byte, and as they run.

mod run;

use run::{NATIVE, RESULT, THROW, disassemble, run, u16_at};
use soglia_abi::ids::MdToken;
use soglia_il::asm::{Code, Hook, Pair};

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
fn example(args: u16, returns: bool, may_deny: bool) -> Vec<u8> {
    let mut code = Code::new();
    let slow = hook(0x11, true);
    if may_deny {
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
    let ret = returns.then_some(u16::from(may_deny));
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
            if cfg!(miri) && args > 300 {
                continue;
            }
            let done = Ok(returns.then_some(RESULT));
            // may deny; leave, leave_slow, enter, native throws -> what is called, and the result
            for (may_deny, leave, slow, enter, throws, calls, result) in [
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
                let body = disassemble(&example(args, returns, may_deny));
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
                assert_eq!(ran, (calls, result), "{args} {returns} {may_deny}");
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
        code.bytes().to_vec()
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
fn a_denial_with_a_text() {
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

//! Bodies that compilers have made, from outside.

use proptest::prelude::*;
use soglia_abi::ids::MdToken;
use soglia_il::{
    asm::Code,
    body::{Instructions, calls_by_pointer, code_calls_by_pointer, leads_on, plain, prefix, whole},
    leads,
};

const TINY: u8 = 0x2;
const HEADER: usize = 12;
const MORE_SECTIONS: u8 = 0x8;
const NOP: u8 = 0x00;
const CALL: u8 = 0x28;
const CALLI: u8 = 0x29;
const RET: u8 = 0x2A;
const SWITCH: u8 = 0x45;
const CALLVIRT: u8 = 0x6F;
const NEWOBJ: u8 = 0x73;
const THROW: u8 = 0x7A;
const WIDE: u8 = 0xFE;
/// Behind [`WIDE`].
const TAIL: u8 = 0x14;

const SIGNATURE: u32 = 0x1100_0002;
const METHOD: MdToken = MdToken(0x0600_0042);

fn tiny(code: &[u8]) -> Vec<u8> {
    let mut body = vec![(code.len() as u8) << 2 | TINY];
    body.extend(code);
    body
}

/// With a section behind the code that looks like code.
fn fat(code: &[u8]) -> Vec<u8> {
    let mut body = vec![0x1B, 0x30, 8, 0];
    body.extend((code.len() as u32).to_le_bytes());
    body.extend(0x1100_0001_u32.to_le_bytes());
    body.extend(code);
    body.extend(calli());
    body
}

fn calli() -> Vec<u8> {
    [&[CALLI][..], &SIGNATURE.to_le_bytes()].concat()
}

fn found(body: &[u8]) -> Vec<usize> {
    let sites = calls_by_pointer(body).unwrap();
    assert!(sites.iter().all(|site| site.signature.0 == SIGNATURE));
    sites.iter().map(|site| site.at()).collect()
}

#[test]
fn both_kinds_of_headers_are_read() {
    let code = [&[0x02, 0x03][..], &calli(), &[0x2A]].concat();
    assert_eq!(found(&tiny(&code)), [3]);
    assert_eq!(found(&fat(&code)), [14]);
    assert_eq!(found(&tiny(&[0x2A])), [0; 0]);
}

#[test]
fn operands_are_no_instructions() {
    let looks = calli();
    let operand = u32::from_le_bytes([CALLI, CALLI, CALLI, CALLI]);
    let switch = [&[SWITCH, 2, 0, 0, 0][..], &[CALLI; 8]].concat();
    for before in [
        &[0x21, CALLI, CALLI, CALLI, CALLI, CALLI, CALLI, CALLI, CALLI][..],
        &[0x20, CALLI, CALLI, CALLI, CALLI],
        &[0x1F, CALLI],
        &[0x0E, CALLI],
        &[0x2B, CALLI],
        &[WIDE, 0x09, CALLI, CALLI],
        &[WIDE, 0x06, CALLI, CALLI, CALLI, CALLI],
        &[WIDE, 0x01],
        &[0x7A],
        &switch,
        &[&[CALL][..], &operand.to_le_bytes()].concat(),
    ] {
        let code = [before, &looks, &[0x2A]].concat();
        assert_eq!(found(&fat(&code)), [HEADER + before.len()], "{before:x?}");
    }
}

#[test]
fn calls_are_put_in_place() {
    let code = [&[0x02][..], &calli(), &[0x26, 0x02], &calli(), &[0x2A]].concat();
    let mut body = fat(&code);
    let before = body.clone();
    for site in calls_by_pointer(&before).unwrap() {
        assert!(site.patch(&mut body, METHOD));
    }
    let mut expected = before;
    for at in [13, 20] {
        expected[at] = CALL;
        expected[at + 1..at + 5].copy_from_slice(&METHOD.0.to_le_bytes());
    }
    assert_eq!(body, expected);
}

#[test]
fn prefixes_are_taken_for_what_they_are() {
    let patched = |prefix: &[u8]| {
        let mut body = tiny(&[&[0x02][..], prefix, &calli(), &[0x2A]].concat());
        let [site] = calls_by_pointer(&body).unwrap()[..] else {
            panic!("one")
        };
        site.patch(&mut body, METHOD)
            .then(|| body[2..2 + prefix.len()].to_vec())
    };
    assert_eq!(patched(&[]), Some(vec![]));
    assert_eq!(patched(&[WIDE, TAIL]), Some(vec![NOP, NOP]));
    assert_eq!(patched(&[WIDE, TAIL, NOP]), Some(vec![WIDE, TAIL, NOP]));
    assert_eq!(patched(&[WIDE, 0x13]), None);
    assert_eq!(patched(&[WIDE, 0x12, 1]), None);
    assert_eq!(patched(&[WIDE, 0x13, WIDE, TAIL]), None);
    assert_eq!(patched(&[WIDE, TAIL, WIDE, 0x13]), None);
}

#[test]
fn what_is_no_body_is_not_read() {
    let good = fat(&[&calli()[..], &[0x2A]].concat());
    let with = |at: usize, byte: u8| {
        let mut body = good.clone();
        body[at] = byte;
        calls_by_pointer(&body)
    };
    assert!(calls_by_pointer(&good).is_some());
    assert_eq!(calls_by_pointer(&[]), None);
    assert_eq!(with(0, 0x00), None, "neither form");
    assert_eq!(with(1, 0x40), None, "a longer header");
    assert_eq!(with(7, 0x7F), None, "longer than there is");
    assert_eq!(with(17, 0x24), None, "no instruction");
    assert_eq!(with(17, 0x20), None, "an operand over the end");
    assert_eq!(with(17, WIDE), None, "half an instruction");
    assert_eq!(
        calls_by_pointer(&tiny(&[SWITCH, 0xFF, 0xFF, 0xFF, 0xFF])),
        None
    );
    assert_eq!(calls_by_pointer(&tiny(&[WIDE, 0x08])), None);
    for end in 0..good.len() - 5 {
        assert_eq!(calls_by_pointer(&good[..end]), None, "{end}");
    }
}

#[test]
fn code_without_a_header_is_read_too() {
    let code = [&[0x02, 0x03][..], &calli(), &[0x2A]].concat();
    assert!(code_calls_by_pointer(&code));
    assert!(!code_calls_by_pointer(&code[..2]));
    assert!(!code_calls_by_pointer(&[0x20, CALLI, CALLI, CALLI, CALLI]));
    assert!(!code_calls_by_pointer(&code[..5]));
}

/// All that reads bodies, on one that may be broken.
fn read_all(body: &[u8]) -> Result<(), TestCaseError> {
    let mut patched = body.to_vec();
    for site in calls_by_pointer(body).unwrap_or_default() {
        let is_patched = site.patch(&mut patched, METHOD);
        prop_assert_eq!(is_patched, patched[site.at()] == CALL);
    }
    prop_assert_eq!(patched.len(), body.len());
    let _ = (leads_on(body), leads::of_body(body));
    if let Some(plain) = plain(body) {
        prop_assert_eq!(
            whole(body).map(|whole| whole.code.len()),
            Some(plain.code.len() + 1)
        );
        let _ = plain.calls(METHOD);
    }
    for (skip, length) in [(0, 0), (0, 7), (3, 20), (20, 3)] {
        let Some(made) = prefix::with_prefix(body, skip, &vec![NOP; length], 9) else {
            continue;
        };
        // The way back gives the same code.
        let (code, moved) = (whole(body), whole(&made));
        prop_assert_eq!(code.is_some(), moved.is_some());
        if let (Some(code), Some(moved)) = (code, moved) {
            prop_assert_eq!(&code.code[skip..], &moved.code[length..]);
        }
    }
    for (from, callee) in [(0, None), (3, Some(METHOD))] {
        let _ = prefix::calls_unprotected(body, from, callee);
    }
    let _ = (
        prefix::index_of(body, METHOD),
        prefix::call_behind(body, &[0x02]),
    );
    Ok(())
}

proptest! {
    #[test]
    fn broken_bodies_are_read_without_a_panic(
        is_tiny: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
    ) {
        let code = [
            &[0x02, WIDE, TAIL][..],
            &calli(),
            &[SWITCH, 1, 0, 0, 0, 0, 0, 0, 0, 0x2A],
        ]
        .concat();
        let mut body = if is_tiny { tiny(&code) } else { fat(&code) };
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        read_all(&body)?;
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        kind in prop::sample::select(vec![[0x1B, 0x30], [0x13, 0x30], [0x42, 0x02]]),
        mut body in prop::collection::vec(any::<u8>(), 13..120),
        size in 0..100_u8,
    ) {
        body[..2].copy_from_slice(&kind);
        if kind[1] == 0x30 {
            body[4..8].copy_from_slice(&[size, 0, 0, 0]);
        }
        read_all(&body)?;
    }

    #[test]
    fn instructions_put_together_are_the_code(
        code in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(vec![0x02, 0x28, 0x2A, 0x45, 0xFE])],
            0..60,
        ),
    ) {
        let (mut read, mut at) = (Vec::<u8>::new(), 0);
        for instruction in Instructions::new(&code) {
            let Some(instruction) = instruction else { break };
            prop_assert_eq!(instruction.at(), at);
            prop_assert!(instruction.end() > at);
            at = instruction.end();
            read.extend(instruction.bytes());
        }
        prop_assert_eq!(&read, &code[..at]);
    }

    #[test]
    fn an_assembled_body_is_read_back(
        numbers in prop::collection::vec(any::<(i32, i64, u16)>(), 0..20),
        locals: bool,
    ) {
        let mut code = Code::new();
        for (small, large, local) in &numbers {
            code.ldc_i4(*small);
            code.stloc(*local);
            code.ldc_i8(*large);
            code.call(METHOD, 1, false);
        }
        let written = code.bytes().to_vec();
        code.ret(false);
        let locals = locals.then_some(MdToken(SIGNATURE));
        let body = code.finish(locals).unwrap();
        let taken = plain(&body).unwrap();
        prop_assert_eq!(taken.code, written);
        prop_assert_eq!(taken.locals, locals);
        prop_assert_eq!(taken.stack, u16::from(!numbers.is_empty()));
        prop_assert_eq!(taken.calls(METHOD), !numbers.is_empty());
        prop_assert_eq!(leads::of_body(&body).unwrap().len(), numbers.len());
    }
}

#[test]
fn a_plain_body_returns_once_and_at_its_end() {
    let call = [&[0x02, CALL][..], &METHOD.0.to_le_bytes()].concat();
    let unprotected = |code: &[u8]| {
        let mut body = fat(code);
        body[0] &= !MORE_SECTIONS;
        body
    };
    let tiny = [&[((call.len() + 1) as u8) << 2 | TINY][..], &call, &[RET]].concat();
    let taken = plain(&tiny).unwrap();
    assert_eq!((taken.code, taken.stack, taken.locals), (&*call, 8, None));
    assert!(taken.calls(METHOD));
    assert!(!taken.calls(MdToken(METHOD.0 + 1)));

    let mut large = unprotected(&[&*call, &[RET]].concat());
    large[8..12].copy_from_slice(&0x1100_0005_u32.to_le_bytes());
    let taken = plain(&large).unwrap();
    assert_eq!(
        (taken.code, taken.locals),
        (&*call, Some(MdToken(0x1100_0005)))
    );
    // The same bytes as an operand are no call.
    let operand = [&[0x21, CALL][..], &METHOD.0.to_le_bytes(), &[0, 0, 0, RET]].concat();
    assert!(!plain(&unprotected(&operand)).unwrap().calls(METHOD));

    large[0] |= MORE_SECTIONS;
    assert_eq!(plain(&large), None, "something is protected");
    for code in [
        &[RET, 0x02, RET][..], // an earlier return
        &[0x02],               // no return
        &[0x02, CALL, 1],      // cut off
        &[0x24, RET],          // no such instruction
        &[],
    ] {
        assert_eq!(plain(&unprotected(code)), None, "{code:x?}");
    }
}

#[test]
fn what_calls_or_throws_may_be_in_traces() {
    // ldarg.0; ldc.i4 0x28282828; add; ret
    assert!(!leads_on(&tiny(&[
        0x02, 0x20, 0x28, 0x28, 0x28, 0x28, 0x58, 0x2A
    ])));
    for leading in [CALL, CALLI, CALLVIRT, NEWOBJ] {
        assert!(leads_on(&tiny(&[0x02, leading, 1, 0, 0, 6, 0x2A])));
    }
    assert!(leads_on(&tiny(&[0x14, THROW])));
    // There is no such instruction.
    assert!(leads_on(&tiny(&[0x24, 0x2A])));
}

use super::*;

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
    sites.iter().map(|site| site.at).collect()
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

/// Every instruction of ECMA-335, III: opcode and bytes of its operand, as its tables have them.
#[test]
fn the_table_is_whole() {
    let short = |opcode| operand(opcode).map_or_else(|| "-".to_owned(), |n| n.to_string());
    let wide = |opcode| wide_operand(opcode).map_or_else(|| "-".to_owned(), |n| n.to_string());
    let row =
        |of: &dyn Fn(u8) -> String, row: u8| (0..16).map(|n| of(row << 4 | n)).collect::<String>();
    let rows: Vec<String> = (0..16).map(|n| row(&short, n)).collect();
    assert_eq!(
        rows,
        [
            "0000000000000011",
            "1111000000000001",
            "4848-00444011111",
            "1111111144444444",
            "44444-0000000000",
            "0000000000000000",
            "0000000000000004",
            "4444440--4044444",
            "4400000000004404",
            "0000000000000000",
            "000444----------",
            "---00000000-----",
            "--40--4---------",
            "4000000000000410",
            "0---------------",
            "----------------",
        ]
    );
    assert_eq!(row(&wide, 0), "00000044-2222220");
    assert_eq!(row(&wide, 1), "-01004400".to_owned() + "10-400-");
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

#[test]
fn broken_bodies_never_make_it_panic() {
    let code = [
        &[0x02, WIDE, TAIL][..],
        &calli(),
        &[SWITCH, 1, 0, 0, 0, 0, 0, 0, 0, 0x2A],
    ]
    .concat();
    let good = fat(&code);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for _ in 0..100_000 {
        let mut body = good.clone();
        for _ in 0..=next() % 4 {
            let at = next() % body.len();
            body[at] = next() as u8;
        }
        for site in calls_by_pointer(&body).unwrap_or_default() {
            let _ = site.patch(&mut body, METHOD);
        }
    }
}

#[test]
fn a_plain_body_returns_once_and_at_its_end() {
    let call = [&[0x02, CALL][..], &METHOD.0.to_le_bytes()].concat();
    let unprotected = |code: &[u8]| {
        let mut body = fat(code);
        body[0] &= !(MORE_SECTIONS as u8);
        body
    };
    let tiny = [&[((call.len() + 1) as u8) << 2 | TINY][..], &call, &[RET]].concat();
    let plain = super::plain(&tiny).unwrap();
    assert_eq!((plain.code, plain.stack, plain.locals), (&*call, 8, None));
    assert!(plain.calls(METHOD));
    assert!(!plain.calls(MdToken(METHOD.0 + 1)));

    let mut large = unprotected(&[&*call, &[RET]].concat());
    large[8..12].copy_from_slice(&0x1100_0005_u32.to_le_bytes());
    let plain = super::plain(&large).unwrap();
    assert_eq!(
        (plain.code, plain.locals),
        (&*call, Some(MdToken(0x1100_0005)))
    );
    // The same bytes as an operand are no call.
    let operand = [&[0x21, CALL][..], &METHOD.0.to_le_bytes(), &[0, 0, 0, RET]].concat();
    assert!(!super::plain(&unprotected(&operand)).unwrap().calls(METHOD));

    large[0] |= MORE_SECTIONS as u8;
    assert_eq!(super::plain(&large), None, "something is protected");
    for code in [
        &[RET, 0x02, RET][..], // an earlier return
        &[0x02],               // no return
        &[0x02, CALL, 1],      // cut off
        &[0x24, RET],          // no such instruction
        &[],
    ] {
        assert_eq!(super::plain(&unprotected(code)), None, "{code:x?}");
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

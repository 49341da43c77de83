//! Instructions that lead to other methods, and methods that lead nowhere.

use soglia_abi::ids::MdToken;
use soglia_il::{
    leads::{How, is_harmless, of_body},
    sig,
};

const CALL: u8 = 0x28;
const CALLI: u8 = 0x29;
const RET: u8 = 0x2A;
const CALLVIRT: u8 = 0x6F;
const NEWOBJ: u8 = 0x73;
const LDSFLD: u8 = 0x7E;
const CONSTRAINED: [u8; 2] = [0xFE, 0x16];

const TOKEN: [u8; 4] = [0x42, 0, 0, 0x06];

/// A body with a tiny header.
fn body(code: &[&[u8]]) -> Vec<u8> {
    let code = code.concat();
    let header = (code.len() as u8) << 2 | 0x2;
    [&[header][..], &code].concat()
}

fn with(opcode: u8) -> Vec<u8> {
    [&[opcode][..], &TOKEN].concat()
}

fn found(code: &[&[u8]]) -> Vec<(How, bool)> {
    let leads = of_body(&body(code)).unwrap();
    assert!(leads.iter().all(|lead| lead.token == MdToken(0x0600_0042)));
    leads.iter().map(|lead| (lead.how, lead.last)).collect()
}

#[test]
fn calls_are_told_from_what_looks_like_them() {
    const POP: &[u8] = &[0x26];
    let ret = &[RET][..];
    assert_eq!(found(&[ret]), []);
    assert_eq!(found(&[&with(CALL), POP, ret]), [(How::Call, false)]);
    assert_eq!(found(&[&with(CALLVIRT), POP, ret]), [(How::Virtual, false)]);
    assert_eq!(found(&[&with(CALLI), POP, ret]), [(How::Pointer, false)]);
    assert_eq!(found(&[&with(LDSFLD), POP, ret]), [(How::Field, false)]);
    // ldc.i8 of bytes that are opcodes.
    let number = [&[0x21][..], &[CALL; 8]].concat();
    assert_eq!(found(&[&number, POP, ret]), []);
    // Cut in the middle of a call.
    assert_eq!(of_body(&body(&[&[CALL, 1, 0]])), None);
}

#[test]
fn last_calls_are_those_right_before_a_return() {
    let ret = &[RET][..];
    assert_eq!(found(&[&with(CALL), ret]), [(How::Call, true)]);
    assert_eq!(found(&[&with(CALLVIRT), ret]), [(How::Virtual, true)]);
    // The object is what is returned, not what the constructor returns.
    assert_eq!(found(&[&with(NEWOBJ), ret]), [(How::Call, false)]);
}

#[test]
fn what_a_prefix_says_belongs_to_the_next_call() {
    let prefix = [&CONSTRAINED[..], &[1, 0, 0, 0x1B]].concat();
    let code = body(&[&prefix, &with(CALLVIRT), &with(CALLVIRT), &[RET]]);
    let leads = of_body(&code).unwrap();
    let constrained: Vec<_> = leads.iter().map(|lead| lead.constrained).collect();
    assert_eq!(constrained, [Some(MdToken(0x1B00_0001)), None]);
}

const STATIC: u8 = 0;
const OF_OBJECT: u8 = 0x20;
const GENERIC: u8 = 0x10;
const DOUBLE: u8 = 0x0D;
const INT: u8 = 0x08;
const STRING: u8 = 0x0E;

fn harmless(of: &str, method: &str, signature: &[u8]) -> bool {
    is_harmless(of, method, signature, false)
}

#[test]
fn what_computes_calls_nothing_back() {
    assert!(harmless(
        "System.Math",
        "Sqrt",
        &[STATIC, 1, DOUBLE, DOUBLE]
    ));
    assert!(harmless(
        "System.String",
        "Concat",
        &[STATIC, 2, STRING, STRING, STRING]
    ));
    let get = [OF_OBJECT, 1, sig::TYPE_VARIABLE, 0, INT];
    assert!(harmless(
        "System.Collections.Generic.List`1",
        "get_Item",
        &get
    ));
    let add = [OF_OBJECT, 1, sig::VOID, sig::TYPE_VARIABLE, 0];
    assert!(harmless("System.Collections.Generic.List`1", "Add", &add));
    let delegate = [OF_OBJECT, 2, sig::VOID, sig::OBJECT, sig::NATIVE_INT];
    assert!(harmless("Any.Delegate", ".ctor", &delegate));
    assert!(harmless(
        "System.ArgumentException",
        ".ctor",
        &[OF_OBJECT, 1, sig::VOID, STRING]
    ));
}

#[test]
fn what_may_call_back_is_not_harmless() {
    // An object whose ToString a program may have written.
    assert!(!harmless(
        "System.String",
        "Concat",
        &[STATIC, 1, STRING, sig::OBJECT]
    ));
    assert!(!harmless(
        "System.Object",
        "ToString",
        &[OF_OBJECT, 0, STRING]
    ));
    // A delegate, and a type variable whose Equals or CompareTo is called.
    let each = [
        OF_OBJECT,
        1,
        sig::VOID,
        sig::INSTANCE,
        sig::CLASS,
        5,
        1,
        sig::TYPE_VARIABLE,
        0,
    ];
    assert!(!harmless(
        "System.Collections.Generic.List`1",
        "ForEach",
        &each
    ));
    let contains = [OF_OBJECT, 1, sig::BOOLEAN, sig::TYPE_VARIABLE, 0];
    assert!(!harmless(
        "System.Collections.Generic.List`1",
        "Contains",
        &contains
    ));
    let sort = [
        STATIC | GENERIC,
        1,
        1,
        sig::VOID,
        0x1D,
        sig::METHOD_VARIABLE,
        0,
    ];
    assert!(!harmless("System.Array", "Sort", &sort));
    // Types that are not known.
    assert!(!harmless(
        "System.IO.Stream",
        "Flush",
        &[OF_OBJECT, 0, sig::VOID]
    ));
    assert!(!harmless(
        "Other.Library",
        "Add",
        &[STATIC, 2, INT, INT, INT]
    ));
    // No signature at all.
    assert!(!harmless("System.Math", "Sqrt", &[STATIC, 1]));
}

#[test]
fn instances_for_numbers_and_strings_call_nothing_of_a_program() {
    let list = "System.Collections.Generic.List`1";
    let contains = [OF_OBJECT, 1, sig::BOOLEAN, sig::TYPE_VARIABLE, 0];
    assert!(is_harmless(list, "Contains", &contains, true));
    let dictionary = "System.Collections.Generic.Dictionary`2";
    let get = [OF_OBJECT, 1, sig::TYPE_VARIABLE, 1, sig::TYPE_VARIABLE, 0];
    assert!(is_harmless(dictionary, "get_Item", &get, true));
    assert!(!is_harmless(dictionary, "get_Item", &get, false));
}

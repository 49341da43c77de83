//! Signatures.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soglia_il::{
    leads::is_harmless,
    sig::{
        INT64, MethodSig, TypeSpec, Variable, put_type, put_unsigned, strip, takes_pointer,
        type_token, unsigned, with_one_more,
    },
};

fuzz_target!(|blob: &[u8]| {
    let _ = (takes_pointer(blob), TypeSpec::parse(blob));
    if let Some((number, length)) = unsigned(blob) {
        let mut shortest = Vec::new();
        put_unsigned(&mut shortest, number).expect("it was compressed");
        assert!(shortest.len() <= length);
        assert_eq!(unsigned(&shortest), Some((number, shortest.len())));
    }
    if let Some(token) = type_token(blob).filter(|token| !token.is_nil()) {
        let mut coded = Vec::new();
        put_type(&mut coded, token).expect("it was coded");
        assert_eq!(type_token(&coded), Some(token));
    }
    let Some(sig) = MethodSig::parse(blob) else {
        return;
    };
    let params: Vec<&[u8]> = sig.params().collect();
    let end = params.last().copied().unwrap_or_else(|| sig.ret());
    assert!(blob.ends_with(end), "nothing follows the last type");
    assert!(!sig.is_plain() || sig.args() == params.len());
    assert!(sig.params().all(|param| strip(param).is_some()));
    if takes_pointer(blob).is_some() {
        assert!(sig.is_unmanaged() && params.len() == 1);
    }
    let _ = is_harmless("System.Math", "Sqrt", blob, false);

    let longer = with_one_more(&sig, sig.generic(), INT64).expect("one more fits");
    let longer = MethodSig::parse(&longer).expect("it is a signature");
    assert_eq!(longer.ret(), sig.ret());
    assert_eq!(longer.generic(), sig.generic());
    let expected: Vec<&[u8]> = params.into_iter().chain([&[INT64][..]]).collect();
    assert_eq!(longer.params().collect::<Vec<_>>(), expected);

    let standing = sig.variables();
    let moved = sig.with_variables(&standing).expect("all are listed");
    let moved = MethodSig::parse(&moved).expect("it is a signature");
    let numbered: Vec<_> = (0..standing.len() as u32).map(Variable::OfMethod).collect();
    assert_eq!(moved.variables(), numbered);
    assert_eq!(moved.returns_void(), sig.returns_void());
});

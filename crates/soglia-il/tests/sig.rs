//! Signatures, from outside.

use proptest::prelude::*;
use soglia_abi::ids::MdToken;
use soglia_il::sig::*;

fn parts(blob: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let sig = MethodSig::parse(blob)?;
    let params = sig.params().map(<[u8]>::to_vec).collect();
    Some((sig.ret().to_vec(), params))
}

#[test]
fn takes_plain_signatures_apart() {
    let sig = MethodSig::parse(&[0x00, 2, 0x08, 0x0E, 0x18]).unwrap();
    assert_eq!(sig.ret(), [0x08]);
    assert_eq!(sig.param(0), Some(&[0x0E][..]));
    assert_eq!(sig.param(1), Some(&[0x18][..]));
    assert_eq!(sig.param(2), None);
    assert!(!sig.has_this() && !sig.returns_void() && sig.is_plain());
    assert_eq!((sig.args(), sig.generic()), (2, 0));

    let generic = MethodSig::parse(&[0x30, 1, 1, 0x01, 0x1E, 0]).unwrap();
    assert!(generic.has_this() && generic.returns_void() && !generic.is_plain());
    assert_eq!((generic.args(), generic.generic()), (2, 1));

    let explicit = MethodSig::parse(&[0x60, 1, 0x01, 0x12, 0x04]).unwrap();
    assert_eq!(explicit.args(), 1);
}

#[test]
fn takes_every_element_type_apart() {
    let types: [&[u8]; 16] = [
        &[0x0F, 0x01],                                                 // void*
        &[0x0F, 0x0F, 0x11, 0x81, 0x02],                               // ValueType**
        &[0x10, 0x20, 0x05, 0x08],                                     // int32 modopt(..) &
        &[0x1F, 0x05, 0x20, 0x80, 0x85, 0x10, 0x12, 0xC0, 0, 0x40, 0], // modifiers, class&
        &[0x13, 3],                                                    // !3
        &[0x1E, 0],                                                    // !!0
        &[0x14, 0x08, 2, 2, 3, 4, 2, 0, 0x7F],                         // int32[0..3, -1..]
        &[0x14, 0x0E, 3, 0, 0],                                        // string[,,]
        &[0x15, 0x12, 0x05, 2, 0x08, 0x15, 0x11, 0x09, 1, 0x0E],       // A<int, B<string>>
        &[0x1B, 0x09, 1, 0x20, 0x05, 0x01, 0x0F, 0x02],                // fnptr(bool*)
        &[0x1B, 0x05, 2, 0x01, 0x08, 0x41, 0x08],                      // vararg fnptr
        &[0x1D, 0x1D, 0x05],                                           // byte[][]
        &[0x45, 0x10, 0x04],                                           // pinned
        &[0x16],                                                       // typedref
        &[0x1C],                                                       // object
        &[0x19],                                                       // native uint
    ];
    for ret in types {
        for param in types {
            let blob = [&[0x00, 3][..], ret, param, &[0x0D], ret].concat();
            let (had_ret, had) = parts(&blob).unwrap();
            assert_eq!(had_ret, ret);
            assert_eq!(had, [param, &[0x0D], ret]);
        }
    }
}

#[test]
fn a_sentinel_belongs_to_no_parameter() {
    let (_, params) = parts(&[0x05, 2, 0x01, 0x08, 0x41, 0x0E]).unwrap();
    assert_eq!(params, [[0x08], [0x0E]]);
    assert!(parts(&[0x00, 2, 0x01, 0x08, 0x41, 0x0E]).is_none());
}

#[test]
fn void_hides_behind_modifiers() {
    let void = |blob: &[u8]| MethodSig::parse(blob).unwrap().returns_void();
    assert!(void(&[0x00, 0, 0x20, 0x05, 0x1F, 0x09, 0x01]));
    assert!(!void(&[0x00, 0, 0x20, 0x05, 0x0F, 0x01]));
    assert!(!void(&[0x00, 0, 0x10, 0x01 + 0x07]));
}

#[test]
fn broken_bytes_are_no_signature() {
    for blob in [
        &[][..],
        &[0x00],
        &[0x06, 0x08],                   // a field
        &[0x07, 1, 0x08],                // locals
        &[0x80, 0, 0x01],                // an unknown flag
        &[0x00, 1, 0x01],                // a parameter is missing
        &[0x00, 0, 0x01, 0x00],          // bytes are left
        &[0x00, 1, 0x01, 0x01],          // a void parameter
        &[0x00, 0, 0x10, 0x01],          // void&
        &[0x00, 0, 0x12, 0x07],          // the unused tag
        &[0x00, 0, 0x12, 0x01],          // row 0
        &[0x00, 0, 0x21, 0, 0, 0, 0],    // a type by address
        &[0x00, 0xDF, 0xFF, 0xFF, 0xFF], // half a billion parameters
        &[0x00, 0xE0, 0x01],             // a number that does not exist
        &[0x00, 0, 0x15, 0x13, 0x05, 1, 0x08],
    ] {
        assert_eq!(MethodSig::parse(blob), None, "{blob:02x?}");
    }
    // Deeper than the stack would be.
    let deep = [&[0x00, 0][..], &[0x15, 0x12, 0x05, 1].repeat(100_000), &[8]].concat();
    assert_eq!(MethodSig::parse(&deep), None);
    // Prefixes do not recurse.
    let long = [&[0x00, 0][..], &[0x1D].repeat(100_000), &[8]].concat();
    assert!(MethodSig::parse(&long).is_some());
}

/// Bytes that a signature may be made of, and often is.
fn telling() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![
        0x00, 0x01, 0x02, 0x05, 0x08, 0x09, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x1B, 0x1D,
        0x1E, 0x20, 0x41, 0x45, 0x80, 0xC0,
    ])
}

/// The token of a TypeDef, TypeRef or TypeSpec, as signatures have it.
fn token() -> impl Strategy<Value = Vec<u8>> {
    (
        prop::sample::select(vec![0x01, 0x02, 0x1B]),
        1..0x00FF_FFFF_u32,
    )
        .prop_map(|(table, row)| {
            let mut out = Vec::new();
            put_type(&mut out, MdToken(table << 24 | row)).unwrap();
            out
        })
}

fn number(below: u32) -> impl Strategy<Value = Vec<u8>> {
    (0..below).prop_map(|number| {
        let mut out = Vec::new();
        put_unsigned(&mut out, number).unwrap();
        out
    })
}

/// A type, and how it is written.
fn any_type() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            BOOLEAN, CHARACTER, INT32, INT64, R8, STRING, OBJECT, NATIVE_INT
        ])
        .prop_map(|kind| vec![kind]),
        (prop::sample::select(vec![VALUE_TYPE, CLASS]), token()).prop_map(|(kind, token)| [
            &[kind][..],
            &token
        ]
        .concat()),
        (
            prop::sample::select(vec![TYPE_VARIABLE, METHOD_VARIABLE]),
            number(1 << 20)
        )
            .prop_map(|(kind, number)| [&[kind][..], &number].concat()),
        Just(vec![POINTER, VOID]),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            (
                prop::sample::select(vec![POINTER, BYREF, ARRAY]),
                inner.clone()
            )
                .prop_map(|(kind, of)| [&[kind][..], &of].concat()),
            (
                prop::sample::select(vec![0x1F, 0x20]),
                token(),
                inner.clone()
            )
                .prop_map(|(kind, modifier, of)| [&[kind][..], &modifier, &of].concat()),
            (token(), prop::collection::vec(inner.clone(), 0..4)).prop_map(|(of, arguments)| {
                let head = [&[INSTANCE, CLASS][..], &of, &[arguments.len() as u8]].concat();
                [head, arguments.concat()].concat()
            }),
            (inner.clone(), prop::collection::vec(inner, 0..4)).prop_map(|(ret, params)| {
                [
                    vec![FUNCTION, 0x00, params.len() as u8],
                    ret,
                    params.concat(),
                ]
                .concat()
            }),
        ]
    })
}

/// The first byte of a method's signature, the number of its type parameters, its return type, and
/// its parameters.
fn any_method() -> impl Strategy<Value = (u8, u32, Vec<u8>, Vec<Vec<u8>>)> {
    let first = prop::sample::select(vec![0x00, 0x01, 0x02, 0x05, 0x09, 0x10, 0x20, 0x30, 0x60]);
    let types = prop::collection::vec(any_type(), 0..8);
    (
        first,
        0..1000_u32,
        prop_oneof![any_type(), Just(vec![VOID])],
        types,
    )
}

fn written(first: u8, generic: u32, ret: &[u8], params: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![first];
    if first & 0x10 != 0 {
        put_unsigned(&mut out, generic).unwrap();
    }
    put_unsigned(&mut out, params.len() as u32).unwrap();
    [out, ret.to_vec(), params.concat()].concat()
}

proptest! {
    #[test]
    fn a_signature_that_was_written_is_read_back(
        (first, generic, ret, params) in any_method(),
        more in prop::sample::select(vec![NATIVE_INT, INT64]),
    ) {
        let blob = written(first, generic, &ret, &params);
        let sig = MethodSig::parse(&blob).unwrap();
        prop_assert_eq!(sig.ret(), ret.clone());
        prop_assert_eq!(sig.params().collect::<Vec<_>>(), params.clone());
        prop_assert_eq!(sig.generic(), if first & 0x10 == 0 { 0 } else { generic });
        prop_assert_eq!(sig.returns_void(), ret == [VOID]);
        for end in 0..blob.len() {
            prop_assert_eq!(MethodSig::parse(&blob[..end]), None);
        }
        // One parameter more.
        let longer = with_one_more(&sig, generic, more).unwrap();
        let head = if generic == 0 { 0x00 } else { 0x10 };
        let params = [params, vec![vec![more]]].concat();
        prop_assert_eq!(longer, written(head, generic, &ret, &params));
        // Type parameters that stand for themselves in order are only numbered anew.
        let standing = sig.variables();
        let moved = sig.with_variables(&standing).unwrap();
        let moved = MethodSig::parse(&moved).unwrap();
        let numbered: Vec<_> = (0..standing.len() as u32).map(Variable::OfMethod).collect();
        prop_assert_eq!(moved.variables(), numbered.clone());
        prop_assert_eq!(moved.with_variables(&numbered), sig.with_variables(&standing));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        blob in prop_oneof![
            prop::collection::vec(telling(), 0..24),
            prop::collection::vec(any::<u8>(), 0..24),
        ]
    ) {
        if let Some(sig) = MethodSig::parse(&blob) {
            let end = sig.params().last().unwrap_or_else(|| sig.ret());
            prop_assert!(blob.ends_with(end));
            prop_assert!(sig.args() >= sig.params().len());
        }
        let _ = (takes_pointer(&blob), strip(&blob), type_token(&blob), TypeSpec::parse(&blob));
        if let Some((number, length)) = unsigned(&blob) {
            let mut shortest = Vec::new();
            put_unsigned(&mut shortest, number).unwrap();
            prop_assert!(shortest.len() <= length);
        }
    }

    #[test]
    fn a_number_that_was_written_is_read_back(number in 0..=0x1FFF_FFFF_u32, shift in 0..29_u32) {
        let (number, mut out) = (number >> shift, Vec::new());
        put_unsigned(&mut out, number).unwrap();
        prop_assert_eq!(unsigned(&out), Some((number, out.len())));
        prop_assert_eq!(unsigned(&out[..out.len() - 1]), None);
    }
}

#[test]
fn numbers_are_compressed_as_in_the_standard() {
    // The examples of II.23.2.
    for (number, bytes) in [
        (0x03, &[0x03][..]),
        (0x7F, &[0x7F]),
        (0x80, &[0x80, 0x80]),
        (0x2E57, &[0xAE, 0x57]),
        (0x3FFF, &[0xBF, 0xFF]),
        (0x4000, &[0xC0, 0x00, 0x40, 0x00]),
        (0x1FFF_FFFF, &[0xDF, 0xFF, 0xFF, 0xFF]),
    ] {
        let mut out = Vec::new();
        put_unsigned(&mut out, number).unwrap();
        assert_eq!(out, bytes);
        assert_eq!(unsigned(bytes), Some((number, bytes.len())));
        assert_eq!(unsigned(&bytes[..bytes.len() - 1]), None);
    }
    assert_eq!(put_unsigned(&mut Vec::new(), 0x2000_0000), None);
}

#[test]
fn type_tokens_are_coded() {
    let coded = |token| {
        let mut out = Vec::new();
        put_type(&mut out, MdToken(token)).map(|()| out)
    };
    // The example of II.23.2.8.
    assert_eq!(coded(0x0100_0012), Some(vec![0x49]));
    assert_eq!(coded(0x0200_0001), Some(vec![0x04]));
    assert_eq!(coded(0x1B00_0020), Some(vec![0x80, 0x82]));
    assert_eq!(coded(0x01FF_FFFF), Some(vec![0xC3, 0xFF, 0xFF, 0xFD]));
    assert_eq!(coded(0x0600_0001), None);
    assert_eq!(coded(0x0100_0000), None);
}

#[test]
fn hooks_and_locals_have_signatures() {
    let modopt = MdToken(0x0100_0012);
    let hook = |convention, ret| hook_signature(convention, &[ret], &[&[INT64]]);
    assert_eq!(
        hook(Unmanaged::Suppressed { modopt }, INT32),
        Some(vec![0x09, 1, 0x20, 0x49, 0x08, 0x0A])
    );
    assert_eq!(hook(Unmanaged::Cdecl, VOID), Some(vec![0x01, 1, 1, 0x0A]));
    assert_eq!(
        hook(Unmanaged::Suppressed { modopt: MdToken(0) }, INT32),
        None
    );
    for blob in [
        hook(Unmanaged::Suppressed { modopt }, VOID).unwrap(),
        hook(Unmanaged::Cdecl, VOID).unwrap(),
    ] {
        let sig = MethodSig::parse(&blob).unwrap();
        assert!(sig.returns_void());
        assert_eq!(sig.param(0), Some(&[INT64][..]));
    }
    assert_eq!(
        locals_signature(&[&[INT32], &[0x11, 0x05]]),
        Some(vec![7, 2, 8, 0x11, 5])
    );
    assert_eq!(locals_signature(&[&[INT32][..]; 65_535]), None);
    let two = locals_signature(&[&[INT32], &[0x11, 0x05]]).unwrap();
    let three = locals_signature(&[&[INT32], &[0x11, 0x05], &[INT64]]);
    assert_eq!(with_one_more_local(&two, INT64), three);
    assert_eq!(count_locals(&two), Some(2));
    assert_eq!(with_one_more_local(&[0x06, INT32], INT64), None);
    assert_eq!(count_locals(&[]), None);
    let most = locals_signature(&[&[INT32][..]; 65_534]).unwrap();
    assert_eq!(with_one_more_local(&most, INT64), None);
}

#[test]
fn type_variables_are_found_and_replaced() {
    // unmanaged !1*(List<!!0>, method int32(!1), !!128)
    let blob = [
        &[0x09, 3, 0x0F, 0x13, 1][..],
        &[0x15, 0x12, 0x05, 1, 0x1E, 0],
        &[0x1B, 0x00, 1, 0x08, 0x13, 1],
        &[0x1E, 0x80, 0x80],
    ]
    .concat();
    let sig = MethodSig::parse(&blob).unwrap();
    let variables = sig.variables();
    assert_eq!(
        variables,
        [
            Variable::OfType(1),
            Variable::OfMethod(0),
            Variable::OfMethod(128)
        ]
    );
    let inner = [
        &[0x09, 3, 0x0F, 0x1E, 0][..],
        &[0x15, 0x12, 0x05, 1, 0x1E, 1],
        &[0x1B, 0x00, 1, 0x08, 0x1E, 0],
        &[0x1E, 2],
    ]
    .concat();
    assert_eq!(sig.with_variables(&variables), Some(inner.clone()));
    assert_eq!(sig.with_variables(&variables[..2]), None);
    let inner = MethodSig::parse(&inner).unwrap();
    let outer = with_one_more(&inner, 3, NATIVE_INT).unwrap();
    assert_eq!(&outer[..5], [0x10, 3, 4, 0x0F, 0x1E]);
    assert_eq!(&outer[outer.len() - 3..], [0x1E, 2, 0x18]);
    let outer = MethodSig::parse(&outer).unwrap();
    assert_eq!((outer.generic(), outer.args()), (3, 4));
    assert_eq!(
        instance_signature(&variables),
        Some(vec![0x0A, 3, 0x13, 1, 0x1E, 0, 0x1E, 0x80, 0x80])
    );
}

#[test]
fn what_is_called_as_native_code_is_told_apart() {
    let unmanaged: Vec<u8> = (0..16).filter(|kind| is_unmanaged(*kind)).collect();
    assert_eq!(unmanaged, [1, 2, 3, 4, 9]);
    let sig = MethodSig::parse(&[0x02, 1, 1, 0x08]).unwrap();
    assert!(sig.is_unmanaged() && sig.variables().is_empty());
    assert_eq!(
        with_one_more(&sig, 0, NATIVE_INT),
        Some(vec![0, 2, 1, 8, 0x18])
    );
}

#[test]
fn functions_that_take_one_pointer_are_recognised() {
    for (blob, returns) in [
        (&[0x09, 1, 0x08, 0x18][..], true),
        (&[0x01, 1, 0x01, 0x18], false),
        (&[0x01, 1, 0x18, 0x19], true),
        (&[0x09, 1, 0x0F, 0x01, 0x0F, 0x01], true),
        (&[0x09, 1, 0x0A, 0x0F, 0x05], true),
    ] {
        assert_eq!(takes_pointer(blob), Some(returns), "{blob:x?}");
    }
    for blob in [
        &[][..],
        &[0x09],
        &[0x09, 1],
        &[0x09, 1, 0x08],
        &[0x00, 1, 0x08, 0x18],                   // managed
        &[0x05, 1, 0x08, 0x18],                   // any number of arguments
        &[0x09, 1, 0x20, 0x05, 0x08, 0x18],       // who knows how it is called
        &[0x09, 2, 0x08, 0x18, 0x18],             // two
        &[0x09, 1, 0x08, 0x08],                   // not a pointer
        &[0x09, 1, 0x0C, 0x18],                   // a float
        &[0x09, 1, 0x11, 0x05, 0x18],             // a struct
        &[0x09, 1, 0x08, 0x0F, 0x11, 0x05, 0x18], // more behind it
    ] {
        assert_eq!(takes_pointer(blob), None, "{blob:x?}");
    }
}

#[test]
fn types_are_found_behind_their_modifiers() {
    assert_eq!(strip(&[0x08]), Some((0x08, &[][..])));
    assert_eq!(
        strip(&[0x20, 0x05, 0x1F, 0x09, 0x11, 0x08]),
        Some((0x11, &[0x08][..]))
    );
    for broken in [&[][..], &[0x20], &[0x20, 0x05]] {
        assert_eq!(strip(broken), None);
    }
    assert_eq!(type_token(&[0x08]), Some(MdToken(0x0200_0002)));
    assert_eq!(type_token(&[0x09]), Some(MdToken(0x0100_0002)));
    assert_eq!(type_token(&[0x0A]), Some(MdToken(0x1B00_0002)));
    assert_eq!((type_token(&[0x0B]), type_token(&[])), (None, None));
    // The greatest row, and one more: a row does not reach into the number of the table.
    assert_eq!(
        type_token(&[0xC3, 0xFF, 0xFF, 0xFC]),
        Some(MdToken(0x02FF_FFFF))
    );
    assert_eq!(type_token(&[0xC4, 0x00, 0x00, 0x00]), None);
    assert_eq!(
        MethodSig::parse(&[0, 0, CLASS, 0xC4, 0x00, 0x00, 0x00]),
        None
    );
}

#[test]
fn type_specs_are_told_apart() {
    let list = [INSTANCE, CLASS, 0x09];
    let instance = |arguments: &[u8]| TypeSpec::parse(&[&list[..], arguments].concat());
    let of = MdToken(0x0100_0002);
    for (arguments, expected) in [
        (&[1, INT32][..], Arguments::Plain),
        (&[2, STRING, NATIVE_UINT], Arguments::Plain),
        (&[2, STRING, TYPE_VARIABLE, 0], Arguments::Variables),
        (
            &[2, METHOD_VARIABLE, 0x80, 0x80, INT32],
            Arguments::Variables,
        ),
        (&[1, OBJECT], Arguments::Others),
        (&[2, TYPE_VARIABLE, 0, CLASS, 5], Arguments::Others),
        // Fewer than there should be.
        (&[3, INT32, INT32], Arguments::Others),
    ] {
        let expected = TypeSpec::Instance(of, expected);
        assert_eq!(instance(arguments), Some(expected), "{arguments:x?}");
    }
    assert_eq!(TypeSpec::parse(&[ARRAY, INT32]), Some(TypeSpec::Array));
    assert_eq!(
        TypeSpec::parse(&[SHAPED_ARRAY, INT32, 2, 0, 0]),
        Some(TypeSpec::Array)
    );
    assert_eq!(
        TypeSpec::parse(&[TYPE_VARIABLE, 0]),
        Some(TypeSpec::Variable)
    );
    assert_eq!(
        TypeSpec::parse(&[METHOD_VARIABLE, 0]),
        Some(TypeSpec::Variable)
    );
    for other in [
        &[][..],
        &[POINTER, INT32],
        &[INSTANCE, INT32, 0x09, 0],
        &[INSTANCE, CLASS, 0x0B, 0],
    ] {
        assert_eq!(TypeSpec::parse(other), None, "{other:x?}");
    }
}

#[test]
fn a_modifier_tells_two_methods_apart() {
    let of = MdToken(0x0200_0005);
    let with = |signature: &[u8]| with_modifier(signature, of);
    assert_eq!(
        with(&[0, 2, VOID, OBJECT, INT32]),
        Some(vec![0, 2, 0x20, 5 << 2, VOID, OBJECT, INT32])
    );
    for odd in [&[][..], &[0], &[GENERIC, 1, 0, VOID]] {
        assert_eq!(with(odd), None, "{odd:x?}");
    }
}

//! ReadyToRun images, from outside.

mod made;

use std::collections::BTreeMap;

use made::{
    CLI, ENTRIES, HEADER, SECTION, entry, example, image, native, put, put_u32, with_inlining,
};
use proptest::prelude::*;
use soglia_abi::ids::MdToken;
use soglia_il::r2r::{Inlined, Precompiled, image_size};

/// The wrapped P/Invokes are those of an even row.
fn even(token: MdToken) -> bool {
    assert_eq!(token.table(), 0x06);
    token.row().is_multiple_of(2)
}

#[test]
fn finds_inlined_calls() {
    use Inlined::{No, Unknown, Yes};
    let bytes = example();
    assert_eq!(image_size(&bytes[..0x400]), Some(0x2000));
    let all = Precompiled::parse(&bytes);
    assert!(matches!(all, Precompiled::Image(_)));
    for (rid, expected) in [
        (0, Unknown),
        (1, No),
        (2, No),
        (3, Yes),
        (4, No),
        (5, Unknown),
        (6, Unknown),
        (7, Yes),
        (8, Unknown),
        (9, Unknown),
        (17, Unknown),
        (23, Unknown),
        (40, Unknown),
        (41, Unknown),
        (u32::MAX, Unknown),
    ] {
        assert_eq!(all.inlines_any(rid, &even), expected, "{rid}");
        if expected == Yes {
            assert_eq!(all.inlines_any(rid, &|_| false), No, "{rid}");
        }
    }
    assert_eq!(all.inlines_any(4, &|_| true), Yes);
}

#[test]
fn lists_are_shared() {
    let list = entry(&[0, 0, 0, 0]);
    // The list lies behind the four bytes of the entry before, where this entry refers to.
    let mut shared = native(9 << 2 | 3).to_vec();
    shared.extend(native(0));
    let build = |back: usize| {
        let mut second = shared[..4].to_vec();
        second.extend(native(back));
        let entries = BTreeMap::from([(0, list.clone()), (1, second)]);
        image(&entries, [&[&[0x2E, 0, 2]], &[]])
    };
    // Between the list and the number are the end of the list, and the first four bytes of the
    // second entry.
    let back = list.len() - 4 + 4;
    let ask = |bytes: &[u8]| Precompiled::parse(bytes).inlines_any(2, &even);
    assert_eq!(ask(&build(back)), Inlined::Yes);
    assert_eq!(ask(&build(1 << 20)), Inlined::Unknown);
}

#[test]
fn trees_of_one_have_no_branches() {
    // Eight elements, offsets of a byte; the block has method 6 alone.
    let mut bytes = example();
    put(&mut bytes, ENTRIES, &[8 << 3, 1, 5 << 3, 3 << 2]);
    let Precompiled::Image(image) = Precompiled::parse(&bytes) else {
        panic!("an image");
    };
    assert_eq!(image.rows().collect::<Vec<_>>(), [6]);
    assert_eq!(image.inlines_any(6, &even), Inlined::No);
}

#[test]
fn other_images_are_told_apart() {
    let bytes = example();
    let changed = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        match Precompiled::parse(&bytes) {
            Precompiled::None => "none",
            Precompiled::Image(_) => "image",
            Precompiled::Composite => "composite",
            Precompiled::Unreadable => "unreadable",
        }
    };
    assert_eq!(changed(HEADER + 8, 0x03), "image");
    assert_eq!(changed(HEADER + 8, 0x23), "composite");
    assert_eq!(changed(HEADER + 16, 115), "composite");
    assert_eq!(changed(HEADER + 16, 116), "composite");
    assert_eq!(changed(HEADER + 4, 99), "unreadable");
    assert_eq!(changed(HEADER, b'X'), "unreadable");
    assert_eq!(changed(0, b'X'), "unreadable");
    // The native header is nowhere, and at zero.
    assert_eq!(changed(CLI + 66, 1), "unreadable");
    let mut none = bytes.clone();
    put_u32(&mut none, CLI + 64, 0);
    assert!(matches!(Precompiled::parse(&none), Precompiled::None));
}

/// All that reads images, on one that may be broken.
fn read_all(bytes: &[u8]) {
    let _ = image_size(bytes);
    let parsed = Precompiled::parse(bytes);
    for row in 0..42 {
        let asked = parsed.inlines_any(row, &|token| token.row().is_multiple_of(2));
        // If no P/Invoke of an even row is inlined, none of a smaller set is.
        if asked == Inlined::No {
            assert_eq!(parsed.inlines_any(row, &|_| false), Inlined::No);
        }
    }
    let _ = (parsed.shares(&|_| false), parsed.inliners(&|row| row > 3));
    if let (Some(inlinees), Some(inliners)) = (parsed.inlinees(), parsed.inliners(&|_| true)) {
        assert!(inlinees.keys().all(|row| inliners.contains(row)));
        assert_eq!(inlinees.len(), inliners.len());
    }
}

#[test]
fn images_that_are_cut_off_are_read_without_a_panic() {
    let bytes = with_inlining(0x03, &[&[7 << 2, 3, 1, 9]]);
    let step = if cfg!(miri) { 251 } else { 1 };
    for end in (0..made::END + 1).step_by(step) {
        read_all(&bytes[..end]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 4096 }))]
    #[test]
    fn broken_images_are_read_without_a_panic(
        changes in prop::collection::vec(
            (
                prop_oneof![
                    0x80..0x200_usize,
                    SECTION..SECTION + 0x180,
                    ENTRIES..ENTRIES + 0x100,
                    SECTION + 0x700..SECTION + 0x740,
                ],
                prop_oneof![any::<u8>(), prop::sample::select(vec![0, 1, 7, 0x7F, 0xFF])],
            ),
            1..5,
        ),
        flags in prop::sample::select(vec![0x03, 0x43, 0x83]),
    ) {
        let entries: [&[usize]; 2] = [&[7 << 2, 3, 1, 9], &[8 << 2 | 2, 2, 50, 50, 4]];
        let mut broken = with_inlining(flags, &entries);
        for (at, byte) in changes {
            broken[at] = byte;
        }
        read_all(&broken);
    }
}

#[test]
fn finds_who_has_inlined_a_method() {
    const ALONE: u8 = 0x03;
    let ask = |bytes: &[u8], row: u32| {
        let inliners = Precompiled::parse(bytes).inliners(&|inlined| inlined == row)?;
        let mut inliners: Vec<u32> = inliners.into_iter().collect();
        inliners.sort_unstable();
        Some(inliners)
    };
    let bytes = with_inlining(
        ALONE,
        &[
            &[7 << 2, 3, 1, 9],          // 7: into 3, 4 and 13
            &[8 << 2 | 2, 2, 50, 50, 4], // 8: into two of other modules, and 4
            &[7 << 2 | 1, 20],           // another module's
            &[9 << 2],                   // 9: into none
            &[7 << 2, 5],                // 7 once more: into 5
        ],
    );
    assert_eq!(ask(&bytes, 7), Some(vec![3, 4, 5, 13]));
    assert_eq!(ask(&bytes, 8), Some(vec![4]));
    assert_eq!(ask(&bytes, 9), Some(vec![]));
    assert_eq!(ask(&bytes, 20), Some(vec![]));
    let inlinees = Precompiled::parse(&bytes).inlinees().unwrap();
    let of = |row: u32| inlinees.get(&row).map(Vec::as_slice);
    assert_eq!([3, 5, 13].map(of), [Some(&[7][..]); 3]);
    assert_eq!(of(4), Some(&[7, 8][..]));
    assert_eq!(of(7), None);
    // If several modules were compiled together, each inliner says whether it is of another one,
    // and of which.
    let bytes = with_inlining(0x43, &[&[7 << 2, 3 << 1, 1 << 1 | 1, 2, 4 << 1]]);
    assert_eq!(ask(&bytes, 7), Some(vec![3, 8]));
    let together = with_inlining(0x43, &[&[7 << 2, 3 << 1]]);
    assert_eq!(Precompiled::parse(&together).inlinees(), None);
    // A list that is shorter than it says; no table; the older table too.
    assert_eq!(ask(&with_inlining(ALONE, &[&[7 << 2 | 2, 9, 1]]), 7), None);
    assert_eq!(ask(&example(), 7), None);
    let mut older = with_inlining(ALONE, &[&[7 << 2, 3]]);
    put_u32(&mut older, HEADER + 16, 114);
    assert_eq!(ask(&older, 7), None);
}

#[test]
fn finds_what_was_compiled_together() {
    let image = |flags: u8, cells: &[&[u8]]| {
        let mut bytes = image(&BTreeMap::from([(0, native(0).to_vec())]), [cells, &[]]);
        bytes[HEADER + 8] = flags;
        bytes
    };
    let shares = |bytes: &[u8]| {
        let parsed = Precompiled::parse(bytes);
        (parsed.shares(&|_| false), parsed.shares(&even))
    };
    let (nothing, own, others): ([u8; 2], [u8; 3], [u8; 4]) =
        ([0x1B, 2], [0x2E, 0, 4], [0xAE, 3, 0, 4]);
    for together in [0x43, 0x83] {
        assert_eq!(shares(&image(together, &[&nothing])), (false, false));
        assert_eq!(shares(&image(together, &[&nothing, &own])), (false, true));
        assert_eq!(shares(&image(together, &[&others, &own])), (true, true));
    }
    assert_eq!(shares(&image(0x03, &[&others, &own])), (false, false));
    assert_eq!(shares(&image(0x23, &[&nothing])), (true, true));
    assert_eq!(shares(b"MZ"), (true, true));
}

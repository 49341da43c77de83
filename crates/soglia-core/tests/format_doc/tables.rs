//! The tables of `docs/format.md`: their numbers are those of the code.

use std::{
    collections::BTreeMap,
    mem::{align_of, offset_of, size_of},
};

use soglia_core::{
    crossing::Crossing,
    histogram::{BUCKETS, lower_bound},
    layer::{Layer, MAX_DEPTH},
    time::Anchor,
    trace::{
        argument_places,
        argument_places::OpenArguments,
        events, format,
        format::{ChunkHeader, ChunkKind, Header, LastReturn, NoRoom, Sample, Slot, TaskRecord},
    },
};

use super::doc::{DOC, rows};

fn size_of_field<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! check_structure {
    ($of:ident: $($field:ident)*) => {
        // Names every field: one that is added and not told here does not compile.
        let $of { $($field: _),* };
        let told = rows(&format!("### {}, {} bytes", stringify!($of), size_of::<$of>()));
        let mut told = told.iter();
        $(
            let row = told.next().expect(stringify!($field));
            let (offset, size) = (offset_of!($of, $field), size_of_field(|s: &$of| &s.$field));
            assert_eq!(
                row[..3],
                [offset.to_string(), size.to_string(), stringify!($field).to_owned()],
                "{}", stringify!($of)
            );
        )*
        assert_eq!(told.next(), None, "{}", stringify!($of));
    };
}

#[test]
fn offsets_and_sizes() {
    check_structure!(Anchor: ticks monotonic_ns);
    check_structure!(Header: magic version level tick_source max_blocks event_blocks next_block boot slow_ns wall_ns
        made start last ended end_kind end_code state pid pid_started tasks turned_away reserved_blocks pid_namespace
        dropped_crossings dropped_records alive exited exit_code time_namespace inode locked is_small session no_room clock_ns
        budget_ppm reserved);
    check_structure!(ChunkHeader: magic kind blocks task sequence used base_ticks os_thread);
    check_structure!(TaskRecord: depth max_depth number os_thread kind threads faults name_bytes first ended unmatched
        untimed dropped name);
    check_structure!(Layer: since inner mark function slot bits);
    check_structure!(Slot: target ended abandoned untimed total nested min max side failed refused countdown
        sample histogram);
    check_structure!(Sample: timed power rest clipped square square_ticks square_squares moved moved_variance span
        drawn nested_variance nested_moved_variance greatest_square reserved);
    check_structure!(LastReturn: at target reserved);
    check_structure!(OpenArguments: since words payload);
    assert_eq!(align_of::<Slot>(), 64, "the unit of references to slots");
}

#[test]
fn constants() {
    macro_rules! constants {
        ($($name:ident)*) => { BTreeMap::from([$((stringify!($name), $name as u64)),*]) };
    }
    use argument_places::{ARGUMENT_BLOCKS, CHUNK_ARGUMENTS};
    use format::*;
    let known = constants!(VERSION BLOCK CHUNK_MAGIC NOTE_OFFSET NOTE_BYTES MOST_BLOCKS TASK_BLOCKS SLOT_BLOCKS LAYER_BLOCKS
        ARGUMENT_BLOCKS CHUNK_ARGUMENTS LOG_BLOCKS LAYERS_OFFSET FIRST_LAYERS TASK_SLOTS_OFFSET TASK_SLOTS
        LAST_RETURNS_OFFSET LAST_RETURNS CHUNK_SLOTS CHUNK_LAYERS MAX_DEPTH BUCKETS VARIANCE_UNIT);
    let table = rows("| constant ");
    for row in &table {
        let value = match row[1].strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => row[1].parse(),
        };
        assert_eq!(value.as_ref(), Ok(&known[&*row[0]]), "{}", row[0]);
    }
    assert_eq!(table.len(), known.len());
    assert_eq!(&MAGIC, b"SOGLIA\x1a\n");
    assert!(DOC.starts_with(&format!("# The recording, format {VERSION}\n")));
    for bucket in 0..BUCKETS {
        let told = match bucket {
            0..8 => bucket as u64,
            _ => (8 + bucket as u64 % 8) << (bucket / 8 - 1),
        };
        assert_eq!(lower_bound(bucket), told);
    }
}

#[test]
fn kinds_of_chunks() {
    let table = rows("| kind | chunk ");
    for (n, row) in table.iter().enumerate() {
        let kind = ChunkKind::from_number(n as u32 + 1).unwrap();
        assert_eq!(row[..2], [(n + 1).to_string(), format!("{kind:?}")]);
    }
    assert_eq!(ChunkKind::from_number(table.len() as u32 + 1), None);
}

#[test]
fn reasons_for_no_room() {
    let table = rows("| number | reason ");
    for (n, row) in table.iter().enumerate() {
        let why = NoRoom::ALL[n];
        assert_eq!(row[..2], [(why as u32).to_string(), why.name().to_owned()]);
    }
    assert_eq!(table.len(), NoRoom::ALL.len());
}

#[test]
fn kinds_of_events() {
    let table = rows("| kind | record | upper ");
    let name = |n: u32| match n {
        0 => "either, in short",
        events::UNWOUND => "unwound",
        events::LATER => "later",
        events::RARE => "rare",
        n => Crossing::from_number(n).unwrap().name(),
    };
    for (n, row) in (0..).zip(&table) {
        assert_eq!(row[..2], [n.to_string(), name(n).to_owned()]);
    }
    assert_eq!(table.len(), 8);
    let which = |n: u32| match n {
        1..5 => "unmatched return",
        events::FAILED => "failed",
        events::REFUSED => "refused",
        n => panic!("{n}"),
    };
    let table = rows("| kind 7, low");
    let told: Vec<_> = table.iter().map(|row| &*row[1]).collect();
    assert_eq!(told, [1, events::FAILED, events::REFUSED].map(which));
    assert_eq!((&*table[1][0], &*table[2][0]), ("5", "6"));
    assert_eq!((events::KIND_BITS, events::TICK_BITS), (3, 29));
    // Which, target and ticks of a short word, each at its largest.
    let short = |target, ticks| events::short(Crossing::ReverseEnterRuntime, target, ticks);
    assert_eq!(short(1023, (1 << 18) - 1), Some(u32::MAX << 3));
    assert_eq!(short(1, 0), Some(0b11_000));
    assert_eq!((short(1024, 0), short(1, 1 << 18)), (None, None));
}

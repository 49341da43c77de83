//! Each field of what lies in chunks: their heads, tasks, layers and slots.

use soglia_core::{
    account::{Total, Totals},
    crossing::{Crossing, Side},
    fault::Fault,
    histogram::BUCKETS,
    layer::Layer,
    trace::{format::TaskKind, reader::Reader, replay::replay, snapshot::TaskSnapshot},
};

use super::{
    doc::field as field_of,
    fields::{Field, each},
    sample::{Copy, FUNCTIONS, MARKS, MAX_BYTES, NAME, THREAD},
};

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn chunk_header() {
    const TASK: u64 = 2;
    const EVENTS: u64 = 5;
    let first_event = |copy: &Copy| {
        let mut found = None;
        replay(&copy.reader(), 1, &mut Totals::default(), |event| {
            found.get_or_insert((event.at, event.os_thread));
            false
        });
        found
    };
    let tasks = |copy: &Copy| copy.reader().tasks().len();
    each(
        "ChunkHeader",
        |copy| copy.chunk(TASK, 1),
        |field| {
            let copy = field.copy;
            let events = copy.chunk(EVENTS, 1);
            let of_events = |name| events + field_of("ChunkHeader", name).0;
            match &*field.name {
                "magic" | "kind" => {
                    for bit in 0..32 {
                        let own = field.get();
                        field.put(own ^ 1 << bit);
                        assert_eq!(tasks(copy), 0, "{}: bit {bit}", field.name);
                        field.put(own);
                        assert_eq!(tasks(copy), 1);
                    }
                }
                "blocks" => {
                    assert_eq!(field.get(), 4);
                    assert!(first_event(copy).is_some());
                    // The chunk reaches over that of the events.
                    field.put(MAX_BYTES / 4096);
                    assert_eq!(first_event(copy), None);
                }
                "task" => field.bits(|reader| reader.tasks()[0].number.into()),
                "sequence" => {
                    assert!(first_event(copy).is_some());
                    copy.put(of_events("sequence"), &1_u32.to_le_bytes());
                    assert_eq!(first_event(copy), None);
                }
                "used" => {
                    // Those of target 0 on each side, and the two that were called.
                    assert_eq!(field.get(), 4);
                    for used in 0..=4 {
                        field.put(used);
                        let mut task = copy.reader().tasks().remove(0);
                        task.targets.retain(|_, total| total.ended > 0);
                        assert_eq!(task.targets.len() as u64, used.saturating_sub(2));
                    }
                }
                "base_ticks" => {
                    for bit in 0..64 {
                        copy.put(of_events("base_ticks"), &(1_u64 << bit).to_le_bytes());
                        let at = first_event(copy).unwrap().0;
                        assert_eq!(at, (1_u64 << bit).wrapping_add(100));
                    }
                }
                "os_thread" => {
                    assert_eq!(first_event(copy).unwrap().1, THREAD);
                    for bit in 0..32 {
                        copy.put(of_events("os_thread"), &(1_u32 << bit).to_le_bytes());
                        assert_eq!(first_event(copy).unwrap().1, 1 << bit);
                    }
                }
                other => panic!("{other} is not tested"),
            }
        },
    );
}

fn task_of(reader: &Reader) -> TaskSnapshot {
    reader.tasks().remove(0)
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn task_record() {
    let place = |copy: &Copy| copy.chunk(2, 1) + 64;
    each("TaskRecord", place, |field| match &*field.name {
        "depth" => field.means(&[0, 1, 2, 3], |reader| task_of(reader).open.len()),
        "max_depth" => {
            assert_eq!(field.get(), 3);
            field.put(70);
            assert_eq!(task_of(&field.copy.reader()).max_depth, 70);
            field.put(0);
            assert_eq!(task_of(&field.copy.reader()).max_depth, 3, "the depth");
        }
        "number" => assert_eq!(field.get(), 1),
        "os_thread" => field.bits(|reader| task_of(reader).os_thread.into()),
        "kind" => {
            use TaskKind::*;
            let all = [Thread, Main, Finalizer, Pool, Timer, Native, Runtime];
            field.means(&all, |reader| task_of(reader).kind);
        }
        "threads" => field.bits(|reader| task_of(reader).threads.into()),
        "faults" => {
            let names = ["unmatched", "abandoned", "too-deep", "after-shutdown"];
            assert_eq!(
                Fault::ALL[..4].iter().map(|f| f.name()).collect::<Vec<_>>(),
                names
            );
            assert_eq!(Fault::ALL[4].name(), "unknown-function");
            field.bits_of(4, 5, |reader, n| task_of(reader).faults[n].into());
        }
        "name_bytes" => {
            assert_eq!(field.get(), NAME.len() as u64);
            for bytes in 0..=NAME.len() {
                field.put(bytes as u64);
                assert_eq!(task_of(&field.copy.reader()).name, NAME[..bytes]);
            }
        }
        "first" => field.bits(|reader| task_of(reader).first),
        "ended" => {
            assert_eq!(task_of(&field.copy.reader()).ended, None);
            field.bits(|reader| task_of(reader).ended.unwrap_or(0));
        }
        "unmatched" | "untimed" => {
            let before = task_of(&field.copy.reader()).crossings;
            field.bits_of(4, 4, |reader, n| task_of(reader).crossings[n] - before[n]);
        }
        "dropped" => field.bits(|reader| task_of(reader).dropped),
        "name" => {
            field.copy.put(field.at - (104 - 44), &64_u32.to_le_bytes());
            field.copy.put(field.at, &[b'x'; 64]);
            assert_eq!(task_of(&field.copy.reader()).name, "x".repeat(64));
        }
        other => panic!("{other} is not tested"),
    });
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn layer() {
    let place = |copy: &Copy| copy.chunk(2, 1) + 232;
    let outermost = |reader: &Reader| task_of(reader).open[0];
    each("Layer", place, |field| match &*field.name {
        "since" => field.bits(|reader| outermost(reader).since),
        "inner" => field.bits(|reader| outermost(reader).inner),
        "mark" => {
            assert_eq!(field.get(), MARKS[0]);
            field.bits(|reader| outermost(reader).mark);
        }
        "function" => {
            assert_eq!(field.get(), FUNCTIONS[0] * 2);
            assert_eq!(field.copy.get(field.at + 40, 8), FUNCTIONS[1] * 2 + 1);
            field.bits(|reader| outermost(reader).function);
        }
        "slot" => {
            // The slots of target 0 are the first two, then come those of targets 1 and 2.
            let slots = field.copy.chunk(2, 1) + 1536;
            for (n, target) in [(2, 1), (3, 2)] {
                field.put(((slots + n * 1600) / 64) as u64);
                assert_eq!(outermost(&field.copy.reader()).slot, target);
            }
        }
        "bits" => bits_of_layer(&field),
        other => panic!("{other} is not tested"),
    });
}

/// Bit 0 is the side, bits 1 and 2 name a counter of the slot, and the rest are the low 29 bits of
/// what it comes to when it counts the call.
fn bits_of_layer(field: &Field<'_>) {
    let copy = field.copy;
    assert_eq!((field.get(), copy.get(field.at + 40, 4)), (0, 1), "sides");
    let slot = copy.chunk(2, 1) + 1536 + 2 * 1600;
    let is_open = || {
        let open = task_of(&copy.reader()).open;
        open.len() == 3
    };
    assert!(is_open());
    for (which, counter) in [(1, "ended"), (2, "abandoned"), (3, "failed")] {
        let (offset, size) = field_of("Slot", counter);
        for bit in 0..29 {
            let count = 1_u64 << bit;
            copy.put(slot + offset, &count.to_le_bytes()[..size]);
            for (noted, open) in [(count, false), (count - 1, false), (count + 1, true)] {
                field.put((which << 1) | (noted << 3) & u64::from(u32::MAX));
                assert_eq!(is_open(), open, "{counter}: {noted:#x} of {count:#x}");
            }
        }
        // Above 29 bits the counter is not noted.
        copy.put(slot + offset, &(5_u64 << 29 | 7).to_le_bytes()[..size]);
        field.put((which << 1) | 7 << 3);
        assert!(!is_open());
        field.put((which << 1) | 8 << 3);
        assert!(is_open());
    }
    // Without a counter the rest says nothing.
    field.put(0);
    assert!(is_open());
    let layer = Layer {
        bits: u32::MAX << 3,
        ..Layer::default()
    };
    assert_eq!(layer.noted(), None);
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn slot() {
    let place = |copy: &Copy| copy.chunk(2, 1) + 1536 + 2 * 1600;
    // Bits that a row of this size cannot have without another one are read from the sum of both.
    let total = |reader: &Reader| task_of(reader).targets[&(1, Side::Unmanaged)].clone();
    let counter = |field: &Field<'_>, of: fn(&Total) -> u64| {
        field.bits(|reader| of(&total(reader)));
    };
    each("Slot", place, |field| match &*field.name {
        "target" => {
            field.copy.put(field.at + 12, &77_u32.to_le_bytes());
            for bit in 0..32 {
                field.put(1 << bit);
                let targets = task_of(&field.copy.reader()).targets;
                let found = targets.iter().find(|(_, total)| total.untimed == 77);
                assert_eq!(found.unwrap().0, &(1 << bit, Side::Unmanaged));
            }
        }
        "ended" => counter(&field, |total| total.ended),
        "abandoned" => counter(&field, |total| total.abandoned),
        "untimed" => counter(&field, |total| total.untimed),
        "total" => counter(&field, |total| total.total),
        "nested" => {
            field.copy.put(field.at - 8, &u64::MAX.to_le_bytes());
            field.bits(|reader| u64::MAX - total(reader).own);
        }
        "min" => counter(&field, |total| total.min),
        "max" => counter(&field, |total| total.max),
        "side" => {
            for side in [Side::Unmanaged, Side::Managed] {
                field.put(side as u64);
                let targets = task_of(&field.copy.reader()).targets;
                assert!(targets.contains_key(&(1, side)));
            }
        }
        "failed" => counter(&field, |total| total.failed),
        "refused" => counter(&field, |total| total.refused),
        // Means nothing to a reader.
        "countdown" => assert_eq!(field.get(), 0),
        // See the next test.
        "sample" => {}
        "histogram" => {
            field.copy.put(field.at, &[0; 4 * BUCKETS]);
            field.bits_of(4, BUCKETS, |reader, n| total(reader).histogram[n]);
        }
        other => panic!("{other} is not tested"),
    });
}

/// Estimates follow from the fields of a Sample as `docs/sampling.md` says.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn sampled() {
    const UNIT: f64 = 1048576.0;
    let set = [
        ("timed", 1),
        ("power", 0),
        ("rest", 2),
        ("clipped", 40),
        ("square", 6),
        ("square_ticks", 120),
        ("square_squares", 3000),
        ("moved", 1000),
        ("moved_variance", 2),
        ("span", 7),
        ("drawn", 0),
        ("nested_variance", 11),
        ("nested_moved_variance", 3),
        ("greatest_square", 100),
    ];
    let place = |copy: &Copy| copy.chunk(2, 1) + 1536 + 2 * 1600 + 64;
    each("Sample", place, |field| {
        let (copy, slot) = (field.copy, place(field.copy) - 64);
        copy.put_header("level", &1_u32.to_le_bytes());
        copy.put_header("clock_ns", &1_000_000_u32.to_le_bytes());
        for (offset, value) in [(4, 3_u64), (16, 10), (24, 5)] {
            let size = if offset == 4 { 4 } else { 8 };
            copy.put(slot + offset, &value.to_le_bytes()[..size]);
        }
        let value = |name: &str| -> f64 {
            let set = set.iter().find(|(of, _)| *of == name).expect("a field").1;
            // The field of this round has another value than the table.
            f64::from(set) + f64::from(u8::from(name == field.name))
        };
        for (offset, size, name) in super::doc::fields("Sample") {
            if name != "reserved" {
                let value = value(&name) as u64;
                copy.put(slot + 64 + offset, &value.to_le_bytes()[..size]);
            }
        }
        if field.name == "reserved" {
            assert_eq!(field.copy.get(field.at, 8), 0);
        }
        let left_out = 3.0 - value("timed");
        let mean = value("clipped") / value("rest");
        let squares = value("square_squares") - 2.0 * mean * value("square_ticks")
            + mean * mean * value("square");
        let ratio = left_out / value("rest");
        let unseen = value("span") * ratio.max(1.0);
        let variance = (squares + 3.0 * value("greatest_square")) * ratio * ratio
            + unseen * unseen
            + value("moved_variance") * UNIT;
        let of_own = value("nested_variance") + value("nested_moved_variance") * UNIT;
        let expected = 10.0 + left_out * mean + value("moved");
        let found = task_of(&copy.reader()).targets[&(1, Side::Unmanaged)].clone();
        assert_eq!(found.timed, value("timed") as u64, "{}", field.name);
        assert_eq!(found.total, expected as u64, "{}", field.name);
        assert_eq!(found.own, (expected - 5.0) as u64, "{}", field.name);
        let same = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-9;
        assert!(same(found.total_variance, variance), "{}", field.name);
        assert!(
            same(found.own_variance, variance + of_own),
            "{}",
            field.name
        );
    });
}

/// Arrays by crossing begin with number 1.
#[test]
fn crossings() {
    let names = [
        "LeaveRuntime",
        "EnterRuntime",
        "ReverseEnterRuntime",
        "ReverseLeaveRuntime",
    ];
    for (n, name) in (1..).zip(names) {
        assert_eq!(Crossing::from_number(n).unwrap().name(), name);
    }
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn last_return() {
    let place = |copy: &Copy| copy.chunk(2, 1) + 14336;
    each("LastReturn", place, |field| {
        let first = task_of(&field.copy.reader()).first;
        let last = task_of(&field.copy.reader()).last;
        let found: Vec<_> = last.iter().map(|r| (r.at - first, r.target)).collect();
        assert_eq!(found, [(150, 2), (200, 1)]);
        match &*field.name {
            "at" => {
                field.put(first + 300);
                let last = task_of(&field.copy.reader()).last;
                let found: Vec<_> = last.iter().map(|r| (r.at - first, r.target)).collect();
                assert_eq!(found, [(200, 1), (300, 2)], "in the order of their times");
                field.put(0);
                assert_eq!(task_of(&field.copy.reader()).last.len(), 1);
            }
            "target" => field.bits(|reader| task_of(reader).last[0].target.into()),
            "reserved" => assert_eq!(field.get(), 0),
            other => panic!("{other} is not tested"),
        }
    });
}

//! The reader of recordings, and the reports that the tool makes.
//!
//! The input is a [packed](soglia_fuzz::packed) file.
#![no_main]

use std::{collections::HashMap, io};

use libfuzzer_sys::fuzz_target;
use soglia::{
    model::Model,
    page,
    text::{self, By, Screen, Shown, Sort},
};
use soglia_core::{account::MOST_TARGETS, layer::MAX_DEPTH, trace::reader::Reader};
use soglia_fuzz::{packed, recording};

fuzz_target!(|packed: &[u8]| {
    let Some(recording) = recording::open(packed::unpack(packed)) else {
        return;
    };
    let reader = &recording.reader;
    if let Ok(whole) = Reader::open(&recording.path) {
        assert!(whole.check_whole().is_ok(), "the file does not change");
        assert!(whole.cut_off().is_none());
    }
    let mut last = None;
    for task in reader.each_task() {
        assert!(
            last < Some(task.number),
            "tasks are in order, and each is there once"
        );
        last = Some(task.number);
        assert!(task.open.len() <= MAX_DEPTH as usize);
        let mut open = HashMap::new();
        for layer in &task.open {
            *open.entry((layer.slot, layer.side())).or_insert(0) += 1;
        }
        for (target, total) in &task.targets {
            assert!(total.own <= total.total, "{total:?}");
            // Beyond the most targets, their calls are counted as those of target 0.
            if task.targets.len() < MOST_TARGETS {
                assert_eq!(open.remove(target).unwrap_or(0), total.open, "{target:?}");
            }
        }
        assert!(open.is_empty() || task.targets.len() >= MOST_TARGETS);
    }
    let names = reader.names();
    for stack in names.first_calls.values() {
        let _ = names.stack(*stack);
    }
    let _ = (
        reader.ending(),
        reader.ended(),
        reader.note(),
        reader.scale(),
    );
    for replayed in [false, reader.has_events()] {
        let model = Model::of(reader, replayed);
        for (columns, by) in [(None, By::Target), (Some(80), By::Activity)] {
            let shown = Shown {
                all: true,
                by,
                sort: Sort::default(),
                top: 20,
                screen: Screen { columns },
            };
            text::report(&model, shown, &mut io::sink()).expect("a sink takes everything");
        }
        serde_json::to_writer(io::sink(), &model).expect("a sink takes everything");
        page::write(Some(reader), model, io::sink()).expect("a sink takes everything");
    }
});

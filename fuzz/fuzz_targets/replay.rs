//! Events, replayed.
//!
//! The input is the time at the start of a chunk, and its words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soglia_core::{
    account::Totals,
    layer::VecLayers,
    task::Task,
    trace::{
        events::Words,
        format::ChunkKind,
        replay::{How, apply, replay, totals},
    },
};
use soglia_fuzz::recording;

fuzz_target!(|bytes: &[u8]| {
    let Some((base, bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let base = u64::from_le_bytes(*base);
    let file = recording::of_chunk(ChunkKind::Events, base, bytes);
    let Some(recording) = recording::open(file) else {
        return;
    };
    let mut replayed = Vec::new();
    let mut account = Totals::default();
    let task = replay(&recording.reader, 1, &mut account, |crossing| {
        replayed.push(crossing);
        true
    });

    // The same words without a file.
    let words = bytes.chunks(4);
    let words: Vec<u32> = words
        .map(|word| {
            let mut whole = [0; 4];
            whole[..word.len()].copy_from_slice(word);
            u32::from_le_bytes(whole)
        })
        .collect();
    let mut direct = Task::new(VecLayers::default());
    let mut totals_of_direct = Totals::default();
    let mut events = Words::new(|n| words.get(n).copied().unwrap_or(0), base);
    let mut told = replayed.iter();
    while let Some(event) = events.next() {
        let found = apply(&mut direct, event, events.ticks, &mut totals_of_direct);
        if let Some((crossing, how, target, depth)) = found {
            let told = told.next().expect("the reader has as many");
            assert_eq!(
                (told.crossing, told.how, told.target, told.depth, told.at),
                (crossing, how, target, depth, events.ticks)
            );
            if how == How::Refused {
                assert_eq!(direct.depth(), depth, "a denied call is none");
            }
        }
    }
    assert!(told.next().is_none());
    assert_eq!(task.depth(), direct.depth());
    let again = totals(&recording.reader, 1);
    for target in replayed.iter().filter_map(|crossing| crossing.target) {
        assert_eq!(account.get(target), totals_of_direct.get(target));
        assert_eq!(account.get(target), again.get(target));
    }
    // A caller that has enough is asked no more.
    let mut left = replayed.len().div_ceil(2);
    replay(&recording.reader, 1, &mut Totals::default(), |_| {
        left = left.checked_sub(1).expect("the replay was to stop");
        left > 0
    });
});

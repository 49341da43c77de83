//! The records of the log: one by itself, and a whole chunk of them.
//!
//! The input is a chunk. Its first words are a record as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soglia_core::trace::{format::ChunkKind, log::Record};
use soglia_fuzz::recording;

fuzz_target!(|bytes: &[u8]| {
    let words = bytes.chunks_exact(4);
    let words: Vec<u32> = words
        .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
        .collect();
    if let [head, payload @ ..] = &words[..]
        && let Some(record) = Record::decode(head & 0xFF, payload)
    {
        let encoded = record.encode();
        assert_eq!(
            encoded[0] >> 8,
            (encoded.len() as u32 - 1) * 4,
            "the length is there"
        );
        let again = Record::decode(encoded[0] & 0xFF, &encoded[1..]);
        // Long texts are cut when they are written.
        if words.len() < 4096 {
            assert_eq!(again.as_ref(), Some(&record));
        }
    }
    let file = recording::of_chunk(ChunkKind::Log, 0, bytes);
    // A record can claim the zeros that fill the last block.
    let most = file.len() / 4;
    let Some(recording) = recording::open(file) else {
        return;
    };
    let names = recording.reader.names();
    assert_eq!(names.left_out, 0, "this log is short");
    let (mut texts, mut stacks) = (0, 0);
    for (target, stack) in &names.first_calls {
        texts += names.stack(*stack).len();
        stacks += usize::from(names.targets.contains_key(target));
    }
    assert!(stacks <= names.targets.len());
    assert!(texts <= names.first_calls.len() * most);
});

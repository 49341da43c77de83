//! The arguments of open calls.
//!
//! A task keeps them in a chunk of its own, with a place for each of its first layers. So they are
//! in the file when the process is killed, and other threads can read them meanwhile. A place keeps
//! what was there after the call has returned, until the next call of that depth whose arguments
//! are kept. It belongs to an open layer that began at the same ticks and has the same target.
#![allow(unsafe_code, reason = "arguments lie in the mapped file")]

use std::{
    mem::{offset_of, size_of},
    sync::atomic::{
        Ordering::{Acquire, Relaxed, Release},
        fence,
    },
};

use super::{
    argument_places::{ARGUMENT_BLOCKS, CHUNK_ARGUMENTS, OpenArguments},
    arguments::Arguments,
    format::{ChunkHeader, ChunkKind},
    open_layers::OpenCall,
    payload::{Decoder, Encoder},
    reader::Reader,
    writer::Recording,
};

/// Words of a place.
const WORDS: usize = (size_of::<OpenArguments>() - offset_of!(OpenArguments, payload)) / 4;

impl Recording {
    /// Keeps the arguments of a call of the running task that has just begun, with so many layers
    /// below it. `at` is when it began.
    ///
    /// Returns `false` if the call lies too deep, or if there is no room. Takes a lock.
    pub fn keep_arguments(&self, depth: u32, arguments: &Arguments) -> bool {
        let Some(place) = self.place(arguments.task, depth, true) else {
            return false;
        };
        let words = fitting(arguments);
        // The stores below do not come before this one.
        place.since.store(0, Relaxed);
        fence(Release);
        place.words.store(words.len() as u32, Relaxed);
        for (to, word) in place.payload.iter().zip(&words) {
            to.store(*word, Relaxed);
        }
        place.since.store(arguments.at, Release);
        true
    }

    /// The arguments of an open call, if they are kept. Any thread may ask.
    pub fn kept_arguments(&self, task: u32, call: &OpenCall) -> Option<Arguments> {
        let place = self.place(task, call.depth, false)?;
        let words = (place.since.load(Acquire) == call.since).then(|| {
            let words = (place.words.load(Relaxed) as usize).min(WORDS);
            let words = place.payload[..words].iter();
            words.map(|word| word.load(Relaxed)).collect::<Vec<u32>>()
        })?;
        fence(Acquire);
        if place.since.load(Relaxed) != call.since {
            return None;
        }
        of_call(&words, task, call.target)
    }

    /// The place of a layer. Makes the task's chunk if there is none and `make` says so.
    fn place(&self, task: u32, depth: u32, make: bool) -> Option<&OpenArguments> {
        let depth = depth as usize;
        if depth >= CHUNK_ARGUMENTS {
            return None;
        }
        let first = self.open_arguments().of(task, || {
            let chunk =
                make.then(|| self.chunk(ChunkKind::Arguments, task, 0, ARGUMENT_BLOCKS))??;
            self.publish(chunk);
            // SAFETY: the chunk is longer than its header, and the places follow the header.
            Some(unsafe { chunk.add(1) }.cast())
        })?;
        // SAFETY: the chunk has so many places behind its header, they lie in the mapping, which
        // lives as long as `self`, and all their fields are atomics.
        Some(unsafe { first.add(depth).as_ref() })
    }
}

/// The words of a record that fits its place. Where texts are too long together, `?` stands for the
/// longest.
fn fitting(arguments: &Arguments) -> Vec<u32> {
    let encoded = |of: &Arguments| {
        let mut words = Encoder::default();
        of.encode(&mut words);
        words.0
    };
    let mut words = encoded(arguments);
    if words.len() > WORDS {
        let mut shorter = arguments.clone();
        while words.len() > WORDS {
            let texts = shorter.values.iter_mut().flat_map(|(name, of)| [name, of]);
            match texts.max_by_key(|text| text.len()) {
                Some(longest) if longest.len() > 1 => "?".clone_into(longest),
                _ => shorter.values.clear(),
            }
            words = encoded(&shorter);
        }
    }
    words
}

fn of_call(words: &[u32], task: u32, target: u32) -> Option<Arguments> {
    let found = Arguments::decode(&mut Decoder(words));
    found.filter(|found| (found.task, found.target) == (task, target))
}

impl Reader {
    /// The arguments of an open call, if they were kept. The call has so many layers below it, and
    /// began at these ticks.
    pub fn kept_arguments(
        &self,
        task: u32,
        depth: u32,
        since: u64,
        target: u32,
    ) -> Option<Arguments> {
        let chunk = self.chunks(ChunkKind::Arguments, task).next()?;
        let offset = size_of::<ChunkHeader>() + depth as usize * size_of::<OpenArguments>();
        if depth as usize >= CHUNK_ARGUMENTS || offset + size_of::<OpenArguments>() > chunk.bytes {
            return None;
        }
        let at = chunk.at + offset;
        let began = || self.bytes.long(at + offset_of!(OpenArguments, since));
        if began() != since {
            return None;
        }
        let used = self.bytes.word(at + offset_of!(OpenArguments, words)) as usize;
        let payload = at + offset_of!(OpenArguments, payload);
        let words = (0..used.min(WORDS)).map(|n| self.bytes.word(payload + n * 4));
        let words: Vec<u32> = words.collect();
        self.bytes.has_read(size_of::<OpenArguments>());
        // The task may have begun another call meanwhile.
        (began() == since).then(|| of_call(&words, task, target))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::arguments::{Of, Request};

    #[test]
    fn long_arguments_become_short() {
        let value = |n: usize| (format!("p{n}"), "x".repeat(n * 100));
        let arguments = Arguments {
            target: 3,
            task: 1,
            of: Of::Open,
            at: 9,
            failure: 0,
            returned: None,
            error: None,
            request: Request::default(),
            values: (1..8).map(value).collect(),
        };
        let words = fitting(&arguments);
        assert!(words.len() <= WORDS, "{} words", words.len());
        assert_eq!(of_call(&words, 2, 3), None, "of another task");
        let found = of_call(&words, 1, 3).unwrap();
        let lengths: Vec<usize> = found.values.iter().map(|(_, value)| value.len()).collect();
        assert_eq!(lengths, [100, 200, 300, 400, 500, 1, 1]);
        let many = Arguments {
            values: vec![("a".into(), "b".into()); 1000],
            ..arguments
        };
        assert!(of_call(&fitting(&many), 1, 3).unwrap().values.is_empty());
    }
}

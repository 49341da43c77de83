//! Files with long runs of zeros, as inputs that a fuzzer can change well.
//!
//! A packed file is a list of parts. Each is a number of zero words (two bytes), a number of words
//! (one byte), and these words. A word has four bytes.

/// The most bytes of an unpacked file.
const MOST: usize = 1 << 20;
/// Bytes of a word.
const WORD: usize = 4;

/// The file that `packed` stands for. Every input stands for one.
pub fn unpack(mut packed: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    while let [low, high, words, rest @ ..] = packed {
        let zeros = WORD * usize::from(u16::from_le_bytes([*low, *high]));
        let (words, rest) = rest.split_at(rest.len().min(WORD * usize::from(*words)));
        if file.len() + zeros + words.len() > MOST {
            break;
        }
        file.resize(file.len() + zeros, 0);
        file.extend(words);
        packed = rest;
    }
    file
}

/// Packs a file. Zeros at its end and bytes behind its last whole word are lost.
pub fn pack(file: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = file.chunks_exact(WORD).collect();
    let is_zero = |word: &&[u8]| word.iter().all(|byte| *byte == 0);
    let (mut packed, mut rest) = (Vec::new(), &words[..]);
    while let Some(zeros) = rest.iter().position(|word| !is_zero(word)) {
        let (zeros, skipped) = (zeros.min(u16::MAX.into()), rest);
        rest = &skipped[zeros..];
        // A single zero word takes less room as a word than as a part of its own.
        let end = rest.windows(2).position(|two| two.iter().all(is_zero));
        let count = end.unwrap_or(rest.len()).min(u8::MAX.into());
        packed.extend((zeros as u16).to_le_bytes());
        packed.push(count as u8);
        packed.extend(rest[..count].concat());
        rest = &rest[count..];
    }
    packed
}

//! Recordings that exist in memory only.

use std::{
    fs::File,
    io::Write,
    mem::offset_of,
    os::fd::{AsRawFd, FromRawFd},
    path::PathBuf,
};

use soglia_core::trace::{
    format::{BLOCK, CHUNK_MAGIC, ChunkHeader, ChunkKind, Header, MAGIC, VERSION},
    reader::Reader,
};

/// Opens these bytes as a recording, even if its end is missing.
///
/// The bytes get the magic and the version of a recording: a fuzzer need not find them, and seeds
/// outlive a new version.
pub fn open(mut bytes: Vec<u8>) -> Option<Recording> {
    bytes.resize(bytes.len().max(BLOCK), 0);
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    put(&mut bytes, offset_of!(Header, version), VERSION);
    // SAFETY: the name ends with a zero.
    let descriptor = unsafe { libc::memfd_create(c"recording".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(descriptor >= 0, "no file in memory");
    // SAFETY: the descriptor is a new one, which nothing else owns.
    let mut file = unsafe { File::from_raw_fd(descriptor) };
    file.write_all(&bytes).expect("memory is writable");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let reader = Reader::open_partial(&path).ok()?;
    Some(Recording { reader, path, file })
}

/// An open recording, and the file that it is in.
pub struct Recording {
    /// The reader.
    pub reader: Reader,
    /// The path of the file, for as long as this lives.
    pub path: PathBuf,
    /// Keeps the path valid.
    #[expect(dead_code, reason = "closing it would end the path")]
    file: File,
}

/// A recording whose only chunk is of this kind and of task 1, and holds `contents`.
///
/// `base_ticks` is the time at the start of the chunk.
pub fn of_chunk(kind: ChunkKind, base_ticks: u64, contents: &[u8]) -> Vec<u8> {
    let start = BLOCK + size_of::<ChunkHeader>();
    let blocks = (size_of::<ChunkHeader>() + contents.len()).div_ceil(BLOCK);
    let mut file = vec![0; BLOCK * (1 + blocks)];
    file[start..start + contents.len()].copy_from_slice(contents);
    let blocks = blocks as u32;
    put(&mut file, offset_of!(Header, next_block), 1 + blocks);
    put(&mut file, offset_of!(Header, reserved_blocks), 1 + blocks);
    for (offset, word) in [
        (offset_of!(ChunkHeader, magic), CHUNK_MAGIC),
        (offset_of!(ChunkHeader, kind), kind as u32),
        (offset_of!(ChunkHeader, blocks), blocks),
        (offset_of!(ChunkHeader, task), 1),
        (offset_of!(ChunkHeader, base_ticks), base_ticks as u32),
        (
            offset_of!(ChunkHeader, base_ticks) + 4,
            (base_ticks >> 32) as u32,
        ),
    ] {
        put(&mut file, BLOCK + offset, word);
    }
    file
}

fn put(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

//! Images that are made here: a single section, with whatever tables a test wants.

use std::collections::BTreeMap;

/// Elements of a sparse array that share a tree.
const BLOCK: u32 = 16;

/// Where things are in an image.
pub const SECTION: usize = 0x1000;
pub const CLI: usize = SECTION;
pub const HEADER: usize = SECTION + 0x80;
const IMPORTS: usize = SECTION + 0x100;
pub const ENTRIES: usize = SECTION + 0x400;
pub const END: usize = SECTION + 0x800;

pub fn put(bytes: &mut [u8], at: usize, data: &[u8]) {
    bytes[at..at + data.len()].copy_from_slice(data);
}

pub fn put_u32(bytes: &mut [u8], at: usize, number: usize) {
    put(bytes, at, &u32::try_from(number).unwrap().to_le_bytes());
}

/// A number in the native format, always in the form of four bytes, so that sizes are known.
pub fn native(number: usize) -> [u8; 4] {
    u32::to_le_bytes(u32::try_from(number).unwrap() << 4 | 7)
}

/// A block of a sparse array.
fn tree(elements: &BTreeMap<u32, Vec<u8>>, low: u32, bit: u32) -> Vec<u8> {
    if bit == 0 {
        return elements[&low].clone();
    }
    let part = |from: u32| {
        let some = elements.range(from..from + bit).next().is_some();
        some.then(|| tree(elements, from, bit / 2))
    };
    let (lower, upper) = (part(low), part(low + bit));
    let flags = usize::from(lower.is_some()) | usize::from(upper.is_some()) << 1;
    let lower = lower.unwrap_or_default();
    let mut out = native((lower.len() + 4) << 2 | flags).to_vec();
    out.extend(lower);
    out.extend(upper.unwrap_or_default());
    out
}

fn nibbles(numbers: &[u32]) -> Vec<u8> {
    let mut all = Vec::new();
    for number in numbers {
        let digits: Vec<u8> = format!("{number:o}").bytes().map(|b| b - b'0').collect();
        let (last, more) = digits.split_last().unwrap();
        all.extend(more.iter().map(|digit| digit | 8));
        all.push(*last);
    }
    all.push(0);
    all.chunks_exact(2)
        .map(|pair| pair[0] | pair[1] << 4)
        .collect()
}

/// An image whose methods have these entries, by row less 1, and whose two import sections have
/// cells with these signatures.
pub fn image(entries: &BTreeMap<u32, Vec<u8>>, cells: [&[&[u8]]; 2]) -> Vec<u8> {
    let mut bytes = vec![0; 0x2000];
    put(&mut bytes, 0, b"MZ");
    put_u32(&mut bytes, 0x3C, 0x80);
    put(&mut bytes, 0x80, b"PE\0\0");
    put(&mut bytes, 0x86, &[1, 0]);
    put(&mut bytes, 0x94, &[240, 0]);
    put(&mut bytes, 0x98, &[0x0B, 0x02]);
    put_u32(&mut bytes, 0x98 + 56, 0x2000);
    put_u32(&mut bytes, 0x98 + 108, 16);
    put_u32(&mut bytes, 0x98 + 112 + 14 * 8, CLI);
    for (field, number) in [(8, END - SECTION), (12, SECTION), (16, 0x1000)] {
        put_u32(&mut bytes, 0x98 + 240 + field, number);
    }
    put_u32(&mut bytes, CLI + 64, HEADER);
    put(&mut bytes, HEADER, b"RTR\0\x10\0\0\0");
    put_u32(&mut bytes, HEADER + 12, 2);
    for (index, words) in [[101, IMPORTS, 40], [103, ENTRIES, END - ENTRIES]]
        .iter()
        .enumerate()
    {
        for (word, number) in words.iter().enumerate() {
            put_u32(&mut bytes, HEADER + 16 + 12 * index + 4 * word, *number);
        }
    }
    let mut free = IMPORTS + 40;
    for (section, cells) in cells.iter().enumerate() {
        let import = IMPORTS + 20 * section;
        put_u32(&mut bytes, import + 4, 8 * cells.len());
        bytes[import + 11] = 8;
        put_u32(&mut bytes, import + 12, free);
        let mut signature = free + 4 * cells.len();
        for (cell, data) in cells.iter().enumerate() {
            put_u32(&mut bytes, free + 4 * cell, signature);
            put(&mut bytes, signature, data);
            signature += data.len();
        }
        free = signature;
    }
    assert!(free < ENTRIES);
    // Offsets of two bytes.
    let count = entries.keys().max().unwrap() + 1;
    put(&mut bytes, ENTRIES, &native((count as usize) << 2 | 1));
    let base = ENTRIES + 4;
    let blocks = count.div_ceil(BLOCK);
    let mut at = 2 * blocks as usize;
    for block in 0..blocks {
        put(
            &mut bytes,
            base + 2 * block as usize,
            &(at as u16).to_le_bytes(),
        );
        let data = tree(&block_of(entries, block), 0, 8);
        put(&mut bytes, base + at, &data);
        at += data.len();
    }
    bytes
}

fn block_of(entries: &BTreeMap<u32, Vec<u8>>, block: u32) -> BTreeMap<u32, Vec<u8>> {
    let range = entries.range(block * BLOCK..(block + 1) * BLOCK);
    range
        .map(|(index, data)| (index % BLOCK, data.clone()))
        .collect()
}

/// The entry of a method that uses the cells of a list: sections and cells, by their distances.
pub fn entry(list: &[u32]) -> Vec<u8> {
    let mut out = native(77 << 2 | 1).to_vec();
    out.extend(nibbles(list));
    out
}

/// Methods 1 to 8, 23 and 40.
pub fn example() -> Vec<u8> {
    let entries = BTreeMap::from([
        (0, native(5 << 1).to_vec()),              // no cells
        (1, entry(&[0, 0, 1, 0, 1, 0, 0, 0])),     // 0/0, 0/1, 1/0: nothing
        (2, entry(&[0, 0, 2, 0, 0])),              // 0/0, 0/2: token 4
        (3, entry(&[0, 3, 0, 0])),                 // 0/3: token 5
        (4, entry(&[1, 1, 0, 0])),                 // 1/1: another module's
        (5, entry(&[1, 2, 0, 0])),                 // 1/2: a MemberRef
        (6, entry(&[1, 3, 0, 0])),                 // 1/3: this module's, token 0x123456
        (7, entry(&[0, 0, 1, 0, 1, 9, 0, 0])),     // 1/9: not there
        (22, entry(&[2, 0, 0, 0])),                // 2/0: not there
        (39, entry(&[0, 1, 0, 1, 0, 1, 2, 0, 0])), // 0/1, 1/0, 1/1: nothing, nothing, another's
    ]);
    image(
        &entries,
        [
            &[
                &[0x10, 0x11, 0x04],
                &[0x13, 0x00, 0x04],
                &[0x2E, 0, 4],
                &[0x2F, 0, 5],
            ],
            &[
                &[0x1B, 2],
                &[0xAE, 3, 0, 4],
                &[0x2F, 0x10, 4],
                &[0xAF, 0, 0, 0xC0, 0x12, 0x34, 0x56],
            ],
        ],
    )
}

/// The image of the example with a table of inlining. It has two buckets, of which one is empty.
pub fn with_inlining(flags: u8, entries: &[&[usize]]) -> Vec<u8> {
    const TABLE: usize = SECTION + 0x700;
    let mut bytes = example();
    bytes[HEADER + 8] = flags;
    bytes[HEADER + 12] = 3;
    for (word, number) in [119, TABLE, 0x100].into_iter().enumerate() {
        put_u32(&mut bytes, HEADER + 40 + 4 * word, number);
    }
    // The places have one byte and the entries two; they precede the data.
    let buckets = 4 + 2 * entries.len();
    let (first, end) = (3, 3 + 2 * entries.len());
    put(&mut bytes, TABLE, &[1 << 2, first, end as u8, end as u8]);
    let mut data = buckets;
    for (index, numbers) in entries.iter().enumerate() {
        let pointer = 4 + 2 * index + 1;
        // A byte has room for a sign and six more bits.
        assert!(data - pointer < 64);
        bytes[TABLE + pointer] = ((data - pointer) << 1) as u8;
        bytes[TABLE + data] = (numbers.len() << 1) as u8;
        for (word, number) in numbers.iter().enumerate() {
            bytes[TABLE + data + 1 + word] = (number << 1) as u8;
        }
        data += 1 + numbers.len();
    }
    bytes
}

use super::*;

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Where things are in the image that is made here.
const SECTION: usize = 0x1000;
const CLI: usize = SECTION;
const HEADER: usize = SECTION + 0x80;
const IMPORTS: usize = SECTION + 0x100;
const ENTRIES: usize = SECTION + 0x400;
const END: usize = SECTION + 0x800;

fn put(bytes: &mut [u8], at: usize, data: &[u8]) {
    bytes[at..at + data.len()].copy_from_slice(data);
}

fn put_u32(bytes: &mut [u8], at: usize, number: usize) {
    put(bytes, at, &u32::try_from(number).unwrap().to_le_bytes());
}

/// A number in the native format, always in its longest form but one, so that sizes are known beforehand.
fn native(number: usize) -> [u8; 4] {
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

/// An image of which the methods have these entries, and the cells of two import sections these signatures.
fn image(entries: &BTreeMap<u32, Vec<u8>>, cells: [&[&[u8]]; 2]) -> Vec<u8> {
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

/// An entry with cells: sections and cells as the list has them.
fn entry(list: &[u32]) -> Vec<u8> {
    let mut out = native(77 << 2 | 1).to_vec();
    out.extend(nibbles(list));
    out
}

/// Methods 1 to 8, 23 and 40, of which the wrapped P/Invokes are those of an even row.
fn example() -> Vec<u8> {
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

fn even(token: MdToken) -> bool {
    assert_eq!(token.table(), 0x06);
    token.row().is_multiple_of(2)
}

#[test]
fn finds_inlined_calls() {
    use Inlined::{No, Unknown, Yes};
    let bytes = example();
    assert_eq!(image_size(&bytes[..0x400]), Some(0x2000));
    let all = Image::parse(&bytes);
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
    // The list lies behind the four bytes of the entry before; this entry's own number of bytes back ends there.
    let mut shared = native(9 << 2 | 3).to_vec();
    shared.extend(native(0));
    let build = |back: usize| {
        let mut second = shared[..4].to_vec();
        second.extend(native(back));
        let entries = BTreeMap::from([(0, list.clone()), (1, second)]);
        image(&entries, [&[&[0x2E, 0, 2]], &[]])
    };
    // Between the list and the number: the end of the list, and the first four bytes of the second entry.
    let back = list.len() - 4 + 4;
    let ask = |bytes: &[u8]| Image::parse(bytes).inlines_any(2, &even);
    assert_eq!(ask(&build(back)), Inlined::Yes);
    assert_eq!(ask(&build(1 << 20)), Inlined::Unknown);
}

#[test]
fn trees_of_one_have_no_branches() {
    // Eight elements, offsets of a byte; the block has method 6 alone.
    let mut bytes = example();
    put(&mut bytes, ENTRIES, &[8 << 3, 1, 5 << 3, 3 << 2]);
    let Precompiled::Image(image) = Image::parse(&bytes) else {
        panic!("an image");
    };
    assert_eq!(image.entry(6), Some(3));
    assert_eq!((image.entry(5), image.entry(7)), (None, None));
    assert_eq!(image.inlines_any(6, &even), Inlined::No);
}

#[test]
fn other_images_are_told_apart() {
    let bytes = example();
    let changed = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        match Image::parse(&bytes) {
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
    assert!(matches!(Image::parse(&none), Precompiled::None));
}

#[test]
fn broken_images_never_make_it_panic() {
    let bytes = example();
    let ask = |bytes: &[u8]| {
        let _ = image_size(bytes);
        let image = Image::parse(bytes);
        for rid in 0..42 {
            let _ = image.inlines_any(rid, &|token| token.row().is_multiple_of(2));
        }
    };
    for end in 0..END + 1 {
        ask(&bytes[..end]);
    }
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let interesting = [
        0x80..0x200,
        SECTION..SECTION + 0x180,
        ENTRIES..ENTRIES + 0x100,
    ];
    for _ in 0..100_000 {
        let mut broken = bytes.clone();
        for _ in 0..=next() % 3 {
            let range = &interesting[next() % 3];
            let at = range.start + next() % range.len();
            broken[at] = [0, 1, 7, 0x7F, 0xFF, next() as u8][next() % 6];
        }
        ask(&broken);
    }
}

/// A file as it is when mapped.
fn map(file: &[u8]) -> Option<Vec<u8>> {
    let (head, optional) = headers(file)?;
    let mut mapped = vec![0; image_size(file)?];
    let size_of_headers = u32_at(file, optional + 60)? as usize;
    put(&mut mapped, 0, &file[..size_of_headers]);
    let table = optional + usize::from(u16_at(file, head + 16)?);
    for section in 0..usize::from(u16_at(file, head + 2)?) {
        let field = |at| u32_at(file, table + 40 * section + at).map(|field| field as usize);
        let (size, from) = (field(16)?.min(field(8)?), field(20)?);
        put(&mut mapped, field(12)?, &file[from..from + size]);
    }
    Some(mapped)
}

/// Rows of MethodDef, by the metadata (ECMA-335, II.24.2).
fn methods(bytes: &[u8]) -> Option<u32> {
    let (mapped, cli) = Mapped::new(bytes)?;
    let metadata = mapped.from(u32_at(cli, 8)?)?;
    let mut stream = 16 + u32_at(metadata, 12)? as usize + 4;
    while !metadata.get(stream + 8..)?.starts_with(b"#~\0") {
        let name = &metadata[stream + 8..];
        stream += 8 + (name.iter().position(|byte| *byte == 0)? + 1).next_multiple_of(4);
    }
    let tables = metadata.get(u32_at(metadata, stream)? as usize..)?;
    let there = u32_at(tables, 8)?;
    let before = (there & ((1 << 6) - 1)).count_ones() as usize;
    (there & 1 << 6 != 0).then(|| u32_at(tables, 24 + 4 * before))?
}

fn assemblies(root: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let frameworks = list(&root.join("shared"));
    let versions = frameworks.iter().flat_map(|framework| list(framework));
    let mut files: Vec<_> = versions.flat_map(|version| list(&version)).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "dll"));
    files.sort();
    files
}

/// Where a .NET is, if the tests have one: as they are told, or as everybody finds it.
fn root() -> Option<PathBuf> {
    let told = ["SOGLIA_TEST_DOTNET_ROOT", "DOTNET_ROOT"];
    let told = told.iter().filter_map(env::var_os).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).filter_map(|folder| {
        let dotnet = folder.join("dotnet").canonicalize().ok()?;
        dotnet.parent().map(Path::to_owned)
    });
    told.chain(found)
        .find(|root| root.join("shared/Microsoft.NETCore.App").is_dir())
}

#[test]
fn reads_the_framework() {
    let Some(root) = root() else {
        // Past the output that is captured.
        let why = "there is no .NET; SOGLIA_TEST_DOTNET_ROOT says where one is";
        let test = std::thread::current();
        let test = test.name().unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
        return;
    };
    let mut core_libraries = 0;
    for file in assemblies(&root) {
        let Some(mapped) = map(&fs::read(&file).unwrap()) else {
            continue;
        };
        let name = file.display();
        let image = match Image::parse(&mapped) {
            Precompiled::Image(image) => image,
            Precompiled::None => continue,
            other => panic!("{name}: {other:?}"),
        };
        let (mut with_code, mut inlining, mut unknown) = (0, 0, 0);
        for rid in (1..=image.count).filter(|rid| image.entry(*rid).is_some()) {
            with_code += 1;
            match image.inlines_any(rid, &|_| true) {
                Inlined::Yes => inlining += 1,
                Inlined::No => {}
                Inlined::Unknown => unknown += 1,
            }
            assert_eq!(image.inlines_any(rid, &|_| false), Inlined::No);
        }
        assert_eq!(unknown, 0, "{name}");
        let inliners = image
            .inliners(&|_| true)
            .unwrap_or_else(|| panic!("{name}"));
        let last = inliners.iter().max().copied().unwrap_or_default();
        assert!(last <= methods(&mapped).unwrap(), "{name}: {last}");
        assert_eq!(image.inliners(&|_| false), Some(HashSet::new()));
        let image = Precompiled::Image(image);
        let others = image.shares(&|_| false);
        let Precompiled::Image(image) = image else {
            unreachable!()
        };
        println!(
            "{name}: {with_code} of {} methods have code, {inlining} with inlined P/Invokes{}, {} with inlined methods",
            image.count,
            if others { " (also of others)" } else { "" },
            inliners.len()
        );
        if file.ends_with("System.Private.CoreLib.dll") {
            core_libraries += 1;
            assert!(with_code > 10_000 && inlining > 50, "{name}");
            assert!(inliners.len() > 5_000, "{name}");
        }
    }
    assert_ne!(core_libraries, 0, "no framework there");
}

/// The image of the example, with a table of inlining: of two buckets, of which one is empty.
fn with_inlining(flags: u8, entries: &[&[usize]]) -> Vec<u8> {
    const TABLE: usize = SECTION + 0x700;
    let mut bytes = example();
    bytes[HEADER + 8] = flags;
    bytes[HEADER + 12] = 3;
    for (word, number) in [119, TABLE, 0x100].into_iter().enumerate() {
        put_u32(&mut bytes, HEADER + 40 + 4 * word, number);
    }
    // Places of one byte; they and the entries, of two bytes each, come first.
    let buckets = 4 + 2 * entries.len();
    let (first, end) = (3, 3 + 2 * entries.len());
    put(&mut bytes, TABLE, &[1 << 2, first, end as u8, end as u8]);
    let mut data = buckets;
    for (index, numbers) in entries.iter().enumerate() {
        let pointer = 4 + 2 * index + 1;
        // A sign and six more bits.
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

#[test]
fn finds_who_has_inlined_a_method() {
    const ALONE: u8 = 0x03;
    let ask = |bytes: &[u8], row: u32| {
        let inliners = Image::parse(bytes).inliners(&|inlined| inlined == row)?;
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
            &[9 << 2],                   // 9: into nobody
            &[7 << 2, 5],                // 7 once more: into 5
        ],
    );
    assert_eq!(ask(&bytes, 7), Some(vec![3, 4, 5, 13]));
    assert_eq!(ask(&bytes, 8), Some(vec![4]));
    assert_eq!(ask(&bytes, 9), Some(vec![]));
    assert_eq!(ask(&bytes, 20), Some(vec![]));
    let inlinees = Image::parse(&bytes).inlinees().unwrap();
    let of = |row: u32| inlinees.get(&row).map(Vec::as_slice);
    assert_eq!([3, 5, 13].map(of), [Some(&[7][..]); 3]);
    assert_eq!(of(4), Some(&[7, 8][..]));
    assert_eq!(of(7), None);
    // Where several modules were compiled together, each inliner says whether it is of another one, and of which.
    let bytes = with_inlining(0x43, &[&[7 << 2, 3 << 1, 1 << 1 | 1, 2, 4 << 1]]);
    assert_eq!(ask(&bytes, 7), Some(vec![3, 8]));
    let together = with_inlining(0x43, &[&[7 << 2, 3 << 1]]);
    assert_eq!(Image::parse(&together).inlinees(), None);
    // A list that is shorter than it says; no table; the older table too.
    assert_eq!(ask(&with_inlining(ALONE, &[&[7 << 2 | 2, 9, 1]]), 7), None);
    assert_eq!(ask(&example(), 7), None);
    let mut older = with_inlining(ALONE, &[&[7 << 2, 3]]);
    put_u32(&mut older, HEADER + 16, 114);
    assert_eq!(ask(&older, 7), None);
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut broken = bytes.clone();
        for _ in 0..3 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = (state >> 33) as usize % 40;
            broken[SECTION + 0x700 + at] = (state >> 56) as u8;
        }
        let _ = ask(&broken, 7);
    }
}

#[test]
fn finds_what_was_compiled_together() {
    let image = |flags: u8, cells: &[&[u8]]| {
        let mut bytes = image(&BTreeMap::from([(0, native(0).to_vec())]), [cells, &[]]);
        bytes[HEADER + 8] = flags;
        bytes
    };
    let shares = |bytes: &[u8]| {
        let parsed = Image::parse(bytes);
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

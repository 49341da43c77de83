//! The images of an installed .NET.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::Arguments;
use object::{
    LittleEndian as LE,
    pe::{IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR, ImageCor20Header},
    read::{
        ReadRef,
        pe::{ImageNtHeaders, ImageOptionalHeader, PeFile64},
    },
};
use soglia_il::r2r::{Generic, Inlined, Precompiled};
use soglia_testing::dotnet;
use soglia_testing::needs::{Outcome, Unmet, trial};

/// A file as the runtime maps it. `None`: it is no PE file for 64 bits.
fn map(file: &[u8]) -> Option<Vec<u8>> {
    let pe = PeFile64::parse(file).ok()?;
    let optional = pe.nt_headers().optional_header();
    let mut mapped = vec![0; optional.size_of_image() as usize];
    let headers = optional.size_of_headers() as usize;
    mapped[..headers].copy_from_slice(&file[..headers]);
    for section in pe.section_table().iter() {
        let data = section.pe_data(file).ok()?;
        let at = section.virtual_address.get(LE) as usize;
        mapped[at..at + data.len()].copy_from_slice(data);
    }
    Some(mapped)
}

/// How many rows the table MethodDef has (ECMA-335, II.24.2).
fn methods(file: &[u8]) -> Option<u32> {
    let u32_at =
        |bytes: &[u8], at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let pe = PeFile64::parse(file).ok()?;
    let directory = pe.data_directory(IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR)?;
    let sections = pe.section_table();
    let cli = directory.data(file, &sections).ok()?;
    let cli: &ImageCor20Header = cli.read_at(0).ok()?;
    let metadata = cli.meta_data.data(file, &sections).ok()?;
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

fn main() -> ExitCode {
    let tests = vec![trial("reads_the_framework", reads_the_framework)];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn reads_the_framework() -> Outcome {
    let root = dotnet::find().map_err(Unmet::new)?;
    let mut core_libraries = 0;
    for file in assemblies(&root.path) {
        let bytes = fs::read(&file).unwrap();
        let Some(mapped) = map(&bytes) else {
            continue;
        };
        let name = file.display();
        let image = match Precompiled::parse(&mapped) {
            Precompiled::Image(image) => image,
            Precompiled::None => continue,
            other => panic!("{name}: {other:?}"),
        };
        let (mut with_code, mut inlining, mut unknown) = (0, 0, 0);
        for rid in image.rows() {
            with_code += 1;
            match image.inlines_any(rid, &|_| true) {
                Inlined::Yes => inlining += 1,
                Inlined::No => {}
                Inlined::Unknown => unknown += 1,
            }
            assert_eq!(image.inlines_any(rid, &|_| false), Inlined::No);
        }
        assert_eq!(unknown, 0, "{name}");
        let instances = image.instances().expect("a readable table");
        let inlining_instances = image.instances_inlining(&|_| true);
        let inlining_instances = inlining_instances.expect("a readable table");
        let rows = methods(&bytes).unwrap();
        for generic in &inlining_instances {
            if let Generic::Here(method) = generic {
                let is_there = method.table() != 0x06 || (1..=rows).contains(&method.row());
                assert!(is_there, "{name}: {method:?}");
            }
        }
        let inliners = image
            .inliners(&|_| true)
            .unwrap_or_else(|| panic!("{name}"));
        assert!(!inliners.contains(&0), "{name}: no method has the row 0");
        let last = inliners.iter().max().copied().unwrap_or_default();
        assert!(last <= methods(&bytes).unwrap(), "{name}: {last}");
        assert_eq!(image.inliners(&|_| false), Some(HashSet::new()));
        let others = Precompiled::parse(&mapped).shares(&|_| false);
        println!(
            "{name}: {with_code} of {} methods have code, \
             {inlining} with inlined P/Invokes{}, {} with inlined methods, {instances} instances, \
             {} of them with inlined P/Invokes",
            methods(&bytes).unwrap(),
            if others { " (also of others)" } else { "" },
            inliners.len(),
            inlining_instances.len()
        );
        if file.ends_with("System.Private.CoreLib.dll") {
            core_libraries += 1;
            assert!(with_code > 10_000 && inlining > 50, "{name}");
            assert!(inliners.len() > 5_000, "{name}");
            assert!(instances > 5_000, "{name}: {instances} instances");
        }
    }
    assert_ne!(core_libraries, 0, "no framework there");
    Ok(())
}

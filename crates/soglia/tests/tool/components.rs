//! Native programs that host .NET by hostfxr, without a word about soglia.

use std::{path::Path, process::Command};

use crate::support::{Space, fixture, setup, text};

#[test]
fn what_hostfxr_gives_pointers_to_has_its_own_name() {
    let space = Space::new();
    let host = space.path("host");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/components/host.c");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(compiler)
        .arg("-o")
        .args([&host, &source])
        .arg("-ldl")
        .status();
    assert!(built.unwrap().success());
    let root = &setup().root;
    for (options, names) in [
        (
            "",
            [
                "Soglia.Components.Entry.First",
                "Soglia.Components.Entry.Second",
            ]
            .as_slice(),
        ),
        (
            "--counts",
            &[
                "Soglia.Components.Entry.First",
                "Soglia.Components.Entry.Second",
            ],
        ),
        // The runtime gives only the type of the delegates.
        ("--source transitions", &[]),
    ] {
        let output = space
            .soglia("run")
            .args(options.split_whitespace())
            .args(["--quiet", "-o", "a.soglia"])
            .arg(&host)
            .args([&root.hostfxr, &root.path])
            .arg(fixture("components.runtimeconfig.json"))
            .arg(fixture("components.dll"))
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(text(&output.stdout), "23\n", "{said}");
        let report = space.recording("a.soglia").report();
        let rows = report.targets.iter().filter(|row| {
            let method = row.method.as_deref().unwrap_or_default();
            method.starts_with("Soglia.Components.")
                || names.is_empty() && method.contains("ComponentEntryPoint")
        });
        let mut found: Vec<_> = rows
            .map(|row| (row.method.as_deref().unwrap(), row.calls))
            .collect();
        found.sort_unstable();
        match names {
            [] => assert_eq!(found.iter().map(|(_, calls)| calls).sum::<u64>(), 8),
            names => assert_eq!(found, [(names[0], 3), (names[1], 5)], "{options}"),
        }
    }
}

use super::*;
use crate::dotnet::platform::OWN;
use std::os::unix::fs::PermissionsExt;

const CONFIG: &str =
    r#"{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "8.0.0"}}}"#;

const HELLO: &[u8] = include_bytes!("../../../../fixtures/managed/hello/hello.dll");
const PLUGIN: &[u8] = include_bytes!("../../../../fixtures/managed/semantics/plugin.dll");

/// A PE file without a CLR header: a native program of Windows.
fn native_exe() -> Vec<u8> {
    let mut file = HELLO.to_vec();
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    // The fifteenth data directory of a 32-bit file: signature, COFF header, then the optional
    // header.
    let directory = number(0x3c) + 4 + 20 + 96 + 14 * 8;
    file[directory..directory + 8].fill(0);
    file
}

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn dll(&self, name: &str) -> PathBuf {
        self.file(name, HELLO, 0o644)
    }
}

fn inspect(path: &Path) -> Result<Kind, String> {
    Program::inspect(path.as_os_str(), &|_| None)
        .map(|program| program.kind)
        .map_err(|error| error.to_string())
}

#[track_caller]
fn refused(path: &Path, because: &str) {
    let message = inspect(path).unwrap_err();
    assert!(message.contains(because), "{message}");
    assert!(
        message.contains(path.file_name().unwrap().to_str().unwrap()) && !message.contains('\n'),
        "{message}"
    );
}

#[test]
fn an_assembly_with_its_configuration_is_one() {
    let directory = Directory::new();
    let dll = directory.dll("a.dll");
    refused(&dll, "no a.runtimeconfig.json beside it");
    directory.file("a.runtimeconfig.json", CONFIG.as_bytes(), 0o644);
    assert!(matches!(inspect(&dll), Ok(Kind::Assembly(config)) if config.frameworks.len() == 1));
    directory.file("a.runtimeconfig.json", b"{ not json", 0o644);
    let message = inspect(&dll).unwrap_err();
    assert!(
        message.contains("a.runtimeconfig.json cannot be read: "),
        "{message}"
    );
}

#[test]
fn the_dll_of_a_self_contained_program_points_at_its_apphost() {
    let directory = Directory::new();
    let dll = directory.dll("a.b.dll");
    let config = r#"{"runtimeOptions": {"includedFrameworks": [{"name": "Microsoft.NETCore.App", "version": "9.0.7"}]}}"#;
    directory.file("a.b.runtimeconfig.json", config.as_bytes(), 0o644);
    refused(&dll, "self-contained");
    let apphost = directory.file(
        "a.b",
        &elf::tests::executable(2, OWN.elf, "/lib64/ld-linux-x86-64.so.2", Some(0)),
        0o755,
    );
    let kind = inspect(&apphost).unwrap();
    assert_eq!(kind.describe(), "a self-contained .NET program");
    assert!(inspect(&dll).unwrap_err().ends_with("a.b instead"));
}

#[test]
fn a_bundle_tells_what_runtime_is_in_it() {
    let directory = Directory::new();
    let single_file = |name: &str, version: u32, config: &str| {
        let mut file = elf::tests::executable(2, OWN.elf, "/lib64/ld-linux-x86-64.so.2", Some(0));
        let (bundle, list) = bundle::tests::bundle(version, config, file.len() as u64);
        file[0x248..0x250].copy_from_slice(&list.to_le_bytes());
        file.extend(bundle);
        directory.file(name, &file, 0o755)
    };
    let with = |what: &str| format!(r#"{{"runtimeOptions": {{{what}}}}}"#);
    let core =
        |version: &str| format!(r#"{{"name": "Microsoft.NETCore.App", "version": "{version}"}}"#);
    let included = |version: &str| with(&format!(r#""includedFrameworks": [{}]"#, core(version)));
    let asks = |version: &str| with(&format!(r#""framework": {}"#, core(version)));
    let old = single_file("old6", 6, &included("6.0.36"));
    refused(&old, "runs on .NET 6.0.36, which is too old");
    let old = single_file("old3", 1, &included("3.1.32"));
    refused(&old, "runs on .NET Core 3.1.32, which is too old");
    refused(&single_file("asks6", 6, &asks("6.0.0")), "too old");
    let rolls = asks("6.0.0").replace("{\"framework", "{\"rollForward\": \"Major\", \"framework");
    for (name, config) in [
        ("new", included("8.0.31")),
        ("asks", asks("8.0.0")),
        ("rolls", rolls),
    ] {
        let kind = inspect(&single_file(name, 6, &config)).unwrap();
        assert!(
            matches!(&kind, Kind::SingleFile { config: Some(_) }),
            "{name}: {kind:?}"
        );
    }
    let kind = inspect(&single_file("odd", 6, "no json")).unwrap();
    assert_eq!(kind, Kind::SingleFile { config: None });
}

#[test]
fn an_old_self_contained_folder_is_known_by_its_deps() {
    let directory = Directory::new();
    let host = elf::tests::executable(2, OWN.elf, "/lib64/ld-linux-x86-64.so.2", Some(0));
    let apphost = directory.file("a", &host, 0o755);
    directory.file("a.runtimeconfig.json", br#"{"runtimeOptions": {}}"#, 0o644);
    let deps = br#"{"runtimeTarget": {"name": ".NETCoreApp,Version=v2.2/linux-x64"}}"#;
    directory.file("a.deps.json", deps, 0o644);
    // Without a runtime beside it, it asks for one that is installed.
    assert!(inspect(&apphost).is_ok());
    directory.file("libcoreclr.so", b"", 0o644);
    refused(&apphost, "runs on .NET Core 2.2.0, which is too old");
}

#[test]
fn files_that_nobody_can_start_are_refused() {
    let directory = Directory::new();
    refused(&directory.0.path().join("absent"), "does not exist");
    refused(directory.0.path(), "is a directory");
    refused(
        &directory.file("text", b"hello", 0o644),
        "neither a .NET assembly nor executable",
    );
    refused(
        &directory.file("empty", b"", 0o644),
        "neither a .NET assembly nor executable",
    );
    refused(&directory.dll("a.bin"), "rename it");
    refused(
        &directory.file("n.dll", &native_exe(), 0o644),
        "native Windows program",
    );
    refused(
        &directory.file("l.dll", PLUGIN, 0o644),
        "has no entry point",
    );
}

#[test]
fn a_windows_apphost_points_at_the_dll_beside_it() {
    let directory = Directory::new();
    let exe = directory.file("a.exe", &native_exe(), 0o755);
    directory.dll("a.dll");
    refused(&exe, "a.dll instead");
}

#[test]
fn scripts_and_native_programs_are_allowed() {
    let directory = Directory::new();
    assert_eq!(
        inspect(&directory.file("run.sh", b"#!/bin/sh\n", 0o755)),
        Ok(Kind::Script)
    );
    assert_eq!(inspect(Path::new("/bin/sh")), Ok(Kind::Native));
}

#[test]
fn a_bare_name_is_looked_up_on_the_path() {
    let directory = Directory::new();
    let tool = directory.file("tool", b"#!/bin/sh\n", 0o755);
    directory.file("data", b"", 0o644);
    let env = |name: &str| (name == "PATH").then(|| directory.0.path().into());
    assert_eq!(Program::inspect("tool".as_ref(), &env).unwrap().path, tool);
    for name in ["absent", "data"] {
        let message = Program::inspect(name.as_ref(), &env)
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with(&format!("{name} is not on PATH")),
            "{message}"
        );
    }
}

#[test]
fn a_bare_dll_is_a_file_of_this_directory() {
    let message = Program::inspect("absent.dll".as_ref(), &|_| None)
        .unwrap_err()
        .to_string();
    assert_eq!(message, "./absent.dll does not exist");
}

//! Compiles and runs small programs that include the header.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Language {
    C,
    Cpp,
}

impl Language {
    fn compiler(self) -> String {
        match self {
            Language::C => env::var("CC").unwrap_or_else(|_| "cc".to_owned()),
            Language::Cpp => env::var("CXX").unwrap_or_else(|_| "c++".to_owned()),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Cpp => "cpp",
        }
    }
}

const STRICT: [&str; 5] = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-fvisibility=hidden",
];
const C: [&str; 3] = ["c99", "c11", "c17"];
const CPP: [&str; 4] = ["c++11", "c++14", "c++17", "c++20"];

/// A file or folder of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

pub fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn header() -> String {
    read("include/mscoree.h")
}

/// Writes a source and compiles it; `arguments` come last.
#[track_caller]
fn compile(compiler: &str, source: &Path, text: &str, arguments: &[&str]) {
    fs::write(source, text).unwrap();
    let output = Command::new(compiler)
        .args(STRICT)
        .arg(source)
        .args(arguments)
        .arg("-I")
        .arg(repository("include"))
        .output()
        .unwrap_or_else(|error| {
            panic!("{compiler}: {error}; this test needs a C and a C++ compiler (CC, CXX)")
        });
    assert!(
        output.status.success(),
        "{compiler} {arguments:?} {}:\n{}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A place of this test's own, told apart by `name`.
fn place(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("header")
        .join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Compiles, runs, and gives what was printed.
#[track_caller]
pub fn run(language: Language, name: &str, text: &str) -> String {
    let place = place(name);
    let source = place.join(name).with_extension(language.extension());
    let program = place.join(format!("{name}-{}", language.extension()));
    let (standard, defines) = match language {
        Language::C => ("-std=c99", "-DCOBJMACROS"),
        Language::Cpp => ("-std=c++11", "-O0"),
    };
    let out = &path_text(&program);
    compile(
        &language.compiler(),
        &source,
        text,
        &[standard, defines, "-o", out.as_str()],
    );
    printed(&program, &[])
}

fn printed(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}: {output:?}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

/// Compiles a source with include/win32, in all standards; runs the last, and gives what was
/// printed. `more` are options of the compiler.
pub fn windows_source(name: &str, text: &str, more: &[&str], arguments: &[&str]) -> String {
    windows(Language::Cpp, &CPP, name, text, more, arguments)
}

/// The same in C.
pub fn windows_source_in_c(name: &str, text: &str) -> String {
    windows(Language::C, &C, name, text, &["-D_GNU_SOURCE"], &[])
}

/// Compiles and runs a C source with include/win32 whose wchar_t has 32 bits.
pub fn hosting_headers_in_c(text: &str) {
    let place = place("hosting");
    let (headers, program) = (
        path_text(&repository("include/win32")),
        place.join("hosting"),
    );
    for standard in ["-std=c11", "-std=c17"] {
        let options = ["-I", &headers, standard, "-o", &path_text(&program)];
        compile(
            &Language::C.compiler(),
            &place.join("hosting.c"),
            text,
            &options,
        );
    }
    printed(&program, &[]);
}

fn windows(
    language: Language,
    standards: &[&str],
    name: &str,
    text: &str,
    more: &[&str],
    arguments: &[&str],
) -> String {
    let place = place(name);
    let program = place.join(name);
    let (headers, out) = (path_text(&repository("include/win32")), path_text(&program));
    for standard in standards {
        let standard = format!("-std={standard}");
        let options = ["-I", &headers, "-fshort-wchar", "-pthread", &standard];
        compile(
            &language.compiler(),
            &place.join(name).with_extension(language.extension()),
            text,
            &[&options, more, &["-o", &out]].concat(),
        );
    }
    printed(&program, arguments)
}

/// Compiles a C++ source with include/win32 by each of these standards that the compiler knows.
pub fn windows_source_by(name: &str, text: &str, standards: &[&str]) {
    let headers = path_text(&repository("include/win32"));
    let source = place(name).join(name).with_extension("cpp");
    for standard in standards {
        let standard = format!("-std={standard}");
        let options = ["-I", &headers, "-fshort-wchar", "-pthread", "-w", &standard];
        compile(
            &Language::Cpp.compiler(),
            &source,
            text,
            &[&options[..], &["-fsyntax-only"]].concat(),
        );
    }
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Both sources, by all standards.
pub fn all_standards(c: &str, cpp: &str) {
    let place = place("standards");
    let (cc, cxx) = (Language::C.compiler(), Language::Cpp.compiler());
    for standard in C {
        let standard = format!("-std={standard}");
        for define in ["-DCOBJMACROS", "-UCOBJMACROS"] {
            compile(
                &cc,
                &place.join("uses.c"),
                c,
                &[&standard, define, "-fsyntax-only"],
            );
        }
    }
    for standard in CPP {
        let standard = format!("-std={standard}");
        compile(
            &cxx,
            &place.join("uses.cpp"),
            cpp,
            &[&standard, "-fsyntax-only"],
        );
    }
    // 16-bit wchar_t: there, WCHAR is wchar_t and a literal is L"".
    compile(
        &cxx,
        &place.join("uses.cpp"),
        cpp,
        &["-std=c++17", "-fshort-wchar", "-fsyntax-only"],
    );
}

/// Compiles one of examples/ by every standard that its kind of source has. Nothing is linked.
pub fn example(path: &str) {
    let text = read(&format!("examples/{path}"));
    let (language, standards) = match path.ends_with(".c") {
        true => (Language::C, &["c11", "c17"][..]),
        false => (Language::Cpp, &CPP[..]),
    };
    let source = place("examples").join(path.replace('/', "-"));
    for standard in standards {
        compile(
            &language.compiler(),
            &source,
            &text,
            &[&format!("-std={standard}"), "-fsyntax-only"],
        );
    }
}

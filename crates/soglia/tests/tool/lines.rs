//! Stack traces of the program's own, with files and lines.

use crate::support::{Space, setup, text};

fn lines(output: &[u8]) -> Vec<String> {
    text(output).lines().map(str::to_owned).collect()
}

/// On .NET 8, reflection calls a P/Invoke without a frame of it.
fn same(mut seen: Vec<String>, expected: &[String]) {
    if setup().major == 8 {
        let call = seen
            .iter()
            .position(|line| line == "== reflection")
            .unwrap();
        assert!(seen[call + 1].contains("Native.NoEntry"), "{seen:?}");
        seen.remove(call + 1);
    }
    for (number, (seen, expected)) in seen.iter().zip(expected).enumerate() {
        assert_eq!(seen, expected, "line {}", number + 1);
    }
    assert_eq!(seen.len(), expected.len());
}

#[test]
fn traces_have_the_same_frames_files_and_lines() {
    let bare = Space::new().bare("lines.dll", "").output().unwrap();
    assert!(bare.status.success(), "{}", text(&bare.stderr));
    let expected = lines(&bare.stdout);
    let with_lines = expected.iter().filter(|line| line.contains(".cs:line "));
    assert!(with_lines.count() > 50, "{expected:?}");
    let space = Space::new();
    let options = "--quiet --source woven -o a.soglia";
    let under = space.run(options, "lines.dll", "").output().unwrap();
    assert!(under.status.success(), "{}", text(&under.stderr));
    same(lines(&under.stdout), &expected);

    // There, the CLR puts no P/Invoke into the code of its callers, so some frames of P/Invokes
    // differ.
    let options = "--quiet --source transitions -o b.soglia";
    let under = space.run(options, "lines.dll", "").output().unwrap();
    let of_files = |lines: Vec<String>| -> Vec<String> {
        let has_line = |line: &String| line.contains(".cs:line ");
        lines.into_iter().filter(has_line).collect()
    };
    assert_eq!(of_files(lines(&under.stdout)), of_files(expected));
}

#[test]
fn exceptions_that_end_the_process_are_told_with_lines() {
    let bare = Space::new().bare("lines.dll", "fail").output().unwrap();
    let space = Space::new();
    let options = "--quiet --source woven -o a.soglia";
    let under = space.run(options, "lines.dll", "fail").output().unwrap();
    assert_eq!(under.status, bare.status);
    let told = text(&under.stderr);
    assert_eq!(told, text(&bare.stderr));
    assert!(told.contains("Program.cs:line "), "{told}");
}

#[test]
fn traces_are_the_same_where_calls_are_only_counted() {
    let bare = Space::new().bare("lines.dll", "").output().unwrap();
    let space = Space::new();
    let under = space
        .run("--quiet --counts", "lines.dll", "")
        .output()
        .unwrap();
    same(lines(&under.stdout), &lines(&bare.stdout));
}

//! What shells are given to complete command lines, read by the shells themselves where they are.

use std::{fs, process::Command};

use crate::support::{Space, refusal, text};

fn file(space: &Space, shell: &str) -> String {
    let output = space
        .soglia(&format!("completions {shell}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn bash_completes_commands_and_options() {
    let space = Space::new();
    fs::write(space.path("soglia.bash"), file(&space, "bash")).unwrap();
    let complete = |line: &str| {
        let script = "source \"$1\"; read -ra COMP_WORDS <<<\"$2\"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                      _soglia soglia \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; \
                      printf '%s\\n' \"${COMPREPLY[@]}\"";
        let output = space
            .command("bash")
            .args(["-c", script, "bash"])
            .arg(space.path("soglia.bash"))
            .arg(line)
            .output()
            .unwrap();
        assert_eq!(text(&output.stderr), "", "{line}");
        text(&output.stdout)
            .lines()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert_eq!(complete("soglia ad"), ["advise"]);
    assert_eq!(complete("soglia run --redi"), ["--redirect"]);
    assert_eq!(complete("soglia report --format js"), ["json"]);
}

#[test]
fn other_shells_have_a_file_too() {
    let space = Space::new();
    for (shell, begin) in [("zsh", "#compdef soglia\n"), ("fish", "complete -c soglia")] {
        let file = file(&space, shell);
        assert!(file.contains(begin), "{shell}: {file}");
        assert!(
            file.contains("stacks") && file.contains("max-size"),
            "{shell}"
        );
        // Where the shell is here, it reads the file.
        let path = space.path(shell);
        fs::write(&path, file).unwrap();
        let Ok(read) = Command::new(shell).arg("-n").arg(path).output() else {
            continue;
        };
        assert!(read.status.success(), "{shell}: {}", text(&read.stderr));
    }
    let said = refusal(&mut space.soglia("completions tcsh"));
    assert!(said.contains("tcsh"), "{said}");
}

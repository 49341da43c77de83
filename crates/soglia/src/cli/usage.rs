//! Says what is wrong with a command line, and how to correct it.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};
use soglia::dotnet::{Lookup, is_executable, process_env};

use super::{
    complain::{CANNOT, complain},
    options::Cli,
};

/// Prints one line about what is wrong with the command line, or the help or version that was asked
/// for. Returns the exit code.
pub fn explain(error: &clap::Error, args: &[OsString]) -> i32 {
    let asked_for = [
        ErrorKind::DisplayHelp,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        ErrorKind::DisplayVersion,
    ];
    if asked_for.contains(&error.kind()) {
        // Standard output that is gone needs no help text.
        let _ = error.print();
        return error.exit_code();
    }
    complain(&message(error, args, &process_env));
    CANNOT
}

/// One line about an error: what is wrong, then what may be meant, then where help is.
fn message(error: &clap::Error, args: &[OsString], env: Lookup<'_>) -> String {
    let command = args.first().and_then(|name| name.to_str()).filter(|name| {
        let known = Cli::command();
        known.find_subcommand(name).is_some()
    });
    let soglia = match command {
        Some(command) => format!("soglia {command}"),
        None => "soglia".into(),
    };
    let help = format!("(`{soglia} --help` tells more)");
    let invalid = text_of(error, ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => match program_in(args, env) {
            Some(line) => line,
            None => {
                let name = text_of(error, ContextKind::InvalidSubcommand).unwrap_or_default();
                let meant = meant(error, ContextKind::SuggestedSubcommand);
                format!("there is no command {name}{meant} {help}")
            }
        },
        ErrorKind::UnknownArgument if invalid.starts_with('-') => {
            let meant = meant(error, ContextKind::SuggestedArg);
            format!("`{soglia}` has no option {invalid}{meant} {help}")
        }
        ErrorKind::UnknownArgument if matches!(command, Some("top" | "events" | "export")) => {
            format!(
                "`{soglia}` takes one recording, and {invalid} is one more: `soglia report` and `soglia advise` \
                 take several {help}"
            )
        }
        ErrorKind::MissingRequiredArgument if invalid.starts_with('<') => {
            let missing = match &invalid[..] {
                "<PROGRAM [ARGS]>..." => {
                    "PROGRAM, which is what to run: an app.dll or an executable"
                }
                "<FILE|PID>" | "<FILE|PID|DIRECTORY>..." => {
                    "FILE or PID: a recording that `soglia run -o FILE` has made, or a process under soglia"
                }
                other => other,
            };
            format!("`{soglia}` needs {missing} {help}")
        }
        ErrorKind::InvalidValue => {
            let meant = meant(error, ContextKind::SuggestedValue);
            format!("{}{meant} {help}", first_paragraph(error))
        }
        _ => format!("{} {help}", first_paragraph(error)),
    }
}

/// clap's own words, without its tips and its summary of the options.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let text = lines.join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}

/// What clap knows about an error, as text.
fn text_of(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        _ => None,
    }
}

/// A question that names what is most similar, if something is.
fn meant(error: &clap::Error, kind: ContextKind) -> String {
    let similar = match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        // The most similar comes last.
        Some(ContextValue::Strings(texts)) => texts.last(),
        _ => None,
    };
    similar.map_or_else(String::new, |text| format!(": did you mean {text}?"))
}

/// What to say if the command line begins with a program where a command belongs.
fn program_in(args: &[OsString], env: Lookup<'_>) -> Option<String> {
    let name = args.first()?;
    if !is_program(name, env) {
        return None;
    }
    let line: Vec<_> = args.iter().map(|arg| quoted(arg)).collect();
    Some(format!(
        "{} is a program, not a command of soglia: `soglia run {}` runs it",
        Path::new(name).display(),
        line.join(" ")
    ))
}

/// Whether a word on the command line is meant as a program.
fn is_program(name: &OsStr, env: Lookup<'_>) -> bool {
    let path = Path::new(name);
    let is_assembly = path
        .extension()
        .is_some_and(|ending| ending == "dll" || ending == "exe");
    let on_path = |path: OsString| {
        std::env::split_paths(&path).any(|folder| is_executable(&folder.join(name)))
    };
    is_assembly
        || name.as_encoded_bytes().contains(&b'/')
        || name == "dotnet"
        || path.is_file()
        || env("PATH").is_some_and(on_path)
}

/// A word as a shell takes it.
pub fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn said(line: &str) -> String {
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        let words = std::iter::once(OsString::from("soglia")).chain(args.iter().cloned());
        let error = Cli::try_parse_from(words).unwrap_err();
        message(&error, &args, &|_| None)
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        let quoted = |word: &str| super::quoted(word.as_ref());
        assert_eq!(quoted("./a.dll"), "./a.dll");
        assert_eq!(quoted("--port=80"), "--port=80");
        assert_eq!(quoted("it's $1"), r"'it'\''s $1'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_command_on_the_path_is_a_program() {
        let env = |name: &str| (name == "PATH").then(|| "/bin".into());
        assert!(is_program("sh".as_ref(), &env));
        assert!(!is_program("absent-command".as_ref(), &env));
    }

    #[test]
    fn options_after_the_program_are_its_own() {
        assert!(Cli::try_parse_from(["soglia", "run", "a.dll", "--slw", "-x"]).is_ok());
        assert!(Cli::try_parse_from(["soglia", "run", "--", "--odd"]).is_ok());
        assert!(said("run --slw 5ms a.dll").contains("did you mean --slow?"));
    }
}

//! The rows of arguments.

use serde::Serialize;
use soglia_core::plain::plain;

/// An argument of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArgumentRow {
    /// The name of the parameter.
    pub name: String,
    /// The value as people read it. `[redacted]` stands for a secret.
    pub value: String,
}

/// A call that a policy denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeniedRow {
    /// The target's name.
    pub target: String,
    /// The task that made the call.
    pub task: u32,
    /// The time of the call.
    pub t: u64,
    /// The time of day at `t`: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The arguments.
    pub args: Vec<ArgumentRow>,
}

/// Arguments in one line: `path: "/tmp/x", mode: Read (1)`.
pub(crate) fn in_one_line(args: &[ArgumentRow]) -> String {
    let one = |row: &ArgumentRow| format!("{}: {}", plain(&row.name), value(&row.value));
    args.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A value without control characters. The engine has escaped those of texts already, so a
/// backslash stays as it is.
pub(crate) fn value(text: &str) -> String {
    let parts = text.split('\\').map(|part| plain(part).to_string());
    parts.collect::<Vec<_>>().join("\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_one_line_without_control_characters() {
        let row = |name: &str, value: &str| ArgumentRow {
            name: name.into(),
            value: value.into(),
        };
        let args = [row("a", r#""x\n""#), row("evil\u{1b}", "1\u{1b}[31m\n")];
        let line = in_one_line(&args);
        assert!(line.starts_with(r#"a: "x\n", evil"#), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

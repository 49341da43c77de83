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

/// What the thread of a call was working on, as the program says it. All of it is `None` if the
/// arguments were not recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestRow {
    /// The number of the trace that the current activity belongs to.
    pub trace_id: Option<String>,
    /// The number of the current activity.
    pub span_id: Option<String>,
    /// The name of its operation.
    pub activity: Option<String>,
    /// The route of the request, or its path, from the outermost activity that has one.
    pub route: Option<String>,
    /// The name of the thread, as managed code has set it.
    pub thread_name: Option<String>,
}

/// A call that a policy denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeniedRow {
    /// The target's name.
    pub target: String,
    /// The number of the process in the report's list of processes.
    pub process: u32,
    /// The task that made the call.
    pub task: u32,
    /// The time of the call.
    pub t: u64,
    /// The time of day at `t`: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The arguments.
    pub args: Vec<ArgumentRow>,
    /// What the thread was working on.
    #[serde(flatten)]
    pub request: RequestRow,
}

/// Arguments in one line: `path: "/tmp/x", mode: Read (1)`.
pub(crate) fn in_one_line(args: &[ArgumentRow]) -> String {
    let one = |row: &ArgumentRow| format!("{}: {}", plain(&row.name), value(&row.value));
    args.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The request of a call in one line: `for /orders/{id}, activity query, trace 4bf9`. `None` if the
/// call was made in no activity.
pub(crate) fn request(row: &RequestRow) -> Option<String> {
    let parts = [
        ("for", &row.route),
        ("activity", &row.activity),
        ("trace", &row.trace_id),
    ];
    let parts = parts.into_iter();
    let parts = parts.filter_map(|(word, is)| Some(format!("{word} {}", plain(is.as_ref()?))));
    let said = parts.collect::<Vec<_>>().join(", ");
    (!said.is_empty()).then_some(said)
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
    fn a_request_is_one_line_without_control_characters() {
        assert_eq!(request(&RequestRow::default()), None);
        let row = RequestRow {
            trace_id: Some("4bf9".into()),
            activity: Some("GET".into()),
            thread_name: Some("worker".into()),
            ..RequestRow::default()
        };
        assert_eq!(request(&row).as_deref(), Some("activity GET, trace 4bf9"));
        let row = RequestRow {
            route: Some("/a\u{1b}[31m".into()),
            ..row
        };
        let said = request(&row).unwrap();
        assert!(said.starts_with("for /a"), "{said}");
        assert!(!said.contains(char::is_control), "{said:?}");
    }

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

//! Names that speak to a terminal.

use soglia_core::trace::attached::{Attach, Snapshot};
use soglia_core::trace::log::Record;
use soglia_core::trace::overdue::Overdue;
use soglia_core::trace::writer::Level;

use crate::craft::{CALL, Craft, RETURN, put, target};
use crate::tool::soglia;

/// Names that would speak to a terminal, or to a spreadsheet.
#[test]
fn names_are_escaped_wherever_text_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "=x\u{1b}]0;T\u{7}\u{9b}2J\r\nsoglia: forged\u{202e}gnp\u{2066}\u{2028}\u{feff}\u{7f}\u{85}\\x1b";
    let path = folder.path().join(format!("a{evil}"));
    let mut craft = Craft::new();
    craft.log([
        target(1, evil),
        target(2, evil),
        Record::Runtime {
            name: evil.into(),
            version: evil.into(),
        },
        Record::Program {
            args: vec!["dotnet".into(), evil.into()],
        },
        Record::Remark { text: evil.into() },
        Record::Text {
            number: 1,
            text: evil.into(),
        },
        Record::Stack {
            number: 1,
            frames: vec![1],
        },
        Record::FirstCall {
            target: 1,
            stack: 1,
        },
        Record::Slow {
            target: 1,
            task: 1,
            at: 1,
            took: 1,
            stack: 1,
        },
        Record::Deadlines(vec![evil.into()]),
        Record::Overdue(Overdue {
            target: 1,
            task: 1,
            stack: 1,
            native: 1,
            thread: Some(evil.into()),
            no_stack: Some(evil.into()),
            native_ends: Some(evil.into()),
            ..Overdue::default()
        }),
        Record::Attach(Attach::default()),
        Record::Snapshot(Snapshot {
            at: 1,
            os_thread: 1,
            stack: 1,
            native: 1,
            inside: true,
            thread: Some(evil.into()),
            callee: Some(evil.into()),
            ..Snapshot::default()
        }),
        Record::Unwatched(soglia_core::trace::log::Unwatched {
            side: None,
            assembly: Some(evil.into()),
            method: Some(evil.into()),
            text: evil.into(),
        }),
    ]);
    craft.chunk(2, 1, 1, 0, 0, |record| {
        put(record, 0, 1);
        let name = evil.as_bytes();
        put(record, 44, name.len() as u32);
        record[104..104 + name.len().min(64)].copy_from_slice(&name[..name.len().min(64)]);
    });
    craft.task(2, 0);
    craft.slots(4, 1, 0, 1, 2);
    craft.events(1, [CALL, RETURN, CALL | 1 << 3]);
    let file = craft.write(&path, Level::Events, None);
    for args in [
        "report --all",
        "report --replay --all",
        "report --format csv",
        "events --all",
    ] {
        let said = soglia(args, &file);
        assert_eq!((said.code, &*said.errors), (Some(0), ""), "{args}");
        let text = String::from_utf8(said.output).unwrap();
        let raw = |c: char| {
            (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{2028}\u{feff}".contains(c)
        };
        assert_eq!(text.find(raw), None, "{args}: {text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("soglia: forged")),
            "{text}"
        );
        assert!(
            text.contains("\\x1b]0;T\\x07\\u{9b}2J\\r\\nsoglia: forged\\u{202e}gnp"),
            "{args}: {text}"
        );
        if args.ends_with("csv") {
            assert!(
                text.contains(",'=x\\x1b") && !text.contains(",=x"),
                "{text}"
            );
        }
    }
    // JSON stays JSON.
    let said = soglia("report --format json", &file);
    let report: serde_json::Value = serde_json::from_slice(&said.output).unwrap();
    assert_eq!(report["targets"][0]["entry"], evil);
    assert!(
        said.output
            .iter()
            .all(|byte| *byte >= b' ' || *byte == b'\n')
    );
    // An error is one line, whatever it names.
    for args in [
        "report",
        "events",
        "run",
        "run --policy",
        "doctor",
        "verify",
    ] {
        let said = soglia(args, &folder.path().join(format!("none{evil}")));
        let all = format!("{}{}", String::from_utf8_lossy(&said.output), said.errors);
        assert!(
            !all.contains(|c: char| c.is_control() && c != '\n'),
            "{args}: {all:?}"
        );
        assert!(
            !all.lines().any(|line| line.starts_with("soglia: forged")),
            "{args}: {all}"
        );
    }
}

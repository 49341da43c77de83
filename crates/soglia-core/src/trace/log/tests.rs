use super::*;
use crate::trace::overdue::{Done, HowEnded};

#[test]
fn every_record_comes_back() {
    let name = |s: &str| Some(s.to_owned());
    let action = |what| {
        Record::OverdueAction(OverdueAction {
            task: 3,
            since: 1,
            deadline: 0,
            what,
        })
    };
    let records = [
        Record::Target(TargetNames {
            target: 7,
            side: 1,
            runtime_internal: true,
            suppressed: true,
            method: name("Ns.Type.Méthode"),
            assembly: None,
            library: name(""),
            entry: name("abcd"),
            redirected_to: name("b!c"),
        }),
        Record::Address {
            target: 7,
            address: 0x7f00_1234_5678,
            file: name("/lib/x.so"),
            symbol: None,
            offset: Some(0x5678),
            build: name("00ff"),
        },
        Record::Text {
            number: 1,
            text: "a".into(),
        },
        Record::Stack {
            number: 1,
            frames: vec![1, 0, 2],
        },
        Record::FirstCall {
            target: 7,
            stack: 1,
        },
        Record::Slow {
            target: 7,
            task: 1,
            at: u64::MAX,
            took: 1 << 40,
            stack: 0,
        },
        Record::Runtime {
            name: ".NET".into(),
            version: "10.0.12".into(),
        },
        Record::Program {
            args: vec!["a".into(), String::new(), "b c".into()],
        },
        Record::Remark { text: "so".into() },
        Record::FirstReturn {
            target: 7,
            took: 1 << 40,
        },
        Record::Source {
            source: Source::Woven,
            scope: Scope::CoreLib,
            because: name("so"),
        },
        Record::Policy(PolicyInForce {
            audit: true,
            fatal: false,
            rules: vec!["deny 'x'".into(), "skip 'y'".into()],
        }),
        Record::RuleApplies { rule: 1 },
        Record::Deadlines(vec!["libc!*=5s".into(), "x=1s:kill".into()]),
        Record::Overdue(Overdue {
            deadline: 1,
            target: 2,
            task: 3,
            os_thread: 4,
            since: u64::MAX,
            at: 1 << 40,
            depth: 5,
            nested: 6,
            stack: 7,
            native: 8,
            thread: name("sleeping"),
            no_stack: None,
            native_ends: name(""),
        }),
        Record::OverdueEnd(OverdueEnd {
            task: 3,
            since: 1,
            at: 2,
            how: HowEnded::Failed,
        }),
        action(Done::Dumped("/a".into())),
        action(Done::NotDumped("why".into())),
        action(Done::Killed),
        action(Done::NotKilled("why".into())),
        Record::Unwatched(Unwatched {
            side: None,
            assembly: name("a"),
            method: None,
            text: "so".into(),
        }),
    ];
    for record in records {
        let words = record.encode();
        assert_eq!((words[0] >> 8) as usize, (words.len() - 1) * 4);
        assert_eq!(
            Record::decode(words[0] & 0xff, &words[1..]).as_ref(),
            Some(&record)
        );
        // Cut short anywhere: no panic.
        for cut in 1..words.len() {
            let _ = Record::decode(words[0] & 0xff, &words[1..cut]);
        }
    }
}

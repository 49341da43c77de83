use super::*;
use crate::trace::{
    arguments::{Arguments, Of, Request},
    attached::{Attach, Detach, Snapshot, Why},
    crash::Crash,
    facts::{Caller, Signature, Starvation, Suspension, Suspensions},
    failure::Failure,
    loaded::LoadedObject,
    overdue::{Done, HowEnded},
};

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
        Record::Arguments(Arguments {
            target: 7,
            task: 1,
            of: Of::Denied,
            at: u64::MAX,
            failure: 0,
            returned: None,
            error: name("EIO (5)"),
            request: Request {
                trace_id: name("4bf92f3577b34da6a3ce929d0e0e4736"),
                activity: name("GET"),
                ..Request::default()
            },
            values: vec![("a".into(), String::new())],
        }),
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
        Record::Crash(Crash {
            os_thread: 4711,
            out_of_memory: true,
            address: Some(0),
            instruction: None,
            file: name("/lib/x.so"),
            offset: Some(0x5678),
            symbol: None,
        }),
        Record::Attach(Attach {
            asked: 1 << 40,
            live: u64::MAX,
            modules: 1,
            targets: 2,
            callers: u32::MAX,
            age_ns: 1 << 50,
        }),
        Record::Detach(Detach {
            at: 1 << 40,
            not_entered: 1,
            kept: true,
            why: Why::GaveUp,
        }),
        Record::Snapshot(Snapshot {
            at: 1 << 40,
            os_thread: 1,
            task: 2,
            stack: 3,
            native: 4,
            target: 5,
            inside: true,
            thread: name(".NET Finalizer"),
            callee: name("libc!read"),
            doing: name("running"),
            no_stack: name("it runs"),
            native_ends: None,
        }),
        Record::Object(LoadedObject {
            base: 1 << 40,
            end: (1 << 40) + 4096,
            path: "/lib/x.so".into(),
            build: None,
        }),
        Record::Failure(Failure {
            target: 7,
            stack: 1,
            calls: 1 << 40,
            exception: "System.DllNotFoundException".into(),
            message: name("no\nsuch file"),
        }),
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
        Record::Signature(Signature {
            target: 7,
            sets_last_error: true,
            is_blittable: false,
            strings_in: true,
            strings_out: false,
            is_generated: true,
            text: "int (string)".into(),
        }),
        Record::Suspension(Suspension {
            at: u64::MAX,
            waited: 1 << 40,
            task: 3,
            target: 0,
        }),
        Record::Suspensions(Suspensions {
            count: 1,
            waited: u64::MAX,
            longest: 2,
        }),
        Record::Starvation(Starvation {
            at: 1 << 40,
            threads: 9,
        }),
        Record::Caller(Caller {
            target: 7,
            task: 2,
            stack: 1,
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

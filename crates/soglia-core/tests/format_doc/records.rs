//! Records of the log, laid out as the document says.

use std::time::Duration;

use soglia_core::{
    admission::{Bound, Figures},
    crossing::Side,
    trace::{
        arguments::{Arguments, Of, Request},
        crash::Crash,
        facts::{Caller, Signature, Starvation, Suspension, Suspensions},
        failure::Failure,
        loaded::LoadedObject,
        log::{PolicyInForce, Record, Scope, Source, TargetNames, Unwatched},
        overdue::{Done, HowEnded, Overdue, OverdueAction, OverdueEnd},
    },
};

use super::{
    attached,
    doc::rows,
    parts::{
        NONE,
        Part::{self, Long as l, Word as w},
        grammar, payload, s, text, written,
    },
};

const LONG: u64 = 0x0123_4567_89ab_cdef;

/// Each kind once, with another value in each field; lists have two entries.
fn all() -> Vec<(u32, Vec<Part>, Record)> {
    let target = TargetNames {
        target: 1,
        side: 1,
        runtime_internal: false,
        suppressed: true,
        method: text("a method"),
        assembly: None,
        library: text("lib"),
        entry: text("entry"),
        redirected_to: text("other!entry"),
    };
    let overdue = Overdue {
        deadline: 1,
        target: 2,
        task: 3,
        os_thread: 4,
        since: LONG,
        at: LONG + 1,
        depth: 5,
        nested: 6,
        stack: 7,
        native: 8,
        thread: text("sleeps"),
        no_stack: None,
        native_ends: text("in a loop"),
    };
    let bound = Bound {
        slots: 3.try_into().unwrap(),
        limit: Some(Duration::from_nanos(LONG)),
    };
    let mut figures = Figures::default();
    figures.waits = 1;
    figures.waited_ns = LONG;
    figures.longest_ns = 2;
    figures.timed_out = 3;
    figures.lent = 4;
    figures.abandoned = 5;
    let mut all = vec![
        (
            1,
            vec![
                w(1),
                w(0b101),
                s("a method"),
                NONE,
                s("lib"),
                s("entry"),
                s("other!entry"),
            ],
            Record::Target(target),
        ),
        (
            2,
            vec![w(1), l(LONG), s("file"), NONE, l(LONG + 1), s("beef")],
            Record::Address {
                target: 1,
                address: LONG,
                file: text("file"),
                symbol: None,
                offset: Some(LONG + 1),
                build: text("beef"),
            },
        ),
        (
            3,
            vec![w(1), s("12345")],
            Record::Text {
                number: 1,
                text: "12345".into(),
            },
        ),
        (
            4,
            vec![w(1), w(2), w(0)],
            Record::Stack {
                number: 1,
                frames: vec![2, 0],
            },
        ),
        (
            5,
            vec![w(1), w(2)],
            Record::FirstCall {
                target: 1,
                stack: 2,
            },
        ),
        (
            6,
            vec![w(1), w(2), l(LONG), l(LONG + 1), w(3)],
            Record::Slow {
                target: 1,
                task: 2,
                at: LONG,
                took: LONG + 1,
                stack: 3,
            },
        ),
        (
            7,
            vec![s("name"), s("version")],
            Record::Runtime {
                name: "name".into(),
                version: "version".into(),
            },
        ),
        (
            8,
            vec![s("app"), s("argument")],
            Record::Program {
                args: vec!["app".into(), "argument".into()],
            },
        ),
        (
            9,
            vec![s("remark")],
            Record::Remark {
                text: "remark".into(),
            },
        ),
        (
            10,
            vec![w(1), l(LONG)],
            Record::FirstReturn {
                target: 1,
                took: LONG,
            },
        ),
        (
            11,
            vec![w(2), w(3), s("because")],
            Record::Source {
                source: Source::Woven,
                scope: Scope::CoreLib,
                because: text("because"),
            },
        ),
        (
            12,
            vec![w(1), s("assembly"), NONE, s("what and why")],
            Record::Unwatched(Unwatched {
                side: Some(Side::Managed),
                assembly: text("assembly"),
                method: None,
                text: "what and why".into(),
            }),
        ),
        (
            13,
            vec![w(0b10), s("deny 'a'"), s("skip 'b'")],
            Record::Policy(PolicyInForce {
                audit: false,
                fatal: true,
                rules: vec!["deny 'a'".into(), "skip 'b'".into()],
            }),
        ),
        (14, vec![w(7)], Record::RuleApplies { rule: 7 }),
        (
            15,
            vec![s("a=1s"), s("b=2s")],
            Record::Deadlines(vec!["a=1s".into(), "b=2s".into()]),
        ),
        (
            16,
            vec![
                w(1),
                w(2),
                w(3),
                w(4),
                l(LONG),
                l(LONG + 1),
                w(5),
                w(6),
                w(7),
                w(8),
                s("sleeps"),
                NONE,
                s("in a loop"),
            ],
            Record::Overdue(overdue),
        ),
        (
            17,
            vec![w(1), l(LONG), l(LONG + 1), w(3)],
            Record::OverdueEnd(OverdueEnd {
                task: 1,
                since: LONG,
                at: LONG + 1,
                how: HowEnded::Gone,
            }),
        ),
        (
            18,
            vec![w(1), l(LONG), w(2), w(4), s("why not")],
            Record::OverdueAction(OverdueAction {
                task: 1,
                since: LONG,
                deadline: 2,
                what: Done::NotKilled("why not".into()),
            }),
        ),
        (
            19,
            vec![w(3), l(LONG), l(1), l(LONG), l(2), l(3), l(4), l(5)],
            Record::Slots(bound, figures),
        ),
        (
            20,
            vec![w(1), w(0b10110), s("int (string)")],
            Record::Signature(Signature {
                target: 1,
                sets_last_error: false,
                is_blittable: true,
                strings_in: true,
                strings_out: false,
                is_generated: true,
                text: "int (string)".into(),
            }),
        ),
        (
            21,
            vec![w(1), w(2), l(LONG), s("a type"), s("a message")],
            Record::Failure(Failure {
                target: 1,
                stack: 2,
                calls: LONG,
                exception: "a type".into(),
                message: text("a message"),
            }),
        ),
        (
            22,
            vec![l(LONG), l(LONG + 1), w(1), w(2)],
            Record::Suspension(Suspension {
                at: LONG,
                waited: LONG + 1,
                task: 1,
                target: 2,
            }),
        ),
        (
            23,
            vec![l(1), l(LONG), l(2)],
            Record::Suspensions(Suspensions {
                count: 1,
                waited: LONG,
                longest: 2,
            }),
        ),
        (
            24,
            vec![l(LONG), l(LONG + 1), s("/lib/x.so"), s("beef")],
            Record::Object(LoadedObject {
                base: LONG,
                end: LONG + 1,
                path: "/lib/x.so".into(),
                build: text("beef"),
            }),
        ),
        (
            25,
            vec![l(LONG), w(1)],
            Record::Starvation(Starvation {
                at: LONG,
                threads: 1,
            }),
        ),
        (
            26,
            vec![w(1), w(2), w(3)],
            Record::Caller(Caller {
                target: 1,
                task: 2,
                stack: 3,
            }),
        ),
        (
            27,
            vec![w(1), w(1), l(LONG), l(2), s("/lib/x.so"), l(3), s("f+0x1")],
            Record::Crash(Crash {
                os_thread: 1,
                out_of_memory: true,
                address: Some(LONG),
                instruction: Some(2),
                file: text("/lib/x.so"),
                offset: Some(3),
                symbol: text("f+0x1"),
            }),
        ),
    ];
    all.extend(attached::all());
    all.push(arguments());
    all
}

/// Of one parameter; there may be more.
fn arguments() -> (u32, Vec<Part>, Record) {
    let mut parts = vec![w(1), w(2), w(2), l(LONG), w(3)];
    parts.extend("-1 ENOENT 4bf 00f GET /a worker a 5".split(' ').map(s));
    let record = Arguments {
        target: 1,
        task: 2,
        of: Of::Failed,
        at: LONG,
        failure: 3,
        returned: text("-1"),
        error: text("ENOENT"),
        request: Request {
            trace_id: text("4bf"),
            span_id: text("00f"),
            activity: text("GET"),
            route: text("/a"),
            thread_name: text("worker"),
        },
        values: vec![("a".into(), "5".into())],
    };
    (31, parts, Record::Arguments(record))
}

#[test]
fn each_kind_is_laid_out_as_told() {
    let table = rows("| kind | record | payload ");
    let all = all();
    assert_eq!(table.len(), all.len());
    for (row, (kind, parts, record)) in table.iter().zip(&all) {
        assert_eq!(row[0], kind.to_string());
        let (told, lists) = (grammar(&row[2]).replace('?', ""), [4, 8, 13, 15]);
        let written = written(parts);
        match lists.contains(kind) {
            // The last part of the grammar stands for all that follow.
            true => assert_eq!(written, format!("{told}{}", &told[told.len() - 1..])),
            false => assert_eq!(written, told, "{}", row[1]),
        }
        let words = payload(parts);
        let head = kind | (words.len() as u32 * 4) << 8;
        assert_eq!(
            record.encode(),
            [&[head], &words[..]].concat(),
            "{}",
            row[1]
        );
        assert_eq!(Record::decode(*kind, &words).as_ref(), Some(record));
        let name = format!("{record:?}").to_lowercase();
        let said = row[1].replace("slow call", "slow").replace(' ', "");
        assert!(name.starts_with(&said), "{name}: {said}");
        // A later version may add words at the end, unless a list is there.
        if !lists.contains(kind) {
            let longer = [&words[..], &[1, 2]].concat();
            assert_eq!(Record::decode(*kind, &longer).as_ref(), Some(record));
        }
    }
    let last = all.last().map_or(0, |(kind, ..)| *kind);
    assert_eq!(Record::decode(last + 1, &[1; 16]), None);
}

/// Numbers and bits within payloads.
#[test]
fn each_number_and_bit_is_what_it_means() {
    let decode = |kind, parts: &[Part]| Record::decode(kind, &payload(parts));
    let target = |bits| match decode(1, &[w(1), w(bits), NONE, NONE, NONE, NONE, NONE]) {
        Some(Record::Target(target)) => (target.side, target.runtime_internal, target.suppressed),
        other => panic!("{other:?}"),
    };
    assert_eq!(target(0), (0, false, false));
    assert_eq!(target(1), (1, false, false));
    assert_eq!(target(2), (0, true, false));
    assert_eq!(target(4), (0, false, true));
    assert_eq!(target(!7), (0, false, false));

    let signature = |bits| match decode(20, &[w(1), w(bits), s("")]) {
        Some(Record::Signature(signature)) => [
            signature.sets_last_error,
            signature.is_blittable,
            signature.strings_in,
            signature.strings_out,
            signature.is_generated,
        ],
        other => panic!("{other:?}"),
    };
    for bit in 0..5 {
        assert_eq!(signature(1 << bit), [0, 1, 2, 3, 4].map(|n| n == bit));
    }
    assert_eq!(signature(!31), [false; 5]);

    let policy = |bits| match decode(13, &[w(bits)]) {
        Some(Record::Policy(policy)) => (policy.audit, policy.fatal),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [0, 1, 2, !3].map(policy),
        [(false, false), (true, false), (false, true), (false, false)]
    );

    let source = |source, scope| match decode(11, &[w(source), w(scope), NONE]) {
        Some(Record::Source { source, scope, .. }) => Some((source.name(), scope.name())),
        None => None,
        other => panic!("{other:?}"),
    };
    for (n, name) in (1..).zip(["transitions", "woven"]) {
        assert_eq!(source(n, 1), Some((name, "user")));
    }
    for (n, name) in (1..).zip(["user", "framework", "corelib", "all"]) {
        assert_eq!(source(2, n), Some(("woven", name)));
    }
    assert_eq!(
        [source(0, 1), source(3, 1), source(1, 0), source(1, 5)],
        [None; 4]
    );

    let side = |number| match decode(12, &[w(number), NONE, NONE, s("")]) {
        Some(Record::Unwatched(what)) => what.side,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [0, 1, 2].map(side),
        [Some(Side::Unmanaged), Some(Side::Managed), None]
    );

    let how = |number| match decode(17, &[w(1), l(2), l(3), w(number)]) {
        Some(Record::OverdueEnd(end)) => Some(end.how),
        _ => None,
    };
    let all = [HowEnded::Returned, HowEnded::Failed, HowEnded::Gone].map(Some);
    assert_eq!([1, 2, 3].map(how), all);
    assert_eq!([how(0), how(4)], [None; 2]);

    let done = |number, text| match decode(18, &[w(1), l(2), w(3), w(number), text]) {
        Some(Record::OverdueAction(action)) => Some(action.what),
        _ => None,
    };
    assert_eq!(done(1, s("path")), Some(Done::Dumped("path".into())));
    assert_eq!(done(2, s("why")), Some(Done::NotDumped("why".into())));
    assert_eq!(done(3, NONE), Some(Done::Killed));
    assert_eq!(done(4, s("why")), Some(Done::NotKilled("why".into())));
    assert_eq!(
        [done(0, NONE), done(5, NONE), done(1, NONE)],
        [None, None, None]
    );

    let offset = |offset| match decode(2, &[w(1), l(2), NONE, NONE, l(offset), NONE]) {
        Some(Record::Address { offset, .. }) => offset,
        other => panic!("{other:?}"),
    };
    assert_eq!([offset(0), offset(u64::MAX)], [Some(0), None]);

    let limit = |limit| {
        let figures = [1, 2, 3, 4, 5, 6].map(l);
        let parts = [w(9), l(limit)].into_iter().chain(figures);
        match decode(19, &parts.collect::<Vec<_>>()) {
            Some(Record::Slots(bound, _)) => bound.limit,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(limit(7), Some(Duration::from_nanos(7)));
    assert_eq!(limit(u64::MAX), None);
}

/// Strings are cut at 16 KiB, at a character.
#[test]
fn long_strings_are_cut() {
    let text = format!("a{}", "ü".repeat(10_000));
    let words = Record::Remark { text: text.clone() }.encode();
    assert_eq!(words[1], (16 << 10) - 1);
    let Some(Record::Remark { text: found }) = Record::decode(9, &words[1..]) else {
        panic!("no remark");
    };
    assert_eq!(found, text[..(16 << 10) - 1]);
}

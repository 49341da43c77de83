//! Records of an engine that was attached, laid out as the document says.

use soglia_core::trace::{
    attached::{Attach, Detach, Snapshot, Why},
    log::Record,
};

use super::parts::{
    NONE,
    Part::{self, Long as l, Word as w},
    s, text,
};

const LONG: u64 = 0x0123_4567_89ab_cdef;

/// Each kind once, with another value in each field.
pub fn all() -> Vec<(u32, Vec<Part>, Record)> {
    vec![
        (
            28,
            vec![l(LONG), l(LONG + 1), w(1), w(2), w(3), l(4)],
            Record::Attach(Attach {
                asked: LONG,
                live: LONG + 1,
                modules: 1,
                targets: 2,
                callers: 3,
                age_ns: 4,
            }),
        ),
        (
            29,
            vec![l(LONG), w(2), w(1), w(2)],
            Record::Detach(Detach {
                at: LONG,
                not_entered: 2,
                kept: true,
                why: Why::GaveUp,
            }),
        ),
        (
            30,
            vec![
                l(LONG),
                w(1),
                w(2),
                w(3),
                w(4),
                w(5),
                w(1),
                s("a thread"),
                NONE,
                s("running"),
                s("why not"),
                NONE,
            ],
            Record::Snapshot(Snapshot {
                at: LONG,
                os_thread: 1,
                task: 2,
                stack: 3,
                native: 4,
                target: 5,
                inside: true,
                thread: text("a thread"),
                callee: None,
                doing: text("running"),
                no_stack: text("why not"),
                native_ends: None,
            }),
        ),
    ]
}

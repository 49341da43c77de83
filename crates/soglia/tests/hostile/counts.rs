//! Numbers that make a reader work for ever or fill the memory.

use std::fs::File;

use soglia_core::trace::attached::{Attach, Detach, Snapshot};
use soglia_core::trace::format::BLOCK;
use soglia_core::trace::log::Record;
use soglia_core::trace::overdue::Overdue;
use soglia_core::trace::writer::Level;

use crate::craft::{CALL, Craft, RETURN, laughs, put, target};
use crate::tool::bounded;

#[test]
fn counts_that_multiply() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crafted");
    type Make<'a> = &'a dyn Fn(&mut Craft);
    let cases: [(&str, Level, Make); 11] = [
        (
            "tasks of one number share layers",
            Level::Events,
            &|craft| {
                for _ in 0..300 {
                    craft.task(1, 131_072);
                }
                for n in 0..80 {
                    craft.chunk(4, 1, 1, n, 0, |_| {});
                }
            },
        ),
        ("tasks without end", Level::Events, &|craft| {
            for n in 0..20_000 {
                craft.task(n + 1, 32);
            }
        }),
        (
            "tasks of one number share slots",
            Level::Summary,
            &|craft| {
                for _ in 0..1000 {
                    craft.task(1, 0);
                }
                craft.slots(360, 1, 0, 1, 1000);
            },
        ),
        (
            "tasks of one number share events",
            Level::Events,
            &|craft| {
                for _ in 0..2000 {
                    craft.task(1, 0);
                }
                craft.events(1, (0..20_000).map(|n| [CALL, RETURN][n % 2]));
            },
        ),
        ("a target for every event", Level::Events, &|craft| {
            craft.task(1, 0);
            let call = |n: u32| [1 | 1 << 3, n, RETURN];
            craft.events(1, (1..100_000).flat_map(call));
        }),
        ("a target for every slot", Level::Summary, &|craft| {
            craft.task(1, 0);
            for n in 0..4000 {
                craft.slots(4, 1, n, n * 11 + 1, 11);
            }
        }),
        ("layers that are searched", Level::Events, &|craft| {
            craft.task(1, 0);
            // Callbacks, and returns of calls.
            let opened = std::iter::repeat_n(CALL | 1 << 3, 131_072);
            craft.events(1, opened.chain(std::iter::repeat_n(RETURN, 131_072)));
        }),
        ("unwound without end", Level::Events, &|craft| {
            craft.task(1, 0);
            let opened = std::iter::repeat_n(CALL, 140_000);
            craft.events(
                1,
                opened.chain(std::iter::repeat_n(5 | 0x1fff_ffff << 3, 50_000)),
            );
        }),
        ("one stack for many calls", Level::Summary, &|craft| {
            let slow = |n| Record::Slow {
                target: 1,
                task: 1,
                at: n,
                took: n,
                stack: 1,
            };
            let first = Record::FirstCall {
                target: 1,
                stack: 1,
            };
            craft.log(
                laughs(256)
                    .into_iter()
                    .chain([first])
                    .chain((0..5000).map(slow)),
            );
        }),
        ("a long stack for every target", Level::Summary, &|craft| {
            craft.task(1, 0);
            for n in 0..90 {
                craft.slots(4, 1, n, n * 11 + 1, 11);
            }
            let stack = |number| Record::Stack {
                number,
                frames: vec![1; 1024],
            };
            let first = |target| Record::FirstCall {
                target,
                stack: target,
            };
            craft.log(
                laughs(1)
                    .into_iter()
                    .chain((1..990).map(stack))
                    .chain((1..990).map(first)),
            );
        }),
        ("long names of many calls", Level::Events, &|craft| {
            craft.task(1, 0);
            craft.log([target(1, &"\u{1b}".repeat(16 << 10))]);
            craft.events(1, (0..10_000).map(|n| [CALL, RETURN][n % 2]));
        }),
    ];
    for (what, level, make) in cases {
        let mut craft = Craft::new();
        make(&mut craft);
        bounded(what, &craft.write(&path, level, None), 128 << 20);
    }
}

#[test]
fn logs_that_are_searched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crafted");
    let mut craft = Craft::new();
    craft.log((0..40_000).map(|n| {
        Record::Unwatched(soglia_core::trace::log::Unwatched {
            side: None,
            assembly: None,
            method: None,
            text: format!("{n:08}"),
        })
    }));
    bounded(
        "unwatched",
        &craft.write(&path, Level::Summary, None),
        128 << 20,
    );

    let mut craft = Craft::new();
    craft.task(1, 0);
    let attach = Record::Attach(Attach {
        asked: u64::MAX,
        live: 1,
        age_ns: u64::MAX,
        ..Attach::default()
    });
    let detach = Record::Detach(Detach {
        not_entered: u32::MAX,
        ..Detach::default()
    });
    let snapshots = (0..40_000).map(|os_thread| {
        Record::Snapshot(Snapshot {
            at: u64::from(os_thread),
            os_thread,
            stack: 1,
            native: 1,
            inside: true,
            ..Snapshot::default()
        })
    });
    let all = laughs(256).into_iter().chain([attach, detach]);
    craft.log(all.chain(snapshots));
    bounded(
        "snapshots",
        &craft.write(&path, Level::Summary, None),
        128 << 20,
    );

    let mut craft = Craft::new();
    craft.task(1, 32);
    craft.log((0..40_000).map(|n| {
        Record::Overdue(Overdue {
            target: 1,
            task: 1,
            since: n,
            at: n,
            ..Overdue::default()
        })
    }));
    bounded(
        "overdue",
        &craft.write(&path, Level::Summary, None),
        128 << 20,
    );

    let mut craft = Craft::new();
    let deadlines = (0..8000).map(|n| format!("*a*b*c{n}=5s")).collect();
    let targets = (1..8000).map(|n| target(n, "aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbb"));
    craft.log([Record::Deadlines(deadlines)].into_iter().chain(targets));
    bounded(
        "deadlines",
        &craft.write(&path, Level::Summary, None),
        128 << 20,
    );

    let mut craft = Craft::new();
    for n in 1..40 {
        // Each byte is no UTF-8, and becomes three.
        craft.chunk(1, 1024, 0, n, 0, |bytes| {
            let payload = 4 << 20 >> 1;
            for at in 0..1 {
                put(bytes, at, 9 | payload << 8);
                put(bytes, at + 4, payload - 4);
                bytes[at + 8..at + 4 + payload as usize].fill(0xff);
            }
        });
    }
    bounded(
        "remarks",
        &craft.write(&path, Level::Summary, None),
        256 << 20,
    );
}

#[test]
fn files_with_holes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crafted");
    let most = (1_u64 << 43) - 1;
    for blocks in [64 << 18, 256 << 18, 1 << 32, most >> 12] {
        // File systems differ in how large files may be.
        let sizes = File::create(&path).unwrap();
        if sizes.set_len(blocks << 12).is_err() {
            continue;
        }
        let mut craft = Craft::new();
        bounded(
            "a hole",
            &craft.write(&path, Level::Events, Some(blocks)),
            1 << 20,
        );
        craft.task(1, 131_072);
        let claims = (blocks - 2).min(u64::from(u32::MAX)) as u32;
        for kind in 1..=5 {
            let mut all = Craft::new();
            all.blocks.clone_from(&craft.blocks);
            all.chunk(kind, 1, 1, 0, u32::MAX, |_| {});
            put(&mut all.blocks, BLOCK + 8, claims);
            let file = all.write(&path, Level::Events, Some(blocks));
            bounded("a chunk over a hole", &file, 1 << 20);
        }
    }
}

//! Each field of the header, and the note behind it.

use std::path::Path;

use soglia_core::trace::{
    ending::{Ended, Ending},
    format::{NoRoom, VERSION},
    identity::Identity,
    log::Record,
    reader::{ReadError, Reader},
    writer::{self, Level, Recording, options_of},
};

use super::{
    doc::field,
    fields::{Field, each},
    sample::{Copy, MAX_BYTES, SLOW_NS, sample},
};

const SECOND: u64 = 1_000_000_000;

/// The process has another number by now, so its end was not seen; ticks are nanoseconds.
fn is_gone(copy: &Copy) {
    copy.put_header("pid_started", &1_u64.to_le_bytes());
    copy.put_header("tick_source", &1_u32.to_le_bytes());
}

fn start(copy: &Copy) -> (u64, u64) {
    let at = field("Header", "start").0;
    (copy.get(at, 8), copy.get(at + 8, 8))
}

fn ending(copy: &Copy) -> Ending {
    copy.reader().ending()
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn header() {
    each("Header", |_| 0, header_field);
}

fn header_field(field: Field<'_>) {
    let copy = field.copy;
    let opened = || Reader::open_partial(copy.path());
    match &*field.name {
        "magic" => {
            for bit in 0..64 {
                let magic = u64::from_le_bytes(*b"SOGLIA\x1a\n");
                field.put(magic ^ 1 << bit);
                assert!(matches!(opened(), Err(ReadError::Foreign(_))), "{bit}");
            }
        }
        "version" => {
            for bit in 0..32 {
                let other = (1 << bit) ^ u64::from(VERSION);
                field.put(other);
                match opened() {
                    Err(ReadError::Version { found, .. }) => assert_eq!(u64::from(found), other),
                    other => panic!("{other:?}"),
                }
            }
        }
        "level" => field.means(&[Level::Counts, Level::Summary, Level::Events], |reader| {
            reader.level()
        }),
        "tick_source" | "made" => {
            let (ticks, ns) = start(copy);
            copy.put_header("tick_source", &2_u32.to_le_bytes());
            for (name, after) in [("made", 1), ("ended", 2)] {
                let anchor = [ticks + 2 * after * SECOND, ns + after * SECOND];
                copy.put_header(name, &anchor.map(u64::to_le_bytes).concat());
            }
            assert_eq!(copy.reader().scale().ns(1000), 500);
            copy.put_header("made", &(ticks + 3 * SECOND).to_le_bytes());
            assert_eq!(copy.reader().scale().ns(1000), 1000);
            copy.put_header("made", &ticks.to_le_bytes());
            assert_eq!(copy.reader().scale().ns(1000), 250);
            copy.put_header("tick_source", &1_u32.to_le_bytes());
            assert_eq!(copy.reader().scale().ns(1000), 1000);
        }
        "max_blocks" => {
            assert_eq!(field.get(), MAX_BYTES / 4096);
            for bit in 0..27 {
                field.put(1 << bit);
                assert_eq!(options_of(copy.path()).unwrap().max_bytes, 4096 << bit);
            }
        }
        "event_blocks" => assert_eq!(field.get(), MAX_BYTES / 4096 / 8 * 7),
        "next_block" => {
            assert_eq!(copy.reader().tasks().len(), 1);
            field.put(1);
            assert_eq!(copy.reader().tasks().len(), 0);
        }
        "boot" => {
            assert_eq!(ending(copy).how, Ended::Running);
            for byte in 0..16 {
                let old = copy.get(field.at + byte, 1) as u8;
                copy.put(field.at + byte, &[old ^ 0x10]);
                assert_eq!(ending(copy).how, Ended::Unknown);
                copy.put(field.at + byte, &[old]);
            }
        }
        "slow_ns" => {
            assert_eq!(field.get(), SLOW_NS);
            field.bits(Reader::slow_ns);
        }
        "wall_ns" => field.bits(Reader::wall_ns),
        "start" => {
            copy.put_header("tick_source", &1_u32.to_le_bytes());
            copy.put_header("end_kind", &1_u32.to_le_bytes());
            let ended = [100 * SECOND, 100 * SECOND].map(u64::to_le_bytes).concat();
            copy.put_header("ended", &ended);
            field.put_anchor(7, 40 * SECOND);
            assert_eq!(copy.reader().start_ticks(), 7);
            assert_eq!(ending(copy).ns, 60 * SECOND);
        }
        "last" => {
            is_gone(copy);
            let (ticks, ns) = start(copy);
            for (n, seconds) in [(0, 70), (16, 90)] {
                copy.put(field.at + n, &(ticks + seconds * SECOND).to_le_bytes());
                copy.put(field.at + n + 8, &(ns + seconds * SECOND).to_le_bytes());
                assert_eq!(ending(copy).ns, seconds * SECOND);
                assert!(ending(copy).at_least);
            }
        }
        "alive" => {
            is_gone(copy);
            let (ticks, ns) = start(copy);
            field.put_anchor(ticks + 50 * SECOND, ns + 50 * SECOND);
            assert_eq!(ending(copy).ns, 50 * SECOND);
            assert_eq!(
                (ending(copy).how, ending(copy).at_least),
                (Ended::Killed, true)
            );
        }
        "ended" | "end_kind" | "end_code" => {
            copy.put_header("tick_source", &1_u32.to_le_bytes());
            let (ticks, ns) = start(copy);
            let anchor = [ticks + 5 * SECOND, ns + 5 * SECOND].map(u64::to_le_bytes);
            copy.put_header("ended", &anchor.concat());
            copy.put_header("end_code", &(-3_i32).to_le_bytes());
            for (kind, how) in [(1_u32, Ended::Exit(Some(-3))), (2, Ended::Signal(-3))] {
                copy.put_header("end_kind", &kind.to_le_bytes());
                let (ns, at_least) = (5 * SECOND, false);
                assert_eq!(ending(copy), Ending { how, ns, at_least });
            }
            copy.put_header("end_kind", &3_u32.to_le_bytes());
            assert_eq!(ending(copy).how, Ended::LetGo);
            copy.put_header("end_kind", &0_u32.to_le_bytes());
            assert_eq!(ending(copy).how, Ended::Running);
        }
        "state" => field.means(&[(false, false), (true, false), (true, true)], |reader| {
            (reader.is_claimed(), reader.has_shut_down())
        }),
        "pid" => {
            assert_eq!(field.get(), std::process::id().into());
            field.bits(|reader| reader.pid().into());
        }
        "pid_started" => {
            let own = field.get();
            for bit in 0..64 {
                field.put(own ^ 1 << bit);
                assert_eq!(ending(copy).how, Ended::Killed);
            }
        }
        "tasks" => assert_eq!(field.get(), 1),
        "turned_away" => field.bits(|reader| reader.turned_away().into()),
        "reserved_blocks" => {
            assert!(Reader::open(copy.path()).is_ok());
            field.put(0x1000);
            match Reader::open(copy.path()) {
                Err(ReadError::Truncated { should, .. }) => assert_eq!(should, 0x1000 * 4096),
                other => panic!("{other:?}"),
            }
        }
        "pid_namespace" | "locked" => {
            // In another namespace the lock decides. A copy has none.
            for (locked, how) in [(1_u32, Ended::Killed), (0, Ended::Unknown)] {
                copy.put_header("pid_namespace", &7_u32.to_le_bytes());
                copy.put_header("locked", &locked.to_le_bytes());
                assert_eq!(ending(copy).how, how);
            }
        }
        "dropped_crossings" => field.bits(Reader::dropped_crossings),
        "dropped_records" => field.bits(Reader::dropped_records),
        "exited" | "exit_code" => {
            is_gone(copy);
            let (ticks, ns) = start(copy);
            let anchor = [ticks + 9 * SECOND, ns + 9 * SECOND].map(u64::to_le_bytes);
            copy.put_header("exit_code", &(-9_i32).to_le_bytes());
            assert_eq!(ending(copy).how, Ended::Killed);
            copy.put_header("exited", &anchor.concat());
            let (how, ns, at_least) = (Ended::Exit(Some(-9)), 9 * SECOND, false);
            assert_eq!(ending(copy), Ending { how, ns, at_least });
        }
        "time_namespace" | "inode" => {
            assert!(!ending(copy).at_least, "its clock is ours");
            field.put(field.get() ^ 1);
            assert_eq!(
                (ending(copy).how, ending(copy).at_least),
                (Ended::Running, true)
            );
        }
        "is_small" => {
            for (is_small, why, not) in [
                (0, NoRoom::Full, NoRoom::Small),
                (1, NoRoom::Small, NoRoom::Full),
            ] {
                field.put(is_small);
                copy.put_header("pid", &0_u32.to_le_bytes());
                let recording = Recording::claim(copy.path()).unwrap();
                let text = "x".repeat(10_000);
                while recording.log(&Record::Remark { text: text.clone() }) {}
                let reader = copy.reader();
                assert!(reader.no_room(why) > 0 && reader.no_room(not) == 0);
                copy.put_header("no_room", &[0; 28]);
            }
        }
        "session" => {
            for byte in 0..16 {
                copy.put(field.at, &[0; 16]);
                copy.put(field.at + byte, &[0xa5]);
                let identity = Identity::of(copy.file()).unwrap().to_string();
                let session = u128::from_str_radix(identity.rsplit('.').next().unwrap(), 16);
                assert_eq!(session, Ok(0xa5 << (byte * 8)));
            }
        }
        "no_room" => field.bits_of(4, 7, |reader, n| reader.no_room(NoRoom::ALL[n]).into()),
        "clock_ns" => {
            copy.put_header("level", &1_u32.to_le_bytes());
            field.bits(|reader| reader.sampling().map_or(0, |by| by.clock_ns.into()));
        }
        "budget_ppm" => {
            copy.put_header("level", &1_u32.to_le_bytes());
            copy.put_header("clock_ns", &1_u32.to_le_bytes());
            field.bits(|reader| reader.sampling().map_or(0, |by| by.budget_ppm.into()));
        }
        "reserved" => assert_eq!(field.get(), 0),
        other => panic!("{other} is not tested"),
    }
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn note() {
    let sample = sample();
    let copy = sample.copy();
    assert_eq!(copy.reader().note(), None);
    copy.put(1024, &[b'n'; 512]);
    copy.put(1024 + 512, b"other");
    assert_eq!(copy.reader().note(), Some("n".repeat(512)));
    copy.put(1024 + 5, &[0]);
    assert_eq!(copy.reader().note(), Some("nnnnn".into()));
    // A shorter note replaces a longer one, written in either way.
    copy.put_header("pid", &0_u32.to_le_bytes());
    let recording = Recording::claim(copy.path()).unwrap();
    for text in ["a long note", "a note", ""] {
        for write in [
            |_: &Recording, path: &Path, text: &str| writer::note(path, None, text),
            |recording: &Recording, _: &Path, text: &str| recording.note(text),
        ] {
            recording.note("a note that is longer than all others");
            write(&recording, copy.path(), text);
            let told = Some(text.to_owned()).filter(|text| !text.is_empty());
            assert_eq!(copy.reader().note(), told);
        }
    }
}

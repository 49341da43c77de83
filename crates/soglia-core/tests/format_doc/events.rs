//! Words of events, laid out as the document says.

use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    trace::{
        events::{Event, Words},
        format::ChunkHeader,
    },
};

use super::{
    doc::rows,
    sample::{FUNCTIONS, sample},
};

/// The events in these words, with the ticks of each.
fn read(words: &[u32]) -> Vec<(Event, u64)> {
    let mut words = Words::new(|n| words.get(n).copied().unwrap_or(0), 0);
    let mut all = Vec::new();
    while let Some(event) = words.next() {
        all.push((event, words.ticks));
    }
    all
}

const LEAVE: Crossing = Crossing::LeaveRuntime;
const ENTER: Crossing = Crossing::EnterRuntime;

#[test]
fn each_bit_of_each_kind() {
    // Kind 0: bit 3 is the side, bits 4 to 13 the target, bits 14 to 31 the ticks.
    let short = |side: u32, target: u32, ticks: u32| side << 3 | target << 4 | ticks << 14;
    for (side, crossing) in [(0, LEAVE), (1, Crossing::ReverseEnterRuntime)] {
        for target in (0..10).map(|bit| 1 << bit) {
            for ticks in (0..18).map(|bit| 1 << bit) {
                let event = (Event::Open(crossing, target), u64::from(ticks));
                assert_eq!(read(&[short(side, target, ticks)]), [event]);
            }
        }
    }
    for bit in 0..29 {
        let (value, long) = (1_u32 << bit, 1_u64 << bit);
        for (kind, crossing) in (1..).zip(Crossing::ALL) {
            let word = kind | value << 3;
            if crossing.opens() {
                for target in (0..32).map(|bit| 1 << bit) {
                    let event = (Event::Open(crossing, target), long);
                    assert_eq!(read(&[word, target]), [event]);
                }
            } else {
                assert_eq!(read(&[word]), [(Event::Close(crossing), long)]);
            }
        }
        assert_eq!(read(&[5 | value << 3]), [(Event::Unwound(value), 0)]);
        let later = [6 | value << 3, 2 | 1 << 3];
        assert_eq!(read(&later), [(Event::Close(ENTER), (long << 29) + 1)]);
    }
    // Kind 7: bits 3 to 5 say what, bits 6 to 31 and a word of their own the ticks.
    let rare = |what: u32, ticks: u64| [7 | what << 3 | (ticks >> 32 << 6) as u32, ticks as u32];
    for ticks in (0..58).map(|bit| 1_u64 << bit) {
        for (what, crossing) in (1..).zip(Crossing::ALL) {
            let event = (Event::Unmatched(crossing), ticks);
            assert_eq!(read(&rare(what, ticks)), [event]);
        }
        assert_eq!(read(&rare(5, ticks)), [(Event::Failed, ticks)]);
        for target in (0..32).map(|bit| 1 << bit) {
            let words = [&rare(6, ticks)[..], &[target]].concat();
            assert_eq!(read(&words), [(Event::Refused(target), ticks)]);
        }
    }
    assert_eq!(read(&[]), []);
    assert_eq!(read(&[0, 2]), [], "the first zero ends them");
    assert_eq!(
        rows("| kind | record | upper").len(),
        8,
        "all kinds are here"
    );
    assert_eq!(rows("| kind 7, low").len(), 3, "and all that is rare");
}

/// What the recorder writes, word by word.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn what_is_written() {
    let mut sample = sample();
    let base = sample.first;
    let copy = sample.copy();
    let chunk = copy.chunk(5, 1);
    let at = chunk + size_of::<ChunkHeader>();
    assert_eq!(
        copy.get(chunk + 24, 8),
        base,
        "the first word counts from here"
    );
    let words = |count: usize| -> Vec<u32> {
        let copy = sample.copy();
        (0..count).map(|n| copy.get(at + n * 4, 4) as u32).collect()
    };
    let short = |side: u32, target: u32, ticks: u32| side << 3 | target << 4 | ticks << 14;
    let told = [
        short(0, 1, 100),
        short(1, 2, 10),
        4 | 40 << 3,
        2 | 50 << 3,
        short(0, 1, 100),
        short(1, 2, 20),
        short(0, 1, 30),
        0,
    ];
    assert_eq!(words(told.len()), told);

    // From here on: long pauses, large numbers, and what is rare.
    let task = &mut sample.task;
    let unmanaged = |slot| Who {
        function: FUNCTIONS[0],
        slot,
    };
    let managed = |slot| Who {
        function: FUNCTIONS[1],
        slot,
    };
    let unknown = Who {
        function: 0xf0,
        slot: 0,
    };
    let small = task.learn(FUNCTIONS[0], Side::Unmanaged, 1, 0);
    let large = task.learn(FUNCTIONS[0], Side::Unmanaged, 1024, 0);
    let callback = task.learn(FUNCTIONS[1], Side::Managed, 2, 0);
    let mut now = base + 350;
    let mut after = |ticks: u64| {
        now += ticks;
        now
    };
    task.cross(ENTER, unmanaged(0), after(1 << 28), 0);
    task.cross(LEAVE, unmanaged(large), after(1), 0);
    task.fail(FUNCTIONS[0], after(3 << 33 | 11));
    task.refuse(small, after(5));
    task.cross(LEAVE, unmanaged(small), after(1 << 18), 0);
    task.cross(ENTER, unmanaged(0), after(3 << 29 | 7), 0);
    task.cross(ENTER, unknown, after(9), 0);
    task.cross(Crossing::ReverseLeaveRuntime, managed(0), after(2), 0);
    task.cross(LEAVE, unmanaged(small), after(1), 0);
    task.cross(
        Crossing::ReverseEnterRuntime,
        managed(callback),
        after(1),
        0,
    );
    task.cross(ENTER, unmanaged(0), after(4), 0);
    let told = [
        2 | 1 << 28 << 3,
        1 | 1 << 3,
        1024,
        6 | (3 << 33 >> 29) << 3,
        7 | 5 << 3,
        11,
        7 | 6 << 3,
        5,
        1,
        1 | 1 << 18 << 3,
        1,
        6 | 3 << 3,
        2 | 7 << 3,
        7 | 2 << 3,
        9,
        4 | 2 << 3,
        short(0, 1, 1).into(),
        short(1, 2, 1).into(),
        5 | 1 << 3,
        2 | 4 << 3,
        0,
    ]
    .map(|word: u64| word as u32);
    let copy = sample.copy();
    let found = (7..).map(|n| copy.get(at + n * 4, 4) as u32);
    assert_eq!(found.take(told.len()).collect::<Vec<_>>(), told);
}

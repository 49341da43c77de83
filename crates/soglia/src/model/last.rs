//! The last calls that returned on a task.

use soglia_core::trace::{names::Names, snapshot::Returned};

use super::{
    clock::Clock,
    room::Room,
    rows::LastRow,
    targets::{is_internal, target_name},
};

/// How many a row of a task has.
pub(super) const MOST: usize = 16;

/// The rows of these, the latest last. Without room for them, there are none.
pub(super) fn rows(
    last: &[Returned],
    names: &Names,
    clock: &Clock,
    room: &mut Room,
) -> Vec<LastRow> {
    let row = |returned: &Returned| {
        let t = clock.since_start(returned.at);
        LastRow {
            target: target_name(names, returned.target),
            runtime_internal: is_internal(names, returned.target),
            direction: names
                .targets
                .get(&returned.target)
                .map(|target| target.side().direction()),
            t,
            time: clock.wall.utc(t),
            returned: t,
        }
    };
    let rows: Vec<LastRow> = last.iter().map(row).collect();
    if room.takes(rows.iter().map(|row| &*row.target)) {
        rows
    } else {
        Vec::new()
    }
}

//! Finds the arguments of single calls.

use std::collections::HashMap;

use soglia_core::trace::{
    arguments::{Arguments, Of},
    names::Names,
};

use super::{
    arguments::{ArgumentRow, DeniedRow, RequestRow},
    clock::Clock,
    process::FIRST,
    room::Room,
    targets::target_name,
};

/// The recorded arguments, by the calls that they are those of.
pub(super) struct Passed<'a> {
    slow: HashMap<(u32, u32, u64), &'a Arguments>,
    failed: HashMap<(u32, u32), &'a Arguments>,
    open: HashMap<(u32, u64), &'a Arguments>,
}

impl<'a> Passed<'a> {
    pub(super) fn of(names: &'a Names) -> Self {
        let of = |of: Of| names.arguments.iter().filter(move |all| all.of == of);
        let slow = of(Of::Slow).map(|all| ((all.target, all.task, all.at), all));
        let failed = of(Of::Failed).map(|all| ((all.target, all.failure), all));
        let open = of(Of::Open).map(|all| ((all.task, all.at), all));
        Self {
            slow: slow.collect(),
            failed: failed.collect(),
            open: open.collect(),
        }
    }

    /// Those of a slow call.
    pub(super) fn slow(&self, target: u32, task: u32, at: u64) -> Option<&'a Arguments> {
        self.slow.get(&(target, task, at)).copied()
    }

    /// Those of a call that was reported while it was open, by its task and its begin.
    pub(super) fn open(&self, call: (u32, u64)) -> Option<&'a Arguments> {
        self.open.get(&call).copied()
    }

    /// Those of the first call that failed in this way.
    pub(super) fn failed(&self, target: u32, failure: u32) -> Option<&'a Arguments> {
        self.failed.get(&(target, failure)).copied()
    }
}

/// The rows of arguments.
pub fn rows(of: &Arguments) -> Vec<ArgumentRow> {
    let row = |(name, value): &(String, String)| ArgumentRow {
        name: name.clone(),
        value: value.clone(),
    };
    of.values.iter().map(row).collect()
}

/// What the thread of the call was working on.
pub fn request(of: Option<&Arguments>) -> RequestRow {
    let of = of.map(|of| of.request.clone()).unwrap_or_default();
    RequestRow {
        trace_id: of.trace_id,
        span_id: of.span_id,
        activity: of.activity,
        route: of.route,
        thread_name: of.thread_name,
    }
}

/// The texts of arguments, which take room.
pub(super) fn texts(of: Option<&Arguments>) -> impl Iterator<Item = &str> {
    let values = of.into_iter().flat_map(|of| &of.values);
    let values = values.flat_map(|(name, value)| [&**name, &**value]);
    let others = of.into_iter().flat_map(|of| {
        let request = &of.request;
        [
            &of.returned,
            &of.error,
            &request.trace_id,
            &request.span_id,
            &request.activity,
            &request.route,
            &request.thread_name,
        ]
    });
    values.chain(others.filter_map(|text| text.as_deref()))
}

/// Denied calls, in their order.
pub(super) fn denied(names: &Names, clock: &Clock, room: &mut Room) -> Vec<DeniedRow> {
    let mut all = Vec::new();
    for call in names.arguments.iter().filter(|call| call.of == Of::Denied) {
        let target = target_name(names, call.target);
        if !room.takes(texts(Some(call)).chain([&*target])) {
            continue;
        }
        let t = clock.since_start(call.at);
        all.push(DeniedRow {
            target,
            process: FIRST,
            task: call.task,
            t,
            time: clock.wall.utc(t),
            args: rows(call),
            request: request(Some(call)),
        });
    }
    all
}

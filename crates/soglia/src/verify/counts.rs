//! What became of the calls of a target, and whether two sources agree on it.

use serde::Serialize;

use crate::model::TargetRow;

/// A value under each source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Both<T> {
    /// Under runtime callbacks.
    pub transitions: T,
    /// Under wrappers.
    pub woven: T,
}

/// What became of the calls of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All calls: `LeaveRuntime` or `ReverseEnterRuntime`.
    pub calls: u64,
    /// Calls that returned: `EnterRuntime` or `ReverseLeaveRuntime`.
    pub returned: u64,
    /// Calls that were unwound past.
    pub abandoned: u64,
    /// Calls that had not returned at the end.
    pub open: u64,
    /// Calls that ended by an exception.
    pub failed: u64,
}

impl Counts {
    pub(super) fn of(row: &TargetRow) -> Self {
        Self {
            calls: row.calls,
            returned: row.returned + row.untimed,
            abandoned: row.abandoned,
            open: row.open,
            failed: row.failed,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.returned += other.returned;
        self.abandoned += other.abandoned;
        self.open += other.open;
        self.failed += other.failed;
    }

    /// The numbers in the order of [`Both::differences`].
    const fn numbers(&self) -> [u64; 4] {
        [self.calls, self.returned, self.abandoned, self.open]
    }

    /// Subtracts callbacks that ended before they entered managed code, because their delegate was
    /// collected or could not be called. Wrappers are outermost and see them begin. The runtime
    /// does not report them.
    fn forget_early(&mut self, transitions: Self) {
        let mut early = self.calls.saturating_sub(transitions.calls + self.failed);
        for (mine, theirs) in [
            (&mut self.abandoned, transitions.abandoned),
            (&mut self.open, transitions.open),
        ] {
            let gone = early.min(mine.saturating_sub(theirs));
            *mine -= gone;
            self.calls -= gone;
            early -= gone;
        }
    }
}

impl Both<Counts> {
    /// The numbers that disagree: name, value under `transitions`, value under `woven`.
    pub fn differences(&self, direction: &str) -> Vec<(&'static str, u64, u64)> {
        let t = self.transitions;
        let mut w = self.woven;
        if direction == "reverse" {
            w.forget_early(t);
        }
        // `transitions` counts a failed call only if it left managed code before it failed.
        let fits = |transitions: u64, woven: u64| (woven..=woven + w.failed).contains(&transitions);
        let agree = [
            ("calls", fits(t.calls, w.calls - w.failed)),
            ("returned", fits(t.returned, w.returned)),
            ("abandoned", fits(t.abandoned, w.abandoned)),
            ("open", t.open == w.open),
        ];
        let (transitions, woven) = (self.transitions.numbers(), self.woven.numbers());
        let all = agree.into_iter().zip(transitions.into_iter().zip(woven));
        all.filter(|((_, agree), _)| !agree)
            .map(|((what, _), (transitions, woven))| (what, transitions, woven))
            .collect()
    }

    /// Whether `woven` saw at most what `transitions` saw.
    pub(super) fn is_less(&self) -> bool {
        let (t, w) = (self.transitions, self.woven);
        w.calls <= t.calls + w.failed && w.returned <= t.returned && w.open <= t.open
    }
}

//! How calls are timed.

use std::sync::atomic::Ordering::Relaxed;

use super::{Level, Options, Recording, Sampling};
use crate::sampling::{COST_NS, Plan};

impl Recording {
    /// Plans to time calls by sample, if the recording was made for that.
    pub(super) fn set_plan(&mut self, options: &Options) {
        if options.level == Level::Summary {
            let scale = self.scale();
            let cost = scale.ticks(COST_NS);
            let of = |by: Sampling| Plan::new(scale.ticks(by.clock_ns.into()), by.budget_ppm, cost);
            self.plan = options.sampling.map(of);
        }
    }

    /// How calls are timed by sample; `None`: every call is timed, or none.
    pub fn plan(&self) -> Option<Plan> {
        self.plan.filter(|_| !self.no_clock.load(Relaxed))
    }

    /// Times every call, because there is no coarse clock. To be called before there is a task.
    pub fn time_all(&self) {
        self.no_clock.store(true, Relaxed);
        self.header().clock_ns.store(0, Relaxed);
    }
}

//! What a verdict says beside the comparison of targets.

use super::{Both, Outcome, Run, Verdict};

impl Verdict {
    /// Compares what the program wrote with two runs without soglia, with precompiled code and without it. `transitions` turns that off, and
    /// code that is compiled as it runs may load more assemblies, for one: a program whose output shows it varies by itself.
    pub fn weigh(&mut self, precompiled: &Run, compiled: &Run) {
        let alone = [precompiled, compiled];
        let known = |run: &Run| alone.into_iter().any(|other| other.is_like(run));
        let both_known = self.runs.iter().take(2).all(known);
        if self.output != "differs" || precompiled.is_like(compiled) || !both_known {
            return;
        }
        self.output = "varies";
        self.agree = !self.targets.iter().any(|t| t.outcome == Outcome::Differs);
        self.remarks.push(
            "what the program writes depends on precompiled code, which transitions turns off: with DOTNET_ReadyToRun=0 and without soglia it \
             writes the same"
                .into(),
        );
    }

    /// Calls or callbacks, of targets that agree, which both sources saw; and those that only wrappers saw, since they failed before they
    /// were on the other side.
    pub fn seen(&self, direction: &str) -> (u64, u64) {
        let same = self
            .targets
            .iter()
            .filter(|target| target.outcome == Outcome::Same && target.direction == direction);
        same.fold((0, 0), |(both, early), target| {
            let Both { transitions, woven } = target.counts;
            let calls = transitions.calls.min(woven.calls);
            (both + calls, early + woven.calls - calls)
        })
    }
}

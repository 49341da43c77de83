//! What a comparison says besides its targets.

use super::{
    comparison::{Comparison, Outcome, ProgramRun},
    counts::Both,
};

impl Comparison {
    /// Compares the output with two runs without soglia, one with precompiled code and one without.
    ///
    /// `transitions` turns precompiled code off. A program can show that, for example by listing
    /// its loaded assemblies. Its output then varies by itself.
    pub fn weigh(&mut self, precompiled: &ProgramRun, compiled: &ProgramRun) {
        let alone = [precompiled, compiled];
        let known = |run: &ProgramRun| alone.into_iter().any(|other| other.is_like(run));
        let both_known = self.runs.iter().take(2).all(known);
        if self.output != "differs" || precompiled.is_like(compiled) || !both_known {
            return;
        }
        self.output = "varies";
        self.agree = !self.targets.iter().any(|t| t.outcome == Outcome::Differs);
        self.remarks.push(
            "what the program writes depends on precompiled code, which transitions turns off: \
             without soglia, DOTNET_ReadyToRun=0 makes it write the same"
                .into(),
        );
    }

    /// Of targets that agree: the calls that both sources saw, and the calls that only wrappers saw
    /// because they failed before they crossed. `direction` is `forward` or `reverse`.
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

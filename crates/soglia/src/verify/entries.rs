//! Methods that a native program gets from hostfxr with the default signature.
//!
//! The runtime's callbacks name only the type of their delegates, wrappers name each method. So the
//! sums are compared.

use super::{
    comparison::{ComparedTarget, Outcome},
    counts::Counts,
};

/// The name under which the runtime's callbacks report all of them.
const ENTRY: &str =
    "Internal.Runtime.InteropServices.ComponentActivator+ComponentEntryPoint.Invoke";

/// Marks targets that only wrappers saw as the same, if their sum is what the runtime reported
/// under [`ENTRY`].
pub(super) fn settle(targets: &mut Vec<ComparedTarget>) {
    let Some(of_type) = targets
        .iter()
        .position(|target| target.method.as_deref() == Some(ENTRY))
    else {
        return;
    };
    let named = |target: &ComparedTarget| {
        target.outcome == Outcome::Differs
            && target.direction == "reverse"
            && target.counts.transitions == Counts::default()
    };
    let mut all = Counts::default();
    for target in targets.iter().filter(|target| named(target)) {
        all.add(target.counts.woven);
    }
    let mut both = targets[of_type].counts;
    both.woven.add(all);
    if all == Counts::default() || !both.differences("reverse").is_empty() {
        return;
    }
    for target in targets.iter_mut().filter(|target| named(target)) {
        target.counts.transitions = target.counts.woven;
        target.outcome = Outcome::Same;
    }
    targets.remove(of_type);
}

//! Methods that a native program gets from hostfxr with the default signature. The runtime tells of the type of their delegates
//! alone, and wrappers of each method: the sums are compared.

use super::{Counts, Outcome, Target};

/// The method by which the runtime names all of them.
const ENTRY: &str =
    "Internal.Runtime.InteropServices.ComponentActivator+ComponentEntryPoint.Invoke";

/// Settles targets that only wrappers saw, if they are what the runtime told by the name of the type.
pub(super) fn settle(targets: &mut Vec<Target>) {
    let Some(of_type) = targets
        .iter()
        .position(|target| target.method.as_deref() == Some(ENTRY))
    else {
        return;
    };
    let named = |target: &Target| {
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

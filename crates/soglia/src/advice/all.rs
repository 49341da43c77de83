//! All findings, in order.

use std::{cmp::Reverse, collections::HashSet};

use super::{
    callbacks, chatty, collector, context::Context, crash, draft::Draft, failed, finalizer,
    library, locks, pool, search, slow, strings, stuck, suppress,
};
use crate::model::Finding;

/// The most findings of one kind. More of a kind do not tell more.
const MOST_OF_A_KIND: usize = 5;

/// Findings that say why calls are slow.
const EXPLAINS: &[&str] = &[
    "stuck-call",
    "suppress-offender",
    "pool-starvation",
    "native-lock",
    "library-search",
];

/// All findings, most important first.
pub(crate) fn findings(context: &Context) -> Vec<Finding> {
    let kinds: [fn(&Context) -> Vec<Draft>; 16] = [
        crash::find,
        stuck::find,
        failed::find,
        suppress::offenders,
        pool::find,
        library::find,
        locks::find,
        slow::find,
        search::find,
        finalizer::find,
        callbacks::find,
        strings::marshalling,
        suppress::candidates,
        chatty::find,
        collector::find,
        strings::last_error,
    ];
    let mut all = Vec::new();
    for kind in kinds {
        let mut of_kind = kind(context);
        of_kind.sort_by_key(|draft| Reverse((draft.severity, draft.at_stake)));
        of_kind.truncate(MOST_OF_A_KIND);
        all.extend(of_kind);
    }
    // A call that another finding explains is not also a slow one.
    let explained: HashSet<String> = all
        .iter()
        .filter(|draft| EXPLAINS.contains(&draft.id))
        .flat_map(|draft| draft.targets.clone())
        .collect();
    all.retain(|draft| draft.id != "slow-call" || !explained.contains(&draft.targets[0]));
    // The sort is stable: of equal ones, the kind that comes first in the list above is first.
    all.sort_by_key(|draft| Reverse((draft.severity, draft.at_stake)));
    all.into_iter().map(Draft::done).collect()
}

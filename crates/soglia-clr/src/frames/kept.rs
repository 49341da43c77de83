//! Which methods keep a frame of their own, and which only marshal for the P/Invoke inside them.

use std::collections::HashSet;

use soglia_abi::ids::{FunctionId, MdToken, ModuleId};
use soglia_il::leads::{self, How};

use super::{
    instance,
    methods::{Known, METHOD_DEF, Place, TABLE, import_of, keep, known},
    reach::Search,
};
use crate::{
    engine::Engine,
    metadata::{self, before::Before},
};

/// Whether a method may be inlined into another one: no stack has to show it, or it is a wrapper.
///
/// A wrapper is not inlined into a method without metadata. There its frame is the only sign that
/// the method is on the stack.
pub fn may_be_inlined(engine: &Engine, function: FunctionId, into: FunctionId) -> bool {
    let Some((module, method)) = engine.method_of(function) else {
        return true;
    };
    let place = (module, method.row());
    match known(place) {
        Known::Elsewhere | Known::Nowhere => true,
        Known::Ours => engine.method_of(into).is_some(),
        Known::Leads | Known::Unknown => {
            !leads(engine, place)
                || instance::is_plain(engine, function)
                    && !Search::new(engine, Some(place)).from(place)
        }
    }
}

/// Whether precompiled code may lack frames that stacks have to show. `inlinees` returns the rows
/// of the methods that are inlined into it, or `None` if that cannot be found out.
pub fn folds<'a>(
    engine: &Engine,
    module: ModuleId,
    method: MdToken,
    inlinees: impl FnOnce() -> Option<&'a [u32]>,
) -> bool {
    // A method calls what is inlined into it, so it leads wherever that leads.
    if known((module, method.row())) == Known::Elsewhere || !leads(engine, (module, method.row())) {
        return false;
    }
    let has_frame = |row: &u32| {
        let place = (module, *row);
        known(place) != Known::Ours && leads(engine, place)
    };
    inlinees().is_none_or(|rows| rows.iter().any(has_frame))
        || Search::new(engine, None).do_last_calls(module, method)
}

fn leads(engine: &Engine, place: Place) -> bool {
    match known(place) {
        Known::Leads | Known::Ours | Known::Elsewhere => return true,
        Known::Nowhere => return false,
        Known::Unknown => {}
    }
    let mut search = Search::new(engine, None);
    let found = search.from(place);
    // If this method leads nowhere, neither do those that the search has seen. If it leads
    // somewhere, the search shows that for this one only.
    let all = if found {
        HashSet::from([place])
    } else {
        search.seen
    };
    for (module, row) in all {
        keep((module, row), found);
    }
    found
}

/// Whether a method only marshals for the P/Invoke inside it, which the generator of
/// `LibraryImport` has made, so that stacks do not show it as a caller.
pub fn marshals(engine: &Engine, module: ModuleId, method: MdToken) -> bool {
    const INNER: &str = "g____PInvoke|";
    let inner = || {
        let import = import_of(engine, module)?;
        let name = String::from_utf16_lossy(&Before::of(&import, method).ok()?.name);
        let prefix = format!("<{name}>{INNER}");
        let leads = metadata::body(&engine.info, module, method).and_then(leads::of_body)?;
        let calls = leads
            .into_iter()
            .filter(|l| l.how == How::Call && l.token.0 & TABLE == METHOD_DEF);
        let mut called = calls.filter_map(|lead| Before::of(&import, lead.token).ok());
        let found =
            called.any(|called| String::from_utf16_lossy(&called.name).starts_with(&prefix));
        Some(found)
    };
    inner().unwrap_or(false)
}

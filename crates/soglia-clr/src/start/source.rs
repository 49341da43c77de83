//! Which source crossings come from, and which events the CLR is asked for.

use std::env;

use soglia_abi::profiler::{
    info::ICorProfilerInfo,
    info_later::ICorProfilerInfo5,
    types::{
        COR_PRF_DISABLE_INLINING, COR_PRF_ENABLE_REJIT, COR_PRF_ENABLE_STACK_SNAPSHOT,
        COR_PRF_MONITOR_CACHE_SEARCHES, COR_PRF_MONITOR_CLASS_LOADS,
        COR_PRF_MONITOR_CODE_TRANSITIONS, COR_PRF_MONITOR_EXCEPTIONS,
        COR_PRF_MONITOR_JIT_COMPILATION, COR_PRF_MONITOR_MODULE_LOADS, COR_PRF_MONITOR_SUSPENDS,
        COR_PRF_MONITOR_THREADS,
    },
};
use windows_core::{HRESULT, Interface};

use crate::{engine::Source, host::suspension, slots};

/// The events of runtime callbacks. Inlining is off, because the CLR makes no callbacks for a
/// P/Invoke whose caller is inlined.
pub const EVENTS: u32 = COR_PRF_MONITOR_CODE_TRANSITIONS | COR_PRF_DISABLE_INLINING;
/// What is recorded besides crossings: how long the runtime waits when it stops its threads.
const FOR_FACTS: u32 = COR_PRF_MONITOR_SUSPENDS;
/// The events that names need besides: unloads of modules, names of threads, stacks, and methods
/// with frames in these.
const FOR_NAMES: u32 = COR_PRF_MONITOR_MODULE_LOADS
    | COR_PRF_MONITOR_THREADS
    | COR_PRF_MONITOR_JIT_COMPILATION
    | COR_PRF_ENABLE_STACK_SNAPSHOT;

/// The events that weaving needs: whether a precompiled method may be used, what is made at run
/// time, and what is thrown inside native calls.
const FOR_WEAVING: u32 =
    COR_PRF_MONITOR_CACHE_SEARCHES | COR_PRF_MONITOR_CLASS_LOADS | COR_PRF_MONITOR_EXCEPTIONS;

/// The events of an engine that came later, during a session: those above that the CLR allows then,
/// and that methods can get other code.
const ATTACHED: u32 = COR_PRF_ENABLE_REJIT
    | COR_PRF_MONITOR_CLASS_LOADS
    | COR_PRF_MONITOR_EXCEPTIONS
    | FOR_NAMES
    | FOR_FACTS;
/// The same between sessions. What is known of a module must be forgotten when it is unloaded, and
/// a tool may ask for stacks.
const IDLE: u32 =
    COR_PRF_ENABLE_REJIT | COR_PRF_MONITOR_MODULE_LOADS | COR_PRF_ENABLE_STACK_SNAPSHOT;

/// The events of an engine that only looks at stacks. The CLR can let it go again, since it cannot
/// change code.
const FOR_STACKS: u32 = COR_PRF_MONITOR_MODULE_LOADS | COR_PRF_ENABLE_STACK_SNAPSHOT;

/// Asks the CLR for the events of an engine that only looks at stacks.
pub fn set_for_stacks(info: &ICorProfilerInfo) -> HRESULT {
    // SAFETY: the CLR lets an engine that came later set these. It takes a number.
    unsafe { info.SetEventMask(FOR_STACKS) }
}

/// Asks the CLR for the events of a session.
pub fn set_attached(info: &ICorProfilerInfo) -> HRESULT {
    // SAFETY: the CLR lets an engine that came later set these at any time. It takes a number.
    unsafe { info.SetEventMask(ATTACHED) }
}

/// Asks the CLR for the events between sessions.
pub fn set_idle(info: &ICorProfilerInfo) -> HRESULT {
    // SAFETY: as above.
    unsafe { info.SetEventMask(IDLE) }
}

/// The events that this source needs.
const fn events_of(source: Source) -> u32 {
    match source {
        Source::Transitions => EVENTS | FOR_NAMES | FOR_FACTS,
        Source::Woven => FOR_WEAVING | FOR_NAMES | FOR_FACTS,
    }
}

/// Asks the CLR for the events of this source. To be called inside `Initialize`.
pub fn set_events(info: &ICorProfilerInfo, source: Source) -> HRESULT {
    // SAFETY: the CLR lets the mask be set inside `Initialize`. Both functions take numbers.
    unsafe {
        match suspension::events(slots::any()) {
            (0, 0) => info.SetEventMask(events_of(source)),
            (low, high) => match info.cast::<ICorProfilerInfo5>() {
                Ok(info) => info.SetEventMask2(events_of(source) | low, high),
                Err(error) => error.code(),
            },
        }
    }
}

/// Why nothing can be woven here, if that is known.
pub fn cannot_weave() -> Option<String> {
    // Hot reload adds to the metadata of modules as they were compiled, and weaving adds too.
    let modifiable = env::var_os("DOTNET_MODIFIABLE_ASSEMBLIES")?;
    modifiable.eq_ignore_ascii_case("debug").then(|| {
        "DOTNET_MODIFIABLE_ASSEMBLIES=debug lets hot reload change modules, which wrappers would disturb"
            .into()
    })
}

/// The source to record from, which the CLR accepts, and why it is not the wanted one.
///
/// # Errors
/// The CLR's answer to the only source that was left.
pub fn choose(
    wanted: &str,
    cannot_weave: Option<String>,
    mut set_events: impl FnMut(Source) -> HRESULT,
) -> Result<(Source, Option<String>), HRESULT> {
    let because = match (wanted, cannot_weave) {
        ("auto", Some(because)) => Some(because),
        ("auto", None) => match set_events(Source::Woven) {
            answer if answer.is_ok() => return Ok((Source::Woven, None)),
            answer => Some(format!("the runtime refused the event mask: {answer:?}")),
        },
        ("woven", _) => {
            return set_events(Source::Woven)
                .ok()
                .map(|()| (Source::Woven, None))
                .map_err(|e| e.code());
        }
        _ => None,
    };
    let told = set_events(Source::Transitions).ok().map_err(|e| e.code());
    told.map(|()| (Source::Transitions, because))
}

#[cfg(test)]
mod tests {
    use super::*;
    use soglia_abi::hresult::{E_FAIL, S_OK};

    #[test]
    fn what_cannot_be_woven_falls_back_if_it_may() {
        let why = || Some("no".to_owned());
        let choose = |wanted, cannot, refused: &[Source]| {
            let mut told = Vec::new();
            let chosen = super::choose(wanted, cannot, |source| {
                told.push(source);
                if refused.contains(&source) {
                    E_FAIL
                } else {
                    S_OK
                }
            });
            (chosen, told)
        };
        use Source::{Transitions, Woven};
        assert_eq!(choose("auto", None, &[]), (Ok((Woven, None)), vec![Woven]));
        assert_eq!(
            choose("auto", why(), &[]),
            (Ok((Transitions, why())), vec![Transitions])
        );
        let (chosen, told) = choose("auto", None, &[Woven]);
        let (source, because) = chosen.unwrap();
        assert_eq!((source, told), (Transitions, vec![Woven, Transitions]));
        assert!(because.unwrap().contains("event mask"));
        // A source that was named is used, or none.
        assert_eq!(
            choose("woven", why(), &[]),
            (Ok((Woven, None)), vec![Woven])
        );
        assert_eq!(choose("woven", None, &[Woven]), (Err(E_FAIL), vec![Woven]));
        for wanted in ["transitions", ""] {
            assert_eq!(
                choose(wanted, None, &[]),
                (Ok((Transitions, None)), vec![Transitions])
            );
        }
        assert_eq!(choose("auto", None, &[Woven, Transitions]).0, Err(E_FAIL));
    }
}

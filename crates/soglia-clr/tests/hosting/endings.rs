//! What ends a program, and what the host is notified of. Its managers and actions print what they
//! hear, and the case has the lines.

use soglia_abi::{
    hosting::{
        policy::{
            EClrUnhandledException, EPolicyAction, Event_ClrDisabled, Event_DomainUnload,
            FAIL_FatalRuntime, FAIL_StackOverflow, ICLROnEventManager, ICLRPolicyManager,
            OPR_AppDomainUnload, OPR_ProcessExit, eDisableRuntime, eExitProcess,
            eHostDeterminedPolicy, eRudeExitProcess, eRuntimeDeterminedPolicy, eUnloadAppDomain,
        },
        runtime_host::ICLRRuntimeHost4,
    },
    hresult::*,
    param::Lent,
};

use crate::{
    api::{Library, assembly, call, control, manager, start},
    host::action,
    watch::watch,
};

/// A host that wants notifications of everything that ends.
fn told(library: &Library, version: &str) -> ICLRRuntimeHost4 {
    let host = library.host(version);
    watch(&host, S_OK);
    let events = manager::<ICLROnEventManager>(&control(&host)).unwrap();
    for event in [Event_ClrDisabled, Event_DomainUnload] {
        // SAFETY: the object is alive during the call.
        let answer = unsafe { events.RegisterActionOnEvent(event, Lent::new(&action())) };
        assert_eq!(answer, S_OK);
    }
    start(&host);
    host
}

pub fn managed_code_exits(library: &Library, version: &str) {
    let answer = call(&told(library, version), "Exit", "7");
    panic!("still here: {answer:?}");
}

pub fn the_host_exits(library: &Library, version: &str) {
    told(library, version);
    // SAFETY: the object is alive, and its method takes no pointers.
    let answer = unsafe { library.meta_host().ExitProcess(42) };
    panic!("still here: {answer:?}");
}

/// .NET does not shut down then, and gives no notification.
pub fn main_returns(library: &Library, version: &str) {
    assert_eq!(call(&told(library, version), "Length", "abc"), Ok(3));
}

pub fn an_exception_is_not_caught(library: &Library, version: &str) {
    let answer = call(&told(library, version), "Unhandled", "on purpose");
    panic!("still here: {answer:?}");
}

pub fn managed_code_fails_fast(library: &Library, version: &str) {
    let answer = call(&told(library, version), "FailFast", "on purpose");
    panic!("still here: {answer:?}");
}

pub fn the_stack_overflows(library: &Library, version: &str) {
    let answer = call(&told(library, version), "Overflow", "1");
    panic!("still here: {answer:?}");
}

/// Its assemblies go, but the domain stays, and that is what the event is about.
pub fn a_load_context_is_unloaded(library: &Library, version: &str) {
    let host = told(library, version);
    assert_eq!(call(&host, "Unload", assembly().to_str().unwrap()), Ok(1));
    assert_eq!(call(&host, "CollectTwice", ""), Ok(1));
}

pub fn exits_are_told_without_managed_help(library: &Library, version: &str) {
    let host = library.host(version);
    watch(&host, S_OK);
    let controls = control(&host);
    crate::runs::close(&controls);
    start(&host);
    // SAFETY: the object is alive, and its method takes no pointers.
    let answer = unsafe { library.meta_host().ExitProcess(0) };
    panic!("still here: {answer:?}");
}

pub fn what_happens_anyway_can_be_asked_for(library: &Library, version: &str) {
    let host = library.host(version);
    let policy = manager::<ICLRPolicyManager>(&control(&host)).unwrap();
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe {
        assert_eq!(policy.SetDefaultAction(OPR_ProcessExit, eExitProcess), S_OK);
        let other = policy.SetDefaultAction(OPR_ProcessExit, eRudeExitProcess);
        assert_eq!(other, E_NOTIMPL);
        let unload = policy.SetDefaultAction(OPR_AppDomainUnload, eUnloadAppDomain);
        assert_eq!(unload, S_OK);
        assert_eq!(
            policy.SetActionOnFailure(FAIL_FatalRuntime, eRudeExitProcess),
            S_OK
        );
        assert_eq!(
            policy.SetActionOnFailure(FAIL_StackOverflow, eDisableRuntime),
            E_NOTIMPL
        );
        assert_eq!(
            policy.SetActionOnFailure(FAIL_FatalRuntime, EPolicyAction(10)),
            E_INVALIDARG
        );
        assert_eq!(policy.SetTimeout(OPR_ProcessExit, u32::MAX), S_OK);
        assert_eq!(policy.SetTimeout(OPR_ProcessExit, 1000), E_NOTIMPL);
        assert_eq!(
            policy.SetUnhandledExceptionPolicy(eRuntimeDeterminedPolicy),
            S_OK
        );
        assert_eq!(
            policy.SetUnhandledExceptionPolicy(EClrUnhandledException(2)),
            E_INVALIDARG
        );
    }
}

/// From .NET 10 on an unhandled exception can end its thread alone, as in .NET Framework 1.
pub fn a_host_decides_on_uncaught_exceptions(library: &Library, version: &str) {
    let host = library.host(version);
    let policy = manager::<ICLRPolicyManager>(&control(&host)).unwrap();
    let able = version.split('.').next().unwrap().parse::<u32>().unwrap() >= 10;
    // SAFETY: the object is alive, and its method takes no pointers.
    let decide = |who| unsafe { policy.SetUnhandledExceptionPolicy(who) };
    let expected = if able { S_OK } else { E_NOTIMPL };
    assert_eq!(decide(eHostDeterminedPolicy), expected);
    start(&host);
    assert_eq!(decide(eHostDeterminedPolicy), expected);
    if able {
        assert_eq!(decide(eRuntimeDeterminedPolicy), E_NOTIMPL);
        assert_eq!(call(&host, "Unhandled", "on purpose"), Ok(0));
        assert_eq!(call(&host, "Length", "abc"), Ok(3));
    }
}

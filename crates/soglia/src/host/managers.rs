//! `IHostGCManager` and `IHostPolicyManager`: what hosts are told besides crossings.

use soglia_abi::hosting::policy::{EClrFailure, EClrOperation, EPolicyAction};

/// What a host is told of suspensions: when all managed threads stand still. `IHostGCManager`.
///
/// The methods are called in the middle of that: they must be quick, and do nothing that waits for managed code.
pub trait HostGcManager: Send + Sync {
    /// The calling thread is about to wait for a suspension to end.
    fn thread_is_blocking_for_suspension(&self) {}

    /// A suspension begins. On the thread that suspends the others.
    fn suspension_starting(&self) {}

    /// It has ended: the generation that was collected, or `None` if it was for something else.
    fn suspension_ending(&self, _generation: Option<u32>) {}
}

/// What a host is told when the CLR acts on a failure: `IHostPolicyManager`.
pub trait HostPolicyManager: Send + Sync {
    /// An operation took its default action.
    fn on_default_action(&self, _operation: Operation, _action: Action) {}

    /// An operation took too long.
    fn on_timeout(&self, _operation: Operation, _action: Action) {}

    /// Something failed.
    fn on_failure(&self, _failure: Failure, _action: Action) {}
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($c:ident) { $($(#[$value_doc:meta])* $value:ident = $number:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
            /// Another one, by its number.
            Other(u32),
        }

        impl From<$c> for $name {
            fn from(c: $c) -> Self {
                match c.0 {
                    $($number => Self::$value,)*
                    other => Self::Other(other),
                }
            }
        }
    )*};
}

numbers! {
    /// What the CLR does that can take long or fail: `EClrOperation`.
    Operation(EClrOperation) {
        /// A thread is aborted.
        ThreadAbort = 0,
        /// A thread is aborted without running its handlers.
        ThreadRudeAbortInNonCriticalRegion = 1,
        /// The same while it held a lock.
        ThreadRudeAbortInCriticalRegion = 2,
        /// A domain is unloaded.
        AppDomainUnload = 3,
        /// A domain is unloaded without running handlers.
        AppDomainRudeUnload = 4,
        /// The process ends.
        ProcessExit = 5,
        /// Finalizers run.
        FinalizerRun = 6,
    }

    /// What can fail: `EClrFailure`.
    Failure(EClrFailure) {
        /// A resource, while no lock was held.
        NonCriticalResource = 0,
        /// A resource, while a lock was held.
        CriticalResource = 1,
        /// The runtime itself.
        FatalRuntime = 2,
        /// A lock whose owner is gone.
        OrphanedLock = 3,
        /// No stack was left.
        StackOverflow = 4,
        /// An access to memory that is not there.
        AccessViolation = 5,
        /// A contract in managed code.
        CodeContract = 6,
    }

    /// What is done about it: `EPolicyAction`.
    Action(EPolicyAction) {
        /// Nothing.
        None = 0,
        /// An exception is thrown.
        ThrowException = 1,
        /// The thread is aborted.
        AbortThread = 2,
        /// The same, without running its handlers.
        RudeAbortThread = 3,
        /// The domain is unloaded.
        UnloadAppDomain = 4,
        /// The same, without running handlers.
        RudeUnloadAppDomain = 5,
        /// The process ends in order.
        ExitProcess = 6,
        /// The process ends without finalizers.
        FastExitProcess = 7,
        /// The process ends at once.
        RudeExitProcess = 8,
        /// The runtime runs no more managed code.
        DisableRuntime = 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soglia_abi::hosting::policy::*;

    #[test]
    fn numbers_have_the_names_of_the_header() {
        assert_eq!(Operation::from(OPR_FinalizerRun), Operation::FinalizerRun);
        assert_eq!(Failure::from(FAIL_StackOverflow), Failure::StackOverflow);
        assert_eq!(Action::from(eDisableRuntime), Action::DisableRuntime);
        assert_eq!(Action::from(MaxPolicyAction), Action::Other(10));
    }
}

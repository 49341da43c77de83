//! Notifications besides crossings: `IHostGCManager` and `IHostPolicyManager`.

use soglia_abi::hosting::policy::{EClrFailure, EClrOperation, EPolicyAction};

/// Notified of suspensions, in which all managed threads stand still: `IHostGCManager`.
///
/// The methods are called during a suspension. They must be quick, and must not wait for managed
/// code.
pub trait HostGcManager: Send + Sync {
    /// The calling thread is about to wait for the end of a suspension.
    fn thread_is_blocking_for_suspension(&self) {}

    /// A suspension begins. Called on the thread that suspends the others.
    fn suspension_starting(&self) {}

    /// The suspension has ended. It was for a collection of that generation, or for another reason
    /// with `None`.
    fn suspension_ending(&self, _generation: Option<u32>) {}
}

/// Notified when the CLR acts on a failure: `IHostPolicyManager`.
pub trait HostPolicyManager: Send + Sync {
    /// An operation took its default action.
    fn on_default_action(&self, _operation: Operation, _action: Action) {}

    /// An operation took too long.
    fn on_timeout(&self, _operation: Operation, _action: Action) {}

    /// A failure happened.
    fn on_failure(&self, _failure: Failure, _action: Action) {}
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($c:ident) { $($(#[$value_doc:meta])* $value:ident = $number:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
            /// Another value, by its number.
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
    /// An operation of the CLR that can take long or fail: `EClrOperation`.
    Operation(EClrOperation) {
        /// A thread is aborted.
        ThreadAbort = 0,
        /// A thread that holds no lock is aborted without its handlers.
        ThreadRudeAbortInNonCriticalRegion = 1,
        /// A thread that holds a lock is aborted without its handlers.
        ThreadRudeAbortInCriticalRegion = 2,
        /// A domain is unloaded.
        AppDomainUnload = 3,
        /// A domain is unloaded without handlers.
        AppDomainRudeUnload = 4,
        /// The process ends.
        ProcessExit = 5,
        /// Finalizers run.
        FinalizerRun = 6,
    }

    /// What can fail: `EClrFailure`.
    Failure(EClrFailure) {
        /// A resource was missing while no lock was held.
        NonCriticalResource = 0,
        /// A resource was missing while a lock was held.
        CriticalResource = 1,
        /// The runtime itself failed.
        FatalRuntime = 2,
        /// A lock's owner has ended.
        OrphanedLock = 3,
        /// No stack was left.
        StackOverflow = 4,
        /// Code accessed memory that is not there.
        AccessViolation = 5,
        /// A contract in managed code was violated.
        CodeContract = 6,
    }

    /// What the CLR does about it: `EPolicyAction`.
    Action(EPolicyAction) {
        /// Nothing.
        None = 0,
        /// An exception is thrown.
        ThrowException = 1,
        /// The thread is aborted.
        AbortThread = 2,
        /// The thread is aborted without its handlers.
        RudeAbortThread = 3,
        /// The domain is unloaded.
        UnloadAppDomain = 4,
        /// The domain is unloaded without handlers.
        RudeUnloadAppDomain = 5,
        /// The process ends, with its exit handlers.
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

//! The variables by which the tool talks to the engine. The engine removes them, and those of the CLR that brought it
//! here, from the environment of the process: neither the program nor its children shall see them.

use soglia_abi::GUID;

/// The recording: made by the tool, claimed by the first .NET process that finds this.
pub const RECORDING: &str = "SOGLIA_RECORDING";
/// Which file that is ([`soglia_core::trace::identity`]): no other is written to.
pub const IDENTITY: &str = "SOGLIA_RECORDING_ID";
/// Set: child processes record too, each into a file of its own, named after this one and their process id.
pub const FOLLOW: &str = "SOGLIA_FOLLOW";
/// `woven`: crossings come from wrappers. `auto`: the same if that is possible. Else: from the CLR's transitions.
pub const SOURCE: &str = "SOGLIA_SOURCE";
/// Whose calls wrappers are put around: `user`, which is the default, `framework` or `corelib`.
pub const SCOPE: &str = "SOGLIA_SCOPE";
/// Which calls shall be refused, redirected or left alone: [`soglia_core::policy`].
pub const POLICY: &str = "SOGLIA_POLICY";
/// How long native calls may take: [`soglia_core::deadline`].
pub const DEADLINES: &str = "SOGLIA_DEADLINES";
/// How many tasks may run managed code at a time, and how long they wait for that:
/// [`soglia_core::admission::Bound`].
pub const SLOTS: &str = "SOGLIA_SLOTS";
/// Set: something of the above must hold, or no managed code may run: [`crate::required`].
pub const REQUIRED: &str = "SOGLIA_REQUIRED";
/// Set: calls by function pointer that the CLR tells are told apart by the assembly that makes them, which takes
/// microseconds each. For comparing sources.
pub const CALLERS: &str = "SOGLIA_CALLERS";
/// Set: callbacks answer at once and nothing is recorded. The floor for benchmarks.
pub const FLOOR: &str = "SOGLIA_FLOOR";
/// What the CLR was told, so that it loaded us.
pub const OF_THE_CLR: [&str; 4] = [
    "CORECLR_ENABLE_PROFILING",
    "CORECLR_PROFILER",
    "CORECLR_PROFILER_PATH",
    "CORECLR_PROFILER_PATH_64",
];
/// All of ours that are removed.
pub const OURS: [&str; 10] = [
    RECORDING, IDENTITY, FOLLOW, SOURCE, SCOPE, CALLERS, POLICY, DEADLINES, SLOTS, REQUIRED,
];

/// The engine as a class: the value of `CORECLR_PROFILER`.
pub const CLSID: GUID = GUID::from_u128(0xc0abd621_c39c_49f8_a54a_cc5e2bb795c7);

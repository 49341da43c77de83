//! The variables by which the tool, or a user without the tool, passes options to the engine. The
//! engine removes them, and those by which the CLR found it, from the environment of the process:
//! neither the program nor its children see them.
//!
//! Those that users set are described in docs/environment.md. Their meaning stays.
//!
//! To a process that runs already, the tool sends the same names in a message
//! ([`crate::settings`]).

use soglia_abi::GUID;

/// The path of the recording. The tool makes it, and the first .NET process that finds this
/// variable claims it. Without the tool, it is a pattern of paths, and the engine makes the
/// recording ([`crate::start`]).
pub const RECORDING: &str = "SOGLIA_RECORDING";
/// Which file that is ([`soglia_core::trace::identity`]). The engine writes to no other.
pub const IDENTITY: &str = "SOGLIA_RECORDING_ID";
/// Set: child processes record too, each into its own file, named after this one and their process
/// id.
pub const FOLLOW: &str = "SOGLIA_FOLLOW";
/// `woven`: wrappers. `auto`: wrappers, if they are possible. Otherwise: the runtime's callbacks.
pub const SOURCE: &str = "SOGLIA_SOURCE";
/// Without the tool: `summary` or `events`.
pub const RECORD: &str = "SOGLIA_RECORD";
/// Without the tool: `sampled`, `exact` or `off`.
pub const TIMES: &str = "SOGLIA_TIMES";
/// Without the tool: from which duration on calls are slow, or `off`.
pub const SLOW: &str = "SOGLIA_SLOW";
/// Without the tool: the most bytes of the recording.
pub const MAX_SIZE: &str = "SOGLIA_MAX_SIZE";
/// Without the tool: how many recordings the folder keeps.
pub const KEEP: &str = "SOGLIA_KEEP";
/// Whose calls get wrappers: `user`, which is the default, `framework` or `corelib`.
pub const SCOPE: &str = "SOGLIA_SCOPE";
/// Which calls to deny, redirect or skip: [`soglia_core::policy`].
pub const POLICY: &str = "SOGLIA_POLICY";
/// How long native calls may take: [`soglia_core::deadline`].
pub const DEADLINES: &str = "SOGLIA_DEADLINES";
/// How long any native call may be open before it is reported: [`soglia_core::deadline::Stuck`],
/// or, without the tool, a duration or `off`.
pub const STUCK: &str = "SOGLIA_STUCK";
/// Whose arguments are recorded: [`soglia_core::arguments::Choice`].
pub const ARGUMENTS: &str = "SOGLIA_ARGUMENTS";
/// How many tasks may run managed code at a time, and how long they wait for that:
/// [`soglia_core::admission::Bound`].
pub const SLOTS: &str = "SOGLIA_SLOTS";
/// With a host, set: loops and calls look whether their task is aborted: [`crate::host::polls`].
pub const POLLS: &str = "SOGLIA_POLLS";
/// Set: some of the above must hold, or no managed code may run: [`crate::required`].
pub const REQUIRED: &str = "SOGLIA_REQUIRED";
/// Set: with runtime callbacks, calls by function pointer are distinguished by the assembly that
/// makes them. That takes microseconds for each, and is for comparing sources.
pub const CALLERS: &str = "SOGLIA_CALLERS";
/// Set: callbacks return at once and nothing is recorded. The floor for benchmarks.
pub const FLOOR: &str = "SOGLIA_FLOOR";
/// The variables by which the CLR finds the engine.
pub const OF_THE_CLR: [&str; 4] = [
    "CORECLR_ENABLE_PROFILING",
    "CORECLR_PROFILER",
    "CORECLR_PROFILER_PATH",
    "CORECLR_PROFILER_PATH_64",
];
/// All variables above that the engine removes.
pub const OURS: [&str; 18] = [
    RECORDING, IDENTITY, FOLLOW, RECORD, TIMES, SLOW, MAX_SIZE, KEEP, SOURCE, SCOPE, CALLERS,
    POLICY, DEADLINES, STUCK, SLOTS, REQUIRED, ARGUMENTS, POLLS,
];

/// The engine's class id: the value of `CORECLR_PROFILER`.
pub const CLSID: GUID = GUID::from_u128(0xc0abd621_c39c_49f8_a54a_cc5e2bb795c7);

//! The threads of the process, as the kernel sees them.

use std::fs;

use crate::other_threads::{
    native::Frames,
    proc::{self, Doing},
};

/// A thread.
pub(super) struct Seen {
    pub os_thread: u32,
    /// Its own name, if it has one.
    pub name: Option<String>,
    pub doing: Option<Doing>,
    pub native: Frames,
}

/// All threads except those of the engine, by number.
pub(super) fn all() -> Vec<Seen> {
    let of_process = fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let entries = fs::read_dir("/proc/self/task").into_iter().flatten();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    let seen = |os_thread: u32| {
        let name = fs::read_to_string(format!("/proc/self/task/{os_thread}/comm")).ok()?;
        if is_of_engine(name.trim_end(), of_process.trim_end()) {
            return None;
        }
        Some(Seen {
            os_thread,
            // A thread without a name of its own has the name of the process.
            name: (name != of_process).then(|| name.trim_end().to_owned()),
            doing: proc::doing(os_thread),
            native: Frames::default(),
        })
    };
    numbers.into_iter().filter_map(seen).collect()
}

/// Whether the engine gives its threads such a name. Where the process itself has it, as when the
/// tool runs an assembly, its threads do too.
fn is_of_engine(name: &str, of_process: &str) -> bool {
    name.starts_with("soglia-") || name == "soglia" && of_process != name
}

#[cfg(test)]
mod tests {
    use super::is_of_engine;

    #[test]
    fn threads_of_the_engine_are_known_by_their_names() {
        assert!(is_of_engine("soglia", "dotnet") && is_of_engine("soglia-stacks", "soglia"));
        assert!(!is_of_engine("soglia", "soglia") && !is_of_engine("dotnet", "dotnet"));
    }
}

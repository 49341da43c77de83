//! How the engine gets into the runtime that a host starts: by the variables that make CoreCLR load
//! a profiler.

use std::{
    env,
    ffi::OsString,
    fs::File,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use soglia_abi::{HRESULT, hresult};
use soglia_core::{
    mappings,
    trace::{
        reader::note_of,
        writer::{self, Level},
    },
};

use crate::{objects, tail_calls, variables};

/// The private recording of a process that is not recorded.
static OWN: Mutex<Option<(File, PathBuf)>> = Mutex::new(None);

/// Where the engine writes while a host starts the runtime. `None` if no host does. Nothing reads
/// it.
pub fn recording() -> Option<PathBuf> {
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    own.as_ref().map(|(_, path)| path.clone())
}

/// Why the engine would not record while a host started the runtime, if it said so.
pub fn why_not() -> Option<String> {
    note_of(&recording()?)
}

/// The variables that bring the engine into the runtime, for as long as this lives.
pub struct Variables {
    before: Vec<(&'static str, Option<OsString>)>,
}

impl Variables {
    /// Sets them, if the host wants notifications or the process is recorded.
    ///
    /// # Errors
    /// `CORPROF_E_PROFILER_ALREADY_ACTIVE` if the host wants notifications and the environment
    /// names another profiler.
    pub fn set(notifies: bool) -> Result<Self, HRESULT> {
        let mut variables = Self { before: Vec::new() };
        let recorded = env::var_os(variables::RECORDING).is_some();
        if !notifies && !recorded {
            return Ok(variables);
        }
        let guid = format!("{{{:?}}}", crate::variables::CLSID);
        if another_profiler(&guid) {
            return if notifies {
                Err(hresult::CORPROF_E_PROFILER_ALREADY_ACTIVE)
            } else {
                Ok(variables)
            };
        }
        let file = own_file().ok_or(hresult::E_FAIL)?;
        if !recorded {
            let options = writer::Options {
                level: Level::Summary,
                max_bytes: 64 << 20,
                slow_ns: 0,
                sampling: None,
            };
            let made = writer::create_unnamed(&options).map_err(|_| hresult::E_OUTOFMEMORY)?;
            *OWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        }
        let [enable, class, path, path_64] = variables::OF_THE_CLR;
        variables.put(enable, Some("1".into()));
        variables.put(class, Some(guid.into()));
        variables.put(path, Some(file.into()));
        // The runtime prefers this variable to the other.
        variables.put(path_64, None);
        let (tail_calls, keep) = tail_calls::VARIABLE;
        if recorded && env::var_os(tail_calls).is_none() {
            variables.put(tail_calls, Some(keep.into()));
        }
        Ok(variables)
    }

    fn put(&mut self, name: &'static str, value: Option<OsString>) {
        self.before.push((name, env::var_os(name)));
        set(name, value);
    }
}

impl Drop for Variables {
    fn drop(&mut self) {
        OWN.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The tool has set them for the engine. The engine removes them when it is loaded, or
        // leaves them for child processes.
        let for_us = |(name, value): &(&str, Option<OsString>)| {
            *name == variables::OF_THE_CLR[1] && value.is_some()
        };
        if !self.before.iter().any(for_us) {
            for (name, value) in self.before.drain(..) {
                set(name, value);
            }
        }
    }
}

/// A variable that the runtime reads when it starts, for as long as this lives. A variable that is
/// already set keeps its value.
pub struct Variable(&'static str);

impl Variable {
    pub fn set(name: &'static str, value: String) -> Option<Self> {
        let absent = env::var_os(name).is_none();
        absent.then(|| set(name, Some(value.into())))?;
        Some(Self(name))
    }
}

impl Drop for Variable {
    fn drop(&mut self) {
        set(self.0, None);
    }
}

fn set(name: &str, value: Option<OsString>) {
    // SAFETY: glibc's and Rust's locks cover other writers; what is left is another thread of the
    // host that reads its environment without a lock at this moment. Start is documented to change
    // it.
    unsafe {
        match value {
            Some(value) => env::set_var(name, value),
            None => env::remove_var(name),
        }
    }
}

/// Whether the environment brings another profiler into the runtime.
fn another_profiler(own: &str) -> bool {
    ["CORECLR", "DOTNET"].iter().any(|prefix| {
        let read = |name: &str| env::var_os(format!("{prefix}_{name}")).unwrap_or_default();
        let on = read("ENABLE_PROFILING");
        let class = read("PROFILER");
        !on.is_empty() && on != "0" && !class.is_empty() && !class.eq_ignore_ascii_case(own)
    })
}

/// The file of this library, under the name by which it was loaded. The loader recognises the file,
/// so there is no second copy.
pub fn own_file() -> Option<PathBuf> {
    let address = recording as *const ();
    let path = mappings::at(address as usize as u64)?.path?;
    if path.as_os_str().as_encoded_bytes().starts_with(b"/memfd:") {
        // It lies in memory only, in a host that carries it. The loader's name leads there.
        let (name, _) = objects::object_at(address.cast_mut().cast())?;
        return Some(name.into());
    }
    Some(path)
}

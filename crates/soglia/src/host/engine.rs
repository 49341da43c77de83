//! The engine, as hosts use it: where `libsoglia.so` is, and the functions that it exports.

#![allow(unsafe_code, reason = "functions of a loaded library")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null;

use soglia_abi::hosting::metahost::{CLSID_CLRMetaHost, ICLRMetaHost};
use soglia_abi::{GUID, HRESULT};
use soglia_dotnet::Lookup;
use soglia_dotnet::library::Library;

use super::clr::given;
use super::{Answer, Error, HResult};

/// The engine's file.
const FILE: &str = "libsoglia.so";

/// The variable that names it.
const VARIABLE: &str = "SOGLIA_ENGINE";

/// Where `make install` puts it, with the usual prefixes.
const INSTALLED: [&str; 2] = ["/usr/local/lib/soglia", "/usr/lib/soglia"];

/// Finds the engine: the file that is named, by the host or by the variable, or else one near `host`, the host's own file, or an
/// installed one.
pub(super) fn find(named: Option<&Path>, env: Lookup<'_>, host: &Path) -> Result<PathBuf, Error> {
    let by_variable = || env(VARIABLE).filter(|value| !value.is_empty());
    if let Some(named) = named
        .map(PathBuf::from)
        .or_else(|| by_variable().map(PathBuf::from))
    {
        return match named.canonicalize() {
            Ok(file) if file.is_file() => Ok(file),
            _ => Err(Error::EngineNotThere(named)),
        };
    }
    let host = host.canonicalize().unwrap_or_else(|_| host.to_owned());
    let places = places(&host);
    match places.iter().find(|place| place.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(Error::EngineNotFound(places)),
    }
}

fn places(host: &Path) -> Vec<PathBuf> {
    let beside = host.parent().unwrap_or(Path::new("/"));
    // Cargo puts examples and tests one folder below what it has built; others put programs into bin/.
    let above = beside.parent().unwrap_or(beside);
    let near = [
        beside.to_owned(),
        above.to_owned(),
        above.join("lib"),
        above.join("lib/soglia"),
    ];
    let installed = INSTALLED.iter().map(PathBuf::from);
    let mut places = Vec::new();
    for place in near.into_iter().chain(installed) {
        let file = place.join(FILE);
        if !places.contains(&file) {
            places.push(file);
        }
    }
    places
}

/// The engine, loaded for good.
pub(super) struct Engine {
    path: PathBuf,
    library: Library,
}

impl Engine {
    pub fn load(path: PathBuf) -> Result<Self, Error> {
        let library = Library::open(&path).map_err(|why| Error::EngineUnusable {
            path: path.clone(),
            reason: why.to_string(),
        })?;
        Ok(Self { path, library })
    }

    /// # Safety
    /// `F` is the type of a pointer to that function.
    unsafe fn function<F: Copy>(&self, name: &CStr) -> Result<F, Error> {
        // SAFETY: by the contract.
        unsafe { self.library.function(name) }.map_err(|_| Error::EngineUnusable {
            path: self.path.clone(),
            reason: format!("it has no {}", name.to_string_lossy()),
        })
    }

    /// The way to everything else.
    pub fn meta_host(&self) -> Result<ICLRMetaHost, Error> {
        type Create =
            unsafe extern "system" fn(*const GUID, *const GUID, *mut *mut c_void) -> HRESULT;
        // SAFETY: its type, two GUIDs and a place for the object, which has the interface that is asked for.
        unsafe {
            let create: Create = self.function(c"CLRCreateInstance")?;
            let id = &<ICLRMetaHost as windows_core::Interface>::IID;
            given(|object| create(&CLSID_CLRMetaHost, id, object))
                .map_err(|code| Error::other("CLRCreateInstance", code))
        }
    }

    /// Has the engine take the runtimes of that .NET root, or of the one that it finds. `HOST_E_INVALIDOPERATION` if one runs.
    pub fn set_root(&self, root: Option<&Path>) -> Result<Answer, Error> {
        type SetRoot = unsafe extern "system" fn(*const c_char) -> HRESULT;
        let root = root.map(|root| CString::new(root.as_os_str().as_bytes()));
        let root = root.transpose().map_err(|_| Error::ZeroByte)?;
        let root = root.as_ref().map_or(null(), |root| root.as_ptr());
        // SAFETY: its type; a C string, or null.
        unsafe {
            let set: SetRoot = self.function(c"SogliaSetDotnetRoot")?;
            Ok(HResult::check(set(root)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_engine_is_near_the_host_or_where_it_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let host = base.join("debug/examples/host");
        fs::create_dir_all(host.parent().unwrap()).unwrap();
        fs::create_dir_all(base.join("debug/lib/soglia")).unwrap();
        fs::write(&host, "").unwrap();
        let none = |_: &str| None;
        let message = find(None, &none, &host).unwrap_err().to_string();
        let near = [
            "debug/lib/soglia/libsoglia.so",
            "debug/lib/libsoglia.so",
            "debug/libsoglia.so",
            "debug/examples/libsoglia.so",
        ];
        for place in near {
            assert!(
                message.contains(base.join(place).to_str().unwrap()),
                "{message}"
            );
        }
        assert!(message.contains(VARIABLE) && message.contains("/usr/local/lib/soglia"));
        for place in near {
            fs::write(base.join(place), "").unwrap();
            assert_eq!(find(None, &none, &host).unwrap(), base.join(place));
        }
        let env = |name: &str| (name == VARIABLE).then(|| base.join(near[0]).into());
        assert_eq!(find(None, &env, &host).unwrap(), base.join(near[0]));
        // What the program says counts before what the environment says.
        let named = base.join(near[1]);
        assert_eq!(find(Some(&named), &env, &host).unwrap(), named);
        let absent = find(Some(Path::new("/absent.so")), &env, &host);
        assert!(absent.unwrap_err().to_string().contains("/absent.so"));
        let empty = |name: &str| (name == VARIABLE).then(Default::default);
        assert_eq!(find(None, &empty, &host).unwrap(), base.join(near[3]));
    }

    #[test]
    fn another_library_is_told_from_the_engine() {
        let engine = Engine::load("libc.so.6".into()).unwrap();
        let message = engine.meta_host().unwrap_err().to_string();
        assert!(message.contains("CLRCreateInstance"), "{message}");
        let message = Engine::load("/proc/self/exe".into())
            .err()
            .unwrap()
            .to_string();
        assert!(message.contains("/proc/self/exe"), "{message}");
    }
}

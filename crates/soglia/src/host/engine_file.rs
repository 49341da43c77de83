//! Where the engine, `libsoglia.so`, is.

use std::env;
use std::path::{Path, PathBuf};

use soglia_dotnet::Lookup;

use super::error::Error;

/// The engine's file.
const FILE: &str = "libsoglia.so";

/// The engine as C hosts link it. `make install` makes it a link to [`FILE`], in the folder that
/// `pkg-config --libs soglia` names.
const LINKED: &str = "libmscoree.so";

/// The variable that names the engine's file.
const VARIABLE: &str = "SOGLIA_ENGINE";

/// Where `make install` puts the engine, with the usual prefixes.
const INSTALLED: [&str; 2] = ["/usr/local/lib/soglia", "/usr/lib/soglia"];

/// Finds the engine for the host whose own file is `host`.
///
/// A file that `named` or the variable names is the only candidate. Otherwise it is the engine that
/// the host carries, if it was built with the feature `embedded-engine`. Otherwise the first that
/// exists is taken: near the host, by the loader's own search, where `make install` puts it. The
/// result is what to give to the loader.
///
/// `loads` says whether the loader finds a library by its bare name.
///
/// # Errors
/// [`Error::EngineNotThere`] if the named file does not exist. [`Error::EngineNotFound`] lists the
/// places. With the feature, [`Error::EngineNotInMemory`].
pub(super) fn find(
    named: Option<&Path>,
    env: Lookup<'_>,
    host: &Path,
    loads: impl Fn(&Path) -> bool,
) -> Result<PathBuf, Error> {
    if let Some(file) = named_file(named, env) {
        return file;
    }
    carried().unwrap_or_else(|| find_among(&INSTALLED, env, host, loads))
}

/// The engine that the host carries, if it does.
#[cfg(feature = "embedded-engine")]
fn carried() -> Option<Result<PathBuf, Error>> {
    Some(super::embedded::file())
}

/// The engine that the host carries, if it does.
#[cfg(not(feature = "embedded-engine"))]
fn carried() -> Option<Result<PathBuf, Error>> {
    None
}

/// The file that `named` or the variable names, if one of them does.
fn named_file(named: Option<&Path>, env: Lookup<'_>) -> Option<Result<PathBuf, Error>> {
    let by_variable = || env(VARIABLE).filter(|value| !value.is_empty());
    let named = named
        .map(PathBuf::from)
        .or_else(|| by_variable().map(PathBuf::from))?;
    Some(match named.canonicalize() {
        Ok(file) if file.is_file() => Ok(file),
        _ => Err(Error::EngineNotThere(named)),
    })
}

fn find_among(
    installed: &[&str],
    env: Lookup<'_>,
    host: &Path,
    loads: impl Fn(&Path) -> bool,
) -> Result<PathBuf, Error> {
    let host = host.canonicalize().unwrap_or_else(|_| host.to_owned());
    let beside = host.parent().unwrap_or(Path::new("/"));
    // Cargo puts examples and tests one folder below what it has built; others put programs into
    // `bin`, beside `lib`.
    let above = beside.parent().unwrap_or(beside);
    let near = [beside, above].map(|folder| folder.join(FILE));
    let by_loader = [FILE, LINKED].map(PathBuf::from);
    let of_packages = env("PKG_CONFIG_PATH").unwrap_or_default();
    let far = env::split_paths(&of_packages)
        .filter(|folder| folder.is_absolute())
        .filter_map(|folder| Some(folder.parent()?.join("soglia")))
        .chain([above.join("lib"), above.join("lib/soglia")])
        .chain(installed.iter().map(PathBuf::from))
        .map(|folder| folder.join(FILE))
        .collect::<Vec<_>>();

    let is_there = |place: &&PathBuf| place.is_file();
    let found = near
        .iter()
        .find(is_there)
        .or_else(|| by_loader.iter().find(|name| loads(name)))
        .or_else(|| far.iter().find(is_there));
    found.cloned().ok_or_else(|| {
        let mut looked = Vec::new();
        for place in near.into_iter().chain(far) {
            if !looked.contains(&place) {
                looked.push(place);
            }
        }
        Error::EngineNotFound(looked)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::fs;

    /// A folder with a host in `debug/examples`.
    struct Place {
        _temp: tempfile::TempDir,
        base: PathBuf,
        host: PathBuf,
    }

    impl Place {
        fn new() -> Self {
            let temp = tempfile::tempdir().unwrap();
            let base = temp.path().canonicalize().unwrap();
            let host = base.join("debug/examples/host");
            for folder in ["debug/examples", "debug/lib/soglia", "prefix/lib/soglia"] {
                fs::create_dir_all(base.join(folder)).unwrap();
            }
            fs::write(&host, "").unwrap();
            Self {
                _temp: temp,
                base,
                host,
            }
        }

        fn pkg_config_path(&self) -> OsString {
            let folders = [
                "relative/pkgconfig".into(),
                self.base.join("prefix/lib/pkgconfig"),
            ];
            env::join_paths(folders).unwrap()
        }
    }

    const NEVER: fn(&Path) -> bool = |_| false;

    /// From the last resort to the first choice.
    #[test]
    fn the_first_of_the_places_is_taken() {
        let place = Place::new();
        let installed = place.base.join("installed");
        fs::create_dir(&installed).unwrap();
        let installed = [installed.to_str().unwrap()];
        let env = |name: &str| (name == "PKG_CONFIG_PATH").then(|| place.pkg_config_path());
        let find = |loads| find_among(&installed, &env, &place.host, loads);

        let message = find(NEVER).unwrap_err().to_string();
        let far = [
            "installed/libsoglia.so",
            "debug/lib/soglia/libsoglia.so",
            "debug/lib/libsoglia.so",
            "prefix/lib/soglia/libsoglia.so",
        ];
        let near = ["debug/libsoglia.so", "debug/examples/libsoglia.so"];
        for file in far.iter().chain(&near) {
            let file = place.base.join(file);
            assert!(message.contains(file.to_str().unwrap()), "{message}");
        }
        assert!(!message.contains("relative"), "{message}");
        assert!(message.contains(VARIABLE) && message.contains("LD_LIBRARY_PATH"));

        for file in far {
            let file = place.base.join(file);
            fs::write(&file, "").unwrap();
            assert_eq!(find(NEVER).unwrap(), file);
        }
        assert_eq!(
            find(|name| name == Path::new(LINKED)).unwrap(),
            Path::new(LINKED)
        );
        assert_eq!(find(|_| true).unwrap(), Path::new(FILE));
        for file in near {
            let file = place.base.join(file);
            fs::write(&file, "").unwrap();
            assert_eq!(find(|_| true).unwrap(), file);
        }
    }

    #[test]
    fn a_named_file_is_the_only_candidate() {
        let place = Place::new();
        let files = ["debug/one.so", "debug/two.so"];
        let [one, two] = files.map(|file| place.base.join(file));
        for file in [&one, &two] {
            fs::write(file, "").unwrap();
        }
        let env = |name: &str| (name == VARIABLE).then(|| one.clone().into());
        let find = |named| named_file(named, &env).unwrap();
        assert_eq!(find(None).unwrap(), one);
        assert_eq!(find(Some(&two)).unwrap(), two);
        let absent = find(Some(Path::new("/absent.so")));
        assert!(absent.unwrap_err().to_string().contains("/absent.so"));
        let empty = |name: &str| (name == VARIABLE).then(Default::default);
        assert!(named_file(None, &empty).is_none());
    }

    #[test]
    fn installed_engines_are_the_last_resort() {
        let place = Place::new();
        let found = find_among(&INSTALLED, &|_| None, &place.host, NEVER);
        match found {
            // An engine is installed on this machine.
            Ok(file) => assert!(INSTALLED.iter().any(|folder| file.starts_with(folder))),
            Err(why) => assert!(
                why.to_string()
                    .contains("/usr/local/lib/soglia/libsoglia.so")
            ),
        }
    }
}

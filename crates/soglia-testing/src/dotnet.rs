//! The .NET root that the tests run on.

use std::env;
use std::path::Path;

use soglia_dotnet::{CORE_FRAMEWORK, OLDEST_MAJOR, Root, Search, process_env};

/// The root that `SOGLIA_TEST_DOTNET_ROOT` names, or the one that the tool finds. The error says
/// what to do where there is none.
pub fn find() -> Result<Root, String> {
    let help =
        "these tests need .NET 8 or later: `make test` gets one, or set SOGLIA_TEST_DOTNET_ROOT";
    match env::var_os("SOGLIA_TEST_DOTNET_ROOT") {
        Some(path) => Root::at(Path::new(&path))
            .map_err(|outcome| format!("SOGLIA_TEST_DOTNET_ROOT={path:?}: {outcome:?}; {help}")),
        None => match Search::run(&process_env).root() {
            Ok(root) => Ok(root.clone()),
            Err(error) => Err(format!("{error}; {help}")),
        },
    }
}

/// As [`find`], for tests of programs.
///
/// # Panics
///
/// If there is no root: without .NET most tests check nothing, so this is no reason to skip them.
pub fn root() -> Root {
    find().unwrap_or_else(|why| panic!("{why}"))
}

/// The versions of the root's runtimes that soglia supports.
pub fn versions(root: &Root) -> Vec<String> {
    root.versions_of(CORE_FRAMEWORK)
        .iter()
        .filter(|version| version.major >= OLDEST_MAJOR)
        .map(ToString::to_string)
        .collect()
}

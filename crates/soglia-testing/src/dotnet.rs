//! The .NET root that the tests run on.

use std::env;
use std::path::Path;

use soglia_dotnet::{CORE_FRAMEWORK, OLDEST_MAJOR, Root, Search, process_env};

/// The root that `SOGLIA_TEST_DOTNET_ROOT` names, or the one that the tool finds.
///
/// # Panics
///
/// If there is none: without .NET most tests test nothing, so this is no reason to skip them.
pub fn root() -> Root {
    let help =
        "these tests need .NET 8 or later: `make test` gets one, or set SOGLIA_TEST_DOTNET_ROOT";
    match env::var_os("SOGLIA_TEST_DOTNET_ROOT") {
        Some(path) => Root::at(Path::new(&path)).unwrap_or_else(|outcome| {
            panic!("SOGLIA_TEST_DOTNET_ROOT={path:?}: {outcome:?}; {help}")
        }),
        None => match Search::run(&process_env).root() {
            Ok(root) => root.clone(),
            Err(error) => panic!("{error}; {help}"),
        },
    }
}

/// The versions of the root's runtimes that soglia supports.
pub fn versions(root: &Root) -> Vec<String> {
    root.versions_of(CORE_FRAMEWORK)
        .iter()
        .filter(|version| version.major >= OLDEST_MAJOR)
        .map(ToString::to_string)
        .collect()
}

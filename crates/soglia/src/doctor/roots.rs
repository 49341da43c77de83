//! Where .NET is, or where it was looked for.

use super::finding::{Finding, Level};
use crate::dotnet::platform::CLibrary;
use crate::dotnet::{OLDEST_MAJOR, Outcome, Root, RootError, Search, process_env};
use crate::launch;

/// One finding for each root, and what to do if there is none that the engine works with.
pub(super) fn findings(search: &Search, needed: bool) -> Vec<Finding> {
    let chosen = search.root();
    let mut findings: Vec<Finding> = search
        .roots
        .iter()
        .map(|root| {
            let is_chosen = chosen.as_ref().is_ok_and(|chosen| *chosen == root);
            of_root(root, search.found_by(root), is_chosen)
        })
        .collect();
    match chosen {
        Ok(_) => findings.extend(elsewhere(search)),
        Err(error) => findings.push(missing(search, &error, needed)),
    }
    findings
}

/// The places that have no root.
fn elsewhere(search: &Search) -> Option<Finding> {
    let places: Vec<_> = search
        .looked
        .iter()
        .filter(|looked| looked.outcome != Outcome::Root)
        .filter_map(|looked| Some(looked.path.as_deref()?.display().to_string()))
        .collect();
    let detail = format!("also looked at {}", places.join(", "));
    (!places.is_empty()).then(|| Finding::ok(".NET", detail))
}

/// No root, with every place that was looked at.
fn missing(search: &Search, error: &RootError, needed: bool) -> Finding {
    let detail = match error {
        RootError::NotFound => format!("no .NET {OLDEST_MAJOR} or later; looked at"),
        error => format!("{error}; looked at"),
    };
    let advice = format!(
        "install .NET {OLDEST_MAJOR} or later (https://dotnet.microsoft.com/download), or set DOTNET_ROOT to one; \
         only programs that bring their own runtime run without"
    );
    let finding = if needed {
        Finding::fail(".NET", detail, advice)
    } else {
        Finding::warn(".NET", detail, advice)
    };
    finding.noting(search.looked.iter().map(ToString::to_string))
}

fn of_root(root: &Root, by: &str, chosen: bool) -> Finding {
    let frameworks: Vec<_> = root
        .frameworks
        .iter()
        .map(|(name, versions)| {
            let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
            format!("{name} {}", versions.join(" "))
        })
        .collect();
    let muxer = match root.muxer {
        Some(_) => "",
        None => ", without a dotnet command",
    };
    let detail = format!(
        "{} ({by}, host {}{muxer}): {}",
        root.path.display(),
        root.hostfxr_version,
        if frameworks.is_empty() {
            "no frameworks".to_owned()
        } else {
            frameworks.join(", ")
        }
    );
    let of_root = CLibrary::of_library(&root.hostfxr);
    let tool = std::env::current_exe().unwrap_or_default();
    let engine = of_root.map(|of_root| launch::engine_for(&tool, &process_env, of_root));
    if let (Some(of_root), Some(Err(_))) = (of_root, engine) {
        let advice = format!(
            "it is built for {}, and there is no engine for that here: install the {} build of .NET, or soglia for {}",
            of_root.name(),
            CLibrary::of_system().platform(),
            of_root.platform(),
        );
        let level = if chosen { Level::Fail } else { Level::Warn };
        return Finding {
            level,
            ..Finding::warn(".NET", detail, advice)
        };
    }
    if chosen {
        return Finding::ok(".NET", detail);
    }
    Finding {
        level: Level::Ok,
        ..Finding::warn(
            ".NET",
            detail,
            "not used: another one comes first, or this one is too old; DOTNET_ROOT decides",
        )
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn none(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn a_missing_root_is_a_failure_only_if_it_is_needed() {
        let temp = tempfile::tempdir().unwrap();
        let search = Search::under(temp.path(), &none);
        assert_eq!(findings(&search, true)[0].level, Level::Fail);
        assert_eq!(findings(&search, false)[0].level, Level::Warn);
    }

    #[test]
    fn every_place_is_listed_where_none_has_a_root() {
        let temp = tempfile::tempdir().unwrap();
        let tool = temp.path().join("bin/soglia");
        let search = Search::under(temp.path(), &none).and_beside(&tool);
        let [finding] = &findings(&search, true)[..] else {
            panic!("one finding");
        };
        assert_eq!(finding.detail, "no .NET 8 or later; looked at");
        assert_eq!(finding.notes.len(), search.looked.len());
        for place in [
            "DOTNET_ROOT: not set",
            "dotnet on PATH: none",
            "/etc/dotnet/install_location: none",
            "usr/share/dotnet (usual place): absent",
            "bin/dotnet-root (beside soglia): absent",
        ] {
            let mut notes = finding.notes.iter();
            assert!(notes.any(|note| note.ends_with(place)), "{finding:?}");
        }
        assert!(
            finding.advice.contains("install .NET 8") && finding.advice.contains("DOTNET_ROOT")
        );
    }
}

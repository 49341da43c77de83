//! Which file a native function is in, if its name does not show that.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    path::Path,
};

use soglia_core::plain::plain;

use crate::model::TargetRow;

/// Names that targets in several files share.
#[derive(Default)]
pub(super) struct Files {
    in_several: HashSet<String>,
}

impl Files {
    /// Looks at all targets of a report.
    pub(super) fn of(all: &[TargetRow]) -> Self {
        let mut first = HashMap::new();
        let mut in_several = HashSet::new();
        for row in all.iter().filter(|row| row.library.is_some()) {
            let place = (&row.file, &row.symbol);
            let name = row.name();
            match first.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert(place)),
                Entry::Occupied(entry) if *entry.get() != place => {
                    in_several.insert(entry.key().clone());
                }
                Entry::Occupied(_) => {}
            }
        }
        Self { in_several }
    }

    /// The file that a target is in, with the function there if it has another name. `None` if the
    /// name of the target shows the file, and no other target of that name is elsewhere.
    pub(super) fn place(&self, row: &TargetRow) -> Option<String> {
        let (library, file) = (row.library.as_deref()?, row.file.as_deref()?);
        let several = self.in_several.contains(&row.name());
        let expected = row.redirected_to.as_deref().map_or(library, |to| {
            to.split_once('!').map_or(to, |(library, _)| library)
        });
        if !several && fits(Path::new(file), expected) {
            return None;
        }
        let symbol = row.symbol.as_deref();
        let named = symbol.filter(|symbol| several && Some(*symbol) != row.entry.as_deref());
        Some(match named {
            Some(symbol) => format!("{} in {}", plain(symbol), plain(file)),
            None => format!("in {}", plain(file)),
        })
    }
}

/// Whether a file is what the runtime finds for this library. The runtime tries the name as it is,
/// with `lib` in front, and with `.so` at the end.
fn fits(file: &Path, library: &str) -> bool {
    let name = |of: &Path| {
        of.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let bare = |name: &str| -> String {
        // `libm.so.6`, `m.so`, `libm`, `m` are all `m`.
        let name = name.split(".so").next().unwrap_or(name);
        name.strip_prefix("lib").unwrap_or(name).to_owned()
    };
    match (name(file), name(Path::new(library))) {
        (Some(file), Some(library)) => file == library || bare(&file) == bare(&library),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn row(library: &str, entry: &str, file: &str) -> TargetRow {
        TargetRow {
            library: Some(library.into()),
            entry: Some(entry.into()),
            file: Some(file.into()),
            symbol: Some(entry.into()),
            ..TargetRow::default()
        }
    }

    fn lies_in(row: &TargetRow, all: &[TargetRow]) -> Option<String> {
        Files::of(all).place(row)
    }

    #[test]
    fn a_file_is_shown_if_the_name_is_another() {
        for library in ["c", "libc", "libc.so.6", "/lib/libc.so.6"] {
            let row = row(library, "read", "/lib/libc.so.6");
            assert_eq!(lies_in(&row, from_ref(&row)), None, "{library}");
        }
        let virtual_name = row("virtual-name", "f", "/x/libreal.so");
        let shown = lies_in(&virtual_name, from_ref(&virtual_name));
        assert_eq!(shown.as_deref(), Some("in /x/libreal.so"));
    }

    #[test]
    fn files_of_targets_with_one_name_are_shown() {
        let (one, mut other) = (row("x", "f", "/v1/libx.so"), row("x", "f", "/v2/libx.so"));
        let both = [one.clone(), other.clone()];
        assert_eq!(lies_in(&one, &both).as_deref(), Some("in /v1/libx.so"));
        assert_eq!(lies_in(&other, &both).as_deref(), Some("in /v2/libx.so"));
        other.symbol = Some("g".into());
        let both = [one, other.clone()];
        assert_eq!(lies_in(&other, &both).as_deref(), Some("g in /v2/libx.so"));
    }

    #[test]
    fn a_redirected_call_is_expected_in_its_new_library() {
        let mut row = row("x", "f", "/lib/liby.so");
        row.redirected_to = Some("y!g".into());
        assert_eq!(lies_in(&row, from_ref(&row)), None);
    }
}

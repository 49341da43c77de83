//! Where a native function lies, if its name does not say that.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    path::Path,
};

use soglia_core::plain::plain;

use crate::model::TargetRow;

/// Names that targets in several files have.
#[derive(Default)]
pub(super) struct Files {
    in_several: HashSet<String>,
}

impl Files {
    /// Of all targets of a report.
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

    /// The file that a target lies in, where it is not the one that the name suggests, or where
    /// other targets of that name lie in others. With the function there, if that has another name.
    pub(super) fn tell(&self, row: &TargetRow) -> Option<String> {
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

/// Whether a file is what the runtime finds for this library: it tries the name as it is, with
/// `lib` before and `.so` behind.
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
        Files::of(all).tell(row)
    }

    #[test]
    fn a_file_is_told_where_the_name_is_another() {
        for library in ["c", "libc", "libc.so.6", "/lib/libc.so.6"] {
            let row = row(library, "read", "/lib/libc.so.6");
            assert_eq!(lies_in(&row, from_ref(&row)), None, "{library}");
        }
        let virtual_name = row("virtual-name", "f", "/x/libreal.so");
        let told = lies_in(&virtual_name, from_ref(&virtual_name));
        assert_eq!(told.as_deref(), Some("in /x/libreal.so"));
    }

    #[test]
    fn files_are_told_of_what_is_called_the_same() {
        let (one, mut other) = (row("x", "f", "/v1/libx.so"), row("x", "f", "/v2/libx.so"));
        let both = [one.clone(), other.clone()];
        assert_eq!(lies_in(&one, &both).as_deref(), Some("in /v1/libx.so"));
        assert_eq!(lies_in(&other, &both).as_deref(), Some("in /v2/libx.so"));
        other.symbol = Some("g".into());
        let both = [one, other.clone()];
        assert_eq!(lies_in(&other, &both).as_deref(), Some("g in /v2/libx.so"));
    }

    #[test]
    fn what_is_redirected_is_expected_there() {
        let mut row = row("x", "f", "/lib/liby.so");
        row.redirected_to = Some("y!g".into());
        assert_eq!(lies_in(&row, from_ref(&row)), None);
    }
}

//! Which targets of two reports are the same.

use std::collections::{BTreeMap, HashMap};

use super::sums::Sums;
use crate::model::key::Key;

impl Key {
    /// The same key where libraries have no folder and no version.
    fn unversioned(&self) -> Self {
        Self {
            library: self.library.as_deref().map(stem),
            ..self.clone()
        }
    }

    /// The same key for a method that was renamed or moved: the native function decides.
    fn native(&self) -> Option<Self> {
        let entry = self.entry.clone()?;
        Some(Self {
            direction: self.direction.clone(),
            library: self.library.as_deref().map(stem),
            entry: Some(entry),
            ..Self::default()
        })
    }

    /// The same key for a native function that was renamed or moved: the method decides.
    fn managed(&self) -> Option<Self> {
        Some(Self {
            direction: self.direction.clone(),
            assembly: self.assembly.clone(),
            method: Some(self.method.clone()?),
            ..Self::default()
        })
    }
}

/// The name of a library without folder, `lib`, `.so` and version: `z` for `/lib/libz.so.1.3`,
/// `foo` for `libfoo-2.1.so`.
pub(super) fn stem(library: &str) -> String {
    let file = library.rsplit('/').next().unwrap_or(library);
    let name = match file.find(".so.") {
        Some(at) => &file[..at],
        None => file.strip_suffix(".so").unwrap_or(file),
    };
    let name = name.strip_prefix("lib").unwrap_or(name);
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let bare = match name.rsplit_once('-') {
        Some((bare, version)) if !version.is_empty() && version.chars().all(digits) => bare,
        _ => name,
    };
    if bare.is_empty() {
        return file.to_owned();
    }
    bare.to_owned()
}

/// A target in both reports, or in one of them.
pub(super) struct Pair {
    /// As B names it, or A if B does not have it.
    pub(super) key: Key,
    pub(super) a: Option<Sums>,
    pub(super) b: Option<Sums>,
}

/// Pairs the targets of two reports: first those with equal names, then those that differ in the
/// version of the library, then those whose method or whose native function has another name.
pub(super) fn pairs(a: BTreeMap<Key, Sums>, b: BTreeMap<Key, Sums>) -> Vec<Pair> {
    let (mut a, mut b) = (a, b);
    let mut pairs = Vec::new();
    type Looser = fn(&Key) -> Option<Key>;
    let passes: [Looser; 4] = [
        |key| Some(key.clone()),
        |key| Some(key.unversioned()),
        Key::native,
        Key::managed,
    ];
    for looser in passes {
        let unique = |of: &BTreeMap<Key, Sums>| {
            let mut found: HashMap<Key, Option<Key>> = HashMap::new();
            for key in of.keys() {
                if let Some(loose) = looser(key) {
                    found
                        .entry(loose)
                        .and_modify(|one| *one = None)
                        .or_insert_with(|| Some(key.clone()));
                }
            }
            found
        };
        let (in_a, in_b) = (unique(&a), unique(&b));
        for (loose, key_b) in in_b {
            if let (Some(key_b), Some(Some(key_a))) = (key_b, in_a.get(&loose)) {
                pairs.push(Pair {
                    a: a.remove(key_a),
                    b: b.remove(&key_b),
                    key: key_b,
                });
            }
        }
    }
    pairs.extend(a.into_iter().map(|(key, sums)| Pair {
        key,
        a: Some(sums),
        b: None,
    }));
    pairs.extend(b.into_iter().map(|(key, sums)| Pair {
        key,
        a: None,
        b: Some(sums),
    }));
    pairs.sort_by(|one, other| one.key.cmp(&other.key));
    pairs
}

#[cfg(test)]
mod tests {
    use super::{super::input::Target, *};

    #[test]
    fn libraries_are_the_same_in_any_version() {
        for (name, bare) in [
            ("libz.so.1.3.1", "z"),
            ("/usr/lib/libz.so.1", "z"),
            ("z", "z"),
            ("libfoo-2.1.so", "foo"),
            ("libfoo-bar.so", "foo-bar"),
            ("e_sqlite3", "e_sqlite3"),
            ("libsqlite3", "sqlite3"),
            ("lib", "lib"),
            ("lib.so", "lib.so"),
            ("", ""),
        ] {
            assert_eq!(stem(name), bare, "{name}");
        }
    }

    fn key(method: &str, library: &str, entry: &str) -> Key {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Key {
            direction: "forward".into(),
            method: some(method),
            assembly: Some("app".into()),
            library: some(library),
            entry: some(entry),
        }
    }

    fn paired(a: &[Key], b: &[Key]) -> Vec<(bool, bool)> {
        let of = |keys: &[Key]| keys.iter().map(|k| (k.clone(), Sums::default())).collect();
        let pairs = pairs(of(a), of(b));
        pairs
            .iter()
            .map(|pair| (pair.a.is_some(), pair.b.is_some()))
            .collect()
    }

    #[test]
    fn names_that_changed_a_little_are_paired() {
        let old = key("N.Deflate", "libz.so.1", "deflate");
        for new in [
            key("N.Deflate", "libz.so.1.3", "deflate"),
            key("M.Deflate", "libz.so.1", "deflate"),
            key("N.Deflate", "libz-ng.so", "zng_deflate"),
        ] {
            assert_eq!(paired(std::slice::from_ref(&old), &[new]), [(true, true)]);
        }
        let other = key("N.Inflate", "libz.so.1", "inflate");
        assert_eq!(paired(&[old], &[other]), [(true, false), (false, true)]);
    }

    #[test]
    fn what_is_not_unique_is_not_guessed() {
        let a = [key("N.A", "libz.so.1", "f"), key("N.B", "libz.so.1", "f")];
        let b = [key("N.C", "libz.so.1", "f")];
        assert_eq!(paired(&a, &b).len(), 3);
    }

    #[test]
    fn function_pointers_are_named_by_symbol_or_place() {
        let target = Target {
            file: Some("/lib/libz.so.1".into()),
            offset: Some("0x10".into()),
            ..Target::default()
        };
        assert_eq!(Key::of(target.parts()).entry.as_deref(), Some("+0x10"));
        let named = Target {
            symbol: Some("f".into()),
            ..target
        };
        assert_eq!(Key::of(named.parts()).entry.as_deref(), Some("f"));
        assert_eq!(Key::of(Target::default().parts()), Key::default());
    }
}

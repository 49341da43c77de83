//! What an assembly imports from native libraries: its P/Invokes, from its metadata (ECMA-335,
//! partition II, 22 to 24).
//!
//! | part | holds |
//! | --- | --- |
//! | `tables` | the rows of metadata tables |
//! | `layout` | their columns |

mod layout;
mod tables;

use std::collections::{HashMap, HashSet};

use object::endian::LittleEndian as LE;
use object::pe::{self, ImageCor20Header, ImageNtHeaders32, ImageNtHeaders64};
use object::read::ReadRef;
use object::read::pe::{ImageNtHeaders, PeFile};

use tables::{Table, Tables};

/// More P/Invokes than this are not read. The core library has about 1,000.
const MOST_IMPORTS: usize = 1 << 16;

/// `DllImportSearchPath.AssemblyDirectory`.
const ASSEMBLY_DIRECTORY: u32 = 2;

/// One P/Invoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The method, `Namespace.Type.Method`.
    pub method: String,
    /// The library, as the declaration names it.
    pub library: String,
    /// The entry point.
    pub entry: String,
    /// The runtime looks beside the assembly too. A `DefaultDllImportSearchPaths` attribute can
    /// turn that off.
    pub beside_assembly: bool,
}

/// What an assembly imports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// The simple name of the assembly.
    pub assembly: String,
    /// Its P/Invokes.
    pub imports: Vec<Import>,
    /// It refers to a method by which code resolves libraries itself, before the runtime looks for
    /// them.
    pub resolves: bool,
}

/// Methods by which code resolves libraries itself.
const RESOLVERS: [&str; 4] = [
    "SetDllImportResolver",
    "add_ResolvingUnmanagedDll",
    "LoadUnmanagedDll",
    "ResolveUnmanagedDllToPath",
];

/// Reads the P/Invokes of an assembly. Returns `None` if `file` is no assembly, or its metadata are
/// damaged.
pub fn imports(file: &[u8]) -> Option<Imports> {
    let root = match object::FileKind::parse(file).ok()? {
        object::FileKind::Pe32 => root_of(&PeFile::<ImageNtHeaders32>::parse(file).ok()?),
        object::FileKind::Pe64 => root_of(&PeFile::<ImageNtHeaders64>::parse(file).ok()?),
        _ => None,
    }?;
    let tables = Tables::read(root)?;
    let assembly = tables
        .string(Table::Assembly, 1, 7)
        .unwrap_or_default()
        .to_owned();
    let searches = Searches::of(&tables);
    let types = Types::of(&tables);
    let mut imports = Vec::new();
    for row in 1..=tables.rows(Table::ImplMap).min(MOST_IMPORTS as u32) {
        let (Some(member), Some(scope)) = (
            tables.value(Table::ImplMap, row, 1),
            tables.value(Table::ImplMap, row, 3),
        ) else {
            continue;
        };
        // The other kind of member is a field.
        if member & 1 != 1 {
            continue;
        }
        let method = member >> 1;
        let (Some(library), Some(name)) = (
            tables.string(Table::ModuleRef, scope, 0),
            tables.string(Table::MethodDef, method, 3),
        ) else {
            continue;
        };
        let entry = tables.string(Table::ImplMap, row, 2);
        imports.push(Import {
            method: types.full_name(&tables, method, name),
            library: library.to_owned(),
            entry: entry.filter(|e| !e.is_empty()).unwrap_or(name).to_owned(),
            beside_assembly: searches.beside(method),
        });
    }
    let referred = (1..=tables.rows(Table::MemberRef))
        .any(|row| names_resolver(tables.string(Table::MemberRef, row, 1)));
    let resolves = referred
        || (1..=tables.rows(Table::MethodDef))
            .any(|row| names_resolver(tables.string(Table::MethodDef, row, 3)));
    Some(Imports {
        assembly,
        imports,
        resolves,
    })
}

fn names_resolver(name: Option<&str>) -> bool {
    name.is_some_and(|name| RESOLVERS.contains(&name))
}

/// The bytes of the metadata.
fn root_of<'data, Pe: ImageNtHeaders>(file: &PeFile<'data, Pe>) -> Option<&'data [u8]> {
    let at = |address: u32| file.section_table().pe_data_at(file.data(), address);
    let directory = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR)?;
    let clr = at(directory.virtual_address.get(LE))?;
    let clr = clr.read::<ImageCor20Header>(&mut 0).ok()?;
    let size = clr.meta_data.size.get(LE) as usize;
    let root = at(clr.meta_data.virtual_address.get(LE))?;
    root.get(..size).or(Some(root))
}

/// Where `DefaultDllImportSearchPaths` has the runtime look.
struct Searches {
    of_assembly: Option<bool>,
    by_method: HashMap<u32, bool>,
}

impl Searches {
    fn of(tables: &Tables<'_>) -> Self {
        let mut searches = Self {
            of_assembly: None,
            by_method: HashMap::new(),
        };
        let constructors = constructors(tables);
        for row in 1..=tables.rows(Table::CustomAttribute) {
            let (Some(parent), Some(constructor)) = (
                tables.value(Table::CustomAttribute, row, 0),
                tables.value(Table::CustomAttribute, row, 1),
            ) else {
                continue;
            };
            if !constructors.contains(&constructor) {
                continue;
            }
            // Two bytes that are always the same, then the flags.
            let blob = tables.blob(Table::CustomAttribute, row, 2);
            let Some([1, 0, a, b, c, d, ..]) = blob else {
                continue;
            };
            let flags = u32::from_le_bytes([*a, *b, *c, *d]);
            let beside = flags & ASSEMBLY_DIRECTORY != 0;
            match parent & 0x1f {
                0 => drop(searches.by_method.insert(parent >> 5, beside)),
                14 => searches.of_assembly = Some(beside),
                _ => {}
            }
        }
        searches
    }

    fn beside(&self, method: u32) -> bool {
        let of_method = self.by_method.get(&method).copied();
        of_method.or(self.of_assembly).unwrap_or(true)
    }
}

/// The constructors of `DefaultDllImportSearchPathsAttribute`, as custom attributes refer to them.
fn constructors(tables: &Tables<'_>) -> HashSet<u32> {
    let is_attribute = |class: u32| {
        // The class of a reference is a type reference if its low three bits say so.
        class & 7 == 1
            && tables.string(Table::TypeRef, class >> 3, 1)
                == Some("DefaultDllImportSearchPathsAttribute")
    };
    (1..=tables.rows(Table::MemberRef))
        .filter(|row| {
            let class = tables.value(Table::MemberRef, *row, 0);
            class.is_some_and(is_attribute)
        })
        .filter_map(|row| row.checked_mul(8)?.checked_add(3))
        .collect()
}

/// Which methods belong to which type.
struct Types {
    /// The first method of each type, and the type, in order.
    first_methods: Vec<(u32, u32)>,
    /// The type around each nested type.
    around: HashMap<u32, u32>,
}

impl Types {
    fn of(tables: &Tables<'_>) -> Self {
        let first = |row| Some((tables.value(Table::TypeDef, row, 5)?, row));
        let mut first_methods: Vec<_> = (1..=tables.rows(Table::TypeDef))
            .filter_map(first)
            .collect();
        first_methods.sort_unstable();
        let nested = |row| {
            let inner = tables.value(Table::NestedClass, row, 0)?;
            Some((inner, tables.value(Table::NestedClass, row, 1)?))
        };
        let around = (1..=tables.rows(Table::NestedClass))
            .filter_map(nested)
            .collect();
        Self {
            first_methods,
            around,
        }
    }

    /// `Namespace.Type+Nested.Method`.
    fn full_name(&self, tables: &Tables<'_>, method: u32, name: &str) -> String {
        let after = self
            .first_methods
            .partition_point(|(first, _)| *first <= method);
        let Some((_, mut of)) = after
            .checked_sub(1)
            .and_then(|at| self.first_methods.get(at).copied())
        else {
            return name.to_owned();
        };
        let mut names = Vec::new();
        // More nesting than this is a circle.
        for _ in 0..16 {
            let simple = tables.string(Table::TypeDef, of, 1).unwrap_or_default();
            let space = tables.string(Table::TypeDef, of, 2).unwrap_or_default();
            names.push(if space.is_empty() {
                simple.to_owned()
            } else {
                format!("{space}.{simple}")
            });
            match self.around.get(&of) {
                Some(outer) => of = *outer,
                None => break,
            }
        }
        names.reverse();
        format!("{}.{name}", names.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &[u8] = include_bytes!("../../../fixtures/managed/shop/shop.dll");
    const HELLO: &[u8] = include_bytes!("../../../fixtures/managed/hello/hello.dll");

    #[test]
    fn the_imports_of_an_assembly_are_read() {
        let shop = imports(SHOP).unwrap();
        assert_eq!(shop.assembly, "shop");
        let find = |entry: &str| shop.imports.iter().find(|i| i.entry == entry).unwrap();
        let charge = find("payments_charge");
        assert_eq!(charge.library, "payments");
        assert!(charge.method.starts_with("Shop."), "{charge:?}");
        assert!(charge.beside_assembly && !shop.resolves);
        assert!(shop.imports.iter().any(|import| import.library == "heif"));
        assert_eq!(imports(HELLO).unwrap().imports, []);
    }

    #[test]
    fn damaged_files_are_no_panic() {
        for length in (0..SHOP.len()).step_by(7) {
            let _ = imports(&SHOP[..length]);
        }
        let mut file = SHOP.to_vec();
        for at in 0..file.len() {
            let before = std::mem::replace(&mut file[at], 0xff);
            let _ = imports(&file);
            file[at] = before;
        }
        assert_eq!(imports(b"MZ"), None);
    }
}

//! Which file of a crate imports from which.
//!
//! An arrow goes from a file to the file that *defines* what it names: re-exports are followed.
//! `mod` declarations are no arrows, and code under `cfg(test)` does not count.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, UseTree,
    visit::{self, Visit},
};

/// What a path names in a file: the segments, from the module in which it stands.
type Segments = Vec<String>;

/// The files of one crate, and the arrows between them.
#[derive(Default)]
pub struct Imports {
    /// For each file those that it imports from, each with the paths by which it does.
    pub arrows: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// A module, in a file of its own or inline.
#[derive(Default)]
struct Module {
    /// The file in which it stands, relative to the folder of the crate's root file.
    file: String,
    children: HashMap<String, usize>,
    parent: Option<usize>,
    /// Names that are defined here.
    defined: BTreeSet<String>,
    /// Names that `use` brings in, and the paths that they stand for.
    aliases: HashMap<String, Segments>,
    /// Modules of which everything is brought in.
    globs: Vec<Segments>,
    /// All paths that occur, with those of `use`.
    paths: Vec<Segments>,
}

struct Crate {
    modules: Vec<Module>,
}

/// Reads the crate with this root file, for instance `src/lib.rs`.
pub fn of_crate(root: &Path) -> Imports {
    let mut found = Crate {
        modules: vec![Module::default()],
    };
    let folder = root.parent().unwrap();
    found.read(0, root, folder, folder);
    found.imports()
}

impl Crate {
    /// Reads the file of a module. `folder` is where the files of its child modules are.
    fn read(&mut self, module: usize, file: &Path, folder: &Path, base: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.modules[module].file = file.strip_prefix(base).unwrap().display().to_string();
        self.items(module, &parsed.items, folder, base);
    }

    fn items(&mut self, module: usize, items: &[Item], folder: &Path, base: &Path) {
        for item in items {
            if is_for_tests(attributes(item)) {
                continue;
            }
            if let Item::Mod(item) = item {
                self.child(module, item, folder, base);
                continue;
            }
            let here = &mut self.modules[module];
            here.defined.extend(defined(item));
            let mut paths = Paths(&mut here.paths);
            paths.visit_item(item);
            if let Item::Use(item) = item {
                let mut leaves = Vec::new();
                uses(&item.tree, &mut Vec::new(), &mut leaves);
                for (path, name) in leaves {
                    match name {
                        Some(name) => drop(here.aliases.insert(name, path.clone())),
                        None => here.globs.push(path.clone()),
                    }
                    here.paths.push(path);
                }
            }
        }
    }

    fn child(&mut self, parent: usize, item: &syn::ItemMod, folder: &Path, base: &Path) {
        let name = item.ident.to_string();
        let child = self.modules.len();
        let file = self.modules[parent].file.clone();
        self.modules.push(Module {
            file,
            parent: Some(parent),
            ..Module::default()
        });
        self.modules[parent].children.insert(name.clone(), child);
        if let Some((_, items)) = &item.content {
            return self.items(child, items, &folder.join(name), base);
        }
        match path_attribute(&item.attrs) {
            // Elsewhere in the tree: another crate's file, and no file of this one.
            Some(path) if path.starts_with("..") => {}
            // From the folder of the file in which it stands.
            Some(path) => {
                let file = base.join(&self.modules[parent].file);
                let file = file.parent().unwrap().join(path);
                self.read(child, &file, file.parent().unwrap(), base);
            }
            None => {
                let own = folder.join(&name);
                let files = [folder.join(format!("{name}.rs")), own.join("mod.rs")];
                let file = files.iter().find(|f| f.exists());
                self.read(child, file.unwrap_or(&files[0]), &own, base);
            }
        }
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::default();
        for (number, module) in self.modules.iter().enumerate() {
            for path in &module.paths {
                let Some(target) = self.resolve(number, path, &mut BTreeSet::new()) else {
                    continue;
                };
                let target = &self.modules[target].file;
                if *target != module.file {
                    let arrows = imports.arrows.entry(module.file.clone()).or_default();
                    arrows
                        .entry(target.clone())
                        .or_default()
                        .insert(path.join("::"));
                }
            }
        }
        imports
    }

    /// The module that defines what this path names, as it stands in `module`. `None`: another
    /// crate does.
    fn resolve(
        &self,
        module: usize,
        path: &[String],
        asked: &mut BTreeSet<(usize, Segments)>,
    ) -> Option<usize> {
        if !asked.insert((module, path.to_vec())) {
            return None;
        }
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.inside(0, rest, asked),
            "self" => self.inside(module, rest, asked),
            "super" => self.inside(self.modules[module].parent?, rest, asked),
            _ => self.named(module, path, asked),
        }
    }

    /// The same for what is left of a path after a module.
    fn inside(
        &self,
        module: usize,
        rest: &[String],
        asked: &mut BTreeSet<(usize, Segments)>,
    ) -> Option<usize> {
        match rest.first().map(String::as_str) {
            None => Some(module),
            Some("super") => self.inside(self.modules[module].parent?, &rest[1..], asked),
            // A macro, or what a macro defines, is not known by name.
            Some(_) => self.named(module, rest, asked).or(Some(module)),
        }
    }

    /// The same for a name that is looked up in a module.
    fn named(
        &self,
        module: usize,
        path: &[String],
        asked: &mut BTreeSet<(usize, Segments)>,
    ) -> Option<usize> {
        let here = &self.modules[module];
        let (name, rest) = path.split_first()?;
        if let Some(child) = here.children.get(name) {
            return self.inside(*child, rest, asked);
        }
        if here.defined.contains(name) {
            return Some(module);
        }
        if let Some(alias) = here.aliases.get(name) {
            if alias.first() == Some(name) && alias.len() == 1 {
                return None;
            }
            let whole: Segments = alias.iter().chain(rest).cloned().collect();
            return self.resolve(module, &whole, asked);
        }
        here.globs.iter().find_map(|glob| {
            let glob_module = self.resolve(module, glob, asked)?;
            let has = &self.modules[glob_module];
            let knows = has.defined.contains(name)
                || has.children.contains_key(name)
                || has.aliases.contains_key(name);
            knows
                .then(|| self.named(glob_module, path, asked))
                .flatten()
        })
    }
}

/// Collects paths of two segments and more. Those of one are names that `use` has brought in.
struct Paths<'a>(&'a mut Vec<Segments>);

impl<'a> Visit<'a> for Paths<'_> {
    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Segments = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 && path.leading_colon.is_none() {
            self.0.push(segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'a syn::Visibility) {
        // `pub(in path)` imports nothing.
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        visit::visit_macro(self, item);
        tokens(item.tokens.clone(), self.0);
    }
}

/// Paths in the tokens of a macro, which are not parsed.
fn tokens(stream: TokenStream, paths: &mut Vec<Segments>) {
    let mut path = Segments::new();
    let mut colons = 0;
    for token in stream {
        match token {
            TokenTree::Ident(name) if colons == 2 && !path.is_empty() => {
                path.push(name.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => colons += 1,
            other => {
                flush(&mut path, paths);
                colons = 0;
                match other {
                    TokenTree::Ident(name) => path.push(name.to_string()),
                    TokenTree::Group(group) => tokens(group.stream(), paths),
                    _ => {}
                }
            }
        }
    }
    flush(&mut path, paths);
}

fn flush(path: &mut Segments, paths: &mut Vec<Segments>) {
    let path = std::mem::take(path);
    if path.len() > 1 {
        paths.push(path);
    }
}

/// The leaves of a `use`: each path, and the name by which it is known here; `None` for a glob.
fn uses(tree: &UseTree, prefix: &mut Segments, leaves: &mut Vec<(Segments, Option<String>)>) {
    let leaf = |prefix: &Segments, name: &str, known_as: String| {
        let mut path = prefix.clone();
        if name != "self" || path.is_empty() {
            path.push(name.to_owned());
        }
        let known_as = match known_as.as_str() {
            "self" => path.last().cloned().unwrap(),
            _ => known_as,
        };
        (path, Some(known_as))
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            uses(&path.tree, prefix, leaves);
            prefix.pop();
        }
        UseTree::Name(name) => {
            leaves.push(leaf(
                prefix,
                &name.ident.to_string(),
                name.ident.to_string(),
            ));
        }
        UseTree::Rename(name) => {
            leaves.push(leaf(
                prefix,
                &name.ident.to_string(),
                name.rename.to_string(),
            ));
        }
        UseTree::Glob(_) => leaves.push((prefix.clone(), None)),
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| uses(tree, prefix, leaves)),
    }
}

/// The names that an item defines in its module.
fn defined(item: &Item) -> Vec<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => match &item.ident {
            Some(name) => name,
            None => return Vec::new(),
        },
        Item::ForeignMod(block) => {
            let names = block.items.iter().filter_map(|item| match item {
                syn::ForeignItem::Fn(item) => Some(item.sig.ident.to_string()),
                syn::ForeignItem::Static(item) => Some(item.ident.to_string()),
                _ => None,
            });
            return names.collect();
        }
        _ => return Vec::new(),
    };
    vec![name.to_string()]
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|what| what == "test")
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<PathBuf> {
    let attribute = attributes.iter().find(|a| a.path().is_ident("path"))?;
    let syn::Meta::NameValue(meta) = &attribute.meta else {
        return None;
    };
    let syn::Expr::Lit(lit) = &meta.value else {
        return None;
    };
    let syn::Lit::Str(path) = &lit.lit else {
        return None;
    };
    Some(path.value().into())
}

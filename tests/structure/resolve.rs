//! Which module or crate a written path means.
use std::collections::{BTreeMap, BTreeSet};

use super::source::Module;
use super::uses::{Uses, Written};

/// More names than any path has. A longer one results from circular imports.
const LONGEST: usize = 32;

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// A module of this crate, or an item in it, by its path from the root.
    Here(Vec<String>),
    /// A path into another crate, or a name that needs no module (a type parameter, `Self`).
    Elsewhere(Vec<String>),
}

/// A module's use of something.
pub struct Use {
    pub module: Vec<String>,
    /// The item it means and every module that re-exports the item on the way.
    pub means: Vec<Meaning>,
    /// The file below `src`, and the line.
    pub place: String,
}

#[derive(Default)]
struct Scope {
    children: BTreeSet<String>,
    imports: BTreeMap<String, Vec<Written>>,
}

/// The names of every module.
struct Scopes(BTreeMap<Vec<String>, Scope>);

/// Every use in these modules.
pub fn uses(modules: &[Module]) -> Vec<Use> {
    let mut scopes = Scopes(BTreeMap::new());
    let mut written = Vec::new();
    for module in modules {
        let uses = Uses::of(module);
        for path in uses.modules {
            if let Some((name, parent)) = path.split_last() {
                scopes.0.entry(parent.to_vec()).or_default().children.insert(name.clone());
            }
            scopes.0.entry(path).or_default();
        }
        for import in uses.imports {
            let scope = scopes.0.entry(import.path.module.clone()).or_default();
            scope.imports.entry(import.name).or_default().push(import.path);
        }
        written.extend(uses.paths);
    }
    let resolved = |path: Written| {
        let mut search = Search { scopes: &scopes, seen: BTreeSet::new(), found: BTreeSet::new() };
        search.path(&path.module, &path.names, path.is_extern);
        let place = format!("src/{}:{}", path.file, path.line);
        Use { module: path.module, means: search.found.into_iter().collect(), place }
    };
    written.into_iter().map(resolved).collect()
}

struct Search<'a> {
    scopes: &'a Scopes,
    seen: BTreeSet<(Vec<String>, Vec<String>)>,
    found: BTreeSet<Meaning>,
}

impl Search<'_> {
    /// Searches for a path as it is written in a module.
    fn path(&mut self, module: &[String], names: &[String], is_extern: bool) {
        let Some((first, rest)) = names.split_first() else { return };
        match first.as_str() {
            "crate" => self.inside(&[], rest),
            "self" if rest.first().is_none_or(|name| name != "super") => self.inside(module, rest),
            "self" => self.path(module, rest, false),
            "super" => {
                let ups = names.iter().take_while(|name| *name == "super").count();
                self.inside(&module[..module.len().saturating_sub(ups)], &names[ups..]);
            }
            _ => {
                if is_extern || !self.through(module, names) {
                    self.found.insert(Meaning::Elsewhere(names.to_vec()));
                }
            }
        }
    }

    /// Searches for a path relative to a module.
    fn inside(&mut self, module: &[String], names: &[String]) {
        self.found.insert(Meaning::Here([module, names].concat()));
        self.through(module, names);
    }

    /// Follows the first name into a child or an import of a module. Returns false if it is neither. Private imports
    /// are followed as well, since the compiler enforces privacy.
    fn through(&mut self, module: &[String], names: &[String]) -> bool {
        let scopes = self.scopes;
        let (Some(scope), Some((first, rest))) = (scopes.0.get(module), names.split_first()) else {
            return false;
        };
        // Circular imports name nothing; their paths repeat, or grow.
        if names.len() > LONGEST || !self.seen.insert((module.to_vec(), names.to_vec())) {
            return false;
        }
        let is_child = scope.children.contains(first);
        if is_child {
            self.inside(&[module, std::slice::from_ref(first)].concat(), rest);
            // Only a module can precede `::`, but the last name may also be an item of the same name.
            if !rest.is_empty() {
                return true;
            }
        }
        if let Some(imports) = scope.imports.get(first) {
            for import in imports {
                let names = [&import.names[..], rest].concat();
                // `use name::name` begins with the crate of that name, not with the imported name.
                let is_extern = import.is_extern || (import.names[0] == *first && !is_child);
                self.path(module, &names, is_extern);
            }
            return true;
        }
        is_child || self.through_globs(module, names)
    }

    fn through_globs(&mut self, module: &[String], names: &[String]) -> bool {
        let scopes = self.scopes;
        let globs = scopes.0.get(module).and_then(|scope| scope.imports.get("*"));
        let mut is_known = false;
        for glob in globs.into_iter().flatten() {
            let mut behind = Search { scopes, seen: self.seen.clone(), found: BTreeSet::new() };
            behind.path(module, &glob.names[..glob.names.len() - 1], glob.is_extern);
            for meaning in behind.found {
                if let Meaning::Here(path) = meaning {
                    is_known |= self.through(&path, names);
                }
            }
        }
        is_known
    }
}

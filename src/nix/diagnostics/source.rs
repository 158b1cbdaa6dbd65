//! Tells files of the flake from those of its inputs, and names them relative to the flake.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::names::STORE_FOLDER;

/// Most bytes of a file compared with its copy in the store.
const COMPARED: usize = 1024 * 1024;
/// Most levels above the flake's folder that are searched for its repository.
const ANCESTORS: usize = 8;

/// Where the flake's files are, to tell them from files of its inputs.
///
/// Nix 2.26 copies a flake to the store and names files by that copy. Nix 2.34 names them by their folder, and files of
/// an input that it has not copied like `«github:NixOS/nixpkgs/…»/lib/modules.nix`. With both, a path inside a Nix
/// expression is that of the copy in the store.
#[derive(Clone, Copy, Debug)]
pub struct SourceTree<'a> {
    /// The flake's folder.
    pub folder: &'a Path,
    /// Its copy in the store, such as `/nix/store/…-source`. If `None`, a file of the store belongs to the flake if the
    /// folder has the same file.
    pub store_path: Option<&'a str>,
    /// The commit that is evaluated, instead of the files in the folder; `None` for the files in the folder.
    pub commit: Option<CommittedFlake<'a>>,
}

impl SourceTree<'_> {
    /// Places of the form `file:line` with each file's name to show: relative to the flake if it belongs to the flake.
    #[must_use]
    pub fn display_positions(&self, places: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let files = FlakeFiles::new(self);
        let shown = |place: String| match place.rsplit_once(':') {
            Some((file, line)) => format!("{}:{line}", files.display_name(file)),
            None => place,
        };
        places.into_iter().map(|(attr, place)| (attr, shown(place))).collect()
    }
}

/// A flake at a commit. Its copy in the store is that of the whole repository.
#[derive(Clone, Copy, Debug)]
pub struct CommittedFlake<'a> {
    /// The flake's folder in the repository, with a slash at its end; empty for the root.
    pub subfolder: &'a str,
    /// Contents of its flake.nix.
    pub flake: &'a [u8],
    /// Contents of its flake.lock; `None` if it has none.
    pub lock: Option<&'a [u8]>,
}

impl CommittedFlake<'_> {
    /// Whether this folder of the store is its copy; `None` if the folder does not exist, as with Nix 2.34.
    fn is_copied_at(&self, copy: &Path) -> Option<bool> {
        let has_committed = |name: &str, committed: Option<&[u8]>| {
            let there = contents(&copy.join(self.subfolder).join(name));
            there.as_deref() == committed.map(|text| text.get(..COMPARED).unwrap_or(text))
        };
        let is_copy =
            || has_committed("flake.nix", Some(self.flake)) && has_committed("flake.lock", self.lock);
        copy.is_dir().then(is_copy)
    }
}

/// A [`SourceTree`] with its resolved folders, and a cache of resolved files.
pub struct FlakeFiles<'a> {
    source: &'a SourceTree<'a>,
    /// The flake's folder, symbolic links resolved.
    folder: PathBuf,
    /// Root of its repository; `None` outside a repository.
    repository: Option<PathBuf>,
    /// Cache: traces repeat a few files.
    known: RefCell<HashMap<String, Option<String>>>,
}

impl<'a> FlakeFiles<'a> {
    /// Finds the flake's folders.
    #[must_use]
    pub fn new(source: &'a SourceTree<'a>) -> Self {
        let folder = source.folder.canonicalize().unwrap_or_else(|_| source.folder.to_owned());
        let repository = folder.ancestors().take(ANCESTORS).find(|ancestor| ancestor.join(".git").exists());
        let repository = repository.map(Path::to_owned);
        Self { source, folder, repository, known: RefCell::default() }
    }

    /// The file relative to the flake's folder; `None` if it does not belong to the flake.
    #[must_use]
    pub fn path_in_flake(&self, file: &str) -> Option<String> {
        if let Some(known) = self.known.borrow().get(file) {
            return known.clone();
        }
        let found = self.find(file);
        self.known.borrow_mut().insert(file.to_owned(), found.clone());
        found
    }

    /// The name to show for a file: relative to the flake's folder if it belongs to the flake, otherwise Nix's name
    /// without the query that pins an input (`?lastModified=…&narHash=…`).
    #[must_use]
    pub fn display_name(&self, file: &str) -> String {
        if let Some(own) = self.path_in_flake(file) {
            return own;
        }
        match file.split_once('?').zip(file.split_once('»')) {
            Some(((before, _), (_, after))) if file.starts_with('«') && !before.contains('»') => {
                format!("{before}»{after}")
            }
            _ => file.to_owned(),
        }
    }

    fn find(&self, file: &str) -> Option<String> {
        if let Some(copy) = self.source.store_path
            && let Some(rest) = strip_folder(file, copy)
        {
            return self.locate(rest, None);
        }
        if let Some(inside) = file.strip_prefix(STORE_FOLDER) {
            if self.source.store_path.is_some() {
                return None;
            }
            let (name, rest) = inside.split_once('/')?;
            let copy = Path::new(STORE_FOLDER).join(name);
            return match self.source.commit.and_then(|commit| commit.is_copied_at(&copy)) {
                Some(true) => is_inside(Path::new(rest)).then(|| self.relative(self.root(), Path::new(rest))),
                Some(false) => None,
                None => self.locate(rest, Some(Path::new(file))),
            };
        }
        if let Some(quoted) = file.strip_prefix('«') {
            let (reference, rest) = quoted.split_once('»')?;
            let at = reference.strip_prefix("git+file://").or_else(|| reference.strip_prefix("path:"))?;
            let at = at.split('?').next().unwrap_or(at);
            return self.path_from_flake(&Path::new(at).join(rest.trim_start_matches('/')));
        }
        self.path_from_flake(Path::new(file))
    }

    /// An absolute path relative to the flake's folder; `None` if it is outside the folder and its repository.
    pub(super) fn path_from_flake(&self, file: &Path) -> Option<String> {
        let inside = file.strip_prefix(self.source.folder).or_else(|_| file.strip_prefix(&self.folder));
        if let Ok(rest) = inside {
            return Some(rest.display().to_string());
        }
        let root = self.repository.as_deref()?;
        Some(self.relative(root, file.strip_prefix(root).ok()?))
    }

    /// A file of the flake's copy in the store, relative to the flake's folder. The copy is that of the whole
    /// repository, and the flake may be in a folder of it.
    fn locate(&self, rest: &str, copy: Option<&Path>) -> Option<String> {
        let rest = Path::new(rest);
        if !is_inside(rest) {
            return None;
        }
        for base in [self.root(), &self.folder] {
            let file = base.join(rest);
            if file.is_file() && copy.is_none_or(|copy| has_same_contents(&file, copy)) {
                return Some(self.relative(base, rest));
            }
        }
        // It belongs to the flake, but was removed from the folder meanwhile.
        copy.is_none().then(|| self.relative(self.root(), rest))
    }

    /// The file that an error reports as missing from the store copy or the repository, relative to the flake's folder,
    /// and whether it exists there: then Git does not track it. `None` if it does not belong to the flake.
    pub(super) fn missing_file(&self, file: &str) -> Option<(String, bool)> {
        let root = self.root();
        let rest = if let Some(inside) = file.strip_prefix(STORE_FOLDER) {
            if self.source.store_path.is_some_and(|copy| strip_folder(file, copy).is_none()) {
                return None;
            }
            Path::new(inside.split_once('/')?.1)
        } else {
            let path = Path::new(file);
            path.strip_prefix(root).or_else(|_| path.strip_prefix(self.source.folder)).unwrap_or(path)
        };
        if !is_inside(rest) {
            return None;
        }
        let exists = root.join(rest).symlink_metadata().is_ok();
        Some((self.relative(root, rest), exists && self.repository.is_some() && self.source.commit.is_none()))
    }

    /// The folder that Nix copies: the repository, or the flake's folder outside a repository.
    fn root(&self) -> &Path {
        self.repository.as_deref().unwrap_or(&self.folder)
    }

    /// `base/rest` relative to the flake's folder, which is `base` or a folder below it.
    fn relative(&self, base: &Path, rest: &Path) -> String {
        let inside = self.folder.strip_prefix(base).unwrap_or(Path::new(""));
        if let Ok(rest) = rest.strip_prefix(inside) {
            return rest.display().to_string();
        }
        let mut path: PathBuf = inside.components().map(|_| "..").collect();
        path.push(rest);
        path.display().to_string()
    }
}

fn strip_folder<'f>(file: &'f str, folder: &str) -> Option<&'f str> {
    file.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/')
}

fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a file has the contents of its copy. If the copy cannot be read, the same name is enough: Nix 2.34 often
/// makes no copy.
fn has_same_contents(file: &Path, copy: &Path) -> bool {
    match (contents(file), contents(copy)) {
        (Some(file), Some(copy)) => file == copy,
        (file, None) => file.is_some(),
        (None, Some(_)) => false,
    }
}

fn contents(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    crate::reading::open(path).ok()?.take(COMPARED as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: &str = "/nix/store/r3f9l9f32qpzwmdgizjpbwn3ff2n6ny7-source";

    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in [".git/HEAD", "fleet/flake.nix", "fleet/hosts/web.nix", "modules/x.nix"] {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "{ }").unwrap();
        }
        folder
    }

    #[test]
    fn files_are_named_from_the_flake() {
        let temporary = repository();
        let root = temporary.path().canonicalize().unwrap();
        let folder = root.join("fleet");
        for store_path in [None, Some(COPY)] {
            let source = SourceTree { folder: &folder, store_path, commit: None };
            let files = FlakeFiles::new(&source);
            let web = Some("hosts/web.nix".to_owned());
            assert_eq!(files.path_in_flake(&format!("{COPY}/fleet/hosts/web.nix")), web);
            assert_eq!(files.path_in_flake(&format!("{}/hosts/web.nix", folder.display())), web);
            assert_eq!(
                files.path_in_flake(&format!("«git+file://{}?rev=0»/fleet/hosts/web.nix", root.display())),
                web
            );
            assert_eq!(
                files.path_in_flake(&format!("{COPY}/modules/x.nix")).as_deref(),
                Some("../modules/x.nix")
            );
            assert_eq!(files.path_in_flake("«github:NixOS/nixpkgs/0»/lib/modules.nix"), None);
            assert_eq!(
                files.path_in_flake("/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-source/lib/modules.nix"),
                None
            );
            assert_eq!(files.path_in_flake("«string»"), None);
            assert_eq!(files.path_in_flake(""), None);
            assert_eq!(files.path_in_flake(&format!("{COPY}/../../etc/passwd")), None);
        }
        let source = SourceTree { folder: &folder, store_path: Some(COPY), commit: None };
        let other = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-source/modules/x.nix";
        assert_eq!(FlakeFiles::new(&source).path_in_flake(other), None);
        assert_eq!(
            FlakeFiles::new(&source).display_name("«path:/x?narHash=y»/lib/a.nix"),
            "«path:/x»/lib/a.nix"
        );
    }

    #[test]
    fn the_copy_of_a_commit_has_its_flake() {
        let copy = repository();
        std::fs::write(copy.path().join("fleet/flake.lock"), "1").unwrap();
        let of = |below, flake: &'static str, lock: Option<&'static str>| {
            CommittedFlake { subfolder: below, flake: flake.as_bytes(), lock: lock.map(str::as_bytes) }
                .is_copied_at(copy.path())
        };
        assert_eq!(of("fleet/", "{ }", Some("1")), Some(true));
        for other in [
            of("fleet/", "{ }", Some("2")),
            of("fleet/", "{ }", None),
            of("fleet/", "{  }", Some("1")),
            of("", "{ }", None),
        ] {
            assert_eq!(other, Some(false));
        }
        let committed = CommittedFlake { subfolder: "", flake: b"", lock: None };
        assert_eq!(committed.is_copied_at(&copy.path().join("none")), None);
    }

    #[test]
    fn a_file_that_is_there_is_not_missing_but_untracked() {
        let temporary = repository();
        let folder = temporary.path().canonicalize().unwrap().join("fleet");
        let source = SourceTree { folder: &folder, store_path: None, commit: None };
        let files = FlakeFiles::new(&source);
        let there = Some(("hosts/web.nix".to_owned(), true));
        assert_eq!(files.missing_file(&format!("{COPY}/fleet/hosts/web.nix")), there);
        assert_eq!(files.missing_file("fleet/hosts/web.nix"), there);
        assert_eq!(files.missing_file("fleet/none.nix"), Some(("none.nix".to_owned(), false)));
        assert_eq!(files.missing_file("/etc/passwd"), None);
    }
}

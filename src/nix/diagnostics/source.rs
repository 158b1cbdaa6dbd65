//! Whose file it is, and what to call it.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::names::STORE_FOLDER;

/// Largest file compared with its copy in the store.
const COMPARED: u64 = 1024 * 1024;
/// How far above the flake's folder its repository may begin.
const ANCESTORS: usize = 8;

/// Where the flake lies, so that its files can be told from those of its inputs.
///
/// 2.26 copies a flake to the store and names its files there; 2.34 names them where they lie, and
/// those of an input it has not copied like `«github:NixOS/nixpkgs/…»/lib/modules.nix`.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The flake's folder.
    pub folder: &'a Path,
    /// Its copy in the store, such as `/nix/store/…-source`, where it is known. Where it is not, a
    /// file of the store is the flake's if the same file lies in the folder.
    pub store_path: Option<&'a str>,
}

impl Source<'_> {
    /// The file relative to the flake's folder, if it belongs to the flake.
    pub(super) fn own(&self, file: &str) -> Option<String> {
        if let Some(copy) = self.store_path
            && let Some(rest) = below(file, copy)
        {
            return self.locate(rest, None);
        }
        if file.starts_with(STORE_FOLDER) {
            if self.store_path.is_some() {
                return None;
            }
            let (_, rest) = file.get(STORE_FOLDER.len()..)?.split_once('/')?;
            return self.locate(rest, Some(Path::new(file)));
        }
        if let Some(quoted) = file.strip_prefix('«') {
            let (reference, rest) = quoted.split_once('»')?;
            let at = reference.strip_prefix("git+file://").or_else(|| reference.strip_prefix("path:"))?;
            let at = at.split('?').next().unwrap_or(at);
            return self.beside(&Path::new(at).join(rest.trim_start_matches('/')));
        }
        self.beside(Path::new(file))
    }

    /// The file relative to the flake's folder, if it exists there or would.
    pub(super) fn beside(&self, file: &Path) -> Option<String> {
        if !file.is_absolute() {
            return None;
        }
        let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.to_owned());
        for base in [self.folder, &folder] {
            if let Ok(rest) = file.strip_prefix(base) {
                return Some(rest.display().to_string());
            }
        }
        let root = repository(&folder)?;
        let rest = file.strip_prefix(root).ok()?;
        Some(relative(&folder, root, rest))
    }

    /// A file of the flake's copy in the store relative to the flake's folder: the copy is that of
    /// the whole repository, the flake may lie in a folder of it.
    fn locate(&self, rest: &str, copy: Option<&Path>) -> Option<String> {
        let rest = Path::new(rest);
        if !rest.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.to_owned());
        let root = repository(&folder).unwrap_or(&folder);
        for base in [root, &folder] {
            let file = base.join(rest);
            if file.is_file() && copy.is_none_or(|copy| same(&file, copy)) {
                return Some(relative(&folder, base, rest));
            }
        }
        // Known to be the flake's, but gone from the folder meanwhile.
        copy.is_none().then(|| relative(&folder, root, rest))
    }

    /// The file an error says is missing from the store copy or the repository, relative to the
    /// folder, and whether it lies there all the same: then Git does not track it.
    pub(super) fn missing(&self, file: &str) -> Option<(String, bool)> {
        let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.to_owned());
        let root = repository(&folder).unwrap_or(&folder);
        let rest = match file.strip_prefix(STORE_FOLDER) {
            Some(inside) => {
                if self.store_path.is_some_and(|copy| below(file, copy).is_none()) {
                    return None;
                }
                Path::new(inside.split_once('/')?.1)
            }
            None => {
                let path = Path::new(file);
                path.strip_prefix(root).or_else(|_| path.strip_prefix(self.folder)).unwrap_or(path)
            }
        };
        if !rest.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let exists = root.join(rest).symlink_metadata().is_ok();
        Some((relative(&folder, root, rest), exists && repository(&folder).is_some()))
    }
}

fn below<'f>(file: &'f str, folder: &str) -> Option<&'f str> {
    file.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/')
}

/// The nearest folder above that Git looks after.
fn repository(folder: &Path) -> Option<&Path> {
    folder.ancestors().take(ANCESTORS).find(|ancestor| ancestor.join(".git").exists())
}

/// `root/rest` as seen from `folder`, which lies below `root`.
fn relative(folder: &Path, root: &Path, rest: &Path) -> String {
    let inside = folder.strip_prefix(root).unwrap_or(Path::new(""));
    if let Ok(rest) = rest.strip_prefix(inside) {
        return rest.display().to_string();
    }
    let mut path: PathBuf = inside.components().map(|_| "..").collect();
    path.push(rest);
    path.display().to_string()
}

/// Whether a file has the contents of its copy. Where the copy cannot be read, as with a store on
/// another machine, having the same name must do.
fn same(file: &Path, copy: &Path) -> bool {
    match (contents(file), contents(copy)) {
        (Some(file), Some(copy)) => file == copy,
        (file, None) => file.is_some(),
        (None, Some(_)) => false,
    }
}

fn contents(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(COMPARED).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

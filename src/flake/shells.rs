//! The flake's development shells and their packages.

use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::check::Status;
use super::outputs::{ListOptions, OutputKind};
use super::{Answer, Flake, FlakeError, Instantiate, PathStep, Question, UnreadPart};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{AttrPath, StorePath};
use crate::nix::diagnostics::{self, SourceTree};
use crate::progress::Call;

/// Most packages listed for one shell.
const PACKAGES: usize = 60;

/// Most commands listed for one package.
const COMMANDS: usize = 5;
/// Most outputs of the flake listed for one package.
const THROUGH: usize = 3;
/// Most packages of the flake whose inputs are compared with those of its shells.
const COMPARED: usize = 200;
/// The folder of nixpkgs with one folder for each attribute, by the first two letters (its README.md).
const BY_NAME: &str = "/pkgs/by-name/";

/// A package of a shell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its attribute in the flake (`packages.SYSTEM.NAME`), or in nixpkgs; `None` if it is not certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attr: Option<String>,
    /// Its main program, then those in the store; if it is not in the store, only the main program is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Number of commands that `commands` leaves out.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_commands: usize,
    /// Outputs of the flake all of whose inputs the shell has in a row, as it has with `inputsFrom`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
    /// The file of the flake that defines it; `None` if another flake does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The path with its programs, until they are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    path: Option<StorePath>,
}

/// A package in the answer of the probe.
#[derive(Deserialize)]
struct ProbedPackage {
    pname: String,
    version: String,
    /// Its position among the inputs of the shell.
    index: usize,
    attr: Option<String>,
    main: Option<String>,
    position: Option<String>,
    path: Option<String>,
    programs: Option<String>,
}

/// The inputs of an output of the flake, each with its path in the store.
#[derive(Deserialize)]
struct OutputInputs {
    /// Its derivation.
    path: String,
    native: Vec<Option<String>>,
    build: Vec<Option<String>>,
}

/// The development shells of a flake, and what their packages could not be compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shells {
    /// The shells.
    pub shells: Vec<Shell>,
    /// Packages of the flake that could not be read: no package of a shell has their attributes.
    pub unread: Vec<UnreadPart>,
    /// Number of packages of the flake that were not read, because it has too many.
    pub not_compared: usize,
}

/// What the packages of the shells are compared with.
#[derive(Default)]
struct Compared {
    sources: Vec<Source>,
    unread: Vec<UnreadPart>,
    not_compared: usize,
}

/// A shell or package of the flake, with its system and its inputs.
struct Source {
    attr: String,
    system: Option<String>,
    inputs: OutputInputs,
}

impl OutputInputs {
    /// The positions of all inputs of `other` in the concatenation of both lists of this one; empty unless each list of
    /// `other` is in the same list of this one, in a row.
    ///
    /// `mkShell` keeps no trace of `inputsFrom`: it appends the inputs of each such derivation to its own.
    fn positions_of(&self, other: &Self) -> Vec<usize> {
        let row = |mine: &[Option<String>], theirs: &[Option<String>]| -> Option<Vec<usize>> {
            if theirs.is_empty() {
                return Some(Vec::new());
            }
            let start = mine.windows(theirs.len()).position(|window| window == theirs)?;
            theirs.iter().all(Option::is_some).then(|| (start..start + theirs.len()).collect())
        };
        let (Some(native), Some(build)) = (row(&self.native, &other.native), row(&self.build, &other.build))
        else {
            return Vec::new();
        };
        let build = build.into_iter().map(|index| self.native.len() + index);
        native.into_iter().chain(build).collect()
    }
}

impl ShellPackage {
    fn from_probe(probed: ProbedPackage, through: Vec<String>, source: &SourceTree<'_>) -> Self {
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let position = some(probed.position);
        let place = position.as_deref().and_then(|position| position.rsplit_once(':'));
        let in_flake = place.and_then(|(file, line)| {
            Some((diagnostics::file_in_flake(file, source)?, line.parse::<u64>().ok()?))
        });
        // The flake may have such a folder of its own.
        let in_nixpkgs = place.filter(|_| in_flake.is_none()).and_then(|(file, _)| by_name(file));
        let (file, line) = in_flake.unzip();
        Self {
            name: probed.pname,
            version: some(Some(probed.version)),
            attr: probed.attr.or(in_nixpkgs),
            commands: some(probed.main).into_iter().collect(),
            more_commands: 0,
            through,
            file,
            line,
            path: probed.programs.and_then(|path| path.parse().ok()),
        }
    }

    /// Adds the programs of the package, if it is in the store.
    fn list_commands(&mut self) {
        let Some(path) = self.path.take() else { return };
        let folder = Path::new(path.as_str()).join("bin");
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.') && !self.commands.contains(name))
            .collect();
        names.sort();
        self.commands.extend(names);
        self.more_commands = self.commands.len().saturating_sub(COMMANDS);
        self.commands.truncate(COMMANDS);
    }
}

/// The attribute of nixpkgs that a file in [`BY_NAME`] defines; `None` for other files.
fn by_name(file: &str) -> Option<String> {
    let (_, rest) = file.rsplit_once(BY_NAME)?;
    let mut steps = rest.split('/');
    match (steps.next(), steps.next(), steps.next(), steps.next()) {
        (Some(_), Some(name), Some("package.nix"), None) => Some(name.to_owned()),
        _ => None,
    }
}

/// A development shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shell {
    /// Its name.
    pub name: String,
    /// Its system.
    pub system: String,
    /// Whether it evaluates.
    pub status: Status,
    /// Its packages, at most the first `PACKAGES`.
    pub packages: Vec<ShellPackage>,
    /// Number of packages that `packages` leaves out.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_packages: usize,
    /// Why it, or a package in it, does not evaluate; `None` if all evaluate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
    /// Number of packages whose names do not evaluate, or were not read because too many before them did not.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub unread: usize,
    /// The command that starts it.
    pub command: String,
}

impl Flake {
    /// The development shells of one system; `None` means of every system.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn shells(&self, system: Option<&str>, call: &Call) -> Result<Shells, FlakeError> {
        let find = |flake: Self| async move { flake.find_shells(system, call).await };
        let mut shells: Shells = self.remembered(&format!("shells {system:?}"), call, find).await?;
        // What is in the store changes although the flake does not.
        for package in shells.shells.iter_mut().flat_map(|shell| &mut shell.packages) {
            package.list_commands();
        }
        Ok(shells)
    }

    /// The inputs of the flake's packages.
    async fn package_inputs(&self, system: Option<&str>, call: &Call) -> Result<Compared, FlakeError> {
        let listing = ListOptions { instantiate: Instantiate::No, on_warning: &|_, _| (), call };
        let mut leaves = self.leaves(|rule| rule.kind == OutputKind::Package, listing).await?;
        leaves.retain(|leaf| {
            // An output that does not evaluate has no system.
            let is_of_system = system.is_none() || leaf.system.is_none() || leaf.system.as_deref() == system;
            leaf.path.first().is_some_and(|output| output == "packages") && is_of_system
        });
        let mut compared = Compared::default();
        leaves.retain_mut(|leaf| match leaf.error.take() {
            Some(error) => {
                compared.unread.push(UnreadPart::new(leaf.path.iter().cloned(), error));
                false
            }
            None => true,
        });
        compared.not_compared = leaves.len().saturating_sub(COMPARED);
        leaves.truncate(COMPARED);
        let question = |path: &Vec<String>| Question::new(path.iter().cloned(), "build_inputs");
        let questions = leaves.iter().map(|leaf| question(&leaf.path)).collect();
        let answers = self.ask("packages", questions, Instantiate::No, call).await?;
        for (leaf, answer) in leaves.into_iter().zip(answers) {
            let read = answer.and_then(|answer| {
                OutputInputs::deserialize(&answer.value).map_err(|error| {
                    let message = "the inputs of the package have an unexpected type";
                    Diagnostic::new(Code::TypeMismatch, message).with_said(&error.to_string())
                })
            });
            match read {
                Ok(inputs) => {
                    let attr = AttrPath::new(leaf.path).to_string();
                    compared.sources.push(Source { attr, system: leaf.system, inputs });
                }
                Err(error) => compared.unread.push(UnreadPart::new(leaf.path, error)),
            }
        }
        Ok(compared)
    }

    async fn find_shells(&self, system: Option<&str>, call: &Call) -> Result<Shells, FlakeError> {
        let listing = ListOptions { instantiate: Instantiate::No, on_warning: &|_, _| (), call };
        let mut leaves = self.leaves(|rule| rule.kind == OutputKind::Devshell, listing).await?;
        leaves.retain(|leaf| system.is_none() || leaf.system.is_none() || leaf.system.as_deref() == system);
        let questions = leaves
            .iter()
            .filter(|leaf| leaf.error.is_none())
            .map(|leaf| {
                let system = json!({"system": leaf.system.clone().unwrap_or_default()});
                Question::new(leaf.path.iter().cloned(), "shell").with(system)
            })
            .collect();
        let answers = self.ask("shells", questions, Instantiate::No, call).await?;
        let Compared { mut sources, unread, not_compared } = match leaves.is_empty() {
            true => Compared::default(),
            false => self.package_inputs(system, call).await?,
        };
        for (leaf, answer) in leaves.iter().filter(|leaf| leaf.error.is_none()).zip(&answers) {
            if let Ok(answer) = answer
                && let Some(inputs) = inputs_of_shell(&answer.value)
            {
                let attr = AttrPath::new(leaf.path.iter().cloned()).to_string();
                sources.push(Source { attr, system: leaf.system.clone(), inputs });
            }
        }
        let mut answers = answers.into_iter();
        let mut shells = Vec::new();
        for leaf in leaves {
            let answer = match leaf.error.clone() {
                Some(error) => Err(error),
                None => answers.next().unwrap_or_else(|| Ok(Answer::default())),
            };
            let system = leaf.system.clone().unwrap_or_default();
            // `devShell.SYSTEM`, the older form, has no name of its own.
            let name = leaf.path.get(2).cloned().unwrap_or_else(|| "default".to_owned());
            let command = match name.as_str() {
                "default" => "nix develop".to_owned(),
                _ => format!("nix develop '.#{}'", AttrPath::new([name.as_str()])),
            };
            let mut shell = Shell {
                name,
                system,
                status: Status::Ok,
                packages: Vec::new(),
                more_packages: 0,
                error: None,
                unread: 0,
                command,
            };
            match answer {
                Ok(answer) => {
                    let own = inputs_of_shell(&answer.value);
                    let others = own.iter().flat_map(|own| {
                        sources
                            .iter()
                            .filter(|other| other.system == leaf.system && other.inputs.path != own.path)
                            .map(|other| (other.attr.as_str(), own.positions_of(&other.inputs)))
                    });
                    let others: Vec<(&str, Vec<usize>)> = others.collect();
                    let packages: Vec<ProbedPackage> = list(answer.value.get("packages"));
                    shell.more_packages = packages.len().saturating_sub(PACKAGES);
                    let described = |package: ProbedPackage| {
                        let through =
                            others.iter().filter(|(_, positions)| positions.contains(&package.index));
                        let through = through.map(|(attr, _)| (*attr).to_owned()).take(THROUGH).collect();
                        ShellPackage::from_probe(package, through, &self.source())
                    };
                    shell.packages = packages.into_iter().take(PACKAGES).map(described).collect();
                    let inputs = answer.value.get("inputs").and_then(Value::as_u64).unwrap_or_default();
                    let lacks = |place: &[PathStep]| {
                        answer.unread.iter().any(|part| part.covers(place.iter().cloned()))
                    };
                    let unread = (0..inputs).filter(|&input| lacks(&["packages".into(), input.into()]));
                    shell.unread = unread.count();
                    let whole = [["derivation".into()], ["packages".into()]];
                    let failed = |part: &&UnreadPart| {
                        whole.iter().any(|place: &[PathStep; 1]| part.covers(place.iter().cloned()))
                    };
                    if let Some(part) = answer.unread.iter().find(failed) {
                        shell.status = Status::of(&part.error);
                    }
                    shell.error = answer.unread.into_iter().next().map(|part| part.error);
                }
                Err(error) => {
                    shell.status = Status::of(&error);
                    shell.error = Some(error);
                }
            }
            shells.push(shell);
        }
        Ok(Shells { shells, unread, not_compared })
    }
}

/// The inputs of a shell in the answer of its probe; `None` if its path is not known. An input that is no package, or could not
/// be read, is `None`.
fn inputs_of_shell(answer: &Value) -> Option<OutputInputs> {
    let count = |name: &str| answer.get(name).and_then(Value::as_u64).and_then(|count| count.try_into().ok());
    let (native, all): (usize, usize) = (count("native")?, count("inputs")?);
    let mut paths = vec![None; all];
    for package in list::<ProbedPackage>(answer.get("packages")) {
        if let Some(place) = paths.get_mut(package.index) {
            *place = package.path;
        }
    }
    let build = paths.split_off(native.min(all));
    Some(OutputInputs {
        path: answer.pointer("/derivation/drv_path")?.as_str()?.to_owned(),
        native: paths,
        build,
    })
}

/// The entries of a list of the probe.
fn list<T: DeserializeOwned>(value: Option<&Value>) -> Vec<T> {
    let entries = value.and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| T::deserialize(entry).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::by_name;

    #[test]
    fn an_attribute_follows_from_a_file_by_name_only() {
        let folder = "/nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-source";
        let of = |file: &str| by_name(&format!("{folder}/{file}"));
        assert_eq!(of("pkgs/by-name/ri/ripgrep/package.nix").as_deref(), Some("ripgrep"));
        assert_eq!(of("pkgs/by-name/ri/ripgrep/wrapper.nix"), None);
        assert_eq!(of("pkgs/by-name/ri/ripgrep/inner/package.nix"), None);
        assert_eq!(of("pkgs/development/web/nodejs/v20.nix"), None);
    }
}

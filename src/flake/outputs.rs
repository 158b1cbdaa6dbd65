//! The outputs of a flake, and the rules for each kind.
//!
//! The rules are those of `nix flake check` (its manual page, and `src/nix/flake.cc` of Nix 2.26 and 2.34), applied to all
//! systems, and also to home-manager and nix-darwin configurations. An output that Nix refuses is refused here:
//! `tests/tools/strict.rs` compares the two.

mod list;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::names::AttrPath;

pub use list::ListOptions;

/// The kind of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// A NixOS host.
    Host,
    /// A home-manager configuration.
    Home,
    /// A nix-darwin host.
    Darwin,
    /// A package.
    Package,
    /// A development shell.
    Devshell,
    /// A check.
    Check,
    /// A program that `nix run` starts.
    App,
    /// The program that `nix fmt` runs.
    Formatter,
    /// A NixOS module.
    Module,
    /// An overlay.
    Overlay,
    /// A template that `nix flake init` copies.
    Template,
    /// A function that `nix bundle` uses.
    Bundler,
    /// A job that Hydra builds.
    Job,
    /// An output Nix has no rules for.
    Other,
}

/// The structure of an output below its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The value itself.
    Single,
    /// `name -> value`.
    Named,
    /// `system -> value`.
    PerSystem,
    /// `system -> name -> value`.
    PerSystemNamed,
    /// Nested sets of any depth.
    Nested,
    /// `system -> …`; only the names of the systems are checked.
    Systems,
    /// Any value; its content is not checked.
    Opaque,
}

/// The rule for a top-level output.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The name of the output.
    pub output: &'static str,
    /// The kind of its elements.
    pub kind: OutputKind,
    /// Its structure.
    pub shape: Shape,
    /// The probe that checks one element; empty if elements are not checked.
    pub probe: &'static str,
}

const fn rule(output: &'static str, kind: OutputKind, shape: Shape, probe: &'static str) -> Rule {
    Rule { output, kind, shape, probe }
}

/// Every output with a rule. Hosts come first, because they take longest.
pub const RULES: &[Rule] = &[
    rule("nixosConfigurations", OutputKind::Host, Shape::Named, "host"),
    rule("darwinConfigurations", OutputKind::Darwin, Shape::Named, "host"),
    rule("homeConfigurations", OutputKind::Home, Shape::Named, "activation"),
    rule("packages", OutputKind::Package, Shape::PerSystemNamed, "derivation"),
    rule("devShells", OutputKind::Devshell, Shape::PerSystemNamed, "derivation"),
    rule("checks", OutputKind::Check, Shape::PerSystemNamed, "derivation"),
    rule("apps", OutputKind::App, Shape::PerSystemNamed, "app"),
    rule("formatter", OutputKind::Formatter, Shape::PerSystem, "derivation"),
    rule("nixosModules", OutputKind::Module, Shape::Named, "module"),
    rule("overlays", OutputKind::Overlay, Shape::Named, "overlay"),
    rule("templates", OutputKind::Template, Shape::Named, "template"),
    rule("bundlers", OutputKind::Bundler, Shape::PerSystemNamed, "function"),
    rule("nixosModule", OutputKind::Module, Shape::Single, "module"),
    rule("overlay", OutputKind::Overlay, Shape::Single, "overlay"),
    rule("defaultTemplate", OutputKind::Template, Shape::Single, "template"),
    rule("defaultPackage", OutputKind::Package, Shape::PerSystem, "derivation"),
    rule("devShell", OutputKind::Devshell, Shape::PerSystem, "derivation"),
    rule("defaultApp", OutputKind::App, Shape::PerSystem, "app"),
    rule("defaultBundler", OutputKind::Bundler, Shape::PerSystem, "function"),
    rule("hydraJobs", OutputKind::Job, Shape::Nested, "derivation"),
    rule("legacyPackages", OutputKind::Other, Shape::Systems, ""),
];

/// Outputs that Nix knows without rules (`src/nix/flake.cc`). It warns about any other.
const UNCHECKED: [&str; 8] = [
    "lib",
    "darwinModules",
    "flakeModule",
    "flakeModules",
    "herculesCI",
    "homeModule",
    "homeModules",
    "nixopsConfigurations",
];

/// The warning of Nix about an output's name; `None` if there is none.
#[must_use]
pub fn remark(output: &str) -> Option<String> {
    let instead = match output {
        "defaultPackage" => "packages.<system>.default",
        "defaultApp" => "apps.<system>.default",
        "defaultTemplate" => "templates.default",
        "defaultBundler" => "bundlers.<system>.default",
        "overlay" => "overlays.default",
        "devShell" => "devShells.<system>.default",
        "nixosModule" => "nixosModules.default",
        known if UNCHECKED.contains(&known) || RULES.iter().any(|rule| rule.output == known) => return None,
        _ => return Some("Nix knows no output with this name and does not check its content".to_owned()),
    };
    Some(format!("this name is deprecated: use `{instead}`"))
}

impl Rule {
    /// The rule for a top-level output. The content of an unknown output is not checked.
    #[must_use]
    pub fn of(output: &str) -> Self {
        RULES
            .iter()
            .copied()
            .find(|rule| rule.output == output)
            .unwrap_or_else(|| rule("", OutputKind::Other, Shape::Opaque, "forced"))
    }
}

/// One element of an output, not checked yet.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Its attribute path.
    pub path: Vec<String>,
    /// The rule that it must follow.
    pub rule: Rule,
    /// The system in its attribute path; `None` if the path has none.
    pub system: Option<String>,
    /// The error because of which the set at this path could not be listed.
    pub error: Option<Diagnostic>,
}

impl Leaf {
    /// Its attribute path as text.
    #[must_use]
    pub fn attr(&self) -> String {
        AttrPath::new(self.path.iter().cloned()).to_string()
    }
}

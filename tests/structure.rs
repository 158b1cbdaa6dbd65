//! Imports point downwards only, and only one module spawns programs.
//!
//! The rules are the tables here. `structure/` reads the code: `source` finds the modules, `uses` the paths in them,
//! `resolve` what each path means, `systems` what only one operating system has; `forms` tests that no form is
//! overlooked.
mod forms;
mod resolve;
mod source;
mod systems;
mod uses;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use syn::visit::{self, Visit};

use resolve::{Meaning, Use};
use source::Module;

/// Which children of a module may use which.
struct Layering {
    /// The module, by its path from the crate's root.
    root: &'static [&'static str],
    /// Its children from the bottom up. Each may use those below it and those in its own layer. The module itself may
    /// use all.
    layers: &'static [&'static [&'static str]],
}

const LAYERINGS: &[Layering] = &[
    Layering {
        root: &[],
        layers: &[
            &[
                "text",
                "advice",
                "causes",
                "stderr",
                "names",
                "diagnostic",
                "schema",
                "progress",
                "metrics",
                "policy",
                "time",
                "canonical",
                "user",
                "random",
                "reading",
                "redact",
                "platform",
            ],
            &["process", "scratch", "state"],
            &["ssh"],
            &["config"],
            &["nix"],
            &["disko"],
            &["flake"],
            &["search"],
            &["audit"],
            &["deploy"],
            &["tools"],
            &["mcp"],
            &["cli"],
        ],
    },
    Layering {
        root: &["deploy"],
        layers: &[&["plan"], &["host"], &["supervisor"], &["approval"], &["propose"], &["rollout"]],
    },
];

/// The folders of `deploy`, and the others that each uses: exactly these.
const ROOMS: &[(&str, &[&str])] = &[
    ("plan", &[]),
    ("host", &[]),
    ("supervisor", &[]),
    ("approval", &["plan"]),
    ("propose", &["host", "plan"]),
    ("rollout", &["approval", "host", "plan", "propose", "supervisor"]),
];

/// The domain modules, which must never use those in [`NOT_FOR_THE_DOMAIN`].
const DOMAIN: &[&str] =
    &["flake", "disko", "search", "deploy", "audit", "nix", "ssh", "process", "scratch", "state"];
const NOT_FOR_THE_DOMAIN: &[&str] = &["tools", "mcp", "cli", "policy"];

/// What the rules need to know of this crate, without its tests.
struct Crate {
    /// Every module that is a file, by its path from the root.
    modules: Vec<Vec<String>>,
    tools: Vec<Tool>,
    /// The places outside of `platform` that name an operating system or rely on one.
    systems: Vec<String>,
    uses: Vec<Use>,
    texts: Vec<Text>,
}

static CRATE: LazyLock<Crate> = LazyLock::new(|| {
    let modules = source::modules(&source::texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
    Crate {
        tools: modules.iter().filter_map(Tool::of).collect(),
        systems: modules
            .iter()
            .filter(|module| !begins(&module.path, &["platform"]))
            .flat_map(systems::named)
            .collect(),
        uses: resolve::uses(&modules),
        texts: modules.iter().flat_map(Text::of).collect(),
        modules: modules.into_iter().map(|module| module.path).collect(),
    }
});

impl Use {
    /// The paths in this crate that it means.
    fn here(&self) -> impl Iterator<Item = &[String]> {
        self.means.iter().filter_map(|meaning| match meaning {
            Meaning::Here(path) => Some(path.as_slice()),
            Meaning::Elsewhere(_) => None,
        })
    }

    /// The paths in other crates that it means.
    fn elsewhere(&self) -> impl Iterator<Item = &[String]> {
        self.means.iter().filter_map(|meaning| match meaning {
            Meaning::Elsewhere(path) => Some(path.as_slice()),
            Meaning::Here(_) => None,
        })
    }

    /// Whether it is in this file, which is given relative to the repository.
    fn is_in(&self, file: &str) -> bool {
        self.place.rsplit_once(':').is_some_and(|(place, _)| place == file)
    }
}

/// Whether a path begins with these names.
fn begins(path: &[String], names: &[&str]) -> bool {
    path.len() >= names.len() && path.iter().zip(names).all(|(one, name)| one == name)
}

#[track_caller]
fn assert_none(rule: &str, mut broken: Vec<String>) {
    broken.sort();
    broken.dedup();
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

impl Layering {
    /// The height and the name of the root's child in which a path is.
    fn height(&self, path: &[String]) -> Option<(usize, &str)> {
        let child = begins(path, self.root).then(|| path.get(self.root.len())).flatten()?;
        self.layers
            .iter()
            .enumerate()
            .find_map(|(height, layer)| Some((height, *layer.iter().find(|name| *name == child)?)))
    }

    fn broken(&self, uses: &[Use]) -> Vec<String> {
        let mut broken = Vec::new();
        for one in uses {
            let Some((height, module)) = self.height(&one.module) else { continue };
            for path in one.here() {
                if let Some((above, other)) = self.height(path)
                    && above > height
                {
                    let path = path.join("::");
                    broken
                        .push(format!("{}: {module} uses {path}, and {other} is above {module}", one.place));
                }
            }
        }
        broken
    }
}

#[test]
fn imports_point_downwards() {
    for layering in LAYERINGS {
        assert_none("a module uses one above it (LAYERINGS)", layering.broken(&CRATE.uses));
    }
}

#[test]
fn every_module_has_its_layer() {
    for layering in LAYERINGS {
        let depth = layering.root.len();
        let mut children: Vec<&str> = CRATE
            .modules
            .iter()
            .filter(|path| begins(path, layering.root) && path.len() == depth + 1)
            .map(|path| path[depth].as_str())
            .collect();
        let mut listed = layering.layers.concat();
        children.sort_unstable();
        listed.sort_unstable();
        assert_eq!(children, listed, "the modules of {:?} and their layers in LAYERINGS", layering.root);
    }
}

#[test]
fn folders_of_deploy_use_those_they_need() {
    let room = |path: &[String]| begins(path, &["deploy"]).then(|| path.get(1).cloned()).flatten();
    for (name, needed) in ROOMS {
        let own = CRATE.uses.iter().filter(|one| begins(&one.module, &["deploy", name]));
        let used: BTreeSet<String> = own.flat_map(Use::here).filter_map(room).collect();
        let others: Vec<&str> = used.iter().map(String::as_str).filter(|other| other != name).collect();
        assert_eq!(others, *needed, "what src/deploy/{name} uses (ROOMS)");
    }
}

#[test]
fn layers_within_a_module_are_held_as_well() {
    let files = [
        ("lib.rs", "mod deploy;"),
        ("deploy/mod.rs", "mod plan; mod rollout; mod host; pub use rollout::Wave;"),
        ("deploy/plan.rs", "use super::host::State; use super::Wave;"),
        ("deploy/host.rs", "use super::{plan::Plan};"),
        ("deploy/rollout.rs", "use super::plan; pub struct Wave;"),
    ];
    let texts = files.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
    let uses = resolve::uses(&source::modules(&texts));
    let layering = Layering { root: &["deploy"], layers: &[&["plan", "host"], &["rollout"]] };
    let broken = "src/deploy/plan.rs:1: plan uses deploy::rollout::Wave, and rollout is above plan";
    assert_eq!(layering.broken(&uses), [broken]);
}

#[test]
fn the_domain_knows_nothing_of_the_surface() {
    let mut broken = Vec::new();
    for one in CRATE.uses.iter().filter(|one| DOMAIN.iter().any(|module| begins(&one.module, &[module]))) {
        for path in one.here() {
            if NOT_FOR_THE_DOMAIN.iter().any(|other| begins(path, &[other])) {
                broken.push(format!("{} uses {}", one.place, path.join("::")));
            }
        }
        if one.elsewhere().any(|path| begins(path, &["rmcp"])) {
            broken.push(format!("{} knows MCP", one.place));
        }
    }
    assert_none("a domain module uses the surface", broken);
}

/// A string in the code of a module.
struct Text {
    module: Vec<String>,
    file: String,
    text: String,
}

impl Text {
    fn of(module: &Module) -> Vec<Self> {
        let mut strings = Strings(Vec::new());
        strings.visit_file(&module.code);
        let text = |text| Self { module: module.path.clone(), file: module.file.clone(), text };
        strings.0.into_iter().map(text).collect()
    }
}

struct Strings(Vec<String>);

impl<'ast> Visit<'ast> for Strings {
    /// Comments are attributes, too, and are skipped; the texts in `#[error]` are not.
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("error") {
            visit::visit_attribute(self, attribute);
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.0.push(text.value());
    }

    fn visit_token_stream(&mut self, tokens: &'ast proc_macro2::TokenStream) {
        for token in tokens.clone() {
            match token {
                proc_macro2::TokenTree::Group(group) => self.visit_token_stream(&group.stream()),
                token => {
                    self.0.extend(syn::parse2::<syn::LitStr>(token.into()).ok().map(|text| text.value()))
                }
            }
        }
    }
}

/// Words of the user interface: how this program is called and configured. `src/advice.rs` provides them for the
/// domain.
const OF_THE_SURFACE: &[&str] =
    &["pantheros-mcp ", "pantheros.toml", "your settings", "--flake", "--without-token"];

#[test]
fn what_the_domain_says_names_no_tool_command_or_settings_file() {
    // `deploy` is a word of the domain as well, so only names with `_` are tested.
    let tools: Vec<&str> =
        pantheros_mcp::testing::tools::names().into_iter().filter(|name| name.contains('_')).collect();
    let mut broken = Vec::new();
    for one in CRATE.texts.iter().filter(|one| DOMAIN.iter().any(|module| begins(&one.module, &[module]))) {
        let named = |word: &&&str| one.text.contains(**word);
        if let Some(word) = OF_THE_SURFACE.iter().chain(&tools).find(named) {
            broken.push(format!("src/{}: {:?} names {word}", one.file, one.text));
        }
    }
    assert_none("the domain names a remedy (advice::Remedy), not the words for it", broken);
}

#[test]
fn only_one_module_spawns() {
    let spawns = |path: &[String]| {
        (begins(path, &["std", "process"]) || begins(path, &["tokio", "process"]))
            && path.get(2).is_some_and(|name| name == "Command" || name == "*")
    };
    let (ours, others): (Vec<&Use>, Vec<&Use>) = CRATE
        .uses
        .iter()
        .filter(|one| one.elsewhere().any(spawns))
        .partition(|one| begins(&one.module, &["process"]));
    assert!(!ours.is_empty(), "nothing spawns");
    assert_none("only src/process spawns", others.iter().map(|one| one.place.clone()).collect());
}

#[test]
fn only_platform_knows_the_operating_system() {
    assert_none("put it into src/platform", CRATE.systems.clone());
}

/// A file with `impl Tool`.
struct Tool {
    module: Vec<String>,
    file: String,
    /// Its `REACH` declares that it reaches hosts.
    says_so: bool,
    /// It takes the sessions to hosts from its context.
    takes_hosts: bool,
}

impl Tool {
    fn of(module: &Module) -> Option<Self> {
        let (path, file) = (module.path.clone(), module.file.clone());
        let mut tool = Self { module: path, file, says_so: false, takes_hosts: false };
        let is_tool = |item: &syn::Item| matches!(item, syn::Item::Impl(syn::ItemImpl { trait_: Some((path, _)), .. }) if is_last(path, "Tool"));
        tool.visit_file(&module.code);
        (begins(&module.path, &["tools"]) && module.code.items.iter().any(is_tool)).then_some(tool)
    }
}

fn is_last(path: &syn::Path, name: &str) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == name)
}

/// Whether an expression ends with a field or a variable of this name.
fn is_named(expression: &syn::Expr, name: &str) -> bool {
    match expression {
        syn::Expr::Field(field) => matches!(&field.member, syn::Member::Named(named) if named == name),
        syn::Expr::Path(path) => is_last(&path.path, name),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Tool {
    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        if item.ident == "REACH"
            && let syn::Expr::Path(value) = &item.expr
        {
            self.says_so |= is_last(&value.path, "Hosts");
        }
        visit::visit_impl_item_const(self, item);
    }

    fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
        let is_hosts = matches!(&field.member, syn::Member::Named(name) if name == "hosts");
        self.takes_hosts |= is_hosts && is_named(&field.base, "in_force");
        visit::visit_expr_field(self, field);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.takes_hosts |=
            matches!(&*call.receiver, syn::Expr::Field(_)) && is_named(&call.receiver, "hosts");
        visit::visit_expr_method_call(self, call);
    }

    /// Searches the text of a macro's tokens.
    fn visit_token_stream(&mut self, tokens: &'ast proc_macro2::TokenStream) {
        let text: String = tokens.to_string().split_whitespace().collect();
        self.takes_hosts |= text.contains(".hosts.") || text.contains("in_force.hosts");
    }
}

/// A tool that uses anything with which hosts are reached has to declare that it reaches hosts, so that it is not
/// served to every client.
#[test]
fn tools_that_can_reach_hosts_say_so() {
    let can_reach = |tool: &Tool| {
        let own = CRATE.uses.iter().filter(|one| one.module.starts_with(&tool.module));
        let reaches = |path: &[String]| begins(path, &["deploy"]) || begins(path, &["tools", "deploy"]);
        tool.takes_hosts || own.flat_map(Use::here).any(reaches)
    };
    let (reaching, others): (Vec<&Tool>, Vec<&Tool>) = CRATE.tools.iter().partition(|tool| tool.says_so);
    assert!(reaching.len() >= 5 && others.len() >= 5, "{} and {}", reaching.len(), others.len());
    let broken = others.iter().filter(|tool| can_reach(tool)).map(|tool| format!("src/{}", tool.file));
    assert_none("a tool that can reach hosts does not say so (REACH)", broken.collect());
}

/// Files that read without `src/reading.rs`, each with the reason why nobody else can have placed there what it reads.
const READERS: &[(&str, &str)] = &[
    ("src/reading.rs", "it is what the others read with"),
    ("src/platform/linux.rs", "/proc"),
    ("src/process/terminal.rs", "the terminal"),
    ("src/scratch.rs", "a folder of its own"),
    ("src/state.rs", "a folder of its own"),
    ("src/cli/prompt.rs", "the terminal"),
    ("src/cli/approve.rs", "what a person names, who may mean a pipe"),
    ("src/cli/demo.rs", "files it wrote"),
];

#[test]
fn what_anybody_may_have_put_there_is_read_within_bounds() {
    const READING: &[&[&str]] = &[&["fs", "read"], &["fs", "read_to_string"], &["fs", "File", "open"]];
    let reads = |path: &[String]| path.len() > 1 && READING.iter().any(|reading| begins(&path[1..], reading));
    let broken = CRATE
        .uses
        .iter()
        .filter(|one| !READERS.iter().any(|(reader, _)| one.is_in(reader)))
        .filter(|one| one.elsewhere().any(reads))
        .map(|one| one.place.clone())
        .collect();
    assert_none("use crate::reading", broken);
}

/// Files that clean names of others for a field or a line of its own, each with its reason. In a sentence a name goes
/// through `text::word` or `text::words`, which replace a name that says anything by an ellipsis.
const CLEANERS: &[(&str, &str)] = &[
    ("src/tools/gap.rs", "`attr` is a field of names"),
    (
        "src/tools/nix_search/answer.rs",
        "its fields hold names, or texts that are marked; its lines use words",
    ),
];

#[test]
fn names_of_others_are_words_in_what_tools_say() {
    let broken = CRATE
        .uses
        .iter()
        .filter(|one| begins(&one.module, &["tools"]) || begins(&one.module, &["flake", "select"]))
        .filter(|one| !CLEANERS.iter().any(|(cleaner, _)| one.is_in(cleaner)))
        .filter(|one| {
            one.here().any(|path| {
                ["joined", "exact", "plain"].iter().any(|cleaning| begins(path, &["text", cleaning]))
            })
        })
        .map(|one| one.place.clone())
        .collect();
    assert_none("use text::words", broken);
}

/// A macro declares the files of tools, so `cargo fmt` does not find them.
#[test]
fn the_files_of_tools_are_formatted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools");
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    // rustfmt also checks the modules that a file declares.
    let files = entries.filter(|path| path.is_file());
    let checked = std::process::Command::new("rustfmt").arg("--check").args(files).output().unwrap();
    assert!(
        checked.status.success(),
        "{}{}\nTo format them:\n  rustfmt src/tools/*.rs",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}

//! Errors of the module system of nixpkgs (`lib/modules.nix`, `lib/options.nix`, `lib/types.nix`) and assertions of
//! NixOS (`nixos/modules/system/activation/top-level.nix`).

use super::NixProblem;
use super::phrase::{self, Phrase};
use crate::diagnostic::{Code, Diagnostic, Frame};

/// Most definitions of an option that are shown.
const DEFINITIONS: usize = 4;

/// The arguments that NixOS passes to every module.
const ARGUMENTS: &[&str] = &["config", "lib", "modulesPath", "options", "pkgs"];

/// nixpkgs quotes an option by a grave accent before it and an apostrophe after it.
const PHRASES: &[Phrase] = &[
    Phrase {
        template: "The option `{}' does not exist",
        code: Code::UnknownOption,
        attr_gap: Some(0),
        hint: "Check the name `{0}`, and that the module that declares it is imported.",
    },
    Phrase {
        template: "The option `{}' can no longer be used since it's been removed. {}",
        code: Code::UnknownOption,
        attr_gap: Some(0),
        hint: "The option was removed; `said` names its replacement.",
    },
    Phrase {
        template: "The option definition `{}' in `{}' no longer has any effect; please remove it.",
        code: Code::UnknownOption,
        attr_gap: Some(0),
        hint: "Remove the definition of `{0}`.",
    },
    Phrase {
        template: "Module `{}' has an unsupported attribute `{}'",
        code: Code::UnknownOption,
        attr_gap: Some(1),
        hint: "A module with `options` or `config` takes its settings only within `config`: move `{1}` there.",
    },
    Phrase {
        template: "The option `{}' has conflicting definition values",
        code: Code::ConflictingOptions,
        attr_gap: Some(0),
        hint: "Keep one of the definitions, or let one win: `{0} = lib.mkForce …;`.",
    },
    Phrase {
        template: "The option `{}' is defined multiple times",
        code: Code::ConflictingOptions,
        attr_gap: Some(0),
        hint: "Keep one of the definitions, or let one win: `{0} = lib.mkForce …;`.",
    },
    Phrase {
        template: "The option `{}' is read-only, but it's set multiple times",
        code: Code::ConflictingOptions,
        attr_gap: Some(0),
        hint: "`{0}` is set by the module that declares it: remove the other definition.",
    },
    Phrase {
        template: "Cannot merge definitions of `{}'",
        code: Code::ConflictingOptions,
        attr_gap: Some(0),
        hint: "Keep one of the definitions, or let one win: `{0} = lib.mkForce …;`.",
    },
    Phrase {
        template: "The option `{}' has conflicting option types in {}",
        code: Code::ConflictingOptions,
        attr_gap: Some(0),
        hint: "`{0}` is declared twice: rename one of the two.",
    },
    Phrase {
        template: "The option `{}' in `{}' is already declared in `{}'",
        code: Code::ConflictingOptions,
        attr_gap: Some(0),
        hint: "`{0}` is declared twice: rename one of the two.",
    },
    Phrase {
        template: "The option `{}' was accessed but has no value defined",
        code: Code::UndefinedOption,
        attr_gap: Some(0),
        hint: "Set `{0}`: it has no default.",
    },
    Phrase {
        template: "The option `{}' is used but not defined",
        code: Code::UndefinedOption,
        attr_gap: Some(0),
        hint: "Set `{0}`: it has no default.",
    },
    Phrase {
        template: "A definition for option `{}' is not of type `{}'",
        code: Code::TypeMismatch,
        attr_gap: Some(0),
        hint: "`{0}` takes another type of value, which `said` names.",
    },
    Phrase { template: "In module `{}':", code: Code::EvaluationFailed, attr_gap: Some(0), hint: "" },
    Phrase {
        template: "…does not look like a module",
        code: Code::TypeMismatch,
        attr_gap: None,
        hint: "A module is a set, a function that returns one, or a file with either.",
    },
    Phrase {
        template: "cannot find attribute `{}'",
        code: Code::MissingAttribute,
        attr_gap: Some(0),
        hint: "Check the name `{0}`.",
    },
];

pub(super) fn recognise(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    if let Some(diagnostic) = assertions(problem.message).or_else(|| argument(problem)) {
        return Some(diagnostic);
    }
    let mut diagnostic = phrase::first(PHRASES, problem.message)?;
    let (sentence, values) = match problem.message.split_once("Definition values:") {
        Some((sentence, values)) => (sentence.trim_end(), Some(values)),
        None => (phrase::paragraph(problem.message), None),
    };
    let definitions = definitions(problem);
    if let Some((file, _)) = definitions.iter().find(|(_, own)| *own).or(definitions.first()) {
        diagnostic.file = Some(file.clone());
    }
    // Conflicting definitions are listed within the sentence.
    let values = values.or_else(|| Some(problem.message.split_once("conflicting definition values:")?.1));
    if let Some(values) = values {
        let sentence = sentence.lines().next().unwrap_or_default().trim_end_matches(['.', ':']);
        let values = phrase::paragraph(values.trim_start_matches('\n'));
        let values = values.split("\nUse `lib.mk").next().unwrap_or(values);
        diagnostic = diagnostic.with_said(&named(&format!("{sentence}:\n{values}"), problem));
    } else {
        diagnostic = diagnostic.with_said(sentence);
    }
    diagnostic.trace = definitions
        .into_iter()
        .map(|(file, _)| Frame { message: "defined here".to_owned(), file: Some(file), line: None })
        .collect();
    Some(diagnostic.with_suggestions(phrase::suggestions(problem.message)))
}

/// NixOS joins all failed assertions into one message.
fn assertions(message: &str) -> Option<Diagnostic> {
    let list = message.split_once("Failed assertions:\n").map(|(_, list)| list);
    let list = list.or_else(|| message.strip_prefix("Failed assertion: "))?;
    let count = list.lines().filter(|line| line.starts_with("- ")).count().max(1);
    let hint = if count == 1 {
        "The assertion says which option to set.".to_owned()
    } else {
        format!("{count} assertions failed; each says which option to set.")
    };
    Some(Diagnostic::quoting(Code::AssertionFailed, message).with_hint(hint))
}

/// A module requires an argument that is not passed; `lib/modules.nix` reports it in the innermost frame.
fn argument(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    let [missing] = phrase::gaps("attribute '{}' missing", problem.message)?.try_into().ok()?;
    let noted = problem.error.trace.first()?.message.as_str();
    let [argument, _] =
        phrase::gaps("noting that argument `{}` is not externally provided{}", noted)?.try_into().ok()?;
    (argument == missing).then(|| {
        let name = crate::text::word(argument);
        Diagnostic::new(Code::ArgumentMismatch, format!("no module argument is called `{name}`"))
            .with_attr(argument)
            .with_hint(format!(
                "Modules get {}; other arguments have to be passed with `specialArgs` or `_module.args.{name}`.",
                ARGUMENTS.join(", ")
            ))
            .with_suggestions(crate::text::nearest(argument, ARGUMENTS.iter().copied(), 2))
    })
}

/// The option that was being evaluated.
pub(super) fn option<'p>(problem: &NixProblem<'p>) -> Option<&'p str> {
    problem
        .error
        .trace
        .iter()
        .find_map(|frame| phrase::gaps("while evaluating the option `{}':", &frame.message)?.first().copied())
}

/// The files that a message names as "In `file': value", and whether they belong to the flake.
fn definitions(problem: &NixProblem<'_>) -> Vec<(String, bool)> {
    let mut files = Vec::new();
    for (at, opening) in problem.message.match_indices("In `") {
        let rest = problem.message.get(at + opening.len()..).unwrap_or_default();
        let Some((file, _)) = rest.split_once('\'') else { continue };
        // A definition through another option has its name: "file, via option x".
        let file = file.split(", via ").next().unwrap_or(file);
        let own = problem.files.path_in_flake(file);
        let is_own = own.is_some();
        let file = crate::text::bounded(&own.unwrap_or_else(|| problem.files.display_name(file)), 300);
        if files.len() < DEFINITIONS && files.iter().all(|(known, _)| *known != file) {
            files.push((file, is_own));
        }
    }
    files
}

/// The message with the display names of its files.
fn named(message: &str, problem: &NixProblem<'_>) -> String {
    let mut out = String::with_capacity(message.len());
    for (index, part) in message.split("In `").enumerate() {
        if index > 0 {
            out.push_str("In `");
        }
        match part.split_once('\'') {
            Some((file, rest)) if index > 0 => {
                out.push_str(&problem.files.display_name(file));
                out.push('\'');
                out.push_str(rest);
            }
            _ => out.push_str(part),
        }
    }
    crate::text::bounded(&out, crate::diagnostic::MESSAGE_LIMIT)
}

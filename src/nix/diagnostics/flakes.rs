//! Errors of a flake: its inputs, lock file, outputs and files.

use std::path::Path;

use super::NixProblem;
use super::phrase::{self, Phrase};
use crate::advice;
use crate::diagnostic::{Code, Diagnostic};
use crate::text;

/// Templates of errors for a missing file; the gap is the file.
///
/// Nix 2.26 names the copy in the store, 2.34 the repository (`GitSourceAccessor`, `git.cc`). A file that is read and
/// not imported fails in the C library.
const MISSING: &[&str] = &[
    "path '{}' does not exist",
    "Path '{}' does not exist in Git repository",
    "opening file '{}': No such file or directory",
    "getting status of '{}': No such file or directory",
    "opening directory '{}': No such file or directory",
    "reading directory '{}': No such file or directory",
    "file '{}' does not exist",
    "'{}' does not exist",
];

/// From `src/libflake` and `src/libfetchers`.
const PHRASES: &[Phrase] = &[
    Phrase {
        template: "flake '{}' requires lock file changes but they're not allowed",
        code: Code::LockFileOutdated,
        attr_gap: None,
        hint: "Run `nix flake lock` in the flake's folder and commit flake.lock: the inputs of flake.nix have changed.",
    },
    Phrase {
        template: "cannot write modified lock file of flake '{}'",
        code: Code::LockFileOutdated,
        attr_gap: None,
        hint: "Run `nix flake lock` in the flake's folder and commit flake.lock: the inputs of flake.nix have changed.",
    },
    Phrase {
        template: "cannot update unlocked flake input '{}' in pure mode",
        code: Code::LockFileOutdated,
        attr_gap: Some(0),
        hint: "Run `nix flake update {0}` in the flake's folder and commit flake.lock.",
    },
    Phrase {
        template: "Lock file contains unlocked input '{}'",
        code: Code::LockFileOutdated,
        attr_gap: Some(0),
        hint: "Run `nix flake lock` in the flake's folder and commit flake.lock.",
    },
    Phrase {
        template: "…because it has an unlocked input ('{}')",
        code: Code::LockFileOutdated,
        attr_gap: Some(0),
        hint: "Give that input an address that can be pinned: commit its source, or use a `git+file:` or remote address.",
    },
    Phrase {
        template: "NAR hash mismatch in input '{}'",
        code: Code::HashMismatch,
        attr_gap: Some(0),
        hint: "The source of the input differs from flake.lock: if the change is right, run `nix flake update` for that input.",
    },
    Phrase {
        template: "cannot find flake '{}' in the flake registries",
        code: Code::MissingInput,
        attr_gap: Some(0),
        hint: "Give the input a full address, such as `github:owner/repository`.",
    },
    Phrase {
        template: "could not find a flake.nix file",
        code: Code::FlakeNotFound,
        attr_gap: None,
        hint: advice::NAME_FLAKE,
    },
    Phrase {
        template: "path '{}' does not contain a 'flake.nix'",
        code: Code::FlakeNotFound,
        attr_gap: Some(0),
        hint: advice::NAME_FLAKE,
    },
    Phrase {
        template: "path '{}' is not part of a flake",
        code: Code::FlakeNotFound,
        attr_gap: Some(0),
        hint: advice::NAME_FLAKE,
    },
    Phrase {
        template: "path '{}' is not a flake",
        code: Code::FlakeNotFound,
        attr_gap: Some(0),
        hint: advice::NAME_FLAKE,
    },
    Phrase {
        template: "source tree referenced by '{}' does not contain a '{}' file",
        code: Code::FlakeNotFound,
        attr_gap: Some(0),
        hint: "Name a folder or repository that holds a flake.nix.",
    },
    Phrase {
        template: "…repository path '{}' is not owned by current user",
        code: Code::NixFailed,
        attr_gap: Some(0),
        hint: "If you trust that repository, run `git config --global --add safe.directory {0}`.",
    },
    Phrase {
        template: "…executing 'git': No such file",
        code: Code::NixFailed,
        attr_gap: None,
        hint: "Install git: Nix uses it to read the flake.",
    },
    Phrase {
        template: "file '{}' must be an attribute set",
        code: Code::TypeMismatch,
        attr_gap: Some(0),
        hint: "flake.nix is a plain set: `{ inputs = …; outputs = …; }`, not a function or a `let`.",
    },
    Phrase {
        template: "flake '{}' has an unsupported attribute '{}'",
        code: Code::UnknownOutput,
        attr_gap: Some(1),
        hint: "flake.nix takes `description`, `inputs`, `outputs` and `nixConfig`: move `{1}` into what `outputs` returns.",
    },
    Phrase {
        template: "flake '{}' lacks attribute 'outputs'",
        code: Code::UnknownOutput,
        attr_gap: None,
        hint: "Add `outputs = { self, ... }: { };` to flake.nix.",
    },
];

pub(super) fn recognise(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    output(problem)
        .or_else(|| untracked(problem))
        .or_else(|| phrase::first(PHRASES, problem.message))
        .or_else(|| missing_file(problem))
        .map(|diagnostic| name_input(diagnostic, problem))
}

/// `flake 'x' does not provide attribute 'packages.x86_64-linux.web', … or 'web'`.
fn output(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    let [_, attrs] =
        phrase::gaps("flake '{}' does not provide attribute {}", problem.message)?.try_into().ok()?;
    let names: Vec<&str> = attrs.split('\'').skip(1).step_by(2).collect();
    // Nix tries prefixes first; the last name is the requested one.
    let wanted = names.last().copied().unwrap_or(attrs);
    Some(
        Diagnostic::new(Code::UnknownOutput, format!("the flake has no output `{}`", text::word(wanted)))
            .with_attr(wanted)
            .with_hint("`nix flake show` lists the outputs."),
    )
}

/// Nix 2.34 reports an untracked file; 2.26 reports it as missing.
fn untracked(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    let [path, repository] =
        phrase::gaps("Path '{}' in the repository '{}' is not tracked by Git.", problem.message)?
            .try_into()
            .ok()?;
    let file =
        problem.files.path_from_flake(&Path::new(repository).join(path)).unwrap_or_else(|| path.to_owned());
    Some(not_tracked(&file))
}

/// The error of a file of the flake that Nix does not see, because Git does not track it.
#[must_use]
pub fn not_tracked(file: &str) -> Diagnostic {
    let quoted = if file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte)) {
        file.to_owned()
    } else {
        format!("'{}'", file.replace('\'', r"'\''"))
    };
    let (named, command) = if text::is_word(file) {
        (file, format!("`git add {quoted}`"))
    } else {
        ("the file", "`git add` for the file that `attr` names".to_owned())
    };
    Diagnostic::new(
        Code::UntrackedFile,
        format!("{named} exists, but Git does not track it, so Nix does not see it"),
    )
    .with_attr(file)
    .with_hint(format!(
        "Run {command} in the flake's folder; committing is not needed. If .gitignore names it, add `--force`."
    ))
}

/// A missing file, or one that Nix does not see because Git does not track it.
fn missing_file(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    let path =
        MISSING.iter().find_map(|template| phrase::gaps(template, problem.message)?.first().copied())?;
    if input(problem).is_some() {
        return Some(Diagnostic::quoting(Code::MissingInput, problem.message));
    }
    match problem.files.missing_file(path) {
        Some((file, true)) => Some(not_tracked(&file)),
        Some((file, false)) if file == "flake.nix" => Some(
            Diagnostic::new(Code::FlakeNotFound, "the folder has no flake.nix").with_hint(advice::NAME_FLAKE),
        ),
        Some((file, false)) => Some(
            Diagnostic::new(Code::MissingFile, format!("{} does not exist", text::word(&file)))
                .with_hint(format!("Create {}, or correct the path that names it.", text::word(&file)))
                .with_attr(file),
        ),
        None => Some(
            Diagnostic::quoting(Code::MissingFile, problem.message)
                .with_attr(path)
                .with_hint("Correct the path that names it."),
        ),
    }
}

/// The input that Nix was locking or fetching (`lockFlake`, `call-flake.nix`).
fn input<'p>(problem: &NixProblem<'p>) -> Option<&'p str> {
    // The frame with its name in flake.nix is outside the frame with its address.
    ["while updating the flake input '{}'", "while fetching the input '{}'"].iter().find_map(|template| {
        problem.error.trace.iter().find_map(|frame| phrase::gaps(template, &frame.message)?.first().copied())
    })
}

/// Adds the name of the input that was being fetched, if any, to the diagnostic.
pub(super) fn name_input(mut diagnostic: Diagnostic, problem: &NixProblem<'_>) -> Diagnostic {
    let Some(input) = input(problem) else { return diagnostic };
    if diagnostic.code == Code::MissingInput {
        diagnostic.hint = Some(format!(
            "Check the address of the input `{}` in flake.nix, and that it holds a flake.nix of its own (or set `flake = false;`).",
            text::word(input)
        ).into());
    }
    diagnostic.message =
        format!("the input `{}` cannot be fetched: {}", text::word(input), diagnostic.message);
    diagnostic.with_attr(input)
}

//! Packages that nixpkgs refuses to evaluate (`pkgs/stdenv/generic/check-meta.nix`).
//!
//! Until 2025 the error was "Package ‘x-1’ in file:line is marked as broken, refusing to evaluate.", since then it is
//! "Refusing to evaluate package 'x-1' in file:line because it is marked as broken".

use super::NixProblem;
use super::phrase;
use crate::diagnostic::{Code, Diagnostic};

/// Templates of both forms; the first gap is the package, the second the file, the third the reason.
const FORMS: &[&str] = &[
    "Refusing to evaluate package '{}' in {} because it {}",
    "Package ‘{}’ in {} {}",
    "Package '{}' in {} {}",
];

pub(super) fn recognise(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    let (package, reason) = FORMS.iter().find_map(|form| {
        let gaps = phrase::gaps(form, problem.message)?;
        let (package, rest) = (*gaps.first()?, *gaps.get(2)?);
        Some((package, rest))
    })?;
    let name = crate::text::word(pname(problem.message, package));
    let (code, hint) = if reason.contains("license") {
        (
            Code::UnfreePackage,
            format!(
                "Allow it: `nixpkgs.config.allowUnfreePredicate = pkg: builtins.elem (lib.getName pkg) [ \"{name}\" ];` in the host's configuration, or choose a free package."
            ),
        )
    } else if reason.contains("marked as insecure") {
        (
            Code::InsecurePackage,
            format!(
                "Update the input that brings it, choose another package, or accept the risk: `nixpkgs.config.permittedInsecurePackages = [ \"{}\" ];`.",
                crate::text::word(package)
            ),
        )
    } else if reason.contains("not available on the requested hostPlatform") {
        (
            Code::BrokenPackage,
            format!("`{name}` does not support this system: leave it out there, or choose another package."),
        )
    } else if reason.contains("broken") || problem.message.contains("This package is broken") {
        (
            Code::BrokenPackage,
            format!(
                "Choose another package or another revision of nixpkgs; `nixpkgs.config.allowBroken = true;` builds `{name}` anyway, if it can."
            ),
        )
    } else if problem.message.contains("efus") {
        (
            Code::EvaluationFailed,
            "nixpkgs refuses this package: the message says which setting allows it.".to_owned(),
        )
    } else {
        return None;
    };
    let vulnerabilities =
        problem.message.split_once("Known issues:\n").map(|(_, rest)| phrase::paragraph(rest));
    let mut message = format!("{package} {}", reason.trim_end_matches(", refusing to evaluate."));
    if let Some(list) = vulnerabilities {
        message = format!("{message}:\n{}", list.trim_end());
    }
    if let Some((_, problems)) = problem.message.split_once("following problem") {
        message = format!("{package} has the following problem{}", phrase::paragraph(problems).trim_end());
    }
    Some(Diagnostic::quoting(code, &message).with_attr(package).with_hint(hint))
}

/// The name without the version, as `lib.getName` gives it.
fn pname<'m>(message: &'m str, package: &'m str) -> &'m str {
    let named = phrase::gaps("…builtins.elem (lib.getName pkg) [\n{}\n", message)
        .and_then(|gaps| gaps.first().map(|line| line.trim().trim_matches('"')));
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| without_version(package))
}

/// `builtins.parseDrvName`: the version begins at the first dash that no letter follows.
fn without_version(package: &str) -> &str {
    let version = package
        .match_indices('-')
        .find(|(at, _)| package.as_bytes().get(at + 1).is_some_and(|next| !next.is_ascii_alphabetic()));
    version.and_then(|(at, _)| package.get(..at)).unwrap_or(package)
}

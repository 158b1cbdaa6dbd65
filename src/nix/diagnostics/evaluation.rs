//! Errors of Nix expressions.

use super::NixProblem;
use super::location::EXPRESSION_FILE;
use super::phrase::{self, Phrase};
use crate::diagnostic::{Code, Diagnostic};

const TYPES: &str = "Another type is needed here: compare what the value is with what uses it.";
const PURE: &str = "A flake may only read its own files and its inputs: make it an input or a file of the \
                    flake, or pass the value in as an option.";

/// From `src/libexpr` (`eval.cc`, `primops.cc`, `parser.y`, `eval-error.cc`).
const PHRASES: &[Phrase] = &[
    Phrase {
        template: "syntax error, unexpected {}, expecting ';'",
        code: Code::SyntaxError,
        attr_gap: None,
        hint: "A ';' is missing before this place, often at the end of the line above.",
    },
    Phrase {
        template: "syntax error, unexpected end of file",
        code: Code::SyntaxError,
        attr_gap: None,
        hint: "Something opened is not closed: a bracket, a string, or a `let` without `in`.",
    },
    Phrase {
        template: "syntax error",
        code: Code::SyntaxError,
        attr_gap: None,
        hint: "Correct the syntax here or just before: often a ';', bracket or quote is missing.",
    },
    Phrase {
        template: "attribute '{}' already defined",
        code: Code::SyntaxError,
        attr_gap: Some(0),
        hint: "Each attribute can be set once in a set: remove one of the two, or join their values.",
    },
    Phrase {
        template: "dynamic attribute '{}' already defined",
        code: Code::SyntaxError,
        attr_gap: Some(0),
        hint: "Each attribute can be set once in a set: remove one of the two, or join their values.",
    },
    Phrase {
        template: "duplicate formal function argument '{}'",
        code: Code::SyntaxError,
        attr_gap: Some(0),
        hint: "Name each argument once.",
    },
    // Builtins that pure evaluation takes away (`EvalState::createBaseEnv`).
    Phrase {
        template: "attribute 'currentSystem' missing",
        code: Code::ImpureAccess,
        attr_gap: None,
        hint: "A flake cannot read the current system: name the system, as in `packages.x86_64-linux`, or set `nixpkgs.hostPlatform`.",
    },
    Phrase {
        template: "attribute 'currentTime' missing",
        code: Code::ImpureAccess,
        attr_gap: None,
        hint: "A flake cannot read the current time: `self.lastModified` is the time of its last commit.",
    },
    Phrase {
        template: "attribute '{}' missing",
        code: Code::MissingAttribute,
        attr_gap: Some(0),
        hint: "Check the name `{0}`, or give a default with `or`.",
    },
    Phrase {
        template: "attribute '{}' in selection path '{}' not found",
        code: Code::MissingAttribute,
        attr_gap: Some(1),
        hint: "Check the name `{0}`.",
    },
    Phrase {
        template: "undefined variable '{}'",
        code: Code::UndefinedVariable,
        attr_gap: Some(0),
        hint: "Define `{0}` with `let`, or take it as an argument of the file: `{ {0}, ... }:`.",
    },
    Phrase {
        template: "function '{}' called without required argument '{}'",
        code: Code::ArgumentMismatch,
        attr_gap: Some(1),
        hint: "Pass `{1}` where the function is called, or give it a default: `{1} ? null`. A module takes its own arguments from `specialArgs` or `_module.args`.",
    },
    Phrase {
        template: "function '{}' called with unexpected argument '{}'",
        code: Code::ArgumentMismatch,
        attr_gap: Some(1),
        hint: "Remove `{1}` from the call, or let the function take it: add `{1}` or `...` to its arguments.",
    },
    Phrase {
        template: "cannot evaluate a function that has an argument without a value ('{}')",
        code: Code::ArgumentMismatch,
        attr_gap: Some(0),
        hint: "The value is a function that still needs `{0}`: call it with that argument.",
    },
    Phrase {
        template: "infinite recursion encountered",
        code: Code::InfiniteRecursion,
        attr_gap: None,
        hint: "A value needs itself. In a module, `imports` must not depend on `config` or `pkgs`, and a condition on `config` belongs into `lib.mkIf`.",
    },
    Phrase {
        template: "stack overflow",
        code: Code::InfiniteRecursion,
        attr_gap: None,
        hint: "A function calls itself without end; the trace shows the circle.",
    },
    Phrase {
        template: "assertion '{}' failed",
        code: Code::AssertionFailed,
        attr_gap: None,
        hint: "Make the asserted condition true, or remove the assertion.",
    },
    Phrase {
        template: "assertion failed",
        code: Code::AssertionFailed,
        attr_gap: None,
        hint: "Make the asserted condition true.",
    },
    Phrase {
        template: "evaluation aborted with the following error message: '{}'",
        code: Code::Abort,
        attr_gap: None,
        hint: "The configuration called `abort`: its message says what to change.",
    },
    Phrase {
        template: "cannot look up '<{}>' in pure evaluation mode",
        code: Code::ImpureAccess,
        attr_gap: Some(0),
        hint: "A flake has no search path: add `{0}` as an input and use `inputs.{0}` instead of `<{0}>`.",
    },
    Phrase {
        template: "file '{}' was not found in the Nix search path",
        code: Code::MissingFile,
        attr_gap: Some(0),
        hint: "Add `{0}` as an input of the flake and use `inputs.{0}` instead of `<{0}>`.",
    },
    Phrase {
        template: "access to absolute path '{}' is forbidden",
        code: Code::ImpureAccess,
        attr_gap: Some(0),
        hint: PURE,
    },
    Phrase {
        template: "access to path '{}' is forbidden",
        code: Code::ImpureAccess,
        attr_gap: Some(0),
        hint: PURE,
    },
    // `EvalState::checkURI`, in restricted mode.
    Phrase {
        template: "access to URI '{}' is forbidden",
        code: Code::NeedsNetwork,
        attr_gap: Some(0),
        hint: "Make it an input of the flake (`inputs` in flake.nix): inputs are fetched before the evaluation.",
    },
    Phrase {
        template: "in pure evaluation mode, '{}' requires a 'sha256' argument",
        code: Code::ImpureAccess,
        attr_gap: Some(0),
        hint: "Give the hash: `{0} { url = …; sha256 = \"…\"; }` (`nix store prefetch-file` or `nix flake prefetch` prints it), or make it an input.",
    },
    Phrase {
        template: "in pure evaluation mode, '{}'",
        code: Code::ImpureAccess,
        attr_gap: Some(0),
        hint: "Pin the source by its revision and hash, or make it an input.",
    },
    Phrase {
        template: "'{}' is not allowed in pure evaluation mode",
        code: Code::ImpureAccess,
        attr_gap: Some(0),
        hint: PURE,
    },
    Phrase {
        template: "cannot call '{}' in pure evaluation mode",
        code: Code::ImpureAccess,
        attr_gap: Some(0),
        hint: "Give the revision and the hash, or make it an input of the flake.",
    },
    Phrase {
        template: "cannot coerce {} to a string",
        code: Code::TypeMismatch,
        attr_gap: None,
        hint: "A string is needed here: convert the value with `toString`, or check the brackets.",
    },
    Phrase { template: "expected {} but found {}:", code: Code::TypeMismatch, attr_gap: None, hint: TYPES },
    Phrase {
        template: "attempt to call something which is not a function but {}",
        code: Code::TypeMismatch,
        attr_gap: None,
        hint: "A value that is not a function is followed by an argument: often a ';' or the brackets around a list item are missing.",
    },
    Phrase { template: "cannot add {} to {}", code: Code::TypeMismatch, attr_gap: None, hint: TYPES },
    Phrase { template: "cannot compare {} with {}", code: Code::TypeMismatch, attr_gap: None, hint: TYPES },
    Phrase {
        template: "cannot convert {} to JSON",
        code: Code::TypeMismatch,
        attr_gap: None,
        hint: "Functions cannot be shown: evaluate an attribute that holds data.",
    },
    Phrase {
        template: "value is {} while {} was expected",
        code: Code::TypeMismatch,
        attr_gap: None,
        hint: TYPES,
    },
    Phrase {
        template: "expression does not evaluate to a derivation",
        code: Code::TypeMismatch,
        attr_gap: None,
        hint: "This output cannot be built: it is no derivation.",
    },
    Phrase {
        template: "Nix's error is too long",
        code: Code::EvaluationFailed,
        attr_gap: None,
        hint: "Run the same nix command in a terminal without --show-trace to see the cause.",
    },
];

pub(super) fn recognise(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    // A thrown message may look like any other error, so it is not matched.
    if innermost(problem).starts_with("while calling the 'throw' builtin") {
        // Probes of this program throw their own messages; their position is an expression of the command line.
        let place = problem.error.trace.first().and_then(|frame| frame.position.as_ref());
        if place.is_some_and(|position| position.file == EXPRESSION_FILE) {
            return Some(Diagnostic::new(Code::Throw, problem.message));
        }
        let hint = "The configuration called `throw`: its message says what to change.";
        return Some(Diagnostic::quoting(Code::Throw, problem.message).with_hint(hint));
    }
    let diagnostic = phrase::first(PHRASES, problem.message).or_else(|| wrong_type(problem))?;
    // The module system adds a frame that explains the usual cause of a recursion.
    let advice = innermost(problem);
    if diagnostic.code == Code::InfiniteRecursion
        && advice.starts_with("if you get an infinite recursion here")
    {
        return Some(diagnostic.with_said(&format!("{}\n{advice}", problem.message)));
    }
    Some(diagnostic)
}

/// The message of the innermost frame; empty without a trace.
fn innermost<'p>(problem: &NixProblem<'p>) -> &'p str {
    problem.error.trace.first().map_or("", |frame| frame.message.as_str())
}

/// `'flake.attr' is not a string` (`AttrCursor`).
fn wrong_type(problem: &NixProblem<'_>) -> Option<Diagnostic> {
    let [attr, found] = phrase::gaps("'{}' is not a{}", problem.message)?.try_into().ok()?;
    let known = ["string", " Boolean", " list", "n attribute set", "n integer", " string"];
    known
        .iter()
        .any(|kind| found.starts_with(kind))
        .then(|| Diagnostic::quoting(Code::TypeMismatch, problem.message).with_attr(attr).with_hint(TYPES))
}

//! The diagnostics of real mistakes, with every `nix` in `PANTHEROS_TEST_NIXES`.
//!
//! Each fixture is a small flake with a mistake, named after the code it must give. It becomes a Git
//! repository of its own, and `nix` runs on it with a home and caches of its own.

mod case;
mod flake;

use std::process::Stdio;

use pantheros_mcp::testing::diagnostic::Code;
use pantheros_mcp::testing::nix::diagnostics::build_failures;

use case::{CASE, Case};
use flake::{Flake, nixes};

/// One test per case, so that all failures are reported and the cases run in parallel.
macro_rules! cases {
    ($($name:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        $(#[test] fn $name() { Case { $($field: $value,)* ..CASE }.run(); })*
    };
}

cases! {
    syntax_error {
        fixture: "syntax_error", code: Code::SyntaxError, place: "broken.nix:4:8",
        said: "unexpected '='", hint: "';' is missing before",
    }
    missing_attribute {
        fixture: "missing_attribute", code: Code::MissingAttribute, place: "flake.nix:11:15",
        attr: "hetznr", suggestions: &["hetzner"],
    }
    undefined_variable {
        fixture: "undefined_variable", code: Code::UndefinedVariable, place: "flake.nix:4:20", attr: "pkgs",
        hint: "`{ pkgs, ... }:`",
    }
    type_mismatch {
        fixture: "type_mismatch", code: Code::TypeMismatch, place: "flake.nix:8:27",
        said: "cannot coerce an integer to a string: 80", hint: "toString",
    }
    not_a_function {
        fixture: "type_mismatch", arguments: &["eval", ".#call"], code: Code::TypeMismatch,
        place: "flake.nix:9:14", hint: "not a function is followed by an argument",
    }
    unexpected_argument {
        fixture: "argument_mismatch", arguments: &["eval", ".#unexpected"], code: Code::ArgumentMismatch,
        place: "flake.nix:5:15", attr: "prot", suggestions: &["port"],
    }
    missing_argument {
        fixture: "argument_mismatch", arguments: &["eval", ".#missing"], code: Code::ArgumentMismatch,
        place: "flake.nix:5:15", attr: "port",
    }
    infinite_recursion {
        fixture: "infinite_recursion", code: Code::InfiniteRecursion, place: "flake.nix:6:16",
    }
    endless_calls {
        fixture: "infinite_recursion", arguments: &["eval", ".#calls"],
        code: Code::InfiniteRecursion, place: "flake.nix:11:33",
    }
    assertion_failed {
        fixture: "assertion_failed", code: Code::AssertionFailed, place: "flake.nix:9:9",
        said: "disks != [ ]",
    }
    nixos_assertions {
        fixture: "nixos_assertions", code: Code::AssertionFailed, place: "flake.nix:13:15",
        said: "specify your root file system", hint: "2 assertions failed",
    }
    throw {
        fixture: "throw", code: Code::Throw, place: "flake.nix:3:13", said: "the secrets are not here yet",
    }
    thrown_words_of_nix_are_a_throw_all_the_same {
        fixture: "throw", arguments: &["eval", ".#misleading"], code: Code::Throw, place: "flake.nix:4:18",
    }
    abort {
        fixture: "abort", code: Code::Abort, place: "flake.nix:3:13", said: "cannot go on",
    }
    missing_input {
        fixture: "missing_input", code: Code::MissingInput, attr: "library", hint: "`library` in flake.nix",
    }
    lock_file_outdated {
        fixture: "lock_file_outdated", code: Code::LockFileOutdated, hint: "nix flake lock",
    }
    missing_file {
        fixture: "missing_file", code: Code::MissingFile, place: "flake.nix:3:13", attr: "disks.nix",
        said: "disks.nix does not exist",
    }
    impure_time {
        fixture: "impure_access", arguments: &["eval", ".#time"], code: Code::ImpureAccess,
        place: "flake.nix:3:12", hint: "self.lastModified",
    }
    impure_system {
        fixture: "impure_access", arguments: &["eval", ".#system"], code: Code::ImpureAccess,
        place: "flake.nix:4:14", hint: "nixpkgs.hostPlatform",
    }
    impure_path {
        fixture: "impure_access", arguments: &["eval", ".#path"], code: Code::ImpureAccess,
        place: "flake.nix:5:12", hint: "its own files",
    }
    impure_channel {
        fixture: "impure_access", arguments: &["eval", ".#channel"], code: Code::ImpureAccess,
        place: "flake.nix:6:22", attr: "nixpkgs", hint: "inputs.nixpkgs",
    }
    impure_fetch {
        fixture: "impure_access", arguments: &["eval", ".#unlocked"], code: Code::ImpureAccess,
        place: "flake.nix:7:16", hint: "sha256",
    }
    impure_store_path {
        fixture: "missing_path", code: Code::ImpureAccess, place: "flake.nix:3:13",
    }
    missing_path {
        fixture: "missing_path",
        arguments: &["path-info", "/nix/store/0000000000000000000000000000000a-nothing"],
        code: Code::MissingPath, hint: "nix copy",
    }
    unknown_output {
        fixture: "unknown_output", arguments: &["build", "--dry-run", ".#helo"], code: Code::UnknownOutput,
        attr: "helo", suggestions: &["hello"], hint: "nix flake show",
    }
    unknown_host {
        fixture: "unknown_output", arguments: &["eval", ".#nixosConfigurations.web"],
        code: Code::UnknownOutput, attr: "nixosConfigurations.web",
    }
    unfree_package {
        fixture: "packages", arguments: &["eval", ".#unfree"], code: Code::UnfreePackage, attr: "tool-1.2",
        place: "flake.nix:56:16", hint: "[ \"tool\" ]", said: "unfree license (‘unfree’)",
    }
    unfree_package_as_it_used_to_be_said {
        fixture: "packages", arguments: &["eval", ".#unfree-2024"], code: Code::UnfreePackage, attr: "tool-1.2",
        place: "flake.nix:61:21", hint: "[ \"tool\" ]",
    }
    broken_package {
        fixture: "packages", arguments: &["eval", ".#broken"], code: Code::BrokenPackage, attr: "tool-1.2",
        place: "flake.nix:57:16", said: "This package is broken.",
    }
    broken_package_as_it_used_to_be_said {
        fixture: "packages", arguments: &["eval", ".#broken-2024"], code: Code::BrokenPackage, attr: "tool-1.2",
        place: "flake.nix:62:21", said: "is marked as broken", hint: "allowBroken",
    }
    unsupported_package {
        fixture: "packages", arguments: &["eval", ".#unsupported"], code: Code::BrokenPackage, attr: "tool-1.2",
        place: "flake.nix:58:21", hint: "does not support this system",
    }
    insecure_package {
        fixture: "packages", arguments: &["eval", ".#insecure"], code: Code::InsecurePackage, attr: "tool-1.2",
        place: "flake.nix:59:18", said: "CVE-2020-0001", hint: "permittedInsecurePackages = [ \"tool-1.2\" ]",
    }
    hash_mismatch {
        fixture: "hash_mismatch", arguments: &["build", "--no-link"], code: Code::HashMismatch,
        said: "hash mismatch", hint: "replace `sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=` by `sha256-WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=`",
    }
    builder_failed {
        fixture: "builder_failed", arguments: &["build", "--no-link", ".#broken"], code: Code::BuilderFailed,
        said: "the build of broken failed\nbuilder failed with exit code 2; its log ends with:\nmain.c:3: expected ;",
        hint: "nix log /nix/store/",
    }
    dependency_failed {
        fixture: "builder_failed", arguments: &["build", "--no-link", ".#dependent"], code: Code::BuilderFailed,
        said: "the build of broken failed\nbuilder failed with exit code 2",
    }
    no_output_made {
        fixture: "builder_failed", arguments: &["build", "--no-link", ".#no-output"], code: Code::BuilderFailed,
        hint: "made no `$out`",
    }
    builder_killed {
        fixture: "builder_failed", arguments: &["build", "--no-link", ".#killed"], code: Code::BuilderFailed,
        hint: "killed the build",
    }
    disk_full_in_a_build {
        fixture: "builder_failed", arguments: &["build", "--no-link", ".#full"], code: Code::OutOfDisk,
        said: "No space left on device", hint: "nix-collect-garbage",
    }
    network_unreachable_in_a_build {
        fixture: "builder_failed", arguments: &["build", "--no-link", ".#offline"],
        code: Code::NetworkUnreachable, said: "Could not resolve host",
    }
    unsupported_system {
        fixture: "unsupported_system", arguments: &["build", "--no-link", ".#packages.riscv64-linux.default"],
        code: Code::UnsupportedSystem, hint: "for riscv64-linux set `boot.binfmt.emulatedSystems`",
    }
    missing_feature {
        fixture: "unsupported_system", arguments: &["build", "--no-link", ".#packages.x86_64-linux.feature"],
        code: Code::UnsupportedSystem, hint: "missing ones of {fast-disk} to `system-features`",
    }
    no_local_builds {
        fixture: "builder_failed", arguments: &["build", "--no-link", ".#broken", "--max-jobs", "0"],
        code: Code::UnsupportedSystem, hint: "max-jobs",
    }
    unknown_host_name {
        fixture: "network_unreachable", code: Code::NetworkUnreachable, place: "flake.nix:4:7",
        attr: "http://no-such-host.invalid/file",
    }
    connection_refused {
        fixture: "network_unreachable", arguments: &["eval", ".#refused"], code: Code::NetworkUnreachable,
        place: "flake.nix:10:7", attr: "http://127.0.0.1:9/file",
    }
    input_unreachable {
        fixture: "input_unreachable", code: Code::NetworkUnreachable, attr: "library",
        said: "the input `library` cannot be fetched: ",
    }
    daemon_unreachable {
        fixture: "throw", arguments: &["path-info", "--all", "--store", "unix:///no/such/socket"],
        code: Code::DaemonUnreachable, attr: "/no/such/socket", hint: "nix-daemon",
    }
    unknown_flag {
        fixture: "throw", arguments: &["eval", "--no-such-flag"], code: Code::NixFailed, attr: "--no-such-flag",
    }
    no_flake {
        fixture: "throw", arguments: &["eval", "/var/empty/none#x"], code: Code::MissingFile,
    }
}

#[test]
fn an_untracked_file_is_told_from_a_missing_one() {
    let flake = Flake::new("untracked_file");
    flake.write("hardware.nix", "{ }");
    flake.write("of the day.txt", "hello");
    for nix in nixes() {
        let case = Case {
            fixture: "untracked_file",
            code: Code::UntrackedFile,
            place: "flake.nix:3:13",
            attr: "hardware.nix",
            hint: "`git add hardware.nix`",
            ..CASE
        };
        case.check(&nix, &flake.diagnose(&flake.fail(&nix, &["eval", ".#value"])));
        let case = Case {
            place: "flake.nix:4:12",
            attr: "of the day.txt",
            hint: "`git add` for the file that `attr` names",
            ..case
        };
        case.check(&nix, &flake.diagnose(&flake.fail(&nix, &["eval", ".#text"])));
    }
}

#[test]
fn an_untracked_flake_is_untracked_too() {
    let flake = Flake::new("throw");
    flake.git(&["rm", "--quiet", "--cached", "flake.nix"]);
    for nix in nixes() {
        let case = Case { code: Code::UntrackedFile, attr: "flake.nix", hint: "git add flake.nix", ..CASE };
        case.check(&nix, &flake.diagnose(&flake.fail(&nix, &["eval", ".#value"])));
    }
}

#[test]
fn a_flake_in_a_folder_of_its_repository_names_files_from_there() {
    let mut flake = Flake::new("syntax_error");
    for file in ["flake.nix", "broken.nix"] {
        std::fs::create_dir_all(flake.folder.join("fleet")).unwrap();
        std::fs::rename(flake.folder.join(file), flake.folder.join("fleet").join(file)).unwrap();
    }
    flake.git(&["add", "--all"]);
    flake.folder.push("fleet");
    for nix in nixes() {
        let case = Case { code: Code::SyntaxError, place: "broken.nix:4:8", ..CASE };
        case.check(&nix, &flake.diagnose(&flake.fail(&nix, &["eval", ".#value"])));
    }
}

#[test]
fn every_failure_is_reported_with_its_log() {
    let flake = Flake::new("builder_failed");
    for nix in nixes() {
        let state = flake.fail(&nix, &["build", "--no-link", "--keep-going", ".#several", ".#dependent"]);
        let mut found: Vec<(String, Vec<String>)> = build_failures(&state)
            .into_iter()
            .map(|failure| (failure.drv.name().to_owned(), failure.log_tail))
            .collect();
        found.sort();
        let expected = [
            ("broken".to_owned(), vec!["compiling main.c".to_owned(), "main.c:3: expected ;".to_owned()]),
            ("other".to_owned(), vec!["other is bad".to_owned()]),
        ];
        assert_eq!(found, expected, "{}", nix.display());
        assert_eq!(flake.diagnose(&state).len(), 2);
    }
}

#[test]
fn a_build_that_takes_too_long_is_named() {
    let flake = Flake::new("builder_failed");
    for nix in nixes() {
        let state = flake.fail(&nix, &["build", "--no-link", ".#endless", "--timeout", "1"]);
        let names: Vec<String> =
            build_failures(&state).into_iter().map(|failure| failure.drv.name().to_owned()).collect();
        assert_eq!(names, ["endless"], "{}", nix.display());
        let found = flake.diagnose(&state);
        assert_eq!((found.len(), found[0].code), (1, Code::TimedOut), "{found:#?}");
        assert!(found[0].attr.as_deref().is_some_and(|attr| attr.ends_with("-endless.drv")), "{found:#?}");
    }
}

#[test]
fn a_trace_is_of_the_users_files() {
    let flake = Flake::new("foreign_cause");
    let library = flake.temporary.path().canonicalize().unwrap().join("library");
    std::fs::rename(flake.folder.join("library"), &library).unwrap();
    let text = std::fs::read_to_string(flake.folder.join("flake.nix")).unwrap();
    flake.write("flake.nix", &text.replace("LIBRARY", &library.display().to_string()));
    for nix in nixes() {
        let status = flake
            .command(&nix)
            .args(["--extra-experimental-features", "nix-command flakes", "flake", "lock"])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        flake.git(&["add", "--all"]);
        let found = flake.diagnose(&flake.fail(&nix, &["eval", ".#value"]));
        let case = Case {
            code: Code::MissingAttribute,
            place: "hosts/web.nix:2:10",
            attr: "prot",
            hint: "`prot`",
            suggestions: &["port"],
            ..CASE
        };
        case.check(&nix, &found);
        let files: Vec<&str> = found[0].trace.iter().filter_map(|frame| frame.file.as_deref()).collect();
        assert!(files.contains(&"hosts/web.nix"), "{}: {files:?}", nix.display());
        assert!(!files.iter().any(|file| file.ends_with("/default.nix")), "{}: {files:?}", nix.display());

        // If no frame is in the user's files, the trace shows the files of the input.
        let found = flake.diagnose(&flake.fail(&nix, &["eval", &format!("path:{}#own", library.display())]));
        let files: Vec<&str> = found[0].trace.iter().filter_map(|frame| frame.file.as_deref()).collect();
        assert!(
            found[0].file.as_deref().into_iter().chain(files).any(|file| file.ends_with("/default.nix")),
            "{}: {found:#?}",
            nix.display()
        );
    }
}

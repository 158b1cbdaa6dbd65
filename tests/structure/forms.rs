//! Every form in which code can name a module is recognized.
use std::collections::BTreeMap;

use super::resolve::{Meaning, uses};
use super::source::modules;
use super::systems;

/// What the files of a crate use, as `module uses meaning`.
fn used(files: &[(&str, &str)]) -> Vec<String> {
    let texts: BTreeMap<String, String> =
        files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    let mut found: Vec<String> = Vec::new();
    for one in uses(&modules(&texts)) {
        for meaning in one.means {
            let name = match meaning {
                Meaning::Here(path) => format!("crate::{}", path.join("::")),
                Meaning::Elsewhere(path) => path.join("::"),
            };
            found.push(format!("{} uses {name}", one.module.join("::")));
        }
    }
    found
}

/// A crate whose module `nix` is below `mcp` and has this text.
fn nix(text: &str) -> Vec<String> {
    used(&[
        ("lib.rs", "pub mod mcp; pub mod nix; pub mod tools;"),
        ("mcp.rs", "pub mod http { pub fn serve() {} } pub struct Session;"),
        ("tools/mod.rs", "mod page; pub use crate::mcp::Session; pub use self::page::*;"),
        ("tools/page.rs", "pub use crate::mcp::http;"),
        ("nix/mod.rs", text),
    ])
}

#[track_caller]
fn assert_sees(text: &str, wanted: &str) {
    let found = nix(text);
    assert!(found.iter().any(|one| one == wanted), "{text}: {found:#?}");
}

#[test]
fn an_import_in_braces() {
    assert_sees("use crate::{mcp::Session, nix};", "nix uses crate::mcp::Session");
    assert_sees("use crate::{nix, mcp};", "nix uses crate::mcp");
    assert_sees("use {crate::{nix, mcp::{self, http::serve}}};", "nix uses crate::mcp::http::serve");
    assert_sees("use crate::mcp::{self};", "nix uses crate::mcp");
    assert_sees("use crate::{mcp::*};", "nix uses crate::mcp::*");
}

#[test]
fn a_renamed_import_and_what_is_called_through_it() {
    let text = "use crate::{mcp as other}; fn f() { other::http::serve() }";
    assert_sees(text, "nix uses crate::mcp");
    assert_sees(text, "nix uses crate::mcp::http::serve");
    assert_sees("use crate as all; type S = all::mcp::Session;", "nix uses crate::mcp::Session");
}

#[test]
fn a_chain_of_super_and_self() {
    assert_sees("use super::mcp::Session;", "nix uses crate::mcp::Session");
    assert_sees("mod log { use super::super::mcp; }", "nix::log uses crate::mcp");
    assert_sees("mod log { fn f() -> super::super::mcp::Session {} }", "nix::log uses crate::mcp::Session");
    assert_sees("use self::super::mcp;", "nix uses crate::mcp");
}

#[test]
fn a_re_export() {
    let text = "use crate::tools::Session;";
    assert_sees(text, "nix uses crate::tools::Session");
    assert_sees(text, "nix uses crate::mcp::Session");
    assert_sees("use crate::tools::http::serve;", "nix uses crate::mcp::http::serve");
    assert_sees("use super::tools::*; fn f() { http::serve() }", "nix uses crate::mcp::http::serve");
}

#[test]
fn a_path_within_code() {
    assert_sees("fn f() { crate::mcp::http::serve() }", "nix uses crate::mcp::http::serve");
    assert_sees("fn f(x: Vec<super::mcp::Session>) {}", "nix uses crate::mcp::Session");
    assert_sees("impl From<crate::mcp::Session> for u8 {}", "nix uses crate::mcp::Session");
    assert_sees("fn f(x: u8) { match x { super::mcp::http => {} } }", "nix uses crate::mcp::http");
    assert_sees("fn f() { { use super::mcp; mcp::http::serve() } }", "nix uses crate::mcp::http::serve");
}

#[test]
fn the_body_of_a_macro() {
    assert_sees("fn f() { vec![(1, crate::mcp::Session)]; }", "nix uses crate::mcp::Session");
    assert_sees(
        "fn f() { select! { x = super :: mcp::http::serve() => {} } }",
        "nix uses crate::mcp::http::serve",
    );
    assert_sees("macro_rules! m { () => { $crate::mcp::Session } }", "nix uses crate::mcp::Session");
    assert_sees("m! { use crate::{nix as n, mcp::{self, http}}; }", "nix uses crate::mcp::http");
    assert_sees("use super::mcp as m; fn f() { x!(m::http::serve()) }", "nix uses crate::mcp::http::serve");
}

#[test]
fn an_attribute() {
    let text = r#"struct S { #[serde(skip_serializing_if = "crate::mcp::http::serve")] x: u8 }"#;
    assert_sees(text, "nix uses crate::mcp::http::serve");
    assert_sees("#[derive(crate::mcp::Session)] struct S;", "nix uses crate::mcp::Session");
}

#[test]
fn another_crate() {
    let command = "nix uses std::process::Command::new";
    assert_sees("use std::process::{self as p, Stdio}; fn f() { p::Command::new() }", command);
    assert_sees("use std::process::Command; fn f() { Command::new() }", command);
    assert_sees("fn f() { ::std::process::Command::new() }", command);
    assert_sees("use anyhow::anyhow; fn f() { anyhow::bail() }", "nix uses anyhow::anyhow::bail");
}

#[test]
fn tests_comments_and_visibility_use_nothing() {
    for text in [
        "#[cfg(test)] use crate::mcp;",
        "#[cfg(test)]\n\nmod checks { use crate::mcp; }",
        "#[cfg(all(unix, test))] fn f() { crate::mcp::http::serve() }",
        "#[cfg(any(test, all(test, unix)))] fn f() { crate::mcp::http::serve() }",
        "struct S; impl S { #[cfg(test)] fn f() { crate::mcp::http::serve() } }",
        "struct S { #[cfg(test)] x: crate::mcp::Session }",
        "fn f() { #[cfg(test)] let x = crate::mcp::Session; }",
        "#[test] fn f() { crate::mcp::http::serve() }",
        "/// crate::mcp::Session\npub(crate) fn f() { /* crate::mcp */ let x = \"crate::mcp\"; }",
    ] {
        let found = nix(text);
        assert!(!found.iter().any(|one| one.starts_with("nix") && one.contains("mcp")), "{text}: {found:#?}");
    }
    assert_sees("#[cfg(not(test))] use crate::mcp;", "nix uses crate::mcp");
    assert_sees("#[cfg(any(test, unix))] use crate::mcp;", "nix uses crate::mcp");
}

#[test]
fn imports_in_a_circle_end() {
    let found = used(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub use crate::b::X; pub use crate::b::*; use c::d; use d::c; fn f() -> d::c {}"),
        ("b.rs", "pub use crate::a::X; pub use crate::a::*; fn f(x: Y) {}"),
    ]);
    assert!(found.contains(&"b uses Y".to_owned()), "{found:#?}");
}

#[test]
fn an_operating_system() {
    for (text, wanted) in [
        ("#[cfg(target_os = \"linux\")] fn f() {}", "src/lib.rs:1 has target_os"),
        (
            "fn f() {\n    #[cfg(not(any(test, target_vendor = \"apple\")))]\n    let x = 1;\n}",
            "src/lib.rs:2 has target_vendor",
        ),
        ("#[cfg_attr(target_os = \"macos\", inline)] fn f() {}", "src/lib.rs:1 has target_os"),
        ("fn f() -> bool { cfg!(target_os = \"linux\") }", "src/lib.rs:1 has target_os"),
        ("const C: &str = \"/proc/self/exe\";", "src/lib.rs:1 has /proc/self/exe"),
        ("fn f() { x(format!(\"/proc/{}\", 1)) }", "src/lib.rs:1 has /proc/{}"),
    ] {
        let texts = [("lib.rs".to_owned(), text.to_owned())].into();
        let found: Vec<String> = modules(&texts).iter().flat_map(systems::named).collect();
        assert_eq!(found, [wanted], "{text}");
    }
}

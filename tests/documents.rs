//! The statements of the Markdown files are true: links lead to something that exists, and this program accepts the
//! commands shown.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use pantheros_mcp::CommandLine;
use pantheros_mcp::testing::tools;
use pulldown_cmark::{CodeBlockKind, Event, Options, Tag, TagEnd};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file that Git tracks, relative to the root, except below `tests/fixtures`.
fn documents() -> Vec<PathBuf> {
    let listed =
        Command::new("git").args(["ls-files", "-z", "--", "*.md"]).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let found: Vec<PathBuf> = String::from_utf8(listed.stdout)
        .unwrap()
        .split_terminator('\0')
        .filter(|path| !path.starts_with("tests/fixtures/"))
        .map(PathBuf::from)
        .filter(|path| root().join(path).exists())
        .collect();
    assert!(found.len() > 5, "{found:?}");
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The parts of a document that the tests check.
#[derive(Debug, Default)]
struct Parsed {
    /// The targets of its links and images.
    links: Vec<String>,
    /// The anchors of its headings, as GitHub makes them.
    anchors: BTreeSet<String>,
    /// The lines of its shell blocks. A line that ends in a backslash is joined with the next.
    commands: Vec<String>,
    /// The files of this repository that it names in code.
    files: BTreeSet<String>,
}

/// Whether code in a text is the path of a file or folder of this repository, and neither a placeholder such as
/// `NAME.rs` nor a method of MCP.
fn is_path(code: &str) -> bool {
    const FOLDERS: [&str; 9] =
        ["checks/", "docs/", "fleet/", "hosts/", "modules/", "shells/", "src/", "tests/", "tools/"];
    FOLDERS.iter().any(|folder| code.starts_with(folder))
        && code.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        && !["NAME", "HOST"].iter().any(|placeholder| code.contains(placeholder))
        && !["tools/call", "tools/list"].contains(&code)
}

/// A heading as GitHub turns it into an anchor: lower case, punctuation dropped, spaces to hyphens.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut heading: Option<String> = None;
    let mut block: Option<(bool, String)> = None;
    for event in pulldown_cmark::Parser::new_ext(text, Options::ENABLE_TABLES) {
        if let Event::Code(code) = &event
            && is_path(code)
        {
            parsed.files.insert(code.to_string());
        }
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                parsed.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&heading.take().unwrap_or_default());
                // GitHub numbers repeated headings.
                let name = if parsed.anchors.contains(&name) { format!("{name}-1") } else { name };
                parsed.anchors.insert(name);
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => match &*language {
                "sh" => block = Some((false, String::new())),
                // In a transcript, commands follow a prompt.
                "console" => block = Some((true, String::new())),
                _ => {}
            },
            Event::End(TagEnd::CodeBlock) => {
                if let Some((transcript, text)) = block.take() {
                    let text = text.replace("\\\n", " ");
                    parsed.commands.extend(text.lines().filter_map(|line| {
                        if transcript { line.strip_prefix("$ ") } else { Some(line) }
                            .map(|line| line.trim().to_owned())
                            .filter(|line| !line.is_empty())
                    }));
                }
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, block)) = &mut block {
                    block.push_str(&text);
                } else if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    parsed
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut followed = 0;
    for path in documents() {
        for link in parse(&read(&path)).links {
            if ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
                continue;
            }
            followed += 1;
            let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap_or(Path::new("")).join(file)
            };
            if !root().join(&target).exists() {
                wrong.push(format!("{}: {link} leads to no file", path.display()));
            } else if !fragment.is_empty() && !parse(&read(&target)).anchors.contains(fragment) {
                wrong.push(format!("{}: {link} leads to no heading", path.display()));
            }
        }
    }
    assert!(followed > 5, "only {followed} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_named_is_there() {
    let mut wrong = Vec::new();
    let mut named = 0;
    // Examples are flakes of their own and name their own files.
    for path in documents().iter().filter(|path| !path.starts_with("examples/")) {
        let files = parse(&read(path)).files;
        named += files.len();
        wrong.extend(
            files
                .iter()
                .filter(|file| !root().join(file).exists())
                .map(|file| format!("{}: there is no {file}", path.display())),
        );
    }
    assert!(named > 50, "only {named} files were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The command line of this program within a line of shell, also in `claude mcp add x -- pantheros-mcp serve`.
fn ours(line: &str) -> Option<Vec<String>> {
    // The MCP Inspector's own options follow the server's command line.
    let words: Vec<String> = shlex::Shlex::new(line).take_while(|word| word != "--method").collect();
    if let Some(at) = words.iter().position(|word| word == "./deploy.sh") {
        return handed_on(&words[at + 1..]);
    }
    let starts: &[&[&str]] = &[
        &["pantheros-mcp"],
        &["cargo", "run", "--"],
        &["nix", "run", ".", "--"],
        &["nix", "run", ".#pantheros-mcp", "--"],
    ];
    let at = |start: &&[&str]| {
        (0..words.len())
            .find(|&at| words[at..].iter().map(String::as_str).take(start.len()).eq(start.iter().copied()))
            .map(|at| at + start.len())
    };
    let from = starts.iter().find_map(at)?;
    // In `which pantheros-mcp` the name is not a call.
    if from == 1 || words[0] != "which" {
        Some(std::iter::once("pantheros-mcp".to_owned()).chain(words[from..].iter().cloned()).collect())
    } else {
        None
    }
}

/// The command line that `deploy.sh` passes on. `tests/deploy` tests the script's own arguments.
fn handed_on(arguments: &[String]) -> Option<Vec<String>> {
    let at = arguments.iter().position(|word| word == "--")?;
    let hosts = if at == 0 { &[][..] } else { &["web"][..] };
    let begin = ["pantheros-mcp", "deploy"].iter().chain(hosts).map(|word| (*word).to_owned());
    Some(begin.chain(arguments[at + 1..].iter().cloned()).collect())
}

/// The problem with a call; `None` if there is none.
fn complaint(words: &[String]) -> Option<String> {
    if let Err(error) = CommandLine::try_parse_from(words) {
        let fine = [clap::error::ErrorKind::DisplayHelp, clap::error::ErrorKind::DisplayVersion];
        return (!fine.contains(&error.kind())).then(|| error.to_string());
    }
    let call = words.iter().position(|word| word == "call")?;
    let mut rest = words[call + 1..].iter().filter(|word| !word.starts_with('-'));
    let name = rest.next()?;
    // A placeholder, as in `call TOOL key=value …`, is not checked.
    if name.chars().all(|c| c.is_ascii_uppercase()) {
        return None;
    }
    if tools::find(name).is_none() {
        return Some(format!("there is no tool {name}"));
    }
    let schema: Value =
        serde_json::from_str(&read(&Path::new("tools/schemas").join(format!("{name}.json")))).unwrap();
    let known = schema["inputSchema"]["properties"].as_object()?;
    rest.filter_map(|argument| argument.split_once('='))
        .find(|(key, _)| !known.contains_key(*key))
        .map(|(key, _)| format!("{name} takes no {key}"))
}

#[test]
fn every_command_shown_is_one_we_take() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for path in documents() {
        for line in parse(&read(&path)).commands {
            // The text after a hash is a comment.
            let line = line.split(" #").next().unwrap_or_default();
            if let Some(words) = ours(line) {
                tried += 1;
                if let Some(complaint) = complaint(&words) {
                    wrong.push(format!("{}: {line}\n{complaint}", path.display()));
                }
            }
        }
    }
    assert!(tried > 5, "only {tried} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_command_would_be_noticed() {
    for line in [
        "pantheros-mcp call list_host",
        "pantheros-mcp call build_host hots=web",
        "pantheros-mcp approve",
        "pantheros-mcp serve --htp 127.0.0.1:1",
        "claude mcp add pantheros -- pantheros-mcp sreve",
        "cargo run -- --flak x call list_hosts",
        "./deploy.sh web -- --canari 2",
    ] {
        assert!(complaint(&ours(line).unwrap()).is_some(), "{line}");
    }
    for line in [
        "pantheros-mcp call TOOL key=value",
        "pantheros-mcp call build_host host=web",
        "pantheros-mcp --help",
        "./deploy.sh -- --tag production",
        "./deploy.sh web root@192.0.2.7 -- --sign key",
    ] {
        assert_eq!(complaint(&ours(line).unwrap()), None, "{line}");
    }
    assert!(ours("which pantheros-mcp").is_none());
    assert!(ours("./deploy.sh --install web").is_none());
}

/// Every code that a risk can have, in the sources that judge them.
fn risk_codes() -> BTreeSet<String> {
    ["risks/mod.rs", "risks/login.rs", "rollback.rs"]
        .iter()
        .flat_map(|file| {
            let text = read(&Path::new("src/deploy/propose").join(file));
            let line = |line: &str| {
                let line = line.trim().trim_start_matches("code: ").replace(".to_owned()", "");
                let code = line.strip_prefix('"')?.strip_suffix("\",")?;
                let is_code = code.contains('_') && code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                is_code.then(|| code.to_owned())
            };
            text.lines().filter_map(line).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_risk_is_explained() {
    let text = read(Path::new("docs/risks.md"));
    let explained: BTreeSet<String> = text
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    let there = risk_codes();
    assert!(there.len() > 20, "{there:?}");
    assert_eq!(explained, there);
}

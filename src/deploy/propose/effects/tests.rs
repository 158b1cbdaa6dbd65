use super::*;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// A system with these contents, by the names in `read.sh`.
pub(super) fn files(contents: &[(&str, &str)]) -> SystemFiles {
    let mut said = "system\t1\n".to_owned();
    for (name, text) in contents {
        said.push_str(&format!("content\t{name}\t{}\n", BASE64_STANDARD.encode(text)));
    }
    SystemFiles::parse(&format!("{said}end\t1\n"), 1).unwrap().remove(0)
}

fn reading(said: &str) -> Reading {
    let [reading] = readings(&format!("system\t1\n{said}end\t1\n"));
    reading
}

fn content(name: &str, text: &str) -> String {
    format!("content\t{name}\t{}\n", BASE64_STANDARD.encode(text))
}

#[test]
fn what_is_not_read_is_never_unchanged() {
    let bare = reading("");
    let effects = compare(&bare, &bare);
    let unknown: Vec<_> = effects.unknown.iter().map(|gap| (gap.part, gap.system)).collect();
    // Without a firewall no port is closed, without a kernel there are no parameters, and without keys no user has any.
    let both = ComparedSystem::Both;
    assert_eq!(unknown, [(EffectPart::Users, both), (EffectPart::Mounts, both)]);
    assert_eq!(Effects { unknown: Vec::new(), ..effects }, Effects::default());

    let full = content("fstab", "") + &content("users", r#"{"users":[],"groups":[]}"#);
    for (said, part) in [
        ("unread\tfirewall\n", EffectPart::Ports),
        ("extended\tfirewall\n", EffectPart::Ports),
        ("has\tfirewalld\n", EffectPart::Ports),
        (&content("nftables", "table inet mine {\n}\n"), EffectPart::Ports),
        (&content("firewall", "iptables -F"), EffectPart::Ports),
        ("large\tkernel_params\n", EffectPart::KernelParams),
        ("unread\tkey ada\n", EffectPart::Keys),
        ("odd\tkeys\n", EffectPart::Keys),
        (&content("key ada", "ssh-ed25519 nonsense"), EffectPart::Keys),
        ("large\tetc\n", EffectPart::Files),
        ("odd\tetc\n", EffectPart::Files),
        ("absent\tetc\n", EffectPart::Files),
        ("etc\tx\n", EffectPart::Files),
        ("content\tkernel_params\t!\n", EffectPart::KernelParams),
    ] {
        let effects = compare(&reading(&full), &reading(&format!("{full}{said}")));
        let unknown: Vec<_> = effects.unknown.iter().map(|gap| (gap.part, gap.system)).collect();
        assert_eq!(unknown, [(part, ComparedSystem::After)], "{said}");
    }
    for incomplete in ["", "system\t1\n", "system\t1\nsystem\t1\nend\t1", "end\t1\n", "system\t2\nend\t1\n"] {
        let effects = compare(&reading(&full), &readings::<1>(incomplete)[0]);
        assert_eq!(effects.unknown[0].part, EffectPart::All, "{incomplete}");
    }
}

#[test]
fn the_same_further_rules_stay_unknown() {
    let rules = |hash: &str, more: &str| {
        reading(&content(
            "firewall",
            &format!("/nix/store/{}-ipset/bin/ipset create x{more}", hash.repeat(32)),
        ))
    };
    let why = |after: &Reading| -> Vec<_> {
        let effects = compare(&rules("a", ""), after);
        effects
            .unknown
            .into_iter()
            .filter(|gap| gap.part == EffectPart::Ports)
            .map(|gap| gap.system)
            .collect()
    };
    assert_eq!(why(&rules("b", "")), [ComparedSystem::Both]);
    assert_eq!(why(&rules("b", " y")), [ComparedSystem::Before, ComparedSystem::After]);
}

#[test]
fn parameters_differ_as_words() {
    let params = |text: &str| reading(&content("kernel_params", text));
    let changes = |from: &str, to: &str| compare(&params(from), &params(to)).kernel_params;
    let found = changes("quiet a=1 a=1", "a=1 b.password=geheim quiet").unwrap();
    assert_eq!((found.added, found.removed), (vec!["b.password=[redacted]".into()], vec!["a=1".into()]));
    assert!(changes("console=a console=b", "console=b console=a").unwrap().reordered);
    assert_eq!(changes("a  b\n", "a b"), None);
}

/// Reads a folder with a real shell.
fn shell(toplevels: &[&Path]) -> String {
    let run = Command::new("sh").args(["-c", READ, "read"]).args(toplevels).output().unwrap();
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn a_real_shell_lists_strange_files() {
    let scratch = tempfile::tempdir().unwrap();
    let etc = scratch.path().join("etc");
    std::fs::create_dir_all(etc.join("ssh/authorized_keys.d")).unwrap();
    std::fs::create_dir_all(etc.join("systemd/system")).unwrap();
    std::fs::write(etc.join("systemd/system/x.service"), "").unwrap();
    std::fs::write(etc.join("with blank"), "x").unwrap();
    std::fs::write(etc.join("-n"), "x").unwrap();
    symlink("/missing", etc.join("dangling")).unwrap();
    symlink("/proc/mounts", etc.join("mtab")).unwrap();
    std::fs::write(etc.join("mtab.mode"), "0440\n").unwrap();
    symlink("/missing", scratch.path().join("kernel-params")).unwrap();
    symlink("/dev/null", etc.join("systemd/system/firewall.service")).unwrap();
    std::fs::write(etc.join("systemd/system/nftables.service"), "[Service]\nExecStart=/bin/true\n").unwrap();
    std::fs::write(etc.join("ssh/authorized_keys.d/a b"), "").unwrap();
    let said = shell(&[scratch.path(), scratch.path()]);
    let both = SystemFiles::parse(&said, 2).unwrap();
    let read = &both[0];
    assert_eq!(both[0], both[1]);
    let names: Vec<&str> = read.etc.keys().map(String::as_str).collect();
    assert_eq!(names, ["-n", "dangling", "mtab", "with blank"], "{said}");
    assert_eq!((read.etc_problem, read.keys_problem.is_some()), (None, true));
    use listing::Content;
    assert!(matches!(read.content("kernel_params"), Content::Unread(_)), "{said}");
    assert!(matches!(read.content("nftables"), Content::Unread(_)), "{said}");
    assert_eq!((read.content("firewall"), read.content("fstab")), (&Content::Absent, &Content::Absent));
    std::fs::write(etc.join("a\tb"), "").unwrap();
    std::fs::write(etc.join("c\nd"), "").unwrap();
    let said = shell(&[scratch.path()]);
    let odd = SystemFiles::parse(&said, 1).unwrap().remove(0);
    assert!(odd.etc_problem.is_some() && odd.etc.keys().map(String::as_str).eq(names), "{said}");
}

proptest::proptest! {
    #[test]
    fn nothing_a_machine_says_makes_it_panic(
        said in "[\\s\\S]{0,300}",
        name in "(kernel_params|fstab|firewall|nftables|userborn|users|key ada)",
        text in "[\\s\\S]{0,200}",
    ) {
        let one = reading(&said);
        let other = reading(&content(&name, &text));
        let effects = compare(&one, &other);
        let _ = compare(&other, &one);
        let json = serde_json::to_string(&effects).unwrap();
        proptest::prop_assert!(json.len() < 20_000);
        let [raw] = readings(&said);
        let _ = compare(&raw, &one);
        let _ = without_hashes(&text);
    }

    #[test]
    fn what_is_shown_is_one_short_word(value in "[\\s\\S]{0,400}") {
        let shown = shown(&value);
        proptest::prop_assert!(shown.chars().count() <= LONGEST);
        proptest::prop_assert!(!shown.chars().any(|c| c.is_whitespace() || c.is_control()), "{:?}", shown);
    }
}

use super::*;
use crate::deploy::plan::{ItemChanges, NamedChange, Risk, UnitChanges, fixture};
use proptest::prelude::*;

#[test]
fn a_plan_is_read_in_half_a_minute() {
    let mut one = fixture(&["web"]);
    one.id = format!("plan-{}", "a".repeat(26)).parse().unwrap();
    one.created = "2026-07-28T12:00:00Z".parse().unwrap();
    one.expires = "2026-07-28T12:30:00Z".parse().unwrap();
    one.hosts[0].needs_reboot = true;
    one.hosts[0].risks.push(Risk {
        code: "no_root_key".into(),
        severity: Severity::Blocking,
        evidence: "no user who can become root has an authorized key".into(),
        mend: "set users.users.deploy.openssh.authorizedKeys.keys".into(),
        file: Some("hosts/web.nix".into()),
        line: Some(12),
    });
    insta::assert_snapshot!(plan(&one, "2026-07-28T12:03:10Z".parse().unwrap()), @r"
    plan-aaaaaaaaaaaaaaaaaaaaaaaaaa - switch web to a new system now, and make it the boot default
      from    /fleet at 0a1b2c3d, with uncommitted changes
      changed hosts/web.nix, the input modules
      asked   by test 1.0, as alice (uid 1000)
      expires 2026-07-28T12:30:00Z (in 26 min)

    web (deploy@web.example.org:22, x86_64-linux)
      BLOCKING no_root_key (hosts/web.nix:12)
              │ no user who can become root has an authorized key
              fix: set users.users.deploy.openssh.authorizedKeys.keys
      now     /nix/store/00000000000000000000000000000000-nixos-system-old, generation 41
      then    /nix/store/00000000000000000000000000000000-nixos-system-new
      changes openssh 10.0 -> 10.1, and 3 more; closure 1.40 GiB (+1.91 MiB)
      units   restart sshd.service
      ports   opens tcp 443
      unknown users of the current system: its activation names no list of users
      reboot  needed for the new kernel, initrd or kernel modules
      check   TCP port 443
      check   runs true
      watch   one look before the confirmation
      undo    rolls back by itself unless confirmed within 60 s
      warning dirty_flake
              │ 2 files differ from the commit
              fix: commit them
    ");
}

#[test]
fn many_hosts_are_named_and_every_blocking_risk_is_told() {
    let names: Vec<String> = (0..40).map(|number| format!("host{number}")).collect();
    let mut many = fixture(&names.iter().map(String::as_str).collect::<Vec<_>>());
    many.hosts[39].risks.push(Risk {
        code: "wrong_host".into(),
        severity: Severity::Blocking,
        evidence: "another machine answers".into(),
        mend: String::new(),
        file: None,
        line: None,
    });
    let text = plan(&many, many.created);
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    assert!(text.contains("\nhost39:\n  BLOCKING wrong_host"), "{text}");
    // Opened ports, too.
    assert_eq!(text.matches("opens tcp 443").count(), 40, "{text}");
    // The checks of every host are shown, and the other details of as many hosts as the limits allow.
    assert!(text.contains("all of these:\n  check   TCP port 443\n  check   runs true"), "{text}");
    let whole = whole(&many, many.created);
    assert_eq!(whole.matches("  now     ").count(), 40, "{whole}");
    assert!(text.lines().count() < 200, "{text}");
}

proptest! {
    #[test]
    fn nothing_a_host_says_looks_like_the_plan(said in "[\\s\\S]{0,400}") {
        let mut forged = fixture(&["web"]);
        // One more line, about the users.
        let lines = plan(&forged, forged.created).lines().count() + 1;
        let host = &mut forged.hosts[0];
        host.risks[0].evidence = format!("x\n  BLOCKING{said}");
        host.risks[0].mend = format!("y{said}");
        host.target.user = said.clone();
        host.diff.packages[0].name = said.clone();
        let effects = host.diff.effects.as_mut().unwrap();
        effects.unknown[0].why = said.clone();
        effects.ports.as_mut().unwrap().opened = vec![said.clone()];
        effects.users = Some(ItemChanges {
            added: vec![NamedChange { name: said.clone(), changes: vec![said.clone()] }],
            ..ItemChanges::default()
        });
        host.diff.units = Some(UnitChanges { stop: vec![said.clone()], ..UnitChanges::default() });
        forged.flake.folder = said.clone();
        forged.requested_by.client = said;
        let text = plan(&forged, forged.created);
        prop_assert_eq!(text.lines().count(), lines);
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        prop_assert!(!text.lines().any(|line| line.trim_start().starts_with("BLOCKING")));
    }
}

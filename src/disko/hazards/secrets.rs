//! Checks of how encrypted devices are opened.
//!
//! Facts: NixOS's options `boot.initrd.luks.devices.<name>.*`, which disko sets from `settings`;
//! `boot.initrd.secrets`; disko's `lib/types/luks.nix` and `zfs_fs.nix`.

use std::collections::BTreeMap;

use super::layout_index::{LayoutIndex, LocatedNode, list};
use super::{HazardCode, HazardReport, Severity};
use crate::disko::facts::Fact;
use crate::disko::model::Encryption;

fn encrypted_nodes<'a>(layout: &LayoutIndex<'a>) -> impl Iterator<Item = (LocatedNode<'a>, &'a Encryption)> {
    layout.all().filter_map(|located| Some((located, located.node.hidden.encryption.as_ref()?)))
}

pub(super) fn key_in_store(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    for (located, encryption) in encrypted_nodes(layout) {
        for key in encryption
            .boot_key
            .iter()
            .chain(&encryption.format_keys)
            .filter(|key| key.starts_with("/nix/store/"))
        {
            let path = layout.path(located);
            report.danger(
                HazardCode::KeyInStore,
                &path,
                format!(
                    "The key of {path} is in the Nix store ({key}): every user of every machine \
                    that the path is copied to can read it."
                ),
                "Name a file that exists only on the installing machine, as a string \
                 (\"/tmp/disk.key\") and not as a Nix path.",
            );
        }
    }
}

/// Directories of the running system that no initrd has.
const NOT_IN_INITRD: [&str; 6] = ["/tmp/", "/root/", "/home/", "/run/secrets", "/run/agenix", "/var/"];

pub(super) fn key_not_at_boot(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let secrets: &[String] = match &layout.facts.initrd_secrets {
        Fact::Value(secrets) => secrets,
        Fact::Absent => &[],
        Fact::Unreadable => return,
    };
    for (located, encryption) in
        encrypted_nodes(layout).filter(|(_, encryption)| encryption.at_boot && !encryption.other_ways)
    {
        let Some(key) = encryption.boot_key.as_deref() else { continue };
        let lost = NOT_IN_INITRD.iter().any(|directory| key.starts_with(directory));
        if !lost || secrets.iter().any(|secret| secret == key) {
            continue;
        }
        let path = layout.path(located);
        let zfs = located.node.kind != "luks";
        let (severity, comes_of_it) = if zfs {
            // NixOS loads the key in the initrd for mounts of the initrd, and later for others.
            let vital = ["/", "/nix", "/nix/store", "/var"]
                .iter()
                .any(|at| layout.mounted(at).is_some_and(|mount| layout.unlocks(located, mount)));
            let severity = if vital { Severity::Danger } else { Severity::Warning };
            (severity, "it is not opened, and its file systems are not mounted")
        } else if encryption.falls_back || layout.facts.systemd_initrd == Some(true) {
            (
                Severity::Warning,
                "it asks for a passphrase at every boot, and only the content of a key file fits",
            )
        } else if layout.facts.systemd_initrd == Some(false) {
            (Severity::Danger, "it cannot be opened, and the host stops there at every boot")
        } else {
            (Severity::Warning, "at best it asks for a passphrase at every boot")
        };
        let fix = if zfs {
            "Set `keylocation` to \"prompt\" after the pool is created (`postCreateHook = \"zfs set \
             keylocation=prompt …\"`), or put the file into `boot.initrd.secrets`."
        } else {
            "Use `passwordFile` for a passphrase that is needed only for the installation; for a key at \
             boot put the file into `boot.initrd.secrets`."
        };
        report.add(
            HazardCode::KeyNotAtBoot,
            severity,
            path.clone(),
            format!("{path} is opened with {key} at boot, which does not exist yet then: {comes_of_it}."),
            fix,
        );
    }
}

pub(super) fn passphrase_at_boot(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let clevis: &[String] = match &layout.facts.clevis {
        Fact::Value(names) => names,
        Fact::Absent => &[],
        Fact::Unreadable => return,
    };
    for (located, encryption) in encrypted_nodes(layout).filter(|(located, _)| located.node.kind == "luks") {
        if !encryption.at_boot
            || encryption.other_ways
            || encryption.boot_key.is_some()
            || clevis.contains(&located.node.name)
        {
            continue;
        }
        let path = layout.path(located);
        report.note(
            HazardCode::PassphraseAtBoot,
            &path,
            format!(
                "{path} has no key for the boot: a person has to type its passphrase at every boot, \
                at the console or through an initrd with ssh."
            ),
            "For a host that has to boot unattended set `settings.crypttabExtraOpts` (TPM), \
             `boot.initrd.clevis` or a key file.",
        );
    }
}

/// disko does not open a device if its name is open already, and formats the open one again.
pub(super) fn duplicate_name(layout: &LayoutIndex<'_>, report: &mut HazardReport) {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for located in layout.of_kind("luks").filter(|located| !located.node.name.is_empty()) {
        names.entry(&located.node.name).or_default().push(layout.path(located));
    }
    for (name, paths) in names.into_iter().filter(|(_, paths)| paths.len() > 1) {
        report.danger(
            HazardCode::DuplicateLuksName,
            name,
            format!(
                "{} all open as /dev/mapper/{name}: disko takes the second for open already and \
                formats the first twice.",
                list(paths.iter().map(String::as_str))
            ),
            "Give each a `name` of its own.",
        );
    }
}

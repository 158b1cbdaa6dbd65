//! How encrypted devices are opened.
//!
//! Facts: NixOS's options `boot.initrd.luks.devices.<name>.*`, which disko sets from `settings`;
//! `boot.initrd.secrets`; disko's `lib/types/luks.nix` and `zfs_fs.nix`.

use std::collections::BTreeMap;

use super::survey::{Place, Survey, list};
use super::{Code, Report, Severity};
use crate::disko::facts::Known;
use crate::disko::model::Lock;

fn locks<'a>(survey: &Survey<'a>) -> impl Iterator<Item = (Place<'a>, &'a Lock)> {
    survey.all().filter_map(|place| Some((place, place.node.hidden.lock.as_ref()?)))
}

pub(super) fn key_in_store(survey: &Survey<'_>, report: &mut Report) {
    for (place, lock) in locks(survey) {
        for key in lock.boot_key.iter().chain(&lock.format_keys).filter(|key| key.starts_with("/nix/store/"))
        {
            let path = survey.path(place);
            report.danger(
                Code::KeyInStore,
                &path,
                format!(
                    "The key of {path} is in the Nix store ({key}): every user of every machine the \
                    store is copied to can read it."
                ),
                "Give the path of a file that exists only on the machine that installs, as text \
                 (\"/tmp/disk.key\") and not as a Nix path.",
            );
        }
    }
}

/// Directories of the running system that no initrd has.
const NOT_IN_INITRD: [&str; 6] = ["/tmp/", "/root/", "/home/", "/run/secrets", "/run/agenix", "/var/"];

pub(super) fn key_not_at_boot(survey: &Survey<'_>, report: &mut Report) {
    let secrets: &[String] = match &survey.facts.initrd_secrets {
        Known::Said(secrets) => secrets,
        Known::Unsaid => &[],
        Known::Unknown => return,
    };
    for (place, lock) in locks(survey).filter(|(_, lock)| lock.at_boot && !lock.other_ways) {
        let Some(key) = lock.boot_key.as_deref() else { continue };
        let lost = NOT_IN_INITRD.iter().any(|directory| key.starts_with(directory));
        if !lost || secrets.iter().any(|secret| secret == key) {
            continue;
        }
        let path = survey.path(place);
        let zfs = place.node.kind != "luks";
        let (severity, comes_of_it) = if zfs {
            // NixOS tries to load it in the initrd for what is mounted there, and later for the rest.
            let vital = ["/", "/nix", "/nix/store", "/var"]
                .iter()
                .any(|at| survey.mounted(at).is_some_and(|mount| survey.unlocks(place, mount)));
            let severity = if vital { Severity::Danger } else { Severity::Warning };
            (severity, "it is not opened, and what is on it is not mounted")
        } else if lock.falls_back || survey.facts.systemd_initrd == Some(true) {
            (
                Severity::Warning,
                "it asks for a passphrase at every start, and none fits but what is in the key files",
            )
        } else if survey.facts.systemd_initrd == Some(false) {
            (Severity::Danger, "it cannot be opened, and the host stops there at every start")
        } else {
            (Severity::Warning, "at best it asks for a passphrase at every start")
        };
        let fix = if zfs {
            "Set `keylocation` to \"prompt\" after the pool is made (`postCreateHook = \"zfs set \
             keylocation=prompt …\"`), or put the file into `boot.initrd.secrets`."
        } else {
            "Use `passwordFile` for a passphrase that is only needed while installing; for a key at boot \
             put the file into `boot.initrd.secrets`."
        };
        report.add(
            Code::KeyNotAtBoot,
            severity,
            path.clone(),
            format!(
                "{path} is opened with {key} when the host starts, which is not there yet: {comes_of_it}."
            ),
            fix,
        );
    }
}

pub(super) fn passphrase_at_boot(survey: &Survey<'_>, report: &mut Report) {
    let clevis: &[String] = match &survey.facts.clevis {
        Known::Said(names) => names,
        Known::Unsaid => &[],
        Known::Unknown => return,
    };
    for (place, lock) in locks(survey).filter(|(place, _)| place.node.kind == "luks") {
        if !lock.at_boot || lock.other_ways || lock.boot_key.is_some() || clevis.contains(&place.node.name) {
            continue;
        }
        let path = survey.path(place);
        report.note(
            Code::PassphraseAtBoot,
            &path,
            format!(
                "{path} has no key for starting: somebody has to type its passphrase at every boot, \
                at the console or through an initrd that is reachable by ssh."
            ),
            "For a host that has to start by itself set `settings.crypttabExtraOpts` (TPM), \
             `boot.initrd.clevis` or a key file.",
        );
    }
}

/// disko skips opening what is open already under that name, and formats that one again.
pub(super) fn duplicate_name(survey: &Survey<'_>, report: &mut Report) {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for place in survey.of_kind("luks").filter(|place| !place.node.name.is_empty()) {
        names.entry(&place.node.name).or_default().push(survey.path(place));
    }
    for (name, paths) in names.into_iter().filter(|(_, paths)| paths.len() > 1) {
        report.danger(
            Code::DuplicateLuksName,
            name,
            format!(
                "{} all open as /dev/mapper/{name}: disko takes the second for opened already and \
                formats the first one twice.",
                list(paths.iter().map(String::as_str))
            ),
            "Give each a `name` of its own.",
        );
    }
}

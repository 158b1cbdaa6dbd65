//! Predicts which units a new system starts, stops, restarts and reloads, from its unit files alone.
//!
//! `switch-to-configuration dry-activate` is more exact, but it is a program of the new system that runs as root, and
//! must not run before the system is approved. This module compares the files by the same rules, without knowing which
//! units are active.

use std::collections::BTreeMap;
use std::path::Path;

use super::settling;
use crate::deploy::plan::UnitChanges;

/// Lists the units of the system `$1`: name, path of its file, and the settings that decide how a change is applied.
pub const LIST: &str = r#"
cd "$1/etc/systemd/system" 2>/dev/null || exit 0
for unit in *; do
  [ -e "$unit" ] || continue
  case $unit in *.wants | *.requires | *.upholds) continue ;; esac
  printf '%s\t%s\t%s\n' "$unit" "$(readlink -f "$unit")" "$(grep -shE '^(X-ReloadIfChanged|X-RestartIfChanged|RefuseManualStop|RestartSec)=' "$unit" "$unit.d/"*.conf 2>/dev/null | tr '\n' '\t')"
done
"#;
/// Largest number of units in each list of a plan; the rest is counted.
const MOST: usize = 200;

/// The units of a system by name, with the paths of their files and the settings that decide how a change is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units(BTreeMap<String, Unit>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unit {
    files: Vec<String>,
    reload: bool,
    leave: bool,
    /// `RestartSec`, in seconds; `None` if the unit does not set it.
    restart_seconds: Option<u32>,
}

/// What an activation does to a unit that both systems, or only the new one, have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Start,
    Restart,
    Reload,
}

impl Units {
    /// Parses the output of [`LIST`].
    #[must_use]
    pub fn parse(said: &str) -> Self {
        let mut units: BTreeMap<String, Unit> = BTreeMap::new();
        for line in said.lines() {
            let mut fields = line.splitn(3, '\t');
            let (Some(name), Some(file)) = (fields.next(), fields.next()) else { continue };
            // Files in NAME.d extend the unit NAME.
            let name = name.strip_suffix(".d").unwrap_or(name);
            if !is_unit(name) {
                continue;
            }
            let unit = units.entry(crate::text::bounded(&crate::text::plain(name), 200)).or_default();
            unit.files.push(file.to_owned());
            for setting in fields.next().unwrap_or_default().split('\t') {
                match setting.trim().split_once('=') {
                    Some(("X-ReloadIfChanged", value)) => unit.reload = is_true(value),
                    Some(("X-RestartIfChanged", value)) => unit.leave |= !is_true(value),
                    Some(("RefuseManualStop", value)) => unit.leave |= is_true(value),
                    Some(("RestartSec", value)) => unit.restart_seconds = settling::restart_seconds(value),
                    _ => {}
                }
            }
        }
        for unit in units.values_mut() {
            unit.files.sort();
        }
        Self(units)
    }

    /// The changes to units if a system with the units `next` is activated.
    #[must_use]
    pub fn changes(&self, next: &Self) -> UnitChanges {
        let mut changes = UnitChanges::default();
        for (name, _, act) in self.changed(next) {
            let list = match act {
                Act::Start => &mut changes.start,
                Act::Restart => &mut changes.restart,
                Act::Reload => &mut changes.reload,
            };
            list.push(name.to_owned());
        }
        changes.stop.extend(self.gone(next).cloned());
        let mut more = 0;
        for list in [&mut changes.stop, &mut changes.start, &mut changes.restart, &mut changes.reload] {
            list.sort_by_key(|name| !affects_connection(name));
            more += list.len().saturating_sub(MOST);
            list.truncate(MOST);
        }
        changes.more = u64::try_from(more).unwrap_or(u64::MAX);
        changes
    }

    /// How long the units have to be watched if a system with the units `next` is activated, in seconds; `None` if no unit
    /// changes.
    #[must_use]
    pub fn settling_seconds(&self, next: &Self) -> Option<u32> {
        let changed: Vec<_> = self.changed(next).collect();
        if changed.is_empty() && self.gone(next).next().is_none() {
            return None;
        }
        Some(settling::seconds(changed.iter().filter_map(|(_, unit, _)| unit.restart_seconds)))
    }

    fn changed<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = (&'a str, &'a Unit, Act)> {
        next.0.iter().filter_map(|(name, unit)| {
            let act = match self.0.get(name) {
                None => Act::Start,
                Some(before) if before.files == unit.files || unit.leave => return None,
                Some(_) if unit.reload => Act::Reload,
                Some(_) => Act::Restart,
            };
            Some((name.as_str(), unit, act))
        })
    }

    fn gone<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = &'a String> {
        self.0.keys().filter(|name| !next.0.contains_key(*name))
    }
}

/// Whether the connection to the host may depend on this unit; such units are listed first.
fn affects_connection(name: &str) -> bool {
    const WAYS: [&str; 14] = [
        "ssh",
        "firewall",
        "iptables",
        "nftables",
        "network",
        "systemd-networkd",
        "NetworkManager",
        "dhcpcd",
        "wireguard",
        "wg-quick",
        "tailscale",
        "netbird",
        "zerotier",
        "openvpn",
    ];
    WAYS.iter().any(|way| name.starts_with(way))
}

fn is_unit(name: &str) -> bool {
    let kinds = ["service", "socket", "timer", "path", "mount", "automount", "swap", "target", "slice"];
    Path::new(name).extension().and_then(|kind| kind.to_str()).is_some_and(|kind| kinds.contains(&kind))
}

fn is_true(value: &str) -> bool {
    ["1", "yes", "true", "on"].contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_tell_what_happens() {
        let before = Units::parse(
            "a.service\t/s/1\t\nb.service\t/s/1\t\nc.service\t/s/1\t\nd.service\t/s/1\t\nsame.service\t/s/1\t\ngone.timer\t/s/1\t\n",
        );
        let after = Units::parse(
            "a.service\t/s/2\t\nb.service\t/s/2\tX-ReloadIfChanged=true \nc.service\t/s/2\tX-RestartIfChanged=false \n\
             d.service\t/s/1\t\nd.service.d\t/s/over\t\nsame.service\t/s/1\t\nnew.socket\t/s/1\t\nREADME\t/s/1\t\n",
        );
        let changes = before.changes(&after);
        assert_eq!(changes.restart, ["a.service", "d.service"]);
        assert_eq!(changes.reload, ["b.service"]);
        assert_eq!(changes.start, ["new.socket"]);
        assert_eq!(changes.stop, ["gone.timer"]);
    }

    #[test]
    fn a_system_is_watched_longer_than_its_changed_units_wait_before_a_restart() {
        let units = |listed: &str| Units::parse(listed);
        let before = units("a.service\t/s/1\tRestartSec=40\t\nb.service\t/s/1\t\n");
        for (next, seconds) in [
            ("a.service\t/s/1\tRestartSec=40\t\nb.service\t/s/1\t\n", None),
            ("a.service\t/s/1\tRestartSec=40\t\nb.service\t/s/2\t\n", Some(3)),
            ("a.service\t/s/1\tRestartSec=40\t\n", Some(3)),
            ("a.service\t/s/2\tRestartSec=40\t\nb.service\t/s/1\t\n", Some(42)),
            // The last setting counts.
            ("a.service\t/s/2\tRestartSec=40\tRestartSec=1min 30s\t\nb.service\t/s/1\t\n", Some(60)),
            (
                "a.service\t/s/1\tRestartSec=40\t\nb.service\t/s/1\t\nc.service\t/s/1\tRefuseManualStop=yes\tRestartSec=500ms\t\n",
                Some(3),
            ),
        ] {
            assert_eq!(before.settling_seconds(&units(next)), seconds, "{next}");
        }
    }

    #[test]
    fn a_real_shell_lists_them() {
        let system = tempfile::tempdir().unwrap();
        let folder = system.path().join("etc/systemd/system");
        std::fs::create_dir_all(folder.join("multi-user.target.wants")).unwrap();
        std::fs::create_dir_all(folder.join("x.service.d")).unwrap();
        std::fs::write(folder.join("x.service"), "[Service]\n").unwrap();
        std::fs::write(
            folder.join("x.service.d/o.conf"),
            "[Unit]\nX-ReloadIfChanged=true\n[Service]\nRestartSec=1min 30s\n",
        )
        .unwrap();
        let listed =
            std::process::Command::new("sh").args(["-c", LIST, "list"]).arg(system.path()).output().unwrap();
        let units = Units::parse(&String::from_utf8(listed.stdout).unwrap());
        assert_eq!(units.0.len(), 1);
        assert!(units.0["x.service"].reload, "{units:?}");
        assert_eq!(units.0["x.service"].restart_seconds, Some(90));
    }
}

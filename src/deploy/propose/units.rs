//! Predicts which units a new system starts, stops, restarts and reloads, from its unit files alone.
//!
//! `switch-to-configuration dry-activate` is more exact, but it is a program of the new system that runs as root, and
//! must not run before the system is approved. This module compares the files by the same rules, without knowing which
//! units are active.

use std::collections::BTreeMap;
use std::path::Path;

use crate::deploy::plan::UnitChanges;

/// Lists the units of the system `$1`: name, path of its file, and the settings that decide how a change is applied.
pub const LIST: &str = r#"
cd "$1/etc/systemd/system" 2>/dev/null || exit 0
for unit in *; do
  [ -e "$unit" ] || continue
  case $unit in *.wants | *.requires | *.upholds) continue ;; esac
  printf '%s\t%s\t%s\n' "$unit" "$(readlink -f "$unit")" "$(grep -shE '^(X-ReloadIfChanged|X-RestartIfChanged|RefuseManualStop)=' "$unit" "$unit.d/"*.conf 2>/dev/null | tr '\n' ' ')"
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
            for setting in fields.next().unwrap_or_default().split_ascii_whitespace() {
                match setting.split_once('=') {
                    Some(("X-ReloadIfChanged", value)) => unit.reload = is_true(value),
                    Some(("X-RestartIfChanged", value)) => unit.leave |= !is_true(value),
                    Some(("RefuseManualStop", value)) => unit.leave |= is_true(value),
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
        for (name, unit) in &next.0 {
            let list = match self.0.get(name) {
                None => &mut changes.start,
                Some(before) if before.files == unit.files || unit.leave => continue,
                Some(_) if unit.reload => &mut changes.reload,
                Some(_) => &mut changes.restart,
            };
            list.push(name.clone());
        }
        changes.stop.extend(self.0.keys().filter(|name| !next.0.contains_key(*name)).cloned());
        let mut more = 0;
        for list in [&mut changes.stop, &mut changes.start, &mut changes.restart, &mut changes.reload] {
            list.sort_by_key(|name| !affects_connection(name));
            more += list.len().saturating_sub(MOST);
            list.truncate(MOST);
        }
        changes.more = u64::try_from(more).unwrap_or(u64::MAX);
        changes
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
    fn a_real_shell_lists_them() {
        let system = tempfile::tempdir().unwrap();
        let folder = system.path().join("etc/systemd/system");
        std::fs::create_dir_all(folder.join("multi-user.target.wants")).unwrap();
        std::fs::create_dir_all(folder.join("x.service.d")).unwrap();
        std::fs::write(folder.join("x.service"), "[Service]\n").unwrap();
        std::fs::write(folder.join("x.service.d/o.conf"), "[Unit]\nX-ReloadIfChanged=true\n").unwrap();
        let listed =
            std::process::Command::new("sh").args(["-c", LIST, "list"]).arg(system.path()).output().unwrap();
        let units = Units::parse(&String::from_utf8(listed.stdout).unwrap());
        assert_eq!(units.0.len(), 1);
        assert!(units.0["x.service"].reload, "{units:?}");
    }
}

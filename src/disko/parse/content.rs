//! Reads the content of a device: a partition table, a file system, encryption, or membership of a group.

use serde_json::Value;

use super::{Holder, Parser, label, mount_options, node};
use crate::disko::model::{Encryption, Extent, Group, Node, Swap, Table};
use crate::disko::read::{Attrs, word};

/// Most characters of a GPT partition name (UEFI specification 2.10, 5.3.3: 72 bytes of UTF-16).
const PARTITION_LABEL_LIMIT: usize = 36;

impl Parser {
    /// Reads `attrs.content` into its device, `holder`.
    pub(super) fn content(&mut self, holder: &mut Node, attrs: Attrs<'_>, on: Holder<'_>, depth: usize) {
        let Some(value) = attrs.value("content") else { return };
        let content = Attrs::of(Some(value));
        holder.hidden.failed |= content.partly_failed();
        let Some(kind) = content.text("type") else {
            holder.hidden.failed = true;
            return;
        };
        if let Some(table) = Table::of_content(&kind, content) {
            holder.format = Some(if table.is_gpt() { "gpt" } else { "msdos" }.to_owned());
            holder.hidden.table = Some(table);
            return self.partitions(holder, content, table, on, depth);
        }
        if let Some((group, attribute)) = Group::of_content(&kind) {
            holder.format = Some(kind);
            holder.member_of = content.text(attribute);
            holder.hidden.group = Some(group);
            return;
        }
        match kind.as_str() {
            "filesystem" => {
                holder.format = content.text("format");
                file_system(holder, content);
            }
            "btrfs" => {
                holder.format = Some(kind);
                file_system(holder, content);
                self.swap_files(holder, content, depth);
                let device = holder.device.clone();
                self.children(holder, depth, content.attrs("subvolumes").entries(), |parser, name, value| {
                    parser.subvolume("btrfs_subvol", name, value, device.clone(), depth - 1)
                });
            }
            "swap" => {
                holder.hidden.args = content.texts("extraArgs");
                holder.label = label(&kind, &holder.hidden.args);
                holder.format = Some(kind);
                holder.hidden.swap = Some(Swap {
                    random_encryption: content.flag("randomEncryption").unwrap_or(false),
                    resume: content.flag("resumeDevice").unwrap_or(false),
                });
            }
            "luks" => {
                holder.format = Some(kind);
                self.children(holder, depth, std::iter::once(("", value)), |parser, _, value| {
                    parser.luks(value, depth - 1)
                });
            }
            _ => self.children(holder, depth, std::iter::once(("", value)), |parser, name, value| {
                parser.unknown(&kind, name, value, depth - 1)
            }),
        }
    }

    fn partitions(
        &mut self,
        holder: &mut Node,
        content: Attrs<'_>,
        table: Table,
        on: Holder<'_>,
        depth: usize,
    ) {
        if table == Table::Gpt {
            self.children(holder, depth, content.attrs("partitions").entries(), |parser, name, value| {
                parser.gpt_partition(name, value, on, depth - 1)
            });
            // The order in which disko creates them: by priority, then by name.
            holder.children.sort_by_key(turn);
        } else {
            let list = content.list("partitions").map(|value| ("", value));
            self.children(holder, depth, list, |parser, _, value| parser.table_partition(value, depth - 1));
        }
    }

    fn gpt_partition(&mut self, name: &str, value: &Value, on: Holder<'_>, depth: usize) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut node = node("partition", attrs.text("name").unwrap_or_else(|| word(name)), attrs);
        // Leave out the default, a Linux file system.
        node.type_code = attrs.text("type").filter(|code| code != "8300");
        node.hidden.extent = Extent::read(attrs);
        node.size = node.hidden.extent.shown();
        node.hidden.partition_uuid = attrs.text("uuid");
        node.hidden.partition_label = attrs.text("label").or_else(|| {
            // If this is too long, disko takes a part of a hash.
            let label = format!("{}-{}-{}", on.kind, on.name, node.name);
            (label.chars().count() <= PARTITION_LABEL_LIMIT).then_some(label)
        });
        node.device = attrs.text("device").or_else(|| match &node.hidden.partition_uuid {
            Some(uuid) => Some(format!("/dev/disk/by-partuuid/{uuid}")),
            // The path of an array's partition has its number, which depends on the other partitions.
            None if on.kind == "mdadm" => None,
            None => node.hidden.partition_label.as_deref().and_then(by_partition_label),
        });
        let holder = node.name.clone();
        self.content(&mut node, attrs, Holder { kind: "partition", name: &holder }, depth);
        node
    }

    fn table_partition(&mut self, value: &Value, depth: usize) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut node = node("partition", attrs.text("name").unwrap_or_default(), attrs);
        node.hidden.flags = attrs.texts("flags");
        if attrs.flag("bootable") == Some(true) {
            node.hidden.flags.push("boot".to_owned());
        }
        if let Some(kind) = attrs.text("part-type").filter(|kind| kind != "primary") {
            node.type_code = Some(kind);
        }
        let start = attrs.text("start").filter(|start| start != "0%");
        let end = Some(attrs.text("end").unwrap_or_else(|| "100%".to_owned()));
        node.hidden.extent = Extent { start, end, ..Extent::default() };
        node.size = node.hidden.extent.shown();
        // disko derives the path from `_index`, which the probe drops: only an explicit path is known.
        node.device = attrs.attrs("content").text("device");
        let holder = node.name.clone();
        self.content(&mut node, attrs, Holder { kind: "partition", name: &holder }, depth);
        node
    }

    fn luks(&mut self, value: &Value, depth: usize) -> Node {
        let attrs = Attrs::of(Some(value));
        let name = attrs.text("name").unwrap_or_default();
        let mut node = node("luks", name.clone(), attrs);
        node.device = (!name.is_empty()).then(|| format!("/dev/mapper/{name}"));
        node.hidden.encryption = Some(luks_encryption(attrs));
        self.content(&mut node, attrs, Holder { kind: "luks", name: &name }, depth);
        node
    }

    /// A subvolume of btrfs or bcachefs.
    pub(super) fn subvolume(
        &mut self,
        kind: &str,
        name: &str,
        value: &Value,
        device: Option<String>,
        depth: usize,
    ) -> Node {
        let attrs = Attrs::of(Some(value));
        let mut node = node(kind, attrs.text("name").unwrap_or_else(|| word(name)), attrs);
        node.mountpoint = attrs.text("mountpoint");
        if node.mountpoint.is_some() {
            node.device = device;
            node.format = Some(if kind == "btrfs_subvol" { "btrfs" } else { "bcachefs" }.to_owned());
        }
        node.options = mount_options(attrs);
        self.swap_files(&mut node, attrs, depth);
        node
    }

    fn swap_files(&mut self, holder: &mut Node, attrs: Attrs<'_>, depth: usize) {
        self.children(holder, depth, attrs.attrs("swap").entries(), |_, name, value| {
            let attrs = Attrs::of(Some(value));
            let mut node = node("swapfile", attrs.text("path").unwrap_or_else(|| word(name)), attrs);
            node.size = attrs.text("size");
            node.hidden.extent.size = attrs.text("size");
            node.format = Some("swap".to_owned());
            node.hidden.swap = Some(Swap::default());
            node
        });
    }
}

fn file_system(holder: &mut Node, content: Attrs<'_>) {
    holder.device = content.text("device").or_else(|| holder.device.take());
    holder.mountpoint = content.text("mountpoint");
    holder.options = mount_options(content);
    holder.hidden.args = content.texts("extraArgs");
    holder.label = label(holder.format.as_deref().unwrap_or_default(), &holder.hidden.args);
}

fn luks_encryption(attrs: Attrs<'_>) -> Encryption {
    let settings = attrs.attrs("settings");
    let mut format_keys: Vec<String> =
        [attrs.text("keyFile"), attrs.text("passwordFile")].into_iter().flatten().collect();
    format_keys.extend(attrs.texts("additionalKeyFiles"));
    let other_ways = ["crypttabExtraOpts", "fido2", "gpgCard", "yubikey", "preOpenCommands"]
        .into_iter()
        .filter_map(|name| settings.value(name))
        .any(|value| value.as_array().is_none_or(|list| !list.is_empty()) && value.as_str() != Some(""));
    let args = attrs.texts("extraFormatArgs").join(" ");
    Encryption {
        boot_key: settings.text("keyFile"),
        format_keys,
        at_boot: attrs.flag("initrdUnlock").unwrap_or(true),
        falls_back: settings.flag("fallbackToPassword").unwrap_or(false),
        other_ways,
        simple_kdf: args.contains("pbkdf2") || args.contains("luks1"),
    }
}

/// disko's priority of a partition (`priority` in `lib/types/gpt.nix`): lower ones are created first.
pub(in crate::disko) fn turn(partition: &Node) -> i64 {
    let extent = &partition.hidden.extent;
    extent.priority.unwrap_or_else(|| {
        if extent.size.as_deref() == Some("100%") {
            9001
        } else if partition.type_code.as_deref() == Some("EF02") {
            100
        } else {
            1000
        }
    })
}

/// udev's link for a partition's name; `None` if udev would escape the name.
fn by_partition_label(label: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c);
    label.chars().all(plain).then(|| format!("/dev/disk/by-partlabel/{label}"))
}

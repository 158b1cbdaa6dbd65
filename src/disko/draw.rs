//! Prints a layout for people: a tree with columns, in plain text.

use super::model::{Layout, Node};
use crate::text;

/// Greatest width of each column, in characters; longer cells are cut. The last column is wide: a cut path is useless.
const WIDEST: [usize; COLUMNS] = [48, 24, 40, 250];
/// Most lines printed.
const LINES: usize = 400;

/// The layout as a tree with the columns name, size, kind, and mount point.
#[must_use]
pub fn draw(layout: &Layout) -> String {
    let mut rows = Vec::new();
    for root in &layout.disks {
        let host = root.host.as_deref().map(|host| format!("{host}: ")).unwrap_or_default();
        rows.push(row(root, host));
        branches(root, "", &mut rows);
    }
    let hidden = rows.len().saturating_sub(LINES);
    rows.truncate(LINES);
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.into_iter().zip(row).filter(|(width, _)| *width > 0) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    if hidden > 0 {
        out.push_str(&format!("… and {hidden} more\n"));
    }
    out
}

const COLUMNS: usize = 4;
type Row = [String; COLUMNS];

fn branches(node: &Node, indent: &str, rows: &mut Vec<Row>) {
    let last = node.children.len().saturating_sub(1);
    for (index, child) in node.children.iter().enumerate() {
        let (branch, below) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        rows.push(row(child, format!("{indent}{branch}")));
        branches(child, &format!("{indent}{below}"), rows);
    }
    if let Some(more) = node.more_children {
        rows.push([format!("{indent}… {more} more"), String::new(), String::new(), String::new()]);
    }
}

fn row(node: &Node, indent: String) -> Row {
    let name = if node.name.is_empty() { format!("({})", node.kind) } else { node.name.clone() };
    let size = node.size.clone().unwrap_or_default();
    let place = match (&node.mountpoint, &node.device) {
        (Some(mountpoint), _) => mountpoint.clone(),
        // Paths of other devices follow from the names.
        (None, Some(device)) if node.kind == "disk" => device.clone(),
        (None, _) => String::new(),
    };
    let mut row = [indent + &name, size, describe(node), place];
    for (cell, widest) in row.iter_mut().zip(WIDEST) {
        *cell = text::bounded(cell, widest);
    }
    row
}

/// The kind of a node and its content, in words.
fn describe(node: &Node) -> String {
    let mut words: Vec<&str> = Vec::new();
    match node.kind.as_str() {
        // Its size and position in the tree show that it is a partition.
        "partition" => {}
        "mdadm" | "lv" => words.push(node.type_code.as_deref().unwrap_or(&node.kind)),
        "zpool" => words.extend(["zpool"].into_iter().chain(node.type_code.as_deref())),
        "btrfs_subvol" | "bcachefs_subvolume" => words.push("subvolume"),
        "zfs_fs" => words.push("dataset"),
        "zfs_volume" => words.push("zvol"),
        "lvm_vg" => words.push("volume group"),
        "bcachefs_filesystem" => {}
        "swapfile" => words.push("swap file"),
        "nodev" => {}
        kind => words.push(kind),
    }
    if node.kind == "partition" {
        match node.type_code.as_deref() {
            Some("EF00") => words.push("EF00 ESP"),
            Some("EF02") => words.push("EF02 BIOS boot"),
            // Other types follow from the content.
            _ => {}
        }
    }
    let is_named_by_kind =
        matches!(node.kind.as_str(), "btrfs_subvol" | "bcachefs_subvolume" | "zfs_fs" | "zpool" | "swapfile");
    match (&node.format, &node.member_of) {
        (Some(format), Some(group)) => return joined(&words, &format!("{format} → {group}")),
        (Some(format), None) if !is_named_by_kind => words.push(format),
        _ => {}
    }
    words.join(" ")
}

fn joined(words: &[&str], last: &str) -> String {
    let mut out = words.join(" ");
    if !out.is_empty() {
        out.push(' ');
    }
    out + last
}

//! The hazards of a layout, found by a table of small checks without false alarms.
//!
//! A check reports only what follows from the configuration. If two paths may lead to the same drive, a fact could not
//! be evaluated, or the layout does not name a device, it reports nothing, or a [`Severity::Note`] that leaves the
//! question open.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::facts::ConfigFacts;
use super::model::{Node, Place};
use crate::text;

mod boot;
mod code;
mod devices;
mod drivers;
mod esp;
mod groups;
mod kept;
mod labels;
mod layout_index;
mod mounts;
mod partitions;
mod secrets;
mod swap;
#[cfg(test)]
mod tests;

pub use code::HazardCode;
use layout_index::LayoutIndex;

/// Most hazards reported for a layout.
pub const HAZARD_LIMIT: usize = 200;
/// Longest message or fix, in characters.
const TEXT_LIMIT: usize = 600;

/// How severe a hazard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Formatting fails, wipes other data, or leaves a host that does not boot.
    Danger,
    /// It works now and fails later, or is very likely a mistake.
    Warning,
    /// A property that may be intended.
    Note,
}

/// A problem of a layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hazard {
    /// Stable name of the kind of hazard.
    pub code: HazardCode,
    /// How severe a hazard is.
    pub severity: Severity,
    /// The problem and its consequence; empty for a note in an answer about several hosts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The device, or the path in the layout; `None` if it concerns the whole layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// How to correct it; empty in an answer about several hosts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
    /// The host, if the answer is about several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where the part of the layout that it concerns is defined.
    #[serde(flatten)]
    pub place: Option<Place>,
}

impl JsonSchema for Hazard {
    fn schema_name() -> Cow<'static, str> {
        "Hazard".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Written by hand: a derived schema would repeat the long list of codes in `tools/list`.
        json_schema!({
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "severity": {"enum": ["danger", "warning", "note"]},
                "message": {"type": "string"},
                "device": {"type": "string"},
                "fix": {"type": "string"},
                "host": {"type": "string"},
                "file": {"type": "string"},
                "line": {"type": "integer"}
            },
            "required": ["code", "severity"]
        })
    }
}

/// Collects the hazards that checks report.
#[derive(Default)]
struct HazardReport(Vec<Hazard>);

impl HazardReport {
    fn add(
        &mut self,
        code: HazardCode,
        severity: Severity,
        device: impl Into<Option<String>>,
        message: impl AsRef<str>,
        fix: impl AsRef<str>,
    ) {
        let hazard = Hazard {
            code,
            severity,
            message: text::bounded(&sentence(message.as_ref()), TEXT_LIMIT),
            device: device.into(),
            fix: text::bounded(&sentence(fix.as_ref()), TEXT_LIMIT),
            host: None,
            place: None,
        };
        if self.0.len() < 4 * HAZARD_LIMIT && !self.0.contains(&hazard) {
            self.0.push(hazard);
        }
    }

    fn danger(&mut self, code: HazardCode, device: &str, message: impl AsRef<str>, fix: impl AsRef<str>) {
        self.add(code, Severity::Danger, device.to_owned(), message, fix);
    }

    fn warning(&mut self, code: HazardCode, device: &str, message: impl AsRef<str>, fix: impl AsRef<str>) {
        self.add(code, Severity::Warning, device.to_owned(), message, fix);
    }

    fn note(&mut self, code: HazardCode, device: &str, message: impl AsRef<str>, fix: impl AsRef<str>) {
        self.add(code, Severity::Note, device.to_owned(), message, fix);
    }
}

/// `text` with an ellipsis for each name that is not a plain word, because names are not trusted. Names of a layout
/// have no blanks ([`super::read::word`]), so each is within one word of `text`.
fn sentence(text: &str) -> String {
    let shown = |word| {
        let name = str::replace(word, [';', '…'], "");
        if name.is_empty() || text::is_word(&name) { word } else { "…" }
    };
    text.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}

type Check = fn(&LayoutIndex<'_>, &mut HazardReport);

/// All checks. A new one is a function and a line here.
const CHECKS: &[Check] = &[
    devices::no_disks,
    devices::not_evaluated,
    devices::unknown_type,
    devices::layout_cut,
    devices::placeholder,
    devices::same_device_twice,
    devices::disk_is_partition,
    devices::unstable,
    devices::named_by_content,
    boot::no_device,
    boot::elsewhere,
    boot::device_repeated,
    boot::on_partition,
    boot::needs_bios_boot,
    boot::encrypted,
    boot::unreadable,
    boot::no_firmware_entry,
    drivers::missing,
    esp::missing,
    esp::not_fat,
    esp::wrong_type,
    esp::unreadable,
    esp::too_small,
    esp::world_readable,
    esp::single_boot_disk,
    mounts::no_root,
    mounts::duplicate,
    mounts::system_in_memory,
    mounts::store_noexec,
    mounts::not_at_boot,
    mounts::from_elsewhere,
    mounts::outside_layout,
    partitions::size_unreadable,
    partitions::size_without_unit,
    partitions::no_space_left,
    partitions::volume_space,
    labels::duplicate_partition_name,
    labels::partition_name_too_long,
    labels::duplicate_label,
    labels::label_too_long,
    groups::undefined,
    groups::without_members,
    groups::array_members,
    groups::pool_members,
    groups::volume_members,
    groups::mixed_redundancy,
    groups::mirror_on_one_disk,
    groups::topology_mismatch,
    groups::thin_pool_undefined,
    kept::destroyed_with_group,
    secrets::key_in_store,
    secrets::key_not_at_boot,
    secrets::passphrase_at_boot,
    secrets::duplicate_name,
    swap::unencrypted,
    swap::resume_from_random_key,
    swap::on_zvol,
];

/// Hazards by absence, which are reported only if the whole layout was read.
const ABSENCES: &[HazardCode] = &[
    HazardCode::EspMissing,
    HazardCode::GroupUndefined,
    HazardCode::GroupWithoutMembers,
    HazardCode::GrubNeedsBiosBoot,
    HazardCode::GrubNoDevice,
    HazardCode::MirrorOnOneDisk,
    HazardCode::NoRoot,
    HazardCode::NoSpaceLeft,
    HazardCode::SystemInMemory,
    HazardCode::ThinPoolUndefined,
    HazardCode::TooFewMembers,
    HazardCode::TopologyMismatch,
];

/// The hazards of a layout, the most severe first.
pub(super) fn find(roots: &[Node], facts: &ConfigFacts, has_disko: bool) -> Vec<Hazard> {
    let mut report = HazardReport::default();
    if has_disko {
        let layout = LayoutIndex::new(roots, facts);
        for check in CHECKS {
            check(&layout, &mut report);
        }
    } else {
        report.add(
            HazardCode::NoDisko,
            Severity::Note,
            None,
            "This host has no `disko.devices`: disko does not set up its disks.",
            "Import disko's NixOS module and describe the disks, if this server is to install the host.",
        );
    }
    let mut hazards = report.0;
    if has_disko {
        let layout = LayoutIndex::new(roots, facts);
        if layout.is_incomplete() {
            hazards.retain(|hazard| !ABSENCES.contains(&hazard.code));
        }
        for hazard in &mut hazards {
            hazard.place = hazard.device.as_deref().and_then(|device| layout.place_of(device));
        }
    }
    // A stable sort keeps the order of the table within a severity.
    hazards.sort_by_key(|hazard| hazard.severity);
    hazards.truncate(HAZARD_LIMIT);
    hazards
}

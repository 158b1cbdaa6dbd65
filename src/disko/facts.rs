//! Facts of a host's configuration outside its layout: boot loader, file systems, swap.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read::{Attrs, text_of, word};

/// Facts of a host's configuration. `None` means that the configuration does not set it or that it could not be
/// evaluated; [`Fact`] tells the two apart.
#[derive(Debug, Default)]
pub(super) struct ConfigFacts {
    pub(super) system: Option<String>,
    /// Whether disko's module sets the host's mounts; `None` for a bare attribute set without the module.
    pub(super) enable_config: Option<bool>,
    pub(super) grub: Option<Grub>,
    pub(super) systemd_boot: Option<bool>,
    pub(super) can_touch_efi_variables: Option<bool>,
    pub(super) efi_mount_point: Option<String>,
    pub(super) xbootldr_mount_point: Option<String>,
    pub(super) systemd_initrd: Option<bool>,
    pub(super) initrd_secrets: Fact<Vec<String>>,
    pub(super) clevis: Fact<Vec<String>>,
    /// Kernel modules of the initrd, without those that they depend on.
    pub(super) initrd_modules: Fact<Vec<String>>,
    pub(super) file_systems: Fact<BTreeMap<String, FileSystem>>,
    pub(super) swap: Fact<Vec<SwapDevice>>,
}

/// A fact that may have failed to evaluate.
#[derive(Debug, Default)]
pub(super) enum Fact<T> {
    /// The configuration has this value.
    Value(T),
    /// The configuration does not have it.
    #[default]
    Absent,
    /// It could not be evaluated.
    Unreadable,
}

impl<T> Fact<T> {
    /// The value, if the configuration has one.
    pub(super) fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Unreadable => None,
        }
    }

    fn of(value: Option<&Value>, read: impl FnOnce(&Value) -> Option<T>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Absent,
            Some(value) if Attrs::of(Some(value)).failed() => Self::Unreadable,
            Some(value) => read(value).map_or(Self::Unreadable, Self::Value),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Grub {
    pub(super) enable: bool,
    pub(super) efi_support: bool,
    pub(super) removable: Option<bool>,
    pub(super) cryptodisk: Option<bool>,
    /// The installations of GRUB; NixOS adds one for the plain `devices`.
    pub(super) boots: Vec<GrubBoot>,
}

#[derive(Debug, Default)]
pub(super) struct GrubBoot {
    pub(super) path: Option<String>,
    pub(super) efi_mount_point: Option<String>,
    pub(super) devices: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct FileSystem {
    pub(super) device: Option<String>,
    pub(super) kind: Option<String>,
}

#[derive(Debug)]
pub(super) struct SwapDevice {
    pub(super) device: String,
}

impl ConfigFacts {
    pub(super) fn read(probe: Attrs<'_>) -> Self {
        let boot = probe.attrs("boot");
        let initrd = boot.attrs("initrd");
        Self {
            system: probe.text("system"),
            enable_config: probe.flag("enableConfig"),
            grub: grub(boot.attrs("grub")),
            systemd_boot: boot.flag("systemdBoot"),
            can_touch_efi_variables: boot.flag("canTouchEfiVariables"),
            efi_mount_point: boot.text("efiSysMountPoint"),
            xbootldr_mount_point: boot.text("xbootldrMountPoint"),
            systemd_initrd: initrd.flag("systemd"),
            initrd_secrets: Fact::of(initrd.value("secrets"), names),
            clevis: Fact::of(initrd.value("clevis"), names),
            initrd_modules: Fact::of(initrd.value("modules"), names),
            file_systems: Fact::of(probe.value("fileSystems"), |value| {
                value.is_object().then(|| file_systems(Attrs::of(Some(value))))
            }),
            swap: Fact::of(probe.value("swapDevices"), |value| {
                let devices = value.as_array()?.iter().take(super::read::LIST_LIMIT);
                Some(
                    devices
                        .filter_map(|swap| Attrs::of(Some(swap)).text("device"))
                        .map(|device| SwapDevice { device })
                        .collect(),
                )
            }),
        }
    }

    /// Whether the host's system is x86, which can boot by BIOS, or unknown.
    pub(super) fn may_be_x86(&self) -> bool {
        self.system
            .as_deref()
            .is_none_or(|system| system.starts_with("x86_64-") || system.starts_with("i686-"))
    }

    /// GRUB, if it is enabled.
    pub(super) fn enabled_grub(&self) -> Option<&Grub> {
        self.grub.as_ref().filter(|grub| grub.enable)
    }
}

fn names(value: &Value) -> Option<Vec<String>> {
    Some(value.as_array()?.iter().take(super::read::LIST_LIMIT).filter_map(text_of).collect())
}

fn grub(attrs: Attrs<'_>) -> Option<Grub> {
    if !attrs.exists() || attrs.failed() {
        return None;
    }
    let mut boots: Vec<GrubBoot> = attrs
        .list("mirroredBoots")
        .map(|boot| Attrs::of(Some(boot)))
        .map(|boot| GrubBoot {
            path: boot.text("path"),
            efi_mount_point: boot.text("efiSysMountPoint"),
            devices: boot.texts("devices"),
        })
        .collect();
    let devices = attrs.texts("devices");
    if boots.is_empty() && !devices.is_empty() {
        boots.push(GrubBoot { devices, ..GrubBoot::default() });
    }
    Some(Grub {
        enable: attrs.flag("enable").unwrap_or(false),
        efi_support: attrs.flag("efiSupport").unwrap_or(false),
        removable: attrs.flag("efiInstallAsRemovable"),
        cryptodisk: attrs.flag("enableCryptodisk"),
        boots,
    })
}

fn file_systems(attrs: Attrs<'_>) -> BTreeMap<String, FileSystem> {
    attrs
        .entries()
        .map(|(mount_point, value)| {
            let entry = Attrs::of(Some(value));
            (word(mount_point), FileSystem { device: entry.text("device"), kind: entry.text("fsType") })
        })
        .collect()
}

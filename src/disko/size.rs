//! Sizes as disko passes them to `sgdisk`, `lvcreate`, `zfs` and `btrfs`.

const MIB: u64 = 1 << 20;

/// The bytes of a size such as `500M` or `1.5G`, in units of 1024; `None` for a percentage or other text.
///
/// A number without a unit gives `None`: each program reads it differently (sectors, MiB, bytes).
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let text = text.strip_suffix("iB").or_else(|| text.strip_suffix("ib")).unwrap_or(text);
    let unit = text.chars().last()?;
    let factor = match unit.to_ascii_uppercase() {
        'K' => 1 << 10,
        'M' => MIB,
        'G' => 1 << 30,
        'T' => 1 << 40,
        'P' => 1u64 << 50,
        _ => return None,
    };
    let number = text.strip_suffix(unit)?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let (whole, fraction) = number.split_once('.')?;
    let whole: u64 = whole.parse().ok()?;
    if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction: u64 = fraction.parse().ok()?;
    // The products overflow above a few exabytes: then the size is not known.
    whole.checked_mul(factor)?.checked_add(fraction.checked_mul(factor)? / scale)
}

/// Whether disko takes this as the size of a GPT partition (`lib/types/gpt.nix`: `100%` or a whole
/// number with at most one of `KMGTP`).
pub(super) fn is_partition_size(text: &str) -> bool {
    text == "100%" || is_whole(text.strip_suffix(['K', 'M', 'G', 'T', 'P']).unwrap_or(text))
}

/// Whether `lvcreate` takes this with `--size` or `--extents`, after disko has completed a bare
/// percentage with `FREE` (lvcreate(8)).
pub(super) fn is_volume_size(text: &str) -> bool {
    if let Some((number, of)) = text.split_once('%') {
        return is_whole(number) && matches!(of, "" | "VG" | "FREE" | "PVS" | "ORIGIN");
    }
    is_decimal(text.strip_suffix(|c: char| "bBsSkKmMgGtTpPeE".contains(c)).unwrap_or(text))
}

/// Whether `zfs create -V` takes this: a number with at most one unit, and `B` or `iB` after it.
pub(super) fn is_zvol_size(text: &str) -> bool {
    let text = text.strip_suffix("iB").or_else(|| text.strip_suffix(['B', 'b'])).unwrap_or(text);
    is_decimal(text.strip_suffix(|c: char| "kKmMgGtTpPeE".contains(c)).unwrap_or(text))
}

fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_decimal(text: &str) -> bool {
    match text.split_once('.') {
        Some((whole, fraction)) => is_whole(whole) && is_whole(fraction),
        None => is_whole(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(bytes("500M"), Some(500 * MIB));
        assert_eq!(bytes("+1G"), Some(1 << 30));
        assert_eq!(bytes("1.5GiB"), Some(1536 * MIB));
        assert_eq!(bytes("512MiB"), Some(512 * MIB));
        assert_eq!(bytes("100%"), None);
        assert_eq!(bytes("2048"), None);
        assert_eq!(bytes("-1G"), None);
        assert_eq!(bytes("99999999999999999999P"), None);
        assert_eq!(bytes("16384P"), None);
    }

    #[test]
    fn each_program_has_its_grammar() {
        assert!(is_partition_size("100%") && is_partition_size("1G") && is_partition_size("0"));
        assert!(!is_partition_size("50%") && !is_partition_size("1.5G") && !is_partition_size("1GB"));
        assert!(is_volume_size("100%FREE") && is_volume_size("50%") && is_volume_size("1.5g"));
        assert!(!is_volume_size("lots") && !is_volume_size("%FREE") && !is_volume_size("1GiB"));
        assert!(is_zvol_size("10M") && is_zvol_size("1.5GiB") && !is_zvol_size("100%"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>()) {
            let _ = (bytes(&text), is_partition_size(&text), is_volume_size(&text), is_zvol_size(&text));
        }
    }
}

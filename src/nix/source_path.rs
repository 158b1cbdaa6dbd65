//! The store path of a source, computed from the hash of its content.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::names::{STORE_FOLDER, StorePath};

/// The name of every source in the store.
const NAME: &str = "source";
/// The digits of Nix's base 32.
const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
/// The length of the hash in a store path, in bytes.
const SHORT: usize = 20;

/// The store path of a source with this `narHash`, such as `sha256-…`; `None` if it is no such hash.
///
/// The form is that of the Nix manual, "Store Path Specification".
#[must_use]
pub fn source_path(nar_hash: &str) -> Option<StorePath> {
    let hash = BASE64_STANDARD.decode(nar_hash.strip_prefix("sha256-")?).ok()?;
    if hash.len() != 32 {
        return None;
    }
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = STORE_FOLDER.trim_end_matches('/');
    let long = Sha256::digest(format!("{NAME}:sha256:{hex}:{folder}:{NAME}"));
    let mut short = [0_u8; SHORT];
    for (index, byte) in long.iter().enumerate() {
        if let Some(folded) = short.get_mut(index % SHORT) {
            *folded ^= byte;
        }
    }
    format!("{STORE_FOLDER}{}-{NAME}", base32(&short)).parse().ok()
}

/// Nix's base 32: five bits a digit, the last bits first.
fn base32(bytes: &[u8; SHORT]) -> String {
    (0..SHORT * 8 / 5)
        .rev()
        .filter_map(|digit| {
            let (byte, bit) = (digit * 5 / 8, digit * 5 % 8);
            let pair =
                u16::from(*bytes.get(byte)?) | u16::from(bytes.get(byte + 1).copied().unwrap_or(0)) << 8;
            DIGITS.get(usize::from(pair >> bit & 31)).map(|digit| char::from(*digit))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths are those of `nix flake prefetch --json`, Nix 2.26 and 2.34.
    #[test]
    fn a_source_lies_where_nix_puts_it() {
        for (hash, path) in [
            ("sha256-n22Jee+ZNHHad1H0E4udOgKzLH9IVtxC92FyTFq3BjY=", "78whd3ld6l5c0xr4mzlh0xfsdfgwy076"),
            ("sha256-egueHgbSE2WyuBIpjnrwE3XzFkSLvaTid+kGjauRSio=", "pvj0sy0prr1mxnwadllh4s4q10h3ll7c"),
            ("sha256-whDPDSW1jsTEd17j+jHDboheaLDJPZh3umGcO4mMqKE=", "jm1v7117bjpnknmqgj7mgh87b0jy9ii5"),
        ] {
            assert_eq!(source_path(hash).unwrap().as_str(), format!("/nix/store/{path}-source"));
        }
        for wrong in
            ["", "sha256-", "sha256-AAAA", "md5-n22Jee", "n22Jee+ZNHHad1H0E4udOgKzLH9IVtxC92FyTFq3BjY="]
        {
            assert_eq!(source_path(wrong), None, "{wrong}");
        }
    }
}

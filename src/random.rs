//! Random bytes from the operating system.

use blake3::Hash;

/// `COUNT` random bytes.
///
/// # Errors
/// getrandom(2) failed.
pub fn bytes<const COUNT: usize>() -> std::io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// 256 random bits in hexadecimal.
///
/// # Errors
/// getrandom(2) failed.
pub fn hex() -> std::io::Result<String> {
    Ok(Hash::from_bytes(bytes()?).to_hex().to_string())
}

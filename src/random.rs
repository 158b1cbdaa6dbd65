//! Bytes nobody can guess.

use blake3::Hash;

/// That many bytes of the system's randomness.
///
/// # Errors
/// That the system has none to give.
pub fn bytes<const COUNT: usize>() -> std::io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// 256 bits of the system's randomness, in hexadecimal.
///
/// # Errors
/// That the system has none to give.
pub fn hex() -> std::io::Result<String> {
    Ok(Hash::from_bytes(bytes()?).to_hex().to_string())
}

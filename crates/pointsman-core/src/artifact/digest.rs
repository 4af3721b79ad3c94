//! Where the digest stands in the file, and how it is taken.

use sha2::{Digest, Sha256};

/// What every artifact starts with after the eight bytes of the header's length: the safetensors
/// header up to the digest's first character. It doubles as the file's magic number.
pub(super) const PREFIX: &[u8] = br#"{"__metadata__":{"pointsman":"{\"sha256\":\""#;

const AT: usize = 8 + PREFIX.len();
const LENGTH: usize = 64;

/// What the card holds while the digest is taken.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The digest that was written into the file, where the file starts as an artifact does.
pub(super) fn written(bytes: &[u8]) -> Option<&str> {
    let is_ours = bytes.get(8..AT)? == PREFIX;
    let text = std::str::from_utf8(bytes.get(AT..AT + LENGTH)?).ok()?;
    is_ours.then_some(text)
}

/// The SHA-256 over every byte of the file, the written digest read as zeros.
///
/// # Panics
/// If the file is shorter than its prefix: [`written`] comes first.
pub(super) fn compute(bytes: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(&bytes[..AT]);
    hasher.update(BLANK.as_bytes());
    hasher.update(&bytes[AT + LENGTH..]);
    hex(&hasher.finalize())
}

/// Writes the digest into its place, and says it.
pub(super) fn seal(bytes: &mut [u8]) -> String {
    let digest = compute(bytes);
    bytes[AT..AT + LENGTH].copy_from_slice(digest.as_bytes());
    digest
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

//! What is kept of a prompt: nothing but a keyed hash, with or without its features, or the text with
//! what may be private masked, or the text.
//!
//! The hash is HMAC-SHA-256 (RFC 2104), its first 128 bits; without the key, which ends with the
//! process, it says only that two prompts of one process were equal. Masking is coarse: words with
//! an `@`, words of twenty or more letters and digits mixed, and all digits. It does not know names.

use crate::settings::Prompts;
use pointsman_core::request::{Message, Role};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

const BLOCK_BYTES: usize = 64;

/// The shortest word that is masked for mixing letters and digits.
const LONG_WORD_CHARS: usize = 20;

/// A key for hashes of prompts, both of its halves already taken in.
#[derive(Clone)]
pub(crate) struct HashKey {
    inner: Sha256,
    outer: Sha256,
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(…)")
    }
}

impl HashKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let padded = |pad: u8| {
            let mut block = [pad; BLOCK_BYTES];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            Sha256::new_with_prefix(block)
        };
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The hash of a conversation, as 32 hexadecimal digits.
    pub(crate) fn hash(&self, messages: &[Message<'_>]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        for Message { role, text } in messages {
            let role = match role {
                Role::System => b"s",
                Role::User => b"u",
                Role::Assistant => b"a",
                Role::Tool => b"t",
            };
            inner.update(role);
            inner.update(text.len().to_le_bytes());
            inner.update(text.as_bytes());
        }
        let mut outer = self.outer.clone();
        outer.update(inner.finalize());
        let hash = outer.finalize();
        let mut hex = [0; 32];
        let digits = b"0123456789abcdef";
        for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
            *pair = [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]];
        }
        hex
    }
}

/// A text without what may be private in it.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let is_private = |word: &str| {
        word.contains('@')
            || (word.chars().nth(LONG_WORD_CHARS - 1).is_some()
                && word.contains(|c: char| c.is_ascii_digit())
                && word.contains(char::is_alphabetic))
    };
    if !text.contains(|c: char| c.is_numeric() || c == '@') {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if is_private(word) {
            masked.push_str("[masked]");
            masked.push_str(&piece[word.len()..]);
        } else {
            masked.extend(piece.chars().map(|c| if c.is_numeric() { '0' } else { c }));
        }
    }
    Cow::Owned(masked)
}

/// How much of a prompt an excerpt shows, in characters.
const EXCERPT_CHARS: usize = 200;

/// The beginning of a text, as far as the settings let it be kept at all.
pub(crate) fn excerpt(text: &str, kept: Prompts) -> Option<String> {
    // No word is cut before it could be masked.
    let end = text.char_indices().nth(2 * EXCERPT_CHARS).map(|(at, _)| at);
    let head = end.map_or(text, |end| {
        let head = &text[..end];
        head.rfind(char::is_whitespace).map_or("", |at| &head[..at])
    });
    let shown = match kept {
        Prompts::Hash | Prompts::HashOnly => return None,
        Prompts::Redact => redact(head),
        Prompts::Full => Cow::Borrowed(head),
    };
    let mut excerpt: String = shown.chars().take(EXCERPT_CHARS).collect();
    if end.is_some() || excerpt.len() < shown.len() {
        excerpt.push('…');
    }
    Some(excerpt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_private_is_masked() {
        for (text, expected) in [
            ("nothing here", "nothing here"),
            ("call +49 170 1234", "call +00 000 0000"),
            ("write to ann@example.org, now", "write to [masked] now"),
            ("key sk-a1b2c3d4e5f6g7h8i9j0\nend", "key [masked]\nend"),
            ("Donaudampfschifffahrtsgesellschaft", "Donaudampfschifffahrtsgesellschaft"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn an_excerpt_shows_no_more_than_is_kept() {
        assert_eq!(excerpt("for 42", Prompts::Hash), None);
        assert_eq!(excerpt("for 42", Prompts::HashOnly), None);
        assert_eq!(excerpt("for 42", Prompts::Redact).as_deref(), Some("for 00"));
        assert_eq!(excerpt("for 42", Prompts::Full).as_deref(), Some("for 42"));
        let long = "word ".repeat(100);
        let shown = excerpt(&long, Prompts::Full).unwrap();
        assert!(shown.chars().count() == EXCERPT_CHARS + 1 && shown.ends_with('…'), "{shown}");
        // The address begins before the cut and ends behind it.
        let cut = format!("{}{}@example.org", " ".repeat(380), "a".repeat(30));
        assert!(!excerpt(&cut, Prompts::Redact).unwrap().contains('a'));
        let one_word = format!("{}@example.org", "a".repeat(500));
        assert_eq!(excerpt(&one_word, Prompts::Redact).as_deref(), Some("…"));
    }

    /// The first test case of RFC 4231 has a key of 20 bytes, which padding makes one of 32.
    #[test]
    fn the_hash_is_an_hmac() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let HashKey { mut inner, mut outer } = HashKey::new(&key);
        inner.update(b"Hi There");
        outer.update(inner.finalize());
        let hash = outer.finalize();
        assert_eq!(hash[..4], [0xb0, 0x34, 0x4c, 0x61]);
    }

    #[test]
    fn prompts_and_keys_tell_hashes_apart() {
        let say = |role, text: &'static str| Message { role, text: Cow::Borrowed(text) };
        let (one, other) = (HashKey::new(&[1; 32]), HashKey::new(&[2; 32]));
        let hashes = [
            one.hash(&[say(Role::User, "ab")]),
            one.hash(&[say(Role::System, "ab")]),
            one.hash(&[say(Role::User, "a"), say(Role::User, "b")]),
            other.hash(&[say(Role::User, "ab")]),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(hash));
        }
        assert_eq!(hashes[0], one.hash(&[say(Role::User, "ab")]));
    }
}

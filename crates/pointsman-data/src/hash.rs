//! Hashes that mean the same on every machine and in every version: groups, draws, digests.
//!
//! Equal prompts must fall on the same side of a split whatever their case and white space, and a
//! simulated draw must not depend on the order of the rows. Neither hash is meant to keep secrets.

use sha2::{Digest as _, Sha256};

const WORD_SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const WORD_FACTOR: u64 = 0xD6E8_FEB8_6659_FD93;

/// The group of a prompt: a hash of its text in lower case with every run of white space as one
/// blank and none at the ends, so that trivial edits share a group.
///
/// The folding is Python's `" ".join(text.lower().split())`.
pub fn prompt_group(text: &str) -> u64 {
    Folder::default().group([text].into_iter())
}

/// The group of a request of which terms are kept and no text; equal for the same terms in the same
/// order.
pub fn terms_group(terms: &[u32]) -> u64 {
    let bytes: Vec<u8> = terms.iter().flat_map(|term| term.to_le_bytes()).collect();
    bytes_group(&bytes)
}

/// A uniform number in `[0, 1)` that depends on `seed` and `key` alone.
pub fn keyed_draw(seed: u64, key: &str) -> f64 {
    let mut sha = Sha256::new();
    sha.update(seed.to_le_bytes());
    sha.update(key.as_bytes());
    let digest = sha.finalize();
    let bits = digest.iter().take(8).fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
    pointsman_core::units::as_float(bits >> 11) / pointsman_core::units::as_float(1 << 53)
}

/// 128 bits that stand in for an id.
pub(crate) type IdHash = [u8; 16];

/// The first half of the SHA-256 of an id: no two ids of a log have the same, but by a freak of chance.
pub(crate) fn id_hash(id: &str) -> IdHash {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let mut hash = [0; 16];
    for (to, from) in hash.iter_mut().zip(digest) {
        *to = from;
    }
    hash
}

/// A hash of `bytes` as they are.
pub(crate) fn bytes_group(bytes: &[u8]) -> u64 {
    let (state, last) = through(WORD_SEED, bytes);
    mixed(step(state, padded(last)), bytes.len())
}

/// The hash of `n_bytes` bytes and a zero after them: `rest`, and before it whole words that `state`
/// has taken.
fn zero_ended(state: u64, rest: &[u8], n_bytes: usize) -> u64 {
    let (state, last) = through(state, rest);
    // The zero is among those that fill up the last word, or makes it whole, with an empty one after.
    let filled = step(state, padded(last));
    mixed(if last.len() == 7 { step(filled, 0) } else { filled }, n_bytes + 1)
}

/// The state after the whole words of `bytes`, and the bytes after those.
fn through(mut state: u64, bytes: &[u8]) -> (u64, &[u8]) {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = step(state, u64::from_le_bytes(*word));
    }
    (state, rest)
}

/// Fewer than eight bytes as a word.
fn padded(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// The hash, from the state after the last word.
fn mixed(state: u64, n_bytes: usize) -> u64 {
    let mut bits = step(state, u64::try_from(n_bytes).unwrap_or(u64::MAX));
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

const fn step(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(WORD_FACTOR);
    mixed ^ mixed >> 32
}

/// Folds texts into one buffer that is used again, so that a row costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    folded: Vec<u8>,
}

impl Folder {
    /// The group of `texts` one after the other, as if a blank stood between them.
    pub(crate) fn group<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> u64 {
        self.folded.clear();
        for text in texts {
            if text.is_ascii() {
                self.push_ascii(text.as_bytes(), true);
            } else {
                self.push_words(&text.to_lowercase());
            }
        }
        bytes_group(self.without_last_blank())
    }

    /// [`Self::group`] of one text, and the hash of its bytes with a zero after them: in one reading as
    /// far as folding moves no byte.
    pub(crate) fn group_and_hash(&mut self, text: &str) -> (u64, u64) {
        let (words, _) = text.as_bytes().as_chunks::<8>();
        let (mut state, mut folded, mut before) = (WORD_SEED, WORD_SEED, WORD_SEED);
        let (mut n_read, mut last, mut after_blank) = (0, 0_u64, true);
        for word in words {
            let bits = u64::from_le_bytes(*word);
            let Some(lower) = lower_word(bits, after_blank) else { break };
            state = step(state, bits);
            (before, last) = (folded, lower);
            folded = step(folded, lower);
            after_blank = ends_with_blank(lower);
            n_read += word.len();
        }
        let rest = text.as_bytes().get(n_read..).unwrap_or_default();
        let hash = zero_ended(state, rest, text.len());
        if !rest.is_ascii() {
            return (self.group(std::iter::once(text)), hash);
        }
        self.folded.clear();
        if 0 < n_read && after_blank {
            // A blank that may be the last of all, which is left out.
            self.folded.extend_from_slice(&last.to_le_bytes());
            (folded, n_read) = (before, n_read - size_of_val(&last));
        }
        self.push_ascii(rest, after_blank);
        let rest = self.without_last_blank();
        let (folded, end) = through(folded, rest);
        (mixed(step(folded, padded(end)), n_read + rest.len()), hash)
    }

    /// What is folded, without the blank after it.
    fn without_last_blank(&mut self) -> &[u8] {
        if self.folded.last() == Some(&b' ') {
            self.folded.pop();
        }
        &self.folded
    }

    /// Appends `text` folded, with one blank after it; `after_blank` where none may begin it.
    ///
    /// Eight bytes at a time where the only blanks are single spaces, as in most of any text.
    fn push_ascii(&mut self, text: &[u8], mut after_blank: bool) {
        let (words, rest) = text.as_chunks::<8>();
        for word in words {
            if let Some(lower) = lower_word(u64::from_le_bytes(*word), after_blank) {
                self.folded.extend_from_slice(&lower.to_le_bytes());
                after_blank = ends_with_blank(lower);
            } else {
                after_blank = self.push_bytes(word, after_blank);
            }
        }
        if !self.push_bytes(rest, after_blank) {
            self.folded.push(b' ');
        }
    }

    /// Appends a few bytes folded; whether a blank came last.
    fn push_bytes(&mut self, bytes: &[u8], mut after_blank: bool) -> bool {
        for &byte in bytes {
            let is_blank = is_python_blank(char::from(byte));
            if !(is_blank && after_blank) {
                self.folded.push(if is_blank { b' ' } else { byte.to_ascii_lowercase() });
            }
            after_blank = is_blank;
        }
        after_blank
    }

    fn push_words(&mut self, lower: &str) {
        for word in lower.split(is_python_blank).filter(|word| !word.is_empty()) {
            self.folded.extend_from_slice(word.as_bytes());
            self.folded.push(b' ');
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// Eight bytes in lower case; `None` where folding does more to them, because they are not all ASCII
/// or have blanks other than single spaces.
#[inline]
fn lower_word(bits: u64, after_blank: bool) -> Option<u64> {
    if bits & (0x80 * ONES) != 0 {
        return None;
    }
    let blanks = below(bits, 0x21);
    let doubled = blanks & (blanks << 8 | u64::from(after_blank) << 7);
    let upper = below(bits, b'Z' + 1) & !below(bits, b'A');
    (below(bits, 0x20) | doubled == 0).then_some(bits | upper >> 2)
}

/// Whether a space is the last of eight bytes.
const fn ends_with_blank(word: u64) -> bool {
    word >> 56 == b' ' as u64
}

/// The high bit of each of eight ASCII bytes that is below `limit`, which is at most 128.
const fn below(bytes: u64, limit: u8) -> u64 {
    !(bytes + (0x80 - limit as u64) * ONES) & (0x80 * ONES)
}

/// White space as Python's `str.split` sees it: Unicode's, and four separators of ASCII.
fn is_python_blank(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r' | '\u{1c}'..='\u{1f}')
        || (!character.is_ascii() && character.is_whitespace())
}

/// The SHA-256 of rows, fed field by field; every field says where it ends.
#[derive(Clone)]
pub(crate) struct RowDigest {
    sha: Sha256,
    pending: Vec<u8>,
}

impl RowDigest {
    pub(crate) fn new() -> Self {
        Self { sha: Sha256::new(), pending: Vec::with_capacity(PENDING_BYTES) }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.word(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.bytes(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: Option<f64>) {
        self.word(number_word(number));
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.words([word]);
    }

    /// Word after word, which is quicker at once.
    pub(crate) fn words<const N: usize>(&mut self, words: [u64; N]) {
        self.bytes(words.map(u64::to_le_bytes).as_flattened());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if PENDING_BYTES < self.pending.len() + bytes.len() {
            self.sha.update(&self.pending);
            self.pending.clear();
        }
        if PENDING_BYTES < bytes.len() {
            self.sha.update(bytes);
        } else {
            self.pending.extend_from_slice(bytes);
        }
    }

    pub(crate) fn hex(mut self) -> String {
        self.sha.update(&self.pending);
        self.sha.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            for nibble in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(u32::from(nibble), 16));
            }
            hex
        })
    }
}

/// A number as a word of [`RowDigest`].
pub(crate) fn number_word(number: Option<f64>) -> u64 {
    // No value that is stored is NaN, so that its bits can stand for "none".
    number.map_or(u64::MAX, f64::to_bits)
}

/// Many small fields are cheaper hashed together.
const PENDING_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow_fold(text: &str) -> String {
        text.to_lowercase()
            .split(is_python_blank)
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[track_caller]
    fn check_same(a: &str, b: &str, same: bool) {
        assert_eq!(prompt_group(a) == prompt_group(b), same, "{a:?} and {b:?}");
    }

    #[test]
    fn case_and_white_space_do_not_split_a_group() {
        //         a                   b                    same
        check_same("What is  Rust?", " what is\nrust? ", true);
        check_same("a\u{1f}b", "A b", true);
        check_same("\u{c4}pfel \u{a0} rot", "\u{e4}pfel rot", true);
        check_same("a b", "ab", false);
        check_same("", "a", false);
        check_same("", "  \n", true);
    }

    #[test]
    fn groups_and_draws_stay_what_they_are() {
        assert_eq!(format!("{:016x}", prompt_group("Hello  World")), "8d68b7334a994c7d");
        assert_eq!(keyed_draw(7, "p1").to_bits(), 4_603_908_034_932_995_423);
    }

    #[test]
    fn draws_are_uniform_and_keyed() {
        let draws: Vec<f64> = (0..10_000).map(|i| keyed_draw(1, &i.to_string())).collect();
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        assert!((keyed_draw(1, "a") - keyed_draw(2, "a")).abs() > 0.0);
    }

    #[test]
    fn a_digest_knows_where_fields_end() {
        let hex = |fields: &[&str]| {
            let mut digest = RowDigest::new();
            for field in fields {
                digest.text(field);
            }
            digest.hex()
        };
        assert_ne!(hex(&["ab", "c"]), hex(&["a", "bc"]));
        assert_eq!(hex(&["a"]).len(), 64);
        let (mut one_by_one, mut at_once) = (RowDigest::new(), RowDigest::new());
        one_by_one.number(Some(0.5));
        one_by_one.word(7);
        at_once.words([number_word(Some(0.5)), 7]);
        assert_eq!(one_by_one.hex(), at_once.hex());
    }

    #[track_caller]
    fn check_both(text: &str) {
        let zero_ended = [text.as_bytes(), &[0]].concat();
        let expected = (bytes_group(slow_fold(text).as_bytes()), bytes_group(&zero_ended));
        assert_eq!(Folder::default().group_and_hash(text), expected, "{text:?}");
    }

    #[test]
    fn one_reading_gives_the_group_and_the_hash() {
        for text in [
            "",
            "seven by",
            "Seven b",
            "1234567 ",
            "1234567  ",
            "1234567 \n\t  ",
            "12345678",
            "12345678\n",
            " leading",
            "two  blanks after a while, and  again",
            "Fifteen bytes  \n",
            "plain at first, then \u{c4}pfel",
            "WORDS BEFORE \u{3a3}",
            "\u{c4}pfel",
        ] {
            check_both(text);
        }
    }

    proptest! {
        /// The fast way for ASCII and the slow way for the rest fold alike.
        #[test]
        fn folding_is_pythons(text in "[ -~\\s\\x1c-\\x1f]{0,60}") {
            prop_assert_eq!(prompt_group(&text), bytes_group(slow_fold(&text).as_bytes()));
        }

        /// Wherever folding begins to move bytes, or a text ends.
        #[test]
        fn one_reading_gives_what_two_give(
            text in "([a-zA-Z,]{1,9} ){0,6}[ -~\\s\\x1c-\\x1f]{0,20}([a-z]{1,5} ){0,5}[A-Z\u{e9}\u{3a3}\n ]{0,3}",
        ) {
            check_both(&text);
        }
    }
}

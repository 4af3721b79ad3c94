//! Words, numbers and marks of a text in small letters, one after the other, without a copy.

/// A piece of text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'t> {
    /// A run of letters and of bytes outside ASCII, and its [`key_of_word`].
    Word(&'t [u8], u64),
    /// Digits, perhaps grouped by commas, perhaps with decimals.
    Number(Number),
    /// Any other byte that is not blank; a line feed is one.
    Mark(u8),
}

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    /// Finite, and not below zero: a sign is a mark.
    pub(super) value: f64,
    /// Digits after the point.
    pub(super) n_decimals: usize,
}

/// Walks a text; gives each token with the text after it.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'t> {
    rest: &'t [u8],
}

/// Digits beyond these count no more.
const LARGEST: f64 = 1e300;

/// Each exact, as is the quotient of a number of fifteen digits and one of them.
const POWERS_OF_TEN: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A letter, or a byte outside ASCII; the text is in small letters.
pub(super) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_lowercase() || !byte.is_ascii()
}

impl<'t> Tokens<'t> {
    /// The tokens of a text whose ASCII letters are small.
    pub(super) fn new(lowered: &'t [u8]) -> Self {
        Self { rest: lowered }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = (Token<'t>, &'t [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut text = self.rest;
        while let [b' ' | b'\t' | b'\r' | 0x0b | 0x0c, after @ ..] = text {
            text = after;
        }
        let &first = text.first()?;
        let (token, length) = if first.is_ascii_digit() {
            let (number, length) = number(text);
            (Token::Number(number), length)
        } else if is_letter(first) {
            let (length, key) = word(text);
            (Token::Word(&text[..length], key), length)
        } else {
            (Token::Mark(first), 1)
        };
        self.rest = &text[length..];
        Some((token, self.rest))
    }
}

/// The length of the word that a text begins with, and its key. Eight bytes are looked at together:
/// how long the next word is cannot be foretold, so a loop over its bytes would be left by surprise.
#[inline]
fn word(text: &[u8]) -> (usize, u64) {
    let Some(first) = text.first_chunk::<8>() else { return long_word(text) };
    let bytes = u64::from_le_bytes(*first);
    let others = !letters(bytes) & HIGH_BITS;
    if others == 0 {
        return long_word(text);
    }
    let n_bits = others.trailing_zeros() & !7;
    let length = (n_bits / 8) as usize;
    (length, mix(WORD_SEED ^ length as u64 ^ (bytes & ((1 << n_bits) - 1))))
}

fn long_word(text: &[u8]) -> (usize, u64) {
    let mut length = 0;
    while let Some(eight) = text[length..].first_chunk::<8>() {
        let others = !letters(u64::from_le_bytes(*eight)) & HIGH_BITS;
        if others != 0 {
            length += (others.trailing_zeros() / 8) as usize;
            return (length, key_of_word(&text[..length]));
        }
        length += 8;
    }
    length += text[length..].iter().take_while(|byte| is_letter(**byte)).count();
    (length, key_of_word(&text[..length]))
}

/// Of each of eight bytes the highest bit: whether [`is_letter`] says so of it.
fn letters(bytes: u64) -> u64 {
    let low = bytes & !HIGH_BITS;
    let from_a = low + (0x80 - u64::from(b'a')) * EACH_BYTE;
    let beyond_z = low + (0x7f - u64::from(b'z')) * EACH_BYTE;
    ((from_a & !beyond_z) | bytes) & HIGH_BITS
}

/// A one in each of eight bytes.
const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

/// The highest bit of each of eight bytes.
const HIGH_BITS: u64 = 0x80 * EACH_BYTE;

/// The number that a text begins with, and its length.
fn number(text: &[u8]) -> (Number, usize) {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let groups = |at: usize| (1..=3).all(|next| is_digit(at + next)) && !is_digit(at + 4);
    let (mut value, mut n_decimals, mut is_fraction) = (0.0_f64, 0, false);
    let mut length = 0;
    while let Some(&byte) = text.get(length) {
        match byte {
            b'0'..=b'9' if is_fraction && n_decimals + 1 == POWERS_OF_TEN.len() => {}
            b'0'..=b'9' => {
                value = (value * 10.0 + f64::from(byte - b'0')).min(LARGEST);
                n_decimals += usize::from(is_fraction);
            }
            b',' if !is_fraction && groups(length) => {}
            b'.' if !is_fraction && is_digit(length + 1) => is_fraction = true,
            _ => break,
        }
        length += 1;
    }
    (Number { value: value / POWERS_OF_TEN[n_decimals], n_decimals }, length)
}

/// A number that stands for a word, equal for equal words; never zero for words of up to eight
/// bytes.
pub(super) const fn key_of_word(word: &[u8]) -> u64 {
    let (mut key, mut rest) = (WORD_SEED ^ word.len() as u64, word);
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        key = mix(key ^ u64::from_le_bytes(*chunk));
        rest = after;
    }
    let (mut bytes, mut at) = (0, 0);
    while at < rest.len() {
        bytes |= (rest[at] as u64) << (8 * at);
        at += 1;
    }
    if rest.is_empty() { key } else { mix(key ^ bytes) }
}

/// The same for numbers; `1.50` is `1.5`.
pub(super) fn key_of_number(value: f64) -> u64 {
    mix(NUMBER_SEED ^ value.to_bits())
}

/// From the fractional parts of √7 and √11.
const WORD_SEED: u64 = 0xa54f_f53a_5f1d_36f1;
const NUMBER_SEED: u64 = 0x510e_527f_ade6_82d1;

/// A product whose high half depends on all bits below it, folded down.
const fn mix(value: u64) -> u64 {
    let product = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 29)
}

/// A set of keys that may take one key for another: one time in a hundred for a few hundred keys.
#[derive(Debug)]
pub(super) struct KeySet {
    bits: Box<[u64; N_BITS / 64]>,
}

/// How many keys a [`KeySet`] tells apart.
const N_BITS: usize = 1 << 15;

impl KeySet {
    pub(super) fn new() -> Self {
        Self { bits: Box::new([0; N_BITS / 64]) }
    }

    pub(super) fn clear(&mut self) {
        self.bits.fill(0);
    }

    /// Whether the key is new.
    pub(super) fn insert(&mut self, key: u64) -> bool {
        let (word, bit) = Self::place(key);
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        let (word, bit) = Self::place(key);
        self.bits[word] & bit != 0
    }

    fn place(key: u64) -> (usize, u64) {
        let bit = (key >> 49) as usize;
        (bit / 64, 1 << (bit % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: &[Token<'_>]) {
        let found: Vec<Token<'_>> = Tokens::new(text.as_bytes()).map(|(token, _)| token).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    fn word(letters: &'static [u8]) -> Token<'static> {
        Token::Word(letters, key_of_word(letters))
    }

    fn number(value: f64, n_decimals: usize) -> Token<'static> {
        Token::Number(Number { value, n_decimals })
    }

    #[test]
    fn texts_fall_into_words_numbers_and_marks() {
        use Token::Mark;
        check("", &[]);
        check("two eggs.", &[word(b"two"), word(b"eggs"), Mark(b'.')]);
        check("1,250.50 m", &[number(1250.5, 2), word(b"m")]);
        check("1,2", &[number(1.0, 0), Mark(b','), number(2.0, 0)]);
        check("1,2345", &[number(1.0, 0), Mark(b','), number(2345.0, 0)]);
        check(
            "3. then\n4m",
            &[number(3.0, 0), Mark(b'.'), word(b"then"), Mark(b'\n'), number(4.0, 0), word(b"m")],
        );
        check("v2.1.3", &[word(b"v"), number(2.1, 1), Mark(b'.'), number(3.0, 0)]);
        check("2×3", &[number(2.0, 0), word("×".as_bytes()), number(3.0, 0)]);
    }

    #[test]
    fn numbers_stay_finite() {
        let digits = "9".repeat(5000);
        for text in [digits.clone(), format!("0.{digits}"), format!("{digits}.{digits}")] {
            let found =
                Tokens::new(text.as_bytes()).next().map(|(token, rest)| (token, rest.len()));
            let Some((Token::Number(Number { value, .. }), 0)) = found else {
                panic!("{found:?}");
            };
            assert!(value.is_finite());
        }
    }

    proptest! {
        /// Words are what a loop over their bytes finds, with the key that they have alone.
        #[test]
        fn eight_bytes_are_looked_at_as_one(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let text: Vec<u8> = text.iter().map(u8::to_ascii_lowercase).collect();
            for (token, rest) in Tokens::new(&text) {
                if let Token::Word(letters, key) = token {
                    prop_assert!(letters.iter().all(|byte| is_letter(*byte)));
                    prop_assert!(!rest.first().is_some_and(|byte| is_letter(*byte)));
                    prop_assert_eq!(key, key_of_word(letters));
                }
            }
            for chunk in text.as_chunks::<8>().0 {
                let expected = chunk.map(|byte| if is_letter(byte) { 0x80 } else { 0 });
                prop_assert_eq!(letters(u64::from_le_bytes(*chunk)).to_le_bytes(), expected);
            }
        }
    }

    #[test]
    fn a_set_knows_what_was_put_in() {
        let mut set = KeySet::new();
        for word in ["one", "two", "three"] {
            assert!(set.insert(key_of_word(word.as_bytes())), "{word}");
            assert!(set.contains(key_of_word(word.as_bytes())));
        }
        assert!(!set.insert(key_of_word(b"two")));
        assert!(!set.contains(key_of_word(b"four")));
        assert_eq!(key_of_number(1.5), key_of_number(1.50));
        set.clear();
        assert!(!set.contains(key_of_word(b"one")));
    }
}

//! Words, numbers and marks of a text in small letters, one after the other, without a copy.

/// A piece of text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'t> {
    /// A run of letters and of bytes outside ASCII.
    Word(&'t [u8]),
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
            let length = text.iter().take_while(|byte| is_letter(**byte)).count();
            (Token::Word(&text[..length]), length)
        } else {
            (Token::Mark(first), 1)
        };
        self.rest = &text[length..];
        Some((token, self.rest))
    }
}

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

/// A number that stands for a word, equal for equal words.
pub(super) fn key_of_word(word: &[u8]) -> u64 {
    word.chunks(8).fold(WORD_SEED ^ word.len() as u64, |key, chunk| {
        let mut bytes = [0; 8];
        for (byte, letter) in bytes.iter_mut().zip(chunk) {
            *byte = *letter;
        }
        mix(key ^ u64::from_le_bytes(bytes))
    })
}

/// The same for numbers; `1.50` is `1.5`.
pub(super) fn key_of_number(value: f64) -> u64 {
    mix(NUMBER_SEED ^ value.to_bits())
}

/// From the fractional parts of √7 and √11.
const WORD_SEED: u64 = 0xa54f_f53a_5f1d_36f1;
const NUMBER_SEED: u64 = 0x510e_527f_ade6_82d1;

/// A product whose high half depends on all bits below it, folded down.
fn mix(value: u64) -> u64 {
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

    #[track_caller]
    fn check(text: &str, expected: &[Token<'_>]) {
        let found: Vec<Token<'_>> = Tokens::new(text.as_bytes()).map(|(token, _)| token).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    fn number(value: f64, n_decimals: usize) -> Token<'static> {
        Token::Number(Number { value, n_decimals })
    }

    #[test]
    fn texts_fall_into_words_numbers_and_marks() {
        use Token::{Mark, Word};
        check("", &[]);
        check("two eggs.", &[Word(b"two"), Word(b"eggs"), Mark(b'.')]);
        check("1,250.50 m", &[number(1250.5, 2), Word(b"m")]);
        check("1,2", &[number(1.0, 0), Mark(b','), number(2.0, 0)]);
        check("1,2345", &[number(1.0, 0), Mark(b','), number(2345.0, 0)]);
        check(
            "3. then\n4m",
            &[number(3.0, 0), Mark(b'.'), Word(b"then"), Mark(b'\n'), number(4.0, 0), Word(b"m")],
        );
        check("v2.1.3", &[Word(b"v"), number(2.1, 1), Mark(b'.'), number(3.0, 0)]);
        check("2×3", &[number(2.0, 0), Word("×".as_bytes()), number(3.0, 0)]);
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

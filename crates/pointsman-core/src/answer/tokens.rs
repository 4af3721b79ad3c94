//! Words, numbers and marks of a text, one after the other.
//!
//! What each byte is has been found out for sixty-four of them at a time: where the next token begins
//! and how long it is cannot be foretold, so a loop over bytes would be left by surprise.

use crate::simd::{self, BLOCK, BlockMasks, SLACK};
use std::{hint::select_unpredictable, ops::Range};

/// A piece of text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'t> {
    /// A run of letters, as small ones, and of bytes outside ASCII, and its [`key_of_word`].
    Word(&'t [u8], u64),
    /// Digits, perhaps grouped by commas, perhaps with decimals.
    Number(Number),
    /// Any other byte that is not blank; a line feed is one, other control characters are not.
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

/// The text behind a token, cut out only where it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'t> {
    part: &'t [u8],
    /// Where it begins.
    pub(super) start: usize,
}

impl<'t> Rest<'t> {
    pub(super) fn bytes(self) -> &'t [u8] {
        self.part.get(self.start..).unwrap_or_default()
    }
}

/// The buffers that texts are scanned into, one after the other.
#[derive(Debug, Default)]
pub(super) struct Scan {
    folded: Vec<u8>,
    masks: Vec<BlockMasks>,
}

impl Scan {
    /// Reserves what a text of so many bytes needs.
    pub(super) fn reserve(&mut self, n_bytes: usize) {
        self.folded.resize(n_bytes.next_multiple_of(BLOCK) + SLACK, b' ');
        self.masks.reserve(n_bytes.div_ceil(BLOCK));
    }

    pub(super) fn read<'t>(&'t mut self, raw: &'t [u8]) -> Text<'t> {
        simd::scan(raw, &mut self.folded, &mut self.masks);
        Text::new(raw, (&self.folded, &self.masks))
    }
}

/// A text, and for each of its bytes what it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'t> {
    /// As it was written.
    pub(super) raw: &'t [u8],
    /// In small letters, and with every digit as a zero; longer than the text.
    folded: &'t [u8],
    masks: &'t [BlockMasks],
}

impl<'t> Text<'t> {
    /// A text and what [`simd::scan`] found in it.
    pub(super) fn new(raw: &'t [u8], (folded, masks): (&'t [u8], &'t [BlockMasks])) -> Self {
        Self { raw, folded, masks }
    }

    /// Its tokens, each with the text behind it.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn tokens(self) -> Tokens<'t> {
        self.tokens_from(0)
    }

    /// The tokens from a byte on that begins one, or that follows one; it is one of the text's.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn tokens_from(self, start: usize) -> Tokens<'t> {
        self.tokens_of(start..self.raw.len(), Marks::Given)
    }

    /// The words and numbers of a part that begins and ends between them.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn words(self, part: Range<usize>) -> Tokens<'t> {
        self.tokens_of(part, Marks::Passed)
    }

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn tokens_of(self, range: Range<usize>, marks: Marks) -> Tokens<'t> {
        let part = &self.raw[..range.end.min(self.raw.len())];
        let mut tokens = Tokens { text: self, marks, part, block: 0, starts: 0, letters: 0 };
        tokens.go_to(range.start);
        tokens
    }

    /// Its lines, without the line feeds.
    pub(super) fn lines(self) -> impl Iterator<Item = Range<usize>> {
        let mut start = Some(0);
        std::iter::from_fn(move || {
            let from = start?;
            let found = self.line_feed(from);
            start = found.map(|at| at + 1);
            Some(from..found.unwrap_or(self.raw.len()))
        })
    }

    /// In small letters, and with every digit as a zero.
    pub(super) fn folded(self) -> &'t [u8] {
        &self.folded[..self.raw.len()]
    }

    /// The first line feed from `at` on.
    fn line_feed(self, at: usize) -> Option<usize> {
        self.first_of(at, |masks| masks.newline)
    }

    /// The first byte from `at` on that is not blank, but for the line feed.
    pub(super) fn not_blank(self, at: usize) -> Option<usize> {
        self.first_of(at, |masks| masks.word | masks.mark | masks.newline)
    }

    /// The first byte from `at` on that is one of the bits of its block.
    #[inline]
    fn first_of(self, mut at: usize, bits_of: impl Fn(&BlockMasks) -> u64) -> Option<usize> {
        loop {
            let bits = bits_of(self.masks.get(at / BLOCK)?) >> (at % BLOCK);
            if bits != 0 {
                return Some(at + bits.trailing_zeros() as usize);
            }
            at = (at / BLOCK + 1) * BLOCK;
        }
    }

    /// How many letters stand in a row from the beginning of a block on.
    fn n_letters(self, mut block: usize) -> usize {
        let mut n = 0;
        while let Some(masks) = self.masks.get(block) {
            let in_block = masks.letter().trailing_ones() as usize;
            n += in_block;
            if in_block < BLOCK {
                break;
            }
            block += 1;
        }
        n
    }

    /// [`key_of_word`] of the letters in that place.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn key_of(self, start: usize, length: usize) -> u64 {
        let sixteen = self.folded[start..].first_chunk::<16>();
        let Some((&[first, second], _)) = sixteen.map(|it| it.as_chunks::<8>()) else { return 0 };
        let kept = |eight: [u8; 8], n_bytes: usize| {
            u64::from_le_bytes(eight) & (u64::MAX >> (64 - 8 * n_bytes.min(8)))
        };
        let short = mix(WORD_SEED ^ length as u64 ^ kept(first, length));
        // Whether a word has more than eight bytes cannot be foretold, so the next ones are taken in
        // without asking.
        let longer = mix(short ^ kept(second, length.saturating_sub(8).max(1)));
        let mut key = select_unpredictable(8 < length, longer, short);
        let mut n_read = 16;
        while n_read < length {
            let Some(&eight) = self.folded[start + n_read..].first_chunk::<8>() else { return 0 };
            key = mix(key ^ kept(eight, length - n_read));
            n_read += 8;
        }
        key
    }
}

impl BlockMasks {
    /// Letters, and bytes outside ASCII.
    #[inline]
    fn letter(&self) -> u64 {
        self.word & !self.digit
    }
}

/// Whether marks are tokens for whoever reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    Given,
    Passed,
}

/// Walks a text; gives each token with the text after it.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'t> {
    text: Text<'t>,
    marks: Marks,
    /// The text up to where reading ends.
    part: &'t [u8],
    /// The block at hand, and what is left of it.
    block: usize,
    /// Where in it tokens begin.
    starts: u64,
    /// Where in it letters stand.
    letters: u64,
}

/// Digits beyond these count no more.
const LARGEST: f64 = 1e300;

/// Each exact, as is the quotient of a number of fifteen digits and one of them.
const POWERS_OF_TEN: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A letter, or a byte outside ASCII.
pub(super) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

impl Tokens<'_> {
    /// Looks at a block from its beginning; `None` behind the last one.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn look_at(&mut self, block: usize) -> Option<()> {
        let masks = self.text.masks.get(block)?;
        let (letters, digits) = (masks.letter(), masks.digit);
        let before = block.checked_sub(1).and_then(|before| self.text.masks.get(before));
        let (letter, digit) = before.map_or((0, 0), |it| (it.letter() >> 63, it.digit >> 63));
        let first = |bits: u64, carry: u64| bits & !(bits << 1 | carry);
        self.block = block;
        self.letters = letters;
        self.starts = first(letters, letter) | first(digits, digit);
        if self.marks == Marks::Given {
            self.starts |= masks.mark | masks.newline;
        }
        Some(())
    }

    /// Goes on at a byte that a token begins with, or that follows one.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn go_to(&mut self, at: usize) {
        (self.block, self.starts) = (at / BLOCK, 0);
        if self.look_at(at / BLOCK).is_some() {
            self.starts &= u64::MAX << (at % BLOCK);
        }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = (Token<'t>, Rest<'t>);

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        while self.starts == 0 {
            self.look_at(self.block + 1)?;
        }
        let Self { text, part, .. } = *self;
        let in_block = self.starts.trailing_zeros() as usize;
        self.starts &= self.starts - 1;
        let start = self.block * BLOCK + in_block;
        let &first = part.get(start)?;
        let letters = self.letters >> in_block;
        let (token, length) = if letters & 1 == 1 {
            let mut length = letters.trailing_ones() as usize;
            if in_block + length == BLOCK {
                length += text.n_letters(self.block + 1);
            }
            let word = &text.folded[start..start + length];
            (Token::Word(word, text.key_of(start, length)), length)
        } else if first.is_ascii_digit() {
            let (number, length) = number(&part[start..]);
            // Marks in it are none, and digits behind its point begin nothing.
            self.go_to(start + length);
            (Token::Number(number), length)
        } else {
            (Token::Mark(first), 1)
        };
        Some((token, Rest { part, start: start + length }))
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
    is_empty: bool,
}

/// How many keys a [`KeySet`] tells apart.
const N_BITS: usize = 1 << 15;

impl KeySet {
    pub(super) fn new() -> Self {
        Self { bits: Box::new([0; N_BITS / 64]), is_empty: true }
    }

    pub(super) fn clear(&mut self) {
        if !self.is_empty {
            self.bits.fill(0);
            self.is_empty = true;
        }
    }

    /// Whether the key is new.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn insert(&mut self, key: u64) -> bool {
        let (word, bit) = Self::place(key);
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        self.is_empty = false;
        is_new
    }

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn contains(&self, key: u64) -> bool {
        let (word, bit) = Self::place(key);
        self.bits[word] & bit != 0
    }

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
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
        let mut scan = Scan::default();
        let found: Vec<Token<'_>> =
            scan.read(text.as_bytes()).tokens().map(|(token, _)| token).collect();
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
            let mut scan = Scan::default();
            let mut tokens = scan.read(text.as_bytes()).tokens();
            let found = tokens.next().map(|(token, rest)| (token, rest.bytes().len()));
            let Some((Token::Number(Number { value, .. }), 0)) = found else {
                panic!("{found:?}");
            };
            assert!(value.is_finite());
        }
    }

    /// It has nothing behind it, be it longer than a block and end with one.
    #[test]
    fn a_number_is_left_at_its_end() {
        for n_groups in [15, 30, 31, 32] {
            let text = format!("1234{}", ",567".repeat(n_groups));
            let mut scan = Scan::default();
            assert_eq!(scan.read(text.as_bytes()).tokens().count(), 1, "{n_groups}");
        }
    }

    /// The definition, written down without a thought for speed.
    fn plain(text: &[u8]) -> Vec<(Vec<u8>, usize)> {
        let is_blank = |byte: u8| byte <= b' ' && byte != b'\n';
        let (mut found, mut at) = (Vec::new(), 0);
        while at < text.len() {
            let rest = &text[at..];
            let length = if rest[0].is_ascii_digit() {
                super::number(rest).1
            } else {
                rest.iter().take_while(|byte| is_letter(**byte)).count().max(1)
            };
            if !is_blank(rest[0]) {
                found.push((rest[..length].to_ascii_lowercase(), at + length));
            }
            at += length;
        }
        found
    }

    proptest! {
        /// Tokens are what a loop over bytes finds, with the keys that words have alone.
        #[test]
        fn sixty_four_bytes_are_looked_at_as_one(
            text in prop::collection::vec(
                prop_oneof![any::<u8>(), Just(b' '), b'a'..=b'z', b'A'..=b'Z', b'0'..=b'9'],
                0..300,
            ),
        ) {
            let mut scan = Scan::default();
            let read = scan.read(&text);
            let mut found = Vec::new();
            for (token, rest) in read.tokens() {
                let end = rest.start;
                match token {
                    Token::Word(letters, key) => {
                        prop_assert_eq!(key, key_of_word(letters));
                        found.push((letters.to_vec(), end));
                    }
                    Token::Number(_) => found.push((Vec::new(), end)),
                    Token::Mark(mark) => found.push((vec![mark], end)),
                }
            }
            let expected: Vec<(Vec<u8>, usize)> = plain(&text)
                .into_iter()
                .map(|(bytes, end)| {
                    let is_number = bytes[0].is_ascii_digit();
                    (if is_number { Vec::new() } else { bytes }, end)
                })
                .collect();
            prop_assert_eq!(found, expected);
            let lines: Vec<&[u8]> = read.lines().map(|line| &text[line]).collect();
            prop_assert_eq!(lines, text.split(|&byte| byte == b'\n').collect::<Vec<_>>());
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

//! Words and pairs of words, hashed while the text is walked.
//!
//! A word is a run of letters, digits and bytes outside ASCII. Scripts that write without blanks
//! would make a word of a sentence, so their characters are words of their own. Each punctuation
//! mark is a term by itself and ends no pair: code, lists and mathematics show in it.
//!
//! What the walk knows is handed on by value, even to the rare code that is a call: what had once
//! been lent to it would have to lie in memory at every term.

use super::{Bigrams, FeatureSchema, Part};
use crate::simd::{BLOCK, BlockMasks};
use std::ops::Range;

/// Odd constants with about half their bits set (from the fractional parts of √2, √3 and √5).
const WORD_FACTOR: u64 = 0x6a09_e667_f3bc_c909;
const PAIR_FACTOR: u64 = 0xbb67_ae85_84ca_a73b;
const PART_SEEDS: [u64; 4] =
    [0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1, 0x510e_527f_ade6_82d1, 0x9b05_688c_2b3e_6c1f];

/// Turns words into buckets; remembers the word before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ngrams {
    seed: u64,
    shift: u32,
    bigrams: Bigrams,
    previous: Option<(u64, usize)>,
}

/// Walks one text.
#[derive(Debug, Clone, Copy)]
pub(super) struct TermReader<'a> {
    /// The text as it was sent.
    pub(super) text: &'a str,
    /// The same, folded, with slack after it.
    pub(super) folded: &'a [u8],
    pub(super) ngrams: Ngrams,
    /// Words met so far.
    pub(super) n_words: u64,
}

/// Which buckets a request has already touched.
#[derive(Debug)]
pub(super) struct SeenBuckets {
    bits: Vec<u64>,
}

/// The same, lent to whoever reads.
#[derive(Debug)]
pub(super) struct SeenBits<'a>(&'a mut [u64]);

impl SeenBuckets {
    pub(super) fn new(n_buckets: usize) -> Self {
        Self { bits: vec![0; n_buckets.div_ceil(64)] }
    }

    /// To be asked of many buckets.
    pub(super) fn bits(&mut self) -> SeenBits<'_> {
        SeenBits(&mut self.bits)
    }

    /// Makes the buckets new again, in time proportional to their number.
    pub(super) fn forget(&mut self, buckets: &[u32]) {
        for &bucket in buckets {
            self.bits[bucket as usize / 64] = 0;
        }
    }
}

impl SeenBits<'_> {
    /// Whether the bucket is new.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn insert(&mut self, bucket: u32) -> bool {
        let (word, bit) = (&mut self.0[bucket as usize / 64], 1_u64 << (bucket % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

impl Ngrams {
    pub(super) fn new(schema: FeatureSchema, part: Part) -> Self {
        let seed = PART_SEEDS[match part {
            Part::System => 0,
            Part::Question => 1,
            Part::History => 2,
            Part::Answer => 3,
        }];
        let shift = 64 - u32::from(schema.log2_buckets());
        Self { seed, shift, bigrams: schema.bigrams(), previous: None }
    }

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn word<S>(
        &mut self,
        hash: u64,
        span: Range<usize>,
        mut state: S,
        visit: impl Fn(S, u32, Range<usize>) -> S + Copy,
    ) -> S {
        state = visit(state, self.bucket(hash), span.clone());
        if self.bigrams == Bigrams::With {
            if let Some((before, start)) = self.previous {
                let pair = fold(before.rotate_left(29) ^ hash, PAIR_FACTOR);
                state = visit(state, self.bucket(pair), start..span.end);
            }
            self.previous = Some((hash, span.start));
        }
        state
    }

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn mark(&self, byte: u8) -> u32 {
        self.bucket(fold(self.seed ^ u64::from(byte), PAIR_FACTOR))
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 20 bits are left")]
    fn bucket(&self, hash: u64) -> u32 {
        (hash >> self.shift) as u32
    }
}

impl TermReader<'_> {
    /// Visits every term, in the order of the text; of each block of it, words that end there
    /// come before marks. `visit` makes of what it left behind at the term before what it leaves at
    /// this one; returns what it left at the last, and the number of words.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn fold_terms<S>(
        mut self,
        masks: &[BlockMasks],
        mut state: S,
        visit: impl Fn(S, u32, Range<usize>) -> S + Copy,
    ) -> (S, u64) {
        let (mut carry, mut start) = (0, 0);
        for (block, mask) in masks.iter().enumerate() {
            let at = |bits: u64| block * BLOCK + bits.trailing_zeros() as usize;
            let before = mask.word << 1 | carry;
            let (mut starts, mut ends) = (mask.word & !before, before & !mask.word);
            if carry == 0 {
                start = at(starts);
                starts &= starts.wrapping_sub(1);
            }
            carry = mask.word >> 63;
            while ends != 0 {
                state = self.word(start..at(ends), state, visit);
                ends &= ends - 1;
                start = at(starts);
                starts &= starts.wrapping_sub(1);
            }
            let mut marks = mask.mark;
            while marks != 0 {
                let at = at(marks);
                marks &= marks - 1;
                state = visit(state, self.ngrams.mark(self.folded[at]), at..at + 1);
            }
        }
        if carry == 1 {
            state = self.word(start..self.text.len(), state, visit);
        }
        (state, self.n_words)
    }

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn word<S>(
        &mut self,
        span: Range<usize>,
        state: S,
        visit: impl Fn(S, u32, Range<usize>) -> S + Copy,
    ) -> S {
        let mut chunk = chunk_of(&self.folded[span.start..], span.len());
        let mut hash = fold(self.ngrams.seed ^ chunk, WORD_FACTOR);
        let mut all = chunk;
        let mut at = span.start + 8;
        while at < span.end {
            chunk = chunk_of(&self.folded[at..], span.end - at);
            hash = fold(hash ^ chunk, WORD_FACTOR);
            all |= chunk;
            at += 8;
        }
        if all & 0x8080_8080_8080_8080 == 0 {
            self.n_words += 1;
            self.ngrams.word(hash, span, state, visit)
        } else {
            let (after, state) = self.other_script(span, state, visit);
            *self = after;
            state
        }
    }

    /// A word with bytes outside ASCII: letters are folded by Unicode's rules, and characters of
    /// scripts without blanks stand alone.
    #[cold]
    fn other_script<S>(
        mut self,
        span: Range<usize>,
        mut state: S,
        visit: impl Fn(S, u32, Range<usize>) -> S + Copy,
    ) -> (Self, S) {
        let text = &self.text[span.clone()];
        let mut run: Option<usize> = None;
        for (offset, character) in text.char_indices() {
            let at = span.start + offset;
            if stands_alone(character) {
                if let Some(start) = run.take() {
                    state = self.folded_word(start..at, state, visit);
                }
                state = self.folded_word(at..at + character.len_utf8(), state, visit);
            } else {
                run = run.or(Some(at));
            }
        }
        if let Some(start) = run {
            state = self.folded_word(start..span.end, state, visit);
        }
        (self, state)
    }

    fn folded_word<S>(
        &mut self,
        span: Range<usize>,
        state: S,
        visit: impl Fn(S, u32, Range<usize>) -> S + Copy,
    ) -> S {
        let mut hash = self.ngrams.seed;
        let mut encoded = [0; 4];
        for character in self.text[span.clone()].chars().flat_map(char::to_lowercase) {
            let character = if character.is_ascii_digit() { '0' } else { character };
            let bytes = character.encode_utf8(&mut encoded).as_bytes();
            let value = bytes.iter().fold(0, |value: u64, &byte| value << 8 | u64::from(byte));
            hash = fold(hash ^ value, WORD_FACTOR);
        }
        self.n_words += 1;
        self.ngrams.word(hash, span, state, visit)
    }
}

/// Han, Kana, Hangul and Thai characters, and what lies beyond the basic plane.
fn stands_alone(character: char) -> bool {
    matches!(u32::from(character), 0x0e00..=0x0eff | 0x3040..=0xd7ff | 0xf900..=0xfaff | 0x1_0000..)
}

/// The first eight bytes of `bytes`, or the first `length` of them if that is less, as a number.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn chunk_of(bytes: &[u8], length: usize) -> u64 {
    let Some(&eight) = bytes.first_chunk::<8>() else { return 0 };
    u64::from_le_bytes(eight) & u64::MAX >> (64 - 8 * length.min(8))
}

/// The high and the low half of a product, mixed: the top bits depend on all bits of `value`.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
fn fold(value: u64, factor: u64) -> u64 {
    let product = u128::from(value) * u128::from(factor);
    (product >> 64) as u64 ^ product as u64
}

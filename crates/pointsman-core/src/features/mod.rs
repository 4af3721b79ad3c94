//! What a request becomes before it is scored: hashed text terms plus a few dense numbers.
//!
//! One pass over the bytes, no allocation after warm-up, the same result on every machine.
//! Serving, training and evaluation call the one function here. The weakness of hashing is that
//! two terms may share a bucket; at 2¹⁸ buckets and a few hundred terms it is rare enough.
//!
//! Trivial edits should not move a decision far, so text is folded while it is read: case, the
//! digits of numbers, white space and how often a term occurs do not count. What is lost that way
//! and matters (how much code, how many digits) is in the dense features.

mod terms;

use crate::{
    request::{Capabilities, Message, Request, Role},
    simd::{self, BlockMasks},
    units::len_as_float,
};
use terms::{Ngrams, SeenBuckets, TermReader};

/// How text becomes terms. Part of every artifact: a scorer is only good for the schema that it
/// was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureSchema {
    log2_buckets: u8,
    bigrams: Bigrams,
}

/// Whether pairs of neighbouring words are terms beside the words themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bigrams {
    /// Words alone.
    Without,
    /// Words and pairs of words.
    With,
}

/// The version of everything in this module: change a rule, and this number changes.
pub const SCHEMA_VERSION: u32 = 1;

/// The dense features, in order. Shares are of all bytes, logarithms are natural and of `1 + n`.
pub const DENSE_NAMES: [&str; N_DENSE] = [
    "log bytes",
    "log words",
    "log word length",
    "capitals",
    "digits",
    "punctuation",
    "log line feeds",
    "brackets and backticks",
    "other scripts",
    "log question marks",
    "log messages",
    "system prompt",
    "log user turns",
    "log tools",
    "images",
    "schema asked",
    "log output limit",
    "cut",
];

/// How many dense features there are.
pub const N_DENSE: usize = 18;

/// Text beyond this many bytes of one part of a request (system prompt, last user message,
/// history) is read head and tail only.
pub const MAX_BYTES_PER_PART: usize = 32 * 1024;

/// A bucket count that no schema has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("2^{found} buckets; the exponent must be from 8 to 20 (18 is usual)")]
pub struct BucketCountError {
    found: u8,
}

impl FeatureSchema {
    /// A schema with `2^log2_buckets` buckets.
    ///
    /// # Errors
    /// [`BucketCountError`] outside 8 to 20.
    pub fn new(log2_buckets: u8, bigrams: Bigrams) -> Result<Self, BucketCountError> {
        if (8..=20).contains(&log2_buckets) {
            return Ok(Self { log2_buckets, bigrams });
        }
        Err(BucketCountError { found: log2_buckets })
    }

    /// The binary logarithm of the number of buckets.
    pub const fn log2_buckets(self) -> u8 {
        self.log2_buckets
    }

    /// The number of buckets.
    pub const fn n_buckets(self) -> usize {
        1 << self.log2_buckets
    }

    /// Whether pairs of words count.
    pub const fn bigrams(self) -> Bigrams {
        self.bigrams
    }
}

impl Default for FeatureSchema {
    fn default() -> Self {
        Self { log2_buckets: 18, bigrams: Bigrams::With }
    }
}

/// The part of a request that a text belongs to; equal words in different parts are different
/// terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// System and developer messages.
    System,
    /// The last user message.
    Question,
    /// Everything else.
    History,
}

/// The features of one request, borrowed from the [`Extractor`] that read it.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    /// Buckets below `2^log2_buckets`, each once, in the order of their first occurrence.
    pub terms: &'a [u32],
    /// One number per entry of [`DENSE_NAMES`].
    pub dense: &'a [f32; N_DENSE],
    /// Bytes of text in the request.
    pub n_bytes: usize,
    /// Bytes that were not read because a part was longer than [`MAX_BYTES_PER_PART`].
    pub n_bytes_cut: usize,
}

/// Reads requests; holds the buffers that make a second reading free of allocation.
#[derive(Debug)]
pub struct Extractor {
    schema: FeatureSchema,
    folded: Vec<u8>,
    masks: Vec<BlockMasks>,
    seen: SeenBuckets,
    terms: Vec<u32>,
    dense: [f32; N_DENSE],
}

/// What is counted while text is read, for the dense features.
#[derive(Debug, Default)]
struct Counts {
    bytes: u64,
    words: u64,
    word_bytes: u64,
    upper: u64,
    digit: u64,
    high: u64,
    space: u64,
    newline: u64,
    code: u64,
    question: u64,
}

impl Extractor {
    /// An extractor for one schema.
    pub fn new(schema: FeatureSchema) -> Self {
        Self {
            schema,
            folded: Vec::new(),
            masks: Vec::new(),
            seen: SeenBuckets::new(schema.n_buckets()),
            terms: Vec::new(),
            dense: [0.0; N_DENSE],
        }
    }

    /// The schema that requests are read by.
    pub fn schema(&self) -> FeatureSchema {
        self.schema
    }

    /// Reads one request.
    pub fn extract(&mut self, request: &Request<'_>) -> Features<'_> {
        self.seen.forget(&self.terms);
        self.terms.clear();
        let mut counts = Counts::default();
        let n_bytes_cut = for_each_piece(&request.messages, |part, text| {
            self.read(part, text, &mut counts);
        });
        self.dense = dense(request, &counts, n_bytes_cut);
        Features {
            terms: &self.terms,
            dense: &self.dense,
            n_bytes: request.n_bytes(),
            n_bytes_cut,
        }
    }

    /// Reserves what the longest requests can need, so that even the first one allocates nothing.
    pub fn reserve(&mut self) {
        let most = MAX_BYTES_PER_PART + 2 * simd::BLOCK;
        self.folded.reserve(most);
        self.masks.reserve(most / simd::BLOCK);
        self.terms.reserve(3 * most);
    }

    fn read(&mut self, part: Part, text: &str, counts: &mut Counts) {
        simd::scan(text.as_bytes(), &mut self.folded, &mut self.masks);
        counts.add_masks(text.len(), &self.masks);
        let mut reader = TermReader {
            text,
            folded: &self.folded,
            ngrams: Ngrams::new(self.schema, part),
            n_words: 0,
        };
        let (seen, terms) = (&mut self.seen, &mut self.terms);
        reader.for_each_term(&self.masks, |bucket, _span| {
            if seen.insert(bucket) {
                terms.push(bucket);
            }
        });
        counts.words += reader.n_words;
    }
}

/// Calls `visit` with every term of one piece of text: its bucket and the bytes it came from. For
/// explanations; decisions use [`Extractor::extract`], which reads by the same code.
pub fn for_each_term_of(
    schema: FeatureSchema,
    part: Part,
    text: &str,
    visit: impl FnMut(u32, std::ops::Range<usize>),
) {
    let (mut folded, mut masks) = (Vec::new(), Vec::new());
    simd::scan(text.as_bytes(), &mut folded, &mut masks);
    let ngrams = Ngrams::new(schema, part);
    TermReader { text, folded: &folded, ngrams, n_words: 0 }.for_each_term(&masks, visit);
}

/// Calls `visit` with each piece of text that is read, and its part, in order; returns the number
/// of bytes that are left out because their part is longer than [`MAX_BYTES_PER_PART`].
pub fn for_each_piece<'m>(
    messages: &'m [Message<'m>],
    mut visit: impl FnMut(Part, &'m str),
) -> usize {
    const HALF: usize = MAX_BYTES_PER_PART / 2;
    let question = messages.iter().rposition(|message| message.role == Role::User);
    let part_of = |index: usize| match messages[index].role {
        Role::System => Part::System,
        Role::User if Some(index) == question => Part::Question,
        Role::User | Role::Assistant | Role::Tool => Part::History,
    };
    let mut totals = [0; 3];
    for (index, message) in messages.iter().enumerate() {
        totals[part_of(index) as usize] += message.text.len();
    }
    let (mut offsets, mut n_bytes_cut) = ([0; 3], 0);
    for (index, message) in messages.iter().enumerate() {
        let (part, text) = (part_of(index), &*message.text);
        let (total, offset) = (totals[part as usize], offsets[part as usize]);
        offsets[part as usize] += text.len();
        if total <= MAX_BYTES_PER_PART {
            visit(part, text);
            continue;
        }
        let head = text.floor_char_boundary(HALF.saturating_sub(offset));
        let tail = text.ceil_char_boundary((total - HALF).saturating_sub(offset)).max(head);
        n_bytes_cut += tail - head;
        for piece in [&text[..head], &text[tail..]] {
            if !piece.is_empty() {
                visit(part, piece);
            }
        }
    }
    n_bytes_cut
}

impl Counts {
    fn add_masks(&mut self, n_bytes: usize, masks: &[BlockMasks]) {
        self.bytes += n_bytes as u64;
        for mask in masks {
            self.word_bytes += u64::from(mask.word.count_ones());
            self.upper += u64::from(mask.upper.count_ones());
            self.digit += u64::from(mask.digit.count_ones());
            self.high += u64::from(mask.high.count_ones());
            self.space += u64::from(mask.space.count_ones());
            self.newline += u64::from(mask.newline.count_ones());
            self.code += u64::from(mask.code.count_ones());
            self.question += u64::from(mask.question.count_ones());
        }
        // The last block is filled up with blanks.
        self.space -= (masks.len() * simd::BLOCK - n_bytes) as u64;
    }
}

fn dense(request: &Request<'_>, counts: &Counts, n_bytes_cut: usize) -> [f32; N_DENSE] {
    let share = |count: u64| share(count, counts.bytes);
    let punctuation = counts.bytes - counts.word_bytes - counts.space;
    let n_of = |role| request.messages.iter().filter(|message| message.role == role).count() as u64;
    let needs = |what: Capabilities| if what.missing_from(request.needs).is_empty() { 1.0 } else { 0.0 };
    [
        log1p(counts.bytes),
        log1p(counts.words),
        log(counts.bytes, counts.words),
        share(counts.upper),
        share(counts.digit),
        share(punctuation),
        log1p(counts.newline),
        share(counts.code),
        share(counts.high),
        log1p(counts.question),
        log1p(request.messages.len() as u64),
        if n_of(Role::System) == 0 { 0.0 } else { 1.0 },
        log1p(n_of(Role::User)),
        log1p(u64::from(request.n_tools)),
        needs(Capabilities::IMAGES),
        needs(Capabilities::JSON_SCHEMA),
        log1p(request.max_tokens.map_or(0, crate::units::Tokens::get)),
        if n_bytes_cut == 0 { 0.0 } else { 1.0 },
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
fn share(count: u64, total: u64) -> f32 {
    if total == 0 { 0.0 } else { (crate::units::as_float(count) / crate::units::as_float(total)) as f32 }
}

/// The logarithm of a ratio that is at least one.
#[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
fn log(count: u64, total: u64) -> f32 {
    let ratio = crate::units::as_float(count) / crate::units::as_float(total.max(1));
    libm::log(ratio.max(1.0)) as f32
}

/// By `libm`, so that every platform gets the same bits.
#[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
fn log1p(count: u64) -> f32 {
    libm::log1p(crate::units::as_float(count)) as f32
}

/// The smoothed inverse document frequency of a term that `n_with` of `n` texts hold:
/// `ln((1 + n) / (1 + n_with)) + 1`.
///
/// Source: the smoothed form of Spärck Jones (1972), as scikit-learn defines it.
pub fn inverse_document_frequency(n: usize, n_with: usize) -> f64 {
    libm::log((1.0 + len_as_float(n)) / (1.0 + len_as_float(n_with))) + 1.0
}

#[cfg(test)]
mod tests;

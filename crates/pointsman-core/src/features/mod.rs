//! What a request becomes before it is scored: hashed text terms plus a few dense numbers.
//!
//! One pass over the bytes, no allocation after warm-up, the same result on every machine.
//! Serving, training and evaluation call the one function here. The weakness of hashing is that
//! two terms may share a bucket; at 2¹⁸ buckets and a few hundred terms it is rare enough.
//!
//! Trivial edits should not move a decision far, so text is folded while it is read: case, the
//! digits of numbers, white space and how often a term occurs do not count. What is lost that way
//! and matters (how much code, how many digits) is in the dense features, which since
//! [`SchemaVersion::Second`] are folded too, as far as that costs nothing.
//!
//! ```
//! use pointsman_core::features::{Bigrams, BucketCountError, Extractor, FeatureSchema};
//! use pointsman_core::request::Request;
//!
//! let mut extractor = Extractor::new(FeatureSchema::new(18, Bigrams::With)?);
//! let first = extractor.extract(&Request::from_prompt("Add 12 and 34")).terms.to_vec();
//! let second = extractor.extract(&Request::from_prompt("add  56 AND 78")).terms.to_vec();
//! assert_eq!(first, second);
//! # Ok::<(), BucketCountError>(())
//! ```

mod answers;
mod dense;
mod schema;
mod terms;
mod written;

pub use answers::for_each_piece_of_answer;
pub use dense::{DENSE_NAMES, N_DENSE, PLAIN_CAPITALS};
pub use schema::{Bigrams, BucketCountError, FeatureSchema, SchemaVersion};
pub use written::{FeaturesError, OwnedFeatures, UnknownSchema};

use crate::{
    request::{Message, Request, Role},
    simd::{self, BlockMasks, Job},
    units::len_as_float,
};
use dense::{Counts, Logarithms};
use std::ops::Range;
use terms::{Ngrams, SeenBits, SeenBuckets, TermReader};

/// Text beyond this many bytes of one part of a request (system prompt, last user message,
/// history) is read head and tail only.
pub const MAX_BYTES_PER_PART: usize = 32 * 1024;

/// How many parts a request has.
const N_PARTS: usize = 3;

/// A byte is at most one word, which is a term and, with the word before, another.
const MOST_TERMS_PER_BYTE: usize = 2;

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
    /// What a model answered to the request, which is no part of it.
    Answer,
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
    /// The first `n_terms` count.
    terms: Vec<u32>,
    n_terms: usize,
    dense: [f32; N_DENSE],
    n_bytes: usize,
    n_bytes_cut: usize,
    logarithms: Logarithms,
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
            n_terms: 0,
            dense: [0.0; N_DENSE],
            n_bytes: 0,
            n_bytes_cut: 0,
            logarithms: Logarithms::new(),
        }
    }

    /// The schema that requests are read by.
    pub fn schema(&self) -> FeatureSchema {
        self.schema
    }

    /// Reads one request.
    pub fn extract(&mut self, request: &Request<'_>) -> Features<'_> {
        self.extract_announcing(request, |_| ())
    }

    /// As [`Self::extract`]; every term is announced as soon as it is read, more than once if it
    /// stands there more than once.
    pub(crate) fn extract_announcing(
        &mut self,
        request: &Request<'_>,
        announce: impl Fn(u32) + Copy,
    ) -> Features<'_> {
        self.seen.forget(&self.terms[..self.n_terms]);
        self.n_terms = 0;
        let mut counts = Counts::default();
        let n_bytes_cut = for_each_piece(&request.messages, |part, text| {
            self.read((part, text), &mut counts, announce);
        });
        self.dense = self.dense_of(request, &counts, n_bytes_cut);
        (self.n_bytes, self.n_bytes_cut) = (request.n_bytes(), n_bytes_cut);
        self.last()
    }

    /// What was read last; of no bytes before the first reading.
    pub fn last(&self) -> Features<'_> {
        Features {
            terms: &self.terms[..self.n_terms],
            dense: &self.dense,
            n_bytes: self.n_bytes,
            n_bytes_cut: self.n_bytes_cut,
        }
    }

    /// What [`simd::scan`] found in the piece of text that was read last.
    pub(crate) fn last_scan(&self) -> (&[u8], &[BlockMasks]) {
        (&self.folded, &self.masks)
    }

    /// Reserves what the longest requests can need, so that even the first one allocates nothing.
    pub fn reserve(&mut self) {
        let most = MAX_BYTES_PER_PART + simd::BLOCK + simd::SLACK;
        self.folded.resize(most, b' ');
        self.masks.reserve(most / simd::BLOCK);
        let most = N_PARTS * MOST_TERMS_PER_BYTE * MAX_BYTES_PER_PART;
        self.terms.resize(most.max(self.terms.len()), 0);
    }

    fn read(
        &mut self,
        (part, text): (Part, &str),
        counts: &mut Counts,
        announce: impl Fn(u32) + Copy,
    ) {
        let found = simd::scan(text.as_bytes(), &mut self.folded, &mut self.masks);
        let reader = TermReader {
            text,
            folded: &self.folded,
            ngrams: Ngrams::new(self.schema, part),
            n_words: 0,
        };
        let most = self.n_terms + MOST_TERMS_PER_BYTE * text.len();
        if self.terms.len() < most {
            self.terms.resize(most, 0);
        }
        let (seen, terms) = (self.seen.bits(), &mut self.terms[self.n_terms..]);
        let met = Met { seen, terms, n_terms: 0, announce };
        let (n_terms, n_words) = simd::at_best(Reading { reader, masks: &self.masks, met });
        self.n_terms += n_terms;
        counts.add(text, &found, n_words);
    }
}

/// One text, about to be read.
struct Reading<'a, A> {
    reader: TermReader<'a>,
    masks: &'a [BlockMasks],
    met: Met<'a, A>,
}

/// The terms of one text that were met so far.
struct Met<'a, A> {
    seen: SeenBits<'a>,
    /// Where new terms go; long enough for all of them.
    terms: &'a mut [u32],
    /// How many were new.
    n_terms: usize,
    /// Told of every term.
    announce: A,
}

impl<A: Fn(u32)> Met<'_, A> {
    /// With one more.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn with(mut self, bucket: u32, _: Range<usize>) -> Self {
        (self.announce)(bucket);
        // Written in any case and kept if new: whether it is cannot be predicted.
        self.terms[self.n_terms] = bucket;
        self.n_terms += usize::from(self.seen.insert(bucket));
        self
    }
}

impl<A: Fn(u32)> Job for Reading<'_, A> {
    /// How many terms were new, and how many words there were.
    type Output = (usize, u64);

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) -> (usize, u64) {
        let Self { reader, masks, met } = self;
        let (met, n_words) = reader.fold_terms(masks, met, Met::with);
        (met.n_terms, n_words)
    }
}

/// Calls `visit` with every term of one piece of text: its bucket and the bytes it came from. For
/// explanations; decisions use [`Extractor::extract`], which reads by the same code.
pub fn for_each_term_of(
    schema: FeatureSchema,
    part: Part,
    text: &str,
    visit: impl FnMut(u32, Range<usize>),
) {
    let (mut folded, mut masks) = (Vec::new(), Vec::new());
    simd::scan(text.as_bytes(), &mut folded, &mut masks);
    let ngrams = Ngrams::new(schema, part);
    let reader = TermReader { text, folded: &folded, ngrams, n_words: 0 };
    reader.fold_terms(&masks, visit, |mut visit, bucket, span| {
        visit(bucket, span);
        visit
    });
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

/// The smoothed inverse document frequency of a term that `n_with` of `n` texts hold:
/// `ln((1 + n) / (1 + n_with)) + 1`.
///
/// Source: the smoothed form of Spärck Jones (1972), as scikit-learn defines it.
pub fn inverse_document_frequency(n: usize, n_with: usize) -> f64 {
    libm::log((1.0 + len_as_float(n)) / (1.0 + len_as_float(n_with))) + 1.0
}

#[cfg(test)]
mod tests;

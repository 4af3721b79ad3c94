//! Features as a record keeps them in place of a text: the name of a schema, the buckets of the
//! terms as digits, and the numbers.
//!
//! A bucket is so many digits of base64 as its schema's largest one needs, three at 2¹⁸ buckets, the
//! highest digit first. Buckets stand in the order of the text, since sums in training are taken in
//! it and would end in other bits otherwise. Weakness: a bucket is a hash without a key, so who has
//! a vocabulary can look most words up; such features are no secret.

use super::{Bigrams, FeatureSchema, Features, N_DENSE, SchemaVersion};
use std::{collections::HashSet, fmt, str::FromStr};

/// The digits of base64 (RFC 4648), by their values.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bits of a digit.
const DIGIT_BITS: usize = 6;

/// A schema that this build does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is no feature schema of this version; they are called as `{}`",
    FeatureSchema::default()
)]
pub struct UnknownSchema {
    name: String,
}

/// Why written features cannot have been read from a request; the sentence begins with its verb.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FeaturesError {
    /// The last bucket is cut off.
    #[error("has features of {found} digits, and a bucket has {each}")]
    Cut { found: usize, each: usize },
    /// Not base64.
    #[error("has features whose digit {place} is none of base64")]
    Digit { place: usize },
    /// A bucket beyond the last one.
    #[error("has features in bucket {bucket} of {n_buckets}")]
    Bucket { bucket: u32, n_buckets: usize },
    /// A bucket that would count twice.
    #[error("has features with bucket {bucket} twice")]
    Twice { bucket: u32 },
    /// Another number of dense features.
    #[error("has {found} dense features instead of {}", N_DENSE)]
    Dense { found: usize },
    /// A dense feature that is not finite in single precision.
    #[error("has {value} as dense feature {place}, which is out of range")]
    Number { place: usize, value: f64 },
    /// More cut off than there was.
    #[error("has features of {n_bytes} bytes, {n_bytes_cut} of them not read")]
    Bytes { n_bytes: u64, n_bytes_cut: u64 },
}

/// Features that were read before and written down.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedFeatures {
    terms: Vec<u32>,
    dense: [f32; N_DENSE],
    n_bytes: usize,
    n_bytes_cut: usize,
}

impl OwnedFeatures {
    /// Features from what was written of them: the terms as [`Features::write_terms`] writes them,
    /// the dense features in their order, and the bytes of text with how many of them were not read.
    ///
    /// # Errors
    /// [`FeaturesError`] for what no request has: digits that are no buckets of the schema, a bucket
    /// twice, too few or too many dense features or one that is not finite, more bytes cut than read.
    pub fn read(
        schema: FeatureSchema,
        terms: &str,
        dense: &[f64],
        (n_bytes, n_bytes_cut): (u64, u64),
    ) -> Result<Self, FeaturesError> {
        let terms = read_terms(schema, terms)?;
        let mut numbers = [0.0; N_DENSE];
        if dense.len() != N_DENSE {
            return Err(FeaturesError::Dense { found: dense.len() });
        }
        for (place, (to, &value)) in numbers.iter_mut().zip(dense).enumerate() {
            *to = single(value);
            if !to.is_finite() {
                return Err(FeaturesError::Number { place, value });
            }
        }
        let (bytes, cut) = (usize::try_from(n_bytes).ok(), usize::try_from(n_bytes_cut).ok());
        let Some((bytes, cut)) = bytes.zip(cut).filter(|(bytes, cut)| cut <= bytes) else {
            return Err(FeaturesError::Bytes { n_bytes, n_bytes_cut });
        };
        Ok(Self { terms, dense: numbers, n_bytes: bytes, n_bytes_cut: cut })
    }

    /// What was read by one schema as another one would have read it: in as many buckets or fewer,
    /// since a bucket is the first bits of a hash. `None` where the other has more buckets, or words
    /// and no pairs, or follows other rules.
    pub fn coarser(mut self, (from, to): (FeatureSchema, FeatureSchema)) -> Option<Self> {
        let shift = from.log2_buckets().checked_sub(to.log2_buckets())?;
        if from.bigrams() != to.bigrams() || from.version() != to.version() {
            return None;
        }
        if 0 < shift {
            let mut met = HashSet::with_capacity(self.terms.len());
            for term in &mut self.terms {
                *term >>= shift;
            }
            self.terms.retain(|term| met.insert(*term));
        }
        Some(self)
    }

    /// The features, as a scorer takes them.
    pub fn as_features(&self) -> Features<'_> {
        let Self { terms, dense, n_bytes, n_bytes_cut } = self;
        Features { terms, dense, n_bytes: *n_bytes, n_bytes_cut: *n_bytes_cut }
    }
}

impl Features<'_> {
    /// Appends the terms as digits. Allocates nothing where `out` has room.
    pub fn write_terms(&self, schema: FeatureSchema, out: &mut Vec<u8>) {
        match n_digits(schema) {
            2 => write_digits::<2>(self.terms, out),
            3 => write_digits::<3>(self.terms, out),
            _ => write_digits::<4>(self.terms, out),
        }
    }
}

/// The name under which features of a schema are kept, such as `2-18-pairs`: the version of the
/// rules, the binary logarithm of the number of buckets, and `pairs` or `words`.
impl fmt::Display for FeatureSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms = match self.bigrams() {
            Bigrams::Without => "words",
            Bigrams::With => "pairs",
        };
        write!(f, "{}-{}-{terms}", self.version().number(), self.log2_buckets())
    }
}

impl FromStr for FeatureSchema {
    type Err = UnknownSchema;

    fn from_str(name: &str) -> Result<Self, UnknownSchema> {
        let known = || {
            let (version, rest) = name.split_once('-')?;
            let (log2_buckets, terms) = rest.split_once('-')?;
            let bigrams = match terms {
                "words" => Bigrams::Without,
                "pairs" => Bigrams::With,
                _ => return None,
            };
            let version = SchemaVersion::of_number(version.parse().ok()?)?;
            let schema = Self::new(log2_buckets.parse().ok()?, bigrams).ok()?;
            Some(schema.with_version(version))
        };
        known().ok_or_else(|| UnknownSchema { name: name.to_owned() })
    }
}

/// How many digits a bucket has; from two to four, as schemas have 2⁸ to 2²⁰ buckets.
fn n_digits(schema: FeatureSchema) -> usize {
    usize::from(schema.log2_buckets()).div_ceil(DIGIT_BITS)
}

fn write_digits<const N: usize>(terms: &[u32], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + N * terms.len(), b'A');
    for (digits, bucket) in out[start..].as_chunks_mut::<N>().0.iter_mut().zip(terms) {
        for (place, digit) in digits.iter_mut().rev().enumerate() {
            *digit = DIGITS[(bucket >> (DIGIT_BITS * place)) as usize & 63];
        }
    }
}

fn read_terms(schema: FeatureSchema, digits: &str) -> Result<Vec<u32>, FeaturesError> {
    let (each, n_buckets) = (n_digits(schema), schema.n_buckets());
    if !digits.len().is_multiple_of(each) {
        return Err(FeaturesError::Cut { found: digits.len(), each });
    }
    let mut terms = Vec::with_capacity(digits.len() / each);
    for (index, word) in digits.as_bytes().chunks_exact(each).enumerate() {
        let mut bucket = 0_u32;
        for (offset, &digit) in word.iter().enumerate() {
            let place = index * each + offset;
            bucket =
                bucket << DIGIT_BITS | value_of(digit).ok_or(FeaturesError::Digit { place })?;
        }
        if n_buckets <= bucket as usize {
            return Err(FeaturesError::Bucket { bucket, n_buckets });
        }
        terms.push(bucket);
    }
    let mut sorted = terms.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(FeaturesError::Twice { bucket: pair[0] }),
        None => Ok(terms),
    }
}

fn value_of(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// What was written was single precision before.
#[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
const fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::super::Extractor;
    use super::*;
    use crate::request::Request;
    use proptest::prelude::*;

    fn schema(log2_buckets: u8, bigrams: Bigrams) -> FeatureSchema {
        FeatureSchema::new(log2_buckets, bigrams).unwrap()
    }

    #[test]
    fn schemas_have_names() {
        let first = FeatureSchema::default().with_version(SchemaVersion::First);
        for (schema, name) in [
            (FeatureSchema::default(), "2-18-pairs"),
            (first, "1-18-pairs"),
            (schema(8, Bigrams::Without), "2-8-words"),
        ] {
            assert_eq!(schema.to_string(), name);
            assert_eq!(name.parse(), Ok(schema));
        }
        for name in ["", "1-18", "3-18-pairs", "1-7-pairs", "1-18-triples", "1-18-pairs-x"] {
            let error = name.parse::<FeatureSchema>().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("`2-18-pairs`"), "{error}");
        }
    }

    #[test]
    fn buckets_are_digits() {
        let features = Features {
            terms: &[0, 63, 64, (1 << 18) - 1],
            dense: &[0.0; 18],
            n_bytes: 9,
            n_bytes_cut: 0,
        };
        let mut out = b"x".to_vec();
        features.write_terms(FeatureSchema::default(), &mut out);
        assert_eq!(out, b"xAAAAA/ABA///");
    }

    #[track_caller]
    fn check_refusal(terms: &str, dense: &[f64], bytes: (u64, u64), expected: &str) {
        let schema = schema(8, Bigrams::With);
        let error = OwnedFeatures::read(schema, terms, dense, bytes).unwrap_err().to_string();
        assert_eq!(error, expected);
    }

    #[test]
    fn what_no_request_has_is_refused() {
        let dense = [0.5; N_DENSE];
        let mut large = dense;
        large[3] = 1e39;
        check_refusal("AAB", &dense, (5, 0), "has features of 3 digits, and a bucket has 2");
        check_refusal("AAB-", &dense, (5, 0), "has features whose digit 3 is none of base64");
        check_refusal("AA\u{e4}", &dense, (5, 0), "has features whose digit 2 is none of base64");
        check_refusal("EA", &dense, (5, 0), "has features in bucket 256 of 256");
        check_refusal("ABAAAB", &dense, (5, 0), "has features with bucket 1 twice");
        check_refusal("AA", &dense[1..], (5, 0), "has 17 dense features instead of 18");
        let number = format!("has {} as dense feature 3, which is out of range", 1e39);
        check_refusal("AA", &large, (5, 0), &number);
        check_refusal("AA", &dense, (5, 6), "has features of 5 bytes, 6 of them not read");
    }

    proptest! {
        /// What is written of any request is what was read from it, to the bit.
        #[test]
        fn features_survive_being_written(
            text in "\\PC{0,200}",
            log2_buckets in 8_u8..=20,
            pairs in any::<bool>(),
        ) {
            let bigrams = if pairs { Bigrams::With } else { Bigrams::Without };
            let schema = schema(log2_buckets, bigrams);
            let mut extractor = Extractor::new(schema);
            extractor.extract(&Request::from_prompt(&text));
            let features = extractor.last();
            let mut out = Vec::new();
            features.write_terms(schema, &mut out);
            let dense: Vec<f64> = features.dense.iter().map(|&number| f64::from(number)).collect();
            let terms = String::from_utf8(out).unwrap();
            let bytes = (text.len() as u64, 0);
            let read = OwnedFeatures::read(schema, &terms, &dense, bytes).unwrap();
            let read = read.as_features();
            prop_assert_eq!(read.terms, features.terms);
            prop_assert_eq!(read.dense.map(f32::to_bits), features.dense.map(f32::to_bits));
            prop_assert_eq!((read.n_bytes, read.n_bytes_cut), (features.n_bytes, features.n_bytes_cut));
        }

        /// Whatever stands in a record is refused, or read as what would be written so.
        #[test]
        fn any_terms_are_read_or_refused(
            digits in "\\PC{0,12}|[A-D]{0,24}|[A-Za-z0-9+/]{0,12}",
            log2_buckets in 8_u8..=20,
        ) {
            let schema = schema(log2_buckets, Bigrams::With);
            if let Ok(read) = OwnedFeatures::read(schema, &digits, &[0.0; N_DENSE], (1, 0)) {
                let features = read.as_features();
                prop_assert!(features.terms.iter().all(|&term| (term as usize) < schema.n_buckets()));
                let mut written = Vec::new();
                features.write_terms(schema, &mut written);
                prop_assert_eq!(written, digits.into_bytes());
            }
        }

        /// Fewer buckets are what reading into them gives; more, or other terms, cannot be had.
        #[test]
        fn features_become_coarser(text in "\\PC{0,200}", to in 8_u8..=20) {
            let (fine, to) = (schema(16, Bigrams::With), schema(to, Bigrams::With));
            let owned = |schema: FeatureSchema| {
                let mut extractor = Extractor::new(schema);
                let features = extractor.extract(&Request::from_prompt(&text));
                OwnedFeatures {
                    terms: features.terms.to_vec(),
                    dense: *features.dense,
                    n_bytes: features.n_bytes,
                    n_bytes_cut: features.n_bytes_cut,
                }
            };
            let is_coarser = to.log2_buckets() <= 16;
            prop_assert_eq!(owned(fine).coarser((fine, to)), is_coarser.then(|| owned(to)));
            let words = schema(8, Bigrams::Without);
            prop_assert!(owned(fine).coarser((fine, words)).is_none());
            let first = fine.with_version(SchemaVersion::First);
            prop_assert!(owned(fine).coarser((fine, first)).is_none());
        }
    }
}

//! Features of an answer as a record keeps them: those of its text as of a request's, and its signs.
//!
//! Signs are numbers without a schema of their own: one for each entry of [`SIGN_NAMES`], in that order.
//! Weakness: a later version that reads other signs cannot use records of this one.
//!
//! [`SIGN_NAMES`]: super::SIGN_NAMES

use super::{AnswerFeatures, N_SIGNS};
use crate::{features::OwnedFeatures, units::narrow};

/// Why written signs cannot have been read from an answer; the sentence begins with its verb.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SignsError {
    /// Another number of signs.
    #[error("has {found} signs of its answer instead of {}", N_SIGNS)]
    Count { found: usize },
    /// A sign that is not finite in single precision.
    #[error("has {value} as sign {place} of its answer, which is out of range")]
    Number { place: usize, value: f64 },
}

/// Features of an answer that were read before and written down.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedAnswerFeatures {
    text: OwnedFeatures,
    signs: [f32; N_SIGNS],
}

impl OwnedAnswerFeatures {
    /// Features of an answer's text, and its signs as they were written.
    ///
    /// # Errors
    /// [`SignsError`] as [`read_signs`](Self::read_signs).
    pub fn new(text: OwnedFeatures, signs: &[f64]) -> Result<Self, SignsError> {
        Ok(Self { text, signs: Self::read_signs(signs)? })
    }

    /// Signs as they were written.
    ///
    /// # Errors
    /// [`SignsError`] for too few or too many, and for one that is not finite.
    pub fn read_signs(signs: &[f64]) -> Result<[f32; N_SIGNS], SignsError> {
        if signs.len() != N_SIGNS {
            return Err(SignsError::Count { found: signs.len() });
        }
        let mut numbers = [0.0; N_SIGNS];
        for (place, (to, &value)) in numbers.iter_mut().zip(signs).enumerate() {
            *to = narrow(value);
            if !to.is_finite() {
                return Err(SignsError::Number { place, value });
            }
        }
        Ok(numbers)
    }

    /// The features, as a scorer takes them.
    pub fn as_features(&self) -> AnswerFeatures<'_> {
        AnswerFeatures { text: self.text.as_features(), signs: &self.signs }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, AnswerExtractor};
    use super::*;
    use crate::{features::FeatureSchema, request::Request};

    #[test]
    fn signs_survive_being_written() {
        let mut extractor = AnswerExtractor::new(FeatureSchema::default());
        let request = Request::from_prompt("What is 7 and 9?");
        let answer = Answer::from_text("7 + 9 = 17. The answer is 17.");
        let signs = *extractor.extract(&request, &answer).signs;
        let written: Vec<f64> = signs.iter().map(|&sign| f64::from(sign)).collect();
        let read = OwnedAnswerFeatures::read_signs(&written).unwrap();
        assert_eq!(read.map(f32::to_bits), signs.map(f32::to_bits));
        assert_eq!(extractor.last().signs, &signs);
    }

    #[test]
    fn signs_that_no_answer_has_are_refused() {
        let mut signs = vec![0.0; N_SIGNS];
        assert_eq!(
            OwnedAnswerFeatures::read_signs(&signs[1..]),
            Err(SignsError::Count { found: N_SIGNS - 1 })
        );
        signs[2] = 1e39;
        let error = OwnedAnswerFeatures::read_signs(&signs).unwrap_err().to_string();
        assert!(error.contains("as sign 2 of its answer"), "{error}");
    }
}

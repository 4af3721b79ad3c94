//! A model's answer, read as requests are: the same words, pairs and marks, in buckets of their
//! own, and the dense features that a text has.

use super::{Counts, Extractor, Features, Part, for_each_piece};
use crate::request::{Message, Request, Role};
use std::borrow::Cow;

impl Extractor {
    /// Reads a model's answer. Its dense features are those of a request with no other text.
    pub fn extract_answer(&mut self, answer: &str) -> Features<'_> {
        self.extract_answer_announcing(answer, |_| ())
    }

    /// As [`Self::extract_answer`]; every term is announced as soon as it is read.
    pub(crate) fn extract_answer_announcing(
        &mut self,
        answer: &str,
        announce: impl Fn(u32) + Copy,
    ) -> Features<'_> {
        self.seen.forget(&self.terms[..self.n_terms]);
        self.n_terms = 0;
        let mut counts = Counts::default();
        let n_bytes_cut = for_each_piece_of_answer(answer, |piece| {
            self.read((Part::Answer, piece), &mut counts, announce);
        });
        let messages = [message_of(answer)];
        let request = Request { messages: Cow::Borrowed(&messages), ..Request::default() };
        self.dense = self.dense_of(&request, &counts, n_bytes_cut);
        (self.n_bytes, self.n_bytes_cut) = (answer.len(), n_bytes_cut);
        self.last()
    }
}

/// Calls `visit` with each piece of an answer that is read, in order; returns the number of bytes
/// that are left out because it is longer than [`super::MAX_BYTES_PER_PART`].
pub fn for_each_piece_of_answer(answer: &str, mut visit: impl FnMut(&str)) -> usize {
    for_each_piece(&[message_of(answer)], |_, piece| visit(piece))
}

fn message_of(answer: &str) -> Message<'_> {
    Message { role: Role::Assistant, text: Cow::Borrowed(answer) }
}

#[cfg(test)]
mod tests {
    use super::super::{FeatureSchema, MAX_BYTES_PER_PART};
    use super::*;

    #[test]
    fn words_of_an_answer_are_no_words_of_a_request() {
        let mut extractor = Extractor::new(FeatureSchema::default());
        let asked = extractor.extract(&Request::from_prompt("ship")).terms.to_vec();
        let answered = extractor.extract_answer("ship").terms.to_vec();
        assert_eq!((asked.len(), answered.len()), (1, 1));
        assert_ne!(asked, answered);
        let messages = [message_of("ship")];
        let history = Request { messages: Cow::Borrowed(&messages), ..Request::default() };
        assert_ne!(extractor.extract(&history).terms, &answered[..]);
    }

    #[test]
    fn long_answers_are_read_head_and_tail() {
        let text = format!("alpha {} omega", "middle ".repeat(20_000));
        let mut read = Vec::new();
        let n_bytes_cut = for_each_piece_of_answer(&text, |piece| read.push(piece.to_owned()));
        assert_eq!(n_bytes_cut, text.len() - MAX_BYTES_PER_PART);
        assert!(read.len() == 2 && read[0].starts_with("alpha") && read[1].ends_with("omega"));
    }
}

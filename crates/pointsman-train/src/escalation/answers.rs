//! The features of all answers, that texts are streamed into.

use crate::design::Design;
use pointsman_core::{
    answer::{Answer, AnswerExtractor, AnswerFeatures, N_SIGNS},
    features::FeatureSchema,
    request::Request,
};

/// Answers by features; the answers themselves are not kept.
#[derive(Debug, Clone)]
pub struct AnswerDesign {
    pub(crate) text: Design,
    signs: Vec<[f32; N_SIGNS]>,
}

/// Reads answers into an [`AnswerDesign`], one after the other.
#[derive(Debug)]
pub struct AnswerDesignBuilder {
    extractor: AnswerExtractor,
    design: AnswerDesign,
}

impl AnswerDesignBuilder {
    /// An empty design for one schema.
    pub fn new(schema: FeatureSchema) -> Self {
        let design = AnswerDesign { text: Design::empty(schema), signs: Vec::new() };
        Self { extractor: AnswerExtractor::new(schema), design }
    }

    /// Adds one answer to one request as the next row.
    pub fn push(&mut self, request: &Request<'_>, answer: &Answer<'_>) {
        let AnswerFeatures { text, signs } = self.extractor.extract(request, answer);
        self.design.text.push(&text);
        self.design.signs.push(*signs);
    }

    /// Adds one answer as the next row, whose features were read before, by the design's schema.
    pub fn push_read(&mut self, answer: &AnswerFeatures<'_>) {
        self.design.text.push(&answer.text);
        self.design.signs.push(*answer.signs);
    }

    /// The finished design.
    pub fn finish(self) -> AnswerDesign {
        self.design
    }
}

impl AnswerDesign {
    /// How many answers there are.
    pub fn n_rows(&self) -> usize {
        self.signs.len()
    }

    /// Answers of which only head and tail were read.
    pub fn n_answers_cut(&self) -> u64 {
        self.text.n_requests_cut()
    }

    /// The given rows alone, in their order.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let signs = rows.iter().map(|&row| self.signs[row as usize]).collect();
        Self { text: self.text.select(rows), signs }
    }

    /// The signs of one answer, as they were read.
    pub fn signs(&self, row: usize) -> &[f32; N_SIGNS] {
        &self.signs[row]
    }

    /// The features of one answer, as a scorer takes them.
    pub fn features(&self, row: usize) -> AnswerFeatures<'_> {
        AnswerFeatures { text: self.text.features(row), signs: &self.signs[row] }
    }
}

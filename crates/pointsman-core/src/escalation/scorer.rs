//! From the features of a request and of an answer to it to predicted qualities.
//!
//! As in [`crate::scorer`], terms have 8-bit weights and dense features are standardised and kept
//! within three standard deviations; terms of the request and of the answer are two texts, each
//! divided by its own length. Beside each dense feature stands its product with every other one
//! and with itself: a short answer means one thing where the prompt is long and another where it
//! is short. Weakness: products of rare features say little and cost as much as others.

use crate::{
    answer::{AnswerFeatures, N_SIGNS, SIGN_NAMES},
    features::{DENSE_NAMES, FeatureSchema, Features, N_DENSE},
    scorer::{DENSE_LIMIT, DenseScaling, ScorerError, as_f32, term_factor},
    simd::{self, Job, RowTable, Rows},
};
use std::sync::Arc;

/// Dense features of the request, of the answer's text, and the answer's signs.
pub const N_INPUTS: usize = 2 * N_DENSE + N_SIGNS;

/// Pairs of inputs, each with itself and with every later one.
pub const N_PRODUCTS: usize = N_INPUTS * (N_INPUTS + 1) / 2;

/// Everything that an [`EscalationScorer`] is made of.
///
/// Columns are the quality of the answer in hand, then that of each next model.
#[derive(Debug, Clone, PartialEq)]
pub struct EscalationParts {
    /// How text becomes terms.
    pub schema: FeatureSchema,
    /// How many columns there are.
    pub n_columns: usize,
    /// Weights of the request's terms.
    pub prompt: TermParts,
    /// Weights of the answer's terms.
    pub answer: TermParts,
    /// Shape `(n_columns,)`.
    pub intercepts: Vec<f32>,
    /// How inputs are standardised.
    pub scaling: InputScaling,
    /// Shape `(n_columns, N_INPUTS)`, row after row; per standard deviation.
    pub linear: Vec<f32>,
    /// Shape `(n_columns, N_PRODUCTS)`, row after row: the first input with itself and each later
    /// one, then the second, and so on.
    pub products: Vec<f32>,
}

/// Weights of terms.
#[derive(Debug, Clone, PartialEq)]
pub struct TermParts {
    /// Shape `(n_buckets, n_columns)`, row after row; in units of the column's scale.
    pub weights: Vec<i8>,
    /// Shape `(n_buckets,)`, as in [`crate::scorer::ScorerParts`].
    pub squared_idf: Vec<u16>,
    /// Shape `(n_columns,)`: what one unit of a column's weights is worth.
    pub scales: Vec<f32>,
}

/// How inputs are standardised, as [`DenseScaling`] says; all zeros leave a part out.
#[derive(Debug, Clone, PartialEq)]
pub struct InputScaling {
    /// Of the request's dense features.
    pub prompt: DenseScaling,
    /// Of the answer's.
    pub shape: DenseScaling,
    /// Of the answer's signs: the mean in the training data.
    pub sign_centres: [f32; N_SIGNS],
    /// Of the answer's signs: one over the standard deviation in the training data.
    pub sign_factors: [f32; N_SIGNS],
}

impl InputScaling {
    /// The scaling of `prompt`, and nothing of an answer.
    pub fn of_prompt(prompt: DenseScaling) -> Self {
        let shape = DenseScaling { centres: [0.0; N_DENSE], factors: [0.0; N_DENSE] };
        Self { prompt, shape, sign_centres: [0.0; N_SIGNS], sign_factors: [0.0; N_SIGNS] }
    }

    /// The standardised inputs of a request and an answer to it.
    pub fn apply(
        &self,
        prompt: &[f32; N_DENSE],
        shape: &[f32; N_DENSE],
        signs: &[f32; N_SIGNS],
    ) -> [f32; N_INPUTS] {
        let mut inputs = [0.0; N_INPUTS];
        let (of_prompt, rest) = inputs.split_at_mut(N_DENSE);
        let (of_shape, of_signs) = rest.split_at_mut(N_DENSE);
        of_prompt.copy_from_slice(&self.prompt.apply(prompt));
        of_shape.copy_from_slice(&self.shape.apply(shape));
        let scaling = self.sign_centres.iter().zip(&self.sign_factors);
        for ((input, sign), (centre, factor)) in of_signs.iter_mut().zip(signs).zip(scaling) {
            *input = ((sign - centre) * factor).clamp(-DENSE_LIMIT, DENSE_LIMIT);
        }
        inputs
    }
}

/// The standardised inputs that a scorer of these parts sees.
pub fn inputs_of(
    scaling: &InputScaling,
    prompt: &Features<'_>,
    answer: &AnswerFeatures<'_>,
) -> [f32; N_INPUTS] {
    scaling.apply(prompt.dense, answer.text.dense, answer.signs)
}

/// What an input is called, with what it is of.
pub fn input_name(index: usize) -> String {
    if let Some(name) = DENSE_NAMES.get(index) {
        return format!("prompt: {name}");
    }
    let of_answer = index.saturating_sub(N_DENSE);
    let name =
        DENSE_NAMES.get(of_answer).or_else(|| SIGN_NAMES.get(of_answer.saturating_sub(N_DENSE)));
    format!("answer: {}", name.copied().unwrap_or("?"))
}

/// Predicts the quality of an answer in hand, and of the next models' answers. Clones share what was
/// learned.
#[derive(Debug, Clone)]
pub struct EscalationScorer {
    parts: Arc<EscalationParts>,
    /// The products of each column: see [`in_lanes`].
    lanes: Arc<[[f32; N_LANES]]>,
    prompt: Arc<RowTable>,
    answer: Arc<RowTable>,
}

/// What is predicted; reused from one answer to the next.
#[derive(Debug, Clone, Default)]
pub struct EscalationScores {
    quality: Vec<f32>,
    sums: Vec<i32>,
    prompt_factor: f32,
    answer_factor: f32,
}

impl EscalationScores {
    /// Predicted quality of the answer in hand, then of each next model's. A linear prediction may
    /// leave `[0, 1]` a little.
    pub fn quality(&self) -> &[f32] {
        &self.quality
    }
}

/// One request and one answer, about to be scored.
struct Scoring<'a, 'f> {
    scorer: &'a EscalationScorer,
    prompt: &'a Features<'f>,
    answer: &'a AnswerFeatures<'f>,
    scores: &'a mut EscalationScores,
}

impl Job for Scoring<'_, '_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self {
            scorer: EscalationScorer { parts, lanes, prompt: of_prompt, answer: of_answer },
            ..
        } = self;
        let Self { prompt, answer, scores, .. } = self;
        scores.quality.clear();
        scores.quality.extend_from_slice(&parts.intercepts);
        let inputs = inputs_of(&parts.scaling, prompt, answer);
        let weights = parts.linear.chunks_exact(N_INPUTS).zip(lanes.chunks_exact(N_ROWS));
        for (quality, (linear, lanes)) in scores.quality.iter_mut().zip(weights) {
            *quality += of_inputs(&inputs, linear, lanes);
        }
        scores.sums.resize(of_prompt.stride(), 0);
        for (table, terms, scales, factor) in [
            (of_prompt, prompt.terms, &parts.prompt.scales, &mut scores.prompt_factor),
            (of_answer, answer.text.terms, &parts.answer.scales, &mut scores.answer_factor),
        ] {
            *factor = term_factor(table.accumulate(terms, &mut scores.sums));
            for ((quality, &sum), scale) in scores.quality.iter_mut().zip(&scores.sums).zip(scales)
            {
                *quality += as_f32(sum) * (scale * *factor);
            }
        }
    }
}

/// `Σ_i x_i (l_i + Σ_{j ≤ i} p_{ji} x_j)`, summed in a fixed order: first over `j`, then over `i`.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn of_inputs(inputs: &[f32; N_INPUTS], linear: &[f32], lanes: &[[f32; N_LANES]]) -> f32 {
    let mut slopes = [0.0_f32; N_INPUTS];
    let mut rest = lanes;
    for first in FIRST_LANES {
        let (rows, after) = rest.split_at(first + N_LANES);
        rest = after;
        let mut sums = [0.0_f32; N_LANES];
        sums.copy_from_slice(&linear[first..first + N_LANES]);
        for (&input, row) in inputs.iter().zip(rows) {
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += input * weight;
            }
        }
        slopes[first..first + N_LANES].copy_from_slice(&sums);
    }
    inputs.iter().zip(&slopes).map(|(input, slope)| input * slope).sum()
}

/// Slopes that are summed side by side, in registers.
const N_LANES: usize = 32;

/// Where they begin; those that two begin with are the same from both.
const FIRST_LANES: [usize; 3] = [0, N_INPUTS - 2 * N_LANES, N_INPUTS - N_LANES];

const _: () = assert!(N_INPUTS <= 3 * N_LANES, "no slope is left out");

/// Rows of lanes of one column: for each lot of slopes one for each input up to the lot's last.
const N_ROWS: usize = FIRST_LANES[0] + FIRST_LANES[1] + FIRST_LANES[2] + 3 * N_LANES;

/// The products of one column in the order in which they are summed, so that memory is read straight on:
/// for each lot of slopes and each input a weight for each slope, which is zero where the input comes
/// after the slope's own.
fn in_lanes(products: &[f32]) -> Vec<[f32; N_LANES]> {
    let mut lanes = Vec::with_capacity(N_ROWS);
    for first in FIRST_LANES {
        let mut row = 0;
        for input in 0..first + N_LANES {
            let weight = |lane: usize| {
                let after = (first + lane).checked_sub(input);
                after.map_or(0.0, |after| products[row + after])
            };
            lanes.push(std::array::from_fn(weight));
            row += N_INPUTS - input;
        }
    }
    lanes
}

impl EscalationScorer {
    /// Checks the parts and arranges them for scoring.
    ///
    /// # Errors
    /// [`ScorerError`] where lengths contradict each other or a number is not finite.
    pub fn new(parts: EscalationParts) -> Result<Self, ScorerError> {
        check(&parts)?;
        let table = |terms: &TermParts| {
            let terms = (&terms.weights[..], &terms.squared_idf[..]);
            RowTable::filled(parts.schema.log2_buckets(), parts.n_columns, terms)
        };
        let (prompt, answer) = (Arc::new(table(&parts.prompt)), Arc::new(table(&parts.answer)));
        let lanes = parts.products.chunks_exact(N_PRODUCTS).flat_map(in_lanes).collect();
        Ok(Self { parts: Arc::new(parts), lanes, prompt, answer })
    }

    /// What it was made of.
    pub fn parts(&self) -> &EscalationParts {
        &self.parts
    }

    /// The schema that requests and answers must be read by.
    pub fn schema(&self) -> FeatureSchema {
        self.parts.schema
    }

    /// The rows of terms of requests and of answers, to be announced while they are read.
    pub(crate) fn rows(&self) -> (Rows<'_>, Rows<'_>) {
        (self.prompt.rows(), self.answer.rows())
    }

    /// Predicts for one request and one answer to it; `scores` is overwritten and, after its first
    /// use, not grown. Both must be read by the scorer's schema.
    pub fn score<'f>(
        &self,
        prompt: &Features<'f>,
        answer: &AnswerFeatures<'f>,
        scores: &mut EscalationScores,
    ) {
        simd::at_best(Scoring { scorer: self, prompt, answer, scores });
    }

    /// What a term of the answer adds to each column of what was just scored; shape
    /// `(n_columns,)`.
    pub(crate) fn effects_of_term(&self, term: u32, scores: &EscalationScores) -> Vec<f64> {
        effects(&self.answer, term, &self.parts.answer.scales, scores.answer_factor)
    }

    /// The same for a term of the request.
    pub(crate) fn effects_of_prompt_term(&self, term: u32, scores: &EscalationScores) -> Vec<f64> {
        effects(&self.prompt, term, &self.parts.prompt.scales, scores.prompt_factor)
    }
}

fn effects(table: &RowTable, term: u32, scales: &[f32], factor: f32) -> Vec<f64> {
    let effect = |(byte, scale): (&u8, &f32)| {
        f64::from(byte.cast_signed()) * f64::from(*scale) * f64::from(factor)
    };
    table.row(term).iter().zip(scales).map(effect).collect()
}

fn check(parts: &EscalationParts) -> Result<(), ScorerError> {
    let EscalationParts {
        schema,
        n_columns,
        prompt,
        answer,
        intercepts,
        scaling: InputScaling { prompt: of_prompt, shape, sign_centres, sign_factors },
        linear,
        products,
    } = parts;
    if *n_columns < 2 {
        return Err(ScorerError::Length { part: "columns", found: *n_columns, expected: 2 });
    }
    let n_buckets = schema.n_buckets();
    for (part, found, expected) in [
        ("prompt.weights", prompt.weights.len(), n_buckets * n_columns),
        ("prompt.squared_idf", prompt.squared_idf.len(), n_buckets),
        ("prompt.scales", prompt.scales.len(), *n_columns),
        ("answer.weights", answer.weights.len(), n_buckets * n_columns),
        ("answer.squared_idf", answer.squared_idf.len(), n_buckets),
        ("answer.scales", answer.scales.len(), *n_columns),
        ("intercepts", intercepts.len(), *n_columns),
        ("linear", linear.len(), N_INPUTS * n_columns),
        ("products", products.len(), N_PRODUCTS * n_columns),
    ] {
        if found != expected {
            return Err(ScorerError::Length { part, found, expected });
        }
    }
    for (part, values) in [
        ("prompt.scales", &prompt.scales[..]),
        ("answer.scales", &answer.scales[..]),
        ("intercepts", &intercepts[..]),
        ("linear", &linear[..]),
        ("products", &products[..]),
        ("prompt.centres", &of_prompt.centres[..]),
        ("prompt.factors", &of_prompt.factors[..]),
        ("shape.centres", &shape.centres[..]),
        ("shape.factors", &shape.factors[..]),
        ("sign_centres", &sign_centres[..]),
        ("sign_factors", &sign_factors[..]),
    ] {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(ScorerError::Value { part, index, value: f64::from(values[index]) });
        }
    }
    for (part, terms) in [("prompt", prompt), ("answer", answer)] {
        if let Some(index) = terms.squared_idf.iter().position(|&idf| idf == 0) {
            return Err(ScorerError::Value { part, index, value: 0.0 });
        }
        if let Some(index) = terms.weights.iter().position(|&weight| weight == i8::MIN) {
            return Err(ScorerError::Value { part, index, value: f64::from(i8::MIN) });
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        answer::{Answer, AnswerExtractor},
        features::{Bigrams, Extractor},
        request::Request,
        scorer::SQUARED_IDF_STEPS,
    };
    use proptest::prelude::*;

    /// Parts whose weights are different everywhere.
    pub(crate) fn example(n_columns: usize) -> EscalationParts {
        let schema = FeatureSchema::new(8, Bigrams::With).unwrap();
        let value = |i: usize| f32::from(u8::try_from(i * 37 % 101).unwrap()) / 1000.0 - 0.05;
        let terms = |salt: usize| TermParts {
            weights: (0..schema.n_buckets() * n_columns)
                .map(|i| i8::try_from((i * 31 + salt) % 255).unwrap_or(-7))
                .collect(),
            squared_idf: (0..schema.n_buckets())
                .map(|i| u16::try_from(256 + i * 3 + salt).unwrap())
                .collect(),
            scales: (0..n_columns).map(|i| 0.001 + value(i).abs()).collect(),
        };
        let scaling = |at: f32| DenseScaling { centres: [at; N_DENSE], factors: [0.5; N_DENSE] };
        EscalationParts {
            schema,
            n_columns,
            prompt: terms(1),
            answer: terms(2),
            intercepts: (0..n_columns).map(|i| 0.4 + value(i)).collect(),
            scaling: InputScaling {
                prompt: scaling(0.5),
                shape: scaling(0.25),
                sign_centres: [0.1; N_SIGNS],
                sign_factors: [1.5; N_SIGNS],
            },
            linear: (0..N_INPUTS * n_columns).map(value).collect(),
            products: (0..N_PRODUCTS * n_columns).map(|i| value(i) / 50.0).collect(),
        }
    }

    /// The definition, written down without a thought for speed.
    fn plain(
        parts: &EscalationParts,
        prompt: &Features<'_>,
        answer: &AnswerFeatures<'_>,
        column: usize,
    ) -> f64 {
        let inputs: Vec<f64> = inputs_of(&parts.scaling, prompt, answer)
            .iter()
            .map(|&input| f64::from(input))
            .collect();
        let mut quality = f64::from(parts.intercepts[column]);
        let mut at = column * N_PRODUCTS;
        for i in 0..N_INPUTS {
            quality += inputs[i] * f64::from(parts.linear[column * N_INPUTS + i]);
            for j in i..N_INPUTS {
                quality += inputs[i] * inputs[j] * f64::from(parts.products[at]);
                at += 1;
            }
        }
        for (terms, weights) in [(prompt.terms, &parts.prompt), (answer.text.terms, &parts.answer)]
        {
            let of_term = |&term: &u32| {
                let weight = weights.weights[term as usize * parts.n_columns + column];
                f64::from(weight) * f64::from(weights.scales[column])
            };
            let squared: f64 = terms
                .iter()
                .map(|&term| f64::from(weights.squared_idf[term as usize]) / SQUARED_IDF_STEPS)
                .sum();
            if 0.0 < squared {
                quality += terms.iter().map(of_term).sum::<f64>() / squared.sqrt();
            }
        }
        quality
    }

    proptest! {
        #[test]
        fn scores_are_what_the_definition_says(
            prompt in "\\PC{0,80}",
            answer in "\\PC{0,120}",
            n_columns in 2_usize..5,
        ) {
            let parts = example(n_columns);
            let scorer = EscalationScorer::new(parts.clone()).unwrap();
            let (mut of_prompt, mut of_answer) =
                (Extractor::new(parts.schema), AnswerExtractor::new(parts.schema));
            let request = Request::from_prompt(&prompt);
            let prompt = of_prompt.extract(&request);
            let answer = of_answer.extract(&request, &Answer::from_text(&answer));
            let mut scores = EscalationScores::default();
            scorer.score(&prompt, &answer, &mut scores);
            prop_assert_eq!(scores.quality().len(), n_columns);
            for (column, &found) in scores.quality().iter().enumerate() {
                let expected = plain(&parts, &prompt, &answer, column);
                prop_assert!((f64::from(found) - expected).abs() < 1e-3, "{found} {expected}");
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let refused = |change: &dyn Fn(&mut EscalationParts)| {
            let mut parts = example(2);
            change(&mut parts);
            EscalationScorer::new(parts).is_err()
        };
        assert!(!refused(&|_| {}));
        assert!(refused(&|parts| parts.n_columns = 1));
        assert!(refused(&|parts| parts.linear.truncate(5)));
        assert!(refused(&|parts| parts.products[3] = f32::NAN));
        assert!(refused(&|parts| parts.answer.squared_idf[0] = 0));
        assert!(refused(&|parts| parts.prompt.weights[0] = i8::MIN));
        assert!(refused(&|parts| parts.scaling.sign_factors[2] = f32::INFINITY));
    }

    #[test]
    fn inputs_have_names() {
        assert_eq!(input_name(0), "prompt: log bytes");
        assert_eq!(input_name(N_DENSE), "answer: log bytes");
        assert_eq!(input_name(2 * N_DENSE), format!("answer: {}", SIGN_NAMES[0]));
        assert_eq!(input_name(N_INPUTS - 1), format!("answer: {}", SIGN_NAMES[N_SIGNS - 1]));
    }
}

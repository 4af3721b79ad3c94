//! Why an answer was escalated, or was not: what moved the predicted gain of a next model.
//!
//! Not for the hot path: explaining reads request and answer again and allocates. The effect of a
//! product of two inputs is halved between them.

use super::{
    policy::{EscalationWorkspace, InHand, Reader},
    scorer::{EscalationScorer, N_INPUTS, N_PRODUCTS, input_name},
};
use crate::{
    answer::AnswerExtractor,
    explain::{Effect, largest_first},
    features::{self, Extractor, Part},
};
use std::collections::BTreeSet;

/// Everything that moved the predicted gain of one next model; the parts sum to it.
#[derive(Debug, Clone, PartialEq)]
pub struct GainExplanation {
    /// The next model's predicted quality less that of the answer in hand.
    pub gain: f64,
    /// The gain that is predicted whatever was asked and answered.
    pub standing: f64,
    /// Words of the answer, the largest effect first.
    pub answer_terms: Vec<Effect>,
    /// Words of the request, the largest effect first.
    pub prompt_terms: Vec<Effect>,
    /// Dense features and signs, the largest effect first.
    pub inputs: Vec<Effect>,
}

/// Explains the gain of the reader's next model in this column, from one on, in a decision that was
/// just made with `workspace`.
pub fn explain_gain(
    reader: &Reader,
    in_hand: &InHand<'_, '_, '_>,
    column: usize,
    workspace: &EscalationWorkspace,
) -> GainExplanation {
    let (scorer, scores) = (&reader.scorer, workspace.scores());
    let parts = scorer.parts();
    let gain = |of_columns: &[f64]| of_columns[column] - of_columns[0];
    let quality: Vec<f64> = scores.quality().iter().map(|&it| f64::from(it)).collect();
    let intercepts: Vec<f64> = parts.intercepts.iter().map(|&it| f64::from(it)).collect();
    let (mut prompts, mut answers) =
        (Extractor::new(parts.schema), AnswerExtractor::new(parts.schema));
    let prompt = prompts.extract(in_hand.request);
    let answer = answers.extract(in_hand.request, in_hand.answer);
    let inputs = parts.scaling.apply(prompt.dense, answer.text.dense, answer.signs);
    let of_inputs: Vec<Vec<f64>> =
        (0..parts.n_columns).map(|column| effects_of_inputs(scorer, column, &inputs)).collect();
    let of_input = |index: usize| Effect {
        source: input_name(index),
        quality: of_inputs[column][index] - of_inputs[0][index],
    };

    let (mut seen, mut answer_terms) = (BTreeSet::new(), Vec::new());
    features::for_each_piece_of_answer(&in_hand.answer.text, |text| {
        features::for_each_term_of(parts.schema, Part::Answer, text, |bucket, span| {
            if seen.insert(bucket) {
                let quality = gain(&scorer.effects_of_term(bucket, scores));
                answer_terms.push(Effect { source: text[span].to_owned(), quality });
            }
        });
    });
    let (mut seen, mut prompt_terms) = (BTreeSet::new(), Vec::new());
    features::for_each_piece(&in_hand.request.messages, |part, text| {
        features::for_each_term_of(parts.schema, part, text, |bucket, span| {
            if seen.insert(bucket) {
                let quality = gain(&scorer.effects_of_prompt_term(bucket, scores));
                prompt_terms.push(Effect { source: text[span].to_owned(), quality });
            }
        });
    });
    GainExplanation {
        gain: gain(&quality),
        standing: gain(&intercepts),
        answer_terms: largest_first(answer_terms),
        prompt_terms: largest_first(prompt_terms),
        inputs: largest_first((0..N_INPUTS).map(of_input).collect()),
    }
}

/// What each input adds to one column, shape `(N_INPUTS,)`.
fn effects_of_inputs(
    scorer: &EscalationScorer,
    column: usize,
    inputs: &[f32; N_INPUTS],
) -> Vec<f64> {
    let parts = scorer.parts();
    let linear = &parts.linear[column * N_INPUTS..][..N_INPUTS];
    let mut products = parts.products[column * N_PRODUCTS..][..N_PRODUCTS].iter();
    let mut effects: Vec<f64> =
        linear.iter().zip(inputs).map(|(w, x)| f64::from(*w) * f64::from(*x)).collect();
    for first in 0..N_INPUTS {
        for (second, weight) in (first..N_INPUTS).zip(products.by_ref()) {
            let half =
                0.5 * f64::from(*weight) * f64::from(inputs[first]) * f64::from(inputs[second]);
            effects[first] += half;
            effects[second] += half;
        }
    }
    effects
}

//! Steps after the drawn models' answers: some are accepted and some are escalated, whatever they say,
//! so that every policy can be valued on them.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use pointsman_log::record::{
    AnswerRecord, CandidateRecord, DecisionRecord, OutcomeRecord, PropensityKind, PropensityRecord,
};

use super::{Plan, as_index, draw::model_at};
use crate::{answers::read_answers, error::DataError, hash::keyed_draw};

/// Which steps follow a simulated log's answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulatedSteps<'a> {
    /// What the models of the table answered; see [`read_answers`](crate::read_answers).
    pub answers: &'a [PathBuf],
    /// Models that answers are escalated to, all alike; an answer of one of them to the others.
    pub next: &'a [String],
    /// The probability of escalating, above 0 and below 1.
    pub share: f64,
}

/// The answers of drawn models, by prompt.
pub(super) struct Answers {
    texts: HashMap<String, AnswerRecord>,
    /// Next models, as columns of the matrix.
    next: Vec<usize>,
    share: f64,
}

impl Answers {
    pub(super) fn read(plan: &Plan<'_>, steps: &SimulatedSteps<'_>) -> Result<Self, DataError> {
        let SimulatedSteps { answers, next, share } = *steps;
        if !(0.0 < share && share < 1.0) {
            let text = format!("the share {share} of escalated answers is not above 0 and below 1");
            return Err(DataError::Simulation(text));
        }
        let models = &plan.matrix.models;
        let column = |name: &String| {
            models.binary_search(name).map_err(|_| {
                let known = models.join(", ");
                let text = format!("the table has no model `{name}`; its models are {known}");
                DataError::Simulation(text)
            })
        };
        let next: Vec<usize> = next.iter().map(column).collect::<Result<_, _>>()?;
        let prompts = plan.rows.iter().filter_map(|&row| plan.prompt(as_index(row)));
        let logged: HashSet<&str> = prompts.map(|prompt| prompt.id.as_str()).collect();
        let mut texts: HashMap<String, AnswerRecord> = HashMap::new();
        read_answers(answers, &mut |row| {
            let is_drawn = logged.contains(row.prompt_id)
                && models.get(plan.drawn(row.prompt_id)).is_some_and(|drawn| drawn == row.model);
            if is_drawn && !texts.contains_key(row.prompt_id) {
                let answer = AnswerRecord {
                    text: Some(row.answer.to_owned()),
                    finish_reason: row.finish_reason.map(str::to_owned),
                    ..AnswerRecord::default()
                };
                texts.insert(row.prompt_id.to_owned(), answer);
            }
        })?;
        if texts.is_empty() {
            let text = "no answer is one of a model that was drawn for a prompt of the table; \
                        `prompt_id` and `model` have to be named there as in the table";
            return Err(DataError::Simulation(text.to_owned()));
        }
        Ok(Self { texts, next, share })
    }

    /// The step after the answer of the model that was drawn for a row, with what came of it where
    /// another model was called; `None` where there is no answer, or no other model.
    pub(super) fn step(
        &self,
        plan: &Plan<'_>,
        (row, drawn): (usize, usize),
        first: &DecisionRecord,
    ) -> Option<(DecisionRecord, Option<OutcomeRecord>)> {
        let answer = self.texts.get(&first.id)?;
        let others: Vec<usize> = self.next.iter().copied().filter(|&next| next != drawn).collect();
        if others.is_empty() {
            return None;
        }
        let each = self.share / pointsman_core::units::len_as_float(others.len());
        let columns: Vec<usize> = std::iter::once(drawn).chain(others).collect();
        let mut distribution = vec![each; columns.len()];
        *distribution.first_mut()? = 1.0 - self.share;
        let id = format!("{}/1", first.id);
        let draw = keyed_draw(plan.options.seed, &id);
        let at = model_at(&distribution, draw);
        let called = *columns.get(at)?;
        let name = |column: usize| plan.matrix.models.get(column).cloned().unwrap_or_default();
        let candidate = |(&column, &probability): (&usize, &f64)| CandidateRecord {
            model: name(column),
            probability,
            quality: None,
            cost_usd: None,
            latency_ms: None,
            excluded_by: None,
        };
        let n_models = plan.matrix.models.len();
        let costs = plan.matrix.cost_usd.as_ref();
        // Half a second after the decision, before the next one.
        let ts_ms = first.ts_ms + 500;
        let step = DecisionRecord {
            id: id.clone(),
            ts_ms,
            candidates: columns.iter().zip(&distribution).map(candidate).collect(),
            drawn: name(called),
            propensity: PropensityRecord {
                value: distribution.get(at).copied(),
                kind: PropensityKind::Exact,
            },
            draw: Some(draw),
            step: Some(1),
            previous: Some(first.id.clone()),
            spent_usd: costs.and_then(|costs| costs.get(row * n_models + drawn).copied()),
            answer: Some(answer.clone()),
            ..first.clone()
        };
        let outcome =
            (0 < at).then(|| plan.outcome(row * n_models + called, &id, ts_ms, name(called)));
        Some((step, outcome))
    }
}

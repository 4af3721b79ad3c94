//! Logs of Vowpal Wabbit: `dsjson`, JSON with `_multi`, and the text form, all of `cb_explore_adf`.
//!
//! The three forms of a row give the same records as far as each of them goes. Actions become models,
//! by their tag, else by a feature `id=…`, else as `action-0`, `action-1` by place; the shared
//! features become the text of the request in VW's own notation, sorted, and those of actions become
//! tags. A reward is minus the cost. Only `dsjson` has the whole distribution: where a form has the
//! probability of the drawn action alone, the others share the rest evenly and the tag
//! `distribution` says `even`.

pub mod adf_json;
pub mod dsjson;
pub(crate) mod features;
pub mod text;

use std::collections::BTreeMap;

use pointsman_log::record::{
    DecisionRecord, MessageRecord, OutcomeRecord, PolicyRecord, PropensityKind, PropensityRecord,
    RequestRecord, RoleRecord, Scope,
};
use serde_json::Value;

use crate::{
    call::{candidate, metric},
    item::{Dropped, Item, Reason},
};
use features::Features;

/// The tag that says that the probabilities of the actions that were not drawn are not the log's own.
pub const DISTRIBUTION_TAG: &str = "distribution";

/// Who decided, of a row of these forms.
const POLICY: &str = "vowpal wabbit";

const SKIPPED: Reason = Reason("marked `_skipLearn`: not meant to be learned from");
const NO_LABEL: Reason = Reason("no label: nothing came of it");
const NO_ACTION: Reason = Reason("no actions");
const NOT_ONE_DECISION: Reason = Reason("several decisions in one row (slates, CCB)");
pub(crate) const BAD_LABEL: Reason = Reason("its label is of no action that it lists");
const BAD_DISTRIBUTION: Reason = Reason("its probabilities are no distribution over its actions");

/// How far the probabilities may be from one in sum, and the label from its action's: VW writes
/// single precision.
const TOLERANCE: f64 = 1e-4;

/// What a row says was done, and what it cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Label {
    pub(crate) cost: f64,
    pub(crate) probability: f64,
}

/// One action of a row.
#[derive(Debug, Default)]
pub(crate) struct Action {
    pub(crate) tag: Option<String>,
    pub(crate) features: Features,
}

/// A row of any form.
#[derive(Debug)]
pub(crate) struct Row {
    /// Who decided.
    pub(crate) policy: &'static str,
    /// Empty where the form has none; see [`crate::place`].
    pub(crate) id: String,
    pub(crate) ts_ms: u64,
    pub(crate) shared: Features,
    pub(crate) actions: Vec<Action>,
    pub(crate) drawn: usize,
    pub(crate) label: Label,
    /// Of each action; `None` where the form has only the label's.
    pub(crate) distribution: Option<Vec<f64>>,
    pub(crate) keep_prob: Option<f64>,
}

impl Row {
    /// A row of a form without ids, times and distributions.
    fn bare((shared, actions): (Features, Vec<Action>), drawn: usize, label: Label) -> Self {
        Self {
            policy: POLICY,
            id: String::new(),
            ts_ms: 0,
            shared,
            actions,
            drawn,
            label,
            distribution: None,
            keep_prob: None,
        }
    }

    /// The decision and its outcome.
    pub(crate) fn push(self, out: &mut Vec<Item>) -> Result<(), Dropped> {
        let Label { cost, probability } = self.label;
        if !cost.is_finite() {
            return Err(Dropped::new(Reason::BAD_NUMBER, format!("a cost of {cost}")));
        }
        let models = names(&self.actions);
        let Some(drawn) = models.get(self.drawn).cloned() else {
            let detail = format!("action {} of {}", self.drawn, self.actions.len());
            return Err(Dropped::new(BAD_LABEL, detail));
        };
        let probabilities = self.probabilities()?;
        let mut tags = BTreeMap::new();
        if self.distribution.is_none() && 1 < models.len() {
            tags.insert(DISTRIBUTION_TAG.to_owned(), "even".to_owned());
        }
        for (model, action) in models.iter().zip(&self.actions) {
            let features = action.features.to_string();
            if !features.is_empty() {
                tags.insert(format!("action.{model}"), features);
            }
        }
        let candidates = models
            .iter()
            .zip(probabilities)
            .map(|(model, probability)| candidate(model, probability))
            .collect();
        let content = self.shared.to_string();
        let message = MessageRecord { role: RoleRecord::User, content };
        let Self { policy, id, ts_ms, keep_prob, .. } = self;
        // Not `-cost`: no cost is no reward, and neither is minus zero.
        let outcome = outcome(&id, ts_ms, &drawn, 0.0 - cost);
        out.push(Item::Decision(Box::new(DecisionRecord {
            id,
            ts_ms,
            session_id: None,
            turn: None,
            tenant: None,
            tags,
            request: RequestRecord { messages: Some(vec![message]), ..RequestRecord::default() },
            candidates,
            drawn,
            propensity: PropensityRecord { value: Some(probability), kind: PropensityKind::Exact },
            draw: None,
            keep_prob,
            objective: None,
            policy: PolicyRecord { name: policy.to_owned(), digest: None },
            decision_ns: None,
            step: None,
            previous: None,
            spent_usd: None,
            answer: None,
        })));
        out.push(Item::Outcome(Box::new(outcome)));
        Ok(())
    }

    /// The probability of each action; of the drawn one exactly the label's.
    fn probabilities(&self) -> Result<Vec<f64>, Dropped> {
        let n_actions = self.actions.len();
        let drawn = self.label.probability;
        let refuse = |detail: String| Err(Dropped::new(BAD_DISTRIBUTION, detail));
        if !(0.0 < drawn && drawn <= 1.0) {
            return refuse(format!("the drawn action had the probability {drawn}"));
        }
        let even = || vec![1.0; n_actions];
        let weights = self.distribution.clone().unwrap_or_else(even);
        if weights.len() != n_actions || weights.iter().any(|&one| !(0.0..=1.0).contains(&one)) {
            return refuse(format!("{} probabilities of {n_actions} actions", weights.len()));
        }
        let others = |at: &usize| *at != self.drawn;
        let rest: f64 =
            weights.iter().enumerate().filter(|(at, _)| others(at)).map(|(_, w)| w).sum();
        if let Some(distribution) = &self.distribution {
            let of_drawn = distribution.get(self.drawn).copied().unwrap_or_default();
            let off = (of_drawn - drawn).abs().max((rest + drawn - 1.0).abs());
            if TOLERANCE < off {
                return refuse(format!(
                    "the label says {drawn}, the list {of_drawn} and {rest} for the others"
                ));
            }
        }
        if rest == 0.0 && drawn != 1.0 {
            return refuse(format!("{drawn} for the only action that could be drawn"));
        }
        let scale = if rest == 0.0 { 0.0 } else { (1.0 - drawn) / rest };
        let scaled = |(at, weight): (usize, &f64)| if others(&at) { weight * scale } else { drawn };
        Ok(weights.iter().enumerate().map(scaled).collect())
    }
}

/// What each action is called: by its tag or `id=…` feature, or all by their place where two would be
/// called the same or one has no name.
fn names(actions: &[Action]) -> Vec<String> {
    let own: Option<Vec<String>> = actions.iter().map(Action::name).collect();
    let are_apart = |names: &Vec<String>| {
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair.first() != pair.last())
    };
    let by_place = || (0..actions.len()).map(|at| format!("action-{at}")).collect();
    own.filter(are_apart).unwrap_or_else(by_place)
}

impl Action {
    fn name(&self) -> Option<String> {
        let tag = self.tag.as_deref().filter(|tag| !tag.is_empty());
        tag.or_else(|| self.features.id()).map(str::to_owned)
    }
}

/// What came of a decision of a bandit: a reward, and nothing else.
pub(crate) fn outcome(id: &str, ts_ms: u64, model: &str, reward: f64) -> OutcomeRecord {
    let metrics = vec![metric("quality", reward, Some("reward".to_owned()), Scope::Request)];
    OutcomeRecord {
        served_model: Some(model.to_owned()),
        ..OutcomeRecord::grade(id.to_owned(), ts_ms, metrics)
    }
}

/// A row as a JSON object.
fn object(row: &[u8]) -> Result<Value, Dropped> {
    let value: Value = serde_json::from_slice(row)
        .map_err(|problem| Dropped::new(Reason::NOT_JSON, problem.to_string()))?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Dropped::new(Reason::NOT_THE_FORMAT, "not an object"))
}

/// The number under `key`; `None` where it is absent or no number.
fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key).and_then(Value::as_f64)
}

/// A place in a list, from its number there, which begins at `first`.
fn place(value: &Value, key: &str, first: u64) -> Option<usize> {
    let number = value.get(key)?.as_u64()?.checked_sub(first)?;
    usize::try_from(number).ok()
}

/// The shared features and the actions of a context with `_multi`.
fn context(value: &Value) -> Result<(Features, Vec<Action>), Dropped> {
    if value.get("_slots").is_some() {
        return Err(Dropped::new(NOT_ONE_DECISION, "`_slots`"));
    }
    let multi = value.get("_multi").and_then(Value::as_array);
    let Some(multi) = multi.filter(|actions| !actions.is_empty()) else {
        return Err(Dropped::new(NO_ACTION, "`_multi` is absent or empty"));
    };
    let action = |value: &Value| Action {
        tag: value.get("_tag").and_then(Value::as_str).map(str::to_owned),
        features: Features::of_json(value),
    };
    Ok((Features::of_json(value), multi.iter().map(action).collect()))
}

#[cfg(test)]
mod tests;

//! Trajectories: first decisions with the steps that followed their answers, each with the propensity
//! that it was drawn with, and what came of the whole.
//!
//! A row is one request's way through a cascade. Its propensity is the product of those of its
//! decisions, its quality that of the answer that was given, its cost that of all answers. Weakness:
//! a step that is missing from a log looks like an answer after which the caller did not ask.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use pointsman_core::{
    answer::{AnswerExtractor, AnswerFeatures},
    features::FeatureSchema,
    request::Request,
};
use pointsman_log::{journal::Damage, record::PropensityKind};

use super::{
    LogOptions, TrafficLog, Undrawn, answered,
    asked::{self, Asked},
    build::widen,
    candidates::checked_candidates,
    cell::{DecisionCell, Decisions},
    chain::{Node, chained},
    read_sources,
};
use crate::{
    error::DataError,
    hash::{Folder, RowDigest, bytes_group},
    model_names::ModelNames,
    scale::{Place, Scale, not_negative, whole},
};

/// Bandit feedback of several steps, without the texts.
#[derive(Debug, Clone, PartialEq)]
pub struct TrajectoryLog {
    /// A row for each usable trajectory, in the order of their first decisions. Probabilities are the
    /// logger's over first decisions, which are what is counted as read and as dropped.
    pub log: TrafficLog,
    /// For each row, which call of `on_request` its request came with.
    pub requests: Vec<usize>,
    /// For each row, its later steps; none where the first answer was given without a step.
    pub steps: Vec<Vec<LoggedStep>>,
    /// Steps that no first decision of the log leads to.
    pub n_stray_steps: u64,
    /// Answers whose cost nobody reported, so that what the steps carried of it counts.
    pub n_carried_costs: u64,
}

/// What was done with one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedStep {
    /// The step's own id.
    pub id: String,
    /// The model whose answer it is about, as an index into [`TrafficLog::models`].
    pub in_hand: u16,
    /// The drawn model; accepting is to draw the one in hand.
    pub drawn: u16,
    /// The probability with which that had been drawn, in `(0, 1]`.
    pub propensity: f64,
    /// The logger's distribution: models and their probabilities, above zero.
    pub chances: Vec<(u16, f64)>,
    /// Which call of `on_answer` the answer came with, or why it is not known.
    pub answer: Result<usize, String>,
    /// The grade of the answer in hand, where it was reported of the decision that called it.
    pub quality_in_hand: Option<f64>,
    /// The grade of the answer that came of the step: of the model that was called, or of the answer
    /// that was accepted.
    pub quality: Option<f64>,
    /// The probability of all draws without which that grade would not be known.
    pub quality_propensity: f64,
    /// What the call cost, in dollars; zero where the answer was accepted.
    pub cost_usd: Option<f64>,
    /// What the answers before it had cost, in dollars, as the step knew it.
    pub spent_usd: f64,
}

impl LoggedStep {
    /// Whether the answer in hand was accepted.
    pub const fn is_accepted(&self) -> bool {
        self.drawn == self.in_hand
    }
}

/// Reads traffic logs as trajectories.
///
/// `on_request` is called once per first decision that may be of use, with its text or the features
/// in its place, and `on_answer` once per answer that a step was about, as `schema` reads it; rows
/// and steps say which call was theirs.
///
/// # Errors
/// [`DataError`] as [`read_log`](super::read_log).
pub fn read_trajectories(
    paths: &[PathBuf],
    (options, schema): (&LogOptions, FeatureSchema),
    on_request: &mut dyn FnMut(Asked<'_, '_>),
    on_answer: &mut dyn FnMut(&AnswerFeatures<'_>),
) -> Result<TrajectoryLog, DataError> {
    let mut builder = TrajectoryBuilder::new((options, schema), on_request, on_answer)?;
    read_sources(paths, options, &mut builder)?;
    builder.finish(paths.first().map_or(Path::new(""), PathBuf::as_path))
}

/// A [`TrajectoryLog`] in the making; models are numbered by appearance until the end.
struct TrajectoryBuilder<'f> {
    on_request: &'f mut dyn FnMut(Asked<'_, '_>),
    on_answer: &'f mut dyn FnMut(&AnswerFeatures<'_>),
    n_requests: usize,
    n_answers: usize,
    scale: Scale,
    schema: FeatureSchema,
    extractor: AnswerExtractor,
    undrawn: Undrawn,
    tags: Vec<String>,
    missing_metric: String,
    models: ModelNames,
    /// The candidates of the decision that comes next, and how many of them were excluded.
    candidates: Vec<(u16, f64)>,
    n_excluded: usize,
    seen: HashSet<u64>,
    nodes: Vec<Node>,
    dropped: BTreeMap<String, u64>,
    n_decisions_read: u64,
    times_ms: Option<(u64, u64)>,
    n_first: u64,
    damage: Damage,
    digest: RowDigest,
    folder: Folder,
    text: Vec<u8>,
}

impl Decisions for TrajectoryBuilder<'_> {
    fn wanted_tags(&self) -> &[String] {
        &self.tags
    }

    fn begin_candidates(&mut self) {
        self.candidates.clear();
        self.n_excluded = 0;
    }

    fn candidate(
        &mut self,
        model: &str,
        probability: f64,
        slot: &mut u16,
    ) -> Result<(), DataError> {
        let index = self.models.index_by(slot, model)?;
        self.candidates.push((index, probability));
        Ok(())
    }

    fn known_candidates(&mut self, slots: &[u16], probabilities: &[f64]) {
        self.candidates.extend(slots.iter().copied().zip(probabilities.iter().copied()));
    }

    fn exclude_last(&mut self) {
        self.n_excluded += 1;
    }

    fn push(
        &mut self,
        decision: &DecisionCell<'_>,
        request: &Request<'_>,
    ) -> Result<(), DataError> {
        self.n_decisions_read += 1;
        if !decision.is_later_step {
            self.n_first += 1;
            widen(&mut self.times_ms, decision.ts_ms);
        }
        let drawn = checked_candidates(&self.candidates, &self.models, decision)?;
        if !self.seen.insert(bytes_group(decision.id.as_bytes())) {
            *self.dropped.entry("duplicate of an earlier decision".to_owned()).or_default() += 1;
            return Ok(());
        }
        let mut node = self.node(decision, drawn)?;
        if node.fault.is_none() {
            if decision.is_later_step {
                node.answer = self.answer(decision, request)?;
            } else {
                self.ask(&mut node, decision, request)?;
            }
        }
        self.hash(&node, decision.drawn);
        self.nodes.push(node);
        Ok(())
    }

    fn add_damage(&mut self, damage: Damage) {
        self.damage += damage;
    }
}

impl<'f> TrajectoryBuilder<'f> {
    fn new(
        (options, schema): (&LogOptions, FeatureSchema),
        on_request: &'f mut dyn FnMut(Asked<'_, '_>),
        on_answer: &'f mut dyn FnMut(&AnswerFeatures<'_>),
    ) -> Result<Self, DataError> {
        Ok(Self {
            on_request,
            on_answer,
            n_requests: 0,
            n_answers: 0,
            scale: Scale::new(options.quality_range)?,
            schema,
            extractor: AnswerExtractor::new(schema),
            undrawn: options.undrawn,
            tags: options.tags.clone(),
            missing_metric: format!("the outcome has no `{}`", options.quality_metric),
            models: ModelNames::default(),
            candidates: Vec::new(),
            n_excluded: 0,
            seen: HashSet::new(),
            nodes: Vec::new(),
            dropped: BTreeMap::new(),
            n_decisions_read: 0,
            times_ms: None,
            n_first: 0,
            damage: Damage::default(),
            digest: RowDigest::new(),
            folder: Folder::default(),
            text: Vec::new(),
        })
    }

    /// All that is known of a decision but what was asked and answered.
    fn node(&self, decision: &DecisionCell<'_>, drawn: u16) -> Result<Node, DataError> {
        let subject = || format!("decision `{}`", decision.id);
        let place = Place { path: decision.path, row: decision.number, subject: &subject };
        let outcome = decision.outcome.unwrap_or_default();
        let quality = match (outcome.is_failed, outcome.quality) {
            (true, _) => Some(0.0),
            (false, Some(quality)) => Some(self.scale.quality(quality, &place)?),
            (false, None) => None,
        };
        let propensity = self.propensity(decision);
        let is_other = outcome.served_model.is_some_and(|served| served != decision.drawn);
        let fault = match &propensity {
            Err(reason) => Some((*reason).to_owned()),
            Ok(_) if is_other => Some("another model answered than was drawn".to_owned()),
            Ok(_) => None,
        };
        let input = outcome.input_tokens.or(decision.input_tokens);
        let chances = self.candidates.iter().copied();
        Ok(Node {
            id: decision.id.to_owned(),
            is_later: decision.is_later_step,
            step: decision.step,
            previous: decision.previous.map(str::to_owned),
            ts_ms: decision.ts_ms,
            task: decision.task.as_deref().map(str::to_owned),
            tenant: decision.tenant.map(str::to_owned),
            tags: decision.tags.clone(),
            drawn,
            propensity: propensity.unwrap_or(1.0),
            kind: decision.kind,
            candidates: self.candidates.iter().map(|&(model, _)| model).collect(),
            chances: chances.filter(|&(_, probability)| 0.0 < probability).collect(),
            has_outcome: decision.outcome.is_some(),
            quality,
            cost_usd: not_negative(outcome.cost_usd, "cost_usd", &place)?,
            spent_usd: not_negative(decision.spent_usd, "spent_usd", &place)?,
            input_tokens: whole(input, "input tokens", u32::MAX, &place)?,
            output_tokens: whole(outcome.output_tokens, "output tokens", u32::MAX, &place)?,
            latency_ms: not_negative(outcome.latency_ms, "latency_ms", &place)?,
            is_thinned: decision.keep_prob.is_some_and(|kept| kept < 1.0),
            request: 0,
            group: 0,
            answer: Err(String::new()),
            fault,
        })
    }

    /// The probability of what was drawn, or why it is of no use. What was done where nothing else
    /// could be has the probability one.
    fn propensity(&self, decision: &DecisionCell<'_>) -> Result<f64, &'static str> {
        let n_possible = self.candidates.len() - self.n_excluded;
        match decision.kind {
            PropensityKind::Exact | PropensityKind::Estimated => {
                decision.propensity.ok_or("the propensity is missing")
            }
            PropensityKind::Deterministic if decision.is_later_step && n_possible <= 1 => Ok(1.0),
            PropensityKind::Deterministic
                if !decision.is_later_step && self.undrawn == Undrawn::Keep =>
            {
                Ok(1.0)
            }
            PropensityKind::Deterministic if decision.is_later_step => {
                Err("a step's propensity is deterministic")
            }
            PropensityKind::Deterministic => Err(TrafficLog::UNDRAWN),
            PropensityKind::Unknown if decision.is_later_step => {
                Err("a step's propensity is unknown")
            }
            PropensityKind::Unknown => Err("the propensity is unknown"),
        }
    }

    /// Hands over what a first decision was asked, or says why that is not known.
    fn ask(
        &mut self,
        node: &mut Node,
        decision: &DecisionCell<'_>,
        request: &Request<'_>,
    ) -> Result<(), DataError> {
        let read;
        let asked = if 0 < request.n_bytes() {
            Asked::Text(request)
        } else {
            let found = asked::read(decision.features, Some(self.schema));
            read = match found.map_err(|problem| decision.wrong(problem))? {
                Ok(features) => features,
                Err(reason) => {
                    node.fault = Some(reason);
                    return Ok(());
                }
            };
            Asked::Features(request, read.as_features())
        };
        let buffers = (&mut self.folder, &mut self.text);
        let (group, prompt) = asked.group_and_hash(decision.session_id, buffers);
        node.group = group;
        self.digest.word(prompt);
        node.request = self.n_requests;
        self.n_requests += 1;
        (self.on_request)(asked);
        Ok(())
    }

    /// Hands over the answer that a step is about; which one it is, or why it is not known.
    fn answer(
        &mut self,
        decision: &DecisionCell<'_>,
        request: &Request<'_>,
    ) -> Result<Result<usize, String>, DataError> {
        let Self { on_answer, extractor, digest, text, .. } = self;
        let found = answered::read(decision.answer, request, extractor, &mut |answer| {
            text.clear();
            text.extend(answer.text.terms.iter().flat_map(|term| term.to_le_bytes()));
            let numbers = answer.text.dense.iter().chain(answer.signs);
            text.extend(numbers.flat_map(|number| number.to_le_bytes()));
            digest.word(bytes_group(text));
            on_answer(answer);
        });
        let found = found.map_err(|problem| decision.wrong(problem))?;
        Ok(found.map(|()| {
            self.n_answers += 1;
            self.n_answers - 1
        }))
    }

    fn hash(&mut self, node: &Node, drawn: &str) {
        for text in [node.id.as_str(), drawn, node.previous.as_deref().unwrap_or_default()] {
            self.digest.text(text);
        }
        for word in [node.ts_ms, node.group] {
            self.digest.word(word);
        }
        let numbers = [Some(node.propensity), node.quality, node.cost_usd, node.spent_usd];
        for number in numbers {
            self.digest.number(number);
        }
        for &(_, probability) in &self.candidates {
            self.digest.number(Some(probability));
        }
    }

    fn finish(self, path: &Path) -> Result<TrajectoryLog, DataError> {
        if self.n_decisions_read == 0 {
            return Err(DataError::Empty { path: path.to_path_buf() });
        }
        let mut found = chained(&self.nodes, &self.models, &self.missing_metric);
        for (reason, n) in self.dropped {
            *found.log.dropped.entry(reason).or_default() += n;
        }
        found.log.n_decisions_read = self.n_first;
        found.log.times_ms = self.times_ms;
        found.log.n_damaged_lines = self.damage.n_lines;
        found.log.n_missing_segments = self.damage.n_missing_segments;
        found.log.digest = self.digest.hex();
        if found.log.rows.is_empty() {
            let stray = ("a step that no first decision leads to", found.n_stray_steps);
            let dropped = found.log.dropped.iter().map(|(why, n)| (why.as_str(), *n));
            let dropped = dropped.chain(std::iter::once(stray).filter(|(_, n)| 0 < *n));
            return Err(DataError::nothing_usable(path, self.n_decisions_read, dropped));
        }
        Ok(found)
    }
}

//! What a report says, before it is laid out.
//!
//! Plain values in the units of the evaluator: quality in quality points, cost in US dollars
//! for one request. The page converts costs to dollars per 1,000 requests, and says so. Nothing
//! is checked here: a number that is not finite is printed as "no value" and is not drawn.

use pointsman_eval::{
    interval,
    reliability::{Bin, Reliability},
};
use serde::Serialize;

use super::comparisons::{Moves, Overlap, SliceRow};

/// Everything on one page. Sections without content are left out of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// What was evaluated, in a few words.
    pub(crate) title: String,
    /// On what, in one sentence.
    pub(crate) subtitle: String,
    /// Whether prompts or outcomes come from a simulation; the page then says so in a banner.
    pub(crate) simulated: bool,
    /// How to make this report again.
    pub(crate) generated_by: GeneratedBy,
    /// The answer.
    pub(crate) verdict: Verdict,
    /// Sentences that qualify the verdict; printed beside it.
    pub(crate) warnings: Vec<String>,
    /// The trade-off between cost and quality; `None` when the data has no costs or comes
    /// from a log.
    pub(crate) frontier: Option<Frontier>,
    /// The level of every interval on the page, in `(0, 1)`.
    pub(crate) confidence: f64,
    /// Who predicted quality for doubly robust values; `None` where nothing is predicted.
    pub(crate) reward_model: Option<RewardModelUsed>,
    /// The value of each policy, the most interesting first.
    pub(crate) values: Vec<ValueRow>,
    /// How far predicted quality may be taken at its word, by policy; empty where one outcome for
    /// each request is all that is known.
    pub(crate) calibration: Vec<Calibration>,
    /// How each policy overlaps with the log; empty on a table.
    pub(crate) overlap: Vec<Overlap>,
    /// Differences by kind of request; all intervals hold together.
    pub(crate) slices: Vec<SliceRow>,
    /// Which requests change model, by policy; empty where nothing is known of other models.
    pub(crate) moves: Vec<Moves>,
    /// Whether the values can be trusted.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// A few decisions, explained.
    pub(crate) decisions: Vec<SampleDecision>,
    /// Digests, versions, seeds: what the numbers were made from.
    pub(crate) provenance: Vec<ProvenanceEntry>,
}

/// How a report was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GeneratedBy {
    /// The command line, as it would be typed.
    pub(crate) command: String,
    /// The version of Pointsman.
    pub(crate) version: String,
}

/// The answer of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// What to do.
    pub(crate) kind: VerdictKind,
    /// Why, with the numbers, in one or two sentences.
    pub(crate) sentence: String,
}

/// What a report can advise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VerdictKind {
    /// The policy is better than every single model and every mix of two.
    Route,
    /// Routing gains nothing that one model does not give.
    UseOneModel,
    /// The data does not decide it.
    CannotTell,
    /// No amount of such data would: the log's decisions were not drawn.
    NotIdentifiable,
}

/// A mean cost and a mean quality.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct CostQuality {
    /// US dollars for one request.
    pub(crate) cost_usd: f64,
    /// Quality points.
    pub(crate) quality: f64,
}

/// What quality each amount of money buys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Frontier {
    /// Where costs come from, as a phrase: "catalog prices of 2026-11-01".
    pub(crate) cost_source: String,
    /// The policy as its objective moves from cheap to good, in that order.
    pub(crate) sweep: Vec<CostQuality>,
    /// Every model on its own; the convex mix is drawn from these.
    pub(crate) singles: Vec<SingleModel>,
    /// The best model for each request, known only with full information.
    pub(crate) oracle: Option<CostQuality>,
    /// The named objectives, with their intervals.
    pub(crate) operating_points: Vec<OperatingPoint>,
    /// What the sweep is in truth; known in simulated worlds only.
    pub(crate) truth: Option<Vec<CostQuality>>,
    /// What the policy would be without reading answers, from cheap to good; an evaluation reads none,
    /// and its JSON does not speak of it.
    #[serde(skip)]
    pub(crate) by_request: Option<Vec<CostQuality>>,
}

/// What quality each amount of money buys with answers that are read, and without; all answers paid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct EscalationFrontier {
    /// Which models, on which data.
    pub(crate) name: String,
    /// How far the two lie apart; may be empty.
    pub(crate) sentence: String,
    /// The sweep reads answers.
    pub(crate) frontier: Frontier,
}

/// Sending every request to one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SingleModel {
    /// The name of the model.
    pub(crate) model: String,
    /// US dollars for one request, mean.
    pub(crate) cost_usd: f64,
    /// Quality points, mean.
    pub(crate) quality: f64,
}

/// A named objective of the policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OperatingPoint {
    /// "economy", "balanced", "quality" or what the artifact calls it.
    pub(crate) name: String,
    /// US dollars for one request, mean.
    pub(crate) cost_usd: f64,
    /// Quality points, mean.
    pub(crate) quality: f64,
    /// The lower end of the interval of `quality`.
    pub(crate) quality_lower: f64,
    /// The upper end of the interval of `quality`.
    pub(crate) quality_upper: f64,
}

/// The value of one policy by one estimator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ValueRow {
    /// The policy, a single model or a baseline.
    pub(crate) policy: String,
    /// The estimator, as the command line spells it.
    pub(crate) estimator: String,
    /// Quality points per request; `None` when the data cannot give one and `note` says why.
    pub(crate) value: Option<f64>,
    /// The lower end of the interval; `None` when there is no lower bound.
    pub(crate) lower: Option<f64>,
    /// The upper end of the interval; `None` when there is no upper bound.
    pub(crate) upper: Option<f64>,
    /// What the interval promises.
    pub(crate) interval_kind: IntervalKind,
    /// How the interval was computed; empty where there is none.
    pub(crate) interval_method: String,
    /// US dollars for one request, mean; `None` where a request lacks one.
    pub(crate) cost_usd: Option<f64>,
    /// The interval of `cost_usd`; `None` where there is no cost, and on a table for draws at random
    /// and the oracle.
    pub(crate) cost_interval: Option<MeanInterval>,
    /// Milliseconds for one answer, mean; `None` where a request lacks them, and on a table.
    pub(crate) latency_ms: Option<f64>,
    /// The interval of `latency_ms`.
    pub(crate) latency_interval: Option<MeanInterval>,
    /// Kish effective sample size, in rows.
    pub(crate) effective_n: Option<f64>,
    /// What a reader has to know about this row; may be empty.
    pub(crate) note: String,
}

/// How a note begins to say why a cost or a latency has no interval.
pub(crate) const NO_INTERVAL_OF: &str = "no interval of ";

impl ValueRow {
    /// The note up to why its cost and its latency have no interval, which [`MeanInterval`] says too.
    pub(crate) fn own_note(&self) -> &str {
        let own = self.note.split_once(NO_INTERVAL_OF).map_or(self.note.as_str(), |(own, _)| own);
        own.trim_end_matches("; ")
    }
}

/// The interval of a mean cost or a mean latency, in its unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MeanInterval {
    /// The lower end; `None` where there is no interval.
    pub(crate) lower: Option<f64>,
    /// The upper end; `None` where there is no interval.
    pub(crate) upper: Option<f64>,
    /// What the interval promises.
    pub(crate) interval_kind: IntervalKind,
    /// How the interval was computed; empty where there is none.
    pub(crate) interval_method: String,
    /// Which interval it is and why it is not narrower, or why there is none.
    pub(crate) note: String,
}

/// Who predicted quality for doubly robust values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct RewardModelUsed {
    /// Whose predictions they are.
    pub(crate) kind: RewardModelKind,
    /// The parts of the log that predicted one another; `None` for a policy's own predictions.
    pub(crate) n_folds: Option<u64>,
    /// What drew the parts; `None` for a policy's own predictions.
    pub(crate) seed: Option<u64>,
}

/// Whose predictions doubly robust values rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RewardModelKind {
    /// Each policy's own.
    Policy,
    /// Those of a model that was learned from the log, each part predicted by the others.
    CrossFitted,
}

/// What an interval promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IntervalKind {
    /// Covers at its level when there are many rows.
    Asymptotic,
    /// Covers at its level at every number of rows.
    FiniteSample,
    /// There is no interval: the value is known without one, or nothing bounds it.
    Absent,
}

/// Predicted against observed quality, all models together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Calibration {
    /// Who predicted.
    pub(crate) name: String,
    /// The expected calibration error less its noise, in quality points.
    pub(crate) ece: f64,
    /// The error as it was found.
    pub(crate) raw: f64,
    /// What perfectly calibrated outcomes would show.
    pub(crate) noise: f64,
    /// The lowest predictions first.
    pub(crate) bins: Vec<CalibrationBin>,
}

/// Pairs of prompt and model whose predictions are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct CalibrationBin {
    /// How many there are.
    pub(crate) n_pairs: usize,
    /// Mean predicted quality.
    pub(crate) predicted: f64,
    /// Mean quality.
    pub(crate) observed: f64,
    /// One standard error of the difference of the two.
    pub(crate) std_error: f64,
}

impl Calibration {
    /// Under a name, as the evaluator measured it.
    pub(crate) fn of(name: &str, found: &Reliability) -> Self {
        let Reliability { ece, raw, noise, bins } = found;
        let bin = |&Bin { n_pairs, predicted, observed, std_error }: &Bin| CalibrationBin {
            n_pairs,
            predicted,
            observed,
            std_error,
        };
        let bins = bins.iter().map(bin).collect();
        Self { name: name.to_owned(), ece: *ece, raw: *raw, noise: *noise, bins }
    }
}

impl IntervalKind {
    /// What the evaluator's interval promises.
    pub(crate) fn of(kind: interval::IntervalKind) -> Self {
        match kind {
            interval::IntervalKind::Asymptotic => Self::Asymptotic,
            interval::IntervalKind::FiniteSample => Self::FiniteSample,
        }
    }
}

/// One thing to check before a value is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Diagnostic {
    /// Its name.
    pub(crate) name: String,
    /// Its value, formatted with its unit.
    pub(crate) value: String,
    /// What this value means for the reader.
    pub(crate) meaning: String,
}

/// One decision, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SampleDecision {
    /// The start of the prompt; any text at all.
    pub(crate) prompt_excerpt: String,
    /// The model that was chosen.
    pub(crate) chosen: String,
    /// Why, in one sentence.
    pub(crate) reason: String,
    /// Every model that was looked at.
    pub(crate) candidates: Vec<Candidate>,
    /// What in the prompt spoke for the chosen model, and what against it.
    pub(crate) terms: Vec<TermContribution>,
}

/// One model in a decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Candidate {
    /// The name of the model.
    pub(crate) model: String,
    /// The predicted quality; `None` when the model was not scored.
    pub(crate) quality: Option<f64>,
    /// The predicted cost of this request, in US dollars; `None` when not scored.
    pub(crate) cost_usd: Option<f64>,
    /// The probability with which it would be drawn.
    pub(crate) probability: f64,
    /// The constraint that excluded it.
    pub(crate) excluded_by: Option<String>,
}

/// What one term of the prompt adds to the predicted quality of the chosen model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TermContribution {
    /// The term, as the features name it.
    pub(crate) text: String,
    /// Quality points; negative speaks against the model.
    pub(crate) contribution: f64,
}

/// One line of the provenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ProvenanceEntry {
    /// What it is.
    pub(crate) key: String,
    /// The digest, version, path or count.
    pub(crate) value: String,
}

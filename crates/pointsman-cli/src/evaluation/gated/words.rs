//! The gate's verdict in words, in Markdown and as data; `docs/gate.md` has its fields.

use super::{
    Inexact, Judged, NotDrawn,
    condition::{Bounded, ConditionRow, signed_dollars},
    evidence::Metric,
};
use crate::{
    estimated::{self, Estimated},
    evaluation::{joined, rewards},
    policy_flags::{LoadedPolicy, ObjectiveName},
    report::{GeneratedBy, RewardModelUsed},
    screen, wording,
};
use pointsman_core::units::len_as_float;
use pointsman_eval::gate::{Answer, Verdict};
use pointsman_log::record::PropensityKind;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Raised when a field changes its meaning.
const FORMAT_VERSION: u32 = 1;

/// Everything that is said about one question.
#[derive(Debug, Serialize)]
pub(crate) struct GateReport {
    format_version: u32,
    #[serde(serialize_with = "by_name")]
    verdict: Verdict,
    exit_code: u8,
    sentence: String,
    policy: Named,
    /// `None` where it is what was logged.
    against: Option<Named>,
    confidence: f64,
    /// The level of each bound alone.
    confidence_each: f64,
    conditions: Vec<ConditionRow>,
    /// Whose predictions the difference in quality rests on; `None` where it rests on none.
    reward_model: Option<RewardModelUsed>,
    /// Why nothing may ship on these rows.
    doubts: Vec<String>,
    /// What candidates, propensities and weights rest on that nobody wrote down.
    estimates: Vec<String>,
    /// What the rows are where the log has steps after answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<String>,
    /// Whether estimated propensities count as known ones.
    is_estimated_accepted: bool,
    /// Whether decisions without a draw were left out.
    is_drawn_only: bool,
    /// About how many more outcomes would settle it.
    more_outcomes: Option<f64>,
    requests_per_month: Option<f64>,
    usd_per_month: Option<Bounded>,
    rows: Rows,
    diagnostics: Weights,
    log: Source,
    generated_by: GeneratedBy,
    /// Whether the bounds rest on a stated least probability.
    is_support_stated: bool,
    /// The reward model in words.
    #[serde(skip)]
    reward_model_words: String,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    digest: String,
    objective: ObjectiveName,
}

#[derive(Debug, Serialize)]
struct Rows {
    n_read: u64,
    n_used: usize,
    n_trained_on: u64,
    n_unanswerable: u64,
    /// Used, with an estimated propensity.
    n_estimated: usize,
    n_without_outcome: u64,
    dropped: BTreeMap<String, u64>,
    n_damaged_lines: u64,
    n_missing_segments: u64,
}

#[derive(Debug, Serialize)]
struct Weights {
    effective_n: Option<f64>,
    largest_weight: f64,
    mean_weight: f64,
    unsupported_share: f64,
}

#[derive(Debug, Serialize)]
struct Source {
    files: String,
    sha256: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn by_name<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.name())
}

impl GateReport {
    pub(super) fn new(judged: &Judged<'_>) -> Self {
        let Judged { question, paths, log, used, columns, measured, decision, .. } = judged;
        let pairs = || measured.iter().zip(&decision.findings);
        let conditions: Vec<ConditionRow> =
            pairs().map(|(measured, finding)| ConditionRow::new(measured, finding)).collect();
        let cost = conditions.iter().find(|it| it.metric == Metric::CostUsd);
        // The verdict says nothing of the others.
        let rate = judged.requests_per_month.filter(|_| !judged.undrawn.are_left_out);
        let usd_per_month = rate.zip(cost.and_then(|it| it.difference)).map(
            |(rate, Bounded { value, lower, upper })| Bounded {
                value: value.map(|value| rate * value),
                lower: rate * lower,
                upper: rate * upper,
            },
        );
        let named = |loaded: &LoadedPolicy| Named {
            name: loaded.name.clone(),
            digest: loaded.artifact.digest().to_owned(),
            objective: loaded.objective.clone(),
        };
        let effective_n = pairs().find_map(|(_, it)| it.bounds.as_ref()).map(|it| it.0.effective_n);
        let quality = measured.iter().find(|it| it.metric == Metric::Quality);
        let predicted = quality.and_then(|it| it.predicted.as_ref());
        let reward_model = predicted.map(|_| rewards::used(judged.fitted));
        let mut report = Self {
            format_version: FORMAT_VERSION,
            verdict: decision.verdict,
            exit_code: u8::from(decision.verdict != Verdict::Ship),
            sentence: String::new(),
            policy: named(&question.policy),
            against: question.rival.as_ref().map(named),
            confidence: question.level.get(),
            confidence_each: decision.each_level.get(),
            conditions,
            reward_model,
            doubts: decision.doubts.iter().map(ToString::to_string).collect(),
            estimates: estimates(judged),
            steps: judged.steps.clone(),
            is_estimated_accepted: question.inexact == Inexact::Accepted,
            is_drawn_only: judged.undrawn.are_left_out,
            more_outcomes: decision.more_rows,
            requests_per_month: judged.requests_per_month,
            usd_per_month,
            rows: Rows {
                n_read: log.n_decisions_read,
                n_used: used.rows.len(),
                n_trained_on: used.n_trained_on,
                n_unanswerable: used.n_unanswerable,
                n_estimated: n_estimated(judged),
                n_without_outcome: log.n_without_outcome,
                dropped: log.dropped.clone(),
                n_damaged_lines: log.n_damaged_lines,
                n_missing_segments: log.n_missing_segments,
            },
            diagnostics: Weights {
                effective_n,
                largest_weight: columns.weights.iter().copied().fold(0.0, f64::max),
                mean_weight: columns.weights.iter().sum::<f64>()
                    / len_as_float(columns.weights.len()),
                unsupported_share: columns.unsupported_share,
            },
            log: Source { files: joined(paths), sha256: log.digest.clone() },
            generated_by: GeneratedBy {
                command: std::env::args().collect::<Vec<_>>().join(" "),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            is_support_stated: question.stated.smallest_propensity.is_some(),
            reward_model_words: rewards::sentence(judged.fitted, reward_model),
        };
        report.sentence = report.said();
        report
    }

    /// What to do, for the exit code.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The verdict in one sentence.
    fn said(&self) -> String {
        let rival = self
            .against
            .as_ref()
            .map_or_else(|| "what was logged".to_owned(), |rival| format!("`{}`", rival.name));
        let name = &self.policy.name;
        let listed = |answer: Answer| {
            let it = self.conditions.iter().filter(|it| it.answer == answer.name());
            it.map(ConditionRow::metric_words).collect::<Vec<_>>().join(" and ")
        };
        let drawn = if self.is_drawn_only { " Decisions without a draw are left out." } else { "" };
        let estimated = if 0 < self.rows.n_estimated { Estimated::MARK } else { "" };
        let mark = format!("{drawn}{estimated}");
        match self.verdict {
            Verdict::Ship => format!(
                "Ship `{name}`: against {rival}, {} within the margins.{mark}",
                are(&listed(Answer::Holds))
            ),
            Verdict::Hold => format!(
                "Hold `{name}`: against {rival}, {} beyond the margin.{mark}",
                are(&listed(Answer::Fails))
            ),
            Verdict::CannotTell => {
                format!("Cannot tell whether `{name}` may ship: {}.", self.why())
            }
        }
    }

    /// Why there is no verdict, and what would settle it.
    fn why(&self) -> String {
        if let Some(doubt) = self.doubts.first() {
            return doubt.clone();
        }
        let unmeasured = self.conditions.iter().find(|it| it.answer == Answer::Unmeasured.name());
        match (self.more_outcomes, unmeasured) {
            (_, Some(it)) => format!("{}: {}", it.metric_words(), it.reasons.join("; ")),
            (Some(more), None) => format!(
                "the log leaves it open; about {} more outcomes like these would settle it, if \
                 the estimates stay (an estimate itself)",
                rounded(more)
            ),
            (None, None) => "the estimates stand at a margin, where no number of outcomes settles \
                             it soon; widen the margin"
                .to_owned(),
        }
    }

    /// For a terminal: verdict first.
    pub(crate) fn text(&self) -> String {
        let header =
            ["difference per request", "estimate", "at least", "at most", "wanted", "answer"];
        let table = screen::table(header, self.conditions.iter().map(ConditionRow::cells));
        let mut text = format!("{}\n\n{table}", self.sentence);
        for note in self.notes() {
            text.push_str(&format!("\n  {note}"));
        }
        for doubt in self.doubts.iter().chain(&self.estimates) {
            text.push_str(&format!("\n! {doubt}"));
        }
        text
    }

    /// For a pull request: verdict first.
    pub(crate) fn markdown(&self) -> String {
        let title = match self.verdict {
            Verdict::Ship => "ship",
            Verdict::Hold => "hold",
            Verdict::CannotTell => "cannot tell",
        };
        let mut text = format!("## Routing gate: {title}\n\n**{}**\n\n", self.sentence);
        text.push_str(
            "| difference per request | estimate | at least | at most | wanted | answer |\n\
             |---|---:|---:|---:|---:|---|\n",
        );
        for condition in &self.conditions {
            text.push_str(&format!("| {} |\n", condition.cells().join(" | ")));
        }
        text.push('\n');
        for note in self.notes() {
            text.push_str(&format!("* {note}\n"));
        }
        for doubt in self.doubts.iter().chain(&self.estimates) {
            text.push_str(&format!("* ⚠ {doubt}\n"));
        }
        text.push_str(&format!("\n`{}`\n", self.generated_by.command));
        text
    }

    /// What stands behind the numbers, a sentence each.
    fn notes(&self) -> Vec<String> {
        let (percent, n) = (100.0 * self.confidence, self.conditions.len());
        let mut notes = vec![if n == 1 {
            format!("each bound holds with {percent} % confidence")
        } else {
            format!(
                "with {percent} % confidence all lower bounds hold, and likewise all upper ones: \
                 {n} conditions share the misses"
            )
        }];
        notes.extend(self.conditions.iter().map(ConditionRow::note));
        notes.push(self.reward_model_words.clone());
        let is_open = self.verdict == Verdict::CannotTell && self.rows.n_estimated == 0;
        if !self.is_support_stated && is_open && self.steps.is_empty() {
            notes.push(
                "where the least probability that the logger gives a model is known beforehand, \
                 --smallest-propensity narrows the bounds"
                    .to_owned(),
            );
        }
        notes.push(self.money());
        let Rows { n_read, n_used, n_trained_on, n_unanswerable, .. } = &self.rows;
        notes.push(format!(
            "{} decisions used of {} read; set aside: {} that a policy was trained on (or on an \
             equal prompt), {} that a policy has no model for",
            wording::length(*n_used),
            wording::count(*n_read),
            wording::count(*n_trained_on),
            wording::count(*n_unanswerable)
        ));
        if self.steps.is_empty() {
            notes.extend(wording::dropped(&self.rows.dropped));
        }
        notes.extend(self.steps.iter().cloned());
        notes.extend(wording::damaged(self.rows.n_damaged_lines, self.rows.n_missing_segments));
        let Weights { effective_n, largest_weight, mean_weight, unsupported_share } =
            &self.diagnostics;
        let effective = effective_n.map_or_else(|| "-".to_owned(), |n| format!("{n:.0}"));
        notes.push(format!(
            "effective rows {effective}, largest weight {largest_weight:.2}, mean weight \
             {mean_weight:.4} (1 where propensities are right), unsupported {:.2} %",
            100.0 * unsupported_share
        ));
        notes
    }

    fn money(&self) -> String {
        if self.is_drawn_only {
            return "dollars a month are unknown: --drawn-only says nothing of the other decisions"
                .to_owned();
        }
        match (self.requests_per_month, self.usd_per_month) {
            (Some(rate), Some(Bounded { value: Some(value), lower, upper })) => format!(
                "at the log's rate of {} requests a month: {} a month (at least {}, at most {})",
                rounded(rate),
                signed_dollars(value, 0),
                signed_dollars(lower, 0),
                signed_dollars(upper, 0)
            ),
            (None, _) => {
                "dollars a month are unknown: the log does not say when decisions were made, or they \
                 were made within ten minutes"
                    .to_owned()
            }
            (_, _) => {
                "dollars a month are unknown: give --max-cost-delta, and --catalog or --largest-cost-usd"
                    .to_owned()
            }
        }
    }
}

/// Used decisions whose propensity is an estimate.
fn n_estimated(judged: &Judged<'_>) -> usize {
    let kind = |row: usize| judged.log.rows[row].propensity_kind;
    judged.used.rows.iter().filter(|&&row| kind(row) == PropensityKind::Estimated).count()
}

/// What was put in the place of what nobody wrote down, a sentence each.
fn estimates(judged: &Judged<'_>) -> Vec<String> {
    let mut sentences: Vec<String> = estimated::in_use(&judged.log.in_use).into_iter().collect();
    sentences.extend(judged.estimated.iter().flat_map(Estimated::sentences));
    sentences.extend(wording::thinned(judged.log.n_thinned));
    let words = match judged.question.inexact {
        Inexact::Doubted => {
            "no verdict rests on estimated propensities unless --accept-estimated says that nothing \
             but the logged request moved the choice; decisions that are drawn, with the propensity \
             written down, as `serve` does, need no such trust"
        }
        Inexact::Accepted => {
            "--accept-estimated: bounds hold only if nothing but the logged request moved the choice \
             and the model of the logger is right; how far it is off is in no bound, finite-sample \
             or not"
        }
    };
    sentences.extend((0 < n_estimated(judged)).then(|| words.to_owned()));
    let NotDrawn { n_rows, are_left_out, may_be_left_out } = judged.undrawn;
    let n_undrawn = wording::counted(n_rows, "decision", "decisions");
    if are_left_out {
        sentences.push(format!(
            "--drawn-only: {n_undrawn} without a draw {} left out, and the verdict says nothing of \
             such ones",
            if n_rows == 1 { "is" } else { "are" }
        ));
    } else if may_be_left_out {
        sentences.push(format!(
            "{n_undrawn} {} made without a draw; --drawn-only judges by the others",
            if n_rows == 1 { "was" } else { "were" }
        ));
    } else if judged.question.drawn_only && 0 < n_rows {
        sentences.push(format!(
            "--drawn-only: {n_undrawn} without a draw stay{}, since too few others are left to judge by",
            if n_rows == 1 { "s" } else { "" }
        ));
    }
    sentences
}

fn are(listed: &str) -> String {
    let verb = if listed.contains(" and ") { "are" } else { "is" };
    format!("{listed} {verb}")
}

/// A count that is an estimate, to two figures.
fn rounded(number: f64) -> String {
    let scale = 10.0_f64.powf((number.max(1.0).log10().floor() - 1.0).max(0.0));
    let whole = (number / scale).ceil() * scale;
    wording::grouped(&format!("{whole:.0}"))
}

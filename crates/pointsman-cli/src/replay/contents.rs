//! What a replay says, as data: in JSON as it stands, on a terminal and a page in words.

use crate::{policy_flags::ObjectiveName, report::GeneratedBy};
use pointsman_eval::{
    choice::Chosen,
    full::MeanValue,
    interval::{Interval, IntervalMethod},
};
use serde::Serialize;

/// What intervals of running means promise: the level after all windows at once.
const ANYTIME_VALID: &str = "anytime-valid";

/// A whole replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Replay {
    pub(crate) generated_by: GeneratedBy,
    /// What is known of each request.
    pub(crate) source: SourceKind,
    pub(crate) data_digest: String,
    pub(crate) window: String,
    pub(crate) confidence: f64,
    /// The setting that is asked about; then the other, where there is one.
    pub(crate) settings: Vec<SettingRow>,
    /// What it comes to, in a sentence.
    pub(crate) sentence: String,
    /// What was left out, put in order or assumed, a sentence each.
    pub(crate) notes: Vec<String>,
    /// Windows that were only learned from, before there was a policy.
    pub(crate) n_warm_up: usize,
    pub(crate) windows: Vec<WindowRow>,
    /// The policies of the first setting, one for each fit.
    pub(crate) policies: Vec<PolicyRow>,
    /// Over all windows that were decided.
    pub(crate) total: Values,
}

/// What is known of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SourceKind {
    /// One model's outcome; values are estimates.
    Log,
    /// Every model's outcome; values are means.
    Table,
}

/// One setting, in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SettingRow {
    pub(crate) name: String,
    pub(crate) objective: ObjectiveName,
    pub(crate) retrain: String,
    pub(crate) memory: String,
    /// Fits that were made.
    pub(crate) n_fits: usize,
    /// Those of them before which held-out rows were asked how to learn.
    pub(crate) n_selections: usize,
    /// Fits that were due and could not be made; the policy before went on.
    pub(crate) n_fits_missed: usize,
}

/// One window that was decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WindowRow {
    /// From one, warm-up included.
    pub(crate) number: usize,
    /// When it begins: a time in UTC, or its first row.
    pub(crate) begins: String,
    /// Requests in it, and of them those that every setting had an eligible model for.
    pub(crate) n_requests: usize,
    pub(crate) n_decided: usize,
    /// Rows that the policy was learned from, and the window before which it was.
    pub(crate) n_learned: usize,
    pub(crate) learned_before: usize,
    pub(crate) values: Option<Values>,
    /// Over this window and all before it, with intervals that are good for all windows at once.
    pub(crate) so_far: Option<Values>,
    pub(crate) gate: Option<GateRow>,
    pub(crate) models: ModelsRow,
}

/// One policy, and all that it decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PolicyRow {
    /// The window before which it was learned, and when that begins.
    pub(crate) learned_before: usize,
    pub(crate) begins: String,
    /// From how many rows.
    pub(crate) n_learned: usize,
    /// `selected` where held-out rows were asked how to learn, `taken over` where they had been
    /// asked before another fit, `given` where a flag says it.
    pub(crate) strengths: &'static str,
    /// Windows, and requests of them, that it decided.
    pub(crate) n_windows: usize,
    pub(crate) n_decided: usize,
    /// What a gate would have said on these requests; `None` for a table.
    pub(crate) gate: Option<GateRow>,
}

/// Who came, who went, and who was not ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ModelsRow {
    /// There for the first time.
    pub(crate) arrived: Vec<String>,
    /// There in the window before, and not now; not eligible.
    pub(crate) left: Vec<String>,
    /// There, and nothing was learned about them: taken by what is expected of a newcomer.
    pub(crate) newcomers: Vec<String>,
    /// There, and nothing was learned about them: not eligible.
    pub(crate) not_learned: Vec<String>,
}

/// What a gate would have said on some rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct GateRow {
    pub(crate) verdict: &'static str,
    /// Why nothing may ship on these rows.
    pub(crate) doubts: Vec<String>,
}

/// What some rows say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Values {
    pub(crate) n_rows: usize,
    pub(crate) quality: Estimate,
    /// Dollars per request; `None` where a row has no cost.
    pub(crate) cost_usd: Option<Estimate>,
    /// What was logged on the same rows; `None` for a table.
    pub(crate) logged_quality: Option<f64>,
    pub(crate) logged_cost_usd: Option<f64>,
    pub(crate) against_logged: Option<Estimate>,
    pub(crate) cost_against_logged: Option<Estimate>,
    /// Against the other setting, on the same rows.
    pub(crate) against_other: Option<Estimate>,
    pub(crate) cost_against_other: Option<Estimate>,
    /// `None` for a log, which cannot know it.
    pub(crate) regret: Option<Regret>,
    /// Rows' worth of information (Kish); `None` for a table.
    pub(crate) effective_n: Option<f64>,
    /// The share of choices that the log could not have drawn.
    pub(crate) unsupported_share: Option<f64>,
}

/// Quality that was missed, per request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Regret {
    /// The model that turned out best on these rows.
    pub(crate) best_single: String,
    pub(crate) to_best_single: Estimate,
    /// To the best model of each request.
    pub(crate) to_oracle: Estimate,
    /// The first, summed over the rows.
    pub(crate) sum_to_best_single: f64,
}

/// A value with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Estimate {
    /// `None` where no row tells anything of the policy.
    pub(crate) value: Option<f64>,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) interval_kind: &'static str,
    pub(crate) interval_method: &'static str,
    /// Why it is not narrower.
    pub(crate) reasons: Vec<String>,
}

impl Estimate {
    pub(super) fn chosen(chosen: &Chosen) -> Self {
        let reasons = chosen.reasons.iter().map(ToString::to_string).collect();
        Self::of(chosen.value, &chosen.interval, reasons)
    }

    pub(super) fn mean(mean: &MeanValue) -> Self {
        Self::of(Some(mean.value), &mean.interval, Vec::new())
    }

    /// Of a running mean: with the chance of the level, it misses after no window at all.
    pub(super) fn anytime(value: Option<f64>, interval: &Interval) -> Self {
        let contradicted = (interval.method == IntervalMethod::WholeRange)
            .then(|| "the rows contradict what was stated of them".to_owned());
        let reasons = contradicted.into_iter().collect();
        Self { interval_kind: ANYTIME_VALID, ..Self::of(value, interval, reasons) }
    }

    fn of(value: Option<f64>, interval: &Interval, reasons: Vec<String>) -> Self {
        Self {
            value,
            lower: interval.lower,
            upper: interval.upper,
            interval_kind: interval.kind.name(),
            interval_method: interval.method.name(),
            reasons,
        }
    }
}

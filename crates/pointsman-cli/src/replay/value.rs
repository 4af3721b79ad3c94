//! What was decided, row by row, and what any stretch of it was worth.
//!
//! From a log, quality is estimated doubly robust with the predictions of the policy that decided,
//! and cost self-normalised, both with the default interval; differences are paired row by row. Of a
//! table, all are means. Each interval stands alone: of twenty, one may miss.

use super::{
    Question,
    contents::{Estimate, GateRow, Regret, Values},
    decide::Choice,
    logged::Logged,
    stream::{Known, Stream, Table},
};
use anyhow::{Context, Result, bail};
use pointsman_core::units::len_as_float;
use pointsman_eval::{
    bounds::{Evidence, Predicted, Rival, ValueRange},
    choice::default_interval,
    full::{mean_value, paired_difference},
    gate::{Condition, Wanted, decide},
    interval::ConfidenceLevel,
};
use pointsman_log::record::PropensityKind;
use std::ops::Range;

/// Mass on models that could not be drawn below this is rounding.
const ROUNDING: f64 = 1e-9;

/// All rows that were decided, in time order, and what each setting did with them.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Places in the stream.
    pub(super) rows: Vec<usize>,
    /// What was logged; empty for a table.
    pub(super) quality: Vec<f64>,
    /// NaN where it is not known.
    pub(super) cost_usd: Vec<f64>,
    /// The most that one request can cost.
    largest_cost_usd: f64,
    pub(super) settings: Vec<Columns>,
    /// The first setting's predictions, averaged over the second's choices.
    pub(super) expected_by_other: Vec<f64>,
}

/// What one setting did.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Of a log: importance weight, mass on models that could not be drawn, and predictions.
    pub(super) weight: Vec<f64>,
    pub(super) unsupported: Vec<f64>,
    pub(super) taken: Vec<f64>,
    pub(super) expected: Vec<f64>,
    /// Of a table: what its choices were worth.
    pub(super) quality: Vec<f64>,
    pub(super) cost_usd: Vec<f64>,
}

impl Ledger {
    /// An empty one.
    ///
    /// # Errors
    /// Where a row cost more than is stated that one can.
    pub(super) fn new(stream: &Stream, question: &Question) -> Result<Self> {
        let seen = match &stream.known {
            Known::Log(log) => {
                log.rows.iter().filter_map(|row| row.drawn().cost_usd).fold(0.0, f64::max)
            }
            Known::Table(table) => {
                let costs = table.cost_usd.iter().flatten().copied();
                costs.filter(|cost| cost.is_finite()).fold(0.0, f64::max)
            }
        };
        let stated = question.gate.largest_cost_usd;
        if let Some(stated) = stated.filter(|stated| *stated < seen) {
            bail!(
                "--largest-cost-usd {stated}: a decision cost {seen} dollars; state what one request \
                 can cost, not what it did"
            );
        }
        Ok(Self {
            rows: Vec::new(),
            quality: Vec::new(),
            cost_usd: Vec::new(),
            largest_cost_usd: stated.unwrap_or(seen),
            settings: question.settings.iter().map(|_| Columns::default()).collect(),
            expected_by_other: Vec::new(),
        })
    }

    /// The most that one request can cost, as stated or seen.
    pub(super) fn largest_cost_usd(&self) -> f64 {
        self.largest_cost_usd
    }

    pub(super) fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Notes one row and every setting's choice, in the order of the settings.
    pub(super) fn push(&mut self, stream: &Stream, row: usize, choices: &[&Choice]) {
        self.rows.push(row);
        match &stream.known {
            Known::Log(log) => self.push_logged(log, row, choices),
            Known::Table(table) => {
                for (columns, choice) in self.settings.iter_mut().zip(choices) {
                    columns.push_known(table, row, choice);
                }
            }
        }
    }

    fn push_logged(&mut self, log: &Logged, row: usize, choices: &[&Choice]) {
        let logged = log.rows[row].drawn();
        let n_models = log.models.len();
        let chances = &log.probabilities[row * n_models..][..n_models];
        self.quality.push(logged.quality);
        self.cost_usd.push(logged.cost_usd.unwrap_or(f64::NAN));
        let taken = usize::from(logged.taken);
        for (columns, choice) in self.settings.iter_mut().zip(choices) {
            columns.weight.push(choice.shares[taken] / logged.propensity);
            columns.unsupported.push(choice.unsupported(chances));
            columns.taken.push(choice.predicted[taken]);
            columns.expected.push(choice.expects().clamp(0.0, 1.0));
        }
        if let [first, second] = choices {
            self.expected_by_other.push(first.expects_of(second).clamp(0.0, 1.0));
        }
    }
}

impl Columns {
    fn push_known(&mut self, table: &Table, row: usize, choice: &Choice) {
        let n_models = choice.shares.len();
        let worth = |all: &[f64]| -> f64 {
            let outcomes = &all[row * n_models..][..n_models];
            // A model that is not taken does not count, known or not.
            let pairs = choice.shares.iter().zip(outcomes).filter(|(share, _)| 0.0 < **share);
            pairs.map(|(share, outcome)| share * outcome).sum()
        };
        self.quality.push(worth(&table.quality));
        self.cost_usd.push(table.cost_usd.as_deref().map_or(f64::NAN, worth));
    }

    fn unsupported_share(&self, range: &Range<usize>) -> f64 {
        let some = &self.unsupported[range.clone()];
        mean_share(some.iter().sum(), some.len())
    }
}

/// The mean of some shares from their sum.
pub(super) fn mean_share(total: f64, n_rows: usize) -> f64 {
    let share = total / len_as_float(n_rows.max(1));
    if share <= ROUNDING { 0.0 } else { share.min(1.0) }
}

/// Which column of a log is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reward {
    Quality,
    CostUsd,
}

/// Against what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    Nothing,
    Logged,
    Other,
}

/// What a stretch of the ledger says; `None` where it has fewer than two rows.
pub(super) fn values(
    ledger: &Ledger,
    stream: &Stream,
    range: &Range<usize>,
    level: ConfidenceLevel,
) -> Result<Option<Values>> {
    if range.len() < 2 {
        return Ok(None);
    }
    match &stream.known {
        Known::Log(_) => of_log(ledger, range, level).map(Some),
        Known::Table(table) => of_table(ledger, (table, &stream.models), range, level).map(Some),
    }
}

fn of_log(ledger: &Ledger, range: &Range<usize>, level: ConfidenceLevel) -> Result<Values> {
    let estimate = |reward: Reward, against: Against| -> Result<Option<Estimate>> {
        let Some(evidence) = ledger.evidence(range, reward, against)? else { return Ok(None) };
        Ok(Some(Estimate::chosen(&default_interval(&evidence, level, 1)?)))
    };
    let evidence = ledger.evidence(range, Reward::Quality, Against::Nothing)?;
    let quality = default_interval(&evidence.context("a row has no quality")?, level, 1)?;
    let n_rows = range.len();
    let mean = |all: &[f64]| all[range.clone()].iter().sum::<f64>() / len_as_float(n_rows);
    let logged_cost = mean(&ledger.cost_usd);
    Ok(Values {
        n_rows,
        quality: Estimate::chosen(&quality),
        cost_usd: estimate(Reward::CostUsd, Against::Nothing)?,
        logged_quality: Some(mean(&ledger.quality)),
        logged_cost_usd: Some(logged_cost).filter(|cost| cost.is_finite()),
        against_logged: estimate(Reward::Quality, Against::Logged)?,
        cost_against_logged: estimate(Reward::CostUsd, Against::Logged)?,
        against_other: estimate(Reward::Quality, Against::Other)?,
        cost_against_other: estimate(Reward::CostUsd, Against::Other)?,
        regret: None,
        effective_n: Some(quality.effective_n),
        unsupported_share: Some(ledger.settings[0].unsupported_share(range)),
    })
}

impl Ledger {
    /// The rows of a stretch with everything that is known of them; `None` where a cost is missing,
    /// all are free, or there is no other setting.
    pub(super) fn evidence(
        &self,
        range: &Range<usize>,
        reward: Reward,
        against: Against,
    ) -> Result<Option<Evidence<'_>>> {
        let own = &self.settings[0];
        let Some((values, value_range)) = self.outcomes(range, reward)? else { return Ok(None) };
        let (rival, missing) = match (against, self.settings.get(1)) {
            (Against::Other, None) => return Ok(None),
            (Against::Other, Some(other)) => {
                (Rival::Policy(&other.weight[range.clone()]), other.unsupported_share(range))
            }
            (Against::Nothing, _) => (Rival::Nothing, 0.0),
            (Against::Logged, _) => (Rival::Logged, 0.0),
        };
        let mut evidence =
            Evidence::new(&own.weight[range.clone()], values, value_range)?.against(rival)?;
        if reward == Reward::Quality {
            let by_other = self.expected_by_other.get(range.clone()).unwrap_or_default();
            evidence = evidence.with_predictions(Predicted {
                taken: &own.taken[range.clone()],
                expected: &own.expected[range.clone()],
                expected_by_rival: by_other,
            })?;
        }
        let share = own.unsupported_share(range).max(missing);
        Ok(Some(evidence.with_unsupported_share(share)?))
    }

    /// The same of the other setting's own value, without predictions.
    pub(super) fn evidence_of_other(
        &self,
        range: &Range<usize>,
        reward: Reward,
    ) -> Result<Option<Evidence<'_>>> {
        let Some(other) = self.settings.get(1) else { return Ok(None) };
        let Some((values, value_range)) = self.outcomes(range, reward)? else { return Ok(None) };
        let evidence = Evidence::new(&other.weight[range.clone()], values, value_range)?;
        Ok(Some(evidence.with_unsupported_share(other.unsupported_share(range))?))
    }

    /// What was logged, and the range it is known to keep; `None` where a cost is missing, or all
    /// are free.
    fn outcomes(
        &self,
        range: &Range<usize>,
        reward: Reward,
    ) -> Result<Option<(&[f64], ValueRange)>> {
        let (values, largest) = match reward {
            Reward::Quality => (&self.quality[range.clone()], 1.0),
            Reward::CostUsd => (&self.cost_usd[range.clone()], self.largest_cost_usd),
        };
        if largest <= 0.0 || values.iter().any(|value| value.is_nan()) {
            return Ok(None);
        }
        Ok(Some((values, ValueRange::new(0.0, largest)?)))
    }
}

fn of_table(
    ledger: &Ledger,
    (table, models): (&Table, &[String]),
    range: &Range<usize>,
    level: ConfidenceLevel,
) -> Result<Values> {
    let own = &ledger.settings[0];
    let other = ledger.settings.get(1);
    let quality = &own.quality[range.clone()];
    let has_costs = ledger
        .settings
        .iter()
        .all(|columns| columns.cost_usd[range.clone()].iter().all(|cost| cost.is_finite()));
    let cost = has_costs.then(|| &own.cost_usd[range.clone()]);
    let mean =
        |values: &[f64]| -> Result<Estimate> { Ok(Estimate::mean(&mean_value(values, level)?)) };
    let paired = |left: &[f64], right: &[f64]| -> Result<Estimate> {
        Ok(Estimate::mean(&paired_difference(left, right, level)?))
    };
    let against_other = other.map(|other| paired(quality, &other.quality[range.clone()]));
    let cost_against_other = match (cost, other) {
        (Some(cost), Some(other)) => Some(paired(cost, &other.cost_usd[range.clone()])?),
        (Some(_) | None, Some(_) | None) => None,
    };
    Ok(Values {
        n_rows: range.len(),
        quality: mean(quality)?,
        cost_usd: cost.map(mean).transpose()?,
        logged_quality: None,
        logged_cost_usd: None,
        against_logged: None,
        cost_against_logged: None,
        against_other: against_other.transpose()?,
        cost_against_other,
        regret: Some(regret((table, models), &ledger.rows[range.clone()], quality, level)?),
        effective_n: None,
        unsupported_share: None,
    })
}

/// What was missed against the model that turned out best on these rows, and against the best of
/// each row.
fn regret(
    (table, models): (&Table, &[String]),
    rows: &[usize],
    quality: &[f64],
    level: ConfidenceLevel,
) -> Result<Regret> {
    let n_models = models.len();
    let of_row = |row: usize| &table.quality[row * n_models..][..n_models];
    let mut totals = vec![0.0; n_models];
    for &row in rows {
        for (total, quality) in totals.iter_mut().zip(of_row(row)) {
            *total += quality;
        }
    }
    // Of equals, the first.
    let best = (0..n_models).rev().max_by(|&a, &b| totals[a].total_cmp(&totals[b])).unwrap_or(0);
    let single: Vec<f64> = rows.iter().map(|&row| of_row(row)[best]).collect();
    let oracle: Vec<f64> =
        rows.iter().map(|&row| of_row(row).iter().copied().fold(0.0, f64::max)).collect();
    let to_single = paired_difference(&single, quality, level)?;
    Ok(Regret {
        best_single: models[best].clone(),
        sum_to_best_single: to_single.value * len_as_float(rows.len()),
        to_best_single: Estimate::mean(&to_single),
        to_oracle: Estimate::mean(&paired_difference(&oracle, quality, level)?),
    })
}

/// What a gate would have said of the first setting on a stretch; `None` for a table, where nobody
/// was logged, and for fewer than two rows.
pub(super) fn gate(
    ledger: &Ledger,
    stream: &Stream,
    range: &Range<usize>,
    question: &Question,
) -> Result<Option<GateRow>> {
    let Known::Log(log) = &stream.known else { return Ok(None) };
    if range.len() < 2 {
        return Ok(None);
    }
    let margins = question.gate;
    let mut conditions = vec![Condition {
        wanted: Wanted::AtLeast(margins.quality),
        evidence: ledger.evidence(range, Reward::Quality, Against::Logged)?,
    }];
    if let Some(margin) = margins.cost_usd {
        // Without a stated largest cost a gate has nothing that its bound could rest on.
        let evidence = match margins.largest_cost_usd {
            Some(_) => ledger.evidence(range, Reward::CostUsd, Against::Logged)?,
            None => None,
        };
        conditions.push(Condition { wanted: Wanted::AtMost(margin), evidence });
    }
    let is_inexact = |&&row: &&usize| log.rows[row].propensity_kind != PropensityKind::Exact;
    let n_inexact = ledger.rows[range.clone()].iter().filter(is_inexact).count() as u64;
    let decision = decide(&conditions, n_inexact, question.level)?;
    Ok(Some(GateRow {
        verdict: decision.verdict.name(),
        doubts: decision.doubts.iter().map(ToString::to_string).collect(),
    }))
}

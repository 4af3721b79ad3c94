//! The means over all windows so far, with intervals that may be looked at after every window.
//!
//! Whoever reads a replay looks at each window in turn, so these are confidence sequences: with the
//! chance of the level an interval misses after no window at all. Each is for the mean, over the rows
//! so far, of what the policy that decided a row was worth there, given all that came before. Policies,
//! traffic and models may change on the way: bets against a mean are good for a running mean too,
//! since logarithms are concave (Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro, arXiv
//! 2210.10768). What must be true is that the logged propensities are right and that no outcome
//! leaves its range. Weakness: neither support nor a largest weight is stated, so predictions make
//! the means better and not the intervals narrower; and two policies are held against each other by
//! the intervals of both.

use super::{
    contents::{Estimate, Regret, Values},
    stream::{Known, Stream, Table},
    value::{Against, Ledger, Reward, mean_share},
};
use anyhow::Result;
use pointsman_core::units::len_as_float;
use pointsman_eval::{
    bounds::{BoundError, Evidence, ValueRange},
    interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod},
    sequence::Sequence,
};
use std::ops::Range;

/// One mean over everything so far.
#[derive(Debug, Default)]
struct Track {
    sequence: Option<Sequence>,
    extremes: (f64, f64),
    /// A window did not say; then no later one helps.
    is_lost: bool,
}

/// The means of a log.
#[derive(Debug, Default)]
struct OfLog {
    sums: LogSums,
    quality: Track,
    against_logged: Track,
    cost: Track,
    cost_against_logged: Track,
    /// The other setting's own.
    other: Track,
    other_cost: Track,
}

/// Sums over the rows of a log.
#[derive(Debug, Default)]
struct LogSums {
    n_rows: usize,
    logged_quality: f64,
    logged_cost: f64,
    /// Doubly robust values, of both settings.
    quality: [f64; 2],
    /// Weights, and weighted costs, of both settings.
    weight: [f64; 2],
    weighted_cost: [f64; 2],
    squared_weight: f64,
    unsupported: f64,
}

/// The means of a table.
#[derive(Debug, Default)]
struct OfTable {
    n_rows: usize,
    quality: Mean,
    cost: Mean,
    against_other: Mean,
    cost_against_other: Mean,
    /// What every row's best model had more.
    oracle: Mean,
    /// What each model had more.
    singles: Vec<Mean>,
}

/// A sum with the interval of its mean.
#[derive(Debug, Default)]
struct Mean {
    total: f64,
    track: Track,
}

/// All means so far.
#[derive(Debug)]
pub(super) struct Running {
    level: ConfidenceLevel,
    of_log: OfLog,
    of_table: OfTable,
}

impl Running {
    pub(super) fn new(level: ConfidenceLevel) -> Self {
        Self { level, of_log: OfLog::default(), of_table: OfTable::default() }
    }

    /// Adds the rows of a window, and says what all so far were worth; `None` of fewer than two.
    pub(super) fn extend(
        &mut self,
        ledger: &Ledger,
        stream: &Stream,
        range: &Range<usize>,
    ) -> Result<Option<Values>> {
        let Self { level, of_log, of_table } = self;
        match &stream.known {
            Known::Log(_) => {
                of_log.extend(ledger, range)?;
                if of_log.sums.n_rows < 2 { Ok(None) } else { of_log.values(*level).map(Some) }
            }
            Known::Table(table) => {
                of_table.extend(ledger, table, range, stream.models.len())?;
                if of_table.n_rows < 2 {
                    Ok(None)
                } else {
                    of_table.values(stream, *level).map(Some)
                }
            }
        }
    }
}

impl Track {
    /// Adds rows; `None` where something of them is not known.
    fn extend(&mut self, evidence: Option<Evidence<'_>>) -> Result<()> {
        let Some(evidence) = evidence.filter(|_| !self.is_lost) else {
            (self.is_lost, self.sequence) = (true, None);
            return Ok(());
        };
        self.extremes = evidence.extremes();
        match &mut self.sequence {
            Some(sequence) => sequence.extend(&evidence)?,
            None => self.sequence = Some(Sequence::start(&evidence)?),
        }
        Ok(())
    }

    /// The interval so far; the whole range where the rows contradict what was stated of them.
    fn interval(&self, level: ConfidenceLevel) -> Result<Option<Interval>> {
        let Some(sequence) = &self.sequence else { return Ok(None) };
        match sequence.interval(level) {
            Ok(interval) => Ok(Some(interval)),
            Err(BoundError::Contradiction { lower: _, upper: _ }) => {
                let (lower, upper) = self.extremes;
                let (method, kind) = (IntervalMethod::WholeRange, IntervalKind::FiniteSample);
                Ok(Some(Interval { lower, upper, level, method, kind }))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn estimate(&self, value: Option<f64>, level: ConfidenceLevel) -> Result<Option<Estimate>> {
        Ok(self.interval(level)?.map(|interval| Estimate::anytime(value, &interval)))
    }
}

impl OfLog {
    fn extend(&mut self, ledger: &Ledger, range: &Range<usize>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        self.sums.extend(ledger, range);
        let evidence = |reward, against| ledger.evidence(range, reward, against);
        self.quality.extend(evidence(Reward::Quality, Against::Nothing)?)?;
        self.against_logged.extend(evidence(Reward::Quality, Against::Logged)?)?;
        self.cost.extend(evidence(Reward::CostUsd, Against::Nothing)?)?;
        self.cost_against_logged.extend(evidence(Reward::CostUsd, Against::Logged)?)?;
        self.other.extend(ledger.evidence_of_other(range, Reward::Quality)?)?;
        self.other_cost.extend(ledger.evidence_of_other(range, Reward::CostUsd)?)
    }

    fn values(&self, level: ConfidenceLevel) -> Result<Values> {
        let Self { sums, quality, against_logged, cost, cost_against_logged, other, other_cost } =
            self;
        let n = len_as_float(sums.n_rows);
        let [own_quality, other_quality] = sums.quality.map(|total| total / n);
        let [own_cost, others_cost] = [sums.cost(0), sums.cost(1)];
        let logged_cost = sums.logged_cost / n;
        let less = |cost: Option<f64>, other: Option<f64>| Some(cost? - other?);
        let whole = Interval {
            lower: 0.0,
            upper: 1.0,
            level,
            method: IntervalMethod::WholeRange,
            kind: IntervalKind::FiniteSample,
        };
        Ok(Values {
            n_rows: sums.n_rows,
            quality: quality
                .estimate(Some(own_quality), level)?
                .unwrap_or_else(|| Estimate::anytime(Some(own_quality), &whole)),
            cost_usd: cost.estimate(own_cost, level)?,
            logged_quality: Some(sums.logged_quality / n),
            logged_cost_usd: Some(logged_cost).filter(|cost| cost.is_finite()),
            against_logged: against_logged
                .estimate(Some(own_quality - sums.logged_quality / n), level)?,
            cost_against_logged: cost_against_logged
                .estimate(less(own_cost, Some(logged_cost)), level)?,
            against_other: difference((quality, other), Some(own_quality - other_quality), level)?,
            cost_against_other: difference((cost, other_cost), less(own_cost, others_cost), level)?,
            regret: None,
            effective_n: Some(sums.effective_n()),
            unsupported_share: Some(mean_share(sums.unsupported, sums.n_rows)),
        })
    }
}

/// One mean less another, each bounded at half the error rate.
fn difference(
    (own, other): (&Track, &Track),
    value: Option<f64>,
    level: ConfidenceLevel,
) -> Result<Option<Estimate>> {
    let each = level.shared_among(2);
    let (Some(own), Some(other)) = (own.interval(each)?, other.interval(each)?) else {
        return Ok(None);
    };
    let (lower, upper) = (own.lower - other.upper, own.upper - other.lower);
    Ok(Some(Estimate::anytime(value, &Interval { lower, upper, level, ..own })))
}

impl LogSums {
    fn extend(&mut self, ledger: &Ledger, range: &Range<usize>) {
        self.n_rows += range.len();
        for row in range.clone() {
            let (quality, cost) = (ledger.quality[row], ledger.cost_usd[row]);
            self.logged_quality += quality;
            self.logged_cost += cost;
            let own = &ledger.settings[0];
            let error = quality - own.taken[row];
            self.quality[0] += own.expected[row] + own.weight[row] * error;
            self.squared_weight += own.weight[row] * own.weight[row];
            self.unsupported += own.unsupported[row];
            if let (Some(other), Some(expected)) =
                (ledger.settings.get(1), ledger.expected_by_other.get(row))
            {
                self.quality[1] += expected + other.weight[row] * error;
            }
            for (setting, columns) in ledger.settings.iter().take(2).enumerate() {
                self.weight[setting] += columns.weight[row];
                self.weighted_cost[setting] += columns.weight[row] * cost;
            }
        }
    }

    /// The self-normalised cost of a setting; `None` where a row has none, or no row has weight.
    fn cost(&self, setting: usize) -> Option<f64> {
        let cost = self.weighted_cost[setting] / self.weight[setting];
        Some(cost).filter(|cost| cost.is_finite())
    }

    /// Rows' worth of information (Kish).
    fn effective_n(&self) -> f64 {
        let [weight, _] = self.weight;
        if 0.0 < self.squared_weight { weight * weight / self.squared_weight } else { 0.0 }
    }
}

impl Mean {
    /// Adds values between two ends; `None` where they are not known.
    fn extend(&mut self, values: Option<&[f64]>, (lower, upper): (f64, f64)) -> Result<()> {
        let is_known = |values: &&[f64]| lower < upper && values.iter().all(|it| it.is_finite());
        let Some(values) = values.filter(is_known) else { return self.track.extend(None) };
        self.total += values.iter().sum::<f64>();
        let ones = vec![1.0; values.len()];
        self.track.extend(Some(Evidence::new(&ones, values, ValueRange::new(lower, upper)?)?))
    }

    fn estimate(&self, n_rows: usize, level: ConfidenceLevel) -> Result<Option<Estimate>> {
        self.track.estimate(Some(self.total / len_as_float(n_rows)), level)
    }
}

impl OfTable {
    fn extend(
        &mut self,
        ledger: &Ledger,
        table: &Table,
        range: &Range<usize>,
        n_models: usize,
    ) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        self.n_rows += range.len();
        self.singles.resize_with(n_models, Mean::default);
        let largest = ledger.largest_cost_usd();
        let of = |setting: usize| ledger.settings.get(setting);
        let less = |left: &[f64], right: &[f64]| -> Vec<f64> {
            left.iter().zip(right).map(|(left, right)| left - right).collect()
        };
        let quality = &ledger.settings[0].quality[range.clone()];
        let cost = &ledger.settings[0].cost_usd[range.clone()];
        let others = of(1).map(|other| less(quality, &other.quality[range.clone()]));
        let others_cost = of(1).map(|other| less(cost, &other.cost_usd[range.clone()]));
        self.quality.extend(Some(quality), (0.0, 1.0))?;
        self.cost.extend(Some(cost), (0.0, largest))?;
        self.against_other.extend(others.as_deref(), (-1.0, 1.0))?;
        self.cost_against_other.extend(others_cost.as_deref(), (-largest, largest))?;
        let known = |row: &usize| &table.quality[row * n_models..][..n_models];
        let rows = &ledger.rows[range.clone()];
        let best: Vec<f64> =
            rows.iter().map(|row| known(row).iter().copied().fold(0.0, f64::max)).collect();
        self.oracle.extend(Some(&less(&best, quality)), (-1.0, 1.0))?;
        for (model, single) in self.singles.iter_mut().enumerate() {
            let alone: Vec<f64> = rows.iter().map(|row| known(row)[model]).collect();
            single.extend(Some(&less(&alone, quality)), (-1.0, 1.0))?;
        }
        Ok(())
    }

    fn values(&self, stream: &Stream, level: ConfidenceLevel) -> Result<Values> {
        let n_rows = self.n_rows;
        let whole = |value: f64, lower: f64| {
            let (method, kind) = (IntervalMethod::WholeRange, IntervalKind::FiniteSample);
            let interval = Interval { lower, upper: 1.0, level, method, kind };
            Estimate::anytime(Some(value / len_as_float(n_rows)), &interval)
        };
        let known = |mean: &Mean, lower: f64, level: ConfidenceLevel| -> Result<Estimate> {
            Ok(mean.estimate(n_rows, level)?.unwrap_or_else(|| whole(mean.total, lower)))
        };
        // Of equals, the first.
        let total = |model: usize| self.singles[model].total;
        let n_models = self.singles.len();
        let best = (0..n_models).rev().max_by(|&a, &b| total(a).total_cmp(&total(b))).unwrap_or(0);
        let regret = match (self.singles.get(best), stream.models.get(best)) {
            (Some(single), Some(name)) => Some(Regret {
                best_single: name.clone(),
                // Which model is best is seen afterwards, so the intervals of all share the level.
                to_best_single: known(single, -1.0, level.shared_among(n_models))?,
                to_oracle: known(&self.oracle, -1.0, level)?,
                sum_to_best_single: single.total,
            }),
            (Some(_) | None, Some(_) | None) => None,
        };
        Ok(Values {
            n_rows,
            quality: known(&self.quality, 0.0, level)?,
            cost_usd: self.cost.estimate(n_rows, level)?,
            logged_quality: None,
            logged_cost_usd: None,
            against_logged: None,
            cost_against_logged: None,
            against_other: self.against_other.estimate(n_rows, level)?,
            cost_against_other: self.cost_against_other.estimate(n_rows, level)?,
            regret,
            effective_n: None,
            unsupported_share: None,
        })
    }
}

//! Mean cost and mean latency beside a value, with the intervals that they deserve.
//!
//! The intervals are the default ones, as those of quality. But a cost has no end of itself: only
//! where the most that one request can cost is stated does an interval rest on it. Where it is not,
//! the largest that was seen stands in its place, and an interval is given only where it is
//! asymptotic; one that has to hold at every number of rows is not. Weakness: a ruinous cost of which
//! the rows show nothing is in no asymptotic interval.

use super::{
    Used, diagnostic,
    logged_interval::{Shared, beyond_rounding, described},
    rewards::{CrossFitted, Levels},
};
use crate::{
    report::{Diagnostic, IntervalKind, MeanInterval, NO_INTERVAL_OF, ValueRow},
    wording,
};
use anyhow::{Result, bail};
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_eval::{
    bounds::{Evidence, Predicted, ValueRange},
    choice::{Chosen, default_interval},
    interval,
    rounds::Predictions,
};

/// The most that one request can cost or take, where that is stated.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Largest {
    pub(crate) cost_usd: Option<f64>,
    pub(crate) latency_ms: Option<f64>,
}

impl Largest {
    /// By the values of the flags.
    pub(crate) fn new(cost_usd: Option<f64>, latency_ms: Option<f64>) -> Result<Self> {
        for (flag, found) in
            [("--largest-cost-usd", cost_usd), ("--largest-latency-ms", latency_ms)]
        {
            if let Some(found) = found.filter(|found| !(found.is_finite() && 0.0 < *found)) {
                bail!("{flag}: {found} is not a finite number above 0");
            }
        }
        Ok(Self { cost_usd, latency_ms })
    }

    /// The same of requests that may ask for so many answers: latency is stated of one answer, cost
    /// of a whole request.
    pub(super) fn of_answers(self, most: u32) -> Self {
        let latency_ms = self.latency_ms.map(|largest| largest * f64::from(most));
        Self { latency_ms, ..self }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    CostUsd,
    LatencyMs,
}

impl Measure {
    fn name(self) -> &'static str {
        match self {
            Self::CostUsd => "cost",
            Self::LatencyMs => "latency",
        }
    }

    fn of(self, row: &LoggedRow) -> Option<f64> {
        match self {
            Self::CostUsd => row.cost_usd,
            Self::LatencyMs => row.latency_ms,
        }
    }

    /// What to state for an interval that holds at every number of rows.
    fn flag(self) -> &'static str {
        match self {
            Self::CostUsd => "the most that one request can cost, --largest-cost-usd",
            Self::LatencyMs => "the most that one answer can take, --largest-latency-ms",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::CostUsd => "dollars",
            Self::LatencyMs => "ms",
        }
    }
}

/// One measure on the used rows of a log.
#[derive(Debug)]
struct Column {
    measure: Measure,
    n_rows: usize,
    /// Of every used row, or how many have none.
    values: Result<Vec<f64>, usize>,
    /// The most that there can be, or that was seen.
    largest: f64,
    is_stated: bool,
}

/// Cost and latency on the used rows of a log.
#[derive(Debug)]
pub(super) struct Measures {
    cost_usd: Column,
    latency_ms: Column,
}

/// What carries a mean: a weight for each used row, and what is known of those weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carried<'a> {
    pub(super) weights: &'a [f64],
    pub(super) unsupported_share: Option<f64>,
    /// What is predicted of cost and latency, in this order.
    pub(super) predicted: [Option<&'a Predictions>; 2],
    pub(super) shared: Shared,
}

/// Mean cost and mean latency; `None` where a used row lacks one.
#[derive(Debug, Clone, Default)]
pub(super) struct Means {
    cost_usd: Option<Mean>,
    latency_ms: Option<Mean>,
}

#[derive(Debug, Clone)]
struct Mean {
    value: Option<f64>,
    interval: MeanInterval,
}

impl Measures {
    pub(super) fn of(log: &TrafficLog, used: &Used, largest: Largest) -> Result<Self> {
        let Largest { cost_usd, latency_ms } = largest;
        Ok(Self {
            cost_usd: Column::of(Measure::CostUsd, (log, used), cost_usd)?,
            latency_ms: Column::of(Measure::LatencyMs, (log, used), latency_ms)?,
        })
    }

    /// Each model's level in cost and in latency, in this order; `None` where a row lacks one.
    pub(super) fn levels<'f>(
        &self,
        fitted: &'f CrossFitted,
        (log, used): (&TrafficLog, &Used),
    ) -> [Option<Levels<'f>>; 2] {
        let of = |column: &Column| {
            let values = column.values.as_deref().ok()?;
            Some(fitted.levels(log, (&used.rows[..], values), column.largest))
        };
        [of(&self.cost_usd), of(&self.latency_ms)]
    }

    /// Both means under some weights.
    pub(super) fn means(&self, carried: &Carried<'_>) -> Result<Means> {
        let [cost_usd, latency_ms] = carried.predicted;
        Ok(Means {
            cost_usd: self.cost_usd.mean(carried, cost_usd)?,
            latency_ms: self.latency_ms.mean(carried, latency_ms)?,
        })
    }

    /// How many used rows lack a cost or a latency, where any does.
    pub(super) fn diagnostics(&self) -> Vec<Diagnostic> {
        [&self.cost_usd, &self.latency_ms].into_iter().filter_map(Column::missing).collect()
    }
}

impl Means {
    /// The mean cost, where it is known.
    pub(super) fn cost_usd(&self) -> Option<f64> {
        self.cost_usd.as_ref()?.value
    }

    /// Puts them beside a value, which is told where an interval is withheld.
    pub(super) fn put(&self, row: &mut ValueRow) {
        let interval = |mean: Option<&Mean>| {
            let Mean { value, interval } = mean?;
            value.map(|_| interval.clone())
        };
        row.cost_usd = self.cost_usd();
        row.cost_interval = interval(self.cost_usd.as_ref());
        row.latency_ms = self.latency_ms.as_ref().and_then(|mean| mean.value);
        row.latency_interval = interval(self.latency_ms.as_ref());
        let measures = [("cost", &row.cost_interval), ("latency", &row.latency_interval)];
        let notes: Vec<String> = measures
            .into_iter()
            .filter_map(|(name, interval)| Some((name, interval.as_ref()?)))
            .filter(|(_, interval)| interval.interval_kind == IntervalKind::Absent)
            .map(|(name, interval)| format!("{NO_INTERVAL_OF}{name}: {}", interval.note))
            .collect();
        for note in notes {
            if !row.note.is_empty() {
                row.note.push_str("; ");
            }
            row.note.push_str(&note);
        }
    }
}

/// Which intervals the cost and the latency of a value have.
pub(super) fn interval_diagnostics(row: &ValueRow) -> Vec<Diagnostic> {
    let measures =
        [("cost", row.cost_interval.as_ref()), ("latency", row.latency_interval.as_ref())];
    let of = |(measure, interval): (&str, Option<&MeanInterval>)| {
        let MeanInterval { interval_kind, interval_method, note, .. } = interval?;
        let method = match interval_kind {
            IntervalKind::Absent => "none",
            IntervalKind::Asymptotic | IntervalKind::FiniteSample => interval_method.as_str(),
        };
        let name = format!("`{}`: interval of {measure}", row.policy);
        Some(diagnostic(&name, method.to_owned(), note))
    };
    measures.into_iter().filter_map(of).collect()
}

impl Column {
    fn of(
        measure: Measure,
        (log, used): (&TrafficLog, &Used),
        stated: Option<f64>,
    ) -> Result<Self> {
        let rows = || used.rows.iter().map(|&row| &log.rows[row]);
        let values = complete(&rows().map(|row| measure.of(row)).collect::<Vec<_>>());
        if let (Ok(values), Some(stated)) = (&values, stated) {
            check_largest(log, used, values, (measure.unit(), stated))?;
        }
        let seen = values.iter().flatten().copied().fold(0.0, f64::max);
        // Where all is free, any end will do.
        let seen = if 0.0 < seen { seen } else { 1.0 };
        let largest = stated.unwrap_or(seen);
        Ok(Self { measure, n_rows: used.rows.len(), values, largest, is_stated: stated.is_some() })
    }

    fn mean(&self, carried: &Carried<'_>, predicted: Option<&Predictions>) -> Result<Option<Mean>> {
        let Ok(values) = &self.values else { return Ok(None) };
        let range = ValueRange::new(0.0, self.largest)?;
        let evidence = Evidence::new(carried.weights, values, range)?;
        // Each prediction is within the range; shares may add up to a little more than one.
        let within = |all: &[f64]| -> Vec<f64> {
            all.iter().map(|it| it.clamp(0.0, self.largest)).collect()
        };
        let columns = predicted.map(|it| (within(&it.taken), within(&it.expected)));
        let evidence = match &columns {
            Some((taken, expected)) => evidence.with_cross_fitted_predictions(Predicted {
                taken,
                expected,
                expected_by_rival: &[],
            })?,
            None => evidence,
        };
        let share = beyond_rounding(carried.unsupported_share);
        let evidence = evidence.with_unsupported_share(share)?;
        let Shared { level, n_candidates } = carried.shared;
        let chosen = default_interval(&evidence, level, n_candidates)?;
        Ok(Some(Mean { value: chosen.value, interval: self.interval(&chosen) }))
    }

    fn interval(&self, chosen: &Chosen) -> MeanInterval {
        let interval::Interval { lower, upper, kind, method, level: _ } = chosen.interval;
        if self.is_stated || kind == interval::IntervalKind::Asymptotic {
            return MeanInterval {
                lower: Some(lower),
                upper: Some(upper),
                interval_kind: IntervalKind::of(kind),
                interval_method: method.name().to_owned(),
                note: described(chosen),
            };
        }
        let reasons: Vec<String> = chosen.reasons.iter().map(ToString::to_string).collect();
        MeanInterval {
            lower: None,
            upper: None,
            interval_kind: IntervalKind::Absent,
            interval_method: String::new(),
            note: format!("{}; an interval needs {}", reasons.join("; "), self.measure.flag()),
        }
    }

    fn missing(&self) -> Option<Diagnostic> {
        let n_missing = self.values.as_ref().err()?;
        let (name, n_rows) = (self.measure.name(), wording::length(self.n_rows));
        let meaning =
            format!("of {n_rows}; missing, not counted as zero, so no mean {name} is given");
        Some(diagnostic(&format!("without {name}"), wording::length(*n_missing), &meaning))
    }
}

/// All values, or how many are missing.
pub(super) fn complete(column: &[Option<f64>]) -> Result<Vec<f64>, usize> {
    let all: Option<Vec<f64>> = column.iter().copied().collect();
    all.ok_or_else(|| column.iter().filter(|value| value.is_none()).count())
}

/// Refuses a stated largest value that a row exceeds.
pub(super) fn check_largest(
    log: &TrafficLog,
    used: &Used,
    values: &[f64],
    (unit, largest): (&str, f64),
) -> Result<()> {
    if let Some(at) = values.iter().position(|&value| largest < value) {
        bail!(
            "decision `{}` took {} {unit}, above the stated largest {largest}; state what one \
             request can take, not what it did",
            log.rows[used.rows[at]].id,
            values[at]
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;

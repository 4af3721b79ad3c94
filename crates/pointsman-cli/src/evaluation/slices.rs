//! Where a policy gains and where it loses, by kind of request.
//!
//! Each slice is valued against what was logged on its own rows; all intervals hold together, so
//! that a slice does not look good or bad by being one of many. Weakness: what a log says of small
//! slices is little, and their intervals are as wide as that deserves.

use super::{
    Settings, Used,
    logged::{Reward, Target, rounds},
    logged_interval::{self, Shared, With},
};
use crate::report::{IntervalKind, SliceRow};
use anyhow::Result;
use clap::ValueEnum;
use pointsman_core::units::len_as_float;
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_eval::{bounds::Rival, diagnostics::diagnose};
use std::collections::BTreeMap;

/// What requests are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SliceBy {
    /// The tag `task`.
    Task,
    /// Tokens of the prompt, by powers of ten.
    Length,
}

impl SliceBy {
    fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Length => "length",
        }
    }

    fn of(self, row: &LoggedRow) -> String {
        match self {
            Self::Task => row.task.clone().unwrap_or_else(|| "(no task)".to_owned()),
            Self::Length => match row.input_tokens {
                None => "(tokens unknown)".to_owned(),
                Some(0..100) => "below 100 tokens".to_owned(),
                Some(100..1000) => "100 to 999 tokens".to_owned(),
                Some(1000..10_000) => "1,000 to 9,999 tokens".to_owned(),
                Some(10_000..) => "10,000 tokens or more".to_owned(),
            },
        }
    }
}

/// Every slice of every kind that was asked for.
pub(super) fn slices(
    policy: &str,
    log: &TrafficLog,
    used: &Used,
    target: &Target,
    settings: &Settings,
) -> Result<Vec<SliceRow>> {
    let mut all: Vec<(SliceBy, String, Vec<usize>)> = Vec::new();
    for &by in &settings.slices {
        let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for &row in &used.rows {
            rows.entry(by.of(&log.rows[row])).or_default().push(row);
        }
        all.extend(rows.into_iter().map(|(slice, rows)| (by, slice, rows)));
    }
    let n_candidates = all.len() * settings.policies.len();
    let shared = Shared { level: settings.level, n_candidates };
    let mut found = Vec::with_capacity(all.len());
    for (by, slice, rows) in all {
        let used = Used { rows, ..Used::default() };
        let rounds = rounds(log, &used, target, Reward::Quality)?;
        let missing = diagnose(&rounds, None).unsupported_mass_share;
        let with = With::Predictions;
        let chosen = logged_interval::of_quality(&rounds, missing, Rival::Logged, with, shared)?;
        found.push(SliceRow {
            policy: policy.to_owned(),
            by: by.name(),
            slice,
            n_rows: rounds.n_rows(),
            logged: rounds.reward().iter().sum::<f64>() / len_as_float(rounds.n_rows()),
            difference: chosen.value,
            lower: chosen.interval.lower,
            upper: chosen.interval.upper,
            interval_kind: IntervalKind::of(chosen.interval.kind),
            interval_method: chosen.interval.method.name().to_owned(),
            note: logged_interval::described(&chosen),
        });
    }
    Ok(found)
}

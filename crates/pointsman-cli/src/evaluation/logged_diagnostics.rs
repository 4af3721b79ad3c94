//! What a log is good for, and for which policy, in numbers with their meaning.

use super::{Used, diagnostic};
use crate::{
    report::{Diagnostic, ValueRow},
    wording,
};
use pointsman_data::TrafficLog;
use pointsman_eval::diagnostics::Diagnostics;

pub(super) fn of_log(log: &TrafficLog, used: &Used) -> Vec<Diagnostic> {
    let mut all = vec![
        diagnostic("decisions read", wording::count(log.n_decisions_read), "in all files"),
        diagnostic(
            "decisions used",
            wording::length(used.rows.len()),
            "with outcome and propensity",
        ),
        diagnostic(
            "without outcome",
            wording::count(log.n_without_outcome),
            "missing, not counted as failures",
        ),
    ];
    for (reason, n) in &log.dropped {
        all.push(diagnostic("rows dropped", wording::count(*n), reason));
    }
    all
}

/// Which interval the first value of a policy has.
pub(super) fn of_interval(name: &str, row: &ValueRow) -> Diagnostic {
    diagnostic(
        &format!("`{name}`: interval of {}", row.estimator),
        row.interval_method.clone(),
        row.own_note(),
    )
}

pub(super) fn of_policy(name: &str, found: &Diagnostics) -> Vec<Diagnostic> {
    let named = |what: &str| format!("`{name}`: {what}");
    let mut all = vec![
        diagnostic(
            &named("effective rows"),
            format!("{:.0}", found.effective_n),
            "rows' worth of information about this policy (Kish)",
        ),
        diagnostic(
            &named("largest weight"),
            format!("{:.2}", found.largest_weight),
            "how much one row can count",
        ),
    ];
    if let Some(weight) = &found.mean_weight {
        let value = format!("{:.4} (z = {:+.2})", weight.mean, weight.z_score);
        all.push(diagnostic(&named("mean weight"), value, "1 where propensities are right"));
    }
    if let Some(share) = found.unsupported_mass_share {
        let value = format!("{:.2} %", 100.0 * share);
        all.push(diagnostic(
            &named("unsupported"),
            value,
            "of its choices, models the log could not have drawn",
        ));
    }
    all
}

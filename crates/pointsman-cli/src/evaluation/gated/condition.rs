//! One condition of the gate as a row of its table, and as data.

use super::evidence::{Measured, Metric};
use crate::wording;
use pointsman_eval::gate::{Finding, Wanted};
use serde::Serialize;

/// A condition with what was found, for people and for files.
#[derive(Debug, Serialize)]
pub(super) struct ConditionRow {
    pub(super) metric: Metric,
    pub(super) wanted: &'static str,
    pub(super) margin: f64,
    pub(super) answer: &'static str,
    pub(super) difference: Option<Bounded>,
    /// The largest value of one row that the bounds rest on.
    pub(super) largest: Option<f64>,
    pub(super) method: Option<&'static str>,
    pub(super) kind: Option<&'static str>,
    /// Why the bounds are not narrower, or why there are none.
    pub(super) reasons: Vec<String>,
    pub(super) more_outcomes: Option<f64>,
}

/// An estimate between two one-sided bounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Bounded {
    pub(super) value: Option<f64>,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

impl ConditionRow {
    pub(super) fn new(measured: &Measured, finding: &Finding) -> Self {
        let bounds = finding.bounds.as_ref();
        let shown = bounds.map(|(lower, upper)| match measured.wanted {
            Wanted::AtLeast(_) => lower,
            Wanted::AtMost(_) => upper,
        });
        Self {
            metric: measured.metric,
            wanted: match measured.wanted {
                Wanted::AtLeast(_) => "at_least",
                Wanted::AtMost(_) => "at_most",
            },
            margin: measured.wanted.margin(),
            answer: finding.answer.name(),
            difference: bounds.map(|(lower, upper)| Bounded {
                value: lower.value,
                lower: lower.bound.bound,
                upper: upper.bound.bound,
            }),
            largest: measured.values.as_ref().ok().map(|(_, largest)| *largest),
            method: shown.map(|it| it.bound.method.name()),
            kind: shown.map(|it| it.bound.kind.name()),
            reasons: match (&measured.values, shown) {
                (Err(reason), _) => vec![reason.clone()],
                (Ok(_), Some(it)) => it.reasons.iter().map(ToString::to_string).collect(),
                (Ok(_), None) => Vec::new(),
            },
            more_outcomes: finding.more_rows,
        }
    }

    pub(super) fn metric_words(&self) -> &'static str {
        match self.metric {
            Metric::Quality => "quality",
            Metric::CostUsd => "cost",
            Metric::LatencyMs => "latency",
        }
    }

    fn number(&self, value: f64) -> String {
        match self.metric {
            Metric::Quality => format!("{value:+.4}"),
            Metric::CostUsd => signed_dollars(value, 6),
            Metric::LatencyMs => format!("{value:+.1} ms"),
        }
    }

    pub(super) fn cells(&self) -> [String; 6] {
        let number =
            |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| self.number(value));
        let of =
            |pick: fn(&Bounded) -> Option<f64>| number(self.difference.as_ref().and_then(pick));
        let side = if self.wanted == "at_least" { "≥" } else { "≤" };
        [
            self.metric_words().to_owned(),
            of(|it| it.value),
            of(|it| Some(it.lower)),
            of(|it| Some(it.upper)),
            format!("{side} {}", self.number(self.margin)),
            self.answer.to_owned(),
        ]
    }

    /// Which bounds these are, and why.
    pub(super) fn note(&self) -> String {
        let metric = self.metric_words();
        let (Some(method), Some(kind)) = (self.method, self.kind) else {
            return format!("{metric} is not measured: {}", self.reasons.join("; "));
        };
        let mut note = format!("{metric}: {method}, {kind}");
        if let Some(largest) = self.largest {
            let largest = wording::digits(largest);
            match self.metric {
                Metric::Quality => {}
                Metric::CostUsd => note.push_str(&format!(", one request at most ${largest}")),
                Metric::LatencyMs => note.push_str(&format!(", one request at most {largest} ms")),
            }
        }
        if !self.reasons.is_empty() {
            note.push_str(&format!(" ({})", self.reasons.join("; ")));
        }
        note
    }
}

pub(super) fn signed_dollars(value: f64, digits: usize) -> String {
    let sign = if value < 0.0 { '-' } else { '+' };
    let number = format!("{:.digits$}", value.abs());
    let (whole, rest) = number.split_once('.').unwrap_or((&number, ""));
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}${}{point}{rest}", wording::grouped(whole))
}

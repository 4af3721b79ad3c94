//! Counts of what the service does, as Prometheus reads them.
//!
//! Source: the text format 0.0.4, <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use crate::problem::{Code, Problem};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Upper ends of the histogram of decision times, in microseconds.
const BUCKETS_US: [u64; 10] = [5, 10, 20, 50, 100, 250, 1_000, 5_000, 25_000, 100_000];

/// Counters of a service.
#[derive(Debug, Default)]
// On cache lines of its own: every call writes to it, and what stands beside it is only read.
#[repr(align(128))]
pub(crate) struct Metrics {
    pub(crate) n_decisions: AtomicU64,
    pub(crate) n_explored: AtomicU64,
    pub(crate) n_steps: AtomicU64,
    pub(crate) n_escalated: AtomicU64,
    pub(crate) n_unlogged: AtomicU64,
    pub(crate) n_unknown_fields: AtomicU64,
    pub(crate) n_outcomes: AtomicU64,
    pub(crate) n_outcomes_again: AtomicU64,
    pub(crate) n_outcomes_late: AtomicU64,
    pub(crate) n_reloads: AtomicU64,
    pub(crate) n_reloads_refused: AtomicU64,
    pub(crate) n_panics: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    decision_buckets: [AtomicU64; BUCKETS_US.len()],
    decision_ns: AtomicU64,
    problems: [AtomicU64; Code::ALL.len()],
    drawn: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

pub(crate) fn up(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Metrics {
    pub(crate) fn problem(&self, problem: &Problem) {
        if let Some(index) = Code::ALL.iter().position(|&code| code == problem.code()) {
            up(&self.problems[index]);
        }
    }

    /// Counts keys of a body that were passed over without being known.
    pub(crate) fn unknown_fields(&self, n: u32) {
        if 0 < n {
            self.n_unknown_fields.fetch_add(u64::from(n), Ordering::Relaxed);
        }
    }

    pub(crate) fn decision(&self, took_ns: u64) {
        up(&self.n_decisions);
        self.decision_ns.fetch_add(took_ns, Ordering::Relaxed);
        if let Some(index) = BUCKETS_US.iter().position(|&most| took_ns <= 1000 * most) {
            up(&self.decision_buckets[index]);
        }
    }

    /// The counter of a model's draws, which outlives the policy.
    pub(crate) fn drawn(&self, model: &str) -> Arc<AtomicU64> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(drawn.entry(model.to_owned()).or_default())
    }

    /// Every model's draws, in the order of the names.
    pub(crate) fn all_drawn(&self) -> Vec<(String, u64)> {
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let count =
            |(model, n): (&String, &Arc<AtomicU64>)| (model.clone(), n.load(Ordering::Relaxed));
        drawn.iter().map(count).collect()
    }

    /// Calls that were refused, by code; only those that were.
    pub(crate) fn all_problems(&self) -> Vec<(&'static str, u64)> {
        let all = Code::ALL.iter().zip(&self.problems);
        let counted = all.map(|(code, n)| (code.name(), n.load(Ordering::Relaxed)));
        counted.filter(|&(_, n)| 0 < n).collect()
    }

    /// The time that all decisions took together.
    pub(crate) fn all_decision_ns(&self) -> u64 {
        self.decision_ns.load(Ordering::Relaxed)
    }

    /// Everything, with further gauges.
    pub(crate) fn write(&self, gauges: &[(&str, &str, f64)]) -> String {
        let mut out = String::new();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for (name, help, counter) in [
            ("decisions_total", "Decisions made.", &self.n_decisions),
            (
                "explored_total",
                "Decisions that drew another than the best model.",
                &self.n_explored,
            ),
            ("steps_total", "Decisions after an answer.", &self.n_steps),
            ("escalated_total", "Of these, those that called another model.", &self.n_escalated),
            ("unlogged_total", "Decisions that are not in the journal.", &self.n_unlogged),
            (
                "unknown_fields_total",
                "Keys of calls that nobody here knows, and that were passed over.",
                &self.n_unknown_fields,
            ),
            ("outcomes_total", "Outcomes taken.", &self.n_outcomes),
            ("outcomes_again_total", "Outcomes that were known already.", &self.n_outcomes_again),
            ("outcomes_late_total", "Outcomes that came late.", &self.n_outcomes_late),
            ("reloads_total", "Policies put in force.", &self.n_reloads),
            ("reloads_refused_total", "Policies that were refused.", &self.n_reloads_refused),
            ("panics_total", "Calls that ended in a bug.", &self.n_panics),
        ] {
            header(&mut out, name, help, "counter");
            let _written = writeln!(out, "pointsman_{name} {}", of(counter));
        }
        header(&mut out, "problems_total", "Calls that were refused, by code.", "counter");
        for (code, counter) in Code::ALL.iter().zip(&self.problems) {
            let _written = writeln!(
                out,
                "pointsman_problems_total{{code=\"{}\",status=\"{}\"}} {}",
                code.name(),
                code.status().as_u16(),
                of(counter)
            );
        }
        header(&mut out, "drawn_total", "Decisions, by the model that was drawn.", "counter");
        for (model, counter) in &*self.drawn.lock().unwrap_or_else(PoisonError::into_inner) {
            let model = model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _written =
                writeln!(out, "pointsman_drawn_total{{model=\"{model}\"}} {}", of(counter));
        }
        self.write_histogram(&mut out);
        for (name, help, value) in gauges {
            header(&mut out, name, help, "gauge");
            let _written = writeln!(out, "pointsman_{name} {value}");
        }
        header(&mut out, "in_flight", "Calls that are being answered.", "gauge");
        let _written = writeln!(out, "pointsman_in_flight {}", of(&self.in_flight));
        out
    }

    fn write_histogram(&self, out: &mut String) {
        let name = "decision_seconds";
        header(out, name, "From the body of a call to its record and reply.", "histogram");
        let mut so_far = 0;
        for (most, counter) in BUCKETS_US.iter().zip(&self.decision_buckets) {
            so_far += counter.load(Ordering::Relaxed);
            let (whole, rest) = (most / 1_000_000, most % 1_000_000);
            let _written =
                writeln!(out, "pointsman_{name}_bucket{{le=\"{whole}.{rest:06}\"}} {so_far}");
        }
        let n = self.n_decisions.load(Ordering::Relaxed);
        let ns = self.decision_ns.load(Ordering::Relaxed);
        let _written = writeln!(
            out,
            "pointsman_{name}_bucket{{le=\"+Inf\"}} {n}\npointsman_{name}_sum {}.{:09}\npointsman_{name}_count {n}",
            ns / 1_000_000_000,
            ns % 1_000_000_000
        );
    }
}

fn header(out: &mut String, name: &str, help: &str, kind: &str) {
    let _written = writeln!(out, "# HELP pointsman_{name} {help}\n# TYPE pointsman_{name} {kind}");
}

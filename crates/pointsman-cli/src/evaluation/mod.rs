//! What policies would have done, on an outcome table or on a log, as one report.

mod answered;
mod cascades;
mod enough;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod gated;
mod language;
pub(crate) mod logged;
mod logged_diagnostics;
mod logged_interval;
mod logged_values;
mod logged_verdict;
mod measures;
mod moves;
mod overlap;
mod reward_flags;
mod rewards;
mod slices;
pub(crate) mod table;
mod table_differences;
mod table_plots;
mod target;
mod undrawn;

use self::logged_interval::Shared;
use crate::{
    estimated::Estimating,
    load,
    policy_flags::LoadedPolicy,
    report::{
        Diagnostic, GeneratedBy, IntervalKind, ProvenanceEntry, ValueRow, Verdict, VerdictKind,
    },
    screen::Screen,
    what_if::WhatIf,
    wording,
};
use anyhow::{Result, bail};
use pointsman_core::{
    artifact::Artifact,
    catalog::Catalog,
    circumstances::{Circumstances, Outlook},
    features::FeatureSchema,
    policy::{Policy, Workspace},
};
use pointsman_data::{Asked, TrafficLog};
use pointsman_eval::interval::{ConfidenceLevel, Interval};
use std::{borrow::Cow, collections::BTreeSet, path::PathBuf};

pub(crate) use self::{
    measures::Largest,
    reward_flags::{RewardFlags, RewardModel},
    slices::{SliceBy, tags},
};

/// A quality that is known to this width answers most questions.
pub(crate) const WIDTH: f64 = 0.02;

/// What is evaluated, and how.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) policies: Vec<LoadedPolicy>,
    /// What requests move away from; what was logged, or the best single model of a table, where
    /// it is `None`.
    pub(crate) against: Option<LoadedPolicy>,
    pub(crate) level: ConfidenceLevel,
    /// Also use rows that a policy was trained on.
    pub(crate) include_trained: bool,
    /// How narrow an interval of quality has to be to answer; for logs that were not drawn.
    pub(crate) width: f64,
    /// How unknown propensities are estimated, if they are.
    pub(crate) estimating: Option<Estimating>,
    /// Who predicts quality for doubly robust values from a log.
    pub(crate) reward_model: RewardModel,
    /// The most that one request of a log can cost or take.
    pub(crate) largest: Largest,
    /// What requests are told apart by.
    pub(crate) slices: Vec<SliceBy>,
    /// What is other than it was.
    pub(crate) what_if: WhatIf,
    /// The catalog under it, where there is one.
    pub(crate) catalog: Option<Catalog>,
    /// The command, for the report.
    pub(crate) command: String,
}

impl Settings {
    /// The policies, and the one that they are held against.
    fn all_policies(&self) -> impl Iterator<Item = &LoadedPolicy> {
        self.policies.iter().chain(&self.against)
    }

    /// The level that the intervals of all policies hold together.
    fn shared(&self) -> Shared {
        Shared { level: self.level, n_candidates: self.policies.len() }
    }

    /// That they share it, where they are several.
    fn shared_words(&self) -> Option<String> {
        let n = self.policies.len();
        (1 < n).then(|| {
            format!(
                "the default intervals (DR, SNIPS) of the {n} policies share the misses, so that \
                 all hold at once with {} % confidence; those of IPS, of single models and of \
                 the log stand alone",
                100.0 * self.level.get()
            )
        })
    }
}

/// One policy's distributions and predictions over all requests of a source, in its order.
#[derive(Debug)]
struct Recorder<'p> {
    name: &'p str,
    policy: &'p Policy,
    artifact: &'p Artifact,
    denied: &'p [Cow<'static, str>],
    /// Whether the answers that its first decisions lead to may be followed by others.
    outlook: Outlook,
    workspace: Workspace,
    n_models: usize,
    /// Shape `(n_requests, n_models)`, all zeros where no model may answer.
    probability: Vec<f64>,
    quality: Vec<f64>,
    cost_usd: Vec<f64>,
    /// Where requests are trajectories: what the policy would have done after the answers of each.
    later: Option<Vec<Vec<cascades::LaterStep>>>,
}

impl<'p> Recorder<'p> {
    fn new(loaded: &'p LoadedPolicy) -> Self {
        let policy = &loaded.policy;
        Self {
            name: &loaded.name,
            policy,
            artifact: &loaded.artifact,
            denied: &loaded.denied,
            outlook: Outlook::FinalAnswer,
            workspace: Workspace::new(policy),
            n_models: policy.models().len(),
            probability: Vec::new(),
            quality: Vec::new(),
            cost_usd: Vec::new(),
            later: None,
        }
    }

    /// Decides the next request. A request that no model may answer leaves a row of zeros.
    fn push(&mut self, asked: Asked<'_, '_>) {
        let (policy, workspace) = (self.policy, &mut self.workspace);
        // The error says no more than the row of zeros does.
        let around = &Circumstances { outlook: self.outlook, ..policy.circumstances() };
        let (Ok(()) | Err(_)) = match asked {
            Asked::Text(request) => {
                policy.distribute_in(around, &request.denying(self.denied), workspace).map(|_| ())
            }
            Asked::Features(request, features) => {
                let request = request.denying(self.denied);
                policy.distribute_read(around, (&request, &features), workspace)
            }
        };
        for candidate in self.workspace.candidates() {
            self.probability.push(candidate.probability.min(1.0));
            self.quality.push(candidate.expected.quality);
            let cost = candidate.expected.cost.map_or(0.0, pointsman_core::units::Usd::as_dollars);
            self.cost_usd.push(cost);
        }
    }

    fn span(&self, request: usize) -> std::ops::Range<usize> {
        request * self.n_models..(request + 1) * self.n_models
    }

    /// Whether any model may answer the request.
    fn can_answer(&self, request: usize) -> bool {
        self.probability[self.span(request)].iter().any(|&probability| 0.0 < probability)
    }

    /// Whether the policy was trained on the row, or on its conversation or an equal prompt.
    fn was_trained_on(&self, row: &str, group: u64) -> bool {
        let card = self.artifact.card();
        let ids = [card.row_id(row), card.row_id(&load::group_id(group))];
        ids.into_iter().any(|id| self.artifact.was_trained_on(id))
    }

    /// For each of `models`, its place among the policy's.
    fn places(&self, models: &[String]) -> Vec<Option<usize>> {
        models.iter().map(|name| self.policy.models().position(|known| known == name)).collect()
    }
}

/// The schema that all policies read requests by; `None` where they differ, so that features cannot
/// stand in for a text.
fn shared_schema(recorders: &[Recorder<'_>]) -> Option<FeatureSchema> {
    let mut schemas = recorders.iter().map(|recorder| recorder.policy.scorer().schema());
    let first = schemas.next()?;
    schemas.all(|schema| schema == first).then_some(first)
}

/// Reads a source of about so many requests, where that is known, every recorder deciding each
/// request as it comes by.
fn decide_all<T>(
    recorders: &mut [Recorder<'_>],
    (screen, n_about): (&Screen, impl FnOnce() -> Option<u64>),
    read: impl FnOnce(&mut dyn FnMut(Asked<'_, '_>)) -> Result<T>,
) -> Result<T> {
    let bar = screen.progress_about("deciding", n_about);
    let source = read(&mut |asked| {
        for recorder in recorders.iter_mut() {
            recorder.push(asked);
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    source
}

/// Rows that take part, and how many do not.
#[derive(Debug, Default)]
struct Used {
    rows: Vec<usize>,
    n_trained_on: u64,
    /// Rows that a policy was trained on and that may take part all the same.
    trained_on: BTreeSet<usize>,
    n_unanswerable: u64,
    /// Rows that are not of the traffic that is asked about.
    n_outside: u64,
}

/// The rows that every policy can answer and none was trained on.
fn used_rows<'r>(
    recorders: &[Recorder<'_>],
    requests: impl Iterator<Item = (usize, &'r str, u64)>,
    include_trained: bool,
) -> Used {
    let mut used = Used::default();
    for (request, id, group) in requests {
        let is_trained_on = |recorder: &Recorder<'_>| recorder.was_trained_on(id, group);
        let is_stale = recorders.iter().any(is_trained_on);
        if include_trained && is_stale {
            used.trained_on.insert(request);
        }
        if !include_trained && is_stale {
            used.n_trained_on += 1;
        } else if recorders.iter().all(|recorder| recorder.can_answer(request)) {
            used.rows.push(request);
        } else {
            used.n_unanswerable += 1;
        }
    }
    used
}

impl Used {
    /// Leaves out decisions that were not drawn, and counts them as dropped for `reason`.
    fn leave_out_undrawn(&mut self, log: &mut TrafficLog, reason: &str) {
        let n_before = self.rows.len();
        self.rows.retain(|&row| log.rows[row].is_drawn());
        let n_left_out = n_before - self.rows.len();
        if 0 < n_left_out {
            log.dropped.insert(reason.to_owned(), n_left_out as u64);
        }
    }

    /// The rows of the traffic that is asked about, by their ids and tasks; and what that left.
    fn in_traffic<'t>(
        &mut self,
        what_if: &WhatIf,
        of: impl Fn(usize) -> (&'t str, Option<&'t str>),
    ) -> Option<String> {
        let n_before = self.rows.len();
        self.rows.retain(|&row| {
            let (id, task) = of(row);
            what_if.keeps(id, task)
        });
        self.n_outside = (n_before - self.rows.len()) as u64;
        what_if.kept(self.rows.len(), n_before)
    }

    /// No verdict to route rests on rows that the policy was trained on.
    fn fair(&self, verdict: Verdict) -> Verdict {
        if self.n_flattering() == 0 {
            return verdict;
        }
        let numbers = verdict.sentence.split_once(": ").map_or("", |(_, numbers)| numbers);
        let sentence =
            format!("Cannot tell: the test includes training data, which flatters it: {numbers}");
        Verdict { kind: VerdictKind::CannotTell, sentence }
    }
}

/// A row of the value table.
fn value_row(
    policy: &str,
    estimator: &str,
    (value, interval): (f64, &Interval),
    cost_usd: Option<f64>,
) -> ValueRow {
    ValueRow {
        policy: policy.to_owned(),
        estimator: estimator.to_owned(),
        value: Some(value),
        lower: Some(interval.lower),
        upper: Some(interval.upper),
        interval_kind: IntervalKind::of(interval.kind),
        interval_method: interval.method.name().to_owned(),
        cost_usd,
        cost_interval: None,
        latency_ms: None,
        latency_interval: None,
        effective_n: None,
        note: String::new(),
    }
}

fn diagnostic(name: &str, value: String, meaning: &str) -> Diagnostic {
    Diagnostic { name: name.to_owned(), value, meaning: meaning.to_owned() }
}

/// How to make the report again.
fn generated_by(settings: &Settings) -> GeneratedBy {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    GeneratedBy { command: settings.command.clone(), version }
}

/// The files of a source, on one line.
fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Refuses changes to models that no policy knows.
fn check_what_if(settings: &Settings) -> Result<()> {
    let known = settings.policies.iter().flat_map(|loaded| loaded.policy.models());
    settings.what_if.check_known(known)?;
    for loaded in &settings.policies {
        for twin in settings.what_if.twins() {
            if !loaded.policy.models().any(|known| known == twin) {
                bail!(
                    "--with {twin}: the policy `{}` has learned nothing about the model that it is \
                     to be like",
                    loaded.name
                );
            }
        }
    }
    Ok(())
}

/// Where the policies come from.
fn provenance(settings: &Settings, source: &[(&str, String)]) -> Vec<ProvenanceEntry> {
    let entry = |key: &str, value: String| ProvenanceEntry { key: key.to_owned(), value };
    let mut entries: Vec<ProvenanceEntry> =
        source.iter().map(|(key, value)| entry(key, value.clone())).collect();
    for loaded in settings.all_policies() {
        let (name, card) = (&loaded.name, loaded.artifact.card());
        entries.push(entry(&format!("policy `{name}`"), loaded.artifact.digest().to_owned()));
        entries.push(entry(&format!("objective of `{name}`"), loaded.objective.to_string()));
        entries.push(entry(
            &format!("training data of `{name}`"),
            format!(
                "{} requests, {}",
                wording::count(card.provenance.n_requests),
                card.provenance.data_digest
            ),
        ));
    }
    entries
}

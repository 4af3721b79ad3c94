//! The way from what rows gave to records in parts: once each, renamed, graded, priced, counted.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader},
    mem,
    path::{Path, PathBuf},
};

use pointsman_core::{catalog::Catalog, units::Tokens};
use pointsman_log::{
    ndjson,
    record::{CostRecord, DecisionRecord, MessageRecord, MetricRecord, OutcomeRecord, Record},
};

use crate::{
    call::{Call, Found, Score, Target},
    error::ImportError,
    item::{Dropped, Item, Reason},
    known::{Ids, Marks},
    manifest::{Manifest, part_path, write_whole},
    messages::Messages,
    rules::{Judge, QUALITY},
    run::Options,
};

/// A decision that was there before; it is counted apart from other reasons.
const DUPLICATE: Reason = Reason("a duplicate");

/// Everything on the way out.
pub(crate) struct Sink<'a> {
    options: &'a Options,
    pub(crate) ids: Ids,
    judge: Option<Judge>,
    messages: Messages,
    pub(crate) manifest: Manifest,
    /// The lines of the part that comes next.
    part: Vec<u8>,
}

/// What became of a row that waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Its records are in the part.
    Written,
    /// It is a score of a trace, which waits until every call is known.
    TraceScore,
    /// It says which trace a call belongs to.
    Link,
    /// The decision was there before.
    Duplicate,
    /// It gave no record.
    Nothing,
}

impl<'a> Sink<'a> {
    /// Goes on after the parts that `manifest` knows, which are read again for the ids in them.
    pub(crate) fn new(options: &'a Options, mut manifest: Manifest) -> Result<Self, ImportError> {
        let judge = options.rules.clone().map(Judge::new);
        let part = Vec::with_capacity(options.part_bytes + (1 << 16));
        if let Some(judge) = &judge {
            for name in judge.rules().names() {
                manifest.survey.rules.entry(name).or_default();
            }
        }
        let messages = Messages::read(&options.messages, options.max_row_bytes)?;
        manifest.survey.n_left_out_messages = messages.n_left_out;
        manifest.survey.n_prompts_beside = messages.n_prompts();
        let mut sink = Self { options, ids: Ids::default(), judge, messages, manifest, part };
        let mut last: Option<DecisionRecord> = None;
        sink.each_record(&mut |sink, record| match record {
            Record::Decision(decision) => {
                sink.ids.decision(&decision.id, Marks::default());
                if let Some(before) = last.replace(*decision) {
                    sink.remember(&before, None);
                }
            }
            Record::Outcome(outcome) => {
                sink.ids.outcome(&outcome.decision_id, marks(&outcome));
                if last.as_ref().is_some_and(|last| last.id == outcome.decision_id)
                    && let Some(last) = last.take()
                {
                    sink.remember(&last, Some(&outcome));
                }
            }
        })?;
        if let Some(last) = last {
            sink.remember(&last, None);
        }
        Ok(sink)
    }

    fn remember(&mut self, decision: &DecisionRecord, outcome: Option<&OutcomeRecord>) {
        if let Some(judge) = &mut self.judge {
            // What it says of the call before stands in the parts already.
            drop(judge.next(decision, outcome));
        }
    }

    /// Hands over the records of all whole parts.
    fn each_record(
        &mut self,
        on_record: &mut dyn FnMut(&mut Self, Record),
    ) -> Result<(), ImportError> {
        for number in 0..self.manifest.n_parts {
            let path = part_path(&self.options.out, number);
            let unreadable = |source| ImportError::Unreadable { path: path.clone(), source };
            let file = File::open(&path).map_err(unreadable)?;
            for record in ndjson::read(BufReader::with_capacity(1 << 17, file)) {
                let record = record.map_err(|error| ImportError::Manifest {
                    path: path.clone(),
                    reason: format!("a part was changed: {error}"),
                })?;
                on_record(self, record);
            }
        }
        Ok(())
    }

    /// The decisions of every trace, from the parts.
    pub(crate) fn traces(&mut self, traces: &mut crate::traces::Traces) -> Result<(), ImportError> {
        self.each_record(&mut |_, record| match record {
            Record::Decision(decision) => {
                if let Some(trace) = decision.tags.get(crate::call::TRACE_TAG) {
                    traces.link(trace, &decision.id);
                }
            }
            Record::Outcome(_) => {}
        })
    }

    /// Takes what one row gave.
    pub(crate) fn take(&mut self, found: Found, place: &dyn Fn() -> String) -> Kept {
        let taken = match found {
            Found::Call(mut call) => {
                let untrue = mem::take(&mut call.untrue.0);
                let taken = self.call(*call);
                if taken.is_ok() {
                    for one in &untrue {
                        self.manifest.survey.untrue(one, &place());
                    }
                }
                taken
            }
            Found::Score(score) => match score.target {
                Target::Decision(_) => self.score(*score),
                Target::Trace(_) | Target::Either(_) => return Kept::TraceScore,
            },
            Found::Link { .. } => return Kept::Link,
            Found::Item(Item::Decision(mut decision)) => {
                self.rename(&mut decision);
                self.decision(*decision, None)
            }
            Found::Item(Item::Outcome(outcome)) => self.outcome(*outcome),
            Found::Untrue(untrue) => {
                self.manifest.survey.untrue(&untrue, &place());
                return Kept::Nothing;
            }
            Found::Dropped(dropped) => Err(dropped),
        };
        match taken {
            Ok(()) => Kept::Written,
            Err(dropped) if dropped.reason == DUPLICATE => {
                self.manifest.survey.n_duplicates += 1;
                Kept::Duplicate
            }
            Err(dropped) => {
                self.manifest.survey.drop_row(&dropped, &place());
                Kept::Nothing
            }
        }
    }

    fn call(&mut self, mut call: Call) -> Result<(), Dropped> {
        let request = &mut call.decision.request;
        let is_bare = request.messages.is_none();
        if is_bare {
            request.messages = self.messages.of(&call.decision.id).map(<[MessageRecord]>::to_vec);
        }
        let is_from_beside = is_bare && request.messages.is_some();
        self.rename(&mut call.decision);
        self.rename_served(&mut call.outcome);
        self.name_quality(&mut call.outcome.metrics);
        self.price(&call.decision.drawn, &mut call.outcome);
        if let Some(judge) = &self.judge {
            judge.grade(&mut call);
        }
        let Call { decision, outcome, .. } = call;
        self.decision(decision, Some(outcome))?;
        self.manifest.survey.n_with_text_from_beside += u64::from(is_from_beside);
        Ok(())
    }

    /// A decision, with what came of it where that stands in the same row.
    fn decision(
        &mut self,
        decision: DecisionRecord,
        outcome: Option<OutcomeRecord>,
    ) -> Result<(), Dropped> {
        if let Some(known) = self.ids.decided(&decision.id) {
            // A row that was exported again, and was scored meanwhile, brings its scores.
            let metrics = outcome.map(|outcome| outcome.metrics).unwrap_or_default();
            if !metrics.is_empty() && !known.has(Marks::MEASURED) {
                self.outcome(OutcomeRecord::grade(decision.id, decision.ts_ms, metrics))?;
            }
            return Err(Dropped::new(DUPLICATE, ""));
        }
        let start = self.part.len();
        let is_written = self.write_decision(&decision).and_then(|()| match &outcome {
            Some(outcome) => self.write_outcome(outcome),
            None => Ok(()),
        });
        if let Err(dropped) = is_written {
            self.part.truncate(start);
            return Err(dropped);
        }
        self.ids.decision(&decision.id, outcome.as_ref().map(marks).unwrap_or_default());
        self.manifest.survey.decision(&decision);
        if let Some(outcome) = &outcome {
            self.manifest.survey.outcome(outcome, Some(&decision.drawn));
            for metric in &outcome.metrics {
                self.count_metric(metric);
            }
        }
        let correction =
            self.judge.as_mut().and_then(|judge| judge.next(&decision, outcome.as_ref()));
        if let Some(correction) = correction {
            if let Some(rule) = &correction.replaces
                && let Some(n) = self.manifest.survey.rules.get_mut(rule)
            {
                *n = n.saturating_sub(1); // another rule decides, and is counted for it
            }
            let metrics = vec![correction.metric];
            self.outcome(OutcomeRecord::grade(correction.decision_id, correction.ts_ms, metrics))?;
        }
        Ok(())
    }

    /// A grade of one decision.
    pub(crate) fn score(&mut self, score: Score) -> Result<(), Dropped> {
        let Score { target, ts_ms, metric } = score;
        let (Target::Decision(id) | Target::Trace(id) | Target::Either(id)) = target;
        let by_rule = self.judge.as_ref().and_then(|judge| judge.rules().of_score(&metric));
        let mut metrics = vec![metric];
        self.name_quality(&mut metrics);
        metrics.extend(by_rule);
        self.outcome(OutcomeRecord::grade(id, ts_ms, metrics))
    }

    fn outcome(&mut self, mut outcome: OutcomeRecord) -> Result<(), Dropped> {
        self.rename_served(&mut outcome);
        let start = self.part.len();
        if let Err(dropped) = self.write_outcome(&outcome) {
            self.part.truncate(start);
            return Err(dropped);
        }
        self.ids.outcome(&outcome.decision_id, marks(&outcome));
        self.manifest.survey.outcome(&outcome, None);
        for metric in &outcome.metrics {
            self.count_metric(metric);
        }
        Ok(())
    }

    fn count_metric(&mut self, metric: &MetricRecord) {
        let rule = metric.source.as_deref().filter(|source| source.starts_with("rule "));
        match rule {
            Some(rule) => *self.manifest.survey.rules.entry(rule.to_owned()).or_default() += 1,
            None => self.manifest.survey.scores.add(&metric.name),
        }
    }

    fn write_decision(&mut self, decision: &DecisionRecord) -> Result<(), Dropped> {
        ndjson::write_decision(&mut self.part, decision).map_err(|error| impossible(&error))
    }

    fn write_outcome(&mut self, outcome: &OutcomeRecord) -> Result<(), Dropped> {
        ndjson::write_outcome(&mut self.part, outcome).map_err(|error| impossible(&error))
    }

    /// Calls models what the catalog calls them.
    fn rename(&self, decision: &mut DecisionRecord) {
        let names = &self.options.map.models;
        rename(names, &mut decision.drawn);
        for candidate in &mut decision.candidates {
            rename(names, &mut candidate.model);
        }
    }

    fn rename_served(&self, outcome: &mut OutcomeRecord) {
        let names = &self.options.map.models;
        for name in [&mut outcome.served_model, &mut outcome.fallback_from].into_iter().flatten() {
            rename(names, name);
        }
    }

    /// Gives the score that was asked for the name of the quality.
    fn name_quality(&self, metrics: &mut [MetricRecord]) {
        let Some(wanted) = &self.options.score else { return };
        for metric in metrics.iter_mut().filter(|metric| metric.name == *wanted) {
            QUALITY.clone_into(&mut metric.name);
        }
    }

    /// Prices a call by the catalog where the log has no cost.
    fn price(&self, drawn: &str, outcome: &mut OutcomeRecord) {
        if outcome.cost_usd.is_none()
            && let Some(catalog) = &self.options.catalog
            && let Some(value) = price(catalog, drawn, outcome)
        {
            outcome.cost_usd = Some(CostRecord { value, source: "catalog".to_owned() });
        }
    }

    /// Whether the part is as large as parts are.
    pub(crate) fn is_full(&self) -> bool {
        self.options.part_bytes <= self.part.len()
    }

    /// Writes the part, if there is anything in it, and then the manifest.
    pub(crate) fn commit(&mut self) -> Result<(), ImportError> {
        self.manifest.survey.known = self.ids.counts;
        let out: &Path = &self.options.out;
        if !self.part.is_empty() {
            let path: PathBuf = part_path(out, self.manifest.n_parts);
            write_whole(&path, &self.part)?;
            self.part.clear();
            self.manifest.n_parts += 1;
        }
        self.manifest.save(out)
    }
}

/// What the format of records does not allow is dropped.
fn impossible(error: &io::Error) -> Dropped {
    Dropped::new(Reason("a record that cannot be true"), error.to_string())
}

fn rename(names: &BTreeMap<String, String>, name: &mut String) {
    if let Some(known) = names.get(name) {
        known.clone_into(name);
    }
}

/// What an outcome says of its decision.
fn marks(outcome: &OutcomeRecord) -> Marks {
    let has = [
        (Marks::QUALITY, outcome.metric(QUALITY).is_some()),
        (Marks::COST, outcome.cost_usd.is_some()),
        (Marks::LATENCY, outcome.latency_ms.is_some()),
        (Marks::TOKENS, outcome.usage.input.is_some() && outcome.usage.output.is_some()),
        (Marks::MEASURED, !outcome.metrics.is_empty()),
    ];
    has.into_iter().filter(|(_, has)| *has).fold(Marks::default(), |all, (one, _)| all.with(one))
}

/// The cost by the catalog's prices: of the endpoint of that provider, or of the only one.
fn price(catalog: &Catalog, drawn: &str, outcome: &OutcomeRecord) -> Option<f64> {
    let model = catalog.find(outcome.served_model.as_deref().unwrap_or(drawn))?;
    let provider = outcome.provider.as_deref().unwrap_or_default();
    let of_provider = model.endpoints.iter().find(|endpoint| endpoint.provider == provider);
    let only = model.endpoints.first().filter(|_| model.endpoints.len() == 1);
    let endpoint = of_provider.or(only)?;
    let (input, output) = (outcome.usage.input?, outcome.usage.output?);
    let cached = outcome.usage.cached_read.unwrap_or(0).min(input);
    let cached_price = endpoint.cached_input.unwrap_or(endpoint.input);
    let cost = endpoint
        .input
        .of(Tokens::new(input - cached))
        .saturating_add(cached_price.of(Tokens::new(cached)))
        .saturating_add(endpoint.output.of(Tokens::new(output)));
    Some(cost.as_dollars())
}

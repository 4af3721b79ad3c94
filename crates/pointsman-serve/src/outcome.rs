//! What came of decisions, as callers report it: one outcome, or a list, in our own shape or as
//! feedback of `TensorZero`'s.
//!
//! An outcome names its decision, or its conversation, whose last decision it then belongs to. One
//! that says what is known already changes nothing; one that contradicts it is refused, and what
//! was said first stays.
//!
//! Source of the feedback's shape: <https://www.tensorzero.com/docs/gateway/api-reference/feedback>.

use crate::{
    decide::scoped,
    json,
    keys::Caller,
    metrics::up,
    problem::{Code, Problem},
    service::Service,
};
use pointsman_log::{
    body::{UsageBody, unknown_keys, unquoted},
    journal::{AppendError, Appended, Position},
    record::{CostRecord, MetricRecord, OutcomeRecord, Scope, Status, UsageRecord},
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Times further ahead than this are not believed.
const MOST_AHEAD_MS: u64 = 5 * 60 * 1000;
const QUALITY: &str = "quality";

/// The keys of an outcome; another one that is nearly one of these is refused.
const KEYS: &[&str] = &[
    "decision_id",
    "session_id",
    "ts_ms",
    "served_model",
    "provider",
    "status",
    "fallback_from",
    "usage",
    "cost_usd",
    "latency_ms",
    "ttft_ms",
    QUALITY,
    "metrics",
    "metric_name",
    "value",
];

/// Other names of these, and what clients of other services and records send beside them.
const OTHER_KEYS: &[&[&str]] =
    &[&["inference_id", "episode_id", "model", "dryrun", "tags"], &["v", "kind"]];

#[derive(Deserialize)]
#[serde(untagged, expecting = "this is neither an outcome nor a list of outcomes")]
enum BodyFile {
    Many { outcomes: Vec<serde_json::Value> },
    List(Vec<serde_json::Value>),
    One(serde_json::Map<String, serde_json::Value>),
}

#[derive(Deserialize)]
struct OutcomeFile {
    #[serde(alias = "inference_id")]
    decision_id: Option<String>,
    #[serde(alias = "episode_id")]
    session_id: Option<String>,
    ts_ms: Option<u64>,
    #[serde(alias = "model")]
    served_model: Option<String>,
    provider: Option<String>,
    status: Option<Status>,
    fallback_from: Option<String>,
    usage: Option<UsageBody>,
    cost_usd: Option<CostFile>,
    latency_ms: Option<f64>,
    ttft_ms: Option<f64>,
    quality: Option<f64>,
    metrics: Option<MetricsFile>,
    metric_name: Option<String>,
    value: Option<ValueFile>,
    dryrun: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`cost_usd` is neither a number nor an object of value and source")]
enum CostFile {
    Dollars(f64),
    Object { value: f64, source: Option<String> },
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`metrics` is neither an object of numbers nor a list of metrics")]
enum MetricsFile {
    ByName(BTreeMap<String, ValueFile>),
    List(Vec<MetricRecord>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a metric's value is neither a number nor a truth value")]
enum ValueFile {
    Number(f64),
    Truth(bool),
}

impl ValueFile {
    fn number(&self) -> f64 {
        match *self {
            Self::Number(value) => value,
            Self::Truth(value) => f64::from(u8::from(value)),
        }
    }
}

/// What is answered to a body of outcomes, and up to where the journal has to be durable.
pub(crate) struct Taken {
    pub(crate) json: Vec<u8>,
    pub(crate) position: Option<Position>,
}

/// What became of one outcome.
struct One {
    decision_id: String,
    result: &'static str,
    is_late: bool,
    is_time_replaced: bool,
    position: Option<Position>,
}

fn invalid(message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidOutcome, message)
}

impl Service {
    /// Takes one outcome or a list of them. A list is answered entry by entry; what is wrong with
    /// one does not keep the others out.
    ///
    /// # Errors
    /// [`Problem`] for a body that is no outcome or list, and, of a single outcome, for what is
    /// wrong with it.
    pub(crate) fn take_outcomes(
        &self,
        bytes: &[u8],
        caller: Option<&Caller>,
    ) -> Result<Taken, Problem> {
        let body: BodyFile = serde_json::from_slice(bytes).map_err(|error| {
            let code = if error.is_data() { Code::InvalidOutcome } else { Code::InvalidJson };
            Problem::new(code, format!("the body is no outcome: {}", unquoted(&error)))
        })?;
        let mut out = Vec::new();
        let entries = match body {
            BodyFile::One(entry) => {
                let one = self.take(serde_json::Value::Object(entry), caller)?;
                one.write_json(&mut out);
                return Ok(Taken { json: out, position: one.position });
            }
            BodyFile::Many { outcomes: entries } | BodyFile::List(entries) => entries,
        };
        let (n, most) = (entries.len(), self.settings.limits.batch);
        if n == 0 || most < n {
            return Err(invalid(format!("{n} outcomes; send at least one and at most {most}")));
        }
        let mut position = None;
        out.extend_from_slice(b"{\"results\":[");
        for (index, entry) in entries.into_iter().enumerate() {
            if 0 < index {
                out.push(b',');
            }
            match self.take(entry, caller) {
                Ok(one) => {
                    position = position.max(one.position);
                    one.write_json(&mut out);
                }
                Err(problem) => {
                    self.metrics.problem(&problem);
                    problem.write_json(&mut out);
                }
            }
        }
        out.extend_from_slice(b"]}");
        Ok(Taken { json: out, position })
    }

    /// Refuses an outcome with a key that is nearly one of its keys, and counts others that nobody
    /// reads; their names are told of an outcome that is taken, since in another a key may be anything.
    fn take(&self, entry: serde_json::Value, caller: Option<&Caller>) -> Result<One, Problem> {
        let fields = entry.as_object();
        let keys = fields.into_iter().flat_map(|fields| fields.keys().map(String::as_str));
        let (n, names) =
            unknown_keys(keys, KEYS, OTHER_KEYS).map_err(|error| invalid(error.to_string()))?;
        self.metrics.unknown_fields(n);
        let one = self.take_known(entry, caller)?;
        self.strangers.note(&names);
        Ok(one)
    }

    fn take_known(
        &self,
        entry: serde_json::Value,
        caller: Option<&Caller>,
    ) -> Result<One, Problem> {
        let file: OutcomeFile = serde_json::from_value(entry)
            .map_err(|error| invalid(format!("the outcome cannot be: {}", unquoted(&error))))?;
        let is_dry = file.dryrun == Some(true);
        let now_ms = self.now_ms();
        let is_ahead = |ts_ms: &u64| now_ms.saturating_add(MOST_AHEAD_MS) < *ts_ms;
        let is_time_replaced = file.ts_ms.as_ref().is_some_and(is_ahead);
        let outcome = self.outcome(file, (caller, now_ms))?;
        outcome.check().map_err(|error| invalid(error.to_string()))?;
        let Some(journal) = &self.journal else {
            let message = "this service keeps no journal, so it knows no decisions";
            return Err(Problem::new(Code::UnknownDecision, message));
        };
        let decision = journal.decision(&outcome.decision_id);
        let unknown = || {
            let message = AppendError::UnknownDecision { id: outcome.decision_id.clone() };
            Problem::new(Code::UnknownDecision, message.to_string())
        };
        let decision = decision.ok_or_else(unknown)?;
        if caller.is_some_and(|caller| decision.tenant.as_deref() != Some(&caller.key.name)) {
            return Err(unknown());
        }
        let late_ms = 1000 * self.settings.journal.late_after_s;
        let mut one = One {
            decision_id: outcome.decision_id.clone(),
            result: "dryrun",
            is_late: late_ms < outcome.ts_ms.saturating_sub(decision.ts_ms),
            is_time_replaced,
            position: None,
        };
        if is_dry {
            return Ok(one);
        }
        let appended = journal.append_outcome(&outcome).map_err(|error| {
            let code = match &error {
                AppendError::UnknownDecision { .. } => Code::UnknownDecision,
                AppendError::Conflict { .. } => Code::OutcomeConflict,
                AppendError::TooLong { .. }
                | AppendError::Record(_)
                | AppendError::NotARecord { .. } => Code::InvalidOutcome,
                AppendError::Full { .. } | AppendError::Io { .. } => Code::JournalUnavailable,
            };
            Problem::new(code, error.to_string())
        })?;
        let (result, position) = match appended {
            Appended::New(position) => ("new", position),
            Appended::Already(position) => ("already", position),
        };
        (one.result, one.position) = (result, Some(position));
        match appended {
            Appended::New(_) => {
                up(&self.metrics.n_outcomes);
                let model = outcome.served_model.as_deref().unwrap_or(&decision.drawn);
                if let Some(provider) = &outcome.provider {
                    let elapsed_ms = self.elapsed_ms();
                    self.signals.take((model, provider), &outcome, elapsed_ms);
                    let force = self.force.load();
                    force.live.store(self.signals.of(&force.loaded, elapsed_ms));
                }
            }
            Appended::Already(_) => up(&self.metrics.n_outcomes_again),
        }
        if one.is_late {
            up(&self.metrics.n_outcomes_late);
        }
        Ok(one)
    }

    fn outcome(
        &self,
        file: OutcomeFile,
        (caller, now_ms): (Option<&Caller>, u64),
    ) -> Result<OutcomeRecord, Problem> {
        let (decision_id, scope) = self.decision_of(&file, caller)?;
        let metrics = self.metrics_of(&file, scope)?;
        let cost_usd = file.cost_usd.map(|cost| match cost {
            CostFile::Dollars(value) => CostRecord { value, source: "caller".to_owned() },
            CostFile::Object { value, source } => {
                CostRecord { value, source: source.unwrap_or_else(|| "caller".to_owned()) }
            }
        });
        let usage = file.usage.unwrap_or_default().to_record();
        let UsageRecord { input, output, cached_read, cached_write, reasoning } = usage;
        let counts = [input, output, cached_read, cached_write, reasoning];
        if counts.into_iter().flatten().any(|count| i64::try_from(count).is_err()) {
            return Err(invalid("a count of tokens is 2^63 or more"));
        }
        let says_nothing = metrics.is_empty()
            && cost_usd.is_none()
            && usage.is_empty()
            && file.status.is_none()
            && file.latency_ms.is_none();
        if says_nothing {
            let message = "the outcome says nothing; give status, quality, metrics, usage, cost_usd or latency_ms";
            return Err(invalid(message));
        }
        let latest_ms = now_ms.saturating_add(MOST_AHEAD_MS);
        Ok(OutcomeRecord {
            decision_id,
            ts_ms: file.ts_ms.filter(|&ts_ms| ts_ms <= latest_ms).unwrap_or(now_ms),
            served_model: file.served_model,
            provider: file.provider,
            status: file.status.unwrap_or(Status::Ok),
            fallback_from: file.fallback_from,
            usage,
            cost_usd,
            latency_ms: file.latency_ms,
            ttft_ms: file.ttft_ms,
            metrics,
        })
    }

    /// The decision that an outcome belongs to, by its own id or by its conversation.
    fn decision_of(
        &self,
        file: &OutcomeFile,
        caller: Option<&Caller>,
    ) -> Result<(String, Scope), Problem> {
        match (&file.decision_id, &file.session_id) {
            (Some(id), _) if !id.is_empty() => Ok((id.clone(), Scope::Request)),
            (_, Some(session)) => {
                let last = self.sessions.last(&scoped(caller, session));
                let unknown = || {
                    let message = format!("no conversation `{session}` is remembered here");
                    Problem::new(Code::UnknownDecision, message)
                };
                Ok((last.ok_or_else(unknown)?.decision_id, Scope::Episode))
            }
            (Some(_) | None, None) => {
                Err(invalid("the outcome has neither a `decision_id` nor a `session_id`"))
            }
        }
    }

    fn metrics_of(&self, file: &OutcomeFile, scope: Scope) -> Result<Vec<MetricRecord>, Problem> {
        let metric = |name: &str, value: f64| MetricRecord {
            name: name.to_owned(),
            value,
            source: None,
            scope,
        };
        let mut metrics = Vec::new();
        match &file.metrics {
            Some(MetricsFile::ByName(named)) => {
                metrics.extend(named.iter().map(|(name, value)| metric(name, value.number())));
            }
            Some(MetricsFile::List(list)) => metrics.extend(list.iter().cloned()),
            None => {}
        }
        metrics.extend(file.quality.map(|quality| metric(QUALITY, quality)));
        match (file.metric_name.as_deref(), &file.value) {
            (Some(name @ ("comment" | "demonstration")), _) => {
                return Err(invalid(format!("a {name} is not kept; send a metric with a value")));
            }
            (Some(name), Some(value)) => metrics.push(metric(name, value.number())),
            (Some(_), None) | (None, Some(_)) => {
                return Err(invalid("a metric needs both `metric_name` and `value`"));
            }
            (None, None) => {}
        }
        let (lowest, highest) = self.settings.journal.quality_range;
        let grades = metrics.iter().filter(|metric| metric.name == QUALITY);
        for MetricRecord { value, .. } in grades {
            if !(f64::from(lowest)..=f64::from(highest)).contains(value) {
                return Err(invalid(format!("quality {value} is not in [{lowest}, {highest}]")));
            }
        }
        Ok(metrics)
    }
}

impl One {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"decision_id\":");
        json::value(out, &self.decision_id);
        json::field(out, "feedback_id", &self.decision_id);
        json::field(out, "result", self.result);
        json::field(out, "late", &self.is_late);
        if self.is_time_replaced {
            // More than five minutes ahead: the time of arrival counts instead.
            json::field(out, "ts_replaced", &true);
        }
        out.push(b'}');
    }
}

//! Several outcomes of one decision: what repeats, what completes, and what contradicts.
//!
//! Tokens are known when the answer ends, a grade perhaps an hour later, and a client that got no
//! reply sends again. So outcomes of one decision are held against each other field by field: a
//! field that only one of them has completes the other; of a field that both have, the later one
//! counts, and where the two differ that is a contradiction.

use crate::record::{MetricRecord, OutcomeRecord, Status, UsageRecord};

impl OutcomeRecord {
    /// Whether both say the same; when they were known does not count.
    pub fn says_as(&self, other: &Self) -> bool {
        *self == Self { ts_ms: self.ts_ms, ..other.clone() }
    }

    /// The first field, by its name in the record, that both have and that differs.
    ///
    /// A grade that comes without anything else about the answer does not say whether there was
    /// one, so that its status contradicts nothing. Metrics are the same where name, source and
    /// scope are.
    pub fn contradicts(&self, other: &Self) -> Option<String> {
        let Self {
            decision_id: _,
            ts_ms: _,
            served_model,
            provider,
            status,
            fallback_from,
            usage,
            cost_usd,
            latency_ms,
            ttft_ms,
            metrics,
        } = self;
        let is_graded_only = self.is_only_a_grade() || other.is_only_a_grade();
        let fields = [
            ("status", !is_graded_only && *status != other.status),
            ("served_model", differ(served_model.as_ref(), other.served_model.as_ref())),
            ("provider", differ(provider.as_ref(), other.provider.as_ref())),
            ("fallback_from", differ(fallback_from.as_ref(), other.fallback_from.as_ref())),
            ("usage", usage_differs(usage, &other.usage)),
            ("cost_usd", differ(cost_usd.as_ref(), other.cost_usd.as_ref())),
            ("latency_ms", differ(latency_ms.as_ref(), other.latency_ms.as_ref())),
            ("ttft_ms", differ(ttft_ms.as_ref(), other.ttft_ms.as_ref())),
        ];
        if let Some((field, _)) = fields.iter().find(|(_, differs)| *differs) {
            return Some((*field).to_owned());
        }
        let clash = |one: &&MetricRecord| {
            other.metrics.iter().any(|two| is_same_measure(one, two) && one.value != two.value)
        };
        metrics.iter().find(clash).map(|metric| format!("metrics[{}]", metric.name))
    }

    /// Both in one: each field is the later one's that has it, by time and, at the same time, in
    /// the order of the arguments; a failure in either is a failure. All metrics stay, the later
    /// one's last, but for those that the later one measured again.
    #[must_use]
    pub fn completed_by(self, other: Self) -> Self {
        let (early, late) = if other.ts_ms < self.ts_ms { (other, self) } else { (self, other) };
        let is_failed = early.status == Status::Failed || late.status == Status::Failed;
        let mut metrics = early.metrics;
        metrics.retain(|old| !late.metrics.iter().any(|new| is_same_measure(old, new)));
        metrics.extend(late.metrics);
        Self {
            decision_id: late.decision_id,
            ts_ms: late.ts_ms,
            served_model: late.served_model.or(early.served_model),
            provider: late.provider.or(early.provider),
            status: if is_failed { Status::Failed } else { Status::Ok },
            fallback_from: late.fallback_from.or(early.fallback_from),
            usage: UsageRecord {
                input: late.usage.input.or(early.usage.input),
                output: late.usage.output.or(early.usage.output),
                cached_read: late.usage.cached_read.or(early.usage.cached_read),
                cached_write: late.usage.cached_write.or(early.usage.cached_write),
                reasoning: late.usage.reasoning.or(early.usage.reasoning),
            },
            cost_usd: late.cost_usd.or(early.cost_usd),
            latency_ms: late.latency_ms.or(early.latency_ms),
            ttft_ms: late.ttft_ms.or(early.ttft_ms),
            metrics,
        }
    }

    fn is_only_a_grade(&self) -> bool {
        let bare = Self {
            decision_id: self.decision_id.clone(),
            ts_ms: self.ts_ms,
            served_model: None,
            provider: None,
            status: Status::Ok,
            fallback_from: None,
            usage: UsageRecord::default(),
            cost_usd: None,
            latency_ms: None,
            ttft_ms: None,
            metrics: self.metrics.clone(),
        };
        !self.metrics.is_empty() && *self == bare
    }
}

fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

fn usage_differs(one: &UsageRecord, other: &UsageRecord) -> bool {
    let counts = |usage: &UsageRecord| {
        let UsageRecord { input, output, cached_read, cached_write, reasoning } = *usage;
        [input, output, cached_read, cached_write, reasoning]
    };
    counts(one).iter().zip(&counts(other)).any(|(one, other)| differ(one.as_ref(), other.as_ref()))
}

fn is_same_measure(one: &MetricRecord, other: &MetricRecord) -> bool {
    one.name == other.name && one.source == other.source && one.scope == other.scope
}

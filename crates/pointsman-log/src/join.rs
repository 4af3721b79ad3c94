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
        let bare = Self::grade(self.decision_id.clone(), self.ts_ms, self.metrics.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        examples::{full_outcome, minimal_outcome},
        record::{CostRecord, Scope},
    };
    use proptest::{collection, option, prelude::*};

    fn metric(name: &str, value: f64, source: Option<&str>) -> MetricRecord {
        let (name, source) = (name.to_owned(), source.map(str::to_owned));
        MetricRecord { name, value, source, scope: Scope::Request }
    }

    #[track_caller]
    fn check_contradiction(edit: impl Fn(&mut OutcomeRecord), expected: Option<&str>) {
        let mut edited = full_outcome();
        edit(&mut edited);
        let found = full_outcome().contradicts(&edited);
        assert_eq!(found.as_deref(), expected);
        assert_eq!(edited.contradicts(&full_outcome()).as_deref(), expected, "the other way round");
    }

    #[test]
    fn only_what_both_say_can_be_contradicted() {
        check_contradiction(|_| {}, None);
        check_contradiction(|one| one.ts_ms += 1, None);
        check_contradiction(|one| one.latency_ms = None, None);
        check_contradiction(|one| one.usage = UsageRecord::default(), None);
        check_contradiction(|one| one.metrics.clear(), None);
        check_contradiction(|one| one.metrics.push(metric("other", 7.0, None)), None);
        check_contradiction(|one| one.metrics[0].source = Some("user".to_owned()), None);
        check_contradiction(|one| one.status = Status::Failed, Some("status"));
        check_contradiction(|one| one.served_model = Some("x".to_owned()), Some("served_model"));
        check_contradiction(|one| one.provider = Some("x".to_owned()), Some("provider"));
        check_contradiction(|one| one.fallback_from = Some("x".to_owned()), Some("fallback_from"));
        check_contradiction(|one| one.usage.reasoning = Some(99), Some("usage"));
        check_contradiction(|one| one.latency_ms = Some(1.0), Some("latency_ms"));
        check_contradiction(|one| one.ttft_ms = Some(1.0), Some("ttft_ms"));
        check_contradiction(|one| one.metrics[0].value = 0.1, Some("metrics[quality]"));
        let cost = CostRecord { value: 9.0, source: "provider".to_owned() };
        check_contradiction(|one| one.cost_usd = Some(cost.clone()), Some("cost_usd"));
    }

    #[test]
    fn a_grade_alone_does_not_say_whether_there_was_an_answer() {
        let failed = minimal_outcome();
        let mut grade = OutcomeRecord { status: Status::Ok, ..minimal_outcome() };
        assert_eq!(failed.contradicts(&grade).as_deref(), Some("status"));
        grade.metrics.push(metric("quality", 1.0, None));
        assert_eq!(failed.contradicts(&grade), None);
        assert_eq!(failed.completed_by(grade).status, Status::Failed);
    }

    #[test]
    fn the_later_in_time_counts_field_by_field() {
        let early = OutcomeRecord { ts_ms: 1, latency_ms: Some(5.0), ..full_outcome() };
        let late = OutcomeRecord {
            ts_ms: 2,
            latency_ms: Some(6.0),
            ttft_ms: None,
            metrics: vec![metric("quality", 0.25, None), metric("quality", 0.5, Some("judge"))],
            ..full_outcome()
        };
        for both in [early.clone().completed_by(late.clone()), late.completed_by(early)] {
            assert_eq!((both.ts_ms, both.latency_ms, both.ttft_ms), (2, Some(6.0), Some(210.0)));
            let metrics: Vec<_> =
                both.metrics.iter().map(|one| (one.name.as_str(), one.value)).collect();
            assert_eq!(metrics, [("solved", 1.0), ("quality", 0.25), ("quality", 0.5)]);
        }
    }

    fn outcome() -> impl Strategy<Value = OutcomeRecord> {
        let name = prop::sample::select(vec!["quality", "liked"]);
        let value = (0..3_u8).prop_map(f64::from);
        let metrics = collection::vec((name, value).prop_map(|(n, v)| metric(n, v, None)), 0..3);
        let numbers = (0..4_u64, option::of(0..3_u64), option::of((0..3_u8).prop_map(f64::from)));
        (numbers, metrics, any::<bool>()).prop_map(|((ts_ms, input, latency_ms), metrics, ok)| {
            OutcomeRecord {
                ts_ms,
                latency_ms,
                metrics,
                usage: UsageRecord { input, ..UsageRecord::default() },
                status: if ok { Status::Ok } else { Status::Failed },
                ..minimal_outcome()
            }
        })
    }

    proptest! {
        /// What one completes, it does not contradict; what repeats, changes nothing of note.
        #[test]
        fn repeating_is_idempotent(one in outcome()) {
            let twice = one.clone().completed_by(one.clone());
            prop_assert!(one.says_as(&one));
            prop_assert_eq!(twice.metric("quality"), one.metric("quality"));
            prop_assert_eq!((twice.latency_ms, twice.usage), (one.latency_ms, one.usage));
        }

        /// At different times, the order in which two arrive makes no difference.
        #[test]
        fn the_order_of_arrival_does_not_count(one in outcome(), other in outcome()) {
            prop_assume!(one.ts_ms != other.ts_ms);
            let there = one.clone().completed_by(other.clone());
            prop_assert_eq!(there, other.completed_by(one));
        }
    }
}

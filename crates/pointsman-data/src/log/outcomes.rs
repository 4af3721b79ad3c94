//! Outcomes of a log on their way to their decisions, which may stand before or behind them.
//!
//! All outcomes of a log wait in memory at once, so each takes few bytes: ids are hashes of 128 bits, and
//! models that answered are numbers. Weakness: outcomes of one decision that come from the latest to the
//! earliest are each compared with all before.

use std::collections::HashMap;

use pointsman_log::record::{OutcomeRecord, Status};

use super::cell::OutcomeCell;
use crate::hash::{IdHash, id_hash};

/// What came of decisions, by their ids.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// Where the latest outcome of a decision stands among all.
    latest: HashMap<IdHash, usize>,
    all: Vec<Joined>,
    /// The models that answered, and their places.
    models: Vec<String>,
    places: HashMap<String, usize>,
}

/// What one outcome record says, or several that were put together.
#[derive(Debug, Clone, Copy)]
struct Joined {
    /// A place among the models.
    served_model: Option<usize>,
    is_failed: bool,
    quality: Option<f64>,
    cost_usd: Option<f64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    latency_ms: Option<f64>,
    ts_ms: u64,
    /// The outcome of the same decision that is before this one in time.
    earlier: Option<usize>,
}

impl Outcomes {
    /// Adds one outcome, its quality by that metric. Of equal times, what is added later is later.
    pub(super) fn add(&mut self, outcome: &OutcomeRecord, quality_metric: &str) {
        let served_model = outcome.served_model.as_deref().map(|name| self.place_of(name));
        let mut joined = Joined {
            served_model,
            is_failed: outcome.status == Status::Failed,
            quality: outcome.metric(quality_metric),
            cost_usd: outcome.cost_usd.as_ref().map(|cost| cost.value),
            input_tokens: outcome.usage.input,
            output_tokens: outcome.usage.output,
            latency_ms: outcome.latency_ms,
            ts_ms: outcome.ts_ms,
            earlier: None,
        };
        let place = self.all.len();
        let latest = self.latest.entry(id_hash(&outcome.decision_id)).or_insert(place);
        let (mut before, mut after) = (Some(*latest).filter(|&found| found != place), None);
        while let Some((at, one)) = before.and_then(|at| Some((at, self.all.get(at)?)))
            && joined.ts_ms < one.ts_ms
        {
            (before, after) = (one.earlier, Some(at));
        }
        joined.earlier = before;
        match after {
            Some(at) => self.link(at, place),
            None => *latest = place,
        }
        self.all.push(joined);
    }

    fn link(&mut self, later: usize, earlier: usize) {
        if let Some(one) = self.all.get_mut(later) {
            one.earlier = Some(earlier);
        }
    }

    fn place_of(&mut self, model: &str) -> usize {
        if let Some(&place) = self.places.get(model) {
            return place;
        }
        let place = self.models.len();
        self.models.push(model.to_owned());
        self.places.insert(model.to_owned(), place);
        place
    }

    /// What came of a decision: each field from the latest outcome that has it.
    pub(super) fn of(&self, decision_id: &str) -> Option<OutcomeCell<'_>> {
        let mut at = self.latest.get(&id_hash(decision_id)).copied();
        let mut whole: Option<Joined> = None;
        while let Some(one) = at.and_then(|at| self.all.get(at)) {
            whole = Some(whole.map_or(*one, |late| one.completed_by(late)));
            at = one.earlier;
        }
        whole.map(|joined| self.cell(joined))
    }

    fn cell(&self, joined: Joined) -> OutcomeCell<'_> {
        let served_model = joined.served_model.and_then(|place| self.models.get(place));
        OutcomeCell {
            served_model: served_model.map(String::as_str),
            is_failed: joined.is_failed,
            quality: joined.quality,
            cost_usd: joined.cost_usd,
            input_tokens: joined.input_tokens.map(pointsman_core::units::as_float),
            output_tokens: joined.output_tokens.map(pointsman_core::units::as_float),
            latency_ms: joined.latency_ms,
        }
    }
}

impl Joined {
    fn completed_by(self, late: Self) -> Self {
        let early = self;
        Self {
            served_model: late.served_model.or(early.served_model),
            is_failed: late.is_failed || early.is_failed,
            quality: late.quality.or(early.quality),
            cost_usd: late.cost_usd.or(early.cost_usd),
            input_tokens: late.input_tokens.or(early.input_tokens),
            output_tokens: late.output_tokens.or(early.output_tokens),
            latency_ms: late.latency_ms.or(early.latency_ms),
            ts_ms: late.ts_ms,
            earlier: early.earlier,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(id: &str, ts_ms: u64, quality: Option<f64>) -> OutcomeRecord {
        OutcomeRecord {
            ts_ms,
            served_model: (ts_ms == 3).then(|| "small".to_owned()),
            status: if ts_ms == 2 { Status::Failed } else { Status::Ok },
            latency_ms: Some(pointsman_core::units::as_float(ts_ms)),
            ..crate::log::tests::outcome(id, quality)
        }
    }

    /// Whatever order the outcomes of one decision come in, each field is the latest in time.
    #[test]
    fn fields_are_the_latest_in_any_order() {
        let all = [(1, Some(0.1)), (2, Some(0.2)), (3, None), (4, Some(0.4)), (5, None)];
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1], [3, 0, 4, 1, 2]] {
            let mut outcomes = Outcomes::default();
            for place in order {
                let (ts_ms, quality) = all[place];
                outcomes.add(&outcome("a", ts_ms, quality), "quality");
                outcomes.add(&outcome("b", 9, Some(0.9)), "quality");
            }
            let found = outcomes.of("a").unwrap();
            assert_eq!((found.quality, found.latency_ms), (Some(0.4), Some(5.0)), "{order:?}");
            assert_eq!((found.served_model, found.is_failed), (Some("small"), true), "{order:?}");
            assert_eq!(outcomes.of("b").unwrap().quality, Some(0.9));
            assert!(outcomes.of("c").is_none());
        }
    }

    #[test]
    fn of_equal_times_what_comes_later_counts() {
        let mut outcomes = Outcomes::default();
        for quality in [0.1, 0.7, 0.3] {
            outcomes.add(&outcome("a", 4, Some(quality)), "quality");
        }
        assert_eq!(outcomes.of("a").unwrap().quality, Some(0.3));
    }

    #[test]
    fn an_outcome_takes_few_bytes() {
        assert!(size_of::<Joined>() <= 136, "{}", size_of::<Joined>());
    }
}

//! What the formats of gateways and tracers have in common: calls of one model, scores that come
//! later, and links between a call and its trace.
//!
//! A gateway's log says which model answered, not which ones could have, nor how likely that had been.
//! So a call becomes a decision with one candidate and the propensity *unknown*, or *deterministic*
//! where the source says that the model was fixed; more would be made up.

use pointsman_log::record::{
    CandidateRecord, CostRecord, DecisionRecord, MetricRecord, OutcomeRecord, PolicyRecord,
    PropensityKind, PropensityRecord, Scope, Status, UsageRecord,
};

use crate::{
    cell::{Cell, first},
    chat::Prompt,
    edits::share_changed,
    item::{Dropped, Item, Reason},
};

/// The tag of the trace or episode that a decision belongs to.
pub(crate) const TRACE_TAG: &str = "trace_id";

/// The tag of what the caller asked the gateway for, where that names several models.
pub(crate) const GROUP_TAG: &str = "model_group";

/// What one row gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// A call that a chat model was asked to answer.
    Call(Box<Call>),
    /// A grade of a call or of a trace.
    Score(Box<Score>),
    /// A call belongs to a trace, known from elsewhere than the call itself.
    Link {
        /// The decision of the call.
        decision_id: String,
        /// The trace or episode.
        trace: String,
    },
    /// A record, as it is.
    Item(Item),
    /// A value that cannot be true, and that the record beside it goes without.
    Untrue(Dropped),
    /// A part of the row that gave nothing.
    Dropped(Dropped),
}

/// A decision with what came of it at once, and what rules of quality look at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) decision: DecisionRecord,
    pub(crate) outcome: OutcomeRecord,
    pub(crate) finish_reason: Option<String>,
    /// Whether the tools that the answer called did what they should.
    pub(crate) tool_success: Option<bool>,
    /// How much of the answer its reader changed, from nothing, 0, to all of it, 1.
    pub(crate) share_changed: Option<f64>,
    pub(crate) untrue: Untrue,
}

/// Values of a call that cannot be true: the call goes without them, and they are counted by reason.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Untrue(pub(crate) Vec<Dropped>);

impl Untrue {
    /// The first of `cells` that is a number from zero on. Where none is, one below zero is noted.
    pub(crate) fn amount(&mut self, reason: Reason, cells: &[&Cell]) -> Option<f64> {
        first(cells, Cell::amount)
            .or_else(|| self.not_below_zero(reason, first(cells, Cell::number)))
    }

    /// The number, if it is not below zero; else it is noted.
    pub(crate) fn not_below_zero(&mut self, reason: Reason, number: Option<f64>) -> Option<f64> {
        let number = number?;
        if number < 0.0 {
            self.0.push(Dropped::new(reason, number.to_string()));
            return None;
        }
        Some(number)
    }

    /// The time from `start` to `end`, both in milliseconds; an end that is earlier is noted.
    pub(crate) fn taken_ms(
        &mut self,
        reason: Reason,
        (start, end): (Option<u64>, Option<u64>),
    ) -> Option<f64> {
        let (start, end) = start.zip(end)?;
        if end < start {
            self.0.push(Dropped::new(reason, format!("{} ms earlier", start - end)));
            return None;
        }
        Some(pointsman_core::units::as_float(end - start))
    }

    /// The same of the call `id`.
    pub(crate) fn of_call(self, id: &str) -> Self {
        let named = |one: Dropped| Dropped::new(one.reason, format!("id `{id}`, {}", one.detail));
        Self(self.0.into_iter().map(named).collect())
    }
}

/// A grade and what it is of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Score {
    pub(crate) target: Target,
    pub(crate) ts_ms: u64,
    pub(crate) metric: MetricRecord,
}

/// What a grade is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The decision with that id.
    Decision(String),
    /// Every decision of the trace.
    Trace(String),
    /// The decision with that id, or, where it is an episode, every decision of it.
    Either(String),
}

/// The fields of a call as a format finds them, each of them possibly missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) id: Option<String>,
    /// The model that was asked for: the one that was chosen. Where it is missing, the one that answered.
    pub(crate) asked: Option<String>,
    /// The model that answered.
    pub(crate) served: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) start_ms: Option<u64>,
    pub(crate) end_ms: Option<u64>,
    pub(crate) session: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) tags: Vec<(&'static str, Option<String>)>,
    pub(crate) prompt: Prompt,
    pub(crate) n_tools: u32,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) is_failed: bool,
    pub(crate) fallback_from: Option<String>,
    pub(crate) usage: UsageRecord,
    /// Dollars, and who says so.
    pub(crate) cost: Option<(f64, &'static str)>,
    pub(crate) latency_ms: Option<f64>,
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) metrics: Vec<MetricRecord>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) tool_success: Option<bool>,
    /// What was answered.
    pub(crate) answer: Option<String>,
    /// What its reader made of it in the end.
    pub(crate) kept_answer: Option<String>,
    pub(crate) propensity: Option<PropensityRecord>,
    /// What decided, by the source's name for it.
    pub(crate) policy: Option<String>,
    pub(crate) untrue: Untrue,
}

impl Draft {
    /// The call; a row without an id, a model or a time is dropped.
    pub(crate) fn finish(self) -> Result<Found, Dropped> {
        let Some(id) = self.id else { return Err(no_id("")) };
        let no = |reason| Err(Dropped::new(reason, format!("id `{id}`")));
        let Some(drawn) = self.asked.or_else(|| self.served.clone()) else {
            return no(Reason::NO_MODEL);
        };
        let Some(ts_ms) = self.start_ms.or(self.end_ms) else { return no(Reason::NO_TIME) };
        let mut untrue = self.untrue;
        let measured = untrue.taken_ms(Reason::ENDS_EARLY, (self.start_ms, self.end_ms));
        let untrue = untrue.of_call(&id);
        let latency_ms = self.latency_ms.or(measured);
        let request = pointsman_log::record::RequestRecord {
            input_tokens: self.usage.input,
            tools: self.n_tools,
            max_tokens: self.max_tokens,
            ..self.prompt.into_request()
        };
        let tags = self.tags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        let served_model = self.served.filter(|served| !is_same_model(&drawn, served));
        let propensity = self
            .propensity
            .unwrap_or(PropensityRecord { value: None, kind: PropensityKind::Unknown });
        let decision = DecisionRecord {
            id: id.clone(),
            ts_ms,
            session_id: self.session,
            turn: None,
            tenant: self.tenant,
            tags: tags.collect(),
            request,
            candidates: vec![candidate(&drawn, 1.0)],
            drawn,
            propensity,
            draw: None,
            objective: None,
            policy: PolicyRecord {
                name: self.policy.unwrap_or_else(|| "imported".to_owned()),
                digest: None,
            },
            keep_prob: None,
            decision_ns: None,
            step: None,
            previous: None,
            spent_usd: None,
            answer: None,
        };
        let outcome = OutcomeRecord {
            decision_id: id,
            ts_ms: self.end_ms.unwrap_or(ts_ms).max(ts_ms),
            served_model,
            provider: self.provider,
            status: if self.is_failed { Status::Failed } else { Status::Ok },
            fallback_from: self.fallback_from,
            usage: self.usage,
            cost_usd: self
                .cost
                .map(|(value, source)| CostRecord { value, source: source.to_owned() }),
            latency_ms,
            ttft_ms: self.ttft_ms,
            metrics: self.metrics,
        };
        let (finish_reason, tool_success) = (self.finish_reason, self.tool_success);
        let answers = self.answer.zip(self.kept_answer);
        let share_changed = answers.map(|(answer, kept)| share_changed(&answer, &kept));
        let call = Call { decision, outcome, finish_reason, tool_success, share_changed, untrue };
        Ok(Found::Call(Box::new(call)))
    }
}

/// Adds what `row` gives, or what each row of the `page` that it is gives. A row that gives nothing is
/// dropped; one of a page is counted as a part of it.
///
/// # Errors
/// [`Dropped`] where a row that is no page gives nothing.
pub(crate) fn push_rows<R>(
    row: R,
    page: Vec<R>,
    read: impl Fn(R) -> Result<Found, Dropped>,
    out: &mut Vec<Found>,
) -> Result<(), Dropped> {
    if page.is_empty() {
        out.push(read(row)?);
        return Ok(());
    }
    out.extend(page.into_iter().map(|one| read(one).unwrap_or_else(Found::Dropped)));
    Ok(())
}

/// A row that lacks its id.
pub(crate) fn no_id(detail: &str) -> Dropped {
    Dropped::new(Reason::NO_ID, detail)
}

/// A metric of one answer.
pub(crate) fn metric(name: &str, value: f64, source: Option<String>, scope: Scope) -> MetricRecord {
    MetricRecord { name: name.to_owned(), value, source, scope }
}

/// A candidate of which no more is known than its probability.
pub(crate) fn candidate(model: &str, probability: f64) -> CandidateRecord {
    CandidateRecord {
        model: model.to_owned(),
        probability,
        quality: None,
        cost_usd: None,
        latency_ms: None,
        excluded_by: None,
    }
}

/// Whether `served` is `asked` under a longer name: with the name of its owner in front, or with a
/// date or a version behind.
pub(crate) fn is_same_model(asked: &str, served: &str) -> bool {
    let bare = |name: &str| {
        let name = name.rsplit('/').next().unwrap_or_default();
        name.split(':').next().unwrap_or_default().to_ascii_lowercase()
    };
    let (asked, served) = (bare(asked), bare(served));
    let [short, long] =
        if asked.len() <= served.len() { [&asked, &served] } else { [&served, &asked] };
    match long.strip_prefix(short.as_str()) {
        Some("") => true,
        Some(rest) => {
            let tail = rest.strip_prefix(['-', '@']);
            tail.is_some_and(|tail| {
                let n_digits = tail.bytes().filter(u8::is_ascii_digit).count();
                let are_of_dates = tail.bytes().all(|one| one.is_ascii_digit() || one == b'-');
                tail == "latest" || are_of_dates && 3 < n_digits
            })
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_name_is_the_same_model() {
        for (asked, served, expected) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-2024-08-06", true),
            ("openai/gpt-4o", "gpt-4o-2024-08-06", true),
            ("claude-sonnet-4", "claude-sonnet-4@20250514", true),
            ("model-latest", "model", true),
            ("a/model:free", "a/model", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-4o", "gpt-4o-2", false),
            ("gpt-4", "gpt-4o", false),
        ] {
            assert_eq!(is_same_model(asked, served), expected, "{asked} {served}");
        }
    }

    #[test]
    fn what_cannot_be_true_is_noted() {
        let mut untrue = Untrue::default();
        let cells = [Cell::Number(-0.5), Cell::Whole(2), Cell::None];
        let [below, whole, none] = &cells;
        let (reason, early) = (Reason::COST_BELOW_ZERO, Reason::FIRST_TOKEN_EARLY);
        assert_eq!(untrue.amount(reason, &[below, whole]), Some(2.0));
        assert_eq!(untrue.amount(reason, &[none]), None);
        assert_eq!(untrue.taken_ms(early, (Some(7), Some(9))), Some(2.0));
        assert_eq!(untrue.taken_ms(early, (Some(7), None)), None);
        assert_eq!(untrue, Untrue::default());
        assert_eq!(untrue.amount(reason, &[none, below]), None);
        assert_eq!(untrue.taken_ms(early, (Some(9), Some(7))), None);
        assert_eq!(untrue.0, [Dropped::new(reason, "-0.5"), Dropped::new(early, "2 ms earlier")]);
    }

    #[test]
    fn a_call_lacks_neither_id_nor_model_nor_time() {
        let text = |text: &str| Some(text.to_owned());
        let full = Draft {
            id: text("a"),
            served: text("m"),
            start_ms: Some(1_000),
            end_ms: Some(1_250),
            ..Draft::default()
        };
        let Ok(Found::Call(call)) = full.clone().finish() else { panic!("a call") };
        assert_eq!(call.decision.drawn, "m");
        assert_eq!(call.outcome.latency_ms, Some(250.0));
        assert!(call.decision.check().is_ok() && call.outcome.check().is_ok());
        for (draft, reason) in [
            (Draft { id: None, ..full.clone() }, Reason::NO_ID),
            (Draft { served: None, ..full.clone() }, Reason::NO_MODEL),
            (Draft { start_ms: None, end_ms: None, ..full.clone() }, Reason::NO_TIME),
        ] {
            assert_eq!(draft.finish().unwrap_err().reason, reason);
        }
        // A clock that went backwards measured nothing, and that is said.
        let Ok(Found::Call(call)) = (Draft { end_ms: Some(900), ..full }).finish() else {
            panic!("a call")
        };
        assert_eq!((call.outcome.latency_ms, call.outcome.ts_ms), (None, 1_000));
        assert_eq!(call.untrue.0, [Dropped::new(Reason::ENDS_EARLY, "id `a`, 100 ms earlier")]);
    }
}

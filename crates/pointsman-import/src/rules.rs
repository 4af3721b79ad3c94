//! Quality where none was logged: rules that read it off what is there.
//!
//! Rules are tried in their order, and the first that fits gives the quality. What the caller does next
//! in the same conversation, ask the same again or complain, corrects the call before, if that rule
//! stands above the one that had fitted. Questions are compared as hashes; where a rule allows for small
//! edits, questions of up to 4 KiB are kept as texts, and longer ones have to be equal. The weakness:
//! such qualities are guesses about satisfaction; the report says how many calls each rule decided, so
//! that nobody takes them for grades.

mod file;

use std::collections::HashMap;

use pointsman_log::record::{
    DecisionRecord, MetricRecord, OutcomeRecord, RoleRecord, Scope, Status,
};

use crate::{
    call::{Call, metric},
    edits::share_changed,
    error::ImportError,
    known::{IdHash, hash},
};

/// The most conversations that are remembered twice over; the oldest make room first.
const MAX_CONVERSATIONS: usize = 500_000;
/// The longest question that is kept as a text, and how much text is remembered twice over, in bytes.
const MAX_ASKED_BYTES: usize = 4 << 10;
const MAX_TEXT_BYTES: usize = 64 << 20;

/// The name of the metric that is the quality.
pub(crate) const QUALITY: &str = "quality";

/// Rules in the order in which they are tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq)]
struct Rule {
    when: When,
    /// From nothing, 0, to the best, 1.
    quality: f64,
}

/// When a rule fits.
#[derive(Debug, Clone, PartialEq)]
enum When {
    /// The call failed.
    Error,
    /// The answer ended for one of these reasons.
    FinishReason(Vec<String>),
    /// The tools that the answer called did, or did not do, what they should.
    ToolSuccess(bool),
    /// A score lies between two numbers, both included.
    Score { name: String, at_least: f64, at_most: f64 },
    /// A share of the answer's text that lies between two numbers, both included, was changed by its
    /// reader.
    Edited { at_least: f64, at_most: f64 },
    /// The caller asks the same again within so many milliseconds, or what differs from it by such a
    /// share of its text at most.
    Regenerated { within_ms: u64, at_most: f64 },
    /// The caller's next message holds one of these phrases, in lower case.
    Complaint { phrases: Vec<String>, within_ms: u64 },
    /// No rule above fits, and the call succeeded.
    Otherwise,
}

impl Rules {
    /// Reads the TOML form.
    ///
    /// # Errors
    /// [`ImportError::Rules`] where it is not TOML, has no rule, or a rule is not one.
    pub fn from_toml(text: &str) -> Result<Self, ImportError> {
        file::rules(text).map(|rules| Self { rules })
    }

    /// How each rule is named in the report, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.rules.iter().zip(1..).map(|(rule, number)| named(rule, number))
    }

    /// What the rules say of a call at once.
    fn now(&self, call: &Call) -> Option<MetricRecord> {
        let is_failed = call.outcome.status == Status::Failed;
        let fits = |rule: &Rule| match &rule.when {
            When::Error => is_failed,
            When::FinishReason(reasons) => {
                let reason = call.finish_reason.as_deref().unwrap_or_default();
                reasons.iter().any(|one| one.eq_ignore_ascii_case(reason))
            }
            When::ToolSuccess(success) => call.tool_success == Some(*success),
            When::Score { name, at_least, at_most } => call
                .outcome
                .metric(name)
                .is_some_and(|value| (*at_least..=*at_most).contains(&value)),
            When::Edited { at_least, at_most } => {
                call.share_changed.is_some_and(|share| (*at_least..=*at_most).contains(&share))
            }
            When::Regenerated { .. } | When::Complaint { .. } => false,
            When::Otherwise => !is_failed,
        };
        self.metric(self.rules.iter().position(fits)?)
    }

    /// What the rules say of a score that came by itself.
    pub(crate) fn of_score(&self, score: &MetricRecord) -> Option<MetricRecord> {
        let fits = |rule: &Rule| match &rule.when {
            When::Score { name, at_least, at_most } => {
                *name == score.name && (*at_least..=*at_most).contains(&score.value)
            }
            When::Error
            | When::FinishReason(_)
            | When::ToolSuccess(_)
            | When::Edited { .. }
            | When::Regenerated { .. }
            | When::Complaint { .. }
            | When::Otherwise => false,
        };
        self.metric(self.rules.iter().position(fits)?)
    }

    /// The rule that a call fits by what its caller does next, above the one that had fitted.
    fn later(&self, last: &Last, next: &Next<'_>) -> Option<MetricRecord> {
        let since_ms = next.ts_ms.checked_sub(last.ts_ms)?;
        let fits = |rule: &Rule| match &rule.when {
            When::Regenerated { within_ms, at_most } => {
                since_ms <= *within_ms && last.asks(next.asked, *at_most)
            }
            When::Complaint { phrases, within_ms } => {
                let is_new = last.asked != Some(hash(next.asked));
                let complains = phrases.iter().any(|phrase| next.asked.contains(phrase.as_str()));
                since_ms <= *within_ms && is_new && complains && next.is_follow_up
            }
            When::Error
            | When::FinishReason(_)
            | When::ToolSuccess(_)
            | When::Score { .. }
            | When::Edited { .. }
            | When::Otherwise => false,
        };
        let place = self.rules.iter().position(fits)?;
        if last.place.is_some_and(|fitted| fitted <= place) {
            return None;
        }
        self.metric(place)
    }

    /// The text of a question that is not too long, where a rule compares it with the next one.
    fn text_of(&self, asked: String) -> Option<String> {
        let compares =
            |rule: &Rule| matches!(rule.when, When::Regenerated { at_most, .. } if 0.0 < at_most);
        let is_short = !asked.is_empty() && asked.len() <= MAX_ASKED_BYTES;
        (is_short && self.rules.iter().any(compares)).then_some(asked)
    }

    fn metric(&self, place: usize) -> Option<MetricRecord> {
        let rule = self.rules.get(place)?;
        Some(metric(QUALITY, rule.quality, Some(named(rule, place + 1)), Scope::Request))
    }
}

/// What the report and the metric's source call a rule.
fn named(rule: &Rule, number: usize) -> String {
    let what = match &rule.when {
        When::Error => "error".to_owned(),
        When::FinishReason(reasons) => format!("finish_reason is {}", reasons.join(" or ")),
        When::ToolSuccess(true) => "tools succeeded".to_owned(),
        When::ToolSuccess(false) => "tools failed".to_owned(),
        When::Score { name, .. } => format!("score {name}"),
        When::Edited { at_least, at_most } => format!("edited by {at_least} to {at_most}"),
        When::Regenerated { at_most, .. } if *at_most == 0.0 => "asked again".to_owned(),
        When::Regenerated { at_most, .. } => format!("asked again, edited by up to {at_most}"),
        When::Complaint { .. } => "complaint".to_owned(),
        When::Otherwise => "otherwise".to_owned(),
    };
    format!("rule {number}: {what}")
}

/// The place, from 0, of the rule that a metric's source names.
fn place_of(source: &str) -> Option<usize> {
    let (number, _) = source.strip_prefix("rule ")?.split_once(':')?;
    number.parse::<usize>().ok()?.checked_sub(1)
}

/// The last call of a conversation.
#[derive(Debug, Clone)]
struct Last {
    decision_id: String,
    ts_ms: u64,
    /// The rule that had fitted, from 0; `None` where the log has a quality of its own, or no rule did.
    place: Option<usize>,
    /// Whether the log has a quality of its own, which no rule corrects.
    is_graded: bool,
    /// The hash of what was asked.
    asked: Option<IdHash>,
    /// What was asked, where a rule needs it and it is not too long.
    text: Option<String>,
}

impl Last {
    /// Whether `asked` is what was asked, but for a share of its text.
    fn asks(&self, asked: &str, at_most: f64) -> bool {
        let differs_by = |text: &String| share_changed(text, asked);
        self.asked == Some(hash(asked))
            || 0.0 < at_most && self.text.as_ref().map(differs_by).is_some_and(|by| by <= at_most)
    }
}

/// The call after it.
struct Next<'a> {
    ts_ms: u64,
    asked: &'a str,
    /// Whether it goes on with the conversation, and does not begin it anew.
    is_follow_up: bool,
}

/// A grade of an earlier decision, which a later one brought.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Correction {
    pub(crate) decision_id: String,
    pub(crate) ts_ms: u64,
    pub(crate) metric: MetricRecord,
    /// The rule that had decided before, by its name.
    pub(crate) replaces: Option<String>,
}

/// Rules at work, with the conversations that they remember.
#[derive(Debug)]
pub(crate) struct Judge {
    rules: Rules,
    young: HashMap<IdHash, Last>,
    old: HashMap<IdHash, Last>,
    /// Texts of `young`, those that were replaced since among them.
    n_text_bytes: usize,
}

impl Judge {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, young: HashMap::new(), old: HashMap::new(), n_text_bytes: 0 }
    }

    pub(crate) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Gives a call its quality where it has none.
    pub(crate) fn grade(&self, call: &mut Call) {
        if call.outcome.metric(QUALITY).is_none()
            && let Some(metric) = self.rules.now(call)
        {
            call.outcome.metrics.push(metric);
        }
    }

    /// Takes note of a call that was graded; what it says of the one before.
    pub(crate) fn next(
        &mut self,
        decision: &DecisionRecord,
        outcome: Option<&OutcomeRecord>,
    ) -> Option<Correction> {
        let session = hash(decision.session_id.as_deref()?);
        let messages = decision.request.messages.as_deref().unwrap_or_default();
        let is_asked = |role: RoleRecord| role == RoleRecord::User;
        let asked = messages.iter().rev().find(|one| is_asked(one.role));
        let asked = folded(asked.map(|one| one.content.as_str()).unwrap_or_default());
        let is_follow_up = messages.iter().any(|one| one.role == RoleRecord::Assistant);
        let last = self.young.get(&session).or_else(|| self.old.get(&session));
        let next = Next { ts_ms: decision.ts_ms, asked: &asked, is_follow_up };
        let corrected = last.filter(|last| !last.is_graded).and_then(|last| {
            let metric = self.rules.later(last, &next)?;
            let decision_id = last.decision_id.clone();
            let replaces = last.place.and_then(|place| self.rules.names().nth(place));
            Some(Correction { decision_id, ts_ms: decision.ts_ms, metric, replaces })
        });
        let quality = outcome
            .and_then(|outcome| outcome.metrics.iter().rev().find(|metric| metric.name == QUALITY));
        let place = quality.and_then(|metric| place_of(metric.source.as_deref()?));
        let last = Last {
            decision_id: decision.id.clone(),
            ts_ms: decision.ts_ms,
            place,
            is_graded: quality.is_some() && place.is_none(),
            asked: (!asked.is_empty()).then(|| hash(&asked)),
            text: self.rules.text_of(asked),
        };
        if MAX_CONVERSATIONS <= self.young.len() || MAX_TEXT_BYTES <= self.n_text_bytes {
            self.old = std::mem::take(&mut self.young);
            self.n_text_bytes = 0;
        }
        self.n_text_bytes += last.text.as_ref().map_or(0, String::len);
        self.young.insert(session, last);
        corrected
    }
}

/// A text in lower case with single blanks.
fn folded(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;

//! Quality where none was logged: rules that read it off what is there.
//!
//! Rules are tried in their order, and the first that fits gives the quality. What the caller does next
//! in the same conversation, ask the same again or complain, corrects the call before, if that rule
//! stands above the one that had fitted. The weakness: such qualities are guesses about satisfaction;
//! the report says how many calls each rule decided, so that nobody takes them for grades.

use std::collections::HashMap;

use pointsman_log::record::{
    DecisionRecord, MetricRecord, OutcomeRecord, RoleRecord, Scope, Status,
};
use serde::Deserialize;

use crate::{
    call::{Call, metric},
    error::ImportError,
    known::{IdHash, hash},
};

/// The most conversations that are remembered twice over; the oldest are forgotten first.
const MAX_CONVERSATIONS: usize = 500_000;

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
    /// The caller asks the same again within so many milliseconds.
    Regenerated { within_ms: u64 },
    /// The caller's next message holds one of these phrases, in lower case.
    Complaint { phrases: Vec<String>, within_ms: u64 },
    /// No rule above fits, and the call succeeded.
    Otherwise,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    rules: Vec<RuleFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    when: String,
    quality: f64,
    is: Option<Vec<String>>,
    name: Option<String>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    success: Option<bool>,
    phrases: Option<Vec<String>>,
    within_minutes: Option<f64>,
}

impl Rules {
    /// Reads the TOML form.
    ///
    /// # Errors
    /// [`ImportError::Rules`] where it is not TOML, has no rule, or a rule is not one.
    pub fn from_toml(text: &str) -> Result<Self, ImportError> {
        let file: RulesFile = toml::from_str(text).map_err(|error| {
            let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            ImportError::Rules { message }
        })?;
        if file.rules.is_empty() {
            let message = "there is none; add a [[rules]] table".to_owned();
            return Err(ImportError::Rules { message });
        }
        let rules = file.rules.iter().zip(1..).map(|(rule, number)| checked(rule, number));
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
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
            When::Regenerated { within_ms } => {
                since_ms <= *within_ms && last.asked == Some(hash(&next.asked))
            }
            When::Complaint { phrases, within_ms } => {
                let is_new = last.asked != Some(hash(&next.asked));
                let complains = phrases.iter().any(|phrase| next.asked.contains(phrase.as_str()));
                since_ms <= *within_ms && is_new && complains && next.is_follow_up
            }
            When::Error
            | When::FinishReason(_)
            | When::ToolSuccess(_)
            | When::Score { .. }
            | When::Otherwise => false,
        };
        let place = self.rules.iter().position(fits)?;
        if last.place.is_some_and(|fitted| fitted <= place) {
            return None;
        }
        self.metric(place)
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
        When::Regenerated { .. } => "asked again".to_owned(),
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

fn checked(file: &RuleFile, number: usize) -> Result<Rule, ImportError> {
    let wrong = |what: &str| ImportError::Rules { message: format!("rule {number}: {what}") };
    if !(0.0..=1.0).contains(&file.quality) {
        return Err(wrong("`quality` has to be from 0 to 1"));
    }
    let (when, allowed) = when_of(file, &wrong)?;
    let given = [
        ("is", file.is.is_some()),
        ("name", file.name.is_some()),
        ("at_least", file.at_least.is_some()),
        ("at_most", file.at_most.is_some()),
        ("success", file.success.is_some()),
        ("phrases", file.phrases.is_some()),
        ("within_minutes", file.within_minutes.is_some()),
    ];
    let odd = given.iter().find(|(key, is_given)| *is_given && !allowed.contains(key));
    match odd {
        Some((key, _)) => Err(wrong(&format!("`{key}` has no meaning here"))),
        None => Ok(Rule { when, quality: file.quality }),
    }
}

/// When a rule fits, and the keys that it may have besides `when` and `quality`.
fn when_of(
    file: &RuleFile,
    wrong: &dyn Fn(&str) -> ImportError,
) -> Result<(When, &'static [&'static str]), ImportError> {
    let within_ms = minutes(file.within_minutes.unwrap_or(60.0))
        .ok_or_else(|| wrong("`within_minutes` has to be from 0 to 1000000"))?;
    let found: (When, &'static [&'static str]) = match file.when.as_str() {
        "error" => (When::Error, &[]),
        "finish_reason" => {
            let reasons = file.is.clone().filter(|all| !all.is_empty());
            let reasons = reasons.ok_or_else(|| wrong("`is` has to list reasons"))?;
            (When::FinishReason(reasons), &["is"])
        }
        "tools" => {
            let success = file.success.ok_or_else(|| wrong("`success` has to be true or false"))?;
            (When::ToolSuccess(success), &["success"])
        }
        "score" => {
            let name = file.name.clone().ok_or_else(|| wrong("`name` has to name the score"))?;
            let at_least = file.at_least.unwrap_or(f64::NEG_INFINITY);
            let at_most = file.at_most.unwrap_or(f64::INFINITY);
            (When::Score { name, at_least, at_most }, &["name", "at_least", "at_most"])
        }
        "regenerated" => (When::Regenerated { within_ms }, &["within_minutes"]),
        "complaint" => {
            let are_words = |all: &&Vec<String>| {
                !all.is_empty() && all.iter().all(|one| !one.trim().is_empty())
            };
            let phrases = file.phrases.as_ref().filter(are_words);
            let phrases = phrases.ok_or_else(|| wrong("`phrases` has to list words"))?;
            let phrases = phrases.iter().map(|phrase| folded(phrase)).collect();
            (When::Complaint { phrases, within_ms }, &["phrases", "within_minutes"])
        }
        "otherwise" => (When::Otherwise, &[]),
        other => {
            return Err(wrong(&format!(
                "when = \"{other}\" is not known; known are error, finish_reason, tools, score, \
                 regenerated, complaint, otherwise"
            )));
        }
    };
    Ok(found)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the minutes are from zero to a million"
)]
fn minutes(minutes: f64) -> Option<u64> {
    (0.0..=1e6).contains(&minutes).then_some((minutes * 60_000.0) as u64)
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
}

/// The call after it.
struct Next<'a> {
    ts_ms: u64,
    asked: std::borrow::Cow<'a, str>,
    /// Whether it goes on with the conversation, and does not begin it anew.
    is_follow_up: bool,
}

/// A grade of an earlier decision, which a later one brought.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Correction {
    pub(crate) decision_id: String,
    pub(crate) ts_ms: u64,
    pub(crate) metric: MetricRecord,
}

/// Rules at work, with the conversations that they remember.
#[derive(Debug)]
pub(crate) struct Judge {
    rules: Rules,
    young: HashMap<IdHash, Last>,
    old: HashMap<IdHash, Last>,
}

impl Judge {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, young: HashMap::new(), old: HashMap::new() }
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
        let next = Next { ts_ms: decision.ts_ms, asked: asked.as_str().into(), is_follow_up };
        let corrected = last.filter(|last| !last.is_graded).and_then(|last| {
            let metric = self.rules.later(last, &next)?;
            let decision_id = last.decision_id.clone();
            Some(Correction { decision_id, ts_ms: decision.ts_ms, metric })
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
        };
        if MAX_CONVERSATIONS <= self.young.len() {
            self.old = std::mem::take(&mut self.young);
        }
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

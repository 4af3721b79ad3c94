//! Rules as people write them, in TOML, and every mistake in them.

use serde::Deserialize;

use super::{Rule, When, folded};
use crate::error::{ImportError, toml_problem};

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

/// The rules of a text.
pub(super) fn rules(text: &str) -> Result<Vec<Rule>, ImportError> {
    let file: RulesFile = toml::from_str(text)
        .map_err(|error| ImportError::Rules { message: toml_problem(&error, text) })?;
    if file.rules.is_empty() {
        let message = "there is none; add a [[rules]] table".to_owned();
        return Err(ImportError::Rules { message });
    }
    file.rules.iter().zip(1..).map(|(rule, number)| checked(rule, number)).collect()
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
        "edited" => {
            let (at_least, at_most) = shares((file.at_least, file.at_most), wrong)?;
            (When::Edited { at_least, at_most }, &["at_least", "at_most"])
        }
        "regenerated" => {
            let (_, at_most) = shares((None, file.at_most.or(Some(0.0))), wrong)?;
            (When::Regenerated { within_ms, at_most }, &["within_minutes", "at_most"])
        }
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
                 edited, regenerated, complaint, otherwise"
            )));
        }
    };
    Ok(found)
}

/// The ends of a range of shares; all of it where they are not given.
fn shares(
    (at_least, at_most): (Option<f64>, Option<f64>),
    wrong: &dyn Fn(&str) -> ImportError,
) -> Result<(f64, f64), ImportError> {
    let (at_least, at_most) = (at_least.unwrap_or(0.0), at_most.unwrap_or(1.0));
    if (0.0..=at_most).contains(&at_least) && at_most <= 1.0 {
        return Ok((at_least, at_most));
    }
    Err(wrong(
        "`at_least` and `at_most` have to be shares of a text, from 0 to 1, the first not above the \
         second",
    ))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the minutes are from zero to a million"
)]
fn minutes(minutes: f64) -> Option<u64> {
    (0.0..=1e6).contains(&minutes).then_some((minutes * 60_000.0) as u64)
}

//! Open Bandit columns: one row a round, with the action, its propensity and whether it was clicked.
//!
//! The Open Bandit Dataset calls them `item_id`, `propensity_score` and `click`, its pipeline `action`,
//! `pscore` and `reward`. Every other column is context, and becomes the text of the request. How many
//! actions there were is told by `pi_b` (the whole distribution), by `n_actions`, or by the columns
//! `user-item_affinity_…`; where nothing tells, all the others are one candidate, `other`.

use serde_json::{Map, Value};

use crate::{
    item::{Dropped, Item, Reason},
    time,
    vw::{Action, BAD_LABEL, Label, Row, features::Features},
};

/// Keys of which a row has all of one line.
pub const MARKS: &[&[&str]] = &[
    &["item_id", "propensity_score", "click"],
    &["action", "pscore", "reward"],
    &["action", "pscore", "click"],
];

/// The beginning of the names of columns that are there once for each action.
const PER_ACTION: &str = "user-item_affinity_";

/// The columns that are not context.
const COLUMNS: [&str; 12] = [
    "",
    "id",
    "timestamp",
    "action",
    "item_id",
    "pscore",
    "propensity_score",
    "reward",
    "click",
    "pi_b",
    "n_actions",
    "Unnamed: 0",
];

const NO_PROPENSITY: Reason = Reason("no propensity");
const NO_REWARD: Reason = Reason("no reward");

/// Reads one row, a JSON object of the columns. Where it has no `id`, see [`crate::place`].
///
/// # Errors
/// [`Dropped`] where the row is no JSON object, or has no action, no propensity or no reward, or they
/// cannot be.
pub fn read(row: &[u8], out: &mut Vec<Item>) -> Result<(), Dropped> {
    let row: Map<String, Value> = serde_json::from_slice(row)
        .map_err(|problem| Dropped::new(Reason::NOT_THE_FORMAT, problem.to_string()))?;
    let Some(action) = text(&row, &["action", "item_id"]) else {
        return Err(Dropped::new(Reason::NO_MODEL, "no `action` and no `item_id`"));
    };
    let probability = number(&row, &["pscore", "propensity_score"])
        .ok_or_else(|| Dropped::new(NO_PROPENSITY, "no `pscore` and no `propensity_score`"))?;
    let reward = number(&row, &["reward", "click"])
        .ok_or_else(|| Dropped::new(NO_REWARD, "no `reward` and no `click`"))?;
    let distribution = distribution(&row)?;
    let (actions, drawn) = actions(&row, &action, probability, distribution.as_deref())?;
    let ts_ms = match text(&row, &["timestamp"]) {
        None => 0,
        Some(text) => time::of_text(&text)
            .ok_or_else(|| Dropped::new(Reason::NO_TIME, "its `timestamp` cannot be read"))?,
    };
    let id = text(&row, &["id"]).unwrap_or_default();
    let context: Map<String, Value> =
        row.into_iter().filter(|(key, _)| !COLUMNS.contains(&key.as_str())).collect();
    let shared = Features::of_json(&Value::Object(context));
    let label = Label { cost: 0.0 - reward, probability };
    let policy = "open bandit";
    Row { policy, id, ts_ms, shared, actions, drawn, label, distribution, keep_prob: None }
        .push(out)
}

/// The actions, and the place of the one that was drawn.
fn actions(
    row: &Map<String, Value>,
    action: &str,
    probability: f64,
    distribution: Option<&[f64]>,
) -> Result<(Vec<Action>, usize), Dropped> {
    let named = |name: String| Action { tag: Some(name), features: Features::default() };
    let number = action.strip_suffix(".0").unwrap_or(action).parse::<usize>().ok();
    let n_affinities = row.keys().filter(|key| key.starts_with(PER_ACTION)).count();
    let n_stated = text(row, &["n_actions"]).and_then(|n| n.parse::<usize>().ok());
    let n_actions = distribution
        .map(<[f64]>::len)
        .or_else(|| n_stated.filter(|n| (1..=MOST_ACTIONS).contains(n)))
        .or_else(|| (0 < n_affinities).then_some(n_affinities));
    match (n_actions, number) {
        (Some(n_actions), Some(drawn)) if drawn < n_actions => {
            Ok(((0..n_actions).map(|at| named(format!("action-{at}"))).collect(), drawn))
        }
        (Some(n_actions), _) => {
            Err(Dropped::new(BAD_LABEL, format!("action {action} of {n_actions}, from 0")))
        }
        (None, number) => {
            let name = number.map_or_else(|| action.to_owned(), |at| format!("action-{at}"));
            let mut actions = vec![named(name)];
            if probability != 1.0 {
                actions.push(named("other".to_owned()));
            }
            Ok((actions, 0))
        }
    }
}

/// More actions than any log lists.
const MOST_ACTIONS: usize = 100_000;

/// The list in `pi_b`, or in its text.
fn distribution(row: &Map<String, Value>) -> Result<Option<Vec<f64>>, Dropped> {
    let refuse = || Dropped::new(Reason::BAD_NUMBER, "`pi_b` is no list of numbers");
    let parsed: Value = match row.get("pi_b") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| refuse())?,
        Some(other) => other.clone(),
    };
    let numbers: Option<Vec<f64>> =
        parsed.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
    numbers.map(Some).ok_or_else(refuse)
}

/// The first of the columns that has a text or a number, as text.
fn text(row: &Map<String, Value>, columns: &[&str]) -> Option<String> {
    columns.iter().find_map(|column| match row.get(*column)? {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

fn number(row: &Map<String, Value>, columns: &[&str]) -> Option<f64> {
    text(row, columns)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::name_by_place;
    use pointsman_log::record::{DecisionRecord, OutcomeRecord};

    fn items(row: &str) -> (DecisionRecord, OutcomeRecord) {
        let mut out = Vec::new();
        read(row.as_bytes(), &mut out).unwrap();
        for item in &mut out {
            name_by_place(item, "rounds", 4);
        }
        let Ok([Item::Decision(decision), Item::Outcome(outcome)]) = <[Item; 2]>::try_from(out)
        else {
            panic!("{row}");
        };
        (*decision, *outcome)
    }

    #[track_caller]
    fn check(row: &str, candidates: &[(&str, f64)], drawn: &str, text: &str) {
        let (decision, outcome) = items(row);
        decision.check().unwrap();
        outcome.check().unwrap();
        let found: Vec<(&str, f64)> =
            decision.candidates.iter().map(|one| (one.model.as_str(), one.probability)).collect();
        assert_eq!(found, candidates);
        assert_eq!(decision.drawn, drawn);
        assert_eq!(decision.request.messages.unwrap()[0].content, text);
    }

    #[test]
    fn rounds_are_read_in_both_spellings() {
        check(
            r#"{"":"7","timestamp":"2019-11-24 00:00:21.306718+00:00","item_id":"1","position":"3",
                "click":"1","propensity_score":"0.5","user_feature_0":"81ce",
                "user-item_affinity_0":"0.0","user-item_affinity_1":"1.5","user-item_affinity_2":""}"#,
            &[("action-0", 0.25), ("action-1", 0.5), ("action-2", 0.25)],
            "action-1",
            "| position=3 user-item_affinity_0=0.0 user-item_affinity_1=1.5 user-item_affinity_2= \
             user_feature_0=81ce",
        );
        check(
            r#"{"action":2,"pscore":0.5,"reward":0.25,"context":[0.5,-1],"pi_b":[0.125,0.375,0.5]}"#,
            &[("action-0", 0.125), ("action-1", 0.375), ("action-2", 0.5)],
            "action-2",
            "|context 0:0.5 1:-1",
        );
        check(
            r#"{"action":"2.0","pscore":"0.75","reward":"0","n_actions":"3"}"#,
            &[("action-0", 0.125), ("action-1", 0.125), ("action-2", 0.75)],
            "action-2",
            "",
        );
    }

    #[test]
    fn actions_that_are_not_told_are_one_candidate() {
        let row = r#"{"action":5,"pscore":0.75,"reward":1}"#;
        check(row, &[("action-5", 0.75), ("other", 0.25)], "action-5", "");
        check(r#"{"action":"red","pscore":1,"click":false}"#, &[("red", 1.0)], "red", "");
    }

    #[test]
    fn times_and_ids_are_kept_and_missing_ids_are_places() {
        let (decision, outcome) = items(
            r#"{"id":"r","timestamp":"2026-01-01 00:00:01","action":0,"pscore":1,"reward":-0.5}"#,
        );
        assert_eq!((decision.id.as_str(), decision.ts_ms), ("r", 1_767_225_601_000));
        assert_eq!(outcome.metric("quality"), Some(-0.5));
        let (decision, outcome) = items(r#"{"action":0,"pscore":1,"reward":0}"#);
        assert_eq!((decision.id.as_str(), outcome.decision_id.as_str()), ("rounds-4", "rounds-4"));
    }

    #[track_caller]
    fn check_dropped(row: &str, reason: Reason, detail: &str) {
        let mut out = Vec::new();
        let dropped = read(row.as_bytes(), &mut out).unwrap_err();
        assert_eq!(dropped.reason, reason, "{dropped:?}");
        assert!(dropped.detail.contains(detail) && out.is_empty(), "{dropped:?}");
    }

    #[test]
    fn every_odd_row_has_its_reason() {
        check_dropped("[]", Reason::NOT_THE_FORMAT, "");
        check_dropped("{\"pscore\":1,\"reward\":1}", Reason::NO_MODEL, "item_id");
        check_dropped("{\"action\":1,\"reward\":1}", NO_PROPENSITY, "pscore");
        check_dropped("{\"action\":1,\"pscore\":null,\"reward\":1}", NO_PROPENSITY, "pscore");
        check_dropped("{\"action\":1,\"pscore\":1,\"reward\":\"good\"}", NO_REWARD, "reward");
        let row = |rest: &str| format!("{{\"action\":3,\"reward\":1,{rest}}}");
        check_dropped(&row("\"pscore\":0.5,\"n_actions\":3"), BAD_LABEL, "action 3 of 3");
        check_dropped(&row("\"pscore\":0.5,\"pi_b\":\"x\""), Reason::BAD_NUMBER, "pi_b");
        let impossible = Reason("its probabilities are no distribution over its actions");
        check_dropped(&row("\"pscore\":0"), impossible, "probability 0");
        check_dropped(&row("\"pscore\":0.5,\"pi_b\":[0.25,0.25,0.25,0.25]"), impossible, "label");
        let late = row("\"pscore\":0.5,\"timestamp\":\"yesterday\"");
        check_dropped(&late, Reason::NO_TIME, "timestamp");
        let endless = "{\"action\":1,\"pscore\":1,\"reward\":\"inf\"}";
        check_dropped(endless, Reason::BAD_NUMBER, "inf");
    }
}

//! `dsjson`: decisions with their outcomes, one JSON object a line.

use super::{
    BAD_LABEL, Label, NO_LABEL, NOT_ONE_DECISION, POLICY, Row, SKIPPED, context, number, object,
    place,
};
use crate::{
    item::{Dropped, Item, Reason},
    time,
};
use serde_json::Value;

/// Keys of which a row has all of one line.
pub const MARKS: &[&[&str]] =
    &[&["_label_cost", "_label_probability", "c"], &["EventId", "a", "c", "p"]];

/// Reads one row.
///
/// # Errors
/// [`Dropped`] where the row is no JSON object, is marked `_skipLearn`, has no label or no actions,
/// holds several decisions, or its numbers cannot be.
pub fn read(row: &[u8], out: &mut Vec<Item>) -> Result<(), Dropped> {
    let row = object(row)?;
    if row.get("_skipLearn").and_then(Value::as_bool) == Some(true) {
        return Err(Dropped::new(SKIPPED, "`_skipLearn` is true"));
    }
    if row.get("_outcomes").is_some() {
        return Err(Dropped::new(NOT_ONE_DECISION, "`_outcomes`"));
    }
    let Some(inner) = row.get("c") else {
        return Err(Dropped::new(Reason::NOT_THE_FORMAT, "it has no `c`"));
    };
    let (shared, actions) = context(inner)?;
    let label = match (number(&row, "_label_cost"), number(&row, "_label_probability")) {
        (Some(cost), Some(probability)) => Label { cost, probability },
        (Some(_) | None, Some(_) | None) => {
            return Err(Dropped::new(NO_LABEL, "no `_label_cost` or no `_label_probability`"));
        }
    };
    let order = order(&row);
    let drawn = place(&row, "_label_Action", 1)
        .or_else(|| place(&row, "_labelIndex", 0))
        .or_else(|| order.as_ref()?.first().copied())
        .ok_or_else(|| Dropped::new(BAD_LABEL, "no `_label_Action`"))?;
    let distribution = order.and_then(|order| distribution(&row, &order, actions.len()));
    let id = row.get("EventId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let ts_ms = match row.get("Timestamp").and_then(Value::as_str) {
        None => 0,
        Some(text) => time::of_text(text)
            .ok_or_else(|| Dropped::new(Reason::NO_TIME, "its `Timestamp` cannot be read"))?,
    };
    let keep_prob = keep_prob(&row)?;
    Row { policy: POLICY, id, ts_ms, shared, actions, drawn, label, distribution, keep_prob }
        .push(out)
}

/// The actions in the order of `a`, from 0.
fn order(row: &Value) -> Option<Vec<usize>> {
    let numbers = row.get("a")?.as_array()?;
    let at = |number: &Value| usize::try_from(number.as_u64()?.checked_sub(1)?).ok();
    numbers.iter().map(at).collect()
}

/// The probability of each action; one that is not listed has none. An empty list where `a` and `p`
/// do not fit together, which no distribution is.
fn distribution(row: &Value, order: &[usize], n_actions: usize) -> Option<Vec<f64>> {
    let listed = row.get("p")?.as_array()?;
    let mut all = vec![0.0; n_actions];
    if listed.len() != order.len() {
        return Some(Vec::new());
    }
    for (at, probability) in order.iter().zip(listed) {
        match (all.get_mut(*at), probability.as_f64()) {
            (Some(place), Some(probability)) => *place += probability,
            (Some(_) | None, Some(_) | None) => return Some(Vec::new()),
        }
    }
    Some(all)
}

/// One minus `pdrop`, the probability with which the logger dropped such a row.
fn keep_prob(row: &Value) -> Result<Option<f64>, Dropped> {
    let Some(found) = row.get("pdrop") else { return Ok(None) };
    let Some(pdrop) = found.as_f64().filter(|pdrop| (0.0..1.0).contains(pdrop)) else {
        return Err(Dropped::new(Reason::BAD_NUMBER, format!("a `pdrop` of {found}")));
    };
    Ok((0.0 < pdrop).then_some(1.0 - pdrop))
}

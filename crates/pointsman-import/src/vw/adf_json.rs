//! The JSON form without an envelope: the context, with the label in the action that was taken.

use super::{Label, NO_LABEL, NOT_ONE_DECISION, Row, context, number, object, place, text};
use crate::item::{Dropped, Item};
use serde_json::Value;

/// Keys of which a row has all of one line.
pub const MARKS: &[&[&str]] = &[&["_multi"]];

/// Reads one row. Its decision has no id and no time; see [`crate::place`].
///
/// # Errors
/// [`Dropped`] where the row is no JSON object, has no label or no actions, or its numbers cannot be.
pub fn read(row: &[u8], out: &mut Vec<Item>) -> Result<(), Dropped> {
    let row = object(row)?;
    let (shared, actions) = context(&row)?;
    let multi = row.get("_multi").and_then(Value::as_array);
    let of_action = |(at, action): (usize, &Value)| Some((at, label(action)?));
    let labelled: Vec<(usize, Label)> =
        multi.into_iter().flatten().enumerate().filter_map(of_action).collect();
    let (drawn, label) = match labelled.as_slice() {
        [one] => *one,
        [] => of_row(&row).ok_or_else(|| Dropped::new(NO_LABEL, "no action has a `_label`"))?,
        _ => return Err(Dropped::new(NOT_ONE_DECISION, "two actions have a `_label`")),
    };
    Row::bare((shared, actions), drawn, label).push(out)
}

/// The label beside the actions, with the place of its action.
fn of_row(row: &Value) -> Option<(usize, Label)> {
    let drawn = place(row, "_labelIndex", 0).or_else(|| place(row, "_label_Action", 1))?;
    Some((drawn, label(row)?))
}

/// The label of an action: an object, the same as flat keys, or as text.
fn label(action: &Value) -> Option<Label> {
    if let Some(text) = action.get("_label").and_then(Value::as_str) {
        return text::label(text);
    }
    if let Some(inner) = action.get("_label") {
        let (cost, probability) = (number(inner, "Cost")?, number(inner, "Probability")?);
        return Some(Label { cost, probability });
    }
    let cost = number(action, "_label_Cost").or_else(|| number(action, "_label_cost"))?;
    let probability =
        number(action, "_label_Probability").or_else(|| number(action, "_label_probability"))?;
    Some(Label { cost, probability })
}

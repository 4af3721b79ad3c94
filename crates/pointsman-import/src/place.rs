//! Ids of decisions whose log gives them none.
//!
//! Logs of bandits often have rows without a name, and equal rows are then different decisions. A row
//! is named by its place, so that the same file gives the same ids however often it is read.

use crate::item::Item;

/// Names a record that has no id after the file and the row, from 1, that it came from. `source` has to
/// tell files apart.
pub fn name_by_place(item: &mut Item, source: &str, row: u64) {
    let id = match item {
        Item::Decision(decision) => &mut decision.id,
        Item::Outcome(outcome) => &mut outcome.decision_id,
    };
    if id.is_empty() {
        *id = format!("{source}-{row}");
    }
}

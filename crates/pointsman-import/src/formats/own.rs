//! Our own traffic records, so that logs of several origins can come together in one folder.

use pointsman_log::{ndjson, record::Record};

use crate::item::{Dropped, Item, Reason};

/// Keys of which a row has all of one line.
pub(super) const MARKS: &[&[&str]] =
    &[&["v", "kind", "drawn", "candidates"], &["v", "kind", "decision_id"]];

/// Reads one record.
pub(super) fn read(row: &[u8], out: &mut Vec<Item>) -> Result<(), Dropped> {
    match ndjson::read(row).next() {
        Some(Ok(Record::Decision(decision))) => out.push(Item::Decision(decision)),
        Some(Ok(Record::Outcome(outcome))) => out.push(Item::Outcome(outcome)),
        Some(Err(error)) => {
            return Err(Dropped::new(Reason::NOT_THE_FORMAT, error.problem.to_string()));
        }
        None => return Err(Dropped::new(Reason::NOT_THE_FORMAT, "an empty row")),
    }
    Ok(())
}

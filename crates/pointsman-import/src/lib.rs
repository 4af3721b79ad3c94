//! Foreign logs, read as traffic records.
//!
//! Every gateway, tracer and bandit library has a log of its own. This crate knows their formats and
//! nothing else: each is read row by row into the records of `pointsman-log`, in bounded memory, and a
//! run that was cut off goes on where it was.

pub mod item;
pub mod open_bandit;
pub mod place;
pub mod prices;
pub mod results;
pub mod vw;

mod formats;

mod run;

mod survey;

mod rules;

pub mod time;

mod error;

mod call;
mod cell;
mod chat;
mod csv;
mod edits;
mod known;
mod manifest;
mod messages;
mod nearest;
mod open;
mod rows;
mod sink;
mod table;
mod traces;

#[cfg(test)]
mod tests;

pub use error::ImportError;
pub use formats::{ColumnMap, Columns, FORMATS, Format, find};
pub use nearest::{edit_distance, nearest_model};
pub use rules::Rules;
pub use run::{FileFound, Imported, Options, Origin, Progress, import};
pub use survey::{DroppedRows, Gap, Known, Names, Pools, Survey};
pub use table::{OpenTable, Table};

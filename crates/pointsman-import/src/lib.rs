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

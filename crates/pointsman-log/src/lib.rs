//! The traffic record: what was decided, with which propensity, and what came of it.
//!
//! Decisions and outcomes are separate lines of newline-delimited JSON, joined by the decision's
//! id, because an outcome may come minutes later, or never. The types of [`record`] are a wire
//! format with a version number; `testdata/` keeps a file of every version, which must load for
//! ever. [`journal`] keeps records across crashes. [`body`] is the other thing that arrives as JSON:
//! the call itself.

pub mod record;

pub mod check;

pub mod ndjson;

pub mod join;

pub mod journal;

pub mod ids;

pub mod body;

#[cfg(test)]
mod examples;

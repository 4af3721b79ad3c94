//! What the benches measure on: texts, policies and a simulated training set, all from fixed keys.

pub mod text;

pub mod coverage;
pub mod gate_edge;
pub mod policy;
pub mod world;

pub mod allocations;

pub mod batches;

pub mod journal;

pub mod processor;

pub mod compare;

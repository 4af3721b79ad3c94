//! Pointsman from outside: the binary as people run it, the files that must load for ever, and
//! the rules of the tree. One binary, because each one links the whole workspace again.
#![cfg(test)]

mod served;
mod tables;
mod workbench;

mod catalogs;
#[cfg(unix)]
mod documents;
mod edges;
mod escalation;
mod forgetting;
mod gate;
mod golden;
mod imports;
mod journals;
mod journey;
mod killed;
mod learning_loop;
mod many_models;
mod mistakes;
mod ope;
mod own_logs;
mod points;
mod published;
mod real_data;
mod reloads;
mod replay;
mod replay_changes;
mod rewards;
mod same_bits;
mod schema;
#[cfg(unix)]
mod secrets;
mod snapshots;
#[cfg(unix)]
mod stopping;
mod terminal;
mod trajectories;
mod trust;
mod undrawn;

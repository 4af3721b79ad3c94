//! Pointsman's decision: request → features → scores → distribution over models, and the
//! artifact that holds what was learned.
//!
//! This crate is pure: it takes bytes and numbers and gives numbers. It reads no clock, no file
//! and no network, and draws nothing at random: the random number of a decision is an argument.
//! Serving, training and evaluation all score through the functions of this crate, so that they
//! cannot differ.

pub mod units;

pub mod catalog;
pub mod request;

pub mod features;

pub mod answer;

pub mod escalation;
pub mod scorer;
mod simd;

pub mod eligibility;
pub mod explorer;
pub mod newcomers;
pub mod objective;

pub mod circumstances;
pub mod policy;

pub mod explain;

pub mod artifact;

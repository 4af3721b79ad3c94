//! Learns a policy's scorer from an outcome table or a log, and how far to trust what it learned.
//!
//! One regularised linear model for all models at once. The strength of the regularisation is not
//! picked but averaged: out-of-fold predictions say what a policy at each strength would have been
//! worth, and the strengths share the final weights by that. The constant predictor, which always
//! chooses the best single model, takes part, so that data in which nothing can be learned gives a
//! policy that does nothing.
//!
//! Takes numbers, not tables; knows nothing of files.

pub mod demands;
pub mod design;
pub mod outcomes;

pub mod train;

pub mod prune;

pub mod escalation;

mod apart;
mod blend;
mod by_term;
mod candidate;
mod clusters;
mod columns;
mod cost;
mod covariance;
mod decided;
mod factor;
mod fitted;
mod fold;
mod guarantee;
mod idf;
mod joint;
mod kernel;
mod kinds;
mod lengths;
mod logistic;
mod problem;
mod projection;
mod report;
mod robust;
mod row_terms;
mod scatter;
mod select;
mod shares;
mod slopes;
mod solve;
mod sums;
mod together;
mod worth;

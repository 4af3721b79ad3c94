//! Learns a policy's scorer from an outcome table or a log, and how far to trust what it learned.
//!
//! One regularised linear model for all models at once. The strength of the regularisation is not
//! picked but averaged: out-of-fold predictions say what a policy at each strength would have been
//! worth, and the strengths share the final weights by that. The constant predictor, which always
//! chooses the best single model, takes part, so that data in which nothing can be learned gives a
//! policy that does nothing.
//!
//! Takes numbers, not tables; knows nothing of files.

pub mod design;
pub mod outcomes;

pub mod train;

mod apart;
mod candidate;
mod columns;
mod cost;
mod covariance;
mod fold;
mod joint;
mod kernel;
mod logistic;
mod problem;
mod report;
mod robust;
mod select;
mod solve;
mod together;

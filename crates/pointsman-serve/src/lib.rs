//! The decision service: which model should answer, over HTTP, with every decision written down
//! before it is told.
//!
//! [`Service`] is the whole of it without a socket: it takes the clock, the dice and the settings
//! as arguments. [`http`] gives it paths, [`server`] gives those a listener.

mod json;

pub mod effects;
pub mod problem;
pub mod settings;
pub mod traces;

mod aside;
mod budget;
mod desk;
mod keys;
mod live;
mod metrics;
mod prompts;
mod sessions;
mod strangers;
mod tally;

pub mod loaded;
mod service;

mod decide;
mod outcome;

pub mod http;
pub mod server;

pub use pointsman_log::journal::Recovery;
pub use service::{Service, StartError};

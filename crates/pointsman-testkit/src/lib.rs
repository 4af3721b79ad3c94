//! A simulated world of LLM traffic with known truth; for tests, the sample dataset and the demo.
//!
//! Whether an estimator is right can only be checked where the right answer is known, and no real
//! log knows it. Here every request has prompts one can read and, for every model, the expected
//! quality, length, cost and latency behind the outcomes one can draw. Everything is a function of
//! a seed and an index, so nothing has to be stored to be repeated.
//!
//! Weakness: models, people and prompts are invented, and what makes a prompt hard follows our own
//! formula. A method that works here has passed a test, not proved itself; one that fails here is
//! wrong. No figure from this crate says anything about a real model.

mod answers;
mod bandit;
mod draw;
mod fuzz;
mod models;
mod prompts;
mod truth;
mod world;

pub use answers::SimulatedAnswer;
pub use bandit::{LoggedRound, log_rounds, true_value};
pub use draw::{Draws, Stream};
pub use fuzz::{SECONDS, SEED, fuzz};
pub use models::{DataPolicy, PriceClass, SimulatedModel};
pub use prompts::Task;
pub use truth::{Outcome, Truth};
pub use world::{SimulatedRequest, World};

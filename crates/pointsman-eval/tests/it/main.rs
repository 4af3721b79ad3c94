//! What only whole evaluations can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its world should stop")]

mod choice;
mod coverage;
mod gate;
mod reference;
mod trajectory;

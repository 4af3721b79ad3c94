//! The service over its router and over loopback, with a clock and dice of the tests' own.
#![cfg(test)]

mod bad_inputs;
mod batches;
mod console;
mod degraded;
mod disk;
mod documents;
mod escalating;
mod exploring;
mod faults;
mod fuzz;
mod outcomes;
mod reloading;
mod routing;
mod security;
mod traces;
mod workbench;

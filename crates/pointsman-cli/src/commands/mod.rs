//! One file per command.

#[cfg(feature = "learn")]
pub(crate) mod benchmark;
pub(crate) mod catalog;
#[cfg(feature = "learn")]
pub(crate) mod compact;
pub(crate) mod completions;
#[cfg(feature = "serve")]
pub(crate) mod config;
#[cfg(feature = "learn")]
pub(crate) mod demo;
#[cfg(feature = "learn")]
pub(crate) mod evaluate;
#[cfg(feature = "learn")]
pub(crate) mod gate;
pub(crate) mod inspect;
pub(crate) mod man;
#[cfg(feature = "learn")]
pub(crate) mod ope;
pub(crate) mod route;
#[cfg(feature = "serve")]
pub(crate) mod serve;
#[cfg(feature = "learn")]
pub(crate) mod simulate;
#[cfg(feature = "learn")]
pub(crate) mod train;

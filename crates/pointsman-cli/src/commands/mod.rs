//! One file per command.

#[cfg(feature = "learn")]
pub(crate) mod benchmark;
pub(crate) mod catalog;
#[cfg(feature = "learn")]
pub(crate) mod compact;
#[cfg(feature = "learn")]
pub(crate) mod demo;
#[cfg(feature = "learn")]
pub(crate) mod evaluate;
#[cfg(feature = "learn")]
pub(crate) mod gate;
#[cfg(feature = "learn")]
pub(crate) mod import;
pub(crate) mod inspect;
#[cfg(feature = "learn")]
pub(crate) mod ope;
pub(crate) mod results;
pub(crate) mod route;
#[cfg(feature = "serve")]
pub(crate) mod serve;
#[cfg(feature = "learn")]
pub(crate) mod simulate;
#[cfg(feature = "learn")]
pub(crate) mod train;

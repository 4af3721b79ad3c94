//! One file per command.

pub(crate) mod benchmark;
pub(crate) mod compact;
pub(crate) mod demo;
pub(crate) mod evaluate;
pub(crate) mod gate;
pub(crate) mod inspect;
pub(crate) mod ope;
pub(crate) mod route;
pub(crate) mod simulate;
pub(crate) mod train;

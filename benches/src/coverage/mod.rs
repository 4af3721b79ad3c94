//! How often intervals hold the truth: logs are drawn from tables whose means are known.

pub mod methods;
pub mod peers;
pub mod study;
pub mod tables;

//! The traffic record: what was decided, with which propensity, and what came of it.

//! Learns, from requests with one model's answers, how good the answer in hand is and what other
//! models would make of the request.
//!
//! Ridge regression of all qualities at several strengths in one run, as for a policy, on three
//! blocks of features: the request, the answer, and the products of their dense features. The
//! strength is the one whose predicted gains, on rows that were held out, put the requests that
//! gain most from another model first. Weakness: one strength for all blocks.

mod answers;
mod block;
mod learn;
mod matrix;
mod set;

pub use answers::{AnswerDesign, AnswerDesignBuilder};
pub use learn::{ESCALATION_STRENGTHS, StrengthValue, TrainedEscalation, train_escalation};
pub use set::{EscalationError, EscalationSet, LEAST_ROWS};

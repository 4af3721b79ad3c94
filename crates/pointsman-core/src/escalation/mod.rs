//! After a model's answer: will it do, or is another model worth its cost?
//!
//! A scorer that reads the request and the answer together predicts the quality of the answer in
//! hand and of what each other model would answer. What both have in common, the difficulty of the
//! request, is seen better through an answer than through the request alone.

mod explain;
mod foresight;
mod policy;
mod scorer;

pub use explain::{GainExplanation, explain_gain};
pub use foresight::{Foresight, ForesightError, StepAhead, step_ahead};
pub(crate) use policy::remaining;
pub use policy::{
    EscalationDecision, EscalationOption, EscalationPolicy, EscalationPolicyError,
    EscalationWorkspace, InHand, MOST_ANSWERS, Reader, Settled, Step, decide_escalation,
    distribute_escalation, distribute_escalation_read,
};
pub use scorer::{
    EscalationParts, EscalationScorer, EscalationScores, InputScaling, N_INPUTS, N_PRODUCTS,
    TermParts, input_name, inputs_of,
};

#[cfg(test)]
pub(crate) use scorer::tests::example;

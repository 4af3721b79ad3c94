//! What the reader of a foreign format gives for one row: records of our own log, or why none.

use pointsman_log::record::{DecisionRecord, OutcomeRecord};

/// What one piece of a foreign file gave: records of our own log.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A model was chosen.
    Decision(Box<DecisionRecord>),
    /// Something came of it.
    Outcome(Box<OutcomeRecord>),
}

/// Why a row gave nothing, in the words of the report, such as `not a chat call`. Rows are counted
/// by it, so that it names no value of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(pub &'static str);

impl Reason {
    /// The bytes are not the JSON, or the columns, of the format.
    pub const NOT_THE_FORMAT: Self = Self("not a row of this format");
    /// The keys are those of another format.
    pub const OTHER_FORMAT: Self = Self("a row of another format");
    /// The bytes are not JSON.
    pub const NOT_JSON: Self = Self("not JSON");
    /// The bytes are not text.
    pub const NOT_UTF8: Self = Self("not UTF-8");
    /// A field that nothing goes without is absent or empty.
    pub const NO_ID: Self = Self("it has no id");
    /// Nothing says which model answered.
    pub const NO_MODEL: Self = Self("it names no model");
    /// Nothing says when it was.
    pub const NO_TIME: Self = Self("it has no time that can be read");
    /// Embeddings, images, speech, moderation: not a call that a chat model answers.
    pub const NOT_CHAT: Self = Self("not a chat call");
    /// A number that its unit does not have.
    pub const BAD_NUMBER: Self = Self("a number is out of its range");
    /// What a call cost, below zero; the call goes without it.
    pub const COST_BELOW_ZERO: Self = Self("a cost below zero");
    /// How long a call or its first token took, below zero; the call goes without it.
    pub const TIME_BELOW_ZERO: Self = Self("a time taken below zero");
    /// A call goes without an end that is before its beginning.
    pub const ENDS_EARLY: Self = Self("an end before the beginning");
    /// A call goes without the time of a first token that came before its beginning.
    pub const FIRST_TOKEN_EARLY: Self = Self("a first token before the beginning");
}

/// Why a row gave nothing; counted by `reason`, shown with `detail` as an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The class that it is counted in.
    pub reason: Reason,
    /// What was found in this row.
    pub detail: String,
}

impl Dropped {
    /// A row that gave nothing for `reason`.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// Reads one row (a line, an element of a JSON array, a CSV row as JSON object bytes) and appends
/// what it gives to `out`, which is empty when it is called.
pub type ReadRow = fn(row: &[u8], out: &mut Vec<Item>) -> Result<(), Dropped>;

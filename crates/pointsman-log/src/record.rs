//! The wire types of the traffic record, version 1.
//!
//! A one-way door: fields may be added, never renamed, and never change their unit. Unknown
//! fields are ignored on reading, so that an old reader takes a newer log; absent options are
//! not written. What a record must hold beyond its shape stands in [`crate::check`].

mod outcome;

pub use outcome::{CostRecord, MetricRecord, OutcomeRecord, Scope, Status, UsageRecord};

use std::{borrow::Cow, collections::BTreeMap};

use pointsman_core::{
    features::{FeatureSchema, Features, FeaturesError, OwnedFeatures},
    request::{Capabilities, Message, Request, Role},
    units::Tokens,
};
use serde::{Deserialize, Serialize, Serializer};

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// One line of a traffic log.
///
/// Written as an object that begins with `"v":1,"kind":"decision"`. It is read by
/// [`crate::ndjson::read`], which looks at the version before it looks at anything else.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A model was drawn.
    Decision(Box<DecisionRecord>),
    /// Something came of it.
    Outcome(Box<OutcomeRecord>),
}

/// One draw from a policy, with all that is needed to evaluate another policy on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// Names the decision; outcomes refer to it. `UUIDv7` where Pointsman made it.
    pub id: String,
    /// When it was made, in milliseconds since 1970 UTC.
    pub ts_ms: u64,
    /// The conversation it belongs to; rows of one conversation are never split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Its place in the conversation, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// On whose behalf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What else the caller said about the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What was asked.
    pub request: RequestRecord,
    /// Every model that was considered, the excluded ones too.
    pub candidates: Vec<CandidateRecord>,
    /// The candidate that was drawn, which need not be the model that answered.
    pub drawn: String,
    /// How likely that draw had been.
    pub propensity: PropensityRecord,
    /// The random number behind the draw, in `[0, 1]`, so that it can be replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw: Option<f64>,
    /// The probability with which the logger kept this decision at all, in `(0, 1]`; one where
    /// nothing is said. A kept row stands for `1 / keep_prob` rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_prob: Option<f64>,
    /// The operating point or objective that was in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<String>,
    /// Who decided.
    pub policy: PolicyRecord,
    /// How long the decision took, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_ns: Option<u64>,
    /// Which step of a cascade it is: 1 after the first answer, and so on. Absent where the request
    /// was new; then it is a first decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The decision whose answer it is about. Drawing the model that gave that answer is to accept
    /// it; drawing another one is to call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// What the answers of the cascade so far had cost, in dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent_usd: Option<f64>,
    /// The answer that a step is about, as far as it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerRecord>,
}

/// An answer that was read, in full or only in numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// Its text; absent where texts are not logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why it ends where it does, as its provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// The features of its text, where the text itself is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<FeaturesRecord>,
    /// What the decision saw of it besides its words, in the order of
    /// [`SIGN_NAMES`](pointsman_core::answer::SIGN_NAMES); empty where nothing is written. Where a
    /// record has a text too, these count all the same: they may be of more than the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signs: Vec<f64>,
}

/// What was asked, in full or only in numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The conversation, oldest first; absent where prompts are not logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<MessageRecord>>,
    /// The characters of text in all messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chars: Option<u64>,
    /// The prompt's length in tokens, as the caller or the provider counted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// How many tools were offered.
    #[serde(default)]
    pub tools: u32,
    /// What came besides text: `image`, `audio`, `file`. The names of other capabilities that the
    /// answer needed (`json_schema`, `reasoning`) stand here too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modalities: Vec<String>,
    /// The most output tokens that the caller accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// What the decision saw of the conversation, where the conversation itself is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<FeaturesRecord>,
}

/// The features of a request, in place of its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeaturesRecord {
    /// The name of the [`FeatureSchema`] that they were read by.
    pub schema: String,
    /// The buckets of the terms in digits, as [`Features::write_terms`] writes them.
    pub terms: String,
    /// The dense features, in the order of [`DENSE_NAMES`](pointsman_core::features::DENSE_NAMES).
    pub dense: Vec<f64>,
    /// The bytes of text in all messages.
    pub bytes: u64,
    /// Those of them that were not read because the text was too long.
    #[serde(default)]
    pub cut: u64,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Who speaks.
    pub role: RoleRecord,
    /// The text of all its text parts.
    pub content: String,
}

/// Who speaks in a [`MessageRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleRecord {
    /// Instructions of the application; `developer` is read as this.
    #[serde(alias = "developer")]
    System,
    /// The person, or the program, that asks.
    User,
    /// A model's earlier answer.
    Assistant,
    /// What a tool returned; the older `function` is read as this.
    #[serde(alias = "function")]
    Tool,
}

/// One model that was considered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Its name in the catalog.
    pub model: String,
    /// The probability that the policy gave it, in `[0, 1]`; all candidates sum to one.
    pub probability: f64,
    /// The quality that was predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// The cost that was predicted, in dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// The time to the whole answer that was predicted, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// The hard constraint that ruled it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded_by: Option<String>,
}

/// How likely the draw had been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropensityRecord {
    /// The probability of the drawn model, in `(0, 1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Where the value comes from.
    pub kind: PropensityKind,
}

/// How much a propensity can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropensityKind {
    /// The number that was sampled from.
    Exact,
    /// Fitted afterwards, from the log itself.
    Estimated,
    /// The policy had no choice: its own best model, always.
    Deterministic,
    /// Nobody wrote it down.
    Unknown,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// A name for people.
    pub name: String,
    /// The SHA-256 of the artifact, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl RequestRecord {
    /// The request as the decision sees it, borrowed from this record.
    ///
    /// `None` where the prompt was not logged. The caller's own constraints are not part of the
    /// record: what they ruled out stands in [`CandidateRecord::excluded_by`]. Modalities that
    /// are not known are passed over.
    pub fn to_request(&self) -> Option<Request<'_>> {
        let messages = self.messages.as_ref()?.iter().map(MessageRecord::to_message).collect();
        Some(Request { messages: Cow::Owned(messages), ..self.without_text() })
    }

    /// As [`Self::to_request`], with no message.
    pub fn without_text<'a>(&self) -> Request<'a> {
        let tools = if self.tools == 0 { Capabilities::NONE } else { Capabilities::TOOLS };
        let needs = self
            .modalities
            .iter()
            .filter_map(|name| capability_of(name))
            .fold(tools, Capabilities::with);
        Request {
            needs,
            n_tools: self.tools,
            max_tokens: self.max_tokens.map(Tokens::new),
            input_tokens: self.input_tokens.map(Tokens::new),
            ..Request::default()
        }
    }
}

impl FeaturesRecord {
    /// The record of features that were read by `schema`.
    pub fn of(schema: FeatureSchema, features: &Features<'_>) -> Self {
        let mut terms = Vec::new();
        features.write_terms(schema, &mut terms);
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Self {
            schema: schema.to_string(),
            terms: terms.into_iter().map(char::from).collect(),
            dense: features.dense.iter().map(|&number| f64::from(number)).collect(),
            bytes: count(features.n_bytes),
            cut: count(features.n_bytes_cut),
        }
    }

    /// The features, where [`Self::schema`] is the name of `schema`.
    ///
    /// # Errors
    /// [`FeaturesError`] where no request can have had them.
    pub fn read(&self, schema: FeatureSchema) -> Result<OwnedFeatures, FeaturesError> {
        OwnedFeatures::read(schema, &self.terms, &self.dense, (self.bytes, self.cut))
    }
}

impl MessageRecord {
    fn to_message(&self) -> Message<'_> {
        Message { role: self.role.into(), text: Cow::Borrowed(&self.content) }
    }
}

/// What a model must be able to do for `modality`: the name of a modality or of a capability.
fn capability_of(modality: &str) -> Option<Capabilities> {
    match modality {
        "image" => Some(Capabilities::IMAGES),
        "file" => Some(Capabilities::FILES),
        other => Capabilities::named(other),
    }
}

impl From<RoleRecord> for Role {
    fn from(role: RoleRecord) -> Self {
        match role {
            RoleRecord::System => Self::System,
            RoleRecord::User => Self::User,
            RoleRecord::Assistant => Self::Assistant,
            RoleRecord::Tool => Self::Tool,
        }
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Decision(body) => {
                Line { v: VERSION, kind: "decision", body: &**body }.serialize(serializer)
            }
            Self::Outcome(body) => {
                Line { v: VERSION, kind: "outcome", body: &**body }.serialize(serializer)
            }
        }
    }
}

/// A decision as one line of a log, without its newline.
pub(crate) fn decision_json(decision: &DecisionRecord) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Line { v: VERSION, kind: "decision", body: decision })
}

/// An outcome as one line of a log, without its newline.
pub(crate) fn outcome_json(outcome: &OutcomeRecord) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Line { v: VERSION, kind: "outcome", body: outcome })
}

/// A record with its envelope, in the order in which it is written.
#[derive(Serialize)]
struct Line<'a, T> {
    v: u32,
    kind: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::features::Extractor;

    #[track_caller]
    fn check_needs(tools: u32, modalities: &[&str], expected: &[&str]) {
        let record = RequestRecord {
            messages: Some(Vec::new()),
            tools,
            modalities: modalities.iter().map(|&name| name.to_owned()).collect(),
            ..RequestRecord::default()
        };
        let needs = record.to_request().unwrap().needs;
        assert_eq!(needs.names().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn modalities_become_needs() {
        check_needs(0, &[], &[]);
        check_needs(0, &["text"], &[]);
        check_needs(2, &[], &["tools"]);
        check_needs(0, &["image", "audio", "file"], &["images", "audio", "files"]);
        check_needs(0, &["reasoning", "json_schema"], &["json_schema", "reasoning"]);
    }

    #[test]
    fn a_request_is_borrowed_from_its_record() {
        let record: RequestRecord = serde_json::from_str(
            r#"{"messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Hi"}],
                "input_tokens":7,"max_tokens":20,"from_the_future":[1]}"#,
        )
        .unwrap();
        let request = record.to_request().unwrap();
        let said: Vec<_> = request.messages.iter().map(|m| (m.role, &*m.text)).collect();
        assert_eq!(said, [(Role::System, "Be brief."), (Role::User, "Hi")]);
        assert!(request.messages.iter().all(|m| matches!(m.text, Cow::Borrowed(_))));
        assert_eq!(request.input_tokens, Some(Tokens::new(7)));
        assert_eq!(request.max_tokens, Some(Tokens::new(20)));
    }

    #[test]
    fn without_messages_there_is_no_request() {
        let record = RequestRecord { chars: Some(12), ..RequestRecord::default() };
        assert!(record.to_request().is_none());
        let record = RequestRecord { tools: 1, max_tokens: Some(9), ..record };
        let request = record.without_text();
        assert_eq!((request.messages.len(), request.n_tools), (0, 1));
        assert_eq!(
            (request.needs, request.max_tokens),
            (Capabilities::TOOLS, Some(Tokens::new(9)))
        );
    }

    /// As the format's page has it; what was written so loads for ever.
    #[test]
    fn features_of_version_1_are_read() {
        let record: RequestRecord = serde_json::from_str(
            r#"{"chars":5,"tools":0,"features":{"schema":"1-18-pairs","terms":"AAAABA",
                "dense":[1.5,0,0,0,0,0,0,0,0,0,0.6931471824645996,0,0,0,0,0,0,0],"bytes":6}}"#,
        )
        .unwrap();
        let features = record.features.unwrap();
        let schema: FeatureSchema = features.schema.parse().unwrap();
        let read = features.read(schema).unwrap();
        let Features { terms, dense, n_bytes, n_bytes_cut } = read.as_features();
        assert_eq!((terms, n_bytes, n_bytes_cut), (&[0, 64][..], 6, 0));
        assert_eq!((dense[0], dense[10]), (1.5, std::f32::consts::LN_2));
    }

    #[test]
    fn features_survive_their_record() {
        let schema = FeatureSchema::default();
        let mut extractor = Extractor::new(schema);
        let features = extractor.extract(&Request::from_prompt("Sort these: 3, 1, 2."));
        let record = FeaturesRecord::of(schema, &features);
        let json = serde_json::to_string(&record).unwrap();
        let read: FeaturesRecord = serde_json::from_str(&json).unwrap();
        assert_eq!(read, record);
        let read = read.read(schema).unwrap();
        assert_eq!(read.as_features().terms, features.terms);
        assert_eq!(read.as_features().dense, features.dense);
        assert_eq!((record.schema.as_str(), record.bytes, record.cut), ("2-18-pairs", 20, 0));
    }
}

//! An answer in hand, as a caller sends it beside the request: `{"decision_id", "answer" |
//! "choices", "finish_reason", "usage" | "cost_usd", "logprobs"?, "tools"?, "response_format"?}`.
//!
//! It stands in one object with the request, so the same body is read twice: as a call by
//! [`ChatBody`](super::ChatBody), and by this. Of several `choices` the first is the answer.
//!
//! Source of the shape of a choice: <https://platform.openai.com/docs/api-reference/chat/object>.

use std::borrow::Cow;

use pointsman_core::{
    answer::{Answer, FinishReason, LogProbabilities, ToolCall},
    units::Usd,
};
use serde::Deserialize;

use super::{
    BodyError, check_tokens,
    keys::{Keyed, PassedOver, Rule, Watched},
    text::Text,
    wire::{ContentFile, read},
};

/// The keys of an answer; beside a call they say nothing to a router.
pub(super) const OWN: &[&str] =
    &["decision_id", "served_model", "answer", "choices", "finish_reason", "usage", "cost_usd"];

/// An answer that has been read: it holds what an [`Answer`] borrows.
#[derive(Debug, Clone, Default)]
pub struct AnswerBody<'a> {
    /// The decision that it is the answer of.
    pub decision_id: Cow<'a, str>,
    /// Who answered, where it is not the drawn model.
    pub served_model: Option<Cow<'a, str>>,
    /// Prompt tokens, as billed.
    pub input_tokens: Option<u64>,
    /// Answer tokens, as billed.
    pub output_tokens: Option<u64>,
    /// What it cost, where the caller knows.
    pub cost: Option<Usd>,
    text: Cow<'a, str>,
    finish: FinishReason,
    tool_calls: Vec<ToolCall<'a>>,
    offered_tools: Vec<Cow<'a, str>>,
    required_keys: Vec<Cow<'a, str>>,
    log_probabilities: Option<LogProbabilities>,
}

#[derive(Deserialize)]
struct AnswerFile<'a> {
    #[serde(borrow)]
    decision_id: Option<Text<'a>>,
    #[serde(borrow)]
    served_model: Option<Text<'a>>,
    #[serde(borrow)]
    answer: Option<Text<'a>>,
    #[serde(borrow)]
    choices: Option<Vec<ChoiceFile<'a>>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
    usage: Option<UsageFile>,
    cost_usd: Option<f64>,
    logprobs: Option<LogprobsFile>,
    #[serde(borrow)]
    tools: Option<Vec<ToolFile<'a>>>,
    #[serde(borrow)]
    functions: Option<Vec<ToolFile<'a>>>,
    #[serde(borrow)]
    response_format: Option<FormatFile<'a>>,
}

impl Keyed for AnswerFile<'_> {
    /// What is not near one of these belongs to the call, which is read from the same object.
    const RULE: Rule = Rule::Counted { own: OWN, foreign: &[] };
}

#[derive(Deserialize)]
struct ChoiceFile<'a> {
    #[serde(borrow)]
    message: Option<SaidFile<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
    logprobs: Option<LogprobsFile>,
}

#[derive(Deserialize, Default)]
struct SaidFile<'a> {
    #[serde(default, borrow)]
    content: ContentFile<'a>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCallFile<'a>>>,
}

#[derive(Deserialize)]
struct ToolCallFile<'a> {
    #[serde(borrow)]
    function: Option<CalledFile<'a>>,
}

#[derive(Deserialize)]
struct CalledFile<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

/// A tool that is offered, in the chat form or in the Responses form.
#[derive(Deserialize)]
struct ToolFile<'a> {
    #[serde(borrow)]
    function: Option<NamedFile<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct NamedFile<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct FormatFile<'a> {
    #[serde(borrow)]
    json_schema: Option<NamedSchemaFile<'a>>,
}

#[derive(Deserialize)]
struct NamedSchemaFile<'a> {
    #[serde(borrow)]
    schema: Option<SchemaFile<'a>>,
}

#[derive(Deserialize)]
struct SchemaFile<'a> {
    #[serde(borrow)]
    required: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize, Default)]
struct UsageFile {
    #[serde(alias = "input_tokens", alias = "prompt_tokens")]
    input: Option<u64>,
    #[serde(alias = "output_tokens", alias = "completion_tokens")]
    output: Option<u64>,
}

/// Logarithms of tokens, or the request's own wish for them.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`logprobs` is neither a list of numbers nor an object with a list `content`"
)]
enum LogprobsFile {
    Asked(#[expect(dead_code, reason = "that it is a truth value is all there is to it")] bool),
    Numbers(Vec<f64>),
    Object { content: Option<Vec<TokenFile>> },
}

#[derive(Deserialize)]
struct TokenFile {
    logprob: f64,
}

impl LogprobsFile {
    fn read(&self) -> Option<LogProbabilities> {
        match self {
            Self::Asked(_) | Self::Object { content: None } => None,
            Self::Numbers(numbers) => LogProbabilities::of(numbers.iter().copied()),
            Self::Object { content: Some(tokens) } => {
                LogProbabilities::of(tokens.iter().map(|token| token.logprob))
            }
        }
    }
}

impl<'a> AnswerBody<'a> {
    /// Reads the answer of a body.
    ///
    /// # Errors
    /// [`BodyError`] for what is not JSON, for a known key with a value of the wrong type or twice,
    /// for a key that is nearly one of ours, for a body without a decision or an answer, and for a cost that is no amount.
    pub fn from_json(bytes: &'a [u8]) -> Result<Self, BodyError> {
        let Watched { fields: file, strangers }: Watched<'a, AnswerFile<'a>> = read(bytes)?;
        // Those that are passed over are counted and named with the call's.
        strangers.add_to(&mut PassedOver::default(), "")?;
        let Some(Text(decision_id)) = file.decision_id.filter(|id| !id.0.is_empty()) else {
            return Err(BodyError::NoDecision);
        };
        let cost = file.cost_usd.map(Usd::from_dollars).transpose();
        let UsageFile { input, output } = file.usage.unwrap_or_default();
        check_tokens(&[("usage", input), ("usage", output)])?;
        let choice = file.choices.and_then(|choices| choices.into_iter().next());
        let said = match (file.answer, choice) {
            (Some(Text(text)), _) => Said { text, ..Said::default() },
            (None, Some(choice)) => Said::of(choice),
            (None, None) => return Err(BodyError::NoAnswer),
        };
        let finish = file.finish_reason.map(|Text(reason)| FinishReason::named(&reason));
        let offered = file.tools.into_iter().chain(file.functions).flatten();
        let schema = file.response_format.and_then(|format| format.json_schema?.schema);
        let required = schema.and_then(|schema| schema.required).unwrap_or_default();
        let log_probabilities = file.logprobs.as_ref().and_then(LogprobsFile::read);
        Ok(Self {
            decision_id,
            served_model: file.served_model.map(|Text(name)| name),
            input_tokens: input,
            output_tokens: output,
            cost: cost.map_err(|problem| BodyError::Number { key: "cost_usd", problem })?,
            text: said.text,
            finish: finish.or(said.finish).unwrap_or_default(),
            tool_calls: said.tool_calls,
            offered_tools: offered.filter_map(ToolFile::into_name).collect(),
            required_keys: required.into_iter().map(|Text(key)| key).collect(),
            log_probabilities: log_probabilities.or(said.log_probabilities),
        })
    }

    /// The answer, borrowed from this body.
    pub fn to_answer(&self) -> Answer<'_> {
        Answer {
            text: Cow::Borrowed(&self.text),
            finish: self.finish,
            tool_calls: Cow::Borrowed(&self.tool_calls),
            offered_tools: Cow::Borrowed(&self.offered_tools),
            required_keys: Cow::Borrowed(&self.required_keys),
            log_probabilities: self.log_probabilities,
        }
    }
}

/// What a choice says.
#[derive(Default)]
struct Said<'a> {
    text: Cow<'a, str>,
    finish: Option<FinishReason>,
    tool_calls: Vec<ToolCall<'a>>,
    log_probabilities: Option<LogProbabilities>,
}

impl<'a> Said<'a> {
    fn of(choice: ChoiceFile<'a>) -> Self {
        let ChoiceFile { message, text, finish_reason, logprobs } = choice;
        let SaidFile { content, refusal, tool_calls } = message.unwrap_or_default();
        let said = [content.text, refusal.unwrap_or_default().0, text.unwrap_or_default().0];
        let calls = tool_calls.unwrap_or_default().into_iter().filter_map(|call| {
            let CalledFile { name, arguments } = call.function?;
            Some(ToolCall { name: name?.0, arguments: arguments.unwrap_or_default().0 })
        });
        Self {
            text: said.into_iter().find(|text| !text.is_empty()).unwrap_or_default(),
            finish: finish_reason.map(|Text(reason)| FinishReason::named(&reason)),
            tool_calls: calls.collect(),
            log_probabilities: logprobs.as_ref().and_then(LogprobsFile::read),
        }
    }
}

impl<'a> ToolFile<'a> {
    fn into_name(self) -> Option<Cow<'a, str>> {
        let of_function = self.function.and_then(|function| function.name);
        of_function.or(self.name).map(|Text(name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, text: &str, finish: FinishReason) {
        let body = AnswerBody::from_json(json.as_bytes()).unwrap();
        let answer = body.to_answer();
        assert_eq!((&*answer.text, answer.finish), (text, finish), "{json}");
        assert_eq!(body.decision_id, "d");
    }

    #[test]
    fn an_answer_is_a_text_or_the_first_choice() {
        check(r#"{"decision_id":"d","answer":""}"#, "", FinishReason::Unknown);
        check(
            r#"{"decision_id":"d","answer":"a","finish_reason":"length","logprobs":true}"#,
            "a",
            FinishReason::Length,
        );
        check(
            r#"{"decision_id":"d","choices":[{"finish_reason":"stop","message":{"role":"assistant",
                "content":[{"type":"text","text":"one"}]}},{"text":"two"}]}"#,
            "one",
            FinishReason::Stop,
        );
        check(r#"{"decision_id":"d","choices":[{"text":"t"}]}"#, "t", FinishReason::Unknown);
    }

    #[test]
    fn what_else_is_known_of_an_answer_is_read() {
        let json = r#"{"decision_id":"d","served_model":"m","cost_usd":0.25,
            "usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16},
            "tools":[{"type":"function","function":{"name":"f"}},{"name":"g"},{}],
            "response_format":{"type":"json_schema","json_schema":{"schema":{"required":["k"]}}},
            "choices":[{"message":{"content":null,"tool_calls":[{"function":
                {"name":"f","arguments":"{}"}}]},"logprobs":{"content":[{"logprob":-0.5}]}}]}"#;
        let body = AnswerBody::from_json(json.as_bytes()).unwrap();
        let answer = body.to_answer();
        assert_eq!((body.input_tokens, body.output_tokens), (Some(7), Some(9)));
        assert_eq!(body.cost, Some(Usd::from_nanos(250_000_000)));
        assert_eq!(body.served_model.as_deref(), Some("m"));
        assert_eq!(*answer.offered_tools, ["f", "g"]);
        assert_eq!(*answer.required_keys, ["k"]);
        assert_eq!(answer.tool_calls[0].arguments, "{}");
        assert_eq!(answer.log_probabilities, LogProbabilities::of([-0.5]));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (json, part) in [
            (r#"{"answer":"a"}"#, "no `decision_id`"),
            (r#"{"decision_id":"","answer":"a"}"#, "no `decision_id`"),
            (r#"{"decision_id":"d"}"#, "no `answer` or `choices`"),
            (r#"{"decision_id":"d","choices":[]}"#, "no `answer` or `choices`"),
            (r#"{"decison_id":"d","answer":"a"}"#, "did you mean `decision_id`?"),
            (
                r#"{"decision_id":"d","answer":"a","served_modle":"m"}"#,
                "did you mean `served_model`?",
            ),
            (r#"{"decision_id":"d","answer":7}"#, "a text"),
            (r#"{"decision_id":"d","answer":"\ud83e"}"#, "not JSON"),
            (r#"{"decision_id":"d","answer":"a","cost_usd":-1}"#, "cost_usd"),
            (r#"{"decision_id":"d","answer":"a","logprobs":"much"}"#, "`logprobs` is neither"),
        ] {
            let error = AnswerBody::from_json(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{json}: {error}");
        }
        assert!(AnswerBody::from_json(b"{\"decision_id\":\"d\",\"answer\":\"\xff\"}").is_err());
    }
}

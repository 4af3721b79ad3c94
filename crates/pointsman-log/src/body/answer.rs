//! An answer in hand, as a caller sends it beside the request: `{"decision_id", "answer" |
//! "choices", "finish_reason", "usage" | "cost_usd", "logprobs"?, "tools"?, "response_format"?}`.
//!
//! It stands in one object with the request, which [`ChatBody`] reads. Of several `choices` the first is
//! the answer.
//!
//! Source of the shape of a choice: <https://platform.openai.com/docs/api-reference/chat/object>.

use std::borrow::Cow;

use pointsman_core::{
    answer::{Answer, FinishReason, LogProbabilities, ToolCall},
    units::Usd,
};
use serde::Deserialize;

use super::{
    BodyError, ChatBody, check_tokens,
    keys::{Keyed, PassedOver, Rule, Watched},
    text::Text,
    usage::UsageBody,
    vendors,
    wire::{ContentFile, read},
    wishes,
};
use beside::Both;

mod beside;

/// The keys of an answer; beside a call they say nothing to a router.
pub(super) const OWN: &[&str] =
    &["decision_id", "served_model", "answer", "choices", "finish_reason", "usage", "cost_usd"];

/// Where a call has its prompt.
const PROMPTS: &[&str] = &["messages", "prompt", "input", "max_tokens"];

/// The longest name of who answered, in characters.
const MAX_MODEL_CHARS: usize = 256;

/// Each call of a tool is looked for among the tools that are offered, so neither may be endless.
const MAX_CALLS: usize = 1024;
const MAX_TOOLS: usize = 4096;

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

#[derive(Deserialize, Default)]
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
    usage: Option<UsageBody>,
    cost_usd: Option<f64>,
    logprobs: Option<LogprobsFile>,
    #[serde(borrow)]
    tools: Option<Vec<ToolFile<'a>>>,
    #[serde(borrow)]
    functions: Option<Vec<ToolFile<'a>>>,
    #[serde(borrow)]
    response_format: Option<FormatFile<'a>>,
    #[serde(borrow)]
    text: Option<TextFormatFile<'a>>,
}

impl Keyed for AnswerFile<'_> {
    /// What is not near one of these belongs to the call, which is read from the same object.
    const RULE: Rule = Rule::Counted { own: OWN, foreign: &[PROMPTS, wishes::OWN, vendors::KEYS] };
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
    /// What a single call was before there were lists of them.
    #[serde(borrow)]
    function_call: Option<CalledFile<'a>>,
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

/// Where the Responses form has its `response_format`; the schema stands in the format itself.
#[derive(Deserialize)]
struct TextFormatFile<'a> {
    #[serde(borrow)]
    format: Option<NamedSchemaFile<'a>>,
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

/// Logarithms of tokens, or the request's own wish for them.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`logprobs` is neither a list of numbers nor an object with a list `content` or \
                 `token_logprobs`"
)]
enum LogprobsFile {
    Asked(#[expect(dead_code, reason = "that it is a truth value is all there is to it")] bool),
    Numbers(Vec<Option<f64>>),
    Object { content: Option<Vec<TokenFile>>, token_logprobs: Option<Vec<Option<f64>>> },
}

#[derive(Deserialize)]
struct TokenFile {
    logprob: f64,
}

impl LogprobsFile {
    fn read(&self) -> Option<LogProbabilities> {
        match self {
            Self::Asked(_) => None,
            Self::Numbers(numbers) => LogProbabilities::of(numbers.iter().copied().flatten()),
            Self::Object { content, token_logprobs } => {
                let of_content = content.iter().flatten().map(|token| token.logprob);
                let listed = token_logprobs.iter().flatten().copied().flatten();
                LogProbabilities::of(of_content.chain(listed))
            }
        }
    }
}

impl<'a> AnswerBody<'a> {
    /// Reads the answer of a body.
    ///
    /// # Errors
    /// [`BodyError`] for what is not JSON, for a known key with a value of the wrong type or twice,
    /// for a key that is nearly one of ours, for a body without a decision or an answer, for a cost
    /// that is no amount, and for a name or lists that are too long.
    pub fn from_json(bytes: &'a [u8]) -> Result<Self, BodyError> {
        let Watched { fields: file, strangers }: Watched<'a, AnswerFile<'a>> = read(bytes)?;
        // Those that are passed over are counted and named with the call's.
        strangers.add_to(&mut PassedOver::default(), "")?;
        Self::of(file)
    }

    /// Reads a call and the answer beside it, as [`ChatBody::from_json`] and then [`Self::from_json`]
    /// do, at once where nothing is wrong and no key is of interest to both.
    ///
    /// # Errors
    /// [`BodyError`] as these.
    pub fn beside_call(bytes: &'a [u8]) -> Result<(ChatBody<'a>, Self), BodyError> {
        let Ok(Both { call, answer }) = read::<Both<'a>>(bytes) else {
            return Ok((ChatBody::from_json(bytes)?, Self::from_json(bytes)?));
        };
        let call = ChatBody::try_from(call)?;
        let answer = match answer {
            Some(file) => Self::of(file)?,
            None => Self::from_json(bytes)?,
        };
        Ok((call, answer))
    }

    fn of(file: AnswerFile<'a>) -> Result<Self, BodyError> {
        let Some(Text(decision_id)) = file.decision_id.filter(|id| !id.0.is_empty()) else {
            return Err(BodyError::NoDecision);
        };
        let served_model = file.served_model.map(|Text(name)| name);
        if served_model.as_ref().is_some_and(|name| name.chars().nth(MAX_MODEL_CHARS).is_some()) {
            let problem = "is over 256 characters";
            return Err(BodyError::TooLong { key: "served_model", problem });
        }
        let cost = file.cost_usd.map(Usd::from_dollars).transpose();
        let usage = file.usage.unwrap_or_default().to_record();
        check_tokens(&[("usage", usage.input), ("usage", usage.output)])?;
        let choice = file.choices.and_then(|choices| choices.into_iter().next());
        let said = match (file.answer, choice) {
            (Some(Text(text)), _) => Said { text, ..Said::default() },
            (None, Some(choice)) => Said::of(choice),
            (None, None) => return Err(BodyError::NoAnswer),
        };
        let finish = file.finish_reason.map(|Text(reason)| FinishReason::named(&reason));
        if MAX_CALLS < said.tool_calls.len() {
            let problem = "holds an answer that calls over 1024 tools";
            return Err(BodyError::TooLong { key: "choices", problem });
        }
        let wanted = Wanted::of([file.tools, file.functions], file.response_format, file.text)?;
        let Wanted { offered_tools, required_keys } = wanted;
        let log_probabilities = file.logprobs.as_ref().and_then(LogprobsFile::read);
        Ok(Self {
            decision_id,
            served_model: served_model.filter(|name| !name.is_empty()),
            input_tokens: usage.input,
            output_tokens: usage.output,
            cost: cost.map_err(|problem| BodyError::Number { key: "cost_usd", problem })?,
            text: said.text,
            finish: finish.or(said.finish).unwrap_or_default(),
            tool_calls: said.tool_calls,
            offered_tools,
            required_keys,
            log_probabilities: log_probabilities.or(said.log_probabilities),
        })
    }

    /// What the body of a call wants of any answer to it: its tools and its schema. The answer, its
    /// decision and what it cost are somewhere else.
    ///
    /// # Errors
    /// [`BodyError`] for what is not JSON, for a known key with a value of the wrong type or twice,
    /// and for too many tools.
    pub fn of_call(bytes: &'a [u8]) -> Result<Self, BodyError> {
        let Watched { fields: file, strangers: _ }: Watched<'a, AnswerFile<'a>> = read(bytes)?;
        let wanted = Wanted::of([file.tools, file.functions], file.response_format, file.text)?;
        let Wanted { offered_tools, required_keys } = wanted;
        Ok(Self { offered_tools, required_keys, ..Self::default() })
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

/// What an answer has to fit.
struct Wanted<'a> {
    offered_tools: Vec<Cow<'a, str>>,
    required_keys: Vec<Cow<'a, str>>,
}

impl<'a> Wanted<'a> {
    fn of(
        tools: [Option<Vec<ToolFile<'a>>>; 2],
        response_format: Option<FormatFile<'a>>,
        text: Option<TextFormatFile<'a>>,
    ) -> Result<Self, BodyError> {
        let offered = tools.into_iter().flatten().flatten();
        let offered_tools: Vec<_> = offered.filter_map(ToolFile::into_name).collect();
        if MAX_TOOLS < offered_tools.len() {
            return Err(BodyError::TooLong { key: "tools", problem: "has over 4096 entries" });
        }
        let of_chat = response_format.and_then(|format| format.json_schema);
        let of_responses = text.and_then(|text| text.format);
        let schema = of_chat.or(of_responses).and_then(|format| format.schema);
        let required = schema.and_then(|schema| schema.required).unwrap_or_default();
        let required_keys = required.into_iter().map(|Text(key)| key).collect();
        Ok(Self { offered_tools, required_keys })
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
        let SaidFile { content, refusal, tool_calls, function_call } = message.unwrap_or_default();
        let said = [content.text, refusal.unwrap_or_default().0, text.unwrap_or_default().0];
        let listed = tool_calls.unwrap_or_default().into_iter().filter_map(|call| call.function);
        let calls = listed.chain(function_call).filter_map(|CalledFile { name, arguments }| {
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
        let of_call = AnswerBody::of_call(json.as_bytes()).unwrap();
        let wanted = of_call.to_answer();
        assert_eq!(wanted.offered_tools, answer.offered_tools);
        assert_eq!(wanted.required_keys, answer.required_keys);
        assert_eq!((&*wanted.text, wanted.tool_calls.len(), of_call.cost), ("", 0, None));
    }

    /// Shapes of other gateways and of other times.
    #[test]
    fn the_same_is_read_in_other_shapes() {
        let read = |rest: &str| {
            let json = format!(r#"{{"decision_id":"d",{rest}}}"#);
            let body = AnswerBody::from_json(json.as_bytes()).unwrap();
            (body.input_tokens, body.output_tokens, body.to_answer().log_probabilities)
        };
        let both = r#""answer":"a","usage":{"prompt_tokens":7,"completion_tokens":9,
            "input_tokens":0,"output_tokens":0}"#;
        assert_eq!(read(both), (Some(7), Some(9), None));
        let old = r#""choices":[{"text":"a","logprobs":{"tokens":["a","b"],
            "token_logprobs":[null,-0.5]}}]"#;
        assert_eq!(read(old).2, LogProbabilities::of([-0.5]));
        assert_eq!(read(r#""answer":"a","logprobs":[null,-0.5]"#).2, LogProbabilities::of([-0.5]));
        let json = r#"{"decision_id":"d","served_model":"","choices":[{"message":{"content":null,
            "function_call":{"name":"f","arguments":"{}"}}}],
            "text":{"format":{"type":"json_schema","schema":{"required":["k"]}}}}"#;
        let body = AnswerBody::from_json(json.as_bytes()).unwrap();
        let answer = body.to_answer();
        assert_eq!(body.served_model, None);
        assert_eq!(*answer.required_keys, ["k"]);
        assert_eq!((&*answer.tool_calls[0].name, answer.tool_calls.len()), ("f", 1));
    }

    #[test]
    fn what_is_endless_is_refused() {
        let check = |rest: &str, part: &str| {
            let json = format!(r#"{{"decision_id":"d",{rest}}}"#);
            let error = AnswerBody::from_json(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        let list = |entry: &str, n: usize| vec![entry; n].join(",");
        let calls = list(r#"{"function":{"name":"f"}}"#, MAX_CALLS + 1);
        let choices = format!(r#""choices":[{{"message":{{"tool_calls":[{calls}]}}}}]"#);
        check(&choices, "`choices` holds an answer that calls over 1024 tools");
        let tools = format!(r#""answer":"a","tools":[{}]"#, list(r#"{"name":"f"}"#, MAX_TOOLS + 1));
        check(&tools, "`tools` has over 4096 entries");
        let name = format!(r#""answer":"a","served_model":"{}""#, "m".repeat(MAX_MODEL_CHARS + 1));
        check(&name, "`served_model` is over 256 characters");
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

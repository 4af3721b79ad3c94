//! What a model's answer becomes before it is scored: hashed terms, the shape of its text, and
//! signs that it is right or wrong.
//!
//! Terms and shape are those of requests, in a namespace of their own. Signs are what a careful
//! reader would notice without knowing the subject: whether the arithmetic adds up, whether one
//! final answer is named or several, whether the choice that is named is the one that its own
//! words speak for. No allocation after warm-up, the same result on every machine.
//!
//! Of a long answer the head and the tail are read ([`features::MAX_BYTES_PER_PART`] in all), of
//! the question the last [`MAX_QUESTION_BYTES`]. Weakness: no sign knows what is true; an answer
//! that is wrong in one piece, and confidently so, shows none.

mod arithmetic;
mod choices;
mod finals;
mod json;
mod signs;
mod tokens;
mod wording;
mod written;

pub use signs::{N_SIGNS, SIGN_NAMES};
pub use written::{OwnedAnswerFeatures, SignsError};

use crate::{
    features::{self, Extractor, FeatureSchema, Features},
    request::{Request, Role},
};
use arithmetic::Arithmetic;
use choices::Choices;
use finals::{Final, Finals};
use signs::Signs;
use std::borrow::Cow;
use tokens::{KeySet, Token, Tokens, key_of_number};
use wording::Wording;

/// The last user message is searched for choices and numbers in its last bytes only.
pub const MAX_QUESTION_BYTES: usize = 16 * 1024;

/// What a model answered, borrowed and already parsed.
#[derive(Debug, Clone, Default)]
pub struct Answer<'a> {
    /// Its text; empty where there is none.
    pub text: Cow<'a, str>,
    /// Why it ends where it does.
    pub finish: FinishReason,
    /// The tools that it calls.
    pub tool_calls: Cow<'a, [ToolCall<'a>]>,
    /// The names of the tools that it was offered; calls are not checked where it is empty.
    pub offered_tools: Cow<'a, [Cow<'a, str>]>,
    /// The keys that the asked schema requires of the outermost object.
    pub required_keys: Cow<'a, [Cow<'a, str>]>,
    /// How sure the model was of its tokens, where its provider says so.
    pub log_probabilities: Option<LogProbabilities>,
}

/// One call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// The tool's name.
    pub name: Cow<'a, str>,
    /// Its arguments, as JSON.
    pub arguments: Cow<'a, str>,
}

/// Why an answer ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FinishReason {
    /// It is not known.
    #[default]
    Unknown,
    /// The model was done.
    Stop,
    /// The limit of output tokens was reached.
    Length,
    /// The model wants tools to be called.
    ToolCalls,
    /// A filter ended it.
    ContentFilter,
}

impl FinishReason {
    /// The reason of that name, as providers spell them.
    pub fn named(name: &str) -> Self {
        match name {
            "stop" | "end_turn" | "stop_sequence" | "completed" => Self::Stop,
            "length" | "max_tokens" | "max_output_tokens" => Self::Length,
            "tool_calls" | "function_call" | "tool_use" => Self::ToolCalls,
            "content_filter" | "refusal" | "safety" => Self::ContentFilter,
            _ => Self::Unknown,
        }
    }

    /// The name that [`Self::named`] reads as this; `None` where it is not known.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Stop => Some("stop"),
            Self::Length => Some("length"),
            Self::ToolCalls => Some("tool_calls"),
            Self::ContentFilter => Some("content_filter"),
        }
    }
}

/// Natural logarithms of the probabilities of an answer's tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogProbabilities {
    mean: f64,
    least: f64,
}

impl LogProbabilities {
    /// Less than this says no more.
    const LEAST: f64 = -50.0;

    /// Of tokens' logarithms; those that are not finite or above zero are kept within
    /// `[-50, 0]`. `None` without any.
    pub fn of(tokens: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (mut total, mut least, mut n) = (0.0, 0.0_f64, 0_u64);
        for token in tokens {
            let token = if token.is_nan() { Self::LEAST } else { token.clamp(Self::LEAST, 0.0) };
            total += token;
            least = least.min(token);
            n += 1;
        }
        (0 < n).then(|| Self { mean: total / crate::units::as_float(n), least })
    }
}

impl<'a> Answer<'a> {
    /// A text of which nothing else is known.
    pub fn from_text(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), ..Self::default() }
    }
}

/// The features of one answer, borrowed from the [`AnswerExtractor`] that read it.
#[derive(Debug, Clone, Copy)]
pub struct AnswerFeatures<'a> {
    /// Terms and shape, as of a request whose only text is the answer.
    pub text: Features<'a>,
    /// One number per entry of [`SIGN_NAMES`].
    pub signs: &'a [f32; N_SIGNS],
}

/// Reads answers; holds the buffers that make a second reading free of allocation.
#[derive(Debug)]
pub struct AnswerExtractor {
    extractor: Extractor,
    /// What is read of the answer, and of the question, in small letters.
    answer: Vec<u8>,
    question: Vec<u8>,
    words: KeySet,
    numbers: KeySet,
    repeated: KeySet,
    asked: KeySet,
    signs: [f32; N_SIGNS],
}

/// What one pass over an answer finds.
#[derive(Debug)]
struct Reading {
    arithmetic: Arithmetic,
    finals: Finals,
    wording: Wording,
    n_words: u64,
    n_numbers: u64,
    n_equals: u64,
    n_marks: u64,
    /// Numbers that stand in the answer, each once.
    n_distinct_numbers: u64,
    last_number: Option<f64>,
    /// Brackets that are open, by kind.
    n_open: [u32; 3],
}

/// What one pass over a question finds.
#[derive(Debug, Default)]
struct Asked {
    choices: Choices,
    wording: Wording,
    n_words: u64,
    /// Of these, how many stand in the answer.
    n_words_used: u64,
    n_numbers: u64,
    n_numbers_used: u64,
    /// Numbers that stand in both, each once.
    n_distinct_used: u64,
    n_bytes: usize,
    n_bytes_of_other_script: usize,
}

impl AnswerExtractor {
    /// An extractor for one schema.
    pub fn new(schema: FeatureSchema) -> Self {
        Self {
            extractor: Extractor::new(schema),
            answer: Vec::new(),
            question: Vec::new(),
            words: KeySet::new(),
            numbers: KeySet::new(),
            repeated: KeySet::new(),
            asked: KeySet::new(),
            signs: [0.0; N_SIGNS],
        }
    }

    /// The schema that answers are read by.
    pub fn schema(&self) -> FeatureSchema {
        self.extractor.schema()
    }

    /// Reserves what the longest answers can need, so that even the first one allocates nothing.
    pub fn reserve(&mut self) {
        self.extractor.reserve();
        self.answer.reserve(features::MAX_BYTES_PER_PART + 1);
        self.question.reserve(MAX_QUESTION_BYTES);
    }

    /// Reads one answer to one request.
    pub fn extract(&mut self, request: &Request<'_>, answer: &Answer<'_>) -> AnswerFeatures<'_> {
        self.answer.clear();
        features::for_each_piece_of_answer(&answer.text, |piece| {
            if !self.answer.is_empty() {
                self.answer.push(b'\n');
            }
            self.answer.extend(piece.bytes().map(|byte| byte.to_ascii_lowercase()));
        });
        let reading = self.read_answer();
        let asked = self.read_question(request);
        let number = match reading.finals.last {
            Some(Final::Number(number)) => Some(number),
            Some(Final::Letter(_) | Final::Word) | None => reading.last_number,
        };
        let is_in = |set: &KeySet| number.is_some_and(|it| set.contains(key_of_number(it)));
        let (is_asked, is_repeated) = (is_in(&self.asked), is_in(&self.repeated));
        let text = self.extractor.extract_answer(&answer.text);
        self.signs = Signs {
            request,
            answer,
            lowered: &self.answer,
            text: &text,
            reading: &reading,
            asked: &asked,
            final_number: number,
            is_asked,
            is_repeated,
        }
        .all();
        AnswerFeatures { text, signs: &self.signs }
    }

    /// What was read last; signs are all zero before the first reading.
    pub fn last(&self) -> AnswerFeatures<'_> {
        AnswerFeatures { text: self.extractor.last(), signs: &self.signs }
    }

    fn read_answer(&mut self) -> Reading {
        for set in [&mut self.words, &mut self.numbers, &mut self.repeated] {
            set.clear();
        }
        let mut reading = Reading::new();
        for (token, rest) in Tokens::new(&self.answer) {
            reading.arithmetic.take(token, rest);
            reading.finals.take(token, rest);
            match token {
                Token::Word(_, key) => {
                    reading.n_words += 1;
                    reading.wording.take(key);
                    self.words.insert(key);
                }
                Token::Number(number) => {
                    let key = key_of_number(number.value);
                    reading.n_numbers += 1;
                    reading.last_number = Some(number.value);
                    self.words.insert(key);
                    if self.numbers.insert(key) {
                        reading.n_distinct_numbers += 1;
                    } else {
                        self.repeated.insert(key);
                    }
                }
                Token::Mark(mark) => reading.mark(mark),
            }
        }
        reading
    }

    /// Reads the last user message, line by line.
    fn read_question(&mut self, request: &Request<'_>) -> Asked {
        self.asked.clear();
        self.question.clear();
        let question = request.messages.iter().rfind(|message| message.role == Role::User);
        let text = question.map_or("", |message| &*message.text);
        let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_QUESTION_BYTES));
        self.question.extend(text[start..].bytes().map(|byte| byte.to_ascii_lowercase()));
        let mut asked = Asked {
            n_bytes: self.question.len(),
            n_bytes_of_other_script: n_bytes_of_other_script(&self.question),
            ..Asked::default()
        };
        for line in self.question.split(|&byte| byte == b'\n') {
            asked.choices.take(line, &self.words);
            for (token, _) in Tokens::new(line) {
                match token {
                    Token::Word(_, key) => {
                        asked.n_words += 1;
                        asked.n_words_used += u64::from(self.words.contains(key));
                        asked.wording.take(key);
                    }
                    Token::Number(number) => {
                        let key = key_of_number(number.value);
                        let is_used = self.numbers.contains(key);
                        asked.n_numbers += 1;
                        asked.n_numbers_used += u64::from(is_used);
                        asked.n_distinct_used += u64::from(self.asked.insert(key) && is_used);
                    }
                    Token::Mark(_) => {}
                }
            }
        }
        asked
    }
}

/// Bytes outside ASCII.
fn n_bytes_of_other_script(text: &[u8]) -> usize {
    // Most texts have none, and that is faster to find out than to count.
    if text.is_ascii() { 0 } else { text.iter().filter(|byte| !byte.is_ascii()).count() }
}

impl Reading {
    fn new() -> Self {
        Self {
            arithmetic: Arithmetic::new(),
            finals: Finals::new(),
            wording: Wording::default(),
            n_words: 0,
            n_numbers: 0,
            n_equals: 0,
            n_marks: 0,
            n_distinct_numbers: 0,
            last_number: None,
            n_open: [0; 3],
        }
    }

    fn mark(&mut self, mark: u8) {
        self.n_marks += u64::from(mark != b'\n');
        self.n_equals += u64::from(mark == b'=');
        let open = |kind: &mut u32| *kind = kind.saturating_add(1);
        let close = |kind: &mut u32| *kind = kind.saturating_sub(1);
        match mark {
            b'(' => open(&mut self.n_open[0]),
            b')' => close(&mut self.n_open[0]),
            b'[' => open(&mut self.n_open[1]),
            b']' => close(&mut self.n_open[1]),
            b'{' => open(&mut self.n_open[2]),
            b'}' => close(&mut self.n_open[2]),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;

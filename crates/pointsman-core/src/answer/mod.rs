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
mod reading;
mod signs;
mod tokens;
mod wording;
mod written;

pub use signs::{N_SIGNS, SIGN_NAMES};
pub use written::{OwnedAnswerFeatures, SignsError};

use crate::{
    features::{self, Extractor, FeatureSchema, Features},
    request::{Message, Request, Role},
};
use finals::Final;
use reading::{Asked, Reading, Seen};
use signs::Signs;
use std::borrow::Cow;
use tokens::{Scan, Text};

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
    const NAMES: [(&'static str, Self); 13] = [
        ("stop", Self::Stop),
        ("end_turn", Self::Stop),
        ("stop_sequence", Self::Stop),
        ("completed", Self::Stop),
        ("length", Self::Length),
        ("max_tokens", Self::Length),
        ("max_output_tokens", Self::Length),
        ("tool_calls", Self::ToolCalls),
        ("function_call", Self::ToolCalls),
        ("tool_use", Self::ToolCalls),
        ("content_filter", Self::ContentFilter),
        ("refusal", Self::ContentFilter),
        ("safety", Self::ContentFilter),
    ];

    /// The reason of that name, as providers spell them, in small letters or capitals.
    pub fn named(name: &str) -> Self {
        let known = Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map_or(Self::Unknown, |&(_, reason)| reason)
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
    /// The pieces that are read of an answer that is too long to be read whole.
    pieces: Vec<u8>,
    answer: Scan,
    question: Scan,
    seen: Seen,
    signs: [f32; N_SIGNS],
}

impl AnswerExtractor {
    /// An extractor for one schema.
    pub fn new(schema: FeatureSchema) -> Self {
        Self {
            extractor: Extractor::new(schema),
            pieces: Vec::new(),
            answer: Scan::default(),
            question: Scan::default(),
            seen: Seen::new(),
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
        self.pieces.reserve(features::MAX_BYTES_PER_PART + 1);
        self.answer.reserve(features::MAX_BYTES_PER_PART + 1);
        self.question.reserve(MAX_QUESTION_BYTES);
    }

    /// Reads one answer to one request.
    pub fn extract(&mut self, request: &Request<'_>, answer: &Answer<'_>) -> AnswerFeatures<'_> {
        self.extract_beside(None, (request, answer), |_| ())
    }

    /// As [`Self::extract`], beside the extractor that has just read the request, if there is one:
    /// what it found need not be looked for again. Every term of the answer is announced as soon as
    /// it is read.
    pub(crate) fn extract_beside(
        &mut self,
        of_request: Option<&Extractor>,
        (request, answer): (&Request<'_>, &Answer<'_>),
        announce: impl Fn(u32) + Copy,
    ) -> AnswerFeatures<'_> {
        // Terms first: their weights come out of memory while signs are read.
        self.extractor.extract_answer_announcing(&answer.text, announce);
        let Self { extractor, pieces, answer: of_answer, question, seen, signs } = self;
        let read = if answer.text.len() <= features::MAX_BYTES_PER_PART {
            Text::new(answer.text.as_bytes(), extractor.last_scan())
        } else {
            of_answer.read(pieces_of(&answer.text, pieces))
        };
        let reading = seen.read_answer(read);
        let asked = seen.read_question(match of_request {
            Some(extractor) if is_last_read(request) => {
                Text::new(question_of(request), extractor.last_scan())
            }
            Some(_) | None => question.read(question_of(request)),
        });
        let number = match reading.finals.last {
            Some(Final::Number(number)) => Some(number),
            Some(Final::Letter(_) | Final::Word) | None => reading.last_number,
        };
        let (is_asked, is_repeated) = seen.of_number(number);
        let extractor = &*extractor;
        let text = extractor.last();
        *signs = Signs {
            request,
            answer,
            extractor,
            read: read.raw,
            text: &text,
            reading: &reading,
            asked: &asked,
            final_number: number,
            is_asked,
            is_repeated,
        }
        .all();
        AnswerFeatures { text, signs }
    }

    /// What was read last; signs are all zero before the first reading.
    pub fn last(&self) -> AnswerFeatures<'_> {
        AnswerFeatures { text: self.extractor.last(), signs: &self.signs }
    }
}

/// What is read of an answer that is too long to be read whole; `buffer` then holds it.
fn pieces_of<'a>(answer: &str, buffer: &'a mut Vec<u8>) -> &'a [u8] {
    buffer.clear();
    features::for_each_piece_of_answer(answer, |piece| {
        if !buffer.is_empty() {
            buffer.push(b'\n');
        }
        buffer.extend_from_slice(piece.as_bytes());
    });
    buffer
}

/// Whether what is read of the question is the piece that an [`Extractor`] reads last.
fn is_last_read(request: &Request<'_>) -> bool {
    const { assert!(MAX_QUESTION_BYTES <= features::MAX_BYTES_PER_PART) }
    let is_whole = |it: &Message<'_>| it.role == Role::User && it.text.len() <= MAX_QUESTION_BYTES;
    request.messages.last().is_some_and(is_whole)
}

/// What is read of a question.
fn question_of<'a>(request: &'a Request<'_>) -> &'a [u8] {
    let question = request.messages.iter().rfind(|message| message.role == Role::User);
    let text = question.map_or("", |message| &*message.text);
    let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_QUESTION_BYTES));
    &text.as_bytes()[start..]
}

/// Bytes outside ASCII.
fn n_bytes_of_other_script(text: &[u8]) -> usize {
    // Most texts have none, and that is faster to find out than to count.
    if text.is_ascii() { 0 } else { text.iter().filter(|byte| !byte.is_ascii()).count() }
}

#[cfg(test)]
mod tests;

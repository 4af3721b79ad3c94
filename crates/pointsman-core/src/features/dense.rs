//! The dense features: what is counted while text is read, as shares and logarithms.

use super::{Extractor, SchemaVersion};
use crate::{
    request::{Capabilities, Request, Role},
    simd::ByteCounts,
    units::{Tokens, as_float, narrow},
};

/// The share of capitals up to which a text has as many as prose may have, since
/// [`SchemaVersion::Second`].
pub const PLAIN_CAPITALS: f32 = 0.05;

/// The dense features, in order. Bytes, and shares of them, are of all bytes, or since
/// [`SchemaVersion::Second`] of those that are not blank; logarithms are natural and of `1 + n`.
pub const DENSE_NAMES: [&str; N_DENSE] = [
    "log bytes",
    "log words",
    "log word length",
    "capitals",
    "digits",
    "punctuation",
    "log line feeds",
    "brackets and backticks",
    "other scripts",
    "log question marks",
    "log messages",
    "system prompt",
    "log user turns",
    "log tools",
    "images",
    "schema asked",
    "log output limit",
    "cut",
];

/// How many dense features there are.
pub const N_DENSE: usize = 18;

/// What is counted while text is read, for the dense features.
#[derive(Debug, Default)]
pub(super) struct Counts {
    bytes: u64,
    words: u64,
    /// Line feeds before the first word or mark of a text, or after its last.
    outer_newlines: u64,
    classes: ByteCounts,
}

impl Counts {
    pub(super) fn add(&mut self, text: &str, found: &ByteCounts, n_words: u64) {
        self.bytes += text.len() as u64;
        self.words += n_words;
        self.outer_newlines += outer_newlines(text.as_bytes());
        self.classes.word += found.word;
        self.classes.mark += found.mark;
        self.classes.upper += found.upper;
        self.classes.digit += found.digit;
        self.classes.high += found.high;
        self.classes.newline += found.newline;
        self.classes.code += found.code;
        self.classes.question += found.question;
    }
}

impl Extractor {
    /// The natural logarithm of `1 + count`.
    pub(crate) fn log1p(&self, count: u64) -> f64 {
        self.logarithms.log1p(count)
    }

    pub(super) fn dense_of(
        &self,
        request: &Request<'_>,
        counts: &Counts,
        n_bytes_cut: usize,
    ) -> [f32; N_DENSE] {
        let log1p = |count| narrow(self.log1p(count));
        let classes = &counts.classes;
        let (bytes, newlines, least_capitals) = match self.schema.version() {
            SchemaVersion::First => (counts.bytes, classes.newline, 0.0),
            SchemaVersion::Second => (
                classes.word + classes.mark,
                classes.newline - counts.outer_newlines,
                PLAIN_CAPITALS,
            ),
        };
        let share = |count: u64| share(count, bytes);
        let n_of =
            |role| request.messages.iter().filter(|message| message.role == role).count() as u64;
        let needs = |what: Capabilities| {
            if what.missing_from(request.needs).is_empty() { 1.0 } else { 0.0 }
        };
        [
            log1p(bytes),
            log1p(counts.words),
            log(bytes, counts.words),
            share(classes.upper).max(least_capitals),
            share(classes.digit),
            share(classes.mark),
            log1p(newlines),
            share(classes.code),
            share(classes.high),
            log1p(classes.question),
            log1p(request.messages.len() as u64),
            if n_of(Role::System) == 0 { 0.0 } else { 1.0 },
            log1p(n_of(Role::User)),
            log1p(u64::from(request.n_tools)),
            needs(Capabilities::IMAGES),
            needs(Capabilities::JSON_SCHEMA),
            log1p(request.max_tokens.map_or(0, Tokens::get)),
            if n_bytes_cut == 0 { 0.0 } else { 1.0 },
        ]
    }
}

/// Line feeds in the blanks at the ends of a text; all of them where there is nothing else.
fn outer_newlines(text: &[u8]) -> u64 {
    let is_inner = |byte: &u8| b' ' < *byte;
    let newlines = |text: &[u8]| text.iter().map(|&byte| u64::from(byte == b'\n')).sum::<u64>();
    let ends = (text.iter().position(is_inner), text.iter().rposition(is_inner));
    let (Some(first), Some(last)) = ends else { return newlines(text) };
    newlines(&text[..first]) + newlines(&text[last + 1..])
}

#[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
fn share(count: u64, total: u64) -> f32 {
    if total == 0 { 0.0 } else { (as_float(count) / as_float(total)) as f32 }
}

/// The logarithm of a ratio that is at least one.
#[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
fn log(count: u64, total: u64) -> f32 {
    let ratio = as_float(count) / as_float(total.max(1));
    libm::log(ratio.max(1.0)) as f32
}

/// By `libm`, so that every platform gets the same bits.
fn log1p(count: u64) -> f64 {
    libm::log1p(as_float(count))
}

/// `log1p` of small counts, which most counts are.
#[derive(Debug)]
pub(super) struct Logarithms {
    small: Vec<f64>,
}

impl Logarithms {
    pub(super) fn new() -> Self {
        Self { small: (0..512).map(log1p).collect() }
    }

    fn log1p(&self, count: u64) -> f64 {
        let small = usize::try_from(count).ok().and_then(|count| self.small.get(count));
        small.copied().unwrap_or_else(|| log1p(count))
    }
}

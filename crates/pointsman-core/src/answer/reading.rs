//! One pass over an answer, and one over its question.

use super::{
    arithmetic::Arithmetic,
    choices::Choices,
    finals::Finals,
    n_bytes_of_other_script,
    tokens::{KeySet, Text, Token, key_of_number},
    wording::Wording,
};
use crate::simd::{self, Job};

/// What one pass over an answer finds.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) arithmetic: Arithmetic,
    pub(super) finals: Finals,
    pub(super) wording: Wording,
    pub(super) n_words: u64,
    pub(super) n_numbers: u64,
    pub(super) n_equals: u64,
    pub(super) n_marks: u64,
    /// Numbers that stand in the answer, each once.
    pub(super) n_distinct_numbers: u64,
    pub(super) last_number: Option<f64>,
    /// Brackets that are open, by kind.
    pub(super) n_open: [u32; 3],
}

/// What one pass over a question finds.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) choices: Choices,
    pub(super) wording: Wording,
    pub(super) n_words: u64,
    /// Of these, how many stand in the answer.
    pub(super) n_words_used: u64,
    pub(super) n_numbers: u64,
    pub(super) n_numbers_used: u64,
    /// Numbers that stand in both, each once.
    pub(super) n_distinct_used: u64,
    pub(super) n_bytes: usize,
    pub(super) n_bytes_of_other_script: usize,
}

/// Words and numbers of an answer and of its question.
#[derive(Debug)]
pub(super) struct Seen {
    words: KeySet,
    numbers: KeySet,
    repeated: KeySet,
    asked: KeySet,
}

/// An answer about to be read.
struct ReadAnswer<'a, 't>(&'a mut Seen, Text<'t>);

/// A question about to be read, after its answer.
struct ReadQuestion<'a, 't>(&'a mut Seen, Text<'t>);

impl Seen {
    pub(super) fn new() -> Self {
        let [words, numbers, repeated, asked] = std::array::from_fn(|_| KeySet::new());
        Self { words, numbers, repeated, asked }
    }

    /// Reads an answer, and forgets the one before.
    pub(super) fn read_answer(&mut self, text: Text<'_>) -> Reading {
        simd::at_best(ReadAnswer(self, text))
    }

    /// Reads the question to the answer that was read last.
    pub(super) fn read_question(&mut self, text: Text<'_>) -> Asked {
        simd::at_best(ReadQuestion(self, text))
    }

    /// Whether a number stands in the question, and whether it stands in the answer more than once.
    pub(super) fn of_number(&self, number: Option<f64>) -> (bool, bool) {
        let Some(key) = number.map(key_of_number) else { return (false, false) };
        (self.asked.contains(key), self.repeated.contains(key))
    }
}

impl Job for ReadAnswer<'_, '_> {
    type Output = Reading;

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) -> Reading {
        let Self(Seen { words, numbers, repeated, asked: _ }, text) = self;
        for set in [&mut *words, &mut *numbers, &mut *repeated] {
            set.clear();
        }
        let mut reading = Reading::new();
        for (token, rest) in text.tokens() {
            reading.arithmetic.take(token, rest);
            reading.finals.take(token, rest);
            match token {
                Token::Word(_, key) => {
                    reading.n_words += 1;
                    reading.wording.take(key);
                    words.insert(key);
                }
                Token::Number(number) => {
                    let key = key_of_number(number.value);
                    reading.n_numbers += 1;
                    reading.last_number = Some(number.value);
                    words.insert(key);
                    if numbers.insert(key) {
                        reading.n_distinct_numbers += 1;
                    } else {
                        repeated.insert(key);
                    }
                }
                Token::Mark(mark) => reading.mark(mark),
            }
        }
        reading
    }
}

impl Job for ReadQuestion<'_, '_> {
    type Output = Asked;

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) -> Asked {
        let Self(Seen { words, numbers, repeated: _, asked: numbers_asked }, text) = self;
        numbers_asked.clear();
        let mut asked = Asked {
            n_bytes: text.raw.len(),
            n_bytes_of_other_script: n_bytes_of_other_script(text.raw),
            ..Asked::default()
        };
        for line in text.lines() {
            asked.choices.take(text, line, words);
        }
        for (token, _) in text.tokens() {
            match token {
                Token::Word(_, key) => {
                    asked.n_words += 1;
                    asked.n_words_used += u64::from(words.contains(key));
                    asked.wording.take(key);
                }
                Token::Number(number) => {
                    let key = key_of_number(number.value);
                    let is_used = numbers.contains(key);
                    asked.n_numbers += 1;
                    asked.n_numbers_used += u64::from(is_used);
                    asked.n_distinct_used += u64::from(numbers_asked.insert(key) && is_used);
                }
                Token::Mark(_) => {}
            }
        }
        asked
    }
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

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
use std::hint::select_unpredictable;

/// What one pass over an answer finds.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) arithmetic: Arithmetic,
    pub(super) finals: Finals,
    pub(super) wording: Wording,
    pub(super) marks: MarkCounts,
    pub(super) n_words: u64,
    pub(super) n_numbers: u64,
    /// Numbers that stand in the answer, each once.
    pub(super) n_distinct_numbers: u64,
    pub(super) last_number: Option<f64>,
    /// Brackets that are open, by kind.
    pub(super) n_open: [u32; N_KINDS],
}

/// How many marks an answer has.
#[derive(Debug, Default)]
pub(super) struct MarkCounts {
    /// All but line feeds.
    pub(super) n: u64,
    pub(super) n_equals: u64,
    pub(super) n_backticks: u64,
}

/// What one pass over a question finds.
#[derive(Debug)]
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

/// The line at hand of an answer, as far as sums go.
#[derive(Debug, Default)]
struct Line {
    start: usize,
    /// Numbers that stand before it.
    n_numbers: u64,
    /// Whether an equals sign stands behind a number in it: without one there is no sum.
    may_have_sums: bool,
}

/// A line of an answer about to be worked out, by its first byte.
struct WorkOut<'a, 't>(&'a mut Arithmetic, Text<'t>, usize);

/// A question about to be read, after its answer.
struct ReadQuestion<'a, 't>(&'a mut Seen, Text<'t>);

impl Seen {
    pub(super) fn new() -> Self {
        let [words, numbers, repeated, asked] = std::array::from_fn(|_| KeySet::new());
        Self { words, numbers, repeated, asked }
    }

    /// Reads an answer, and nothing of the one before is left.
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
        // Each by itself: a count beside an array, or beside what is handed on, would be kept in memory.
        let (mut arithmetic, mut finals) = (Arithmetic::new(), Finals::new());
        let (mut wording, mut marks, mut line) =
            (Wording::default(), MarkCounts::default(), Line::default());
        let mut n_open = [0_u32; N_KINDS];
        let (mut n_words, mut n_numbers, mut n_distinct_numbers) = (0, 0, 0);
        let mut last_number = None;
        for (token, rest) in text.tokens() {
            finals.take(token, rest);
            match token {
                Token::Word(_, key) => {
                    n_words += 1;
                    wording.take(key);
                    words.insert(key);
                }
                Token::Number(number) => {
                    let key = key_of_number(number.value);
                    n_numbers += 1;
                    last_number = Some(number.value);
                    words.insert(key);
                    if numbers.insert(key) {
                        n_distinct_numbers += 1;
                    } else {
                        repeated.insert(key);
                    }
                }
                Token::Mark(mark) => {
                    marks.take(mark);
                    let Bracket { kind, opens, closes } = BRACKETS[usize::from(mark)];
                    let n = &mut n_open[usize::from(kind) % N_KINDS];
                    *n = n.saturating_add(opens).saturating_sub(closes);
                    if line.take(mark, n_numbers) {
                        simd::at_best(WorkOut(&mut arithmetic, text, line.start));
                    }
                    line.end_at(mark, rest.start, n_numbers);
                }
            }
        }
        if line.may_have_sums {
            simd::at_best(WorkOut(&mut arithmetic, text, line.start));
        }
        Reading {
            arithmetic,
            finals,
            wording,
            marks,
            n_words,
            n_numbers,
            n_distinct_numbers,
            last_number,
            n_open,
        }
    }
}

impl MarkCounts {
    /// Which mark comes next cannot be foretold, so it is counted without asking.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn take(&mut self, mark: u8) {
        self.n += u64::from(mark != b'\n');
        self.n_equals += u64::from(mark == b'=');
        self.n_backticks += u64::from(mark == b'`');
    }
}

impl Line {
    /// Takes the next mark; whether it ends a line that may have sums.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn take(&mut self, mark: u8, n_numbers: u64) -> bool {
        let follows_number = self.n_numbers < n_numbers;
        let is_equals = mark == b'=';
        self.may_have_sums |= is_equals & follows_number;
        self.may_have_sums && mark == b'\n'
    }

    /// Begins the next line behind a mark that is a line feed, with so many numbers before it.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn end_at(&mut self, mark: u8, start: usize, n_numbers: u64) {
        let is_end = mark == b'\n';
        self.start = select_unpredictable(is_end, start, self.start);
        self.n_numbers = select_unpredictable(is_end, n_numbers, self.n_numbers);
        self.may_have_sums = select_unpredictable(is_end, false, self.may_have_sums);
    }
}

impl Job for WorkOut<'_, '_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self(arithmetic, text, start) = self;
        for (token, rest) in text.tokens_from(start) {
            arithmetic.take(token, rest);
            if token == Token::Mark(b'\n') {
                break;
            }
        }
    }
}

impl Job for ReadQuestion<'_, '_> {
    type Output = Asked;

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) -> Asked {
        let Self(Seen { words, numbers, repeated: _, asked: numbers_asked }, text) = self;
        numbers_asked.clear();
        let (mut choices, mut wording) = (Choices::default(), Wording::default());
        for line in text.lines() {
            choices.take(text, line, words);
        }
        let (mut n_words, mut n_words_used) = (0, 0);
        let (mut n_numbers, mut n_numbers_used, mut n_distinct_used) = (0, 0, 0);
        for (token, _) in text.words(0..text.raw.len()) {
            match token {
                Token::Word(_, key) => {
                    n_words += 1;
                    n_words_used += u64::from(words.contains(key));
                    wording.take(key);
                }
                Token::Number(number) => {
                    let key = key_of_number(number.value);
                    let is_used = numbers.contains(key);
                    n_numbers += 1;
                    n_numbers_used += u64::from(is_used);
                    n_distinct_used += u64::from(numbers_asked.insert(key) && is_used);
                }
                Token::Mark(_) => {}
            }
        }
        Asked {
            choices,
            wording,
            n_words,
            n_words_used,
            n_numbers,
            n_numbers_used,
            n_distinct_used,
            n_bytes: text.raw.len(),
            n_bytes_of_other_script: n_bytes_of_other_script(text.raw),
        }
    }
}

/// What a mark does to the brackets that are open.
#[derive(Clone, Copy)]
struct Bracket {
    /// Its place in [`Reading::n_open`].
    kind: u8,
    opens: u32,
    closes: u32,
}

/// Kinds of brackets, and one for all other marks, which opens nothing.
const N_KINDS: usize = 4;

static BRACKETS: [Bracket; 256] = {
    let mut marks = [Bracket { kind: 3, opens: 0, closes: 0 }; 256];
    let pairs = [(b'(', b')'), (b'[', b']'), (b'{', b'}')];
    let mut kind = 0;
    while kind < 3 {
        let (open, close) = pairs[kind as usize];
        marks[open as usize] = Bracket { kind, opens: 1, closes: 0 };
        marks[close as usize] = Bracket { kind, opens: 0, closes: 1 };
        kind += 1;
    }
    marks
};

#[cfg(test)]
mod tests {
    use super::{super::tokens::Scan, *};
    use proptest::prelude::*;

    const PIECES: &[&str] = &[
        "1", "2", "3", "1,200", "0.5", " ", " ", "+", "-", "*", "/", "=", "=", "=", "\n", "\n",
        "(", ")", "%", "$", " eggs ", " x ", ".", "{",
    ];

    proptest! {
        /// Sums of the lines that may have some are those of the whole text.
        #[test]
        fn lines_are_worked_out_where_they_have_sums(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..80),
        ) {
            let text = pieces.concat();
            let mut scan = Scan::default();
            let read = scan.read(text.as_bytes());
            let mut whole = Arithmetic::new();
            for (token, rest) in read.tokens() {
                whole.take(token, rest);
            }
            let found = Seen::new().read_answer(read).arithmetic;
            let of = |it: &Arithmetic| (it.n_right, it.n_wrong);
            prop_assert_eq!(of(&found), of(&whole), "{}", text);
        }
    }
}

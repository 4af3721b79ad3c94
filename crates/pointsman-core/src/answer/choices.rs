//! Choices that a question offers, one to a line, and what an answer's words say for each.
//!
//! An answer that works out a value, and then names a choice with another one in it, gives itself
//! away: its own words speak for a choice that it did not take. Of several lists the last counts.
//! Weakness: choices that stand in one line are not seen.

use super::tokens::{KeySet, Text, Token, key_of_number};
use std::ops::Range;

/// One choice of a list.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Choice {
    /// Its small letter.
    pub(super) letter: u8,
    /// The share of its words and numbers that stand in the answer.
    pub(super) support: f64,
    pub(super) n_numbers: u32,
    /// Of these, how many stand in the answer.
    pub(super) n_numbers_found: u32,
    pub(super) n_bytes: u32,
    /// Whether it says that none of the others is right.
    pub(super) is_none_of_these: bool,
}

/// The choices of a question.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Choices {
    all: [Choice; MOST_CHOICES],
    n: usize,
}

/// Choices are lettered from `a` to `j`.
const MOST_CHOICES: usize = 10;

impl Choices {
    /// Takes the next line of a question; `answer` holds the answer's words and numbers.
    pub(super) fn take(&mut self, question: Text<'_>, line: Range<usize>, answer: &KeySet) {
        if !may_be_choice(question, line.start) {
            return;
        }
        let Some((letter, text)) = choice_of(&question.folded()[line.clone()]) else { return };
        let text = line.start + text.start..line.start + text.end;
        if letter == b'a' || self.n == MOST_CHOICES {
            self.n = 0;
        }
        let mut choice = Choice { letter, n_bytes: bounded(text.len()), ..Choice::default() };
        let (mut n, mut n_found) = (0_u32, 0_u32);
        for (token, _) in question.words(text) {
            let is_found = match token {
                Token::Word(word, key) => {
                    choice.is_none_of_these |= word == b"none";
                    answer.contains(key)
                }
                Token::Number(number) => {
                    let is_found = answer.contains(key_of_number(number.value));
                    choice.n_numbers += 1;
                    choice.n_numbers_found += u32::from(is_found);
                    is_found
                }
                Token::Mark(_) => continue,
            };
            n += 1;
            n_found += u32::from(is_found);
        }
        choice.support = f64::from(n_found) / f64::from(n.max(1));
        self.all[self.n] = choice;
        self.n += 1;
    }

    /// The choices, in their order.
    pub(super) fn all(&self) -> &[Choice] {
        &self.all[..self.n]
    }

    /// The place of the choice with this letter; the last one, if there are several.
    pub(super) fn place(&self, letter: u8) -> Option<usize> {
        self.all().iter().rposition(|choice| choice.letter == letter)
    }
}

/// Whether the line that begins there has a letter of a choice first: few lines have, and the others are
/// soon passed over.
fn may_be_choice(question: Text<'_>, start: usize) -> bool {
    let folded = question.folded();
    let Some(first) = question.not_blank(start) else { return false };
    let letter = if folded.get(first) == Some(&b'(') { first + 1 } else { first };
    let is_letter = folded.get(letter).is_some_and(|letter| (b'a'..=b'j').contains(letter));
    is_letter && matches!(folded.get(letter + 1), Some(b')' | b'.' | b':'))
}

/// The letter and the place of the text of a line such as `(a) ...`, `a. ...` or `a: ...`, in small
/// letters.
fn choice_of(line: &[u8]) -> Option<(u8, Range<usize>)> {
    let start = line.trim_ascii_start();
    let start = start.strip_prefix(b"(").unwrap_or(start);
    let [letter @ b'a'..=b'j', b')' | b'.' | b':', b' ' | b'\t', rest @ ..] = start else {
        return None;
    };
    let (text, end) = (rest.trim_ascii_start(), line.trim_ascii_end().len());
    (!text.is_empty()).then_some((*letter, line.len() - text.len()..end))
}

fn bounded(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::Scan, *};
    use proptest::prelude::*;

    fn choices_of(question: &str, answer: &str) -> Choices {
        let mut words = KeySet::new();
        for (token, _) in Scan::default().read(answer.as_bytes()).tokens() {
            match token {
                Token::Word(_, key) => words.insert(key),
                Token::Number(number) => words.insert(key_of_number(number.value)),
                Token::Mark(_) => false,
            };
        }
        let mut choices = Choices::default();
        let mut scan = Scan::default();
        let question = scan.read(question.as_bytes());
        for line in question.lines() {
            choices.take(question, line, &words);
        }
        choices
    }

    #[test]
    fn choices_are_lines_that_begin_with_a_letter() {
        for (question, letters) in [
            ("", ""),
            ("which?\na. one\nb. two", "ab"),
            ("which?\n (a) one\n(b) two\n(c) three", "abc"),
            ("a: one\nb: two", "ab"),
            ("a. one\nb. two\n\nagain:\na. three\nb. four\nc. five", "abc"),
            ("a.one\nb) \nz. two", ""),
        ] {
            let choices = choices_of(question, "");
            let found: String = choices.all().iter().map(|it| char::from(it.letter)).collect();
            assert_eq!(found, letters, "{question:?}");
        }
    }

    proptest! {
        #[test]
        fn no_choice_is_passed_over(
            text in prop::collection::vec(
                prop::sample::select(&b" \t\r\n\n\x0b\x01((abjkAZ)).:1"[..]),
                0..200,
            ),
        ) {
            let mut scan = Scan::default();
            let read = scan.read(&text);
            for line in read.lines() {
                let is_choice = choice_of(&read.folded()[line.clone()]).is_some();
                prop_assert!(!is_choice || may_be_choice(read, line.start), "{:?}", line);
            }
        }
    }

    #[test]
    fn an_answer_speaks_for_the_choice_that_it_worked_out() {
        let question = "how many?\na. 12 eggs\nb. 13 eggs\nc. none of these";
        let choices = choices_of(question, "16 - 3 = 13, so there are 13 eggs");
        let support: Vec<f64> = choices.all().iter().map(|it| it.support).collect();
        assert_eq!(support, [0.5, 1.0, 0.0]);
        assert_eq!(choices.place(b'b'), Some(1));
        assert_eq!(choices.place(b'd'), None);
        assert!(choices.all()[2].is_none_of_these);
        let numbers = |it: &Choice| (it.n_numbers, it.n_numbers_found);
        assert_eq!(numbers(&choices.all()[0]), (1, 0));
        assert_eq!(numbers(&choices.all()[1]), (1, 1));
    }

    #[test]
    fn more_choices_than_letters_begin_anew() {
        let question = "b. x\n".repeat(MOST_CHOICES + 1);
        assert_eq!(choices_of(&question, "").all().len(), 1);
    }
}

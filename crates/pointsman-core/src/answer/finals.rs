//! Final answers: what stands behind "the answer is", "answer:", `####` and `\boxed{`.
//!
//! An answer that names several different ones contradicts itself; one that names none did not get
//! to the end, or was not asked for one.

use super::tokens::{Rest, Token, is_letter, key_of_number, key_of_word};

/// What an answer ends in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Final {
    /// One small letter, as of a choice.
    Letter(u8),
    /// A number.
    Number(f64),
    /// Something else.
    Word,
}

/// Finds the final answers of one text, token by token.
#[derive(Debug, Clone)]
pub(super) struct Finals {
    /// Tokens in which a final answer is still expected.
    armed: u8,
    /// `#` in a row.
    n_hashes: u8,
    before: Before,
    /// Whether nothing of these waits for another token.
    is_idle: bool,
    keys: [u64; MOST_KEYS],
    /// How many were found.
    pub(super) n: u32,
    /// How many of them differ; no more than [`MOST_KEYS`] are told apart.
    pub(super) n_distinct: usize,
    /// The last one.
    pub(super) last: Option<Final>,
}

/// Different final answers beyond these are not counted.
const MOST_KEYS: usize = 4;

/// How far behind its announcement a final answer may stand.
const REACH: u8 = 6;

const ANSWER: u64 = key_of_word(b"answer");
const BOXED: u64 = key_of_word(b"boxed");

/// What stands before the token at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Answer,
    Boxed,
    Other,
}

impl Finals {
    pub(super) fn new() -> Self {
        Self {
            armed: 0,
            n_hashes: 0,
            before: Before::Other,
            is_idle: true,
            keys: [0; MOST_KEYS],
            n: 0,
            n_distinct: 0,
            last: None,
        }
    }

    /// Takes the next token; `rest` is the text behind it.
    #[expect(clippy::inline_always, reason = "most tokens change nothing, which is soon seen")]
    #[inline(always)]
    pub(super) fn take(&mut self, token: Token<'_>, rest: Rest<'_>) {
        let begins = match token {
            Token::Word(_, key) => key == ANSWER || key == BOXED,
            Token::Number(_) => false,
            Token::Mark(mark) => mark == b'#',
        };
        if begins || !self.is_idle {
            self.go_on(token, rest);
        }
    }

    fn go_on(&mut self, token: Token<'_>, rest: Rest<'_>) {
        if 0 < self.armed {
            self.look_at(token, rest);
        }
        self.n_hashes =
            if token == Token::Mark(b'#') { self.n_hashes.saturating_add(1) } else { 0 };
        let is_announced = match self.before {
            Before::Answer => matches!(token, Token::Word(b"is", _) | Token::Mark(b':')),
            Before::Boxed => token == Token::Mark(b'{'),
            Before::Other => self.n_hashes == 4,
        };
        if is_announced {
            self.armed = REACH;
        }
        self.before = match token {
            Token::Word(b"answer", _) => Before::Answer,
            Token::Word(b"boxed", _) => Before::Boxed,
            Token::Word(..) | Token::Number(_) | Token::Mark(_) => Before::Other,
        };
        self.is_idle = self.armed == 0 && self.n_hashes == 0 && self.before == Before::Other;
    }

    /// Whether it names different final answers.
    pub(super) fn contradict(&self) -> bool {
        1 < self.n_distinct
    }

    fn look_at(&mut self, token: Token<'_>, rest: Rest<'_>) {
        match token {
            Token::Number(number) => {
                self.found(Final::Number(number.value), key_of_number(number.value));
            }
            Token::Word(word, _) if 1 < self.armed && is_passed_over(word, rest) => self.armed -= 1,
            Token::Word(&[letter], _) => self.found(Final::Letter(letter), u64::from(letter)),
            Token::Word(_, key) => self.found(Final::Word, key),
            Token::Mark(_) => self.armed -= 1,
        }
    }

    fn found(&mut self, last: Final, key: u64) {
        self.armed = 0;
        self.n = self.n.saturating_add(1);
        self.last = Some(last);
        let is_known = self.keys[..self.n_distinct].contains(&key);
        if !is_known && self.n_distinct < MOST_KEYS {
            self.keys[self.n_distinct] = key;
            self.n_distinct += 1;
        }
    }
}

/// Words that introduce a final answer; `a` where it is an article.
fn is_passed_over(word: &[u8], rest: Rest<'_>) -> bool {
    match word {
        b"boxed" | b"text" | b"the" | b"option" | b"choice" | b"answer" | b"is" | b"final"
        | b"correct" => true,
        b"a" => matches!(rest.bytes(), [b' ', next, ..] if is_letter(*next)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::Scan, *};

    fn finals_of(text: &str) -> Finals {
        let mut finals = Finals::new();
        for (token, rest) in Scan::default().read(text.as_bytes()).tokens() {
            finals.take(token, rest);
        }
        finals
    }

    #[track_caller]
    fn check(text: &str, n: u32, n_distinct: usize, last: Option<Final>) {
        let finals = finals_of(text);
        assert_eq!((finals.n, finals.n_distinct, finals.last), (n, n_distinct, last), "{text}");
    }

    #[test]
    fn final_answers_are_found_where_they_are_announced() {
        check("", 0, 0, None);
        check("there is no answer here", 0, 0, None);
        check("so the answer is (c).", 1, 1, Some(Final::Letter(b'c')));
        check("the answer is: **a**", 1, 1, Some(Final::Letter(b'a')));
        check("answer: option b", 1, 1, Some(Final::Letter(b'b')));
        check("the answer is a triangle", 1, 1, Some(Final::Word));
        check("it makes 18.\n#### 18", 1, 1, Some(Final::Number(18.0)));
        check("### a heading", 0, 0, None);
        check("\\boxed{42}", 1, 1, Some(Final::Number(42.0)));
        check("the answer is \\boxed{\\text{d}}", 1, 1, Some(Final::Letter(b'd')));
        check("final answer: the answer is (e)", 1, 1, Some(Final::Letter(b'e')));
    }

    #[test]
    fn several_different_ones_contradict_each_other() {
        check("the answer is (c). wait, the answer is (d).", 2, 2, Some(Final::Letter(b'd')));
        check("the answer is 5.0. so: answer: 5", 2, 1, Some(Final::Number(5.0)));
        assert!(finals_of("the answer is (c). no, the answer is (d)").contradict());
        assert!(!finals_of("the answer is (c), yes, the answer is (c)").contradict());
    }
}

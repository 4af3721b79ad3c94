//! Arithmetic that an answer writes down, worked out again.
//!
//! Read are runs of numbers, `+ - * x × · / ÷`, brackets and percentages before an equals sign, and
//! the number behind it; dollar signs and the name of a unit behind a number are passed over.
//! Anything else begins a new run, and so does every line. Weakness: what is written with names of
//! variables, powers or fractions of LaTeX is not checked, which the count of checked ones shows.

use super::tokens::{Number, Rest, Token};

/// Checks one text, token by token.
#[derive(Debug, Clone)]
pub(super) struct Arithmetic {
    levels: [Level; MOST_LEVELS],
    depth: usize,
    n_operators: u32,
    /// A minus sign stands before the next number.
    negates: bool,
    state: State,
    /// Results that follow.
    pub(super) n_right: u32,
    /// Results that do not.
    pub(super) n_wrong: u32,
}

/// Open brackets, and the run that they stand in.
const MOST_LEVELS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Numbers and operators.
    Reading,
    /// What cannot be worked out, up to the next thing that is no arithmetic.
    Lost,
    /// The number that is to be this one.
    Result(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Plus,
    Minus,
    Times,
    By,
}

/// A sum in the making: what is summed, and the product that comes next.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    sum: f64,
    product: f64,
    operator: Option<Operator>,
    has_operand: bool,
}

impl Level {
    fn take(&mut self, value: f64) {
        match self.operator.take() {
            None => (self.sum, self.product) = (0.0, value),
            Some(Operator::Plus) => (self.sum, self.product) = (self.sum + self.product, value),
            Some(Operator::Minus) => (self.sum, self.product) = (self.sum + self.product, -value),
            Some(Operator::Times) => self.product *= value,
            Some(Operator::By) => self.product /= value,
        }
        self.has_operand = true;
    }

    /// Whether it ends in a number, so that an operator may follow.
    fn is_complete(&self) -> bool {
        self.has_operand && self.operator.is_none()
    }

    fn value(&self) -> f64 {
        self.sum + self.product
    }
}

impl Arithmetic {
    pub(super) fn new() -> Self {
        Self {
            levels: [Level::default(); MOST_LEVELS],
            depth: 0,
            n_operators: 0,
            negates: false,
            state: State::Reading,
            n_right: 0,
            n_wrong: 0,
        }
    }

    /// Takes the next token; `rest` is the text behind it.
    #[expect(clippy::inline_always, reason = "most tokens change nothing, which is soon seen")]
    #[inline(always)]
    pub(super) fn take(&mut self, token: Token<'_>, rest: Rest<'_>) {
        let begins = match token {
            Token::Number(_) | Token::Mark(b'-' | b'(' | b')') => true,
            Token::Word(..) | Token::Mark(_) => false,
        };
        if begins || !self.is_fresh() {
            self.go_on(token, rest);
        }
    }

    /// Whether nothing was read since the last beginning.
    fn is_fresh(&self) -> bool {
        self.depth == 0
            && !self.levels[0].has_operand
            && !self.negates
            && self.state == State::Reading
    }

    fn go_on(&mut self, token: Token<'_>, rest: Rest<'_>) {
        match token {
            Token::Number(number) => self.number(number, rest),
            Token::Word(word, _) => match operator_named(word) {
                Some(operator) => self.operator(operator),
                None if self.state == State::Reading && self.level().is_complete() => {}
                None => self.begin(),
            },
            Token::Mark(b'+') => self.operator(Operator::Plus),
            Token::Mark(b'-') => self.operator(Operator::Minus),
            Token::Mark(b'*') => self.operator(Operator::Times),
            Token::Mark(b'/') => self.operator(Operator::By),
            Token::Mark(b'$') => {}
            Token::Mark(b'%') => {
                if self.state == State::Reading && self.level().is_complete() {
                    self.levels[self.depth].product *= 0.01;
                }
            }
            Token::Mark(b'(') => self.open(),
            Token::Mark(b')') => self.close(),
            Token::Mark(b'=') => self.equals(),
            Token::Mark(_) => self.begin(),
        }
    }

    fn level(&self) -> &Level {
        &self.levels[self.depth]
    }

    fn begin(&mut self) {
        // Those above it are begun anew where they are opened.
        self.levels[0] = Level::default();
        (self.depth, self.n_operators, self.negates) = (0, 0, false);
        self.state = State::Reading;
    }

    fn number(&mut self, number: Number, rest: Rest<'_>) {
        let signed = |negates: bool| if negates { -number.value } else { number.value };
        match self.state {
            State::Lost => {}
            State::Result(expected) => {
                let found = signed(self.negates);
                self.judge(expected, Number { value: found, ..number }, rest.bytes());
                self.begin();
                self.levels[0].take(found);
            }
            State::Reading => {
                if self.level().is_complete() {
                    self.begin();
                }
                let value = signed(self.negates && !self.level().has_operand);
                self.levels[self.depth].take(value);
                self.negates = false;
            }
        }
    }

    /// Rounding to the decimals that are written is right, and so is the same as a percentage. A
    /// wrong number that an operator follows is the beginning of another sum.
    fn judge(&mut self, expected: f64, found: Number, rest: &[u8]) {
        if !expected.is_finite() {
            return;
        }
        let unit = if found.n_decimals == 0 {
            1e-6
        } else {
            0.51 * libm::pow(10.0, -crate::units::len_as_float(found.n_decimals))
        };
        let tolerance = unit + 1e-9 * found.value.abs();
        let is = |expected: f64| (expected - found.value).abs() <= tolerance;
        if is(expected) || (rest.first() == Some(&b'%') && is(100.0 * expected)) {
            self.n_right += 1;
        } else if !matches!(rest.trim_ascii_start(), [b'+' | b'-' | b'*' | b'/', ..]) {
            self.n_wrong += 1;
        }
    }

    fn operator(&mut self, operator: Operator) {
        match self.state {
            State::Lost => {}
            State::Result(_) if operator == Operator::Minus => self.negates = true,
            State::Reading if self.level().is_complete() => {
                self.levels[self.depth].operator = Some(operator);
                self.n_operators += 1;
            }
            State::Reading if operator == Operator::Minus && !self.level().has_operand => {
                self.negates = true;
            }
            State::Result(_) | State::Reading => self.begin(),
        }
    }

    fn open(&mut self) {
        if self.state != State::Reading {
            self.begin();
        }
        if self.level().is_complete() {
            self.levels[self.depth].operator = Some(Operator::Times);
            self.n_operators += 1;
        }
        if self.depth + 1 < MOST_LEVELS {
            self.depth += 1;
            self.levels[self.depth] = Level::default();
        } else {
            self.state = State::Lost;
        }
    }

    fn close(&mut self) {
        if self.state == State::Reading && 0 < self.depth && self.level().is_complete() {
            let value = self.level().value();
            self.depth -= 1;
            self.levels[self.depth].take(value);
        } else {
            self.begin();
            self.state = State::Lost;
        }
    }

    fn equals(&mut self) {
        let is_sum = self.state == State::Reading
            && self.depth == 0
            && self.level().is_complete()
            && 0 < self.n_operators;
        let value = self.level().value();
        self.begin();
        if is_sum {
            self.state = State::Result(value);
        }
    }
}

/// Words that are operators: `x`, `×`, `·` and `÷`.
fn operator_named(word: &[u8]) -> Option<Operator> {
    match word {
        b"x" | b"\xc3\x97" | b"\xc2\xb7" => Some(Operator::Times),
        b"\xc3\xb7" => Some(Operator::By),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::Scan, *};

    #[track_caller]
    fn check(text: &str, expected: (u32, u32)) {
        let mut arithmetic = Arithmetic::new();
        for (token, rest) in Scan::default().read(text.as_bytes()).tokens() {
            arithmetic.take(token, rest);
        }
        assert_eq!((arithmetic.n_right, arithmetic.n_wrong), expected, "{text}");
    }

    #[test]
    fn sums_are_worked_out() {
        for (text, expected) in [
            ("", (0, 0)),
            ("so it is 9*2=18", (1, 0)),
            ("so it is 9*2=19", (0, 1)),
            ("2 + 3 * 4 = 14", (1, 0)),
            ("2 * (3 + 4) = 14, and 3 + 4 = 8", (1, 1)),
            ("2(3 + 4) = 14", (1, 0)),
            ("10 - 2 - 3 = 5", (1, 0)),
            ("-3 + 5 = 2 and 3 - 5 = -2", (2, 0)),
            ("16 eggs - 3 eggs = 13 eggs", (1, 0)),
            ("$9 * $2 = $18", (1, 0)),
            ("2 x 3 = 6, 2 × 3 = 6, 6 ÷ 2 = 3", (3, 0)),
            ("20% * 50 = 10; 1/4 = 25%", (2, 0)),
            ("10/3 = 3.33 and 2/3 = 0.67", (2, 0)),
            ("10/3 = 3.4", (0, 1)),
            ("5 + 3 = 8 + 1 = 9", (2, 0)),
            ("1,200 * 2 = 2,400", (1, 0)),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn what_cannot_be_worked_out_is_not_judged() {
        for text in [
            "x = 5",
            "5 = 5",
            "1 / 0 = 7",
            "(((((((1 + 1))))))) = 3",
            "2 + (3 = 6",
            "2 + 3) = 6",
            "f(2) + = 3",
            "2 + 2 = 10 - 5",
            "= = = 1",
        ] {
            check(text, (0, 0));
        }
    }
}

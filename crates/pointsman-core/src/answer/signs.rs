//! The signs by name, and what each is.

use super::{
    Answer, Asked, FinishReason, LogProbabilities, Reading,
    choices::Choice,
    finals::Final,
    json::{self, Kind},
    n_bytes_of_other_script,
};
use crate::{
    features::{Extractor, Features, MAX_BYTES_PER_PART},
    request::{Capabilities, Request},
    units::{as_float, len_as_float, narrow},
};

/// How many signs there are.
pub const N_SIGNS: usize = 57;

/// The signs, in order. Counts are natural logarithms of `1 + n`; what is there or not is 1 or 0.
pub const SIGN_NAMES: [&str; N_SIGNS] = [
    "log length over the prompt's",
    "vocabulary",
    "log numbers",
    "numbers among words",
    "equals signs among words",
    "hedging",
    "approximating",
    "contrasting",
    "correcting itself",
    "refusing",
    "denying",
    "concluding",
    "arguing",
    "supposing",
    "log final answers",
    "no final answer",
    "contradicts itself",
    "final answer is a letter",
    "final answer is a number",
    "log sums checked",
    "log sums right",
    "log sums wrong",
    "a sum is wrong",
    "unclosed bracket",
    "unclosed code fence",
    "ends in mid-sentence",
    "last number is whole",
    "log last number",
    "last number is in the prompt",
    "last number is repeated",
    "log numbers in the prompt",
    "prompt's numbers used",
    "prompt's words used",
    "log new numbers",
    "log choices",
    "names a choice",
    "words for the choice",
    "words for it over the next best",
    "words for it over the mean",
    "number of the choice found",
    "number of the choice missing",
    "number of another choice found",
    "place of the choice",
    "log length of the choice over the mean",
    "choice is none of these",
    "other script than the prompt",
    "other language than the prompt",
    "empty",
    "cut off at the token limit",
    "ended by a filter",
    "broken JSON",
    "log required keys missing",
    "log calls of unknown tools",
    "log calls with broken arguments",
    "log-probabilities known",
    "mean log-probability",
    "least log-probability",
];

/// Everything that signs are read from.
pub(super) struct Signs<'a, 'r, 't> {
    pub(super) request: &'a Request<'r>,
    pub(super) answer: &'a Answer<'t>,
    /// Which has read the answer.
    pub(super) extractor: &'a Extractor,
    /// What was read of the answer.
    pub(super) read: &'a [u8],
    pub(super) text: &'a Features<'a>,
    pub(super) reading: &'a Reading,
    pub(super) asked: &'a Asked,
    /// The final answer, where it is a number, else the last number.
    pub(super) final_number: Option<f64>,
    /// Whether that number stands in the question.
    pub(super) is_asked: bool,
    /// Whether it stands in the answer more than once.
    pub(super) is_repeated: bool,
}

impl Signs<'_, '_, '_> {
    /// One number per entry of [`SIGN_NAMES`], each finite.
    pub(super) fn all(&self) -> [f32; N_SIGNS] {
        let mut signs = Row { values: [0.0; N_SIGNS], n: 0 };
        self.text(&mut signs);
        self.finals(&mut signs);
        self.numbers(&mut signs);
        self.choices(&mut signs);
        self.fit(&mut signs);
        debug_assert_eq!(signs.n, N_SIGNS, "one sign per name");
        signs.values.map(narrow)
    }

    fn log1p(&self, count: u64) -> f64 {
        self.extractor.log1p(count)
    }

    fn text(&self, signs: &mut Row) {
        let reading = self.reading;
        let (n_words, n_numbers) = (as_float(reading.n_words), as_float(reading.n_numbers));
        let n_tokens = 1.0 + n_words + n_numbers;
        let (n_bytes, n_asked) = (self.answer.text.len() as u64, self.request.n_bytes() as u64);
        signs.push(self.log1p(n_bytes) - self.log1p(n_asked));
        // Each word is a term, and with the word before it another.
        let most = 1.0 + 2.0 * (n_words + n_numbers) + as_float(reading.marks.n);
        signs.push(len_as_float(self.text.terms.len()) / most);
        signs.push(self.log1p(reading.n_numbers));
        signs.push(n_numbers / n_tokens);
        signs.push(as_float(reading.marks.n_equals) / n_tokens);
        for &n in reading.wording.by_manner() {
            signs.push(self.log1p(u64::from(n)));
        }
    }

    fn finals(&self, signs: &mut Row) {
        let Reading { arithmetic, finals, marks, n_open, .. } = self.reading;
        signs.push(self.log1p(u64::from(finals.n)));
        signs.push_if(finals.n == 0);
        signs.push_if(finals.contradict());
        signs.push_if(matches!(finals.last, Some(Final::Letter(_))));
        signs.push_if(matches!(finals.last, Some(Final::Number(_))));
        let (n_right, n_wrong) = (u64::from(arithmetic.n_right), u64::from(arithmetic.n_wrong));
        signs.push(self.log1p(n_right + n_wrong));
        signs.push(self.log1p(n_right));
        signs.push(self.log1p(n_wrong));
        signs.push_if(0 < n_wrong);
        signs.push_if(n_open.iter().any(|&n| 0 < n));
        let has_fences = FENCE_BACKTICKS <= marks.n_backticks;
        let n_fences = if has_fences { n_fences(self.read) } else { 0 };
        signs.push_if(n_fences % 2 == 1);
        signs.push_if(!matches!(
            self.read.trim_ascii_end().last(),
            Some(b'.' | b'!' | b'?' | b')' | b'"' | b'}' | b']' | b'`')
        ));
    }

    fn numbers(&self, signs: &mut Row) {
        let (reading, asked) = (self.reading, self.asked);
        let number = self.final_number;
        signs.push_if(number.is_some_and(|number| number.fract() == 0.0));
        signs.push(number.map_or(0.0, libm::log1p));
        signs.push_if(self.is_asked);
        signs.push_if(self.is_repeated);
        signs.push(self.log1p(asked.n_numbers));
        signs.push(as_float(asked.n_numbers_used) / (1.0 + as_float(asked.n_numbers)));
        signs.push(as_float(asked.n_words_used) / (1.0 + as_float(asked.n_words)));
        signs.push(self.log1p(reading.n_distinct_numbers.saturating_sub(asked.n_distinct_used)));
    }

    fn choices(&self, signs: &mut Row) {
        const N: usize = 10;
        let all = self.asked.choices.all();
        signs.push(self.log1p(all.len() as u64));
        let place = match self.reading.finals.last {
            Some(Final::Letter(letter)) => self.asked.choices.place(letter),
            Some(Final::Number(_) | Final::Word) | None => None,
        };
        let Some(place) = place else {
            for _ in 0..N {
                signs.push(0.0);
            }
            return;
        };
        let choice = &all[place];
        let others =
            || all.iter().enumerate().filter(move |(at, _)| *at != place).map(|(_, it)| it);
        let n_others = others().count();
        let mean = |value: &dyn Fn(&Choice) -> f64| {
            others().map(value).sum::<f64>() / len_as_float(n_others.max(1))
        };
        let next_best = others().map(|it| it.support).fold(0.0, f64::max);
        let length = |it: &Choice| f64::from(it.n_bytes);
        let lead = |over: f64| if n_others == 0 { 0.0 } else { choice.support - over };
        signs.push_if(true);
        signs.push(choice.support);
        signs.push(lead(next_best));
        signs.push(lead(mean(&|it| it.support)));
        signs.push_if(0 < choice.n_numbers_found);
        signs.push_if(
            0 < choice.n_numbers && choice.n_numbers_found == 0 && 0 < self.reading.n_numbers,
        );
        signs.push_if(others().any(|it| 0 < it.n_numbers_found));
        signs.push(len_as_float(place) / len_as_float(all.len()));
        let longer = libm::log1p(length(choice)) - libm::log1p(mean(&length));
        signs.push(if n_others == 0 { 0.0 } else { longer });
        signs.push_if(choice.is_none_of_these);
    }

    /// Whether the answer has the form that was asked for.
    fn fit(&self, signs: &mut Row) {
        let Answer { text, finish, tool_calls, offered_tools, required_keys, log_probabilities } =
            self.answer;
        let other_script = self.share_of_other_script();
        signs.push(other_script);
        let languages = (self.reading.wording.language(), self.asked.wording.language());
        signs.push_if(matches!(languages, (Some(answered), Some(asked)) if answered != asked));
        signs.push_if(text.trim().is_empty() && tool_calls.is_empty());
        signs.push_if(*finish == FinishReason::Length);
        signs.push_if(*finish == FinishReason::ContentFilter);
        let (is_broken, n_missing) = self.json(required_keys);
        signs.push_if(is_broken);
        signs.push(self.log1p(n_missing));
        let is_unknown = |name: &str| !offered_tools.iter().any(|offered| offered == name);
        let n_unknown = tool_calls.iter().filter(|call| is_unknown(&call.name)).count() as u64;
        signs.push(if offered_tools.is_empty() { 0.0 } else { self.log1p(n_unknown) });
        let is_object =
            |arguments: &str| json::kind_of(arguments.as_bytes(), |_| {}) == Some(Kind::Object);
        let n_broken = tool_calls.iter().filter(|call| !is_object(&call.arguments)).count() as u64;
        signs.push(self.log1p(n_broken));
        signs.push_if(log_probabilities.is_some());
        let LogProbabilities { mean, least } =
            log_probabilities.unwrap_or(LogProbabilities { mean: 0.0, least: 0.0 });
        signs.push(mean);
        signs.push(least);
    }

    /// By how much the shares of bytes outside ASCII differ in the answer and in the prompt.
    fn share_of_other_script(&self) -> f64 {
        let share = |n_other: usize, n: usize| len_as_float(n_other) / len_as_float(n.max(1));
        let answered = share(n_bytes_of_other_script(self.read), self.read.len());
        let question = self.asked.n_bytes;
        if self.read.is_empty() || question == 0 {
            return 0.0;
        }
        (answered - share(self.asked.n_bytes_of_other_script, question)).abs()
    }

    /// Whether an answer that is or has to be JSON is none, and how many required keys it lacks. An
    /// answer that was not read whole is not judged.
    fn json(&self, required: &[std::borrow::Cow<'_, str>]) -> (bool, u64) {
        let text = within_fence(self.answer.text.as_bytes());
        let is_asked = Capabilities::JSON_SCHEMA.missing_from(self.request.needs).is_empty();
        let is_asked = is_asked || !required.is_empty();
        let looks_like_it = matches!(text.first(), Some(b'{'));
        if MAX_BYTES_PER_PART < text.len() || !(is_asked || looks_like_it) {
            return (false, 0);
        }
        // One bit for each key: more than 64 are not asked for of any real schema.
        let mut found = 0_u64;
        let kind = json::kind_of(text, |key| {
            for (bit, _) in
                required.iter().take(64).enumerate().filter(|(_, it)| it.as_bytes() == key)
            {
                found |= 1 << bit;
            }
        });
        let n_required = required.len().min(64) as u64;
        (kind.is_none(), n_required - u64::from(found.count_ones()))
    }
}

/// Numbers on their way into a row.
struct Row {
    values: [f64; N_SIGNS],
    n: usize,
}

impl Row {
    fn push(&mut self, value: f64) {
        if let Some(slot) = self.values.get_mut(self.n) {
            *slot = value;
        }
        self.n += 1;
    }

    fn push_if(&mut self, is_so: bool) {
        self.push(if is_so { 1.0 } else { 0.0 });
    }
}

/// So many backticks in a row open or close a block of code.
const FENCE_BACKTICKS: u64 = 3;

/// How many code fences a text opens and closes.
fn n_fences(text: &[u8]) -> usize {
    let (mut n, mut n_in_a_row) = (0, 0);
    for &byte in text {
        n_in_a_row = if byte == b'`' { n_in_a_row + 1 } else { 0 };
        if n_in_a_row == FENCE_BACKTICKS {
            (n, n_in_a_row) = (n + 1, 0);
        }
    }
    n
}

/// A text without the code fence around it.
fn within_fence(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    let Some(inside) = text.strip_prefix(b"```").and_then(|it| it.strip_suffix(b"```")) else {
        return text;
    };
    let line_end = inside.iter().position(|&byte| byte == b'\n').unwrap_or(0);
    inside[line_end..].trim_ascii()
}

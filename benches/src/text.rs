//! Texts that are as irregular as real ones, so that branch predictors and caches learn nothing
//! that they would not learn in service.
//!
//! Words are drawn from a vocabulary of several thousand by Zipf's law, frequent ones being short.
//! Weakness: the words are invented and follow each other independently, so there are more
//! different pairs of words in them than in real text, which makes a bench slower, not faster.

use pointsman_testkit::{Draws, Stream};

/// How many words the vocabulary has.
const N_WORDS: usize = 8000;

const FREQUENT: &str = "the of and to a in is you that it he was for on are with as i his they be at \
    one have this from or had by but some what there we can out other were all your when up use word \
    how said an each she which do their time if will way about many then them would write like so \
    these her long make thing see him two has look more day could go come did my sound no most who \
    over know than call first people may down been now find any new";

const ONSETS: [&str; 20] = [
    "b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "st", "pr", "tr", "ch", "con",
    "re", "in",
];
const NUCLEI: [&str; 9] = ["a", "e", "i", "o", "u", "ea", "io", "ou", "e"];
const CODAS: [&str; 12] = ["", "", "n", "r", "s", "t", "l", "nd", "st", "ck", "ng", "m"];

const KEYWORDS: [&str; 16] = [
    "let", "if", "else", "for", "return", "fn", "match", "while", "self", "true", "None", "import",
    "def", "const", "int", "string",
];
const OPERATORS: [&str; 14] =
    [" = ", " == ", " + ", " - ", "(", "[", ".", "->", " && ", ": ", " < ", ", ", "::", " * "];
const CLOSERS: [&str; 8] = [");", "];", ";", " {", "}", ")", ",", "),"];

/// What a text reads like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sentences.
    Prose,
    /// Lines of a program.
    Code,
}

/// Writes texts.
#[derive(Debug)]
pub struct Writer {
    words: Vec<String>,
    cumulative: Vec<f64>,
}

impl Writer {
    /// A writer with its vocabulary.
    pub fn new() -> Self {
        let mut words: Vec<String> = FREQUENT.split_whitespace().map(str::to_owned).collect();
        for rank in words.len()..N_WORDS {
            words.push(invented_word(rank));
        }
        let mut total = 0.0;
        let mut cumulative = Vec::with_capacity(words.len());
        for rank in (1_u32..).take(words.len()) {
            total += 1.0 / (f64::from(rank) + 2.7);
            cumulative.push(total);
        }
        Self { words, cumulative }
    }

    /// A text of exactly `n_bytes`; equal arguments give equal texts.
    pub fn write(&self, kind: Kind, n_bytes: usize, key: u64) -> String {
        let mut draws = Draws::keyed(7, Stream::Words, &[kind as u64, key]);
        let mut text = String::with_capacity(n_bytes + 200);
        while text.len() < n_bytes {
            match kind {
                Kind::Prose => self.sentence(&mut draws, &mut text),
                Kind::Code => self.line(&mut draws, &mut text),
            }
        }
        text.truncate(n_bytes);
        text
    }

    /// Many texts of one kind and length.
    pub fn write_many(&self, kind: Kind, n_bytes: usize, n_texts: u64) -> Vec<String> {
        (0..n_texts).map(|key| self.write(kind, n_bytes, key)).collect()
    }

    fn word(&self, draws: &mut Draws) -> &str {
        let total = self.cumulative[self.cumulative.len() - 1];
        let at = draws.uniform() * total;
        let rank = self.cumulative.partition_point(|&sum| sum <= at);
        &self.words[rank.min(self.words.len() - 1)]
    }

    fn sentence(&self, draws: &mut Draws, text: &mut String) {
        let n_words = draws.between(4, 26);
        for index in 0..n_words {
            let word = self.word(draws);
            if index == 0 || draws.chance(0.03) {
                let (first, rest) = word.split_at(1);
                text.push_str(&first.to_uppercase());
                text.push_str(rest);
            } else if draws.chance(0.02) {
                text.push_str(&draws.between(2, 4000).to_string());
            } else {
                text.push_str(word);
            }
            if index + 1 < n_words {
                text.push_str(if draws.chance(0.07) { ", " } else { " " });
            }
        }
        text.push_str(draws.choice(&[". ", ". ", ". ", "? ", ".\n", ": ", "! ", ".\n\n"]));
    }

    fn line(&self, draws: &mut Draws, text: &mut String) {
        for _ in 0..draws.between(0, 4) {
            text.push_str("    ");
        }
        for _ in 0..draws.between(1, 5) {
            if draws.chance(0.35) {
                text.push_str(draws.choice(&KEYWORDS));
                text.push(' ');
            }
            text.push_str(self.word(draws));
            if draws.chance(0.4) {
                text.push('_');
                text.push_str(self.word(draws));
            }
            text.push_str(draws.choice(&OPERATORS));
            if draws.chance(0.25) {
                text.push_str(&draws.between(0, 300).to_string());
            }
        }
        text.push_str(draws.choice(&CLOSERS));
        text.push('\n');
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// The rarer, the longer.
fn invented_word(rank: usize) -> String {
    let mut draws = Draws::keyed(7, Stream::Words, &[99, rank as u64]);
    let longest = if rank < 400 { 2 } else { 4 };
    let mut word = String::new();
    for _ in 0..draws.between(1, longest) {
        word.push_str(draws.choice(&ONSETS));
        word.push_str(draws.choice(&NUCLEI));
        word.push_str(draws.choice(&CODAS));
    }
    word
}

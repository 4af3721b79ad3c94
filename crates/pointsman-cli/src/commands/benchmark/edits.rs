//! Edits of a prompt that leave what it asks for as it is, as a person or a program makes them.
//!
//! Each kind is deterministic; those that choose are keyed by seed and text. They are English and
//! simple on purpose: no synonyms and no new sentences, so that a changed choice is the router's
//! doing. Weakness: an edit that is harmless in a letter may matter in code or in a quotation.

use pointsman_data::keyed_draw;

/// A kind of edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Case,
    WhiteSpace,
    Punctuation,
    Typos,
    Politeness,
    Contractions,
    Fillers,
    Spelling,
}

impl Edit {
    pub(super) const ALL: [Self; 8] = [
        Self::Case,
        Self::WhiteSpace,
        Self::Punctuation,
        Self::Typos,
        Self::Politeness,
        Self::Contractions,
        Self::Fillers,
        Self::Spelling,
    ];

    /// The name in tables and JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::WhiteSpace => "white space",
            Self::Punctuation => "punctuation",
            Self::Typos => "typos",
            Self::Politeness => "politeness",
            Self::Contractions => "contractions",
            Self::Fillers => "fillers",
            Self::Spelling => "spelling",
        }
    }

    /// What is done, for people.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Case => "all letters small",
            Self::WhiteSpace => "blanks doubled, a line feed at the end",
            Self::Punctuation => {
                "the last mark dropped or a full stop added, and commas before `and` or `or` dropped"
            }
            Self::Typos => {
                "in one word of 25, two inner letters swapped, one dropped or one doubled"
            }
            Self::Politeness => "a polite opening, or thanks at the end",
            Self::Contractions => "`do not` for `don't` and the other way round, and their like",
            Self::Fillers => "an opening such as `Okay, so` or a filler such as `just`",
            Self::Spelling => "British for American spelling and the other way round",
        }
    }

    /// The edited text; equal to `text` where there was nothing to edit.
    pub(super) fn apply(self, text: &str, seed: u64) -> String {
        let choose = |n: usize| choice(&format!("{} {text}", self.name()), seed, n);
        match self {
            Self::Case => text.to_lowercase(),
            Self::WhiteSpace => format!("{}\n", text.replace(' ', "  ")),
            Self::Punctuation => punctuation(text),
            Self::Typos => typos(text, seed),
            Self::Politeness => {
                let (before, after) = POLITE[choose(POLITE.len())];
                format!("{before}{text}{after}")
            }
            Self::Contractions => replaced(text, &CONTRACTIONS),
            Self::Fillers => {
                let before = OPENINGS[choose(OPENINGS.len())];
                format!("{before}{}", text.replacen(" is ", " is just ", 1))
            }
            Self::Spelling => replaced(text, &SPELLINGS),
        }
    }
}

const POLITE: [(&str, &str); 4] =
    [("Please: ", ""), ("Hello! ", " Thanks!"), ("", "\n\nThank you."), ("Could you help? ", "")];

const OPENINGS: [&str; 4] = ["Okay, so ", "Well, ", "Right, ", "So, basically, "];

const CONTRACTIONS: [(&str, &str); 20] = [
    ("do not", "don't"),
    ("does not", "doesn't"),
    ("did not", "didn't"),
    ("is not", "isn't"),
    ("are not", "aren't"),
    ("was not", "wasn't"),
    ("were not", "weren't"),
    ("cannot", "can't"),
    ("could not", "couldn't"),
    ("should not", "shouldn't"),
    ("would not", "wouldn't"),
    ("has not", "hasn't"),
    ("have not", "haven't"),
    ("it is", "it's"),
    ("that is", "that's"),
    ("what is", "what's"),
    ("i am", "i'm"),
    ("i will", "i'll"),
    ("you are", "you're"),
    ("they are", "they're"),
];

const SPELLINGS: [(&str, &str); 20] = [
    ("colour", "color"),
    ("behaviour", "behavior"),
    ("favour", "favor"),
    ("favourite", "favorite"),
    ("labour", "labor"),
    ("neighbour", "neighbor"),
    ("centre", "center"),
    ("metre", "meter"),
    ("litre", "liter"),
    ("theatre", "theater"),
    ("analyse", "analyze"),
    ("organise", "organize"),
    ("recognise", "recognize"),
    ("summarise", "summarize"),
    ("optimise", "optimize"),
    ("defence", "defense"),
    ("travelled", "traveled"),
    ("modelling", "modeling"),
    ("grey", "gray"),
    ("programme", "program"),
];

/// A whole number below `n`, uniform and keyed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a small number"
)]
fn choice(key: &str, seed: u64, n: usize) -> usize {
    let share = keyed_draw(seed, key) * pointsman_core::units::len_as_float(n);
    (share.floor() as usize).min(n - 1)
}

fn punctuation(text: &str) -> String {
    let trimmed = text.trim_end();
    let shorter = trimmed.strip_suffix(['.', '?', '!', ':', ';']);
    let ended = shorter.map_or_else(|| format!("{trimmed}."), str::to_owned);
    ended.replace(", and ", " and ").replace(", or ", " or ")
}

/// Swaps, drops or doubles a letter in about one word of 25, and in one word at least, where there
/// is one of four letters or more, all ASCII.
fn typos(text: &str, seed: u64) -> String {
    let words: Vec<(usize, &str)> = words_of(text).filter(|(_, word)| 3 < word.len()).collect();
    if words.is_empty() {
        return text.to_owned();
    }
    let n_typos = words.len().div_ceil(25);
    let mut edited = String::with_capacity(text.len() + n_typos);
    let mut end = 0;
    for typo in 0..n_typos {
        let stretch = &words[typo * words.len() / n_typos..(typo + 1) * words.len() / n_typos];
        let key = |what: &str| format!("{what} {typo} {text}");
        let (start, word) = stretch[choice(&key("word"), seed, stretch.len())];
        let at = 1 + choice(&key("letter"), seed, word.len() - 3);
        edited.push_str(&text[end..start + at]);
        let (one, next) = (&word[at..=at], &word[at + 1..at + 2]);
        match choice(&key("kind"), seed, 3) {
            0 => edited.extend([next, one]),
            1 => edited.push_str(next),
            _ => edited.extend([one, one, next]),
        }
        end = start + at + 2;
    }
    edited.push_str(&text[end..]);
    edited
}

/// The runs of ASCII letters and where they begin.
fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|character: char| !character.is_ascii_alphabetic())
        .map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
}

/// Every left side that stands between words as its right side and the other way round, keeping a
/// capital at its start.
fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    let lower = text.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let is_letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let swap = |at: usize| {
        let both = pairs.iter().flat_map(|&(one, other)| [(one, other), (other, one)]);
        let stands =
            |from: &str| bytes[at..].starts_with(from.as_bytes()) && !is_letter(at + from.len());
        both.filter(|(from, _)| stands(from)).max_by_key(|(from, _)| from.len())
    };
    let mut edited = String::with_capacity(text.len());
    let (mut at, mut end) = (0, 0);
    while at < bytes.len() {
        let starts = is_letter(at) && (at == 0 || !is_letter(at - 1));
        if let Some((from, to)) = starts.then(|| swap(at)).flatten() {
            edited.push_str(&text[end..at]);
            if text.as_bytes()[at].is_ascii_uppercase() {
                edited.push_str(&to[..1].to_ascii_uppercase());
                edited.push_str(&to[1..]);
            } else {
                edited.push_str(to);
            }
            at += from.len();
            end = at;
        } else {
            at += 1;
        }
    }
    edited.push_str(&text[end..]);
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(edit: Edit, text: &str, expected: &str) {
        assert_eq!(edit.apply(text, 0), expected, "{edit:?}");
    }

    #[test]
    fn edits_do_what_they_say() {
        check(Edit::Case, "Is A[1] = Ä?", "is a[1] = ä?");
        check(Edit::WhiteSpace, "a b", "a  b\n");
        check(Edit::Punctuation, "Red, white, and blue?\n", "Red, white and blue");
        check(Edit::Punctuation, "Name it", "Name it.");
        check(Edit::Contractions, "I don't. Do not! Cannots", "I do not. Don't! Cannots");
        check(Edit::Contractions, "What is it? It's in", "What's it? It is in");
        check(Edit::Spelling, "Gray behaviour, colours", "Grey behavior, colours");
        check(Edit::Spelling, "nothing here", "nothing here");
    }

    #[test]
    fn chosen_edits_keep_the_text_and_are_keyed() {
        for edit in [Edit::Politeness, Edit::Fillers] {
            let edited = edit.apply("Add 2 and 3.", 1);
            assert!(edited.contains("Add 2 and 3.") && edited.len() > 12, "{edited}");
            assert_eq!(edited, edit.apply("Add 2 and 3.", 1));
        }
        let all: std::collections::BTreeSet<String> =
            (0..40).map(|seed| Edit::Politeness.apply("x", seed)).collect();
        assert_eq!(all.len(), POLITE.len());
    }

    #[test]
    fn typos_touch_few_letters_of_long_words_alone() {
        assert_eq!(Edit::Typos.apply("a bc def 12345 größe", 0), "a bc def 12345 größe");
        let text = "several ordinary words ".repeat(20);
        for seed in 0..50 {
            let edited = Edit::Typos.apply(&text, seed);
            assert_ne!(edited, text);
            let pairs = text.split(' ').zip(edited.split(' '));
            assert!(pairs.filter(|(before, after)| before != after).count() <= 3, "{edited}");
            assert!(edited.len().abs_diff(text.len()) <= 3);
        }
    }
}

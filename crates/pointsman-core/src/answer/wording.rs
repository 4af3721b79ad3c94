//! How an answer speaks: words that hedge, refuse, correct or conclude, and its language.
//!
//! A short list for each, of words that mean it in most answers; which of them tell anything about
//! quality is learned. Weakness: the lists are English, and a language is only told from another
//! by its commonest words.

use super::tokens::key_of_word;
use std::hint::select_unpredictable;

/// What a word does in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Hedging,
    Approximating,
    Contrasting,
    Correcting,
    Refusing,
    Denying,
    Concluding,
    Arguing,
    Supposing,
}

/// How many variants [`Manner`] has.
pub(super) const N_MANNERS: usize = 9;

/// Counts of one text, word by word.
#[derive(Debug, Clone, Default)]
pub(super) struct Wording {
    /// By class: see [`Listed`].
    counts: [u32; N_CLASSES],
    comes_after_not: bool,
}

/// Languages of Latin script that are told apart; others show in their script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    French,
    German,
    Italian,
    Portuguese,
    Spanish,
}

const LANGUAGES: [Language; N_LANGUAGES] = [
    Language::English,
    Language::French,
    Language::German,
    Language::Italian,
    Language::Portuguese,
    Language::Spanish,
];

const N_LANGUAGES: usize = 6;

/// Common words that a text has to have before its language is named.
const LEAST_WORDS: u32 = 3;

impl Wording {
    /// Takes the next word by its [`key_of_word`], of small letters. Whether a word is listed cannot
    /// be foretold, so it is counted without asking.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn take(&mut self, key: u64) {
        let listed = &LISTED[usize::from(SLOTS[slot(key, SHIFT)])];
        let class = select_unpredictable(listed.key == key, listed.class, 0);
        self.counts[usize::from(class) % N_CLASSES] += 1;
        if self.comes_after_not && key == SURE {
            self.counts[usize::from(Manner::Hedging.class())] += 1;
        }
        self.comes_after_not = key == NOT;
    }

    /// How many words were of each [`Manner`].
    pub(super) fn by_manner(&self) -> &[u32] {
        &self.counts[1..=N_MANNERS]
    }

    /// The language that most common words are of, where there are some and they are mostly of it.
    pub(super) fn language(&self) -> Option<Language> {
        let counts = &self.counts[usize::from(FIRST_LANGUAGE)..][..N_LANGUAGES];
        let total: u32 = counts.iter().sum();
        let is_it = |n: u32| LEAST_WORDS <= n && total < 2 * n;
        LANGUAGES.iter().zip(counts).find(|(_, n)| is_it(**n)).map(|(language, _)| *language)
    }
}

/// Words by their class, in small letters: first by what they do.
const WORDS: &[(u8, &[&[u8]])] = &[
    (
        Manner::Hedging.class(),
        &[
            b"perhaps",
            b"maybe",
            b"might",
            b"probably",
            b"possibly",
            b"likely",
            b"seems",
            b"seem",
            b"appears",
            b"guess",
            b"unclear",
            b"unsure",
            b"uncertain",
            b"suggest",
            b"suggests",
            b"could",
        ],
    ),
    (
        Manner::Approximating.class(),
        &[
            b"approximately",
            b"closest",
            b"roughly",
            b"estimate",
            b"assume",
            b"assuming",
            b"assumption",
            b"about",
            b"nearest",
        ],
    ),
    (Manner::Contrasting.class(), &[b"however", b"but", b"although", b"though", b"instead"]),
    (
        Manner::Correcting.class(),
        &[b"wait", b"mistake", b"error", b"incorrect", b"wrong", b"actually", b"recheck", b"typo"],
    ),
    (
        Manner::Refusing.class(),
        &[b"cannot", b"unable", b"impossible", b"sorry", b"insufficient", b"missing", b"apologize"],
    ),
    (Manner::Denying.class(), &[b"none", b"neither"]),
    (Manner::Concluding.class(), &[b"therefore", b"thus", b"hence", b"so"]),
    (Manner::Arguing.class(), &[b"since", b"because"]),
    (Manner::Supposing.class(), &[b"let", b"suppose", b"denote"]),
    // Common words, by the language that they are of.
    (Language::English.class(), &[b"the", b"of", b"and", b"is", b"to", b"that", b"with"]),
    (Language::French.class(), &[b"les", b"est", b"et", b"une", b"dans", b"pour", b"du"]),
    (Language::German.class(), &[b"der", b"und", b"das", b"ist", b"nicht", b"ein", b"eine"]),
    (Language::Italian.class(), &[b"il", b"che", b"di", b"della", b"sono", b"gli"]),
    (Language::Portuguese.class(), &[b"n\xc3\xa3o", b"uma", b"os", b"em", b"dos", b"com"]),
    (Language::Spanish.class(), &[b"el", b"los", b"y", b"las", b"por", b"del"]),
];

/// A word whose class is known: of [`Manner`]s from 1 on, of [`Language`]s behind them.
#[derive(Debug, Clone, Copy)]
struct Listed {
    key: u64,
    class: u8,
}

/// Zero is the class of words that are not listed; a power of two.
const N_CLASSES: usize = 16;

/// The class of the first [`Language`].
const FIRST_LANGUAGE: u8 = Manner::Supposing.class() + 1;

const _: () = assert!(1 + N_MANNERS == FIRST_LANGUAGE as usize, "manners have the first classes");
const _: () = assert!(1 + N_MANNERS + N_LANGUAGES <= N_CLASSES, "every class has a count");

impl Manner {
    const fn class(self) -> u8 {
        1 + self as u8
    }
}

impl Language {
    const fn class(self) -> u8 {
        FIRST_LANGUAGE + self as u8
    }
}

const N_LISTED: usize = {
    let (mut n, mut list) = (0, 0);
    while list < WORDS.len() {
        n += WORDS[list].1.len();
        list += 1;
    }
    n
};

/// What is listed, behind an entry for all that is not; no listed word has the key zero.
static LISTED: [Listed; 1 + N_LISTED] = LIST;

const LIST: [Listed; 1 + N_LISTED] = {
    let mut listed = [Listed { key: 0, class: 0 }; 1 + N_LISTED];
    let (mut n, mut list) = (1, 0);
    while list < WORDS.len() {
        let (class, words) = WORDS[list];
        let mut at = 0;
        while at < words.len() {
            listed[n] = Listed { key: key_of_word(words[at]), class };
            (n, at) = (n + 1, at + 1);
        }
        list += 1;
    }
    listed
};

/// So many that places are soon found where no two listed words share one.
const N_SLOTS: usize = 4096;

/// The place in [`LISTED`] of each word that is there; zero for all others.
static SLOTS: [u8; N_SLOTS] = match slots_at(SHIFT) {
    Some(slots) => slots,
    None => unreachable!(),
};

/// Which bits of a key name its slot: the first ones that tell all listed words apart.
const SHIFT: u32 = {
    let mut shift = 0;
    while slots_at(shift).is_none() {
        shift += 1;
    }
    shift
};

#[expect(clippy::cast_possible_truncation, reason = "it is less than 256, as is checked")]
const fn slots_at(shift: u32) -> Option<[u8; N_SLOTS]> {
    const { assert!(N_LISTED < 256, "the place of a listed word is a byte") }
    let mut slots = [0; N_SLOTS];
    let mut at = 1;
    while at < LIST.len() {
        let slot = slot(LIST[at].key, shift);
        if slots[slot] != 0 {
            return None;
        }
        slots[slot] = at as u8;
        at += 1;
    }
    Some(slots)
}

#[expect(clippy::cast_possible_truncation, reason = "a remainder of a small number")]
const fn slot(key: u64, shift: u32) -> usize {
    ((key >> shift) % N_SLOTS as u64) as usize
}

const SURE: u64 = key_of_word(b"sure");
const NOT: u64 = key_of_word(b"not");

#[cfg(test)]
mod tests {
    use super::{
        super::tokens::{Scan, Token},
        *,
    };

    fn wording_of(text: &str) -> Wording {
        let mut wording = Wording::default();
        for (token, _) in Scan::default().read(text.as_bytes()).tokens() {
            if let Token::Word(_, key) = token {
                wording.take(key);
            }
        }
        wording
    }

    #[test]
    fn every_listed_word_is_known() {
        let words: Vec<&[u8]> = WORDS.iter().flat_map(|(_, words)| *words).copied().collect();
        assert_eq!(N_LISTED, words.len());
        for (at, word) in (1..).zip(words) {
            let key = key_of_word(word);
            assert_eq!(usize::from(SLOTS[slot(key, SHIFT)]), at, "each is listed once");
            assert_eq!(LISTED[at].key, key);
        }
    }

    #[test]
    fn manners_are_counted() {
        let check = |text: &str, manner: Manner, expected: u32| {
            assert_eq!(wording_of(text).by_manner()[manner as usize], expected, "{text}");
        };
        check("it might perhaps be, i am not sure", Manner::Hedging, 3);
        check("i am sure", Manner::Hedging, 0);
        check("sorry, i cannot help", Manner::Refusing, 2);
        check("wait, that is a mistake", Manner::Correcting, 2);
        check("none of these", Manner::Denying, 1);
    }

    #[test]
    fn languages_are_told_by_their_common_words() {
        let check = |text: &str, expected: Option<Language>| {
            assert_eq!(wording_of(text).language(), expected, "{text}");
        };
        check("the cat is on the mat and the dog is not", Some(Language::English));
        check("der hund ist nicht das problem und die katze", Some(Language::German));
        check("le chat est dans la maison et les chiens", Some(Language::French));
        check("el perro y los gatos del barrio", Some(Language::Spanish));
        check("x = 5", None);
        check("the end", None);
    }
}

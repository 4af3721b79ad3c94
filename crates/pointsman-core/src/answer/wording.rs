//! How an answer speaks: words that hedge, refuse, correct or conclude, and its language.
//!
//! A short list for each, of words that mean it in most answers; which of them tell anything about
//! quality is learned. Weakness: the lists are English, and a language is only told from another
//! by its commonest words.

use super::tokens::key_of_word;

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
    /// By [`Manner`].
    pub(super) n_by_manner: [u32; N_MANNERS],
    /// By [`Language`].
    n_by_language: [u32; N_LANGUAGES],
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
    /// Takes the next word by its [`key_of_word`], of small letters.
    pub(super) fn take(&mut self, key: u64) {
        let Known { key: _, manner, language } = KNOWN[place(&KNOWN, key)];
        let is_unsure = self.comes_after_not && key == SURE;
        if let Some(manner) = if is_unsure { Some(Manner::Hedging) } else { manner } {
            self.n_by_manner[manner as usize] += 1;
        }
        if let Some(language) = language {
            self.n_by_language[language as usize] += 1;
        }
        self.comes_after_not = key == NOT;
    }

    /// The language that most common words are of, where there are some and they are mostly of it.
    pub(super) fn language(&self) -> Option<Language> {
        let total: u32 = self.n_by_language.iter().sum();
        let is_it = |language: &&Language| {
            let n = self.n_by_language[**language as usize];
            LEAST_WORDS <= n && total < 2 * n
        };
        LANGUAGES.iter().find(is_it).copied()
    }
}

/// Words by what they do, in small letters.
const MANNERS: &[(Manner, &[&[u8]])] = &[
    (
        Manner::Hedging,
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
        Manner::Approximating,
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
    (Manner::Contrasting, &[b"however", b"but", b"although", b"though", b"instead"]),
    (
        Manner::Correcting,
        &[b"wait", b"mistake", b"error", b"incorrect", b"wrong", b"actually", b"recheck", b"typo"],
    ),
    (
        Manner::Refusing,
        &[b"cannot", b"unable", b"impossible", b"sorry", b"insufficient", b"missing", b"apologize"],
    ),
    (Manner::Denying, &[b"none", b"neither"]),
    (Manner::Concluding, &[b"therefore", b"thus", b"hence", b"so"]),
    (Manner::Arguing, &[b"since", b"because"]),
    (Manner::Supposing, &[b"let", b"suppose", b"denote"]),
];

/// Common words by the language that they are of.
const COMMON: &[(Language, &[&[u8]])] = &[
    (Language::English, &[b"the", b"of", b"and", b"is", b"to", b"that", b"with"]),
    (Language::French, &[b"les", b"est", b"et", b"une", b"dans", b"pour", b"du"]),
    (Language::German, &[b"der", b"und", b"das", b"ist", b"nicht", b"ein", b"eine"]),
    (Language::Italian, &[b"il", b"che", b"di", b"della", b"sono", b"gli"]),
    (Language::Portuguese, &[b"n\xc3\xa3o", b"uma", b"os", b"em", b"dos", b"com"]),
    (Language::Spanish, &[b"el", b"los", b"y", b"las", b"por", b"del"]),
];

/// What is known of a word.
#[derive(Debug, Clone, Copy)]
struct Known {
    key: u64,
    manner: Option<Manner>,
    language: Option<Language>,
}

/// Nothing is known of a word whose slot is this; no listed word has the key zero.
const VACANT: Known = Known { key: 0, manner: None, language: None };

/// So many that most words that are not listed meet a vacant slot at once.
const N_SLOTS: usize = 1024;

/// Every listed word in the first slot from its key's on that was vacant.
static KNOWN: [Known; N_SLOTS] = known_words();

const SURE: u64 = key_of_word(b"sure");
const NOT: u64 = key_of_word(b"not");

const fn known_words() -> [Known; N_SLOTS] {
    let mut slots = [VACANT; N_SLOTS];
    let mut list = 0;
    while list < MANNERS.len() {
        let (manner, words) = MANNERS[list];
        let mut at = 0;
        while at < words.len() {
            let key = key_of_word(words[at]);
            slots[place(&slots, key)] = Known { key, manner: Some(manner), language: None };
            at += 1;
        }
        list += 1;
    }
    list = 0;
    while list < COMMON.len() {
        let (language, words) = COMMON[list];
        let mut at = 0;
        while at < words.len() {
            let key = key_of_word(words[at]);
            slots[place(&slots, key)] = Known { key, manner: None, language: Some(language) };
            at += 1;
        }
        list += 1;
    }
    slots
}

/// Where a word of that key stands, or would stand.
const fn place(slots: &[Known; N_SLOTS], key: u64) -> usize {
    // The first two bytes are enough for so few slots.
    let [high, low, ..] = key.to_be_bytes();
    let mut slot = u16::from_be_bytes([high, low]) as usize % N_SLOTS;
    while slots[slot].key != key && slots[slot].key != 0 {
        slot = (slot + 1) % N_SLOTS;
    }
    slot
}

#[cfg(test)]
mod tests {
    use super::{
        super::tokens::{Token, Tokens},
        *,
    };

    fn wording_of(text: &str) -> Wording {
        let mut wording = Wording::default();
        for (token, _) in Tokens::new(text.as_bytes()) {
            if let Token::Word(_, key) = token {
                wording.take(key);
            }
        }
        wording
    }

    #[test]
    fn every_listed_word_is_known() {
        let manners = MANNERS.iter().flat_map(|(_, words)| *words);
        let words: Vec<&[u8]> =
            manners.chain(COMMON.iter().flat_map(|(_, words)| *words)).copied().collect();
        let n_known = KNOWN.iter().filter(|known| known.key != 0).count();
        assert_eq!(n_known, words.len(), "each word is listed once, and has a slot");
        for word in words {
            assert_eq!(KNOWN[place(&KNOWN, key_of_word(word))].key, key_of_word(word));
        }
    }

    #[test]
    fn manners_are_counted() {
        let check = |text: &str, manner: Manner, expected: u32| {
            assert_eq!(wording_of(text).n_by_manner[manner as usize], expected, "{text}");
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

//! How an answer speaks: words that hedge, refuse, correct or conclude, and its language.
//!
//! A short list for each, of words that mean it in most answers; which of them tell anything about
//! quality is learned. Weakness: the lists are English, and a language is only told from another
//! by its commonest words.

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
    /// Takes the next word, in small letters.
    pub(super) fn take(&mut self, word: &[u8]) {
        let manner = match manner_of(word) {
            None if self.comes_after_not && word == b"sure" => Some(Manner::Hedging),
            manner => manner,
        };
        if let Some(manner) = manner {
            self.n_by_manner[manner as usize] += 1;
        }
        if let Some(language) = language_of(word) {
            self.n_by_language[language as usize] += 1;
        }
        self.comes_after_not = word == b"not";
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

fn manner_of(word: &[u8]) -> Option<Manner> {
    match word {
        b"perhaps" | b"maybe" | b"might" | b"probably" | b"possibly" | b"likely" | b"seems"
        | b"seem" | b"appears" | b"guess" | b"unclear" | b"unsure" | b"uncertain" | b"suggest"
        | b"suggests" | b"could" => Some(Manner::Hedging),
        b"approximately" | b"closest" | b"roughly" | b"estimate" | b"assume" | b"assuming"
        | b"assumption" | b"about" | b"nearest" => Some(Manner::Approximating),
        b"however" | b"but" | b"although" | b"though" | b"instead" => Some(Manner::Contrasting),
        b"wait" | b"mistake" | b"error" | b"incorrect" | b"wrong" | b"actually" | b"recheck"
        | b"typo" => Some(Manner::Correcting),
        b"cannot" | b"unable" | b"impossible" | b"sorry" | b"insufficient" | b"missing"
        | b"apologize" => Some(Manner::Refusing),
        b"none" | b"neither" => Some(Manner::Denying),
        b"therefore" | b"thus" | b"hence" | b"so" => Some(Manner::Concluding),
        b"since" | b"because" => Some(Manner::Arguing),
        b"let" | b"suppose" | b"denote" => Some(Manner::Supposing),
        _ => None,
    }
}

fn language_of(word: &[u8]) -> Option<Language> {
    match word {
        b"the" | b"of" | b"and" | b"is" | b"to" | b"that" | b"with" => Some(Language::English),
        b"les" | b"est" | b"et" | b"une" | b"dans" | b"pour" | b"du" => Some(Language::French),
        b"der" | b"und" | b"das" | b"ist" | b"nicht" | b"ein" | b"eine" => Some(Language::German),
        b"il" | b"che" | b"di" | b"della" | b"sono" | b"gli" => Some(Language::Italian),
        b"n\xc3\xa3o" | b"uma" | b"os" | b"em" | b"dos" | b"com" => Some(Language::Portuguese),
        b"el" | b"los" | b"y" | b"las" | b"por" | b"del" => Some(Language::Spanish),
        _ => None,
    }
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
            if let Token::Word(word) = token {
                wording.take(word);
            }
        }
        wording
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

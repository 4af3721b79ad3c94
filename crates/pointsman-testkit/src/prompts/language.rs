//! Languages and style: translation and creative writing.

use super::{Grammar, Layout};

pub(super) const TRANSLATION: Grammar = Grammar {
    topics: &[
        "from German into English: \"‹german› ‹‹german›|‹german› ‹german›|‹german› ‹german› ‹german››\"",
        "from Spanish into English: \"‹spanish› ‹‹spanish›|‹spanish› ‹spanish›|‹spanish› ‹spanish› ‹spanish››\"",
        "from French into English: \"‹french› ‹‹french›|‹french› ‹french›|‹french› ‹french› ‹french››\"",
        "from English into German: \"‹english› ‹‹english›|‹english› ‹english›|‹english› ‹english› ‹english››\"",
        "from English into Spanish: \"‹english› ‹‹english›|‹english› ‹english›|‹english› ‹english› ‹english››\"",
        "from English into French: \"‹english› ‹‹english›|‹english› ‹english›|‹english› ‹english› ‹english››\"",
        "from Spanish into German: \"‹spanish› ‹‹spanish›|‹spanish› ‹spanish›|‹spanish› ‹spanish› ‹spanish››\"",
        "from French into Spanish, for a legal notice: \"‹french› ‹‹french›|‹french› ‹french› ‹french››\"",
    ],
    openings: &[
        "Translate ‹topic›",
        "Please translate a note by ‹person› ‹topic›",
        "A text for ‹company›, to be translated ‹topic›",
        "How would you translate this ‹topic›",
    ],
    layout: Layout::Prose,
    material: &[],
    n_material: (0, 0),
    plain_demands: &[
        "Keep the numbers as they are.",
        "Use a ‹tone› tone.",
        "The translation only.",
        "Short sentences are fine.",
        "Use the polite form.",
    ],
    hard_demands: &[
        "Retain the subjunctive of doubt and mark where the target language has none.",
        "Carry over the pun on 'key' and the regional idiom, with a gloss for each loss.",
        "Use the terminology of maritime insurance, with deductible and excess kept apart.",
        "Imitate an eighteenth-century epistolary style in both register and syntax.",
        "Where the pronoun is ambiguous, choose by context unless that would reveal the gender, in which case rephrase.",
        "Keep the metre: ‹4..6› stresses a line with a caesura.",
    ],
    closings: &["It will be printed.", "My own attempt was clumsy.", "The reader is a ‹role›."],
};

pub(super) const CREATIVE_WRITING: Grammar = Grammar {
    topics: &[
        "‹animal› in ‹place›",
        "a ‹role› who takes up ‹hobby›",
        "a letter found in ‹place›",
        "the last day of ‹company›",
        "a dialogue between a ‹thing› and a ‹thing›",
        "a toast for ‹person›",
        "a sonnet on ‹food›",
        "an unreliable narrator in ‹place›",
    ],
    openings: &[
        "Write a short story about ‹topic›.",
        "I need a text: ‹topic›.",
        "Compose something about ‹topic›, ‹80..400› words.",
        "For our ‹month› newsletter, write about ‹topic›.",
        "Begin a tale about ‹topic›.",
    ],
    layout: Layout::Prose,
    material: &[
        "It is set in ‹city› in ‹month›.",
        "‹first_name›, a ‹role›, should appear.",
        "There is ‹animal› at the end.",
        "Somebody is ‹feeling›.",
        "It smells of ‹food›.",
    ],
    n_material: (0, 3),
    plain_demands: &[
        "Make it ‹tone›.",
        "End on a hopeful note.",
        "Give it a title.",
        "Suitable for children of ‹6..12›.",
        "Use simple words.",
    ],
    hard_demands: &[
        "Every paragraph must begin with the last word of the one before, and the whole must be a chiasmus.",
        "Keep strict iambic pentameter with a volta after line eight.",
        "Let the reader infer the theft from subtext alone; nobody may mention it.",
        "Alternate two tenses so that the order of events is reversed without flashbacks.",
        "Parody a bureaucratic register while the grief underneath stays sincere.",
        "Avoid the letter ‹letter› altogether, unless in a name.",
    ],
    closings: &["Surprise me.", "No moral, please.", "‹first_name› will read it aloud."],
};

/// Sentences to be translated from German.
pub(super) const GERMAN: &[&str] = &[
    "Der Zug nach ‹city› fährt um ‹clock› ab.",
    "Wir haben ‹3..90› Stück bestellt und ‹2..9› erhalten.",
    "Bitte antworten Sie bis ‹Montag|Mittwoch|Freitag›.",
    "Das Wetter war schlecht, aber die Suppe war gut.",
    "Meine Schwester wohnt seit ‹2..20› Jahren dort.",
    "Die Rechnung ‹order› ist noch offen.",
    "Der Schlüssel liegt unter der blauen Kiste.",
    "‹first_name› hätte gern ‹2..9› Fahrkarten nach ‹city›.",
    "Leider ist das Gerät schon wieder defekt.",
];

/// Sentences to be translated from Spanish.
pub(super) const SPANISH: &[&str] = &[
    "El tren a ‹city› sale a las ‹8..19›:‹10..59›.",
    "Hemos pedido ‹3..90› piezas y recibido ‹2..9›.",
    "Responda antes del ‹lunes|jueves|viernes›, por favor.",
    "Hacía mal tiempo, pero la sopa estaba rica.",
    "Mi hermana vive allí desde hace ‹2..20› años.",
    "La factura ‹order› sigue pendiente.",
    "La llave está debajo de la caja azul.",
    "‹first_name› quisiera ‹2..9› billetes para ‹city›.",
    "Por desgracia, el aparato no funciona otra vez.",
];

/// Sentences to be translated from French.
pub(super) const FRENCH: &[&str] = &[
    "Le train pour ‹city› part à ‹8..19› h ‹10..59›.",
    "Nous avons commandé ‹3..90› pièces et reçu ‹2..9›.",
    "Merci de répondre avant ‹lundi|mardi|jeudi›.",
    "Il faisait mauvais, mais la soupe était bonne.",
    "Ma sœur y habite depuis ‹2..20› ans.",
    "La facture ‹order› reste à payer.",
    "La clé se trouve sous la caisse bleue.",
    "‹first_name› voudrait ‹2..9› billets pour ‹city›.",
    "Malheureusement, l'appareil est de nouveau en panne.",
];

/// Sentences to be translated from English.
pub(super) const ENGLISH: &[&str] = &[
    "The train to ‹city› leaves at ‹clock›.",
    "We ordered ‹3..90› pieces and received ‹2..9›.",
    "Please answer before ‹weekday›.",
    "The weather was bad but the soup was good.",
    "My sister has lived there for ‹2..20› years.",
    "The bill of ‹money› is still open.",
    "The key is under the blue crate.",
    "‹first_name› would like ‹2..9› tickets to ‹city›.",
    "Sadly the ‹thing› is out of order again.",
];

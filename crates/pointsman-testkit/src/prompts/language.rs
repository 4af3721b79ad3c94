//! Languages and style: translation and creative writing.

use super::{Grammar, Layout};

pub(super) const TRANSLATION: Grammar = Grammar {
    topics: &[
        "from German into English",
        "from Spanish into English",
        "from French into English",
        "from English into German",
        "from English into Spanish",
        "from English into French",
        "from Spanish into German",
        "from French into Spanish, for a legal notice",
    ],
    openings: &[
        "Translate ‹topic›:",
        "Please translate this note by ‹person› ‹topic›.",
        "A text for ‹company›, to be translated ‹topic›:",
        "How would you say this (‹topic›)?",
    ],
    layout: Layout::Prose,
    material: &[
        "‹Der Zug nach ‹city› fährt um ‹clock› ab.|El tren a ‹city› sale a las ‹clock›.|Le train pour ‹city› part à ‹clock›.|The train to ‹city› leaves at ‹clock›.›",
        "‹Wir haben ‹3..90› Stück bestellt.|Hemos pedido ‹3..90› piezas.|Nous avons commandé ‹3..90› pièces.|We ordered ‹3..90› pieces.›",
        "‹Bitte antworten Sie bis ‹weekday›.|Responda antes del ‹weekday›, por favor.|Merci de répondre avant ‹weekday›.|Please answer before ‹weekday›.›",
        "‹Das Wetter war schlecht, aber die Suppe war gut.|Hacía mal tiempo, pero la sopa estaba rica.|Il faisait mauvais, mais la soupe était bonne.|The weather was bad but the soup was good.›",
        "‹Meine Schwester wohnt seit ‹2..20› Jahren dort.|Mi hermana vive allí desde hace ‹2..20› años.|Ma sœur y habite depuis ‹2..20› ans.|My sister has lived there for ‹2..20› years.›",
        "‹Die Rechnung über ‹money› ist noch offen.|La factura de ‹money› sigue pendiente.|La facture de ‹money› reste à payer.|The bill of ‹money› is still open.›",
        "‹Der Schlüssel liegt unter der blauen Kiste.|La llave está debajo de la caja azul.|La clé se trouve sous la caisse bleue.|The key is under the blue crate.›",
        "‹Leider ist das Gerät ‹product› defekt.|El aparato ‹product› no funciona.|L'appareil ‹product› est en panne.|The ‹product› is out of order.›",
    ],
    n_material: (1, 5),
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

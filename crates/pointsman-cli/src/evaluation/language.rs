//! What language a request is in, as far as its letters say: by the script of most of them.
//!
//! A script tells English from Russian and from Japanese, and not from French; that is what can be
//! told from a glance, the same on every machine, without a model of languages. Only the first
//! letters of each message are looked at.

use pointsman_core::request::{Request, Role};

/// The names of scripts, as slices show them; where two have as many letters the first is taken.
const NAMES: [&str; N_SCRIPTS] = [
    "Latin script",
    "Cyrillic script",
    "Greek script",
    "Arabic script",
    "Hebrew script",
    "Indic scripts",
    "Thai script",
    "Japanese",
    "Korean",
    "Chinese",
    "other scripts",
];
const N_SCRIPTS: usize = 11;
const JAPANESE: usize = 7;
const CHINESE: usize = 9;

/// Characters that are looked at in each message.
const MOST_CHARACTERS: usize = 2000;

/// One kana in so many letters of Chinese and Japanese makes them Japanese, which has both.
const KANA_SHARE: u32 = 20;

/// The script of most letters of what people and applications wrote; models' answers do not count.
pub(super) fn language(request: &Request<'_>) -> &'static str {
    let mut counts = [0_u32; N_SCRIPTS];
    for message in request.messages.iter() {
        match message.role {
            Role::System | Role::User => count(&message.text, &mut counts),
            Role::Assistant | Role::Tool => {}
        }
    }
    if counts[CHINESE] <= counts[JAPANESE].saturating_mul(KANA_SHARE) {
        counts[JAPANESE] += counts[CHINESE];
        counts[CHINESE] = 0;
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    match counts.iter().position(|&count| count == most) {
        Some(script) if 0 < most => NAMES[script],
        Some(_) | None => "no letters",
    }
}

fn count(text: &str, counts: &mut [u32; N_SCRIPTS]) {
    for letter in text.chars().take(MOST_CHARACTERS).filter(|it| it.is_alphabetic()) {
        counts[script(letter)] += 1;
    }
}

/// The place of a letter's script among [`NAMES`].
fn script(letter: char) -> usize {
    match u32::from(letter) {
        0..0x0370 | 0x1E00..0x1F00 | 0xFF21..0xFF5B => 0,
        0x0400..0x0530 => 1,
        0x0370..0x0400 | 0x1F00..0x2000 => 2,
        0x0600..0x0700 | 0x0750..0x0780 | 0xFB50..0xFE00 | 0xFE70..0xFEFF => 3,
        0x0590..0x0600 => 4,
        0x0900..0x0E00 => 5,
        0x0E00..0x0E80 => 6,
        0x3040..0x3100 | 0x31F0..0x3200 | 0xFF66..0xFFA0 => JAPANESE,
        0x1100..0x1200 | 0x3130..0x3190 | 0xAC00..0xD7B0 => 8,
        0x3400..0x4DC0 | 0x4E00..0xA000 | 0xF900..0xFB00 | 0x2_0000..0x3_2000 => CHINESE,
        _ => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_tell_the_script() {
        for (text, expected) in [
            ("Translate “кот” into French, please", "Latin script"),
            ("Où est la gare ?", "Latin script"),
            ("Напиши письмо", "Cyrillic script"),
            ("Γειά σου", "Greek script"),
            ("اكتب رسالة", "Arabic script"),
            ("כתוב מכתב", "Hebrew script"),
            ("एक पत्र लिखो", "Indic scripts"),
            ("เขียนจดหมาย", "Thai script"),
            ("手紙を書いてください", "Japanese"),
            ("편지를 써 주세요", "Korean"),
            ("写一封信", "Chinese"),
            ("12 + 30 = ?", "no letters"),
            ("", "no letters"),
        ] {
            assert_eq!(language(&Request::from_prompt(text)), expected, "{text}");
        }
    }
}

//! What is wrong with JSON or TOML, without the text that stood in a wrong place: it may be a prompt, and
//! refusals end up in logs.
//!
//! Weakness: it goes by the words of `serde`'s messages. Should these change, texts are quoted again,
//! and a test fails.

use std::fmt;

/// Names longer than this are no slips of a pen.
const MOST_NAMED_BYTES: usize = 40;

/// What stands before a text in a message, and how long a text is repeated.
const BEFORE: [(&str, usize); 2] = [
    // `invalid type: string "…", expected a sequence at line 1 column 9`
    (": string ", 0),
    // `unknown variant `…`, expected one of `system`, `user` at line 1 column 9`
    ("unknown variant ", MOST_NAMED_BYTES),
];

/// The message of an error. A text that stood where something else belongs is not repeated, and a
/// name that is not known only where it is short.
pub fn unquoted(error: &impl fmt::Display) -> String {
    let message = error.to_string();
    let place = |(before, most): (&str, usize)| {
        let at = message.find(before)?;
        Some((at, at + before.len(), most))
    };
    // The text may have such words too: those of the message come first.
    let Some((_, start, most)) = BEFORE.into_iter().filter_map(place).min() else { return message };
    // What is expected names no text, so that the last place is the right one.
    match message.rfind(", expected ").filter(|&end| start + most < end) {
        Some(end) => {
            let (head, tail) = (message.get(..start), message.get(end..));
            format!("{}{}", head.unwrap_or_default().trim_end(), tail.unwrap_or_default())
        }
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Role {
        User,
        System,
    }

    #[derive(Debug, Deserialize)]
    struct File {
        #[serde(rename = "number")]
        _number: Option<u64>,
        #[serde(rename = "role")]
        _role: Option<Role>,
    }

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let error = serde_json::from_str::<File>(json).unwrap_err();
        assert_eq!(unquoted(&error), expected, "{error}");
    }

    #[test]
    fn a_text_in_the_wrong_place_is_not_repeated() {
        let number = "invalid type: string, expected u64 at line 1 column";
        check(r#"{"number":"my prompt"}"#, &format!("{number} 21"));
        check(r#"{"number":"a, expected b: string \"c\", "}"#, &format!("{number} 41"));
        check(r#"{"number":""}"#, &format!("{number} 12"));
        check(
            r#"{"number":true}"#,
            "invalid type: boolean `true`, expected u64 at line 1 column 14",
        );
        let one_of = "expected `user` or `system` at line 1 column";
        check(r#"{"role":"usr"}"#, &format!("unknown variant `usr`, {one_of} 13"));
        let long = "é".repeat(30);
        check(&format!(r#"{{"role":"{long}"}}"#), &format!("unknown variant, {one_of} 70"));
        let words = format!("my prompt {long}: string x");
        check(&format!(r#"{{"role":"{words}"}}"#), &format!("unknown variant, {one_of} 90"));
        check(r#"{"number":"my prompt, unknown variant x"}"#, &format!("{number} 40"));
        check("{", "EOF while parsing an object at line 1 column 1");
    }
}

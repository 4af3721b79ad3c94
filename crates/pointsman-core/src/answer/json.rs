//! Whether a text is JSON, without building it.

/// What a JSON text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An object.
    Object,
    /// Any other value.
    Other,
}

/// Deeper nesting is taken for damage.
const MOST_DEPTH: u32 = 127;

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    FirstItem,
    Key,
    FirstKey,
    Separator,
}

/// What a text is, or `None` where it is not one JSON value. `on_key` is called with each key of
/// the outermost object, as it is written.
pub(super) fn kind_of<'t>(text: &'t [u8], mut on_key: impl FnMut(&'t [u8])) -> Option<Kind> {
    let mut rest = text.trim_ascii();
    let kind = if rest.starts_with(b"{") { Kind::Object } else { Kind::Other };
    // One bit for each open bracket: whether it is an object's.
    let (mut objects, mut depth, mut next) = (0_u128, 0_u32, Next::Value);
    loop {
        rest = rest.trim_ascii_start();
        let in_object = objects & 1 == 1;
        (next, rest) = match (next, rest) {
            (Next::Separator, []) if depth == 0 => return Some(kind),
            (Next::Value | Next::FirstItem, [open @ (b'{' | b'['), after @ ..]) => {
                if depth == MOST_DEPTH {
                    return None;
                }
                let is_object = *open == b'{';
                depth += 1;
                objects = objects << 1 | u128::from(is_object);
                (if is_object { Next::FirstKey } else { Next::FirstItem }, after)
            }
            (Next::Value | Next::FirstItem, [b'"', after @ ..]) => {
                (Next::Separator, string(after)?.1)
            }
            (Next::Key | Next::FirstKey, [b'"', after @ ..]) => {
                let (key, after) = string(after)?;
                if depth == 1 {
                    on_key(key);
                }
                (Next::Value, after.trim_ascii_start().strip_prefix(b":")?)
            }
            (Next::Separator, [b',', after @ ..]) if 0 < depth => {
                (if in_object { Next::Key } else { Next::Value }, after)
            }
            (Next::FirstKey, [b'}', after @ ..]) | (Next::FirstItem, [b']', after @ ..]) => {
                (depth, objects) = (depth - 1, objects >> 1);
                (Next::Separator, after)
            }
            (Next::Separator, [close @ (b'}' | b']'), after @ ..]) if 0 < depth => {
                if in_object != (*close == b'}') {
                    return None;
                }
                (depth, objects) = (depth - 1, objects >> 1);
                (Next::Separator, after)
            }
            (Next::Value | Next::FirstItem, scalar) => (Next::Separator, after_scalar(scalar)?),
            (Next::Key | Next::FirstKey | Next::Separator, _) => return None,
        };
    }
}

/// The inside of a string whose first quote was read, and what follows it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some((&text[..at], &text[at + 1..])),
            b'\\' => match text.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' => {
                    let digits = text.get(at + 2..at + 6)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    at += 6;
                }
                _ => return None,
            },
            0..=0x1f => return None,
            _ => at += 1,
        }
    }
}

/// What follows a number or a literal.
fn after_scalar(text: &[u8]) -> Option<&[u8]> {
    for literal in [&b"true"[..], b"false", b"null"] {
        if let Some(after) = text.strip_prefix(literal) {
            return Some(after);
        }
    }
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let n = digits(rest);
    if n == 0 || (1 < n && rest.starts_with(b"0")) {
        return None;
    }
    rest = &rest[n..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let n = digits(fraction);
        if n == 0 {
            return None;
        }
        rest = &fraction[n..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', after @ ..] => after,
            _ => exponent,
        };
        let n = digits(exponent);
        if n == 0 {
            return None;
        }
        rest = &exponent[n..];
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys_of(text: &str) -> Option<Vec<String>> {
        let mut keys = Vec::new();
        let kind = kind_of(text.as_bytes(), |key| {
            keys.push(String::from_utf8_lossy(key).into_owned());
        });
        kind.map(|_| keys)
    }

    #[test]
    fn keys_are_those_of_the_outermost_object() {
        for (text, expected) in [
            (r#"{"a": 1, "b": {"c": [2, {"d": null}]}}"#, Some(vec!["a", "b"])),
            ("{}", Some(vec![])),
            (r#"[{"a": 1}]"#, Some(vec![])),
            (r#"{"a": 1"#, None),
            (r#"{"a": 1,}"#, None),
            (r#"{"a" 1}"#, None),
            ("", None),
            ("plain text", None),
        ] {
            let expected = expected.map(|keys| keys.into_iter().map(str::to_owned).collect());
            assert_eq!(keys_of(text), expected, "{text}");
        }
        assert_eq!(kind_of(b" {} ", |_| {}), Some(Kind::Object));
        assert_eq!(kind_of(b"[1]", |_| {}), Some(Kind::Other));
    }

    #[test]
    fn it_says_what_a_parser_says() {
        for text in [
            "0",
            "-0",
            "01",
            "1.",
            "1.5e-3",
            "1e",
            "-",
            "true",
            "truex",
            "nul",
            "\"\\u12g4\"",
            "\"\\u1234\"",
            "\"a\\qb\"",
            "[1,,2]",
            "[1 2]",
            "[]]",
            "{]",
            "[}",
            "{\"a\":}",
            "[,]",
            "\"\n\"",
            " [ 1 , 2 ] ",
            "{\"a\":1}{",
            "{1:2}",
        ] {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(text);
            assert_eq!(kind_of(text.as_bytes(), |_| {}).is_some(), parsed.is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_parser(text in r#"[\[\]{}",:01a .\\-]{0,12}"#) {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&text);
            prop_assert_eq!(kind_of(text.as_bytes(), |_| {}).is_some(), parsed.is_ok(), "{}", text);
        }
    }
}

//! The text of a row, in the shapes that tables and logs bring it in.

use std::borrow::Cow;

use pointsman_core::request::{Message, Request, Role};
use serde::Deserialize;

/// The words for roles that are understood.
pub(crate) const ROLES: &str =
    "messages of role system, developer, user, assistant or tool with a text content";

/// The role of that name, by the names that vendors use.
pub(crate) fn role_named(name: &str) -> Option<Role> {
    match name {
        "system" | "developer" => Some(Role::System),
        "user" | "human" => Some(Role::User),
        "assistant" | "model" | "ai" => Some(Role::Assistant),
        "tool" | "function" => Some(Role::Tool),
        _ => None,
    }
}

#[derive(Deserialize)]
struct MessageJson<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<ContentJson<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ContentJson<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Parts(#[serde(borrow)] Vec<PartJson<'a>>),
}

#[derive(Deserialize)]
struct PartJson<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// The messages of a JSON array of `{role, content}`, `None` where it is not one.
///
/// A content of several parts becomes the text parts, a line feed between them, as when a request
/// is routed.
pub(crate) fn messages_from_json(json: &str) -> Option<Vec<Message<'_>>> {
    let parsed: Vec<MessageJson<'_>> = serde_json::from_str(json).ok()?;
    parsed
        .into_iter()
        .map(|message| {
            let text = match message.content {
                None => Cow::Borrowed(""),
                Some(ContentJson::Text(text)) => text,
                Some(ContentJson::Parts(parts)) => {
                    let texts: Vec<_> = parts.into_iter().filter_map(|part| part.text).collect();
                    texts.join("\n").into()
                }
            };
            Some(Message { role: role_named(&message.role)?, text })
        })
        .collect()
}

/// A request of these messages and nothing else.
pub(crate) fn request_of(messages: Vec<Message<'_>>) -> Request<'_> {
    Request { messages: Cow::Owned(messages), ..Request::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_texts(json: &str, expected: Option<&[&str]>) {
        let messages = messages_from_json(json);
        let texts = messages.as_ref().map(|m| m.iter().map(|m| &*m.text).collect::<Vec<_>>());
        assert_eq!(texts.as_deref(), expected, "{json}");
    }

    #[test]
    fn messages_are_read_in_the_shapes_of_the_wild() {
        check_texts(r#"[{"role":"user","content":"a\nb"}]"#, Some(&["a\nb"]));
        check_texts(
            r#"[{"role":"developer","content":"x"},{"role":"human","content":null}]"#,
            Some(&["x", ""]),
        );
        check_texts(
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"},{"type":"text","text":"b"}]}]"#,
            Some(&["a\nb"]),
        );
        check_texts("[]", Some(&[]));
        check_texts(r#"[{"role":"cat","content":"meow"}]"#, None);
        check_texts(r#"{"role":"user","content":"x"}"#, None);
        check_texts("hello", None);
    }
}

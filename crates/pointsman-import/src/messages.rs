//! Prompts that stand in files of their own, by the ids of their calls.
//!
//! `OpenAI` lists stored completions without their messages; those come from
//! `GET /v1/chat/completions/{id}/messages`, page by page, each message under the call's id with its
//! place behind. They are held in memory until their calls come, up to a limit; what comes after it is
//! left out and counted.

use std::{collections::HashMap, path::PathBuf};

use pointsman_log::record::MessageRecord;
use serde::Deserialize;

use crate::{
    cell::{Cell, first},
    chat::{Content, Prompt, role_of},
    error::ImportError,
    known::{IdHash, hash},
    open::open,
    rows::{Next, Rows},
    run::damaged,
};

/// The most bytes of text that are held.
const MAX_BYTES: usize = 400 << 20;

/// Prompts by the hash of their call's id.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    prompts: HashMap<IdHash, Vec<MessageRecord>>,
    n_bytes: usize,
    /// Messages that there was no room for, or that say neither whose they are nor anything else.
    pub(crate) n_left_out: u64,
}

/// One message, or all messages of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    id: Cell,
    completion_id: Cell,
    messages: Prompt,
    role: Cell,
    content: Content,
}

impl Messages {
    /// Reads all of `paths`.
    pub(crate) fn read(paths: &[PathBuf], max_row_bytes: usize) -> Result<Self, ImportError> {
        let mut found = Self::default();
        for path in paths {
            let mut rows = Rows::new(open(path)?.bytes, max_row_bytes)
                .map_err(|error| damaged(path, 0, &error))?;
            for n in 0.. {
                match rows.next().map_err(|error| damaged(path, n, &error))? {
                    Next::Row | Next::Open => found.add(&rows.row),
                    Next::TooLong | Next::CutOff => found.n_left_out += 1,
                    Next::End => break,
                }
            }
        }
        Ok(found)
    }

    fn add(&mut self, row: &[u8]) {
        let row: Row = serde_json::from_slice(row).unwrap_or_default();
        let id = first(&[&row.completion_id, &row.id], Cell::text);
        let is_message = row.messages.messages.is_empty();
        let messages = if is_message {
            let role = role_of(&row.role.text().unwrap_or_default());
            vec![MessageRecord { role, content: row.content.text }]
        } else {
            row.messages.messages
        };
        let n_bytes: usize = messages.iter().map(|one| one.content.len()).sum();
        let id = id.filter(|_| 0 < n_bytes && self.n_bytes + n_bytes <= MAX_BYTES);
        let Some(id) = id else {
            self.n_left_out += 1;
            return;
        };
        let id = if is_message { call_of(&id) } else { id.as_str() };
        self.n_bytes += n_bytes;
        self.prompts.entry(hash(id)).or_default().extend(messages);
    }

    /// How many calls there is a prompt of.
    pub(crate) fn n_prompts(&self) -> u64 {
        self.prompts.len() as u64
    }

    /// The prompt of a call.
    pub(crate) fn of(&self, id: &str) -> Option<&[MessageRecord]> {
        if self.prompts.is_empty() {
            return None;
        }
        self.prompts.get(&hash(id)).map(Vec::as_slice)
    }
}

/// The id of the call that a message's id begins with: without its place, `-0`, `-1` and so on.
fn call_of(id: &str) -> &str {
    match id.rsplit_once('-') {
        Some((call, place))
            if !place.is_empty() && place.bytes().all(|one| one.is_ascii_digit()) =>
        {
            call
        }
        Some(_) | None => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_find_their_calls() {
        let mut messages = Messages::default();
        for row in [
            r#"{"id":"call-a-0","role":"system","content":"Be brief."}"#,
            r#"{"id":"call-a-1","role":"user","content":[{"type":"text","text":"Hi"}]}"#,
            r#"{"id":"call-b","messages":[{"role":"user","content":"Why?"}]}"#,
            r#"{"role":"user","content":"Whose?"}"#,
            "broken",
        ] {
            messages.add(row.as_bytes());
        }
        let said = |id: &str| {
            let found = messages.of(id).unwrap_or_default();
            found.iter().map(|one| one.content.clone()).collect::<Vec<_>>()
        };
        assert_eq!(said("call-a"), ["Be brief.", "Hi"]);
        assert_eq!(said("call-b"), ["Why?"]);
        assert!(said("call-c").is_empty());
        assert_eq!((messages.n_prompts(), messages.n_left_out), (2, 2));
    }
}

//! The text form: a block of lines a decision, the shared line first, blocks apart by empty lines.

use super::{Action, Label, NO_LABEL, NOT_ONE_DECISION, Row, features::Features};
use crate::item::{Dropped, Item, Reason};
use std::io::{self, BufRead};

/// What a block is recognised by.
pub const MARKS: &[&str] = &["|"];

/// Whether `bytes` begin as a block does: with a bar, after nothing, `shared`, a label or a tag.
pub fn begins_block(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let line = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let Some(bar) = line.iter().position(|&byte| byte == b'|') else { return false };
    let head = line.get(..bar).and_then(|head| std::str::from_utf8(head).ok());
    let mut words = head.unwrap_or(",").split_whitespace();
    match (words.next(), words.next()) {
        (None, _) | (Some("shared"), None) => true,
        (Some(word), _) => word.starts_with('\'') || label(word).is_some(),
    }
}

/// Reads one block of lines. Its decision has no id and no time; see [`crate::place`].
///
/// # Errors
/// [`Dropped`] where the block is not UTF-8 or not of the form, has no label or several, or its
/// numbers cannot be.
pub fn read(block: &[u8], out: &mut Vec<Item>) -> Result<(), Dropped> {
    let text = std::str::from_utf8(block)
        .map_err(|_| Dropped::new(Reason::NOT_UTF8, "a block that is not UTF-8"))?;
    let mut shared = Features::default();
    let mut actions = Vec::new();
    let mut labelled: Option<(usize, Label)> = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Line { is_shared, label, tag, features } = Line::read(line)?;
        if is_shared {
            if !actions.is_empty() {
                let detail = "a shared line after an action: blocks lack the empty line between";
                return Err(Dropped::new(Reason::NOT_THE_FORMAT, detail));
            }
            shared = features;
            continue;
        }
        if let Some(label) = label {
            if labelled.is_some() {
                return Err(Dropped::new(NOT_ONE_DECISION, "two labels in one block"));
            }
            labelled = Some((actions.len(), label));
        }
        actions.push(Action { tag, features });
    }
    let Some((drawn, label)) = labelled else {
        return Err(Dropped::new(NO_LABEL, "no action has a label"));
    };
    Row::bare((shared, actions), drawn, label).push(out)
}

/// Reads the next block into `block`, without the empty lines around it; `false` at the end. Of a
/// block above `limit` bytes only the beginning is kept, and one byte more, so that it can be told.
///
/// # Errors
/// Where the bytes cannot be read.
pub fn next_block(bytes: &mut impl BufRead, limit: usize, block: &mut Vec<u8>) -> io::Result<bool> {
    block.clear();
    let mut line = Vec::new();
    let mut has_any = false;
    loop {
        line.clear();
        let n_read = read_line(bytes, limit, &mut line)?;
        let is_empty = line.iter().all(u8::is_ascii_whitespace);
        if n_read == 0 || (is_empty && has_any) {
            return Ok(has_any);
        }
        if !is_empty {
            has_any = true;
            let left = (limit + 1).saturating_sub(block.len());
            block.extend(line.iter().take(left));
        }
    }
}

/// Reads a line with its end; how many bytes it had, of which no more than the limit and one are
/// kept.
fn read_line(bytes: &mut impl BufRead, limit: usize, line: &mut Vec<u8>) -> io::Result<usize> {
    let mut n_read = 0;
    loop {
        let buffer = bytes.fill_buf()?;
        let end = buffer.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
        let n_taken = end.unwrap_or(buffer.len());
        let left = (limit + 1).saturating_sub(line.len());
        line.extend(buffer.iter().take(n_taken.min(left)));
        bytes.consume(n_taken);
        n_read += n_taken;
        if end.is_some() || n_taken == 0 {
            return Ok(n_read);
        }
    }
}

/// A label such as `0:-1.0:0.25`: an action's number, which its line says anyway, cost, probability.
pub(super) fn label(text: &str) -> Option<Label> {
    let mut parts = text.split(':');
    let (_, cost, probability) = (parts.next()?, parts.next()?, parts.next()?);
    let (cost, probability) = (cost.parse().ok()?, probability.parse().ok()?);
    parts.next().is_none().then_some(Label { cost, probability })
}

struct Line {
    is_shared: bool,
    label: Option<Label>,
    tag: Option<String>,
    features: Features,
}

impl Line {
    fn read(line: &str) -> Result<Self, Dropped> {
        let refuse = |detail: String| Dropped::new(Reason::NOT_THE_FORMAT, detail);
        let mut parts = line.split('|');
        let head = parts.next().unwrap_or_default();
        let mut words: Vec<&str> = head.split_whitespace().collect();
        // A tag begins with an apostrophe, or touches the bar.
        let touches = line.contains('|') && !head.ends_with(char::is_whitespace);
        let is_tag = |word: &&str| touches || word.starts_with('\'');
        let tag = words.last().copied().filter(is_tag).map(|word| word.trim_start_matches('\''));
        if tag.is_some() {
            words.pop();
        }
        let (is_shared, label) = match words.as_slice() {
            [] => (false, None),
            ["shared"] => (true, None),
            [one] => match label(one) {
                Some(label) => (false, Some(label)),
                None => return Err(refuse(format!("`{one}` is no label of a contextual bandit"))),
            },
            _ => return Err(refuse(format!("{} words before the features", words.len()))),
        };
        let mut features = Features::default();
        for part in parts {
            let namespace = part.split(char::is_whitespace).next().unwrap_or_default();
            let rest = part.get(namespace.len()..).unwrap_or_default();
            for token in rest.split_whitespace() {
                features
                    .add_token(namespace, token)
                    .ok_or_else(|| refuse(format!("the feature `{token}` has no finite value")))?;
            }
        }
        Ok(Self { is_shared, label, tag: tag.map(str::to_owned), features })
    }
}

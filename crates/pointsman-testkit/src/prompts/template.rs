//! Fills the slots of a template: `‹city›` from a bank, `‹3..40›` a number, `‹this|that›` a choice.
//!
//! Grammars are then tables of sentences that a person can read and extend, and code is what
//! reads them. The marks are not braces because half of the prompts contain program text.
//! Weakness: a misspelt bank name is found by a test, not by the compiler.

use crate::draw::Draws;

use super::banks::bank;

const OPEN: char = '‹';
const CLOSE: char = '›';

/// Who and what a conversation is about; the same in all of its turns.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    person: String,
    company: String,
    product: String,
}

impl Setting {
    /// Draws the people and things of one conversation.
    pub(crate) fn drawn(draws: Draws) -> Self {
        let nobody = Self { person: String::new(), company: String::new(), product: String::new() };
        let mut writer = Writer::new(&nobody, "", draws);
        Self {
            person: writer.phrase("‹name›"),
            company: writer.phrase("‹firm›"),
            product: writer.phrase("‹article›"),
        }
    }
}

/// Writes one prompt, sentence by sentence.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    setting: &'a Setting,
    topic: &'a str,
    /// Where the writer's choices come from.
    pub(super) draws: Draws,
    /// What has been written so far.
    pub(super) text: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(setting: &'a Setting, topic: &'a str, draws: Draws) -> Self {
        Self { setting, topic, draws, text: String::with_capacity(1024) }
    }

    /// Appends `template` with all of its slots filled.
    pub(super) fn write(&mut self, template: &str) {
        let mut rest = template;
        while let Some((before, from_slot)) = rest.split_once(OPEN) {
            self.text.push_str(before);
            let end = end_of_slot(from_slot);
            self.fill(&from_slot[..end]);
            rest = from_slot[end..].strip_prefix(CLOSE).unwrap_or_default();
        }
        self.text.push_str(rest);
    }

    /// Appends one of `templates`, all equally likely.
    pub(super) fn write_one_of(&mut self, templates: &[&str]) {
        let chosen = self.draws.choice(templates);
        self.write(chosen);
    }

    fn fill(&mut self, slot: &str) {
        let alternatives = split_outside_slots(slot);
        if 1 < alternatives.len() {
            return self.write_one_of(&alternatives);
        }
        if let Some((low, high)) = number_range(slot) {
            let number = self.draws.between(low, high);
            return self.text.push_str(&number.to_string());
        }
        match slot {
            "person" => self.text.push_str(&self.setting.person),
            "company" => self.text.push_str(&self.setting.company),
            "product" => self.text.push_str(&self.setting.product),
            "topic" => self.write(self.topic),
            _ => match bank(slot) {
                Some(entries) => self.write_one_of(entries),
                None => self.text.extend([OPEN.to_string().as_str(), slot, "›"]),
            },
        }
    }

    fn phrase(&mut self, template: &str) -> String {
        self.write(template);
        std::mem::take(&mut self.text)
    }
}

/// The byte position of the mark that closes a slot, or the end of a slot that is never closed.
fn end_of_slot(inside: &str) -> usize {
    let mut depth = 0_usize;
    for (position, mark) in inside.char_indices() {
        match mark {
            OPEN => depth += 1,
            CLOSE if depth == 0 => return position,
            CLOSE => depth -= 1,
            _ => {}
        }
    }
    inside.len()
}

fn split_outside_slots(slot: &str) -> Vec<&str> {
    let (mut depth, mut start) = (0_usize, 0);
    let mut parts = Vec::new();
    for (position, mark) in slot.char_indices() {
        match mark {
            OPEN => depth += 1,
            CLOSE => depth = depth.saturating_sub(1),
            '|' if depth == 0 => {
                parts.push(&slot[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&slot[start..]);
    parts
}

fn number_range(slot: &str) -> Option<(u64, u64)> {
    let (low, high) = slot.split_once("..")?;
    Some((low.parse().ok()?, high.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Stream;

    #[track_caller]
    fn check(template: &str, allowed: &[&str]) {
        let setting = Setting {
            person: "Ada Holm".to_owned(),
            company: "Elmgate".to_owned(),
            product: "lamp".to_owned(),
        };
        for key in 0..40 {
            let draws = Draws::keyed(5, Stream::Words, &[key]);
            let mut writer = Writer::new(&setting, "the ‹1..1› lamp", draws);
            writer.write(template);
            assert!(allowed.contains(&writer.text.as_str()), "{template} gave {}", writer.text);
        }
    }

    #[test]
    fn slots_are_filled() {
        check("plain {braces} | and bars", &["plain {braces} | and bars"]);
        check("‹person› of ‹company›", &["Ada Holm of Elmgate"]);
        check("‹4..6› left", &["4 left", "5 left", "6 left"]);
        check("‹a|b›‹|!›", &["a", "b", "a!", "b!"]);
        check("‹one of ‹7..7›|none›.", &["one of 7.", "none."]);
        check("about ‹topic›", &["about the 1 lamp"]);
        check("‹no_such_bank›", &["‹no_such_bank›"]);
    }
}

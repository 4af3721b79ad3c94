//! One model's answers beside a table, by the ids of their prompts.
//!
//! They wait in memory until their prompts come by, so that a file of answers may stand in any order.
//! Weakness: whoever wants the answers of several models reads the file as many times.

use crate::wording;
use anyhow::Result;
use pointsman_core::answer::{Answer, FinishReason};
use pointsman_data::read_answers;
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

/// The answers of one model; of several to one prompt the first.
pub(crate) struct AnswerTexts {
    texts: HashMap<String, (String, FinishReason)>,
    /// Answers to a prompt that has one already.
    n_repeated: u64,
    /// Rows of any model that were left out, by reason.
    pub(crate) dropped: BTreeMap<String, u64>,
}

impl AnswerTexts {
    /// Reads what `model` answered.
    pub(crate) fn read(paths: &[PathBuf], model: &str) -> Result<Self> {
        let mut texts: HashMap<String, (String, FinishReason)> = HashMap::new();
        let mut n_repeated = 0;
        let counts = read_answers(paths, &mut |row| {
            if row.model != model {
                return;
            }
            if texts.contains_key(row.prompt_id) {
                n_repeated += 1;
                return;
            }
            let reason = row.finish_reason.map_or(FinishReason::Unknown, FinishReason::named);
            texts.insert(row.prompt_id.to_owned(), (row.answer.to_owned(), reason));
        })?;
        Ok(Self { texts, n_repeated, dropped: counts.dropped })
    }

    /// How many prompts have an answer.
    pub(crate) fn n_prompts(&self) -> usize {
        self.texts.len()
    }

    /// The answer to a prompt.
    pub(crate) fn of(&self, prompt_id: &str) -> Option<Answer<'_>> {
        let (text, finish) = self.texts.get(prompt_id)?;
        let text = Cow::Borrowed(text.as_str());
        Some(Answer { text, finish: *finish, ..Answer::default() })
    }

    /// How many answers were left out for another one to the same prompt; `None` where none was.
    pub(crate) fn repeated(&self, model: &str) -> Option<String> {
        (0 < self.n_repeated).then(|| {
            format!(
                "answers of {model}: {} to a prompt that has one already; the first one counts",
                wording::count(self.n_repeated)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_answers_the_first_counts_and_the_others_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.csv");
        let rows = "prompt_id,model,answer,finish_reason\np,owl,first,length\np,fox,hers,\n\
                    p,owl,second,\nq,owl,,\n,owl,whose,\n";
        std::fs::write(&path, rows).unwrap();
        let texts = AnswerTexts::read(&[path], "owl").unwrap();
        let answer = texts.of("p").unwrap();
        assert_eq!((&*answer.text, answer.finish), ("first", FinishReason::Length));
        assert_eq!(texts.of("q").unwrap().text, "");
        assert!(texts.of("r").is_none());
        assert_eq!(texts.n_prompts(), 2);
        assert_eq!(texts.dropped, BTreeMap::from([("prompt_id is null".to_owned(), 1)]));
        let told = "answers of owl: 1 to a prompt that has one already; the first one counts";
        assert_eq!(texts.repeated("owl").as_deref(), Some(told));
    }
}

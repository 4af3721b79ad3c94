//! What models answered, beside an outcome table: one row per prompt and model.
//!
//! Read from Parquet, CSV or NDJSON with the columns `prompt_id, model, answer, finish_reason?`;
//! others are ignored. Texts are handed over once and let go.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    columns::Batch,
    error::DataError,
    files::{Format, sources},
    parquet::{Wanted, read_csv, read_parquet},
    table::json_rows::{Line, for_each_line},
};

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerRow<'a> {
    /// The prompt's name in the table.
    pub prompt_id: &'a str,
    /// Who answered.
    pub model: &'a str,
    /// The answer; empty where there is none.
    pub answer: &'a str,
    /// Why it ends where it does, as its provider says.
    pub finish_reason: Option<&'a str>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnswerCounts {
    /// Rows in the files.
    pub n_rows_read: u64,
    /// Rows left out, by reason.
    pub dropped: BTreeMap<String, u64>,
}

const WANTED: Wanted<'static> = Wanted {
    columns: &["prompt_id", "model", "answer", "finish_reason"],
    required: &[&["prompt_id"], &["model"], &["answer"]],
};

/// Reads answers from files or patterns, one after the other, in their order.
///
/// # Errors
/// [`DataError`] where a file cannot be read, lacks a column or has no rows.
pub fn read_answers(
    paths: &[PathBuf],
    on_answer: &mut dyn FnMut(&AnswerRow<'_>),
) -> Result<AnswerCounts, DataError> {
    let mut reader = Reader { counts: AnswerCounts::default(), on_answer };
    for source in sources(paths)? {
        let n_before = reader.counts.n_rows_read;
        let path = &source.path;
        match source.format {
            Format::Parquet => read_parquet(path, &WANTED, &mut |batch| reader.batch(batch))?,
            Format::Csv => read_csv(path, &WANTED, &mut |batch| reader.batch(batch))?,
            Format::Ndjson => for_each_line(path, &WANTED, &mut |line| reader.line(line))?,
            Format::Journal => return Err(DataError::JournalTable { path: path.clone() }),
        }
        if reader.counts.n_rows_read == n_before {
            return Err(DataError::Empty { path: path.clone() });
        }
    }
    Ok(reader.counts)
}

struct Reader<'f> {
    counts: AnswerCounts,
    on_answer: &'f mut dyn FnMut(&AnswerRow<'_>),
}

impl Reader<'_> {
    fn batch(&mut self, batch: &Batch<'_>) -> Result<(), DataError> {
        let (ids, models) = (batch.texts("prompt_id")?, batch.texts("model")?);
        let (answers, reasons) = (batch.texts("answer")?, batch.texts("finish_reason")?);
        for row in 0..batch.frame.height() {
            self.push((ids.get(row), models.get(row)), answers.get(row), reasons.get(row));
        }
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), DataError> {
        let (id, model) = (line.name("prompt_id")?, line.name("model")?);
        let names = (id.as_deref(), model.as_deref());
        self.push(names, line.text("answer")?, line.text("finish_reason")?);
        Ok(())
    }

    fn push(
        &mut self,
        names: (Option<&str>, Option<&str>),
        answer: Option<&str>,
        finish_reason: Option<&str>,
    ) {
        self.counts.n_rows_read += 1;
        let reason = match names {
            (Some(prompt_id), Some(model)) => {
                let answer = answer.unwrap_or_default();
                (self.on_answer)(&AnswerRow { prompt_id, model, answer, finish_reason });
                return;
            }
            (None, _) => "prompt_id is null",
            (_, None) => "model is null",
        };
        *self.counts.dropped.entry(reason.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: &[(&str, &str, &str, Option<&str>)]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut found = Vec::new();
        let counts = read_answers(&[path], &mut |row| {
            let own = str::to_owned;
            let reason = row.finish_reason.map(own);
            found.push((own(row.prompt_id), own(row.model), own(row.answer), reason));
        });
        let found: Vec<_> = found
            .iter()
            .map(|(id, model, answer, reason)| (&**id, &**model, &**answer, reason.as_deref()))
            .collect();
        assert_eq!(found, expected, "{name}");
        let counts = counts.unwrap();
        assert_eq!(counts.n_rows_read, 3);
        assert_eq!(counts.dropped.get("model is null"), Some(&1));
    }

    #[test]
    fn answers_are_read_in_each_format() {
        let expected = [("p1", "m", "yes", Some("stop")), ("p2", "m", "", None)];
        check(
            "answers.csv",
            "prompt_id,model,answer,finish_reason\np1,m,yes,stop\np2,m,,\np3,,no,\n",
            &expected,
        );
        check(
            "answers.ndjson",
            "{\"prompt_id\":\"p1\",\"model\":\"m\",\"answer\":\"yes\",\"finish_reason\":\"stop\"}\n\
             {\"prompt_id\":\"p2\",\"model\":\"m\",\"answer\":null}\n\
             {\"prompt_id\":\"p3\",\"model\":null,\"answer\":\"no\"}\n",
            &expected,
        );
    }

    #[test]
    fn a_file_without_answers_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.csv");
        std::fs::write(&path, "prompt_id,model\np1,m\n").unwrap();
        let error = read_answers(&[path], &mut |_| {}).unwrap_err().to_string();
        assert!(
            error.contains("has no column `answer`; its columns are prompt_id, model"),
            "{error}"
        );
    }
}

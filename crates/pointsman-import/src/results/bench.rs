//! Results of one model on one dataset, as `LLMRouterBench` keeps them: an object with `records`.

use super::{NO_INDEX, NO_PROMPT, NO_QUALITY, ResultCounts, ResultsError, TableRow, WriteRow};
use super::{cost, number, text};
use crate::item::Dropped;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use std::{
    fmt,
    io::{self, Read},
    path::{Component, Path},
};

/// Whose results a file holds, as its folders say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The dataset, which is the task.
    pub dataset: String,
    /// Its part.
    pub split: String,
    /// The model that answered.
    pub model: String,
}

impl Origin {
    /// The origin of a file `…/dataset/split/model/time.json`.
    ///
    /// # Errors
    /// [`ResultsError::NoOrigin`] where the path has fewer folders.
    pub fn of_path(path: &Path) -> Result<Self, ResultsError> {
        let folder = |component: Component<'_>| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => None,
        };
        let mut folders = path.components().rev().skip(1).map(folder);
        let mut next = || folders.next().flatten();
        match (next(), next(), next()) {
            (Some(model), Some(split), Some(dataset)) => Ok(Self { dataset, split, model }),
            _ => Err(ResultsError::NoOrigin),
        }
    }
}

/// Reads a result file record by record.
///
/// # Errors
/// [`ResultsError`] where the file is cut off, no JSON or has no list `records`, or where a row cannot
/// be written.
pub fn read_bench(
    reader: impl Read,
    origin: &Origin,
    write: WriteRow<'_>,
) -> Result<ResultCounts, ResultsError> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let mut sink = Sink { origin, write, counts: ResultCounts::default(), problem: None };
    let read = File { sink: &mut sink }.deserialize(&mut json).and_then(|()| json.end());
    match (read, sink.problem) {
        (_, Some(source)) => Err(ResultsError::Write { source }),
        (Err(problem), None) => Err(ResultsError::NotResults { message: problem.to_string() }),
        (Ok(()), None) => Ok(sink.counts),
    }
}

/// One record; what a router does not need of it is passed over.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    index: Value,
    #[serde(default)]
    origin_query: Value,
    #[serde(default)]
    prompt: Value,
    #[serde(default)]
    score: Value,
    #[serde(default)]
    cost: Value,
    #[serde(default)]
    prompt_tokens: Value,
    #[serde(default)]
    completion_tokens: Value,
}

struct Sink<'a> {
    origin: &'a Origin,
    write: WriteRow<'a>,
    counts: ResultCounts,
    problem: Option<io::Error>,
}

impl Sink<'_> {
    /// Writes the row of a record; whether to go on.
    fn take(&mut self, record: &Record) -> bool {
        let Origin { dataset, split, model } = self.origin;
        let prompt = text(&record.origin_query).or_else(|| text(&record.prompt));
        let found = match (text(&record.index), prompt, number(&record.score)) {
            (None, _, _) => Err(Dropped::new(NO_INDEX, "`index`")),
            (Some(_), None, _) => Err(Dropped::new(NO_PROMPT, "`origin_query` and `prompt`")),
            (Some(_), Some(_), None) => Err(Dropped::new(NO_QUALITY, "`score`")),
            (Some(index), Some(prompt), Some(quality)) => Ok((index, prompt, quality)),
        };
        let (index, prompt, quality) = match found {
            Ok(found) => found,
            Err(dropped) => {
                self.counts.count(&dropped);
                return true;
            }
        };
        let prompt_id = format!("{dataset}/{split}/{index}");
        let row = TableRow {
            prompt_id: &prompt_id,
            prompt: &prompt,
            model,
            quality,
            cost_usd: cost(&record.cost),
            input_tokens: record.prompt_tokens.as_u64(),
            output_tokens: record.completion_tokens.as_u64(),
            task: Some(dataset),
            split: Some(split),
        };
        match (self.write)(&row) {
            Ok(()) => {
                self.counts.n_written += 1;
                true
            }
            Err(problem) => {
                self.problem = Some(problem);
                false
            }
        }
    }
}

/// The object around the records.
struct File<'s, 'a> {
    sink: &'s mut Sink<'a>,
}

impl<'de> DeserializeSeed<'de> for File<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `records`")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut has_records = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "records" {
                has_records = true;
                map.next_value_seed(Records { sink: &mut *self.sink })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if has_records { Ok(()) } else { Err(M::Error::missing_field("records")) }
    }
}

/// The list of records.
struct Records<'s, 'a> {
    sink: &'s mut Sink<'a>,
}

impl<'de> DeserializeSeed<'de> for Records<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut records: S) -> Result<(), S::Error> {
        while let Some(record) = records.next_element::<Record>()? {
            if !self.sink.take(&record) {
                return Err(S::Error::custom("the row could not be written"));
            }
        }
        Ok(())
    }
}

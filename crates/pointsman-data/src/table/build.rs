//! Rows in, table out: interning, checking, counting, hashing.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use pointsman_core::request::{Message, Request};

use super::{OutcomeTable, Prompt, TableOutcome, seen::Seen};
use crate::{
    columns::MessagesColumn,
    error::DataError,
    hash::{Folder, RowDigest, bytes_group},
    model_names::{ModelNames, sorted},
    scale::{Place, Scale, count, not_negative, whole},
    text::{ROLES, request_of},
};

/// One row as a reader hands it over: types are right, values are not checked.
pub(super) struct Row<'a> {
    /// The row in the file, from 1.
    pub(super) number: u64,
    pub(super) prompt_id: Option<&'a str>,
    pub(super) text: TextCell<'a>,
    pub(super) model: Option<&'a str>,
    pub(super) quality: Option<f64>,
    pub(super) cost_usd: Option<f64>,
    pub(super) input_tokens: Option<f64>,
    pub(super) output_tokens: Option<f64>,
    pub(super) latency_ms: Option<f64>,
    pub(super) task: Option<&'a str>,
    pub(super) split: Option<&'a str>,
    pub(super) fold: Option<f64>,
    pub(super) ts_ms: Option<f64>,
}

/// A text that is only looked at in the first row of its prompt.
pub(super) enum TextCell<'a> {
    /// One user message; empty where the cell is.
    Prompt(&'a str),
    /// The conversation in that row of the column.
    Messages(&'a MessagesColumn, usize),
    /// A conversation as JSON.
    Json(String),
}

impl TextCell<'_> {
    /// The length of a text and a hash of its ends: enough to notice that a row brings another
    /// text than its prompt's first row did, without reading it all again. `None` for an empty
    /// cell and for conversations.
    fn outline(&self) -> Option<(usize, u64)> {
        const END: usize = 48;
        match self {
            Self::Prompt(text) if !text.is_empty() => {
                let bytes = text.as_bytes();
                let head = bytes_group(&bytes[..bytes.len().min(END)]);
                let tail = bytes_group(&bytes[bytes.len().saturating_sub(END)..]);
                Some((bytes.len(), head ^ tail.rotate_left(1)))
            }
            Self::Prompt(_) | Self::Messages(..) | Self::Json(_) => None,
        }
    }

    fn messages(&self) -> Option<Vec<Message<'_>>> {
        match self {
            Self::Prompt(text) => Some(Request::from_prompt(text).messages.into_owned()),
            Self::Messages(column, row) => column.get(*row),
            Self::Json(json) => crate::text::messages_from_json(json),
        }
    }
}

/// The most prompts that an index can count.
const MOST_PROMPTS: u64 = 1 << 32;

/// An [`OutcomeTable`] in the making; models are numbered by appearance until the end.
pub(super) struct TableBuilder<'f> {
    on_prompt: &'f mut dyn FnMut(usize, &Request<'_>),
    scale: Scale,
    files: Vec<Arc<Path>>,
    n_rows_in_file: u64,
    prompt_of: HashMap<String, u32>,
    /// By prompt, the last file it was seen in, to compare the texts of one id in two files.
    file_of: Vec<usize>,
    /// By prompt, what its text looked like from outside.
    outline_of: Vec<Option<(usize, u64)>>,
    seen: Seen,
    models: ModelNames,
    last_model: u16,
    prompts: Vec<Prompt>,
    outcomes: Vec<TableOutcome>,
    dropped: BTreeMap<&'static str, u64>,
    n_rows_read: u64,
    digest: RowDigest,
    folder: Folder,
    last_prompt: Option<u32>,
}

impl<'f> TableBuilder<'f> {
    pub(super) fn new(
        quality_range: (f64, f64),
        on_prompt: &'f mut dyn FnMut(usize, &Request<'_>),
    ) -> Result<Self, DataError> {
        Ok(Self {
            on_prompt,
            scale: Scale::new(quality_range)?,
            files: Vec::new(),
            n_rows_in_file: 0,
            prompt_of: HashMap::new(),
            file_of: Vec::new(),
            outline_of: Vec::new(),
            seen: Seen::default(),
            models: ModelNames::default(),
            last_model: 0,
            prompts: Vec::new(),
            outcomes: Vec::new(),
            dropped: BTreeMap::new(),
            n_rows_read: 0,
            digest: RowDigest::new(),
            folder: Folder::default(),
            last_prompt: None,
        })
    }

    /// Names the file of the rows that follow.
    pub(super) fn begin_file(&mut self, path: &Path) {
        self.files.push(Arc::from(path));
        self.n_rows_in_file = 0;
    }

    /// Makes room for so many rows at once, where there is memory for them.
    pub(super) fn make_room(&mut self, n_rows: usize) {
        // Where there is not, it grows as rows come.
        let _ = self.outcomes.try_reserve(n_rows);
    }

    /// Refuses a file without rows.
    pub(super) fn end_file(&mut self, path: &Path) -> Result<(), DataError> {
        if self.n_rows_in_file == 0 {
            return Err(DataError::Empty { path: path.to_path_buf() });
        }
        Ok(())
    }

    /// Takes one row, or counts why not.
    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<(), DataError> {
        self.n_rows_read += 1;
        self.n_rows_in_file += 1;
        let (id, model, quality) = match (row.prompt_id, row.model, row.quality) {
            (None, _, _) => return self.drop_row("prompt_id is null"),
            (_, None, _) => return self.drop_row("model is null"),
            (_, _, None) => return self.drop_row("quality is null"),
            (Some(id), Some(model), Some(quality)) => (id, model, quality),
        };
        let file = self.files.last().map_or_else(|| Arc::from(Path::new("")), Arc::clone);
        let subject = || format!("prompt `{id}`, model `{model}`");
        let place = Place { path: &file, row: row.number, subject: &subject };
        let quality = self.scale.quality(quality, &place)?;
        let cost_usd = not_negative(row.cost_usd, "cost_usd", &place)?;
        let latency_ms = not_negative(row.latency_ms, "latency_ms", &place)?;
        let input_tokens = whole(row.input_tokens, "input_tokens", u32::MAX, &place)?;
        let output_tokens = whole(row.output_tokens, "output_tokens", u32::MAX, &place)?;

        let model_index = self.model(model)?;
        let prompt = self.prompt(id, row, &place)?;
        if !self.seen.insert(as_index(prompt), model_index) {
            return self.drop_row("duplicate of an earlier row");
        }
        self.digest.word(u64::from(prompt));
        self.digest.text(model);
        for number in [Some(quality), cost_usd, latency_ms] {
            self.digest.number(number);
        }
        for count in [input_tokens, output_tokens] {
            self.digest.word(count.map_or(u64::MAX, u64::from));
        }
        self.outcomes.push(TableOutcome {
            prompt,
            model: model_index,
            quality,
            cost_usd,
            input_tokens,
            output_tokens,
            latency_ms,
        });
        Ok(())
    }

    /// The table; `path` stands for the files in an error.
    pub(super) fn finish(mut self, path: &Path) -> Result<OutcomeTable, DataError> {
        let dropped: BTreeMap<String, u64> =
            self.dropped.iter().map(|(&reason, &n)| (reason.to_owned(), n)).collect();
        if self.outcomes.is_empty() {
            let dropped = dropped.iter().map(|(why, n)| (why.as_str(), *n));
            return Err(DataError::nothing_usable(path, self.n_rows_read, dropped));
        }
        let (models, sorted_index) = sorted(self.models.all());
        for outcome in &mut self.outcomes {
            outcome.model = sorted_index.get(usize::from(outcome.model)).copied().unwrap_or(0);
        }
        Ok(OutcomeTable {
            models,
            prompts: self.prompts,
            outcomes: self.outcomes,
            dropped,
            n_rows_read: self.n_rows_read,
            digest: self.digest.hex(),
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends `push`, which can fail")]
    fn drop_row(&mut self, reason: &'static str) -> Result<(), DataError> {
        *self.dropped.entry(reason).or_default() += 1;
        Ok(())
    }

    /// The index of a model. Tables stand model by model or prompt by prompt, so it is probably the
    /// last row's, or the one after that.
    fn model(&mut self, name: &str) -> Result<u16, DataError> {
        if self.models.name(self.last_model) != Some(name) {
            let next = self.last_model.saturating_add(1);
            self.last_model = if self.models.name(next).is_some() { next } else { 0 };
        }
        self.models.index_by(&mut self.last_model, name)
    }

    /// The index of the prompt; its text is handed over where it is new.
    fn prompt(&mut self, id: &str, row: &Row<'_>, place: &Place<'_>) -> Result<u32, DataError> {
        let file = self.files.len();
        let repeated = self.last_prompt.filter(|&index| self.id_at(index) == Some(id));
        let known = repeated.or_else(|| self.prompt_of.get(id).copied());
        self.last_prompt = known;
        let seen_in = known.and_then(|index| self.file_of.get(as_index(index)).copied());
        if let (Some(index), Some(seen_in)) = (known, seen_in)
            && seen_in == file
        {
            self.check_same_text(index, &row.text)?;
            return Ok(index);
        }
        let messages = row.text.messages().ok_or_else(|| DataError::BadValue {
            path: place.path.to_path_buf(),
            column: "messages".to_owned(),
            row: row.number,
            value: "something else".to_owned(),
            expected: ROLES,
        })?;
        let is_empty = messages.iter().all(|message| message.text.trim().is_empty());
        let group = if is_empty {
            bytes_group(id.as_bytes())
        } else {
            self.folder.group(messages.iter().map(|message| &*message.text))
        };
        if let (Some(index), Some(seen_in)) = (known, seen_in) {
            return self.known_elsewhere(index, (seen_in, file), (group, is_empty));
        }
        let fold = whole(row.fold, "fold", u32::from(u8::MAX), place)?;
        let prompt = Prompt {
            id: id.to_owned(),
            task: row.task.map(str::to_owned),
            split: row.split.map(str::to_owned),
            fold: fold.and_then(|fold| u8::try_from(fold).ok()),
            group,
            is_empty,
            ts_ms: count(not_negative(row.ts_ms, "ts_ms", place)?),
        };
        let request = request_of(messages);
        self.add_prompt(prompt, &request, row.text.outline())
    }

    /// Refuses a text that is not the one its prompt came with; an empty one says nothing.
    fn check_same_text(&self, index: u32, text: &TextCell<'_>) -> Result<(), DataError> {
        let known = self.outline_of.get(as_index(index)).copied().flatten();
        match (known, text.outline()) {
            (Some(known), Some(found)) if known != found => {
                let path = self.files.last().map_or_else(PathBuf::new, |path| path.to_path_buf());
                let id = self.id_at(index).unwrap_or_default().to_owned();
                Err(DataError::PromptIdReused { id, first: path.clone(), second: path })
            }
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    fn add_prompt(
        &mut self,
        prompt: Prompt,
        request: &Request<'_>,
        outline: Option<(usize, u64)>,
    ) -> Result<u32, DataError> {
        let index = u32::try_from(self.prompts.len())
            .map_err(|_| DataError::TooMany { what: "prompts", limit: MOST_PROMPTS })?;
        self.digest.text(&prompt.id);
        for message in request.messages.iter() {
            self.digest.text(&message.text);
        }
        for field in [&prompt.task, &prompt.split] {
            self.digest.text(field.as_deref().unwrap_or_default());
        }
        self.digest.word(prompt.fold.map_or(u64::MAX, u64::from));
        if let Some(ts_ms) = prompt.ts_ms {
            self.digest.word(ts_ms);
        }
        (self.on_prompt)(self.prompts.len(), request);
        self.prompt_of.insert(prompt.id.clone(), index);
        self.prompts.push(prompt);
        self.file_of.push(self.files.len());
        self.outline_of.push(outline);
        self.last_prompt = Some(index);
        Ok(index)
    }

    /// The index of a prompt that an earlier file had too, if it is the same prompt.
    fn known_elsewhere(
        &mut self,
        index: u32,
        (first, second): (usize, usize),
        (group, is_empty): (u64, bool),
    ) -> Result<u32, DataError> {
        if let Some(prompt) = self.prompts.get(as_index(index))
            && (prompt.group, prompt.is_empty) != (group, is_empty)
        {
            let path = |file: usize| {
                self.files.get(file - 1).map_or_else(PathBuf::new, |path| path.to_path_buf())
            };
            let id = prompt.id.clone();
            return Err(DataError::PromptIdReused { id, first: path(first), second: path(second) });
        }
        if let Some(slot) = self.file_of.get_mut(as_index(index)) {
            *slot = second;
        }
        Ok(index)
    }

    fn id_at(&self, index: u32) -> Option<&str> {
        self.prompts.get(as_index(index)).map(|prompt| prompt.id.as_str())
    }
}

fn as_index(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

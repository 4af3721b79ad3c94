//! One row: who reads it, and what becomes of what it gives.

use std::path::Path;

use crate::{
    call::Found,
    error::ImportError,
    formats::{ColumnMap, Format, keys_of, mapped, recognise, unseen::Unseen},
    item::{Dropped, Item, Reason},
    manifest::InputState,
    place::name_by_place,
    rows::Next,
    sink::{Kept, Sink},
};

/// Who reads the rows of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader<'a> {
    Format(&'static Format),
    Columns(&'a ColumnMap),
}

impl Reader<'_> {
    /// What a manifest calls the reader of columns that a map names.
    pub(super) const COLUMNS: &'static str = "columns";

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Format(format) => format.name,
            Self::Columns(_) => Self::COLUMNS,
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::Format(format) => format.title,
            Self::Columns(_) => "the columns of the map",
        }
    }

    /// Reads one row; which columns of a map it has is noted in `unseen`.
    pub(super) fn read(
        &self,
        row: &[u8],
        out: &mut Vec<Found>,
        unseen: &mut Unseen,
    ) -> Result<(), Dropped> {
        match self {
            Self::Format(format) => format.reader.read(row, out),
            Self::Columns(map) => mapped::read(map, row, out, unseen),
        }
    }
}

/// One row on its way.
pub(super) struct Row<'r> {
    pub(super) path: &'r Path,
    /// Its place in the file, from 1.
    pub(super) n: u64,
    pub(super) next: &'r Next,
    pub(super) bytes: &'r [u8],
    pub(super) reader: Reader<'r>,
}

/// What one row left behind.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Left {
    /// Whether it gave anything that can be used, if only what was there before.
    pub(super) gave_any: bool,
    pub(super) has_trace_scores: bool,
    pub(super) has_links: bool,
}

impl Row<'_> {
    /// Reads the row and hands over what it gives; `found` is a buffer that is used again.
    pub(super) fn take(
        &self,
        sink: &mut Sink<'_>,
        found: &mut Vec<Found>,
        tally: &mut Tally,
    ) -> Left {
        let place = || format!("{}, row {}", self.path.display(), self.n);
        sink.manifest.survey.n_rows += 1;
        *sink.manifest.survey.formats.entry(self.reader.name().to_owned()).or_default() += 1;
        tally.n_rows += 1;
        found.clear();
        let mut left = Left::default();
        if let Err(dropped) = self.read(found, &mut tally.unseen) {
            tally.add(&dropped, self.bytes);
            sink.manifest.survey.n_pieces += 1;
            sink.manifest.survey.drop_row(&dropped, &place());
            return left;
        }
        let mut duplicate: Option<String> = None;
        let mut gave_new = false;
        let (mut n_pieces, mut n_kept_pieces) = (0_u64, 0_u64);
        for mut one in found.drain(..) {
            if let Found::Item(item) = &mut one {
                name_by_place(item, &self.path.display().to_string(), self.n);
            }
            if let (Found::Item(Item::Outcome(outcome)), Some(id)) = (&one, &duplicate)
                && outcome.decision_id == *id
            {
                continue;
            }
            let id = match &one {
                Found::Item(Item::Decision(decision)) => Some(decision.id.clone()),
                Found::Item(Item::Outcome(_))
                | Found::Call(_)
                | Found::Score(_)
                | Found::Link { .. }
                | Found::Untrue(_)
                | Found::Dropped(_) => None,
            };
            if let Found::Dropped(dropped) = &one {
                tally.add(dropped, self.bytes);
            }
            let is_piece = is_piece(&one);
            let kept = sink.take(one, &place);
            if kept == Kept::Duplicate {
                duplicate = id;
            }
            left.has_trace_scores |= kept == Kept::TraceScore;
            left.has_links |= kept == Kept::Link;
            left.gave_any |= kept != Kept::Nothing;
            let is_new = kept != Kept::Nothing && kept != Kept::Duplicate;
            gave_new |= is_new;
            n_pieces += u64::from(is_piece);
            n_kept_pieces += u64::from(is_piece && is_new);
        }
        tally.n_kept += u64::from(left.gave_any);
        let survey = &mut sink.manifest.survey;
        survey.n_kept += u64::from(gave_new);
        survey.n_pieces += n_pieces.max(1);
        survey.n_kept_pieces += if n_pieces == 0 { u64::from(gave_new) } else { n_kept_pieces };
        left
    }

    /// What the row gives; where that is nothing at all, and by its keys it is of another format, why.
    fn read(&self, found: &mut Vec<Found>, unseen: &mut Unseen) -> Result<(), Dropped> {
        match self.next {
            Next::Row | Next::Open => {}
            Next::TooLong => {
                return Err(Dropped::new(Reason("longer than the limit of a row"), ""));
            }
            Next::CutOff | Next::End => {
                return Err(Dropped::new(Reason("the file ends within it"), ""));
            }
        }
        let read = self.reader.read(self.bytes, found, unseen);
        read.map_err(|dropped| self.told_apart(dropped))?;
        if let [Found::Dropped(dropped)] = found.as_mut_slice() {
            *dropped = self.told_apart(dropped.clone());
        }
        Ok(())
    }

    /// Why a row gave nothing: what it lacks, or that it is of one other format, which has it elsewhere.
    fn told_apart(&self, dropped: Dropped) -> Dropped {
        let lacks = [Reason::NOT_THE_FORMAT, Reason::NO_ID, Reason::NO_MODEL, Reason::NO_TIME];
        let Reader::Format(own) = self.reader else { return dropped };
        if !lacks.contains(&dropped.reason) {
            return dropped;
        }
        match recognise(self.bytes).as_slice() {
            [(other, marks)] if other.name != own.name => {
                let keys: Vec<String> = marks.iter().map(|mark| format!("`{mark}`")).collect();
                let detail = format!("{} are of {}", keys.join(", "), other.title);
                Dropped::new(Reason::OTHER_FORMAT, detail)
            }
            _ => dropped,
        }
    }
}

/// Whether this is a call or a score of its own, and not a record that the row is read into, or what goes
/// with one.
const fn is_piece(one: &Found) -> bool {
    match one {
        Found::Call(_) | Found::Score(_) | Found::Dropped(_) => true,
        Found::Item(_) | Found::Link { .. } | Found::Untrue(_) => false,
    }
}

impl Tally {
    /// That of a file of which `before` was read; a header says itself which columns there are.
    pub(super) fn of(reader: Reader<'_>, before: &InputState, has_header: bool) -> Self {
        let columns = match reader {
            Reader::Columns(map) if before.n_rows == 0 && !has_header => map.names(),
            Reader::Columns(_) | Reader::Format(_) => before.unseen.clone(),
        };
        Self { unseen: Unseen::of(columns), ..Self::default() }
    }

    /// Notes in the state of the file which columns no row has had so far.
    pub(super) fn note(&self, state: &mut InputState) {
        let columns = self.unseen.columns();
        if state.unseen.len() != columns.len() {
            state.unseen = columns.to_vec();
        }
    }

    fn add(&mut self, dropped: &Dropped, row: &[u8]) {
        let foreign = [
            Reason::NOT_THE_FORMAT,
            Reason::OTHER_FORMAT,
            Reason::NO_ID,
            Reason::NO_MODEL,
            Reason::NO_TIME,
            Reason::NOT_JSON,
            Reason::NOT_UTF8,
        ];
        if !foreign.contains(&dropped.reason) {
            return;
        }
        if self.n_foreign == 0 {
            self.first_keys = keys_of(row);
            let colon = if dropped.detail.is_empty() { "" } else { ": " };
            self.first_reason = format!("{}{colon}{}", dropped.reason.0, dropped.detail);
        }
        self.n_foreign += 1;
    }

    /// Refuses a file of which nothing could be read, and that was read from its beginning; and one
    /// without a column that every call needs.
    pub(super) fn check(
        &self,
        path: &Path,
        before: &InputState,
        reader: Reader<'_>,
    ) -> Result<(), ImportError> {
        if let Reader::Columns(ColumnMap { columns: Some(columns), .. }) = reader
            && let Some((what, key, found)) = self.unseen.needed(columns)
        {
            let (path, key, found) = (path.to_path_buf(), key.to_owned(), found.to_owned());
            return Err(ImportError::NoKey { path, key, what, found });
        }
        if 0 < before.n_rows {
            return Ok(());
        }
        if self.n_rows == 0 {
            return Err(ImportError::Empty { path: path.to_path_buf() });
        }
        if self.n_kept == 0 && self.n_rows <= self.n_foreign {
            return Err(ImportError::NothingRead {
                path: path.to_path_buf(),
                n_rows: self.n_rows,
                expected: reader.title(),
                found: self.first_keys.clone(),
                why: self.first_reason.clone(),
            });
        }
        Ok(())
    }
}

/// What the rows of one file came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    n_rows: u64,
    n_kept: u64,
    /// Rows that are not even rows of the format.
    n_foreign: u64,
    first_keys: String,
    first_reason: String,
    unseen: Unseen,
}

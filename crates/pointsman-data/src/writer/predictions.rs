//! Predicted quality and cost, one row for each table, router, prompt and model.

use std::{
    io::{BufWriter, Write as _},
    path::Path,
};

use polars::prelude::*;
use serde::Serialize;

use super::{Partial, is_parquet, row_groups::RowGroups, watched::Watched};
use crate::error::DataError;

/// Rows in a row group.
const GROUP_ROWS: usize = 100_000;

/// Writes predictions as NDJSON or as Parquet.
///
/// Dropping it without [`PredictionWriter::finish`] removes what was written.
pub struct PredictionWriter {
    sink: Sink,
    partial: Partial,
}

enum Sink {
    Ndjson(BufWriter<Watched>),
    Parquet(Box<Waiting>),
}

/// Rows that wait for their row group.
struct Waiting {
    groups: RowGroups,
    texts: [Vec<String>; 4],
    quality: Vec<f64>,
    cost_usd: Vec<Option<f64>>,
}

/// The columns of text, in order.
const TEXTS: [&str; 4] = ["table", "router", "prompt_id", "model"];

#[derive(Serialize)]
struct Line<'a> {
    table: &'a str,
    router: &'a str,
    prompt_id: &'a str,
    model: &'a str,
    quality: f64,
    cost_usd: Option<f64>,
}

impl PredictionWriter {
    /// Begins a file: NDJSON for `.ndjson` and `.jsonl`, Parquet for `.parquet`.
    ///
    /// # Errors
    /// [`DataError::UnknownTarget`] for another extension; [`DataError::Unwritable`] where no
    /// file can be made beside `path`.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let is_parquet = is_parquet(path)?;
        let (partial, file) = Partial::create(path)?;
        let sink = if is_parquet {
            Sink::Parquet(Box::new(Waiting {
                groups: RowGroups::new(file, GROUP_ROWS),
                texts: Default::default(),
                quality: Vec::new(),
                cost_usd: Vec::new(),
            }))
        } else {
            Sink::Ndjson(BufWriter::with_capacity(1 << 17, file))
        };
        Ok(Self { sink, partial })
    }

    /// Adds one row: table, router, prompt id and model; predicted quality, and dollars where they
    /// are known.
    ///
    /// # Errors
    /// [`DataError::Unwritable`] where the disk is full.
    pub fn push(
        &mut self,
        texts: [&str; 4],
        (quality, cost_usd): (f64, Option<f64>),
    ) -> Result<(), DataError> {
        match &mut self.sink {
            Sink::Ndjson(file) => {
                let [table, router, prompt_id, model] = texts;
                let line = Line { table, router, prompt_id, model, quality, cost_usd };
                let written = serde_json::to_writer(&mut *file, &line);
                written.map_err(|error| self.partial.unwritable(&error))?;
                file.write_all(b"\n").map_err(|error| self.partial.unwritable(&error))
            }
            Sink::Parquet(rows) => {
                rows.push(texts, quality, cost_usd).map_err(|error| self.partial.unwritable(&error))
            }
        }
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// [`DataError::Unwritable`]; the target is then as it was before.
    pub fn finish(self) -> Result<(), DataError> {
        let partial = self.partial;
        match self.sink {
            Sink::Ndjson(mut file) => file.flush().map_err(|error| partial.unwritable(&error))?,
            Sink::Parquet(rows) => rows.finish().map_err(|error| partial.unwritable(&error))?,
        }
        partial.rename()
    }
}

impl Waiting {
    fn push(&mut self, texts: [&str; 4], quality: f64, cost_usd: Option<f64>) -> PolarsResult<()> {
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(text.to_owned());
        }
        self.quality.push(quality);
        self.cost_usd.push(cost_usd);
        if self.quality.len() < GROUP_ROWS { Ok(()) } else { self.write_group() }
    }

    fn finish(mut self) -> PolarsResult<()> {
        if !self.quality.is_empty() || self.groups.is_empty() {
            self.write_group()?;
        }
        self.groups.finish()
    }

    fn write_group(&mut self) -> PolarsResult<()> {
        let n_rows = self.quality.len();
        let mut columns: Vec<Column> = TEXTS
            .iter()
            .zip(&mut self.texts)
            .map(|(name, texts)| {
                let texts = std::mem::take(texts);
                let column: StringChunked = texts.iter().map(|text| Some(text.as_str())).collect();
                column.with_name((*name).into()).into_column()
            })
            .collect();
        let quality = std::mem::take(&mut self.quality).into_iter().map(Some);
        let cost = std::mem::take(&mut self.cost_usd).into_iter();
        columns.push(quality.collect::<Float64Chunked>().with_name("quality".into()).into_column());
        columns.push(cost.collect::<Float64Chunked>().with_name("cost_usd".into()).into_column());
        let frame = DataFrame::new(n_rows, columns)?;
        self.groups.write(&frame)
    }
}

//! Outcome tables in NDJSON: one object a line, read without Polars, so that memory does not grow.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use serde_json::{Map, Value};

use super::build::{Row, TableBuilder, TextCell};
use crate::{error::DataError, parquet::Wanted};

/// Pushes every line of the file; blank lines are skipped but counted as rows of the file.
pub(super) fn read(
    path: &Path,
    wanted: &Wanted<'_>,
    builder: &mut TableBuilder<'_>,
) -> Result<(), DataError> {
    for_each_line(path, wanted, &mut |line| push(line, builder))
}

/// Hands every line of the file to `on_line`.
pub(crate) fn for_each_line(
    path: &Path,
    wanted: &Wanted<'_>,
    on_line: &mut dyn FnMut(&Line<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.to_path_buf(), source };
    let mut lines = BufReader::with_capacity(1 << 16, File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    let mut is_first = true;
    for number in 1.. {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            return Ok(());
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| DataError::NotUtf8 { path: path.to_path_buf(), row: number })?;
        if text.trim().is_empty() {
            continue;
        }
        let fields: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| DataError::Damaged {
                path: path.to_path_buf(),
                reason: format!("row {number} is not a JSON object: {error}"),
            })?;
        if is_first {
            let found: Vec<&str> = fields.keys().map(String::as_str).collect();
            wanted.check(path, &found)?;
            is_first = false;
        }
        on_line(&Line { path, number, fields: &fields })?;
    }
    Ok(())
}

/// One object.
pub(crate) struct Line<'a> {
    path: &'a Path,
    number: u64,
    fields: &'a Map<String, Value>,
}

fn push(line: &Line<'_>, builder: &mut TableBuilder<'_>) -> Result<(), DataError> {
    let (id, model) = (line.name("prompt_id")?, line.name("model")?);
    let (task, split) = (line.name("task")?, line.name("split")?);
    let text = match line.fields.get("messages") {
        None | Some(Value::Null) => TextCell::Prompt(line.text("prompt")?.unwrap_or_default()),
        Some(Value::String(json)) => TextCell::Json(json.clone()),
        Some(other) => TextCell::Json(other.to_string()),
    };
    builder.push(&Row {
        number: line.number,
        prompt_id: id.as_deref(),
        text,
        model: model.as_deref(),
        quality: line.float("quality")?,
        cost_usd: line.float("cost_usd")?,
        input_tokens: line.float("input_tokens")?,
        output_tokens: line.float("output_tokens")?,
        latency_ms: line.float("latency_ms")?,
        task: task.as_deref(),
        split: split.as_deref(),
        fold: line.float("fold")?,
        ts_ms: line.float("ts_ms")?,
    })
}

impl<'a> Line<'a> {
    /// A text.
    pub(crate) fn text(&self, column: &str) -> Result<Option<&'a str>, DataError> {
        match self.fields.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.bad(column, other, "text")),
        }
    }

    /// A name, which may be written as a number.
    pub(crate) fn name(&self, column: &str) -> Result<Option<String>, DataError> {
        match self.fields.get(column) {
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            _ => Ok(self.text(column)?.map(str::to_owned)),
        }
    }

    fn float(&self, column: &str) -> Result<Option<f64>, DataError> {
        match self.fields.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(f64::from(u8::from(*flag)))),
            Some(value) => {
                let written = value.as_str().and_then(|text| text.trim().parse().ok());
                let number = written.or_else(|| value.as_f64());
                number.map(Some).ok_or_else(|| self.bad(column, value, "a number"))
            }
        }
    }

    fn bad(&self, column: &str, value: &Value, expected: &'static str) -> DataError {
        let text: String = value.to_string().chars().take(40).collect();
        DataError::BadValue {
            path: self.path.to_path_buf(),
            column: column.to_owned(),
            row: self.number,
            value: format!("`{text}`"),
            expected,
        }
    }
}

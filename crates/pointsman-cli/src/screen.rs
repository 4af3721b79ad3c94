//! What goes to the terminal: results to standard output, progress and errors to standard error.

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    cell::Cell,
    env,
    io::{self, IsTerminal, Write},
    path::Path,
};

/// What could not be done where results cannot go out.
const STDOUT: &str = "cannot write to standard output";

/// A table that is narrower than this many columns of text is no table.
const LEAST_WIDTH: u16 = 20;

/// How far a bar has come, of an end that is known.
const EXACTLY: &str = "{human_pos}/{human_len}";

/// The same, of an end that is about known; only logs have one.
#[cfg(feature = "learn")]
const ABOUT: &str = "{human_pos} of about {human_len}";

/// The two streams of one run.
#[derive(Debug)]
pub(crate) struct Screen {
    is_quiet: bool,
    /// Standard output carries JSON, so the text for people goes to standard error.
    text_aside: Cell<bool>,
}

impl Screen {
    pub(crate) fn new(is_quiet: bool) -> Self {
        Self { is_quiet, text_aside: Cell::new(false) }
    }

    /// Moves the text for people to standard error where `json` is `-`.
    pub(crate) fn make_way_for(&self, json: Option<&Path>) {
        self.text_aside.set(json == Some(Path::new("-")));
    }

    /// One line, or several, for people.
    pub(crate) fn say(&self, text: &str) -> Result<()> {
        if self.text_aside.get() {
            writeln!(io::stderr().lock(), "{text}")?;
        } else {
            writeln!(io::stdout().lock(), "{text}").context(STDOUT)?;
        }
        Ok(())
    }

    /// One line on standard error, about the run and not its result; nothing where it is to be quiet.
    pub(crate) fn aside(&self, text: &str) -> Result<()> {
        if !self.is_quiet {
            writeln!(io::stderr().lock(), "{text}")?;
        }
        Ok(())
    }

    /// A table for people; the first column is text, the others are numbers.
    pub(crate) fn table<const N: usize>(
        &self,
        header: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Result<()> {
        self.say(&table(header, rows))
    }

    /// A progress bar with a known end, or a spinner where `total` is zero; hidden where standard
    /// error is not a terminal.
    pub(crate) fn progress(&self, label: &str, total: u64) -> ProgressBar {
        self.bar(label, total, EXACTLY)
    }

    /// As [`Self::progress`], where the end is only about known, or not at all. It is asked for where
    /// somebody sees the bar.
    #[cfg(feature = "learn")]
    pub(crate) fn progress_about(
        &self,
        label: &str,
        total: impl FnOnce() -> Option<u64>,
    ) -> ProgressBar {
        let total = if self.shows_bars() { total() } else { None };
        self.bar(label, total.unwrap_or(0), ABOUT)
    }

    fn shows_bars(&self) -> bool {
        !self.is_quiet && io::stderr().is_terminal()
    }

    fn bar(&self, label: &str, total: u64, done: &str) -> ProgressBar {
        let bar = ProgressBar::new(total);
        if !self.shows_bars() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(&template(total, done)) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(label.to_owned());
        bar
    }
}

/// What a bar says: its rate, and the time left where its end is known.
fn template(total: u64, done: &str) -> String {
    if total == 0 {
        return "{spinner} {msg} {human_pos} {elapsed} ({per_sec})".to_owned();
    }
    format!("{{msg}} [{{bar:24}}] {done} {{elapsed}} ({{per_sec}}, eta {{eta}})")
}

/// Writes JSON to a file, or to standard output for `-`.
pub(crate) fn json(path: Option<&Path>, value: &serde_json::Value) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_string_pretty(value)?;
    if path == Path::new("-") {
        writeln!(io::stdout().lock(), "{text}").context(STDOUT)?;
        return Ok(());
    }
    crate::files::write(path, format!("{text}\n").as_bytes())
}

/// The one sentence of a run that could not be.
pub(crate) fn error(sentence: &str) {
    // Nowhere is left to report that standard error is gone.
    drop(writeln!(io::stderr().lock(), "pointsman: {sentence}"));
}

/// The text of a table.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    columns(header, rows)
}

/// As [`table`], where the number of columns is not known beforehand.
pub(crate) fn columns(
    header: impl Into<Row>,
    rows: impl IntoIterator<Item = impl Into<Row>>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = asked_width() {
        table.set_width(width);
    }
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        if 0 < index {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The width that `COLUMNS` asks for; none where it says nothing that a table could have.
fn asked_width() -> Option<u16> {
    let width = env::var("COLUMNS").ok()?.trim().parse::<u16>().ok()?;
    (LEAST_WIDTH <= width).then_some(width)
}

/// Whether a run ended because nobody reads its output any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
#[cfg(feature = "learn")]
mod tests {
    use super::*;

    #[test]
    fn bars_say_what_they_should() {
        for (total, done) in [(0, EXACTLY), (7, EXACTLY), (7, ABOUT)] {
            let text = template(total, done);
            assert!(ProgressStyle::with_template(&text).is_ok(), "{text}");
            assert!(text.contains("{per_sec}"), "{text}");
            assert_eq!(text.contains("eta {eta}") && text.contains(done), 0 < total, "{text}");
        }
    }
}

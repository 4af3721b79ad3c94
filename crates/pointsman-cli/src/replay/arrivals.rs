//! Times at which requests came elsewhere, for tables that have none: a trace of arrivals.

use super::windows::ms_of;
use crate::files;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// The times of a trace, ascending. Each line holds one in its first cell, as milliseconds since 1970
/// or as `2026-01-31 23:59:59.123`; a first line without one is a header.
pub(super) fn read(path: &Path) -> Result<Vec<u64>> {
    let text = files::read_text(path, "arrivals are lines that begin with a time")?;
    times(&text).with_context(|| path.display().to_string())
}

fn times(text: &str) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let cell = line.split(',').next().unwrap_or_default().trim().trim_matches('"');
        match cell.parse().ok().or_else(|| ms_of(cell)) {
            Some(time) => times.push(time),
            None if number == 1 || cell.is_empty() => {}
            None => bail!(
                "line {number} begins with `{}`, which is no time; write milliseconds since 1970, \
                 or 2026-01-31 23:59:59.123",
                cell.chars().take(40).collect::<String>()
            ),
        }
    }
    if times.is_empty() {
        bail!("there is no time in it");
    }
    times.sort_unstable();
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_read_and_put_in_order() {
        let text = "TIMESTAMP,ContextTokens\n2026-01-01 00:00:02,1\n2026-01-01 00:00:01.5,2\n\n";
        assert_eq!(times(text).unwrap(), [1_767_225_601_500, 1_767_225_602_000]);
        assert_eq!(times("5\n3\n").unwrap(), [3, 5]);
        let sentence = times("ts\n5\nsoon,1\n").unwrap_err().to_string();
        assert!(sentence.starts_with("line 3 begins with `soon`"), "{sentence}");
        assert_eq!(times("ts\n").unwrap_err().to_string(), "there is no time in it");
    }
}

//! The comparison with other programs as one page: medians of paired runs, their spread, versions,
//! where ours is behind, and what could not be run.
//!
//! The figures are made by the scripts beside this crate, which write them as `peers.py` says; here
//! they are only summed up. Runs are paired by their turn, so that a machine that is busy for a
//! while is busy for both sides; what it does not even out is work that begins within a turn.

mod page;

pub use page::{to_html, to_markdown};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What one script measured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// What was compared with whom.
    pub title: String,
    /// How to measure it again.
    pub command: String,
    /// Versions by package.
    pub versions: BTreeMap<String, String>,
    /// What both sides took.
    pub pairs: Vec<Pair>,
    /// What a reader has to know, and figures that are not of runs.
    pub notes: Vec<String>,
    /// What could not be measured, and why.
    pub skipped: Vec<String>,
    /// Figures that are not of runs, such as quality.
    pub tables: Vec<Table>,
    /// Where ours is worse by such figures, in sentences; the pairs say it of themselves.
    pub behind: Vec<String>,
}

/// Figures that are not of runs, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Of each column.
    pub header: Vec<String>,
    /// Each as long as the header.
    pub rows: Vec<Vec<String>>,
}

/// Runs of both sides, made in turns; less is better.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The work.
    pub what: String,
    /// Of every run.
    pub unit: String,
    /// The other program.
    pub theirs: Side,
    /// This one.
    pub ours: Side,
}

/// The runs of one side.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Who, and how it was set up.
    pub name: String,
    /// In their order.
    pub runs: Vec<f64>,
}

/// One comparison, made or not.
#[derive(Debug, Clone, PartialEq)]
pub enum Section {
    /// It was made.
    Measured(Measured),
    /// It could not be made.
    Failed {
        /// What was to be compared.
        title: String,
        /// The last thing that was said.
        why: String,
    },
}

/// Everything on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// How to make the page again.
    pub command: String,
    /// What it was measured on, as names and values.
    pub machine: Vec<(String, String)>,
    /// In the order in which they were made.
    pub sections: Vec<Section>,
}

/// The middle of some runs and their ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The least run.
    pub least: f64,
    /// The middle one, or the mean of the middle two.
    pub median: f64,
    /// The largest run.
    pub most: f64,
}

impl Spread {
    /// Of some runs; `None` where there is none, or one is no number.
    pub fn of(runs: &[f64]) -> Option<Self> {
        if runs.iter().any(|run| !run.is_finite()) {
            return None;
        }
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&least, &most) = (sorted.first()?, sorted.last()?);
        let (below, above) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        Some(Self { least, median: f64::midpoint(sorted[below], sorted[above]), most })
    }
}

impl Pair {
    /// How many times as much the other side took, turn by turn; `None` where a side has no run or
    /// one of ours took nothing.
    pub fn ratio(&self) -> Option<Spread> {
        let turns = self.theirs.runs.iter().zip(&self.ours.runs);
        Spread::of(&turns.map(|(theirs, ours)| theirs / ours).collect::<Vec<_>>())
    }
}

/// What a script that failed said last.
pub fn last_line(said: &str) -> String {
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(runs: &[f64], expected: Option<(f64, f64, f64)>) {
        let found = Spread::of(runs).map(|Spread { least, median, most }| (least, median, most));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        check(&[], None);
        check(&[2.0], Some((2.0, 2.0, 2.0)));
        check(&[3.0, 1.0, 2.0], Some((1.0, 2.0, 3.0)));
        check(&[4.0, 1.0, 2.0, 3.0], Some((1.0, 2.5, 4.0)));
        check(&[1.0, f64::NAN], None);
    }

    #[test]
    fn ratios_are_of_turns() {
        let side = |runs: &[f64]| Side { name: "x".to_owned(), runs: runs.to_vec() };
        let pair = |theirs: &[f64], ours: &[f64]| Pair {
            what: String::new(),
            unit: String::new(),
            theirs: side(theirs),
            ours: side(ours),
        };
        // The machine was twice as slow in the second turn.
        let ratio = pair(&[2.0, 4.0], &[1.0, 2.0]).ratio().unwrap();
        assert_eq!(ratio, Spread { least: 2.0, median: 2.0, most: 2.0 });
        assert_eq!(pair(&[], &[]).ratio(), None);
        assert_eq!(pair(&[1.0], &[0.0]).ratio(), None);
    }

    #[test]
    fn the_last_line_says_why() {
        assert_eq!(last_line("Traceback\n  no such table\n\n"), "no such table");
        assert_eq!(last_line(" \n"), "it said nothing");
    }
}

//! The policies of a replay, one for each fit, and what a gate would have said of each on all that it
//! decided.
//!
//! A window is often too short for a verdict; a policy that stays for several is judged on all their
//! rows.

use super::{
    Question,
    contents::{PolicyRow, WindowRow},
    learn::How,
    stream::Stream,
    value::{self, Ledger},
};
use anyhow::Result;

/// Policies in the order in which they were learned.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// Each with the row of the ledger that it decided first.
    rows: Vec<(usize, PolicyRow)>,
}

impl Policies {
    /// Notes a policy that was learned before the window `number`, counted from one.
    pub(super) fn push(
        &mut self,
        ledger: &Ledger,
        (number, begins): (usize, String),
        (n_learned, how): (usize, &How),
    ) {
        let strengths = match how {
            How::Selected(_) => "selected",
            How::TakenOver => "taken over",
            How::Given => "given",
        };
        let row = PolicyRow {
            learned_before: number,
            begins,
            n_learned,
            strengths,
            n_windows: 0,
            n_decided: 0,
            gate: None,
        };
        self.rows.push((ledger.n_rows(), row));
    }

    /// All of them that decided something, with the gate's verdicts.
    pub(super) fn judged(
        self,
        (ledger, stream): (&Ledger, &Stream),
        windows: &[WindowRow],
        question: &Question,
    ) -> Result<Vec<PolicyRow>> {
        let mut ends: Vec<usize> = self.rows.iter().skip(1).map(|(start, _)| *start).collect();
        ends.push(ledger.n_rows());
        let mut judged = Vec::with_capacity(self.rows.len());
        for ((start, row), end) in self.rows.into_iter().zip(ends) {
            let is_of = |window: &&WindowRow| window.learned_before == row.learned_before;
            let n_windows = windows.iter().filter(is_of).count();
            let gate = value::gate(ledger, stream, &(start..end), question)?;
            judged.push(PolicyRow { n_windows, n_decided: end - start, gate, ..row });
        }
        judged.retain(|row| 0 < row.n_windows);
        Ok(judged)
    }
}

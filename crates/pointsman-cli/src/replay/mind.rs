//! What one setting knows at a time, on its way through a replay.

use super::learn::{How, MOST_ASKED, Selection};
use crate::policy_flags::LoadedPolicy;

/// What learning from a row takes, against deciding it, and what it takes to ask held-out rows first;
/// for the estimate of what is left.
const LEARNING_ROWS: u64 = 5;
const ASKING_ROWS: u64 = 40;

/// The policy that decides, and how it came about.
#[derive(Debug, Default)]
pub(super) struct Mind {
    pub(super) loaded: Option<LoadedPolicy>,
    /// The window before which it was learned, and from how many rows.
    pub(super) learned_before: usize,
    pub(super) n_learned: usize,
    pub(super) n_fits: usize,
    pub(super) n_missed: usize,
    pub(super) n_selections: usize,
    /// What held-out rows decided last, and how many fits have taken it over since.
    selection: Option<Box<Selection>>,
    n_taken_over: usize,
}

impl Mind {
    /// What the next fit may take over, where held-out rows are asked at every so many.
    pub(super) fn to_take_over(&self, select_every: usize) -> Option<&Selection> {
        self.selection.as_deref().filter(|_| self.n_taken_over + 1 < select_every)
    }

    /// Takes a policy that was learned before the window of this number from so many rows.
    pub(super) fn took(
        &mut self,
        loaded: LoadedPolicy,
        how: How,
        (number, n_rows): (usize, usize),
    ) {
        match how {
            How::Selected(selection) => {
                self.selection = selection;
                self.n_selections += 1;
                self.n_taken_over = 0;
            }
            How::TakenOver => self.n_taken_over += 1,
            How::Given => {}
        }
        self.loaded = Some(loaded);
        self.learned_before = number;
        self.n_learned = n_rows;
        self.n_fits += 1;
    }
}

/// What a fit takes, in rows decided.
pub(super) fn work(n_rows: usize, is_asked: bool) -> u64 {
    let asking = if is_asked { ASKING_ROWS * n_rows.min(MOST_ASKED) as u64 } else { 0 };
    asking + LEARNING_ROWS * n_rows as u64
}

/// Whether held-out rows are asked before a fit, so many after the first.
pub(super) fn is_asked(n_fits: usize, select_every: usize) -> bool {
    n_fits.is_multiple_of(select_every)
}

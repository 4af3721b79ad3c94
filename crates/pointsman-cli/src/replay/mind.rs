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
    /// What held-out rows decided last, of how many rows, and how many fits have taken it over since.
    selection: Option<Box<Selection>>,
    n_asked_of: usize,
    n_taken_over: usize,
}

impl Mind {
    /// What a fit of so many rows may take over, where held-out rows are asked at every so many fits.
    pub(super) fn to_take_over(&self, n_rows: usize, select_every: usize) -> Option<&Selection> {
        let rows = (self.n_asked_of, n_rows);
        self.selection.as_deref().filter(|_| !is_asked(self.n_taken_over, rows, select_every))
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
                (self.n_asked_of, self.n_taken_over) = (n_rows, 0);
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

/// Whether held-out rows are asked again, where so many fits have taken over what they decided, of so
/// many rows then and so many now. Few rows teach caution, which many no longer need.
pub(super) fn is_asked(
    n_taken_over: usize,
    (then, now): (usize, usize),
    select_every: usize,
) -> bool {
    select_every <= n_taken_over + 1 || 2 * then <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_rows_are_asked_when_they_say() {
        for (n_taken_over, rows, select_every, expected) in [
            (0, (100, 100), 1, true),
            (0, (100, 100), 2, false),
            (1, (100, 100), 2, true),
            (8, (100, 199), 10, false),
            (8, (100, 200), 10, true),
            (9, (100, 50), 10, true),
        ] {
            let found = is_asked(n_taken_over, rows, select_every);
            assert_eq!(found, expected, "{n_taken_over} {rows:?} {select_every}");
        }
    }

    #[test]
    fn asking_is_most_of_the_work_and_bounded() {
        assert_eq!(work(1_000, false), 5_000);
        assert_eq!(work(1_000, true), 45_000);
        let many = 2 * MOST_ASKED;
        assert_eq!(
            work(many, true) - work(many, false),
            work(MOST_ASKED, true) - work(MOST_ASKED, false)
        );
    }
}

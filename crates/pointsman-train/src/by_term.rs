//! The rows of each term: a sparse matrix turned round.

use crate::row_terms::Place;

/// Of each term its rows, ascending.
#[derive(Debug)]
pub(crate) struct ByTerm {
    /// Where a term's rows begin; the last entry is where the last term's end.
    pub(crate) starts: Vec<usize>,
    pub(crate) rows: Vec<u32>,
}

impl ByTerm {
    /// Of rows whose terms are `row_terms[row_starts[row]..row_starts[row + 1]]`.
    pub(crate) fn new(n_terms: usize, row_starts: &[usize], row_terms: &[impl Place]) -> Self {
        let mut starts = vec![0_usize; n_terms + 1];
        for term in row_terms {
            starts[term.index() + 1] += 1;
        }
        for term in 0..n_terms {
            starts[term + 1] += starts[term];
        }
        let mut next = starts.clone();
        let mut rows = vec![0_u32; row_terms.len()];
        for (row, span) in (0_u32..).zip(row_starts.windows(2)) {
            for term in &row_terms[span[0]..span[1]] {
                rows[next[term.index()]] = row;
                next[term.index()] += 1;
            }
        }
        Self { starts, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_have_their_rows_in_order() {
        let ByTerm { starts, rows } = ByTerm::new(4, &[0, 2, 2, 5], &[3_u16, 0, 0, 1, 3]);
        assert_eq!(starts, [0, 2, 3, 3, 5]);
        assert_eq!(rows, [0, 2, 2, 0, 2]);
    }
}

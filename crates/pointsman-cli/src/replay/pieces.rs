//! The features of all requests of a stream, in pieces that are let go once nothing asks for them.
//!
//! Every request is read into features once. A row that was decided and is older than what any
//! setting remembers is of no use any more, so what stays is about the memory and not the log.

use pointsman_core::features::{FeatureSchema, Features};
use pointsman_train::design::{Design, DesignBuilder};
use std::mem;

/// Rows of a piece: few enough that little is kept in vain, enough that pieces cost nothing.
const ROWS: usize = 4_096;

/// Rows of features, the first of them perhaps let go.
pub(super) struct Pieces {
    schema: FeatureSchema,
    /// All of them of [`ROWS`] rows but the last, and those that were let go, which are empty.
    held: Vec<Design>,
    n_rows: usize,
    n_let_go: usize,
}

/// Takes rows one after the other.
pub(super) struct PiecesBuilder {
    builder: DesignBuilder,
    pieces: Pieces,
}

impl PiecesBuilder {
    pub(super) fn new(schema: FeatureSchema) -> Self {
        let pieces = Pieces { schema, held: Vec::new(), n_rows: 0, n_let_go: 0 };
        Self { builder: DesignBuilder::new(schema), pieces }
    }

    /// Adds the next row by what `push` does to a builder, which is to add one row.
    pub(super) fn push(&mut self, push: impl FnOnce(&mut DesignBuilder)) {
        let Self { builder, pieces } = self;
        push(builder);
        pieces.n_rows += 1;
        if pieces.n_rows.is_multiple_of(ROWS) {
            let full = mem::replace(builder, DesignBuilder::new(pieces.schema));
            pieces.held.push(full.finish());
        }
    }

    pub(super) fn finish(self) -> Pieces {
        let Self { builder, mut pieces } = self;
        pieces.held.push(builder.finish());
        pieces
    }
}

impl Pieces {
    /// The given rows of a design, in their order.
    pub(super) fn of(design: &Design, rows: &[u32]) -> Self {
        let mut builder = PiecesBuilder::new(design.schema());
        for &row in rows {
            builder.push(|into| into.push_read(&design.features(row as usize)));
        }
        builder.finish()
    }

    /// How text became terms.
    pub(super) fn schema(&self) -> FeatureSchema {
        self.schema
    }

    /// How many rows there are, with those that were let go.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The features of a row that was not let go.
    pub(super) fn features(&self, row: usize) -> Features<'_> {
        self.held[row / ROWS].features(row % ROWS)
    }

    /// The given rows, in their order, none of them let go.
    pub(super) fn select(&self, rows: &[u32]) -> Design {
        let mut builder = DesignBuilder::new(self.schema);
        for &row in rows {
            builder.push_read(&self.features(row as usize));
        }
        builder.finish()
    }

    /// All rows in another order; those of `self` are gone.
    pub(super) fn sorted(self, order: &[u32]) -> Self {
        let mut builder = PiecesBuilder::new(self.schema);
        for &row in order {
            builder.push(|into| into.push_read(&self.features(row as usize)));
        }
        builder.finish()
    }

    /// Lets go whole pieces of rows before `row`.
    pub(super) fn let_go_before(&mut self, row: usize) {
        let end = (row / ROWS).min(self.held.len());
        for piece in self.held.iter_mut().take(end).skip(self.n_let_go) {
            *piece = DesignBuilder::new(self.schema).finish();
        }
        self.n_let_go = self.n_let_go.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::{features::Bigrams, request::Request};

    #[test]
    fn pieces_hold_what_one_design_would() {
        let schema = FeatureSchema::new(10, Bigrams::With).unwrap();
        let n_rows = 2 * ROWS + 3;
        let (mut whole, mut pieces) = (DesignBuilder::new(schema), PiecesBuilder::new(schema));
        for row in 0..n_rows {
            let text = format!("row of number {}", ["one", "two", "three"][row % 3]);
            let request = Request::from_prompt(&text);
            whole.push(&request);
            pieces.push(|into| into.push(&request));
        }
        let (whole, mut pieces) = (whole.finish(), pieces.finish());
        assert_eq!(pieces.n_rows(), n_rows);
        let last = n_rows - 1;
        for row in [0, ROWS - 1, ROWS, 2 * ROWS, last] {
            assert_eq!(pieces.features(row).terms, whole.terms(row), "row {row}");
            assert_eq!(pieces.features(row).n_bytes, whole.n_bytes(row), "row {row}");
        }
        pieces.let_go_before(ROWS + 5);
        let rows = [u32::try_from(ROWS).unwrap(), u32::try_from(last).unwrap()];
        let selected = pieces.select(&rows);
        assert_eq!(selected.n_rows(), 2);
        assert_eq!(selected.terms(1), whole.terms(last));
        assert_eq!(pieces.held[0].n_rows(), 0, "the first piece was let go");
        assert_eq!(pieces.held[1].n_rows(), ROWS, "a piece that is needed stays whole");
        let places: Vec<u32> = (0..u32::try_from(n_rows).unwrap()).rev().collect();
        let reversed = Pieces::of(&whole, &places);
        assert_eq!(reversed.features(0).terms, whole.terms(last));
        assert_eq!(reversed.sorted(&places).features(0).terms, whole.terms(0));
    }
}

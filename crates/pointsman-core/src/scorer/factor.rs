//! Many models from few columns.
//!
//! Beyond some sixty models a weight of each term for each model no longer fits one line of memory,
//! and most of the weights would repeat each other: models are good at the same things to
//! different degrees. So terms speak about a few directions, and each model's quality is a
//! mixture of them. Its weakness: what a single model alone is good at falls between the
//! directions.

use super::{ScorerError, parts::finite};

/// Quality of model `m`: `intercepts[m] + Σ_r loadings[r, m] · column r`.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// How many directions there are.
    pub rank: usize,
    /// Shape `(rank, n_models)`, row after row.
    pub loadings: Vec<f32>,
    /// Shape `(n_models,)`.
    pub intercepts: Vec<f32>,
}

impl Factor {
    /// Overwrites `quality` with every model's mixture of the columns.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn mix(&self, columns: &[f32], quality: &mut Vec<f32>) {
        let n_models = self.intercepts.len();
        quality.clear();
        quality.extend_from_slice(&self.intercepts);
        let mut rows = self.loadings.chunks_exact(n_models);
        let (fours, rest) = columns.as_chunks::<4>();
        // Four at a time, so that qualities are fetched and put back a fourth as often; added up
        // one after the other all the same.
        for of_column in fours {
            let (Some(a), Some(b), Some(c), Some(d)) =
                (rows.next(), rows.next(), rows.next(), rows.next())
            else {
                return;
            };
            let loadings = a.iter().zip(b).zip(c).zip(d);
            for (quality, (((a, b), c), d)) in quality.iter_mut().zip(loadings) {
                let two = *quality + of_column[0] * a + of_column[1] * b;
                *quality = two + of_column[2] * c + of_column[3] * d;
            }
        }
        for (column, loadings) in rest.iter().zip(rows) {
            for (quality, loading) in quality.iter_mut().zip(loadings) {
                *quality += column * loading;
            }
        }
    }

    pub(super) fn check(&self, n_models: usize) -> Result<(), ScorerError> {
        let Self { rank, loadings, intercepts } = self;
        for (part, found, expected) in [
            ("factor.rank", usize::from(0 < *rank), 1),
            ("factor.loadings", loadings.len(), rank * n_models),
            ("factor.intercepts", intercepts.len(), n_models),
        ] {
            if found != expected {
                return Err(ScorerError::Length { part, found, expected });
            }
        }
        finite("factor.loadings", loadings)?;
        finite("factor.intercepts", intercepts)
    }
}

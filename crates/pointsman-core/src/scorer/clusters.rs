//! What kind of request it is, and what that says beyond its words.
//!
//! Requests are projected onto a few directions, which are columns like any others, and belong to
//! the nearest of some centres. Each cluster shifts every model's quality by what its training
//! requests had in common. Its weakness: a request between two kinds is of one of them.
//!
//! Source of the idea: Zhang et al., "Beyond GPT-5: Making LLMs Cheaper and Better via
//! Performance-Efficiency Optimized Routing" (Avengers-Pro), arXiv 2508.12631, there on the
//! embeddings of a language model.

use super::{ScorerError, add_rows, parts::finite};

/// How many centres are compared at once.
const LANES: usize = 8;

/// Centres in the projected space and what belonging to each adds to quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// Shape `(n_dims, n_clusters)`, row after row.
    pub centres: Vec<f32>,
    /// How many there are.
    pub n_clusters: usize,
    /// Shape `(n_clusters, n_models)`, row after row; in quality points.
    pub offsets: Vec<f32>,
}

impl Clusters {
    /// How many directions the space has.
    pub fn n_dims(&self) -> usize {
        self.centres.len() / self.n_clusters.max(1)
    }

    /// Half the squared length of each centre, shape `(n_clusters,)`.
    pub(super) fn half_squares(&self) -> Vec<f32> {
        let mut squares = vec![0.0; self.n_clusters];
        for row in self.centres.chunks_exact(self.n_clusters) {
            for (square, centre) in squares.iter_mut().zip(row) {
                *square += centre * centre / 2.0;
            }
        }
        squares
    }

    /// The cluster of a request at `point`, shape `(n_dims,)`: the centre that is nearest to its
    /// direction. Ties, and a request without any, go to the first.
    ///
    /// `closeness` is overwritten with `point · centre − |point| |centre|² / 2`, which is largest
    /// where the distance is least.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(super) fn nearest(
        &self,
        point: &[f32],
        half_squares: &[f32],
        closeness: &mut Vec<f32>,
    ) -> usize {
        let length = point.iter().fold(0.0_f32, |sum, x| sum + x * x).sqrt();
        closeness.clear();
        closeness.extend(half_squares.iter().map(|half| -length * half));
        add_rows(point, &self.centres, closeness);
        let (chunks, rest) = closeness.as_chunks::<LANES>();
        let mut highest = [f32::NEG_INFINITY; LANES];
        for chunk in chunks {
            for (highest, &value) in highest.iter_mut().zip(chunk) {
                *highest = highest.max(value);
            }
        }
        let highest = highest.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
        closeness.iter().position(|&value| value == highest).unwrap_or(0)
    }

    /// What one cluster adds to each model's quality, shape `(n_models,)`.
    pub(crate) fn offsets_of(&self, cluster: usize) -> &[f32] {
        let n_models = self.offsets.len() / self.n_clusters;
        &self.offsets[cluster * n_models..][..n_models]
    }

    pub(super) fn check(&self, n_models: usize) -> Result<(), ScorerError> {
        let Self { centres, n_clusters, offsets } = self;
        for (part, found, expected) in [
            ("clusters", usize::from(0 < *n_clusters && !centres.is_empty()), 1),
            ("clusters.centres", centres.len(), self.n_dims() * n_clusters),
            ("clusters.offsets", offsets.len(), n_clusters * n_models),
        ] {
            if found != expected {
                return Err(ScorerError::Length { part, found, expected });
            }
        }
        finite("clusters.centres", centres)?;
        finite("clusters.offsets", offsets)
    }
}

//! The stack that was kept in the end: the linear part, put to scale, and perhaps clusters.

use crate::{
    blend::{Scale, StackValue, Stacked, keep},
    clusters::{ClusterSums, Grouping},
    outcomes::narrow,
    projection::Projection,
    slopes::{CalibrationValue, Sloped, multiply},
};
use pointsman_core::scorer::Clusters;

/// The stack that was kept, and what all that were tried were worth.
pub(crate) struct Kinds {
    pub(crate) tried: Vec<StackValue>,
    /// What the linear part's deviations from the means are multiplied by.
    pub(crate) linear: Scale,
    pub(crate) clusters: Option<Clusters>,
    pub(crate) projection: Option<Projection>,
    /// Out-of-fold predictions less the fold's means, shape `(rows, n_models)`; absent where
    /// they are the linear part's.
    pub(crate) deviations: Option<Vec<f32>>,
    /// What each model's predictions less its mean are multiplied by at last.
    pub(crate) slopes: Option<Vec<f64>>,
    /// What such slopes are worth, where that was asked.
    pub(crate) calibration: Option<CalibrationValue>,
}

impl Kinds {
    /// The linear part alone.
    pub(crate) fn none() -> Self {
        Self {
            tried: Vec::new(),
            linear: Scale::ONE,
            clusters: None,
            projection: None,
            deviations: None,
            slopes: None,
            calibration: None,
        }
    }

    /// The best of the stacks that were found, or the linear part as it was fitted. `groupings` are
    /// those of the stacks with clusters, in their order.
    pub(crate) fn of(
        mut stacks: Vec<Stacked>,
        groupings: &[(Grouping, ClusterSums)],
        projection: Option<Projection>,
        means: &[f64],
    ) -> Self {
        let kept = keep(&mut stacks);
        let tried: Vec<StackValue> = stacks.iter().map(|stack| stack.value).collect();
        let Some(kept) = kept else {
            let shared = tried.first().map_or(1.0, |alone| alone.linear.shared);
            return Self { tried, linear: Scale { shared, own: 1.0 }, ..Self::none() };
        };
        let value = tried[kept];
        let grouping = groupings.iter().find(|(it, _)| it.n_clusters == value.n_clusters);
        let clusters = grouping.map(|(grouping, sums)| {
            let offsets = sums.offsets(means, |_| true);
            let mut offsets: Vec<f32> = offsets.into_iter().map(narrow).collect();
            for row in offsets.chunks_exact_mut(means.len()) {
                value.clusters.apply(row);
            }
            let (centres, n_clusters) = (grouping.centres.clone(), grouping.n_clusters);
            Clusters { centres, n_clusters, offsets }
        });
        Self {
            tried,
            linear: value.linear,
            projection: projection.filter(|_| clusters.is_some()),
            clusters,
            deviations: Some(stacks.swap_remove(kept).deviations),
            slopes: None,
            calibration: None,
        }
    }

    /// The same with slopes for each model's own, where they are worth it.
    pub(crate) fn with_slopes(mut self, found: Sloped) -> Self {
        let Sloped { value, slopes, deviations } = found;
        self.calibration = Some(value);
        if value.is_kept() {
            if let Some(Clusters { offsets, .. }) = &mut self.clusters {
                for row in offsets.chunks_exact_mut(slopes.len().max(1)) {
                    multiply(row, &slopes);
                }
            }
            self.deviations = Some(deviations);
            self.slopes = Some(slopes);
        }
        self
    }
}

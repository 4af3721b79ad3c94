//! Ways to learn that share the final weights by what their policies are worth on held-out rows.
//!
//! A candidate is a learner at one strength of regularisation. Every learner is linear in the same
//! features and gives a *dual*: a number per row and model, which the transposed feature matrix
//! turns into weights. So shares of candidates average to one table of weights, and a policy is no
//! larger for having been learned in several ways.

use crate::{outcomes::narrow, train::STRENGTHS};
use std::fmt;

/// A way to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learner {
    /// Ridge regression, every model on its own outcomes.
    Ridge,
    /// Ridge regression with a direction that all models share and a deviation of each. Of a log
    /// alone: where every outcome is seen, the mean over models is chosen on its own instead.
    Pooled,
    /// Ridge regression on doubly robust targets. Of a log alone.
    Robust,
    /// Logistic regression, every model on its own outcomes. Compared with others of its kind alone,
    /// and only where that is asked for.
    Logistic,
}

/// A learner at one strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// How it learns.
    pub learner: Learner,
    /// How many times a model's least importance weight its rows may weigh at the most; `None`
    /// where weights are one over the propensity.
    pub clip: Option<f64>,
    /// How strongly it is regularised.
    pub strength: f64,
}

/// A learner at several strengths, solved together; strengths ascend.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) learner: Learner,
    clip: Option<f64>,
    /// Which of [`clipped`]'s weights it takes.
    pub(crate) weights: usize,
    pub(crate) strengths: Vec<f64>,
}

/// What takes part.
#[derive(Debug, Clone)]
pub(crate) enum Learning {
    /// One family, and nothing is compared.
    Alone(Family),
    /// Everything that may pay for such data; of a log, with these targets.
    Together(LogTargets),
    /// What was decided before: candidates of one learner and one clip, their strengths ascending.
    Decided(Vec<Candidate>),
}

/// What every model is fitted to in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogTargets {
    /// The outcomes that were seen.
    Seen,
    /// Those, and beside them doubly robust targets on every row.
    DoublyRobust,
}

/// The strengths on doubly robust targets, over those on outcomes that were seen: noise is larger.
const ROBUST_FACTOR: f64 = 10.0;

/// Ways to clip importance weights. One weighs all rows of a model alike, which has the least
/// variance and is right where the linear model is; unclipped weights are right anywhere.
pub(crate) const CLIPS: [f64; 3] = [10.0, 3.0, 1.0];

impl Learning {
    /// Whether a length can be learned. What it says of costs and output tokens is read off
    /// held-out rows, which a single strength does not ask; levels stand for both then.
    pub(crate) fn learns_lengths(&self) -> bool {
        match self {
            Self::Alone(family) => 1 < family.strengths.len(),
            Self::Together(_) | Self::Decided(_) => true,
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.learner {
            Learner::Ridge => "ridge",
            Learner::Pooled => "pooled",
            Learner::Robust => "robust",
            Learner::Logistic => "logistic",
        };
        write!(f, "{name}-{:03}", self.strength)?;
        self.clip.map_or(Ok(()), |clip| write!(f, "-clip-{clip:02}"))
    }
}

impl Candidate {
    /// Whether it takes part in choices. A shared direction changes none, and the deviations that
    /// a pooled fit leaves chose worse than separate fits wherever it was measured
    /// (docs/decisions/0005-learners.md); what it is for are predictions.
    pub(crate) fn chooses(&self) -> bool {
        match self.learner {
            Learner::Ridge | Learner::Robust | Learner::Logistic => true,
            Learner::Pooled => false,
        }
    }
}

impl Family {
    /// A learner with weights as they are.
    pub(crate) fn new(learner: Learner, strengths: Vec<f64>) -> Self {
        Self { learner, clip: None, weights: 0, strengths }
    }

    /// The family of some candidates of one learner and one clip; of weights that are not clipped
    /// in `n_weights` ways, since they do not vary, it takes those that there are.
    pub(crate) fn of(candidates: &[Candidate], n_weights: usize) -> Self {
        let first = candidates.first();
        let clip = first.and_then(|candidate| candidate.clip);
        let known = |clip: f64| CLIPS.iter().position(|one| one.to_bits() == clip.to_bits());
        let weights = clip.and_then(known).map_or(0, |place| place + 1);
        Self {
            learner: first.map_or(Learner::Ridge, |candidate| candidate.learner),
            clip,
            weights: if weights < n_weights { weights } else { 0 },
            strengths: candidates.iter().map(|candidate| candidate.strength).collect(),
        }
    }

    /// Its candidates, one per strength.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate> {
        let Self { learner, clip, weights: _, strengths } = self;
        strengths.iter().map(|&strength| Candidate { learner: *learner, clip: *clip, strength })
    }
}

/// Weights of shape `(rows, n_models)` with mean one per model; then, where a model's rows do not
/// all weigh the same, those weights clipped in each of [`CLIPS`], at the same mean.
pub(crate) fn clipped(weights: Vec<f32>, n_models: usize) -> Vec<Vec<f32>> {
    let mut ranges = vec![(f32::INFINITY, 0.0_f32); n_models];
    for row in weights.chunks_exact(n_models) {
        for ((least, most), &weight) in ranges.iter_mut().zip(row).filter(|(_, w)| 0.0 < **w) {
            (*least, *most) = (least.min(weight), most.max(weight));
        }
    }
    let is_level = ranges.iter().all(|(least, most)| *most <= 1.001 * least);
    let mut all = vec![weights];
    if !is_level {
        for clip in CLIPS {
            let of_clip = clip_at(&all[0], &ranges, narrow(clip));
            all.push(of_clip);
        }
    }
    all
}

fn clip_at(weights: &[f32], ranges: &[(f32, f32)], clip: f32) -> Vec<f32> {
    let mut totals = vec![(0.0_f64, 0.0_f64); ranges.len()];
    let mut out = weights.to_vec();
    for row in out.chunks_exact_mut(ranges.len()) {
        for ((weight, (least, _)), (before, after)) in row.iter_mut().zip(ranges).zip(&mut totals) {
            *before += f64::from(*weight);
            *weight = weight.min(clip * least);
            *after += f64::from(*weight);
        }
    }
    for row in out.chunks_exact_mut(ranges.len()) {
        for (weight, (before, after)) in row.iter_mut().zip(&totals) {
            if 0.0 < *weight {
                *weight = narrow(f64::from(*weight) * before / after);
            }
        }
    }
    out
}

/// The families that take part, given [`clipped`]'s weights; of a table, ridge regression alone.
pub(crate) fn families(targets: Option<LogTargets>, weights: &[Vec<f32>]) -> Vec<Family> {
    let mut families = vec![Family::new(Learner::Ridge, STRENGTHS.to_vec())];
    let Some(targets) = targets else { return families };
    families.push(Family::new(Learner::Pooled, STRENGTHS.to_vec()));
    if targets == LogTargets::DoublyRobust {
        let strengths = STRENGTHS.iter().map(|strength| ROBUST_FACTOR * strength).collect();
        families.push(Family::new(Learner::Robust, strengths));
    }
    for (clip, weights) in CLIPS.into_iter().zip(1..weights.len()) {
        let strengths = STRENGTHS.to_vec();
        families.push(Family { learner: Learner::Ridge, clip: Some(clip), weights, strengths });
    }
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_do_not_vary_are_not_clipped() {
        let weights = vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
        assert_eq!(clipped(weights.clone(), 2), [weights]);
    }

    #[test]
    fn clipped_weights_keep_their_mean_and_their_range() {
        let all = clipped(vec![0.1, 0.0, 1.9, 0.0, 0.0, 1.0], 2);
        assert_eq!(all.len(), 1 + CLIPS.len());
        for (weights, clip) in all[1..].iter().zip(CLIPS) {
            assert!((weights[0] + weights[2] - 2.0).abs() < 1e-6, "{weights:?}");
            assert!((weights[2] / weights[0] - narrow(clip)).abs() < 1e-3, "{weights:?}");
            assert!((weights[5] - 1.0).abs() < 1e-6, "one outcome has nothing to be clipped to");
        }
    }

    #[test]
    fn decided_candidates_find_their_weights_again() {
        let candidate = |clip, strength| Candidate { learner: Learner::Ridge, clip, strength };
        let places = |clip: Option<f64>, n_weights| {
            let family = Family::of(&[candidate(clip, 3.0), candidate(clip, 10.0)], n_weights);
            assert_eq!(family.strengths, [3.0, 10.0]);
            family.weights
        };
        assert_eq!(places(None, 1 + CLIPS.len()), 0);
        assert_eq!(places(Some(CLIPS[1]), 1 + CLIPS.len()), 2);
        assert_eq!(places(Some(CLIPS[1]), 1), 0, "weights that do not vary are not clipped");
    }

    #[test]
    fn names_tell_candidates_apart() {
        let name = |learner, clip| Candidate { learner, clip, strength: 3.0 }.to_string();
        assert_eq!(name(Learner::Ridge, None), "ridge-003");
        assert_eq!(name(Learner::Ridge, Some(10.0)), "ridge-003-clip-10");
        assert_eq!(name(Learner::Pooled, None), "pooled-003");
    }
}

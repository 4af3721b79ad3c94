//! The interval that is printed when nobody asks for another: as narrow as the rows deserve.
//!
//! Where many rows carry the value, an asymptotic interval is right and narrow: the empirical
//! likelihood where full support is stated, else the skew-corrected t. Where few do, or the target
//! goes where the logger could not, it promises what it cannot keep; then the finite-sample
//! mixture takes its place and [`Reason`]s say why. Values are likeliest under stated support,
//! else self-normalised, and doubly robust where there are predictions. Weakness: a tail of which the
//! rows show nothing at all, such as one ruinous cost in a million rows, is only covered by the
//! finite-sample bounds.

mod reason;

pub use reason::Reason;

use crate::{
    bounds::{self, Bound, BoundError, Evidence, Method, Rival, Side},
    diagnostics::FAR_MEAN_WEIGHT_Z,
    interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod},
    likelihood::Profile,
    moments::{Moments, float_of},
    skewed::SkewedRatio,
};

/// Below this many effective rows no asymptotic interval is given.
pub const ENOUGH_EFFECTIVE_ROWS: f64 = 200.0;

/// Where support is not stated, a mean weight this many standard errors below one is a sign that
/// it is missing.
pub const LIGHT_MEAN_WEIGHT_Z: f64 = 2.0;

/// At least this many rows, equally weighted, must carry each side of the estimate's error.
pub const ENOUGH_CARRYING_ROWS: f64 = 40.0;

/// No row there could be may span more standard errors than this, for the empirical likelihood,
/// which keeps room for rows not seen.
pub const LARGEST_STEP: f64 = 1.0;

/// The same for the skew-corrected t, which keeps none and must go by the heaviest row seen.
pub const LARGEST_STEP_UNSTATED: f64 = 0.4;

/// A skewness of the estimate's error above this is too much to correct for.
pub const TOO_SKEWED: f64 = 0.2;

/// A value with the interval it deserves.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The estimate; `None` where no row tells anything of the policy.
    pub value: Option<f64>,
    /// The interval, at the level that was asked for over all candidates together.
    pub interval: Interval,
    /// Why it is not the asymptotic one, gravest first; empty where it is.
    pub reasons: Vec<Reason>,
    /// How many intervals share the level: each alone misses this many times less often.
    pub n_candidates: usize,
    /// Kish's effective sample size, in rows; of two policies, the smaller.
    pub effective_n: f64,
}

/// A value with the one-sided bound it deserves.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenBound {
    /// The estimate; `None` where no row tells anything of the policy.
    pub value: Option<f64>,
    /// The bound, at the level that was asked for over all candidates together.
    pub bound: Bound,
    /// Why it is not the asymptotic one, gravest first; empty where it is.
    pub reasons: Vec<Reason>,
    /// How many bounds share the level.
    pub n_candidates: usize,
    /// Kish's effective sample size, in rows; of two policies, the smaller.
    pub effective_n: f64,
}

/// The default two-sided interval of the value or the difference, for one of `n_candidates` that
/// are looked at together.
///
/// # Errors
/// [`BoundError::TooFew`] without rows.
pub fn default_interval(
    evidence: &Evidence<'_>,
    level: ConfidenceLevel,
    n_candidates: usize,
) -> Result<Chosen, BoundError> {
    let each = level.shared_among(n_candidates);
    let Look { value, narrow, mut reasons, effective_n } = look(evidence)?;
    let ends = narrow.filter(|_| reasons.is_empty()).and_then(|narrow| {
        let end = |side| narrow.end(evidence, side, each.miss() / 2.0);
        Some((end(Side::Lower)?, end(Side::Upper)?, narrow.method()))
    });
    let interval = match ends {
        Some((lower, upper, method)) => {
            Interval { lower, upper, level, method, kind: IntervalKind::Asymptotic }
        }
        None => {
            match bounds::interval(&doubted(evidence, &reasons), Method::BettingMixture, each) {
                Ok(found) => Interval { level, ..found },
                Err(BoundError::Contradiction { lower: _, upper: _ }) => {
                    reasons.push(Reason::Contradiction);
                    whole_range(evidence, level)
                }
                Err(error) => return Err(error),
            }
        }
    };
    Ok(Chosen { value, interval, reasons, n_candidates: n_candidates.max(1), effective_n })
}

/// The default bound on one side, as a gate needs it: a policy ships if the lower bound of its
/// quality difference and the upper bounds of its cost and latency differences are good enough.
///
/// # Errors
/// As [`default_interval`].
pub fn default_bound(
    evidence: &Evidence<'_>,
    side: Side,
    level: ConfidenceLevel,
    n_candidates: usize,
) -> Result<ChosenBound, BoundError> {
    let each = level.shared_among(n_candidates);
    let Look { value, narrow, reasons, effective_n } = look(evidence)?;
    let end = narrow
        .filter(|_| reasons.is_empty())
        .and_then(|narrow| Some((narrow.end(evidence, side, each.miss())?, narrow.method())));
    let bound = if let Some((bound, method)) = end {
        Bound { bound, side, level, method, kind: IntervalKind::Asymptotic }
    } else {
        let evidence = doubted(evidence, &reasons);
        Bound { level, ..bounds::bound(&evidence, side, Method::BettingMixture, each)? }
    };
    Ok(ChosenBound { value, bound, reasons, n_candidates: n_candidates.max(1), effective_n })
}

/// The evidence without its statement of full support where the weights speak against it.
fn doubted<'a>(evidence: &Evidence<'a>, reasons: &[Reason]) -> Evidence<'a> {
    let is_doubtful = reasons.iter().any(|it| matches!(it, Reason::FarMeanWeight { .. }));
    let largest_weight = evidence.largest_weight.filter(|_| !is_doubtful);
    Evidence { largest_weight, ..*evidence }
}

/// What the rows look like before an interval is chosen.
struct Look {
    value: Option<f64>,
    narrow: Option<Narrow>,
    reasons: Vec<Reason>,
    effective_n: f64,
}

/// An asymptotic interval in the making.
enum Narrow {
    /// Where full support is stated.
    Likelihood(Profile),
    /// Where it is not.
    Skewed(SkewedRatio),
}

impl Narrow {
    fn method(&self) -> IntervalMethod {
        match self {
            Self::Likelihood(_) => IntervalMethod::EmpiricalLikelihood,
            Self::Skewed(_) => IntervalMethod::SkewedT,
        }
    }

    fn value(&self, evidence: &Evidence<'_>) -> f64 {
        match self {
            Self::Likelihood(profile) => profile.value(),
            Self::Skewed(error) => unscaled(evidence, error.value()),
        }
    }

    /// One end, within the range.
    fn end(&self, evidence: &Evidence<'_>, side: Side, miss: f64) -> Option<f64> {
        let (lowest, highest) = evidence.extremes();
        let end = match self {
            Self::Likelihood(profile) => profile.end(side, miss),
            Self::Skewed(error) => unscaled(evidence, error.end(side, miss)?),
        };
        Some(end.clamp(lowest, highest))
    }

    /// A standard error as a share of the range.
    fn spread(&self, evidence: &Evidence<'_>) -> f64 {
        match self {
            Self::Likelihood(profile) => profile.std_error() / evidence.range.width(),
            Self::Skewed(error) => error.std_error(),
        }
    }
}

fn look(evidence: &Evidence<'_>) -> Result<Look, BoundError> {
    if evidence.n_rows() == 0 {
        return Err(BoundError::TooFew { n_rows: 0, needed: 1 });
    }
    let mut reasons = Vec::new();
    if 0.0 < evidence.unsupported_share {
        reasons.push(Reason::MissingSupport { share: evidence.unsupported_share });
    }
    let mut policies = vec![evidence.weights];
    if let Rival::Policy(weights) = evidence.rival {
        policies.push(weights);
    }
    let mut effective_n = float_of(evidence.n_rows());
    for weights in policies {
        let moments = Moments::of(weights);
        effective_n = effective_n.min(crate::diagnostics::effective_n(&moments));
        if let Some(mean) = crate::diagnostics::mean_weight(&moments)
            && (FAR_MEAN_WEIGHT_Z < mean.z_score.abs()
                || evidence.largest_weight.is_none() && mean.z_score < -LIGHT_MEAN_WEIGHT_Z)
        {
            reasons.push(Reason::FarMeanWeight { mean: mean.mean, z_score: mean.z_score });
        }
    }
    if effective_n < ENOUGH_EFFECTIVE_ROWS {
        reasons.push(Reason::FewEffectiveRows { effective_n });
    }
    let Some((numerators, denominators)) = columns(evidence) else {
        return Ok(Look { value: None, narrow: None, reasons, effective_n });
    };
    let Some(error) = SkewedRatio::of(&numerators, &denominators) else {
        reasons.push(Reason::NoSpread);
        let value = numerators.iter().sum::<f64>() / denominators.iter().sum::<f64>();
        let value = Some(unscaled(evidence, value)).filter(|it| it.is_finite());
        return Ok(Look { value, narrow: None, reasons, effective_n });
    };
    let narrow = match Profile::of(evidence) {
        Ok(profile) => Narrow::Likelihood(profile),
        Err(_) => Narrow::Skewed(error),
    };
    let (span, largest_step) = match &narrow {
        Narrow::Likelihood(profile) => (profile.span(), LARGEST_STEP),
        Narrow::Skewed(_) => {
            (evidence.weights.iter().copied().fold(1.0, f64::max), LARGEST_STEP_UNSTATED)
        }
    };
    let step = span / (float_of(evidence.n_rows()) * narrow.spread(evidence));
    if largest_step < step {
        reasons.push(Reason::HeavyRows { step });
    }
    if let Narrow::Skewed(error) = &narrow {
        reasons.extend(rarity(&numerators, &denominators, error));
    }
    Ok(Look { value: Some(narrow.value(evidence)), narrow: Some(narrow), reasons, effective_n })
}

/// Signs that rows are missing which would have moved the value far.
fn rarity(numerators: &[f64], denominators: &[f64], error: &SkewedRatio) -> Option<Reason> {
    let value = error.value();
    let (mut above, mut below) = ((0.0, 0.0), (0.0, 0.0));
    for (a, b) in numerators.iter().zip(denominators) {
        let influence = a - value * b;
        let side = if 0.0 < influence { &mut above } else { &mut below };
        side.0 += influence;
        side.1 += influence * influence;
    }
    let carrying =
        |(sum, squares): (f64, f64)| if squares > 0.0 { sum * sum / squares } else { 0.0 };
    let carrying_n = carrying(above).min(carrying(below));
    if carrying_n < ENOUGH_CARRYING_ROWS {
        return Some(Reason::RareEvents { carrying_n });
    }
    let skewness = error.skewness() / float_of(numerators.len()).sqrt();
    (TOO_SKEWED < skewness.abs()).then_some(Reason::Skewed { skewness })
}

/// Numerators and denominators whose ratio of means is the scaled estimate; `None` where no row
/// has weight.
fn columns(evidence: &Evidence<'_>) -> Option<(Vec<f64>, Vec<f64>)> {
    let rows = 0..evidence.n_rows();
    let ones = || vec![1.0; evidence.n_rows()];
    if let Some(robust) = bounds::doubly_robust_values(evidence) {
        return Some((robust, ones()));
    }
    let outcomes: Vec<f64> = rows.map(|row| bounds::scaled_value(evidence, row)).collect();
    match evidence.rival {
        Rival::Nothing => {
            let products = evidence.weights.iter().zip(&outcomes).map(|(w, r)| w * r).collect();
            let has_weight = evidence.weights.iter().any(|&it| 0.0 < it);
            has_weight.then(|| (products, evidence.weights.to_vec()))
        }
        Rival::Logged => {
            let own = self_normalised(evidence.weights, &outcomes)?;
            let differences = own.iter().zip(&outcomes).map(|(own, theirs)| own - theirs).collect();
            Some((differences, ones()))
        }
        Rival::Policy(weights) => {
            let own = self_normalised(evidence.weights, &outcomes)?;
            let theirs = self_normalised(weights, &outcomes)?;
            let differences = own.iter().zip(&theirs).map(|(own, theirs)| own - theirs).collect();
            Some((differences, ones()))
        }
    }
}

/// One value per row whose mean is the self-normalised estimate and whose spread is its error.
fn self_normalised(weights: &[f64], outcomes: &[f64]) -> Option<Vec<f64>> {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let pairs = || weights.iter().zip(outcomes);
    let value = pairs().map(|(weight, outcome)| weight * outcome).sum::<f64>() / total;
    let mean_weight = total / float_of(weights.len());
    Some(
        pairs().map(|(weight, outcome)| value + weight * (outcome - value) / mean_weight).collect(),
    )
}

/// From shares of the range to the unit of the outcome.
fn unscaled(evidence: &Evidence<'_>, share: f64) -> f64 {
    let range = evidence.range;
    match evidence.rival {
        Rival::Nothing => range.lower() + range.width() * share,
        Rival::Logged | Rival::Policy(_) => range.width() * share,
    }
}

fn whole_range(evidence: &Evidence<'_>, level: ConfidenceLevel) -> Interval {
    let (lower, upper) = evidence.extremes();
    let (method, kind) = (IntervalMethod::WholeRange, IntervalKind::FiniteSample);
    Interval { lower, upper, level, method, kind }
}

#[cfg(test)]
mod tests;

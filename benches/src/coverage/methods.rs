//! Every interval of the study, on one log.

use super::{
    peers::{obp_bootstrap, vw_cressieread, vw_gaussian},
    tables::count,
};
use pointsman_eval::{
    bootstrap::Buckets,
    bounds::{self, Evidence, Method, Predicted, Rival, Side},
    choice::{default_bound, default_interval},
    interval::{ConfidenceLevel, Interval, IntervalKind},
    likelihood,
    sequence::Sequence,
    skewed::SkewedRatio,
};

/// One log against one policy.
#[derive(Debug)]
pub struct Log<'a> {
    /// The rows, with the range stated and nothing else.
    pub evidence: Evidence<'a>,
    /// The policy's weights.
    pub weights: &'a [f64],
    /// The outcomes, scaled to the range.
    pub scaled: &'a [f64],
    /// A reward model's predictions.
    pub predicted: Predicted<'a>,
    /// One over the logger's smallest probability.
    pub largest_weight: f64,
    /// Tells resamples of different logs apart.
    pub key: u64,
    /// Whether to run the slow ones too.
    pub with_slow: bool,
}

/// What one method says: its ends in shares of the range, and whether it is asymptotic.
pub type Said = (&'static str, f64, f64, bool);

/// Two-sided intervals at 95 %.
pub fn intervals(log: &Log<'_>, unscaled: impl Fn(f64) -> f64) -> Vec<Said> {
    let level = ConfidenceLevel::P95;
    let mut said: Vec<Said> = Vec::new();
    let mut add = |name: &'static str, found: Option<Interval>| {
        if let Some(it) = found {
            said.push((name, it.lower, it.upper, it.kind == IntervalKind::Asymptotic));
        }
    };
    let plain = log.evidence;
    let Ok(full) = plain.with_full_support(log.largest_weight) else { return Vec::new() };
    let Ok(robust) = full.with_predictions(log.predicted) else { return Vec::new() };
    let chosen = |evidence| default_interval(evidence, level, 1).ok().map(|it| it.interval);
    add("default", chosen(&full));
    add("default + predictions", chosen(&robust));
    let bound = |evidence, method| bounds::interval(evidence, method, level).ok();
    add("betting + support unknown", bound(&plain, Method::BettingMixture));
    add("betting + full support", bound(&full, Method::BettingMixture));
    add("betting + predictions", bound(&robust, Method::BettingMixture));
    add("log smoothing", bound(&plain, Method::LogSmoothing));
    add("empirical Bernstein", bound(&full, Method::EmpiricalBernstein));
    let products: Vec<f64> = log.weights.iter().zip(log.scaled).map(|(w, r)| w * r).collect();
    let ratio = SkewedRatio::of(&products, log.weights);
    let unscale = |lower: f64, upper: f64, kind| {
        Some(Interval {
            lower: unscaled(lower),
            upper: unscaled(upper),
            level,
            method: pointsman_eval::interval::IntervalMethod::NormalRatio,
            kind,
        })
    };
    let asymptotic = |lower, upper| unscale(lower, upper, IntervalKind::Asymptotic);
    let skewed = ratio.and_then(|it| it.interval(level));
    add("skew-corrected t", skewed.and_then(|it| asymptotic(it.lower, it.upper)));
    let wald = ratio.map(|it| (it.value(), 1.959_964 * it.std_error()));
    add("normal SNIPS", wald.and_then(|(value, reach)| asymptotic(value - reach, value + reach)));
    let gaussian = vw_gaussian(&products);
    add("VW gaussian", asymptotic(gaussian.0, gaussian.1));
    let cressieread = vw_cressieread(log.weights, log.scaled, log.largest_weight);
    add("VW cressieread", asymptotic(cressieread.0, cressieread.1));
    if log.with_slow {
        add("empirical likelihood", likelihood::interval(&full, level).ok());
        add("sequence", Sequence::start(&full).and_then(|it| it.interval(level)).ok());
        add("betting in order", bound(&plain, Method::BettingInOrder));
        let mut buckets = Buckets::default();
        buckets.push_all(0, &products, log.weights);
        let poisson = buckets.interval(level, 400, log.key);
        add("Poisson bootstrap", poisson.and_then(|it| asymptotic(it.lower, it.upper)));
        let fixed = obp_bootstrap(&products, log.key);
        add("OBP bootstrap + ipw", fixed.and_then(|it| asymptotic(it.0, it.1)));
        let total: f64 = log.weights.iter().sum();
        let mean = total / count(log.weights.len());
        let normed = fixed.filter(|_| 0.0 < mean);
        add("OBP bootstrap + snipw", normed.and_then(|it| asymptotic(it.0 / mean, it.1 / mean)));
    }
    said
}

/// One-sided bounds of the difference to `rival` at 95 %: below for quality, above for cost. The
/// other end is that of the estimate, so that the width is the reach of the bound.
pub fn differences(log: &Log<'_>, rival: Rival<'_>, side: Side) -> Vec<Said> {
    let level = ConfidenceLevel::P95;
    let Ok(evidence) =
        log.evidence.against(rival).and_then(|it| it.with_full_support(log.largest_weight))
    else {
        return Vec::new();
    };
    let mut said = Vec::new();
    let mut add = |name, end: f64, is_asymptotic| match side {
        Side::Lower => said.push((name, end, f64::INFINITY, is_asymptotic)),
        Side::Upper => said.push((name, f64::NEG_INFINITY, end, is_asymptotic)),
    };
    if let Ok(found) = default_bound(&evidence, side, level, 1) {
        add("gate", found.bound.bound, found.bound.kind == IntervalKind::Asymptotic);
    }
    if log.with_slow
        && let Ok(robust) = evidence.with_predictions(log.predicted)
        && let Ok(found) = default_bound(&robust, side, level, 1)
    {
        add("gate + predictions", found.bound.bound, found.bound.kind == IntervalKind::Asymptotic);
    }
    if let Ok(found) = bounds::bound(&evidence, side, Method::BettingMixture, level) {
        add("gate by betting", found.bound, false);
    }
    said
}

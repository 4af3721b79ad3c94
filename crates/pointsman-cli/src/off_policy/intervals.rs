//! The intervals of one estimate, and which of them is the default one.
//!
//! The normal interval is of what the estimate averages. All others are of the policy's value, from
//! what the estimate rests on: weights, clipped weights, or weights and predictions. Clipping only
//! ever takes from a bound, so that bounds on clipped rows still hold; other tempering may add as
//! well as take, and leaves the normal interval alone. Weakness: a range of rewards that is not
//! stated is that of the rows seen, and nothing that rests on it is called finite-sample.

use pointsman_eval::{
    bounds::{self, BoundError, Evidence, Method, Predicted, ValueRange},
    choice::default_interval,
    estimators::{Estimator, PartialEstimate},
    interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod},
    rounds::{LoggedRounds, Predictions},
};

/// Which intervals are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum IntervalChoice {
    /// The normal one alone, in memory that does not grow with the log.
    Normal,
    /// The default one as well, which is a finite-sample one where rows are few or heavy.
    Default,
    /// And every finite-sample one.
    All,
}

/// What is known without the rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Stated {
    pub(crate) reward_range: Option<ValueRange>,
    /// The least probability that the logger gives any action.
    pub(crate) smallest_propensity: Option<f64>,
}

/// The rows that intervals of the value need, kept while the log is read.
#[derive(Debug, Default)]
pub(crate) struct KeptRows {
    weight: Vec<f64>,
    reward: Vec<f64>,
    /// Empty where there are none.
    predictions: Predictions,
    mrdr_predictions: Predictions,
}

impl KeptRows {
    /// Adds rows.
    pub(crate) fn push(&mut self, rounds: &LoggedRounds) {
        self.weight.extend_from_slice(rounds.weight());
        self.reward.extend_from_slice(rounds.reward());
        let both = [
            (&mut self.predictions, rounds.predictions()),
            (&mut self.mrdr_predictions, rounds.mrdr_predictions()),
        ];
        for (kept, found) in both {
            if let Some(Predictions { taken, expected }) = found {
                kept.taken.extend_from_slice(taken);
                kept.expected.extend_from_slice(expected);
            }
        }
    }

    /// Holds the rows against what is stated about them.
    ///
    /// # Errors
    /// [`BoundError`] for the first row that refutes it.
    pub(crate) fn check(&self, stated: &Stated) -> Result<(), BoundError> {
        let Stated { reward_range, smallest_propensity } = stated;
        let Some(range) = reward_range.or_else(|| self.seen_range(None)) else { return Ok(()) };
        let evidence = Evidence::new(&self.weight, &self.reward, range)?;
        match smallest_propensity {
            Some(smallest) => evidence.with_full_support(1.0 / smallest).map(|_| ()),
            None => Ok(()),
        }
    }

    /// From the lowest to the highest of the rewards and predictions; `None` where all are equal.
    fn seen_range(&self, predictions: Option<&Predictions>) -> Option<ValueRange> {
        let predicted = predictions.into_iter().flat_map(|it| it.taken.iter().chain(&it.expected));
        let all = || self.reward.iter().chain(predicted.clone()).copied();
        let lowest = all().fold(f64::INFINITY, f64::min);
        ValueRange::new(lowest, all().fold(f64::NEG_INFINITY, f64::max)).ok()
    }
}

/// One interval of an estimate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) interval: Interval,
    /// Why it is the default one, where it is.
    pub(crate) default_because: Option<String>,
    /// Whether it takes the rewards seen for all that there can be.
    pub(crate) has_seen_range: bool,
}

impl Shown {
    fn plain(interval: Interval) -> Self {
        Self { interval, default_because: None, has_seen_range: false }
    }
}

/// The intervals of one estimate; never none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) shown: Vec<Shown>,
    /// What was asked for and cannot be had, a sentence each.
    pub(crate) left_out: Vec<String>,
}

/// What an estimate knows of the policy's value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Basis {
    Weights,
    Clipped(f64),
    Predictions,
    MrdrPredictions,
}

/// Intervals for any number of estimates on the same rows.
#[derive(Debug)]
pub(crate) struct Intervals<'r> {
    level: ConfidenceLevel,
    choice: IntervalChoice,
    stated: Stated,
    rows: &'r KeptRows,
    /// Several estimates rest on the same.
    known: Vec<(Basis, Result<Found, String>)>,
}

impl<'r> Intervals<'r> {
    pub(crate) fn new(
        level: ConfidenceLevel,
        choice: IntervalChoice,
        stated: Stated,
        rows: &'r KeptRows,
    ) -> Self {
        Self { level, choice, stated, rows, known: Vec::new() }
    }

    /// The intervals of one estimate, the normal one first; `is_tuned` where its λ was chosen on
    /// the same rows.
    ///
    /// # Errors
    /// A sentence where there is none.
    pub(crate) fn of(&mut self, sums: &PartialEstimate, is_tuned: bool) -> Result<Found, String> {
        let normal = sums.finish(self.level).map_err(|reason| reason.to_string());
        let normal = normal.map(|found| Shown::plain(found.interval));
        if self.choice == IntervalChoice::Normal {
            return normal.map(|only| Found { shown: vec![only], left_out: Vec::new() });
        }
        let of_value = match basis(sums.estimator()) {
            Ok(Basis::Clipped(_)) if is_tuned => Err("λ was chosen on the same rows".to_owned()),
            Ok(basis) => self.by(basis),
            Err(why) => Err(why.to_owned()),
        };
        match (normal, of_value) {
            (normal, Ok(Found { shown, left_out })) => {
                Ok(Found { shown: normal.into_iter().chain(shown).collect(), left_out })
            }
            (Ok(normal), Err(why)) => {
                let because = format!("it is the only one, since {why}");
                let only = Shown { default_because: Some(because), ..normal };
                Ok(Found { shown: vec![only], left_out: Vec::new() })
            }
            (Err(reason), Err(_)) => Err(reason),
        }
    }

    fn by(&mut self, basis: Basis) -> Result<Found, String> {
        if let Some((_, found)) = self.known.iter().find(|(known, _)| *known == basis) {
            return found.clone();
        }
        let found = self.compute(basis);
        self.known.push((basis, found.clone()));
        found
    }

    /// The default interval first, then what else was asked for.
    fn compute(&self, basis: Basis) -> Result<Found, String> {
        let weights: Vec<f64> = match basis {
            Basis::Clipped(largest) => self.rows.weight.iter().map(|it| it.min(largest)).collect(),
            Basis::Weights | Basis::Predictions | Basis::MrdrPredictions => Vec::new(),
        };
        let (weights, may_be_full) = match basis {
            Basis::Clipped(_) => (&weights[..], false),
            Basis::Weights | Basis::Predictions | Basis::MrdrPredictions => {
                (&self.rows.weight[..], true)
            }
        };
        let predictions = match basis {
            Basis::Weights | Basis::Clipped(_) => None,
            Basis::Predictions => Some(&self.rows.predictions),
            Basis::MrdrPredictions => Some(&self.rows.mrdr_predictions),
        };
        let range = self.stated.reward_range.or_else(|| self.rows.seen_range(predictions));
        let range = range.ok_or("all rewards are equal, and no --reward-range is stated")?;
        let smallest = self.stated.smallest_propensity.filter(|_| may_be_full);
        let sentence = |reason: BoundError| reason.to_string();
        let evidence = evidence((weights, &self.rows.reward[..]), range, predictions, smallest);
        let evidence = evidence.map_err(sentence)?;
        let mut found = Found {
            shown: vec![self.default_of(&evidence, basis).map_err(sentence)?],
            left_out: Vec::new(),
        };
        if self.choice == IntervalChoice::All {
            self.add_bounds(&evidence, basis, &mut found);
        }
        if self.stated.reward_range.is_none() {
            for shown in &mut found.shown {
                shown.has_seen_range = true;
                shown.interval.kind = IntervalKind::Asymptotic;
            }
        }
        Ok(found)
    }

    fn default_of(&self, evidence: &Evidence<'_>, basis: Basis) -> Result<Shown, BoundError> {
        let (interval, because) = match basis {
            Basis::Clipped(_) => (
                bounds::interval(evidence, Method::BettingMixture, self.level)?,
                "what a clip takes from the value is not known, and no asymptotic interval has \
                 room for it"
                    .to_owned(),
            ),
            Basis::Weights | Basis::Predictions | Basis::MrdrPredictions => {
                let chosen = default_interval(evidence, self.level, 1)?;
                let reasons: Vec<String> = chosen.reasons.iter().map(ToString::to_string).collect();
                let because = if reasons.is_empty() {
                    "enough rows carry the value for an asymptotic interval".to_owned()
                } else {
                    reasons.join("; ")
                };
                (chosen.interval, because)
            }
        };
        Ok(Shown { default_because: Some(because), ..Shown::plain(interval) })
    }

    /// Every finite-sample interval but the default one. Smoothing and Bernstein's bound know
    /// nothing of predictions.
    fn add_bounds(&self, evidence: &Evidence<'_>, basis: Basis, found: &mut Found) {
        let methods: &[Method] = match basis {
            Basis::Weights => {
                &[Method::BettingMixture, Method::LogSmoothing, Method::EmpiricalBernstein]
            }
            Basis::Clipped(_) => &[Method::LogSmoothing],
            Basis::Predictions | Basis::MrdrPredictions => &[Method::BettingMixture],
        };
        let has_mixture = |shown: &Shown| shown.interval.method == IntervalMethod::BettingMixture;
        for &method in methods {
            if method == Method::BettingMixture && found.shown.iter().any(has_mixture) {
                continue;
            }
            match bounds::interval(evidence, method, self.level) {
                Ok(interval) => found.shown.push(Shown::plain(interval)),
                Err(reason) => found.left_out.push(reason.to_string()),
            }
        }
    }
}

/// What the estimate rests on, or why no interval of the value does.
fn basis(estimator: Estimator) -> Result<Basis, &'static str> {
    match estimator {
        Estimator::Ips { clip: None } | Estimator::Snips => Ok(Basis::Weights),
        Estimator::Ips { clip: Some(clip) } => Ok(Basis::Clipped(clip.get())),
        Estimator::SgIps { bend } if bend.get() == 0.0 => Ok(Basis::Weights),
        Estimator::Dr { clip: None } | Estimator::Sndr => Ok(Basis::Predictions),
        Estimator::SwitchDr { threshold } | Estimator::DrOs { threshold }
            if threshold.get().is_infinite() =>
        {
            Ok(Basis::Predictions)
        }
        Estimator::SgDr { bend } if bend.get() == 0.0 => Ok(Basis::Predictions),
        Estimator::Mrdr { clip: None } => Ok(Basis::MrdrPredictions),
        Estimator::Dr { clip: Some(_) }
        | Estimator::Mrdr { clip: Some(_) }
        | Estimator::SwitchDr { threshold: _ }
        | Estimator::DrOs { threshold: _ }
        | Estimator::SgIps { bend: _ }
        | Estimator::SgDr { bend: _ } => Err("tempered weights move it by an unknown amount"),
        Estimator::Dm => Err("nothing bounds how wrong its predictions are"),
        Estimator::BalancedIps { clip: _ } => Err("nothing bounds how wrong its weights are"),
        Estimator::Mle | Estimator::CressieRead => Err("it is no mean of rows"),
        Estimator::Replay => Err("it values only the rows that it keeps"),
    }
}

fn evidence<'a>(
    (weights, rewards): (&'a [f64], &'a [f64]),
    range: ValueRange,
    predictions: Option<&'a Predictions>,
    smallest_propensity: Option<f64>,
) -> Result<Evidence<'a>, BoundError> {
    let mut evidence = Evidence::new(weights, rewards, range)?;
    if let Some(Predictions { taken, expected }) = predictions {
        let predicted = Predicted { taken, expected, expected_by_rival: &[] };
        evidence = evidence.with_predictions(predicted)?;
    }
    match smallest_propensity {
        Some(smallest) => evidence.with_full_support(1.0 / smallest),
        None => Ok(evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_eval::rounds::RoundColumns;

    /// An even logger of two actions and rewards in [0, 1]; the policy takes the drawn one with
    /// 0.75 in every other row.
    fn rounds(n_rows: usize) -> LoggedRounds {
        let even = |row: usize| row.is_multiple_of(2);
        let columns = RoundColumns {
            propensity: vec![0.5; n_rows],
            target: (0..n_rows).map(|row| if even(row) { 0.75 } else { 0.25 }).collect(),
            reward: (0..n_rows).map(|row| if row % 3 == 0 { 1.0 } else { 0.0 }).collect(),
            predictions: Some(Predictions {
                taken: vec![0.25; n_rows],
                expected: vec![0.25; n_rows],
            }),
            ..RoundColumns::default()
        };
        LoggedRounds::new(columns).unwrap()
    }

    fn unit() -> Stated {
        let reward_range = Some(ValueRange::QUALITY);
        Stated { reward_range, smallest_propensity: Some(0.5) }
    }

    fn found(name: &str, lambda: Option<f64>, choice: IntervalChoice, stated: Stated) -> Found {
        let rounds = rounds(1200);
        let mut rows = KeptRows::default();
        rows.push(&rounds);
        rows.check(&stated).unwrap();
        let estimator = Estimator::named(name).unwrap();
        let estimator = lambda.map_or(estimator, |lambda| estimator.at(lambda).unwrap());
        let sums = PartialEstimate::of(&rounds, estimator).unwrap();
        Intervals::new(ConfidenceLevel::P95, choice, stated, &rows).of(&sums, false).unwrap()
    }

    fn methods(found: &Found) -> Vec<&'static str> {
        found.shown.iter().map(|shown| shown.interval.method.name()).collect()
    }

    #[track_caller]
    fn check(name: &str, lambda: Option<f64>, expected: &[&str]) {
        let found = found(name, lambda, IntervalChoice::All, unit());
        assert_eq!(methods(&found), expected, "{name} {:?}", found.left_out);
        let n_default = found.shown.iter().filter(|it| it.default_because.is_some()).count();
        assert_eq!(n_default, 1, "{name}");
    }

    #[test]
    fn every_estimate_has_the_intervals_that_its_rows_allow() {
        let [mixture, smoothing] = ["betting mixture", "logarithmic smoothing"];
        let weights = ["empirical likelihood", mixture, smoothing, "empirical Bernstein"];
        check("ipw", None, &[&["normal mean"][..], &weights].concat());
        check("snipw", None, &[&["normal ratio"][..], &weights].concat());
        check("ipw", Some(1.25), &["normal mean", mixture, smoothing]);
        check("dr", None, &["normal mean", "empirical likelihood", mixture]);
        check("dr", Some(1.25), &["normal mean"]);
        check("sg-dr", Some(0.0), &["normal mean", "empirical likelihood", mixture]);
        check("dm", None, &["normal mean"]);
    }

    /// A third of the rewards are one whatever the weight.
    #[test]
    fn bounds_hold_the_value_and_are_named_by_what_is_stated() {
        for stated in [unit(), Stated::default()] {
            for name in ["ipw", "snipw", "dr"] {
                for shown in found(name, None, IntervalChoice::All, stated).shown {
                    assert!(shown.interval.contains(1.0 / 3.0), "{name} {shown:?}");
                    let is_exact = shown.interval.kind == IntervalKind::FiniteSample;
                    assert!(!is_exact || stated.reward_range.is_some(), "{name} {shown:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_asked_for_is_not_computed() {
        let normal = found("ipw", None, IntervalChoice::Normal, unit());
        assert_eq!(methods(&normal), ["normal mean"]);
        let both = found("ipw", None, IntervalChoice::Default, unit());
        assert_eq!(methods(&both), ["normal mean", "empirical likelihood"]);
    }

    #[test]
    fn rows_that_refute_a_statement_are_named() {
        let mut rows = KeptRows::default();
        rows.push(&rounds(4));
        let low = Stated { reward_range: ValueRange::new(0.0, 0.5).ok(), ..unit() };
        assert!(rows.check(&low).unwrap_err().to_string().starts_with("row 0: value 1 is outside"));
        let large = Stated { smallest_propensity: Some(0.75), ..unit() };
        assert!(rows.check(&large).unwrap_err().to_string().starts_with("row 0: weight 1.5"));
    }
}

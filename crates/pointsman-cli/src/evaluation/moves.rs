//! What moves: which requests change model, from which to which, and what that is worth.
//!
//! Two policies that draw need not agree on a single request to be one and the same. So as little
//! as can be is said to move: the share that both give a model stays, and what one gives more goes,
//! in proportion, to the models that the other gives more. The value of a pair of models is what
//! it adds to the mean of all requests; all pairs together add up to the whole difference. Pairs
//! are shown by the share of requests that they move, never by outcomes, and all intervals hold
//! together. On a log, quality is doubly robust where a reward model was learned from it, else by
//! weights alone. Weakness: on a log a pair of few requests has a wide interval, since nothing but
//! those requests tells of it.

use super::{
    Recorder, Settings, Used,
    logged_interval::{self, Shared},
    logged_values::OnLog,
    rewards::{CrossFitted, PredictedMove},
    target::Reward,
};
use crate::{
    policy_flags::LoadedPolicy,
    report::{Gain, IntervalKind, MoveRow, Moves},
};
use anyhow::Result;
use pointsman_core::units::len_as_float;
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_eval::{
    choice::Chosen,
    estimators::{Estimator, influence_values},
    full::{MeanValue, mean_value, paired_difference},
    interval::ConfidenceLevel,
    rounds::{LoggedRounds, RoundColumns},
};

/// At most so many pairs are shown for each policy.
const MOST_PAIRS: usize = 8;

/// Pairs that move less than this share of requests are not shown by themselves.
const LEAST_SHARE: f64 = 0.001;

/// A share of one request below this is the rounding of logged probabilities.
const ROUNDING: f64 = 1e-6;

/// Who chooses a model for each request.
enum Chooser<'a> {
    /// The logger.
    Logger(&'a TrafficLog),
    /// A policy, and where it has each model.
    Policy(&'a Recorder<'a>, Vec<Option<usize>>),
    /// One model for everything.
    Always(usize),
}

/// From one way to choose to another, on some requests.
struct Change<'a> {
    /// The name of what is left.
    against: String,
    /// The name of what takes over.
    policy: String,
    /// Every model that either may choose.
    models: &'a [String],
    from: Chooser<'a>,
    to: Chooser<'a>,
    /// Their places among the requests that were read.
    requests: &'a [usize],
}

/// What is known of outcomes on the requests of a change.
pub(super) enum Outcomes<'a> {
    /// Of every model, row after row.
    Known { quality: &'a [f64], cost_usd: Option<&'a [f64]> },
    /// Of the model that was drawn; and what was learned of the others, if anything was.
    Logged { log: &'a TrafficLog, used: &'a Used, fitted: Option<&'a CrossFitted> },
}

/// One pair of models, and the mean share of a request that moves.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    from: usize,
    to: usize,
    share: f64,
}

/// What moves on a log: from what was logged, or from the policy that it is held against.
pub(super) fn of_log(
    on_log: &OnLog<'_>,
    recorders: &[Recorder<'_>],
    settings: &Settings,
) -> Result<Vec<Moves>> {
    // A pair of models has no value of its own where answers are escalated.
    if recorders.iter().any(|recorder| recorder.later.is_some()) {
        return Ok(Vec::new());
    }
    let OnLog { log, used, fitted, .. } = *on_log;
    let mut models = log.models.clone();
    for recorder in recorders {
        for name in recorder.policy.models() {
            if !models.iter().any(|known| known == name) {
                models.push(name.to_owned());
            }
        }
    }
    let logger = || ("what was logged".to_owned(), Chooser::Logger(log));
    let changes = changes(recorders, settings, (&models[..], &used.rows[..]), &logger);
    moves(&changes, &Outcomes::Logged { log, used, fitted }, settings)
}

/// What moves on a table: from its best single model, or from the policy that it is held against.
pub(super) fn of_table(
    known: &Outcomes<'_>,
    (models, requests, best_single): (&[String], &[usize], usize),
    recorders: &[Recorder<'_>],
    settings: &Settings,
) -> Result<Vec<Moves>> {
    let single = || (format!("always `{}`", models[best_single]), Chooser::Always(best_single));
    moves(&changes(recorders, settings, (models, requests), &single), known, settings)
}

/// A change for each policy; the recorder of what they are held against comes last.
fn changes<'a>(
    recorders: &'a [Recorder<'a>],
    settings: &Settings,
    (models, requests): (&'a [String], &'a [usize]),
    otherwise: &dyn Fn() -> (String, Chooser<'a>),
) -> Vec<Change<'a>> {
    let rival = settings.against.as_ref().zip(recorders.get(settings.policies.len()));
    let change = |(loaded, recorder): (&LoadedPolicy, &'a Recorder<'a>)| {
        let (against, from) = match rival {
            Some((rival, recorder)) => {
                (format!("`{}`", rival.name), Chooser::policy(recorder, models))
            }
            None => otherwise(),
        };
        let (policy, to) = (loaded.name.clone(), Chooser::policy(recorder, models));
        Change { against, policy, models, from, to, requests }
    };
    settings.policies.iter().zip(recorders).map(change).collect()
}

/// What moves by every change, at a level that all their intervals hold together.
fn moves(
    changes: &[Change<'_>],
    outcomes: &Outcomes<'_>,
    settings: &Settings,
) -> Result<Vec<Moves>> {
    let pairs: Vec<Vec<Pair>> = changes.iter().map(Change::pairs).collect();
    let shown = |pairs: &[Pair]| -> Vec<Pair> {
        pairs.iter().copied().filter(|it| LEAST_SHARE <= it.share).take(MOST_PAIRS).collect()
    };
    let n_metrics = if outcomes.has_costs() { 2 } else { 1 };
    let n_intervals = n_metrics * pairs.iter().map(|pairs| shown(pairs).len()).sum::<usize>();
    let shared = Shared { level: settings.level, n_candidates: n_intervals };
    let mut found = Vec::with_capacity(changes.len());
    for (change, pairs) in changes.iter().zip(&pairs) {
        let shown = shown(pairs);
        let mut rows = Vec::with_capacity(shown.len());
        for pair in &shown {
            let (quality, cost_usd) = outcomes.gains(change, *pair, shared)?;
            let name = |model: usize| change.models[model].clone();
            let (from, to, share) = (name(pair.from), name(pair.to), pair.share);
            rows.push(MoveRow { from, to, share, quality, cost_usd });
        }
        let moved_share = pairs.iter().fold(0.0, |sum, pair| sum + pair.share);
        let shown_share = shown.iter().fold(0.0, |sum, pair| sum + pair.share);
        found.push(Moves {
            policy: change.policy.clone(),
            against: change.against.clone(),
            moved_share,
            n_pairs_not_shown: pairs.len() - shown.len(),
            not_shown_share: (moved_share - shown_share).max(0.0),
            n_intervals,
            rows,
        });
    }
    Ok(found)
}

impl<'a> Chooser<'a> {
    /// A policy among these models.
    fn policy(recorder: &'a Recorder<'a>, models: &[String]) -> Self {
        Self::Policy(recorder, recorder.places(models))
    }

    /// Each model's share of one request.
    fn fill(&self, request: usize, shares: &mut [f64]) {
        shares.fill(0.0);
        match self {
            Self::Logger(log) => {
                let n_models = log.models.len();
                let logged = &log.probabilities[request * n_models..][..n_models];
                shares.iter_mut().zip(logged).for_each(|(share, it)| *share = f64::from(*it));
            }
            Self::Policy(recorder, places) => {
                let probability = &recorder.probability[recorder.span(request)];
                for (share, place) in shares.iter_mut().zip(places) {
                    *share = place.map_or(0.0, |place| probability[place]);
                }
            }
            Self::Always(model) => shares[*model] = 1.0,
        }
    }
}

impl Change<'_> {
    /// Calls `visit` with the place of each request and with each model's share before and after.
    fn for_each(&self, mut visit: impl FnMut(usize, &[f64], &[f64])) {
        let (mut before, mut after) = (vec![0.0; self.models.len()], vec![0.0; self.models.len()]);
        for (row, &request) in self.requests.iter().enumerate() {
            self.from.fill(request, &mut before);
            self.to.fill(request, &mut after);
            visit(row, &before, &after);
        }
    }

    /// Every pair that moves anything, the largest first.
    fn pairs(&self) -> Vec<Pair> {
        let n_models = self.models.len();
        let mut sums = vec![0.0; n_models * n_models];
        self.for_each(|_, before, after| {
            for from in (0..n_models).filter(|&it| after[it] < before[it]) {
                for to in (0..n_models).filter(|&it| before[it] < after[it]) {
                    sums[from * n_models + to] += share_of(before, after, (from, to));
                }
            }
        });
        let n_rows = len_as_float(self.requests.len().max(1));
        let pair = |(at, sum): (usize, &f64)| Pair {
            from: at / n_models,
            to: at % n_models,
            share: sum / n_rows,
        };
        let mut pairs: Vec<Pair> =
            sums.iter().enumerate().map(pair).filter(|it| ROUNDING < it.share).collect();
        // A stable sort: equal shares stay in the order of the models.
        pairs.sort_by(|a, b| b.share.total_cmp(&a.share));
        pairs
    }

    /// The share of each request that one pair moves.
    fn shares(&self, pair: Pair) -> Vec<f64> {
        let mut shares = vec![0.0; self.requests.len()];
        self.for_each(|row, before, after| {
            shares[row] = share_of(before, after, (pair.from, pair.to));
        });
        shares
    }

    /// The mean of what a pair moves from or to models that the logger could not have drawn.
    fn unsupported(&self, pair: Pair, shares: &[f64], log: &TrafficLog) -> f64 {
        let n_models = log.models.len();
        let could = |request: usize, model: usize| {
            model < n_models && 0.0 < log.probabilities[request * n_models + model]
        };
        let missing = |(&request, share): (&usize, &f64)| {
            if could(request, pair.from) && could(request, pair.to) { 0.0 } else { *share }
        };
        let total: f64 = self.requests.iter().zip(shares).map(missing).sum();
        total / len_as_float(self.requests.len().max(1))
    }
}

/// The share of one request that goes from one model to another.
fn share_of(before: &[f64], after: &[f64], (from, to): (usize, usize)) -> f64 {
    let gained = |model: usize| (after[model] - before[model]).max(0.0);
    let lost = (before[from] - after[from]).max(0.0);
    let total: f64 = (0..before.len()).map(gained).sum();
    if total < ROUNDING { 0.0 } else { lost.min(1.0) * (gained(to) / total) }
}

impl Outcomes<'_> {
    fn has_costs(&self) -> bool {
        match self {
            Self::Known { quality: _, cost_usd } => cost_usd.is_some(),
            Self::Logged { log, used, fitted: _ } => {
                used.rows.iter().all(|&row| log.rows[row].cost_usd.is_some())
            }
        }
    }

    /// What a pair adds to the mean quality and to the mean cost.
    fn gains(
        &self,
        change: &Change<'_>,
        pair: Pair,
        shared: Shared,
    ) -> Result<(Gain, Option<Gain>)> {
        let shares = change.shares(pair);
        match self {
            Self::Known { quality, cost_usd } => {
                let n_models = change.models.len();
                let added = |all: &[f64]| -> Vec<f64> {
                    let rows = all.chunks_exact(n_models).zip(&shares);
                    rows.map(|(row, share)| share * (row[pair.to] - row[pair.from])).collect()
                };
                let level = each(shared);
                let cost = cost_usd.map(|cost| mean_value(&added(cost), level)).transpose()?;
                let quality = logged_interval::of_known(&added(quality), shared)?;
                Ok((gain(&quality), cost.map(|cost| normal_gain(&cost))))
            }
            Self::Logged { log, used, fitted } => {
                let missing = change.unsupported(pair, &shares, log);
                let rounds =
                    |model: usize, reward| rounds_with(log, used, (model, &shares[..]), reward);
                let quality = Reward::Quality;
                let (to, from) = (rounds(pair.to, quality)?, rounds(pair.from, quality)?);
                let models = (pair.from, pair.to);
                let predicted = fitted.map(|it| it.of_move(log, &used.rows, models, &shares));
                let predicted = predicted.as_ref().map(PredictedMove::columns);
                let missing_share = Some(missing);
                let quality =
                    logged_interval::of_move((&to, &from), missing_share, predicted, shared)?;
                let cost = if self.has_costs() && missing < ROUNDING {
                    let cost = Reward::CostUsd;
                    let (to, from) = (rounds(pair.to, cost)?, rounds(pair.from, cost)?);
                    let values = |rounds: &LoggedRounds| influence_values(rounds, Estimator::Snips);
                    match (values(&to), values(&from)) {
                        (Ok(to), Ok(from)) => Some(paired_difference(&to, &from, each(shared))?),
                        (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
                    }
                } else {
                    None
                };
                Ok((gain(&quality), cost.map(|cost| normal_gain(&cost))))
            }
        }
    }
}

/// The level that each of several intervals needs.
fn each(shared: Shared) -> ConfidenceLevel {
    shared.level.shared_among(shared.n_candidates)
}

/// The log as feedback for a policy that gives these shares of its requests to one model and
/// leaves the rest as logged: two such policies differ by what the pair moves.
fn rounds_with(
    log: &TrafficLog,
    used: &Used,
    (model, shares): (usize, &[f64]),
    reward: Reward,
) -> Result<LoggedRounds> {
    let rows = || used.rows.iter().map(|&row| &log.rows[row]);
    let target = |(row, share): (&LoggedRow, &f64)| {
        let is_drawn = usize::from(row.taken) == model;
        (1.0 - share) * row.propensity + if is_drawn { *share } else { 0.0 }
    };
    Ok(LoggedRounds::new(RoundColumns {
        propensity: rows().map(|row| row.propensity).collect(),
        // Beyond one by rounding at most.
        target: rows().zip(shares).map(target).map(|it| it.clamp(0.0, 1.0)).collect(),
        reward: match reward {
            Reward::Quality => rows().map(|row| row.quality).collect(),
            Reward::CostUsd => rows().map(|row| row.cost_usd.unwrap_or(f64::NAN)).collect(),
        },
        ..RoundColumns::default()
    })?)
}

fn gain(chosen: &Chosen) -> Gain {
    Gain {
        value: chosen.value,
        lower: chosen.interval.lower,
        upper: chosen.interval.upper,
        interval_kind: IntervalKind::of(chosen.interval.kind),
        interval_method: chosen.interval.method.name().to_owned(),
        note: logged_interval::described(chosen),
    }
}

fn normal_gain(mean: &MeanValue) -> Gain {
    let interval = &mean.interval;
    let (kind, method) = (IntervalKind::of(interval.kind), interval.method.name());
    Gain {
        value: Some(mean.value),
        lower: interval.lower,
        upper: interval.upper,
        interval_kind: kind,
        interval_method: method.to_owned(),
        note: format!("{method}, {}", interval.kind.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: [f64; 3], after: [f64; 3], moved: [f64; 3]) {
        let pairs = [(0, 1), (0, 2), (1, 2)];
        for (pair, expected) in pairs.into_iter().zip(moved) {
            let found = share_of(&before, &after, pair);
            assert!((found - expected).abs() < 1e-12, "{before:?} {after:?} {pair:?}: {found}");
        }
    }

    /// What both give a model stays; what is left goes in proportion.
    #[test]
    fn as_little_moves_as_can_be() {
        check([0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.0, 0.0, 0.0]);
        check([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]);
        check([0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 0.25, 0.0]);
        check([0.75, 0.25, 0.0], [0.0, 0.5, 0.5], [0.25, 0.5, 0.0]);
        check([0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 0.5, 0.5]);
    }
}

//! The default interval covers, and finite-sample bounds never miss too often, in small worlds
//! with rare and heavy rows. `docs/coverage.md` has the large version.

use crate::coverage::Draws;
use pointsman_eval::{
    bounds::{self, Evidence, Method, Rival, Side, ValueRange},
    choice::{Reason, default_bound, default_interval},
    interval::{ConfidenceLevel, IntervalKind},
    sequence::Sequence,
};

const P95: ConfidenceLevel = ConfidenceLevel::P95;

/// Two kinds of prompt and two models. The target takes the second model for the rarer kind,
/// which the logger takes with `propensity`.
#[derive(Clone, Copy)]
pub(crate) struct World {
    pub(crate) rare_kind: f64,
    pub(crate) propensity: f64,
    /// How often the first model succeeds, and the second.
    pub(crate) success: [f64; 2],
}

/// The logger takes the second model one time in two, both succeed often.
pub(crate) const EVEN: World = World { rare_kind: 0.5, propensity: 0.5, success: [0.5, 0.8] };
/// One row in a thousand is heavy, and only heavy rows show what the second model can do.
const RARE: World = World { rare_kind: 0.05, propensity: 0.02, success: [0.3, 0.9] };

impl World {
    pub(crate) fn truth(self) -> f64 {
        let [first, second] = self.success;
        (1.0 - self.rare_kind) * first + self.rare_kind * second
    }

    pub(crate) fn log(self, draws: &mut Draws, n_rows: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut weights, mut values) = (Vec::new(), Vec::new());
        for _ in 0..n_rows {
            let is_rare = draws.next() < self.rare_kind;
            let is_second = draws.next() < self.propensity;
            let succeeds = draws.next() < self.success[usize::from(is_second)];
            let weight = match (is_rare, is_second) {
                (true, true) => 1.0 / self.propensity,
                (false, false) => 1.0 / (1.0 - self.propensity),
                (true, false) | (false, true) => 0.0,
            };
            weights.push(weight);
            values.push(if succeeds { 1.0 } else { 0.0 });
        }
        (weights, values)
    }
}

/// How many of `n_logs` logs have bounds that hold, by `holds`.
fn count(world: World, n_logs: u32, n_rows: usize, holds: impl Fn(&Evidence<'_>) -> bool) -> f64 {
    let mut draws = Draws::new(7);
    let mut n_held = 0;
    for _ in 0..n_logs {
        let (weights, values) = world.log(&mut draws, n_rows);
        let evidence = Evidence::new(&weights, &values, ValueRange::QUALITY).unwrap();
        n_held += u32::from(holds(&evidence));
    }
    f64::from(n_held) / f64::from(n_logs)
}

fn largest_weight(world: World) -> f64 {
    1.0 / world.propensity.min(1.0 - world.propensity)
}

/// Four standard errors of 600 logs at 95 % are 0.036.
#[test]
fn the_default_covers_where_rows_are_many() {
    for is_stated in [false, true] {
        let coverage = count(EVEN, 600, 1000, |plain| {
            let evidence = if is_stated {
                plain.with_full_support(largest_weight(EVEN)).unwrap()
            } else {
                *plain
            };
            let found = default_interval(&evidence, P95, 1).unwrap();
            // Three standard errors of the mean weight are passed by chance alone now and then.
            let is_chance = matches!(found.reasons[..], [Reason::FarMeanWeight { .. }]);
            let is_narrow = found.interval.kind == IntervalKind::Asymptotic;
            assert!(is_narrow || is_chance, "{:?}", found.reasons);
            found.interval.contains(EVEN.truth())
        });
        assert!((coverage - 0.95).abs() < 0.036, "support stated {is_stated}: {coverage}");
    }
}

/// Nearly all logs of this world lack heavy rows, and a normal interval covers hardly any.
#[test]
fn the_default_covers_where_heavy_rows_are_missing() {
    let coverage = count(RARE, 600, 600, |plain| {
        let stated = plain.with_full_support(largest_weight(RARE)).unwrap();
        let found = default_interval(&stated, P95, 1).unwrap();
        assert!(!found.reasons.is_empty());
        found.interval.contains(RARE.truth())
    });
    assert!(coverage > 0.914, "{coverage}");
}

#[test]
fn finite_sample_bounds_hold() {
    for world in [EVEN, RARE] {
        for method in [Method::BettingMixture, Method::BettingInOrder, Method::LogSmoothing] {
            for side in [Side::Lower, Side::Upper] {
                let coverage = count(world, 300, 300, |evidence| {
                    let found = bounds::bound(evidence, side, method, P95).unwrap().bound;
                    match side {
                        Side::Lower => found <= world.truth(),
                        Side::Upper => world.truth() <= found,
                    }
                });
                assert!(coverage > 0.90, "{method:?} {side:?} {coverage}");
            }
        }
    }
}

/// At the margin's edge a gate may ship one log in twenty; six standard errors are allowed.
#[test]
fn a_gate_rarely_ships_what_is_no_better() {
    let logged = EVEN.propensity * EVEN.success[1] + (1.0 - EVEN.propensity) * EVEN.success[0];
    let margin = EVEN.truth() - logged;
    let held = count(EVEN, 1000, 1000, |plain| {
        let pair = plain.against(Rival::Logged).unwrap().with_full_support(2.0).unwrap();
        default_bound(&pair, Side::Lower, P95, 1).unwrap().bound.bound <= margin
    });
    assert!(0.936 <= held, "ships {}", 1.0 - held);
    let shipped = count(EVEN, 200, 1000, |plain| {
        let pair = plain.against(Rival::Logged).unwrap().with_full_support(2.0).unwrap();
        margin - 0.1 < default_bound(&pair, Side::Lower, P95, 1).unwrap().bound.bound
    });
    assert!(0.9 < shipped, "ships {shipped} of what is better by a tenth");
}

/// Looked at after every tenth part of the log, all looks hold together.
#[test]
fn a_sequence_holds_at_every_look() {
    let held = count(EVEN, 200, 1000, |evidence| {
        (1..=10).all(|look| {
            let (weights, values) = evidence_parts(evidence, 100 * look);
            let part = Evidence::new(weights, values, ValueRange::QUALITY).unwrap();
            Sequence::start(&part).unwrap().interval(P95).unwrap().contains(EVEN.truth())
        })
    });
    assert!(0.92 < held, "{held}");
}

/// Where success falls with time, and the target turns to the other model half way, all looks hold
/// the mean over the rows so far of what each row was worth in expectation.
#[test]
fn a_sequence_holds_running_means_that_drift() {
    let mut draws = Draws::new(11);
    let (n_logs, n_rows) = (200, 1000);
    let mut n_held = 0;
    for _ in 0..n_logs {
        let (mut weights, mut values, mut total) = (Vec::new(), Vec::new(), 0.0);
        let mut sequence: Option<Sequence> = None;
        let mut holds = true;
        for row in 0..n_rows {
            let falls = 0.6 * f64::from(row) / f64::from(n_rows);
            let success = [0.9 - falls, 0.3 + falls];
            let wanted = usize::from(n_rows / 2 <= row);
            let taken = usize::from(draws.next() < 0.3);
            let propensity = [0.7, 0.3][taken];
            weights.push(if taken == wanted { 1.0 / propensity } else { 0.0 });
            values.push(if draws.next() < success[taken] { 1.0 } else { 0.0 });
            total += success[wanted];
            if weights.len() < 50 {
                continue;
            }
            let part = Evidence::new(&weights, &values, ValueRange::QUALITY).unwrap();
            match &mut sequence {
                Some(sequence) => sequence.extend(&part).unwrap(),
                None => sequence = Some(Sequence::start(&part).unwrap()),
            }
            let found = sequence.as_ref().unwrap().interval(P95).unwrap();
            holds &= found.contains(total / f64::from(row + 1));
            (weights, values) = (Vec::new(), Vec::new());
        }
        n_held += u32::from(holds);
    }
    assert!(0.92 < f64::from(n_held) / f64::from(n_logs), "{n_held}");
}

fn evidence_parts<'a>(evidence: &Evidence<'a>, n_rows: usize) -> (&'a [f64], &'a [f64]) {
    (&evidence.weights()[..n_rows], &evidence.values()[..n_rows])
}

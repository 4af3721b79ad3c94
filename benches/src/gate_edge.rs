//! Logs on which a policy is exactly as good as its margin asks, so that shipping it is a coin that
//! must rarely fall that way: by cost, by rare outcomes, and against another policy.
//!
//! A logger of two models draws the second with 0.2, 0.5 or 0.8, by the request; outcomes depend on the
//! model alone, so that every true difference is known in closed form.

use pointsman_eval::{
    bounds::{BoundError, Evidence, Rival, ValueRange},
    gate::{Condition, Verdict, Wanted, decide},
    interval::ConfidenceLevel,
};
use pointsman_testkit::{Draws, Stream};

/// How often the logger draws the second model, by kind of request.
const LOGGED: [f64; 3] = [0.2, 0.5, 0.8];

/// How often the policy that may ship, and the one that it may be held against, draw it.
const POLICY: f64 = 0.9;
const RIVAL: f64 = 0.4;

/// Where the truth is at its margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Cost; quality keeps its margin with ease.
    Cost,
    /// The same, where one answer in a hundred costs a hundred times as much.
    RareCost,
    /// Quality, where two or three answers in a hundred are any good.
    RareQuality,
    /// Quality against another policy.
    Rival,
}

/// Every edge.
pub const EDGES: [Edge; 4] = [Edge::Cost, Edge::RareCost, Edge::RareQuality, Edge::Rival];

/// Whether the logger's least probability is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It is.
    Stated,
    /// It is not.
    Unstated,
}

/// One log.
#[derive(Debug, Default)]
struct Log {
    weights: Vec<f64>,
    rival_weights: Vec<f64>,
    quality: Vec<f64>,
    cost: Vec<f64>,
}

impl Edge {
    /// The chances of a good answer, by model.
    fn successes(self) -> [f64; 2] {
        match self {
            Self::Cost | Self::RareCost | Self::Rival => [0.5, 0.7],
            Self::RareQuality => [0.02, 0.03],
        }
    }

    /// The usual cost, the rare one and the chance of that, by model.
    fn costs(self) -> [(f64, f64, f64); 2] {
        match self {
            Self::RareCost => [(0.005, 0.005, 0.0), (0.01, 1.0, 0.01)],
            Self::Cost | Self::RareQuality | Self::Rival => {
                [(0.004, 0.006, 0.5), (0.01, 0.03, 0.5)]
            }
        }
    }

    /// What a policy gives up or gains against the logger or the rival.
    fn difference(self, by_model: [f64; 2]) -> f64 {
        let value = |share: f64| share * by_model[1] + (1.0 - share) * by_model[0];
        let rival = if self == Self::Rival { RIVAL } else { 0.5 };
        value(POLICY) - value(rival)
    }

    fn log(self, run: u64, n_rows: u64) -> Log {
        let mut log = Log::default();
        for row in 0..n_rows {
            let mut draws = Draws::keyed(23, Stream::Logging, &[run, row]);
            let logged = draws.choice(&LOGGED);
            let model = usize::from(draws.chance(logged));
            let of = |share: f64| if model == 1 { share } else { 1.0 - share };
            let (usual, rare, chance) = self.costs()[model];
            log.weights.push(of(POLICY) / of(logged));
            log.rival_weights.push(of(RIVAL) / of(logged));
            log.quality.push(f64::from(u8::from(draws.chance(self.successes()[model]))));
            log.cost.push(if draws.chance(chance) { rare } else { usual });
        }
        log
    }

    /// What is asked of quality and of cost.
    fn wanted(self) -> (Wanted, Wanted) {
        let mean_cost = self.costs().map(|(usual, rare, chance)| usual + chance * (rare - usual));
        let (quality, cost) = (self.difference(self.successes()), self.difference(mean_cost));
        match self {
            Self::Cost | Self::RareCost => (Wanted::AtLeast(quality - 0.5), Wanted::AtMost(cost)),
            Self::RareQuality | Self::Rival => {
                (Wanted::AtLeast(quality), Wanted::AtMost(cost + 0.5))
            }
        }
    }
}

/// Of `n_logs` logs of `n_rows` rows each, the shares that ship and that are held.
///
/// # Errors
/// [`BoundError`] where a log cannot be bounded, which would be a mistake here.
pub fn shares(
    edge: Edge,
    support: Support,
    n_logs: u32,
    n_rows: u64,
) -> Result<(f64, f64), BoundError> {
    let (mut n_shipped, mut n_held) = (0, 0);
    let (of_quality, of_cost) = edge.wanted();
    for run in 0..u64::from(n_logs) {
        let log = edge.log(run, n_rows);
        let rival =
            if edge == Edge::Rival { Rival::Policy(&log.rival_weights) } else { Rival::Logged };
        let conditions = [
            condition((of_quality, &log.quality), &log, rival, support)?,
            condition((of_cost, &log.cost), &log, rival, support)?,
        ];
        let verdict = decide(&conditions, 0, ConfidenceLevel::P95)?.verdict;
        n_shipped += u32::from(verdict == Verdict::Ship);
        n_held += u32::from(verdict == Verdict::Hold);
    }
    let share = |n: u32| f64::from(n) / f64::from(n_logs.max(1));
    Ok((share(n_shipped), share(n_held)))
}

/// Qualities and costs are both from nothing to one.
fn condition<'a>(
    (wanted, values): (Wanted, &'a [f64]),
    log: &'a Log,
    rival: Rival<'a>,
    support: Support,
) -> Result<Condition<'a>, BoundError> {
    let evidence = Evidence::new(&log.weights, values, ValueRange::QUALITY)?.against(rival)?;
    let evidence = match support {
        Support::Stated => evidence.with_full_support(1.0 / LOGGED[0])?,
        Support::Unstated => evidence,
    };
    Ok(Condition { wanted, evidence: Some(evidence) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One log in twenty may ship; of 200, three standard errors more are 9.6 %.
    #[test]
    fn no_edge_ships_often() {
        for edge in EDGES {
            for support in [Support::Stated, Support::Unstated] {
                let (shipped, _) = shares(edge, support, 200, 600).unwrap();
                assert!(shipped <= 0.096, "{edge:?} {support:?}: ships {shipped}");
            }
        }
    }

    /// By hand: 0.9 · 0.7 + 0.1 · 0.5 is 0.68; the logger has 0.6, the rival 0.58.
    #[test]
    fn edges_are_where_the_truth_is() {
        let (Wanted::AtLeast(rival), _) = Edge::Rival.wanted() else { panic!("quality") };
        assert!((rival - 0.1).abs() < 1e-12);
        let (_, Wanted::AtMost(cost)) = Edge::RareCost.wanted() else { panic!("cost") };
        // 0.4 of the requests move, from 0.005 to 0.0199.
        assert!((cost - 0.4 * 0.0149).abs() < 1e-12);
    }
}

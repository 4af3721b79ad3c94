//! What a cascade of two models is worth at each price of money, all its costs counted.
//!
//! A request starts with the first model or goes to the next one at once, by what is predicted from
//! the request; an answer of the first one is accepted or escalated, by what is predicted from
//! both. A cascade pays for every answer it asks for. At a weight on cost, each policy's utility is
//! its quality less the weighted cost, prompt by prompt; a frontier lies above another one where
//! its utility is higher at every weight.
//!
//! Weakness: the value of seeing an answer first is taken to be the same for every request. What is
//! spent in waiting for two answers is not here.

use crate::{
    error::ValuesError,
    full::{MeanValue, paired_difference},
    interval::ConfidenceLevel,
    matrix::ordered_mean,
};

/// The first model's and the next one's numbers, one entry per prompt.
pub type Columns<'a> = [&'a [f64]; 2];

/// Prompts with everything that is known and predicted of both models.
#[derive(Debug, Clone, Copy)]
pub struct CascadeRows<'a> {
    /// True qualities.
    pub quality: Columns<'a>,
    /// True costs in dollars.
    pub cost_usd: Columns<'a>,
    /// Costs in dollars, as they are expected before an answer; decisions know no others.
    pub expected_usd: Columns<'a>,
    /// Qualities predicted from the request alone, out of fold.
    pub from_prompt: Columns<'a>,
    /// Qualities predicted from the request and the first model's answer, out of fold.
    pub from_answer: Columns<'a>,
}

/// A cascade at one weight on cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CascadePoint {
    /// Quality points per dollar.
    pub per_dollar: f64,
    /// Mean quality.
    pub quality: f64,
    /// Mean dollars, of all answers.
    pub cost_usd: f64,
    /// The share of requests that go to the next model at once.
    pub direct_share: f64,
    /// The share of requests that go to it after the first model's answer.
    pub escalated_share: f64,
    /// The cascade's utility less that of routing by the request alone at the same weight.
    pub over_routing: MeanValue,
}

/// What a cascade is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CascadeRival {
    /// The first model, and nothing else.
    NoEscalation,
    /// Both models, always.
    AlwaysEscalate,
    /// As many escalated as the cascade escalates, at random.
    Random,
    /// One answer, of the model that is better by the request alone.
    PromptRouting,
}

impl CascadeRival {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::NoEscalation, Self::AlwaysEscalate, Self::Random, Self::PromptRouting];

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEscalation => "no_escalation",
            Self::AlwaysEscalate => "always_escalate",
            Self::Random => "random",
            Self::PromptRouting => "prompt_routing",
        }
    }
}

/// A cascade over the weights of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Cascade {
    /// One per weight, the cheapest concern for cost first.
    pub points: Vec<CascadePoint>,
    /// The cascade's utility less each rival's, in quality points, the mean over all weights.
    pub over: Vec<(CascadeRival, MeanValue)>,
}

/// Weights on cost, times the dearer model's mean cost; beside them, none.
const SWEEP_FROM: f64 = -1.5;
const SWEEP_TO: f64 = 1.0;
const SWEEP_POINTS: u8 = 8;

/// Values a cascade at every weight of a sweep.
///
/// # Errors
/// [`ValuesError`] for columns of different lengths, fewer than two prompts, or a number that is
/// not finite.
pub fn cascade(rows: &CascadeRows<'_>, level: ConfidenceLevel) -> Result<Cascade, ValuesError> {
    let CascadeRows { quality, cost_usd, expected_usd, from_prompt, from_answer } = *rows;
    let n_rows = quality[0].len();
    for column in [quality, cost_usd, expected_usd, from_prompt, from_answer].as_flattened() {
        if column.len() != n_rows {
            return Err(ValuesError::Length { left: n_rows, right: column.len() });
        }
    }
    let mut points = Vec::new();
    let mut ours = vec![0.0; n_rows];
    let mut theirs = vec![vec![0.0; n_rows]; CascadeRival::ALL.len()];
    for per_dollar in sweep(cost_usd.map(ordered_mean)) {
        let taken = Taken::at(rows, per_dollar);
        let utility = taken.utility(rows);
        let mut over_routing = None;
        for (rival, total) in CascadeRival::ALL.into_iter().zip(&mut theirs) {
            let of_rival: Vec<f64> = (0..n_rows).map(|row| taken.rival(rival, rows, row)).collect();
            if rival == CascadeRival::PromptRouting {
                over_routing = Some(paired_difference(&utility, &of_rival, level)?);
            }
            add(total, &of_rival);
        }
        add(&mut ours, &utility);
        if let Some(over_routing) = over_routing {
            points.push(taken.point(rows, over_routing));
        }
    }
    let n = f64::from(SWEEP_POINTS) + 1.0;
    let mean = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| value / n).collect() };
    let ours = mean(&ours);
    let over = CascadeRival::ALL
        .into_iter()
        .zip(&theirs)
        .map(|(rival, theirs)| Ok((rival, paired_difference(&ours, &mean(theirs), level)?)))
        .collect::<Result<_, ValuesError>>()?;
    Ok(Cascade { points, over })
}

/// What a cascade does at one weight on cost.
struct Taken {
    per_dollar: f64,
    /// Whether a request goes to the next model at once.
    direct: Vec<bool>,
    /// Whether it goes there after the first model's answer.
    escalated: Vec<bool>,
    /// The share of the second among those that are not of the first.
    escalated_of_started: f64,
}

impl Taken {
    fn at(rows: &CascadeRows<'_>, per_dollar: f64) -> Self {
        let CascadeRows { expected_usd, from_prompt, from_answer, .. } = *rows;
        let due = |model: usize, row: usize| per_dollar * expected_usd[model][row];
        let best =
            |columns: Columns<'_>, row: usize| columns[0][row].max(columns[1][row] - due(1, row));
        let n_rows = from_prompt[0].len();
        let all = || 0..n_rows;
        // What deciding after an answer is expected to gain; from predictions, not from outcomes.
        let gains: Vec<f64> =
            all().map(|row| best(from_answer, row) - best(from_prompt, row)).collect();
        let gain = ordered_mean(&gains);
        let is_direct = |row: usize| {
            let started = best(from_prompt, row) + gain - due(0, row);
            started < from_prompt[1][row] - due(1, row)
        };
        let direct: Vec<bool> = all().map(is_direct).collect();
        let is_escalated =
            |row: usize| !direct[row] && from_answer[0][row] < from_answer[1][row] - due(1, row);
        let escalated: Vec<bool> = all().map(is_escalated).collect();
        let n_started = direct.iter().filter(|is_direct| !**is_direct).count();
        let n_escalated = escalated.iter().filter(|is_escalated| **is_escalated).count();
        let float_of = crate::moments::float_of;
        Self {
            per_dollar,
            direct,
            escalated,
            escalated_of_started: float_of(n_escalated) / float_of(n_started.max(1)),
        }
    }

    /// Quality and dollars of the cascade on one prompt.
    fn outcome(&self, rows: &CascadeRows<'_>, row: usize) -> (f64, f64) {
        let CascadeRows { quality: [first, next], cost_usd: [of_first, of_next], .. } = *rows;
        match (self.direct[row], self.escalated[row]) {
            (true, _) => (next[row], of_next[row]),
            (false, true) => (next[row], of_first[row] + of_next[row]),
            (false, false) => (first[row], of_first[row]),
        }
    }

    fn utility(&self, rows: &CascadeRows<'_>) -> Vec<f64> {
        let of_row = |row: usize| {
            let (quality, dollars) = self.outcome(rows, row);
            quality - self.per_dollar * dollars
        };
        (0..self.direct.len()).map(of_row).collect()
    }

    /// A rival's utility on one prompt at the same weight; at random, its mean.
    fn rival(&self, rival: CascadeRival, rows: &CascadeRows<'_>, row: usize) -> f64 {
        let CascadeRows { quality: [first, next], cost_usd: [of_first, of_next], .. } = *rows;
        let mixed = |share: f64| {
            let quality = first[row] + share * (next[row] - first[row]);
            quality - self.per_dollar * (of_first[row] + share * of_next[row])
        };
        match rival {
            CascadeRival::NoEscalation => mixed(0.0),
            CascadeRival::AlwaysEscalate => mixed(1.0),
            CascadeRival::Random if self.direct[row] => next[row] - self.per_dollar * of_next[row],
            CascadeRival::Random => mixed(self.escalated_of_started),
            CascadeRival::PromptRouting => {
                let predicted = |model: usize| {
                    rows.from_prompt[model][row] - self.per_dollar * rows.expected_usd[model][row]
                };
                let model = usize::from(predicted(0) < predicted(1));
                rows.quality[model][row] - self.per_dollar * rows.cost_usd[model][row]
            }
        }
    }

    fn point(&self, rows: &CascadeRows<'_>, over_routing: MeanValue) -> CascadePoint {
        let (qualities, dollars): (Vec<f64>, Vec<f64>) =
            (0..self.direct.len()).map(|row| self.outcome(rows, row)).unzip();
        let share = |taken: &[bool]| {
            let n = taken.iter().filter(|is_taken| **is_taken).count();
            crate::moments::float_of(n) / crate::moments::float_of(taken.len().max(1))
        };
        CascadePoint {
            per_dollar: self.per_dollar,
            quality: ordered_mean(&qualities),
            cost_usd: ordered_mean(&dollars),
            direct_share: share(&self.direct),
            escalated_share: share(&self.escalated),
            over_routing,
        }
    }
}

/// No weight on cost, then weights around one over the dearer model's mean cost.
fn sweep(costs: [f64; 2]) -> Vec<f64> {
    let dearest = costs[0].max(costs[1]);
    let point = |at: u8| {
        let share = f64::from(at) / f64::from(SWEEP_POINTS - 1);
        if dearest <= 0.0 {
            return 0.0;
        }
        libm::exp10(SWEEP_FROM + share * (SWEEP_TO - SWEEP_FROM)) / dearest
    };
    std::iter::once(0.0).chain((0..SWEEP_POINTS).map(point)).collect()
}

fn add(totals: &mut [f64], values: &[f64]) {
    for (total, value) in totals.iter_mut().zip(values) {
        *total += value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: ConfidenceLevel = ConfidenceLevel::P95;

    /// Of four prompts the first model is right on two; its answers show which, requests do not.
    const FIRST: [f64; 4] = [1.0, 0.0, 1.0, 0.0];
    const NEXT: [f64; 4] = [1.0; 4];
    const DOLLARS: [[f64; 4]; 2] = [[0.1; 4], [1.0; 4]];

    fn example(from_answer: Columns<'_>) -> Cascade {
        let rows = CascadeRows {
            quality: [&FIRST, &NEXT],
            cost_usd: [&DOLLARS[0], &DOLLARS[1]],
            expected_usd: [&DOLLARS[0], &DOLLARS[1]],
            from_prompt: [&[0.5; 4], &NEXT],
            from_answer,
        };
        cascade(&rows, LEVEL).unwrap()
    }

    fn over(found: &Cascade, rival: CascadeRival) -> f64 {
        found.over.iter().find(|(it, _)| *it == rival).unwrap().1.value
    }

    #[test]
    fn answers_that_tell_all_make_the_cascade_better_than_every_rival() {
        let found = example([&FIRST, &NEXT]);
        for rival in CascadeRival::ALL {
            assert!(0.0 < over(&found, rival), "{}", rival.name());
        }
        // At a weight of 10^(-1.5 + 2.5 · 3/7) = 0.37, one of two is escalated.
        let point = found.points[4];
        assert!((point.escalated_share - 0.5).abs() < 1e-12, "{point:?}");
        assert!((point.quality - 1.0).abs() < 1e-12 && (point.cost_usd - 0.6).abs() < 1e-12);
        assert_eq!(point.direct_share, 0.0);
    }

    #[test]
    fn answers_that_tell_nothing_gain_nothing_on_routing() {
        let found = example([&[0.5; 4], &NEXT]);
        assert!(over(&found, CascadeRival::PromptRouting) <= 1e-12);
    }

    #[test]
    fn without_a_weight_on_cost_all_that_gains_is_escalated() {
        let found = example([&FIRST, &NEXT]);
        assert_eq!((found.points[0].per_dollar, found.points[0].quality), (0.0, 1.0));
        assert_eq!(found.points.len(), 9);
    }

    #[test]
    fn columns_must_fit() {
        let rows = CascadeRows {
            quality: [&FIRST, &NEXT[..3]],
            cost_usd: [&FIRST, &NEXT],
            expected_usd: [&FIRST, &NEXT],
            from_prompt: [&FIRST, &NEXT],
            from_answer: [&FIRST, &NEXT],
        };
        let length = ValuesError::Length { left: 4, right: 3 };
        assert_eq!(cascade(&rows, LEVEL), Err(length));
    }
}

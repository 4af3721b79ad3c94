//! What a whole policy buys with its money: it routes by the request, then accepts the answer or
//! calls another model, and pays for every answer. Against it stands routing by the request alone,
//! among the same models on the same prompts.
//!
//! Each policy is swept over the benchmark's weights on cost and has the benchmark's frontier: the
//! hull of its points and of the single models. Differences of areas are of the same prompts; their
//! interval is by a Poisson bootstrap over prompts, in which sweep, hull and single models are all
//! computed again.
//!
//! Weakness: as every frontier, read from the rows that it is swept on. What is spent in waiting
//! for a second answer is not here. A model that is called twice gives its one known answer again.

mod resample;

use crate::{
    error::ValuesError,
    foresight::{Gaps, foresight},
    frontier::{hull, lambdas},
    interval::{ConfidenceLevel, Interval},
    matrix::CostQuality,
    moments::float_of,
};
use pointsman_core::escalation::Foresight;
use resample::{Layout, Sums, percentiles, resampled, units};

/// Prompts with everything that is known and predicted of all models. Slices have the shape
/// `(prompts, models)`, row after row.
#[derive(Debug, Clone, Copy)]
pub struct WholeRows<'a> {
    /// Models.
    pub n_models: usize,
    /// True qualities.
    pub quality: &'a [f64],
    /// True costs in dollars.
    pub cost_usd: &'a [f64],
    /// Costs in dollars as they are expected before an answer; decisions know no others.
    pub expected_usd: &'a [f64],
    /// Qualities predicted from the request alone, by fits that had not seen the row.
    pub from_prompt: &'a [f64],
    /// By the model in hand: qualities of all models predicted from the request and its answer, its
    /// own being that of the answer; `None` where nothing reads its answers.
    pub from_answer: &'a [Option<Vec<f64>>],
    /// Equal for rows that are no evidence apart: equal prompts. Shape `(prompts,)`.
    pub groups: &'a [u64],
    /// A cascade ends at so many answers.
    pub most_answers: u32,
}

/// How the first model is chosen, and what comes after its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WholePolicy {
    /// The model that is best by the request; its answer is accepted.
    PromptRouting,
    /// The same model; after each answer the step that is best by request and answer. What the
    /// service does where nothing is foreseen.
    Escalation,
    /// The same steps; the first model is chosen for what it is worth with them, by the
    /// [`Foresight`] that a policy file holds.
    Foreseeing,
}

impl WholePolicy {
    /// All of them; the others are held against the first.
    pub const ALL: [Self; 3] = [Self::PromptRouting, Self::Escalation, Self::Foreseeing];

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::PromptRouting => "prompt_routing",
            Self::Escalation => "escalation",
            Self::Foreseeing => "foreseeing",
        }
    }
}

/// By how much one frontier lies above another one, in quality points, mean over costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AreaGain {
    /// The difference of the areas.
    pub value: f64,
    /// Where it should be over all prompts like these.
    pub interval: Interval,
}

/// One policy's frontier.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeFrontier {
    /// Whose it is.
    pub policy: WholePolicy,
    /// Its mean height between the costs of the cheapest and the dearest single model.
    pub area: f64,
    /// Over routing by the request alone; `None` for that itself.
    pub over_routing: Option<AreaGain>,
    /// Its corners, the cheapest first.
    pub hull: Vec<CostQuality>,
    /// Answers asked for per request where cost does not count.
    pub answers_per_request: f64,
}

/// All policies on the same prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeValue {
    /// Prompts.
    pub n_rows: usize,
    /// Each model on its own.
    pub singles: Vec<CostQuality>,
    /// In the order of [`WholePolicy::ALL`].
    pub policies: Vec<WholeFrontier>,
}

/// Sweeps all policies and compares their frontiers; `seed` draws the resamples.
///
/// # Errors
/// [`ValuesError`] for columns of different lengths, fewer than two groups, or a number that is not
/// finite.
pub fn whole_value(
    rows: &WholeRows<'_>,
    level: ConfidenceLevel,
    seed: u64,
) -> Result<WholeValue, ValuesError> {
    rows.check()?;
    let (unit_of_row, n_units) = units(rows.groups);
    if n_units < 2 {
        return Err(ValuesError::TooFew { n_rows: n_units });
    }
    let weights = rows.weights();
    let foresight = rows.foresight()?;
    let layout = Layout { n_points: weights.len(), n_models: rows.n_models };
    let mut sums = Sums::new(n_units, layout.n_columns());
    let mut n_answers = [0.0; WholePolicy::ALL.len()];
    for (point, &per_dollar) in weights.iter().enumerate() {
        for (row, &unit) in unit_of_row.iter().enumerate() {
            for (place, policy) in WholePolicy::ALL.into_iter().enumerate() {
                let taken = rows.taken(policy, row, (per_dollar, &foresight));
                sums.add((unit, layout.column(place, point)), taken.point);
                if point == 0 {
                    n_answers[place] += f64::from(taken.n_answers);
                }
            }
        }
    }
    for (row, &unit) in unit_of_row.iter().enumerate() {
        sums.n_rows[unit] += 1.0;
        let (costs, qualities) = (rows.of(rows.cost_usd, row), rows.of(rows.quality, row));
        for (model, (&cost_usd, &quality)) in costs.iter().zip(qualities).enumerate() {
            sums.add((unit, layout.single(model)), CostQuality { cost_usd, quality });
        }
    }
    let points = sums.points(std::iter::repeat_n(1.0, n_units));
    let areas = layout.areas(&points);
    let resampled = resampled(&layout, &sums, seed);
    let singles = layout.singles(&points).to_vec();
    let policies = WholePolicy::ALL.into_iter().enumerate().map(|(place, policy)| {
        let of_policy = layout.sweep(&points, place);
        let all: Vec<CostQuality> = of_policy.iter().chain(&singles).copied().collect();
        let value = areas[place] - areas[0];
        let over_routing = if place == 0 {
            None
        } else {
            let interval = percentiles(&resampled, place, level).ok_or(ValuesError::Overflow)?;
            Some(AreaGain { value, interval })
        };
        let answers_per_request = n_answers[place] / float_of(unit_of_row.len());
        Ok(WholeFrontier {
            policy,
            area: areas[place],
            over_routing,
            hull: hull(&all),
            answers_per_request,
        })
    });
    let policies = policies.collect::<Result<_, ValuesError>>()?;
    Ok(WholeValue { n_rows: unit_of_row.len(), singles, policies })
}

/// What came of one prompt.
struct Taken {
    point: CostQuality,
    n_answers: u32,
}

impl WholeRows<'_> {
    fn check(&self) -> Result<(), ValuesError> {
        if self.n_models == 0 {
            return Err(ValuesError::Length { left: 1, right: 0 });
        }
        let n_cells = self.groups.len() * self.n_models;
        let columns = [self.quality, self.cost_usd, self.expected_usd, self.from_prompt];
        let readers = self.from_answer.iter().flatten().map(Vec::as_slice);
        for column in columns.into_iter().chain(readers) {
            if column.len() != n_cells {
                return Err(ValuesError::Length { left: n_cells, right: column.len() });
            }
            if let Some(at) = column.iter().position(|value| !value.is_finite()) {
                let row = at / self.n_models;
                return Err(ValuesError::NotFinite { row, found: column[at] });
            }
        }
        if self.from_answer.len() != self.n_models {
            let (left, right) = (self.n_models, self.from_answer.len());
            return Err(ValuesError::Length { left, right });
        }
        Ok(())
    }

    /// One prompt's part of a slice.
    fn of<'s>(&self, all: &'s [f64], row: usize) -> &'s [f64] {
        &all[row * self.n_models..][..self.n_models]
    }

    /// The weights of the sweep, in quality points per dollar.
    fn weights(&self) -> Vec<f64> {
        let mean = |model: usize| -> f64 {
            let costs = self.cost_usd.iter().skip(model).step_by(self.n_models);
            costs.sum::<f64>() / float_of(self.groups.len().max(1))
        };
        let dearest = (0..self.n_models).map(mean).fold(0.0, f64::max);
        // Where all models are free the weight has no unit to be in, and changes no cost.
        let unit_cost = if 0.0 < dearest { dearest } else { 1.0 };
        lambdas().into_iter().map(|lambda| lambda / unit_cost).collect()
    }

    /// What is foreseen of each model's answers; from predictions, not from outcomes.
    fn foresight(&self) -> Result<Vec<Option<Foresight>>, ValuesError> {
        let n_rows = self.groups.len();
        let mean = |model: usize| -> f64 {
            let costs = self.expected_usd.iter().skip(model).step_by(self.n_models);
            costs.sum::<f64>() / float_of(n_rows.max(1))
        };
        let of_model = |(model, read): (usize, Option<&Vec<f64>>)| {
            let Some(read) = read.filter(|_| 1 < self.n_models) else { return Ok(None) };
            let others = (0..self.n_models).filter(|&other| other != model);
            let dearest = others.map(mean).fold(0.0, f64::max);
            let gaps = |row: usize, per_dollar: f64| {
                let expected = self.of(self.expected_usd, row);
                let gap = |all: &[f64]| gap(self.of(all, row), expected, (model, per_dollar));
                Gaps { before: gap(self.from_prompt), after: gap(read) }
            };
            foresight(model, (n_rows, dearest), gaps).map(Some).map_err(|_| ValuesError::Overflow)
        };
        self.from_answer.iter().map(Option::as_ref).enumerate().map(of_model).collect()
    }

    /// The model that is asked first.
    fn first(
        &self,
        policy: WholePolicy,
        row: usize,
        (per_dollar, foresight): (f64, &[Option<Foresight>]),
    ) -> usize {
        let (predicted, expected) =
            (self.of(self.from_prompt, row), self.of(self.expected_usd, row));
        let worth = |model: usize| {
            let ahead = match (policy, &foresight[model]) {
                (WholePolicy::Foreseeing, Some(foresight)) => {
                    let gap = gap(predicted, expected, (model, per_dollar));
                    foresight.ahead(per_dollar, gap).map_or(0.0, |step| step.value)
                }
                (WholePolicy::Foreseeing, None)
                | (WholePolicy::PromptRouting | WholePolicy::Escalation, _) => 0.0,
            };
            predicted[model] - per_dollar * expected[model] + ahead
        };
        let (mut best, mut highest) = (0, f64::NEG_INFINITY);
        for model in 0..self.n_models {
            let worth = worth(model);
            if highest < worth {
                (best, highest) = (model, worth);
            }
        }
        best
    }

    /// What a policy does with one prompt.
    fn taken(&self, policy: WholePolicy, row: usize, at: (f64, &[Option<Foresight>])) -> Taken {
        let (qualities, costs) = (self.of(self.quality, row), self.of(self.cost_usd, row));
        let expected = self.of(self.expected_usd, row);
        let mut model = self.first(policy, row, at);
        let (mut cost_usd, mut n_answers) = (costs[model], 1);
        let most_answers = match policy {
            WholePolicy::PromptRouting => 1,
            WholePolicy::Escalation | WholePolicy::Foreseeing => self.most_answers,
        };
        while n_answers < most_answers
            && let Some(read) = &self.from_answer[model]
        {
            let next = best_step(self.of(read, row), expected, (model, at.0)).0;
            if next == model {
                break;
            }
            model = next;
            cost_usd += costs[model];
            n_answers += 1;
        }
        Taken { point: CostQuality { cost_usd, quality: qualities[model] }, n_answers }
    }
}

/// By how much the best other model is ahead of accepting the answer in hand.
fn gap(predicted: &[f64], expected_usd: &[f64], (in_hand, per_dollar): (usize, f64)) -> f64 {
    let utility = |(model, (quality, cost_usd)): (usize, (&f64, &f64))| {
        (model != in_hand).then_some(quality - per_dollar * cost_usd)
    };
    let others = predicted.iter().zip(expected_usd).enumerate().filter_map(utility);
    others.fold(f64::NEG_INFINITY, f64::max) - predicted[in_hand]
}

/// The best step with an answer in hand and its utility: accepting it, which costs nothing, or
/// calling another model; of equals accepting, then the first.
fn best_step(
    predicted: &[f64],
    expected_usd: &[f64],
    (in_hand, per_dollar): (usize, f64),
) -> (usize, f64) {
    let mut best = (in_hand, predicted[in_hand]);
    for (model, (quality, cost_usd)) in predicted.iter().zip(expected_usd).enumerate() {
        let utility = quality - per_dollar * cost_usd;
        if model != in_hand && best.1 < utility {
            best = (model, utility);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEVEL: ConfidenceLevel = ConfidenceLevel::P95;
    const DOLLARS: [f64; 2] = [0.1, 1.0];

    /// Prompts of which the cheap model gets every second one right and the dear one all but the
    /// last of eight; nothing shows it before an answer.
    struct Example {
        quality: Vec<f64>,
        cost_usd: Vec<f64>,
        from_prompt: Vec<f64>,
        groups: Vec<u64>,
    }

    impl Example {
        fn new(n_rows: u64) -> Self {
            let right = |is_right: bool| f64::from(u8::from(is_right));
            let quality = (0..n_rows).flat_map(|row| [right(row % 2 == 0), right(row % 8 != 7)]);
            let rows = || 0..n_rows;
            Self {
                quality: quality.collect(),
                cost_usd: rows().flat_map(|_| DOLLARS).collect(),
                from_prompt: rows().flat_map(|_| [0.5, 0.875]).collect(),
                groups: rows().collect(),
            }
        }

        fn value(&self, from_answer: &[Option<Vec<f64>>]) -> WholeValue {
            whole_value(&self.rows(from_answer), LEVEL, 7).unwrap()
        }

        fn rows<'a>(&'a self, from_answer: &'a [Option<Vec<f64>>]) -> WholeRows<'a> {
            WholeRows {
                n_models: 2,
                quality: &self.quality,
                cost_usd: &self.cost_usd,
                expected_usd: &self.cost_usd,
                from_prompt: &self.from_prompt,
                from_answer,
                groups: &self.groups,
                most_answers: 2,
            }
        }
    }

    fn gain(found: &WholeValue, place: usize) -> AreaGain {
        found.policies[place].over_routing.unwrap()
    }

    #[test]
    fn answers_that_tell_all_lift_the_frontier() {
        let example = Example::new(400);
        let found = example.value(&[Some(example.quality.clone()), None]);
        let foreseeing = gain(&found, 2);
        assert!(0.0 < foreseeing.interval.lower, "{foreseeing:?}");
        assert!(foreseeing.interval.lower <= foreseeing.value);
        assert!(foreseeing.value <= foreseeing.interval.upper);
        // Half are right at 0.1; of the others three in four are worth one dollar more.
        let corner = CostQuality { cost_usd: 0.1 + 0.375, quality: 0.875 };
        let is_corner = |point: &CostQuality| {
            (point.cost_usd - corner.cost_usd).abs() < 1e-9
                && (point.quality - corner.quality).abs() < 1e-9
        };
        assert!(found.policies[2].hull.iter().any(is_corner), "{:?}", found.policies[2].hull);
        // Whoever routes by the request alone can only mix the two.
        assert!((found.policies[0].area - 0.6875).abs() < 1e-9);
    }

    #[test]
    fn the_service_escalates_from_where_the_request_says() {
        let example = Example::new(400);
        let found = example.value(&[Some(example.quality.clone()), None]);
        // At 0.375 / 0.9 points per dollar routing turns to the cheap model; beyond it the answer
        // is read, and one dollar is worth one point up to a weight of one.
        assert!(0.0 < gain(&found, 1).interval.lower);
        assert!(found.policies[1].area <= found.policies[2].area + 1e-12);
    }

    #[test]
    fn without_readers_all_policies_are_one() {
        let example = Example::new(40);
        let found = example.value(&[None, None]);
        for place in [1, 2] {
            let gain = gain(&found, place);
            assert_eq!((gain.value, gain.interval.lower, gain.interval.upper), (0.0, 0.0, 0.0));
            assert!((found.policies[place].answers_per_request - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let example = Example::new(80);
        let readers = [Some(example.quality.clone()), None];
        assert_eq!(example.value(&readers), example.value(&readers));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let example = Example::new(4);
        let refused = |from_answer: &[Option<Vec<f64>>]| {
            whole_value(&example.rows(from_answer), LEVEL, 7).unwrap_err()
        };
        assert_eq!(refused(&[None]), ValuesError::Length { left: 2, right: 1 });
        let short = Some(vec![0.5; 7]);
        assert_eq!(refused(&[short, None]), ValuesError::Length { left: 8, right: 7 });
        let infinite = Some(vec![f64::INFINITY; 8]);
        let found = f64::INFINITY;
        assert_eq!(refused(&[infinite, None]), ValuesError::NotFinite { row: 0, found });
        let one = Example { groups: vec![3; 4], ..Example::new(4) };
        let refused = whole_value(&one.rows(&[None, None]), LEVEL, 7).unwrap_err();
        assert_eq!(refused, ValuesError::TooFew { n_rows: 1 });
    }

    proptest! {
        // Each case has the resamples of an interval.
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Answers that tell what the request tells change nothing where a service decides.
        #[test]
        fn answers_that_tell_nothing_change_nothing(
            cells in prop::collection::vec((0.0..1.0_f64, 0.001..1.0_f64, 0.0..1.0_f64), 12..60),
        ) {
            let n_models = 3;
            let n_rows = cells.len() / n_models;
            let cells = &cells[..n_rows * n_models];
            let column = |of: fn(&(f64, f64, f64)) -> f64| cells.iter().map(of).collect::<Vec<f64>>();
            let (quality, cost_usd, from_prompt) =
                (column(|it| it.0), column(|it| it.1), column(|it| it.2));
            let groups: Vec<u64> = (0..).take(n_rows).collect();
            let from_answer = vec![Some(from_prompt.clone()); n_models];
            let rows = WholeRows {
                n_models,
                quality: &quality,
                cost_usd: &cost_usd,
                expected_usd: &cost_usd,
                from_prompt: &from_prompt,
                from_answer: &from_answer,
                groups: &groups,
                most_answers: 3,
            };
            let found = whole_value(&rows, LEVEL, 1).unwrap();
            prop_assert_eq!(found.policies[1].over_routing.unwrap().value, 0.0);
            prop_assert_eq!(&found.policies[1].hull, &found.policies[0].hull);
        }
    }
}

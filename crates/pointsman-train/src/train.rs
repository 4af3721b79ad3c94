//! From features and outcomes to the parts of a scorer.

use crate::{
    candidate::{Family, Learning},
    columns::Effort,
    demands::Demands,
    design::Design,
    fold::{N_FOLDS, fold_of},
    guarantee::Calibration,
    outcomes::Outcomes,
    problem::{HeldOutFits, Problem},
    prune::{Pruned, Pruning, prune},
};
use pointsman_core::scorer::ScorerParts;

pub use crate::{
    blend::{Scale, StackValue},
    candidate::{Candidate, Learner, LogTargets},
    cost::SlopeValue,
    decided::{Decided, decide, train_as},
    lengths::LengthValue,
    report::{HeldOutReport, MixValue, PointValue, SweepValue},
    select::CandidateValue,
    slopes::CalibrationValue,
};

/// The strengths of regularisation that share the weights.
pub const STRENGTHS: [f64; 6] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0];

/// Those of logistic regression, which hold back more at the same number.
pub const LOGISTIC_STRENGTHS: [f64; 6] = [0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// What to learn from. All slices are indexed by row of the design.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    /// The requests' features.
    pub design: &'a Design,
    /// What came of them.
    pub outcomes: &'a Outcomes,
    /// Equal for rows that must not be divided: one conversation, or equal prompts.
    pub groups: &'a [u64],
    /// Input tokens, where known.
    pub input_tokens: &'a [Option<u32>],
    /// The rows to use, ascending.
    pub rows: &'a [u32],
}

/// How to learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainConfig {
    pub(crate) seed: u64,
    pub(crate) regularisation: Regularisation,
    pub(crate) demands: Demands,
    pub(crate) targets: LogTargets,
    pub(crate) pruning: Option<Pruning>,
}

/// Where the strength of the regularisation comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Regularisation {
    /// From held-out policy value: [`STRENGTHS`] and the constant predictor share the weights.
    HeldOut,
    /// Given; no data are held out, and nothing is said about what the policy is worth.
    Fixed(f64),
    /// As [`Self::HeldOut`], by logistic regression at [`LOGISTIC_STRENGTHS`].
    HeldOutLogistic,
    /// As [`Self::Fixed`], by logistic regression.
    Logistic(f64),
}

/// A setting or a training set that cannot work.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// The scorer cannot be put to work; a bug.
    #[error("what was learned cannot be put to work; report this as a bug")]
    Scorer,
    /// A strength that is not one.
    #[error("a regularisation of {found}; it must be from 0.001 to 1000000 (10 is usual)")]
    Strength { found: f64 },
    /// A fit by what was decided for other models.
    #[error("outcomes of {found} models, where what was decided before is about {expected}")]
    OtherModels { found: usize, expected: usize },
    /// Columns that are not of one length.
    #[error("`{column}` has {found} rows where the design has {expected}")]
    Length { column: &'static str, found: usize, expected: usize },
    /// Too little to hold anything out.
    #[error("{found} requests; learning a policy takes at least {least}")]
    TooFewRows { found: usize, least: usize },
    /// A model about which nothing is known.
    #[error("model number {model} has no outcome in the training rows; leave it out")]
    NoOutcome { model: usize },
    /// All rows are one conversation or one prompt.
    #[error(
        "the requests fall into {found} groups of equal prompts or conversations; at least {least} are needed"
    )]
    TooFewGroups { found: usize, least: usize },
    /// A demand that is no number in its range.
    #[error("--{demand} {found}: it must be from {least} to {most}")]
    Demand { demand: &'static str, found: f64, least: f64, most: f64 },
    /// Demands are met on held-out rows.
    #[error("an operating point was asked for, but with a fixed strength nothing is held out")]
    NothingHeldOut,
    /// A share of what is not known.
    #[error(
        "--target-cost-share {asked}: costs are not known; give the data costs, or tokens and a catalog"
    )]
    NoCosts { asked: f64 },
    /// A cost that no weight on cost gives.
    #[error(
        "--target-cost-share {asked} is out of reach: by its weight on cost the policy costs from \
         {lowest:.3} to {highest:.3} of the best single model"
    )]
    CostShare { asked: f64, lowest: f64, highest: f64 },
    /// Too little to learn from once a quarter is held out.
    #[error(
        "what pruning loses cannot be measured: three quarters of these {found} requests are too \
         few to learn from; leave out --prune and --prune-loss"
    )]
    PruningNotMeasured { found: usize },
    /// Requests that cannot be told apart.
    #[error(
        "--strong-share {asked} is out of reach: the policy finds too many requests alike; the \
         nearest shares are {below:.3} and {above:.3}"
    )]
    StrongShare { asked: f64, below: f64, above: f64 },
}

/// Where training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A fit with some rows held out, of so many.
    HeldOutFit {
        /// From zero.
        index: usize,
        /// How many there will be.
        of: usize,
    },
    /// The strengths are compared.
    Comparing,
    /// The fit on all rows.
    FinalFit,
    /// Terms are left out, and what that loses is measured by a fit of its own.
    Pruning,
    /// Done.
    Done,
}

/// What was learned.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The scorer; of the rows that do not calibrate a guarantee.
    pub parts: ScorerParts,
    /// Each candidate's worth and share, the constant predictor's last.
    pub candidates: Vec<CandidateValue>,
    /// The stacks that were tried; at most one was kept.
    pub stacks: Vec<StackValue>,
    /// What a slope of its own is worth to each model's predictions; `None` where no stack was kept.
    pub calibration: Option<CalibrationValue>,
    /// What a length of their own is worth to output tokens; `None` where none was tried.
    pub token_length: Option<LengthValue>,
    /// What each model's own slope of output tokens on the length is worth on held-out rows; `None`
    /// where no length was learned, or where output tokens are not known.
    pub output_token_slopes: Option<SlopeValue>,
    /// The same of costs.
    pub cost_slopes: Option<SlopeValue>,
    /// What the policy was worth on held-out rows; `None` with a fixed strength. A point with a
    /// guarantee is valued on the calibration rows, which neither the fit nor the sweep have seen.
    pub held_out: Option<HeldOutReport>,
    /// What held-out rows decided, for [`train_as`] on other rows; as [`decide`] says it.
    pub decided: Option<Decided>,
    /// Mean quality of each model in the training rows.
    pub mean_quality: Vec<f64>,
    /// Mean dollars of each model in the training rows; zeros where costs are not known.
    pub mean_cost: Vec<f64>,
    /// Passes over the matrix, over all fits.
    pub n_iterations: usize,
    /// Columns that had not converged when a fit ended; normally none.
    pub n_unconverged: usize,
    /// What was left out, where that was asked for; operating points but those with a guarantee are
    /// valued before.
    pub pruned: Option<Pruned>,
    /// The terms' weights before they were rounded to 8 bits or pruned.
    pub exact_terms: ExactTerms,
}

/// Weights of terms in single precision; for measuring what rounding them costs.
#[derive(Debug, Clone)]
pub struct ExactTerms {
    /// The buckets that have weights, ascending.
    pub buckets: Vec<u32>,
    /// Shape `(buckets, n_columns)`, as [`ScorerParts`] counts columns.
    pub weights: Vec<f32>,
}

/// The least number of requests that a policy is learned from.
pub const LEAST_ROWS: usize = 20;

impl TrainConfig {
    /// Settings; `seed` decides which rows are held out together.
    ///
    /// # Errors
    /// [`TrainError::Strength`] for a fixed strength outside `[0.001, 1000000]`.
    pub fn new(seed: u64, regularisation: Regularisation) -> Result<Self, TrainError> {
        match regularisation {
            Regularisation::Fixed(found) | Regularisation::Logistic(found)
                if !(1e-3..=1e6).contains(&found) =>
            {
                Err(TrainError::Strength { found })
            }
            Regularisation::Fixed(_)
            | Regularisation::Logistic(_)
            | Regularisation::HeldOut
            | Regularisation::HeldOutLogistic => {
                let demands = Demands::default();
                let targets = LogTargets::Seen;
                Ok(Self { seed, regularisation, demands, targets, pruning: None })
            }
        }
    }

    /// Operating points that are asked for.
    ///
    /// # Errors
    /// [`TrainError::NothingHeldOut`] with a fixed strength.
    pub fn with_demands(self, demands: Demands) -> Result<Self, TrainError> {
        match self.regularisation {
            Regularisation::Fixed(_) | Regularisation::Logistic(_) if !demands.is_none() => {
                Err(TrainError::NothingHeldOut)
            }
            Regularisation::Fixed(_)
            | Regularisation::Logistic(_)
            | Regularisation::HeldOut
            | Regularisation::HeldOutLogistic => Ok(Self { demands, ..self }),
        }
    }

    /// The same settings with other targets of a log.
    #[must_use]
    pub fn with_targets(self, targets: LogTargets) -> Self {
        Self { targets, ..self }
    }

    /// The same settings for a policy whose file is to be smaller.
    ///
    /// # Errors
    /// [`TrainError::Demand`] for a share or a loss that is not from 0 to 1.
    pub fn with_pruning(self, pruning: Pruning) -> Result<Self, TrainError> {
        let (demand, found) = match pruning {
            Pruning::Share(share) => ("prune", share),
            Pruning::MostLoss(loss) => ("prune-loss", loss),
        };
        if !(0.0..=1.0).contains(&found) {
            return Err(TrainError::Demand { demand, found, least: 0.0, most: 1.0 });
        }
        Ok(Self { pruning: Some(pruning), ..self })
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }
}

/// Learns a scorer. The same set, settings and seed give the same bits, on any number of threads.
///
/// # Errors
/// [`TrainError`] where the set is too small, or a model has no outcome in it.
pub fn train(
    set: &TrainingSet<'_>,
    config: &TrainConfig,
    progress: &dyn Fn(Progress),
) -> Result<Trained, TrainError> {
    check(set)?;
    let calibration = Calibration::of(set, config.seed, &config.demands);
    let set = &calibration.as_ref().map_or(*set, |kept| kept.without(set));
    check(set)?;
    let learning = match config.regularisation {
        Regularisation::Fixed(strength) => {
            Learning::Alone(Family::new(Learner::Ridge, vec![strength]))
        }
        Regularisation::Logistic(strength) => {
            Learning::Alone(Family::new(Learner::Logistic, vec![strength]))
        }
        Regularisation::HeldOut => Learning::Together(config.targets),
        Regularisation::HeldOutLogistic => {
            Learning::Alone(Family::new(Learner::Logistic, LOGISTIC_STRENGTHS.to_vec()))
        }
    };
    let problem = Problem::new(set, learning);
    let fits = match config.regularisation {
        Regularisation::Fixed(_) | Regularisation::Logistic(_) => None,
        Regularisation::HeldOut | Regularisation::HeldOutLogistic => {
            Some(held_out_fits(&problem, config.seed, progress))
        }
    };
    progress(Progress::Comparing);
    let choice = match &fits {
        Some(fits) => problem.choose(fits, &config.demands)?,
        None => problem.without_choice(),
    };
    progress(Progress::FinalFit);
    let (fitted, effort) = problem.fit(&choice, fits.as_ref());
    let mut before = fits.as_ref().map_or_else(Effort::default, |fits| fits.effort);
    before.add(choice.effort);
    let (parts, exact_terms) = problem.parts(fitted, &choice);
    let mut trained = Trained {
        parts,
        decided: config.decides_once().then(|| Decided::of(&problem, &choice)).flatten(),
        candidates: choice.candidates,
        stacks: choice.kinds.tried,
        calibration: choice.kinds.calibration,
        token_length: choice.own_length_value,
        output_token_slopes: choice.output_tokens.and_then(|found| found.value),
        cost_slopes: choice.cost_usd.and_then(|found| found.value),
        held_out: choice.report,
        mean_quality: problem.mean_quality.clone(),
        mean_cost: problem.mean_cost.clone(),
        n_iterations: before.n_iterations + effort.n_iterations,
        n_unconverged: before.n_unconverged + effort.n_unconverged,
        pruned: None,
        exact_terms,
    };
    if let Some(pruning) = config.pruning {
        progress(Progress::Pruning);
        let plain = TrainConfig { demands: Demands::default(), pruning: None, ..*config };
        prune(set, pruning, &plain, &mut trained)?;
    }
    progress(Progress::Done);
    if let Some(calibration) = &calibration {
        calibration.add_point(set, &mut trained)?;
    }
    Ok(trained)
}

/// Fits with one fold held out each.
pub(crate) fn held_out_fits(
    problem: &Problem<'_>,
    seed: u64,
    progress: &dyn Fn(Progress),
) -> HeldOutFits {
    let set = &problem.set;
    let fold = |&row: &u32| fold_of(set.groups[row as usize], seed);
    problem.held_out_fits(set.rows.iter().map(fold).collect(), progress)
}

/// Refuses a set that nothing can be learned from.
pub(crate) fn check(set: &TrainingSet<'_>) -> Result<(), TrainError> {
    let expected = set.design.n_rows();
    let lengths = [
        ("outcomes", set.outcomes.n_rows()),
        ("groups", set.groups.len()),
        ("input_tokens", set.input_tokens.len()),
    ];
    for (column, found) in lengths {
        if found != expected {
            return Err(TrainError::Length { column, found, expected });
        }
    }
    if set.rows.len() < LEAST_ROWS {
        return Err(TrainError::TooFewRows { found: set.rows.len(), least: LEAST_ROWS });
    }
    let least = 2 * N_FOLDS;
    let mut groups = std::collections::BTreeSet::new();
    for &row in set.rows {
        groups.insert(set.groups[row as usize]);
        if least <= groups.len() {
            break; // no need to sort them all
        }
    }
    if groups.len() < least {
        return Err(TrainError::TooFewGroups { found: groups.len(), least });
    }
    match unseen_model(set) {
        Some(model) => Err(TrainError::NoOutcome { model }),
        None => Ok(()),
    }
}

fn unseen_model(set: &TrainingSet<'_>) -> Option<usize> {
    (0..set.outcomes.n_models()).find(|&model| {
        set.rows.iter().all(|&row| set.outcomes.quality(row as usize)[model].is_nan())
    })
}

#[cfg(test)]
mod tests;

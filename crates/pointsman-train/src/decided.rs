//! What held-out rows decided once, taken over by fits on later rows.
//!
//! Most of what a training takes are fits that only compare ways to learn. Which learner and which
//! strengths serve a stream of requests changes slowly, so a fit on later rows of the same models
//! takes them over, and with them the operating points. Strengths are penalties, not penalties per
//! row, so those that were found on some of the rows serve all of them. What is taken over is the
//! learner with the largest share, at its strengths, which are one run of conjugate gradients.
//! Weakness: what other learners add to predictions, clusters, and slopes of models' own are left out
//! until held-out rows are asked again; and the points' values are those of the rows that decided.

use crate::{
    blend::{Scale, StackValue},
    candidate::{Candidate, Learning, LogTargets},
    columns::Effort,
    cost::Lines,
    kinds::Kinds,
    lengths::{LengthValue, OwnLength},
    problem::{Choice, Problem},
    report::HeldOutReport,
    select::CandidateValue,
    train::{
        Progress, Regularisation, TrainConfig, TrainError, Trained, TrainingSet, check,
        held_out_fits,
    },
};

/// A strength with less than this of its learner's share is not worth its vectors.
const LEAST_SHARE: f64 = 0.05;

/// What held-out rows decided, for fits on other rows of the same models.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    n_models: usize,
    /// What each candidate of all was worth.
    candidates: Vec<CandidateValue>,
    stacks: Vec<StackValue>,
    report: Option<HeldOutReport>,
    /// Those that are taken over, all of one learner and one clip, and the share of each.
    kept: Vec<(Candidate, f64)>,
    /// Which of them says how hard a request is for all models alike.
    direction: Option<usize>,
    linear: Scale,
    lengths: Option<Lengths>,
}

/// How answers' lengths follow from requests, where a column of the fit says so.
#[derive(Debug, Clone, PartialEq)]
struct Lengths {
    /// Which of the candidates that are taken over it comes from.
    of: usize,
    output_tokens: Option<Lines>,
    cost_usd: Option<Lines>,
    centre: f64,
    own: Option<OwnLength>,
    own_value: Option<LengthValue>,
}

impl TrainConfig {
    /// Whether fits on later rows can take over what held-out rows decided: not where nothing is
    /// held out, nor with doubly robust targets, which are made from the fits that hold rows out.
    pub fn decides_once(&self) -> bool {
        self.regularisation == Regularisation::HeldOut && self.targets == LogTargets::Seen
    }
}

/// Asks held-out rows how to learn, without learning; `None` where [`TrainConfig::decides_once`]
/// says no.
///
/// # Errors
/// As [`crate::train::train`].
pub fn decide(
    set: &TrainingSet<'_>,
    config: &TrainConfig,
    progress: &dyn Fn(Progress),
) -> Result<Option<Decided>, TrainError> {
    if !config.decides_once() {
        return Ok(None);
    }
    check(set)?;
    let problem = Problem::new(set, Learning::Together(config.targets));
    let fits = held_out_fits(&problem, config.seed, progress);
    progress(Progress::Comparing);
    let choice = problem.choose(&fits, &config.demands)?;
    Ok(Decided::of(&problem, &choice))
}

/// Learns as was decided on other rows of the same models, in the same order. The same set and
/// decisions give the same bits, on any number of threads.
///
/// # Errors
/// As [`crate::train::train`], and [`TrainError::OtherModels`] where the models are not as many.
pub fn train_as(
    set: &TrainingSet<'_>,
    decided: &Decided,
    progress: &dyn Fn(Progress),
) -> Result<Trained, TrainError> {
    check(set)?;
    let (found, expected) = (set.outcomes.n_models(), decided.n_models);
    if found != expected {
        return Err(TrainError::OtherModels { found, expected });
    }
    progress(Progress::FinalFit);
    let candidates = decided.kept.iter().map(|(candidate, _)| *candidate).collect();
    let problem = Problem::new(set, Learning::Decided(candidates));
    let choice = decided.choice(&problem);
    let (fitted, effort) = problem.fit(&choice, None);
    progress(Progress::Done);
    let (parts, exact_terms) = problem.parts(fitted, &choice);
    Ok(Trained {
        parts,
        candidates: choice.candidates,
        stacks: decided.stacks.clone(),
        calibration: None,
        token_length: choice.own_length_value,
        output_token_slopes: choice.output_tokens.and_then(|found| found.value),
        cost_slopes: choice.cost_usd.and_then(|found| found.value),
        held_out: choice.report,
        decided: Some(decided.clone()),
        mean_quality: problem.mean_quality.clone(),
        mean_cost: problem.mean_cost.clone(),
        n_iterations: effort.n_iterations,
        n_unconverged: effort.n_unconverged,
        pruned: None,
        exact_terms,
    })
}

impl Decided {
    /// What is taken over of a choice; `None` where no learner takes part in choices.
    pub(crate) fn of(problem: &Problem<'_>, choice: &Choice) -> Option<Self> {
        let all: Vec<Candidate> = problem.candidates().collect();
        let share = |index: usize| choice.candidates.get(index).map_or(0.0, |value| value.share);
        let first = largest_family(&all, share)?;
        let is_of_family = |candidate: &Candidate| {
            candidate.learner == first.learner && candidate.clip == first.clip
        };
        let total: f64 = all
            .iter()
            .enumerate()
            .filter(|(_, it)| is_of_family(it))
            .map(|(at, _)| share(at))
            .sum();
        let learned: f64 = (0..all.len()).map(share).sum();
        let length = choice.shares.iter().position(|row| row.last().is_some_and(|own| 0.0 < *own));
        let is_kept = |&(at, candidate): &(usize, &Candidate)| {
            let is_needed = choice.direction == Some(at) || length == Some(at);
            is_of_family(candidate) && (is_needed || LEAST_SHARE * total <= share(at))
        };
        let kept: Vec<(usize, &Candidate)> = all.iter().enumerate().filter(is_kept).collect();
        let kept_total: f64 = kept.iter().map(|(at, _)| share(*at)).sum();
        let scale = if 0.0 < kept_total { learned / kept_total } else { 0.0 };
        let place = |wanted: Option<usize>| kept.iter().position(|(at, _)| Some(*at) == wanted);
        Some(Self {
            n_models: problem.n_models,
            candidates: choice.candidates.clone(),
            stacks: choice.kinds.tried.clone(),
            report: choice.report.clone(),
            kept: kept.iter().map(|(at, candidate)| (**candidate, scale * share(*at))).collect(),
            direction: place(choice.direction),
            linear: linear_alone(&choice.kinds.tried),
            lengths: place(length).map(|of| Lengths {
                of,
                output_tokens: choice.output_tokens.clone(),
                cost_usd: choice.cost_usd.clone(),
                centre: choice.length_centre,
                own: choice.own_length,
                own_value: choice.own_length_value,
            }),
        })
    }

    /// The same choice on other rows.
    fn choice(&self, problem: &Problem<'_>) -> Choice {
        let levels = problem.without_choice();
        let shares = |(index, (_, share)): (usize, &(Candidate, f64))| {
            let mut row = vec![*share; self.n_models];
            let is_length = self.lengths.as_ref().is_some_and(|lengths| lengths.of == index);
            row.push(if is_length { 1.0 } else { 0.0 });
            row
        };
        let choice = Choice {
            candidates: self.candidates.clone(),
            shares: self.kept.iter().enumerate().map(shares).collect(),
            kinds: Kinds { linear: self.linear, ..Kinds::none() },
            direction: self.direction,
            output_tokens: levels.output_tokens,
            cost_usd: levels.cost_usd,
            length_centre: 0.0,
            own_length: None,
            own_length_value: None,
            effort: Effort::default(),
            report: self.report.clone(),
        };
        let Some(lengths) = &self.lengths else { return choice };
        let choice =
            Choice { cost_usd: lengths.cost_usd.clone(), length_centre: lengths.centre, ..choice };
        match lengths.own {
            // These rows have nothing to fit a second length to: levels say what they can.
            Some(_) if problem.token_target.is_none() => choice,
            own => Choice {
                output_tokens: lengths.output_tokens.clone(),
                own_length: own,
                own_length_value: lengths.own_value,
                ..choice
            },
        }
    }
}

/// A candidate of the learner and clip whose choices have the largest share together; of equals,
/// the first.
fn largest_family(all: &[Candidate], share: impl Fn(usize) -> f64) -> Option<Candidate> {
    let mut families: Vec<(Candidate, f64)> = Vec::new();
    for (at, candidate) in all.iter().enumerate().filter(|(_, it)| it.chooses()) {
        let known = families
            .iter_mut()
            .find(|(it, _)| it.learner == candidate.learner && it.clip == candidate.clip);
        match known {
            Some((_, total)) => *total += share(at),
            None => families.push((*candidate, share(at))),
        }
    }
    let larger = |best: (Candidate, f64), next: (Candidate, f64)| {
        if best.1 < next.1 { next } else { best }
    };
    families.into_iter().reduce(larger).map(|(candidate, _)| candidate)
}

/// The scale of the linear part without clusters, as held-out rows found it: what sets models apart
/// only where that loses nothing.
fn linear_alone(stacks: &[StackValue]) -> Scale {
    let Some(alone) = stacks.iter().find(|stack| stack.n_clusters == 0) else { return Scale::ONE };
    if 0.0 <= alone.gain { alone.linear } else { Scale { own: 1.0, ..alone.linear } }
}

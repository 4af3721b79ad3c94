//! Training sets: from the simulated world, and of a given size from words drawn by Zipf's law.

use crate::text::{Kind, Writer};
use pointsman_core::{
    features::{Bigrams, FeatureSchema},
    request::Request,
    units::{Propensity, as_float, len_as_float},
};
use pointsman_testkit::{Draws, Stream, World};
use pointsman_train::{
    design::{Design, DesignBuilder},
    outcomes::{LoggedOutcome, Outcomes},
    train::{TrainConfig, TrainError, Trained, TrainingSet, train},
};
use std::error::Error;

/// What training takes, owned.
#[derive(Debug)]
pub struct Sample {
    design: Design,
    outcomes: Outcomes,
    groups: Vec<u64>,
    input_tokens: Vec<Option<u32>>,
    rows: Vec<u32>,
}

impl Sample {
    fn new(design: Design, outcomes: Outcomes) -> Self {
        let n_rows = design.n_rows();
        Self {
            design,
            outcomes,
            groups: (0..n_rows as u64).collect(),
            input_tokens: vec![None; n_rows],
            rows: (0_u32..).take(n_rows).collect(),
        }
    }

    /// Full information on the first requests of the simulated world.
    ///
    /// # Errors
    /// What the outcomes refuse; a bug in this file.
    pub fn simulated(n_rows: u64) -> Result<Self, Box<dyn Error>> {
        let world = World::new(11);
        let mut design = DesignBuilder::new(FeatureSchema::default());
        let (mut quality, mut cost, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..n_rows {
            let request = world.request(index);
            design.push(&Request::from_prompt(&request.prompt));
            for outcome in world.outcomes(&request) {
                quality.push(narrow(outcome.quality));
                cost.push(as_float(outcome.cost_nanodollars) / 1e9);
                tokens.push(narrow(as_float(outcome.output_tokens)));
            }
        }
        let outcomes = Outcomes::full(world.n_models(), quality, Some(cost), Some(tokens))?;
        Ok(Self::new(design.finish(), outcomes))
    }

    /// A log of short texts, words alone, one uniformly drawn model each.
    ///
    /// # Errors
    /// What the outcomes refuse; a bug in this file.
    pub fn logged(n_rows: u64, n_bytes: usize, n_models: usize) -> Result<Self, Box<dyn Error>> {
        let writer = Writer::new();
        let mut design = DesignBuilder::new(FeatureSchema::new(18, Bigrams::Without)?);
        let mut rows = Vec::new();
        for index in 0..n_rows {
            let text = writer.write(Kind::Prose, n_bytes, index);
            design.push(&Request::from_prompt(&text));
            let mut draws = Draws::keyed(5, Stream::Logging, &[index]);
            let taken = draws.position(n_models);
            let is_good =
                draws.chance(if text.len().is_multiple_of(taken + 2) { 0.7 } else { 0.5 });
            rows.push(LoggedOutcome {
                taken: u16::try_from(taken)?,
                propensity: Propensity::new(1.0 / len_as_float(n_models))?,
                quality: if is_good { 1.0 } else { 0.0 },
                cost_usd: None,
                output_tokens: None,
            });
        }
        Ok(Self::new(design.finish(), Outcomes::logged(n_models, &rows)?))
    }

    /// Full information, made up, on long texts with pairs of words.
    ///
    /// # Errors
    /// What the outcomes refuse; a bug in this file.
    pub fn tabled(n_rows: u64, n_bytes: usize, n_models: usize) -> Result<Self, Box<dyn Error>> {
        let writer = Writer::new();
        let mut design = DesignBuilder::new(FeatureSchema::default());
        let mut quality = Vec::new();
        for index in 0..n_rows {
            design.push(&Request::from_prompt(&writer.write(Kind::Prose, n_bytes, index)));
            let mut draws = Draws::keyed(5, Stream::Logging, &[index]);
            quality.extend((0..n_models).map(|_| if draws.chance(0.6) { 1.0 } else { 0.0 }));
        }
        Ok(Self::new(design.finish(), Outcomes::full(n_models, quality, None, None)?))
    }

    /// Terms per request.
    pub fn mean_terms(&self) -> f64 {
        let terms: usize = (0..self.design.n_rows()).map(|row| self.design.terms(row).len()).sum();
        len_as_float(terms) / len_as_float(self.design.n_rows())
    }

    /// Learns.
    ///
    /// # Errors
    /// [`TrainError`] where there are too few rows.
    pub fn train(&self, config: &TrainConfig) -> Result<Trained, TrainError> {
        let set = TrainingSet {
            design: &self.design,
            outcomes: &self.outcomes,
            groups: &self.groups,
            input_tokens: &self.input_tokens,
            rows: &self.rows,
        };
        train(&set, config, &|_| ())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "outcomes are single precision")]
fn narrow(value: f64) -> f32 {
    value as f32
}

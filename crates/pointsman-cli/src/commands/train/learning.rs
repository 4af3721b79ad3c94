//! Flags of `train` that decide what is learned, and in how much room.

use anyhow::{Context, Result, bail};
use pointsman_core::{
    artifact::Artifact,
    features::{Bigrams, FeatureSchema, SchemaVersion},
    units::len_as_float,
};
use pointsman_train::{
    design::Design,
    train::{LogTargets, Regularisation, TrainConfig},
};
use std::borrow::Cow;

/// Flags that decide what is learned.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LearningFlags {
    /// Seeds every random choice.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A fixed strength of regularisation, instead of averaging by held-out policy value.
    #[arg(long, value_name = "STRENGTH")]
    pub(crate) penalty: Option<f64>,
    /// What fits minimise.
    #[arg(long, value_enum, default_value_t = Loss::Squared)]
    pub(crate) loss: Loss,
    /// From a log, also fit to doubly robust targets, and let held-out value decide.
    #[arg(long, conflicts_with_all = ["penalty", "table"])]
    pub(crate) doubly_robust: bool,
    /// Words alone, without pairs of words.
    #[arg(long)]
    pub(crate) words_only: bool,
    /// The binary logarithm of the number of buckets that terms are hashed into, 8 to 20.
    #[arg(long, default_value_t = 18, value_name = "LOG2")]
    pub(crate) buckets: u8,
    /// The version of the rules that requests are read by: 1 where a log keeps features of version 1
    /// and no text.
    #[arg(long, value_name = "1|2")]
    pub(crate) schema_version: Option<u32>,
    /// The most megabytes that the policy may take; it gets as many buckets as fit.
    #[arg(long, value_name = "MB")]
    pub(crate) max_mb: Option<f64>,
}

/// What a fit minimises: squared error of quality, or its log loss as a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Loss {
    Squared,
    Logistic,
}

/// What a policy file takes for each row that it was trained on, at most: two ids.
const BYTES_PER_ROW: f64 = 16.0;

/// What it takes beside that and its terms, roughly.
const BYTES_OF_THE_REST: f64 = 20_000.0;

/// The binary logarithm of the smallest number of buckets.
const LEAST_LOG2_BUCKETS: u8 = 8;

impl LearningFlags {
    /// The feature schema that was asked for.
    pub(crate) fn schema(&self) -> Result<FeatureSchema> {
        let bigrams = if self.words_only { Bigrams::Without } else { Bigrams::With };
        let schema = FeatureSchema::new(self.buckets, bigrams).context("--buckets")?;
        let Some(number) = self.schema_version else { return Ok(schema) };
        let Some(version) = SchemaVersion::of_number(number) else {
            bail!("--schema-version {number}: there are the versions 1 and 2")
        };
        Ok(schema.with_version(version))
    }

    /// The features in as many buckets as `--max-mb` leaves room for; `rows` are trained on.
    pub(super) fn fitting<'d>(
        &self,
        design: &'d Design,
        n_models: usize,
        rows: &[u32],
    ) -> Result<Cow<'d, Design>> {
        let Some(max_mb) = self.max_mb else { return Ok(Cow::Borrowed(design)) };
        let room = 1e6 * max_mb - BYTES_PER_ROW * len_as_float(rows.len()) - BYTES_OF_THE_REST;
        let is_enough = |log2: &u8| len_as_float((n_models + 3) << log2) <= room;
        let Some(log2) =
            (LEAST_LOG2_BUCKETS..=design.schema().log2_buckets()).rev().find(is_enough)
        else {
            bail!(
                "--max-mb {max_mb}: {n_models} models and {} requests do not fit; the least is {:.2}",
                rows.len(),
                max_mb + (len_as_float((n_models + 3) << LEAST_LOG2_BUCKETS) - room) / 1e6
            );
        };
        Ok(Cow::Owned(design.coarser(log2)?))
    }

    /// The features in half as many buckets, where a policy's file is above `--max-mb`.
    pub(super) fn smaller(&self, design: &Design, artifact: &Artifact) -> Result<Option<Design>> {
        let Some(max_mb) = self.max_mb else { return Ok(None) };
        let n_mb = len_as_float(artifact.to_bytes()?.len()) / 1e6;
        if n_mb <= max_mb {
            return Ok(None);
        }
        let log2 = design.schema().log2_buckets();
        if log2 == LEAST_LOG2_BUCKETS {
            bail!("--max-mb {max_mb}: the smallest file takes {n_mb:.2}");
        }
        Ok(Some(design.coarser(log2 - 1)?))
    }

    /// The settings of the learner.
    pub(crate) fn config(&self) -> Result<TrainConfig> {
        if self.doubly_robust && self.loss == Loss::Logistic {
            bail!("--doubly-robust fits squared error; leave it out, or leave out --loss logistic");
        }
        let regularisation = match (self.penalty, self.loss) {
            (None, Loss::Squared) => Regularisation::HeldOut,
            (None, Loss::Logistic) => Regularisation::HeldOutLogistic,
            (Some(strength), Loss::Squared) => Regularisation::Fixed(strength),
            (Some(strength), Loss::Logistic) => Regularisation::Logistic(strength),
        };
        let targets = if self.doubly_robust { LogTargets::DoublyRobust } else { LogTargets::Seen };
        let config = TrainConfig::new(self.seed, regularisation).context("--penalty")?;
        Ok(config.with_targets(targets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::request::Request;
    use pointsman_train::design::DesignBuilder;

    #[test]
    fn as_many_buckets_are_taken_as_fit() {
        let mut builder = DesignBuilder::new(FeatureSchema::default());
        builder.push(&Request::from_prompt("one two"));
        let design = builder.finish();
        let log2 = |max_mb: Option<f64>| {
            let flags = LearningFlags {
                seed: 0,
                penalty: None,
                loss: Loss::Squared,
                doubly_robust: false,
                words_only: false,
                buckets: 18,
                schema_version: None,
                max_mb,
            };
            let found = flags.fitting(&design, 2, &[0]).map(|found| found.schema().log2_buckets());
            found.map_err(|error| error.to_string())
        };
        assert_eq!(log2(None), Ok(18));
        assert_eq!(log2(Some(5.0)), Ok(18));
        assert_eq!(log2(Some(1.0)), Ok(17));
        assert_eq!(log2(Some(0.1)), Ok(13));
        let sentence = log2(Some(0.01)).unwrap_err();
        assert!(sentence.contains("--max-mb 0.01: 2 models and 1 requests"), "{sentence}");
        assert!(sentence.ends_with("the least is 0.02"), "{sentence}");
        assert!(log2(Some(f64::NAN)).is_err());
    }
}

//! Flags of `train` that make a policy's file smaller.

use anyhow::Result;
use pointsman_core::{artifact, objective::Band, units::Probability};
use pointsman_train::{
    prune::{NORMAL_95, Pruned, Pruning},
    train::TrainConfig,
};

/// How much is left out of a policy.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PruneFlags {
    /// Leave out the weights of this share of the terms, those that can change a choice least; what
    /// that loses is measured on a quarter of the data, by a fit of its own.
    #[arg(long, value_name = "SHARE", conflicts_with = "prune_loss")]
    prune: Option<f64>,
    /// Leave out as many terms as lose at most this much, in quality points, with 95 % confidence.
    #[arg(long, value_name = "QUALITY")]
    prune_loss: Option<f64>,
}

impl PruneFlags {
    /// The settings with what is asked for.
    pub(crate) fn apply(&self, config: TrainConfig) -> Result<TrainConfig> {
        let share = self.prune.map(Pruning::Share);
        Ok(match share.or(self.prune_loss.map(Pruning::MostLoss)) {
            Some(pruning) => config.with_pruning(pruning)?,
            None => config,
        })
    }
}

/// As the card has it.
pub(super) fn on_card(pruned: &Pruned) -> Result<artifact::Pruning> {
    let Pruned { n_terms, n_kept, loss, std_error, n_rows } = *pruned;
    let reach = NORMAL_95 * std_error;
    let level = Probability::new(0.95)?;
    Ok(artifact::Pruning {
        n_terms: n_terms as u64,
        n_kept: n_kept as u64,
        loss: Band { value: loss, lower: loss - reach, upper: loss + reach, level },
        n_requests: n_rows as u64,
    })
}

//! Flags of `train` that ask for operating points.

use crate::nearest::did_you_mean;
use anyhow::{Context, Result};
use pointsman_train::demands::Demands;

/// Operating points besides those that every policy has.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PointFlags {
    /// A point that loses at most this much mean quality against the best single model, with a
    /// guarantee, on a quarter of the data that is held out for it.
    #[arg(long, value_name = "QUALITY", conflicts_with = "penalty")]
    max_quality_loss: Option<f64>,
    /// A point that costs this share of the best single model.
    #[arg(long, value_name = "SHARE", conflicts_with = "penalty")]
    target_cost_share: Option<f64>,
    /// A point at which this share of the requests goes to the strong model.
    #[arg(long, value_name = "SHARE", conflicts_with = "penalty")]
    strong_share: Option<f64>,
    /// The strong model; the best single one where not given.
    #[arg(long, value_name = "MODEL", requires = "strong_share")]
    strong: Option<String>,
}

impl PointFlags {
    /// Whether a point is to be proved, which takes propensities that are known.
    pub(crate) fn asks_for_proof(&self) -> bool {
        self.max_quality_loss.is_some()
    }

    /// Refuses numbers that no data could meet.
    pub(crate) fn check(&self) -> Result<()> {
        Self { strong: None, ..self.clone() }.demands(&[])?;
        Ok(())
    }

    /// What is asked for, of a policy for these models.
    pub(crate) fn demands(&self, models: &[String]) -> Result<Demands> {
        let mut demands = Demands::default();
        if let Some(loss) = self.max_quality_loss {
            demands = demands.with_max_quality_loss(loss)?;
        }
        if let Some(share) = self.target_cost_share {
            demands = demands.with_target_cost_share(share)?;
        }
        if let Some(share) = self.strong_share {
            let place = |name: &String| {
                models.iter().position(|model| model == name).with_context(|| {
                    let question = did_you_mean(name, models.iter().map(String::as_str));
                    format!(
                        "--strong {name}: the data's models are {}{question}",
                        models.join(", ")
                    )
                })
            };
            let strong = self.strong.as_ref().map(place).transpose()?;
            demands = demands.with_strong_share(share, strong)?;
        }
        Ok(demands)
    }
}

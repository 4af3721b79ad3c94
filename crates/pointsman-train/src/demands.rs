//! Operating points that are asked for, besides those that every policy has.

use crate::train::TrainError;

/// What operating points are to keep.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Demands {
    pub(crate) max_quality_loss: Option<f64>,
    pub(crate) target_cost_share: Option<f64>,
    pub(crate) strong_share: Option<f64>,
    pub(crate) strong_model: Option<usize>,
}

impl Demands {
    /// Whether anything is asked for.
    pub fn is_none(&self) -> bool {
        let Self { max_quality_loss, target_cost_share, strong_share, strong_model: _ } = self;
        max_quality_loss.is_none() && target_cost_share.is_none() && strong_share.is_none()
    }

    /// A point that, with a guarantee, loses at most this much in mean quality against the best
    /// single model. A quarter of the groups is held out for it.
    ///
    /// # Errors
    /// [`TrainError::Demand`] outside `[0.0001, 0.5]`.
    pub fn with_max_quality_loss(mut self, found: f64) -> Result<Self, TrainError> {
        self.max_quality_loss = Some(within("max-quality-loss", found, (1e-4, 0.5))?);
        Ok(self)
    }

    /// A point that costs at most this share of the best single model.
    ///
    /// # Errors
    /// [`TrainError::Demand`] outside `[0.000001, 1000]`; whether it is within reach is known after
    /// learning.
    pub fn with_target_cost_share(mut self, found: f64) -> Result<Self, TrainError> {
        self.target_cost_share = Some(within("target-cost-share", found, (1e-6, 1e3))?);
        Ok(self)
    }

    /// A point at which this share of the requests goes to one model: the best single one where
    /// none is given.
    ///
    /// # Errors
    /// [`TrainError::Demand`] outside `[0, 1]`.
    pub fn with_strong_share(
        mut self,
        found: f64,
        model: Option<usize>,
    ) -> Result<Self, TrainError> {
        self.strong_share = Some(within("strong-share", found, (0.0, 1.0))?);
        self.strong_model = model;
        Ok(self)
    }
}

fn within(demand: &'static str, found: f64, (least, most): (f64, f64)) -> Result<f64, TrainError> {
    if (least..=most).contains(&found) {
        return Ok(found);
    }
    Err(TrainError::Demand { demand, found, least, most })
}

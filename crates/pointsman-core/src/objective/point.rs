//! Operating points: named objectives with what they were worth on held-out data.
//!
//! Models are named by their place in the policy's list, as everywhere in a decision; the card
//! writes their names.

use crate::units::Probability;

/// A named objective, calibrated on held-out data, with what it was worth there.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatingPoint {
    /// `economy`, `balanced`, `quality`, or one that was asked for, such as `strong-share-0.5`.
    pub name: String,
    /// Quality points per dollar.
    pub per_dollar: f64,
    /// One model that is favoured over the others.
    pub favour: Option<Favour>,
    /// Mean quality per request.
    pub quality: Band,
    /// Mean dollars per request; zero where costs are not known.
    pub cost_usd: Band,
    /// Mean cost as a share of the best single model's; `None` where costs are not known.
    pub cost_share: Option<Band>,
    /// How many requests go to the strong model.
    pub strong_share: Option<StrongShare>,
    /// What is guaranteed, where a guarantee was asked for.
    pub guarantee: Option<Guarantee>,
}

/// Quality points that one model is given on every request, besides what is predicted of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Favour {
    /// The model, by its place in the policy's list.
    pub model: usize,
    /// Finite; negative where the model is held back.
    pub quality_points: f64,
}

/// The share of requests that go to one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StrongShare {
    /// The model, by its place in the policy's list.
    pub model: usize,
    /// Its share of the requests.
    pub share: Band,
}

/// A bound on what routing loses, proved on rows that neither the fit nor any choice had seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guarantee {
    /// The most that is lost in mean quality.
    pub max_quality_loss: f64,
    /// The model it is lost against, by its place in the policy's list: the best single model of
    /// the rows that were fitted.
    pub against: usize,
    /// How often, over draws of the calibration rows, the bound holds.
    pub confidence: Probability,
    /// Groups (conversations, or equal prompts) that it was proved on; each counts once.
    pub n_groups: u64,
    /// Requests in them.
    pub n_requests: u64,
    /// Whether the point always takes `against`, since nothing else could be shown to keep the
    /// bound.
    pub is_single: bool,
}

/// A value with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The estimate.
    pub value: f64,
    /// The interval's lower end.
    pub lower: f64,
    /// The interval's upper end.
    pub upper: f64,
    /// The interval's nominal coverage.
    pub level: Probability,
}

impl Guarantee {
    /// What exactly is guaranteed, in one sentence.
    pub fn sentence(&self, models: &[String]) -> String {
        let Self { max_quality_loss, against, confidence, n_groups, n_requests, is_single } = *self;
        let confidence = confidence.get();
        let against = models.get(against).map_or("?", String::as_str);
        if is_single {
            return format!(
                "always `{against}`: on {n_requests} calibration requests in {n_groups} groups nothing \
                 cheaper could be shown, with probability {confidence}, to lose at most \
                 {max_quality_loss} against it"
            );
        }
        format!(
            "with probability at least {confidence} over the draw of {n_requests} calibration requests \
             in {n_groups} groups, this policy loses at most {max_quality_loss} in mean quality against \
             always taking `{against}`, on new groups of requests like these (a conversation, or equal \
             prompts, count once), taken greedily, at the costs it learned, where every model may answer"
        )
    }
}

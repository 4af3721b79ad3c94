//! Operating points as the card writes them: models by name, and what a point does not have left
//! out, so that files from before a field was there are written again to the same bytes.

use crate::{
    objective::{Band, Favour, Guarantee, OperatingPoint, StrongShare},
    units::Probability,
};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PointWire {
    name: String,
    quality_points_per_usd: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    favour: Option<FavourWire>,
    quality: BandWire,
    cost_usd: BandWire,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_share: Option<BandWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strong_share: Option<StrongWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guarantee: Option<GuaranteeWire>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BandWire {
    value: f64,
    lower: f64,
    upper: f64,
    level: f64,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct FavourWire {
    model: String,
    quality_points: f64,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct StrongWire {
    model: String,
    share: BandWire,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct GuaranteeWire {
    max_quality_loss: f64,
    against: String,
    confidence: f64,
    n_groups: u64,
    n_requests: u64,
    is_single: bool,
}

impl PointWire {
    pub(super) fn new(point: &OperatingPoint, models: &[String]) -> Self {
        let OperatingPoint {
            name,
            per_dollar,
            favour,
            quality,
            cost_usd,
            cost_share,
            strong_share,
            guarantee,
        } = point;
        // A place that is not in the list is written as no name, which no reader takes.
        let named = |place: usize| models.get(place).cloned().unwrap_or_default();
        Self {
            name: name.clone(),
            quality_points_per_usd: *per_dollar,
            favour: favour.map(|Favour { model, quality_points }| FavourWire {
                model: named(model),
                quality_points,
            }),
            quality: BandWire::from(quality),
            cost_usd: BandWire::from(cost_usd),
            cost_share: cost_share.as_ref().map(BandWire::from),
            strong_share: strong_share.as_ref().map(|StrongShare { model, share }| StrongWire {
                model: named(*model),
                share: BandWire::from(share),
            }),
            guarantee: guarantee.as_ref().map(|guarantee| GuaranteeWire {
                max_quality_loss: guarantee.max_quality_loss,
                against: named(guarantee.against),
                confidence: guarantee.confidence.get(),
                n_groups: guarantee.n_groups,
                n_requests: guarantee.n_requests,
                is_single: guarantee.is_single,
            }),
        }
    }

    pub(super) fn read(self, models: &[String]) -> Result<OperatingPoint, String> {
        let place = |name: &str| {
            let place = models.iter().position(|model| model == name);
            place.ok_or_else(|| {
                format!("an operating point is about `{name}`, which is not among the models")
            })
        };
        let favour = |FavourWire { model, quality_points }: FavourWire| {
            if !quality_points.is_finite() {
                return Err(format!("a favour of {quality_points} quality points"));
            }
            Ok(Favour { model: place(&model)?, quality_points })
        };
        let strong = |StrongWire { model, share }: StrongWire| {
            Ok::<_, String>(StrongShare { model: place(&model)?, share: share.read()? })
        };
        let guarantee = |wire: GuaranteeWire| {
            Ok::<_, String>(Guarantee {
                max_quality_loss: wire.max_quality_loss,
                against: place(&wire.against)?,
                confidence: probability(wire.confidence)?,
                n_groups: wire.n_groups,
                n_requests: wire.n_requests,
                is_single: wire.is_single,
            })
        };
        Ok(OperatingPoint {
            name: self.name,
            per_dollar: self.quality_points_per_usd,
            favour: self.favour.map(favour).transpose()?,
            quality: self.quality.read()?,
            cost_usd: self.cost_usd.read()?,
            cost_share: self.cost_share.map(BandWire::read).transpose()?,
            strong_share: self.strong_share.map(strong).transpose()?,
            guarantee: self.guarantee.map(guarantee).transpose()?,
        })
    }
}

impl From<&Band> for BandWire {
    fn from(band: &Band) -> Self {
        let Band { value, lower, upper, level } = *band;
        Self { value, lower, upper, level: level.get() }
    }
}

impl BandWire {
    pub(super) fn read(self) -> Result<Band, String> {
        let Self { value, lower, upper, level } = self;
        Ok(Band { value, lower, upper, level: probability(level)? })
    }
}

fn probability(value: f64) -> Result<Probability, String> {
    Probability::new(value).map_err(|error| error.to_string())
}

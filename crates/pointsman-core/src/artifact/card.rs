//! The model card: everything in an artifact that is not a tensor.

use super::{
    digest,
    foresight_wire::{self, ForesightWire},
    point_wire::{BandWire, PointWire},
    row_ids::RowIds,
};
use crate::{
    escalation::Foresight,
    features::{Bigrams, FeatureSchema, SchemaVersion},
    objective::{Band, OperatingPoint},
};
use std::collections::BTreeMap;

/// What people and programs read about a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The policy's name.
    pub name: String,
    /// How text becomes terms.
    pub schema: FeatureSchema,
    /// The models, in the order of the scorer's columns.
    pub models: Vec<String>,
    /// Each model's mean quality in the training rows, in their order; `None` in files that were
    /// written before it was.
    pub mean_quality: Option<Vec<f64>>,
    /// Named objectives with what they were worth on held-out data; the first is the default.
    pub operating_points: Vec<OperatingPoint>,
    /// What held-out data says about routing at all.
    pub standing: Standing,
    /// What was left out to make the file smaller, if anything was.
    pub pruning: Option<Pruning>,
    /// What reading answers is expected to be worth before there are any, for each model of which it
    /// was learned; a model without it is chosen as if its answer were final.
    pub foresight: Vec<Foresight>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Terms whose weights were left out of a policy, which makes its file smaller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pruning {
    /// Terms that had weights.
    pub n_terms: u64,
    /// Terms that have them still.
    pub n_kept: u64,
    /// What that loses, in quality points, averaged over weights on cost: the value of the policy
    /// before less that after, both learned from three quarters of the requests.
    pub loss: Band,
    /// The requests that it was measured on.
    pub n_requests: u64,
}

/// What held-out data says about the policy against the best single model.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The model that was best alone.
    pub best_single: String,
    /// One sentence for people.
    pub sentence: String,
}

/// What a policy was trained on, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Full information or a log.
    pub origin: Origin,
    /// SHA-256 over the rows that were used, in order.
    pub data_digest: String,
    /// Distinct requests.
    pub n_requests: u64,
    /// Outcomes of one model on one request.
    pub n_outcomes: u64,
    /// Seeds every random choice of the run.
    pub seed: u64,
    /// The version of Pointsman that trained it.
    pub version: String,
    /// What was chosen on held-out data, and what for, in the order of the names.
    pub settings: BTreeMap<String, String>,
}

/// What kind of data a policy was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Every model's outcome on every request.
    OutcomeTable,
    /// One model's outcome per request, with propensities.
    TrafficLog,
}

impl Card {
    /// The keyed id of a training row: the first eight bytes of the SHA-256 over the data's digest
    /// and the row's own id. Without the data, ids say nothing about prompts.
    pub fn row_id(&self, row: &str) -> u64 {
        self.row_ids().id(row)
    }

    /// The ids of many rows.
    pub fn row_ids(&self) -> RowIds {
        RowIds::new(&self.provenance.data_digest)
    }
}

/// The card as it is written. Its first field must stay the first: see [`digest::PREFIX`].
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardWire {
    sha256: String,
    pub(super) format_version: u32,
    pub(super) feature_schema: SchemaWire,
    name: String,
    models: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mean_quality: Option<Vec<f64>>,
    operating_points: Vec<PointWire>,
    standing: StandingWire,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pruning: Option<PruningWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    foresight: Option<Vec<ForesightWire>>,
    provenance: ProvenanceWire,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PruningWire {
    n_terms: u64,
    n_kept: u64,
    loss: BandWire,
    n_requests: u64,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaWire {
    pub(super) version: u32,
    log2_buckets: u8,
    bigrams: bool,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct StandingWire {
    best_single: String,
    sentence: String,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvenanceWire {
    origin: Origin,
    data_sha256: String,
    n_requests: u64,
    n_outcomes: u64,
    seed: u64,
    version: String,
    settings: BTreeMap<String, String>,
}

/// The artifact formats that this build reads; it writes the least that can hold a policy.
pub(super) const FORMAT_VERSIONS: std::ops::RangeInclusive<u32> = 1..=3;

impl CardWire {
    /// The card as a file of this format holds it.
    pub(super) fn new(card: &Card, format_version: u32) -> Self {
        let Card {
            name,
            schema,
            models,
            mean_quality,
            operating_points,
            standing,
            pruning,
            foresight,
            provenance,
        } = card;
        Self {
            sha256: digest::BLANK.to_owned(),
            format_version,
            feature_schema: SchemaWire {
                version: schema.version().number(),
                log2_buckets: schema.log2_buckets(),
                bigrams: schema.bigrams() == Bigrams::With,
            },
            name: name.clone(),
            models: models.clone(),
            mean_quality: mean_quality.clone(),
            operating_points: operating_points
                .iter()
                .map(|point| PointWire::new(point, models))
                .collect(),
            standing: StandingWire {
                best_single: standing.best_single.clone(),
                sentence: standing.sentence.clone(),
            },
            pruning: pruning.as_ref().map(PruningWire::from),
            foresight: foresight_wire::written(foresight, models),
            provenance: ProvenanceWire {
                origin: provenance.origin,
                data_sha256: provenance.data_digest.clone(),
                n_requests: provenance.n_requests,
                n_outcomes: provenance.n_outcomes,
                seed: provenance.seed,
                version: provenance.version.clone(),
                settings: provenance.settings.clone(),
            },
        }
    }
}

impl TryFrom<CardWire> for Card {
    type Error = String;

    fn try_from(wire: CardWire) -> Result<Self, String> {
        let SchemaWire { version, log2_buckets, bigrams } = wire.feature_schema;
        let version = SchemaVersion::of_number(version)
            .ok_or_else(|| format!("a feature schema of version {version}"))?;
        let bigrams = if bigrams { Bigrams::With } else { Bigrams::Without };
        let schema =
            FeatureSchema::new(log2_buckets, bigrams).map_err(|error| error.to_string())?;
        let points = wire.operating_points.into_iter().map(|point| point.read(&wire.models));
        let operating_points = points.collect::<Result<_, _>>()?;
        let foresight = foresight_wire::read(wire.foresight, &wire.models)?;
        check_means(wire.mean_quality.as_deref(), wire.models.len())?;
        Ok(Self {
            name: wire.name,
            schema: schema.with_version(version),
            models: wire.models,
            mean_quality: wire.mean_quality,
            operating_points,
            standing: Standing {
                best_single: wire.standing.best_single,
                sentence: wire.standing.sentence,
            },
            pruning: wire.pruning.map(PruningWire::read).transpose()?,
            foresight,
            provenance: Provenance {
                origin: wire.provenance.origin,
                data_digest: wire.provenance.data_sha256,
                n_requests: wire.provenance.n_requests,
                n_outcomes: wire.provenance.n_outcomes,
                seed: wire.provenance.seed,
                version: wire.provenance.version,
                settings: wire.provenance.settings,
            },
        })
    }
}

impl From<&Pruning> for PruningWire {
    fn from(pruning: &Pruning) -> Self {
        let Pruning { n_terms, n_kept, loss, n_requests } = pruning;
        let (n_terms, n_kept, n_requests) = (*n_terms, *n_kept, *n_requests);
        Self { n_terms, n_kept, loss: BandWire::from(loss), n_requests }
    }
}

impl PruningWire {
    fn read(self) -> Result<Pruning, String> {
        let Self { n_terms, n_kept, loss, n_requests } = self;
        if n_terms < n_kept {
            return Err(format!("of {n_terms} terms {n_kept} were kept"));
        }
        Ok(Pruning { n_terms, n_kept, loss: loss.read()?, n_requests })
    }
}

fn check_means(means: Option<&[f64]>, n_models: usize) -> Result<(), String> {
    let Some(means) = means else { return Ok(()) };
    if means.len() != n_models {
        return Err(format!("`mean_quality` has {} entries for {n_models} models", means.len()));
    }
    match means.iter().find(|mean| !(0.0..=1.0).contains(*mean)) {
        Some(mean) => Err(format!("`mean_quality` holds {mean}, which is not in [0, 1]")),
        None => Ok(()),
    }
}

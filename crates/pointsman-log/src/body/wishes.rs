//! What a caller wishes of the router, as it arrives: which providers, and what to strive for.

use std::{borrow::Cow, fmt};

use pointsman_core::request::DataPolicy;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use super::{
    keys::{Keyed, Rule, Watched, WatchedVisitor},
    text::{Amount, Text, Typical},
};

/// The keys by which a caller speaks to the router: one that is nearly one of these is refused.
pub(super) const OWN: &[&str] = &[
    "objective",
    "candidates",
    "models",
    "deny",
    "provider",
    "max_cost_usd",
    "max_latency_ms",
    "input_tokens",
    "session_id",
    "turn",
    "metadata",
    "explain",
    "explore",
    "escalate",
];

#[derive(Deserialize, Default)]
pub(super) struct ProviderFile<'a> {
    #[serde(borrow)]
    pub(super) order: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) only: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) ignore: Option<Vec<Text<'a>>>,
    pub(super) allow_fallbacks: Option<bool>,
    pub(super) require_parameters: Option<bool>,
    pub(super) data_collection: Option<DataCollection>,
    pub(super) zdr: Option<bool>,
    #[serde(borrow)]
    pub(super) quantizations: Option<Vec<Text<'a>>>,
    pub(super) sort: Option<SortFile>,
    #[serde(borrow)]
    pub(super) max_price: Option<Watched<'a, MaxPriceFile>>,
    pub(super) preferred_min_throughput: Option<Typical>,
    pub(super) preferred_max_latency: Option<Typical>,
}

impl ProviderFile<'_> {
    /// What may become of the caller's texts.
    pub(super) fn data_policy(&self) -> DataPolicy {
        if self.zdr == Some(true) {
            return DataPolicy::ZeroRetention;
        }
        match self.data_collection {
            Some(DataCollection::Deny) => DataPolicy::NoTraining,
            Some(DataCollection::Allow) | None => DataPolicy::MayTrain,
        }
    }
}

impl Keyed for ProviderFile<'_> {
    const RULE: Rule = Rule::Refused { but: &["enforce_distillable_text"] };
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DataCollection {
    Allow,
    Deny,
}

/// `"price"`, or an object with that under `by`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`provider.sort` is neither price, throughput nor latency")]
pub(super) enum SortFile {
    Plain(SortBy),
    Object { by: SortBy },
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum SortBy {
    Price,
    Throughput,
    Latency,
}

impl SortFile {
    pub(super) fn by(&self) -> SortBy {
        match self {
            Self::Plain(by) | Self::Object { by } => *by,
        }
    }
}

/// Dollars per million tokens; a price per request or image is not known of any endpoint.
#[derive(Deserialize, Default)]
pub(super) struct MaxPriceFile {
    pub(super) prompt: Option<Amount>,
    pub(super) completion: Option<Amount>,
}

impl Keyed for MaxPriceFile {
    const RULE: Rule = Rule::Refused { but: &["request", "image", "audio"] };
}

/// The name of an operating point, or an object that holds one aim.
pub(super) enum ObjectiveFile<'a> {
    Preset(Text<'a>),
    Object(Watched<'a, AimFile<'a>>),
}

#[derive(Deserialize)]
pub(super) struct AimFile<'a> {
    #[serde(borrow)]
    pub(super) preset: Option<Text<'a>>,
    pub(super) lambda: Option<f64>,
    pub(super) min_quality: Option<f64>,
    pub(super) max_cost_usd: Option<f64>,
}

impl Keyed for AimFile<'_> {
    const RULE: Rule = Rule::Refused { but: &[] };
}

impl<'de: 'a, 'a> Deserialize<'de> for ObjectiveFile<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectiveVisitor)
    }
}

struct ObjectiveVisitor;

impl<'de> Visitor<'de> for ObjectiveVisitor {
    type Value = ObjectiveFile<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an operating point or an object as `objective`")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<ObjectiveFile<'de>, E> {
        Ok(ObjectiveFile::Preset(Text(Cow::Borrowed(name))))
    }

    fn visit_str<E>(self, name: &str) -> Result<ObjectiveFile<'de>, E> {
        Ok(ObjectiveFile::Preset(Text(Cow::Owned(name.to_owned()))))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ObjectiveFile<'de>, A::Error> {
        let watched = WatchedVisitor::<'de, AimFile<'de>>::new().visit_map(map)?;
        Ok(ObjectiveFile::Object(watched))
    }
}

//! Flags that say what a policy strives for and how it explores; the same for every command.

use crate::{files, nearest::did_you_mean};
use anyhow::{Context, Result, bail};
use clap::Args;
use pointsman_core::{
    artifact::{Artifact, Card},
    catalog::Catalog,
    circumstances::Outlook,
    explorer::{Explorer, Rule},
    newcomers::Newcomers,
    objective::{Objective, Weights},
    policy::Policy,
    units::{Probability, Quality, Usd},
};
use pointsman_log::body::{Aim, Asks};
use serde::Serialize;
use std::{borrow::Cow, fmt, path::Path};

/// What the policy strives for; the policy file's first operating point where nothing is given.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PolicyFlags {
    /// An operating point of the policy file, such as `balanced`, `quality` or `economy`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["lambda", "min_quality", "max_cost_usd"])]
    pub(crate) objective: Option<String>,
    /// Quality points that a dollar must buy.
    #[arg(long, value_name = "POINTS", allow_negative_numbers = true, conflicts_with_all = ["min_quality", "max_cost_usd"])]
    pub(crate) lambda: Option<f64>,
    /// The cheapest model whose predicted quality reaches this.
    #[arg(long, value_name = "QUALITY", conflicts_with = "max_cost_usd")]
    pub(crate) min_quality: Option<f64>,
    /// The best model whose expected cost keeps to this.
    #[arg(long, value_name = "USD")]
    pub(crate) max_cost_usd: Option<f64>,
    /// `greedy`, `epsilon:0.1`, `softmax:0.05` (temperature) or `igw:100` (gamma).
    #[arg(long, value_name = "HOW", default_value = "greedy")]
    pub(crate) explore: ExploreFlag,
    /// Catalog models that nothing was learned about: `stated` takes those with a `prior_quality`,
    /// `all` the others too, by their price, `never` none.
    #[arg(long, value_name = "WHICH", default_value = "stated")]
    pub(crate) newcomers: NewcomersFlag,
}

/// Which newcomers may be taken, as flags spell it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct NewcomersFlag(Newcomers);

impl std::str::FromStr for NewcomersFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self(Newcomers::Never)),
            "stated" => Ok(Self(Newcomers::Stated)),
            "all" => Ok(Self(Newcomers::All)),
            _ => Err(format!("`{text}` is none of never, stated and all")),
        }
    }
}

/// An explorer, as flags spell it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ExploreFlag(Explorer);

impl Default for ExploreFlag {
    fn default() -> Self {
        Self(Explorer::GREEDY)
    }
}

impl std::str::FromStr for ExploreFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = text.split_once(':').map_or((text, None), |(n, v)| (n, Some(v)));
        let number = number
            .map(|number| number.parse::<f64>().map_err(|_| format!("`{number}` is not a number")))
            .transpose()?;
        let (rule, floor) = match (name, number) {
            ("greedy", None) => (Rule::Greedy, 0.0),
            ("epsilon", Some(epsilon)) => (Rule::Greedy, epsilon),
            ("softmax", Some(temperature)) => (Rule::Softmax { temperature }, 0.0),
            ("igw", Some(gamma)) => (Rule::InverseGap { gamma }, 0.0),
            _ => {
                return Err(format!(
                    "`{text}` is no explorer; write greedy, epsilon:0.1, softmax:0.05 or igw:100"
                ));
            }
        };
        let floor = Probability::new(floor).map_err(|error| format!("epsilon: {error}"))?;
        Explorer::new(rule, floor).map(Self).map_err(|error| error.to_string())
    }
}

/// A policy file put to work.
#[derive(Debug)]
pub(crate) struct LoadedPolicy {
    pub(crate) artifact: Artifact,
    pub(crate) policy: Policy,
    pub(crate) objective: ObjectiveName,
    /// The file's name, for tables.
    pub(crate) name: String,
    /// Models that it may not take, beside those that a request denies.
    pub(crate) denied: Vec<Cow<'static, str>>,
}

/// What a policy strives for. Its JSON is the bare text, as the service's is; people read the name of
/// an operating point as a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum ObjectiveName {
    /// An operating point, by its own name.
    Point(String),
    /// What has no name, in words.
    InWords(String),
}

/// That of no policy.
impl Default for ObjectiveName {
    fn default() -> Self {
        Self::InWords(String::new())
    }
}

impl fmt::Display for ObjectiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point(name) => write!(f, "`{name}`"),
            Self::InWords(words) => f.write_str(words),
        }
    }
}

impl LoadedPolicy {
    /// The same policy, as a request asks it to decide.
    pub(crate) fn asked(mut self, asks: &Asks<'_>) -> Result<Self> {
        if asks.outlook == Outlook::FinalAnswer {
            self.policy = self.policy.foreseeing(&[], &[]);
        }
        match &asks.aim {
            Some(aim) => self.striving_for(aim),
            None => Ok(self),
        }
    }

    /// The same policy, striving for what a request wishes.
    fn striving_for(self, aim: &Aim<'_>) -> Result<Self> {
        let Self { artifact, policy, objective: _, name, denied } = self;
        let (policy, objective) = match aim {
            Aim::Objective(objective) => {
                let name = ObjectiveName::InWords("of the request".to_owned());
                (policy.with_objective(*objective), name)
            }
            Aim::Point(name) => {
                let flags =
                    PolicyFlags { objective: Some(name.to_string()), ..PolicyFlags::default() };
                flags.strive(policy, artifact.card())?
            }
        };
        Ok(Self { artifact, policy, objective, name, denied })
    }
}

impl PolicyFlags {
    /// Reads a policy file and puts it to work by these flags.
    pub(crate) fn load(&self, path: &Path, catalog: Option<&Catalog>) -> Result<LoadedPolicy> {
        let artifact = files::read_artifact(path)?;
        let name =
            path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        self.apply(artifact, name, catalog).with_context(|| path.display().to_string())
    }

    /// Puts an artifact to work by these flags.
    pub(crate) fn apply(
        &self,
        artifact: Artifact,
        name: String,
        catalog: Option<&Catalog>,
    ) -> Result<LoadedPolicy> {
        let card = artifact.card();
        let mut policy = Policy::new(artifact.scorer().clone(), &card.models, catalog)?
            .foreseeing(artifact.readers(), &card.foresight)
            .with_explorer(self.explore.0);
        if let Some(catalog) = catalog {
            let means = card.mean_quality.as_deref();
            policy = policy.with_newcomers(catalog, means, self.newcomers.0);
        } else if self.newcomers.0 == Newcomers::All {
            bail!("--newcomers all: newcomers are models of a catalog; pass --catalog");
        }
        let (policy, objective) = self.strive(policy, card)?;
        Ok(LoadedPolicy { artifact, policy, objective, name, denied: Vec::new() })
    }

    /// The policy with the objective that was asked for, and its name.
    fn strive(&self, policy: Policy, card: &Card) -> Result<(Policy, ObjectiveName)> {
        if let Some(lambda) = self.lambda {
            let weights = Weights::new(lambda, 0.0).context("--lambda")?;
            return Ok((
                policy.with_objective(Objective::Tradeoff(weights)),
                ObjectiveName::InWords(format!("{lambda} quality points per dollar")),
            ));
        }
        if let Some(floor) = self.min_quality {
            let quality = Quality::new(floor).context("--min-quality")?;
            return Ok((
                policy.with_objective(Objective::QualityFloor(quality)),
                ObjectiveName::InWords(format!("the cheapest with quality {floor}")),
            ));
        }
        if let Some(cap) = self.max_cost_usd {
            let cost = Usd::from_dollars(cap).context("--max-cost-usd")?;
            return Ok((
                policy.with_objective(Objective::CostCap(cost)),
                ObjectiveName::InWords(format!("the best for {cost}")),
            ));
        }
        let points = &card.operating_points;
        let point = match &self.objective {
            Some(name) => points.iter().find(|point| point.name == *name),
            None => points.first(),
        };
        match (point, &self.objective) {
            (Some(point), _) => {
                Ok((policy.at_point(point)?, ObjectiveName::Point(point.name.clone())))
            }
            (None, None) => Ok((policy, ObjectiveName::InWords("quality alone".to_owned()))),
            (None, Some(name)) => {
                let known: Vec<&str> = points.iter().map(|point| point.name.as_str()).collect();
                let question = did_you_mean(name, known.iter().copied());
                let known =
                    if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
                bail!("`{name}` is no operating point of the policy ({known}){question}")
            }
        }
    }
}

/// Reads the catalog where one is given.
pub(crate) fn optional_catalog(path: Option<&Path>) -> Result<Option<Catalog>> {
    path.map(files::read_catalog).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explorers_are_spelled_in_one_way() {
        for (text, ok) in [
            ("greedy", true),
            ("epsilon:0.1", true),
            ("softmax:0.05", true),
            ("igw:100", true),
            ("greedy:1", false),
            ("epsilon", false),
            ("epsilon:2", false),
            ("softmax:0", false),
            ("thompson", false),
        ] {
            assert_eq!(text.parse::<ExploreFlag>().is_ok(), ok, "{text}");
        }
        for (text, ok) in [("never", true), ("stated", true), ("all", true), ("some", false)] {
            assert_eq!(text.parse::<NewcomersFlag>().is_ok(), ok, "{text}");
        }
    }
}

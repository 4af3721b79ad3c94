//! A policy at work: an artifact with its catalog and objectives, and its names as JSON, made once
//! so that a decision only copies them.

use crate::{
    json,
    problem::{Code, Problem},
};
use pointsman_core::{
    artifact::{Artifact, ArtifactError},
    catalog::{Catalog, CatalogError, Endpoint},
    escalation::{EscalationPolicy, EscalationPolicyError, MOST_ANSWERS},
    objective::{Favour, Objective, Weights},
    policy::{Policy, PolicyError},
};
use pointsman_log::body::Aim;
use std::{
    borrow::Cow,
    sync::atomic::{AtomicU64, Ordering},
};

/// A policy that is ready to decide.
#[derive(Debug)]
pub struct Loaded {
    /// Tells the buffers of one policy from those of another, within this process.
    pub(crate) generation: u64,
    pub(crate) policy: Policy,
    /// What decides after an answer, where the artifact has readers.
    pub(crate) escalation: Option<EscalationPolicy>,
    pub(crate) artifact: Artifact,
    /// `{"name":…,"digest":…}`.
    pub(crate) policy_json: Vec<u8>,
    pub(crate) models: Vec<ModelJson>,
    /// The objective of calls that name none, and its name.
    pub(crate) objective: (String, Strived),
    /// The model that was best alone on held-out rows, by its place in `models`.
    pub(crate) best_single: Option<usize>,
}

/// Names as JSON, and where the model can be called.
#[derive(Debug)]
pub(crate) struct ModelJson {
    pub(crate) name: String,
    /// `"name"`.
    pub(crate) json: Vec<u8>,
    /// `"provider"`, in the order of the catalog's endpoints.
    pub(crate) providers: Vec<Vec<u8>>,
    /// `"model":"name"`.
    named: Vec<u8>,
    /// `"model":"name","provider":"provider"`, in the order of the catalog's endpoints.
    placed: Vec<Vec<u8>>,
}

impl ModelJson {
    fn new(name: &str, endpoints: &[Endpoint]) -> Self {
        let as_json = |text: &str| {
            let mut out = Vec::new();
            json::value(&mut out, text);
            out
        };
        let json = as_json(name);
        let providers: Vec<Vec<u8>> = endpoints.iter().map(|one| as_json(&one.provider)).collect();
        let named = [&b"\"model\":"[..], &json].concat();
        let placed = providers.iter().map(|one| [&named[..], b",\"provider\":", one].concat());
        Self { name: name.to_owned(), placed: placed.collect(), json, providers, named }
    }

    /// The model with the provider of an endpoint, as members of an object; the model alone where
    /// there is none.
    pub(crate) fn members(&self, endpoint: Option<usize>) -> &[u8] {
        endpoint.map_or(&self.named[..], |at| &self.placed[at])
    }
}

/// A policy that cannot be put to work.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file that is no good artifact.
    #[error("the policy: {0}")]
    Artifact(#[from] ArtifactError),
    /// A file that is no good catalog.
    #[error("the catalog: {0}")]
    Catalog(#[from] CatalogError),
    /// The two do not go together.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Readers of answers that do not go with the policy.
    #[error("the policy's readers of answers: {0}")]
    Escalation(#[from] EscalationPolicyError),
    /// A setting that the policy does not know.
    #[error("`objective` of the settings: {0}")]
    Objective(String),
}

/// What a call strives for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Strived {
    pub(crate) objective: Objective,
    /// Of an operating point that favours a model.
    pub(crate) favour: Option<Favour>,
}

impl Loaded {
    /// Puts an artifact to work; `objective` names the operating point of calls that name none.
    ///
    /// # Errors
    /// [`LoadError`] where artifact and catalog do not go together, and where the artifact has no
    /// such operating point.
    pub fn new(
        artifact: Artifact,
        catalog: &Catalog,
        objective: Option<&str>,
    ) -> Result<Self, LoadError> {
        static GENERATIONS: AtomicU64 = AtomicU64::new(1);
        let names = &artifact.card().models;
        let readers = artifact.readers();
        let policy = Policy::new(artifact.scorer().clone(), names, Some(catalog))?
            .foreseeing(readers, &artifact.card().foresight);
        let escalation = (!readers.is_empty())
            .then(|| EscalationPolicy::new(readers.to_vec(), &policy, MOST_ANSWERS))
            .transpose()?;
        let model = |(index, name): (usize, &String)| {
            let endpoints = policy.listed(index).map_or(&[][..], |listed| &listed.endpoints[..]);
            ModelJson::new(name, endpoints)
        };
        let models = names.iter().enumerate().map(model).collect();
        let mut policy_json = b"{\"name\":".to_vec();
        json::value(&mut policy_json, &artifact.card().name);
        json::field(&mut policy_json, "digest", artifact.digest());
        policy_json.push(b'}');
        let first = artifact.card().operating_points.first().map(|point| point.name.clone());
        let objective = match objective.map(str::to_owned).or(first) {
            Some(name) => {
                let objective = point(&artifact, &name).map_err(LoadError::Objective)?;
                (name, objective)
            }
            None => ("quality".to_owned(), Strived::default()),
        };
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        let best_single = &artifact.card().standing.best_single;
        let best_single = names.iter().position(|name| name == best_single);
        Ok(Self {
            generation,
            policy,
            escalation,
            artifact,
            policy_json,
            models,
            objective,
            best_single,
        })
    }

    /// The SHA-256 of the policy's file.
    pub fn digest(&self) -> &str {
        self.artifact.digest()
    }

    /// Whether another one decides as this does: of the same file, at the same prices and limits.
    pub(crate) fn decides_as(&self, other: &Self) -> bool {
        self.digest() == other.digest()
            && self.objective.0 == other.objective.0
            && (0..self.models.len())
                .all(|model| self.policy.listed(model) == other.policy.listed(model))
    }

    /// What a call strives for, and what it is called in the log.
    pub(crate) fn objective<'a>(
        &'a self,
        aim: Option<&'a Aim<'_>>,
    ) -> Result<(Cow<'a, str>, Strived), Problem> {
        match aim {
            None => Ok((Cow::Borrowed(self.objective.0.as_str()), self.objective.1)),
            Some(Aim::Point(name)) => match point(&self.artifact, name) {
                Ok(objective) => Ok((Cow::Borrowed(&**name), objective)),
                Err(message) => Err(Problem {
                    param: Some("objective".to_owned()),
                    ..Problem::new(Code::UnknownObjective, message)
                }),
            },
            Some(Aim::Objective(objective)) => {
                let name = Cow::Owned(described(objective));
                Ok((name, Strived { objective: *objective, favour: None }))
            }
        }
    }
}

fn point(artifact: &Artifact, name: &str) -> Result<Strived, String> {
    let points = &artifact.card().operating_points;
    let Some(point) = points.iter().find(|point| point.name == name) else {
        let known: Vec<&str> = points.iter().map(|point| point.name.as_str()).collect();
        let known = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
        return Err(format!("`{name}` is no operating point of the policy ({known})"));
    };
    let weights = Weights::new(point.per_dollar, 0.0).map_err(|error| error.to_string())?;
    Ok(Strived { objective: Objective::Tradeoff(weights), favour: point.favour })
}

fn described(objective: &Objective) -> String {
    match objective {
        Objective::Tradeoff(weights) => {
            format!("{} quality points per dollar", weights.per_dollar())
        }
        Objective::QualityFloor(floor) => format!("the cheapest with quality {}", floor.get()),
        Objective::CostCap(cap) => format!("the best for {cap}"),
    }
}

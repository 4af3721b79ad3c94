//! A policy's choices in one window, over the models that the stream knows.

use super::{
    ask::Ask,
    contents::ModelsRow,
    stream::{Known, Stream},
};
use crate::policy_flags::LoadedPolicy;
use pointsman_core::{
    circumstances::Circumstances,
    features::Features,
    policy::{Policy, Workspace},
    request::{Constraints, Request},
    units::len_as_float,
};
use std::{borrow::Cow, collections::BTreeSet, ops::Range};

/// The models of a window, by what the policy can do with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attendance {
    /// Models of the stream that some request of the window could have gone to, by place.
    pub(super) present: BTreeSet<usize>,
}

/// Decides the requests of one window, one after the other.
pub(super) struct Decider<'p> {
    policy: &'p Policy,
    circumstances: Circumstances<'static>,
    workspace: Workspace,
    denied: Vec<Cow<'static, str>>,
    /// By model of the stream, its place in the policy.
    places: Vec<Option<usize>>,
    /// The policy's models that the stream knows nothing of.
    outside: Vec<usize>,
    pub(super) choice: Choice,
}

/// One decision, over the stream's models.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    pub(super) shares: Vec<f64>,
    /// Predicted quality, in `[0, 1]`; the mean of all predictions for a model that the policy does
    /// not know.
    pub(super) predicted: Vec<f64>,
    /// What goes to models that the stream knows nothing of, and the quality predicted there.
    pub(super) outside: f64,
    pub(super) outside_quality: f64,
    /// The mean of all predictions.
    pub(super) mean_predicted: f64,
}

impl Attendance {
    /// Of a window. All models of a table are always there; of a log, those that its own decisions
    /// could have drawn.
    pub(super) fn of(stream: &Stream, window: Range<usize>) -> Self {
        let n_models = stream.models.len();
        let present = match &stream.known {
            Known::Table(_) => (0..n_models).collect(),
            Known::Log(log) => {
                let mut present = BTreeSet::new();
                for row in window {
                    let chances = &log.probabilities[row * n_models..][..n_models];
                    for (model, _) in chances.iter().enumerate().filter(|(_, p)| 0.0 < **p) {
                        present.insert(model);
                    }
                }
                present
            }
        };
        Self { present }
    }
}

impl<'p> Decider<'p> {
    /// A policy in a window; it takes no model of the stream that is not there, and of a table no
    /// model that has no outcomes in it.
    pub(super) fn new(loaded: &'p LoadedPolicy, stream: &Stream, there: &Attendance) -> Self {
        let policy = &loaded.policy;
        let place = |name: &String| policy.models().position(|known| known == name);
        let places: Vec<Option<usize>> = stream.models.iter().map(place).collect();
        let is_outside = |name: &str| !stream.models.iter().any(|known| known == name);
        let outside: Vec<usize> = policy
            .models()
            .enumerate()
            .filter(|(_, name)| is_outside(name))
            .map(|(place, _)| place)
            .collect();
        let mut denied = loaded.denied.clone();
        let absent = stream.models.iter().enumerate();
        let absent = absent.filter(|(model, _)| !there.present.contains(model));
        denied.extend(absent.map(|(_, name)| Cow::Owned(name.clone())));
        if let Known::Table(_) = &stream.known {
            let unknown = policy.models().filter(|name| is_outside(name));
            denied.extend(unknown.map(|name| Cow::Owned(name.to_owned())));
        }
        Self {
            policy,
            circumstances: policy.circumstances(),
            workspace: Workspace::new(policy),
            denied,
            places,
            outside,
            choice: Choice::default(),
        }
    }

    /// Decides one row; `false` where no model may answer.
    pub(super) fn decide(&mut self, ask: Ask, features: &Features<'_>) -> bool {
        let Self { policy, circumstances, workspace, denied, places, outside, choice } = self;
        let Ask { needs, n_tools, max_tokens, input_tokens } = ask;
        let constraints =
            Constraints { deny_models: Cow::Borrowed(&denied[..]), ..Constraints::default() };
        let request =
            Request { needs, n_tools, max_tokens, input_tokens, constraints, ..Request::default() };
        if policy.distribute_read(circumstances, (&request, features), workspace).is_err() {
            return false;
        }
        let candidates = workspace.candidates();
        let quality = |place: usize| candidates[place].expected.quality.clamp(0.0, 1.0);
        let share = |place: usize| candidates[place].probability.min(1.0);
        let all: f64 = (0..candidates.len()).map(quality).sum();
        choice.mean_predicted = all / len_as_float(candidates.len());
        let mean_predicted = choice.mean_predicted;
        choice.shares.clear();
        choice.shares.extend(places.iter().map(|place| place.map_or(0.0, share)));
        choice.predicted.clear();
        choice.predicted.extend(places.iter().map(|place| place.map_or(mean_predicted, quality)));
        choice.outside = outside.iter().map(|&place| share(place)).sum();
        choice.outside_quality = outside.iter().map(|&place| share(place) * quality(place)).sum();
        true
    }
}

impl Choice {
    /// What these predictions expect of that distribution.
    pub(super) fn expects_of(&self, other: &Self) -> f64 {
        let pairs = other.shares.iter().zip(&self.predicted);
        let known: f64 = pairs.map(|(share, predicted)| share * predicted).sum();
        known + other.outside * self.mean_predicted
    }

    /// What they expect of their own.
    pub(super) fn expects(&self) -> f64 {
        let pairs = self.shares.iter().zip(&self.predicted);
        pairs.map(|(share, predicted)| share * predicted).sum::<f64>() + self.outside_quality
    }

    /// The share that goes to models which a row of the log could not have drawn.
    pub(super) fn unsupported(&self, chances: &[f32]) -> f64 {
        let pairs = self.shares.iter().zip(chances);
        let missing: f64 = pairs.filter(|(_, p)| **p <= 0.0).map(|(share, _)| share).sum();
        (missing + self.outside).clamp(0.0, 1.0)
    }
}

/// Who came, who went, and who was not ready.
pub(super) fn models_row(
    stream: &Stream,
    loaded: &LoadedPolicy,
    there: &Attendance,
    (seen, last): (&BTreeSet<usize>, &BTreeSet<usize>),
) -> ModelsRow {
    let learned = &loaded.artifact.card().models;
    let present = &there.present;
    let mut row = ModelsRow {
        arrived: names(stream, present.difference(seen)),
        left: names(stream, last.difference(present)),
        ..ModelsRow::default()
    };
    for &place in present {
        let name = &stream.models[place];
        if learned.contains(name) {
            continue;
        }
        if loaded.policy.models().any(|known| known == name) {
            row.newcomers.push(name.clone());
        } else {
            row.not_learned.push(name.clone());
        }
    }
    row
}

fn names<'p>(stream: &Stream, places: impl Iterator<Item = &'p usize>) -> Vec<String> {
    places.map(|&place| stream.models[place].clone()).collect()
}

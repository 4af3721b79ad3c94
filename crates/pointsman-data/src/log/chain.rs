//! Decisions of one cascade, joined in order.

use std::collections::{BTreeMap, HashMap};

use pointsman_log::record::PropensityKind;

use super::{
    LoggedRow, ModelsInUse, TrafficLog,
    build::single,
    trajectories::{LoggedStep, TrajectoryLog},
};
use crate::model_names::{ModelNames, sorted};

/// One decision, first or later, with what came of it.
pub(super) struct Node {
    pub(super) id: String,
    pub(super) is_later: bool,
    pub(super) step: Option<u64>,
    pub(super) previous: Option<String>,
    pub(super) ts_ms: u64,
    pub(super) task: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) tags: Vec<Option<String>>,
    /// Models by their appearance in the log, here and below.
    pub(super) drawn: u16,
    pub(super) propensity: f64,
    pub(super) kind: PropensityKind,
    pub(super) candidates: Vec<u16>,
    /// Those with a probability above zero.
    pub(super) chances: Vec<(u16, f64)>,
    pub(super) has_outcome: bool,
    pub(super) quality: Option<f64>,
    pub(super) cost_usd: Option<f64>,
    pub(super) spent_usd: Option<f64>,
    pub(super) input_tokens: Option<u32>,
    pub(super) output_tokens: Option<u32>,
    pub(super) latency_ms: Option<f64>,
    pub(super) is_thinned: bool,
    /// Of a first decision: which request it was, and the group of that.
    pub(super) request: usize,
    pub(super) group: u64,
    /// Of a later step: which answer it was about, or why that is not known.
    pub(super) answer: Result<usize, String>,
    /// Why a trajectory with this decision is of no use.
    pub(super) fault: Option<String>,
}

/// What follows what.
struct Links {
    /// For each node, the step that follows its answer.
    next: Vec<Option<usize>>,
    /// Nodes whose answer more than one step is about.
    has_two: Vec<bool>,
}

/// A whole trajectory: a first decision and its later steps.
struct Chain<'n> {
    nodes: Vec<&'n Node>,
}

/// The trajectories of all decisions; digest, damage and what was read are left to the caller.
pub(super) fn chained(nodes: &[Node], models: &ModelNames, missing_metric: &str) -> TrajectoryLog {
    let links = Links::of(nodes);
    let (names, sorted_index) = sorted(models.all());
    let place = |model: u16| sorted_index.get(usize::from(model)).copied().unwrap_or(0);
    let n_models = names.len();
    let mut found = TrajectoryLog {
        log: empty(names),
        requests: Vec::new(),
        steps: Vec::new(),
        n_stray_steps: 0,
        n_carried_costs: 0,
    };
    let mut n_reached = 0;
    for first in (0..nodes.len()).filter(|&at| nodes.get(at).is_some_and(|it| !it.is_later)) {
        let (chain, has_two) = links.follow(nodes, first);
        n_reached += chain.nodes.len() - 1;
        let problem = chain.problem().or(has_two.then_some("two steps follow one answer"));
        let quality = match problem.map_or(chain.grade(missing_metric), Err) {
            Ok(quality) => quality,
            Err(reason) => {
                found.drop_row(reason);
                continue;
            }
        };
        let costs = chain.costs();
        found.n_carried_costs += costs.iter().filter(|(_, is_carried)| *is_carried).count() as u64;
        let row = chain.row(quality, &costs, place);
        let Some(node) = chain.nodes.first() else { continue };
        found.log.n_thinned += u64::from(node.is_thinned);
        found.requests.push(node.request);
        found.steps.push(chain.steps(&costs, place));
        let start = found.log.probabilities.len();
        found.log.probabilities.resize(start + n_models, 0.0);
        for &(model, probability) in &node.chances {
            if let Some(slot) = found.log.probabilities.get_mut(start + usize::from(place(model))) {
                *slot = single(probability);
            }
        }
        found.log.rows.push(row);
    }
    let n_later = nodes.iter().filter(|node| node.is_later).count();
    found.n_stray_steps = (n_later - n_reached) as u64;
    found
}

fn empty(models: Vec<String>) -> TrafficLog {
    TrafficLog {
        models,
        rows: Vec::new(),
        probabilities: Vec::new(),
        dropped: BTreeMap::new(),
        n_decisions_read: 0,
        times_ms: None,
        n_without_outcome: 0,
        n_damaged_lines: 0,
        n_missing_segments: 0,
        in_use: ModelsInUse::default(),
        n_thinned: 0,
        digest: String::new(),
    }
}

impl TrajectoryLog {
    fn drop_row(&mut self, reason: &str) {
        self.log.n_without_outcome += u64::from(reason == NO_OUTCOME);
        *self.log.dropped.entry(reason.to_owned()).or_default() += 1;
    }
}

/// The reason to leave out what nothing came of.
const NO_OUTCOME: &str = "there is no outcome";

impl Links {
    fn of(nodes: &[Node]) -> Self {
        let by_id: HashMap<&str, usize> =
            nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
        let mut links = Self { next: vec![None; nodes.len()], has_two: vec![false; nodes.len()] };
        for (at, node) in nodes.iter().enumerate().filter(|(_, node)| node.is_later) {
            let before = node.previous.as_deref().and_then(|id| by_id.get(id).copied());
            let Some(before) = before.filter(|&before| before != at) else { continue };
            if let Some(slot) = links.next.get_mut(before).filter(|slot| slot.is_none()) {
                *slot = Some(at);
            } else if let Some(has_two) = links.has_two.get_mut(before) {
                *has_two = true;
            }
        }
        links
    }

    /// The trajectory of a first decision, and whether two steps follow one of its answers.
    fn follow<'n>(&self, nodes: &'n [Node], first: usize) -> (Chain<'n>, bool) {
        let (mut chain, mut has_two) = (Chain { nodes: Vec::new() }, false);
        let mut at = Some(first);
        // Each node has one before it, so that a way from a first decision never comes back.
        while let Some(here) = at {
            chain.nodes.extend(nodes.get(here));
            has_two |= self.has_two.get(here).copied().unwrap_or(false);
            at = self.next.get(here).copied().flatten();
        }
        (chain, has_two)
    }
}

impl Chain<'_> {
    /// Pairs of a decision and the step that followed its answer.
    fn pairs(&self) -> impl Iterator<Item = (&Node, &Node)> {
        self.nodes.iter().zip(self.nodes.iter().skip(1)).map(|(before, step)| (*before, *step))
    }

    /// Why it is of no use, if so.
    fn problem(&self) -> Option<&str> {
        if let Some(fault) = self.nodes.iter().find_map(|node| node.fault.as_deref()) {
            return Some(fault);
        }
        for (number, (before, step)) in (1_u64..).zip(self.pairs()) {
            if step.step.is_some_and(|says| says != number) {
                return Some("steps that are not numbered in their order");
            }
            if !step.candidates.contains(&before.drawn) {
                return Some("another model answered than was drawn");
            }
        }
        let accepted_early = self
            .nodes
            .windows(3)
            .any(|three| matches!(three, [before, step, _] if before.drawn == step.drawn));
        accepted_early.then_some("a step after an answer that had been accepted")
    }

    /// The decisions that called a model: all but a last one that accepted.
    fn calls(&self) -> impl Iterator<Item = &Node> {
        let n_accepting = usize::from(self.ends_in_accepting());
        self.nodes.iter().take(self.nodes.len() - n_accepting).copied()
    }

    /// Whether the last step accepted an answer.
    fn ends_in_accepting(&self) -> bool {
        self.pairs().last().is_some_and(|(before, step)| before.drawn == step.drawn)
    }

    /// The quality of the answer that was given, or why it is not known.
    fn grade<'a>(&self, missing_metric: &'a str) -> Result<f64, &'a str> {
        let n_about = if self.ends_in_accepting() { 2 } else { 1 };
        let about = || self.nodes.iter().rev().take(n_about);
        let has_outcome = about().any(|node| node.has_outcome);
        let why_not = if has_outcome { missing_metric } else { NO_OUTCOME };
        about().find_map(|node| node.quality).ok_or(why_not)
    }

    /// What each decision's call cost, zero of one that accepted, and whether what the steps carried
    /// counts for want of a report.
    fn costs(&self) -> Vec<(Option<f64>, bool)> {
        let mut spent_before = 0.0;
        let mut costs = Vec::with_capacity(self.nodes.len());
        for (at, node) in self.nodes.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|before| self.nodes.get(before));
            if before.is_some_and(|before| before.drawn == node.drawn) {
                costs.push((Some(0.0), false));
                continue;
            }
            let step = self.nodes.get(at + 1);
            let accepting = step.filter(|step| step.drawn == node.drawn);
            let reported = node.cost_usd.or_else(|| accepting.and_then(|step| step.cost_usd));
            let carried = step.and_then(|step| step.spent_usd);
            let of_carried = carried.map(|spent| (spent - spent_before).max(0.0));
            costs.push((reported.or(of_carried), reported.is_none() && of_carried.is_some()));
            spent_before = carried.unwrap_or(spent_before + reported.unwrap_or(0.0));
        }
        costs
    }

    /// The whole as one row of a log.
    fn row(
        &self,
        quality: f64,
        costs: &[(Option<f64>, bool)],
        place: impl Fn(u16) -> u16,
    ) -> LoggedRow {
        let n_answers = self.calls().count();
        let is_estimated = |node: &&Node| node.kind == PropensityKind::Estimated;
        let first = self.nodes.first();
        let propensity_kind = if first.is_some_and(|it| it.kind == PropensityKind::Deterministic) {
            PropensityKind::Deterministic
        } else if self.nodes.iter().any(is_estimated) {
            PropensityKind::Estimated
        } else {
            PropensityKind::Exact
        };
        LoggedRow {
            id: first.map_or_else(String::new, |node| node.id.clone()),
            ts_ms: first.map_or(0, |node| node.ts_ms),
            group: first.map_or(0, |node| node.group),
            task: first.and_then(|node| node.task.clone()),
            tenant: first.and_then(|node| node.tenant.clone()),
            tags: first.map_or_else(Vec::new, |node| node.tags.clone()),
            taken: first.map_or(0, |node| place(node.drawn)),
            propensity: self.nodes.iter().map(|node| node.propensity).product(),
            propensity_kind,
            was_served: true,
            n_answers: u32::try_from(n_answers).unwrap_or(u32::MAX),
            quality,
            cost_usd: costs.iter().map(|(cost, _)| *cost).sum(),
            input_tokens: first.and_then(|node| node.input_tokens),
            // Those of several answers are of several models and say nothing together.
            output_tokens: first.filter(|_| n_answers == 1).and_then(|node| node.output_tokens),
            latency_ms: self.calls().map(|node| node.latency_ms).sum(),
        }
    }

    /// The later steps.
    fn steps(&self, costs: &[(Option<f64>, bool)], place: impl Fn(u16) -> u16) -> Vec<LoggedStep> {
        let mut spent_usd = 0.0;
        let mut steps = Vec::with_capacity(self.nodes.len().saturating_sub(1));
        for (at, (before, step)) in self.pairs().enumerate() {
            let cost = |at: usize| costs.get(at).and_then(|(cost, _)| *cost);
            spent_usd = step.spent_usd.unwrap_or(spent_usd + cost(at).unwrap_or(0.0));
            let is_accepted = before.drawn == step.drawn;
            let graded = step.quality.or(before.quality.filter(|_| is_accepted));
            let after = self.nodes.get(at + 2).filter(|after| after.drawn == step.drawn);
            // A grade that only the step after it has is known only where that one accepted.
            let (quality, of_accepting) = match (graded, after) {
                (None, Some(after)) => (after.quality, after.propensity),
                (Some(_) | None, Some(_) | None) => (graded, 1.0),
            };
            steps.push(LoggedStep {
                id: step.id.clone(),
                in_hand: place(before.drawn),
                drawn: place(step.drawn),
                propensity: step.propensity,
                chances: step.chances.iter().map(|&(model, p)| (place(model), p)).collect(),
                answer: step.answer.clone(),
                quality_in_hand: before.quality,
                quality,
                quality_propensity: step.propensity * of_accepting,
                cost_usd: cost(at + 1),
                spent_usd,
            });
        }
        steps
    }
}

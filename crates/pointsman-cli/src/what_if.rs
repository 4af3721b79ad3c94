//! What if prices, models, speeds or the traffic were others: changes to an evaluation that take
//! no new fit.
//!
//! Prices, limits and objectives are arguments of a decision, so they are changed where they are
//! read: in the catalog and in the costs that outcomes are counted at. A model is taken away by
//! the deny list of every request. A model that is said to be like another borrows its
//! predictions; no log holds its outcomes, so what goes to it counts at its worst. Another mix of
//! traffic is drawn from the rows: each is kept with a probability in proportion to its weight,
//! which costs rows and keeps every interval what it says it is. Weakness: how people would change
//! what they ask, and models what they answer, nobody knows.

mod flags;
mod traffic;

pub(crate) use flags::WhatIfFlags;

use crate::{load, nearest::did_you_mean, policy_flags::LoadedPolicy, wording};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    catalog::{Catalog, Date, Model},
    objective::Objective,
};
use pointsman_data::{OutcomeMatrix, TrafficLog};
use std::{borrow::Cow, collections::BTreeSet};

use traffic::Mix;

/// Checked changes; none by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct WhatIf {
    /// Models whose costs follow from the changed catalog, however they were logged.
    repriced: Vec<String>,
    denied: Vec<String>,
    /// Models that are said to be like others: what the catalog would say, and the other's name.
    twins: Vec<(Model, String)>,
    per_second: Option<f64>,
    mix: Mix,
    notes: Vec<String>,
}

impl WhatIfFlags {
    /// Checks the flags against the catalog; returns the changes, and the catalog with those of
    /// them that are changes of a catalog.
    pub(crate) fn checked(&self, catalog: Option<Catalog>) -> Result<(WhatIf, Option<Catalog>)> {
        let mut what_if = WhatIf {
            repriced: Vec::new(),
            denied: self.without.clone(),
            twins: Vec::new(),
            per_second: self.per_second,
            mix: Mix::new(self.traffic.iter().map(|flag| (flag.task.clone(), flag.weight)))?,
            notes: Vec::new(),
        };
        if let Some(worth) = self.per_second.filter(|worth| !(worth.is_finite() && 0.0 <= *worth)) {
            bail!("--per-second: {worth} is not zero or more");
        }
        let Some(catalog) = catalog else {
            let flags = [
                ("--price", self.price.is_empty()),
                ("--with", self.with.is_empty()),
                ("--latency", self.latency.is_empty()),
            ];
            if let Some((flag, _)) = flags.iter().find(|(_, is_empty)| !is_empty) {
                bail!("{flag} changes a catalog; give one with --catalog");
            }
            return Ok((what_if.noted(self), None));
        };
        let mut models = catalog.models().to_vec();
        let n_listed = models.len();
        for flag in &self.with {
            let Some(like) = catalog.find(&flag.like) else {
                bail!("--with {flag}: `{}` is not in the catalog", flag.like);
            };
            if models.iter().any(|known| known.id == flag.model) {
                bail!("--with {flag}: `{}` is in the catalog already", flag.model);
            }
            models.push(Model { id: flag.model.clone(), ..like.clone() });
        }
        for flag in &self.price {
            let Some(model) = models.iter_mut().find(|model| model.id == flag.model) else {
                bail!("--price {flag}: `{}` is not in the catalog", flag.model);
            };
            for endpoint in &mut model.endpoints {
                (endpoint.input, endpoint.output) = (flag.input, flag.output);
                endpoint.cached_input = None;
                // It holds on every day, whatever was charged before.
                (endpoint.since, endpoint.history) = (None, Vec::new());
            }
            what_if.repriced.push(flag.model.clone());
        }
        let without_speed = self.set_latencies(&mut models)?;
        let twins = models.split_off(n_listed);
        let others = self.with.iter().map(|flag| flag.like.clone());
        what_if.twins = twins.into_iter().zip(others).collect();
        let mut what_if = what_if.noted(self);
        what_if.notes.extend(without_speed);
        Ok((what_if, Some(Catalog::from_models(models, catalog.dated())?)))
    }

    /// Sets times to the first token; a sentence about each provider where that changes nothing.
    fn set_latencies(&self, models: &mut [Model]) -> Result<Vec<String>> {
        let mut without_speed = Vec::new();
        for flag in &self.latency {
            let endpoints = models.iter_mut().flat_map(|model| &mut model.endpoints);
            let (mut n_found, mut n_without_speed) = (0, 0);
            for endpoint in endpoints.filter(|endpoint| endpoint.provider == flag.provider) {
                endpoint.ttft_ms = Some(flag.ms);
                n_found += 1;
                n_without_speed += usize::from(endpoint.tokens_per_second.is_none());
            }
            if n_found == 0 {
                bail!("--latency {flag}: no endpoint of the catalog is at `{}`", flag.provider);
            }
            if 0 < n_without_speed {
                without_speed.push(format!(
                    "{n_without_speed} of {n_found} endpoints at `{}` have no `tokens_per_second` in \
                     the catalog: how long they take is not known, and waiting for them counts as \
                     nothing",
                    flag.provider
                ));
            }
        }
        Ok(without_speed)
    }
}

impl WhatIf {
    /// With a sentence about each change, and about what no log can know of it.
    fn noted(mut self, flags: &WhatIfFlags) -> Self {
        let mut notes: Vec<String> = Vec::new();
        for flag in &flags.price {
            notes.push(format!(
                "what if `{}` cost ${} / ${} per million tokens: its costs are counted at these \
                 prices from logged tokens; that it would be asked for other things, or answer at \
                 other lengths, nobody can know",
                flag.model,
                flag.input.dollars_per_million(),
                flag.output.dollars_per_million()
            ));
        }
        for model in &flags.without {
            notes.push(format!("what if there were no `{model}`: it is on every deny list"));
        }
        for flag in &flags.with {
            notes.push(format!(
                "what if there were `{}`, like `{}`: its quality and lengths are assumed, not \
                 measured; no log holds an outcome of it, so the share of choices that goes to it \
                 counts at its worst",
                flag.model, flag.like
            ));
        }
        for flag in &flags.latency {
            notes.push(format!(
                "what if `{}` took {} ms to the first token: choices follow, outcomes stay as \
                 logged; whether quality depends on waiting, the log cannot know",
                flag.provider, flag.ms
            ));
        }
        if !flags.latency.is_empty() && flags.per_second.is_none() {
            notes.push(
                "no second is worth anything here, so another latency changes no choice; say with \
                 --per-second what one is worth"
                    .to_owned(),
            );
        }
        if let Some(worth) = flags.per_second {
            notes.push(format!("what if a second were worth {worth} quality points"));
        }
        notes.extend(self.mix.note());
        self.notes = notes;
        self
    }

    /// What was changed and what cannot be known of it, a sentence each.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether a model that is said to be like another had other prices before.
    pub(crate) fn has_history(&self) -> bool {
        self.twins.iter().any(|(model, _)| model.has_history())
    }

    /// The same changes, with the prices of a day.
    pub(crate) fn as_of(&self, day: Date) -> Self {
        let twins = self.twins.iter().map(|(model, like)| (model.as_of(day), like.clone()));
        Self { twins: twins.collect(), ..self.clone() }
    }

    /// The names of the models that are said to be like others.
    pub(crate) fn twins(&self) -> impl Iterator<Item = &str> {
        self.twins.iter().map(|(model, _)| model.id.as_str())
    }

    /// The policy under the changes. A twin of a model that the policy has not learned stays out.
    pub(crate) fn apply(&self, loaded: LoadedPolicy) -> Result<LoadedPolicy> {
        let LoadedPolicy { artifact, mut policy, objective, name, denied: _ } = loaded;
        let learned = &artifact.card().models;
        for (listed, like) in &self.twins {
            if let Some(place) = learned.iter().position(|known| known == like) {
                policy = policy.with_twin(listed, place);
            }
        }
        if let Some(worth) = self.per_second {
            if let Objective::QualityFloor(_) | Objective::CostCap(_) = policy.objective() {
                bail!("--per-second: {objective} looks at no second; take --lambda, or a point");
            }
            policy = policy.with_per_second(worth).context("--per-second")?;
        }
        let denied = self.denied.iter().map(|name| Cow::Owned(name.clone())).collect();
        Ok(LoadedPolicy { artifact, policy, objective, name, denied })
    }

    /// Refuses a model that is to go away, and a twin's other, which no policy knows.
    pub(crate) fn check_known<'n>(&self, known: impl Iterator<Item = &'n str>) -> Result<()> {
        let known: BTreeSet<&str> = known.collect();
        let list = || known.iter().copied().collect::<Vec<_>>().join(", ");
        if let Some(name) = self.denied.iter().find(|name| !known.contains(name.as_str())) {
            let question = did_you_mean(name, known.iter().copied());
            bail!("--without {name}: there is no such model; there are {}{question}", list());
        }
        if let Some((_, like)) = self.twins.iter().find(|(_, like)| !known.contains(like.as_str()))
        {
            let question = did_you_mean(like, known.iter().copied());
            bail!(
                "--with: nothing was learned about `{like}`; the models are {}{question}",
                list()
            );
        }
        Ok(())
    }

    /// Counts the costs of models whose prices were changed anew, from their tokens. Returns how
    /// many costs are not known any more, since tokens were not logged.
    pub(crate) fn reprice_log(&self, log: &mut TrafficLog, catalog: Option<&Catalog>) -> u64 {
        let mut n_unknown = 0;
        let listed: Vec<Option<&Model>> =
            log.models.iter().map(|name| self.new_price_of(name, catalog)).collect();
        for row in &mut log.rows {
            let Some(model) = listed.get(usize::from(row.taken)).copied().flatten() else {
                continue;
            };
            let tokens = row.input_tokens.zip(row.output_tokens);
            row.cost_usd = tokens.map(|(input, output)| load::cheapest(model, input, output));
            n_unknown += u64::from(row.cost_usd.is_none());
        }
        n_unknown
    }

    /// As [`Self::reprice_log`], of a table; without a cost, or without tokens of a repriced model,
    /// it is refused: a mean over other prices would be wrong.
    pub(crate) fn reprice_table(
        &self,
        matrix: &mut OutcomeMatrix,
        catalog: Option<&Catalog>,
    ) -> Result<()> {
        let n_models = matrix.models.len();
        for (column, name) in matrix.models.iter().enumerate() {
            let Some(model) = self.new_price_of(name, catalog) else { continue };
            let Some(costs) = &mut matrix.cost_usd else {
                bail!("--price {name}: the table has no costs to be changed");
            };
            let tokens = matrix.input_tokens.iter().zip(&matrix.output_tokens);
            let cells = costs.iter_mut().zip(tokens).skip(column).step_by(n_models);
            for (cost, (input, output)) in cells {
                let (Some(input), Some(output)) = (input, output) else {
                    bail!("--price {name}: the table lacks tokens of it to count costs from");
                };
                *cost = load::cheapest(model, *input, *output);
            }
        }
        Ok(())
    }

    fn new_price_of<'c>(&self, name: &str, catalog: Option<&'c Catalog>) -> Option<&'c Model> {
        self.repriced.iter().find(|known| *known == name)?;
        catalog?.find(name)
    }

    /// Whether the traffic is to be another.
    pub(crate) fn changes_traffic(&self) -> bool {
        !self.mix.is_as_logged()
    }

    /// Whether a row belongs to the traffic that is asked about; the draw depends on the row alone.
    pub(crate) fn keeps(&self, id: &str, task: Option<&str>) -> bool {
        self.mix.keeps(id, task)
    }

    /// Refuses a weight on a task that no row has.
    pub(crate) fn check_tasks<'t>(
        &self,
        tasks: impl Iterator<Item = Option<&'t str>>,
    ) -> Result<()> {
        self.mix.check(tasks)
    }

    /// What thinning kept, for people; `None` where the traffic is as logged.
    pub(crate) fn kept(&self, n_kept: usize, of: usize) -> Option<String> {
        self.changes_traffic().then(|| {
            format!(
                "{} of {} requests make up the traffic that is asked about; fewer rows make wider \
                 intervals",
                wording::length(n_kept),
                wording::length(of)
            )
        })
    }
}

#[cfg(test)]
mod tests;

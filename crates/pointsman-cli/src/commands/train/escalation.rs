//! `train --answers`: what is learned from models' answers, and how much of it is kept. What a log's
//! steps teach is in [`steps`](super::steps).
//!
//! For each model that has answers, a reader predicts from request and answer how good the answer is
//! and what every other model would make of the request. It is kept where, on rows that its fit had
//! not seen, deciding by it is worth more than deciding by the request alone, with an interval that
//! excludes zero. Weakness: one strength out of six was chosen on the same rows, for both; and of
//! many readers that are worth nothing, one in forty is kept by chance.

use super::verdict::{Known, Learned, Verdict, finish};
use crate::{
    answer_texts::AnswerTexts,
    load::{LoadedTable, narrow},
    nearest::did_you_mean,
    screen::Screen,
    wording,
};
use anyhow::{Result, bail};
use pointsman_core::{artifact::Artifact, catalog::Catalog, units::len_as_float};
use pointsman_data::{ReadOptions, read_answers, read_outcomes};
use pointsman_train::escalation::{
    AnswerDesign, AnswerDesignBuilder, EscalationError, EscalationSet, TrainedEscalation,
    train_escalation,
};
use std::{collections::BTreeMap, path::PathBuf};

/// Flags of `train` about models' answers.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct AnswerFlags {
    /// What the models of --table answered: `prompt_id`, `model`, `answer`, perhaps `finish_reason`
    /// (Parquet, CSV or NDJSON): also learn when to call another model after an answer.
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "table", conflicts_with = "max_mb")]
    pub(crate) answers: Vec<PathBuf>,
    /// Learn from the answers of these models alone, in --answers or in the steps of a log; of all that
    /// have answers where not given.
    #[arg(long, num_args = 1.., value_name = "MODEL", conflicts_with = "no_readers")]
    pub(crate) escalate_from: Vec<String>,
    /// From a log with steps after answers, learn nothing about answers.
    #[arg(long, conflicts_with = "table")]
    pub(crate) no_readers: bool,
    /// Leave out what is foreseen of answers: the first model is chosen as if its answer were final.
    #[arg(long)]
    pub(crate) no_foresight: bool,
}

/// The table that answers belong to, and how it is read.
pub(super) struct Table<'a> {
    pub(super) loaded: &'a LoadedTable,
    pub(super) paths: &'a [PathBuf],
    pub(super) options: &'a ReadOptions,
    pub(super) catalog: Option<&'a Catalog>,
    pub(super) seed: u64,
}

/// The answers of one model, by rows of the table's matrix.
struct Answered {
    rows: Vec<u32>,
    answers: AnswerDesign,
    /// What is to be said of answers to prompts that have one already.
    repeated: Option<String>,
    n_of_other_prompts: u64,
}

impl AnswerFlags {
    /// Refuses answers without a table, and models to learn from where a table comes without answers.
    pub(super) fn check(&self, table: &[PathBuf]) -> Result<()> {
        if !table.is_empty() && self.answers.is_empty() && !self.escalate_from.is_empty() {
            bail!("--escalate-from names models of --answers; pass those too");
        }
        if table.is_empty() && !self.answers.is_empty() {
            bail!(
                "--answers goes with --table; from a log, answers are read out of its steps, so leave \
                 it out"
            );
        }
        Ok(())
    }

    /// The artifact with the readers that are kept; the same one without --answers.
    pub(super) fn add_readers(
        &self,
        artifact: Artifact,
        table: &Table<'_>,
        screen: &Screen,
    ) -> Result<Artifact> {
        if self.answers.is_empty() {
            return Ok(artifact);
        }
        let models = self.models(table, screen)?;
        let costs = table.costs()?;
        let points = &artifact.card().operating_points;
        let weights: Vec<f64> = match &costs {
            Some(_) if !points.is_empty() => points.iter().map(|point| point.per_dollar).collect(),
            Some(_) | None => vec![0.0],
        };
        let money = Money { costs: costs.as_deref(), weights: &weights };
        let bar = screen.progress("learning to read answers", models.len() as u64);
        let mut verdicts = Vec::new();
        for model in models {
            let name = &table.loaded.matrix.models[model];
            bar.set_message(format!("learning to read the answers of {name}"));
            let answered = self.read(name, table)?;
            answered.describe(name, screen)?;
            verdicts.push(table.learn(model, &answered, &money)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        self.with_foresight_as_asked(finish(&artifact, verdicts, screen)?)
    }

    /// The artifact with what is foreseen of its readers, unless that is not wanted.
    pub(super) fn with_foresight_as_asked(&self, artifact: Artifact) -> Result<Artifact> {
        let is_left_out = self.no_foresight && !artifact.card().foresight.is_empty();
        Ok(if is_left_out { artifact.with_foresight(Vec::new())? } else { artifact })
    }

    /// The models to learn from, by their places in the matrix, ascending.
    fn models(&self, table: &Table<'_>, screen: &Screen) -> Result<Vec<usize>> {
        let known = &table.loaded.matrix.models;
        let mut n_answers: BTreeMap<String, u64> = BTreeMap::new();
        let counts = read_answers(&self.answers, &mut |row| {
            if let Some(n) = n_answers.get_mut(row.model) {
                *n += 1;
            } else {
                n_answers.insert(row.model.to_owned(), 1);
            }
        })?;
        if let Some(line) = wording::dropped(&counts.dropped) {
            screen.say(&format!("answers: {line}"))?;
        }
        for name in &self.escalate_from {
            if !known.contains(name) {
                let question = did_you_mean(name, known.iter().map(String::as_str));
                bail!("--escalate-from: the table has no model `{name}`{question}");
            }
            if !n_answers.contains_key(name) {
                bail!("--escalate-from: there is no answer of `{name}` in the files of --answers");
            }
        }
        let others = n_answers.iter().filter(|(name, _)| !known.contains(name));
        let n_others: u64 = others.map(|(_, n)| n).sum();
        if 0 < n_others {
            let n = wording::counted(n_others, "answer", "answers");
            screen.say(&format!("left out: {n} of models that are not in the table"))?;
        }
        let is_wanted = |name: &String| {
            n_answers.contains_key(name)
                && (self.escalate_from.is_empty() || self.escalate_from.contains(name))
        };
        let models: Vec<usize> =
            (0..known.len()).filter(|&model| is_wanted(&known[model])).collect();
        if models.is_empty() {
            bail!(
                "--answers: there is no answer of any model of the table; its models are {}",
                known.join(", ")
            );
        }
        Ok(models)
    }

    /// Reads one model's answers beside their requests.
    fn read(&self, name: &str, table: &Table<'_>) -> Result<Answered> {
        let texts = AnswerTexts::read(&self.answers, name)?;
        let LoadedTable { table: all, matrix, design, .. } = table.loaded;
        let mut builder = AnswerDesignBuilder::new(design.schema());
        let mut rows: Vec<u32> = Vec::new();
        let mut n_found = 0_usize;
        read_outcomes(table.paths, table.options, &mut |prompt, request| {
            let found = all.prompts.get(prompt).and_then(|it| texts.of(&it.id));
            let Some(answer) = found else { return };
            n_found += 1;
            let row = matrix.prompts.binary_search_by(|it| (*it as usize).cmp(&prompt));
            let Some(row) = row.ok().and_then(|row| u32::try_from(row).ok()) else { return };
            builder.push(request, &answer);
            rows.push(row);
        })?;
        let n_of_other_prompts = texts.n_prompts().saturating_sub(n_found) as u64;
        let repeated = texts.repeated(name);
        Ok(Answered { rows, answers: builder.finish(), repeated, n_of_other_prompts })
    }
}

/// What next models' answers cost, and how much that counts.
struct Money<'a> {
    /// Shape `(rows of the matrix, models)`; finite.
    costs: Option<&'a [f64]>,
    /// Quality points per dollar.
    weights: &'a [f64],
}

impl Table<'_> {
    /// The costs of all outcomes, a missing one being its model's mean; `None` where a model has
    /// none.
    fn costs(&self) -> Result<Option<Vec<f64>>> {
        let Some(mut costs) = self.loaded.costs(self.catalog)? else { return Ok(None) };
        let n_models = self.loaded.matrix.models.len();
        for model in 0..n_models {
            let of_model = || costs.iter().skip(model).step_by(n_models);
            let known: Vec<f64> = of_model().copied().filter(|cost| cost.is_finite()).collect();
            if known.is_empty() {
                return Ok(None);
            }
            let mean = mean(&known);
            for cost in costs.iter_mut().skip(model).step_by(n_models) {
                if !cost.is_finite() {
                    *cost = mean;
                }
            }
        }
        Ok(Some(costs))
    }

    fn learn(&self, model: usize, answered: &Answered, money: &Money<'_>) -> Result<Verdict> {
        let LoadedTable { matrix, design, groups, .. } = self.loaded;
        let n_models = matrix.models.len();
        let next: Vec<usize> = (0..n_models).filter(|&other| other != model).collect();
        let columns: Vec<usize> = std::iter::once(model).chain(next.iter().copied()).collect();
        let picked = |all: &[f64]| -> Vec<f64> {
            let of_row = |row: &u32| {
                let first = *row as usize * n_models;
                columns.iter().map(move |&column| all[first + column])
            };
            answered.rows.iter().flat_map(of_row).collect()
        };
        let quality = picked(&matrix.quality);
        let narrowed: Vec<f32> = quality.iter().map(|&it| narrow(it)).collect();
        let groups: Vec<u64> = answered.rows.iter().map(|&row| groups[row as usize]).collect();
        let prompts = design.select(&answered.rows);
        let rows: Vec<u32> = (0..u32::try_from(groups.len())?).collect();
        let set = EscalationSet {
            prompts: &prompts,
            answers: Some(&answered.answers),
            quality: &narrowed,
            weights: None,
            n_next: next.len(),
            groups: &groups,
            rows: &rows,
        };
        let verdict = |learned| Verdict {
            name: matrix.models[model].clone(),
            n_answers: rows.len(),
            rests_on: String::new(),
            learned,
        };
        let both = match train_both(&set, self.seed)? {
            Ok(both) => both,
            Err(reason) => return Ok(verdict(Err(reason))),
        };
        let cost_usd = money.costs.map_or_else(|| vec![0.0; quality.len()], picked);
        let expected_usd = means_of_next(&cost_usd, columns.len());
        let known = Known {
            quality: &quality,
            cost_usd: &cost_usd,
            expected_usd: &expected_usd,
            groups: &groups,
        };
        Ok(verdict(Ok(Learned::new((model, next), both, known, money.weights)?)))
    }
}

/// What is learned with the answers and without them, or why nothing can be.
pub(super) fn train_both(
    set: &EscalationSet<'_>,
    seed: u64,
) -> Result<Result<(TrainedEscalation, TrainedEscalation), String>> {
    let blind = EscalationSet { answers: None, ..*set };
    let both =
        train_escalation(set, seed).and_then(|read| Ok((read, train_escalation(&blind, seed)?)));
    match both {
        Ok(both) => Ok(Ok(both)),
        Err(
            error @ (EscalationError::TooFewRows { .. }
            | EscalationError::TooFewKnown { .. }
            | EscalationError::OneFold),
        ) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// The mean of each column but the first.
fn means_of_next(cells: &[f64], n_columns: usize) -> Vec<f64> {
    let of_column = |column: usize| -> Vec<f64> {
        cells.iter().skip(column).step_by(n_columns).copied().collect()
    };
    (1..n_columns).map(|column| mean(&of_column(column))).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / len_as_float(values.len().max(1))
}

impl Answered {
    /// What is not as it might be, for people.
    fn describe(&self, name: &str, screen: &Screen) -> Result<()> {
        if let Some(line) = &self.repeated {
            screen.say(line)?;
        }
        for (n, what) in [
            (self.n_of_other_prompts, "to prompts that are not in the table"),
            (self.answers.n_answers_cut(), "over 32 KiB, read head and tail only"),
        ] {
            if 0 < n {
                screen.say(&format!("answers of {name}: {} {what}", wording::count(n)))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_models_have_the_means_of_their_columns() {
        assert_eq!(means_of_next(&[9.0, 1.0, 2.0, 9.0, 3.0, 6.0], 3), [2.0, 4.0]);
        assert_eq!(means_of_next(&[9.0], 1), [0.0; 0]);
    }
}

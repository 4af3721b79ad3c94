//! What a policy that reads the first model's answer knows of when to call a dearer one.
//!
//! For each pair of models, on all prompts that both answered: scorers are learned out of fold from
//! the request and the first model's answer, and from the request alone, and requests are escalated
//! in falling order of the predicted gain.

mod cascades;
mod frontiers;
mod whole;

use super::Again;
use crate::{
    answer_texts::AnswerTexts, load::narrow, nearest::did_you_mean, report::EscalationFrontier,
    routers::TableResult, screen::Screen, wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    escalation::{EscalationScorer, EscalationScores},
    units::len_as_float,
};
use pointsman_data::{OutcomeTable, TableOutcome, parts_of_prompts, read_outcomes};
use pointsman_eval::{
    cascade::{Cascade, CascadeRows, cascade},
    escalation::{EscalationFigures, escalation_figures},
    interval::ConfidenceLevel,
    whole::WholeValue,
};
use pointsman_train::{
    design::{Design, DesignBuilder},
    escalation::{AnswerDesign, AnswerDesignBuilder, EscalationSet, train_escalation},
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Flags of `benchmark` that ask for this.
#[derive(Debug, clap::Args)]
pub(super) struct EscalationFlags {
    /// What the models answered: `prompt_id`, `model`, `answer` (Parquet, CSV or NDJSON); needs
    /// --escalation or --cascade.
    #[arg(long, value_name = "FILE")]
    pub(super) answers: Option<PathBuf>,
    /// Also learn, from the answer of FIRST, when to call NEXT; pairs of models.
    #[arg(long, num_args = 2.., value_names = ["FIRST", "NEXT"], requires = "answers")]
    escalation: Vec<String>,
    /// Also route among all models that have answers and escalate from each to any other, against
    /// routing among them alone.
    #[arg(long, requires = "answers")]
    cascade: bool,
}

/// What was found on one table.
#[derive(Default)]
pub(super) struct Reported {
    /// Of each pair, by its name.
    pub(super) pairs: Option<Value>,
    /// Of all models that have answers.
    pub(super) cascade: Option<Value>,
    pub(super) plots: Vec<EscalationFrontier>,
}

/// One pair of models, and the figures of each scorer.
struct PairResult {
    name: String,
    n_rows: usize,
    n_without_answer: usize,
    first: f64,
    next: f64,
    scorers: [(&'static str, EscalationFigures); 2],
    /// Where costs are known.
    cascade: Option<(Cascade, WholeValue)>,
}

/// Prompts that both models answered, by their ids in order, with what is read of them.
struct Pair {
    prompts: Vec<u32>,
    /// Shape `(prompts, 2)`.
    quality: Vec<f32>,
    /// Dollars, of the same shape; a single missing cost is its model's mean.
    cost_usd: Option<Vec<[f64; 2]>>,
    design: Design,
    answers: AnswerDesign,
    n_without_answer: usize,
}

/// The first and the next model of each escalation.
type Pairs<'a> = Vec<[&'a str; 2]>;

impl EscalationFlags {
    /// Refuses flags that do not go together, before anything is read.
    ///
    /// # Errors
    /// As [`Self::pairs`].
    pub(super) fn check(&self) -> Result<()> {
        self.pairs().map(drop)
    }

    /// The file of answers and the pairs, where they were asked for.
    ///
    /// # Errors
    /// For a model without a partner, one that is to be escalated to itself, and answers that
    /// nothing is asked of.
    fn pairs(&self) -> Result<Option<(&Path, Pairs<'_>)>> {
        let Some(path) = &self.answers else { return Ok(None) };
        if self.escalation.is_empty() && !self.cascade {
            bail!("--answers: nothing is asked of them; add --cascade, or --escalation FIRST NEXT");
        }
        let (pairs, rest) = self.escalation.as_chunks::<2>();
        if let [alone] = rest {
            bail!("--escalation: `{alone}` has no next model; name pairs, as FIRST NEXT");
        }
        if let Some([same, _]) = pairs.iter().find(|[first, next]| first == next) {
            bail!("--escalation: `{same}` cannot be escalated to itself");
        }
        let pairs = pairs.iter().map(|[first, next]| [first.as_str(), next.as_str()]).collect();
        Ok(Some((path.as_path(), pairs)))
    }
}

/// Measures what was asked for on one table, which is called `stem`.
pub(super) fn report(
    flags: &EscalationFlags,
    again: &Again<'_>,
    (stem, result): (&str, &TableResult),
    seed: u64,
) -> Result<Reported> {
    let mut reported = Reported::default();
    let Some((path, pairs)) = flags.pairs()? else { return Ok(reported) };
    let mut all = Map::new();
    for models in pairs {
        let pair = measure(again, path, (models, seed))?;
        all.insert(pair.name.clone(), pair.json());
        pair.describe(again.screen)?;
        if let Some((_, value)) = &pair.cascade {
            let name = format!("{} → {}, {stem}", models[0], models[1]);
            reported.plots.push(frontiers::plot(&name, &models, value));
        }
    }
    reported.pairs = (!all.is_empty()).then_some(Value::Object(all));
    if flags.cascade {
        let (found, plot) = whole::report((again, path), (stem, result), seed)?;
        reported.cascade = Some(found);
        reported.plots.push(plot);
    }
    Ok(reported)
}

fn measure(
    again: &Again<'_>,
    answers: &Path,
    (models, seed): ([&str; 2], u64),
) -> Result<PairResult> {
    let table = &again.loaded.table;
    let pair = Pair::read(again, answers, models)?;
    let groups: Vec<u64> =
        pair.prompts.iter().map(|&prompt| table.prompts[prompt as usize].group).collect();
    let mut parts = parts_of_prompts(table, &pair.prompts);
    parts.retain(|part| !part.test.is_empty());
    let mut tested: Vec<u32> = parts.iter().flat_map(|part| part.test.iter().copied()).collect();
    tested.sort_unstable();
    let column = |at: usize| -> Vec<f64> {
        tested.iter().map(|&row| f64::from(pair.quality[2 * row as usize + at])).collect()
    };
    let (first, next) = (column(0), column(1));
    let predict = |answers: Option<&AnswerDesign>| -> Result<[Vec<f64>; 2]> {
        let mut predicted = vec![[0.0; 2]; pair.prompts.len()];
        for part in &parts {
            let set = EscalationSet {
                prompts: &pair.design,
                answers,
                quality: &pair.quality,
                weights: None,
                n_next: 1,
                groups: &groups,
                rows: &part.train,
            };
            let scorer = EscalationScorer::new(train_escalation(&set, seed)?.parts)?;
            pair.predict(&scorer, &part.test, &mut predicted);
        }
        Ok(columns(&predicted, &tested))
    };
    let (from_answer, from_prompt) = (predict(Some(&pair.answers))?, predict(None)?);
    let figures = |predicted: &[Vec<f64>; 2]| -> Result<EscalationFigures> {
        let [in_hand, after] = predicted;
        let gain: Vec<f64> = after.iter().zip(in_hand).map(|(after, it)| after - it).collect();
        Ok(escalation_figures((in_hand, &gain), &first, &next)?)
    };
    let valued = |all: &Vec<[f64; 2]>| {
        let cost_usd = columns(all, &tested);
        let expected_usd = pair.expected_costs(&cost_usd, &tested);
        let rows = CascadeRows {
            quality: [&first, &next],
            cost_usd: slices(&cost_usd),
            expected_usd: slices(&expected_usd),
            from_prompt: slices(&from_prompt),
            from_answer: slices(&from_answer),
        };
        let groups: Vec<u64> = tested.iter().map(|&row| groups[row as usize]).collect();
        let value = cascade(&rows, ConfidenceLevel::P95)?;
        Ok::<_, anyhow::Error>((value, frontiers::of_pair(&rows, &groups)?))
    };
    Ok(PairResult {
        name: format!("{} -> {}", models[0], models[1]),
        n_rows: tested.len(),
        n_without_answer: pair.n_without_answer,
        first: mean(&first),
        next: mean(&next),
        scorers: [("pointsman", figures(&from_answer)?), ("prompt", figures(&from_prompt)?)],
        cascade: pair.cost_usd.as_ref().map(valued).transpose()?,
    })
}

/// Both columns of some rows.
fn columns(all: &[[f64; 2]], rows: &[u32]) -> [Vec<f64>; 2] {
    [0, 1].map(|at| rows.iter().map(|&row| all[row as usize][at]).collect())
}

fn slices(columns: &[Vec<f64>; 2]) -> [&[f64]; 2] {
    let [first, next] = columns;
    [first, next]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / len_as_float(values.len().max(1))
}

impl Pair {
    fn read(again: &Again<'_>, path: &Path, models: [&str; 2]) -> Result<Self> {
        let table = &again.loaded.table;
        let outcomes = outcomes_of(table, models)?;
        let texts = AnswerTexts::read(&[path.to_path_buf()], models[0])?;
        let left_out = [wording::dropped(&texts.dropped), texts.repeated(models[0])];
        for line in left_out.iter().flatten() {
            again.screen.say(line)?;
        }
        if texts.n_prompts() == 0 {
            bail!("{}: it has no answer of `{}`", path.display(), models[0]);
        }
        let schema = again.loaded.design.schema();
        let (mut prompts, mut answers) =
            (DesignBuilder::new(schema), AnswerDesignBuilder::new(schema));
        let (mut read, mut n_without_answer) = (Vec::new(), 0);
        read_outcomes(again.paths, again.options, &mut |prompt, request| {
            let (Some(Some(_)), Some(known)) = (outcomes.get(prompt), table.prompts.get(prompt))
            else {
                return;
            };
            let found = texts.of(&known.id);
            n_without_answer += usize::from(found.is_none());
            prompts.push(request);
            answers.push(request, &found.unwrap_or_default());
            read.push(prompt);
        })?;
        // By id, so that equal predictions are escalated in an order that the file does not make.
        let mut order: Vec<u32> = (0..).take(read.len()).collect();
        order.sort_by_key(|&row| &table.prompts[read[row as usize]].id);
        let sorted = || order.iter().map(|&row| read[row as usize]);
        let known = || sorted().filter_map(|prompt| outcomes[prompt]);
        Ok(Self {
            prompts: sorted()
                .map(|prompt| u32::try_from(prompt).context("more prompts than 2^32"))
                .collect::<Result<_>>()?,
            quality: known().flatten().map(|it| narrow(it.quality)).collect(),
            cost_usd: cascades::costs(known()),
            design: prompts.finish().select(&order),
            answers: answers.finish().select(&order),
            n_without_answer,
        })
    }

    /// Both models' costs as they are expected of the prompts in these rows before an answer.
    fn expected_costs(&self, cost_usd: &[Vec<f64>; 2], rows: &[u32]) -> [Vec<f64>; 2] {
        let n_bytes = |&row: &u32| len_as_float(self.design.n_bytes(row as usize));
        let n_bytes: Vec<f64> = rows.iter().map(n_bytes).collect();
        let [first, next] = cost_usd;
        [cascades::line(&n_bytes, first), cascades::line(&n_bytes, next)]
    }

    fn predict(&self, scorer: &EscalationScorer, rows: &[u32], out: &mut [[f64; 2]]) {
        let mut scores = EscalationScores::default();
        for &row in rows {
            let row = row as usize;
            scorer.score(&self.design.features(row), &self.answers.features(row), &mut scores);
            if let [in_hand, next] = *scores.quality() {
                out[row] = [f64::from(in_hand), f64::from(next)];
            }
        }
    }
}

/// By prompt of the table, both models' outcomes where both answered.
fn outcomes_of(table: &OutcomeTable, models: [&str; 2]) -> Result<Vec<Option<[TableOutcome; 2]>>> {
    let mut places = [0; 2];
    for (place, name) in places.iter_mut().zip(models) {
        let found = table.models.iter().position(|known| known == name);
        *place = found.with_context(|| {
            let question = did_you_mean(name, table.models.iter().map(String::as_str));
            format!(
                "--escalation: the table has no model `{name}`; its models are {}{question}",
                table.models.join(", ")
            )
        })?;
    }
    let mut known = vec![[None; 2]; table.prompts.len()];
    for outcome in &table.outcomes {
        if let Some(column) = places.iter().position(|&place| place == usize::from(outcome.model)) {
            known[outcome.prompt as usize][column] = Some(*outcome);
        }
    }
    Ok(known.into_iter().map(|[first, next]| Some([first?, next?])).collect())
}

impl PairResult {
    fn describe(&self, screen: &Screen) -> Result<()> {
        let Self { name, n_rows, n_without_answer, first, next, scorers, cascade } = self;
        let n_rows = wording::length(*n_rows);
        screen.say(&format!(
            "\nescalating {name}, on {n_rows} prompts: the first model alone {first:.4}, the next \
             one alone {next:.4}"
        ))?;
        if 0 < *n_without_answer {
            let n = wording::length(*n_without_answer);
            screen.say(&format!("{n} of them have no answer in the file and count as empty"))?;
        }
        let header = ["scorer", "AUC", "APGR", "best", "share to match the next model"];
        let rows = scorers.iter().map(|(scorer, figures)| {
            let EscalationFigures { auc, mean_gap_recovered, best, match_share } = figures;
            [
                (*scorer).to_owned(),
                auc.map_or_else(|| "-".to_owned(), |auc| format!("{auc:.4}")),
                format!("{mean_gap_recovered:.4}"),
                format!("{best:.4}"),
                match_share
                    .map_or_else(|| "never".to_owned(), |share| format!("{:.1} %", 100.0 * share)),
            ]
        });
        screen.table(header, rows)?;
        let Some((cascade, value)) = cascade else { return Ok(()) };
        cascades::describe(cascade, screen)?;
        frontiers::describe(value, screen)
    }

    fn json(&self) -> Value {
        let Self { name: _, n_rows, n_without_answer: _, first, next, scorers, cascade } = self;
        let scorers: Map<String, Value> = scorers
            .iter()
            .map(|(scorer, figures)| {
                let EscalationFigures { auc, mean_gap_recovered, best, match_share } = figures;
                let value = json!({
                    "auc": auc,
                    "apgr": mean_gap_recovered,
                    "best": best,
                    "match_share": match_share,
                });
                ((*scorer).to_owned(), value)
            })
            .collect();
        let mut value = json!({"n": n_rows, "first": first, "next": next, "scorers": scorers});
        if let Some((cascade, found)) = cascade {
            value["cascade"] = cascades::json(cascade);
            value["cascade"]["frontiers"] = frontiers::json(found);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(models: &[&str], expected: Result<usize, &str>) {
        let flags = EscalationFlags {
            answers: Some(PathBuf::from("answers.csv")),
            escalation: models.iter().map(|&model| model.to_owned()).collect(),
            cascade: false,
        };
        let found = flags.pairs().map(|pairs| pairs.map_or(0, |(_, pairs)| pairs.len()));
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn models_come_in_pairs() {
        check(&["a", "b"], Ok(1));
        check(&["a", "b", "b", "c"], Ok(2));
        check(
            &["a", "b", "c"],
            Err("--escalation: `c` has no next model; name pairs, as FIRST NEXT"),
        );
        check(
            &[],
            Err("--answers: nothing is asked of them; add --cascade, or --escalation FIRST NEXT"),
        );
        check(&["a", "a"], Err("--escalation: `a` cannot be escalated to itself"));
    }
}

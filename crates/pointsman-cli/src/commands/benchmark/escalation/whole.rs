//! The whole policy over all models that have answers: route among them by the request, then accept
//! each answer or call another one, against routing alone among the same models.
//!
//! Routing is by what the first learner of the benchmark predicts for the test rows, so nothing is
//! learned about requests a second time; readers are learned on the training rows of the same
//! parts. Weakness: routing was learned with all models of the table, and chooses among some.

use super::{Again, frontiers};
use crate::{
    answer_texts::AnswerTexts,
    load::{LoadedTable, narrow},
    report::EscalationFrontier,
    routers::TableResult,
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    escalation::{EscalationScorer, EscalationScores},
    units::len_as_float,
};
use pointsman_data::{TrainTest, read_answers, read_outcomes, train_test_parts};
use pointsman_eval::{
    interval::ConfidenceLevel,
    whole::{WholeRows, WholeValue, whole_value},
};
use pointsman_train::escalation::{
    AnswerDesign, AnswerDesignBuilder, EscalationSet, train_escalation,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

/// A model's answers count where more than this share of the prompts has one; the rest count as
/// empty.
const LEAST_SHARE: f64 = 0.95;

/// Measures the whole policy on one table.
pub(super) fn report(
    (again, answers): (&Again<'_>, &Path),
    (stem, result): (&str, &TableResult),
    seed: u64,
) -> Result<(Value, EscalationFrontier)> {
    let all_models = &again.loaded.matrix.models;
    let models = models_with_answers(again, answers)?;
    let names: Vec<&str> = models.iter().map(|&model| all_models[model].as_str()).collect();
    again.screen.say(&format!(
        "\nrouting and escalating among {}, on {} prompts",
        names.join(", "),
        wording::length(result.test.rows.len()),
    ))?;
    let predictions = result.routers.first().and_then(|router| router.predictions.as_ref());
    let predictions = predictions.context("no router of this benchmark predicts")?;
    let Some(cost) = &result.test.cost else {
        bail!("--cascade: the table has no costs, so nothing says what a second answer is worth");
    };
    let picked = |all: &[f64]| pick(all, all_models.len(), &models);
    let from_answer = from_answers((again, answers), &models, (result, seed))?;
    let groups: Vec<u64> =
        result.test.rows.iter().map(|&row| again.loaded.groups[row as usize]).collect();
    let rows = WholeRows {
        n_models: models.len(),
        quality: &picked(&result.test.quality),
        cost_usd: &picked(cost),
        expected_usd: &picked(&predictions.cost),
        from_prompt: &picked(&predictions.quality),
        from_answer: &from_answer,
        groups: &groups,
        most_answers: frontiers::MOST_ANSWERS,
    };
    let value: WholeValue = whole_value(&rows, ConfidenceLevel::P95, frontiers::RESAMPLING_SEED)?;
    frontiers::describe(&value, again.screen)?;
    let mut found = frontiers::json(&value);
    found["models"] = json!(names);
    let name = format!("all models with answers, {stem}");
    Ok((found, frontiers::plot(&name, &names, &value)))
}

/// Some columns of a matrix.
fn pick(all: &[f64], n_models: usize, models: &[usize]) -> Vec<f64> {
    let of_row = |row: &[f64]| models.iter().map(|&model| row[model]).collect::<Vec<f64>>();
    all.chunks_exact(n_models).flat_map(of_row).collect()
}

/// The models to route among, by their places in the matrix, ascending; says which were left out.
fn models_with_answers(again: &Again<'_>, answers: &Path) -> Result<Vec<usize>> {
    let ids = ids(again.loaded);
    let mut n_answers: BTreeMap<String, usize> = BTreeMap::new();
    let counts = read_answers(&[answers.to_path_buf()], &mut |row| {
        if !ids.contains(row.prompt_id) {
            return;
        }
        if let Some(n) = n_answers.get_mut(row.model) {
            *n += 1;
        } else {
            n_answers.insert(row.model.to_owned(), 1);
        }
    })?;
    if let Some(line) = wording::dropped(&counts.dropped) {
        again.screen.say(&line)?;
    }
    let known = &again.loaded.matrix.models;
    let least = LEAST_SHARE * len_as_float(again.loaded.matrix.prompts.len());
    let is_whole = |name: &String| n_answers.get(name).is_some_and(|&n| least < len_as_float(n));
    let left_out: Vec<&str> = n_answers
        .keys()
        .filter(|&name| !known.contains(name) || !is_whole(name))
        .map(String::as_str)
        .collect();
    if !left_out.is_empty() {
        again.screen.say(&format!(
            "left out of the cascade, with answers to 95 % of the table's prompts or fewer, or with \
             too few outcomes: {}",
            left_out.join(", ")
        ))?;
    }
    let models: Vec<usize> = (0..known.len()).filter(|&model| is_whole(&known[model])).collect();
    if models.len() < 2 {
        bail!(
            "--cascade: {} has answers of {} of the table's models to more than 95 % of its \
             prompts; routing among them takes two",
            answers.display(),
            models.len()
        );
    }
    Ok(models)
}

/// The ids of the matrix's prompts.
fn ids(loaded: &LoadedTable) -> HashSet<&str> {
    let prompts = loaded.matrix.prompts.iter();
    let known = prompts.filter_map(|&prompt| loaded.table.prompts.get(prompt as usize));
    known.map(|prompt| prompt.id.as_str()).collect()
}

/// For each of the models, what readers of its answers predict of all of them on the test rows, out
/// of fold.
fn from_answers(
    (again, path): (&Again<'_>, &Path),
    models: &[usize],
    (result, seed): (&TableResult, u64),
) -> Result<Vec<Option<Vec<f64>>>> {
    let loaded = again.loaded;
    let parts = train_test_parts(&loaded.table, &loaded.matrix);
    let bar =
        again.screen.progress("learning to read answers", (models.len() * parts.len()) as u64);
    let mut all = Vec::with_capacity(models.len());
    for (in_hand, &model) in models.iter().enumerate() {
        let name = &loaded.matrix.models[model];
        let (answers, n_without) = read(again, path, name)?;
        if 0 < n_without {
            let n = wording::counted_length(n_without, "prompt has", "prompts have");
            again.screen.say(&format!("{n} no answer of {name}, and count as an empty one"))?;
        }
        let order = in_hand_first(models.len(), in_hand);
        let mut predicted = Vec::with_capacity(result.test.rows.len() * models.len());
        for part in &parts {
            let scorer = learn(loaded, &answers, (models, &order), (part, seed))?;
            predict((loaded, &answers), &scorer, (&part.test, &order), &mut predicted);
            bar.inc(1);
        }
        all.push(Some(predicted));
    }
    bar.finish_and_clear();
    Ok(all)
}

/// Places with that of the answer in hand before the others, as readers order their columns.
fn in_hand_first(n_models: usize, in_hand: usize) -> Vec<usize> {
    std::iter::once(in_hand).chain((0..n_models).filter(|&other| other != in_hand)).collect()
}

/// One model's answers, by rows of the matrix; how many are missing and count as empty.
fn read(again: &Again<'_>, path: &Path, name: &str) -> Result<(AnswerDesign, usize)> {
    let LoadedTable { table, matrix, design, .. } = again.loaded;
    let texts = AnswerTexts::read(&[path.to_path_buf()], name)?;
    if let Some(line) = texts.repeated(name) {
        again.screen.say(&line)?;
    }
    let mut builder = AnswerDesignBuilder::new(design.schema());
    let (mut rows, mut n_without) = (Vec::new(), 0);
    read_outcomes(again.paths, again.options, &mut |prompt, request| {
        let row = matrix.prompts.binary_search_by(|it| (*it as usize).cmp(&prompt));
        let (Ok(row), Some(known)) = (row, table.prompts.get(prompt)) else { return };
        let found = texts.of(&known.id);
        n_without += usize::from(found.is_none());
        builder.push(request, &found.unwrap_or_default());
        rows.push(row);
    })?;
    let mut order: Vec<u32> = (0..).take(rows.len()).collect();
    order.sort_by_key(|&at| rows[at as usize]);
    Ok((builder.finish().select(&order), n_without))
}

/// Learns a reader from the training rows of one part.
fn learn(
    loaded: &LoadedTable,
    answers: &AnswerDesign,
    (models, order): (&[usize], &[usize]),
    (part, seed): (&TrainTest, u64),
) -> Result<EscalationScorer> {
    let columns: Vec<usize> = order.iter().map(|&place| models[place]).collect();
    let quality = pick(&loaded.matrix.quality, loaded.matrix.models.len(), &columns);
    let quality: Vec<f32> = quality.into_iter().map(narrow).collect();
    let mut rows = part.train.clone();
    rows.sort_unstable();
    let set = EscalationSet {
        prompts: &loaded.design,
        answers: Some(answers),
        quality: &quality,
        weights: None,
        n_next: models.len() - 1,
        groups: &loaded.groups,
        rows: &rows,
    };
    Ok(EscalationScorer::new(train_escalation(&set, seed)?.parts)?)
}

/// Adds what a reader predicts for some rows, its columns in the order of the models.
fn predict(
    (loaded, answers): (&LoadedTable, &AnswerDesign),
    scorer: &EscalationScorer,
    (rows, order): (&[u32], &[usize]),
    predicted: &mut Vec<f64>,
) {
    let mut scores = EscalationScores::default();
    for &row in rows {
        let row = row as usize;
        scorer.score(&loaded.design.features(row), &answers.features(row), &mut scores);
        let first = predicted.len();
        predicted.resize(first + order.len(), 0.0);
        for (&place, &quality) in order.iter().zip(scores.quality()) {
            predicted[first + place] = f64::from(quality);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_picked_in_their_order() {
        assert_eq!(pick(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, &[2, 0]), [3.0, 1.0, 6.0, 4.0]);
        assert_eq!(in_hand_first(3, 1), [1, 0, 2]);
        assert_eq!(in_hand_first(2, 0), [0, 1]);
    }
}

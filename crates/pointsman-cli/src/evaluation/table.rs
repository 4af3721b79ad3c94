//! Evaluation with full information: every model's outcome is known, so values are plain means.

use super::{
    Recorder, Settings, Used,
    answered::{self, Whole},
    check_what_if, decide_all, diagnostic, generated_by, joined,
    language::language,
    provenance, slices,
    table_differences::{Tabled, differences},
    table_plots::{OnRows, UNKNOWN, calibrations, frontier},
    used_rows, value_row,
};
use crate::{
    report::{IntervalKind, MeanInterval, Report, ValueRow, Verdict, VerdictKind},
    screen::Screen,
    wording,
};
use anyhow::{Result, bail};
use pointsman_data::{
    Asked, OutcomeMatrix, OutcomeTable, ReadOptions, prompts_ahead, read_outcomes,
};
use pointsman_eval::{
    baselines::{self, Baselines, Judgement, baselines, judge},
    full::mean_value,
    matrix::{Matrix, Outcomes, PolicyOutcomes},
};
use std::path::PathBuf;

/// The rows of a table that take part, dense.
struct Rows {
    n: usize,
    quality: Vec<f64>,
    cost_usd: Option<Vec<f64>>,
}

/// Evaluates policies on an outcome table; with models' answers, whole cascades.
pub(crate) fn evaluate(
    (paths, answers): (&[PathBuf], &[PathBuf]),
    options: &ReadOptions,
    settings: &Settings,
    screen: &Screen,
) -> Result<Report> {
    check_what_if(settings)?;
    let mut recorders: Vec<Recorder<'_>> = settings.all_policies().map(Recorder::new).collect();
    slices::check_for_table(&settings.slices)?;
    answered::foresee(answers, &mut recorders)?;
    let (table, matrix, languages) = read(paths, options, &mut recorders, (settings, screen))?;
    check_models(&recorders, settings, &matrix)?;
    let (used, kept) = used_prompts(&table, &matrix, &recorders, settings)?;
    let from = ((paths, answers), (&table, options));
    let (wholes, said) = answered::follow(from, &mut recorders, (settings, screen))?;
    let rows = select(&matrix, &used.rows);
    let n_models = matrix.models.len();
    let cost =
        rows.cost_usd.as_deref().map(|cost| Matrix::new(cost, rows.n, n_models)).transpose()?;
    let actual = Outcomes::new(Matrix::new(&rows.quality, rows.n, n_models)?, cost)?;
    let known = baselines(&actual);

    let of_recorders = recorders.iter().zip(wholes.iter().map(Option::as_ref));
    let on_rows: Vec<OnRows> = of_recorders.map(|of| on_rows(of, &matrix, &used.rows)).collect();
    let (mut values, outcomes) = policy_rows(&on_rows, &actual, settings)?;
    values.extend(baseline_rows(&matrix, &rows, &known, settings)?);
    let judgement = judge(&outcomes, &actual, settings.level)?;
    let verdict = verdict(
        &settings.policies[0].name,
        &judgement,
        &outcomes,
        (&matrix.models, &known.best_single),
    );
    let on_table = Tabled {
        table: &table,
        matrix: &matrix,
        used: &used,
        languages: &languages,
        quality: &rows.quality,
        cost_usd: rows.cost_usd.as_deref(),
        best_single: known.best_single.model_index,
        recorders: &recorders,
        shares: on_rows.iter().map(|on_rows| on_rows.shares.as_slice()).collect(),
    };
    let (slices, mut moves) = differences(&on_table, settings)?;
    if wholes.iter().any(Option::is_some) {
        moves.clear();
    }
    let of_policies = &values[..settings.policies.len()];
    let frontier = frontier((&matrix, &actual), &on_rows[0], &known, of_policies)?;
    Ok(Report {
        title: "What the policy would have done".to_owned(),
        subtitle: format!(
            "{} prompts on which every one of {n_models} models was tried",
            wording::length(rows.n)
        ),
        simulated: false,
        generated_by: generated_by(settings),
        verdict: used.fair(verdict),
        warnings: notes((settings, said), kept, used.sentences()),
        frontier,
        confidence: settings.level.get(),
        reward_model: None,
        values,
        calibration: calibrations(&on_rows, &rows.quality, settings)?,
        overlap: Vec::new(),
        slices,
        moves,
        diagnostics: diagnostics(&table, &matrix, rows.n),
        decisions: Vec::new(),
        provenance: provenance(
            settings,
            &[("outcome table", joined(paths)), ("table sha256", table.digest.clone())],
        ),
    })
}

/// Reads the table, every recorder deciding each prompt; its costs are counted at changed prices.
/// Also each prompt's language.
fn read(
    paths: &[PathBuf],
    options: &ReadOptions,
    recorders: &mut [Recorder<'_>],
    (settings, screen): (&Settings, &Screen),
) -> Result<(OutcomeTable, OutcomeMatrix, Vec<&'static str>)> {
    let mut languages = Vec::new();
    let table = decide_all(recorders, (screen, || prompts_ahead(paths)), |decide| {
        Ok(read_outcomes(paths, options, &mut |_, request| {
            languages.push(language(request));
            decide(Asked::Text(request));
        })?)
    })?;
    let mut matrix = table.matrix()?;
    settings.what_if.reprice_table(&mut matrix, settings.catalog.as_ref())?;
    Ok((table, matrix, languages))
}

/// The prompts that take part, and what another traffic left of them.
fn used_prompts(
    table: &OutcomeTable,
    matrix: &OutcomeMatrix,
    recorders: &[Recorder<'_>],
    settings: &Settings,
) -> Result<(Used, Option<String>)> {
    settings.what_if.check_tasks(table.prompts.iter().map(|prompt| prompt.task.as_deref()))?;
    let ids = matrix.prompts.iter().map(|&prompt| {
        let known = &table.prompts[prompt as usize];
        (prompt as usize, known.id.as_str(), known.group)
    });
    let mut used = used_rows(recorders, ids, settings.include_trained);
    let kept = used.in_traffic(&settings.what_if, |prompt| {
        let known = &table.prompts[prompt];
        (known.id.as_str(), known.task.as_deref())
    });
    used.check_enough((matrix.prompts.len(), "prompts"), "held-out prompts")?;
    Ok((used, kept))
}

/// What was asked beside what was, then what was set aside, then what is to be said of answers.
fn notes(
    (settings, of_answers): (&Settings, Vec<String>),
    kept: Option<String>,
    set_aside: Vec<String>,
) -> Vec<String> {
    let asked = settings.what_if.notes().iter().cloned();
    asked.chain(kept).chain(set_aside).chain(of_answers).collect()
}

/// A row of the value table for each policy, and what came of the first.
fn policy_rows(
    all: &[OnRows],
    actual: &Outcomes<'_>,
    settings: &Settings,
) -> Result<(Vec<ValueRow>, PolicyOutcomes)> {
    let quality = actual.quality();
    let mut first = None;
    let mut rows = Vec::with_capacity(all.len());
    for (loaded, on_rows) in settings.policies.iter().zip(all) {
        let shares = Matrix::new(&on_rows.shares, quality.n_rows(), quality.n_models())?;
        let mut outcomes = actual.of_shares(shares)?;
        if let Some(calls) = &on_rows.calls {
            let calls = Matrix::new(calls, quality.n_rows(), quality.n_models())?;
            outcomes.cost_usd = actual.of_shares(calls)?.cost_usd;
        }
        let value = mean_value(&outcomes.quality, settings.level)?;
        let mean_cost = outcomes.point().map(|point| point.cost_usd);
        let found = (value.value, &value.interval);
        let mut row = value_row(&loaded.name, "full information", found, mean_cost);
        row.cost_interval = cost_interval(outcomes.cost_usd.as_deref(), settings)?;
        row.note = loaded.objective.to_string();
        rows.push(row);
        first.get_or_insert(outcomes);
    }
    match first {
        Some(first) => Ok((rows, first)),
        None => bail!("no policy to evaluate"),
    }
}

fn check_models(
    recorders: &[Recorder<'_>],
    settings: &Settings,
    matrix: &OutcomeMatrix,
) -> Result<()> {
    for (recorder, loaded) in recorders.iter().zip(settings.all_policies()) {
        let unknown: Vec<&str> = recorder
            .policy
            .models()
            .filter(|name| !matrix.models.iter().any(|m| m == name))
            .collect();
        if !unknown.is_empty() {
            bail!(
                "policy `{}` may choose {}, of which the table has no outcomes on most prompts; \
                 evaluate on a table with these models",
                loaded.name,
                unknown.join(", ")
            );
        }
    }
    Ok(())
}

fn select(matrix: &OutcomeMatrix, requests: &[usize]) -> Rows {
    let n_models = matrix.models.len();
    let used: std::collections::BTreeSet<usize> = requests.iter().copied().collect();
    let places: Vec<usize> = (0..matrix.prompts.len())
        .filter(|&row| used.contains(&(matrix.prompts[row] as usize)))
        .collect();
    let gather = |all: &[f64]| -> Vec<f64> {
        places.iter().flat_map(|&row| all[row * n_models..][..n_models].iter().copied()).collect()
    };
    Rows {
        n: places.len(),
        quality: gather(&matrix.quality),
        cost_usd: matrix.cost_usd.as_deref().map(gather),
    }
}

fn on_rows(
    (recorder, whole): (&Recorder<'_>, Option<&Whole>),
    matrix: &OutcomeMatrix,
    requests: &[usize],
) -> OnRows {
    let places = recorder.places(&matrix.models);
    let gather = |all: &[f64], absent: f64| -> Vec<f64> {
        let row = |&request: &usize| {
            let span = &all[recorder.span(request)];
            places.iter().map(move |place| place.map_or(absent, |place| span[place]))
        };
        requests.iter().flat_map(row).collect()
    };
    OnRows {
        shares: gather(whole.map_or(&recorder.probability, |whole| &whole.given), 0.0),
        calls: whole.map(|whole| gather(&whole.calls, 0.0)),
        // A model that the policy does not know is never its choice.
        predicted_quality: gather(&recorder.quality, UNKNOWN),
        predicted_cost: gather(&recorder.cost_usd, 0.0),
    }
}

fn baseline_rows(
    matrix: &OutcomeMatrix,
    rows: &Rows,
    known: &Baselines,
    settings: &Settings,
) -> Result<Vec<ValueRow>> {
    let n_models = matrix.models.len();
    let column = |all: &[f64], model: usize| -> Vec<f64> {
        all.iter().skip(model).step_by(n_models).copied().collect()
    };
    let mut order: Vec<&baselines::SingleModel> = known.singles.iter().collect();
    order.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    let mut all = Vec::new();
    for single in order {
        let value = mean_value(&column(&rows.quality, single.model_index), settings.level)?;
        let name = format!("always {}", matrix.models[single.model_index]);
        let mut row =
            value_row(&name, "full information", (value.value, &value.interval), single.cost_usd);
        let costs = rows.cost_usd.as_ref().map(|all| column(all, single.model_index));
        row.cost_interval = cost_interval(costs.as_deref(), settings)?;
        if single.model_index == known.best_single.model_index {
            "best single model".clone_into(&mut row.note);
        }
        all.push(row);
    }
    let per_row = |pick: fn(&[f64]) -> f64| -> Vec<f64> {
        rows.quality.chunks_exact(n_models).map(pick).collect()
    };
    let mean =
        |row: &[f64]| row.iter().sum::<f64>() / pointsman_core::units::len_as_float(row.len());
    let best = |row: &[f64]| row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (name, values, means) in
        [("random", per_row(mean), &known.random), ("oracle", per_row(best), &known.oracle)]
    {
        let value = mean_value(&values, settings.level)?;
        all.push(value_row(
            name,
            "full information",
            (value.value, &value.interval),
            means.cost_usd,
        ));
    }
    Ok(all)
}

/// The interval of the mean of one cost per prompt.
fn cost_interval(costs: Option<&[f64]>, settings: &Settings) -> Result<Option<MeanInterval>> {
    let Some(costs) = costs else { return Ok(None) };
    let interval = mean_value(costs, settings.level)?.interval;
    Ok(Some(MeanInterval {
        lower: Some(interval.lower),
        upper: Some(interval.upper),
        interval_kind: IntervalKind::of(interval.kind),
        interval_method: interval.method.name().to_owned(),
        note: String::new(),
    }))
}

/// The verdict in words: against the mix of two models that costs the same where there is one,
/// else against the best single model that costs no more.
pub(crate) fn verdict(
    policy: &str,
    judgement: &Judgement,
    outcomes: &PolicyOutcomes,
    (models, best_single): (&[String], &baselines::SingleModel),
) -> Verdict {
    let (difference, rival) = match &judgement.mix {
        Some(mix) => {
            let [cheap, dear] = mix.models.map(|model| models[model].as_str());
            (&mix.difference, format!("mixing `{cheap}` and `{dear}` at the same cost"))
        }
        None => {
            (&judgement.difference, format!("always `{}`", models[judgement.rival.model_index]))
        }
    };
    let numbers = format!(
        "quality {:+.4} [{:+.4}, {:+.4}] against {rival}",
        difference.value, difference.interval.lower, difference.interval.upper
    );
    let costs = match (outcomes.point(), best_single.cost_usd) {
        (Some(point), Some(cost)) => format!(
            ". Per 1,000 requests it costs {} for a quality of {:.3}; the best single model, `{}`, \
             costs {} for {:.3}",
            wording::per_thousand(point.cost_usd),
            point.quality,
            models[best_single.model_index],
            wording::per_thousand(cost),
            best_single.quality,
        ),
        (Some(_) | None, Some(_) | None) => String::new(),
    };
    let (kind, sentence) = match judgement.verdict {
        baselines::Verdict::Route => {
            (VerdictKind::Route, format!("Route with `{policy}`: {numbers}{costs}."))
        }
        baselines::Verdict::UseOneModel { model_index } => (
            VerdictKind::UseOneModel,
            format!("Use one model, `{}`: routing gives {numbers}{costs}.", models[model_index]),
        ),
        baselines::Verdict::CannotTell => {
            (VerdictKind::CannotTell, format!("Cannot tell yet: {numbers}{costs}."))
        }
    };
    Verdict { kind, sentence }
}

fn diagnostics(
    table: &OutcomeTable,
    matrix: &OutcomeMatrix,
    n_used: usize,
) -> Vec<crate::report::Diagnostic> {
    let mut all = vec![
        diagnostic(
            "rows read",
            wording::count(table.n_rows_read),
            "outcomes of one model on one prompt",
        ),
        diagnostic("prompts used", wording::length(n_used), "every model answered them"),
        diagnostic(
            "prompts left out",
            wording::length(matrix.n_prompts_left_out),
            "not every model answered",
        ),
    ];
    for (reason, n) in &table.dropped {
        all.push(diagnostic("rows dropped", wording::count(*n), reason));
    }
    if !matrix.models_left_out.is_empty() {
        let names = matrix.models_left_out.join(", ");
        all.push(diagnostic("models left out", names, "outcomes on 95 % of prompts or fewer"));
    }
    all
}

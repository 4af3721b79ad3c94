use std::fs;

use tempfile::TempDir;

use super::*;
use crate::log::{LogOptions, read_log, read_trajectories};
use pointsman_core::{features::FeatureSchema, units::len_as_float};

/// Two models on `n` prompts: `a` is always right, `b` on every fourth; the order of rows turns
/// with `reverse`.
fn table(n: u32, reverse: bool) -> (TempDir, PathBuf) {
    let mut rows: Vec<String> = (0..n)
        .flat_map(|p| {
            let b = u8::from(p % 4 == 0);
            [format!("p{p},text {p},a,1,0.02,50"), format!("p{p},text {p},b,{b},0.01,70")]
        })
        .collect();
    if reverse {
        rows.reverse();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let head = "prompt_id,prompt,model,quality,cost_usd,latency_ms";
    fs::write(&path, format!("{head}\n{}\n", rows.join("\n"))).unwrap();
    (folder, path)
}

fn options(logger: LoggerKind) -> SimulateOptions {
    SimulateOptions { logger, seed: 7, part: SimulatedPart::All, read: ReadOptions::default() }
}

#[track_caller]
fn check_distribution(kind: LoggerKind, means: &[f64], expected: &[f64]) {
    let found = logging_distribution(kind, means);
    assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let is_close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(is_close && found.len() == expected.len(), "{kind}: {found:?}");
}

#[test]
fn loggers_draw_as_they_say() {
    let softmax = |temperature, uniform_share| LoggerKind::Softmax { temperature, uniform_share };
    check_distribution(LoggerKind::Uniform, &[0.3, 0.9], &[0.5, 0.5]);
    check_distribution(LoggerKind::EpsilonGreedy { epsilon: 0.2 }, &[0.3, 0.9], &[0.1, 0.9]);
    check_distribution(LoggerKind::EpsilonGreedy { epsilon: 0.0 }, &[0.9, 0.9], &[1.0, 0.0]);
    check_distribution(softmax(1.0, 0.0), &[0.0, 2f64.ln()], &[1.0 / 3.0, 2.0 / 3.0]);
    check_distribution(softmax(1.0, 0.5), &[0.0, 2f64.ln()], &[5.0 / 12.0, 7.0 / 12.0]);
    check_distribution(softmax(1e-6, 0.0), &[0.0, 1.0], &[0.0, 1.0]); // does not overflow
}

#[test]
fn frequencies_are_the_distribution_and_the_truth_is_true() {
    let (folder, path) = table(4000, false);
    let out = folder.path().join("log.parquet");
    let logger = LoggerKind::EpsilonGreedy { epsilon: 0.4 };
    let mut n_read = 0;
    let summary = simulate(&[path], &options(logger), &out, &mut || n_read += 1).unwrap();
    assert_eq!(n_read, 2 * 4000, "the table is read twice");
    let truth: Vec<_> = summary
        .models
        .iter()
        .map(|m| (m.model.as_str(), m.quality, m.cost_usd.unwrap(), m.probability))
        .collect();
    assert_eq!(
        truth,
        [("a", 1.0, 0.02, 0.8), ("b", 0.25, 0.01, 0.2)].map(|(m, q, c, p)| (
            m,
            q,
            truth_of(&truth, m, c),
            p
        ))
    );
    let drawn = summary.models[0].n_drawn;
    assert!((3100..3300).contains(&drawn), "{drawn}"); // 3,200 expected, standard deviation 25
    assert!((summary.logger_quality - 0.85).abs() < 1e-9);
    assert!((summary.oracle_quality - 1.0).abs() < 1e-9);
    // The oracle takes the cheaper model where both are right: 0.25 · 0.01 + 0.75 · 0.02.
    assert!((summary.oracle_cost_usd.unwrap() - 0.0175).abs() < 1e-9);

    let mut texts = Vec::new();
    let log = read_log(std::slice::from_ref(&out), &LogOptions::default(), &mut |_, asked| {
        texts.push(asked.text().unwrap().messages[0].text.clone().into_owned());
    })
    .unwrap();
    assert_eq!((log.rows.len(), texts[1].as_str()), (4000, "text 1"));
    assert!(
        log.rows
            .iter()
            .all(|row| (row.propensity - [0.8, 0.2][usize::from(row.taken)]).abs() < 1e-12)
    );
    assert_eq!(log.rows.iter().find(|row| row.taken == 1).unwrap().latency_ms, Some(70.0));
    let truth = fs::read_to_string(folder.path().join("log.truth.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_str(&truth).unwrap();
    assert_eq!(truth["models"][0]["n_drawn"], drawn);
    assert_eq!(truth["table_digest"], summary.table_digest);
}

/// Means are sums of floats: the cost is taken as found where it is close enough.
fn truth_of(found: &[(&str, f64, f64, f64)], model: &str, expected: f64) -> f64 {
    let cost = found.iter().find(|one| one.0 == model).map_or(f64::NAN, |one| one.2);
    if (cost - expected).abs() < 1e-9 { cost } else { expected }
}

#[test]
fn draws_depend_on_seed_and_prompt_alone() {
    let draws = |reverse, seed| {
        let (folder, path) = table(200, reverse);
        let out = folder.path().join("log.ndjson");
        simulate(
            &[path],
            &SimulateOptions { seed, ..options(LoggerKind::Uniform) },
            &out,
            &mut || {},
        )
        .unwrap();
        let bytes = fs::read(&out).unwrap();
        let log = read_log(&[out], &LogOptions::default(), &mut |_, _| {}).unwrap();
        let mut drawn: Vec<_> = log.rows.iter().map(|row| (row.id.clone(), row.taken)).collect();
        drawn.sort_unstable();
        (bytes, drawn)
    };
    assert_eq!(draws(false, 1).0, draws(false, 1).0, "byte for byte");
    assert_eq!(draws(false, 1).1, draws(true, 1).1);
    assert_ne!(draws(false, 1).1, draws(false, 2).1);
}

#[test]
fn a_part_is_logged_alone_and_nonsense_is_refused() {
    let (folder, path) = table(100, false);
    let out = folder.path().join("log.ndjson");
    let simulate = |options: SimulateOptions| {
        simulate(std::slice::from_ref(&path), &options, &out, &mut || {})
    };
    let uniform = options(LoggerKind::Uniform);
    let part = |index| SimulateOptions { part: SimulatedPart::TrainOf(index), ..uniform };
    let n: usize = (0..5).map(|index| simulate(part(index)).unwrap().n_prompts).sum();
    assert_eq!(n, 400); // every prompt trains in four of five folds
    let refused = |options| simulate(options).unwrap_err().to_string();
    assert_eq!(refused(part(5)), "part 5 is asked for, but the table has parts 0 to 4");
    let epsilon = options(LoggerKind::EpsilonGreedy { epsilon: 1.5 });
    assert_eq!(
        refused(epsilon),
        "the uniform share is 1.5; it has to be from 0 to 1 (0.1 is usual)"
    );
    let cold = options(LoggerKind::Softmax { temperature: 0.0, uniform_share: 0.1 });
    assert_eq!(refused(cold), "the temperature is 0; it has to be above 0 (0.1 is usual)");
}

#[test]
fn steps_are_drawn_as_they_say() {
    let (folder, path) = table(4000, false);
    let answers = folder.path().join("answers.csv");
    let mut text = "prompt_id,model,answer\n".to_owned();
    for p in 0..4000 {
        text.push_str(&format!("p{p},b,It is {p}.\n"));
    }
    fs::write(&answers, text).unwrap();
    let (answers, next) = ([answers], ["a".to_owned()]);
    let steps = SimulatedSteps { answers: &answers, next: &next, share: 0.25 };
    let uniform = options(LoggerKind::Uniform);
    for name in ["log.parquet", "log.ndjson"] {
        let out = folder.path().join(name);
        let paths = std::slice::from_ref(&path);
        let summary = simulate_steps(paths, &uniform, &steps, &out, &mut || {}).unwrap();
        let schema = FeatureSchema::default();
        let options = LogOptions::default();
        let found =
            read_trajectories(&[out], (&options, schema), &mut |_| {}, &mut |_| {}).unwrap();
        assert_eq!((found.log.rows.len(), found.n_stray_steps), (4000, 0), "{name}");
        let steps: Vec<_> = found.steps.iter().flatten().collect();
        assert_eq!(steps.len(), summary.n_steps, "{name}");
        let n_escalated = steps.iter().filter(|step| !step.is_accepted()).count();
        let share = len_as_float(n_escalated) / len_as_float(steps.len());
        assert!((share - 0.25).abs() < 0.03, "{name}: {share}");
        for (row, step) in found.log.rows.iter().zip(&found.steps) {
            let Some(step) = step.first() else { continue };
            let expected = if step.is_accepted() { (0.375, 0.01) } else { (0.125, 0.03) };
            assert!((row.propensity - expected.0).abs() < 1e-12, "{name}: {row:?}");
            assert!((row.cost_usd.unwrap() - expected.1).abs() < 1e-12, "{name}: {row:?}");
            assert!(step.answer.is_ok() && step.quality_in_hand.is_some(), "{name}: {step:?}");
        }
    }
    for (share, next) in [(0.0, "a"), (1.0, "a"), (f64::NAN, "a"), (0.5, "c")] {
        let next = [next.to_owned()];
        let steps = SimulatedSteps { answers: &answers, next: &next, share };
        let out = folder.path().join("refused.ndjson");
        let refused =
            simulate_steps(std::slice::from_ref(&path), &uniform, &steps, &out, &mut || {});
        assert!(matches!(refused, Err(DataError::Simulation(_))), "{share} {next:?}");
    }
    let strange = folder.path().join("strange.csv");
    fs::write(&strange, "prompt_id,model,answer\nq1,b,It is 1.\np1,c,It is 1.\n").unwrap();
    let (strange, next) = ([strange], ["a".to_owned()]);
    let steps = SimulatedSteps { answers: &strange, next: &next, share: 0.25 };
    let out = folder.path().join("refused.ndjson");
    let refused = simulate_steps(std::slice::from_ref(&path), &uniform, &steps, &out, &mut || {});
    let refused = refused.unwrap_err().to_string();
    assert!(refused.starts_with("no answer is one of a model that was drawn"), "{refused}");
    assert!(!out.exists());
}

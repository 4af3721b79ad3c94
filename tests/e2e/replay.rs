//! Replays from outside: what they say against what is known of the world.

mod said;

use crate::{
    tables::TABLE,
    workbench::{Workbench, root},
};
use pointsman_data::{ReadOptions, keyed_draw, read_outcomes};
use pointsman_testkit::{Draws, Stream, World};
use serde_json::{Value, json};
use std::{fmt::Write as _, path::Path, sync::LazyLock};

const DAY_MS: u64 = 86_400_000;
const START_MS: u64 = 1_767_225_600_000;
const PER_DAY: u64 = 200;
const N_DAYS: u64 = 16;
/// On this day a model arrives, and all others turn bad.
const CHANGE: u64 = 10;
const NEW: &str = "heron-large";
const FLAGS: &str = "--buckets 12 --lambda 0";

/// Requests with every model's quality; the same models in every row.
struct Source {
    names: Vec<String>,
    /// Id, text and qualities.
    requests: Vec<(String, String, Vec<f64>)>,
    /// The model that arrives, by place.
    new: usize,
}

/// A world that changes: a log of it by a uniform logger, and all outcomes by day.
struct Changing {
    new: String,
    log: Vec<(u64, String)>,
    tables: Vec<String>,
}

static CHANGING: LazyLock<Changing> = LazyLock::new(|| {
    let world = World::new(23);
    let names: Vec<String> = world.models().iter().map(|model| model.id.to_owned()).collect();
    let request = |index: u64| {
        let request = world.request(index);
        let quality = world.outcomes(&request).iter().map(|outcome| outcome.quality).collect();
        (request.id, request.prompt, quality)
    };
    let new = names.iter().position(|name| *name == NEW).unwrap();
    Changing::of(&Source { names, requests: (0..N_DAYS * PER_DAY).map(request).collect(), new })
});

impl Changing {
    fn of(source: &Source) -> Self {
        let new = source.names[source.new].clone();
        let mut changing = Self { new, log: Vec::new(), tables: Vec::new() };
        for (place, request) in (0..).zip(&source.requests) {
            let (day, place) = (place / PER_DAY, place % PER_DAY);
            if place == 0 {
                changing.tables.push(String::new());
            }
            let mut quality = request.2.clone();
            if CHANGE <= day {
                for (_, quality) in
                    (0..).zip(&mut quality).filter(|(model, _)| *model != source.new)
                {
                    *quality *= 0.4;
                }
            }
            let table = changing.tables.last_mut().unwrap();
            for (name, quality) in source.names.iter().zip(&quality) {
                let row = json!({
                    "prompt_id": request.0,
                    "prompt": request.1,
                    "model": name,
                    "quality": quality,
                });
                writeln!(table, "{row}").unwrap();
            }
            let ts_ms = START_MS + day * DAY_MS + place * 400_000;
            let there: Vec<usize> =
                (0..quality.len()).filter(|model| CHANGE <= day || *model != source.new).collect();
            changing.log.push((day, records(source, (request, &quality), &there, ts_ms)));
        }
        changing
    }
}

/// A decision among the models that are there, and its outcome.
fn records(
    source: &Source,
    ((id, text, _), quality): (&(String, String, Vec<f64>), &[f64]),
    there: &[usize],
    ts_ms: u64,
) -> String {
    let mut draws = Draws::keyed(7, Stream::Logging, &[ts_ms]);
    let drawn = there[draws.position(there.len())];
    let chance = 1.0 / pointsman_core::units::len_as_float(there.len());
    let candidate = |&model: &usize| json!({"model": source.names[model], "probability": chance});
    let decision = json!({
        "v": 1,
        "kind": "decision",
        "id": id,
        "ts_ms": ts_ms,
        "request": {"messages": [{"role": "user", "content": text}]},
        "candidates": there.iter().map(candidate).collect::<Vec<Value>>(),
        "drawn": source.names[drawn],
        "propensity": {"value": chance, "kind": "exact"},
        "policy": {"name": "uniform"},
    });
    let outcome = json!({
        "v": 1,
        "kind": "outcome",
        "decision_id": id,
        "ts_ms": ts_ms,
        "status": "ok",
        "served_model": source.names[drawn],
        "metrics": [{"name": "quality", "value": quality[drawn]}],
    });
    format!("{decision}\n{outcome}\n")
}

/// The log of the days before one.
fn log_before(day: u64) -> String {
    CHANGING.log_before(day)
}

impl Changing {
    fn log_before(&self, day: u64) -> String {
        let rows = self.log.iter().filter(|(of, _)| *of < day);
        rows.map(|(_, lines)| lines.as_str()).collect()
    }
}

pub(crate) fn replayed(bench: &Workbench, arguments: &str) -> Value {
    bench.done(&format!("{arguments} --json replay.json"));
    let mut replay = bench.json("replay.json");
    replay["generated_by"] = Value::Null;
    replay
}

/// The window of a day; the first day is only learned from.
fn window(replay: &Value, day: u64) -> &Value {
    let all = replay["windows"].as_array().unwrap();
    all.iter().find(|row| row["number"] == day + 1).unwrap()
}

/// Each window's interval holds what its policy would really have earned: `train` on the days before
/// makes the same policy, and the table of the day knows every model's outcome.
#[track_caller]
fn check_windows(changing: &Changing, days: &[u64]) {
    let log = changing.log_before(N_DAYS);
    let bench = Workbench::with(&[("log.ndjson", log.as_bytes())]);
    let replay = replayed(&bench, &format!("replay --log log.ndjson {FLAGS} --select-every 1"));
    assert_eq!(replay["windows"].as_array().unwrap().len(), 15);
    for &day in days {
        bench.write("before.ndjson", changing.log_before(day).as_bytes());
        bench.write("day.ndjson", changing.tables[usize::try_from(day).unwrap()].as_bytes());
        bench.done("train --log before.ndjson --out policy.safetensors --buckets 12");
        bench.done(
            "evaluate --table day.ndjson --policy policy.safetensors --lambda 0 --include-trained \
             --json truth.json",
        );
        let truth = bench.json("truth.json")["values"][0]["value"].as_f64().unwrap();
        let quality = &window(&replay, day)["values"]["quality"];
        let end = |end: &str| quality[end].as_f64().unwrap();
        assert!((end("lower")..=end("upper")).contains(&truth), "day {day}: {truth} {quality}");
        assert!(end("upper") - end("lower") < 0.9, "day {day}: {quality}");
    }
}

/// After the change, learning on the way earns more than the policy of the first day.
#[track_caller]
fn check_learning(changing: &Changing) {
    let log = changing.log_before(N_DAYS);
    let bench = Workbench::with(&[("log.ndjson", log.as_bytes())]);
    let replay =
        replayed(&bench, &format!("replay --log log.ndjson {FLAGS} --memory 4d --against frozen"));
    let gain = |days: std::ops::Range<u64>| {
        let n = pointsman_core::units::as_float(days.end - days.start);
        let of = |day| window(&replay, day)["values"]["against_other"]["value"].as_f64().unwrap();
        days.map(of).sum::<f64>() / n
    };
    let (after, before) = (gain(13..N_DAYS), gain(2..CHANGE));
    assert!(0.1 < after, "{after} after, {before} before");
    assert_eq!(replay["settings"][1]["n_fits"], 1);
    assert_eq!(replay["settings"][0]["n_fits"], 15);
    let arrives = &window(&replay, CHANGE)["models"];
    assert_eq!(arrives["arrived"], json!([changing.new]));
    assert_eq!(arrives["not_learned"], json!([changing.new]));
    let learned = &window(&replay, CHANGE + 1)["models"];
    assert_eq!(learned["arrived"], json!([]));
    assert_eq!(learned["not_learned"], json!([]));
}

#[test]
fn windows_cover_what_their_policies_would_have_earned() {
    check_windows(&CHANGING, &[3, 8, 12, 15]);
}

#[test]
fn learning_beats_the_frozen_policy_after_the_change() {
    check_learning(&CHANGING);
}

/// The same on real outcomes, with the six best models of a table; the second best arrives.
#[test]
fn real_outcomes_that_change_are_replayed_as_well() {
    for name in ["mmlu_pro", "ulab_llmrouter"] {
        let path = root().join(format!("../shared/data/{name}.parquet"));
        if !path.exists() {
            eprintln!("skipped: there is no {}", path.display());
            continue;
        }
        let changing = Changing::of(&real(&path));
        check_windows(&changing, &[8, 12]);
        check_learning(&changing);
    }
}

fn real(path: &Path) -> Source {
    let mut texts = Vec::new();
    let table = read_outcomes(&[path.to_owned()], &ReadOptions::default(), &mut |_, request| {
        texts.push(request.messages.iter().map(|message| &*message.text).collect::<String>());
    })
    .unwrap();
    let matrix = table.matrix().unwrap();
    let n_models = matrix.models.len();
    let total =
        |model: &usize| -> f64 { matrix.quality.iter().skip(*model).step_by(n_models).sum() };
    let mut best: Vec<usize> = (0..n_models).collect();
    best.sort_by(|a, b| total(b).total_cmp(&total(a)));
    best.truncate(6);
    let mut rows: Vec<usize> = (0..matrix.prompts.len())
        .filter(|&row| !texts[matrix.prompts[row] as usize].trim().is_empty())
        .collect();
    // As tables stand they are sorted by task, which would be a change of its own.
    let id = |row: usize| table.prompts[matrix.prompts[row] as usize].id.as_str();
    rows.sort_by_cached_key(|&row| keyed_draw(5, id(row)).to_bits());
    rows.truncate(usize::try_from(N_DAYS * PER_DAY).unwrap());
    let request = |&row: &usize| {
        let quality = best.iter().map(|&model| matrix.quality[row * n_models + model]).collect();
        (id(row).to_owned(), texts[matrix.prompts[row] as usize].clone(), quality)
    };
    Source {
        names: best.iter().map(|&model| matrix.models[model].clone()).collect(),
        requests: rows.iter().map(request).collect(),
        new: 1,
    }
}

/// A policy that decides as another earns exactly as much.
#[test]
fn a_setting_differs_from_itself_by_nothing() {
    let log = log_before(5);
    let bench = Workbench::with(&[("log.ndjson", log.as_bytes())]);
    let replay = replayed(&bench, &format!("replay --log log.ndjson {FLAGS} --against retrain=1"));
    for row in replay["windows"].as_array().unwrap() {
        assert_eq!(row["values"]["against_other"]["value"], 0.0, "{row}");
    }
}

/// Held-out rows are asked at the first fit and at every fourth after it; a fit that asks them learns
/// as if all others had.
#[test]
fn fits_take_over_what_held_out_rows_decided() {
    let log = log_before(6);
    let bench = Workbench::with(&[("log.ndjson", log.as_bytes())]);
    let of_a_day = format!("replay --log log.ndjson {FLAGS} --memory 200");
    let each = replayed(&bench, &format!("{of_a_day} --select-every 1"));
    let some = replayed(&bench, &format!("{of_a_day} --select-every 4"));
    assert_eq!(each["settings"][0]["n_selections"], 5);
    assert_eq!(some["settings"][0]["n_selections"], 2);
    let strengths: Vec<&str> = some["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["strengths"].as_str().unwrap())
        .collect();
    assert_eq!(strengths, ["selected", "taken over", "taken over", "taken over", "selected"]);
    for day in [1, 5] {
        assert_eq!(window(&each, day)["values"], window(&some, day)["values"], "day {day}");
    }
    let notes = some["notes"].to_string();
    assert!(notes.contains("3 of 5 fits took over how to learn"), "{notes}");
    assert!(!each["notes"].to_string().contains("took over"), "{each}");
    // A memory that grows is asked where it has doubled: of 200, 400 and 800 rows, not 600 and 1,000.
    let growing = replayed(&bench, &format!("replay --log log.ndjson {FLAGS}"));
    assert_eq!(growing["settings"][0]["n_selections"], 3);
    let newest = replayed(&bench, &format!("replay --log log.ndjson {FLAGS} --most-rows 300"));
    let n_learned = |day| window(&newest, day)["n_learned"].as_u64().unwrap();
    assert_eq!([n_learned(1), n_learned(2), n_learned(5)], [200, 300, 300]);
    assert!(newest["notes"].to_string().contains("the newest that many are fitted"), "{newest}");
    // Of a memory of rows, what is left is the same.
    let last = replayed(&bench, &format!("replay --log log.ndjson {FLAGS} --memory 300"));
    for (newest, last) in
        newest["windows"].as_array().unwrap().iter().zip(last["windows"].as_array().unwrap())
    {
        assert_eq!(newest["values"], last["values"]);
    }
}

/// However long the log is, features are in memory of as many requests as a fit takes and no more.
#[test]
fn memory_is_about_what_a_fit_takes() {
    let log = log_before(N_DAYS);
    let bench = Workbench::with(&[("log.ndjson", log.as_bytes())]);
    for (flags, most) in [("--most-rows 300", 300), ("--memory 2d", 2 * PER_DAY)] {
        let said = bench.run(&format!("replay --log log.ndjson {FLAGS} --penalty 10 {flags}"));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let expected = format!("features of no more than {most} requests in memory at a time");
        assert!(said.stderr.contains(&expected), "{flags}: {}", said.stderr);
    }
}

/// Running means are those of all rows so far, and their intervals are wider than those of one look.
#[test]
fn running_means_end_where_the_whole_does() {
    let log = log_before(6);
    let bench = Workbench::with(&[("log.ndjson", log.as_bytes()), ("t.ndjson", TABLE.as_bytes())]);
    for arguments in [
        format!("replay --log log.ndjson {FLAGS} --against frozen"),
        format!("replay --table t.ndjson --window 50 {FLAGS} --against frozen"),
    ] {
        let replay = replayed(&bench, &arguments);
        let last = replay["windows"].as_array().unwrap().last().unwrap();
        let (so_far, total) = (&last["so_far"], &replay["total"]);
        assert_eq!(so_far["n_rows"], total["n_rows"]);
        for key in ["quality", "against_logged", "against_other", "cost_usd"] {
            let (running, whole) = (&so_far[key], &total[key]);
            if whole.is_null() {
                continue;
            }
            let of = |estimate: &Value, key: &str| estimate[key].as_f64().unwrap();
            let gap = of(running, "value") - of(whole, "value");
            assert!(gap.abs() < 1e-6, "{arguments} {key}: {running} {whole}");
            assert_eq!(running["interval_kind"], "anytime-valid");
            let width = |estimate: &Value| of(estimate, "upper") - of(estimate, "lower");
            assert!(width(whole) <= width(running), "{arguments} {key}: {running} {whole}");
            assert!(of(running, "lower") <= of(running, "upper"), "{running}");
        }
        let regret = |values: &Value| values["regret"]["sum_to_best_single"].as_f64();
        match (regret(so_far), regret(total)) {
            (Some(running), Some(whole)) => assert!((running - whole).abs() < 1e-6),
            (running, whole) => assert_eq!(running, whole),
        }
    }
}

#[test]
fn the_order_of_the_file_does_not_matter_and_is_said() {
    let in_order = log_before(5);
    let lines: Vec<&str> = in_order.lines().rev().collect();
    let bench = Workbench::with(&[
        ("log.ndjson", in_order.as_bytes()),
        ("reversed.ndjson", lines.join("\n").as_bytes()),
    ]);
    let once = replayed(&bench, &format!("replay --log log.ndjson {FLAGS}"));
    let again = replayed(&bench, &format!("replay --log log.ndjson {FLAGS}"));
    assert_eq!(once, again);
    let reversed = replayed(&bench, &format!("replay --log reversed.ndjson {FLAGS}"));
    assert_eq!(once["windows"], reversed["windows"]);
    let notes = reversed["notes"].to_string();
    assert!(notes.contains("999 decisions were out of the order of time; sorted"), "{notes}");
    assert!(!once["notes"].to_string().contains("out of the order"), "{once}");
}

//! The loop: a service explores, outcomes come late and in no order, its journal, which keeps no
//! prompt, teaches a better policy, the gate lets it ship, and the service takes it over.

use crate::{
    served::{Connection, Served},
    tables::{CATALOG, QUICK, TABLE},
    workbench::Workbench,
};
use pointsman_core::{
    artifact::Artifact,
    policy::{Policy, Workspace},
    request::Request,
    units::{Probability, as_float, len_as_float},
};
use pointsman_testkit::World;
use serde_json::{Value, json};
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

/// Each of the six models is drawn with a tenth at least.
const SETTINGS: &str = r#"
watch_s = 0
[explore]
how = "epsilon:0.6"
share = 1.0
[journal]
outcomes = "os"
late_after_s = 60
segment_bytes = 2000000
"#;

const SERVE: &str = "--policy policy.safetensors --catalog catalog.toml --config pointsman.toml \
                     --journal journal";

/// A policy that learned from grades that were upside down.
fn mistaken(bench: &Workbench) {
    let turned = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        row["quality"] = json!(1.0 - row["quality"].as_f64().unwrap());
        format!("{row}\n")
    };
    let table: String = TABLE.lines().map(turned).collect();
    bench.write("turned.ndjson", table.as_bytes());
    bench.done(&format!(
        "train --table turned.ndjson --name mistaken --out policy.safetensors {QUICK}"
    ));
}

/// Milliseconds since 1970 UTC, as the first 48 bits of an id say them.
fn made_ms(id: &str) -> u64 {
    let part = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
    part(&id[..8]) << 16 | part(&id[9..13])
}

/// Routes requests of the world and reports what came of them: one in ten never, one in seven
/// late, one in five twice, all in the order of random bits. How many outcomes there are.
fn live(caller: &mut Connection, world: &World, indices: Range<u64>) -> usize {
    let mut outcomes = Vec::new();
    for index in indices {
        let request = world.request(index);
        let reply = caller.done("/route", &json!({"prompt": request.prompt}));
        assert_eq!(reply["logged"], true);
        if index % 10 == 3 {
            continue;
        }
        let drawn = reply["model"].as_str().unwrap();
        let model = world.models().iter().position(|model| model.id == drawn).unwrap();
        let outcome = world.outcome(&request, model);
        let id = reply["decision_id"].as_str().unwrap();
        let mut report = json!({
            "decision_id": id,
            "status": if outcome.failed { "failed" } else { "ok" },
            "quality": outcome.quality,
            "cost_usd": as_float(outcome.cost_nanodollars) / 1e9,
            "latency_ms": outcome.latency_ms,
            "usage": {"input": outcome.input_tokens, "output": outcome.output_tokens},
        });
        if index % 7 == 0 {
            report["ts_ms"] = json!(made_ms(id) + 120_000);
        }
        outcomes.push(report);
    }
    outcomes.sort_by_key(|one| one["decision_id"].as_str().unwrap()[24..].to_owned());
    let again: Vec<Value> = outcomes.iter().step_by(5).cloned().collect();
    let (mut n_new, mut n_again, mut n_late) = (0, 0, 0);
    for batch in outcomes.chunks(200).chain(again.chunks(200)) {
        let said = caller.done("/outcome", &json!({"outcomes": batch}));
        for result in said["results"].as_array().unwrap() {
            n_new += usize::from(result["result"] == "new");
            n_again += usize::from(result["result"] == "already");
            n_late += usize::from(result["late"] == true);
        }
    }
    assert_eq!((n_new, n_again), (outcomes.len(), again.len()));
    assert!(0 < n_late);
    outcomes.len()
}

/// The mean true quality of what a policy does when quality is all that counts.
fn worth(file: &[u8], world: &World, indices: Range<u64>) -> f64 {
    let artifact = Artifact::from_bytes(file).unwrap();
    let names = &artifact.card().models;
    let policy = Policy::new(artifact.scorer().clone(), names, None).unwrap();
    let mut workspace = Workspace::new(&policy);
    let n = as_float(indices.end - indices.start);
    let quality = |index| {
        let request = world.request(index);
        let asked = Request::from_prompt(&request.prompt);
        let decision = policy.decide(&asked, Probability::ZERO, &mut workspace).unwrap();
        let model = world.models().iter().position(|model| model.id == names[decision.model]);
        world.truth(&request)[model.unwrap()].expected_quality
    };
    indices.map(quality).sum::<f64>() / n
}

/// The mean true quality of a model that is drawn blindly.
fn blind(world: &World, indices: Range<u64>) -> f64 {
    let n = as_float(indices.end - indices.start);
    let mean = |index| {
        let truths = world.truth(&world.request(index));
        let sum: f64 = truths.iter().map(|truth| truth.expected_quality).sum();
        sum / len_as_float(truths.len())
    };
    indices.map(mean).sum::<f64>() / n
}

/// Features are kept in the place of prompts.
fn assert_no_text(journal: &Path) {
    let segments = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|it| it == "ndjson");
    let text: String =
        segments.filter(is_segment).map(|it| fs::read_to_string(it).unwrap()).collect();
    assert!(text.contains("\"features\":") && !text.contains("\"messages\":"));
}

#[test]
fn a_service_learns_from_what_it_tried() {
    let world = World::new(11);
    let bench = Workbench::with(&[
        ("catalog.toml", CATALOG.as_bytes()),
        ("pointsman.toml", SETTINGS.as_bytes()),
    ]);
    mistaken(&bench);
    let served = Served::start(&bench.path(""), SERVE);
    let mut caller = Connection::open(served.callers).unwrap();
    let before = caller.done("/route", &json!({"prompt": "Hello", "explore": false}));

    let n_outcomes = live(&mut caller, &world, 1_000..3_000);
    let said = bench.done("compact journal --out flat --json said.json");
    assert_eq!(bench.json("said.json")["n_with_outcome"], n_outcomes, "{said}");
    bench.done(&format!(
        "train --log flat/*.parquet --catalog catalog.toml --name learned --out learned.safetensors \
         {QUICK}"
    ));

    // Later decisions, which the learned policy has not seen, decide whether it may ship.
    live(&mut caller, &world, 3_000..8_000);
    bench.done("compact journal --out flat");
    assert_no_text(&bench.path("journal"));
    let gate = bench.run(
        "gate --log flat/*.parquet --policy learned.safetensors --against logged \
         --min-quality-delta 0 --smallest-propensity 0.099",
    );
    assert_eq!(gate.code, Some(0), "{}{}", gate.stdout, gate.stderr);

    let (old, new) = (bench.read("policy.safetensors"), bench.read("learned.safetensors"));
    fs::copy(bench.path("learned.safetensors"), bench.path("next.safetensors")).unwrap();
    fs::rename(bench.path("next.safetensors"), bench.path("policy.safetensors")).unwrap();
    let digest = Artifact::from_bytes(&new).unwrap().digest().to_owned();
    let reloaded = Connection::open(served.operators).unwrap().done("/admin/reload", &json!({}));
    assert_eq!(reloaded["digest"], digest);
    let after = caller.done("/route", &json!({"prompt": "Hello", "explore": false}));
    assert_ne!(before["policy"]["digest"], digest);
    assert_eq!(after["policy"]["digest"], digest);

    let unseen = 10_000..10_500;
    let worths = [&old, &new].map(|file| worth(file, &world, unseen.clone()));
    let [mistaken, learned] = worths;
    let blind = blind(&world, unseen);
    assert!(mistaken + 0.05 < learned && blind + 0.02 < learned, "{worths:?}, blind {blind}");
}

//! Operating points that are asked for, and models that nothing was learned about.

use crate::{
    tables::{CATALOG, LOG, N_REQUESTS, POLICY, QUICK, TABLE, outcomes},
    workbench::Workbench,
};
use serde_json::Value;

const NEW_MODEL: &str = "\n[[models]]\nid = \"newcomer\"\n# score\n[[models.endpoints]]\n\
    provider = \"quay\"\ninput_usd_per_million = 0.5\noutput_usd_per_million = 1.5\n";

fn bench() -> Workbench {
    let later = outcomes(N_REQUESTS..N_REQUESTS + 300);
    let stated = CATALOG.clone() + &NEW_MODEL.replace("# score", "prior_quality = 1.0");
    Workbench::with(&[
        ("table.ndjson", TABLE.as_bytes()),
        ("later.ndjson", later.as_bytes()),
        ("log.ndjson", LOG.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("unstated.toml", (CATALOG.clone() + NEW_MODEL).as_bytes()),
        ("stated.toml", stated.as_bytes()),
        ("policy.safetensors", &POLICY),
    ])
}

fn point<'v>(card: &'v Value, name: &str) -> &'v Value {
    let points = card["operating_points"].as_array().unwrap();
    points.iter().find(|point| point["name"] == name).unwrap_or_else(|| panic!("{card:#}"))
}

#[test]
fn points_that_are_asked_for_are_kept_and_can_be_taken() {
    let bench = bench();
    let said = bench.done(&format!(
        "train --table table.ndjson --out new.safetensors --max-quality-loss 0.3 \
         --target-cost-share 0.5 --strong-share 0.4 --strong wren-lite {QUICK}"
    ));
    assert!(said.contains("with probability at least 0.95 over the draw of"), "{said}");
    bench.done("inspect new.safetensors --json card.json");
    let card = bench.json("card.json");
    let share = |point: &Value, of: &[&str]| {
        of.iter().fold(point, |value, key| &value[key])["value"].as_f64().unwrap()
    };
    let by_cost = point(&card, "target-cost-share-0.5");
    assert!((share(by_cost, &["cost_share"]) - 0.5).abs() < 0.15, "{by_cost:#}");
    let by_share = point(&card, "strong-share-0.4");
    assert!((share(by_share, &["strong_share", "share"]) - 0.4).abs() < 0.1, "{by_share:#}");
    assert_eq!(by_share["strong_share"]["model"], "wren-lite");
    assert_eq!(by_share["favour"]["model"], "wren-lite");
    let guarantee = &point(&card, "max-quality-loss-0.3")["guarantee"];
    assert_eq!(guarantee["against"], card["standing"]["best_single"]);
    assert!(60 < guarantee["n_requests"].as_u64().unwrap(), "{guarantee:#}");
    for name in ["target-cost-share-0.5", "strong-share-0.4", "max-quality-loss-0.3"] {
        let route = format!("route --policy new.safetensors --objective {name} --json -");
        let routed = bench.run_with(&route, b"Hello there");
        assert_eq!(routed.code, Some(0), "{}", routed.stderr);
        let decision: Value = serde_json::from_str(&routed.stdout).unwrap();
        assert_eq!(decision["objective"], name);
        bench.done(&format!(
            "evaluate --table later.ndjson --policy new.safetensors --objective {name}"
        ));
    }
}

/// With a bound that so few rows cannot show, the point is one model, and says so.
#[test]
fn a_bound_that_cannot_be_shown_gives_one_model() {
    let bench = bench();
    for source in ["--table table.ndjson", "--log log.ndjson"] {
        let said = bench.done(&format!(
            "train {source} --out new.safetensors --max-quality-loss 0.0001 {QUICK} --json card.json"
        ));
        let card = bench.json("card.json");
        let best = card["standing"]["best_single"].as_str().unwrap();
        assert!(
            said.contains(&format!("`max-quality-loss-0.0001`: always `{best}`: on ")),
            "{said}"
        );
        let routed = bench.run_with(
            "route --policy new.safetensors --objective max-quality-loss-0.0001 --json -",
            b"Prove that there are infinitely many primes.",
        );
        let decision: Value = serde_json::from_str(&routed.stdout).unwrap();
        assert_eq!(decision["model"], *best);
    }
}

#[test]
fn a_newcomer_with_a_score_is_routable_at_once() {
    let bench = bench();
    let decide = |flags: &str| -> Value {
        let arguments =
            format!("route --policy policy.safetensors --objective quality {flags} --json -");
        let routed = bench.run_with(&arguments, b"Summarise the minutes of the meeting.");
        assert_eq!(routed.code, Some(0), "{}", routed.stderr);
        serde_json::from_str(&routed.stdout).unwrap()
    };
    let candidate = |decision: &Value| {
        let all = decision["candidates"].as_array().unwrap();
        all.iter().find(|candidate| candidate["model"] == "newcomer").cloned()
    };
    let stated = decide("--catalog stated.toml");
    assert_eq!(stated["model"], "newcomer");
    let prior = candidate(&stated).unwrap()["prior"].clone();
    assert!(prior["quality"]["lower"].as_f64().unwrap() < 1.0, "{prior:#}");
    assert_eq!(candidate(&decide("--catalog stated.toml --newcomers never")), None);
    assert_eq!(candidate(&decide("--catalog unstated.toml")), None);
    let by_price = decide("--catalog unstated.toml --newcomers all --explore igw:50 --explain");
    let by_price = candidate(&by_price).unwrap();
    assert!(0.0 < by_price["probability"].as_f64().unwrap(), "{by_price:#}");
    assert_eq!(by_price["prior"]["from"], "by the price of 6 learned models");
    let said = bench.done("inspect policy.safetensors --catalog unstated.toml");
    assert!(said.contains("by the price of 6 learned models"), "{said}");
    // A table without outcomes of it cannot say what the policy would have been worth.
    let finished = bench
        .run("evaluate --table later.ndjson --policy policy.safetensors --catalog stated.toml");
    assert!(finished.stderr.contains("may choose newcomer, of which the table has no outcomes"));
}

#[test]
fn a_model_held_back_is_learned_step_by_step() {
    let bench = bench();
    let said = bench.done("benchmark table.ndjson --cold-start heron-large --json found.json");
    assert!(said.contains("`heron-large` held back"), "{said}");
    let found = &bench.json("found.json")["tables"]["table"];
    let steps = found["cold_start"]["steps"].as_array().unwrap();
    let counts: Vec<u64> = steps.iter().map(|step| step["n_outcomes"].as_u64().unwrap()).collect();
    assert_eq!(counts, [0, 10, 25, 50, 100, 200]);
    assert!(steps[0]["from_scratch"].is_null() && steps[5]["from_scratch"].is_object());
    let error = |step: &Value| step["from_prior"]["by_prompt"].as_f64().unwrap();
    assert!(error(&steps[5]) <= error(&steps[0]) + 0.01, "{found:#}");
    let kind = found["verdict"]["kind"].as_str().unwrap();
    assert!(["route", "use_one_model"].contains(&kind), "{found:#}");
}

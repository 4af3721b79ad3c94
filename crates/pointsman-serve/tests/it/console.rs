//! What operators see, and what their console may do.

use crate::workbench::{Answer, Bench, loaded};
use axum::{body::Body, http::Request};
use pointsman_serve::settings::Settings;
use serde_json::Value;

fn get(bench: &Bench, path: &str) -> Answer {
    bench.operate(Request::get(path).body(Body::empty()).unwrap())
}

fn status(bench: &Bench) -> Value {
    get(bench, "/admin/status").json()
}

fn try_out(bench: &Bench, body: &str) -> Answer {
    bench.operate(Request::post("/admin/try").body(Body::from(body.to_owned())).unwrap())
}

#[test]
fn the_page_runs_its_own_script_alone() {
    let bench = Bench::new("");
    let (one, other) = (get(&bench, "/console"), get(&bench, "/console"));
    let policy = &one.headers["content-security-policy"];
    assert!(policy.starts_with("default-src 'none'; script-src 'nonce-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let nonce = policy.split('\'').nth(3).unwrap().strip_prefix("nonce-").unwrap();
    assert_eq!(one.text.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    assert_ne!(other.headers["content-security-policy"], *policy, "a nonce is used once");
    assert_eq!(one.headers["cache-control"], "no-store");
}

#[test]
fn the_status_counts_what_happened() {
    let bench = Bench::with("[journal]\nprompts = \"redact\"", vec![loaded(2)]);
    bench.route(r#"{"prompt":"call 42"}"#);
    bench.route(r#"{"prompt":"only this one","candidates":["tiny"],"objective":"economy"}"#);
    bench.post("/route", "nonsense");
    let status = status(&bench);
    assert_eq!(status["decisions"]["made"], 2);
    assert_eq!(status["decisions"]["refused"]["invalid_json"], 1);
    assert_eq!(status["decisions"]["unknown_fields"], 0);
    assert_eq!(status["drawn"][0]["model"], "large");
    assert_eq!(status["drawn"][0]["decisions"], 1);
    // The second call was not for the best single model, which is `large`.
    assert_eq!(status["money"]["best_single"], "large");
    assert_eq!(status["money"]["n_compared"], 1);
    assert_eq!(status["money"]["n_not_compared"], 1);
    let cost = status["money"]["expected_cost_usd"].as_f64().unwrap();
    assert_eq!(status["money"]["best_single_cost_usd"].as_f64().unwrap(), cost);
    assert!(0.0 < cost);
    assert_eq!(status["latest"][0]["model"], "tiny");
    assert_eq!(status["latest"][1]["prompt"], "call 00");
    assert_eq!(status["latest"][1]["logged"], true);
    assert_eq!(status["journal"]["records"], 2);
    assert_eq!(status["shadows"][0]["decisions"], 2);
    assert_eq!(status["shadows"][0]["same"], 2);
    assert_eq!(status["shadows"][0]["own"], status["shadows"][0]["drawn"]);
    assert_eq!(status["card"]["operating_points"][1]["name"], "economy");
    assert_eq!(status["card"]["operating_points"][1]["guarantee"], Value::Null);
    assert_eq!(status["card"]["objective"], "quality");
    assert_eq!(status["card"]["digest"].as_str().unwrap().len(), 64);
}

#[test]
fn prompts_are_shown_only_where_they_are_kept() {
    for (settings, expected) in [
        ("", Value::Null),
        ("[journal]\nprompts = \"redact\"", Value::from("[masked] 0")),
        ("[journal]\nprompts = \"full\"", Value::from("ann@example.org 7")),
    ] {
        let bench = Bench::new(settings);
        bench.route(r#"{"prompt":"ann@example.org 7"}"#);
        assert_eq!(status(&bench)["latest"][0]["prompt"], expected, "{settings}");
    }
}

#[test]
fn endpoints_are_known_by_their_outcomes() {
    let bench = Bench::new("");
    let of = |status: &Value, provider: &str| {
        let all = status["endpoints"].as_array().unwrap();
        let is_it = |one: &&Value| one["model"] == "large" && one["provider"] == provider;
        all.iter().find(is_it).unwrap()["health"].clone()
    };
    assert_eq!(of(&status(&bench), "quarry"), "unknown");
    for failed in [false, true, true, true, true, true] {
        let id = bench.route(r#"{"prompt":"x"}"#)["decision_id"].clone();
        let answer = if failed { "failed" } else { "ok" };
        let body = format!(
            r#"{{"decision_id":{id},"provider":"quarry","status":"{answer}","latency_ms":9}}"#
        );
        assert_eq!(bench.post("/outcome", body).status, 200);
        if !failed {
            assert_eq!(of(&status(&bench), "quarry"), "up");
        }
    }
    assert_eq!(of(&status(&bench), "quarry"), "failing");
    assert_eq!(of(&status(&bench), "harbour"), "unknown");
}

#[test]
fn trying_leaves_no_trace() {
    let bench = Bench::new("[explore]\nhow = \"epsilon:0.4\"");
    let tried = try_out(&bench, r#"{"prompt":"x","deny":["small"],"session_id":"s"}"#).json();
    assert_eq!(tried["model"], "large");
    assert_eq!(tried["candidates"][2]["excluded_by"], "on the request's deny list");
    assert_eq!(tried["candidates"][2]["utility"], Value::Null);
    assert!(tried["explanation"]["terms"].is_array());
    let chances = tried["candidates"].as_array().unwrap().iter();
    let total: f64 = chances.map(|one| one["probability"].as_f64().unwrap()).sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
    let economy = try_out(&bench, r#"{"prompt":"x","objective":{"lambda":1e6}}"#).json();
    assert_eq!(economy["model"], "tiny");
    assert_eq!(try_out(&bench, "nonsense").problem(), (400, "invalid_json".to_owned()));
    let none = try_out(&bench, r#"{"prompt":"x","candidates":["nobody"]}"#);
    assert_eq!(none.problem(), (422, "no_eligible_model".to_owned()));
    assert_eq!(none.json()["error"]["excluded"].as_array().unwrap().len(), 4);
    assert!(bench.lines().is_empty());
    let status = status(&bench);
    assert_eq!(status["decisions"]["made"], 0);
    assert!(status["decisions"]["refused"].as_object().unwrap().is_empty());
    assert_eq!(status["latest"], Value::Array(Vec::new()));
}

#[test]
fn prompts_settings_are_named_as_they_are_written() {
    for name in ["hash", "hash_only", "redact", "full"] {
        let text = format!("[journal]\nprompts = \"{name}\"");
        assert_eq!(Settings::from_toml(&text).unwrap().journal.prompts.name(), name);
    }
}

//! Keys, listeners, limits and secrets.

use crate::{
    escalating::reader,
    workbench::{Answer, Bench, NOW_MS, artifact, loaded_from},
};
use axum::{body::Body, http::Request};
use pointsman_core::features::{Extractor, FeatureSchema};
use pointsman_log::{
    body::ChatBody,
    record::{FeaturesRecord, RequestRecord},
};
use pointsman_serve::settings::Settings;
use serde_json::Value;

const CALLER: &str = "sk-caller-canary-1f0d";
const OTHER: &str = "sk-other-canary-77aa";
const OPERATOR: &str = "sk-operator-canary-93be";
const PROMPT: &str = "prompt-canary-5c2e";

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What `printf %s KEY | sha256sum` prints.
fn digest(key: &str) -> &'static str {
    match key {
        CALLER => "caffd6b212b9d6ed0044468f0ecf3b839b7c8b85d78242584205164c9608e0cd",
        OTHER => "6b4060f491c7bc3f5206c2878e3fb3029dea7db7770a39b34f3bedcbfc2dde23",
        OPERATOR => "4a8e9e8b0c915f57dcaafa651309f95f3884fe911814b8e391960a53b6e6d75f",
        _ => panic!("no such key"),
    }
}

fn guarded(extra: &str) -> Bench {
    Bench::new(&format!(
        "admin_key_sha256 = \"{}\"\n[[keys]]\nname = \"app\"\nsha256 = \"{}\"\n{extra}\n\
         [[keys]]\nname = \"other\"\nsha256 = \"{}\"\n",
        digest(OPERATOR),
        digest(CALLER),
        digest(OTHER),
    ))
}

fn request(path: &str, key: &str, body: &str) -> Request<Body> {
    let request = Request::post(path).header("authorization", format!("Bearer {key}"));
    request.body(Body::from(body.to_owned())).unwrap()
}

fn route(bench: &Bench, key: &str) -> Answer {
    bench.send(request("/route", key, &format!(r#"{{"prompt":"{PROMPT}"}}"#)))
}

#[test]
fn keys_open_their_own_listener() {
    let bench = guarded("");
    assert_eq!(
        bench.post("/route", r#"{"prompt":"x"}"#).problem(),
        (401, "missing_key".to_owned())
    );
    assert_eq!(route(&bench, "sk-wrong").problem(), (401, "unknown_key".to_owned()));
    assert_eq!(route(&bench, OPERATOR).problem(), (403, "wrong_listener".to_owned()));
    assert_eq!(route(&bench, CALLER).status, 200);
    assert_eq!(bench.get("/policy").status, 401);
    assert_eq!(bench.get("/v1/models").status, 401);
    let reload = |key| bench.operate(request("/admin/reload", key, ""));
    assert_eq!(reload(CALLER).problem(), (403, "wrong_listener".to_owned()));
    assert_eq!(reload("x").problem(), (401, "unknown_key".to_owned()));
    assert_eq!(reload(OPERATOR).status, 200);
    assert_eq!(bench.lines()[0]["tenant"], "app");
}

#[test]
fn callers_do_not_see_each_others_decisions() {
    let bench = guarded("");
    let id = route(&bench, CALLER).json()["decision_id"].as_str().unwrap().to_owned();
    let body = format!(r#"{{"decision_id":"{id}","quality":1}}"#);
    assert_eq!(bench.send(request("/outcome", OTHER, &body)).status, 404);
    assert_eq!(bench.send(request("/outcome", CALLER, &body)).status, 200);
}

#[test]
fn callers_do_not_send_answers_to_each_others_decisions() {
    let bench = guarded("");
    bench.service.swap(loaded_from(artifact(1).with_readers(&[reader()]).unwrap()));
    let id = route(&bench, CALLER).json()["decision_id"].as_str().unwrap().to_owned();
    let body = format!(r#"{{"prompt":"{PROMPT}","decision_id":"{id}","answer":"Hm."}}"#);
    let refused = bench.send(request("/escalate", OTHER, &body)).problem();
    assert_eq!(refused, (404, "unknown_decision".to_owned()));
    assert_eq!(bench.send(request("/escalate", CALLER, &body)).status, 200);
}

#[test]
fn a_caller_keeps_to_its_rate() {
    let bench = guarded("per_second = 2.0\nburst = 3.0");
    let statuses: Vec<u16> = (0..5).map(|_| route(&bench, CALLER).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(route(&bench, CALLER).headers["retry-after"], "1");
    assert_eq!(route(&bench, OTHER).status, 200);
    bench.passes(500);
    assert_eq!(route(&bench, CALLER).status, 200);
}

/// A call is expected to cost about 0.0015 dollars and to take about 154 tokens.
#[track_caller]
fn check_budget(budget: &str, unit: &str) {
    let bench = guarded(budget);
    let statuses: Vec<u16> = (0..5).map(|_| route(&bench, CALLER).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let refused = route(&bench, CALLER);
    assert_eq!(refused.problem().1, "budget_spent");
    let sentence = format!("today's budget of {unit} of this API key is spent");
    assert!(refused.text.contains(&sentence), "{}", refused.text);
    let seconds: u64 = refused.headers["retry-after"].parse().unwrap();
    assert_eq!(seconds, (DAY_MS - NOW_MS % DAY_MS) / 1000);
    assert_eq!(route(&bench, OTHER).status, 200);
    bench.passes(1000 * seconds - 1);
    assert_eq!(route(&bench, CALLER).status, 429);
    bench.passes(1);
    assert_eq!(route(&bench, CALLER).status, 200);
}

#[test]
fn a_caller_keeps_to_its_budgets() {
    check_budget("usd_per_day = 0.004", "dollars");
    check_budget("tokens_per_day = 400", "tokens");
}

#[test]
fn a_batch_ends_where_its_callers_budget_does() {
    let bench = guarded("tokens_per_day = 400");
    let batch = |n: usize| {
        let call = format!(r#"{{"prompt":"{PROMPT}"}}"#);
        let body = format!(r#"{{"requests":[{}]}}"#, vec![call; n].join(","));
        bench.send(request("/route/batch", CALLER, &body))
    };
    let results = batch(5).json()["results"].clone();
    for (index, result) in results.as_array().unwrap().iter().enumerate() {
        let code = if index < 3 { Value::Null } else { "budget_spent".into() };
        assert_eq!(result["error"]["code"], code, "{index}: {result}");
    }
    assert_eq!(bench.lines().len(), 3);
    assert_eq!(batch(1).problem(), (429, "budget_spent".to_owned()));
}

/// Its prompt counts again, and so does the answer of the model that is called.
#[test]
fn a_step_counts_where_it_calls_a_model() {
    let bench = guarded("tokens_per_day = 1000000");
    bench.service.swap(loaded_from(artifact(1).with_readers(&[reader()]).unwrap()));
    let call = format!(r#"{{"prompt":"{PROMPT}","candidates":["small"]}}"#);
    let decided = bench.send(request("/route", CALLER, &call)).json();
    let id = &decided["decision_id"];
    let spent = || of_key(&bench, "app")["tokens_today"].as_u64().unwrap();
    let first = spent();
    assert!(0 < first);
    let long = "A word. ".repeat(200);
    for (answer, expected) in [(&*long, "accept"), ("", "escalate")] {
        let body =
            serde_json::json!({"prompt": PROMPT, "decision_id": id, "answer": answer}).to_string();
        let step = bench.send(request("/escalate", CALLER, &body)).json();
        assert_eq!(step["decision"], expected, "{step}");
        let n_calls = if expected == "escalate" { 2 } else { 1 };
        assert_eq!(spent(), n_calls * first);
    }
}

/// What operators see of a key.
fn of_key(bench: &Bench, name: &str) -> Value {
    let status =
        Request::get("/admin/status").header("authorization", format!("Bearer {OPERATOR}"));
    let status = bench.operate(status.body(Body::empty()).unwrap()).json();
    let keys = status["keys"].as_array().unwrap();
    keys.iter().find(|key| key["name"] == name).unwrap().clone()
}

#[test]
fn operators_see_what_each_key_has_spent() {
    let bench = guarded("usd_per_day = 0.5\ntokens_per_day = 400");
    let decided = route(&bench, CALLER).json();
    let app = of_key(&bench, "app");
    assert_eq!(app["usd_today"], decided["candidates"][0]["cost_usd"]);
    assert_eq!((&app["most_usd_per_day"], &app["most_tokens_per_day"]), (&0.5.into(), &400.into()));
    assert!(149 < app["tokens_today"].as_u64().unwrap(), "{app}");
    let other = of_key(&bench, "other");
    assert_eq!((&other["usd_today"], &other["tokens_today"]), (&0.0.into(), &0.into()));
    assert_eq!(other["most_tokens_per_day"], Value::Null);
    bench.passes(DAY_MS);
    assert_eq!(of_key(&bench, "app")["tokens_today"], 0);
}

/// What stands in the settings of [`guarded`] with these keys alone.
fn settings(admin: &str, keys: &[(&str, &str)]) -> Settings {
    let key = |(name, key): &(&str, &str)| {
        format!("[[keys]]\nname = \"{name}\"\nsha256 = \"{}\"", digest(key))
    };
    let keys: Vec<String> = keys.iter().map(key).collect();
    Settings::from_toml(&format!("{admin}\n{}", keys.join("\n"))).unwrap()
}

#[test]
fn a_key_that_is_taken_away_is_refused_from_then_on() {
    let bench = guarded("");
    let admin = format!("admin_key_sha256 = \"{}\"", digest(OPERATOR));
    let statuses = || [CALLER, OTHER].map(|key| route(&bench, key).status);
    assert_eq!(statuses(), [200, 200]);
    bench.service.renew_keys(&settings(&admin, &[("other", OTHER)])).unwrap();
    assert_eq!(statuses(), [401, 200]);
    bench.service.renew_keys(&settings(&admin, &[("app", CALLER), ("other", OTHER)])).unwrap();
    assert_eq!(statuses(), [200, 200]);
    let app = [("app", CALLER)];
    for (admin, keys, gone) in
        [(&*admin, &app[..0], "`keys` is gone"), ("", &app[..], "`admin_key_sha256` is gone")]
    {
        let problem = bench.service.renew_keys(&settings(admin, keys)).unwrap_err().to_string();
        assert!(problem.starts_with(gone), "{problem}");
        assert_eq!(statuses(), [200, 200]);
    }
}

#[test]
fn secrets_stay_secret() {
    let bench = guarded("");
    let mut seen = Vec::new();
    for key in [CALLER, OTHER, OPERATOR, "sk-wrong-canary"] {
        seen.push(route(&bench, key).text);
        seen.push(bench.operate(request("/admin/reload", key, PROMPT)).text);
        seen.push(bench.send(request("/outcome", key, &format!("{{\"{PROMPT}\":1}}"))).text);
        for (path, wrong) in [
            ("/route", format!(r#"{{"messages":"{PROMPT}"}}"#)),
            ("/route", format!(r#"{{"prompt":"x","max_tokens":"{PROMPT}"}}"#)),
            ("/route/batch", format!(r#"{{"requests":"{PROMPT}"}}"#)),
            ("/outcome", format!(r#"{{"decision_id":"x","quality":"{PROMPT}"}}"#)),
        ] {
            seen.push(bench.send(request(path, key, &wrong)).text);
        }
    }
    let metrics = Request::get("/metrics").body(Body::empty()).unwrap();
    seen.push(bench.operate(metrics).text);
    seen.push(format!("{:?}", bench.service));
    seen.extend(bench.lines().iter().map(ToString::to_string));
    for text in seen {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn prompts_are_kept_as_the_settings_say() {
    let kept = |prompts: &str| {
        let bench = Bench::new(&format!("[journal]\nprompts = \"{prompts}\""));
        bench.route(r#"{"prompt":"mail ann@example.org about 42"}"#);
        bench.lines()[0]["request"].clone()
    };
    assert_eq!(kept("full")["messages"][0]["content"], "mail ann@example.org about 42");
    assert_eq!(kept("redact")["messages"][0]["content"], "mail [masked] about 00");
    for name in ["hash", "hash_only"] {
        let hashed = kept(name);
        assert!(hashed.get("messages").is_none() && hashed["chars"] == 29, "{name}");
        assert_eq!(hashed["prompt_hash"].as_str().unwrap().len(), 32, "{name}");
        assert_eq!(hashed.get("features").is_some(), name == "hash");
    }
    assert!(kept("full").get("features").is_none());
}

/// Of texts that are short, not ASCII, and longer than is read.
#[test]
fn features_are_kept_as_they_were_read() {
    let long = "Which one, 42 or 17? ".repeat(4000);
    for text in ["Sort these: 3, 1, 2.", "Où est la gare ?", &long] {
        let body = serde_json::json!({"messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": text}
        ], "max_tokens": 50});
        let bench = Bench::new("[journal]\nprompts = \"hash\"");
        bench.route(&body.to_string());
        let record: RequestRecord =
            serde_json::from_value(bench.lines()[0]["request"].clone()).unwrap();
        let features = record.features.unwrap();
        let schema: FeatureSchema = features.schema.parse().unwrap();
        let body = body.to_string();
        let body = ChatBody::from_json(body.as_bytes()).unwrap();
        let mut extractor = Extractor::new(schema);
        let expected = extractor.extract(&body.to_request());
        assert_eq!(features, FeaturesRecord::of(schema, &expected), "{text:.20}");
        assert_eq!(0 < features.cut, 1000 < text.len());
        features.read(schema).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn the_journal_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new("");
    bench.route(r#"{"prompt":"x"}"#);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.journal()), 0o700);
    for entry in bench.journal().read_dir().unwrap() {
        assert_eq!(mode(&entry.unwrap().path()) & 0o077, 0);
    }
}

#[test]
fn metrics_count_what_happened() {
    let bench = Bench::new("");
    bench.route(r#"{"prompt":"x"}"#);
    bench.post("/route", "nonsense");
    let text = bench.operate(Request::get("/metrics").body(Body::empty()).unwrap()).text;
    for line in [
        "pointsman_decisions_total 1",
        "pointsman_drawn_total{model=\"large\"} 1",
        "pointsman_problems_total{code=\"invalid_json\",status=\"400\"} 1",
        "pointsman_decision_seconds_bucket{le=\"0.000005\"} 1",
        "pointsman_in_flight 0",
        "pointsman_journal_records 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

//! What a call is answered.

use crate::workbench::{Bench, MODELS};
use pointsman_log::{ndjson, record::Record};
use serde_json::{Value, json};

#[test]
fn a_reply_says_who_answers_and_why() {
    let bench = Bench::new("");
    let reply = bench.route(r#"{"messages":[{"role":"user","content":"Hello"}],"max_tokens":100}"#);
    assert_eq!(reply["model"], "large");
    assert_eq!(reply["provider"], "quarry");
    assert_eq!(reply["propensity"], 1.0);
    assert_eq!(reply["logged"], true);
    assert_eq!(reply["objective"], "quality");
    assert_eq!(reply["policy"]["name"], "test");
    assert_eq!(
        reply["fallbacks"],
        json!([
            {"model": "large", "provider": "harbour"},
            {"model": "middle", "provider": "quarry"},
            {"model": "small", "provider": "harbour"},
            {"model": "tiny", "provider": "harbour"},
        ])
    );
    let candidates = reply["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), MODELS.len());
    for candidate in candidates {
        for key in ["probability", "quality", "cost_usd"] {
            assert!(candidate[key].is_number(), "{key}: {candidate}");
        }
    }
    assert!(candidates[0]["latency_ms"].is_number());
}

#[test]
fn every_decision_is_a_record_that_reads_back() {
    let bench = Bench::new("[journal]\nprompts = \"full\"");
    let reply = bench.route(
        r#"{"messages":[{"role":"system","content":"Be \"brief\"."},{"role":"user","content":"Grüße\n"}],
            "tools":[{}],"max_tokens":9,"metadata":{"task":"x"},"session_id":"s","turn":2,"input_tokens":12}"#,
    );
    let lines = bench.lines();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(line["id"], reply["decision_id"]);
    assert_eq!(line["candidates"], reply["candidates"]);
    let text = line.to_string();
    let record = ndjson::read(text.as_bytes()).next().unwrap().unwrap();
    let Record::Decision(decision) = record else { panic!("{record:?}") };
    assert_eq!(decision.drawn, "large");
    assert_eq!(decision.session_id.as_deref(), Some("s"));
    assert_eq!(decision.turn, Some(2));
    assert_eq!(decision.tags["task"], "x");
    assert_eq!(decision.request.input_tokens, Some(12));
    assert_eq!(decision.request.tools, 1);
    let messages = decision.request.messages.unwrap();
    assert_eq!(messages[0].content, "Be \"brief\".");
    assert_eq!(messages[1].content, "Grüße\n");
}

#[track_caller]
fn check_model(rest: &str, expected: &str) {
    let reply = Bench::new("").route(&format!(r#"{{"prompt":"Hello",{rest}}}"#));
    assert_eq!(reply["model"], expected, "{reply}");
}

#[test]
fn callers_say_what_they_strive_for() {
    check_model(r#""objective":"economy""#, "tiny");
    check_model(r#""objective":{"preset":"quality"}"#, "large");
    check_model(r#""objective":{"lambda":1000000}"#, "tiny");
    check_model(r#""objective":{"min_quality":0.6}"#, "small");
    check_model(r#""objective":{"max_cost_usd":0.0005}"#, "middle");
    check_model(r#""candidates":["small","tiny"]"#, "small");
    check_model(r#""provider":{"only":["harbour"]},"deny":["large"]"#, "small");
    check_model(r#""provider":{"zdr":true}"#, "large");
    check_model(r#""provider":{"max_price":{"completion":1}}"#, "small");
}

#[test]
fn an_impossible_call_names_every_model() {
    let bench = Bench::new("");
    let answer = bench.post(
        "/route",
        r#"{"prompt":"Hello","candidates":["large","middle","tiny"],"deny":["tiny"],
            "provider":{"zdr":true,"ignore":["harbour"]}}"#,
    );
    assert_eq!(answer.problem(), (422, "no_eligible_model".to_owned()));
    assert_eq!(
        answer.json()["error"]["excluded"],
        json!([
            {"model": "large", "reason": "its strictest accepted provider keeps prompts"},
            {"model": "middle", "reason": "its strictest accepted provider may train on prompts"},
            {"model": "small", "reason": "not on the request's allow list"},
            {"model": "tiny", "reason": "on the request's deny list"},
        ])
    );
    assert!(bench.journal().read_dir().unwrap().all(|entry| {
        entry.unwrap().path().extension().is_none_or(|extension| extension != "ndjson")
    }));
}

#[test]
fn a_batch_is_answered_entry_by_entry() {
    let bench = Bench::new("[limits]\nbatch = 3");
    let answer = bench.post(
        "/route/batch",
        r#"{"requests":[{"prompt":"a"},{"prompt":7},{"prompt":"b","objective":"economy"}]}"#,
    );
    let results = answer.json()["results"].clone();
    assert_eq!(results[0]["model"], "large");
    assert_eq!(results[1]["error"]["code"], "invalid_request");
    assert_eq!(results[2]["model"], "tiny");
    assert_eq!(bench.lines().len(), 2);
    for (body, code) in [
        (r#"{"requests":[]}"#, "invalid_request"),
        (r#"{"requests":[1,2,3,4]}"#, "invalid_request"),
        (r#"{"prompt":"a"}"#, "invalid_request"),
        (r#"[[{"prompt":"a"}]]"#, "invalid_request"),
        (r#"{"requests":[],"requests":[]}"#, "invalid_request"),
        ("[", "invalid_json"),
    ] {
        assert_eq!(bench.post("/route/batch", body).problem(), (400, code.to_owned()), "{body}");
    }
}

#[test]
fn an_explanation_is_given_where_asked_for() {
    let bench = Bench::new("");
    let reply = bench.route(r#"{"prompt":"sort these words","explain":true}"#);
    assert!(reply["explanation"]["terms"].as_array().is_some_and(|terms| !terms.is_empty()));
    assert_eq!(bench.route(r#"{"prompt":"x"}"#)["explanation"], Value::Null);
}

#[test]
fn a_conversation_stays_with_its_model_while_a_tool_answers() {
    let bench = Bench::new("");
    let first = bench.route(r#"{"prompt":"Weather?","session_id":"s","candidates":["small"]}"#);
    assert_eq!(first["session"], Value::Null);
    let looped = bench.route(
        r#"{"session_id":"s","messages":[{"role":"user","content":"Weather?"},
            {"role":"assistant","content":null},{"role":"tool","content":"sunny"}]}"#,
    );
    assert_eq!(looped["model"], "small");
    assert_eq!(looped["session"]["held"], true);
    let excluded = &looped["candidates"][0]["excluded_by"];
    assert_eq!(excluded, "another model called the tool that has just answered");
    let free = bench.route(r#"{"session_id":"s","prompt":"And tomorrow?"}"#);
    assert_eq!(free["model"], "large");
    assert_eq!(free["session"]["model_before"], "small");
    let cached = bench.route(r#"{"session_id":"s","prompt":"And the day after that?"}"#);
    assert_eq!(cached["session"]["cached_tokens"], 4);
    assert_eq!(cached["session"]["switch_cost_usd"], 0.000_009);
    bench.passes(301_000);
    let cold = bench.route(r#"{"session_id":"s","prompt":"And the day after that?"}"#);
    assert_eq!(cold["session"]["cached_tokens"], 0);
}

#[test]
fn a_cache_ends_in_time_whatever_is_done_to_the_clock() {
    let bench = Bench::new("");
    let call = r#"{"prompt":"Hello","session_id":"s"}"#;
    let cached = || bench.route(call)["session"]["cached_tokens"].as_u64();
    assert_eq!(cached(), None);
    assert!(Some(0) < cached());
    bench.steps_back(3_600_000);
    assert!(Some(0) < cached());
    bench.passes(300_001);
    assert_eq!(cached(), Some(0));
}

#[test]
fn shadows_decide_along_without_effect() {
    let bench = Bench::with("", vec![crate::workbench::loaded(9)]);
    bench.route(r#"{"prompt":"Hello"}"#);
    let lines = bench.lines();
    let shadow = &lines[0]["shadows"][0];
    assert_eq!(shadow["model"], "large");
    assert_eq!(shadow["policy"]["digest"], crate::workbench::artifact(9).digest());
}

#[test]
fn a_service_says_what_it_is() {
    let bench = Bench::new("");
    assert_eq!(bench.get("/healthz").status, 200);
    assert_eq!(bench.get("/readyz").json()["ready"], true);
    let models = bench.get("/v1/models").json();
    assert_eq!(models["data"][1]["id"], "middle");
    assert_eq!(models["data"][0]["providers"], json!(["quarry", "harbour"]));
    let policy = bench.get("/policy").json();
    assert_eq!(policy["operating_points"][1]["name"], "economy");
    bench.service.drain();
    assert_eq!(bench.get("/readyz").status, 503);
    assert_eq!(bench.get("/healthz").status, 200);
}

#[track_caller]
fn check_refused(rest: &str, param: &str, meant: &str) {
    let bench = Bench::new("");
    let answer = bench.post("/route", format!(r#"{{"prompt":"Hello",{rest}}}"#));
    assert_eq!(answer.problem(), (400, "invalid_request".to_owned()), "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["error"]["param"], param);
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.ends_with(&format!("did you mean `{meant}`?")), "{message}");
    assert_eq!(bench.lines(), Vec::<Value>::new(), "a refusal is no decision");
}

#[test]
fn a_misspelt_key_of_ours_is_refused() {
    check_refused(r#""candidate":["small"]"#, "candidate", "candidates");
    check_refused(r#""objectives":"economy""#, "objectives", "objective");
    check_refused(r#""objective":{"lambada":1}"#, "objective.lambada", "objective.lambda");
    check_refused(r#""provider":{"onyl":["harbour"]}"#, "provider.onyl", "provider.only");
}

#[test]
fn keys_that_nobody_knows_are_counted_and_named() {
    let bench = Bench::new("");
    let counted = || {
        let request = axum::http::Request::get("/metrics").body(axum::body::Body::empty());
        let metrics = bench.operate(request.unwrap()).text;
        let name = "pointsman_unknown_fields_total ";
        let n = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        n.parse::<u64>().unwrap()
    };
    let told = || bench.service.upkeep().into_iter().find(|problem| problem.contains("nobody"));
    let reply = bench.route(r#"{"prompt":"Hello","model":"auto","stream":true,"user":"u"}"#);
    assert!(reply.get("unknown_keys").is_none(), "{reply}");
    assert_eq!((counted(), told()), (0, None));
    for n in [2, 4] {
        let reply = bench.route(r#"{"prompt":"Hello","sparkle":1,"glitter":{"objectives":2}}"#);
        assert_eq!(reply["unknown_keys"], serde_json::json!(["sparkle", "glitter"]));
        assert_eq!(counted(), n);
    }
    let message = told().unwrap();
    assert!(message.contains("passed over: `sparkle`, `glitter`; "), "{message}");
    assert_eq!(told(), None);
}

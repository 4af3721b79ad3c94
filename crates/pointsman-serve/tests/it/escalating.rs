//! What is answered after an answer.

use crate::workbench::{Bench, artifact, loaded_from};
use pointsman_core::{
    answer::N_SIGNS,
    escalation::{
        EscalationParts, EscalationScorer, Foresight, InputScaling, N_INPUTS, N_PRODUCTS, Reader,
        TermParts,
    },
    features::N_DENSE,
    scorer::DenseScaling,
};
use pointsman_log::{ndjson, record::Record};
use serde_json::{Value, json};

/// A reader of the answers of `small`, to which longer answers are better ones: from 0.2 for none to
/// 0.8. Of `large` it expects 0.6, of `middle` 0.55, of `tiny` 0.1.
pub(crate) fn reader() -> Reader {
    let schema = artifact(1).card().schema;
    let terms = || TermParts {
        weights: vec![0; schema.n_buckets() * 4],
        squared_idf: vec![256; schema.n_buckets()],
        scales: vec![0.001; 4],
    };
    let mut shape = DenseScaling { centres: [3.0; N_DENSE], factors: [0.0; N_DENSE] };
    shape.factors[0] = 1.0;
    let mut linear = vec![0.0; 4 * N_INPUTS];
    linear[N_DENSE] = 0.1;
    let parts = EscalationParts {
        schema,
        n_columns: 4,
        prompt: terms(),
        answer: terms(),
        intercepts: vec![0.5, 0.6, 0.55, 0.1],
        scaling: InputScaling {
            prompt: DenseScaling { centres: [0.0; N_DENSE], factors: [0.0; N_DENSE] },
            shape,
            sign_centres: [0.0; N_SIGNS],
            sign_factors: [0.0; N_SIGNS],
        },
        linear,
        products: vec![0.0; 4 * N_PRODUCTS],
    };
    Reader { model: 2, next: vec![0, 1, 3], scorer: EscalationScorer::new(parts).unwrap() }
}

/// A service whose policy reads answers, and a decision for `small`.
fn bench(toml: &str) -> (Bench, String) {
    let bench = Bench::new(toml);
    bench.service.swap(loaded_from(artifact(1).with_readers(&[reader()]).unwrap()));
    let decided = bench.route(r#"{"prompt":"Hello","candidates":["small"],"session_id":"s"}"#);
    assert_eq!(decided["model"], "small");
    let id = decided["decision_id"].as_str().unwrap().to_owned();
    (bench, id)
}

#[track_caller]
fn escalate(bench: &Bench, body: &Value) -> Value {
    let answer = bench.post("/escalate", body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[test]
fn a_poor_answer_is_escalated_and_a_good_one_accepted() {
    let (bench, id) = bench("");
    let poor = escalate(&bench, &json!({"prompt": "Hello", "decision_id": id, "answer": ""}));
    assert_eq!((&poor["decision"], &poor["model"]), (&json!("escalate"), &json!("large")));
    assert_eq!(poor["provider"], "quarry");
    assert_eq!((&poor["previous"], &poor["n_answers"]), (&json!(id), &json!(1)));
    assert!((poor["quality"].as_f64().unwrap() - 0.2).abs() < 1e-6, "{poor}");
    assert_eq!(poor["spent_from"], "expected");
    let candidates = poor["candidates"].as_array().unwrap();
    let names: Vec<&str> = candidates.iter().map(|one| one["model"].as_str().unwrap()).collect();
    assert_eq!(names, ["small", "large", "middle", "tiny"]);
    assert_eq!(candidates[0]["decision"], "accept");
    let long = "A word. ".repeat(200);
    let good = escalate(&bench, &json!({"prompt": "Hello", "decision_id": id, "answer": long}));
    assert_eq!((&good["decision"], &good["model"]), (&json!("accept"), &json!("small")));
    assert_eq!(good["provider"], Value::Null);
    let explained = json!({"prompt": "Hello", "decision_id": id, "answer": "no", "explain": true});
    let gain = escalate(&bench, &explained)["explanation"]["gain"].as_f64().unwrap();
    assert!(0.0 < gain, "{gain}");
}

/// Of a step the first candidate is to accept, under the name of the model in hand; that this costs
/// nothing says nothing of what the model costs when it is called.
#[test]
fn what_accepting_costs_is_not_what_a_model_was_expected_to_cost() {
    let (bench, id) = bench("");
    let decided = bench.lines()[0]["candidates"].clone();
    let answered = |id: &Value, model: &str| {
        let body =
            json!({"prompt": "Hello", "decision_id": id, "answer": "", "served_model": model});
        escalate(&bench, &body)
    };
    let first = answered(&json!(id), "small");
    let expected = decided[2]["cost_usd"].as_f64().unwrap();
    assert_eq!((&decided[2]["model"], &first["spent_usd"]), (&json!("small"), &json!(expected)));
    assert!(0.0 < expected);
    let candidates = first["candidates"].clone();
    assert_eq!(
        (&candidates[0]["decision"], &candidates[1]["model"]),
        (&json!("accept"), &json!("large"))
    );
    let step = &first["decision_id"];
    let again = answered(step, "small");
    assert_eq!((&again["spent_from"], &again["spent_usd"]), (&json!("unknown"), &json!(expected)));
    let other = answered(step, "large");
    assert_eq!(other["spent_from"], "expected");
    let large = candidates[1]["cost_usd"].as_f64().unwrap();
    let spent = other["spent_usd"].as_f64().unwrap();
    assert!((spent - expected - large).abs() < 1e-9, "{spent} {expected} {large}");
}

#[test]
fn keys_that_nobody_knows_are_named_beside_an_answer_too() {
    let (bench, id) = bench("");
    let body = json!({"prompt": "Hello", "decision_id": id, "answer": "", "sparkle": 1});
    assert_eq!(escalate(&bench, &body)["unknown_keys"], json!(["sparkle"]));
    let body = json!({"prompt": "Hello", "decision_id": id, "answer": "", "model": "auto"});
    assert_eq!(escalate(&bench, &body)["unknown_keys"], Value::Null);
}

#[test]
fn what_may_follow_an_answer_counts_in_the_first_decision() {
    let bench = Bench::new("");
    let with_readers = artifact(1).with_readers(&[reader()]).unwrap();
    let foresight = Foresight::new(2, vec![0.0], vec![4.0]).unwrap();
    for (foresight, is_foreseen) in [(Vec::new(), false), (vec![foresight], true)] {
        let artifact = with_readers.with_foresight(foresight).unwrap();
        bench.service.swap(loaded_from(artifact));
        let decided = bench.route(r#"{"prompt":"Hello"}"#);
        assert_eq!(decided["model"] == "small", is_foreseen, "{decided}");
        let cascades = decided["cascades"].as_array();
        assert_eq!(cascades.map(Vec::len), is_foreseen.then_some(1), "{decided}");
        let Some([cascade]) = cascades.map(Vec::as_slice) else { continue };
        assert_eq!(cascade["model"], "small");
        let last = bench.route(r#"{"prompt":"Hello","escalate":false}"#);
        assert_eq!((&last["model"], &last["cascades"]), (&json!("large"), &Value::Null));
        let own = decided["candidates"].as_array().unwrap();
        let own = own.iter().find(|one| one["model"] == "small").unwrap();
        let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
        assert!(number(own, "quality") < number(cascade, "quality"), "{decided}");
        assert!(number(own, "cost_usd") < number(cascade, "cost_usd"), "{decided}");
    }
    let record = bench.lines().pop().unwrap();
    assert!(record.get("cascades").is_none(), "{record}");
}

#[test]
fn a_step_is_a_record_that_names_the_one_before() {
    let (bench, id) = bench("");
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 1000});
    let choices = json!([{"message": {"content": ""}, "finish_reason": "stop"}]);
    let body = json!({"prompt": "Hello", "decision_id": id, "choices": choices, "usage": usage});
    let first = escalate(&bench, &body);
    assert_eq!((&first["spent_from"], &first["spent_usd"]), (&json!("usage"), &json!(0.00075)));
    let lines = bench.lines();
    let text = lines.last().unwrap().to_string();
    let record = ndjson::read(text.as_bytes()).next().unwrap().unwrap();
    let Record::Decision(step) = record else { panic!("{record:?}") };
    step.check().unwrap();
    assert_eq!(first["decision_id"], step.id);
    assert_eq!((step.step, step.previous.as_deref()), (Some(1), Some(&*id)));
    assert_eq!((step.spent_usd, &*step.drawn), (Some(0.00075), "large"));
    assert_eq!(step.session_id.as_deref(), Some("s"));
    let next = json!({"prompt": "Hello", "decision_id": step.id, "answer": "", "cost_usd": 0.01});
    let second = escalate(&bench, &next);
    assert_eq!((&second["decision"], &second["model"]), (&json!("accept"), &json!("large")));
    assert_eq!((&second["n_answers"], &second["spent_usd"]), (&json!(2), &json!(0.01075)));
    assert_eq!(second["quality"], Value::Null);
    assert_eq!(second["reasons"], json!(["nothing was learned about the answers of large"]));
    let outcome = json!({"decision_id": step.id, "quality": 0.9});
    assert_eq!(bench.post("/outcome", outcome.to_string()).json()["result"], "new");
}

#[test]
fn a_cascade_comes_to_an_end() {
    let (bench, mut id) = bench("");
    for n_answers in 1..=3 {
        let body =
            json!({"prompt": "Hello", "decision_id": id, "answer": "", "served_model": "small"});
        let step = escalate(&bench, &body);
        assert_eq!(step["n_answers"], n_answers);
        let expected = if n_answers < 3 { "escalate" } else { "accept" };
        assert_eq!(step["decision"], expected, "{step}");
        id = step["decision_id"].as_str().unwrap().to_owned();
    }
}

#[test]
fn what_was_spent_counts_against_the_callers_cap() {
    let (bench, id) = bench("");
    let body = |cost_usd: f64| {
        json!({"prompt": "Hello", "decision_id": id, "answer": "", "max_cost_usd": 0.01,
            "cost_usd": cost_usd})
    };
    assert_eq!(escalate(&bench, &body(0.0))["decision"], "escalate");
    assert_eq!(escalate(&bench, &body(0.01))["decision"], "accept");
}

#[test]
fn exploring_steps_have_exact_propensities() {
    let (bench, id) = bench("[explore]\nhow = \"epsilon:1\"\nshare = 1.0");
    let mut drawn = Vec::new();
    for _ in 0..40 {
        let step = escalate(&bench, &json!({"prompt": "x", "decision_id": id, "answer": ""}));
        assert_eq!(step["propensity"], 0.25, "{step}");
        drawn.push(step["model"].as_str().unwrap().to_owned());
    }
    let last = bench.lines().pop().unwrap();
    assert_eq!(last["propensity"]["kind"], "exact");
    for model in crate::workbench::MODELS {
        assert!(drawn.iter().any(|one| one == model), "{model}: {drawn:?}");
    }
    let greedy = json!({"prompt": "x", "decision_id": id, "answer": "", "explore": false});
    assert_eq!(escalate(&bench, &greedy)["propensity"], 1.0);
}

#[test]
fn odd_answers_are_judged_or_refused() {
    let (bench, id) = bench("");
    for answer in ["", " ", "\u{0}\u{1}\u{fffd}", "🦀", "}{][", &"x".repeat(1 << 20)] {
        let step = escalate(&bench, &json!({"prompt": "Hi", "decision_id": id, "answer": answer}));
        assert!(step["decision"].is_string());
        assert_eq!(step["n_bytes_cut"].is_u64(), 1 << 15 < answer.len(), "{}", answer.len());
    }
    let with = |answer: &[u8]| {
        let start = format!(r#"{{"prompt":"Hi","decision_id":"{id}","answer":""#);
        [start.as_bytes(), answer, b"\"}"].concat()
    };
    for (answer, code) in [
        (&b"\xff\xfe"[..], "invalid_json"),
        (&b"cut \xf0\x9f\xa6"[..], "invalid_json"),
        (&br"\ud83e"[..], "invalid_json"),
    ] {
        let (status, found) = bench.post("/escalate", with(answer)).problem();
        assert_eq!((status, &*found), (400, code));
    }
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let (reading, id) = bench("");
    for (body, expected) in [
        (json!({"prompt": "x", "decision_id": "nowhere", "answer": ""}), (404, "unknown_decision")),
        (json!({"prompt": "x", "answer": ""}), (400, "invalid_request")),
        (json!({"prompt": "x", "decision_id": id}), (400, "invalid_request")),
        (json!({"decision_id": id, "answer": ""}), (400, "invalid_request")),
    ] {
        let (status, code) = reading.post("/v1/escalate", body.to_string()).problem();
        assert_eq!((status, &*code), expected, "{body}");
    }
    let body = json!({"prompt": "x", "decision_id": id, "answer": ""}).to_string();
    let answer = Bench::new("").post("/escalate", body);
    assert_eq!(answer.problem(), (422, "no_readers".to_owned()));
    assert!(answer.text.contains("train it with --table and --answers"), "{}", answer.text);
}

/// That an answer belongs to the decision that is named cannot be seen.
#[test]
fn an_answer_of_another_decision_is_judged_as_it_is_sent() {
    let (bench, id) = bench("");
    let other = bench.route(r#"{"prompt":"Another","candidates":["small"]}"#);
    let other = other["decision_id"].as_str().unwrap();
    let judged = |id: &str, served_model: &str| {
        let body = json!({"prompt": "Hello", "decision_id": id, "answer": "It is 42.",
            "served_model": served_model});
        escalate(&bench, &body)
    };
    let (own, others) = (judged(&id, ""), judged(other, "small"));
    assert_eq!((&own["previous"], &others["previous"]), (&json!(id), &json!(other)));
    assert_eq!(own["candidates"], others["candidates"]);
    assert_eq!(own["quality"], others["quality"]);
    let strange = judged(&id, "nobody");
    assert_eq!(strange["reasons"], json!(["nothing was learned about the answers of nobody"]));
}

/// By default what was read of it, the text only where prompts are kept as texts.
#[test]
fn an_answer_is_kept_as_prompts_are() {
    let check = |prompts: &str, text: Value| {
        let (bench, id) = bench(&format!("[journal]\nprompts = \"{prompts}\""));
        let body = json!({"prompt": "Hello", "decision_id": id, "answer": "It is 42."});
        escalate(&bench, &body);
        let lines = bench.lines();
        let has_hash = |record: &Value| record["request"].get("prompt_hash").is_some();
        assert_eq!(has_hash(&lines[0]), prompts.starts_with("hash"), "{prompts}");
        assert!(!has_hash(&lines[1]), "the record of the first decision has it");
        let answer = lines[1]["answer"].clone();
        assert_eq!(answer["text"], text, "{prompts}: {answer}");
        answer
    };
    let kept = check("hash", Value::Null);
    assert_eq!(kept["signs"].as_array().unwrap().len(), N_SIGNS);
    assert_eq!(kept["features"]["schema"], artifact(1).card().schema.to_string());
    assert_eq!(kept["features"]["bytes"], 9);
    assert_eq!(check("hash_only", Value::Null), Value::Null);
    for (prompts, text) in [("redact", "It is 00."), ("full", "It is 42.")] {
        let kept = check(prompts, json!(text));
        assert_eq!(kept["signs"].as_array().unwrap().len(), N_SIGNS, "{prompts}");
        assert_eq!(kept["features"], Value::Null, "{prompts}");
    }
}

#[test]
fn an_answer_that_was_not_read_is_not_kept() {
    let (bench, id) = bench("");
    let body =
        json!({"prompt": "Hello", "decision_id": id, "answer": "Hm.", "served_model": "large"});
    assert_eq!(escalate(&bench, &body)["decision"], "accept");
    assert_eq!(bench.lines().pop().unwrap()["answer"], Value::Null);
}

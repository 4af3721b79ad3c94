//! What `evaluate --json` writes is what its published schema says, field by field.
//!
//! The validator knows the part of JSON Schema that `docs/evaluate.schema.json` uses, and refuses a
//! keyword that it does not know.

use crate::{
    tables::{LOG, N_REQUESTS, POLICY, outcomes},
    workbench::{Workbench, root},
};
use serde_json::{Map, Value, json};
use std::fs;

/// Where the value leaves the schema, if it does.
fn problem(schema: &Value, whole: &Value, value: &Value, at: &str) -> Option<String> {
    let schema = schema.as_object().unwrap();
    for (keyword, rule) in schema {
        let found = match keyword.as_str() {
            "title" | "description" | "$defs" => None,
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                problem(whole.pointer(pointer).unwrap(), whole, value, at)
            }
            "anyOf" => {
                let mut all = rule.as_array().unwrap().iter();
                let fits = all.any(|one| problem(one, whole, value, at).is_none());
                (!fits).then(|| format!("{at} is none of {rule}: {value}"))
            }
            "enum" => (!rule.as_array().unwrap().contains(value))
                .then(|| format!("{at} is not in {rule}: {value}")),
            "type" => (!has_type(rule, value)).then(|| format!("{at} is no {rule}: {value}")),
            "minimum" => value
                .as_f64()
                .filter(|found| *found < rule.as_f64().unwrap())
                .map(|found| format!("{at} is below {rule}: {found}")),
            "maximum" => value
                .as_f64()
                .filter(|found| rule.as_f64().unwrap() < *found)
                .map(|found| format!("{at} is above {rule}: {found}")),
            "items" => value.as_array().and_then(|items| {
                let mut places = items.iter().enumerate();
                places.find_map(|(n, item)| problem(rule, whole, item, &format!("{at}/{n}")))
            }),
            "properties" => value.as_object().and_then(|fields| {
                let mut rules = rule.as_object().unwrap().iter();
                rules.find_map(|(name, rule)| {
                    let field = fields.get(name)?;
                    problem(rule, whole, field, &format!("{at}/{name}"))
                })
            }),
            "required" => value.as_object().and_then(|fields| {
                let mut names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                let missing = names.find(|name| !fields.contains_key(*name))?;
                Some(format!("{at} has no {missing}"))
            }),
            "additionalProperties" => unknown_field(schema, value, at),
            _ => Some(format!("the schema has the keyword {keyword}, which is not checked")),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema has the type {other}"),
    };
    rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
}

fn unknown_field(schema: &Map<String, Value>, value: &Value, at: &str) -> Option<String> {
    let known = schema["properties"].as_object().unwrap();
    let unknown = value.as_object()?.keys().find(|name| !known.contains_key(*name))?;
    Some(format!("{at} has the unknown field {unknown}"))
}

fn schema() -> Value {
    let path = root().join("docs/evaluate.schema.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn reports_are_what_their_schema_says() {
    let schema = schema();
    let later = outcomes(N_REQUESTS..N_REQUESTS + 300);
    let deterministic = LOG.replace("\"exact\"", "\"deterministic\"");
    let bench = Workbench::with(&[
        ("later.ndjson", later.as_bytes()),
        ("undrawn.ndjson", deterministic.as_bytes()),
        ("policy.safetensors", &POLICY),
    ]);
    bench.done("simulate --table later.ndjson --seed 4 --out later-log.ndjson");
    for source in [
        "--table later.ndjson --slices task,language",
        "--log later-log.ndjson --slices task,length,language,tag:task",
        "--log later-log.ndjson --reward-model cross-fitted --largest-cost-usd 1",
        "--log undrawn.ndjson --include-trained",
    ] {
        bench.done(&format!("evaluate {source} --policy policy.safetensors --json r.json"));
        let report = bench.json("r.json");
        assert_eq!(problem(&schema, &schema, &report, ""), None, "{source}");
    }
}

#[test]
fn the_schema_refuses_what_is_not_a_report() {
    let schema = schema();
    let verdict = |kind: &str| json!({"kind": kind, "sentence": "Yes."});
    let rule = &schema["properties"]["verdict"];
    assert_eq!(problem(rule, &schema, &verdict("route"), ""), None);
    assert!(problem(rule, &schema, &verdict("maybe"), "").is_some());
    assert!(problem(rule, &schema, &json!({"kind": "route"}), "").is_some());
    assert!(problem(rule, &schema, &json!({"kind": "route", "sentence": 1}), "").is_some());
    let more = json!({"kind": "route", "sentence": "Yes.", "more": 1});
    assert!(problem(rule, &schema, &more, "").is_some());
    assert!(problem(&schema["$defs"]["gain"], &schema, &json!(null), "").is_some());
}

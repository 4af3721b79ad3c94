use std::path::Path;

use super::*;
use crate::{item::ReadRow, place::name_by_place};

const DSJSON: &str = r#"{"_label_cost":-1.0,"_label_probability":0.25,"_label_Action":2,"_labelIndex":1,"EventId":"e-1","Timestamp":"2026-01-01T00:00:01.500Z","a":[3,2,1],"p":[0.5,0.25,0.25],"c":{"user":{"b":2,"a":1,"team":"red team","gone":null,"old":false,"new":true},"dense":[0.5,1],"x":3,"_multi":[{"_tag":"small","act":{"size":1}},{"_tag":"large","act":{"size":9}},{"_tag":"tiny"}]},"pdrop":0.75}"#;
const JSON: &str = r#"{"user":{"a":1,"b":2,"new":true,"team":"red team"},"dense":[0.5,1],"x":3,"_multi":[{"_tag":"small","act":{"size":1}},{"_label":{"Action":2,"Cost":-1.0,"Probability":0.25},"_tag":"large","act":{"size":9}},{"_tag":"tiny"}]}"#;
const TEXT: &str = "shared |user b:2.0 a new team=red_team |dense 0:0.5 1:1 | x:3\n\
                    'small |act size\n2:-1:0.25 'large |act size:9\n'tiny |\n";

fn items(read: ReadRow, row: &str) -> (DecisionRecord, OutcomeRecord) {
    let mut out = Vec::new();
    read(row.as_bytes(), &mut out).unwrap();
    for item in &mut out {
        name_by_place(item, "log", 1);
    }
    let Ok([Item::Decision(decision), Item::Outcome(outcome)]) = <[Item; 2]>::try_from(out) else {
        panic!("{row}");
    };
    (*decision, *outcome)
}

/// What every form has.
fn shared(decision: &DecisionRecord, outcome: &OutcomeRecord) -> String {
    let models: Vec<&str> = decision.candidates.iter().map(|one| one.model.as_str()).collect();
    let text = decision.request.messages.as_ref().map(|messages| messages[0].content.clone());
    let actions: Vec<String> = decision
        .tags
        .iter()
        .filter(|(key, _)| key.starts_with("action."))
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!(
        "{text:?}\n{models:?} {actions:?}\n{} {:.6} {:?}",
        decision.drawn,
        decision.propensity.value.unwrap_or_default(),
        outcome.metric("quality"),
    )
}

#[test]
fn the_three_forms_of_a_row_give_the_same_records() {
    let expected = r#"Some("| x:3 |dense 0:0.5 1 |user a b:2 new team=red_team")
["small", "large", "tiny"] ["action.large = |act size:9", "action.small = |act size"]
large 0.250000 Some(1.0)"#;
    for (read, row) in [
        (dsjson::read as ReadRow, DSJSON),
        (adf_json::read as ReadRow, JSON),
        (text::read as ReadRow, TEXT),
    ] {
        let (decision, outcome) = items(read, row);
        assert_eq!(shared(&decision, &outcome), expected);
        decision.check().unwrap();
        outcome.check().unwrap();
        assert_eq!(decision.id, outcome.decision_id);
    }
}

#[test]
fn dsjson_has_more_than_the_others() {
    let (decision, outcome) = items(dsjson::read, DSJSON);
    assert_eq!((decision.id.as_str(), decision.ts_ms), ("e-1", 1_767_225_601_500));
    assert_eq!(outcome.ts_ms, decision.ts_ms);
    assert_eq!(decision.keep_prob, Some(0.25));
    let probabilities = |decision: &DecisionRecord| -> Vec<f64> {
        decision.candidates.iter().map(|one| one.probability).collect()
    };
    assert_eq!(probabilities(&decision), [0.25, 0.25, 0.5]);
    assert!(!decision.tags.contains_key(DISTRIBUTION_TAG));
    let (decision, _) = items(text::read, TEXT);
    assert_eq!((decision.id.as_str(), decision.ts_ms), ("log-1", 0));
    assert_eq!(probabilities(&decision), [0.375, 0.25, 0.375]);
    assert_eq!(decision.tags[DISTRIBUTION_TAG], "even");
}

#[track_caller]
fn check_names(text: &str, expected: &[&str]) {
    let (decision, _) = items(text::read, text);
    let models: Vec<&str> = decision.candidates.iter().map(|one| one.model.as_str()).collect();
    assert_eq!(models, expected);
}

#[test]
fn actions_are_named_by_tag_then_id_then_place() {
    check_names("0:1:0.5 'a |f id=x\n'b |f id=y\n", &["a", "b"]);
    check_names("0:1:0.5 |f id=x\n|f id=y\n", &["x", "y"]);
    check_names("0:1:0.5 a|f id=x\n|f id=y\n", &["a", "y"]);
    check_names("0:1:0.5 |f x\n|f y\n", &["action-0", "action-1"]);
    check_names("0:1:0.5 'a |f x\n'a |f y\n", &["action-0", "action-1"]);
}

#[track_caller]
fn check_dropped(read: ReadRow, row: &str, reason: Reason, detail: &str) {
    let mut out = Vec::new();
    let dropped = read(row.as_bytes(), &mut out).unwrap_err();
    assert_eq!(dropped.reason, reason, "{dropped:?}");
    assert!(dropped.detail.contains(detail), "{dropped:?}");
    assert!(out.is_empty());
}

#[test]
fn every_odd_dsjson_row_has_its_reason() {
    let check = |from: &str, to: &str, reason, detail| {
        assert!(DSJSON.contains(from), "{from}");
        check_dropped(dsjson::read, &DSJSON.replacen(from, to, 1), reason, detail);
    };
    check("{", "", Reason::NOT_JSON, "");
    check("\"EventId\"", "\"_skipLearn\":true,\"EventId\"", SKIPPED, "_skipLearn");
    check("\"_label_cost\":-1.0,", "", NO_LABEL, "_label_cost");
    check("\"_label_cost\":-1.0", "\"_label_cost\":null", NO_LABEL, "_label_cost");
    check("\"_label_Action\":2", "\"_label_Action\":4", BAD_LABEL, "action 3 of 3");
    check("\"_multi\"", "\"_single\"", NO_ACTION, "_multi");
    check("\"c\":", "\"context\":", Reason::NOT_THE_FORMAT, "no `c`");
    check("\"pdrop\":0.75", "\"pdrop\":1.0", Reason::BAD_NUMBER, "a `pdrop` of 1.0");
    check("\"pdrop\":0.75", "\"pdrop\":\"x\"", Reason::BAD_NUMBER, "a `pdrop` of");
    check("2026-01-01T", "yesterday ", Reason::NO_TIME, "Timestamp");
    check("[0.5,0.25,0.25]", "[0.5,0.25]", BAD_DISTRIBUTION, "0 probabilities of 3");
    check("[0.5,0.25,0.25]", "[0.5,0.25,0.5]", BAD_DISTRIBUTION, "for the others");
    check("[0.5,0.25,0.25]", "[0.25,0.5,0.25]", BAD_DISTRIBUTION, "the label says 0.25");
    check("\"a\":[3,2,1]", "\"a\":[3,2,9]", BAD_DISTRIBUTION, "0 probabilities of 3");
    check("probability\":0.25", "probability\":0", BAD_DISTRIBUTION, "probability 0");
    check("probability\":0.25", "probability\":1.5", BAD_DISTRIBUTION, "probability 1.5");
    check("\"c\":", "\"_outcomes\":[],\"c\":", NOT_ONE_DECISION, "_outcomes");
    check_dropped(dsjson::read, "[1]", Reason::NOT_THE_FORMAT, "not an object");
    let dangling = r#"{"RewardValue":1.0,"EventId":"e-1"}"#;
    check_dropped(dsjson::read, dangling, Reason::NOT_THE_FORMAT, "no `c`");
}

#[test]
fn every_odd_row_without_envelope_has_its_reason() {
    let text = |block: &str, reason, detail| check_dropped(text::read, block, reason, detail);
    text("shared |a x\n|b y\n", NO_LABEL, "no action");
    text("0:1:0.5 |b y\n1:1:0.5 |b z\n", NOT_ONE_DECISION, "two labels");
    text("1 |b y\n", Reason::NOT_THE_FORMAT, "`1` is no label");
    text("0:1:x |b y\n", Reason::NOT_THE_FORMAT, "no label");
    text("0:1:0.5 0.3 |b y\n", Reason::NOT_THE_FORMAT, "2 words");
    text("0:1:0.5 |b y:one\n|b z", Reason::NOT_THE_FORMAT, "`y:one` has no finite value");
    text("0:1:0.5 |b y\nshared |a x\n", Reason::NOT_THE_FORMAT, "the empty line between");
    text("0:1:0.5 |b y\n", BAD_DISTRIBUTION, "the only action");
    text("0:inf:0.5 |b y\n|b z\n", Reason::BAD_NUMBER, "a cost of inf");
    text("0:1:NaN |b y\n|b z\n", BAD_DISTRIBUTION, "probability NaN");
    check_dropped(adf_json::read, "{\"a\":1}", NO_ACTION, "_multi");
    check_dropped(adf_json::read, "{\"_multi\":[{\"b\":1}]}", NO_LABEL, "_label");
    let two = r#"{"_multi":[{"_label":"0:1:0.5"},{"_label":"0:1:0.5"}]}"#;
    check_dropped(adf_json::read, two, NOT_ONE_DECISION, "two actions");
    let mut out = Vec::new();
    assert_eq!(text::read(b"0:1:1 |\xff", &mut out).unwrap_err().reason, Reason::NOT_UTF8);
}

#[test]
fn labels_stand_beside_the_actions_or_in_them() {
    for row in [
        r#"{"_multi":[{"b":1},{"b":2,"_label":"1:-2:0.5"}]}"#,
        r#"{"_multi":[{"b":1},{"b":2,"_label_Cost":-2,"_label_Probability":0.5}]}"#,
        r#"{"_multi":[{"b":1},{"b":2}],"_labelIndex":1,"_label_cost":-2,"_label_probability":0.5}"#,
        r#"{"_multi":[{"b":1},{"b":2}],"_label_Action":2,"_label_cost":-2,"_label_probability":0.5}"#,
    ] {
        let (decision, outcome) = items(adf_json::read, row);
        assert_eq!(decision.drawn, "action-1", "{row}");
        assert_eq!(outcome.metric("quality"), Some(2.0), "{row}");
    }
}

#[test]
fn blocks_are_apart_by_empty_lines() {
    let mut bytes: &[u8] = b"\n\r\na\r\nb\n  \n\n\nc\nlonger than the limit";
    let mut block = Vec::new();
    let mut blocks = Vec::new();
    while text::next_block(&mut bytes, 8, &mut block).unwrap() {
        blocks.push(String::from_utf8(block.clone()).unwrap());
    }
    assert_eq!(blocks, ["a\r\nb\n", "c\nlonger "]);
}

/// The rows of a real log in its three forms: what all of them have is the same.
#[test]
fn a_real_log_is_the_same_in_its_three_forms() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/ope");
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let (Ok(dsjson), Ok(json), Ok(text)) =
        (read("vw_tiny.dsjson"), read("vw_tiny_adf.json"), read("vw_tiny_adf.txt"))
    else {
        eprintln!("skipped: {} holds no logs", folder.display());
        return;
    };
    let mut blocks = Vec::new();
    let (mut bytes, mut block) = (text.as_bytes(), Vec::new());
    while text::next_block(&mut bytes, 1 << 20, &mut block).unwrap() {
        blocks.push(String::from_utf8(block.clone()).unwrap());
    }
    let rows: Vec<(&str, &str)> = dsjson.lines().zip(json.lines()).collect();
    assert_eq!((rows.len(), blocks.len()), (200, 200));
    let (mut n_skipped, mut n_thinned) = (0, 0);
    let (mut n_kept, mut total) = (0.0, 0.0);
    for ((dsjson, json), block) in rows.into_iter().zip(&blocks) {
        let (decision, outcome) = items(adf_json::read, json);
        let from_json = shared(&decision, &outcome);
        let (decision, outcome) = items(text::read, block);
        assert_eq!(shared(&decision, &outcome), from_json);
        let mut out = Vec::new();
        if let Err(dropped) = super::dsjson::read(dsjson.as_bytes(), &mut out) {
            assert_eq!(dropped.reason, SKIPPED);
            n_skipped += 1;
            continue;
        }
        let (decision, outcome) = items(super::dsjson::read, dsjson);
        assert_eq!(shared(&decision, &outcome), from_json);
        decision.check().unwrap();
        n_thinned += usize::from(decision.keep_prob.is_some());
        n_kept += 1.0;
        total += outcome.metric("quality").unwrap();
    }
    assert_eq!(n_skipped, dsjson.matches("\"_skipLearn\":true").count());
    assert_eq!(n_thinned, dsjson.matches("\"pdrop\"").count());
    // The mean reward that vw-estimators gives the logger's own policy on the rows that are left.
    let mean: f64 = total / n_kept;
    assert!((mean - 0.459_183_673_469_387_77).abs() < 1e-12, "{mean}");
}

//! Reading the first model's answer: on examples of which the truth is known, and what is said of flags
//! that do not go together.

mod real;

use crate::workbench::{command, root};
use pointsman_data::read_answers;
use pointsman_testkit::World;
use serde_json::Value;
use std::{fs, path::Path};

/// Prompts of the example.
const N_PROMPTS: i32 = 600;

fn cascade(table: &Path, answers: &Path, more: &[&str]) -> Value {
    let output = command(["benchmark", "--quiet", "--json", "-", "--cascade", "--answers"])
        .arg(answers)
        .args(more)
        .arg("--")
        .arg(table)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A table of two models with costs, and answers of both: every third sum of the small one is wrong,
/// which its request does not show.
fn write_priced_example(folder: &Path) {
    let (mut table, mut answers) = (String::new(), String::new());
    table.push_str("prompt_id,prompt,model,quality,cost_usd\n");
    answers.push_str("prompt_id,model,answer\n");
    for row in 0..N_PROMPTS {
        let (a, b) = (row % 17 + 2, row % 11 + 3);
        let is_right = row % 3 != 0;
        let sum = if is_right { a + b } else { a + b + 1 };
        let prompt = format!("p{row},What is {a} and {b}? Case {row}.");
        table.push_str(&format!("{prompt},small,{},0.001\n", i32::from(is_right)));
        table.push_str(&format!("{prompt},large,{},0.01\n", i32::from(row % 7 != 0)));
        answers.push_str(&format!("p{row},small,{a} + {b} = {sum}\np{row},large,ok\n"));
    }
    answers.push_str("p0,stranger,hello\n");
    fs::write(folder.join("table.csv"), table).unwrap();
    fs::write(folder.join("answers.csv"), answers).unwrap();
}

#[test]
fn a_whole_policy_is_held_against_routing_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_priced_example(folder.path());
    let at = |name: &str| folder.path().join(name);
    let page = at("page.html");
    let html = page.to_str().unwrap();
    let more = ["--learner", "ridge-10", "--escalation", "small", "large", "--html", html];
    let found = cascade(&at("table.csv"), &at("answers.csv"), &more);
    let whole = &found["tables"]["table"]["cascade"];
    assert_eq!(whole["models"], serde_json::json!(["large", "small"]));
    assert_eq!(whole["n"], found["tables"]["table"]["n_test"]);
    let policies = &whole["policies"];
    assert!(policies["prompt_routing"]["over_prompt_routing"].is_null());
    let gain = &policies["foreseeing"]["over_prompt_routing"];
    assert!(0.0 < gain["lower"].as_f64().unwrap(), "{policies}");
    let area = |policy: &str| policies[policy]["area"].as_f64().unwrap();
    let value = area("foreseeing") - area("prompt_routing");
    assert!((gain["value"].as_f64().unwrap() - value).abs() < 1e-12, "{policies}");
    let pair = &found["escalation"]["table"]["small -> large"]["cascade"]["frontiers"];
    assert!(pair["policies"]["escalation"]["area"].is_number(), "{pair}");
    let page = fs::read_to_string(&page).unwrap();
    assert!(
        page.contains("small → large, table") && page.contains("all models with answers, table")
    );
    assert_eq!(cascade(&at("table.csv"), &at("answers.csv"), &more), found);
}

#[test]
fn a_cascade_needs_two_models_with_answers_and_their_costs() {
    let folder = tempfile::tempdir().unwrap();
    write_priced_example(folder.path());
    let refused = |arguments: &[&str]| {
        let output = command(["benchmark", "--quiet"])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refused(&["table.csv", "--answers", "answers.csv"]);
    assert!(said.contains("add --cascade, or --escalation FIRST NEXT"), "{said}");
    let all = fs::read_to_string(folder.path().join("answers.csv")).unwrap();
    let of_one: Vec<&str> = all.lines().filter(|line| !line.contains(",large,")).collect();
    fs::write(folder.path().join("one.csv"), of_one.join("\n")).unwrap();
    let quick = ["table.csv", "--learner", "ridge-10", "--cascade", "--answers", "one.csv"];
    let said = refused(&quick);
    assert!(said.contains("has answers of 1 of the table's models"), "{said}");
    let table = fs::read_to_string(folder.path().join("table.csv")).unwrap();
    let unpriced: Vec<&str> =
        table.lines().map(|line| line.rsplit_once(',').map_or(line, |(start, _)| start)).collect();
    fs::write(folder.path().join("unpriced.csv"), unpriced.join("\n")).unwrap();
    let quick = ["unpriced.csv", "--learner", "ridge-10", "--cascade", "--answers", "answers.csv"];
    let said = refused(&quick);
    assert!(said.contains("the table has no costs"), "{said}");
}

/// The sample's answers are those of the world that the sample is from.
#[test]
fn the_answers_of_the_sample_are_those_of_its_world() {
    let world = World::new(20_260_101);
    let path = root().join("datasets/sample/answers.parquet");
    let mut n = 0;
    let counts = read_answers(&[path], &mut |row| {
        let request = world.request(n);
        let answer = world.answer(&request, 0);
        assert_eq!((row.prompt_id, row.model), (request.id.as_str(), world.models()[0].id));
        assert_eq!(row.answer, answer.text);
        assert_eq!(row.finish_reason, Some(answer.finish_reason));
        n += 1;
    });
    assert_eq!((n, counts.unwrap().n_rows_read), (3_000, 3_000));
}

/// A table of two models, and answers of the first, of which every third has a sum that is wrong.
fn write_example(folder: &Path) {
    let (mut table, mut answers) = (String::new(), String::new());
    table.push_str("prompt_id,prompt,model,quality\n");
    answers.push_str("prompt_id,model,answer\n");
    for row in 0..N_PROMPTS {
        let (a, b) = (row % 17 + 2, row % 11 + 3);
        let is_right = row % 3 != 0;
        let sum = if is_right { a + b } else { a + b + 1 };
        let quality = i32::from(is_right);
        table.push_str(&format!("p{row},What is {a} and {b}? Case {row}.,small,{quality}\n"));
        let quality = i32::from(row % 7 != 0);
        table.push_str(&format!("p{row},What is {a} and {b}? Case {row}.,large,{quality}\n"));
        answers.push_str(&format!("p{row},small,{a} + {b} = {sum}\n"));
    }
    fs::write(folder.join("table.csv"), table).unwrap();
    fs::write(folder.join("answers.csv"), answers).unwrap();
}

#[test]
fn a_wrong_sum_is_escalated_first() {
    let folder = tempfile::tempdir().unwrap();
    write_example(folder.path());
    let output = command(["benchmark", "--quiet", "--json", "-", "--learner", "ridge-10"])
        .arg("--answers")
        .arg(folder.path().join("answers.csv"))
        .args(["--escalation", "small", "large", "--"])
        .arg(folder.path().join("table.csv"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scorers = &found["escalation"]["table"]["small -> large"]["scorers"];
    let figure = |scorer: &str, figure: &str| scorers[scorer][figure].as_f64().unwrap();
    assert!(0.95 < figure("pointsman", "auc"), "{scorers}");
    assert!(figure("prompt", "apgr") < figure("pointsman", "apgr"), "{scorers}");
}

/// Trains on the example, with answers of both models: those of `large` tell nothing.
fn train(folder: &Path, more: &[&str]) -> std::process::Output {
    let mut answers = fs::read_to_string(folder.join("answers.csv")).unwrap();
    for row in 0..N_PROMPTS {
        answers.push_str(&format!("p{row},large,ok\n"));
    }
    answers.push_str("p0,small,again\nelsewhere,small,lost\np1,stranger,hello\n");
    fs::write(folder.join("both.csv"), answers).unwrap();
    command(["train", "--quiet", "--buckets", "10", "--json", "-", "--table"])
        .arg(folder.join("table.csv"))
        .arg("--answers")
        .arg(folder.join("both.csv"))
        .arg("--out")
        .arg(folder.join("policy.safetensors"))
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn readers_that_are_worth_something_go_into_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    write_example(folder.path());
    let output = train(folder.path(), &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let card: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(card["readers"], serde_json::json!([{"model": "small", "next": ["large"]}]));
    let settings = &card["provenance"]["settings"];
    let fate = |name: &str| settings[format!("reader.{name}")].as_str().unwrap().to_owned();
    assert!(fate("small").starts_with("kept; "), "{settings}");
    assert!(fate("large").starts_with("left out; "), "{settings}");
    for line in [
        "left out: 1 answer of models that are not in the table",
        "answers of small: 1 to a prompt that has one already",
        "answers of small: 1 to prompts that are not in the table",
        "what follows is of first answers alone, each accepted",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let policy = folder.path().join("policy.safetensors");
    let output = command(["inspect"]).arg(&policy).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("  small -> large\n"));
    let output = command(["evaluate", "--quiet", "--include-trained", "--policy"])
        .arg(&policy)
        .arg("--table")
        .arg(folder.path().join("table.csv"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("`policy` reads answers, and a table has none"), "{said}");
}

#[test]
fn an_answer_is_judged_at_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    write_example(folder.path());
    assert!(train(folder.path(), &[]).status.success());
    let route = |answer: &[u8], by: &str| {
        fs::write(folder.path().join("request"), "What is 7 and 9? Case 5.").unwrap();
        fs::write(folder.path().join("answer"), answer).unwrap();
        command(["route", "--explain", "--json", "-", "--answered-by", by, "--policy"])
            .arg(folder.path().join("policy.safetensors"))
            .arg("--answer")
            .arg(folder.path().join("answer"))
            .stdin(fs::File::open(folder.path().join("request")).unwrap())
            .output()
            .unwrap()
    };
    let check = |answer: &str, by: &str, decision: &str, model: &str| {
        let output = route(answer.as_bytes(), by);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["decision"], decision, "{found}");
        assert_eq!(found["model"], model, "{found}");
        said
    };
    let said = check("7 + 9 = 17", "small", "escalate", "large");
    assert!(said.contains("escalate to large") && said.contains("large is expected to gain"));
    let said = check("7 + 9 = 16", "small", "accept", "small");
    assert!(said.contains("accept the answer of small"), "{said}");
    let said = check("16", "large", "accept", "large");
    assert!(said.contains("nothing was learned about the answers of large"), "{said}");
    for (answer, by, part) in [
        (&b"16"[..], "larg", "has no model `larg`; did you mean `large`?"),
        (&b"\xff"[..], "small", "it is not UTF-8 text"),
    ] {
        let output = route(answer, by);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(part));
    }
    let output = command(["route", "--answered-by", "small", "--finish-reason", "lenght"])
        .arg("--policy")
        .arg(folder.path().join("policy.safetensors"))
        .arg("--answer")
        .arg(folder.path().join("answer"))
        .stdin(fs::File::open(folder.path().join("request")).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("`lenght` is not known") && said.contains("mean `length`?"), "{said}");
}

#[test]
fn without_readers_that_are_kept_only_the_card_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write_example(folder.path());
    let output = train(folder.path(), &["--escalate-from", "large"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("no reader is kept, so the policy decides by requests alone"), "{said}");
    let card: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(card["readers"], Value::Null);
}

#[test]
fn models_without_answers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_example(folder.path());
    let check = |more: &[&str], expected: &str| {
        let output = train(folder.path(), more);
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{more:?}: {said}");
    };
    check(&["--escalate-from", "smal"], "has no model `smal`; did you mean `small`?");
    check(&["--max-mb", "1"], "--max-mb");
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_example(folder.path());
    let check = |models: &[&str], expected: &str| {
        let output = command(["benchmark", "--quiet", "--learner", "ridge-10"])
            .arg("--answers")
            .arg(folder.path().join("answers.csv"))
            .arg("--escalation")
            .args(models)
            .arg("--")
            .arg(folder.path().join("table.csv"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{models:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(expected), "{models:?}: {stderr}");
    };
    check(&["small", "large", "small"], "`small` has no next model");
    check(&["small", "small"], "`small` cannot be escalated to itself");
    check(&["small", "huge"], "the table has no model `huge`; its models are large, small");
    check(&["large", "small"], "it has no answer of `large`");
}

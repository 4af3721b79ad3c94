//! Imports from outside: what they say, that they go on, and that what they write teaches as before.

use crate::{
    tables::{CATALOG, LOG, POLICY, QUICK},
    workbench::Workbench,
};
use serde_json::json;

/// Two calls of one model and one of another, an embedding, and a row of something else.
const CALLS: &str = r#"{"id":"a","call_type":"acompletion","startTime":1767225600,"endTime":1767225601,"model":"heron-large","response_cost":0.002,"prompt_tokens":9,"completion_tokens":4,"custom_llm_provider":"northwind","messages":[{"role":"user","content":"Why?"}]}
{"id":"b","call_type":"acompletion","startTime":1767225700,"endTime":1767225702,"model":"heron-larg","response_cost":null,"messages":[{"role":"user","content":"<script>alert(1)</script>"}]}
{"id":"c","call_type":"aembedding","startTime":1767225703,"endTime":1767225703,"model":"vectors"}
{"id":"d","call_type":"acompletion","startTime":1767312000,"endTime":1767312001,"model":"<b>odd</b>","response_cost":0}
{"nothing":"of it"}
"#;

fn bench() -> Workbench {
    Workbench::with(&[
        ("calls.ndjson", CALLS.as_bytes()),
        ("log.ndjson", LOG.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
    ])
}

#[test]
fn an_imported_log_teaches_what_it_taught_before() {
    let bench = bench();
    let said = bench.done("import log.ndjson --out imported");
    assert!(said.contains("log.ndjson is pointsman, since its rows have `v`, `kind`"), "{said}");
    assert!(said.contains("400 decisions have a propensity"), "{said}");
    for (log, out) in [("log.ndjson", "a"), ("imported", "b")] {
        bench.done(&format!(
            "train --log {log} --catalog catalog.toml --name p --out {out}.safetensors {QUICK}"
        ));
    }
    assert!(bench.read("a.safetensors") == bench.read("b.safetensors"));
}

#[test]
fn a_score_that_the_log_lacks_is_said() {
    let said = bench().done("import calls.ndjson --out log --score stars");
    assert!(said.contains("! the log has no score `stars`, which --score names"), "{said}");
}

#[test]
fn an_import_says_what_it_found() {
    let bench = bench();
    let command =
        "import calls.ndjson --out log --catalog catalog.toml --json r.json --html r.html";
    let said = bench.done(command);
    for part in [
        "calls.ndjson is litellm, since its rows have `call_type`",
        "dropped: not a chat call",
        "dropped: it has no id",
        "unknown; nearest heron-large",
        "nothing from 2026-01-01 01:00 on for 23 hours",
        "no call has a quality",
        "3 do not say how likely their model was",
        "wrote 1 parts into log",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let report = bench.json("r.json");
    assert_eq!((&report["n_rows"], &report["n_kept"]), (&json!(5), &json!(3)));
    assert_eq!(report["known"]["n_cost"], json!(2));
    let page = bench.text("r.html");
    assert!(page.contains("&lt;b&gt;odd") && !page.contains("<b>odd") && !page.contains("<script"));
    let before = bench.files();
    let said = bench.done(command);
    assert!(said.starts_with("nothing to do: every file was imported before"), "{said}");
    assert_eq!(bench.files().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
}

#[test]
fn imports_that_cannot_be_are_one_sentence() {
    let bench = bench();
    bench.write("map.toml", b"[columns]\nid = \"a\"");
    bench.write("rules.toml", b"[[rules]]\nwhen = \"moon\"\nquality = 1.0");
    for (arguments, expected) in [
        (
            "import calls.ndjson --out o --from moon",
            "`moon` is not a format; known are auto, columns",
        ),
        ("import calls.ndjson --out o --from helicone", "use --from litellm"),
        ("import none.ndjson --out o", "`none.ndjson` cannot be read"),
        ("import *.moon --out o", "no file matches `*.moon`"),
        ("import calls.ndjson --out o --map map.toml", "map.toml: the column map: missing field"),
        ("import calls.ndjson --out o --quality-rules rules.toml", "rule 1: when = \"moon\""),
        ("import calls.ndjson --out . --score x", "which no import wrote"),
        ("import calls.ndjson --out o --json calls.ndjson", "is named twice"),
    ] {
        let finished = bench.run(arguments);
        assert_eq!(finished.code, Some(2), "{arguments}");
        assert!(finished.stderr.contains(expected), "{arguments}: {}", finished.stderr);
        assert_eq!(finished.stderr.trim_end().lines().count(), 1, "{}", finished.stderr);
    }
}

//! Imports from outside: what they say, that they go on, and that what they write teaches as before.

use crate::{
    tables::{CATALOG, LOG, POLICY, QUICK},
    workbench::Workbench,
};
use polars::prelude::*;
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
    let bench = bench();
    let said =
        bench.done("import calls.ndjson --out log --score stars --html r.html --json r.json");
    assert!(said.contains("! the log has no score `stars`, which --score names"), "{said}");
    assert!(bench.text("r.html").contains("the log has no score"));
    let warnings = json!(["the log has no score `stars`, which --score names"]);
    assert_eq!(bench.json("r.json")["warnings"], warnings);
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
        "3 decisions do not say how likely their model was",
        "wrote 1 part into log; read it with --log log",
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

/// Lines of columns: a mistyped one that may be absent is told, and one that every call needs is refused.
#[test]
fn a_mistyped_column_of_lines_is_told_or_refused() {
    let bench = bench();
    let map = "[columns]\nid = \"id\"\nmodel = \"model\"\ntime = \"startTime\"\n\
               end_time = \"endTime\"\ncost_usd = \"respones_cost\"";
    bench.write("map.toml", map.as_bytes());
    let early = CALLS.replace("1767225601", "1767225599");
    bench.write("early.ndjson", early.as_bytes());
    let said =
        bench.done("import early.ndjson --out log --map map.toml --json r.json --html r.html");
    let note = "no row of early.ndjson has `respones_cost`, which the map names; where that is a \
                mistake, mend the map and import into another folder";
    assert!(said.contains(note), "{said}");
    assert!(said.contains("left out: an end before the beginning"), "{said}");
    let example = "early.ndjson, row 1: id `a`, 1000 ms earlier";
    assert!(said.contains(&format!("an end before the beginning: {example}")), "{said}");
    let report = bench.json("r.json");
    assert_eq!(report["files"][0]["columns_in_no_row"], json!(["respones_cost"]));
    let untrue = json!({"an end before the beginning": {"n": 1, "examples": [example]}});
    assert_eq!(report["untrue"], untrue);
    assert_eq!(report["warnings"], json!([note]));
    assert!(bench.text("r.html").contains("respones_cost"));
    bench.write("map.toml", map.replace("\"model\"", "\"modell\"").as_bytes());
    let finished = bench.run("import calls.ndjson --out other --map map.toml");
    assert_eq!(finished.code, Some(2), "{}", finished.stdout);
    let expected = "no row of `calls.ndjson` has the key `modell`, which the map names for the model of a \
                    call; the first has `";
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    assert_eq!(finished.stderr.trim_end().lines().count(), 1, "{}", finished.stderr);
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
        ("import calls.ndjson --out o --from litelm", "did you mean `litellm`?"),
        ("import calls.ndjson --out o --from helicone", "use --from litellm"),
        (
            "import none.ndjson --out o",
            "`none.ndjson` cannot be read: there is no such file; check the path",
        ),
        (
            "import calls.ndjson --out calls.ndjson",
            "cannot write into calls.ndjson: it is a file; name a folder",
        ),
        ("import calls.ndjson --out o --map map.toml --json map.toml", "is named twice"),
        ("import *.moon --out o", "no file matches `*.moon`"),
        ("import calls.ndjson --out o --map map.toml", "missing field `model`"),
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

#[test]
fn a_file_that_was_read_as_another_format_before_is_refused() {
    let bench = bench();
    bench.done("import calls.ndjson --out log --from litellm");
    let before = bench.files();
    let finished = bench.run("import calls.ndjson --out log --from helicone");
    assert_eq!(finished.code, Some(2), "{}", finished.stdout);
    let expected = "`calls.ndjson` was imported into `log` as litellm before, and --from helicone reads \
                    it otherwise; leave --from away, or name another folder";
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    assert_eq!(finished.stderr.trim_end().lines().count(), 1, "{}", finished.stderr);
    assert_eq!(bench.files(), before);
    for same in ["", " --from auto", " --from litellm"] {
        let said = bench.done(&format!("import calls.ndjson --out log{same}"));
        assert!(said.starts_with("nothing to do"), "{same}: {said}");
    }
}

/// A map of the columns of [`frame`].
const MAP: &str = r#"[columns]
id = "ref"
model = "chosen"
time = "at"
prompt = "said"
cost_usd = "usd"
input_tokens = "use.in"
propensity = "p"
candidates = "pool"

[scores]
quality = "stars"
"#;

/// Rows with a time, a conversation, a struct, a list and gaps.
fn frame(n_rows: i64) -> DataFrame {
    let ids: Vec<String> = (0..n_rows).map(|n| format!("r-{n}")).collect();
    let at: Vec<i64> = (0..n_rows).map(|n| 1_767_225_600_000_000 + n * 1_000_000).collect();
    let at = Series::new("at".into(), at);
    let at = at.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
    let said = |n: i64| {
        let role = Series::new("role".into(), ["user"]);
        let content = Series::new("content".into(), [format!("Question {n}?")]);
        StructChunked::from_series("".into(), 1, [role, content].iter()).unwrap().into_series()
    };
    let said: Vec<Series> = (0..n_rows).map(said).collect();
    let counts = Series::new("in".into(), (0..n_rows).map(|n| n + 3).collect::<Vec<i64>>());
    let used = StructChunked::from_series("use".into(), counts.len(), [counts].iter());
    let pool = Series::new("".into(), ["wren", "heron"]);
    let mut frame = df!(
        "ref" => ids,
        "chosen" => (0..n_rows).map(|n| ["wren", "heron"][usize::from(n % 3 == 0)]).collect::<Vec<_>>(),
        "said" => said,
        "usd" => (0..n_rows).map(|n| (n % 4 != 0).then_some(0.001)).collect::<Vec<Option<f64>>>(),
        "p" => vec![0.5; counts_of(n_rows)],
        "pool" => vec![pool; counts_of(n_rows)],
        "stars" => (0..n_rows).map(|n| n % 2 == 0).collect::<Vec<_>>(),
    )
    .unwrap();
    for column in [at, used.unwrap().into_series()] {
        frame.with_column(column.into_column()).unwrap();
    }
    frame
}

fn counts_of(n_rows: i64) -> usize {
    usize::try_from(n_rows).unwrap()
}

/// The same rows as lines of JSON.
fn lines(n_rows: i64) -> String {
    let line = |n: i64| {
        let mut row = json!({
            "ref": format!("r-{n}"), "chosen": (if n % 3 == 0 { "heron" } else { "wren" }),
            "at": 1_767_225_600 + n, "said": [{"role": "user", "content": format!("Question {n}?")}],
            "use": {"in": n + 3}, "p": 0.5, "pool": ["wren", "heron"], "stars": n % 2 == 0,
        });
        if n % 4 != 0 {
            row["usd"] = json!(0.001);
        }
        format!("{row}\n")
    };
    (0..n_rows).map(line).collect()
}

fn parquet(frame: &mut DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).with_row_group_size(Some(64)).finish(frame).unwrap();
    bytes
}

#[test]
fn columns_of_parquet_are_imported_as_lines_are() {
    let bench = Workbench::with(&[
        ("log.parquet", &parquet(&mut frame(200))),
        ("log.ndjson", lines(200).as_bytes()),
        ("map.toml", MAP.as_bytes()),
    ]);
    let said = bench.done("import log.parquet --map map.toml --out a --json r.json");
    assert!(said.contains("log.parquet") && said.contains("columns"), "{said}");
    bench.done("import log.ndjson --from columns --map map.toml --out b");
    let report = bench.json("r.json");
    assert_eq!((&report["n_kept"], &report["known"]["n_cost"]), (&json!(200), &json!(150)));
    assert_eq!(report["n_with_text"], json!(200));
    assert!(bench.read("a/part-00000.ndjson") == bench.read("b/part-00000.ndjson"));
    let again = bench.done("import log.parquet --map map.toml --out a");
    assert!(again.starts_with("nothing to do"), "{again}");
}

#[test]
fn parquet_that_cannot_be_imported_is_one_sentence() {
    let whole = parquet(&mut frame(50));
    let bench = Workbench::with(&[
        ("log.parquet", &whole),
        ("cut.parquet", &whole[..whole.len() - 20]),
        ("map.toml", MAP.as_bytes()),
        ("odd.toml", MAP.replace("\"usd\"", "\"price\"").as_bytes()),
    ]);
    for (arguments, expected) in [
        ("log.parquet", "`log.parquet` is Parquet, as its first bytes say"),
        ("log.parquet --from columns", "needs a map"),
        ("log.parquet --from litellm", "pass it with --map FILE"),
        ("cut.parquet --map map.toml", "`cut.parquet` is cut off"),
        ("log.parquet --map odd.toml", "`log.parquet` has no column `price`"),
    ] {
        let finished = bench.run(&format!("import {arguments} --out o"));
        assert_eq!(finished.code, Some(2), "{arguments}");
        assert!(finished.stderr.contains(expected), "{arguments}: {}", finished.stderr);
        assert_eq!(finished.stderr.trim_end().lines().count(), 1, "{}", finished.stderr);
    }
}

/// One export of six spans, two of which are calls; a score lies in one of them.
const SPANS: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
{"traceId":"t","spanId":"1","startTimeUnixNano":"1767225600000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"wren"}}],"events":[{"timeUnixNano":"1767225700000000000","name":"gen_ai.evaluation.result","attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"relevance"}},{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":0.8}}]}]},
{"traceId":"t","spanId":"2","startTimeUnixNano":"1767225600000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"wren"}}]},
{"traceId":"t","spanId":"3","startTimeUnixNano":"1767225600000000000","name":"GET /"},
{"traceId":"t","spanId":"4","startTimeUnixNano":"1767225600000000000","name":"GET /"},
{"traceId":"t","spanId":"5","startTimeUnixNano":"1767225600000000000","name":"GET /"},
{"traceId":"t","spanId":"6","startTimeUnixNano":"1767225600000000000","name":"GET /"}
]}]}]}"#;

/// Where a row holds many calls, shares are of what the rows hold.
#[test]
fn no_share_is_above_all() {
    let bench = Workbench::with(&[("spans.json", SPANS.as_bytes())]);
    let said = bench.done("import spans.json --out log --json r.json");
    let report = bench.json("r.json");
    assert_eq!((&report["n_rows"], &report["n_pieces"]), (&json!(1), &json!(7)));
    assert_eq!((&report["n_kept"], &report["n_kept_pieces"]), (&json!(1), &json!(3)));
    let shares = said.split(" %").filter_map(|text| text.rsplit(' ').next()?.parse::<f64>().ok());
    let shares: Vec<f64> = shares.collect();
    assert!(shares.contains(&57.1) && shares.contains(&42.9), "{said}");
    assert!(shares.iter().all(|share| *share <= 100.0), "{said}");
}

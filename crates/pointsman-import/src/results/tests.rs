use std::path::Path;

use super::*;

const BENCH: &str = r#"{"performance": 0.5, "time_taken": 3.5, "records": [
    {"index": 0, "origin_query": "Two and two?", "prompt": "Q: Two and two?", "prediction": "4",
     "score": 1.0, "prompt_tokens": 9, "completion_tokens": 2, "cost": 0.25, "raw_output": "4."},
    {"index": "b", "origin_query": "", "prompt": "Three?", "score": false, "cost": -1},
    {"index": 2, "prompt": "Four?", "score": null},
    {"index": 3, "score": 1},
    {"prompt": "Five?", "score": 1}
], "counts": {"error": 0}}"#;

fn origin() -> Origin {
    Origin::of_path(Path::new("results/bench/sums/test/small/20260101.json")).unwrap()
}

/// What is written, one line a row, and the counts.
fn lines(read: impl FnOnce(WriteRow<'_>) -> ResultCounts) -> (Vec<String>, ResultCounts) {
    let mut lines = Vec::new();
    let counts = read(&mut |row| {
        lines.push(serde_json::to_string(row)?);
        Ok(())
    });
    (lines, counts)
}

fn dropped(counts: &ResultCounts) -> Vec<(&'static str, u64)> {
    counts.dropped.iter().map(|(reason, n)| (reason.0, *n)).collect()
}

#[test]
fn result_files_become_rows_of_a_table() {
    let (lines, counts) = lines(|write| read_bench(BENCH.as_bytes(), &origin(), write).unwrap());
    assert_eq!(
        lines,
        [
            r#"{"prompt_id":"sums/test/0","prompt":"Two and two?","model":"small","quality":1.0,"cost_usd":0.25,"input_tokens":9,"output_tokens":2,"task":"sums","split":"test"}"#,
            r#"{"prompt_id":"sums/test/b","prompt":"Three?","model":"small","quality":0.0,"task":"sums","split":"test"}"#,
        ]
    );
    assert_eq!(counts.n_written, 2);
    assert_eq!(dropped(&counts), [("no index", 1), ("no prompt", 1), ("no score", 1)]);
}

#[track_caller]
fn check_refusal(text: &str, expected: &str) {
    let problem = read_bench(text.as_bytes(), &origin(), &mut |_| Ok(())).unwrap_err();
    assert!(problem.to_string().contains(expected), "{problem}");
}

#[test]
fn broken_result_files_get_a_sentence() {
    check_refusal("", "no result file with a list `records`: EOF");
    check_refusal("[]", "an object with `records`");
    check_refusal("{}", "missing field `records`");
    check_refusal("{\"records\": 3}", "a list of records");
    check_refusal("{\"records\": [3]}", "invalid type");
    check_refusal(BENCH.get(..300).unwrap(), "EOF while parsing");
    check_refusal("{\"records\": []} {}", "trailing characters");
    let mut full =
        |_: &TableRow<'_>| -> io::Result<()> { Err(io::Error::other("the disk is full")) };
    let problem = read_bench(BENCH.as_bytes(), &origin(), &mut full).unwrap_err();
    assert_eq!(problem.to_string(), "cannot write a row");
}

#[test]
fn folders_say_whose_results_they_are() {
    let Origin { dataset, split, model } = origin();
    assert_eq!([dataset, split, model], ["sums", "test", "small"]);
    for path in ["small/1.json", "/test/small/1.json", "1.json", ""] {
        let problem = Origin::of_path(Path::new(path)).unwrap_err();
        assert!(problem.to_string().contains("dataset/split/model"), "{path}: {problem}");
    }
}

#[test]
fn wide_rows_become_rows_of_a_table() {
    let columns = WideColumns::of_header(&[
        "sample_id",
        "prompt",
        "eval_name",
        "small",
        "large",
        "small|model_response",
        "small|total_cost",
        "large|total_cost",
        "oracle_model_to_route_to",
    ])
    .unwrap();
    let rows = [
        r#"{"sample_id":"s.1","prompt":"Hi","eval_name":"chat","small":"1.0","large":0.5,"small|total_cost":"0.125","large|total_cost":null}"#,
        r#"{"sample_id":null,"prompt":"Ho","small":"True","large":"none"}"#,
        r#"{"sample_id":"s.3","prompt":" ","small":1,"large":1}"#,
        "[]",
    ];
    let (lines, counts) = lines(|write| {
        let mut counts = ResultCounts::default();
        for (row, number) in rows.iter().zip(1..) {
            columns.read(row.as_bytes(), number, &mut counts, &mut *write).unwrap();
        }
        counts
    });
    assert_eq!(
        lines,
        [
            r#"{"prompt_id":"s.1","prompt":"Hi","model":"small","quality":1.0,"cost_usd":0.125,"task":"chat"}"#,
            r#"{"prompt_id":"s.1","prompt":"Hi","model":"large","quality":0.5,"task":"chat"}"#,
            r#"{"prompt_id":"row-2","prompt":"Ho","model":"small","quality":1.0}"#,
        ]
    );
    assert_eq!(counts.n_written, 3);
    assert_eq!(
        dropped(&counts),
        [("no prompt", 1), ("no score", 1), ("not a row of this format", 1)]
    );
}

#[track_caller]
fn check_models(header: &[&str], expected: &[&str]) {
    let columns = WideColumns::of_header(header).unwrap();
    assert_eq!(columns.models().collect::<Vec<_>>(), expected);
}

#[test]
fn columns_are_models_by_their_costs_or_by_what_is_left() {
    check_models(&["prompt", "a", "b", "note", "b|total_cost", "a|total_cost"], &["b", "a"]);
    check_models(&["id", "query", "task", "split", "a", "b", "a|model_response"], &["a", "b"]);
    let refused = |header: &[&str]| WideColumns::of_header(header).unwrap_err().to_string();
    assert!(refused(&["id", "a", "b"]).contains("no column `prompt`; its columns are id, a, b"));
    assert!(refused(&["prompt", "a", "id"]).contains("it has 1 column of models"));
    assert!(refused(&["prompt", "c|total_cost", "a"]).contains("it has 1 column of models"));
}

#[test]
fn files_are_told_apart_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let wide = folder.path().join("wide.csv");
    std::fs::write(&wide, "prompt,small,large\n\"Hi, you\",1,0.5\n").unwrap();
    let (mut lines, counts) = lines(|write| read_results(&wide, write).unwrap());
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            r#"{"prompt_id":"row-1","prompt":"Hi, you","model":"large","quality":0.5}"#,
            r#"{"prompt_id":"row-1","prompt":"Hi, you","model":"small","quality":1.0}"#,
        ]
    );
    assert_eq!(counts.n_written, 2);
    let deep = folder.path().join("sums/test/small");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("1.json"), BENCH).unwrap();
    let mut n_written = 0;
    let counts = read_results(&deep.join("1.json"), &mut |_| {
        n_written += 1;
        Ok(())
    });
    assert_eq!((counts.unwrap().n_written, n_written), (2, 2));
    for (name, text, expected) in [
        ("header.csv", "prompt,small,large\n", "it has no row"),
        ("one.csv", "prompt,small\nHi,1\n", "it has 1 column of models"),
        ("none.csv", "", "empty"),
        ("cut.json", "{\"records\": [", "no result file"),
    ] {
        let path = deep.join(name);
        std::fs::write(&path, text).unwrap();
        let problem = read_results(&path, &mut |_| Ok(())).unwrap_err().to_string();
        assert!(problem.contains(expected), "{name}: {problem}");
    }
    let cut = deep.join("cut.csv.gz");
    std::fs::write(&cut, [0x1f, 0x8b, 8, 0]).unwrap();
    let problem = read_results(&cut, &mut |_| Ok(())).unwrap_err().to_string();
    assert_eq!(problem, "it cannot be read to its end; copy it again");
}

//! What people get wrong ends in one sentence that says what to do, exit code 2, and nothing
//! written.

mod artifacts;
mod logs;
mod settings;
mod usage;

use usage::check_usage;

use crate::{
    tables::{CATALOG, LOG, POLICY, QUICK, TABLE, plain_csv, with_line},
    workbench::{Finished, Workbench, root},
};
use std::fs;

/// Runs a command that cannot work: one line of standard error, which holds `expected`, exit code
/// 2, nothing on standard output but what was read, and no file that was not there before.
#[track_caller]
fn check(arguments: &str, files: &[(&str, &[u8])], expected: &str) {
    check_request(arguments, b"", files, expected);
}

/// As [`check`], with something on standard input.
#[track_caller]
fn check_request(arguments: &str, stdin: &[u8], files: &[(&str, &[u8])], expected: &str) {
    let bench = Workbench::with(files);
    let before = bench.files();
    let Finished { code, stdout: _, stderr } = bench.run_with(arguments, stdin);
    assert_eq!(code, Some(2), "pointsman {arguments}\n{stderr}");
    assert!(
        stderr.contains(expected),
        "pointsman {arguments}\nfound    {stderr}expected {expected}"
    );
    let is_one_line = stderr.ends_with('\n') && stderr.lines().count() == 1;
    assert!(is_one_line && stderr.starts_with("pointsman: "), "pointsman {arguments}\n{stderr}");
    assert!(!stderr.contains(['\r', '\u{fffd}']), "pointsman {arguments}\n{stderr}");
    let after = bench.files();
    let names = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        files.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&before), names(&after), "pointsman {arguments} left something behind");
    assert!(before == after, "pointsman {arguments} changed a file");
}

/// Trains on a CSV table that is wrong in one line (the header is line 0).
#[track_caller]
fn check_line(number: usize, line: &str, expected: &str) {
    let csv = with_line(&plain_csv(), number, line);
    for command in ["train --table t.csv --out p.safetensors", "benchmark t.csv --json b.json"] {
        check(command, &[("t.csv", csv.as_bytes())], expected);
    }
    check("simulate --table t.csv --out l.ndjson", &[("t.csv", csv.as_bytes())], expected);
}

#[test]
fn tables_that_lack_something() {
    check_line(
        0,
        "prompt_id,prompt,llm,quality",
        "has no column `model`; its columns are prompt_id, prompt, llm, quality",
    );
    check_line(0, "prompt_id,prompt,model,score", "has no column `quality`");
    check_line(0, "prompt_id,text,model,quality", "has no column `prompt");
    check_line(0, "id,prompt,model,quality", "has no column `prompt_id`");
    let one_model: String = plain_csv()
        .lines()
        .filter(|line| !line.contains("owl"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let header_only = "prompt_id,prompt,model,quality\n";
    let few: String = plain_csv().lines().take(11).flat_map(|line| [line, "\n"]).collect();
    let no_quality: String =
        "prompt_id,prompt,model,quality\n".to_owned() + &"p1,Hi,fox,\n".repeat(9);
    for (csv, expected) in [
        (one_model.as_str(), "one model (`fox`); routing needs at least two"),
        (header_only, "is empty; a table or log needs at least one row"),
        ("", "is empty; a table or log needs at least one row"),
        (&no_quality, "none of the 9 rows in `t.csv` can be used: quality is null (9)"),
        (&few, "5 requests; learning a policy takes at least 20"),
    ] {
        check("train --table t.csv --out p.safetensors", &[("t.csv", csv.as_bytes())], expected);
    }
}

#[test]
fn a_column_that_is_nearly_there_is_named() {
    check_line(
        0,
        "prompt_id,prompt,model,qualty",
        "has no column `quality`; its columns are prompt_id, prompt, model, qualty; the nearest of them is \
         `qualty`",
    );
}

#[test]
fn points_that_cannot_be() {
    let csv = plain_csv();
    let files: [(&str, &[u8]); 2] = [("t.csv", csv.as_bytes()), ("t.ndjson", TABLE.as_bytes())];
    let costly = "train --table t.ndjson --buckets 12 --out p.safetensors";
    for (arguments, expected) in [
        (
            format!("{costly} --target-cost-share 0.0001"),
            "--target-cost-share 0.0001 is out of reach: by its weight on cost the policy costs from",
        ),
        (format!("{costly} --target-cost-share 900"), "--target-cost-share 900 is out of reach"),
        (format!("{costly} --max-quality-loss 2"), "it must be from 0.0001 to 0.5"),
        (format!("{costly} --strong-share 1.5"), "--strong-share 1.5: it must be from 0 to 1"),
        (format!("{costly} --strong-share 0.5 --strong me"), "--strong me: the data's models are"),
        (
            "train --table t.csv --out p.safetensors --target-cost-share 0.5".to_owned(),
            "--target-cost-share 0.5: costs are not known",
        ),
        (
            "benchmark t.ndjson --cold-start me".to_owned(),
            "--cold-start me: the table's models are",
        ),
        (
            "benchmark t.csv --cold-start fox".to_owned(),
            "with one other model there is nothing to route among",
        ),
    ] {
        check(&arguments, &files, expected);
    }
    check_usage("train --table t.csv --out p --strong fox", "--strong-share <SHARE>");
    check_usage(
        "train --table t.csv --out p --penalty 3 --strong-share 0.5",
        "cannot be used with",
    );
    check_usage("train --table t.csv --out p --prune 0.5 --prune-loss 0.1", "cannot be used with");
    check_usage("benchmark t.csv --prune 2", "`2` is no share of the terms");
    check_usage(
        "route --policy a.safetensors --newcomers some",
        "is none of never, stated and all",
    );
}

#[test]
fn values_that_cannot_be_right() {
    check_line(
        5,
        "p2,Question number 2,fox,1.5",
        "quality 1.5 of prompt `p2`, model `fox` (row 5) is outside [0, 1]",
    );
    check_line(
        5,
        "p2,Question number 2,fox,-0.1",
        "quality -0.1 of prompt `p2`, model `fox` (row 5)",
    );
    check_line(5, "p2,Question number 2,fox,7", "pass --quality-range 0..10 if that is its scale");
    check_line(
        5,
        "p2,Question number 2,fox,NaN",
        "quality NaN of prompt `p2`, model `fox` (row 5)",
    );
    check_line(
        5,
        "p2,Question number 2,fox,inf",
        "quality inf of prompt `p2`, model `fox` (row 5)",
    );
    check_line(5, "p2,Question number 2,fox,good", "`good`");
    let row = r#"{"prompt_id":"p1","prompt":"Hi","model":"fox","quality":1.5}"#;
    for (row, expected) in [
        (row.to_owned(), "quality 1.5 of prompt `p1`, model `fox` (row 3)"),
        (row.replace("1.5", "\"good\""), "holds `\"good\"` in row 3; it has to be a number"),
        (
            row.replace("1.5", "1,\"cost_usd\":-1"),
            "cost_usd -1 of prompt `p1`, model `fox` (row 3)",
        ),
        (row.replace("1.5", "1,\"output_tokens\":1.5"), "column `output_tokens`"),
        (row.replace("\"Hi\"", "17"), "column `prompt`"),
        ("{\"prompt_id\":".to_owned(), "row 3 is not a JSON object"),
        ("[1]".to_owned(), "row 3 is not a JSON object"),
    ] {
        let table = with_line(&TABLE, 2, &row);
        let files: [(&str, &[u8]); 1] = [("t.ndjson", table.as_bytes())];
        check("train --table t.ndjson --out p.safetensors", &files, expected);
    }
}

#[test]
fn files_that_are_no_tables() {
    let csv = plain_csv();
    let mut latin = csv.clone().into_bytes();
    let at = csv.find("number 3,").unwrap();
    latin[at] = 0xe9;
    let parquet = fs::read(root().join("datasets/sample/outcomes.parquet")).unwrap();
    let cut = &parquet[..parquet.len() / 2];
    let mut hollow = parquet[..parquet.len() / 2].to_vec();
    hollow.extend_from_slice(&parquet[parquet.len() - 8..]);
    let files: [(&str, &[u8]); 8] = [
        ("latin.csv", &latin),
        ("cut.parquet", cut),
        ("hollow.parquet", &hollow),
        ("csv.parquet", csv.as_bytes()),
        ("empty.parquet", b""),
        ("magic.parquet", b"PAR1"),
        ("table.xlsx", b"PK\x03\x04"),
        ("log.csv", csv.as_bytes()),
    ];
    for (source, expected) in [
        ("--table latin.csv", "`latin.csv` is not UTF-8"),
        ("--table cut.parquet", "`cut.parquet` is cut off: a Parquet file ends in `PAR1`"),
        ("--table hollow.parquet", "`hollow.parquet` is damaged"),
        ("--table csv.parquet", "`csv.parquet` is not a Parquet file"),
        ("--table empty.parquet", "`empty.parquet` is empty"),
        ("--table magic.parquet", "`magic.parquet` is cut off"),
        ("--table table.xlsx", "neither Parquet, CSV nor NDJSON"),
        ("--table none.csv", "no file matches `none.csv`"),
        ("--table *.orc", "no file matches `*.orc`"),
        ("--table .", "is a folder; pass its files"),
        ("--log log.csv", "is CSV, which cannot hold a traffic log"),
        ("--log cut.parquet", "`cut.parquet` is cut off"),
        ("--log none.ndjson", "no file matches `none.ndjson`"),
    ] {
        check(&format!("train {source} --out p.safetensors"), &files, expected);
    }
}

#[test]
fn tables_and_logs_taken_for_each_other() {
    let files: [(&str, &[u8]); 3] =
        [("t.ndjson", TABLE.as_bytes()), ("l.ndjson", LOG.as_bytes()), ("a.safetensors", &POLICY)];
    check("train --table l.ndjson --out p.safetensors", &files, "has no column `prompt_id`");
    check(
        "train --log t.ndjson --out p.safetensors",
        &files,
        "`t.ndjson` holds a record that cannot be read",
    );
    check(
        "train --table a.safetensors --out p.safetensors",
        &files,
        "neither Parquet, CSV nor NDJSON",
    );
    check("inspect t.ndjson", &files, "not a Pointsman policy file");
}

/// A reader of other people's making words its refusal at length; ours is one sentence.
#[test]
fn csv_that_does_not_hold_together() {
    check_line(5, "p2,Question, number 2,fox,1", "`t.csv`");
    check_line(5, "p2,\"Question number 2,fox,1", "`t.csv`");
}

#[test]
fn catalogs_that_do_not_fit() {
    let without_heron = CATALOG.replace("heron-large", "egret-large");
    let files: [(&str, &[u8]); 6] = [
        ("t.ndjson", TABLE.as_bytes()),
        ("l.ndjson", LOG.as_bytes()),
        ("a.safetensors", &POLICY),
        ("c.toml", without_heron.as_bytes()),
        ("broken.toml", b"[[models]\nid = 1"),
        ("empty.toml", b""),
    ];
    let missing = "model `heron-large` of the data is not in the catalog; add it there";
    for (arguments, expected) in [
        ("train --table t.ndjson --catalog c.toml --out p.safetensors", missing),
        ("train --log l.ndjson --catalog c.toml --out p.safetensors", missing),
        (
            "evaluate --table t.ndjson --policy a.safetensors --catalog c.toml --html r.html",
            "model `heron-large` of the policy is not in the catalog",
        ),
        ("route --policy a.safetensors --catalog c.toml", "`heron-large`"),
        ("route --policy a.safetensors --catalog broken.toml", "broken.toml"),
        ("route --policy a.safetensors --catalog empty.toml", "empty.toml"),
        ("route --policy a.safetensors --catalog none.toml", "cannot read none.toml"),
    ] {
        check_request(arguments, b"Hello", &files, expected);
    }
}

#[test]
fn requests_that_cannot_be_read() {
    let files: [(&str, &[u8]); 1] = [("a.safetensors", &POLICY)];
    let cases: [(&[u8], &str); 10] = [
        (b"", "standard input is empty; send a prompt, or a chat body in JSON"),
        (b" \n\t", "standard input is empty"),
        (b"caf\xe9", "standard input is not UTF-8 text"),
        (b"{\"messages\": [{\"role\": \"user\", \"content\": \"caf\xe9\"}]}", "standard input: "),
        (b"{", "standard input: "),
        (b"{\"messages\": []}", "standard input: "),
        (b"{\"messages\": [{\"role\": \"king\", \"content\": \"Hi\"}]}", "standard input: "),
        (b"{\"prompt\": \"Hi\", \"max_tokens\": -1}", "standard input: "),
        (b"{\"prompt\": \"Hi\", \"models\": [\"nobody\"]}", "no model may answer this request: "),
        (b"{\"prompt\": \"Hi\", \"models\": [\"nobody\"]}", "the policy has no model `nobody`"),
    ];
    for (stdin, expected) in cases {
        check_request("route --policy a.safetensors --json d.json", stdin, &files, expected);
    }
}

#[test]
fn an_old_file_outlives_a_failed_run() {
    let csv = with_line(&plain_csv(), 5, "p2,Question number 2,fox,1.5");
    let files: [(&str, &[u8]); 3] =
        [("t.csv", csv.as_bytes()), ("p.safetensors", b"old"), ("l.parquet", b"old")];
    check("train --table t.csv --out p.safetensors", &files, "quality 1.5");
    check("simulate --table t.csv --out l.parquet", &files, "quality 1.5");
}

#[test]
fn folders_of_outputs_that_are_files() {
    let files: [(&str, &[u8]); 1] = [("plain", b"old")];
    for (arguments, expected) in [
        ("man --out plain", "cannot write into plain: it is a file; name a folder"),
        ("man --out plain/man1", "cannot write into plain/man1: plain is no folder"),
        ("compact journal --out plain", "cannot write into plain: it is a file"),
        ("demo --out plain", "cannot write into plain: it is a file"),
    ] {
        check(arguments, &files, expected);
    }
}

#[test]
fn a_scale_is_applied_where_it_is_given() {
    let csv: String = plain_csv()
        .lines()
        .map(|line| line.replace(",1", ",10") + "\n")
        .collect::<String>()
        .replace(",100", ",10");
    let bench = Workbench::with(&[("t.csv", csv.as_bytes())]);
    bench.done(&format!("train --table t.csv --quality-range 0..10 --out p.safetensors {QUICK}"));
}

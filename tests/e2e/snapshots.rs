//! What people read, word for word. `INSTA_UPDATE=always cargo test -p pointsman-tests` accepts a
//! change; the diff of `tests/snapshots` is then part of the review.

use crate::{
    tables::{CATALOG, LOG, N_REQUESTS, POLICY, QUICK, TABLE, outcomes},
    workbench::Workbench,
};

const COMMANDS: [&str; 19] = [
    "demo",
    "simulate",
    "train",
    "benchmark",
    "evaluate",
    "gate",
    "ope",
    "replay",
    "compact",
    "forget",
    "catalog",
    "import",
    "results",
    "route",
    "serve",
    "config",
    "inspect",
    "completions",
    "man",
];

#[track_caller]
pub(crate) fn check(name: &str, text: &str) {
    let settings = {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings
    };
    settings.bind(|| insta::assert_snapshot!(name, without_digests(text)));
}

/// The text with every SHA-256 in it left out: it says nothing to the reader of a diff.
fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut readable = String::new();
    for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        readable +=
            &if is_digest(word) { piece.replace(word, "<sha256>") } else { piece.to_owned() };
    }
    readable
}

#[test]
fn help() {
    let bench = Workbench::new();
    check("help", &bench.done("--help"));
    for command in COMMANDS {
        check(&format!("help-{command}"), &bench.done(&format!("{command} --help")));
    }
}

#[test]
fn what_commands_say() {
    let later = outcomes(N_REQUESTS..N_REQUESTS + 300);
    let bench = Workbench::with(&[
        ("table.ndjson", TABLE.as_bytes()),
        ("later.ndjson", later.as_bytes()),
        ("log.ndjson", LOG.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
    ]);
    bench.done("simulate --table later.ndjson --seed 5 --out later-log.ndjson");
    for (name, arguments) in [
        ("simulate", "simulate --table table.ndjson --seed 3 --out new.ndjson".to_owned()),
        ("train-on-a-table", format!("train --table table.ndjson --out new.safetensors {QUICK}")),
        (
            "train-on-a-log",
            format!("train --log log.ndjson --catalog catalog.toml --out new.safetensors {QUICK}"),
        ),
        ("benchmark", "benchmark table.ndjson".to_owned()),
        (
            "evaluate-on-a-table",
            "evaluate --table later.ndjson --policy policy.safetensors".to_owned(),
        ),
        (
            "evaluate-on-a-log",
            "evaluate --log later-log.ndjson --policy policy.safetensors".to_owned(),
        ),
        ("inspect", "inspect policy.safetensors".to_owned()),
    ] {
        check(name, &bench.done(&arguments));
    }
    let routed = bench.run_with(
        "route --policy policy.safetensors --catalog catalog.toml --explain",
        b"Fix this function so that it compiles:\n```rust\nfn f(v: &Vec<u8>) -> u8 { v[0] }\n```",
    );
    assert_eq!(routed.code, Some(0), "{}", routed.stderr);
    check("route", &routed.stdout);
}

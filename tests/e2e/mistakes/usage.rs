//! Command lines that cannot be understood.

use crate::{
    tables::{POLICY, plain_csv},
    workbench::{Finished, Workbench},
};

/// A command line that cannot be understood: one line of standard error, exit code 2 and nothing
/// written.
#[track_caller]
pub(super) fn check_usage(arguments: &str, expected: &str) {
    let csv = plain_csv();
    let bench = Workbench::with(&[("t.csv", csv.as_bytes()), ("a.safetensors", &POLICY)]);
    let Finished { code, stdout: _, stderr } = bench.run(arguments);
    assert_eq!(code, Some(2), "pointsman {arguments}\n{stderr}");
    assert!(
        stderr.contains(expected),
        "pointsman {arguments}\nfound    {stderr}expected {expected}"
    );
    let is_one_line = stderr.starts_with("pointsman: ") && stderr.lines().count() == 1;
    assert!(is_one_line, "pointsman {arguments}\n{stderr}");
    assert_eq!(bench.files().len(), 2, "pointsman {arguments} left something behind");
}

#[test]
fn flags_that_do_not_exist() {
    for (arguments, expected) in [
        (
            "train --table t.csv --quality-range 10..0 --out p.safetensors",
            "is not a range; write it as 0..10",
        ),
        (
            "train --table t.csv --quality-range 5 --out p.safetensors",
            "is not a range; write it as 0..10",
        ),
        ("train --table t.csv --frobnicate --out p.safetensors", "--frobnicate"),
        ("train --table t.csv", "--out"),
        ("train --out p.safetensors", "--table"),
        ("train --table t.csv --log t.csv --out p.safetensors", "cannot be used with"),
        ("route --policy a.safetensors --explore thompson", "is no explorer; write greedy"),
        ("route --policy a.safetensors --lambda 1 --min-quality 0.5", "cannot be used with"),
        ("benchmark t.csv --learner forest", "is no learner"),
        ("simulate --table t.csv --logger thompson --out l.ndjson", "is none of softmax"),
        ("benchmark", "<TABLE>"),
        ("config --listen localhost:8787", "`localhost:8787` is no IP address with a port; write"),
        ("teleport", "`pointsman` has no command `teleport`"),
        ("catalog shwo", "did you mean `show`?"),
        ("route --polcy a.safetensors", "did you mean `--policy`?"),
        ("route --policy", "`--policy <FILE>` has no value"),
        ("route --policy a.safetensors --policy a.safetensors", "is given more than once"),
    ] {
        check_usage(arguments, expected);
    }
}

#[test]
fn flags_of_a_log_are_refused_beside_a_table() {
    for flag in ["quality-metric stars", "candidates-by none", "smallest-propensity 0.1"] {
        let name = flag.split(' ').next().unwrap_or_default();
        let refusal = format!("`--table <FILE>...` cannot be used with `--{name} <");
        check_usage(&format!("evaluate --table t.csv --policy a.safetensors --{flag}"), &refusal);
        check_usage(&format!("train --table t.csv --out p.safetensors --{flag}"), &refusal);
    }
    check_usage(
        "evaluate --table t.csv --policy a.safetensors --width 0.1",
        "cannot be used with `--width <QUALITY>`",
    );
    for flags in ["--min-quality-delta 0", "--max-cost-delta 0 --largest-cost-usd 1"] {
        let name = flags.split(' ').next().unwrap_or_default();
        let refusal = format!("cannot be used with `{name} <");
        check_usage(&format!("replay --table t.csv {flags}"), &refusal);
    }
    check_usage(
        "train --table t.csv --out p.safetensors --doubly-robust",
        "cannot be used with `--doubly-robust`",
    );
    check_usage(
        "evaluate --log t.csv --policy a.safetensors --answers t.csv",
        "`--log <FILE>...` cannot be used with `--answers <FILE>...`",
    );
}

#[test]
fn nothing_at_all_shows_the_help() {
    let Finished { code, stdout, stderr } = Workbench::new().run("");
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("Usage: pointsman"), "{stderr}");
}

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
fn nothing_at_all_shows_the_help() {
    let Finished { code, stdout, stderr } = Workbench::new().run("");
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("Usage: pointsman"), "{stderr}");
}

//! Settings that have no meaning.

use super::{check, check_request};
use crate::tables::{LOG, POLICY, TABLE, plain_csv};

#[test]
fn policies_that_cannot_be_learned_so() {
    let csv = plain_csv();
    for (flags, expected) in [
        ("--prune 1.5", "--prune 1.5: it must be from 0 to 1"),
        ("--prune-loss nan", "--prune-loss NaN: it must be from 0 to 1"),
        ("--schema-version 3", "--schema-version 3: there are the versions 1 and 2"),
    ] {
        let arguments = format!("train --table t.csv {flags} --out p.safetensors");
        check(&arguments, &[("t.csv", csv.as_bytes())], expected);
    }
}

#[test]
fn settings_of_reward_models_that_have_no_meaning() {
    let files: [(&str, &[u8]); 3] =
        [("t.ndjson", TABLE.as_bytes()), ("a.safetensors", &POLICY), ("l.ndjson", LOG.as_bytes())];
    for (arguments, expected) in [
        (
            "evaluate --table t.ndjson --policy a.safetensors --reward-model cross-fitted",
            "--reward-model cross-fitted is for a log",
        ),
        (
            "evaluate --log l.ndjson --policy a.safetensors --reward-model cross-fitted \
             --reward-folds 1",
            "--reward-folds: 1 is not from 2 to 50",
        ),
        (
            "evaluate --log l.ndjson --policy a.safetensors --largest-cost-usd 0",
            "--largest-cost-usd: 0 is not a finite number above 0",
        ),
        (
            "train --log l.ndjson --doubly-robust --loss logistic --out p.safetensors",
            "leave out --loss logistic",
        ),
    ] {
        check(arguments, &files, expected);
    }
}

#[test]
fn settings_that_have_no_meaning() {
    let csv = plain_csv();
    let files: [(&str, &[u8]); 4] = [
        ("t.csv", csv.as_bytes()),
        ("t.ndjson", TABLE.as_bytes()),
        ("a.safetensors", &POLICY),
        ("l.ndjson", LOG.as_bytes()),
    ];
    for (arguments, expected) in [
        ("train --table t.csv --buckets 30 --out p.safetensors", "--buckets: "),
        ("train --table t.csv --buckets 7 --out p.safetensors", "--buckets: "),
        ("train --table t.csv --penalty 0 --out p.safetensors", "--penalty: a regularisation of 0"),
        (
            "train --table t.csv --penalty nan --out p.safetensors",
            "--penalty: a regularisation of NaN",
        ),
        ("train --table t.csv --out .", "cannot write"),
        ("train --table t.csv --out t.csv/p.safetensors", "cannot write t.csv/p.safetensors"),
        (
            "train --log l.ndjson --catalog a.safetensors --out p.safetensors",
            "a.safetensors is not text; a catalog is TOML or JSON",
        ),
        (
            "simulate --table t.csv --out l.txt",
            "does not say what to write; end it in .ndjson or .parquet",
        ),
        ("simulate --table t.csv --out t.csv/l.ndjson", "cannot write t.csv/l.ndjson: t.csv is no"),
        ("simulate --table t.csv --temperature 0 --out m.ndjson", "--temperature 0: "),
        ("simulate --table t.csv --epsilon 1.5 --out m.ndjson", "--epsilon 1.5: "),
        (
            "simulate --table t.csv --train-of 9 --out m.ndjson",
            "part 9 is asked for, but the table has parts 0 to 4",
        ),
        (
            "route --policy a.safetensors --objective cheap",
            "`cheap` is no operating point of the policy (",
        ),
        (
            "route --policy a.safetensors --newcomers all",
            "--newcomers all: newcomers are models of a catalog; pass --catalog",
        ),
        ("route --policy a.safetensors --lambda=-1", "--lambda: "),
        ("route --policy a.safetensors --lambda -1", "--lambda: "),
        ("route --policy a.safetensors --lambda nan", "--lambda: "),
        ("route --policy a.safetensors --min-quality 2", "--min-quality: "),
        ("route --policy a.safetensors --max-cost-usd=-1", "--max-cost-usd: "),
        ("route --policy a.safetensors --draw 1.5", "--draw: "),
        ("route --policy none.safetensors", "cannot read none.safetensors"),
        (
            "evaluate --table t.csv --policy a.safetensors --json e.json",
            "of which the table has no outcomes on most prompts",
        ),
        (
            "evaluate --table t.ndjson --policy a.safetensors --json e.json",
            "pass --include-trained",
        ),
        ("evaluate --table t.ndjson --policy a.safetensors --confidence 1.5", "--confidence: "),
        (
            "evaluate --table t.ndjson --policy t.csv --md e.md",
            "t.csv: this is not a Pointsman policy file",
        ),
        ("benchmark t.csv ./t.csv --json b.json", "two tables are called `t`"),
        ("demo --sample none --out reports", "none"),
    ] {
        check_request(arguments, b"Hello", &files, expected);
    }
}

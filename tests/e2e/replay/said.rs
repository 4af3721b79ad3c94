//! What replays and what-if questions say, and what cannot be replayed.

use super::{FLAGS, log_before, replayed};
use crate::{
    snapshots::check,
    tables::{CATALOG, LOG, N_REQUESTS, POLICY, TABLE, outcomes},
    workbench::{Finished, Workbench, command},
};
use serde_json::Value;

#[test]
fn what_a_replay_says() {
    let log = log_before(6);
    let bench = Workbench::with(&[("log.ndjson", log.as_bytes()), ("t.ndjson", TABLE.as_bytes())]);
    let said = bench.done(&format!(
        "replay --log log.ndjson {FLAGS} --retrain 2 --memory 3d --against frozen --html r.html"
    ));
    check("replay-a-log", &said);
    let page = bench.text("r.html");
    assert!(page.contains("<svg") && page.contains("polygon") && !page.contains("http://"));
    let said = bench.done(&format!("replay --table t.ndjson --window 100 {FLAGS} --html t.html"));
    check("replay-a-table", &said);
    let finished = bench.run(&format!("replay --log log.ndjson {FLAGS}"));
    assert!(
        finished.stderr.contains("fits, held-out rows asked how to learn before 3 of them"),
        "{}",
        finished.stderr
    );
    assert!(!finished.stdout.contains("processor"), "{}", finished.stdout);
}

#[test]
fn tables_know_what_was_missed() {
    let times: Vec<String> =
        (0..N_REQUESTS).map(|place| (place * 60_000).to_string() + "\n").collect();
    let times = times.concat();
    let bench = Workbench::with(&[("t.ndjson", TABLE.as_bytes()), ("a.csv", times.as_bytes())]);
    let table = format!("replay --table t.ndjson {FLAGS}");
    let by_rows = replayed(&bench, &format!("{table} --window 60 --against penalty=30"));
    let by_time =
        replayed(&bench, &format!("{table} --window 1h --arrivals a.csv --against penalty=30"));
    assert_eq!(by_rows["total"], by_time["total"]);
    assert_eq!(by_time["windows"][0]["begins"], "1970-01-01 01:00");
    let total = &by_rows["total"];
    let of = |key: &str| total["regret"][key]["value"].as_f64().unwrap();
    assert!(of("to_best_single") <= of("to_oracle"), "{total}");
    assert!(0.0 <= of("to_oracle") && total["against_logged"].is_null(), "{total}");
    assert!(by_rows["windows"][0]["gate"].is_null());
    let by_lot = replayed(&bench, &format!("{table} --window 60 --shuffle --seed 3"));
    assert_ne!(by_lot["total"]["quality"], total["quality"]);
    let few: String = times.lines().take(300).flat_map(|line| [line, "\n"]).collect();
    bench.write("few.csv", few.as_bytes());
    let fewer = replayed(&bench, &format!("{table} --window 1h --arrivals few.csv"));
    assert!(fewer["notes"].to_string().contains("left out: 100 prompts"), "{fewer}");
}

#[test]
fn what_if_changes_what_is_asked_and_says_what_cannot_be_known() {
    let later = outcomes(N_REQUESTS..N_REQUESTS + 600);
    let bench = Workbench::with(&[
        ("later.ndjson", later.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
    ]);
    bench.done("simulate --table later.ndjson --logger uniform --seed 5 --out log.ndjson");
    let evaluate = "evaluate --log log.ndjson --policy policy.safetensors --catalog catalog.toml \
                    --lambda 10 --json e.json";
    let report = |flags: &str| {
        bench.done(&format!("{evaluate} {flags}"));
        bench.json("e.json")
    };
    let cost = |report: &Value| report["values"][0]["cost_usd"].as_f64().unwrap();
    let (plain, free) = (report(""), report("--price tern-mini=0/0 --price heron-large=0/0"));
    assert!(cost(&free) < cost(&plain), "{free}");
    let without = report(
        "--without heron-large --without crane-reason --without kestrel-code \
         --without plover-lingua",
    );
    assert_ne!(without["values"][0]["value"], plain["values"][0]["value"]);
    let twin = report("--with new:like=heron-large --price new=0/0");
    let warnings = twin["warnings"].to_string();
    assert!(warnings.contains("counts at its worst"), "{warnings}");
    assert_eq!(twin["verdict"]["kind"], "cannot_tell");
    let mix = report("--traffic sql=3");
    let width = |report: &Value| {
        let end = |end: &str| report["values"][0][end].as_f64().unwrap();
        end("upper") - end("lower")
    };
    assert!(width(&plain) < width(&mix), "{mix}");
    assert!(mix["warnings"].to_string().contains("fewer rows make wider intervals"), "{mix}");
    let replay = replayed(
        &bench,
        "replay --log log.ndjson --catalog catalog.toml --window 200 --buckets 12 \
         --without heron-large --latency harbour=900 --traffic sql=2",
    );
    let notes = replay["notes"].to_string();
    assert!(notes.contains("on every deny list") && notes.contains("requests make up"), "{notes}");
}

#[test]
fn a_replay_without_room_for_its_features_says_so() {
    let bench = Workbench::with(&[("log.ndjson", LOG.as_bytes())]);
    let arguments = "replay --log log.ndjson --buckets 12 --window 100";
    let mut replay = command(arguments.split(' '));
    replay.env("TMPDIR", "/there/is/none").current_dir(bench.path(""));
    let output = replay.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let expected =
        "features cannot be set aside in /there/is/none; name a folder with room in TMPDIR";
    assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{stderr}");
}

/// A replay that cannot be: one sentence, exit code 2.
#[track_caller]
fn refused(arguments: &str, expected: &str) {
    let bench = Workbench::with(&[
        ("log.ndjson", LOG.as_bytes()),
        ("t.ndjson", TABLE.as_bytes()),
        ("empty.ndjson", b""),
        ("bad.csv", b"ts\nsoon\n"),
        ("catalog.toml", CATALOG.as_bytes()),
        ("p.safetensors", &POLICY),
    ]);
    let Finished { code, stdout: _, stderr } = bench.run(arguments);
    assert_eq!(code, Some(2), "{arguments}\n{stderr}");
    assert!(stderr.contains(expected), "{arguments}\nfound    {stderr}expected {expected}");
    assert_eq!(stderr.lines().count(), 1, "{arguments}\n{stderr}");
}

/// Where every model is ruled out, that is what is said, and not that rows are missing.
#[test]
fn whoever_rules_all_models_out_is_told_so() {
    let names =
        ["tern-mini", "wren-lite", "kestrel-code", "plover-lingua", "heron-large", "crane-reason"];
    let nobody = names.map(|name| format!(" --without {name}")).concat();
    let of_policy =
        format!("--policy p.safetensors --catalog catalog.toml --include-trained{nobody}");
    for (arguments, expected) in [
        (
            format!(
                "replay --log log.ndjson --buckets 12 --window 100 --catalog catalog.toml{nobody}"
            ),
            "a policy had no eligible model; rule fewer out",
        ),
        (
            format!("evaluate --log log.ndjson {of_policy}"),
            "decisions are left to evaluate on: a policy has no eligible model for",
        ),
        (
            format!("evaluate --table t.ndjson {of_policy}"),
            "prompts are left to evaluate on: a policy has no eligible model for",
        ),
    ] {
        refused(&arguments, expected);
    }
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let log = "replay --log log.ndjson --buckets 12";
    let table = "replay --table t.ndjson --buckets 12";
    for (arguments, expected) in [
        ("replay --log empty.ndjson".to_owned(), "is empty"),
        (format!("{log} --window 1w"), "`1w` is no stretch; write days, hours or minutes"),
        (format!("{log} --window 0"), "is no stretch"),
        (format!("{log} --window 1d"), "makes 1 window of"),
        (format!("{log} --window 10 --memory 5"), "could be decided"),
        (format!("{table} --window 1d"), "not every row says when it came"),
        (format!("{table} --window 100 --memory 3d"), "--memory 3d: not every row says"),
        (format!("{table} --window 1h --arrivals bad.csv"), "line 2 begins with `soon`"),
        (format!("{log} --window 100 --retrain 0"), "is no number of windows above 0"),
        (format!("{log} --window 100 --against thawed"), "`thawed` changes nothing; write frozen"),
        (
            format!("{table} --window 100 --against doubly-robust"),
            "--against: `doubly-robust` is about a log; leave it out",
        ),
        (
            format!("{log} --window 100 --without nobody"),
            "--without nobody: there is no such model",
        ),
        (format!("{log} --window 100 --without tern-mni"), "did you mean `tern-mini`?"),
        (format!("{log} --window 100 --traffic nothing=2"), "no request has that task"),
        (format!("{log} --window 100 --price tern-mini=1/2"), "give one with --catalog"),
        (format!("{log} --window 100 --max-mb 3"), "a replay writes none"),
        (format!("{log} --window 100 --most-rows 0"), "nothing would be learned from"),
        (
            format!("{log} --window 100 --select-every 0"),
            "write 1 to ask held-out rows at each fit",
        ),
        (format!("{log} --window 100 --largest-cost-usd 0.0000001"), "a decision cost"),
        (format!("{log} --window 100 --min-quality-delta 1"), "is not between -1 and 1"),
        (format!("{log} --window 100 --objective best"), "`best` is no operating point"),
        (
            format!("{table} --window 100 --catalog catalog.toml --with a:like=tern-mini"),
            "a table has no outcome of a model that nobody tried",
        ),
    ] {
        refused(&arguments, expected);
    }
}

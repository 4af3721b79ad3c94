//! Replays in which prices change on a day, or are asked to be others: a log of two models, of which
//! the better one becomes dear.

use crate::{replay::replayed, workbench::Workbench};
use pointsman_testkit::{Draws, Stream};
use serde_json::{Value, json};
use std::fmt::Write as _;

const DAY_MS: u64 = 86_400_000;
const START_MS: u64 = 1_767_225_600_000;
const PER_DAY: u64 = 200;
const N_DAYS: u64 = 9;
/// From this day on the owl costs a hundred times as much.
const CHANGE: u64 = 5;
const FLAGS: &str = "--buckets 12 --lambda 10";

/// Whether costs are logged.
#[derive(Clone, Copy, PartialEq)]
enum Costs {
    Logged,
    Unknown,
}

/// A log by a uniform logger: the owl answers seven in ten well, the fox four.
fn log(costs: Costs) -> String {
    let mut log = String::new();
    for index in 0..N_DAYS * PER_DAY {
        let mut draws = Draws::keyed(3, Stream::Logging, &[index]);
        let (name, success) = if draws.chance(0.5) { ("owl", 0.7) } else { ("fox", 0.4) };
        let quality = if draws.chance(success) { 1.0 } else { 0.0 };
        let (day, place) = (index / PER_DAY, index % PER_DAY);
        let ts_ms = START_MS + day * DAY_MS + place * 400_000;
        let words = ["north", "south", "east", "west", "up", "down", "left", "right", "here"];
        let text = format!("Which way is {} of {}?", draws.choice(&words), draws.choice(&words));
        let cost = match costs {
            Costs::Logged => json!({"value": 0.002, "source": "bill"}),
            Costs::Unknown => Value::Null,
        };
        let decision = json!({
            "v": 1, "kind": "decision", "id": format!("d{index}"), "ts_ms": ts_ms,
            "tags": {"task": if place % 4 == 0 { "maps" } else { "chat" }},
            "request": {"messages": [{"role": "user", "content": text}]},
            "candidates": [
                {"model": "fox", "probability": 0.5}, {"model": "owl", "probability": 0.5},
            ],
            "drawn": name,
            "propensity": {"value": 0.5, "kind": "exact"},
            "policy": {"name": "uniform"},
        });
        let mut outcome = json!({
            "v": 1, "kind": "outcome", "decision_id": format!("d{index}"), "ts_ms": ts_ms,
            "status": "ok", "served_model": name, "usage": {"input": 1000, "output": 1000},
            "metrics": [{"name": "quality", "value": quality}],
        });
        if !cost.is_null() {
            outcome["cost_usd"] = cost;
        }
        writeln!(log, "{decision}\n{outcome}").unwrap();
    }
    log
}

/// A catalog in which the owl has these prices; the fox has one dollar per million tokens.
fn catalog(owl: &str) -> String {
    let endpoint = |id: &str, provider: &str, prices: &str| {
        format!(
            "[[models]]\nid = \"{id}\"\n[[models.endpoints]]\nprovider = \"{provider}\"\n\
             ttft_ms = 100.0\ntokens_per_second = 1000.0\n{prices}\n"
        )
    };
    endpoint("fox", "den", &prices(1.0)) + &endpoint("owl", "wood", owl)
}

fn prices(dollars: f64) -> String {
    format!("input_usd_per_million = {dollars:?}\noutput_usd_per_million = {dollars:?}")
}

/// The owl costs a dollar until the sixth of January, and then a hundred.
fn dated() -> String {
    let (now, before) = (prices(100.0), prices(1.0));
    format!("{now}\nsince = \"2026-01-06\"\n[[models.endpoints.history]]\n{before}")
}

fn workbench() -> Workbench {
    Workbench::with(&[
        ("log.ndjson", log(Costs::Logged).as_bytes()),
        ("dated.toml", catalog(&dated()).as_bytes()),
        ("old.toml", catalog(&prices(1.0)).as_bytes()),
        ("new.toml", catalog(&prices(100.0)).as_bytes()),
    ])
}

/// The values of the window of a day.
fn values(replay: &Value, day: u64) -> &Value {
    let all = replay["windows"].as_array().unwrap();
    &all.iter().find(|row| row["number"] == day + 1).unwrap()["values"]
}

/// Before the change a window is what it would be if the old prices had always held, and from then on
/// what it would be if the new ones had; `how` says how policies are learned.
#[track_caller]
fn check_days(how: &str) {
    let bench = workbench();
    let with = |catalog: &str| {
        replayed(&bench, &format!("replay --log log.ndjson --catalog {catalog} {FLAGS} {how}"))
    };
    let (dated, old, new) = (with("dated.toml"), with("old.toml"), with("new.toml"));
    for day in 1..N_DAYS {
        let expected = if day < CHANGE { &old } else { &new };
        assert_eq!(values(&dated, day), values(expected, day), "{how}: day {day}");
        assert_ne!(values(&old, day)["quality"], values(&new, day)["quality"], "{how}: day {day}");
    }
    let notes = dated["notes"].to_string();
    assert!(notes.contains("each window is decided at those of the day"), "{notes}");
    assert!(!old["notes"].to_string().contains("of the day"), "{old}");
}

#[test]
fn windows_are_decided_at_the_prices_of_their_day() {
    check_days("--retrain 1");
}

/// A policy that stays is put to work anew where prices change.
#[test]
fn a_policy_that_stays_meets_the_prices_of_the_day() {
    check_days("--retrain never");
    check_days("--retrain 3 --select-every 2");
}

#[test]
fn costs_that_were_not_logged_are_counted_at_the_prices_of_their_day() {
    let bench = workbench();
    bench.write("free.ndjson", log(Costs::Unknown).as_bytes());
    let replay =
        replayed(&bench, &format!("replay --log free.ndjson --catalog dated.toml {FLAGS}"));
    let logged = |day| values(&replay, day)["logged_cost_usd"].as_f64().unwrap();
    assert!((logged(CHANGE - 1) - 0.002).abs() < 1e-9, "{}", logged(CHANGE - 1));
    // Half of the draws are the owl's, at twenty cents.
    assert!((0.07..0.13).contains(&logged(CHANGE)), "{}", logged(CHANGE));
    let notes = replay["notes"].to_string();
    assert!(notes.contains("1,800 decisions have no logged cost"), "{notes}");
}

#[test]
fn rows_without_a_time_have_the_latest_prices() {
    let bench = workbench();
    let log = bench.text("log.ndjson");
    let lines = log.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record["ts_ms"] = json!(0);
        format!("{record}\n")
    });
    bench.write("timeless.ndjson", lines.collect::<String>().as_bytes());
    let with = |catalog: &str| {
        let log = "replay --log timeless.ndjson --window 200";
        replayed(&bench, &format!("{log} --catalog {catalog} {FLAGS}"))
    };
    let (dated, new) = (with("dated.toml"), with("new.toml"));
    assert_eq!(dated["windows"], new["windows"]);
    assert!(dated["notes"].to_string().contains("do not say when they came"), "{dated}");
}

/// Every flag of what if: what is said, and whether the total is another.
#[test]
fn every_what_if_is_answered_with_intervals_and_what_nobody_can_know() {
    let bench = workbench();
    let with = |flags: &str| {
        replayed(
            &bench,
            &format!("replay --log log.ndjson --catalog old.toml --buckets 12 {flags}"),
        )
    };
    let plain = with("--lambda 10");
    for (flags, said) in [
        ("--lambda 10 --price owl=500/500", "at other lengths, nobody can know"),
        ("--lambda 10 --without owl", "on every deny list"),
        ("--lambda 10 --with kite:like=owl --price kite=0/0", "counts at its worst"),
        ("--lambda 10 --latency wood=60000 --per-second 0.1", "the log cannot know"),
        ("--lambda 10 --traffic maps=2", "learned from the traffic as it was logged"),
    ] {
        let replay = with(flags);
        assert!(replay["notes"].to_string().contains(said), "{flags}: {}", replay["notes"]);
        for row in replay["windows"].as_array().unwrap().iter().chain([&replay]) {
            for values in [&row["values"], &row["so_far"], &row["total"]] {
                let quality = &values["quality"];
                if quality.is_null() {
                    continue;
                }
                let end = |end: &str| quality[end].as_f64().unwrap();
                assert!(0.0 <= end("lower") && end("lower") < end("upper"), "{flags}: {quality}");
                assert!(end("upper") <= 1.0, "{flags}: {quality}");
            }
        }
        assert_ne!(replay["total"]["quality"], plain["total"]["quality"], "{flags}");
    }
    for point in ["quality", "economy", "balanced"] {
        let replay = with(&format!("--objective {point}"));
        assert_eq!(replay["settings"][0]["objective"], point);
    }
    // What goes to a model that nobody tried is worth nothing for certain, and at most everything.
    let twin = with("--lambda 10 --with kite:like=owl --price kite=0/0");
    let total = &twin["total"];
    let share = total["unsupported_share"].as_f64().unwrap();
    let end = |end: &str| total["quality"][end].as_f64().unwrap();
    assert!(0.5 < share, "{total}");
    assert!(0.8 * share < end("upper") - end("lower"), "{total}");
    assert!(twin["policies"].as_array().unwrap().iter().all(|it| it["gate"]["verdict"] != "ship"));
}

/// A policy that only ever takes the worse model is held, on all rows that it decided.
#[test]
fn policies_that_a_gate_would_have_held_are_named() {
    let bench = workbench();
    let arguments = "replay --log log.ndjson --buckets 12 --without owl --retrain 4 --html r.html";
    let said = bench.done(arguments);
    assert!(said.contains("a gate would have held 2 of 2 policies"), "{said}");
    assert!(said.contains("before windows 2 (2026-01-02 00:00), 6 (2026-01-06 00:00)"), "{said}");
    assert!(said.contains("by policy, on all requests that each decided:"), "{said}");
    let page = bench.text("r.html");
    assert!(page.contains("a gate would have held 2 of 2 policies"), "{page}");
    assert!(page.contains("anytime-valid"), "{page}");
    let replay = replayed(&bench, arguments);
    let policies = replay["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 2);
    for policy in policies {
        assert_eq!(policy["gate"]["verdict"], "hold", "{policy}");
        assert_eq!((&policy["n_windows"], &policy["n_decided"]), (&json!(4), &json!(800)));
    }
    let good = replayed(&bench, "replay --log log.ndjson --buckets 12 --lambda 0");
    assert!(good["policies"].as_array().unwrap().iter().all(|it| it["gate"]["verdict"] != "hold"));
}

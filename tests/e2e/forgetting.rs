//! A subject is forgotten: what is said, what is left, and what is refused.

use crate::{
    journals::line,
    served::{Connection, Served},
    snapshots::check,
    tables::{CATALOG, POLICY},
    workbench::Workbench,
};
use pointsman_log::journal::{Journal, Settings};
use serde_json::{Value, json};
use std::fs;

/// A decision of a conversation, by one of two people.
fn decision(id: &str, (session, user): (&str, &str)) -> Value {
    json!({"v": 1, "kind": "decision", "id": id, "ts_ms": 1_000_000, "session_id": session,
        "tenant": "app", "tags": {"user": user, "desk": "north"}, "request": {"messages":
        [{"role": "user", "content": format!("Hello {id}")}]},
        "candidates": [{"model": "a", "probability": 0.5}, {"model": "b", "probability": 0.5}],
        "drawn": "a", "propensity": {"value": 0.5, "kind": "exact"}, "policy": {"name": "p"}})
}

fn step(id: &str, previous: &str) -> Value {
    let mut step = decision(id, ("s-1", "ann"));
    (step["step"], step["previous"]) = (json!(1), json!(previous));
    step
}

fn outcome(id: &str) -> Value {
    json!({"v": 1, "kind": "outcome", "decision_id": id, "ts_ms": 1_000_001, "status": "ok",
        "metrics": [{"name": "quality", "value": 0.5}]})
}

/// A journal of three segments: Ann's conversations are `s-1` and `s-3`, Ben's is `s-2`.
fn bench() -> Workbench {
    let (ann, ben) = (("s-1", "ann"), ("s-2", "ben"));
    let segments = [
        vec![decision("first", ann), decision("second", ben), outcome("first")],
        vec![step("after", "first"), decision("last", ("s-3", "ann"))],
        vec![outcome("after"), outcome("last"), outcome("second")],
    ];
    let bench = Workbench::new();
    fs::create_dir(bench.path("journal")).unwrap();
    for (number, records) in (1..).zip(segments) {
        let text: String = records.iter().map(line).collect();
        bench.write(&format!("journal/journal-{number:08}.ndjson"), text.as_bytes());
    }
    bench
}

/// Everything in the folders of the journal and of what was made of it.
fn everything(bench: &Workbench) -> String {
    let mut all = String::new();
    for folder in ["journal", "flat"] {
        let Ok(entries) = fs::read_dir(bench.path(folder)) else { continue };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            all += &format!("{}\n", path.file_name().unwrap().to_str().unwrap());
            all += &String::from_utf8_lossy(&fs::read(path).unwrap());
            all.push('\n');
        }
    }
    all
}

#[test]
fn what_a_subject_left_is_taken_out_and_said() {
    let bench = bench();
    let before = everything(&bench);
    let ann = "forget --journal journal --metadata user=ann";
    check("forget-dry-run", &bench.done(&format!("{ann} --dry-run --json foreseen.json")));
    assert_eq!(everything(&bench), before);
    check("forget", &bench.done(&format!("{ann} --json said.json")));
    let (mut foreseen, said) = (bench.json("foreseen.json"), bench.json("said.json"));
    assert_eq!(said["emptied"], json!([2]));
    foreseen["dry_run"] = json!(false);
    assert_eq!(foreseen, said);
    let left = [line(&decision("second", ("s-2", "ben"))), line(&outcome("second"))];
    assert_eq!(bench.text("journal/journal-00000001.ndjson"), left[0]);
    assert_eq!(bench.text("journal/journal-00000002.ndjson"), "");
    assert_eq!(bench.text("journal/journal-00000003.ndjson"), left[1]);
    let after = everything(&bench);
    for gone in ["first", "after", "last", "ann", "s-1", "s-3"] {
        assert!(!after.contains(gone), "{gone} is still there");
    }
    check("forget-nobody", &bench.done(ann));
    assert_eq!(
        bench.done("compact journal --out flat").lines().next(),
        Some("read 1 decision in 1 segment; 1 has an outcome")
    );
}

#[test]
fn compacting_again_forgets_too() {
    let bench = bench();
    bench.done("compact journal --out flat");
    let names = |bench: &Workbench| -> Vec<String> {
        let all = everything(bench);
        let names = all.lines().filter(|name| name.ends_with(".parquet"));
        names.map(ToOwned::to_owned).collect()
    };
    assert_eq!(names(&bench), ["journal-00000001.parquet", "journal-00000002.parquet"]);
    bench.done("forget --journal journal --session s-1");
    // What is left of the second segment is the last decision; then nothing.
    let said = bench.done("compact journal --out flat");
    assert!(said.contains("read 2 decisions in 2 segments"), "{said}");
    assert!(said.contains("wrote 2 files into flat, left 0 "), "{said}");
    bench.done("forget --journal journal --decision last");
    let said = bench.done("compact journal --out flat --json said.json");
    assert!(
        said.ends_with("removed 1 file, of segments that hold no decision any more\n"),
        "{said}"
    );
    assert_eq!(bench.json("said.json")["n_removed"], 1);
    assert_eq!(names(&bench), ["journal-00000001.parquet"]);
    assert!(!bench.text("flat/compacted.json").contains("\"2\""));
    assert_eq!(bench.json("said.json")["n_decisions"], 1);
}

#[test]
fn subjects_are_narrowed_by_each_flag() {
    let n_of = |flags: &str| {
        let bench = bench();
        bench.done(&format!("forget --journal journal {flags} --dry-run --json said.json"));
        let said = bench.json("said.json");
        ["n_decisions", "n_steps", "n_outcomes"].map(|key| said["forgotten"][key].as_u64().unwrap())
    };
    for (flags, expected) in [
        ("--tenant app", [3, 1, 4]),
        ("--tenant other", [0, 0, 0]),
        ("--session s-1", [1, 1, 2]),
        ("--session s-3 --tenant app", [1, 0, 1]),
        ("--session s-1 --metadata user=ben", [0, 0, 0]),
        ("--metadata user=ann desk=north", [2, 1, 3]),
        ("--metadata desk=", [0, 0, 0]),
        ("--decision first", [1, 1, 2]),
        ("--decision after last nobody", [1, 1, 2]),
        ("--decision first second --session s-2", [1, 0, 1]),
    ] {
        assert_eq!(n_of(flags), expected, "{flags}");
    }
}

#[test]
fn what_cannot_be_forgotten_is_said() {
    let bench = bench();
    let before = everything(&bench);
    for (arguments, expected) in [
        ("forget --journal journal", "`pointsman forget` needs `--decision <ID>"),
        ("forget --journal journal", "` or `--tenant <NAME>` or `--metadata <KEY=VALUE>"),
        ("forget --session s-1", "`pointsman forget` needs `--journal <FOLDER>`"),
        ("forget --journal journal --metadata user", "`user` has no equals sign; write it as KEY"),
        (
            "forget --journal journal --metadata user=ann user=ben",
            "--metadata user: no call has both `ann` and `ben` there; forget the one and then the",
        ),
        (
            "forget --journal nowhere --session s-1",
            "`nowhere` is no journal: there is no journal-00000001.ndjson or later segment in it",
        ),
        (
            "forget --journal journal --session s-1 --json journal",
            "journal is named twice, and would be",
        ),
        ("forget --journal journal --session s-1 --session s-2", "is given more than once"),
        ("forget --journal journal --user ann", "`pointsman forget` has no flag `--user`"),
    ] {
        let finished = bench.run(arguments);
        assert_eq!(finished.code, Some(2), "{arguments}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{arguments}: {}", finished.stderr);
        assert_eq!(finished.stderr.lines().count(), 1, "{arguments}: {}", finished.stderr);
    }
    assert_eq!(everything(&bench), before);
    assert!(!bench.path("nowhere").exists());
}

#[test]
fn nothing_is_forgotten_under_a_writer() {
    let bench = bench();
    let (journal, _) = Journal::open(&bench.path("journal"), Settings::default()).unwrap();
    let finished = bench.run("forget --journal journal --session s-1");
    let expected = format!(
        "pointsman: the journal `journal` is being written by process {}; stop that one first, or \
         name another folder\n",
        std::process::id()
    );
    assert_eq!((finished.code, finished.stderr), (Some(2), expected));
    let said = bench.done("forget --journal journal --session s-1 --dry-run");
    assert!(said.contains("would forget 1 decision, 1 step, 2 outcomes: "), "{said}");
    drop(journal);
    bench.done("forget --journal journal --session s-1");
}

#[test]
fn damage_is_kept_and_said() {
    let bench = bench();
    let path = bench.path("journal/journal-00000003.ndjson");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    let damaged = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    bytes.extend_from_slice(br#"{"v":1,"kind":"outc"#);
    fs::write(&path, &bytes).unwrap();
    let said = bench.done("forget --journal journal --metadata user=ann");
    assert!(
        said.starts_with(
            "opening the journal cut 19 bytes of an unfinished record off 1 of its segments"
        ),
        "{said}"
    );
    assert!(said.contains("\nkept 1 damaged line; nobody can say whose\n"), "{said}");
    let left = [&bytes[..=damaged], line(&outcome("second")).as_bytes()].concat();
    assert!(fs::read(&path).unwrap() == left);
}

/// What the service writes is found by what callers sent.
#[test]
fn what_a_service_wrote_is_found() {
    let bench =
        Workbench::with(&[("catalog.toml", CATALOG.as_bytes()), ("policy.safetensors", &POLICY)]);
    let serve = "--policy policy.safetensors --catalog catalog.toml --journal journal";
    let mut served = Served::start(&bench.path(""), serve);
    let mut caller = Connection::open(served.callers).unwrap();
    let mut ids = Vec::new();
    for (session, user) in [("s-1", "ann"), ("s-2", "ben"), ("s-1", "ann"), ("s-3", "ann")] {
        let call = json!({"prompt": "Hello", "session_id": session, "metadata": {"user": user}});
        let reply = caller.done("/route", &call);
        ids.push(reply["decision_id"].as_str().unwrap().to_owned());
        caller.done("/outcome", &json!({"decision_id": ids.last(), "quality": 0.5}));
    }
    let refused = bench.run("forget --journal journal --session s-1");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("is being written by process "), "{}", refused.stderr);
    served.kill();
    let said = bench.done("forget --journal journal --session s-1");
    assert!(said.contains("\nforgot 2 decisions, 0 steps, 2 outcomes: "), "{said}");
    let said = bench.done("forget --journal journal --metadata user=ann");
    assert!(said.contains("\nforgot 1 decision, 0 steps, 1 outcome: "), "{said}");

    let served = Served::start(&bench.path(""), serve);
    let mut caller = Connection::open(served.callers).unwrap();
    for (id, is_there) in ids.iter().zip([false, true, false, false]) {
        let outcome = json!({"decision_id": id, "quality": 0.5}).to_string();
        let (status, reply) = caller.post("/outcome", &outcome).unwrap();
        assert_eq!(status, if is_there { 200 } else { 404 }, "{reply}");
    }
}

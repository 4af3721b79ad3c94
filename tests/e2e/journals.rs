//! Journals from outside: compacted, trained on, damaged, and outcomes in every disorder.

use crate::{
    tables::{CATALOG, LOG, POLICY, QUICK, TABLE},
    workbench::Workbench,
};
use pointsman_core::{
    artifact::Artifact,
    features::{Bigrams, Extractor, FeatureSchema},
};
use pointsman_log::{
    journal::{Journal, Settings},
    ndjson,
    record::{FeaturesRecord, Record, RequestRecord},
};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, path::Path};

/// Appends the records of an NDJSON log to the journal `journal`, in small segments.
fn append(bench: &Workbench, log: &str) {
    let settings = Settings { segment_bytes: 100_000, ..Settings::default() };
    let (journal, _) = Journal::open(&bench.path("journal"), settings).unwrap();
    for record in ndjson::read(log.as_bytes()) {
        match record.unwrap() {
            Record::Decision(decision) => _ = journal.append_decision(&decision).unwrap(),
            Record::Outcome(outcome) => _ = journal.append_outcome(&outcome).unwrap(),
        }
    }
    journal.close().unwrap();
}

fn bench() -> Workbench {
    let bench = Workbench::with(&[
        ("table.ndjson", TABLE.as_bytes()),
        ("log.ndjson", LOG.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
    ]);
    append(&bench, &LOG);
    bench
}

/// A record as a line of a journal, after the format's own page.
pub(crate) fn line(record: &Value) -> String {
    let json = record.to_string();
    let body = json.strip_suffix('}').unwrap();
    let crc = !body.bytes().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    });
    format!("{body},\"crc\":\"{crc:08x}\"}}\n")
}

fn segments(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

#[test]
fn a_journal_teaches_what_its_records_and_its_parquet_teach() {
    let bench = bench();
    let said = bench.done("compact journal --out flat");
    assert!(said.starts_with("read 400 decisions in "), "{said}");
    assert!(said.contains("read 400 outcomes: 400 joined\nwrote "), "{said}");
    assert!(2 < segments(&bench.path("journal"), "ndjson").len());
    for (log, out) in [("log.ndjson", "a"), ("journal", "b"), ("flat/*.parquet", "c")] {
        bench.done(&format!(
            "train --log {log} --catalog catalog.toml --name p --out {out}.safetensors {QUICK}"
        ));
    }
    assert!(bench.read("a.safetensors") == bench.read("b.safetensors"));
    assert!(bench.read("a.safetensors") == bench.read("c.safetensors"));
    let evaluate = |log: &str| {
        bench.done(&format!("evaluate --log {log} --policy policy.safetensors --include-trained"))
    };
    assert_eq!(evaluate("journal"), evaluate("log.ndjson"));
}

/// The log with a conversation for every few decisions; and the same with features in the place of
/// texts. Without conversations groups would be others, and with them the folds.
fn with_and_without_text(schema: FeatureSchema) -> [String; 2] {
    let mut extractor = Extractor::new(schema);
    let (mut with_text, mut without_text) = (String::new(), String::new());
    for (number, line) in LOG.lines().enumerate() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record["kind"] == "decision" {
            record["session_id"] = json!(format!("s-{}", number / 4));
        }
        writeln!(with_text, "{record}").unwrap();
        if record["kind"] == "decision" {
            let request: RequestRecord = serde_json::from_value(record["request"].clone()).unwrap();
            let features = extractor.extract(&request.to_request().unwrap());
            let features = Some(FeaturesRecord::of(schema, &features));
            let request = RequestRecord { messages: None, features, ..request };
            record["request"] = serde_json::to_value(&request).unwrap();
        }
        writeln!(without_text, "{record}").unwrap();
    }
    assert!(!without_text.contains("\"messages\""));
    [with_text, without_text]
}

/// The same weights to the bit, from features of the policy's schema and of one with more buckets.
/// The cards differ in the digest of the data alone, and with it the ids of the training rows.
#[test]
fn features_teach_what_their_texts_teach() {
    for log2_buckets in [12, 18] {
        let schema = FeatureSchema::new(log2_buckets, Bigrams::With).unwrap();
        let [with_text, without_text] = with_and_without_text(schema);
        let bench = Workbench::with(&[
            ("text.ndjson", with_text.as_bytes()),
            ("features.ndjson", without_text.as_bytes()),
            ("catalog.toml", CATALOG.as_bytes()),
            ("policy.safetensors", &POLICY),
        ]);
        let learned = |log: &str| {
            bench.done(&format!(
                "train --log {log}.ndjson --catalog catalog.toml --name p --out {log}.safetensors {QUICK}"
            ));
            Artifact::from_bytes(bench.read(&format!("{log}.safetensors"))).unwrap()
        };
        let (text, features) = (learned("text"), learned("features"));
        assert!(text.scorer().parts() == features.scorer().parts(), "2^{log2_buckets} buckets");
        let mut card = features.card().clone();
        assert_ne!(card.provenance.data_digest, text.card().provenance.data_digest);
        card.provenance.data_digest.clone_from(&text.card().provenance.data_digest);
        assert_eq!(&card, text.card());
        let evaluate = |log: &str| {
            bench.done(&format!(
                "evaluate --log {log}.ndjson --policy policy.safetensors --include-trained \
                 --slices length"
            ))
        };
        assert_eq!(evaluate("text"), evaluate("features"));
    }
}

#[test]
fn a_journal_of_features_teaches_what_its_records_and_its_parquet_teach() {
    let [_, without_text] = with_and_without_text(FeatureSchema::default());
    let bench = Workbench::with(&[
        ("log.ndjson", without_text.as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
    ]);
    append(&bench, &without_text);
    bench.done("compact journal --out flat");
    for (log, out) in [("log.ndjson", "a"), ("journal", "b"), ("flat/*.parquet", "c")] {
        bench.done(&format!(
            "train --log {log} --catalog catalog.toml --name p --out {out}.safetensors {QUICK}"
        ));
    }
    assert!(bench.read("a.safetensors") == bench.read("b.safetensors"));
    assert!(bench.read("a.safetensors") == bench.read("c.safetensors"));
}

#[test]
fn features_of_another_schema_are_refused_in_a_sentence() {
    let words = FeatureSchema::new(12, Bigrams::Without).unwrap();
    let [_, without_text] = with_and_without_text(words);
    let bench = Workbench::with(&[
        ("log.ndjson", without_text.as_bytes()),
        ("policy.safetensors", &POLICY),
    ]);
    let refused = |arguments: &str, expected: &str| {
        let finished = bench.run(arguments);
        assert_eq!(finished.code, Some(2), "{arguments}");
        let stderr = finished.stderr.replace('\n', " ");
        assert!(stderr.contains(expected), "{arguments}\n{stderr}");
    };
    let train = "train --log log.ndjson --out p.safetensors";
    refused(
        train,
        "the request has features and no text, of the schema 2-12-words and not 2-18-pairs (400); \
         ask for the schema of the records with --buckets, --words-only and --schema-version",
    );
    refused(&format!("{train} --words-only"), "of the schema 2-12-words and not 2-18-words (400)");
    refused(
        "evaluate --log log.ndjson --policy policy.safetensors --include-trained",
        "of the schema 2-12-words and not 2-12-pairs (400)",
    );
    refused(
        "evaluate --log log.ndjson --policy policy.safetensors --include-trained \
         --estimate-propensities",
        "the request has features and no text (400)",
    );
    bench.done(&format!("{train} --words-only --buckets 12"));
    let dictionary = "--words-only --buckets 12 --dictionary words.json";
    refused(&format!("{train} {dictionary}"), "--dictionary");
}

#[test]
fn compacting_again_writes_only_what_has_changed() {
    let bench = bench();
    bench.done("compact journal --out flat");
    let files = |bench: &Workbench| -> Vec<_> {
        segments(&bench.path("flat"), "parquet")
            .iter()
            .map(|path| fs::read(path).unwrap())
            .collect()
    };
    let before = files(&bench);
    let said = bench.done("compact journal --out flat --json said.json");
    assert!(said.contains("wrote 0 files into flat, left "), "{said}");
    assert!(files(&bench) == before);

    // A grade for the first decision, and one file that was cut off.
    let first: Value = serde_json::from_str(LOG.lines().next().unwrap()).unwrap();
    let grade = json!({"v": 1, "kind": "outcome", "decision_id": first["id"], "ts_ms": u64::MAX / 2,
        "status": "ok", "metrics": [{"name": "liked", "value": 1.0, "scope": "request"}]});
    append(&bench, &format!("{grade}\n"));
    fs::remove_file(&segments(&bench.path("flat"), "parquet")[1]).unwrap();
    bench.done("compact journal --out flat --json said.json");
    let said = bench.json("said.json");
    assert_eq!((&said["n_written"], &said["outcomes"]["n_late"]), (&json!(2), &json!(1)));
    let after = files(&bench);
    assert!(after[0] != before[0] && after[1..] == before[1..]);
}

#[test]
fn a_damaged_record_is_passed_over_and_said() {
    let bench = bench();
    let path = &segments(&bench.path("journal"), "ndjson")[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[40] ^= 1;
    fs::write(path, bytes).unwrap();
    for command in [
        format!("train --log journal --out p.safetensors {QUICK}"),
        "evaluate --log journal --policy policy.safetensors --include-trained".to_owned(),
        "compact journal --out flat".to_owned(),
    ] {
        let said = bench.done(&command);
        assert!(said.contains("passed over in the journal: 1 damaged line"), "{command}\n{said}");
        let n_read = ["399 decisions", "399 logged decisions"];
        assert!(n_read.iter().any(|n_read| said.contains(n_read)), "{command}\n{said}");
    }
}

#[test]
fn outcomes_in_every_disorder_are_joined_and_counted() {
    let decision = |id: &str| {
        json!({"v": 1, "kind": "decision", "id": id, "ts_ms": 1_000_000, "request": {"messages":
            [{"role": "user", "content": format!("Hello {id}")}]},
            "candidates": [{"model": "a", "probability": 0.5}, {"model": "b", "probability": 0.5}],
            "drawn": "a", "propensity": {"value": 0.5, "kind": "exact"}, "policy": {"name": "p"}})
    };
    let outcome = |id: &str, ts_ms: u64, quality: f64| {
        json!({"v": 1, "kind": "outcome", "decision_id": id, "ts_ms": ts_ms, "status": "ok",
            "metrics": [{"name": "quality", "value": quality}]})
    };
    let two_days_later = 1_000_000 + 48 * 3_600_000;
    let first = [
        outcome("early", 1_000_001, 0.5),
        decision("early"),
        decision("plain"),
        outcome("plain", 1_000_005, 0.25),
        outcome("plain", 1_000_009, 0.25), // says the same, later
        outcome("plain", 1_000_002, 0.75), // contradicts, but is older
        decision("late"),
        decision("pending"),
        outcome("unknown", 1_000_001, 1.0),
    ];
    let second = [outcome("late", two_days_later, 1.0), decision("last"), outcome("last", 1, 0.0)];
    let bench = Workbench::new();
    fs::create_dir(bench.path("journal")).unwrap();
    for (name, records) in [("00000001", &first[..]), ("00000002", &second[..])] {
        let text: String = records.iter().map(line).collect();
        bench.write(&format!("journal/journal-{name}.ndjson"), text.as_bytes());
    }
    let said = bench.done("compact journal --out flat --json said.json");
    assert!(said.contains("1 left out, since its decision is not in the journal"), "{said}");
    let said = bench.json("said.json");
    assert_eq!((&said["n_decisions"], &said["n_with_outcome"]), (&json!(5), &json!(4)));
    assert_eq!(
        said["outcomes"],
        json!({"n_read": 7, "n_joined": 5, "n_unknown": 1, "n_repeated": 1, "n_conflicting": 1,
            "n_before_decision": 1, "n_out_of_order": 1, "n_late": 1})
    );
}

#[test]
fn what_is_no_journal_or_no_table_is_said() {
    let bench = bench();
    fs::create_dir(bench.path("empty")).unwrap();
    for (arguments, expected) in [
        (
            "compact empty --out flat",
            "`empty` is no journal: there is no journal-00000001.ndjson or later segment in it",
        ),
        ("compact nowhere --out flat", "`nowhere` is no journal"),
        ("compact journal --out flat --late-after -1", "it must be a number of hours"),
        ("compact journal --out ./journal", "that is the journal itself; name another folder"),
        ("train --log empty --out p.safetensors", "`empty` is a folder; pass its files"),
        (
            "train --table journal --out p.safetensors",
            "`journal` is a journal, which is a traffic log and no table; pass it with --log",
        ),
    ] {
        let finished = bench.run(arguments);
        assert_eq!(finished.code, Some(2), "{arguments}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{arguments}: {}", finished.stderr);
        assert_eq!(finished.stderr.lines().count(), 1, "{arguments}: {}", finished.stderr);
    }
    assert!(!bench.path("flat").exists());
}

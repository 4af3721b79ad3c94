use std::{collections::BTreeMap, fs};

use pointsman_core::{
    features::{Bigrams, Extractor, FeatureSchema},
    request::{Capabilities, Request},
};
use pointsman_log::record::{
    CandidateRecord, CostRecord, DecisionRecord, FeaturesRecord, MessageRecord, MetricRecord,
    OutcomeRecord, PolicyRecord, PropensityRecord, Record, RequestRecord, RoleRecord, Scope,
    Status, UsageRecord,
};
use polars::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::writer::LogWriter;

mod trajectories;

fn candidate(model: &str, probability: f64) -> CandidateRecord {
    CandidateRecord {
        model: model.to_owned(),
        probability,
        quality: None,
        cost_usd: None,
        latency_ms: None,
        excluded_by: None,
    }
}

fn decision(id: &str) -> DecisionRecord {
    DecisionRecord {
        id: id.to_owned(),
        ts_ms: 1_767_225_600_000,
        session_id: None,
        turn: None,
        tenant: None,
        tags: BTreeMap::new(),
        request: RequestRecord {
            messages: Some(vec![MessageRecord {
                role: RoleRecord::User,
                content: format!("Hello {id}"),
            }]),
            ..RequestRecord::default()
        },
        candidates: vec![candidate("small", 0.75), candidate("large", 0.25)],
        drawn: "small".to_owned(),
        propensity: PropensityRecord { value: Some(0.75), kind: PropensityKind::Exact },
        draw: Some(0.5),
        keep_prob: None,
        objective: None,
        policy: PolicyRecord { name: "test".to_owned(), digest: None },
        decision_ns: None,
        step: None,
        previous: None,
        spent_usd: None,
        answer: None,
    }
}

pub(super) fn outcome(id: &str, quality: Option<f64>) -> OutcomeRecord {
    let metric = |value| MetricRecord {
        name: "quality".to_owned(),
        value,
        source: None,
        scope: Scope::Request,
    };
    OutcomeRecord {
        decision_id: id.to_owned(),
        ts_ms: 1_767_225_601_000,
        served_model: None,
        provider: None,
        status: Status::Ok,
        fallback_from: None,
        usage: UsageRecord { input: Some(12), output: Some(34), ..UsageRecord::default() },
        cost_usd: Some(CostRecord { value: 0.002, source: "provider".to_owned() }),
        latency_ms: Some(250.0),
        ttft_ms: None,
        metrics: quality.map(metric).into_iter().collect(),
    }
}

/// One of each kind of row: kept, failed, and every reason to drop one.
fn mixed() -> Vec<(DecisionRecord, Option<OutcomeRecord>)> {
    let with = |id: &str, edit: &dyn Fn(&mut DecisionRecord, &mut OutcomeRecord)| {
        let (mut decision, mut outcome) = (decision(id), outcome(id, Some(0.5)));
        edit(&mut decision, &mut outcome);
        (decision, Some(outcome))
    };
    vec![
        with("plain", &|_, _| {}),
        with("rich", &|d, o| {
            d.session_id = Some("s-1".to_owned());
            d.tags = BTreeMap::from([("task".to_owned(), "a \"b\"".to_owned())]);
            d.request.tools = 2;
            d.request.modalities = vec!["image".to_owned()];
            d.request.max_tokens = Some(99);
            d.request.input_tokens = Some(7);
            d.request.messages.as_mut().unwrap().insert(
                0,
                MessageRecord { role: RoleRecord::System, content: "Be brief.".to_owned() },
            );
            d.candidates = vec![
                candidate("tiny", 0.25),
                candidate("small", 0.75),
                CandidateRecord { excluded_by: Some("tools".to_owned()), ..candidate("old", 0.0) },
            ];
            o.usage.input = None;
            o.served_model = Some("small".to_owned());
        }),
        with("failed", &|_, o| (o.status, o.metrics) = (Status::Failed, Vec::new())),
        with("failover", &|_, o| o.served_model = Some("large".to_owned())),
        with("ungraded", &|_, o| o.metrics.clear()),
        with("no-text", &|d, _| d.request.messages = None),
        with("greedy", &|d, _| d.propensity.kind = PropensityKind::Deterministic),
        with("unknown", &|d, _| {
            d.propensity = PropensityRecord { value: None, kind: PropensityKind::Unknown }
        }),
        with("plain", &|_, _| {}),
        (decision("pending"), None),
    ]
}

fn write(name: &str, rows: Vec<(DecisionRecord, Option<OutcomeRecord>)>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut writer = LogWriter::create(&path).unwrap();
    for (decision, outcome) in rows {
        writer.write(decision, outcome).unwrap();
    }
    writer.finish().unwrap();
    (folder, path)
}

/// What a request looked like, as far as a log keeps it.
type Seen = (Vec<String>, Capabilities, u32, Option<u64>, Option<u64>);

fn read(path: &Path) -> Result<(TrafficLog, Vec<Seen>), DataError> {
    let mut seen: Vec<Seen> = Vec::new();
    let log = read_log(&[path.to_path_buf()], &LogOptions::default(), &mut |row, asked| {
        assert_eq!(row, seen.len());
        let request = asked.text().unwrap();
        seen.push((
            request.messages.iter().map(|m| format!("{:?}: {}", m.role, m.text)).collect(),
            request.needs,
            request.n_tools,
            request.max_tokens.map(pointsman_core::units::Tokens::get),
            request.input_tokens.map(pointsman_core::units::Tokens::get),
        ));
    })?;
    Ok((log, seen))
}

#[test]
fn both_formats_give_the_same_log() {
    let (_a, ndjson) = write("log.ndjson", mixed());
    let (_b, parquet) = write("log.parquet", mixed());
    let (log, seen) = read(&ndjson).unwrap();
    assert_eq!(read(&parquet).unwrap(), (log.clone(), seen));

    let ids: Vec<_> = log.rows.iter().map(|row| (row.id.as_str(), row.quality)).collect();
    assert_eq!(ids, [("plain", 0.5), ("rich", 0.5), ("failed", 0.0)]);
    assert_eq!(log.models, ["large", "old", "small", "tiny"]);
    assert_eq!(log.probabilities[..8], [0.25, 0.0, 0.75, 0.0, 0.0, 0.0, 0.75, 0.25]);
    assert_eq!((log.n_decisions_read, log.n_without_outcome), (10, 1));
    let dropped: Vec<_> = log.dropped.iter().map(|(why, n)| (why.as_str(), *n)).collect();
    assert_eq!(
        dropped,
        [
            ("another model answered than was drawn", 1),
            ("duplicate of an earlier decision", 1),
            ("the outcome has no `quality`", 1),
            ("the propensity is deterministic", 1),
            ("the propensity is unknown", 1),
            ("the request has no text", 1),
            ("there is no outcome", 1),
        ]
    );
    let rich = &log.rows[1];
    assert_eq!((rich.taken, rich.propensity, rich.task.as_deref()), (2, 0.75, Some("a \"b\"")));
    assert_eq!(
        (rich.input_tokens, rich.output_tokens, rich.latency_ms),
        (Some(7), Some(34), Some(250.0))
    );
    assert_eq!(log.rows[0].group, crate::prompt_group("hello  PLAIN"));
}

/// A decision about a prompt of which its features by one schema are kept.
fn without_text(id: &str, prompt: &str, schema: FeatureSchema) -> DecisionRecord {
    let mut extractor = Extractor::new(schema);
    let features = extractor.extract(&Request::from_prompt(prompt));
    let features = Some(FeaturesRecord::of(schema, &features));
    let request = RequestRecord { tools: 2, features, ..RequestRecord::default() };
    DecisionRecord { request, ..decision(id) }
}

#[test]
fn features_stand_in_for_a_text() {
    let schema = FeatureSchema::default();
    let words = FeatureSchema::new(18, Bigrams::Without).unwrap();
    let mut future = without_text("e", "Hello", schema);
    future.request.features.as_mut().unwrap().schema = "9-18-pairs".to_owned();
    let rows: Vec<_> = [
        without_text("a", "What is 2 + 2?", schema),
        without_text("b", "what is  3 + 3?", schema),
        without_text("c", "Hello", schema),
        without_text("d", "Hello", words),
        future,
        without_text("f", "", schema),
    ]
    .into_iter()
    .map(|decision| {
        let outcome = outcome(&decision.id, Some(0.5));
        (decision, Some(outcome))
    })
    .collect();
    let read = |name: &str, features| {
        let (_folder, path) = write(name, rows.clone());
        let options = LogOptions { features, ..LogOptions::default() };
        let mut seen = Vec::new();
        let log = read_log(&[path], &options, &mut |_, asked| match asked {
            Asked::Text(_) => panic!("there is no text"),
            Asked::Features(request, features) => {
                assert_eq!((request.n_bytes(), request.n_tools), (0, 2));
                seen.push((features.terms.to_vec(), *features.dense, features.n_bytes));
            }
        });
        (log, seen)
    };
    let (log, seen) = read("log.ndjson", Some(schema));
    let (flat, flat_seen) = read("log.parquet", Some(schema));
    let log = log.unwrap();
    assert_eq!((&flat.unwrap(), &flat_seen), (&log, &seen));
    let mut extractor = Extractor::new(schema);
    let hello = extractor.extract(&Request::from_prompt("Hello"));
    assert_eq!((&seen[2].0[..], seen[2].2), (hello.terms, 5));
    let ids: Vec<_> = log.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let groups: Vec<u64> = log.rows.iter().map(|row| row.group).collect();
    assert!(groups[0] == groups[1] && groups[1] != groups[2]);
    let dropped: Vec<_> = log.dropped.iter().map(|(why, n)| (why.as_str(), *n)).collect();
    let alone = "the request has features and no text";
    let unknown = format!("{alone}, of a schema that this version does not know");
    let other = format!("{alone}, of the schema 2-18-words and not 2-18-pairs");
    assert_eq!(
        dropped,
        [(unknown.as_str(), 1), (other.as_str(), 1), ("the request has no text", 1)]
    );
    let refused = read("log.ndjson", None).0.unwrap_err().to_string();
    assert!(refused.ends_with(&format!("{alone} (6)")), "{refused}");
}

/// A text goes before features, and what it teaches does not depend on them.
#[test]
fn features_beside_a_text_change_nothing() {
    let plain = vec![(decision("d"), Some(outcome("d", Some(0.5))))];
    let schema = FeatureSchema::default();
    let mut both = plain.clone();
    both[0].0.request.features = without_text("d", "something else", schema).request.features;
    let options = LogOptions { features: Some(schema), ..LogOptions::default() };
    let mut logs = Vec::new();
    for rows in [plain, both] {
        for name in ["log.ndjson", "log.parquet"] {
            let (_folder, path) = write(name, rows.clone());
            let mut n_texts = 0;
            let read = read_log(&[path], &options, &mut |_, asked| {
                n_texts += usize::from(asked.text().is_some());
            });
            logs.push(read.unwrap());
            assert_eq!(n_texts, 1, "{name}");
        }
    }
    assert!(logs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn features_that_cannot_be_right_are_refused() {
    let schema = FeatureSchema::default();
    let mut wrong = without_text("d", "Hello", schema);
    wrong.request.features.as_mut().unwrap().dense.pop();
    let options = LogOptions { features: Some(schema), ..LogOptions::default() };
    for name in ["log.ndjson", "log.parquet"] {
        let (_folder, path) = write(name, vec![(wrong.clone(), Some(outcome("d", Some(0.5))))]);
        let error = read_log(&[path], &options, &mut |_, _| {}).unwrap_err().to_string();
        let expected = "decision `d` (row 1) has 17 dense features instead of 18";
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn tags_are_kept_where_they_are_wanted() {
    let mut rows = mixed();
    rows[0].0.tenant = Some("acme".to_owned());
    rows[0].0.tags = BTreeMap::from([("app".to_owned(), "chat".to_owned())]);
    let tags = vec!["tier".to_owned(), "app".to_owned()];
    let options = LogOptions { tags, ..LogOptions::default() };
    for name in ["log.ndjson", "log.parquet"] {
        let (_folder, path) = write(name, rows.clone());
        let log = read_log(&[path], &options, &mut |_, _| {}).unwrap();
        assert_eq!(log.rows[0].tags, [None, Some("chat".to_owned())], "{name}");
        assert_eq!(log.rows[0].tenant.as_deref(), Some("acme"), "{name}");
        assert_eq!(log.rows[1].tags, [None, None], "{name}");
    }
}

/// An excluded candidate could not have been drawn; the others hold an even place.
#[test]
fn unknown_propensities_are_kept_where_they_are_to_be_estimated() {
    let mut rows = mixed();
    let (unknown, _) = rows.iter_mut().find(|(decision, _)| decision.id == "unknown").unwrap();
    let gone = CandidateRecord { excluded_by: Some("tools".to_owned()), ..candidate("old", 0.0) };
    unknown.candidates.push(gone);
    let options = LogOptions { unknown: Unknown::Keep, ..LogOptions::default() };
    for name in ["log.ndjson", "log.parquet"] {
        let (_folder, path) = write(name, rows.clone());
        let log = read_log(&[path], &options, &mut |_, _| {}).unwrap();
        let at = log.rows.iter().position(|row| row.id == "unknown").unwrap();
        let found = (log.rows[at].propensity_kind, log.rows[at].propensity);
        assert_eq!(found, (PropensityKind::Unknown, 0.5), "{name}");
        assert_eq!(log.models, ["large", "old", "small", "tiny"], "{name}");
        assert_eq!(log.probabilities[4 * at..][..4], [0.5, 0.0, 0.5, 0.0], "{name}");
        assert!(!log.dropped.contains_key("the propensity is unknown"), "{name}");
    }
}

/// A decision as a gateway's log tells of it: the model, when, and what was asked for.
fn undisclosed(id: &str, model: &str, ts_ms: u64, group: &str) -> DecisionRecord {
    DecisionRecord {
        ts_ms,
        tags: BTreeMap::from([("model_group".to_owned(), group.to_owned())]),
        candidates: vec![candidate(model, 1.0)],
        drawn: model.to_owned(),
        propensity: PropensityRecord { value: None, kind: PropensityKind::Unknown },
        ..decision(id)
    }
}

/// `large` comes at 20 and is last drawn at 30, in a call that has no grade; `solo` is another group's.
fn gateway() -> Vec<(DecisionRecord, Option<OutcomeRecord>)> {
    let calls = [(12, "small"), (14, "small"), (20, "large"), (25, "small"), (30, "large")];
    let calls = calls.into_iter().chain([(40, "small"), (42, "small")]);
    let with_outcome = |(ts_ms, model): (u64, &str)| {
        let id = format!("{model}-{ts_ms}");
        let came = (ts_ms != 30).then(|| outcome(&id, Some(0.5)));
        (undisclosed(&id, model, ts_ms, "chat"), came)
    };
    let mut rows: Vec<_> = calls.map(with_outcome).collect();
    rows.push((undisclosed("solo", "solo", 25, "other"), Some(outcome("solo", Some(0.5)))));
    rows
}

#[test]
fn candidates_are_the_models_in_use_where_only_the_drawn_one_is_named() {
    let unknown = Unknown::Keep;
    let by_group = LogOptions { unknown, tags: vec!["app".to_owned()], ..LogOptions::default() };
    let as_one = LogOptions { candidates_by: None, ..by_group.clone() };
    for name in ["log.ndjson", "log.parquet"] {
        let (_folder, path) = write(name, gateway());
        let paths = [path];
        let log = read_log(&paths, &by_group, &mut |_, _| {}).unwrap();
        assert_eq!(log.models, ["large", "small", "solo"], "{name}");
        let kinds: Vec<_> = log.rows.iter().map(|row| row.propensity_kind).collect();
        let (one, two) = (PropensityKind::Deterministic, PropensityKind::Unknown);
        assert_eq!(kinds, [one, one, two, two, one, one, one], "{name}");
        let propensities: Vec<f64> = log.rows.iter().map(|row| row.propensity).collect();
        assert_eq!(propensities, [1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 1.0], "{name}");
        assert_eq!(log.probabilities[3..12], [0., 1., 0., 0.5, 0.5, 0., 0.5, 0.5, 0.], "{name}");
        assert_eq!(log.in_use, ModelsInUse { n_rows: 7, n_alone: 5, n_pools: 2 }, "{name}");
        assert_eq!(log.rows[0].tags, [None], "the tag that tells candidates apart is not kept");
        let log = read_log(&paths, &as_one, &mut |_, _| {}).unwrap();
        assert_eq!(log.in_use, ModelsInUse { n_rows: 7, n_alone: 0, n_pools: 1 }, "{name}");
        assert_eq!(log.rows[3].propensity, 1.0 / 3.0, "all three were in use at 25: {name}");
        let refused = read_log(&paths, &LogOptions::default(), &mut |_, _| {}).unwrap_err();
        assert!(refused.to_string().contains("the propensity is unknown (7)"), "{refused}");
    }
}

#[test]
fn tenants_may_have_candidates_of_their_own() {
    let mut rows = gateway();
    for (decision, _) in &mut rows {
        decision.tenant = Some(if decision.ts_ms < 30 { "acme" } else { "zeta" }.to_owned());
    }
    let candidates_by = Some("tenant".to_owned());
    let options = LogOptions { unknown: Unknown::Keep, candidates_by, ..LogOptions::default() };
    for name in ["log.ndjson", "log.parquet"] {
        let (_folder, path) = write(name, rows.clone());
        let log = read_log(&[path], &options, &mut |_, _| {}).unwrap();
        assert_eq!(log.in_use.n_pools, 2, "{name}");
        let last = log.rows.iter().position(|row| row.id == "small-42").unwrap();
        assert_eq!(log.probabilities[3 * last..][..3], [0.0, 1.0, 0.0], "{name}");
    }
}

#[test]
fn rows_that_are_left_out_are_counted() {
    let options = LogOptions { unknown: Unknown::Keep, ..LogOptions::default() };
    let (_folder, path) = write("log.ndjson", gateway());
    let mut log = read_log(&[path], &options, &mut |_, _| {}).unwrap();
    let is_kept = |row: &LoggedRow| row.propensity_kind != PropensityKind::Deterministic;
    assert_eq!(log.keep("a reason", is_kept), [2, 3]);
    let ids: Vec<&str> = log.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!((ids, log.dropped["a reason"]), (vec!["large-20", "small-25"], 5));
    assert_eq!(log.probabilities, [0.5, 0.5, 0.0, 0.5, 0.5, 0.0]);
    assert_eq!(log.keep("another", |_| true), [0, 1]);
    assert!(!log.dropped.contains_key("another"));
}

#[test]
fn decisions_that_were_kept_by_lot_are_counted() {
    let mut rows = mixed();
    (rows[0].0.keep_prob, rows[1].0.keep_prob) = (Some(0.5), Some(1.0));
    for name in ["log.ndjson", "log.parquet"] {
        let (_folder, path) = write(name, rows.clone());
        assert_eq!(read(&path).unwrap().0.n_thinned, 1, "{name}");
    }
}

#[test]
fn outcomes_may_come_first_late_and_in_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let line = |record: &Record| serde_json::to_string(record).unwrap() + "\n";
    let answered = Record::Outcome(Box::new(outcome("d", None)));
    let graded =
        OutcomeRecord { ts_ms: 1_767_225_609_000, latency_ms: None, ..outcome("d", Some(0.9)) };
    fs::write(
        folder.path().join("a.ndjson"),
        line(&answered) + &line(&Record::Outcome(Box::new(graded))),
    )
    .unwrap();
    fs::write(folder.path().join("b.ndjson"), line(&Record::Decision(Box::new(decision("d")))))
        .unwrap();
    let (log, _) = read(&folder.path().join("*.ndjson")).unwrap();
    assert_eq!((log.rows[0].quality, log.rows[0].latency_ms), (0.9, Some(250.0)));
}

#[test]
fn each_field_is_the_latest_in_time_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let at =
        |ts_ms, quality, latency_ms| OutcomeRecord { ts_ms, latency_ms, ..outcome("d", quality) };
    let outcomes = [at(1, Some(0.1), None), at(3, None, Some(7.0)), at(2, Some(0.5), Some(9.0))];
    let mut text = serde_json::to_string(&Record::Decision(Box::new(decision("d")))).unwrap();
    for outcome in outcomes {
        text += "\n";
        text += &serde_json::to_string(&Record::Outcome(Box::new(outcome))).unwrap();
    }
    fs::write(folder.path().join("log.ndjson"), text).unwrap();
    let (log, _) = read(&folder.path().join("log.ndjson")).unwrap();
    assert_eq!((log.rows[0].quality, log.rows[0].latency_ms), (0.5, Some(7.0)));
}

/// The cells of the only row that have a value, as texts.
fn cells(path: &Path) -> BTreeMap<String, String> {
    let frame = ParquetReader::new(fs::File::open(path).unwrap()).finish().unwrap();
    let mut cells = BTreeMap::new();
    for column in frame.columns() {
        let cell = column.get(0).unwrap();
        if !cell.is_null() {
            cells.insert(column.name().to_string(), format!("{cell:?}"));
        }
    }
    cells
}

#[test]
fn a_later_step_of_a_cascade_is_no_first_decision() {
    let later = DecisionRecord {
        step: Some(1),
        previous: Some("first".to_owned()),
        spent_usd: Some(0.25),
        ..decision("second")
    };
    let all = vec![
        (decision("first"), Some(outcome("first", Some(0.5)))),
        (later, Some(outcome("second", Some(0.75)))),
    ];
    for name in ["log.parquet", "log.ndjson"] {
        let (_folder, path) = write(name, all.clone());
        let read = |steps| {
            let options = LogOptions { steps, ..LogOptions::default() };
            read_log(std::slice::from_ref(&path), &options, &mut |_, _| {}).unwrap()
        };
        let found = read(Steps::First);
        assert_eq!(found.rows.len(), 1, "{name}");
        assert_eq!(found.dropped.get("a later step of a cascade"), Some(&1), "{name}");
        assert_eq!(found.n_decisions_read, 2);
        assert_eq!(read(Steps::All).rows.len(), 2, "{name}");
    }
}

#[test]
fn parquet_keeps_every_field() {
    let mut one = decision("full");
    one.candidates = vec![
        CandidateRecord {
            quality: Some(0.5),
            cost_usd: Some(0.25),
            latency_ms: Some(8.0),
            ..candidate("small", 1.0)
        },
        CandidateRecord { excluded_by: Some("tools".to_owned()), ..candidate("old", 0.0) },
    ];
    (one.drawn, one.propensity.value) = ("small".to_owned(), Some(1.0));
    one.decision_ns = Some(8500);
    let came = OutcomeRecord {
        fallback_from: Some("old".to_owned()),
        usage: UsageRecord {
            cached_read: Some(1),
            cached_write: Some(2),
            reasoning: Some(3),
            ..UsageRecord::default()
        },
        ..outcome("full", Some(0.75))
    };
    let (_folder, path) = write("log.parquet", vec![(one, Some(came))]);
    let cells = cells(&path);
    for (column, expected) in [
        ("decision_ns", "8500"),
        ("outcome_ts_ms", "1767225601000"),
        ("fallback_from", "\"old\""),
        ("usage_cached_read", "1"),
        ("usage_cached_write", "2"),
        ("usage_reasoning", "3"),
    ] {
        assert!(cells[column].contains(expected), "{column}: {}", cells[column]);
    }
    assert!(cells["metrics"].contains("quality"), "{}", cells["metrics"]);
    for column in [
        "candidate_qualities",
        "candidate_costs_usd",
        "candidate_latencies_ms",
        "candidate_excluded_by",
    ] {
        assert!(cells.contains_key(column), "{column} in {cells:?}");
    }
}

#[test]
fn a_metric_without_a_column_is_found_among_the_metrics() {
    let mut graded = outcome("d", Some(0.25));
    graded.metrics.push(MetricRecord {
        name: "liked".to_owned(),
        value: 1.0,
        source: None,
        scope: Scope::Episode,
    });
    let options = LogOptions { quality_metric: "liked".to_owned(), ..LogOptions::default() };
    for name in ["log.ndjson", "log.parquet"] {
        let (_folder, path) = write(name, vec![(decision("d"), Some(graded.clone()))]);
        let log = read_log(&[path], &options, &mut |_, _| {}).unwrap();
        assert_eq!(log.rows[0].quality, 1.0, "{name}");
    }
}

/// A Parquet log of the least columns, edited.
fn least(edit: impl Fn(&mut DataFrame)) -> (TempDir, PathBuf) {
    let models = Series::new("".into(), ["a", "b"]);
    let probabilities = Series::new("".into(), [0.5f32, 0.5]);
    let mut frame = df!(
        "decision_id" => ["d1", "d2"], "prompt" => ["Hi", "Ho"], "drawn" => ["a", "b"],
        "propensity" => [0.5, 0.5], "quality" => [1i32, 0],
        "candidate_models" => [models.clone(), models],
        "candidate_probabilities" => [probabilities.clone(), probabilities]
    )
    .unwrap();
    edit(&mut frame);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    ParquetWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
    (folder, path)
}

#[test]
fn the_least_columns_are_enough() {
    let (_folder, path) = least(|_| {});
    let (log, seen) = read(&path).unwrap();
    assert_eq!(log.rows.len(), 2);
    assert_eq!(
        (log.rows[1].taken, log.rows[1].quality, log.rows[1].propensity_kind),
        (1, 0.0, PropensityKind::Exact)
    );
    assert_eq!(seen[0].0, ["User: Hi"]);
}

#[track_caller]
fn check_refusal(edit: impl Fn(&mut DataFrame), expected: &str) {
    let (folder, path) = least(edit);
    let error = read(&path).expect_err("should be refused").to_string();
    let error = error.replace(&format!("{}/", folder.path().display()), "");
    assert!(error.starts_with(expected), "found    {error}\nexpected {expected}");
}

fn set(column: Series) -> impl Fn(&mut DataFrame) {
    move |frame| _ = frame.with_column(column.clone().into_column()).unwrap()
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    check_refusal(
        set(Series::new("propensity".into(), [0.5, 0.0])),
        "`log.parquet`: propensity 0 of decision `d2` (row 2) is not in (0, 1]",
    );
    check_refusal(
        set(Series::new("propensity".into(), [0.5, 0.4])),
        "`log.parquet`: decision `d2` (row 2) has the exact propensity 0.4, but drew with probability 0.5",
    );
    check_refusal(
        set(Series::new("quality".into(), [0.5, 4.0])),
        "`log.parquet`: quality 4 of decision `d2` (row 2) is outside [0, 1]; pass --quality-range 0..10",
    );
    check_refusal(
        set(Series::new("drawn".into(), ["a", "c"])),
        "`log.parquet`: decision `d2` (row 2) drew `c`, which is not among its candidates",
    );
    check_refusal(
        set(Series::new("prompt".into(), [1.5, 2.5])),
        "column `prompt` of `log.parquet` has type f64; it has to hold text",
    );
    check_refusal(
        |frame| _ = frame.drop_in_place("propensity").unwrap(),
        "`log.parquet` has no column `propensity`; its columns are decision_id, prompt, drawn, quality",
    );
}

#[test]
fn nothing_half_written_is_left() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["log.ndjson", "log.parquet"] {
        let mut writer = LogWriter::create(&folder.path().join(name)).unwrap();
        writer.write(decision("d"), None).unwrap();
        let wrong = writer.write(decision("d"), Some(outcome("e", None))).unwrap_err().to_string();
        assert!(wrong.ends_with("decision `d` came with the outcome of `e`"), "{wrong}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let error = LogWriter::create(&folder.path().join("log.txt")).err().unwrap().to_string();
    assert!(error.ends_with("end it in .ndjson or .parquet"), "{error}");
}

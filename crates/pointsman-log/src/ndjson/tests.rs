use super::*;
use crate::{
    examples,
    record::{
        AnswerRecord, CandidateRecord, CostRecord, DecisionRecord, FeaturesRecord, MessageRecord,
        MetricRecord, OutcomeRecord, PolicyRecord, PropensityKind, PropensityRecord, RequestRecord,
        RoleRecord, Scope, Status, UsageRecord,
    },
};
use proptest::{collection, option, prelude::*};

const GOLDEN: &str = include_str!("../../testdata/record-v1.ndjson");

fn golden_records() -> Vec<Record> {
    vec![
        Record::Decision(Box::new(examples::full_decision())),
        Record::Outcome(Box::new(examples::full_outcome())),
        Record::Decision(Box::new(examples::minimal_decision())),
        Record::Outcome(Box::new(examples::minimal_outcome())),
    ]
}

fn written(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        write(&mut bytes, record).unwrap();
    }
    bytes
}

fn read_all(bytes: &[u8]) -> Vec<Record> {
    read(bytes).collect::<Result<_, _>>().unwrap()
}

#[test]
fn version_1_loads_for_ever() {
    assert_eq!(read_all(GOLDEN.as_bytes()), golden_records());
}

#[test]
fn version_1_is_written_byte_for_byte() {
    assert_eq!(String::from_utf8(written(&golden_records())).unwrap(), GOLDEN);
}

/// A step after an answer, with all that is kept of it; in a file of its own, since the other one is
/// from before there were steps.
#[test]
fn steps_of_version_1_load_for_ever() {
    let golden = include_str!("../../testdata/record-v1-step.ndjson");
    let records = vec![Record::Decision(Box::new(examples::step_decision()))];
    assert_eq!(read_all(golden.as_bytes()), records);
    assert_eq!(String::from_utf8(written(&records)).unwrap(), golden);
}

#[track_caller]
fn check_problem(line: &[u8], problem: &str) {
    let mut items = read(line);
    assert_eq!(items.next().unwrap().unwrap_err().to_string(), problem);
}

#[test]
fn a_bad_line_is_named_in_one_sentence() {
    check_problem(b"\n\n\xffx", "line 3: the bytes from column 1 on are not UTF-8");
    check_problem(
        b"{\"v\":",
        "line 1: this is not a JSON object: EOF while parsing a value at column 5",
    );
    check_problem(b"{}", "line 1: this is not a traffic record: missing field `v` at column 2");
    check_problem(
        br#"{"v":2,"kind":"dream"}"#,
        "line 1: this is version 2 of the record, and only version 1 can be read",
    );
    check_problem(
        br#"{"v":1,"kind":"outcome","crc":"2ed03db5"}"#,
        "line 1: its checksum does not fit: the line is not as it was written",
    );
    check_problem(
        br#"{"v":1,"kind":"dream"}"#,
        "line 1: this is not a traffic record: its kind is `dream`, neither `decision` nor `outcome`",
    );
    check_problem(
        br#"{"v":1}"#,
        "line 1: this is not a traffic record: its kind is absent, neither `decision` nor `outcome`",
    );
    check_problem(
        br#"{"v":1,"kind":"outcome","decision_id":"d","ts_ms":1}"#,
        "line 1: this is not a traffic record: missing field `status` at column 52",
    );
    check_problem(
        br#"{"v":1,"kind":"outcome","decision_id":"d","ts_ms":1,"status":"ok","latency_ms":-2}"#,
        "line 1: decision `d` has -2 as `latency_ms`, which is not in [0, inf)",
    );
}

#[test]
fn keys_may_stand_in_any_order() {
    let line = r#"{"status":"failed","ts_ms":1767225603000,"new":{},"kind":"outcome","decision_id":"d-2","v":1}"#;
    let expected = Record::Outcome(Box::new(examples::minimal_outcome()));
    assert_eq!(read_all(line.as_bytes()), [expected]);
}

#[test]
fn a_bad_line_spoils_no_other() {
    let text = GOLDEN.replacen("\n{", "\nnonsense\n\n{", 1);
    let items: Vec<_> = read(text.as_bytes()).collect();
    let bad: Vec<_> = items.iter().filter_map(|item| item.as_ref().err()).collect();
    assert_eq!((items.len(), bad.len(), bad[0].line), (5, 1, 2));
}

#[test]
fn a_line_at_the_limit_is_read_and_one_beyond_is_skipped() {
    let lines: Vec<_> = GOLDEN.lines().collect();
    let limit = count(lines[1].len());
    let (reader, buffer) = (GOLDEN.as_bytes(), Vec::new());
    let items: Vec<_> = Lines { reader, limit, line: 0, buffer, ended: false }.collect();
    let too_long = items[0].as_ref().unwrap_err().to_string();
    assert!(too_long.starts_with("line 1: the line is longer than"), "{too_long}");
    assert_eq!(items.len(), 4);
    assert!(items[1..].iter().all(Result::is_ok));
}

/// Yields its bytes, then fails.
struct Broken(&'static [u8]);

impl Read for Broken {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::Error::other("cable cut")),
            n => Ok(n),
        }
    }
}

#[test]
fn a_broken_input_ends_the_reading() {
    let items: Vec<_> = read(io::BufReader::new(Broken(GOLDEN.as_bytes()))).collect();
    assert_eq!(items.len(), 5);
    let last = items[4].as_ref().unwrap_err().to_string();
    assert_eq!(last, "line 5: the input cannot be read: cable cut");
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let mut decision = examples::full_decision();
    decision.propensity.value = Some(f64::NAN);
    let mut bytes = Vec::new();
    let error = write(&mut bytes, &Record::Decision(Box::new(decision))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(bytes.is_empty());
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{1,8}|[\\n\\r\\t\"\\\\\u{2028}]{1,3}"
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("a finite number", |value| value.is_finite())
}

fn positive() -> impl Strategy<Value = f64> {
    finite().prop_map(f64::abs)
}

fn message() -> impl Strategy<Value = MessageRecord> {
    let roles = [RoleRecord::System, RoleRecord::User, RoleRecord::Assistant, RoleRecord::Tool];
    (prop::sample::select(roles.to_vec()), text())
        .prop_map(|(role, content)| MessageRecord { role, content })
}

fn request() -> impl Strategy<Value = RequestRecord> {
    let messages = option::of(collection::vec(message(), 0..4));
    let counts = any::<[Option<u64>; 3]>();
    (messages, counts, any::<u32>(), collection::vec(text(), 0..3), option::of(features()))
        .prop_map(|(messages, [chars, input_tokens, max_tokens], tools, modalities, features)| {
            RequestRecord { messages, chars, input_tokens, tools, modalities, max_tokens, features }
        })
}

fn features() -> impl Strategy<Value = FeaturesRecord> {
    (text(), text(), collection::vec(finite(), 0..20), any::<[u64; 2]>()).prop_map(
        |(schema, terms, dense, [bytes, cut])| FeaturesRecord { schema, terms, dense, bytes, cut },
    )
}

fn answer() -> impl Strategy<Value = AnswerRecord> {
    let texts = (option::of(text()), option::of(text()));
    (texts, option::of(features()), collection::vec(finite(), 0..4)).prop_map(
        |((text, finish_reason), features, signs)| AnswerRecord {
            text,
            finish_reason,
            features,
            signs,
        },
    )
}

fn candidates() -> impl Strategy<Value = Vec<CandidateRecord>> {
    let one = (0.01..1.0, option::of(finite()), option::of(positive()), option::of(text()));
    collection::vec(one, 1..6).prop_map(|rows| {
        let total: f64 = rows.iter().map(|(weight, _, _, _)| weight).sum();
        let record = |(index, (weight, quality, positive, excluded_by)): (usize, _)| {
            let weight: f64 = weight;
            CandidateRecord {
                model: format!("m{index}"),
                probability: weight / total,
                quality,
                cost_usd: positive,
                latency_ms: positive,
                excluded_by,
            }
        };
        rows.into_iter().enumerate().map(record).collect()
    })
}

fn decision() -> impl Strategy<Value = Record> {
    let texts = (text(), option::of(text()), option::of(text()), option::of(text()));
    let numbers = (any::<u64>(), any::<Option<u32>>(), any::<Option<u64>>(), option::of(0.0..1.0));
    let kept = (option::of(0.1..1.0), option::of(answer()));
    let tags = collection::btree_map(text(), text(), 0..3);
    let drawn = any::<prop::sample::Index>();
    (texts, numbers, tags, request(), candidates(), drawn, kept).prop_map(
        |(texts, numbers, tags, request, candidates, drawn, (keep_prob, answer))| {
            let (id, session_id, tenant, objective) = texts;
            let (ts_ms, turn, decision_ns, draw) = numbers;
            let drawn = drawn.get(&candidates);
            let value = Some(drawn.probability);
            Record::Decision(Box::new(DecisionRecord {
                policy: PolicyRecord { name: id.clone(), digest: tenant.clone() },
                step: turn,
                previous: session_id.clone(),
                spent_usd: draw,
                answer,
                id,
                ts_ms,
                session_id,
                turn,
                tenant,
                tags,
                request,
                drawn: drawn.model.clone(),
                candidates,
                propensity: PropensityRecord { value, kind: PropensityKind::Exact },
                draw,
                keep_prob,
                objective,
                decision_ns,
            }))
        },
    )
}

fn outcome() -> impl Strategy<Value = Record> {
    let texts = (text(), option::of(text()), option::of(text()), option::of(text()));
    let times = (any::<u64>(), option::of(positive()), option::of(positive()));
    let cost = option::of((positive(), text()));
    let metrics = collection::vec((text(), finite(), option::of(text())), 0..3);
    (texts, times, any::<[Option<u64>; 5]>(), cost, metrics, any::<bool>()).prop_map(
        |(texts, times, usage, cost, metrics, answered)| {
            let (decision_id, served_model, provider, fallback_from) = texts;
            let (ts_ms, latency_ms, ttft_ms) = times;
            let [input, output, cached_read, cached_write, reasoning] = usage;
            let scope = if answered { Scope::Request } else { Scope::Episode };
            Record::Outcome(Box::new(OutcomeRecord {
                decision_id,
                ts_ms,
                served_model,
                provider,
                status: if answered { Status::Ok } else { Status::Failed },
                fallback_from,
                usage: UsageRecord { input, output, cached_read, cached_write, reasoning },
                cost_usd: cost.map(|(value, source)| CostRecord { value, source }),
                latency_ms,
                ttft_ms,
                metrics: metrics
                    .into_iter()
                    .map(|(name, value, source)| MetricRecord { name, value, source, scope })
                    .collect(),
            }))
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![decision(), outcome()]
}

proptest! {
    /// A record survives writing and reading, to the last bit of its numbers.
    #[test]
    fn what_is_written_is_read(records in collection::vec(record(), 0..4)) {
        prop_assert_eq!(read_all(&written(&records)), records);
    }

    /// A record is one line, whatever its texts hold.
    #[test]
    fn a_record_is_one_line(record in record()) {
        let bytes = written(&[record]);
        prop_assert_eq!(bytes.iter().position(|&byte| byte == b'\n'), Some(bytes.len() - 1));
    }

    /// Reading what was written by others never panics.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in collection::vec(any::<u8>(), 0..200)) {
        for item in read(&*bytes) {
            prop_assert!(item.is_err());
        }
    }
}

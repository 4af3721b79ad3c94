use pointsman_core::answer::N_SIGNS;
use pointsman_log::record::AnswerRecord;

use super::*;

type Rows = Vec<(DecisionRecord, Option<OutcomeRecord>)>;

/// A step after the answer of `previous`: `drawn` with its probability, of `small` in hand.
fn step(id: &str, previous: &str, drawn: &str) -> DecisionRecord {
    let probability = if drawn == "small" { 0.75 } else { 0.25 };
    DecisionRecord {
        drawn: drawn.to_owned(),
        propensity: PropensityRecord { value: Some(probability), kind: PropensityKind::Exact },
        step: Some(1),
        previous: Some(previous.to_owned()),
        spent_usd: Some(0.5),
        answer: Some(AnswerRecord { text: Some("Yes.".to_owned()), ..AnswerRecord::default() }),
        ..decision(id)
    }
}

/// Without a cost of its own.
fn grade(id: &str, quality: Option<f64>) -> OutcomeRecord {
    OutcomeRecord { cost_usd: None, ..outcome(id, quality) }
}

fn read(name: &str, rows: Rows) -> (Result<TrajectoryLog, DataError>, usize, usize) {
    let (_folder, path) = write(name, rows);
    let (mut n_requests, mut n_answers) = (0, 0);
    let schema = FeatureSchema::default();
    let found = read_trajectories(
        &[path],
        (&LogOptions::default(), schema),
        &mut |_| n_requests += 1,
        &mut |answer| {
            assert_eq!(answer.text.n_bytes, 4);
            n_answers += 1;
        },
    );
    (found, n_requests, n_answers)
}

/// Three requests: accepted, escalated, and answered by a model that no step is ever about.
fn three() -> Rows {
    let large = DecisionRecord {
        drawn: "large".to_owned(),
        propensity: PropensityRecord { value: Some(0.25), kind: PropensityKind::Exact },
        ..decision("c")
    };
    vec![
        (step("a1", "a", "small"), None),
        (decision("a"), Some(outcome("a", Some(0.5)))),
        (decision("b"), Some(grade("b", None))),
        (step("b1", "b", "large"), Some(outcome("b1", Some(1.0)))),
        (large, Some(outcome("c", Some(0.75)))),
    ]
}

#[test]
fn decisions_and_their_steps_are_joined_in_order() {
    for name in ["log.ndjson", "log.parquet"] {
        let (found, n_requests, n_answers) = read(name, three());
        let TrajectoryLog { log, requests, steps, n_stray_steps, n_carried_costs } = found.unwrap();
        assert_eq!((n_requests, n_answers, n_stray_steps), (3, 2, 0), "{name}");
        let rows: Vec<_> = log
            .rows
            .iter()
            .map(|row| (&*row.id, row.quality, row.propensity, row.n_answers, row.cost_usd))
            .collect();
        assert_eq!(
            rows,
            [
                ("a", 0.5, 0.5625, 1, Some(0.002)),
                ("b", 1.0, 0.1875, 2, Some(0.502)),
                ("c", 0.75, 0.25, 1, Some(0.002)),
            ],
            "{name}"
        );
        assert_eq!((requests, n_carried_costs), (vec![0, 1, 2], 1), "{name}");
        assert_eq!(log.models, ["large", "small"]);
        assert_eq!(log.probabilities[..2], [0.25, 0.75]);
        let [accepted] = &steps[0][..] else { panic!("{steps:?}") };
        assert!(accepted.is_accepted());
        assert_eq!((accepted.quality_in_hand, accepted.quality), (Some(0.5), Some(0.5)));
        assert_eq!((&accepted.answer, accepted.cost_usd), (&Ok(0), Some(0.0)));
        let [escalated] = &steps[1][..] else { panic!("{steps:?}") };
        assert_eq!((escalated.in_hand, escalated.drawn), (1, 0));
        assert_eq!((escalated.quality_in_hand, escalated.quality), (None, Some(1.0)));
        assert_eq!(escalated.chances, [(1, 0.75), (0, 0.25)]);
        assert_eq!(escalated.quality_propensity, 0.25);
        assert!(steps[2].is_empty());
        assert_eq!(log.digest.len(), 64);
    }
}

#[track_caller]
fn check_dropped(edit: impl Fn(&mut Rows), reason: &str) {
    for name in ["log.ndjson", "log.parquet"] {
        let mut rows = three();
        edit(&mut rows);
        let found = read(name, rows).0.unwrap();
        let dropped: Vec<_> = found.log.dropped.iter().map(|(why, n)| (&**why, *n)).collect();
        assert_eq!(dropped, [(reason, 1)], "{name}");
        assert_eq!(found.log.rows.len(), 2, "{name}: {reason}");
    }
}

#[test]
fn what_is_no_whole_trajectory_is_dropped_for_a_reason() {
    check_dropped(|rows| rows[1].1 = None, "there is no outcome");
    check_dropped(|rows| rows[3].1 = Some(outcome("b1", None)), "the outcome has no `quality`");
    check_dropped(
        |rows| rows.push((step("a2", "a", "large"), None)),
        "two steps follow one answer",
    );
    check_dropped(|rows| rows[0].0.step = Some(2), "steps that are not numbered in their order");
    check_dropped(
        |rows| {
            let next = DecisionRecord { step: Some(2), ..step("a2", "a1", "large") };
            rows.push((next, Some(outcome("a2", Some(1.0)))));
        },
        "a step after an answer that had been accepted",
    );
    check_dropped(
        |rows| rows[0].0.propensity.kind = PropensityKind::Deterministic,
        "a step's propensity is deterministic",
    );
    check_dropped(
        |rows| {
            let unknown = PropensityRecord { value: None, kind: PropensityKind::Unknown };
            rows[1].0.propensity = unknown;
        },
        "the propensity is unknown",
    );
    check_dropped(
        |rows| {
            rows[3].0.candidates = vec![candidate("tiny", 0.75), candidate("large", 0.25)];
        },
        "another model answered than was drawn",
    );
    check_dropped(|rows| rows[1].0.request.messages = None, "the request has no text");
}

/// Nobody asked what to do with it.
#[test]
fn an_answer_without_a_step_is_given_as_it_is() {
    let mut rows = three();
    rows.remove(0);
    rows[0].1 = Some(OutcomeRecord { status: Status::Failed, ..outcome("a", None) });
    let found = read("log.ndjson", rows).0.unwrap();
    assert_eq!((found.log.rows[0].quality, found.log.rows.len()), (0.0, 3));
    assert_eq!(found.log.rows[0].propensity, 0.75);
    assert!(found.steps[0].is_empty());
}

#[test]
fn what_could_not_be_otherwise_has_the_probability_one() {
    let mut rows = three();
    rows[0].0.candidates = vec![candidate("small", 1.0)];
    rows[0].0.propensity =
        PropensityRecord { value: Some(1.0), kind: PropensityKind::Deterministic };
    let found = read("log.ndjson", rows).0.unwrap();
    assert_eq!(found.log.rows[0].propensity, 0.75);
}

#[test]
fn steps_without_a_first_decision_are_counted() {
    let mut rows = three();
    rows.push((step("d1", "elsewhere", "large"), None));
    rows.push((DecisionRecord { step: Some(2), ..step("d2", "d1", "small") }, None));
    let found = read("log.ndjson", rows).0.unwrap();
    assert_eq!((found.n_stray_steps, found.log.rows.len()), (2, 3));
}

/// Signs that were written count; features stand in for a text only with them.
#[test]
fn answers_are_known_by_their_features_too() {
    let features = FeaturesRecord {
        schema: FeatureSchema::default().to_string(),
        terms: "AAA".to_owned(),
        dense: vec![0.5; 18],
        bytes: 4,
        cut: 0,
    };
    let check = |answer: Option<AnswerRecord>, expected: Result<usize, &str>| {
        for name in ["log.ndjson", "log.parquet"] {
            let mut rows = three();
            rows[0].0.answer = answer.clone();
            let found = read(name, rows).0.unwrap();
            let known = found.steps[0][0].answer.as_ref().map_err(String::as_str);
            assert_eq!(known, expected.as_ref().map_err(|it| *it), "{name}");
        }
    };
    let none = AnswerRecord::default();
    let signs = vec![0.25; N_SIGNS];
    check(None, Err("the answer was not kept"));
    check(Some(none.clone()), Err("the answer was not kept"));
    let read_before = AnswerRecord { features: Some(features.clone()), signs, ..none.clone() };
    check(Some(read_before.clone()), Ok(0));
    check(
        Some(AnswerRecord { signs: Vec::new(), ..read_before.clone() }),
        Err("the answer was not kept"),
    );
    let other = FeaturesRecord { schema: "2-18-words".to_owned(), ..features };
    check(
        Some(AnswerRecord { features: Some(other), ..read_before }),
        Err("the answer has features and no text, of the schema 2-18-words and not 2-18-pairs"),
    );
    let mut rows = three();
    rows[0].0.answer = Some(AnswerRecord { signs: vec![0.0; 3], ..none });
    let refused = read("log.ndjson", rows).0.unwrap_err().to_string();
    assert!(refused.contains("has 3 signs of its answer instead of 57"), "{refused}");
}

/// Its grade is known only where it was accepted, so both draws led to it.
#[test]
fn a_third_answer_is_graded_by_the_step_that_accepts_it() {
    let mut rows = three();
    rows[3].1 = None;
    let accepting = DecisionRecord {
        step: Some(2),
        candidates: vec![candidate("large", 0.5), candidate("small", 0.5)],
        propensity: PropensityRecord { value: Some(0.5), kind: PropensityKind::Exact },
        ..step("b2", "b1", "large")
    };
    rows.push((accepting, Some(grade("b2", Some(0.25)))));
    rows.retain(|(decision, _)| decision.id != "c");
    let found = read("log.ndjson", rows).0.unwrap();
    let [called, accepted] = &found.steps[1][..] else { panic!("{:?}", found.steps) };
    assert_eq!((called.quality, called.quality_propensity), (Some(0.25), 0.125));
    assert!(accepted.is_accepted());
    assert_eq!((found.log.rows[1].n_answers, found.log.rows[1].quality), (2, 0.25));
}

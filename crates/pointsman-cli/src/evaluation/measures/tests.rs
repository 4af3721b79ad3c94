//! Which intervals costs have, by how many rows there are and what is stated.

use super::*;
use crate::evaluation::fixtures;
use pointsman_eval::interval::ConfidenceLevel;

/// Every other row costs one cent and takes 100 ms, the others twice as much.
fn log(n_rows: usize) -> TrafficLog {
    let row = |at: usize| {
        let times = if at.is_multiple_of(2) { 1.0 } else { 2.0 };
        let mut row = fixtures::row(at, 0, (0.5, 1.0));
        row.cost_usd = Some(0.01 * times);
        row.latency_ms = Some(100.0 * times);
        row
    };
    fixtures::log((0..n_rows).map(row).collect(), [0.5, 0.5, 0.0])
}

fn used(log: &TrafficLog) -> Used {
    Used { rows: (0..log.rows.len()).collect(), ..Used::default() }
}

/// What stands beside the value of the log itself.
fn beside(log: &TrafficLog, largest: Largest) -> ValueRow {
    let used = used(log);
    let means = Measures::of(log, &used, largest).unwrap().means(&Carried {
        weights: &vec![1.0; used.rows.len()],
        unsupported_share: None,
        predicted: [None, None],
        shared: Shared { level: ConfidenceLevel::P95, n_candidates: 1 },
    });
    let mut row = ValueRow {
        policy: "policy".to_owned(),
        estimator: "SNIPS".to_owned(),
        value: Some(1.0),
        lower: None,
        upper: None,
        interval_kind: IntervalKind::Absent,
        interval_method: String::new(),
        cost_usd: None,
        cost_interval: None,
        latency_ms: None,
        latency_interval: None,
        effective_n: None,
        note: String::new(),
    };
    means.unwrap().put(&mut row);
    row
}

#[track_caller]
fn check(n_rows: usize, largest: Largest, kind: IntervalKind, note: &str) {
    let row = beside(&log(n_rows), largest);
    assert!((row.cost_usd.unwrap() - 0.015).abs() < 1e-9, "{row:?}");
    assert!((row.latency_ms.unwrap() - 150.0).abs() < 1e-6, "{row:?}");
    for (found, value) in
        [(row.cost_interval.clone(), 0.015), (row.latency_interval.clone(), 150.0)]
    {
        let found = found.unwrap();
        assert_eq!(found.interval_kind, kind, "{found:?}");
        assert!(found.note.contains(note), "{found:?}");
        match (found.lower, found.upper) {
            (Some(lower), Some(upper)) => assert!(lower < value && value < upper, "{found:?}"),
            (lower, upper) => {
                assert_eq!((lower, upper, kind), (None, None, IntervalKind::Absent));
                assert!(row.note.contains("no interval of"), "{}", row.note);
            }
        }
    }
}

#[test]
fn intervals_rest_on_many_rows_or_on_what_is_stated() {
    let stated = Largest::new(Some(0.02), Some(200.0)).unwrap();
    let unstated = Largest::default();
    check(2000, unstated, IntervalKind::Asymptotic, "skew-corrected t, asymptotic");
    check(2000, stated, IntervalKind::Asymptotic, "skew-corrected t, asymptotic");
    check(100, unstated, IntervalKind::Absent, "an interval needs the most that one");
    check(100, stated, IntervalKind::FiniteSample, "betting mixture, finite-sample");
}

#[test]
fn what_is_missing_is_counted_and_no_zero() {
    let mut log = log(300);
    log.rows[7].cost_usd = None;
    log.rows[9].cost_usd = None;
    let row = beside(&log, Largest::default());
    assert_eq!((row.cost_usd, row.cost_interval), (None, None));
    assert!(row.latency_interval.is_some());
    let found = Measures::of(&log, &used(&log), Largest::default()).unwrap().diagnostics();
    let [diagnostic] = &found[..] else { panic!("{found:?}") };
    assert_eq!((diagnostic.name.as_str(), diagnostic.value.as_str()), ("without cost", "2"));
    assert!(diagnostic.meaning.contains("of 300; missing, not counted as zero"), "{diagnostic:?}");
}

#[test]
fn what_is_stated_is_held_against_the_rows() {
    let log = log(300);
    let refused = |largest| Measures::of(&log, &used(&log), largest).unwrap_err().to_string();
    let cost = refused(Largest::new(Some(0.015), None).unwrap());
    assert!(cost.contains("`d1` took 0.02 dollars, above the stated largest 0.015"), "{cost}");
    let latency = refused(Largest::new(None, Some(150.0)).unwrap());
    assert!(latency.contains("`d1` took 200 ms"), "{latency}");
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = Largest::new(None, Some(wrong)).unwrap_err().to_string();
        assert!(refused.starts_with("--largest-latency-ms: "), "{refused}");
    }
}

/// Free models have a mean cost, of nothing.
#[test]
fn what_is_free_costs_nothing() {
    let mut log = log(300);
    for row in &mut log.rows {
        row.cost_usd = Some(0.0);
    }
    let row = beside(&log, Largest::default());
    assert_eq!(row.cost_usd, Some(0.0));
    assert_eq!(row.cost_interval.unwrap().interval_kind, IntervalKind::Absent);
}

/// Latency is stated of one answer, cost of a whole request.
#[test]
fn several_answers_take_as_many_times_as_long() {
    let stated = Largest::new(Some(0.5), Some(200.0)).unwrap().of_answers(3);
    assert_eq!(stated, Largest { cost_usd: Some(0.5), latency_ms: Some(600.0) });
    assert_eq!(Largest::default().of_answers(3), Largest::default());
}

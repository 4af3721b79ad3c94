//! The page as a whole: what is on it, what is not, and that no text becomes markup.

use super::*;

fn point(cost_usd: f64, quality: f64) -> CostQuality {
    CostQuality { cost_usd, quality }
}

fn single(model: &str, cost_usd: f64, quality: f64) -> SingleModel {
    SingleModel { model: model.to_owned(), cost_usd, quality }
}

fn empty_report() -> Report {
    Report {
        title: "Support traffic".to_owned(),
        subtitle: "Two models".to_owned(),
        simulated: false,
        generated_by: GeneratedBy {
            command: "pointsman evaluate".to_owned(),
            version: "0.1.0".to_owned(),
        },
        verdict: Verdict { kind: VerdictKind::CannotTell, sentence: "No outcomes.".to_owned() },
        warnings: Vec::new(),
        frontier: None,
        confidence: 0.95,
        reward_model: None,
        values: Vec::new(),
        calibration: Vec::new(),
        overlap: Vec::new(),
        slices: Vec::new(),
        moves: Vec::new(),
        diagnostics: Vec::new(),
        decisions: Vec::new(),
        provenance: Vec::new(),
    }
}

fn frontier() -> Frontier {
    Frontier {
        cost_source: "catalog prices".to_owned(),
        sweep: vec![point(0.001, 0.66), point(0.003, 0.74), point(0.006, 0.77)],
        singles: vec![single("small", 0.000_8, 0.62), single("large", 0.009, 0.78)],
        oracle: Some(point(0.002, 0.86)),
        operating_points: vec![OperatingPoint {
            name: "balanced".to_owned(),
            cost_usd: 0.003,
            quality: 0.74,
            quality_lower: 0.72,
            quality_upper: 0.76,
        }],
        truth: None,
        by_request: None,
    }
}

fn value_row() -> ValueRow {
    ValueRow {
        policy: "balanced".to_owned(),
        estimator: "dr".to_owned(),
        value: Some(0.7431),
        lower: Some(0.7212),
        upper: None,
        interval_kind: IntervalKind::Asymptotic,
        interval_method: "normal mean".to_owned(),
        cost_usd: Some(0.002_96),
        cost_interval: Some(MeanInterval {
            lower: Some(0.002_71),
            upper: Some(0.003_19),
            interval_kind: IntervalKind::Asymptotic,
            interval_method: "skew-corrected t".to_owned(),
            note: String::new(),
        }),
        latency_ms: Some(412.0),
        latency_interval: Some(MeanInterval {
            lower: None,
            upper: None,
            interval_kind: IntervalKind::Absent,
            interval_method: String::new(),
            note: "too few rows".to_owned(),
        }),
        effective_n: Some(1_310.4),
        note: String::new(),
    }
}

fn slice_row() -> SliceRow {
    SliceRow {
        policy: "balanced".to_owned(),
        by: "language".to_owned(),
        slice: "Greek script".to_owned(),
        n_rows: 1_234,
        against: "what was logged".to_owned(),
        against_quality: 0.5,
        difference: Some(0.02),
        lower: -0.01,
        upper: 0.05,
        interval_kind: IntervalKind::FiniteSample,
        interval_method: "betting mixture".to_owned(),
        note: "few rows".to_owned(),
    }
}

fn overlap() -> Overlap {
    Overlap {
        policy: "balanced".to_owned(),
        n_rows: 30,
        n_zero_weights: 10,
        weights: vec![WeightBin { above: 0.5, up_to: Some(1.0), n_rows: 20 }],
        cells: vec![ProbabilityCell { logged_tenth: 4, target_tenth: 3, n_rows: 20 }],
    }
}

fn moves() -> Moves {
    let gain = |value: f64| Gain {
        value: Some(value),
        lower: value - 0.01,
        upper: value + 0.01,
        interval_kind: IntervalKind::Asymptotic,
        interval_method: "normal paired".to_owned(),
        note: String::new(),
    };
    let row = |from: &str, cost_usd| MoveRow {
        from: from.to_owned(),
        to: "large".to_owned(),
        share: 0.25,
        quality: gain(0.03),
        cost_usd,
    };
    Moves {
        policy: "balanced".to_owned(),
        against: "what was logged".to_owned(),
        moved_share: 0.375,
        n_pairs_not_shown: 2,
        not_shown_share: 0.125,
        n_intervals: 4,
        rows: vec![row("small", Some(gain(0.002))), row("tiny", None)],
    }
}

fn decision(prompt_excerpt: &str) -> SampleDecision {
    SampleDecision {
        prompt_excerpt: prompt_excerpt.to_owned(),
        chosen: "large".to_owned(),
        reason: "Best within the budget.".to_owned(),
        candidates: vec![Candidate {
            model: "large".to_owned(),
            quality: Some(0.8),
            cost_usd: Some(0.009),
            probability: 1.0,
            excluded_by: None,
        }],
        terms: vec![
            TermContribution { text: "integral".to_owned(), contribution: 0.04 },
            TermContribution { text: "thanks".to_owned(), contribution: -0.01 },
        ],
    }
}

fn full_report() -> Report {
    Report {
        simulated: true,
        frontier: Some(frontier()),
        values: vec![value_row()],
        overlap: vec![overlap()],
        slices: vec![slice_row()],
        moves: vec![moves()],
        diagnostics: vec![Diagnostic {
            name: "rows".to_owned(),
            value: "2,000".to_owned(),
            meaning: "enough".to_owned(),
        }],
        warnings: vec!["Few rows.".to_owned()],
        decisions: vec![decision("What is the integral of x?")],
        provenance: vec![ProvenanceEntry { key: "seed".to_owned(), value: "7".to_owned() }],
        ..empty_report()
    }
}

fn rendered(report: &Report) -> String {
    render_html(report).unwrap()
}

#[track_caller]
fn check_has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "the page lacks {part:?}");
    }
}

#[track_caller]
fn check_lacks(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(!page.contains(part), "the page has {part:?}");
    }
}

#[test]
fn a_full_page_has_every_section() {
    let page = rendered(&full_report());
    check_has(
        &page,
        &[
            "Simulated data.",
            "Cannot tell",
            "Few rows.",
            "id=\"frontier\"",
            "plot-wide-title",
            "plot-narrow-title",
            "id=\"values\"",
            "at least 0.721",
            "$2.96",
            "1,310",
            "id=\"overlap\"",
            "weights of 30 rows; 10 have none",
            "1&#x2f;2 to 1",
            "id=\"slices\"",
            "language: Greek script",
            "−0.010 – +0.050",
            "id=\"moves\"",
            "37.5% of requests change model, 12.5% of all between 2 pairs",
            "+0.030",
            "id=\"diagnostics\"",
            "id=\"decisions\"",
            "+0.0400",
            "−0.0100",
            "<dt>seed</dt><dd>7</dd>",
        ],
    );
    check_lacks(&page, &["<script", "http://", "src=", "url(", "@import", "NaN", "undefined"]);
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(rendered(&full_report()), rendered(&full_report()));
}

#[test]
fn empty_sections_are_omitted() {
    let page = rendered(&empty_report());
    check_has(&page, &["id=\"verdict\"", "id=\"provenance\"", "There is nothing to draw"]);
    check_lacks(
        &page,
        &[
            "Simulated data",
            "id=\"values\"",
            "id=\"overlap\"",
            "id=\"slices\"",
            "id=\"moves\"",
            "id=\"diagnostics\"",
            "id=\"decisions\"",
            "class=\"warnings\"",
            "<figure",
            "<svg",
        ],
    );
}

#[test]
fn hostile_text_stays_text() {
    const HOSTILE: &str =
        "</style></title><script>alert('x')</script>\"><img src=x onerror=y>&amp;";
    let text = || HOSTILE.to_owned();
    let mut report = full_report();
    report.title = text();
    report.subtitle = text();
    report.verdict.sentence = text();
    report.warnings = vec![text()];
    report.generated_by = GeneratedBy { command: text(), version: text() };
    report.provenance = vec![ProvenanceEntry { key: text(), value: text() }];
    report.diagnostics = vec![Diagnostic { name: text(), value: text(), meaning: text() }];
    report.values[0].policy = text();
    report.values[0].estimator = text();
    report.values[0].note = text();
    report.overlap[0].policy = text();
    report.slices[0].slice = text();
    report.slices[0].against = text();
    report.moves[0].rows[0].from = text();
    report.moves[0].against = text();
    report.decisions = vec![decision(HOSTILE)];
    report.decisions[0].chosen = text();
    report.decisions[0].reason = text();
    report.decisions[0].candidates[0].excluded_by = Some(text());
    report.decisions[0].terms[0].text = text();
    let mut hostile_frontier = frontier();
    hostile_frontier.cost_source = text();
    hostile_frontier.singles[0].model = "<script>alert(1)</script>".to_owned();
    hostile_frontier.operating_points[0].name = "<img src=x>".to_owned();
    report.frontier = Some(hostile_frontier);

    let page = rendered(&report);
    check_lacks(&page, &["<script", "<img", "\"><img"]);
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.matches("</title>").count(), 3); // the page and two plots
    check_has(&page, &["&lt;script&gt;alert(&#x27;x&#x27;)", "&amp;amp;"]);
}

#[test]
fn names_between_backticks_are_code() {
    for (sentence, expected) in [
        ("Route with `a&b` now", "Route with <code>a&amp;b</code> now"),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("it`s <b>", "it`s &lt;b&gt;"),
        ("", ""),
    ] {
        assert_eq!(named(sentence.to_owned()).to_string(), expected);
    }
}

#[test]
fn one_candidate_is_a_decision() {
    let report = Report { decisions: vec![decision("Hello")], ..empty_report() };
    check_has(&rendered(&report), &["<span class=\"tag\">chosen</span>", "1.000"]);
}

#[test]
fn a_frontier_that_cannot_be_drawn_says_why() {
    let free = Frontier {
        sweep: vec![point(0.0, 0.7)],
        singles: vec![single("small", 0.0, 0.62)],
        oracle: None,
        operating_points: Vec::new(),
        ..frontier()
    };
    let nothing =
        Frontier { sweep: vec![point(f64::NAN, 0.7)], singles: Vec::new(), ..free.clone() };
    for (frontier, why) in [
        (None, "There is nothing to draw"),
        (Some(free), "Every cost in this data is zero"),
        (Some(nothing), "there is nothing to draw"),
    ] {
        let page = rendered(&Report { frontier, ..empty_report() });
        check_has(&page, &[why]);
        check_lacks(&page, &["<figure"]);
    }
}

#[test]
fn points_that_cannot_be_drawn_are_counted() {
    let mut broken = frontier();
    broken.sweep.push(point(f64::INFINITY, 0.9));
    broken.singles.push(single("unpriced", f64::NAN, 0.7));
    broken.operating_points[0].quality_lower = f64::NAN;
    broken.operating_points[0].quality_upper = f64::INFINITY;
    let page = rendered(&Report { frontier: Some(broken), ..empty_report() });
    check_has(&page, &["2 points without a finite cost and quality are not drawn", "no value"]);
    check_lacks(&page, &["NaN", "inf\"", "inf "]);
}

#[test]
fn degenerate_frontiers_are_drawn() {
    let lonely = Frontier {
        sweep: vec![point(0.002, 0.7)],
        singles: vec![single("only", 0.002, 0.7)],
        oracle: None,
        operating_points: Vec::new(),
        ..frontier()
    };
    let wide_spread = Frontier {
        singles: vec![single("tiny", 0.000_01, 0.3), single("huge", 0.09, 0.8)],
        ..frontier()
    };
    let page = rendered(&Report { frontier: Some(lonely), ..empty_report() });
    check_has(&page, &["<figure", "only"]);
    check_lacks(&page, &["class=\"mix\"", "NaN"]);
    let page = rendered(&Report { frontier: Some(wide_spread), ..empty_report() });
    check_has(&page, &["log scale", "polyline class=\"mix\""]);
}

#[test]
fn values_may_be_missing() {
    let mut row = value_row();
    row.value = None;
    row.lower = Some(f64::NAN);
    row.upper = Some(f64::INFINITY);
    row.cost_usd = None;
    row.effective_n = None;
    let page = rendered(&Report { values: vec![row], ..empty_report() });
    check_has(&page, &["no value"]);
    check_lacks(&page, &["NaN", "inf<"]);
}

/// Why a cost has no interval stands below the table, and not beside every value.
#[test]
fn means_without_an_interval_say_why_below() {
    let mut row = value_row();
    row.note = "`balanced`; no interval of latency: too few rows".to_owned();
    assert_eq!(row.own_note(), "`balanced`");
    let page = rendered(&Report { values: vec![row.clone()], ..empty_report() });
    check_has(
        &page,
        &["<code>balanced</code></td>", "<li>balanced, dr, latency: too few rows</li>"],
    );
    row.latency_interval = None;
    let page = rendered(&Report { values: vec![row.clone()], ..empty_report() });
    check_lacks(&page, &["no interval"]);
    row.note = "no interval of cost: too few rows".to_owned();
    assert_eq!(row.own_note(), "");
}

/// Costs and latencies stand with their intervals; one that is withheld leaves its value alone.
#[test]
fn costs_and_latencies_have_their_intervals() {
    let mut row = value_row();
    let page = rendered(&Report { values: vec![row.clone()], ..empty_report() });
    check_has(&page, &["95% interval </span>$2.71 – $3.19", ">Latency</th>", ">412</td>"]);
    row.latency_interval = row.cost_interval.clone().map(|it| MeanInterval {
        lower: Some(398.0),
        upper: Some(431.0),
        ..it
    });
    let page = rendered(&Report { values: vec![row.clone()], ..empty_report() });
    check_has(&page, &["412<br>", "398 – 431"]);
    (row.cost_interval, row.latency_ms, row.latency_interval) = (None, None, None);
    let page = rendered(&Report { values: vec![row], ..empty_report() });
    check_lacks(&page, &["$2.71", ">Latency</th>", "each with its interval below"]);
}

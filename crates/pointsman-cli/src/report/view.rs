//! What the template needs beside the report: places in drawings and decimals of columns.

use serde::Serialize;

use super::contents::{Frontier, IntervalKind, MeanInterval, Report, SampleDecision, ValueRow};
use super::frontier_plot::{self, FrontierPlot, NARROW, NoPlot, WIDE};
use super::{labels, number};

/// The width of the bar of a contribution on each side of its zero, in units of its drawing.
const HALF_BAR: f64 = 50.0;
/// The width of the drawing of an interval in the table of values.
const STRIP_WIDTH: f64 = 120.0;
const STRIP_MARGIN: f64 = 6.0;

/// The context of the template.
#[derive(Debug, Serialize)]
pub(super) struct PageView<'a> {
    report: &'a Report,
    plots: Vec<FrontierPlot>,
    no_plot_because: Option<&'static str>,
    n_left_out: usize,
    strips: Vec<Strip>,
    /// What a reader has to know about each value, but for why its other means have no interval.
    notes: Vec<&'a str>,
    withheld: Vec<Withheld<'a>>,
    /// The qualities at the two ends of every strip.
    strip_ends: (f64, f64),
    cost_decimals: usize,
    /// Whether any value has a latency beside it.
    has_latency: bool,
    /// Whether any cost or latency has an interval.
    has_mean_intervals: bool,
    decisions: Vec<DecisionView<'a>>,
}

/// A mean cost or a mean latency that has no interval, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Withheld<'a> {
    policy: &'a str,
    estimator: &'a str,
    measure: &'static str,
    why: &'a str,
}

/// One interval as a small drawing; places are in units of the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Strip {
    lower: f64,
    upper: f64,
    value: Option<f64>,
}

#[derive(Debug, Serialize)]
struct DecisionView<'a> {
    decision: &'a SampleDecision,
    cost_decimals: usize,
    bars: Vec<Bar>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Bar {
    start: f64,
    width: f64,
}

/// Prepares `report` for the template.
pub(super) fn of(report: &Report) -> PageView<'_> {
    let (drawing, n_left_out) = draw(report.frontier.as_ref());
    let (plots, no_plot_because) = match drawing {
        Ok(plots) => (plots, None),
        Err(reason) => (Vec::new(), Some(reason.sentence())),
    };
    let frontier_costs = report.frontier.iter().flat_map(|frontier| {
        let points = frontier.operating_points.iter().map(|point| point.cost_usd);
        points.chain(frontier.singles.iter().map(|single| single.cost_usd))
    });
    let row_costs = report.values.iter().filter_map(|row| row.cost_usd);
    let ends = strip_ends(&report.values);
    PageView {
        report,
        plots,
        no_plot_because,
        n_left_out,
        strips: strips(&report.values, ends),
        notes: report.values.iter().map(ValueRow::own_note).collect(),
        withheld: report.values.iter().flat_map(withheld).collect(),
        strip_ends: ends,
        cost_decimals: number::cost_decimals(row_costs.chain(frontier_costs)),
        has_latency: report.values.iter().any(|row| row.latency_ms.is_some()),
        has_mean_intervals: report.values.iter().any(has_mean_interval),
        decisions: report.decisions.iter().map(decision_view).collect(),
    }
}

fn withheld(row: &ValueRow) -> impl Iterator<Item = Withheld<'_>> {
    let means = [
        ("cost", row.cost_usd, row.cost_interval.as_ref()),
        ("latency", row.latency_ms, row.latency_interval.as_ref()),
    ];
    means.into_iter().filter_map(move |(measure, mean, interval)| {
        let is_absent = |it: &&MeanInterval| it.interval_kind == IntervalKind::Absent;
        let why = interval.filter(is_absent)?.note.as_str();
        let (policy, estimator) = (row.policy.as_str(), row.estimator.as_str());
        mean.map(|_| Withheld { policy, estimator, measure, why })
    })
}

fn has_mean_interval(row: &ValueRow) -> bool {
    let intervals = [&row.cost_interval, &row.latency_interval];
    intervals.into_iter().flatten().any(|it| it.lower.is_some() && it.upper.is_some())
}

/// Both sheets of a frontier, or why there are none; and how many points are left out.
pub(super) fn draw(frontier: Option<&Frontier>) -> (Result<Vec<FrontierPlot>, NoPlot>, usize) {
    let Some(frontier) = frontier else { return (Err(NoPlot::NoCosts), 0) };
    let (kept, n_left_out) = frontier_plot::drawable(frontier);
    let plots = [WIDE, NARROW].iter().map(|sheet| frontier_plot::lay_out(&kept, sheet));
    (plots.collect(), n_left_out)
}

/// The smallest and the largest quality in the table.
fn strip_ends(rows: &[ValueRow]) -> (f64, f64) {
    let ends = rows.iter().flat_map(|row| [row.lower, row.value, row.upper]).flatten();
    ends.filter(|end| end.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)))
}

/// All intervals on one common scale; an open end runs to the edge.
fn strips(rows: &[ValueRow], (low, high): (f64, f64)) -> Vec<Strip> {
    let place = |quality: f64| {
        let share = if low < high { (quality - low) / (high - low) } else { 0.5 };
        labels::round(STRIP_MARGIN + (STRIP_WIDTH - 2.0 * STRIP_MARGIN) * share.clamp(0.0, 1.0))
    };
    let finite = |end: Option<f64>| end.filter(|end| end.is_finite());
    rows.iter()
        .map(|row| Strip {
            lower: finite(row.lower).map_or(0.0, place),
            upper: finite(row.upper).map_or(STRIP_WIDTH, place),
            value: finite(row.value).map(place),
        })
        .collect()
}

fn decision_view(decision: &SampleDecision) -> DecisionView<'_> {
    let costs = decision.candidates.iter().filter_map(|candidate| candidate.cost_usd);
    let largest = decision
        .terms
        .iter()
        .map(|term| term.contribution.abs())
        .filter(|size| size.is_finite())
        .fold(0.0, f64::max);
    let bar = |contribution: f64| {
        let share = contribution / largest;
        let width = if share.is_finite() { labels::round(share.abs() * HALF_BAR) } else { 0.0 };
        Bar { start: if contribution < 0.0 { HALF_BAR - width } else { HALF_BAR }, width }
    };
    DecisionView {
        decision,
        cost_decimals: number::cost_decimals(costs),
        bars: decision.terms.iter().map(|term| bar(term.contribution)).collect(),
    }
}

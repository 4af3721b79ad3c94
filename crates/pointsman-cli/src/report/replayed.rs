//! What the page of a replay shows: its plots, and its table in the words of the terminal.

use super::timeline_plot::{Line, Point, Style, TimelinePlot, lay_out};
use crate::replay::{
    contents::{Estimate, Replay, Values, WindowRow},
    words,
};
use serde::Serialize;

/// Everything that the template of a replay takes.
#[derive(Serialize)]
pub(super) struct View<'a> {
    replay: &'a Replay,
    settings: Vec<String>,
    plots: Vec<TimelinePlot>,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    models: Vec<String>,
    policy_header: Vec<String>,
    policies: Vec<Vec<String>>,
    gate: Vec<String>,
    so_far: Option<String>,
    assumed_so_far: &'static str,
}

pub(super) fn of(replay: &Replay) -> View<'_> {
    let models = |row: &WindowRow| {
        let words = words::models_words(&row.models)?;
        Some(format!("window {} ({}): {words}", row.number, row.begins))
    };
    View {
        replay,
        settings: replay.settings.iter().map(words::setting_words).collect(),
        plots: plots(replay),
        header: words::header(replay),
        rows: replay.windows.iter().map(|row| words::cells(replay, row)).collect(),
        models: replay.windows.iter().filter_map(models).collect(),
        policy_header: words::policy_header(),
        policies: replay.policies.iter().map(words::policy_cells).collect(),
        gate: words::gate_words(replay),
        so_far: words::so_far_words(replay),
        assumed_so_far: words::SO_FAR,
    }
}

fn plots(replay: &Replay) -> Vec<TimelinePlot> {
    let names: Vec<String> = replay.windows.iter().map(|row| row.begins.clone()).collect();
    let windows = |pick: fn(&Values) -> Option<Point>| -> Vec<Option<Point>> {
        replay.windows.iter().map(|row| row.values.as_ref().and_then(pick)).collect()
    };
    let so_far = |pick: fn(&Values) -> Option<Point>| -> Vec<Option<Point>> {
        replay.windows.iter().map(|row| row.so_far.as_ref().and_then(pick)).collect()
    };
    let line = |name: &str, style: Style, points: Vec<Option<Point>>| Line {
        name: name.to_owned(),
        style,
        points,
    };
    let quality = [
        line("quality of each window", Style::Sweep, windows(|it| point(&it.quality))),
        line(
            "what was logged",
            Style::Truth,
            windows(|it| Some(Point { value: it.logged_quality?, ends: None })),
        ),
    ];
    let drawings: [(&str, Vec<Line>); 6] = [
        ("Quality (points)", Vec::from(quality)),
        (
            "Quality, so far",
            vec![line("running mean", Style::Band, so_far(|it| point(&it.quality)))],
        ),
        (
            "Quality against what was logged, so far",
            vec![line("difference", Style::Band, so_far(|it| point(it.against_logged.as_ref()?)))],
        ),
        (
            "Quality against the other setting, so far",
            vec![line("difference", Style::Band, so_far(|it| point(it.against_other.as_ref()?)))],
        ),
        (
            "Regret per request to the best single model in hindsight, so far",
            vec![line(
                "regret",
                Style::Band,
                so_far(|it| point(&it.regret.as_ref()?.to_best_single)),
            )],
        ),
        (
            "Cost ($ per 1,000 requests)",
            vec![line(
                "cost of each window",
                Style::Sweep,
                windows(|it| cost(it.cost_usd.as_ref()?)),
            )],
        ),
    ];
    // A line without any point is left out of its drawing, and a drawing without lines of the page.
    let has_points = |line: &Line| line.points.iter().any(Option::is_some);
    drawings
        .into_iter()
        .filter_map(|(title, lines)| {
            let lines: Vec<Line> = lines.into_iter().filter(has_points).collect();
            lay_out(title, &names, &lines)
        })
        .collect()
}

fn point(estimate: &Estimate) -> Option<Point> {
    Some(Point { value: estimate.value?, ends: Some((estimate.lower, estimate.upper)) })
}

fn cost(estimate: &Estimate) -> Option<Point> {
    let thousand = super::number::per_thousand;
    let ends = (thousand(estimate.lower), thousand(estimate.upper));
    Some(Point { value: thousand(estimate.value?), ends: Some(ends) })
}

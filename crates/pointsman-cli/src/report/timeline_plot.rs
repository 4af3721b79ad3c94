//! Values over time, as places; `replay.html` turns them into SVG.
//!
//! One drawing for each question, windows evenly spaced from the left. An interval is drawn as a
//! band, or as whiskers where a window stands alone. A window without a value leaves a gap in a
//! line, and nothing is drawn where no window has one.

use serde::Serialize;

use super::{
    axis::Axis,
    labels::{self, Spot},
};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 946.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 252.0;
const N_TICKS: u32 = 5;
/// At most so many windows are named below the axis.
const MOST_NAMES: usize = 8;

/// A value and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) value: f64,
    pub(super) ends: Option<(f64, f64)>,
}

/// One line of a drawing: its name, how it is drawn, and a point for each window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) style: Style,
    pub(super) points: Vec<Option<Point>>,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Style {
    /// The main one, with whiskers.
    Sweep,
    /// The main one, with a band.
    Band,
    /// One to compare with.
    Truth,
}

/// A drawing, ready for the template. Places are in units of the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TimelinePlot {
    title: String,
    width: f64,
    height: f64,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    y_ticks: Vec<Tick>,
    x_ticks: Vec<Tick>,
    lines: Vec<Drawn>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Tick {
    at: f64,
    label: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Drawn {
    name: String,
    style: Style,
    /// Polylines and polygons as SVG `points`, one for each stretch without a gap.
    lines: Vec<String>,
    bands: Vec<String>,
    dots: Vec<Spot>,
    whiskers: Vec<Whisker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Whisker {
    x: f64,
    upper: f64,
    lower: f64,
}

/// Lays out one drawing over windows of these names; `None` where no line has a point.
pub(super) fn lay_out(title: &str, names: &[String], lines: &[Line]) -> Option<TimelinePlot> {
    let points = || lines.iter().flat_map(|line| line.points.iter().flatten());
    let ends = |point: &Point| {
        let (lower, upper) = point.ends.unwrap_or((point.value, point.value));
        [lower, point.value, upper]
    };
    let values: Vec<f64> = points().flat_map(ends).filter(|value| value.is_finite()).collect();
    if values.is_empty() {
        return None;
    }
    let axis = Axis::of_qualities(&values, N_TICKS);
    let y = |value: f64| labels::round(BOTTOM - (BOTTOM - TOP) * axis.fraction(value));
    let step = (RIGHT - LEFT) / pointsman_core::units::len_as_float(names.len().max(1));
    let x = |index: usize| {
        labels::round(LEFT + step * (pointsman_core::units::len_as_float(index) + 0.5))
    };
    let every = names.len().div_ceil(MOST_NAMES).max(1);
    let named = names.iter().enumerate().step_by(every);
    let y_ticks = axis.ticks().iter();
    Some(TimelinePlot {
        title: title.to_owned(),
        width: WIDTH,
        height: HEIGHT,
        left: LEFT,
        top: TOP,
        right: RIGHT,
        bottom: BOTTOM,
        y_ticks: y_ticks.map(|it| Tick { at: y(it.value), label: it.label.clone() }).collect(),
        x_ticks: named.map(|(at, name)| Tick { at: x(at), label: name.clone() }).collect(),
        lines: lines.iter().map(|line| drawn(line, &x, &y)).collect(),
    })
}

fn drawn(line: &Line, x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) -> Drawn {
    let mut drawn = Drawn {
        name: line.name.clone(),
        style: line.style,
        lines: Vec::new(),
        bands: Vec::new(),
        dots: Vec::new(),
        whiskers: Vec::new(),
    };
    let indexed: Vec<(usize, Option<Point>)> = line.points.iter().copied().enumerate().collect();
    for stretch in indexed.split(|(_, point)| point.is_none_or(|it| !it.value.is_finite())) {
        let known: Vec<(usize, Point)> =
            stretch.iter().filter_map(|(index, point)| Some((*index, (*point)?))).collect();
        if known.is_empty() {
            continue;
        }
        let places: Vec<Spot> =
            known.iter().map(|(index, it)| Spot { x: x(*index), y: y(it.value) }).collect();
        if 1 < places.len() {
            drawn.lines.push(polyline(&places));
        }
        drawn.dots.extend(&places);
        let ends: Vec<Whisker> = known
            .iter()
            .filter_map(|(index, it)| {
                let (lower, upper) = it.ends?;
                Some(Whisker { x: x(*index), upper: y(upper), lower: y(lower) })
            })
            .collect();
        match line.style {
            Style::Sweep => drawn.whiskers.extend(ends),
            Style::Band if 1 < ends.len() => {
                let there = ends.iter().map(|it| Spot { x: it.x, y: it.upper });
                let back = ends.iter().rev().map(|it| Spot { x: it.x, y: it.lower });
                drawn.bands.push(polyline(&there.chain(back).collect::<Vec<_>>()));
            }
            Style::Band | Style::Truth => {}
        }
    }
    drawn
}

fn polyline(places: &[Spot]) -> String {
    places.iter().map(|spot| format!("{},{}", spot.x, spot.y)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: f64) -> Point {
        Point { value, ends: Some((value - 0.1, value + 0.1)) }
    }

    #[test]
    fn gaps_stay_gaps_and_places_stay_on_the_sheet() {
        let names: Vec<String> = (0..5).map(|it| format!("day {it}")).collect();
        let points =
            [Some(0.4), Some(0.6), None, Some(0.5), Some(f64::NAN)].map(|it| it.map(point));
        let line = |style| Line { name: "quality".to_owned(), style, points: points.to_vec() };
        let plot = lay_out("t", &names, &[line(Style::Sweep), line(Style::Band)]).unwrap();
        let [sweep, band] = &plot.lines[..] else { panic!("{plot:?}") };
        assert_eq!((sweep.lines.len(), sweep.dots.len(), sweep.whiskers.len()), (1, 3, 3));
        assert_eq!((band.bands.len(), band.whiskers.len()), (1, 0));
        for spot in &sweep.dots {
            assert!((LEFT..=RIGHT).contains(&spot.x) && (TOP..=BOTTOM).contains(&spot.y));
        }
        assert_eq!(plot.x_ticks.len(), 5);
        let empty = Line { points: vec![None; 5], ..line(Style::Truth) };
        assert_eq!(lay_out("t", &names, &[empty]), None);
    }
}

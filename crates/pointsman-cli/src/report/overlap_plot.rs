//! How a policy overlaps with a log, as places; `overlap.html` turns them into SVG.
//!
//! Two drawings: how many rows have which weight, and the policy's probability of the logged model
//! against the logger's, where a square's area is its number of rows. Rows without weight are in
//! neither, and are named beside them.

use serde::Serialize;

use super::{
    comparisons::{Overlap, WeightBin},
    labels, number,
};
use crate::wording;

/// Both drawings are squares with room for ticks on the left and below.
const SIDE: f64 = 300.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 22.0;
const HEIGHT: f64 = 372.0;
const WIDTH: f64 = 352.0;
/// The room of a tenth, and how much of it the largest square takes.
const TENTH: f64 = SIDE / 10.0;
const LARGEST_SQUARE: f64 = TENTH - 2.0;
/// Labels of weights that fit below the drawing.
const MOST_LABELS: usize = 6;

/// The drawings of one policy, ready for the template. Places are in units of the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OverlapPlot<'a> {
    overlap: &'a Overlap,
    width: f64,
    height: f64,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    bars: Vec<Bar>,
    /// Where the weight is one, if that is within the drawing.
    one: Option<f64>,
    most: String,
    squares: Vec<Square>,
    ticks: Vec<Tick>,
    n_rows: String,
    n_zero: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// The weights in words.
    name: String,
    /// The upper end, where there is room to write it below the bar.
    label: Option<String>,
    /// Where the upper end is.
    end: f64,
    n_rows: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Square {
    x: f64,
    y: f64,
    side: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Tick {
    x: f64,
    y: f64,
    label: String,
}

/// Lays out the drawings of one policy.
pub(super) fn lay_out(overlap: &Overlap) -> OverlapPlot<'_> {
    let x = |share: f64| labels::round(LEFT + SIDE * share);
    let y = |share: f64| labels::round(TOP + SIDE * (1.0 - share));
    let most = overlap.weights.iter().map(|bin| bin.n_rows).max().unwrap_or(0);
    let bars = bars(&overlap.weights, most);
    let is_one = |bin: &WeightBin| bin.up_to == Some(1.0);
    let ends_at_one = overlap.weights.iter().position(is_one);
    let largest = overlap.cells.iter().map(|cell| cell.n_rows).max().unwrap_or(1);
    let squares = overlap.cells.iter().map(|cell| {
        let side = LARGEST_SQUARE * (count(cell.n_rows) / count(largest)).sqrt();
        let middle = |tenth: usize| (count(tenth) + 0.5) / 10.0;
        let (at_x, at_y) = (x(middle(cell.logged_tenth)), y(middle(cell.target_tenth)));
        let corner = |at: f64| labels::round(at - side / 2.0);
        Square { x: corner(at_x), y: corner(at_y), side: labels::round(side) }
    });
    let tick = |share: f64| Tick { x: x(share), y: y(share), label: number::fixed(share, 1) };
    OverlapPlot {
        overlap,
        width: WIDTH,
        height: HEIGHT,
        left: x(0.0),
        top: y(1.0),
        right: x(1.0),
        bottom: y(0.0),
        one: ends_at_one.and_then(|place| bars.get(place)).map(|bar| bar.end),
        bars,
        most: wording::length(most),
        squares: squares.collect(),
        ticks: [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(tick).into(),
        n_rows: wording::length(overlap.n_rows),
        n_zero: wording::length(overlap.n_zero_weights),
    }
}

fn bars(bins: &[WeightBin], most: usize) -> Vec<Bar> {
    let width = SIDE / count(bins.len().max(1));
    let every = bins.len().div_ceil(MOST_LABELS).max(1);
    let bar = |(place, bin): (usize, &WeightBin)| {
        let height = SIDE * count(bin.n_rows) / count(most.max(1));
        let start = LEFT + width * count(place);
        let upper = bin.up_to.map(weight);
        Bar {
            x: labels::round(start + 0.5),
            y: labels::round(TOP + SIDE - height),
            width: labels::round((width - 1.0).max(1.0)),
            height: labels::round(height),
            name: match &upper {
                Some(upper) => format!("{} to {upper}", weight(bin.above)),
                None => format!("above {}", weight(bin.above)),
            },
            label: upper.filter(|_| place % every == 0),
            end: labels::round(start + width),
            n_rows: bin.n_rows,
        }
    };
    bins.iter().enumerate().map(bar).collect()
}

/// A power of two, as people write it.
fn weight(weight: f64) -> String {
    if 0.0 < weight && weight < 1.0 {
        return format!("1/{}", number::fixed(1.0 / weight, 0));
    }
    number::fixed(weight, 0)
}

fn count(number: usize) -> f64 {
    pointsman_core::units::len_as_float(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::comparisons::ProbabilityCell;

    #[test]
    fn nothing_leaves_the_drawing() {
        let bin = |above, up_to, n_rows| WeightBin { above, up_to, n_rows };
        let cell = |logged_tenth, target_tenth, n_rows| ProbabilityCell {
            logged_tenth,
            target_tenth,
            n_rows,
        };
        let overlap = Overlap {
            policy: "policy".to_owned(),
            n_rows: 21,
            n_zero_weights: 1,
            weights: vec![bin(0.5, Some(1.0), 15), bin(1.0, Some(2.0), 0), bin(2.0, None, 5)],
            cells: vec![cell(0, 9, 15), cell(9, 0, 5)],
        };
        let plot = lay_out(&overlap);
        assert_eq!(plot.one, Some(plot.bars[0].end));
        let names: Vec<&str> = plot.bars.iter().map(|bar| bar.name.as_str()).collect();
        assert_eq!(names, ["1/2 to 1", "1 to 2", "above 2"]);
        assert!((plot.bars[0].height - SIDE).abs() < 1e-9);
        for bar in &plot.bars {
            assert!(plot.left <= bar.x && bar.x + bar.width <= plot.right, "{bar:?}");
            assert!(plot.top <= bar.y && bar.y + bar.height <= plot.bottom + 1e-9, "{bar:?}");
        }
        for square in &plot.squares {
            assert!(plot.left <= square.x && square.x + square.side <= plot.right, "{square:?}");
            assert!(plot.top <= square.y && square.y + square.side <= plot.bottom, "{square:?}");
        }
        let empty = Overlap { weights: Vec::new(), cells: Vec::new(), ..overlap };
        assert_eq!(lay_out(&empty).one, None);
    }
}

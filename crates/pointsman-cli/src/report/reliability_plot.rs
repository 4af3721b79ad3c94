//! Reliability diagrams, as places; `reliability.html` turns them into SVG.
//!
//! Observed against predicted quality in bins of equal mass, on the whole range from 0 to 1 and on
//! equal axes, so that every diagram has its diagonal in the same place. A mean prediction outside
//! the range is drawn at its edge.

use serde::Serialize;

use super::{
    contents::Calibration,
    labels::{self, Spot},
    number,
};

/// The drawing is a square with room for ticks on the left and below.
const SIDE: f64 = 300.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 22.0;
const HEIGHT: f64 = 372.0;
const WIDTH: f64 = 352.0;
const TICKS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
/// Standard errors on each side of an observed mean: 95 %.
const REACH: f64 = 1.96;

/// One diagram, ready for the template. Places are in units of the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ReliabilityPlot<'a> {
    calibration: &'a Calibration,
    width: f64,
    height: f64,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    ticks: Vec<Tick>,
    /// The bins as SVG `points`, lowest predictions first.
    line: String,
    bins: Vec<Bar>,
    n_pairs: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Tick {
    x: f64,
    y: f64,
    label: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Bar {
    at: Spot,
    upper_y: f64,
    lower_y: f64,
    lower: f64,
    upper: f64,
}

/// Lays out one diagram.
pub(super) fn lay_out(calibration: &Calibration) -> ReliabilityPlot<'_> {
    let x = |share: f64| labels::round(LEFT + SIDE * share.clamp(0.0, 1.0));
    let y = |share: f64| labels::round(TOP + SIDE * (1.0 - share.clamp(0.0, 1.0)));
    let bins: Vec<Bar> = calibration
        .bins
        .iter()
        .map(|bin| {
            let reach = REACH * bin.std_error;
            let (lower, upper) = (bin.observed - reach, bin.observed + reach);
            let at = Spot { x: x(bin.predicted), y: y(bin.observed) };
            Bar { at, upper_y: y(upper), lower_y: y(lower), lower, upper }
        })
        .collect();
    let places: Vec<String> = bins.iter().map(|bar| format!("{},{}", bar.at.x, bar.at.y)).collect();
    let tick = |share| Tick { x: x(share), y: y(share), label: number::fixed(share, 1) };
    let n_pairs: usize = calibration.bins.iter().map(|bin| bin.n_pairs).sum();
    ReliabilityPlot {
        calibration,
        width: WIDTH,
        height: HEIGHT,
        left: x(0.0),
        top: y(1.0),
        right: x(1.0),
        bottom: y(0.0),
        ticks: TICKS.map(tick).into(),
        line: places.join(" "),
        bins,
        n_pairs: crate::wording::length(n_pairs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::contents::CalibrationBin;

    #[test]
    fn a_perfect_bin_lies_on_the_diagonal_and_nothing_leaves_the_square() {
        let bin = |predicted, observed, std_error| CalibrationBin {
            n_pairs: 10,
            predicted,
            observed,
            std_error,
        };
        let calibration = Calibration {
            name: "policy".to_owned(),
            ece: 0.01,
            raw: 0.02,
            noise: 0.01,
            bins: vec![bin(-0.1, 0.0, 0.2), bin(0.5, 0.5, 0.01), bin(1.2, 1.0, 0.2)],
        };
        let plot = lay_out(&calibration);
        let Bar { at, .. } = &plot.bins[1];
        assert!((at.x - plot.left - (plot.bottom - at.y)).abs() < 1e-9);
        for bar in &plot.bins {
            assert!(plot.left <= bar.at.x && bar.at.x <= plot.right);
            assert!(plot.top <= bar.upper_y && bar.lower_y <= plot.bottom);
        }
        assert_eq!(plot.n_pairs, "30");
    }
}

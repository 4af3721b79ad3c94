//! The cost–quality plot, as places; `page.html` turns them into SVG.
//!
//! Text stays data until the template escapes it, like everywhere on the page. The plot is laid
//! out twice, for a desk and for a telephone: scaling one drawing would shrink its letters.
//! Points that are not finite, or cost less than nothing, are counted instead of drawn.

use serde::Serialize;

use super::axis::{Axis, Scale};
use super::contents::{CostQuality, Frontier, OperatingPoint, SingleModel};
use super::labels::{self, Area, Label, Mark, Spot};
use super::{convex_mix, number};

/// Samples per side of the convex mix, which is curved on a logarithmic axis.
const MIX_SAMPLES: u32 = 24;
const SINGLE_RADIUS: f64 = 5.0;
const POINT_RADIUS: f64 = 6.0;

/// How large a plot is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sheet {
    /// Part of the element's ids and class.
    id: &'static str,
    width: f64,
    height: f64,
    margin_left: f64,
    margin_bottom: f64,
    n_cost_ticks: u32,
    max_label_chars: usize,
}

/// For screens and paper.
pub(super) const WIDE: Sheet = Sheet {
    id: "wide",
    width: 960.0,
    height: 500.0,
    margin_left: 58.0,
    margin_bottom: 52.0,
    n_cost_ticks: 8,
    max_label_chars: 30,
};

/// For telephones.
pub(super) const NARROW: Sheet = Sheet {
    id: "narrow",
    width: 360.0,
    height: 400.0,
    margin_left: 44.0,
    margin_bottom: 50.0,
    n_cost_ticks: 3,
    max_label_chars: 18,
};

const MARGIN_TOP: f64 = 26.0;
const MARGIN_RIGHT: f64 = 14.0;
const N_QUALITY_TICKS: u32 = 6;

/// Why there is nothing to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlot {
    /// The data has no costs at all.
    NoCosts,
    /// Every cost is zero.
    AllFree,
    /// No point has both a cost and a quality.
    NoPoints,
}

impl NoPlot {
    /// One sentence for the reader: what is missing and what would help.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::NoCosts => {
                "There is nothing to draw: a frontier takes every model's outcome and cost on every prompt. \
                 An outcome table with a cost column has both."
            }
            Self::AllFree => {
                "Every cost in this data is zero, so there is no trade-off to draw: \
                 compare qualities in the table below. Give a catalog with prices to see one."
            }
            Self::NoPoints => {
                "No model and no policy has both a cost and a quality, so there is nothing to draw."
            }
        }
    }
}

/// A plot, ready for the template. Places are in units of the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct FrontierPlot {
    id: &'static str,
    width: f64,
    height: f64,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    is_log: bool,
    cost_ticks: Vec<TickMark>,
    quality_ticks: Vec<TickMark>,
    /// Polylines as SVG `points`; empty when there is no such line.
    mix: String,
    sweep: String,
    truth: String,
    by_request: String,
    sweep_dots: Vec<Spot>,
    singles: Vec<Spot>,
    oracle: Option<Spot>,
    operating_points: Vec<IntervalBar>,
    labels: Vec<Label>,
    n_unlabelled: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct TickMark {
    at: f64,
    label: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct IntervalBar {
    at: Spot,
    upper_y: f64,
    lower_y: f64,
}

/// The part of `frontier` that can be drawn, and how many points are left out.
pub(super) fn drawable(frontier: &Frontier) -> (Frontier, usize) {
    let mut kept = frontier.clone();
    kept.sweep.retain(CostQuality::is_drawable);
    kept.singles.retain(|single| single.spot().is_drawable());
    kept.oracle = kept.oracle.filter(CostQuality::is_drawable);
    kept.operating_points.retain(|point| point.spot().is_drawable());
    for line in [&mut kept.truth, &mut kept.by_request].into_iter().flatten() {
        line.retain(CostQuality::is_drawable);
    }
    let n_left_out = frontier.points().count() - kept.points().count();
    (kept, n_left_out)
}

/// Lays out a frontier of drawable points on a sheet.
///
/// # Errors
/// [`NoPlot`] when no point is left or all are free.
pub(super) fn lay_out(frontier: &Frontier, sheet: &Sheet) -> Result<FrontierPlot, NoPlot> {
    let costs: Vec<f64> =
        frontier.points().map(|point| number::per_thousand(point.cost_usd)).collect();
    if costs.is_empty() {
        return Err(NoPlot::NoPoints);
    }
    if costs.iter().all(|cost| *cost <= 0.0) {
        return Err(NoPlot::AllFree);
    }
    let mut qualities: Vec<f64> = frontier.points().map(|point| point.quality).collect();
    for point in &frontier.operating_points {
        qualities
            .extend([point.quality_lower, point.quality_upper].iter().filter(|q| q.is_finite()));
    }
    let canvas = Canvas {
        costs: Axis::of_costs(&costs, sheet.n_cost_ticks),
        qualities: Axis::of_qualities(&qualities, N_QUALITY_TICKS),
        area: Area {
            left: sheet.margin_left,
            top: MARGIN_TOP,
            right: sheet.width - MARGIN_RIGHT,
            bottom: sheet.height - sheet.margin_bottom,
        },
    };
    Ok(canvas.draw(frontier, sheet))
}

/// Two axes on a piece of the sheet.
struct Canvas {
    costs: Axis,
    qualities: Axis,
    area: Area,
}

impl Canvas {
    fn draw(&self, frontier: &Frontier, sheet: &Sheet) -> FrontierPlot {
        let mix = self.places(&self.mix_line(&frontier.singles));
        let sweep = self.places(&frontier.sweep);
        let truth = self.places(frontier.truth.as_deref().unwrap_or_default());
        let by_request = self.places(frontier.by_request.as_deref().unwrap_or_default());
        let bars: Vec<IntervalBar> =
            frontier.operating_points.iter().map(|point| self.bar(point)).collect();
        let mut busy: Vec<Spot> = [&mix, &sweep, &truth, &by_request]
            .into_iter()
            .flat_map(|line| spots_on(line))
            .collect();
        busy.extend(bars.iter().flat_map(|bar| {
            let end = |y| Spot { x: bar.at.x, y };
            labels::along(end(bar.upper_y), end(bar.lower_y))
        }));
        let marks = self.marks(frontier, sheet.max_label_chars);
        let placed = labels::place(&marks, &self.area, &busy);
        let n_unlabelled = placed.iter().filter(|label| label.is_none()).count();
        let Area { left, top, right, bottom } = self.area;
        FrontierPlot {
            id: sheet.id,
            width: sheet.width,
            height: sheet.height,
            left,
            top,
            right,
            bottom,
            is_log: self.costs.scale() == Scale::Logarithmic,
            cost_ticks: tick_marks(&self.costs, |value| self.x(value)),
            quality_ticks: tick_marks(&self.qualities, |value| self.y(value)),
            mix: points_attribute(&mix),
            sweep: points_attribute(&sweep),
            truth: points_attribute(&truth),
            by_request: points_attribute(&by_request),
            sweep_dots: sweep,
            singles: frontier.singles.iter().map(|single| self.place(single.spot())).collect(),
            oracle: frontier.oracle.map(|oracle| self.place(oracle)),
            operating_points: bars,
            labels: placed.into_iter().flatten().collect(),
            n_unlabelled,
        }
    }

    /// What gets a name, the most important first.
    fn marks(&self, frontier: &Frontier, max_chars: usize) -> Vec<Mark> {
        let mark = |point: CostQuality, radius: f64, name: &str| Mark {
            at: self.place(point),
            radius,
            text: shortened(name, max_chars),
        };
        let points = frontier.operating_points.iter();
        let corners = convex_mix::corners(frontier.singles.iter().map(SingleModel::spot).collect());
        let (worth_mixing, others): (Vec<&SingleModel>, Vec<&SingleModel>) =
            frontier.singles.iter().partition(|single| corners.contains(&single.spot()));
        points
            .map(|point| mark(point.spot(), POINT_RADIUS, &point.name))
            .chain(frontier.oracle.map(|oracle| mark(oracle, POINT_RADIUS, "oracle")))
            .chain(
                worth_mixing
                    .into_iter()
                    .chain(others)
                    .map(|single| mark(single.spot(), SINGLE_RADIUS, &single.model)),
            )
            .collect()
    }

    /// The convex mix in small steps; nothing for fewer than two corners.
    fn mix_line(&self, singles: &[SingleModel]) -> Vec<CostQuality> {
        let corners = convex_mix::corners(singles.iter().map(SingleModel::spot).collect());
        let n_steps = match self.costs.scale() {
            Scale::Linear => 1,
            Scale::Logarithmic => MIX_SAMPLES,
        };
        let mut line: Vec<CostQuality> = Vec::new();
        for side in corners.windows(2) {
            let [from, to] = side else { continue };
            // Even ratios of cost are even steps on a logarithmic axis.
            line.extend((0..=n_steps).map(|step| {
                let share = f64::from(step) / f64::from(n_steps);
                let cost_usd = match self.costs.scale() {
                    Scale::Linear => from.cost_usd + (to.cost_usd - from.cost_usd) * share,
                    Scale::Logarithmic => from.cost_usd * (to.cost_usd / from.cost_usd).powf(share),
                };
                let way = (cost_usd - from.cost_usd) / (to.cost_usd - from.cost_usd);
                CostQuality { cost_usd, quality: from.quality + (to.quality - from.quality) * way }
            }));
        }
        line
    }

    fn bar(&self, point: &OperatingPoint) -> IntervalBar {
        let at = self.place(point.spot());
        let end = |quality: f64| if quality.is_nan() { at.y } else { self.y(quality) };
        IntervalBar { at, upper_y: end(point.quality_upper), lower_y: end(point.quality_lower) }
    }

    fn places(&self, points: &[CostQuality]) -> Vec<Spot> {
        points.iter().map(|point| self.place(*point)).collect()
    }

    fn place(&self, point: CostQuality) -> Spot {
        Spot { x: self.x(number::per_thousand(point.cost_usd)), y: self.y(point.quality) }
    }

    fn x(&self, cost: f64) -> f64 {
        let Area { left, right, .. } = self.area;
        labels::round(left + (right - left) * self.costs.fraction(cost))
    }

    fn y(&self, quality: f64) -> f64 {
        let Area { top, bottom, .. } = self.area;
        labels::round(bottom - (bottom - top) * self.qualities.fraction(quality))
    }
}

fn tick_marks(axis: &Axis, place: impl Fn(f64) -> f64) -> Vec<TickMark> {
    let mark =
        |tick: &super::axis::Tick| TickMark { at: place(tick.value), label: tick.label.clone() };
    axis.ticks().iter().map(mark).collect()
}

fn spots_on(line: &[Spot]) -> Vec<Spot> {
    line.windows(2).flat_map(|side| labels::along(side[0], side[1])).collect()
}

fn points_attribute(line: &[Spot]) -> String {
    if line.len() < 2 {
        return String::new();
    }
    line.iter().map(|spot| format!("{},{}", spot.x, spot.y)).collect::<Vec<_>>().join(" ")
}

/// A name of at most `max_chars`: first its provider goes, then its middle, since families
/// differ in how names begin and sizes in how they end.
fn shortened(name: &str, max_chars: usize) -> String {
    let n_chars = |text: &str| text.chars().count();
    if n_chars(name) <= max_chars {
        return name.to_owned();
    }
    let model = name.rsplit('/').next().filter(|model| !model.is_empty()).unwrap_or(name);
    if n_chars(model) <= max_chars {
        return model.to_owned();
    }
    let n_tail = max_chars / 2;
    let n_head = max_chars.saturating_sub(n_tail + 1);
    let head = model.chars().take(n_head);
    let tail = model.chars().skip(n_chars(model) - n_tail);
    head.chain(['…']).chain(tail).collect()
}

impl CostQuality {
    fn is_drawable(&self) -> bool {
        self.cost_usd.is_finite() && self.quality.is_finite() && self.cost_usd >= 0.0
    }
}

impl SingleModel {
    fn spot(&self) -> CostQuality {
        CostQuality { cost_usd: self.cost_usd, quality: self.quality }
    }
}

impl OperatingPoint {
    fn spot(&self) -> CostQuality {
        CostQuality { cost_usd: self.cost_usd, quality: self.quality }
    }
}

impl Frontier {
    fn points(&self) -> impl Iterator<Item = CostQuality> + '_ {
        self.sweep
            .iter()
            .copied()
            .chain(self.singles.iter().map(SingleModel::spot))
            .chain(self.oracle)
            .chain(self.operating_points.iter().map(OperatingPoint::spot))
            .chain([&self.truth, &self.by_request].into_iter().flatten().flatten().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_what_tells_them_apart() {
        assert_eq!(shortened("gpt-5", 18), "gpt-5");
        assert_eq!(shortened("openrouter/anthropic/claude-haiku-4.5", 18), "claude-haiku-4.5");
        assert_eq!(shortened("llama-3.3-nemotron-super-49b", 18), "llama-3.…super-49b");
        assert_eq!(shortened("名前名前名前名前", 4), "名…名前");
        assert_eq!(shortened("ends-with-a-slash/", 9), "ends…ash/");
    }
}

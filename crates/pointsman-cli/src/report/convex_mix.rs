//! What mixing single models by a coin gives.
//!
//! Any point between two models can be had without looking at the prompt, so a policy earns its
//! keep only above this line. It is the upper convex hull of the models, from the cheapest to
//! the best. Source: the non-decreasing hull of `RouterBench`, arXiv 2403.12031.

use super::contents::CostQuality;

/// The corners of the convex mix, cheapest first; empty without models. All numbers are finite.
pub(super) fn corners(mut singles: Vec<CostQuality>) -> Vec<CostQuality> {
    singles.sort_by(|one, other| {
        one.cost_usd.total_cmp(&other.cost_usd).then(other.quality.total_cmp(&one.quality))
    });
    let mut hull: Vec<CostQuality> = Vec::new();
    for point in singles {
        // Dearer and no better: never part of a mix worth having.
        if hull.last().is_some_and(|last| point.quality <= last.quality) {
            continue;
        }
        while let [.., before, last] = hull.as_slice()
            && is_under(*last, *before, point)
        {
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

/// Whether `point` lies on or under the line from `left` to `right`.
fn is_under(point: CostQuality, left: CostQuality, right: CostQuality) -> bool {
    let rise = (right.quality - left.quality) * (point.cost_usd - left.cost_usd);
    (point.quality - left.quality) * (right.cost_usd - left.cost_usd) <= rise
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(singles: &[(f64, f64)], expected: &[(f64, f64)]) {
        let points = singles.iter().map(|&(cost_usd, quality)| CostQuality { cost_usd, quality });
        let found: Vec<(f64, f64)> =
            corners(points.collect()).iter().map(|point| (point.cost_usd, point.quality)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn keeps_the_models_worth_mixing() {
        check(&[], &[]);
        check(&[(1.0, 0.5)], &[(1.0, 0.5)]);
        check(&[(3.0, 0.9), (1.0, 0.5), (2.0, 0.6)], &[(1.0, 0.5), (3.0, 0.9)]);
        check(&[(1.0, 0.5), (2.0, 0.8), (3.0, 0.9)], &[(1.0, 0.5), (2.0, 0.8), (3.0, 0.9)]);
        check(&[(1.0, 0.9), (2.0, 0.5), (1.0, 0.4)], &[(1.0, 0.9)]);
    }
}

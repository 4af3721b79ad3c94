//! Whether held-out rows say to route, in one sentence, for a policy file's card.

use crate::{
    routers::{LESS_COST, MOST_LOSS},
    wording::signed,
};
use pointsman_core::artifact::Standing;
use pointsman_train::train::{PointValue, Trained};

/// What held-out rows say about routing at all: it has to beat the best single model with
/// confidence, in quality or in cost, and a mix of two models that costs the same, or one model is
/// the honest answer.
pub(crate) fn standing(models: &[String], trained: &Trained) -> Standing {
    let best = trained.held_out.as_ref().map_or_else(
        || {
            let quality = &trained.mean_quality;
            (0..quality.len()).max_by(|&a, &b| quality[a].total_cmp(&quality[b])).unwrap_or(0)
        },
        |report| report.best_single,
    );
    let best_single = models[best].clone();
    let Some(report) = &trained.held_out else {
        let sentence =
            "Nothing was held out, so nothing is known about what routing is worth here.";
        return Standing { best_single, sentence: sentence.to_owned() };
    };
    let (gain, error) = report.sweep[0].gain;
    let saving = report.operating_points.iter().find(|value| {
        value.point.name == "balanced"
            && value.point.cost_usd.upper < LESS_COST * report.best_single_cost
            && -MOST_LOSS <= lower(value.gain)
            && value.mix.is_none_or(|mix| 0.0 < lower(mix.gain))
    });
    let sentence = match saving {
        Some(value) => format!(
            "Route: on held-out rows `balanced` costs {:.0} % of `{best_single}`; its quality is {} \
             against it{}; ignoring cost, quality is {} against it.",
            100.0 * value.point.cost_usd.value / report.best_single_cost,
            interval(value.gain),
            against_mix(value, models),
            interval((gain, error)),
        ),
        None if 0.0 < lower((gain, error)) => format!(
            "Route: on held-out rows its quality is {} against `{best_single}`.",
            interval((gain, error))
        ),
        None => format!(
            "Use one model, `{best_single}`: on held-out rows routing did not beat it, or a mix of \
             two models at the same cost, with confidence, in quality ({}) or in cost.{}",
            interval((gain, error)),
            for_less(&report.operating_points, models),
        ),
    };
    Standing { best_single, sentence }
}

/// Routing may still be the better way to spend less than the best single model costs.
fn for_less(points: &[PointValue], models: &[String]) -> String {
    let beats_mix = |value: &&PointValue| value.mix.is_some_and(|mix| 0.0 < lower(mix.gain));
    let Some(value) = points.iter().rfind(beats_mix) else { return String::new() };
    format!(
        " Where quality may fall, `{}` is at {} against it{}.",
        value.point.name,
        interval(value.gain),
        against_mix(value, models),
    )
}

fn lower((gain, error): (f64, f64)) -> f64 {
    gain - 1.96 * error
}

fn interval((gain, error): (f64, f64)) -> String {
    let (lower, upper) = (lower((gain, error)), gain + 1.96 * error);
    format!("{} [{}, {}]", signed(gain), signed(lower), signed(upper))
}

fn against_mix(value: &PointValue, models: &[String]) -> String {
    let Some(mix) = &value.mix else { return String::new() };
    let [cheap, dear] = mix.models.map(|model| models[model].as_str());
    format!(", and {} against mixing `{cheap}` and `{dear}` at the same cost", interval(mix.gain))
}

//! Frontiers of routing alone and of routing with escalation, for people, as JSON and as a plot.

use crate::{
    report::{self, EscalationFrontier, Frontier, SingleModel},
    screen::Screen,
    wording,
};
use anyhow::Result;
use pointsman_eval::{
    cascade::{CascadeRows, Columns},
    error::ValuesError,
    interval::ConfidenceLevel,
    matrix::CostQuality,
    whole::{AreaGain, WholeFrontier, WholePolicy, WholeRows, WholeValue, whole_value},
};
use serde_json::{Map, Value, json};

/// A cascade ends at so many answers, as in the service.
pub(super) const MOST_ANSWERS: u32 = 3;

/// Seeds the resamples of intervals; no choice of the learner depends on it.
pub(super) const RESAMPLING_SEED: u64 = 0;

/// The frontiers of two models of which the first one's answers are read.
pub(super) fn of_pair(rows: &CascadeRows<'_>, groups: &[u64]) -> Result<WholeValue, ValuesError> {
    let CascadeRows { quality, cost_usd, expected_usd, from_prompt, from_answer } = *rows;
    let rows = WholeRows {
        n_models: 2,
        quality: &interleaved(quality),
        cost_usd: &interleaved(cost_usd),
        expected_usd: &interleaved(expected_usd),
        from_prompt: &interleaved(from_prompt),
        from_answer: &[Some(interleaved(from_answer)), None],
        groups,
        most_answers: MOST_ANSWERS,
    };
    whole_value(&rows, ConfidenceLevel::P95, RESAMPLING_SEED)
}

/// Two columns as rows.
fn interleaved([first, next]: Columns<'_>) -> Vec<f64> {
    first.iter().zip(next).flat_map(|(first, next)| [*first, *next]).collect()
}

/// What a policy is called in text.
fn in_words(policy: WholePolicy) -> &'static str {
    match policy {
        WholePolicy::PromptRouting => "routing by the request alone",
        WholePolicy::Escalation => "the same, then by the answers",
        WholePolicy::Foreseeing => "by the answers, foreseen in routing",
    }
}

fn gain_in_words(gain: &AreaGain) -> String {
    wording::with_interval(gain.value, gain.interval.lower, gain.interval.upper)
}

/// Prints all frontiers.
pub(super) fn describe(value: &WholeValue, screen: &Screen) -> Result<()> {
    screen.say(
        "frontiers with all answers paid (area between the cheapest and the dearest model):",
    )?;
    let rows = value.policies.iter().map(|it| {
        [
            in_words(it.policy).to_owned(),
            format!("{:.4}", it.area),
            it.over_routing.as_ref().map_or_else(|| "-".to_owned(), gain_in_words),
            format!("{:.2}", it.answers_per_request),
        ]
    });
    let header = ["policy", "area", "over routing (95 %)", "answers at no weight on cost"];
    screen.table(header, rows)
}

/// All frontiers, by the names of their policies.
pub(super) fn json(value: &WholeValue) -> Value {
    let point = |it: &CostQuality| json!({"cost_usd": it.cost_usd, "quality": it.quality});
    let of_policy = |it: &WholeFrontier| {
        let gain = it.over_routing.map(|AreaGain { value, interval }| {
            json!({
                "value": value,
                "lower": interval.lower,
                "upper": interval.upper,
                "level": 0.95,
                "method": interval.method.name(),
            })
        });
        let found = json!({
            "area": it.area,
            "over_prompt_routing": gain,
            "answers_per_request": it.answers_per_request,
            "frontier": it.hull.iter().map(point).collect::<Vec<Value>>(),
        });
        (it.policy.name().to_owned(), found)
    };
    let policies: Map<String, Value> = value.policies.iter().map(of_policy).collect();
    json!({"n": value.n_rows, "policies": policies})
}

/// Both frontiers on one plot: the request alone, and the answers with routing that foresees them.
pub(super) fn plot(name: &str, models: &[&str], value: &WholeValue) -> EscalationFrontier {
    let points = |policy: WholePolicy| -> Vec<report::CostQuality> {
        let of_policy = value.policies.iter().filter(|it| it.policy == policy);
        of_policy.flat_map(|it| &it.hull).map(drawn).collect()
    };
    let single = |(model, it): (&&str, &CostQuality)| SingleModel {
        model: (*model).to_owned(),
        cost_usd: it.cost_usd,
        quality: it.quality,
    };
    let gain = |policy: WholePolicy| {
        let found = value.policies.iter().find(|it| it.policy == policy);
        found.and_then(|it| it.over_routing).map(|gain| gain_in_words(&gain))
    };
    let sentence = match (gain(WholePolicy::Escalation), gain(WholePolicy::Foreseeing)) {
        (Some(served), Some(foreseen)) => format!(
            "The mean quality of the frontier between the costs of the cheapest and the dearest \
             model is higher with the answers than by the request alone by {foreseen}; by {served} \
             where the first model is chosen as if its answer were final. 95% intervals by a bootstrap \
             over prompts."
        ),
        (Some(_) | None, _) => String::new(),
    };
    EscalationFrontier {
        name: name.to_owned(),
        sentence,
        frontier: Frontier {
            cost_source: "the table, of all answers together".to_owned(),
            sweep: points(WholePolicy::Foreseeing),
            by_request: Some(points(WholePolicy::PromptRouting)),
            singles: models.iter().zip(&value.singles).map(single).collect(),
            oracle: None,
            operating_points: Vec::new(),
            truth: None,
        },
    }
}

fn drawn(point: &CostQuality) -> report::CostQuality {
    report::CostQuality { cost_usd: point.cost_usd, quality: point.quality }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_its_frontiers_and_its_plot() {
        let (first, next) = ([1.0, 0.0, 1.0, 0.0], [1.0; 4]);
        let dollars = [[0.1; 4], [1.0; 4]];
        let rows = CascadeRows {
            quality: [&first, &next],
            cost_usd: [&dollars[0], &dollars[1]],
            expected_usd: [&dollars[0], &dollars[1]],
            from_prompt: [&[0.5; 4], &next],
            from_answer: [&first, &next],
        };
        let value = of_pair(&rows, &[1, 2, 3, 4]).unwrap();
        let found = json(&value);
        assert_eq!(found["n"], 4);
        let area = |policy: &str| found["policies"][policy]["area"].as_f64().unwrap();
        assert!(area("prompt_routing") < area("foreseeing"), "{found}");
        assert!(found["policies"]["prompt_routing"]["over_prompt_routing"].is_null());
        let plot = plot("small → large", &["small", "large"], &value);
        assert_eq!(plot.frontier.singles.len(), 2);
        let by_request = plot.frontier.by_request.unwrap();
        assert_eq!(by_request.len(), 2, "{by_request:?}");
        assert!(plot.sentence.contains("higher with the answers"), "{}", plot.sentence);
    }
}

//! Frontiers of routing with answers that are read, and without, as a part of a page.

use minijinja::{Environment, Error, Value, value::Serde};
use serde::Serialize;

use super::{
    contents::{CostQuality, EscalationFrontier},
    frontier_plot::FrontierPlot,
    number, view,
};

/// What the template of one frontier needs beside it.
#[derive(Debug, Serialize)]
struct EscalationView<'a> {
    escalation: &'a EscalationFrontier,
    by_request: &'a [CostQuality],
    /// Makes the ids of its drawings differ from those of the others on the page.
    id: String,
    plots: Vec<FrontierPlot>,
    no_plot_because: Option<&'static str>,
    n_left_out: usize,
    cost_decimals: usize,
}

#[derive(Serialize)]
struct Escalations<'a> {
    escalations: Vec<EscalationView<'a>>,
}

const PART: &str = "escalations.html";

/// All frontiers, escaped; empty text for none.
pub(super) fn render(
    environment: &mut Environment<'_>,
    all: &[EscalationFrontier],
) -> Result<Value, Error> {
    if all.is_empty() {
        return Ok(Value::from(""));
    }
    let source = concat!(include_str!("drawing.html"), include_str!("escalations.html"));
    environment.add_template(PART, source)?;
    let escalations = (1_u32..).zip(all).map(|(number, escalation)| view_of(number, escalation));
    let escalations = Escalations { escalations: escalations.collect() };
    let text = environment.get_template(PART)?.render(Serde(escalations))?;
    Ok(Value::from_safe_string(text))
}

fn view_of(number: u32, escalation: &EscalationFrontier) -> EscalationView<'_> {
    let frontier = &escalation.frontier;
    let (drawing, n_left_out) = view::draw(Some(frontier));
    let (plots, no_plot_because) = match drawing {
        Ok(plots) => (plots, None),
        Err(reason) => (Vec::new(), Some(reason.sentence())),
    };
    let by_request = frontier.by_request.as_deref().unwrap_or_default();
    let lines = frontier.sweep.iter().chain(by_request);
    let costs = lines.map(|point| point.cost_usd);
    let singles = frontier.singles.iter().map(|single| single.cost_usd);
    EscalationView {
        escalation,
        by_request,
        id: format!("escalation-{number}-"),
        plots,
        no_plot_because,
        n_left_out,
        cost_decimals: number::cost_decimals(costs.chain(singles)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        contents::{Frontier, SingleModel},
        render_benchmark,
    };

    fn point(cost_usd: f64, quality: f64) -> CostQuality {
        CostQuality { cost_usd, quality }
    }

    fn single(model: &str, cost_usd: f64, quality: f64) -> SingleModel {
        SingleModel { model: model.to_owned(), cost_usd, quality }
    }

    fn example(name: &str) -> EscalationFrontier {
        EscalationFrontier {
            name: name.to_owned(),
            sentence: "The frontier is higher with the answers by 0.0200.".to_owned(),
            frontier: Frontier {
                cost_source: "the table, of all answers together".to_owned(),
                sweep: vec![point(0.000_8, 0.62), point(0.004, 0.76), point(0.007, 0.80)],
                singles: vec![single("small", 0.000_8, 0.62), single("large", 0.009, 0.78)],
                oracle: None,
                operating_points: Vec::new(),
                truth: None,
                by_request: Some(vec![point(0.000_8, 0.62), point(0.005, 0.74)]),
            },
        }
    }

    fn page(all: &[EscalationFrontier]) -> String {
        render_benchmark(&[], all, "pointsman benchmark").unwrap()
    }

    #[test]
    fn both_frontiers_are_drawn_and_stand_in_a_table() {
        let text = page(&[example("small → large, first"), example("small → large, second")]);
        for part in [
            "<polyline class=\"request\"",
            "<polyline class=\"sweep\"",
            "id=\"plot-escalation-1-wide-title\"",
            "id=\"plot-escalation-2-narrow-title\"",
            "<td>request alone</td><td class=\"number\">$5.00</td><td class=\"number\">0.740</td>",
            "<td>request and answer</td><td class=\"number\">$7.00</td>",
            "pays for the first answer too",
        ] {
            assert!(text.contains(part), "the page lacks {part:?}");
        }
        for part in ["<script", "http://", "src=", "url(", "NaN", "undefined"] {
            assert!(!text.contains(part), "the page has {part:?}");
        }
        let ids: Vec<&str> =
            text.split(" id=\"").skip(1).filter_map(|it| it.split('"').next()).collect();
        let distinct: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), distinct.len(), "{ids:?}");
    }

    #[test]
    fn a_page_without_escalation_has_no_such_section() {
        assert!(!page(&[]).contains("id=\"escalation\""));
    }

    #[test]
    fn names_stay_text_and_missing_costs_are_said() {
        let mut hostile = example("<script>alert(1)</script>");
        hostile.frontier.singles[0].model = "<img src=x>".to_owned();
        hostile.frontier.sweep[0].cost_usd = f64::NAN;
        let text = page(&[hostile]);
        assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
        assert!(text.contains("1 point without a finite cost and quality is not drawn"));
        let mut free = example("free");
        free.frontier.singles.clear();
        free.frontier.by_request = None;
        free.frontier.sweep = vec![point(0.0, 0.5)];
        assert!(page(&[free]).contains("Every cost in this data is zero"));
    }

    #[test]
    fn the_part_reads_as_it_did() {
        let text = page(&[example("small → large, table")]);
        let from = text.find("<section id=\"escalation\"").unwrap();
        let to = text.find("<section id=\"provenance\"").unwrap();
        insta::assert_snapshot!(text[from..to].trim_end());
    }
}

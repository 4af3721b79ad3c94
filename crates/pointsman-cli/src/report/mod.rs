//! The report as one HTML page that needs nothing but a browser.
//!
//! A report is mailed, archived and printed, so the page carries its own style and drawings, asks
//! the network for nothing and runs no script; a content security policy in the page holds it to
//! that. Prompts are hostile text: everything reaches the page through the template's escaping.

mod axis;
mod comparisons;
mod contents;
mod convex_mix;
mod escalations;
mod frontier_plot;
mod labels;
mod number;
mod overlap_plot;
mod reliability_plot;
mod replayed;
mod timeline_plot;
mod view;

#[cfg(test)]
mod tests;

use crate::replay::contents::Replay;
use minijinja::{
    Environment, Error, HtmlEscape, UndefinedBehavior, Value, context, syntax::SyntaxConfig,
    value::Serde,
};

pub(crate) use comparisons::{Gain, MoveRow, Moves, Overlap, ProbabilityCell, SliceRow, WeightBin};
pub(crate) use contents::{
    Calibration, Candidate, CostQuality, Diagnostic, EscalationFrontier, Frontier, GeneratedBy,
    IntervalKind, MeanInterval, NO_INTERVAL_OF, OperatingPoint, ProvenanceEntry, Report,
    RewardModelKind, RewardModelUsed, SampleDecision, SingleModel, TermContribution, ValueRow,
    Verdict, VerdictKind,
};

const PAGE: &str = "page.html";

/// Renders `report` as one self-contained HTML page; the same report gives the same bytes.
///
/// # Errors
/// When the template and the report disagree, which is a bug and not a property of the report.
pub(crate) fn render_html(report: &Report) -> Result<String, Error> {
    let mut environment = environment()?;
    environment.add_global("diagrams", diagrams(&environment, &report.calibration)?);
    environment.add_global("overlaps", overlaps(&environment, &report.overlap)?);
    let title = format!("{} – Pointsman report", report.title);
    add_head(&mut environment, &title, &report.generated_by.version)?;
    environment
        .add_template(PAGE, concat!(include_str!("drawing.html"), include_str!("page.html")))?;
    environment.get_template(PAGE)?.render(Serde(view::of(report)))
}

/// Renders the reliability diagrams and the frontiers of escalation of a benchmark as one
/// self-contained HTML page.
///
/// # Errors
/// As [`render_html`].
pub(crate) fn render_benchmark(
    calibration: &[Calibration],
    escalations: &[EscalationFrontier],
    command: &str,
) -> Result<String, Error> {
    let mut environment = environment()?;
    let diagrams = diagrams(&environment, calibration)?;
    let escalations = escalations::render(&mut environment, escalations)?;
    let version = env!("CARGO_PKG_VERSION");
    add_head(&mut environment, "Calibration of routers – Pointsman benchmark", version)?;
    environment.add_template(PAGE, include_str!("benchmark.html"))?;
    environment.get_template(PAGE)?.render(context! { diagrams, escalations, command, version })
}

/// Renders what an import found as one self-contained HTML page.
///
/// # Errors
/// As [`render_html`].
pub(crate) fn render_import<T: serde::Serialize>(
    findings: &T,
    command: &str,
) -> Result<String, Error> {
    let mut environment = environment()?;
    let version = env!("CARGO_PKG_VERSION");
    add_head(&mut environment, "What an import found – Pointsman", version)?;
    environment.add_template(PAGE, include_str!("import.html"))?;
    environment.get_template(PAGE)?.render(Serde(ImportPage { findings, command, version }))
}

#[derive(serde::Serialize)]
struct ImportPage<'a, T> {
    findings: &'a T,
    command: &'a str,
    version: &'a str,
}

/// Renders a replay as one self-contained HTML page; the same replay gives the same bytes.
///
/// # Errors
/// As [`render_html`].
pub(crate) fn render_replay(replay: &Replay) -> Result<String, Error> {
    let mut environment = environment()?;
    add_head(&mut environment, "Replay – Pointsman", &replay.generated_by.version)?;
    environment.add_template(PAGE, include_str!("replay.html"))?;
    environment.get_template(PAGE)?.render(Serde(replayed::of(replay)))
}

/// What all pages share.
fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("quality", number::quality);
    environment.add_filter("signed", number::signed);
    environment.add_filter("effect", number::effect);
    environment.add_filter("cost", number::cost);
    environment.add_filter("probability", number::probability);
    environment.add_filter("count", number::count);
    environment.add_filter("percent", number::percent);
    environment.add_filter("named", named);
    environment.add_global("style", Value::from_safe_string(include_str!("page.css").to_owned()));
    environment.add_template("head.html", include_str!("head.html"))?;
    environment.add_template("reliability.html", include_str!("reliability.html"))?;
    environment.add_template("overlap.html", include_str!("overlap.html"))?;
    Ok(environment)
}

/// Gives a page its first lines, up to the body: its title, its style, and what holds it to itself.
fn add_head(environment: &mut Environment<'_>, title: &str, version: &str) -> Result<(), Error> {
    let head = environment.get_template("head.html")?.render(context! { title, version })?;
    environment.add_global("head", Value::from_safe_string(head));
    Ok(())
}

/// A sentence of the terminal, escaped, with what stands between backticks set as code.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands filters their own text")]
fn named(sentence: String) -> Value {
    let parts: Vec<&str> = sentence.split('`').collect();
    let mut html = String::new();
    for (index, part) in parts.iter().enumerate() {
        let escaped = HtmlEscape(part).to_string();
        let is_after_backtick = index % 2 == 1;
        match (is_after_backtick, index + 1 < parts.len()) {
            (false, _) => html.push_str(&escaped),
            (true, true) => html.push_str(&format!("<code>{escaped}</code>")),
            // The last backtick is alone, and stays what it is.
            (true, false) => html.push_str(&format!("`{escaped}")),
        }
    }
    Value::from_safe_string(html)
}

/// Reliability diagrams, escaped; empty text for none.
fn diagrams(environment: &Environment<'_>, calibration: &[Calibration]) -> Result<Value, Error> {
    let plots: Vec<_> = calibration.iter().map(reliability_plot::lay_out).collect();
    if plots.is_empty() {
        return Ok(Value::from(""));
    }
    let template = environment.get_template("reliability.html")?;
    Ok(Value::from_safe_string(template.render(Serde(Diagrams { plots }))?))
}

/// Drawings of overlap, escaped; empty text for none.
fn overlaps(environment: &Environment<'_>, overlap: &[Overlap]) -> Result<Value, Error> {
    let plots: Vec<_> = overlap.iter().map(overlap_plot::lay_out).collect();
    if plots.is_empty() {
        return Ok(Value::from(""));
    }
    let template = environment.get_template("overlap.html")?;
    Ok(Value::from_safe_string(template.render(Serde(Overlaps { plots }))?))
}

#[derive(serde::Serialize)]
struct Overlaps<'a> {
    plots: Vec<overlap_plot::OverlapPlot<'a>>,
}

#[derive(serde::Serialize)]
struct Diagrams<'a> {
    plots: Vec<reliability_plot::ReliabilityPlot<'a>>,
}

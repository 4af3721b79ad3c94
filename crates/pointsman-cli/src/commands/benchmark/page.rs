//! Reliability diagrams of all learned routers on all tables, and frontiers of escalation.

use crate::{
    report::{Calibration, EscalationFrontier, render_benchmark},
    routers::TableResult,
};
use anyhow::Result;

/// The diagrams of one table, in the order of its routers.
pub(super) fn diagrams(table: &str, result: &TableResult) -> Vec<Calibration> {
    let honest = |router: &crate::routers::RouterResult| {
        let reliability = &router.honesty.as_ref()?.reliability;
        Some(Calibration::of(&format!("{} on {table}", router.name), reliability))
    };
    result.routers.iter().filter_map(honest).collect()
}

/// The page.
pub(super) fn render(diagrams: &[Calibration], plots: &[EscalationFrontier]) -> Result<String> {
    let command = std::env::args().collect::<Vec<_>>().join(" ");
    Ok(render_benchmark(diagrams, plots, &command)?)
}

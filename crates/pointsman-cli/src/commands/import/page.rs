//! The report as one HTML page.

use crate::report::render_import;
use anyhow::Result;

use super::findings::Findings;

/// The page.
pub(super) fn render(findings: &Findings) -> Result<String> {
    let command = std::env::args().collect::<Vec<_>>().join(" ");
    Ok(render_import(findings, &command)?)
}

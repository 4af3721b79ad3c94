//! The report as JSON.

use pointsman_import::{DroppedRows, Imported};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::findings::Findings;

/// All numbers of the report, and its paragraph.
pub(super) fn as_json(imported: &Imported, findings: &Findings) -> Value {
    let Imported { survey, files, was_done, was_begun, n_new_rows, n_parts } = imported;
    let files: Vec<Value> = files
        .iter()
        .map(|file| {
            let path = file.path.display().to_string();
            json!({
                "path": path, "format": file.format, "n_rows": file.n_rows,
                "recognised_by": file.marks, "columns_in_no_row": file.unseen,
            })
        })
        .collect();
    let gaps: Vec<Value> = survey
        .gaps(1, 100)
        .iter()
        .map(|gap| json!({ "from_ms": gap.from_ms, "n_hours": gap.n_hours }))
        .collect();
    let mut all = json!({
        "files": files, "was_done": was_done, "was_begun": was_begun,
        "n_new_rows": n_new_rows, "n_parts": n_parts,
        "n_rows": survey.n_rows, "n_kept": survey.n_kept, "n_pieces": survey.n_pieces,
        "n_kept_pieces": survey.n_kept_pieces, "n_dropped": survey.n_dropped(),
        "dropped": reasons(&survey.dropped), "n_duplicates": survey.n_duplicates,
        "formats": survey.formats, "known": survey.known,
        "n_with_text": survey.n_with_text, "n_with_features": survey.n_with_features,
        "n_prompts_beside": survey.n_prompts_beside,
        "n_with_text_from_beside": survey.n_with_text_from_beside, "n_failed": survey.n_failed,
        "n_served_otherwise": survey.n_served_otherwise, "n_cached": survey.n_cached,
        "models": survey.models, "providers": survey.providers, "scores": survey.scores,
        "cost_sources": survey.cost_sources, "propensities": survey.propensities,
        "rules": survey.rules, "n_unjoined": survey.n_unjoined,
        "first_ms": survey.first_ms, "last_ms": survey.last_ms,
        "n_backwards": survey.n_backwards, "n_without_time": survey.n_without_time, "gaps": gaps,
        "worth": findings.worth,
    });
    all["untrue"] = json!(reasons(&survey.untrue));
    all["warnings"] = json!(findings.warnings);
    all["next"] = json!(findings.next);
    all
}

/// How many were dropped for each reason, and some of them.
fn reasons(all: &BTreeMap<String, DroppedRows>) -> serde_json::Map<String, Value> {
    let one = |(reason, rows): (&String, &DroppedRows)| {
        let DroppedRows { n, examples } = rows;
        (reason.clone(), json!({ "n": n, "examples": examples }))
    };
    all.iter().map(one).collect()
}

//! `pointsman compact`: the segments of a journal as Parquet, outcomes joined to their decisions.

use crate::{
    files,
    screen::{self, Screen},
    wording,
};
use anyhow::{Result, bail};
use pointsman_data::{CompactOptions, CompactSummary, OutcomeCounts, compact, decisions_ahead};
use serde_json::json;
use std::{path::PathBuf, slice};

/// Milliseconds of an hour.
const HOUR_MS: f64 = 3_600_000.0;

/// How many times a journal is read.
const N_READINGS: u64 = 3;

/// Flags of `compact`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder that the service writes its journal to.
    #[arg(value_name = "JOURNAL")]
    journal: PathBuf,
    /// The folder for the Parquet files, one per segment.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// An outcome that comes later than this after its decision is counted as late.
    #[arg(long, value_name = "HOURS", default_value_t = 24.0, allow_negative_numbers = true)]
    late_after: f64,
    /// Also write what was found as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    files::check_apart(&[], &[args.json.as_deref()])?;
    files::check_folder(&args.out)?;
    if let (Ok(out), Ok(journal)) = (args.out.canonicalize(), args.journal.canonicalize())
        && out == journal
    {
        bail!("--out {}: that is the journal itself; name another folder", args.out.display());
    }
    let options = CompactOptions { late_after_ms: milliseconds(args.late_after)? };
    let journal = slice::from_ref(&args.journal);
    let n_about = || Some(decisions_ahead(journal)?.saturating_mul(N_READINGS));
    let bar = screen.progress_about("reading the journal", n_about);
    let summary = compact(&args.journal, &args.out, options, &mut || bar.inc(1));
    bar.finish_and_clear();
    let summary = summary?;
    describe(&summary, args, screen)?;
    screen::json(args.json.as_deref(), &as_json(&summary))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the hours are from zero to a million"
)]
fn milliseconds(hours: f64) -> Result<u64> {
    if !(0.0..=1e6).contains(&hours) {
        bail!("--late-after {hours}: it must be a number of hours from 0 to 1000000");
    }
    Ok((hours * HOUR_MS) as u64)
}

fn describe(summary: &CompactSummary, args: &Args, screen: &Screen) -> Result<()> {
    let CompactSummary { outcomes, .. } = summary;
    screen.say(&format!(
        "read {} in {}; {} an outcome",
        wording::counted(summary.n_decisions, "decision", "decisions"),
        wording::counted(summary.n_segments, "segment", "segments"),
        wording::counted(summary.n_with_outcome, "has", "have"),
    ))?;
    let kinds = [
        (
            outcomes.n_unknown,
            "left out, since its decision is not in the journal",
            "left out, since their decision is not in the journal",
        ),
        (
            outcomes.n_repeated,
            "left out, since it repeats an earlier one",
            "left out, since they repeat an earlier one",
        ),
        (
            outcomes.n_conflicting,
            "contradicts an earlier one; the later counts, field by field",
            "contradict an earlier one; the later counts, field by field",
        ),
        (outcomes.n_before_decision, "stands before its decision", "stand before their decision"),
        (
            outcomes.n_out_of_order,
            "is older than one that stands before it",
            "are older than one that stands before them",
        ),
        (outcomes.n_late, "came late", "came late"),
    ];
    screen.say(&format!(
        "read {}: {} joined",
        wording::counted(outcomes.n_read, "outcome", "outcomes"),
        wording::count(outcomes.n_joined)
    ))?;
    for (n, one, many) in kinds.iter().filter(|(n, _, _)| 0 < *n) {
        screen.say(&format!("  {}", wording::counted(*n, one, many)))?;
    }
    if let Some(line) = wording::damaged(summary.n_damaged_lines, summary.n_missing_segments) {
        screen.say(&line)?;
    }
    screen.say(&format!(
        "wrote {} into {}, left {}",
        wording::counted(summary.n_written, "file", "files"),
        args.out.display(),
        wording::counted(summary.n_unchanged, "as it was", "as they were"),
    ))?;
    if 0 < summary.n_removed {
        screen.say(&format!(
            "removed {}, of segments that hold no decision any more",
            wording::counted(summary.n_removed, "file", "files")
        ))?;
    }
    Ok(())
}

fn as_json(summary: &CompactSummary) -> serde_json::Value {
    let CompactSummary {
        n_segments,
        n_written,
        n_unchanged,
        n_removed,
        n_decisions,
        n_with_outcome,
        outcomes:
            OutcomeCounts {
                n_read,
                n_joined,
                n_unknown,
                n_repeated,
                n_conflicting,
                n_before_decision,
                n_out_of_order,
                n_late,
            },
        n_damaged_lines,
        n_missing_segments,
    } = summary;
    json!({
        "n_segments": n_segments, "n_written": n_written, "n_unchanged": n_unchanged,
        "n_removed": n_removed,
        "n_decisions": n_decisions, "n_with_outcome": n_with_outcome,
        "outcomes": {
            "n_read": n_read, "n_joined": n_joined, "n_unknown": n_unknown,
            "n_repeated": n_repeated, "n_conflicting": n_conflicting,
            "n_before_decision": n_before_decision, "n_out_of_order": n_out_of_order,
            "n_late": n_late,
        },
        "n_damaged_lines": n_damaged_lines, "n_missing_segments": n_missing_segments,
    })
}

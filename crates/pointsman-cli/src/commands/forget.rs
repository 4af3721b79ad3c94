//! `pointsman forget`: everything that a journal holds of one subject is taken out of it.

use crate::{
    files,
    screen::{self, Screen},
    wording,
};
use anyhow::{Result, bail};
use pointsman_log::journal::{Forgotten, Journal, Settings, Subject, check_journal, survey};
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf};

/// Flags of `forget`.
#[derive(Debug, clap::Args)]
#[command(group(
    clap::ArgGroup::new("subject")
        .required(true)
        .multiple(true)
        .args(["decision", "session", "tenant", "metadata"])
))]
pub(crate) struct Args {
    /// The folder of the journal; a service that writes it has to be stopped first.
    #[arg(long, value_name = "FOLDER")]
    journal: PathBuf,
    /// Decisions of one of these ids.
    #[arg(long, num_args = 1.., value_name = "ID")]
    decision: Vec<String>,
    /// Decisions of this conversation, the `session_id` of its calls.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Decisions for this tenant, the name of its key in the settings.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Decisions of calls with all of this in their `metadata`.
    #[arg(long, num_args = 1.., value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Only say what would go; the service may go on writing.
    #[arg(long)]
    dry_run: bool,
    /// Also write what was found as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A key with its value, of which the key has no equals sign.
fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` has no equals sign; write it as KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let subject = subject(args)?;
    let dir = args.journal.as_path();
    check_journal(dir)?;
    files::check_apart(&[dir], &[args.json.as_deref()])?;
    let bar = screen.progress("reading the journal", 0);
    let forgotten = forget(args, &subject, screen, &mut || bar.inc(1));
    bar.finish_and_clear();
    let forgotten = forgotten?;
    describe(&forgotten, args, screen)?;
    screen::json(args.json.as_deref(), &as_json(&forgotten, args))
}

fn forget(
    args: &Args,
    subject: &Subject,
    screen: &Screen,
    on_record: &mut dyn FnMut(),
) -> Result<Forgotten> {
    if args.dry_run {
        return Ok(survey(&args.journal, subject, on_record)?);
    }
    let (journal, recovery) = Journal::open(&args.journal, Settings::default())?;
    if let Some(warning) = recovery.warning() {
        screen.say(&warning)?;
    }
    Ok(journal.forget(subject, on_record)?)
}

fn subject(args: &Args) -> Result<Subject> {
    let mut tags = BTreeMap::new();
    for (key, value) in &args.metadata {
        let before = tags.insert(key.clone(), value.clone());
        if let Some(before) = before.filter(|before| before != value) {
            bail!(
                "--metadata {key}: no call has both `{before}` and `{value}` there; forget the one \
                 and then the other"
            );
        }
    }
    let (session, tenant) = (args.session.clone(), args.tenant.clone());
    Ok(Subject { decisions: args.decision.iter().cloned().collect(), tenant, session, tags })
}

fn describe(forgotten: &Forgotten, args: &Args, screen: &Screen) -> Result<()> {
    let Forgotten { n_segments, n_records, segments, emptied, unknown, .. } = forgotten;
    screen.say(&format!(
        "read {} in {}",
        wording::counted(*n_records, "record", "records"),
        wording::counted(*n_segments, "segment", "segments"),
    ))?;
    for id in unknown {
        screen.say(&format!("decision `{id}` is not in the journal"))?;
    }
    if forgotten.n_forgotten() == 0 {
        screen.say("nothing of this subject is in the journal")?;
    } else {
        let verb = if args.dry_run { "would forget" } else { "forgot" };
        screen.say(&format!("{verb} {}", what_went(forgotten)))?;
        let verb = if args.dry_run { "would write" } else { "wrote" };
        let anew = wording::counted_length(segments.len(), "segment", "segments");
        let empty = match emptied.len() {
            0 => String::new(),
            n => format!(", {} of them without any record", wording::length(n)),
        };
        screen.say(&format!("{verb} {anew} anew{empty}"))?;
    }
    describe_kept(forgotten, screen)?;
    screen.say(
        "not looked at: Parquet that `compact` made (compact again into the same folder), policies \
         and dictionaries that were trained on these records (train again), and copies of the journal",
    )
}

/// The records that went, by what they are, and their bytes.
fn what_went(forgotten: &Forgotten) -> String {
    let Forgotten { n_decisions, n_steps, n_outcomes, n_others, n_bytes, .. } = forgotten;
    let mut kinds = vec![
        wording::counted(*n_decisions, "decision", "decisions"),
        wording::counted(*n_steps, "step", "steps"),
        wording::counted(*n_outcomes, "outcome", "outcomes"),
    ];
    if 0 < *n_others {
        kinds.push(wording::counted(*n_others, "record of another kind", "records of other kinds"));
    }
    format!("{}: {}", kinds.join(", "), wording::counted(*n_bytes, "byte", "bytes"))
}

/// What nobody can say of whether it is the subject's.
fn describe_kept(forgotten: &Forgotten, screen: &Screen) -> Result<()> {
    let Forgotten { n_damaged_lines, n_unread, .. } = forgotten;
    let kept = [
        (*n_damaged_lines, "damaged line", "damaged lines"),
        (*n_unread, "line that this release cannot read", "lines that this release cannot read"),
    ];
    for (n, one, many) in kept.into_iter().filter(|(n, _, _)| 0 < *n) {
        screen.say(&format!("kept {}; nobody can say whose", wording::counted(n, one, many)))?;
    }
    Ok(())
}

fn as_json(forgotten: &Forgotten, args: &Args) -> serde_json::Value {
    let Forgotten {
        n_segments,
        n_records,
        n_decisions,
        n_steps,
        n_outcomes,
        n_others,
        n_bytes,
        segments,
        emptied,
        unknown,
        n_damaged_lines,
        n_unread,
    } = forgotten;
    json!({
        "dry_run": args.dry_run, "n_segments": n_segments, "n_records": n_records,
        "forgotten": {
            "n_decisions": n_decisions, "n_steps": n_steps, "n_outcomes": n_outcomes,
            "n_others": n_others, "n_bytes": n_bytes,
        },
        "segments": segments, "emptied": emptied, "unknown": unknown,
        "n_damaged_lines": n_damaged_lines, "n_unread": n_unread,
    })
}

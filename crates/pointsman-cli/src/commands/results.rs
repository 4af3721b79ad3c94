//! `pointsman results`: result files of benchmarks as an outcome table.

use crate::{
    files,
    screen::{self, Screen},
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_import::results::{ResultCounts, ResultsError, TableRow, read_results};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Flags of `results`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of `LLMRouterBench` in their folders (`.json`), or wide tables (CSV, NDJSON).
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The outcome table to write, NDJSON.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also write what was found as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let inputs: Vec<&Path> = args.files.iter().map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[Some(&args.out), args.json.as_deref()])?;
    let is_named = args.out.extension().is_some_and(|end| end == "ndjson" || end == "jsonl");
    if !is_named {
        bail!("--out {}: the table is NDJSON; name it .ndjson", args.out.display());
    }
    let mut beside = args.out.clone().into_os_string();
    beside.push(format!(".{}.partial", std::process::id()));
    let beside = PathBuf::from(beside);
    files::make_folder_of(&args.out)?;
    let cannot = || format!("cannot write {}", args.out.display());
    let written = write(&args.files, (beside.as_path(), &cannot), screen).and_then(|counts| {
        fs::rename(&beside, &args.out).with_context(cannot)?;
        Ok(counts)
    });
    if written.is_err() {
        // The reason is reported below; a leftover could not be removed for the same reason.
        drop(fs::remove_file(&beside));
    }
    let ResultCounts { n_written, dropped } = written?;
    let dropped: BTreeMap<String, u64> =
        dropped.into_iter().map(|(reason, n)| (reason.0.to_owned(), n)).collect();
    screen.say(&format!(
        "wrote {} of {} into {}",
        wording::counted(n_written, "row", "rows"),
        wording::counted_length(args.files.len(), "file", "files"),
        args.out.display()
    ))?;
    for (reason, n) in &dropped {
        screen.say(&format!("  no row: {} ({reason})", wording::count(*n)))?;
    }
    screen::json(args.json.as_deref(), &json!({"n_written": n_written, "dropped": dropped}))
}

/// A refusal with the name of its file: one that cannot be opened is refused with its name anyway, and
/// where a row could not be written, `cannot` names the table.
fn named(error: ResultsError, file: &Path, cannot: &dyn Fn() -> String) -> anyhow::Error {
    match error {
        ResultsError::Open(error) => error.into(),
        ResultsError::Write { source } => anyhow::Error::from(source).context(cannot()),
        ResultsError::NoOrigin
        | ResultsError::NotResults { message: _ }
        | ResultsError::NoModels { found: _ }
        | ResultsError::NoPrompt { found: _ }
        | ResultsError::Read { source: _ } => {
            anyhow::Error::from(error).context(file.display().to_string())
        }
    }
}

/// Writes the rows of all files into `path`, one after the other; `cannot` says which table cannot be
/// written.
fn write(
    files: &[PathBuf],
    (path, cannot): (&Path, &dyn Fn() -> String),
    screen: &Screen,
) -> Result<ResultCounts> {
    let mut out = BufWriter::new(File::create(path).with_context(cannot)?);
    let mut all = ResultCounts::default();
    let bar = screen.progress("reading files", files.len() as u64);
    for file in files {
        let mut row = |row: &TableRow<'_>| -> io::Result<()> {
            serde_json::to_writer(&mut out, row)?;
            out.write_all(b"\n")
        };
        let found = read_results(file, &mut row).map_err(|error| named(error, file, cannot))?;
        let ResultCounts { n_written, dropped } = found;
        all.n_written += n_written;
        for (reason, n) in dropped {
            *all.dropped.entry(reason).or_insert(0) += n;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if all.n_written == 0 {
        bail!("no file has a row that an outcome table could hold");
    }
    out.flush().and_then(|()| out.get_ref().sync_all()).with_context(cannot)?;
    Ok(all)
}

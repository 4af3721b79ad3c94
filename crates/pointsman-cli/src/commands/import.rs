//! `pointsman import`: any log, as traffic records, with a report of what it is good for.

use crate::{
    files,
    nearest::did_you_mean,
    screen::{self, Screen},
    wording,
};
use anyhow::{Context, Result, anyhow, bail};
use indicatif::ProgressBar;
use pointsman_core::catalog::Catalog;
use pointsman_import::{
    ColumnMap, FORMATS, ImportError, Imported, Options, Origin, Progress, Rules, find, import,
};
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

mod columns;
mod findings;
mod numbers;
mod page;
mod worth;

use findings::Findings;

/// How many rows pass between two looks at the progress.
const ROWS_PER_LOOK: u64 = 512;

/// Flags of `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files of the log, plain, packed (gzip, Zstandard) or Parquet; or quoted patterns.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What wrote them: auto, columns, helicone, langfuse, litellm, open-bandit, openai, openrouter,
    /// otel, pointsman, tensorzero, vw-dsjson, vw-json, vw-text.
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    from: String,
    /// The folder for the records; an earlier import there is gone on with.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Files of messages, for calls whose prompts are not in their rows.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    messages: Vec<PathBuf>,
    /// A file that says which columns hold what, and what the catalog calls models.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// The score of the log that is the quality.
    #[arg(long, value_name = "NAME")]
    score: Option<String>,
    /// A file of rules that give calls a quality where the log has none.
    #[arg(long, value_name = "FILE")]
    quality_rules: Option<PathBuf>,
    /// Prices for calls without a cost, and names to compare models with.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Rows that are longer are dropped and counted.
    #[arg(long, value_name = "MEGABYTES", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_row_mb: u16,
    /// Also write the report as one HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write the report as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let settings = args.map.iter().chain(&args.quality_rules).chain(&args.catalog);
    let inputs = args.files.iter().chain(&args.messages).chain(settings);
    let inputs: Vec<&Path> = inputs.map(PathBuf::as_path).collect();
    files::check_apart(&inputs, &[args.html.as_deref(), args.json.as_deref()])?;
    files::check_folder(&args.out)?;
    let catalog = args.catalog.as_deref().map(files::read_catalog).transpose()?;
    let options = options(args, catalog.clone())?;
    let length = |path: &PathBuf| Some(fs::metadata(path).ok()?.len());
    let n_bytes: u64 = options.inputs.iter().filter_map(length).sum();
    let bar = screen.progress("importing", n_bytes);
    let imported = import(&options, &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    let imported = imported?;
    describe(&imported, catalog.as_ref(), args, screen)
}

/// Everything that the flags say, read and checked.
fn options(args: &Args, catalog: Option<Catalog>) -> Result<Options> {
    let mut settings = Vec::new();
    let mut text = |flag: &str, path: Option<&PathBuf>| -> Result<Option<String>> {
        let Some(path) = path else { return Ok(None) };
        let text = files::read_text(path, &format!("{flag} takes TOML"))?;
        settings.push((flag.to_owned(), Options::digest(text.as_bytes())));
        Ok(Some(text))
    };
    let map = text("--map", args.map.as_ref())?;
    let rules = text("--quality-rules", args.quality_rules.as_ref())?;
    text("--catalog", args.catalog.as_ref())?;
    let named =
        |path: Option<&PathBuf>| path.map(|path| path.display().to_string()).unwrap_or_default();
    let map = map
        .map(|text| ColumnMap::from_toml(&text))
        .transpose()
        .with_context(|| named(args.map.as_ref()))?
        .unwrap_or_default();
    let rules = rules
        .map(|text| Rules::from_toml(&text))
        .transpose()
        .with_context(|| named(args.quality_rules.as_ref()))?;
    let origin = match args.from.as_str() {
        "auto" if map.columns.is_some() => Origin::Columns,
        "auto" => Origin::Auto,
        "columns" => Origin::Columns,
        name => Origin::Format(find(name).ok_or_else(|| unknown(name))?),
    };
    if matches!(origin, Origin::Format(_)) && map.columns.is_some() {
        bail!("--map names columns, and --from {} has its own; leave one of them out", args.from);
    }
    Ok(Options {
        inputs: expanded(&args.files)?,
        origin,
        out: args.out.clone(),
        messages: expanded(&args.messages)?,
        map,
        rules,
        score: args.score.clone(),
        open_table: Some(columns::open),
        catalog,
        max_row_bytes: usize::from(args.max_row_mb) << 20,
        part_bytes: Options::PART_BYTES,
        settings,
    })
}

fn unknown(name: &str) -> anyhow::Error {
    let formats = FORMATS.iter().map(|format| format.name);
    let known: Vec<&str> = ["auto", "columns"].into_iter().chain(formats).collect();
    let question = did_you_mean(name, known.iter().copied());
    let refusal = ImportError::UnknownFormat { name: name.to_owned(), known: known.join(", ") };
    anyhow!("{refusal}{question}")
}

/// Patterns replaced by the files that they match, in alphabetical order.
fn expanded(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let pattern = path.to_string_lossy();
        if path.exists() || !pattern.contains(['*', '?', '[']) {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        for entry in
            glob::glob(&pattern).with_context(|| format!("`{pattern}` is not a pattern"))?
        {
            files.push(entry.with_context(|| format!("`{pattern}` cannot be followed"))?);
        }
        if files.len() == before {
            bail!("no file matches `{pattern}`; check the path, or quote the pattern");
        }
    }
    Ok(files)
}

fn show(bar: &ProgressBar, progress: &Progress<'_>) -> ControlFlow<()> {
    if progress.n_rows.is_multiple_of(ROWS_PER_LOOK) {
        bar.set_position(progress.n_bytes);
        let rows = wording::counted(progress.n_rows, "row", "rows");
        let megabytes = bar.per_sec() / 1e6;
        let path = progress.path.display();
        bar.set_message(format!("{path}: {rows}, {megabytes:.0} MB/s, bytes"));
    }
    ControlFlow::Continue(())
}

fn describe(
    imported: &Imported,
    catalog: Option<&Catalog>,
    args: &Args,
    screen: &Screen,
) -> Result<()> {
    if imported.was_done {
        screen.say("nothing to do: every file was imported before; this is what was found")?;
    } else if imported.was_begun {
        let n = wording::counted(imported.n_new_rows, "row", "rows");
        screen.say(&format!("went on where an earlier run had stopped: {n} more"))?;
    }
    let mut findings = Findings::of(imported, catalog);
    if let Some(score) = &args.score
        && !imported.survey.scores.counts.contains_key("quality")
    {
        let warning = format!("the log has no score `{score}`, which --score names");
        findings.warnings.push(warning);
    }
    let named = args.catalog.as_ref().map(|path| path.display().to_string());
    let out = args.out.display().to_string();
    findings.next = worth::next(&imported.survey, &out, named.as_deref());
    findings.say(screen)?;
    screen.say(&format!("\n{}", written(imported, &args.out)))?;
    if let Some(next) = &findings.next {
        screen.say(&format!("next: {next}"))?;
    }
    if let Some(path) = &args.html {
        files::write(path, page::render(&findings)?.as_bytes())?;
    }
    screen::json(args.json.as_deref(), &numbers::as_json(imported, &findings))
}

/// What stands in the folder, and how it is read where there is anything to read.
fn written(imported: &Imported, out: &Path) -> String {
    let out = out.display();
    let parts = wording::counted(imported.n_parts, "part", "parts");
    match (imported.n_parts, imported.survey.known.n_decisions) {
        (0, _) => format!("wrote no part into {out}, since no row gave a record"),
        (_, 0) => format!("wrote {parts} into {out}, without a decision"),
        (1, _) => format!("wrote {parts} into {out}; read it with --log {out}"),
        (_, _) => format!("wrote {parts} into {out}; read them with --log {out}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_format() {
        let command = <Args as clap::Args>::augment_args(clap::Command::new("import"));
        let from = command.get_arguments().find(|argument| argument.get_id() == "from").unwrap();
        let help = from.get_help().unwrap().to_string();
        let named: Vec<&str> = help.split([' ', ',', '.']).collect();
        for format in FORMATS {
            assert!(named.contains(&format.name), "{help} does not name {}", format.name);
        }
    }
}

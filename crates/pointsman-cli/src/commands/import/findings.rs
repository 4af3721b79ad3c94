//! What an import found, as titled tables and sentences, for the terminal and for the page.

use crate::{screen::Screen, wording};
use anyhow::Result;
use pointsman_core::catalog::Catalog;
use pointsman_import::{DroppedRows, FileFound, Imported, Names, Survey, nearest_model, time};
use serde::Serialize;

use super::worth;

/// How many lines a table of names has.
const N_NAMES: usize = 20;
/// How long nothing has to happen to be a gap, in hours, and how many gaps are named.
const GAP_HOURS: u64 = 6;
const N_GAPS: usize = 5;

/// The report.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    /// What can be learned from the log, and what cannot.
    pub(super) worth: String,
    /// What the user may have meant otherwise, a sentence each.
    pub(super) warnings: Vec<String>,
    /// What to do next, where there is anything.
    pub(super) next: Option<String>,
    sections: Vec<Section>,
}

/// One table with what there is to say about it.
#[derive(Debug, Serialize)]
struct Section {
    title: &'static str,
    header: [&'static str; 3],
    rows: Vec<[String; 3]>,
    notes: Vec<String>,
}

impl Findings {
    pub(super) fn of(imported: &Imported, catalog: Option<&Catalog>) -> Self {
        let survey = &imported.survey;
        let sections = vec![
            files(imported),
            rows(survey),
            known(survey),
            models(survey, catalog),
            providers(survey, catalog),
            scores(survey),
            rules(survey),
            times(survey),
        ];
        let is_filled = |one: &Section| !one.rows.is_empty() || !one.notes.is_empty();
        let sections = sections.into_iter().filter(is_filled).collect();
        let warnings = imported.files.iter().filter_map(unseen).collect();
        Self { worth: worth::sentences(survey), warnings, next: None, sections }
    }

    /// The report as text.
    pub(super) fn say(&self, screen: &Screen) -> Result<()> {
        for section in &self.sections {
            let Section { title, header, rows, notes } = section;
            screen.say(&format!("\n{title}"))?;
            if !rows.is_empty() {
                screen.table(*header, rows.iter().cloned())?;
            }
            for note in notes {
                screen.say(&format!("  {note}"))?;
            }
        }
        screen.say(&format!("\n{}", self.worth))?;
        for warning in &self.warnings {
            screen.say(&format!("! {warning}"))?;
        }
        Ok(())
    }
}

fn share(n: u64, of: u64) -> String {
    if of == 0 {
        return "–".to_owned();
    }
    let percent = pointsman_core::units::as_float(n) / pointsman_core::units::as_float(of) * 100.0;
    format!("{percent:.1} %")
}

/// The columns of the map that no row of a file has.
fn unseen(file: &FileFound) -> Option<String> {
    let columns: Vec<String> = file.unseen.iter().map(|column| format!("`{column}`")).collect();
    (!columns.is_empty()).then(|| {
        format!(
            "no row of {} has {}, which the map names; where that is a mistake, mend the map and import \
             into another folder",
            file.path.display(),
            columns.join(" or ")
        )
    })
}

fn files(imported: &Imported) -> Section {
    let mut notes = Vec::new();
    let rows = imported.files.iter().map(|file| {
        if !file.marks.is_empty() {
            let (path, marks) = (file.path.display(), file.marks.join(", "));
            notes.push(format!("{path} is {}, since its rows have {marks}", file.format));
        }
        [file.path.display().to_string(), wording::count(file.n_rows), file.format.clone()]
    });
    let rows = rows.collect();
    Section { title: "Files", header: ["file", "rows", "format"], rows, notes }
}

fn rows(survey: &Survey) -> Section {
    // A folder of an earlier release may have rows whose pieces were not counted.
    let n_pieces = survey.n_pieces.max(survey.n_rows);
    let line = |what: &str, n: u64| [what.to_owned(), wording::count(n), share(n, n_pieces)];
    let mut rows = if n_pieces == survey.n_rows {
        vec![line("read", survey.n_rows), line("kept", survey.n_kept)]
    } else {
        let read = ["read".to_owned(), wording::count(survey.n_rows), String::new()];
        let pieces = line("pieces of them: calls, scores, spans", n_pieces);
        vec![read, pieces, line("kept pieces", survey.n_kept_pieces)]
    };
    if 0 < survey.n_duplicates {
        rows.push(line("duplicates, left out", survey.n_duplicates));
    }
    let mut notes = Vec::new();
    for (reason, dropped) in &survey.dropped {
        rows.push(line(&format!("dropped: {reason}"), dropped.n));
        notes.extend(examples(reason, dropped));
    }
    if 0 < survey.known.n_unchecked {
        let n = wording::counted(survey.known.n_unchecked, "id was", "ids were");
        notes.push(format!("{n} not looked up, since the table of known ids was full"));
    }
    Section { title: "Rows", header: ["rows", "number", "share"], rows, notes }
}

/// Some of what was dropped for a reason, a note each.
fn examples(reason: &str, dropped: &DroppedRows) -> Vec<String> {
    let note = |example: &String| format!("{reason}: {}", wording::excerpt(example, 160));
    dropped.examples.iter().map(note).collect()
}

fn known(survey: &Survey) -> Section {
    let known = &survey.known;
    let all = known.n_decisions;
    let line = |what: &str, n: u64| [what.to_owned(), wording::count(n), share(n, all)];
    let mut rows = vec![line("all", all), line("with a prompt", survey.n_with_text)];
    if 0 < survey.n_with_features {
        rows.push(line("with features in place of a prompt", survey.n_with_features));
    }
    rows.extend([
        line("with a quality", known.n_quality),
        line("with a score of any name", known.n_measured),
        line("with a cost", known.n_cost),
        line("with a latency", known.n_latency),
        line("with tokens", known.n_tokens),
        line("with tokens from a cache", survey.n_cached),
        line("failed", survey.n_failed),
        line("answered by another model", survey.n_served_otherwise),
    ]);
    for (kind, n) in &survey.propensities {
        rows.push(line(&format!("propensity {kind}"), *n));
    }
    let mut notes = Vec::new();
    for (reason, values) in &survey.untrue {
        rows.push(line(&format!("left out: {reason}"), values.n));
        notes.extend(examples(reason, values));
    }
    if all == 0 {
        rows.clear();
    }
    for (source, n) in &survey.cost_sources.counts {
        notes.push(format!("cost by {source}: {}", wording::count(*n)));
    }
    if 0 < known.n_orphans {
        let n = wording::counted(
            known.n_orphans,
            "score or outcome is of a call that is",
            "scores or outcomes are of calls that are",
        );
        notes.push(format!("{n} not in the log"));
    }
    if 0 < survey.n_unjoined {
        let (one, many) = ("score is of a trace", "scores are of traces");
        let n = wording::counted(survey.n_unjoined, one, many);
        notes.push(format!("{n} without a call in the log"));
    }
    if 0 < survey.n_prompts_beside {
        let n = wording::counted(survey.n_with_text_from_beside, "decision has", "decisions have");
        let all = wording::counted(survey.n_prompts_beside, "prompt", "prompts");
        notes.push(format!("{n} a prompt of --messages, which has {all}"));
    }
    if 0 < survey.n_left_out_messages {
        let n = wording::counted(survey.n_left_out_messages, "message", "messages");
        notes.push(format!("{n} of --messages had no id, no text or no room"));
    }
    if 0 < survey.n_left_out_of_traces {
        let (one, many) = ("call got no score of its", "calls got no score of their");
        let n = wording::counted(survey.n_left_out_of_traces, one, many);
        notes.push(format!("{n} trace, since there were too many"));
    }
    Section { title: "Decisions", header: ["decisions", "number", "share"], rows, notes }
}

/// The most frequent names, with what the catalog says of each.
fn names(names: &Names, about: &dyn Fn(&str) -> String) -> (Vec<[String; 3]>, Vec<String>) {
    let mut sorted: Vec<(&String, u64)> = names.counts.iter().map(|(name, n)| (name, *n)).collect();
    sorted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let rows = sorted.iter().take(N_NAMES);
    let rows = rows.map(|(name, n)| [(*name).clone(), wording::count(*n), about(name)]).collect();
    let n_more = sorted.len().saturating_sub(N_NAMES);
    let n_more = wording::counted_length(n_more, "more name", "more names");
    let mut notes = Vec::new();
    if N_NAMES < sorted.len() {
        notes.push(format!("and {n_more}, which --json lists"));
    }
    if 0 < names.n_others {
        let n = wording::counted(names.n_others, "has a name", "have names");
        notes.push(format!("{n} that had no room"));
    }
    (rows, notes)
}

/// What the catalog says of a model's name.
fn in_catalog(catalog: &Catalog, name: &str) -> String {
    if catalog.find(name).is_some() {
        return "known".to_owned();
    }
    let nearest = nearest_model(catalog, name);
    nearest.map_or_else(|| "unknown".to_owned(), |nearest| format!("unknown; nearest {nearest}"))
}

fn models(survey: &Survey, catalog: Option<&Catalog>) -> Section {
    let about = |name: &str| catalog.map_or_else(String::new, |known| in_catalog(known, name));
    let (rows, mut notes) = names(&survey.models, &about);
    if let Some(known) = catalog {
        let is_unknown = |name: &&String| known.find(name).is_none();
        let n = survey.models.counts.keys().filter(is_unknown).count();
        if 0 < n {
            let n = wording::counted_length(n, "name is", "names are");
            notes.push(format!(
                "{n} not in the catalog; add them, or name their entries under [models] in --map"
            ));
        }
    }
    Section { title: "Models", header: ["model", "decisions", "catalog"], rows, notes }
}

fn providers(survey: &Survey, catalog: Option<&Catalog>) -> Section {
    let about = |name: &str| {
        let Some(catalog) = catalog else { return String::new() };
        let mut endpoints = catalog.models().iter().flat_map(|model| &model.endpoints);
        let is_known = endpoints.any(|endpoint| endpoint.provider == name);
        if is_known { "known".to_owned() } else { "unknown".to_owned() }
    };
    let (rows, notes) = names(&survey.providers, &about);
    Section { title: "Providers", header: ["provider", "decisions", "catalog"], rows, notes }
}

fn scores(survey: &Survey) -> Section {
    let about =
        |name: &str| if name == "quality" { "the quality".to_owned() } else { String::new() };
    let (rows, notes) = names(&survey.scores, &about);
    Section { title: "Scores", header: ["score", "number", "is"], rows, notes }
}

fn rules(survey: &Survey) -> Section {
    let n_decisions = survey.known.n_decisions;
    let line =
        |(rule, n): (&String, &u64)| [rule.clone(), wording::count(*n), share(*n, n_decisions)];
    let rows = survey.rules.iter().map(line).collect();
    Section {
        title: "Rules of quality",
        header: ["rule", "decisions", "share"],
        rows,
        notes: Vec::new(),
    }
}

fn times(survey: &Survey) -> Section {
    let mut notes = Vec::new();
    if let (Some(first), Some(last)) = (survey.first_ms, survey.last_ms) {
        notes.push(format!("from {} to {} UTC", time::minute(first), time::minute(last)));
    }
    if 0 < survey.n_without_time {
        notes.push(wording::counted(
            survey.n_without_time,
            "decision does not say when it was made; `replay` takes the order of the files",
            "decisions do not say when they were made; `replay` takes the order of the files",
        ));
    }
    for gap in survey.gaps(GAP_HOURS, N_GAPS) {
        let from = time::minute(gap.from_ms);
        let hours = wording::counted(gap.n_hours, "hour", "hours");
        notes.push(format!("nothing from {from} on for {hours}"));
    }
    if 0 < survey.n_backwards {
        let n = wording::counted(
            survey.n_backwards,
            "decision is older than the one before it",
            "decisions are older than the one before them",
        );
        notes.push(format!("{n} in the files"));
    }
    if 0 < survey.n_in_other_hours {
        let n = wording::counted(survey.n_in_other_hours, "decision lies", "decisions lie");
        notes.push(format!("{n} in hours that had no room; gaps may be missing"));
    }
    let header = ["", "", ""];
    Section { title: "Time", header, rows: Vec::new(), notes }
}

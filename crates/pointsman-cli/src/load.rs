//! Tables and logs, read once and turned into what training and evaluation take.

mod drawn;

pub(crate) use drawn::{Drawn, outcomes_of};

use crate::{
    estimated::{self, Estimated, Estimating},
    nearest::did_you_mean,
    screen::Screen,
    wording,
};
use anyhow::{Context, Result, anyhow, bail};
use indicatif::ProgressBar;
use pointsman_core::{catalog::Catalog, features::FeatureSchema, request::Request, units::Tokens};
use pointsman_data::{
    Asked, DataError, LogOptions, LoggedRow, OutcomeMatrix, OutcomeTable, ReadOptions, TrafficLog,
    decisions_ahead, prompts_ahead, read_outcomes,
};
use pointsman_train::{
    design::{Design, DesignBuilder},
    outcomes::Outcomes,
};
use std::path::PathBuf;

/// An outcome table whose prompts are features; rows of everything are the matrix's rows.
#[derive(Debug)]
pub(crate) struct LoadedTable<F = Design> {
    pub(crate) table: OutcomeTable,
    pub(crate) matrix: OutcomeMatrix,
    /// The features; where they are no design, those of all prompts of the table.
    pub(crate) design: F,
    pub(crate) groups: Vec<u64>,
    pub(crate) input_tokens: Vec<Option<u32>>,
}

/// A log whose requests are features.
#[derive(Debug)]
pub(crate) struct LoadedLog {
    pub(crate) log: TrafficLog,
    pub(crate) design: Design,
    /// Whether features stand in for some requests' texts.
    pub(crate) has_features: bool,
    /// What of its propensities is estimated.
    pub(crate) estimated: Option<Estimated>,
}

/// Refuses a log in which no answered decision carries the quality metric: what is left are its
/// failures.
pub(crate) fn check_metric(log: &TrafficLog, options: &LogOptions) -> Result<()> {
    let metric = &options.quality_metric;
    let reason = format!("the outcome has no `{metric}`");
    let n_without = log.dropped.get(&reason).copied().unwrap_or(0);
    if 0 < n_without && log.rows.iter().all(|row| row.quality == 0.0) {
        bail!(
            "no answered decision of the log has the metric `{metric}`; name the one that is its \
             quality with --quality-metric"
        );
    }
    Ok(())
}

/// A scale such as `0..10`, as flags give it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QualityRange(pub(crate) f64, pub(crate) f64);

impl std::str::FromStr for QualityRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once("..").and_then(|(lowest, highest)| {
            Some((lowest.trim().parse::<f64>().ok()?, highest.trim().parse::<f64>().ok()?))
        });
        match ends {
            Some((lowest, highest))
                if lowest.is_finite() && highest.is_finite() && lowest < highest =>
            {
                Ok(Self(lowest, highest))
            }
            Some(_) | None => Err(format!("`{text}` is not a range; write it as 0..10")),
        }
    }
}

/// How tables are read, by the flags.
pub(crate) fn read_options(range: Option<QualityRange>) -> ReadOptions {
    let mut options = ReadOptions::default();
    if let Some(QualityRange(lowest, highest)) = range {
        options.quality_range = (lowest, highest);
    }
    options
}

/// How logs are read, by the flags.
pub(crate) fn log_options(range: Option<QualityRange>, metric: Option<&str>) -> LogOptions {
    let mut options = LogOptions::default();
    if let Some(QualityRange(lowest, highest)) = range {
        options.quality_range = (lowest, highest);
    }
    if let Some(metric) = metric {
        metric.clone_into(&mut options.quality_metric);
    }
    options
}

/// Reads tables of one schema into one.
pub(crate) fn load_table(
    paths: &[PathBuf],
    options: &ReadOptions,
    schema: FeatureSchema,
    screen: &Screen,
) -> Result<LoadedTable> {
    let builder = DesignBuilder::new(schema);
    let read = read_table(paths, options, builder, DesignBuilder::push, screen)?;
    let LoadedTable { table, matrix, design: builder, groups, input_tokens } = read;
    let design = builder.finish();
    let is_whole = matrix.prompts.len() == design.n_rows();
    let design = if is_whole { design } else { design.select(&matrix.prompts) };
    Ok(LoadedTable { table, matrix, design, groups, input_tokens })
}

/// Reads tables of one schema into one; `push` adds each prompt to `features`, in the order of the
/// table's prompts.
pub(crate) fn read_table<F>(
    paths: &[PathBuf],
    options: &ReadOptions,
    mut features: F,
    push: impl Fn(&mut F, &Request<'_>),
    screen: &Screen,
) -> Result<LoadedTable<F>> {
    let bar = screen.progress_about("reading prompts", || prompts_ahead(paths));
    let table = read_outcomes(paths, options, &mut |_, request| {
        push(&mut features, request);
        bar.inc(1);
    });
    bar.finish_and_clear();
    let table = table?;
    let matrix = table.matrix()?;
    let groups =
        matrix.prompts.iter().map(|&prompt| table.prompts[prompt as usize].group).collect();
    let n_models = matrix.models.len();
    let input_tokens = matrix
        .input_tokens
        .chunks(n_models)
        .map(|row| row.iter().flatten().next().copied())
        .collect();
    Ok(LoadedTable { table, matrix, design: features, groups, input_tokens })
}

impl LoadedTable {
    /// The outcomes as training takes them; with a catalog and no recorded costs, costs follow
    /// from its prices and the recorded tokens.
    pub(crate) fn outcomes(&self, catalog: Option<&Catalog>) -> Result<Outcomes> {
        let matrix = &self.matrix;
        let quality = matrix.quality.iter().map(|&quality| narrow(quality)).collect();
        let has_tokens = matrix.output_tokens.iter().any(Option::is_some);
        let tokens = has_tokens.then(|| {
            let tokens =
                |tokens: &Option<u32>| tokens.map_or(f32::NAN, |count| narrow(f64::from(count)));
            matrix.output_tokens.iter().map(tokens).collect()
        });
        Ok(Outcomes::full(matrix.models.len(), quality, self.costs(catalog)?, tokens)?)
    }

    /// What was read and what was left out, for people.
    pub(crate) fn describe(&self, screen: &Screen) -> Result<()> {
        let Self { table, matrix, design, .. } = self;
        screen.say(&format!(
            "read {}: {}, {}",
            wording::counted(table.n_rows_read, "row", "rows"),
            wording::counted_length(matrix.prompts.len(), "prompt", "prompts"),
            wording::counted_length(matrix.models.len(), "model", "models"),
        ))?;
        if let Some(line) = wording::dropped(&table.dropped) {
            screen.say(&line)?;
        }
        if !matrix.models_left_out.is_empty() {
            let names = matrix.models_left_out.join(", ");
            screen.say(&format!("left out, with outcomes on 95 % of prompts or fewer: {names}"))?;
        }
        if 0 < matrix.n_prompts_left_out {
            let n = wording::counted_length(matrix.n_prompts_left_out, "prompt", "prompts");
            screen.say(&format!("left out: {n} that not every model answered"))?;
        }
        if let Some(line) = wording::cut(design.n_requests_cut(), ("prompt", "prompts")) {
            screen.say(&line)?;
        }
        Ok(())
    }
}

impl<F> LoadedTable<F> {
    /// The costs as recorded; with a catalog and none recorded, by its prices and the tokens.
    pub(crate) fn costs(&self, catalog: Option<&Catalog>) -> Result<Option<Vec<f64>>> {
        let has_tokens = self.matrix.output_tokens.iter().any(Option::is_some);
        Ok(match (&self.matrix.cost_usd, catalog) {
            (Some(cost), _) => Some(cost.clone()),
            (None, Some(catalog)) if has_tokens => Some(self.priced(catalog)?),
            (None, Some(_) | None) => None,
        })
    }

    fn priced(&self, catalog: &Catalog) -> Result<Vec<f64>> {
        let models = listed(&matrix_models(&self.matrix), catalog)?;
        let n_models = models.len();
        let price = |(at, output): (usize, &Option<u32>)| {
            let model = models[at % n_models];
            match (self.matrix.input_tokens[at], output) {
                (Some(input), Some(output)) => cheapest(model, input, *output),
                (Some(_) | None, Some(_) | None) => f64::NAN,
            }
        };
        Ok(self.matrix.output_tokens.iter().enumerate().map(price).collect())
    }
}

fn matrix_models(matrix: &OutcomeMatrix) -> Vec<&str> {
    matrix.models.iter().map(String::as_str).collect()
}

/// The catalog's entries for some models.
pub(crate) fn listed<'c>(
    models: &[&str],
    catalog: &'c Catalog,
) -> Result<Vec<&'c pointsman_core::catalog::Model>> {
    let find = |name: &&str| {
        catalog.find(name).with_context(|| {
            let known = catalog.models().iter().map(|model| model.id.as_str());
            let question = did_you_mean(name, known);
            format!("model `{name}` of the data is not in the catalog; add it there{question}")
        })
    };
    models.iter().map(find).collect()
}

/// The name under which a group of equal prompts, or a conversation, is remembered as trained on.
pub(crate) fn group_id(group: u64) -> String {
    // By hand, because every row has one: formatting allocates twice.
    let mut id = String::with_capacity("group ".len() + 16);
    id.push_str("group ");
    let nibbles = group.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    id.extend(nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)));
    id
}

/// The cheapest that a catalog's model could have been for these tokens, in dollars.
pub(crate) fn cheapest(model: &pointsman_core::catalog::Model, input: u32, output: u32) -> f64 {
    let (input, output) = (Tokens::new(u64::from(input)), Tokens::new(u64::from(output)));
    let cost = |endpoint: &pointsman_core::catalog::Endpoint| {
        (endpoint.input.of(input) + endpoint.output.of(output)).as_dollars()
    };
    model.endpoints.iter().map(cost).fold(f64::INFINITY, f64::min)
}

/// Reads logs, and leaves out decisions that had no choice; features stand in for texts that were
/// not kept, where no propensity is estimated.
pub(crate) fn load_log(
    paths: &[PathBuf],
    options: &LogOptions,
    estimating: Option<&Estimating>,
    schema: FeatureSchema,
    screen: &Screen,
) -> Result<LoadedLog> {
    let options = LogOptions { features: Some(schema), ..options.clone() };
    let n_ahead = decisions_ahead(paths);
    let bar = screen.progress_about("reading requests", || n_ahead);
    let builder = DesignBuilder::new(schema)
        .expecting(n_ahead.and_then(|n| usize::try_from(n).ok()).unwrap_or(0));
    let ((mut log, estimated), design, has_features) = read_features(&bar, builder, |push| {
        let read = estimated::read(paths, &options, estimating, push);
        read.map_err(|error| error.downcast::<DataError>().map_or_else(|error| error, hinted))
    })?;
    let kept = log.keep(TrafficLog::UNDRAWN, LoggedRow::is_drawn);
    if kept.is_empty() {
        bail!(
            "no decision of the log had a choice: one model alone was in use each time, so that \
             nothing tells how another would have answered; let the gateway draw another one now \
             and then, or, where callers chose by the request which model to ask for, pass \
             --candidates-by none"
        );
    }
    let kept: Vec<u32> = kept.into_iter().map(u32::try_from).collect::<Result<_, _>>()?;
    let design = if kept.len() < design.n_rows() { design.select(&kept) } else { design };
    Ok(LoadedLog { log, design, has_features, estimated })
}

/// A log of nothing but features of another schema can be learned from all the same.
pub(crate) fn hinted(error: DataError) -> anyhow::Error {
    let is_other = matches!(&error, DataError::NothingUsable { reasons, .. }
        if reasons.contains("features and no text, of the schema"));
    if is_other {
        return anyhow!(
            "{error}; ask for the schema of the records with --buckets, --words-only and \
             --schema-version"
        );
    }
    error.into()
}

/// Requests that progress is told of at once: the bar asks for the time whenever it hears something.
const SAID_TOGETHER: u64 = 32;

/// Reads a source, every request becoming a row of features as it comes by; says whether some came
/// as features.
fn read_features<T>(
    bar: &ProgressBar,
    mut builder: DesignBuilder,
    read: impl FnOnce(&mut dyn FnMut(Asked<'_, '_>)) -> Result<T>,
) -> Result<(T, Design, bool)> {
    let mut has_features = false;
    let mut n_unsaid = 0;
    let source = read(&mut |asked| {
        match asked {
            Asked::Text(request) => builder.push(request),
            Asked::Features(_, features) => {
                builder.push_read(&features);
                has_features = true;
            }
        }
        n_unsaid += 1;
        if n_unsaid == SAID_TOGETHER {
            bar.inc(n_unsaid);
            n_unsaid = 0;
        }
    });
    bar.finish_and_clear();
    Ok((source?, builder.finish(), has_features))
}

impl LoadedLog {
    /// The models that the log drew at least once, and their outcomes, as [`outcomes_of`].
    pub(crate) fn outcomes(&self, catalog: Option<&Catalog>) -> Result<(Vec<String>, Outcomes)> {
        outcomes_of(&self.log.models, self.log.rows.iter().map(Drawn::from), catalog)
    }

    /// What was read and what was left out, for people.
    pub(crate) fn describe(&self, screen: &Screen) -> Result<()> {
        let Self { log, design, has_features: _, estimated } = self;
        screen.say(&format!(
            "read {}: {} usable, among {}; {} without outcome",
            wording::counted(log.n_decisions_read, "decision", "decisions"),
            wording::length(log.rows.len()),
            wording::counted_length(log.models.len(), "model", "models"),
            wording::count(log.n_without_outcome),
        ))?;
        if let Some(line) = wording::damaged(log.n_damaged_lines, log.n_missing_segments) {
            screen.say(&line)?;
        }
        if let Some(line) = wording::dropped(&log.dropped) {
            screen.say(&line)?;
        }
        let estimates = estimated.iter().flat_map(Estimated::sentences);
        let notes = estimated::in_use(&log.in_use).into_iter().chain(estimates);
        for line in notes.chain(wording::thinned(log.n_thinned)) {
            screen.say(&format!("! {line}"))?;
        }
        if let Some(line) = wording::cut(design.n_requests_cut(), ("request", "requests")) {
            screen.say(&line)?;
        }
        Ok(())
    }

    /// Groups and input tokens of the rows, as training takes them.
    pub(crate) fn groups_and_tokens(&self) -> (Vec<u64>, Vec<Option<u32>>) {
        let rows = &self.log.rows;
        (
            rows.iter().map(|row| row.group).collect(),
            rows.iter().map(|row| row.input_tokens).collect(),
        )
    }
}

#[expect(clippy::cast_possible_truncation, reason = "outcomes are trained on in single precision")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_sixteen_digits() {
        for group in [0, 0x1f, 0xfedc_ba98_7654_3210, u64::MAX] {
            assert_eq!(group_id(group), format!("group {group:016x}"));
        }
    }

    #[test]
    fn ranges_are_two_numbers_in_order() {
        for (text, expected) in [
            ("0..10", Some(QualityRange(0.0, 10.0))),
            ("-1 .. 1", Some(QualityRange(-1.0, 1.0))),
            ("10..0", None),
            ("5", None),
            ("0..inf", None),
        ] {
            assert_eq!(text.parse::<QualityRange>().ok(), expected, "{text}");
        }
    }
}

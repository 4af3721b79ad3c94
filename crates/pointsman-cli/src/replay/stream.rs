//! What is walked through: requests as features, in time order, with what is known of them.

use super::{
    arrivals,
    aside::{Aside, AsideBuilder},
    ask::PackedAsk,
    logged::Logged,
    prices,
};
use crate::{
    load::{self, LoadedTable},
    screen::Screen,
    what_if::WhatIf,
    wording,
};
use anyhow::{Result, bail};
use pointsman_core::{
    catalog::{Catalog, Date},
    features::FeatureSchema,
    request::Request,
};
use pointsman_data::{
    Asked, LogOptions, Prompt, ReadOptions, TrafficLog, decisions_ahead, keyed_draw, read_log,
};
use std::path::{Path, PathBuf};

/// Requests in time order; every column has a row for each.
pub(crate) struct Stream {
    pub(super) features: Aside,
    pub(super) asks: Vec<PackedAsk>,
    /// Ascending; `None` where not every row has one.
    pub(crate) times: Option<Vec<u64>>,
    /// The models of which outcomes are known, sorted.
    pub(crate) models: Vec<String>,
    pub(crate) known: Known,
    pub(crate) digest: String,
    /// What was left out or put in order, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// What came of the requests.
pub(crate) enum Known {
    /// Of each, the outcome of the model that was drawn.
    Log(Box<Logged>),
    /// Of each, every model's outcome.
    Table(Box<Table>),
}

/// Full information; matrices are row-major, shape `(n_rows, n_models)`.
pub(crate) struct Table {
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) quality: Vec<f64>,
    pub(crate) cost_usd: Option<Vec<f64>>,
    pub(crate) output_tokens: Vec<Option<u32>>,
    pub(crate) input_tokens: Vec<Option<u32>>,
}

/// In which order the prompts of a table come.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    /// By lot, with this seed, and not as the table has them.
    pub(crate) shuffled: Option<u64>,
    /// A file of times at which they come, one after the other.
    pub(crate) arrivals: Option<&'a Path>,
}

impl Stream {
    pub(crate) fn n_rows(&self) -> usize {
        self.features.n_rows()
    }

    /// The day of a row; `None` where not every row says when it came.
    pub(super) fn day(&self, row: usize) -> Option<Date> {
        self.times.as_deref().and_then(|times| times.get(row)).map(|&time| Date::of_ms(time))
    }

    pub(crate) fn id(&self, row: usize) -> &str {
        match &self.known {
            Known::Log(log) => log.id(row),
            Known::Table(table) => &table.prompts[row].id,
        }
    }

    pub(crate) fn task(&self, row: usize) -> Option<&str> {
        match &self.known {
            Known::Log(log) => log.task(row),
            Known::Table(table) => table.prompts[row].task.as_deref(),
        }
    }

    pub(crate) fn group(&self, row: usize) -> u64 {
        match &self.known {
            Known::Log(log) => log.rows[row].group,
            Known::Table(table) => table.prompts[row].group,
        }
    }

    pub(crate) fn input_tokens(&self, row: usize) -> Option<u32> {
        match &self.known {
            Known::Log(log) => log.rows[row].drawn().input_tokens,
            Known::Table(table) => table.input_tokens[row],
        }
    }
}

/// Reads a log and puts it in time order.
pub(crate) fn of_log(
    paths: &[PathBuf],
    (options, schema): (&LogOptions, FeatureSchema),
    (what_if, catalog): (&WhatIf, Option<&Catalog>),
    screen: &Screen,
) -> Result<Stream> {
    let bar = screen.progress_about("reading requests", || decisions_ahead(paths));
    let (mut builder, mut asks) = (AsideBuilder::new(schema)?, Vec::new());
    let options = LogOptions { features: Some(schema), ..options.clone() };
    let log = read_log(paths, &options, &mut |_, asked| {
        match asked {
            Asked::Text(request) => {
                set_aside(&mut builder, request);
                asks.push(PackedAsk::of(request));
            }
            Asked::Features(request, features) => {
                builder.push(|into| into.push_read(&features));
                asks.push(PackedAsk::of(request));
            }
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    let mut log = log.map_err(load::hinted)?;
    load::check_metric(&log, &options)?;
    let mut notes = notes_of(&log);
    let n_unknown = what_if.reprice_log(&mut log, catalog);
    if 0 < n_unknown {
        let n = wording::counted(n_unknown, "decision has", "decisions have");
        notes.push(format!("{n} a changed price and no logged tokens: no cost"));
    }
    notes.extend(prices::fill(&mut log, catalog));
    let mut features = builder.finish()?;
    notes.extend(wording::cut(features.n_requests_cut(), ("request", "requests")));
    let InTime { times, order } = in_time(&log, &mut notes)?;
    let (models, digest) = (log.models.clone(), log.digest.clone());
    let known = Known::Log(Box::new(Logged::of(log, order.as_deref())));
    if let Some(order) = order {
        asks = order.iter().map(|&row| asks[row as usize]).collect();
        features = features.sorted(&order)?;
    }
    Ok(Stream { features, asks, times, models, known, digest, notes })
}

fn notes_of(log: &TrafficLog) -> Vec<String> {
    let mut notes = vec![format!(
        "read {}: {} usable, among {}; {} without outcome",
        wording::counted(log.n_decisions_read, "decision", "decisions"),
        wording::length(log.rows.len()),
        wording::counted_length(log.models.len(), "model", "models"),
        wording::count(log.n_without_outcome),
    )];
    notes.extend(wording::damaged(log.n_damaged_lines, log.n_missing_segments));
    notes.extend(wording::dropped(&log.dropped));
    notes.extend(wording::thinned(log.n_thinned));
    notes
}

/// The order of a log's rows in time.
struct InTime {
    /// When the rows were made, in that order; `None` where some do not say so.
    times: Option<Vec<u64>>,
    /// Their places in that order, where it is another; equal times stay as they stand.
    order: Option<Vec<u32>>,
}

fn in_time(log: &TrafficLog, notes: &mut Vec<String>) -> Result<InTime> {
    let n_without = log.rows.iter().filter(|row| row.ts_ms == 0).count();
    if 0 < n_without {
        notes.push(format!(
            "{} of {} decisions do not say when they were made; all are taken in the order of the \
             files",
            wording::length(n_without),
            wording::length(log.rows.len())
        ));
        return Ok(InTime { times: None, order: None });
    }
    let mut times: Vec<u64> = log.rows.iter().map(|row| row.ts_ms).collect();
    let n_late = n_out_of_order(times.iter().copied());
    if n_late == 0 {
        return Ok(InTime { times: Some(times), order: None });
    }
    let n = wording::counted_length(n_late, "decision was", "decisions were");
    notes.push(format!("{n} out of the order of time; sorted"));
    let mut order: Vec<u32> = (0..u32::try_from(times.len())?).collect();
    order.sort_by_key(|&row| times[row as usize]);
    times.sort_unstable();
    Ok(InTime { times: Some(times), order: Some(order) })
}

/// How many times are before one that came earlier in the order.
fn n_out_of_order(times: impl Iterator<Item = u64>) -> usize {
    let mut latest = 0;
    times
        .filter(|&time| {
            let is_late = time < latest;
            latest = latest.max(time);
            is_late
        })
        .count()
}

/// A table whose features are set aside as they are read.
type OnTheWay = LoadedTable<AsideBuilder>;

/// Reads a table and puts it in the order that is asked for; by its column `ts_ms` where nothing is.
pub(crate) fn of_table(
    paths: &[PathBuf],
    (options, schema): (&ReadOptions, FeatureSchema),
    (what_if, catalog): (&WhatIf, Option<&Catalog>),
    order: &Order<'_>,
    screen: &Screen,
) -> Result<Stream> {
    let builder = AsideBuilder::new(schema)?;
    let mut loaded = load::read_table(paths, options, builder, set_aside, screen)?;
    if what_if.twins().next().is_some() {
        bail!(
            "--with: a table has no outcome of a model that nobody tried; replay a log, or add the \
             model's outcomes to the table"
        );
    }
    let mut notes = notes_of_table(&loaded);
    what_if.reprice_table(&mut loaded.matrix, catalog)?;
    let (places, times) = arranged(&loaded, order, &mut notes)?;
    let cost_usd = costs_of_table(&loaded, catalog, (&places, times.as_deref()))?;
    let LoadedTable { table, matrix, design: builder, groups: _, input_tokens } = loaded;
    let features = builder.finish()?;
    notes.extend(wording::cut(features.n_requests_cut(), ("prompt", "prompts")));
    let n_models = matrix.models.len();
    let rows: Vec<u32> = places.iter().map(|&place| matrix.prompts[place as usize]).collect();
    let prompt = |&row: &u32| table.prompts[row as usize].clone();
    // No constraint or need stands in a table; its texts alone were read.
    let nothing = PackedAsk::of(&Request::default());
    let known = Table {
        prompts: rows.iter().map(prompt).collect(),
        quality: gathered(&matrix.quality, &places, n_models),
        cost_usd,
        output_tokens: gathered(&matrix.output_tokens, &places, n_models),
        input_tokens: gathered(&input_tokens, &places, 1),
    };
    Ok(Stream {
        features: features.sorted(&rows)?,
        asks: vec![nothing; places.len()],
        times,
        models: matrix.models,
        digest: table.digest,
        known: Known::Table(Box::new(known)),
        notes,
    })
}

fn set_aside(builder: &mut AsideBuilder, request: &Request<'_>) {
    builder.push(|into| into.push(request));
}

/// Costs in the order in which prompts come: as recorded, else counted from tokens, where the catalog
/// knows prices of other days at those of each prompt's own.
fn costs_of_table(
    loaded: &OnTheWay,
    catalog: Option<&Catalog>,
    (places, times): (&[u32], Option<&[u64]>),
) -> Result<Option<Vec<f64>>> {
    let is_none = loaded.matrix.cost_usd.is_none();
    let dated = catalog.filter(|catalog| is_none && catalog.has_history());
    if let (Some(catalog), Some(times)) = (dated, times) {
        return prices::of_table(&loaded.matrix, catalog, (places, times));
    }
    let costs = loaded.costs(catalog)?;
    Ok(costs.map(|costs| gathered(&costs, places, loaded.matrix.models.len())))
}

fn notes_of_table(loaded: &OnTheWay) -> Vec<String> {
    let LoadedTable { table, matrix, .. } = loaded;
    let mut notes = vec![format!(
        "read {}: {}, {}",
        wording::counted(table.n_rows_read, "row", "rows"),
        wording::counted_length(matrix.prompts.len(), "prompt", "prompts"),
        wording::counted_length(matrix.models.len(), "model", "models"),
    )];
    notes.extend(wording::dropped(&table.dropped));
    if !matrix.models_left_out.is_empty() {
        let names = matrix.models_left_out.join(", ");
        notes.push(format!("left out, with outcomes on 95 % of prompts or fewer: {names}"));
    }
    if 0 < matrix.n_prompts_left_out {
        let n = wording::counted_length(matrix.n_prompts_left_out, "prompt", "prompts");
        notes.push(format!("left out: {n} that not every model answered"));
    }
    notes
}

/// The rows of the matrix in the order in which they come, and when.
fn arranged(
    loaded: &OnTheWay,
    order: &Order<'_>,
    notes: &mut Vec<String>,
) -> Result<(Vec<u32>, Option<Vec<u64>>)> {
    let prompt = |row: u32| &loaded.table.prompts[loaded.matrix.prompts[row as usize] as usize];
    let mut places: Vec<u32> = (0..u32::try_from(loaded.matrix.prompts.len())?).collect();
    if let Some(seed) = order.shuffled {
        places.sort_by_cached_key(|&row| keyed_draw(seed, &prompt(row).id).to_bits());
        notes.push(format!("the prompts come by lot, with the seed {seed}"));
    }
    if let Some(path) = order.arrivals {
        let mut times = arrivals::read(path)?;
        if times.len() < places.len() {
            let n_without = places.len() - times.len();
            let n = wording::counted_length(n_without, "prompt", "prompts");
            notes.push(format!("left out: {n}, for which the trace has no arrival"));
            places.truncate(times.len());
        }
        times.truncate(places.len());
        return Ok((places, Some(times)));
    }
    let own: Option<Vec<u64>> = places.iter().map(|&row| prompt(row).ts_ms).collect();
    if order.shuffled.is_some() {
        return Ok((places, None));
    }
    let Some(own) = own else {
        notes.push("the prompts come in the order of the table".to_owned());
        return Ok((places, None));
    };
    let n_late = n_out_of_order(own.iter().copied());
    if 0 < n_late {
        let n = wording::counted_length(n_late, "prompt was", "prompts were");
        notes.push(format!("{n} out of the order of time; sorted"));
    }
    places.sort_by_key(|&row| own[row as usize]);
    let times = places.iter().map(|&row| own[row as usize]).collect();
    Ok((places, Some(times)))
}

/// The given rows of a row-major matrix, in their order.
fn gathered<T: Copy>(all: &[T], rows: &[u32], n_columns: usize) -> Vec<T> {
    rows.iter().flat_map(|&row| &all[row as usize * n_columns..][..n_columns]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_is_counted() {
        for (times, expected) in
            [(vec![], 0), (vec![1, 2, 2, 3], 0), (vec![3, 1, 2, 4], 2), (vec![9, 1, 9, 8], 2)]
        {
            assert_eq!(n_out_of_order(times.iter().copied()), expected, "{times:?}");
        }
    }

    #[test]
    fn rows_are_gathered_in_their_order() {
        assert_eq!(gathered(&[1, 2, 3, 4, 5, 6], &[2, 0], 2), [5, 6, 1, 2]);
    }
}

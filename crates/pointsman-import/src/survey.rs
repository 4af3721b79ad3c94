//! What an import found, counted as it went: the numbers of the report.
//!
//! It is kept in the manifest, so that a run that goes on reports of the whole. Lists of names and of
//! hours are bounded; what does not fit is counted as such.

use std::collections::BTreeMap;

use pointsman_log::record::{DecisionRecord, OutcomeRecord, PropensityKind, Status};
use serde::{Deserialize, Serialize};

use crate::{call::GROUP_TAG, item::Dropped};

/// The most names of one kind.
const MAX_NAMES: usize = 2_000;
/// The most hours with rows: eleven years.
const MAX_HOURS: usize = 100_000;
/// How many dropped rows of one reason are shown.
const MAX_EXAMPLES: usize = 3;
/// The longest example, in characters.
const MAX_EXAMPLE_CHARS: usize = 160;
/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Survey {
    /// Rows of all files.
    pub n_rows: u64,
    /// Rows that gave something that had not been there before.
    pub n_kept: u64,
    /// Pieces of rows: the calls and scores of a row that holds several, else the row.
    pub n_pieces: u64,
    /// Pieces that gave something that had not been there before.
    pub n_kept_pieces: u64,
    /// Rows, or parts of them, that gave nothing, by reason.
    pub dropped: BTreeMap<String, DroppedRows>,
    /// Values that cannot be true and that their calls go without, by what is wrong with them.
    pub untrue: BTreeMap<String, DroppedRows>,
    /// Calls whose id had been there before.
    pub n_duplicates: u64,
    /// Rows by the format that they were read as.
    pub formats: BTreeMap<String, u64>,
    /// Decisions, and what is known of them.
    pub known: Known,
    /// Decisions whose prompt is in the log.
    pub n_with_text: u64,
    /// Decisions whose prompt is in the log as features alone.
    pub n_with_features: u64,
    /// Calls without a usable answer.
    pub n_failed: u64,
    /// Calls another model answered than was asked for.
    pub n_served_otherwise: u64,
    /// Calls with tokens from a provider's cache.
    pub n_cached: u64,
    /// Models, as the records name them.
    pub models: Names,
    /// Providers, as the log names them.
    pub providers: Names,
    /// Scores by their name in the log.
    pub scores: Names,
    /// Who says what calls cost.
    pub cost_sources: Names,
    /// Decisions by the kind of their propensity.
    pub propensities: BTreeMap<String, u64>,
    /// Decisions that name only the drawn model and no propensity, by what was asked for.
    pub pools: Pools,
    /// How many decisions each rule gave their quality.
    pub rules: BTreeMap<String, u64>,
    /// Scores of traces that no call belongs to.
    pub n_unjoined: u64,
    /// Calls that there was no room for among those of traces.
    pub n_left_out_of_traces: u64,
    /// Messages of other files that no call could be given.
    pub n_left_out_messages: u64,
    /// Calls of which other files have the prompt, whether they are in the log or not.
    pub n_prompts_beside: u64,
    /// Calls of the log that have their prompt from there.
    pub n_with_text_from_beside: u64,
    /// The time of the first and of the last decision.
    pub first_ms: Option<u64>,
    /// See [`Self::first_ms`].
    pub last_ms: Option<u64>,
    /// Decisions that are older than the one before them in the files.
    pub n_backwards: u64,
    /// Decisions by hours since 1970.
    pub hours: BTreeMap<u64, u64>,
    /// Decisions in hours that had no room.
    pub n_in_other_hours: u64,
    /// The time of the decision before.
    pub previous_ms: u64,
    /// Decisions that do not say when they were made; they are in none of the times above.
    pub n_without_time: u64,
}

/// What was counted of a row that is not whole yet, to be taken back when it is read again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Torn {
    n_pieces: u64,
    /// What of it was dropped, by reason.
    dropped: BTreeMap<String, u64>,
}

/// Rows, or values of rows, that were dropped for one reason.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DroppedRows {
    /// How many.
    pub n: u64,
    /// What some of them held, and where they stood.
    pub examples: Vec<String>,
}

/// How many decisions there are, and how many of them have what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Known {
    pub n_decisions: u64,
    pub n_quality: u64,
    pub n_cost: u64,
    pub n_latency: u64,
    pub n_tokens: u64,
    /// With a measure of any name.
    pub n_measured: u64,
    /// Decisions that outcomes speak of and that are not there.
    pub n_orphans: u64,
    /// Ids that the table of known ones had no room for.
    pub n_unchecked: u64,
}

/// Names with their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Names {
    /// By name.
    pub counts: BTreeMap<String, u64>,
    /// Of names that had no room.
    pub n_others: u64,
}

/// Decisions that name only the model that was drawn, by the value of their tag `model_group`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pools {
    /// For each value, with the empty one for none, the decisions by the model that was drawn.
    pub models: BTreeMap<String, Names>,
    /// Decisions of values that had no room.
    pub n_others: u64,
}

/// A span of time without a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Where it begins, in milliseconds since 1970 UTC, to the hour.
    pub from_ms: u64,
    /// How many hours it lasts.
    pub n_hours: u64,
}

impl Names {
    /// How many there are of all names.
    fn n(&self) -> u64 {
        self.n_others + self.counts.values().sum::<u64>()
    }

    /// Counts one more of `name`.
    pub(crate) fn add(&mut self, name: &str) {
        if let Some(n) = self.counts.get_mut(name) {
            *n += 1;
        } else if self.counts.len() < MAX_NAMES {
            self.counts.insert(name.to_owned(), 1);
        } else {
            self.n_others += 1;
        }
    }
}

impl Pools {
    /// Counts a decision.
    fn add(&mut self, decision: &DecisionRecord) {
        let group = decision.tags.get(GROUP_TAG).map_or("", String::as_str);
        if let Some(models) = self.models.get_mut(group) {
            models.add(&decision.drawn);
        } else if self.models.len() < MAX_NAMES {
            self.models.entry(group.to_owned()).or_default().add(&decision.drawn);
        } else {
            self.n_others += 1;
        }
    }

    /// Decisions of values of which more than one model was drawn.
    pub fn n_with_choice(&self) -> u64 {
        let have_choice = self.models.values().filter(|models| 1 < models.counts.len());
        have_choice.map(Names::n).sum()
    }

    /// All of them.
    pub fn n(&self) -> u64 {
        self.n_others + self.models.values().map(Names::n).sum::<u64>()
    }
}

impl Survey {
    /// What a row that gave nothing has added since `before`.
    pub(crate) fn torn_since(&self, before: &Self) -> Torn {
        let n_before = |reason: &String| before.dropped.get(reason).map_or(0, |rows| rows.n);
        let n_new = |(reason, rows): (&String, &DroppedRows)| {
            (reason.clone(), rows.n.saturating_sub(n_before(reason)))
        };
        Torn {
            n_pieces: self.n_pieces.saturating_sub(before.n_pieces),
            dropped: self.dropped.iter().map(n_new).filter(|(_, n)| 0 < *n).collect(),
        }
    }

    /// Takes back what the row at `place`, of that format, has added.
    pub(crate) fn take_back(&mut self, torn: &Torn, (format, place): (&str, &str)) {
        self.n_rows = self.n_rows.saturating_sub(1);
        self.n_pieces = self.n_pieces.saturating_sub(torn.n_pieces);
        if let Some(n) = self.formats.get_mut(format) {
            *n = n.saturating_sub(1);
        }
        let of_row = format!("{place}: ");
        for (reason, n) in &torn.dropped {
            if let Some(rows) = self.dropped.get_mut(reason) {
                rows.n = rows.n.saturating_sub(*n);
                rows.examples.retain(|one| one != place && !one.starts_with(&of_row));
            }
        }
        self.dropped.retain(|_, rows| 0 < rows.n);
    }

    /// Counts a row that gave nothing.
    pub(crate) fn drop_row(&mut self, dropped: &Dropped, place: &str) {
        count(&mut self.dropped, dropped, place);
    }

    /// Counts a value that a call goes without.
    pub(crate) fn untrue(&mut self, dropped: &Dropped, place: &str) {
        count(&mut self.untrue, dropped, place);
    }

    /// Counts a decision; what is known of its outcome is counted with the ids.
    pub(crate) fn decision(&mut self, decision: &DecisionRecord) {
        self.models.add(&decision.drawn);
        let request = &decision.request;
        self.n_with_text += u64::from(request.messages.is_some());
        let has_features = request.messages.is_none() && request.features.is_some();
        self.n_with_features += u64::from(has_features);
        let kind = match decision.propensity.kind {
            PropensityKind::Exact => "exact",
            PropensityKind::Estimated => "estimated",
            PropensityKind::Deterministic => "deterministic",
            PropensityKind::Unknown => "unknown",
        };
        *self.propensities.entry(kind.to_owned()).or_default() += 1;
        if kind == "unknown" && decision.candidates.len() == 1 {
            self.pools.add(decision);
        }
        let ts_ms = decision.ts_ms;
        if ts_ms == 0 {
            self.n_without_time += 1;
            return;
        }
        self.n_backwards += u64::from(ts_ms < self.previous_ms);
        self.previous_ms = ts_ms;
        self.first_ms = Some(self.first_ms.map_or(ts_ms, |first| first.min(ts_ms)));
        self.last_ms = Some(self.last_ms.map_or(ts_ms, |last| last.max(ts_ms)));
        let hour = ts_ms / HOUR_MS;
        if let Some(n) = self.hours.get_mut(&hour) {
            *n += 1;
        } else if self.hours.len() < MAX_HOURS {
            self.hours.insert(hour, 1);
        } else {
            self.n_in_other_hours += 1;
        }
    }

    /// Counts what came of a call; `drawn` is the model that was chosen, where the row says that too.
    /// Where it does not, only an outcome that names what it fell back from tells of another model.
    pub(crate) fn outcome(&mut self, outcome: &OutcomeRecord, drawn: Option<&str>) {
        self.n_failed += u64::from(outcome.status == Status::Failed);
        let served = outcome.served_model.as_deref();
        let is_other = match drawn {
            Some(drawn) => served.is_some_and(|served| served != drawn),
            None => outcome.fallback_from.is_some(),
        };
        self.n_served_otherwise += u64::from(is_other);
        self.n_cached += u64::from(outcome.usage.cached_read.is_some_and(|n| 0 < n));
        if let Some(provider) = &outcome.provider {
            self.providers.add(provider);
        }
        if let Some(cost) = &outcome.cost_usd {
            self.cost_sources.add(&cost.source);
        }
    }

    /// Rows and parts of rows that were dropped.
    pub fn n_dropped(&self) -> u64 {
        self.dropped.values().map(|rows| rows.n).sum()
    }

    /// The longest spans of at least `least` hours without a decision, in the order of time.
    pub fn gaps(&self, least: u64, n_most: usize) -> Vec<Gap> {
        let hours = || self.hours.keys().copied();
        let mut gaps: Vec<Gap> = hours()
            .zip(hours().skip(1))
            .map(|(before, after)| Gap {
                from_ms: (before + 1) * HOUR_MS,
                n_hours: after - before - 1,
            })
            .filter(|gap| least.max(1) <= gap.n_hours)
            .collect();
        gaps.sort_by_key(|gap| (std::cmp::Reverse(gap.n_hours), gap.from_ms));
        gaps.truncate(n_most);
        gaps.sort_by_key(|gap| gap.from_ms);
        gaps
    }
}

/// Counts one more of its reason; the first few are kept as examples.
fn count(all: &mut BTreeMap<String, DroppedRows>, dropped: &Dropped, place: &str) {
    let rows = all.entry(dropped.reason.0.to_owned()).or_default();
    rows.n += 1;
    if rows.examples.len() < MAX_EXAMPLES {
        let words = dropped.detail.split_whitespace().collect::<Vec<_>>().join(" ");
        let detail: String = words.chars().take(MAX_EXAMPLE_CHARS).collect();
        let colon = if detail.is_empty() { "" } else { ": " };
        rows.examples.push(format!("{place}{colon}{detail}"));
    }
}

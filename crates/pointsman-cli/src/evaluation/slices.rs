//! Where a policy gains and where it loses, by kind of request.
//!
//! Each slice is valued on its own rows: on a log against what was logged, on a table against the
//! best single model or the policy that is named. All intervals hold together, so that a slice does
//! not look good or bad by being one of many. Weakness: what data says of small slices is little,
//! and their intervals are as wide as that deserves.

use super::{
    Settings, Used,
    logged_interval::{self, Shared, With},
    target::{Reward, Target, rounds},
};
use crate::{
    report::{IntervalKind, SliceRow},
    wording,
};
use anyhow::{Result, bail};
use pointsman_core::units::len_as_float;
use pointsman_data::TrafficLog;
use pointsman_eval::{bounds::Rival, choice::Chosen, diagnostics::diagnose};
use std::{collections::BTreeMap, str::FromStr};

/// The most slices of one kind that are shown by themselves; the smaller ones are one slice.
const MOST_SLICES: usize = 30;

/// What requests are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SliceBy {
    /// The tag `task`.
    Task,
    /// On whose behalf.
    Tenant,
    /// Tokens of the prompt, by powers of ten.
    Length,
    /// The script of its letters.
    Language,
    /// Any other tag.
    Tag(String),
}

impl FromStr for SliceBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match (text, text.strip_prefix("tag:")) {
            ("task", _) => Self::Task,
            ("tenant", _) => Self::Tenant,
            ("length", _) => Self::Length,
            ("language", _) => Self::Language,
            (_, Some(tag)) if !tag.is_empty() => Self::Tag(tag.to_owned()),
            (_, Some(_) | None) => {
                return Err(format!(
                    "`{text}` is nothing to slice by; there are task, tenant, length, language \
                     and tag:NAME"
                ));
            }
        })
    }
}

/// What slices go by, of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind<'a> {
    pub(super) task: Option<&'a str>,
    pub(super) tenant: Option<&'a str>,
    /// In the order of [`tags`].
    pub(super) tags: &'a [Option<String>],
    pub(super) input_tokens: Option<u32>,
    pub(super) language: &'static str,
}

/// The tags that slices need, beside the task.
pub(crate) fn tags(slices: &[SliceBy]) -> Vec<String> {
    let tag = |by: &SliceBy| match by {
        SliceBy::Tag(tag) => Some(tag.clone()),
        SliceBy::Task | SliceBy::Tenant | SliceBy::Length | SliceBy::Language => None,
    };
    slices.iter().filter_map(tag).collect()
}

impl SliceBy {
    fn name(&self) -> String {
        match self {
            Self::Task => "task".to_owned(),
            Self::Tenant => "tenant".to_owned(),
            Self::Length => "length".to_owned(),
            Self::Language => "language".to_owned(),
            Self::Tag(tag) => format!("tag:{tag}"),
        }
    }

    fn of(&self, kind: &Kind<'_>, tags: &[String]) -> String {
        let or = |found: Option<&str>, missing: &str| found.unwrap_or(missing).to_owned();
        match self {
            Self::Task => or(kind.task, "(no task)"),
            Self::Tenant => or(kind.tenant, "(no tenant)"),
            Self::Language => kind.language.to_owned(),
            Self::Tag(tag) => {
                let place = tags.iter().position(|known| known == tag);
                let value = place.and_then(|place| kind.tags.get(place)?.as_deref());
                or(value, "(no such tag)")
            }
            Self::Length => match kind.input_tokens {
                None => "(tokens unknown)".to_owned(),
                Some(0..100) => "below 100 tokens".to_owned(),
                Some(100..1000) => "100 to 999 tokens".to_owned(),
                Some(1000..10_000) => "1,000 to 9,999 tokens".to_owned(),
                Some(10_000..) => "10,000 tokens or more".to_owned(),
            },
        }
    }
}

/// One slice: what it is told apart by, its name and the places of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    by: String,
    name: String,
    rows: Vec<usize>,
}

/// Every slice of every kind that was asked for; rows are places in `kinds`.
pub(super) fn slices(kinds: &[Kind<'_>], settings: &Settings) -> Vec<Slice> {
    let tags = tags(&settings.slices);
    let mut all = Vec::new();
    for by in &settings.slices {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (row, kind) in kinds.iter().enumerate() {
            groups.entry(by.of(kind, &tags)).or_default().push(row);
        }
        let groups = shortened(groups.into_iter().collect());
        all.extend(groups.into_iter().map(|(name, rows)| Slice { by: by.name(), name, rows }));
    }
    all
}

/// The largest groups by name, then all others as one.
fn shortened(mut groups: Vec<(String, Vec<usize>)>) -> Vec<(String, Vec<usize>)> {
    if groups.len() <= MOST_SLICES {
        return groups;
    }
    // A stable sort: groups of one size stay in the order of their names.
    groups.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
    let rest = groups.split_off(MOST_SLICES - 1);
    let name = format!("({} others)", wording::length(rest.len()));
    let mut rows: Vec<usize> = rest.into_iter().flat_map(|(_, rows)| rows).collect();
    rows.sort_unstable();
    groups.sort();
    groups.push((name, rows));
    groups
}

/// The slices of the used rows of a log; `languages` has an entry for each row of the log.
pub(super) fn of_log(
    log: &TrafficLog,
    used: &Used,
    languages: &[&'static str],
    settings: &Settings,
) -> Vec<Slice> {
    let kind = |&row: &usize| {
        let known = &log.rows[row];
        Kind {
            task: known.task.as_deref(),
            tenant: known.tenant.as_deref(),
            tags: &known.tags,
            input_tokens: known.input_tokens,
            language: languages[row],
        }
    };
    slices(&used.rows.iter().map(kind).collect::<Vec<_>>(), settings)
}

/// Refuses to slice a table by what it has no column for.
pub(super) fn check_for_table(slices: &[SliceBy]) -> Result<()> {
    for by in slices {
        match by {
            SliceBy::Task | SliceBy::Length | SliceBy::Language => {}
            SliceBy::Tenant | SliceBy::Tag(_) => bail!(
                "--slices: an outcome table has no {}; slice it by task, length or language",
                by.name()
            ),
        }
    }
    Ok(())
}

/// One policy on the slices of a log, against what was logged.
pub(super) fn on_log(
    (policy, target): (&str, &Target),
    all: &[Slice],
    (log, used): (&TrafficLog, &Used),
    settings: &Settings,
) -> Result<Vec<SliceRow>> {
    let shared = shared(all, settings);
    let mut found = Vec::with_capacity(all.len());
    for slice in all {
        let rows = slice.rows.iter().map(|&row| used.rows[row]).collect();
        let used = Used { rows, ..Used::default() };
        let rounds = rounds(log, &used, target, Reward::Quality)?;
        let missing = diagnose(&rounds, None).unsupported_mass_share;
        let with = With::Predictions;
        let chosen = logged_interval::of_quality(&rounds, missing, Rival::Logged, with, shared)?;
        found.push(row((policy, "what was logged"), slice, mean(rounds.reward()), &chosen));
    }
    Ok(found)
}

/// One policy on the slices of a table, by the quality of its choices and of its rival's.
pub(super) fn on_table(
    (policy, quality): (&str, &[f64]),
    (rival, rival_quality): (&str, &[f64]),
    all: &[Slice],
    settings: &Settings,
) -> Result<Vec<SliceRow>> {
    let shared = shared(all, settings);
    let mut found = Vec::with_capacity(all.len());
    for slice in all {
        let differences: Vec<f64> =
            slice.rows.iter().map(|&row| quality[row] - rival_quality[row]).collect();
        let theirs: Vec<f64> = slice.rows.iter().map(|&row| rival_quality[row]).collect();
        let chosen = logged_interval::of_known(&differences, shared)?;
        found.push(row((policy, rival), slice, mean(&theirs), &chosen));
    }
    Ok(found)
}

/// All slices of all policies hold together.
fn shared(all: &[Slice], settings: &Settings) -> Shared {
    Shared { level: settings.level, n_candidates: all.len() * settings.policies.len() }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / len_as_float(values.len())
}

fn row(
    (policy, against): (&str, &str),
    slice: &Slice,
    against_quality: f64,
    chosen: &Chosen,
) -> SliceRow {
    SliceRow {
        policy: policy.to_owned(),
        by: slice.by.clone(),
        slice: slice.name.clone(),
        n_rows: slice.rows.len(),
        against: against.to_owned(),
        against_quality,
        difference: chosen.value,
        lower: chosen.interval.lower,
        upper: chosen.interval.upper,
        interval_kind: IntervalKind::of(chosen.interval.kind),
        interval_method: chosen.interval.method.name().to_owned(),
        note: logged_interval::described(chosen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slices_go_by_is_spelled_in_one_way() {
        for (text, expected) in [
            ("task", Some(SliceBy::Task)),
            ("language", Some(SliceBy::Language)),
            ("tag:app", Some(SliceBy::Tag("app".to_owned()))),
            ("tag:", None),
            ("tags", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<SliceBy>().ok(), expected, "{text}");
        }
    }

    /// The largest stay; no row is lost.
    #[test]
    fn many_slices_end_in_one_of_the_others() {
        let group = |n: usize| (format!("{n:03}"), (1000 * n..1000 * n + n).collect());
        let groups: Vec<(String, Vec<usize>)> = (1..=40).map(group).collect();
        let n_rows = |groups: &[(String, Vec<usize>)]| -> usize {
            groups.iter().map(|(_, rows)| rows.len()).sum()
        };
        let short = shortened(groups.clone());
        assert_eq!((short.len(), n_rows(&short)), (MOST_SLICES, n_rows(&groups)));
        assert_eq!(
            (short[0].0.as_str(), short[MOST_SLICES - 1].0.as_str()),
            ("012", "(11 others)")
        );
    }
}

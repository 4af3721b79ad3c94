//! The walk itself: learn from before, decide the window, note what came of it, go on.

use super::{
    Question,
    contents::{ModelsRow, Replay, SettingRow, SourceKind, WindowRow},
    decide::{Attendance, Choice, Decider},
    learn::{With, learned, remembered},
    stream::{Known, Stream},
    value::{self, Ledger},
    windows::{Memory, Span, Windows, cut, utc},
    words,
};
use crate::{policy_flags::LoadedPolicy, report::GeneratedBy, screen::Screen, wording};
use anyhow::{Context, Result, bail};
use pointsman_core::catalog::Catalog;
use pointsman_data::keyed_draw;
use std::{collections::BTreeSet, fs, ops::Range};

/// What learning from a row takes, against deciding it; for the estimate of what is left.
const LEARNING_ROWS: u64 = 8;

/// What one setting knows at a time.
struct Mind {
    loaded: Option<LoadedPolicy>,
    /// The window before which it was learned, and from how many rows.
    learned_before: usize,
    n_learned: usize,
    n_fits: usize,
    n_missed: usize,
}

/// The walk, where it is.
struct Walk<'q> {
    stream: Stream,
    question: &'q Question,
    windows: Windows,
    /// For each row a number in `[0, 1)`; empty where no memory is too large.
    draws: Vec<f64>,
    minds: Vec<Mind>,
    ledger: Ledger,
    rows: Vec<WindowRow>,
    /// Models that were there in an earlier window, and in the last.
    seen: BTreeSet<usize>,
    last: BTreeSet<usize>,
    n_warm_up: usize,
    n_unanswered: usize,
    n_passed_over: usize,
    processor_seconds: f64,
}

/// Walks through the stream.
pub(crate) fn replay(stream: Stream, question: &Question, screen: &Screen) -> Result<Replay> {
    check(&stream, question)?;
    let windows = cut(question.window, stream.times.as_deref(), stream.n_rows())?;
    let mut walk = Walk::new(stream, question, windows)?;
    let bar = screen.progress("replaying", walk.effort());
    for number in 0..walk.windows.ranges.len() {
        let range = walk.windows.ranges[number].clone();
        let there = Attendance::of(&walk.stream, range.clone());
        if 0 < number {
            let n_fitted = walk.learn(number, range.start)?;
            bar.inc(LEARNING_ROWS * n_fitted);
            walk.decide(number, &range, &there)?;
        }
        bar.inc(range.len() as u64);
        walk.seen.extend(&there.present);
        walk.last = there.present;
    }
    bar.finish_and_clear();
    screen.aside(&words::fits(walk.minds.iter().map(|mind| mind.n_fits).sum(), walk.seconds()))?;
    walk.finish()
}

/// Refuses what cannot be asked of this stream.
fn check(stream: &Stream, question: &Question) -> Result<()> {
    let listed = question.catalog.iter().flat_map(Catalog::models);
    let known = stream.models.iter().map(String::as_str);
    question.what_if.check_known(known.chain(listed.map(|model| model.id.as_str())))?;
    question.what_if.check_tasks((0..stream.n_rows()).map(|row| stream.task(row)))?;
    for setting in &question.settings {
        if let (Memory::Last(Span::Ms(_)), None) = (setting.memory, &stream.times) {
            bail!(
                "--memory {}: not every row says when it came; give a number of rows, or all",
                setting.memory
            );
        }
    }
    Ok(())
}

impl<'q> Walk<'q> {
    fn new(stream: Stream, question: &'q Question, windows: Windows) -> Result<Self> {
        let seed = question.settings[0].learning.seed;
        let needs_draws = question.most_rows < stream.n_rows();
        let draw = |row: usize| keyed_draw(seed, stream.id(row));
        let draws = if needs_draws { (0..stream.n_rows()).map(draw).collect() } else { Vec::new() };
        let mind =
            || Mind { loaded: None, learned_before: 0, n_learned: 0, n_fits: 0, n_missed: 0 };
        Ok(Self {
            minds: question.settings.iter().map(|_| mind()).collect(),
            ledger: Ledger::new(&stream, question)?,
            stream,
            question,
            windows,
            draws,
            rows: Vec::new(),
            seen: BTreeSet::new(),
            last: BTreeSet::new(),
            n_warm_up: 0,
            n_unanswered: 0,
            n_passed_over: 0,
            processor_seconds: 0.0,
        })
    }

    /// What there is to do, in rows decided; a guess where fits may fail.
    fn effort(&self) -> u64 {
        let mut effort = self.stream.n_rows() as u64;
        for setting in &self.question.settings {
            let mut last = None;
            for (number, range) in self.windows.ranges.iter().enumerate().skip(1) {
                if last.is_none_or(|last| setting.retrain.is_due(number - last)) {
                    let start = setting.memory.start(self.stream.times.as_deref(), range.start);
                    let n = (range.start - start).min(self.question.most_rows);
                    effort += LEARNING_ROWS * n as u64;
                    last = Some(number);
                }
            }
        }
        effort
    }

    /// Learns anew where that is due; returns how many rows were fitted.
    fn learn(&mut self, number: usize, now: usize) -> Result<u64> {
        let question = self.question;
        let mut n_fitted = 0;
        for (mind, setting) in self.minds.iter_mut().zip(&question.settings) {
            let is_due = setting.retrain.is_due(number - mind.learned_before);
            if mind.loaded.is_some() && !is_due {
                continue;
            }
            let start = setting.memory.start(self.stream.times.as_deref(), now);
            let rows = remembered(start..now, question.most_rows, &self.draws);
            let (catalog, what_if) = (question.catalog.as_ref(), &question.what_if);
            let before = processor_seconds();
            let found = learned(&self.stream, &rows, With { setting, catalog, what_if })
                .with_context(|| format!("before window {}", number + 1))?;
            if let (Some(before), Some(after)) = (before, processor_seconds()) {
                self.processor_seconds += after - before;
            }
            match found {
                Some(loaded) => {
                    mind.loaded = Some(loaded);
                    mind.learned_before = number;
                    mind.n_learned = rows.len();
                    mind.n_fits += 1;
                    n_fitted += rows.len() as u64;
                }
                None if mind.loaded.is_some() => mind.n_missed += 1,
                None => {}
            }
        }
        Ok(n_fitted)
    }

    fn decide(&mut self, number: usize, range: &Range<usize>, there: &Attendance) -> Result<()> {
        let Self { stream, question, minds, ledger, .. } = self;
        let ready: Option<Vec<&LoadedPolicy>> =
            minds.iter().map(|mind| mind.loaded.as_ref()).collect();
        let Some(ready) = ready else {
            self.n_warm_up += 1;
            return Ok(());
        };
        let mut deciders: Vec<Decider<'_>> =
            ready.iter().map(|loaded| Decider::new(loaded, stream, there)).collect();
        let start = ledger.n_rows();
        for row in range.clone() {
            if !question.what_if.keeps(stream.id(row), stream.task(row)) {
                self.n_passed_over += 1;
                continue;
            }
            let n_decided =
                deciders.iter_mut().map(|it| usize::from(it.decide(stream, row))).sum::<usize>();
            if n_decided < deciders.len() {
                self.n_unanswered += 1;
                continue;
            }
            let choices: Vec<&Choice> = deciders.iter().map(|it| &it.choice).collect();
            ledger.push(stream, row, &choices);
        }
        let own = start..ledger.n_rows();
        let so_far = 0..ledger.n_rows();
        let mut models = models_row(stream, ready[0], there, (&self.seen, &self.last));
        let twins = question.what_if.twins();
        let absent = twins.filter(|twin| !ready[0].policy.models().any(|known| known == *twin));
        models.not_learned.extend(absent.map(str::to_owned));
        self.rows.push(WindowRow {
            number: number + 1,
            begins: begins(stream, range.start),
            n_requests: range.len(),
            n_decided: own.len(),
            n_learned: minds[0].n_learned,
            learned_before: minds[0].learned_before + 1,
            values: value::values(ledger, stream, &own, question.level)?,
            so_far: value::values(ledger, stream, &so_far, question.level)?,
            gate: value::gate(ledger, stream, &own, question)?,
            models,
        });
        Ok(())
    }

    /// Seconds of processor time that fits took; `None` where the system does not say.
    fn seconds(&self) -> Option<f64> {
        processor_seconds().map(|_| self.processor_seconds)
    }

    fn finish(self) -> Result<Replay> {
        let Some(total) = self.rows.last().and_then(|row| row.so_far.clone()) else {
            bail!(
                "no window of {} could be decided: before the last one there are too few rows, groups \
                 of rows or models with outcomes to learn from; take shorter windows, or more data",
                self.windows.ranges.len()
            );
        };
        let notes = self.notes();
        let settings: Vec<SettingRow> = self
            .question
            .settings
            .iter()
            .zip(&self.minds)
            .map(|(setting, mind)| SettingRow {
                name: setting.name.clone(),
                objective: mind.loaded.as_ref().map_or_else(String::new, |it| it.objective.clone()),
                retrain: setting.retrain.to_string(),
                memory: setting.memory.to_string(),
                n_fits: mind.n_fits,
                n_fits_missed: mind.n_missed,
            })
            .collect();
        let source = match &self.stream.known {
            Known::Log(_) => SourceKind::Log,
            Known::Table(_) => SourceKind::Table,
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Replay {
            generated_by: GeneratedBy { command: self.question.command.clone(), version },
            source,
            data_digest: self.stream.digest.clone(),
            window: self.question.window.to_string(),
            confidence: self.question.level.get(),
            sentence: words::sentence(&total, &self.rows, &settings),
            settings,
            notes,
            n_warm_up: self.n_warm_up + 1,
            windows: self.rows,
            total,
        })
    }

    /// What was left out, put in order or assumed.
    fn notes(&self) -> Vec<String> {
        let mut notes = self.stream.notes.clone();
        notes.extend(self.question.what_if.notes().iter().cloned());
        let n_asked = self.ledger.n_rows() + self.n_unanswered;
        notes.extend(self.question.what_if.kept(n_asked, n_asked + self.n_passed_over));
        if 0 < self.windows.n_empty {
            let (one, many) =
                ("window in which nothing came was", "windows in which nothing came were");
            let n = wording::counted(self.windows.n_empty, one, many);
            notes.push(format!("{n} passed over"));
        }
        if 0 < self.n_unanswered {
            notes.push(wording::counted_length(
                self.n_unanswered,
                "request was set aside: a policy had no eligible model for it",
                "requests were set aside: a policy had no eligible model for them",
            ));
        }
        let n_missed: usize = self.minds.iter().map(|mind| mind.n_missed).sum();
        if 0 < n_missed {
            notes.push(format!(
                "{n_missed} fits that were due had too little to learn from; the policy before went on"
            ));
        }
        if !self.draws.is_empty() {
            notes.push(format!(
                "of a memory above {} rows, that many are fitted, drawn evenly",
                wording::length(self.question.most_rows)
            ));
        }
        let is_stated = self.question.gate.largest_cost_usd.is_some();
        if matches!(self.stream.known, Known::Log(_)) && !is_stated {
            let largest = self.ledger.largest_cost_usd();
            if 0.0 < largest {
                notes.push(format!(
                    "intervals of cost take the largest cost that was seen, ${largest}, for the \
                     largest there can be; --largest-cost-usd states another"
                ));
            }
        }
        notes
    }
}

/// Who came, who went, and who was not ready.
fn models_row(
    stream: &Stream,
    loaded: &LoadedPolicy,
    there: &Attendance,
    (seen, last): (&BTreeSet<usize>, &BTreeSet<usize>),
) -> ModelsRow {
    let learned = &loaded.artifact.card().models;
    let present = &there.present;
    let mut row = ModelsRow {
        arrived: names(stream, present.difference(seen)),
        left: names(stream, last.difference(present)),
        ..ModelsRow::default()
    };
    for &place in present {
        let name = &stream.models[place];
        if learned.contains(name) {
            continue;
        }
        if loaded.policy.models().any(|known| known == name) {
            row.newcomers.push(name.clone());
        } else {
            row.not_learned.push(name.clone());
        }
    }
    row
}

fn names<'p>(stream: &Stream, places: impl Iterator<Item = &'p usize>) -> Vec<String> {
    places.map(|&place| stream.models[place].clone()).collect()
}

fn begins(stream: &Stream, row: usize) -> String {
    match stream.times.as_deref().and_then(|times| times.get(row)) {
        Some(&time) => utc(time),
        None => format!("row {}", wording::length(row + 1)),
    }
}

/// User and system time of this process, in seconds; `None` where there is no `/proc`.
fn processor_seconds() -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some((user.parse::<f64>().ok()? + system.parse::<f64>().ok()?) / TICKS_PER_SECOND)
}

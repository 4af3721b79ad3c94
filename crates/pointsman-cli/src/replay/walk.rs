//! The walk itself: learn from before, decide the window, note what came of it, go on.

use super::{
    Question,
    contents::{Replay, SettingRow, SourceKind, WindowRow},
    decide::{Attendance, Choice, Decider, models_row},
    learn::{How, Learned, With, learned, remembered},
    mind::{Mind, is_asked, work},
    policies::Policies,
    prices::DayPrices,
    running::Running,
    setting::Setting,
    stream::{Known, Stream},
    value::{self, Ledger},
    windows::{Memory, Span, Windows, cut, utc},
    words,
};
use crate::{policy_flags::LoadedPolicy, report::GeneratedBy, screen::Screen, wording};
use anyhow::{Context, Result, bail};
use pointsman_core::catalog::Catalog;
use std::{collections::BTreeSet, fs, ops::Range};

/// The walk, where it is.
struct Walk<'q> {
    stream: Stream,
    question: &'q Question,
    windows: Windows,
    /// Whether a fit left out old rows of its memory.
    is_memory_cut: bool,
    prices: DayPrices<'q>,
    minds: Vec<Mind>,
    ledger: Ledger,
    running: Running,
    policies: Policies,
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
        walk.turn_to_day(range.start)?;
        if 0 < number {
            bar.inc(walk.learn(number, range.start)?);
            walk.decide(number, &range, &there)?;
        }
        bar.inc(range.len() as u64);
        walk.seen.extend(&there.present);
        walk.last = there.present;
    }
    bar.finish_and_clear();
    let n_fits = walk.minds.iter().map(|mind| mind.n_fits).sum();
    let n_selections = walk.minds.iter().map(|mind| mind.n_selections).sum();
    let took = (walk.seconds(), walk.stream.features.most_held());
    let replayed = walk.finish()?;
    screen.aside(&words::fits(n_fits, n_selections, took))?;
    Ok(replayed)
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
        Ok(Self {
            is_memory_cut: false,
            prices: DayPrices::new(question.catalog.as_ref(), &question.what_if),
            minds: question.settings.iter().map(|_| Mind::default()).collect(),
            ledger: Ledger::new(&stream, question)?,
            running: Running::new(question.level),
            policies: Policies::default(),
            stream,
            question,
            windows,
            rows: Vec::new(),
            seen: BTreeSet::new(),
            last: BTreeSet::new(),
            n_warm_up: 0,
            n_unanswered: 0,
            n_passed_over: 0,
            processor_seconds: 0.0,
        })
    }

    /// What there is to do, in rows decided; a guess where fits may fail, or models come and go.
    fn effort(&self) -> u64 {
        let mut effort = self.stream.n_rows() as u64;
        for setting in &self.question.settings {
            let mut last: Option<usize> = None;
            let mut asked: Option<(usize, usize)> = None;
            for (number, range) in self.windows.ranges.iter().enumerate().skip(1) {
                if last.is_none_or(|last| setting.retrain.is_due(number - last)) {
                    let n_rows = self.memory(setting, range.start).len();
                    let is_due = asked.is_none_or(|(n_taken_over, then)| {
                        is_asked(n_taken_over, (then, n_rows), self.question.select_every)
                    });
                    effort += work(n_rows, is_due);
                    last = Some(number);
                    asked = match asked {
                        Some((n_taken_over, then)) if !is_due => Some((n_taken_over + 1, then)),
                        Some(_) | None => Some((0, n_rows)),
                    };
                }
            }
        }
        effort
    }

    /// The rows that a fit before row `now` is made from.
    fn memory(&self, setting: &Setting, now: usize) -> Range<usize> {
        let start = setting.memory.start(self.stream.times.as_deref(), now);
        remembered(start..now, self.question.most_rows)
    }

    /// Turns to the prices of a row's day, and puts what was learned to work at them.
    fn turn_to_day(&mut self, row: usize) -> Result<()> {
        if !self.prices.turn_to(self.stream.day(row)) {
            return Ok(());
        }
        for (mind, setting) in self.minds.iter_mut().zip(&self.question.settings) {
            let Some(LoadedPolicy { artifact, name, .. }) = mind.loaded.take() else { continue };
            let loaded = setting.flags.apply(artifact, name, self.prices.catalog())?;
            mind.loaded = Some(self.prices.what_if().apply(loaded)?);
        }
        Ok(())
    }

    /// Learns anew where that is due; returns what it took, in rows decided.
    fn learn(&mut self, number: usize, now: usize) -> Result<u64> {
        let question = self.question;
        let mut effort = 0;
        for (place, setting) in question.settings.iter().enumerate() {
            let rows = self.memory(setting, now);
            let mind = &mut self.minds[place];
            let is_due = setting.retrain.is_due(number - mind.learned_before);
            if mind.loaded.is_some() && !is_due {
                continue;
            }
            let with = With {
                setting,
                catalog: self.prices.catalog(),
                what_if: self.prices.what_if(),
                selection: mind.to_take_over(rows.len(), question.select_every),
            };
            let before = processor_seconds();
            let found = learned(&mut self.stream, rows.clone(), with)
                .with_context(|| format!("before window {}", number + 1))?;
            if let (Some(before), Some(after)) = (before, processor_seconds()) {
                self.processor_seconds += after - before;
            }
            let Some(Learned { loaded, how }) = found else {
                mind.n_missed += usize::from(mind.loaded.is_some());
                continue;
            };
            effort += work(rows.len(), matches!(how, How::Selected(_)));
            self.is_memory_cut |=
                setting.memory.start(self.stream.times.as_deref(), now) < rows.start;
            if place == 0 {
                let window = (number + 1, begins(&self.stream, now));
                self.policies.push(&self.ledger, window, (rows.len(), &how));
            }
            mind.took(loaded, how, (number, rows.len()));
        }
        Ok(effort)
    }

    fn decide(&mut self, number: usize, range: &Range<usize>, there: &Attendance) -> Result<()> {
        let Self { stream, question, minds, ledger, running, .. } = self;
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
            let features = stream.features.features(row)?;
            let ask = stream.asks[row].ask();
            let decides = |it: &mut Decider<'_>| usize::from(it.decide(ask, &features));
            let n_decided = deciders.iter_mut().map(decides).sum::<usize>();
            if n_decided < deciders.len() {
                self.n_unanswered += 1;
                continue;
            }
            let choices: Vec<&Choice> = deciders.iter().map(|it| &it.choice).collect();
            ledger.push(stream, row, &choices);
        }
        let own = start..ledger.n_rows();
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
            so_far: running.extend(ledger, stream, &own)?,
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
        let all = 0..self.ledger.n_rows();
        let total = value::values(&self.ledger, &self.stream, &all, self.question.level)?;
        let Some(total) = total else { bail!(self.why_nothing()) };
        let notes = self.notes();
        let settings: Vec<SettingRow> = self
            .question
            .settings
            .iter()
            .zip(&self.minds)
            .map(|(setting, mind)| SettingRow {
                name: setting.name.clone(),
                objective: mind.loaded.as_ref().map(|it| it.objective.clone()).unwrap_or_default(),
                retrain: setting.retrain.to_string(),
                memory: setting.memory.to_string(),
                n_fits: mind.n_fits,
                n_selections: mind.n_selections,
                n_fits_missed: mind.n_missed,
            })
            .collect();
        let source = match &self.stream.known {
            Known::Log(_) => SourceKind::Log,
            Known::Table(_) => SourceKind::Table,
        };
        let seen = (&self.ledger, &self.stream);
        let policies = self.policies.judged(seen, &self.rows, self.question)?;
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
            policies,
            total,
        })
    }

    /// Why too little was decided to say anything of it.
    fn why_nothing(&self) -> String {
        if 0 < self.n_unanswered {
            return format!(
                "{} could be decided, and for {} a policy had no eligible model; rule fewer out",
                wording::counted_length(self.ledger.n_rows(), "request", "requests"),
                wording::length(self.n_unanswered)
            );
        }
        if 0 < self.n_passed_over {
            return format!(
                "{} could be decided, and {} not in the traffic that is asked about; give --traffic \
                 other weights",
                wording::counted_length(self.ledger.n_rows(), "request", "requests"),
                wording::counted_length(self.n_passed_over, "is", "are")
            );
        }
        format!(
            "no window of {} could be decided: before the last one there are too few rows, groups of \
             rows or models with outcomes to learn from; take shorter windows, more --most-rows, a longer \
             --memory, or more data",
            self.windows.ranges.len()
        )
    }

    /// What was left out, put in order or assumed.
    fn notes(&self) -> Vec<String> {
        let mut notes = self.stream.notes.clone();
        notes.extend(self.prices.notes(self.stream.day(0)));
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
            let n = wording::counted_length(n_missed, "fit that was", "fits that were");
            notes.push(format!("{n} due had too little to learn from; the policy before went on"));
        }
        if self.is_memory_cut {
            notes.push(format!(
                "of a memory above {} rows, the newest that many are fitted; --most-rows takes more",
                wording::length(self.question.most_rows)
            ));
        }
        let settings = self.question.settings.iter();
        let not_given =
            self.minds.iter().zip(settings).filter(|(_, it)| it.learning.penalty.is_none());
        let (n_fits, n_selections) = not_given.fold((0, 0), |(n_fits, n_selections), (mind, _)| {
            (n_fits + mind.n_fits, n_selections + mind.n_selections)
        });
        if n_selections < n_fits {
            notes.push(format!(
                "{} of {n_fits} fits took over how to learn from an earlier one, where held-out rows \
                 had been asked; --select-every 1 asks them at each",
                n_fits - n_selections
            ));
        }
        if self.question.what_if.changes_traffic() {
            notes.push(
                "the policies were learned from the traffic as it was logged, and decided the \
                 traffic that is asked about"
                    .to_owned(),
            );
        }
        let is_stated = self.question.gate.largest_cost_usd.is_some();
        if matches!(self.stream.known, Known::Log(_)) && !is_stated {
            let largest = self.ledger.largest_cost_usd();
            if 0.0 < largest {
                notes.push(format!(
                    "intervals of cost take the largest cost that was seen, ${}, for the \
                     largest there can be; --largest-cost-usd states another",
                    wording::digits(largest)
                ));
            }
        }
        notes
    }
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

//! The study: every table, logger, policy, outcome and length of log, and what came of each.

use super::{
    methods::{Log, Said, differences, intervals},
    tables::{Policy, Table, count},
};
use pointsman_eval::bounds::{Evidence, Predicted, Rival, Side, ValueRange};
use pointsman_testkit::{Draws, Stream};
use std::{collections::BTreeMap, error::Error, io::Write};

/// How far below the truth a margin lies, in shares of the range, to show a gate's power.
pub const MARGINS: [f64; 4] = [0.0, 0.02, 0.05, 0.1];

/// How much to run.
#[derive(Debug, Clone)]
pub struct Size {
    /// The lengths of log, ascending.
    pub lengths: Vec<usize>,
    /// Where to begin in the endless row of logs, so that runs can be added up.
    pub first_run: u64,
    /// Logs of each cell.
    pub n_runs: u64,
    /// Of these, how many for the slow methods.
    pub n_slow_runs: u64,
}

/// What many logs say of one method.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    n_runs: u64,
    n_covered: u64,
    n_above: u64,
    width: f64,
    n_asymptotic: u64,
    n_asymptotic_covered: u64,
    n_shipped: [u64; MARGINS.len()],
}

/// A question: whose value of what, against whom.
struct Question {
    policy: usize,
    rival: Option<usize>,
    outcome: usize,
    truth: f64,
}

/// Columns of one log that do not depend on the policy.
struct Drawn {
    prompt: Vec<usize>,
    cell: Vec<usize>,
}

/// One table with one logger, and all that is asked of its logs.
struct Bench<'a> {
    table: &'a Table,
    logger: &'a Policy,
    targets: &'a [Policy],
    predicted: [Vec<f64>; 2],
    /// By outcome, policy and prompt.
    expected: Vec<Vec<Vec<f64>>>,
    ranges: [ValueRange; 2],
    largest_weight: f64,
}

/// Runs the study on one table, and writes a line for each cell and method.
///
/// # Errors
/// What writing says; refused columns are bugs of the study.
pub fn run(table: &Table, size: &Size, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let targets = table.targets();
    for (position, logger) in (0..).zip(&table.loggers()) {
        let bench = Bench::new(table, logger, &targets)?;
        let questions = bench.questions();
        let mut tallies: BTreeMap<(usize, usize, &str), Tally> = BTreeMap::new();
        for run in size.first_run..size.first_run + size.n_runs {
            let drawn = bench.draw(&[position, run], size.lengths.last().copied().unwrap_or(0));
            for (at, question) in questions.iter().enumerate() {
                for &n_rows in &size.lengths {
                    let with_slow = run - size.first_run < size.n_slow_runs;
                    for said in bench.ask(question, &drawn, n_rows, (run, with_slow))? {
                        let tally = tallies.entry((at, n_rows, said.0)).or_default();
                        tally.add(said, question, bench.ranges[question.outcome]);
                    }
                }
            }
        }
        for ((at, n_rows, method), tally) in &tallies {
            bench.write(&questions[*at], (*n_rows, method), tally, out)?;
        }
        out.flush()?;
    }
    Ok(())
}

impl<'a> Bench<'a> {
    fn new(
        table: &'a Table,
        logger: &'a Policy,
        targets: &'a [Policy],
    ) -> Result<Self, Box<dyn Error>> {
        let predicted = [table.by_task(&table.quality), table.by_task(&table.cost)];
        let n_models = table.n_models;
        let expected = predicted.iter().map(|predicted| {
            let by_policy = targets.iter().map(|target| {
                let rows =
                    target.shares.chunks_exact(n_models).zip(predicted.chunks_exact(n_models));
                rows.map(|(shares, row)| shares.iter().zip(row).map(|(s, p)| s * p).sum()).collect()
            });
            by_policy.collect()
        });
        let dearest = table.cost.iter().copied().fold(0.0, f64::max);
        let smallest = logger.shares.iter().copied().fold(1.0, f64::min);
        Ok(Self {
            table,
            logger,
            targets,
            expected: expected.collect(),
            predicted,
            ranges: [ValueRange::QUALITY, ValueRange::new(0.0, 1.5 * dearest)?],
            largest_weight: 1.0 / smallest,
        })
    }

    fn values(&self, outcome: usize) -> &[f64] {
        if outcome == 0 { &self.table.quality } else { &self.table.cost }
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = Vec::new();
        for outcome in 0..2 {
            let value = |policy: &Policy| self.table.truth(policy, self.values(outcome));
            for (policy, target) in self.targets.iter().enumerate() {
                let own = value(target);
                questions.push(Question { policy, rival: None, outcome, truth: own });
                let logged = Some(self.targets.len());
                let truth = own - value(self.logger);
                questions.push(Question { policy, rival: logged, outcome, truth });
                if policy != 0 {
                    let truth = own - value(&self.targets[0]);
                    questions.push(Question { policy, rival: Some(0), outcome, truth });
                }
            }
        }
        questions
    }

    fn draw(&self, key: &[u64], n_rows: usize) -> Drawn {
        let mut draws = Draws::keyed(23, Stream::Logging, key);
        let n_models = self.table.n_models;
        let (mut prompts, mut cells) = (Vec::new(), Vec::new());
        for _ in 0..n_rows {
            let prompt = draws.position(self.table.n_prompts());
            let shares = &self.logger.shares[prompt * n_models..(prompt + 1) * n_models];
            prompts.push(prompt);
            cells.push(prompt * n_models + draws.weighted_position(shares));
        }
        Drawn { prompt: prompts, cell: cells }
    }

    fn weights(&self, policy: usize, cells: &[usize]) -> Vec<f64> {
        let shares = &self.targets[policy].shares;
        cells.iter().map(|&cell| shares[cell] / self.logger.shares[cell]).collect()
    }

    fn ask(
        &self,
        question: &Question,
        drawn: &Drawn,
        n_rows: usize,
        (run, with_slow): (u64, bool),
    ) -> Result<Vec<Said>, Box<dyn Error>> {
        let (cells, prompts) = (&drawn.cell[..n_rows], &drawn.prompt[..n_rows]);
        let Question { policy, rival, outcome, truth: _ } = *question;
        let weights = self.weights(policy, cells);
        let pick = |column: &[f64]| cells.iter().map(|&cell| column[cell]).collect::<Vec<f64>>();
        let values = pick(self.values(outcome));
        let taken = pick(&self.predicted[outcome]);
        let expected_by = |policy: usize| -> Vec<f64> {
            prompts.iter().map(|&prompt| self.expected[outcome][policy][prompt]).collect()
        };
        let expected = expected_by(policy);
        let expected_by_rival = expected_by(0);
        let range = self.ranges[outcome];
        let width = range.upper() - range.lower();
        let scaled: Vec<f64> = values.iter().map(|it| (it - range.lower()) / width).collect();
        let log = Log {
            evidence: Evidence::new(&weights, &values, range)?,
            weights: &weights,
            scaled: &scaled,
            predicted: Predicted {
                taken: &taken,
                expected: &expected,
                expected_by_rival: &expected_by_rival,
            },
            largest_weight: self.largest_weight,
            key: run,
            with_slow,
        };
        let side = if outcome == 0 { Side::Lower } else { Side::Upper };
        Ok(match rival {
            None => intervals(&log, |share| range.lower() + width * share),
            Some(other) if other == self.targets.len() => differences(&log, Rival::Logged, side),
            Some(_) if !with_slow => Vec::new(),
            Some(other) => {
                let rival = self.weights(other, cells);
                differences(&log, Rival::Policy(&rival), side)
            }
        })
    }

    fn write(
        &self,
        question: &Question,
        (n_rows, method): (usize, &str),
        tally: &Tally,
        out: &mut impl Write,
    ) -> Result<(), Box<dyn Error>> {
        let rival = match question.rival {
            None => "none",
            Some(0) => "best single",
            Some(_) => "logged",
        };
        let outcome = if question.outcome == 0 { "quality" } else { "cost" };
        let range = self.ranges[question.outcome];
        let width =
            tally.width / (range.upper() - range.lower()) / count(usize::try_from(tally.n_runs)?);
        let shipped = tally.n_shipped.map(|it| it.to_string()).join("|");
        writeln!(
            out,
            "{},{},{},{rival},{outcome},{n_rows},{method},{},{},{},{width:.6},{},{},{shipped}",
            self.table.name,
            self.logger.name,
            self.targets[question.policy].name,
            tally.n_runs,
            tally.n_covered,
            tally.n_above,
            tally.n_asymptotic,
            tally.n_asymptotic_covered,
        )?;
        Ok(())
    }
}

impl Tally {
    fn add(
        &mut self,
        (_, lower, upper, is_asymptotic): Said,
        question: &Question,
        range: ValueRange,
    ) {
        let truth = question.truth;
        let span = range.upper() - range.lower();
        let slack = 1e-12 * span;
        let covered = lower <= truth + slack && truth <= upper + slack;
        self.n_runs += 1;
        self.n_covered += u64::from(covered);
        self.n_above += u64::from(upper + slack < truth);
        self.width += if lower.is_infinite() {
            upper - truth
        } else if upper.is_infinite() {
            truth - lower
        } else {
            upper - lower
        };
        self.n_asymptotic += u64::from(is_asymptotic);
        self.n_asymptotic_covered += u64::from(is_asymptotic && covered);
        for (shipped, margin) in self.n_shipped.iter_mut().zip(MARGINS) {
            let ships = if lower.is_infinite() {
                upper < truth + margin * span
            } else {
                truth - margin * span < lower
            };
            *shipped += u64::from(ships);
        }
    }
}

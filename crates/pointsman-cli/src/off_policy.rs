//! What `ope` was asked for, what came of it, and how both read.
//!
//! One entry for each estimator and λ. An entry that cannot have a value keeps its place and says
//! why; nothing that was asked for is left out in silence.

mod intervals;

pub(crate) use intervals::{IntervalChoice, Intervals, KeptRows, Stated};

use self::intervals::{Found, Shown};
use crate::{commands::ope::ReadLog, screen, wording};
use anyhow::{Result, bail};
use pointsman_eval::{
    error::EstimateError,
    estimators::{Estimator, PartialEstimate},
    interval::{ConfidenceLevel, Interval},
    rounds::LoggedRounds,
    support::Support,
    tuning::{PartialTuning, TuningRule},
};
use serde_json::{Value, json};
use std::str::FromStr;

/// How λ is set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LambdaChoice {
    /// Each of these.
    Values(Vec<f64>),
    /// The one that a rule chooses.
    By(TuningRule),
}

impl FromStr for LambdaChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "slope" => return Ok(Self::By(TuningRule::Slope)),
            "mse" => return Ok(Self::By(TuningRule::BoundedError)),
            "mse-direct" => return Ok(Self::By(TuningRule::DirectError)),
            _ => {}
        }
        let number = |word: &str| match word.trim().parse::<f64>() {
            Ok(number) if 0.0 <= number => Ok(number),
            Ok(_) | Err(_) => Err(format!(
                "`{word}` is no λ; write numbers from 0 up or inf, or one of slope, mse, mse-direct"
            )),
        };
        text.split(',').map(number).collect::<Result<_, _>>().map(Self::Values)
    }
}

/// One entry while rows are read.
#[derive(Debug)]
pub(crate) struct Asked {
    name: &'static str,
    lambda: Option<f64>,
    rule: Option<TuningRule>,
    sums: Result<AskedSums, String>,
}

#[derive(Debug)]
enum AskedSums {
    At(Box<PartialEstimate>),
    Tuned(Box<PartialTuning>),
}

/// One entry with what came of it.
#[derive(Debug)]
pub(crate) struct Estimated {
    name: &'static str,
    lambda: Option<f64>,
    rule: Option<TuningRule>,
    value: Result<f64, String>,
    intervals: Result<Found, String>,
}

impl Estimated {
    /// The default interval; the only one where none is marked.
    fn main_interval(&self) -> Option<&Shown> {
        let shown = &self.intervals.as_ref().ok()?.shown;
        shown.iter().find(|one| one.default_because.is_some()).or_else(|| shown.first())
    }
}

/// The entries for these estimators, in their order.
pub(crate) fn asked(names: &[String], lambda: Option<&LambdaChoice>) -> Result<Vec<Asked>> {
    let mut all: Vec<Asked> = Vec::new();
    for name in names {
        let estimator = Estimator::named(name.trim())?;
        if all.iter().any(|asked| asked.name == estimator.name()) {
            bail!("`{name}` is asked for twice; name each estimator once");
        }
        match (lambda, estimator.lambda()) {
            (None, _) | (Some(_), None) => all.push(Asked::at(estimator, estimator.lambda())),
            (Some(LambdaChoice::Values(values)), Some(_)) => {
                all.extend(values.iter().map(|&lambda| Asked::at(estimator, Some(lambda))));
            }
            (Some(&LambdaChoice::By(rule)), Some(_)) => all.push(Asked {
                name: estimator.name(),
                lambda: None,
                rule: Some(rule),
                sums: PartialTuning::new(estimator)
                    .map(|sums| AskedSums::Tuned(Box::new(sums)))
                    .map_err(|reason| reason.to_string()),
            }),
        }
    }
    Ok(all)
}

impl Asked {
    fn at(estimator: Estimator, lambda: Option<f64>) -> Self {
        let at = lambda.map_or(Ok(estimator), |lambda| estimator.at(lambda));
        let sums = at
            .map(|at| AskedSums::At(Box::new(PartialEstimate::new(at))))
            .map_err(|reason| reason.to_string());
        Self { name: estimator.name(), lambda, rule: None, sums }
    }

    /// Adds rows; the first that cannot be added is the reason for having no value.
    pub(crate) fn push(&mut self, rounds: &LoggedRounds) {
        let pushed = match &mut self.sums {
            Ok(AskedSums::At(sums)) => sums.push(rounds),
            Ok(AskedSums::Tuned(sums)) => sums.push(rounds),
            Err(_) => return,
        };
        if let Err(reason) = pushed {
            self.sums = Err(reason.to_string());
        }
    }

    /// The value, and its intervals where the log allows any.
    pub(crate) fn finish(self, intervals: &mut Intervals<'_>, support: Support) -> Estimated {
        let Self { name, lambda, rule, sums } = self;
        let tuned = |sums: PartialTuning| sums.finish(rule.unwrap_or(TuningRule::Slope));
        let sums: Result<PartialEstimate, String> = sums.and_then(|sums| match sums {
            AskedSums::At(sums) => Ok(*sums),
            AskedSums::Tuned(sums) => {
                tuned(*sums).map(|it| it.sums).map_err(|reason| reason.to_string())
            }
        });
        let sentence = |reason: EstimateError| reason.to_string();
        let lambda = sums.as_ref().map_or(lambda, |sums| sums.estimator().lambda());
        let value = sums.as_ref().map_err(String::clone).and_then(|s| s.value().map_err(sentence));
        let intervals = match (&sums, &value) {
            (Ok(sums), Ok(_)) if support.allows_intervals() => intervals.of(sums, rule.is_some()),
            (Ok(_), Ok(_)) => Err(support.to_string()),
            (Ok(_), Err(reason)) | (Err(reason), _) => Err(reason.clone()),
        };
        Estimated { name, lambda, rule, value, intervals }
    }
}

/// The table and what to know about it.
pub(crate) fn as_text(
    estimated: &[Estimated],
    log: &ReadLog,
    support: Support,
    level: ConfidenceLevel,
) -> String {
    let row = |one: &Estimated| {
        [
            one.name.to_owned(),
            match (one.lambda, one.rule) {
                (None, _) => "-".to_owned(),
                (Some(lambda), None) => lambda.to_string(),
                (Some(lambda), Some(rule)) => format!("{lambda} by {}", rule_name(rule)),
            },
            one.value
                .as_ref()
                .map_or_else(|_| "no value".to_owned(), |value| format!("{value:.4}")),
            one.main_interval().map_or_else(|| "-".to_owned(), ends),
            one.main_interval().map_or_else(|| "-".to_owned(), method),
        ]
    };
    let interval_header = format!("{:.4} % interval", 100.0 * level.get());
    let interval_header = interval_header.replace(".0000 %", " %");
    let header = ["estimator", "λ", "value", &interval_header, "by"];
    let mut text = format!(
        "{}: {}.\n\n",
        capitalised(verdict_word(estimated, support)),
        sentence(estimated, support)
    );
    text.push_str(&screen::table(header, estimated.iter().map(row)));
    if has_several_intervals(estimated) {
        text.push_str(&format!("\n\n{}", table_of_others(estimated)));
    }
    let found = &log.diagnostics;
    text.push_str(&format!("\n\n  rounds: {}", wording::length(found.n_rows)));
    text.push_str(&format!("\n  effective rounds: {:.0} (Kish)", found.effective_n));
    text.push_str(&format!("\n  largest weight: {:.2}", found.largest_weight));
    if let Some(weight) = &found.mean_weight {
        text.push_str(&format!(
            "\n  mean weight: {:.4} (z = {:+.2}; 1 where propensities are right)",
            weight.mean, weight.z_score
        ));
    }
    let shares = [
        ("weights of zero", Some(log.zero_weight_share)),
        ("on actions the logger could not take", found.unsupported_mass_share),
        ("on actions the logger never took", log.never_taken_share),
    ];
    for (what, share) in shares {
        if let Some(share) = share {
            text.push_str(&format!("\n  {what}: {:.2} %", 100.0 * share));
        }
    }
    for one in estimated {
        if let Err(why) = &one.value {
            text.push_str(&format!("\n! {}: {why}", one.name));
        }
    }
    if estimated.iter().filter_map(Estimated::main_interval).any(|shown| shown.has_seen_range) {
        text.push_str(&format!("\n! {SEEN_RANGE}"));
    }
    text
}

/// What is said where no range of rewards is stated.
const SEEN_RANGE: &str = "no range of rewards is stated, so that intervals which need one take what \
    was seen for all there can be and promise no more than asymptotic ones; state it with \
    --reward-range";

/// More than the normal and the default one.
fn has_several_intervals(estimated: &[Estimated]) -> bool {
    estimated.iter().any(|one| one.intervals.as_ref().is_ok_and(|found| 2 < found.shown.len()))
}

fn table_of_others(estimated: &[Estimated]) -> String {
    let others = estimated.iter().flat_map(|one| {
        let shown = one.intervals.iter().flat_map(|found| &found.shown);
        shown.filter(|shown| shown.default_because.is_none()).map(move |shown| {
            let lambda = one.lambda.map_or_else(|| "-".to_owned(), |lambda| lambda.to_string());
            [one.name.to_owned(), lambda, ends(shown), method(shown)]
        })
    });
    screen::table(["other intervals", "λ", "interval", "by"], others)
}

fn ends(shown: &Shown) -> String {
    format!("[{:.4}, {:.4}]", shown.interval.lower, shown.interval.upper)
}

fn method(shown: &Shown) -> String {
    let interval = &shown.interval;
    format!("{}, {}", interval.method.name(), interval.kind.name())
}

/// The estimates as a value; what is infinite is the text `inf`.
pub(crate) fn as_json(estimated: &[Estimated], log: &ReadLog, support: Support) -> Value {
    let found = &log.diagnostics;
    let mean_weight = found.mean_weight.as_ref().map(|weight| {
        json!({
            "mean": number(weight.mean),
            "std_error": number(weight.std_error),
            "z_score": number(weight.z_score),
            "p_value": number(weight.p_value),
        })
    });
    json!({
        "n": found.n_rows,
        "estimates": estimated.iter().map(entry).collect::<Vec<_>>(),
        "diagnostics": {
            "n": found.n_rows,
            "effective_n": number(found.effective_n),
            "largest_weight": number(found.largest_weight),
            "mean_weight": mean_weight,
            "zero_weight_share": log.zero_weight_share,
            "unsupported_mass_share": found.unsupported_mass_share.map(number),
            "never_taken_share": log.never_taken_share.map(number),
        },
        "verdict": {
            "word": verdict_word(estimated, support),
            "sentence": sentence(estimated, support),
        },
    })
}

fn entry(one: &Estimated) -> Value {
    let shown = one.intervals.iter().flat_map(|found| &found.shown);
    let intervals: Vec<Value> = shown.map(interval_json).collect();
    let mut entry = json!({
        "estimator": one.name,
        "lambda": one.lambda.map(number),
        "value": one.value.as_ref().ok().copied().map(number),
        "intervals": intervals,
    });
    if let Some(rule) = one.rule {
        entry["tuned_by"] = json!(rule_name(rule));
    }
    if let Ok(Found { shown: _, left_out }) = &one.intervals
        && !left_out.is_empty()
    {
        entry["intervals_left_out"] = json!(left_out);
    }
    if let Err(why) = one.value.as_ref().map(|_| ()).and(one.intervals.as_ref().map(|_| ())) {
        let key = if one.value.is_err() { "why" } else { "why_no_interval" };
        entry[key] = json!(one.value.as_ref().err().unwrap_or(why));
    }
    entry
}

fn interval_json(shown: &Shown) -> Value {
    let Shown { interval, default_because, has_seen_range } = shown;
    let Interval { lower, upper, level, method, kind } = interval;
    let mut entry = json!({
        "kind": kind.name(),
        "method": method.name(),
        "level": level.get(),
        "lower": number(*lower),
        "upper": number(*upper),
    });
    if let Some(because) = default_because {
        entry["default"] = json!(true);
        entry["default_because"] = json!(because);
    }
    if *has_seen_range {
        entry["reward_range"] = json!("seen");
    }
    entry
}

fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

fn rule_name(rule: TuningRule) -> &'static str {
    match rule {
        TuningRule::Slope => "slope",
        TuningRule::BoundedError => "mse",
        TuningRule::DirectError => "mse-direct",
    }
}

fn verdict_word(estimated: &[Estimated], support: Support) -> &'static str {
    if estimated.iter().all(|one| one.value.is_err()) { "no value" } else { support.word() }
}

fn sentence(estimated: &[Estimated], support: Support) -> String {
    match estimated.iter().find_map(|one| one.value.as_ref().err()) {
        Some(why) if estimated.iter().all(|one| one.value.is_err()) => why.clone(),
        Some(_) | None => support.to_string(),
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

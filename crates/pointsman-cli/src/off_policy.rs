//! What `ope` was asked for, what came of it, and how both read.
//!
//! One entry for each estimator and λ. An entry that cannot have a value keeps its place and says
//! why; nothing that was asked for is left out in silence.

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
    interval: Result<Interval, String>,
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

    /// The value, and the interval where the log allows one.
    pub(crate) fn finish(self, level: ConfidenceLevel, support: Support) -> Estimated {
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
        let interval = match (&sums, &value) {
            (Ok(sums), Ok(_)) if support.allows_intervals() => interval(sums, level),
            (Ok(_), Ok(_)) => Err(support.to_string()),
            (Ok(_), Err(reason)) | (Err(reason), _) => Err(reason.clone()),
        };
        Estimated { name, lambda, rule, value, interval }
    }
}

/// The one place where a value gets its interval.
fn interval(sums: &PartialEstimate, level: ConfidenceLevel) -> Result<Interval, String> {
    sums.finish(level).map(|found| found.interval).map_err(|reason| reason.to_string())
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
            one.interval.as_ref().map_or_else(
                |_| "-".to_owned(),
                |interval| format!("[{:.4}, {:.4}]", interval.lower, interval.upper),
            ),
        ]
    };
    let interval_header = format!("{:.4} % interval", 100.0 * level.get());
    let interval_header = interval_header.replace(".0000 %", " %");
    let header = ["estimator", "λ", "value", &interval_header];
    let mut text = format!(
        "{}: {}.\n\n",
        capitalised(verdict_word(estimated, support)),
        sentence(estimated, support)
    );
    text.push_str(&screen::table(header, estimated.iter().map(row)));
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
    text
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
    let intervals: Vec<Value> = one.interval.iter().map(interval_json).collect();
    let mut entry = json!({
        "estimator": one.name,
        "lambda": one.lambda.map(number),
        "value": one.value.as_ref().ok().copied().map(number),
        "intervals": intervals,
    });
    if let Some(rule) = one.rule {
        entry["tuned_by"] = json!(rule_name(rule));
    }
    if let Err(why) = one.value.as_ref().map(|_| ()).and(one.interval.as_ref().map(|_| ())) {
        let key = if one.value.is_err() { "why" } else { "why_no_interval" };
        entry[key] = json!(one.value.as_ref().err().unwrap_or(why));
    }
    entry
}

fn interval_json(interval: &Interval) -> Value {
    let Interval { lower, upper, level, method, kind } = interval;
    json!({
        "kind": kind.name(),
        "method": method.name(),
        "level": level.get(),
        "lower": number(*lower),
        "upper": number(*upper),
    })
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

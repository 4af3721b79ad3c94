//! What intervals take on a million rows, beside what they may.

use pointsman_eval::{
    bootstrap::Buckets,
    bounds::{Evidence, Method, Predicted, ValueRange, interval},
    choice::default_interval,
    interval::ConfidenceLevel,
    likelihood,
    sequence::Sequence,
};
use pointsman_testkit::{Draws, Stream};
use std::{error::Error, fs, hint::black_box, io, io::Write};

const N_ROWS: usize = 1_000_000;
const LARGEST_WEIGHT: f64 = 10.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let mut draws = Draws::keyed(3, Stream::Logging, &[]);
    let (mut weights, mut values, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..N_ROWS {
        let is_heavy = draws.chance(0.1);
        weights.push(if is_heavy { 5.5 } else { 0.5 } * (0.5 + draws.uniform()));
        values.push(if draws.chance(0.6) { 1.0 } else { 0.0 });
        taken.push(draws.uniform());
    }
    let predicted = Predicted { taken: &taken, expected: &taken, expected_by_rival: &[] };
    let plain = Evidence::new(&weights, &values, ValueRange::QUALITY)?;
    let full = plain.with_full_support(LARGEST_WEIGHT)?;
    let robust = full.with_predictions(predicted)?;
    let level = ConfidenceLevel::P95;
    let robust_values: Vec<f64> = weights
        .iter()
        .zip(&values)
        .zip(&taken)
        .map(|((weight, value), taken)| taken + weight * (value - taken))
        .collect();
    let ones = vec![1.0; N_ROWS];
    let mut measure = |name: &str, budget: f64, work: &dyn Fn()| -> Result<(), Box<dyn Error>> {
        let before = processor_seconds()?;
        work();
        let taken = processor_seconds()? - before;
        writeln!(out, "{name:<48} {taken:>6.2} s  of {budget} s")?;
        Ok(())
    };
    measure("Poisson bootstrap of DR, 1,000 resamples", 0.3, &|| {
        let mut buckets = Buckets::default();
        buckets.push_all(0, &robust_values, &ones);
        black_box(buckets.interval(level, 1000, 1));
    })?;
    let of = |evidence: Evidence<'_>, method| {
        let _ = black_box(interval(&evidence, method, level));
    };
    measure("betting mixture, support unknown", 1.0, &|| of(plain, Method::BettingMixture))?;
    measure("betting mixture, full support", 1.0, &|| of(full, Method::BettingMixture))?;
    measure("betting mixture, predictions", 1.0, &|| of(robust, Method::BettingMixture))?;
    measure("betting in order", 1.0, &|| of(plain, Method::BettingInOrder))?;
    measure("logarithmic smoothing", 1.0, &|| of(plain, Method::LogSmoothing))?;
    measure("empirical Bernstein", 1.0, &|| of(full, Method::EmpiricalBernstein))?;
    measure("empirical likelihood", 1.0, &|| {
        let _ = black_box(likelihood::interval(&full, level));
    })?;
    measure("default, support unknown", 1.0, &|| {
        drop(black_box(default_interval(&plain, level, 1)));
    })?;
    measure("default, full support", 1.0, &|| drop(black_box(default_interval(&full, level, 1))))?;
    measure("confidence sequence", 1.0, &|| {
        let _ = black_box(Sequence::start(&full).and_then(|it| it.interval(level)));
    })?;
    Ok(())
}

/// User and system time of this process, in seconds, in steps of the kernel's clock.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no command in /proc/self/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS_PER_SECOND)
}

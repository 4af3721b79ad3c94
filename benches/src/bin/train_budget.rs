//! Prints the processor time that training takes, beside what it may.

use pointsman_benches::{processor::processor_seconds, world::Sample};
use pointsman_train::train::{Regularisation, TrainConfig};
use std::{
    error::Error,
    io::{self, Write},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let fixed = TrainConfig::new(1, Regularisation::Fixed(10.0))?;
    let all = TrainConfig::new(1, Regularisation::HeldOut)?;
    let log = Sample::logged(100_000, 400, 5)?;
    let table = Sample::tabled(12_000, 900, 28)?;
    for (name, sample, config, budget) in [
        ("log of 100,000, 5 models, fixed strength", &log, fixed, 0.1),
        ("log of 100,000, 5 models, all selection", &log, all, 10.0),
        ("table of 12,000, 28 models, fixed strength", &table, fixed, 10.0),
        ("table of 12,000, 28 models, all selection", &table, all, 100.0),
    ] {
        let mut least = f64::INFINITY;
        let mut n_iterations = 0;
        for _ in 0..if budget < 5.0 { 7 } else { 1 } {
            let before = processor_seconds()?;
            n_iterations = sample.train(&config)?.n_iterations;
            least = least.min(processor_seconds()? - before);
        }
        writeln!(
            out,
            "{name:<44} {:>5.0} terms/row  {n_iterations:>4} passes  {least:>7.2} s  of {budget} s",
            sample.mean_terms(),
        )?;
    }
    Ok(())
}

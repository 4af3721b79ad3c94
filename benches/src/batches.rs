//! Times one short piece of work many times, each by itself, over a rotation of different inputs,
//! so that neither branch predictors nor caches see the same input twice in a row.
//!
//! The minimum over batches of a batch's median is what the code costs; the rest of the
//! distribution is mostly other work's time slices.

use crate::allocations::n_allocations;
use std::{error::Error, time::Instant};

/// Batches that are measured, after one that warms up.
pub const N_BATCHES: usize = 20;

/// What was found.
#[derive(Debug)]
pub struct Measured {
    /// Sorted, in nanoseconds.
    all: Vec<u64>,
    /// The least of the batches' medians, in nanoseconds.
    pub best_batch_median: u64,
    /// Of all measured batches together; zero where the counting allocator is not installed.
    pub n_allocations: u64,
}

impl Measured {
    /// The time that so many of a hundred stayed below, in nanoseconds; `percent` is below 100.
    pub fn at(&self, percent: usize) -> u64 {
        self.all[self.all.len() * percent / 100]
    }
}

/// Does `work` once for each index below `n_inputs` in every batch.
///
/// # Errors
/// What `work` gives.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub fn measure(
    n_inputs: usize,
    mut work: impl FnMut(usize) -> Result<(), Box<dyn Error>>,
) -> Result<Measured, Box<dyn Error>> {
    let mut all = Vec::with_capacity(N_BATCHES * n_inputs);
    let mut batch = Vec::with_capacity(n_inputs);
    let (mut best_batch_median, mut counted) = (u64::MAX, 0);
    for index in 0..=N_BATCHES {
        batch.clear();
        let before = n_allocations();
        for input in 0..n_inputs {
            let start = Instant::now();
            work(input)?;
            batch.push(u64::try_from(start.elapsed().as_nanos())?);
        }
        if index == 0 {
            continue; // warm-up
        }
        counted += n_allocations() - before;
        all.extend_from_slice(&batch);
        batch.sort_unstable();
        best_batch_median = best_batch_median.min(batch[batch.len() / 2]);
    }
    all.sort_unstable();
    Ok(Measured { all, best_batch_median, n_allocations: counted })
}

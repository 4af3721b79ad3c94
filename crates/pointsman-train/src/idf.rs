//! Inverse document frequencies as artifacts store them: squared, in steps of 1/256.

use pointsman_core::{features::inverse_document_frequency, scorer::SQUARED_IDF_STEPS};

/// Those of buckets that so many of the rows hold.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and (ln 2^32 + 1)^2 = 538 in steps of 1/256 would not fit; capped, and said"
)]
pub(crate) fn squared_idf(n_rows: usize, frequency: &[u32]) -> Vec<u16> {
    // Below exp(15) = 3 million rows nothing is capped.
    let steps = |n: usize| {
        let idf = inverse_document_frequency(n_rows, n);
        (idf * idf * SQUARED_IDF_STEPS).round().clamp(1.0, f64::from(u16::MAX)) as u16
    };
    // Most buckets are empty or rare.
    let rare: Vec<u16> = (0..64).map(steps).collect();
    let known = |n: &u32| rare.get(*n as usize).copied().unwrap_or_else(|| steps(*n as usize));
    frequency.iter().map(known).collect()
}

/// The frequency itself, of a squared one.
pub(crate) fn unit_idf(squared: u16) -> f64 {
    (f64::from(squared) / SQUARED_IDF_STEPS).sqrt()
}

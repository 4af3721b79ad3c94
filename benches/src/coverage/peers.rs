//! The peers' intervals, written again from their formulas, for this study alone.
//!
//! Source: Open Bandit Pipeline 0.5.7, `estimate_confidence_interval_by_bootstrap` (percentiles of
//! resampled means of round rewards, a self-normalising denominator held fixed); vw-estimators
//! 0.2.2, `gaussian` and `cressieread` (with the true largest weight).

use super::tables::count;
use pointsman_testkit::{Draws, Stream};

/// How often each bootstrap resamples.
const N_RESAMPLES: usize = 400;

/// Percentiles of resampled means.
pub fn obp_bootstrap(rewards: &[f64], key: u64) -> Option<(f64, f64)> {
    let mut draws = Draws::keyed(17, Stream::Repeats, &[key]);
    let mut means: Vec<f64> = (0..N_RESAMPLES)
        .map(|_| {
            let picks = rewards.iter().map(|_| rewards[draws.position(rewards.len())]);
            picks.sum::<f64>() / count(rewards.len())
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * count(N_RESAMPLES - 1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
        let below = place as usize;
        means[below] + (means[below + 1] - means[below]) * place.fract()
    };
    Some((at(0.025), at(0.975)))
}

/// IPS with its plain standard error.
pub fn vw_gaussian(products: &[f64]) -> (f64, f64) {
    let n = count(products.len());
    let mean = products.iter().sum::<f64>() / n;
    let variance = products.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let reach = 1.959_964 * (variance / n).sqrt();
    (mean - reach, mean + reach)
}

/// The closed form of the Cressie-Read profile, rewards in `[0, 1]`, weights from 0 to `largest`.
pub fn vw_cressieread(weights: &[f64], rewards: &[f64], largest: f64) -> (f64, f64) {
    let n = count(weights.len());
    let mut sums = [0.0; 5];
    for (w, r) in weights.iter().zip(rewards) {
        for (sum, term) in sums.iter_mut().zip([*w, w * w, w * r, w * w * r, w * w * r * r]) {
            *sum += term;
        }
    }
    // The upper 5 % of F with 1 and n degrees of freedom, as the square of Student's quantile.
    let z = 1.959_964_f64;
    let t = z + (z.powi(3) + z) / (4.0 * n);
    // What the likeliest weights alone already cost, with the fake row they need.
    let fake = if sums[0] < n { largest } else { 0.0 };
    let (mean, square) = ((fake + sums[0]) / (1.0 + n), (fake * fake + sums[1]) / (1.0 + n));
    let spread = square - mean * mean;
    let cost = if 0.0 < spread { (1.0 + n) * (mean - 1.0).powi(2) / spread } else { 0.0 };
    let phi = -(cost + t * t) / (2.0 * (n + 1.0));
    let end = |sign: f64, worst: f64| {
        let candidates = [0.0, largest].map(|fake| candidate(sums, (n, phi), (sign, worst), fake));
        let least = candidates.into_iter().flatten().fold(f64::INFINITY, f64::min);
        if least.is_finite() { (sign * least).clamp(0.0, 1.0) } else { worst }
    };
    (end(1.0, 0.0), end(-1.0, 1.0))
}

fn candidate(
    sums: [f64; 5],
    (n_rows, phi): (f64, f64),
    (sign, worst): (f64, f64),
    fake: f64,
) -> Option<f64> {
    let [of_w, of_ww, of_wr, of_wwr, of_wwrr] = sums;
    let bar = |sum: f64, own: f64| (sum + own) / (1.0 + n_rows);
    let bar_w = bar(of_w, fake);
    let bar_ww = bar(of_ww, fake * fake);
    let bar_wr = sign * bar(of_wr, fake * worst);
    let bar_wwr = sign * bar(of_wwr, fake * fake * worst);
    let bar_wwrr = bar(of_wwrr, fake * fake * worst * worst);
    let spread = bar_ww - bar_w * bar_w;
    if spread <= 0.0 {
        return None;
    }
    let cross = bar_wwr - bar_w * bar_wr;
    let middle = bar_wr + (1.0 - bar_w) * cross / spread;
    let rest = cross * cross / spread - (bar_wwrr - bar_wr * bar_wr);
    let slack = phi + 0.5 * (1.0 - bar_w) * (1.0 - bar_w) / spread;
    (slack <= 0.0 && 0.0 <= rest * slack).then(|| middle - (2.0 * rest * slack).sqrt())
}

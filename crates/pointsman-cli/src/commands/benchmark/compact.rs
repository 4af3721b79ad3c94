//! What smaller policies lose: weights in 8 bits instead of 32, fewer buckets, pruned terms.
//!
//! Each is measured as the benchmark measures a router, on the same parts. Fewer buckets are
//! learned anew; pruning sets the weights of terms to zero that are least able to change a choice:
//! by the spread of a term's weights over models times how many training rows hold it. Weakness:
//! which terms matter together is not looked at.

use super::Again;
use crate::routers::{Learner, Predictions, TableResult, fit};
use anyhow::Result;
use pointsman_core::{
    scorer::{SQUARED_IDF_STEPS, Scorer, ScorerParts},
    units::len_as_float,
};
use pointsman_data::TrainTest;
use pointsman_eval::frontier::Figures;
use pointsman_train::{
    design::Design,
    outcomes::Outcomes,
    train::{ExactTerms, Trained},
};
use serde_json::{Value, json};

/// Binary logarithms of bucket counts.
const BUCKETS: [u8; 3] = [16, 14, 12];

/// Shares of the terms that are pruned.
const PRUNED: [f64; 4] = [0.5, 0.75, 0.9, 0.97];

/// Policies of several sizes, and what they predict.
pub(super) struct Compact {
    outcomes: Outcomes,
    learner: (Learner, u64),
    coarser: Vec<Design>,
    sizes: Vec<Size>,
}

/// One way to make a policy smaller.
struct Size {
    name: String,
    predictions: Predictions,
    /// Of the tables of terms, in the largest part's policy.
    n_bytes: usize,
}

impl Compact {
    /// Prepares features in fewer buckets.
    pub(super) fn read(again: &Again<'_>, learner: (Learner, u64)) -> Result<Self> {
        let design = &again.loaded.design;
        let log2 = design.schema().log2_buckets();
        let coarser = BUCKETS.iter().filter(|&&fewer| fewer < log2);
        let coarser: Vec<Design> =
            coarser.map(|&fewer| design.coarser(fewer)).collect::<Result<_, _>>()?;
        let mut names =
            vec![format!("2^{log2} buckets, 32-bit weights"), format!("2^{log2} buckets")];
        names.extend(coarser.iter().map(|it| format!("2^{} buckets", it.schema().log2_buckets())));
        let pruned = |share| format!("2^{log2} buckets, {:.0} % of terms pruned", 100.0 * share);
        names.extend(PRUNED.map(pruned));
        let size = |name| Size { name, predictions: Predictions::default(), n_bytes: 0 };
        let sizes = names.into_iter().map(size).collect();
        Ok(Self { outcomes: again.loaded.outcomes(None)?, learner, coarser, sizes })
    }

    /// Predicts the test rows of one part with policies of every size.
    pub(super) fn add(
        &mut self,
        again: &Again<'_>,
        part: &TrainTest,
        trained: &Trained,
    ) -> Result<()> {
        let (loaded, design) = (again.loaded, &again.loaded.design);
        let Self { outcomes, learner, coarser, sizes } = self;
        let mut sizes = sizes.iter_mut();
        let mut next = |n_bytes: usize| {
            let size = sizes.next()?;
            size.n_bytes = size.n_bytes.max(n_bytes);
            Some(&mut size.predictions)
        };
        let (parts, n_columns) = (&trained.parts, trained.parts.n_columns());
        let scorer = Scorer::new(parts.clone())?;
        if let Some(exact) = next(parts.schema.n_buckets() * (4 * n_columns + 2)) {
            let before = exact.quality.len();
            exact.extend(&scorer, design, &part.test);
            let rows = exact.quality[before..].chunks_exact_mut(parts.n_models).zip(&part.test);
            let lost = Lost::new(&scorer, &trained.exact_terms);
            for (quality, &row) in rows {
                lost.give_back(design.terms(row as usize), quality);
            }
        }
        if let Some(rounded) = next(parts.schema.n_buckets() * (n_columns + 2)) {
            rounded.extend(&scorer, design, &part.test);
        }
        for coarser in coarser.iter() {
            let parts = fit((loaded, coarser), outcomes, *learner, part)?.parts;
            if let Some(fewer) = next(parts.schema.n_buckets() * (n_columns + 2)) {
                fewer.extend(&Scorer::new(parts)?, coarser, &part.test);
            }
        }
        let order = by_influence(parts, design, &part.train);
        for share in PRUNED {
            let (parts, n_kept) = pruned(parts, &order, share);
            let n_bytes = n_kept * (n_columns + 4) + 2 * parts.schema.n_buckets();
            if let Some(fewer) = next(n_bytes) {
                fewer.extend(&Scorer::new(parts)?, design, &part.test);
            }
        }
        Ok(())
    }

    /// Says what each size is worth; the JSON of it.
    pub(super) fn report(&self, again: &Again<'_>, result: &TableResult) -> Result<Value> {
        let found: Vec<(&Size, Figures)> = self
            .sizes
            .iter()
            .map(|size| Ok((size, result.test.figures_of(&size.predictions)?)))
            .collect::<Result<_>>()?;
        let Some((_, usual)) = found.get(1) else { return Ok(Value::Null) };
        let difference = |figures: &Figures| figures.frontier_area.zip(usual.frontier_area);
        let rows = found.iter().map(|(size, figures)| {
            [
                size.name.clone(),
                format!("{:.2}", len_as_float(size.n_bytes) / 1e6),
                format!("{:.4}", figures.quality),
                figures.frontier_area.map_or_else(|| "-".to_owned(), |area| format!("{area:.4}")),
                difference(figures).map_or_else(
                    || "-".to_owned(),
                    |(area, usual)| format!("{:+.4}", area - usual),
                ),
            ]
        });
        again.screen.say("\nsmaller policies:")?;
        let header = ["policy", "MB of terms", "quality", "frontier area", "difference"];
        again.screen.table(header, rows)?;
        let sizes = found.iter().map(|(size, figures)| {
            json!({
                "policy": size.name,
                "term_bytes": size.n_bytes,
                "quality": figures.quality,
                "frontier_area": figures.frontier_area,
            })
        });
        Ok(sizes.collect())
    }
}

/// What rounding took from the weights of terms. Which cluster a request belongs to is left as the
/// rounded weights have it.
struct Lost<'t> {
    scorer: &'t Scorer,
    exact: &'t ExactTerms,
}

impl<'t> Lost<'t> {
    fn new(scorer: &'t Scorer, exact: &'t ExactTerms) -> Self {
        Self { scorer, exact }
    }

    /// Adds it to one request's predictions.
    fn give_back(&self, terms: &[u32], quality: &mut [f64]) {
        let Self { scorer, exact } = self;
        let parts = scorer.parts();
        let squared: f64 = terms.iter().map(|&t| f64::from(parts.squared_idf[t as usize])).sum();
        if squared == 0.0 {
            return;
        }
        let factor = 1.0 / (squared / SQUARED_IDF_STEPS).sqrt();
        let n_columns = parts.n_columns();
        let mut lost = vec![0.0; parts.n_quality_columns()];
        for &term in terms {
            let Ok(at) = exact.buckets.binary_search(&term) else { continue };
            let exact = &exact.weights[at * n_columns..];
            let rounded = &parts.term_weights[term as usize * n_columns..];
            for (column, lost) in lost.iter_mut().enumerate() {
                let kept = f64::from(rounded[column]) * f64::from(parts.scales[column]);
                *lost += factor * (f64::from(exact[column]) - kept);
            }
        }
        for (quality, lost) in quality.iter_mut().zip(scorer.of_models(&lost)) {
            *quality += lost;
        }
    }
}

/// The terms that have weights, the least able to change a choice first.
fn by_influence(parts: &ScorerParts, design: &Design, rows: &[u32]) -> Vec<u32> {
    let mut n_rows = vec![0_u32; parts.schema.n_buckets()];
    for &row in rows {
        for &term in design.terms(row as usize) {
            n_rows[term as usize] += 1;
        }
    }
    let weights = parts.term_weights.chunks_exact(parts.n_columns());
    let influence = |(weights, &n): (&[i8], &u32)| {
        let values = weights.iter().zip(&parts.scales).take(parts.n_quality_columns());
        let values: Vec<f64> = values.map(|(w, s)| f64::from(*w) * f64::from(*s)).collect();
        let mean = values.iter().sum::<f64>() / len_as_float(values.len());
        let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let is_used = weights.iter().any(|&weight| weight != 0);
        is_used.then(|| spread * f64::from(n))
    };
    let known = (0_u32..).zip(weights.zip(&n_rows).map(influence));
    let mut order: Vec<(f64, u32)> =
        known.filter_map(|(bucket, influence)| Some((influence?, bucket))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(_, bucket)| bucket).collect()
}

/// The parts without a share of the terms, and how many terms are left.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
fn pruned(parts: &ScorerParts, order: &[u32], share: f64) -> (ScorerParts, usize) {
    let n_pruned = (share * len_as_float(order.len())).floor() as usize;
    let (mut parts, n_columns) = (parts.clone(), parts.n_columns());
    for &bucket in &order[..n_pruned] {
        parts.term_weights[bucket as usize * n_columns..][..n_columns].fill(0);
    }
    (parts, order.len() - n_pruned)
}

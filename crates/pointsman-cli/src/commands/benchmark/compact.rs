//! What smaller policies lose: weights in 8 bits instead of 32, fewer buckets, pruned terms.
//!
//! Each is measured as the benchmark measures a router, on the same parts. Fewer buckets are
//! learned anew; pruning is that of `train --prune`.

use super::Again;
use crate::routers::{Learner, Predictions, TableResult, first_best, fit};
use anyhow::Result;
use pointsman_core::{
    scorer::{SQUARED_IDF_STEPS, Scorer},
    units::len_as_float,
};
use pointsman_data::TrainTest;
use pointsman_eval::{
    frontier::Figures,
    full::{MeanValue, paired_difference},
    interval::ConfidenceLevel,
};
use pointsman_train::{
    design::Design,
    outcomes::Outcomes,
    prune::{by_influence, without},
    train::{ExactTerms, Trained},
};
use serde_json::{Value, json};

/// Binary logarithms of bucket counts.
const BUCKETS: [u8; 3] = [16, 14, 12];

/// Shares of the terms that are pruned.
const PRUNED: [f64; 4] = [0.5, 0.75, 0.9, 0.97];

/// Which smaller policies are measured.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CompactFlags {
    /// Also measure smaller policies: 8-bit weights, fewer buckets, pruned terms.
    #[arg(long)]
    compact: bool,
    /// Also measure policies without these shares of their terms, as `train --prune` makes them.
    #[arg(long, num_args = 1.., value_name = "SHARE", value_parser = share)]
    prune: Vec<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share of the terms; write a number from 0 to 1"))
}

impl CompactFlags {
    /// Prepares what is asked for, if anything is.
    pub(super) fn read(
        &self,
        again: &Again<'_>,
        learner: (Learner, u64),
    ) -> Result<Option<Compact>> {
        let Self { compact, prune } = self;
        let (buckets, mut pruned) =
            if *compact { (&BUCKETS[..], PRUNED.to_vec()) } else { (&BUCKETS[..0], Vec::new()) };
        pruned.extend(prune);
        if pruned.is_empty() {
            return Ok(None);
        }
        Compact::read(again, learner, (buckets, pruned)).map(Some)
    }
}

/// Policies of several sizes, and what they predict.
pub(super) struct Compact {
    outcomes: Outcomes,
    learner: (Learner, u64),
    coarser: Vec<Design>,
    /// Shares of the terms.
    pruned: Vec<f64>,
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
    fn read(
        again: &Again<'_>,
        learner: (Learner, u64),
        (buckets, pruned): (&[u8], Vec<f64>),
    ) -> Result<Self> {
        let design = &again.loaded.design;
        let log2 = design.schema().log2_buckets();
        let coarser = buckets.iter().filter(|&&fewer| fewer < log2);
        let coarser: Vec<Design> =
            coarser.map(|&fewer| design.coarser(fewer)).collect::<Result<_, _>>()?;
        let mut names =
            vec![format!("2^{log2} buckets, 32-bit weights"), format!("2^{log2} buckets")];
        names.extend(coarser.iter().map(|it| format!("2^{} buckets", it.schema().log2_buckets())));
        let name =
            |share: &f64| format!("2^{log2} buckets, {:.0} % of terms pruned", 100.0 * share);
        names.extend(pruned.iter().map(name));
        let size = |name| Size { name, predictions: Predictions::default(), n_bytes: 0 };
        let sizes = names.into_iter().map(size).collect();
        Ok(Self { outcomes: again.loaded.outcomes(None)?, learner, coarser, pruned, sizes })
    }

    /// Predicts the test rows of one part with policies of every size.
    pub(super) fn add(
        &mut self,
        again: &Again<'_>,
        part: &TrainTest,
        trained: &Trained,
    ) -> Result<()> {
        let (loaded, design) = (again.loaded, &again.loaded.design);
        let Self { outcomes, learner, coarser, pruned, sizes } = self;
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
        for &share in pruned.iter() {
            let (parts, n_kept) = without(parts, &order, share);
            // As a file holds them: rows of weights, a bit and a frequency for each bucket.
            let n_buckets = parts.schema.n_buckets();
            let n_bytes = n_kept * n_columns + n_buckets / 8 + 2 * n_buckets;
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
        let choices = |size: &Size| -> Vec<f64> {
            let n_models = result.test.n_models;
            let predicted = size.predictions.quality.chunks_exact(n_models);
            let rows = predicted.zip(result.test.quality.chunks_exact(n_models));
            rows.map(|(row, quality)| quality[first_best(row.iter().copied())]).collect()
        };
        let of_usual = choices(&self.sizes[1]);
        let losses: Vec<MeanValue> = self
            .sizes
            .iter()
            .map(|size| Ok(paired_difference(&of_usual, &choices(size), ConfidenceLevel::P95)?))
            .collect::<Result<_>>()?;
        let rows = found.iter().zip(&losses).map(|((size, figures), loss)| {
            let MeanValue { value, interval, .. } = loss;
            [
                size.name.clone(),
                format!("{:.2}", len_as_float(size.n_bytes) / 1e6),
                format!("{:.4}", figures.quality),
                format!("{value:+.4} [{:+.4}, {:+.4}]", interval.lower, interval.upper),
                figures.frontier_area.map_or_else(|| "-".to_owned(), |area| format!("{area:.4}")),
                difference(figures).map_or_else(
                    || "-".to_owned(),
                    |(area, usual)| format!("{:+.4}", area - usual),
                ),
            ]
        });
        again.screen.say("\nsmaller policies:")?;
        let header = [
            "policy",
            "MB of terms",
            "quality",
            "loss of quality (95 %)",
            "frontier area",
            "difference",
        ];
        again.screen.table(header, rows)?;
        let sizes = found.iter().zip(&losses).map(|((size, figures), loss)| {
            json!({
                "policy": size.name,
                "term_bytes": size.n_bytes,
                "quality": figures.quality,
                "quality_loss": super::interval_json(loss),
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

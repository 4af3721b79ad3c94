//! From answers and outcomes to the parts of an escalation scorer.

use super::{
    matrix::Beside,
    set::{EscalationError, EscalationSet, check},
};
use crate::{
    columns::Effort,
    fitted::Fitted,
    fold::{N_FOLDS, fold_of},
    outcomes::narrow,
    solve::ridge_path,
};
use pointsman_core::{
    answer::N_SIGNS,
    escalation::{EscalationParts, InputScaling, N_INPUTS, N_PRODUCTS, TermParts},
    features::N_DENSE,
    units::len_as_float,
};

/// The strengths of regularisation that are compared.
pub const ESCALATION_STRENGTHS: [f64; 6] = [5.0, 10.0, 15.0, 20.0, 30.0, 60.0];

/// Columns that are solved side by side.
const B: usize = 8;

/// What one strength is worth on held-out rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StrengthValue {
    /// How strongly the fit is regularised.
    pub strength: f64,
    /// The mean gain in quality over all shares of escalated requests, those of the largest
    /// predicted gain first; of several next models, the mean.
    pub mean_gain: f64,
}

/// What was learned.
#[derive(Debug, Clone)]
pub struct TrainedEscalation {
    /// The scorer.
    pub parts: EscalationParts,
    /// What each strength was worth; the best one's weights are the scorer's.
    pub strengths: Vec<StrengthValue>,
    /// The strength that was taken.
    pub strength: f64,
    /// What the strength that was taken predicts of each used row, of the shape of their qualities:
    /// by fits that had not seen the row, or one of its group.
    pub held_out: Vec<f32>,
    /// Columns that had not converged when a fit ended; normally none.
    pub n_unconverged: usize,
}

/// Learns a scorer. The same set and seed give the same bits, on any number of threads.
///
/// # Errors
/// [`EscalationError`] where the set does not fit together or is too small.
pub fn train_escalation(
    set: &EscalationSet<'_>,
    seed: u64,
) -> Result<TrainedEscalation, EscalationError> {
    check(set)?;
    let folds: Vec<usize> =
        set.rows.iter().map(|&row| fold_of(set.groups[row as usize], seed)).collect();
    if (0..N_FOLDS).any(|fold| folds.iter().all(|&other| other == fold)) {
        return Err(EscalationError::OneFold);
    }
    let matrix = Beside::new(set.prompts, set.answers, set.rows);
    let mut effort = Effort::default();
    let mut held_out = held_out(set, &matrix, &folds, &mut effort);
    let strengths: Vec<StrengthValue> = ESCALATION_STRENGTHS
        .into_iter()
        .zip(&held_out)
        .map(|(strength, predicted)| StrengthValue { strength, mean_gain: worth(set, predicted) })
        .collect();
    // Of those that put the gains into an equally good order, the one that is nearest to them.
    let errors: Vec<f64> = held_out.iter().map(|it| squared_error(set, it)).collect();
    let (at, strength) = strengths
        .iter()
        .enumerate()
        .max_by(|(i, a), (j, b)| {
            a.mean_gain.total_cmp(&b.mean_gain).then(errors[*j].total_cmp(&errors[*i]))
        })
        .map_or((0, ESCALATION_STRENGTHS[0]), |(at, best)| (at, best.strength));
    let mut held_out = held_out.swap_remove(at);
    let means = set.means(|_| true);
    let slope = slope(set, &held_out, &means);
    for row in held_out.chunks_exact_mut(set.n_columns()) {
        for (predicted, mean) in row.iter_mut().zip(&means) {
            *predicted = narrow(mean + slope * (f64::from(*predicted) - mean));
        }
    }
    let parts = fit(set, &matrix, (strength, slope), &mut effort);
    let n_unconverged = effort.n_unconverged;
    Ok(TrainedEscalation { parts, strengths, strength, held_out, n_unconverged })
}

/// Per strength, predictions of shape `(used rows, n_columns)` of fits that had not seen the row's
/// fold.
fn held_out(
    set: &EscalationSet<'_>,
    matrix: &Beside,
    folds: &[usize],
    effort: &mut Effort,
) -> Vec<Vec<f32>> {
    let n_columns = set.n_columns();
    let means: Vec<Vec<f64>> =
        (0..N_FOLDS).map(|fold| set.means(|index| folds[index] != fold)).collect();
    let mut all = vec![vec![0.0; folds.len() * n_columns]; ESCALATION_STRENGTHS.len()];
    let scales = set.scales();
    let columns: Vec<(usize, usize)> =
        (0..N_FOLDS).flat_map(|fold| (0..n_columns).map(move |column| (fold, column))).collect();
    for columns in columns.chunks(B) {
        let (mut target, mut weights) = (vec![[0.0; B]; folds.len()], vec![[0.0; B]; folds.len()]);
        for (index, (target, weights)) in target.iter_mut().zip(&mut weights).enumerate() {
            for (c, &(fold, column)) in columns.iter().enumerate() {
                if folds[index] != fold {
                    target[c] = set.quality(index)[column] - narrow(means[fold][column]);
                    weights[c] = set.weight(index, column) * scales[column];
                }
            }
        }
        let path = ridge_path::<B>(matrix, &target, &weights, &ESCALATION_STRENGTHS);
        effort.add(Effort::of(&path));
        for (out, dual) in all.iter_mut().zip(&path.duals) {
            let predicted = crate::solve::Matrix::<B>::image(matrix, dual);
            for (index, predicted) in predicted.iter().enumerate() {
                for (c, &(fold, column)) in columns.iter().enumerate() {
                    if folds[index] == fold {
                        out[index * n_columns + column] =
                            predicted[c] + narrow(means[fold][column]);
                    }
                }
            }
        }
    }
    all
}

/// The mean over next models of [`mean_gain`].
fn worth(set: &EscalationSet<'_>, predicted: &[f32]) -> f64 {
    let n_columns = set.n_columns();
    let means = set.means(|_| true);
    let of_next = |next: usize| {
        let row = |index: usize| {
            let row = &predicted[index * n_columns..][..n_columns];
            let quality = |column: usize| set.estimate(index, column, means[column]);
            (row[next] - row[0], quality(next) - quality(0))
        };
        mean_gain((0..set.rows.len()).map(row).collect())
    };
    (1..n_columns).map(of_next).sum::<f64>() / len_as_float(set.n_next)
}

/// The sum over all qualities of the squares of what predictions miss them by.
fn squared_error(set: &EscalationSet<'_>, predicted: &[f32]) -> f64 {
    let mut sum = 0.0;
    for (index, row) in predicted.chunks_exact(set.n_columns()).enumerate() {
        for (column, (predicted, quality)) in row.iter().zip(set.quality(index)).enumerate() {
            let weight = f64::from(set.weight(index, column));
            sum += weight * f64::from(predicted - quality).powi(2);
        }
    }
    sum
}

/// Of pairs of a predicted and a true gain: the mean over all shares, from none to all, of the gain
/// of escalating that share, the largest prediction first.
fn mean_gain(mut gains: Vec<(f32, f64)>) -> f64 {
    gains.sort_by(|a, b| b.0.total_cmp(&a.0));
    let n = len_as_float(gains.len().max(1));
    let (mut reached, mut area) = (0.0, 0.0);
    for (_, gain) in &gains {
        area += reached + gain / 2.0;
        reached += gain;
    }
    area / (n * n)
}

/// By how much more than held-out predictions the qualities lie away from their means; one figure
/// for all columns, so that the order of gains stays what it is. Strong regularisation orders well
/// and claims too little; accepting or not is a matter of levels.
fn slope(set: &EscalationSet<'_>, predicted: &[f32], means: &[f64]) -> f64 {
    let (mut with, mut alone) = (0.0, 0.0);
    for (index, row) in predicted.chunks_exact(set.n_columns()).enumerate() {
        let cells = row.iter().zip(set.quality(index)).zip(means).enumerate();
        for (column, ((predicted, quality), mean)) in cells {
            let weight = f64::from(set.weight(index, column));
            let away = f64::from(*predicted) - mean;
            with += weight * away * (f64::from(*quality) - mean);
            alone += weight * away * away;
        }
    }
    if 0.0 < alone { (with / alone).max(0.0) } else { 1.0 }
}

/// The scorer of a fit of all rows at one strength, its predictions drawn apart by a slope.
fn fit(
    set: &EscalationSet<'_>,
    matrix: &Beside,
    (strength, slope): (f64, f64),
    effort: &mut Effort,
) -> EscalationParts {
    let (n_columns, n_rows) = (set.n_columns(), set.rows.len());
    let (means, scales) = (set.means(|_| true), set.scales());
    let mut dual = vec![0.0; n_rows * n_columns];
    for from in (0..n_columns).step_by(B) {
        let weights_of = |index: usize| {
            std::array::from_fn(|c| {
                let column = from + c;
                let weight = |scale: &f32| set.weight(index, column) * scale;
                scales.get(column).map_or(0.0, weight)
            })
        };
        let weights: Vec<[f32; B]> = (0..n_rows).map(weights_of).collect();
        let of_row = |index: usize| {
            let quality = set.quality(index);
            std::array::from_fn(|c| {
                let at = from + c;
                quality.get(at).map_or(0.0, |quality| quality - narrow(means[at]))
            })
        };
        let target: Vec<[f32; B]> = (0..n_rows).map(of_row).collect();
        let path = ridge_path::<B>(matrix, &target, &weights, &[strength]);
        effort.add(Effort::of(&path));
        for solved in &path.duals {
            crate::columns::put(&mut dual, n_columns, from, solved);
        }
    }
    let slope = narrow(slope);
    for value in &mut dual {
        *value *= slope;
    }
    parts(set, matrix, &dual, &means)
}

fn parts(set: &EscalationSet<'_>, matrix: &Beside, dual: &[f32], means: &[f64]) -> EscalationParts {
    let n_columns = set.n_columns();
    let schema = set.prompts.schema();
    let n_buckets = schema.n_buckets();
    let prompt = Fitted::new(&matrix.prompt, dual, n_columns);
    let mut parts = EscalationParts {
        schema,
        n_columns,
        prompt: terms(&prompt, &matrix.prompt.squared_idf, n_buckets),
        answer: TermParts {
            weights: vec![0; n_buckets * n_columns],
            squared_idf: vec![1; n_buckets],
            scales: vec![1.0; n_columns],
        },
        intercepts: means
            .iter()
            .zip(&prompt.offsets)
            .map(|(m, offset)| narrow(*m) + offset)
            .collect(),
        scaling: InputScaling::of_prompt(matrix.prompt.dense_scaling.clone()),
        linear: vec![0.0; N_INPUTS * n_columns],
        products: vec![0.0; N_PRODUCTS * n_columns],
    };
    let put = |linear: &mut [f32], first: usize, dense: &[f32]| {
        for (input, row) in dense.chunks_exact(n_columns).enumerate() {
            for (column, weight) in row.iter().enumerate() {
                linear[column * N_INPUTS + first + input] = *weight;
            }
        }
    };
    put(&mut parts.linear, 0, &prompt.dense);
    let Some((text, block)) = &matrix.answer else { return parts };
    let answer = Fitted::new(text, dual, n_columns);
    parts.answer = terms(&answer, &text.squared_idf, n_buckets);
    parts.scaling = block.scaling.clone();
    put(&mut parts.linear, N_DENSE, &answer.dense);
    for from in (0..n_columns).step_by(B) {
        let weights = block.transposed(&crate::columns::block::<B>(dual, n_columns, from));
        for c in 0..B.min(n_columns - from) {
            let column = from + c;
            let of_column = block.weights(weights.iter().map(|row| row[c]));
            let first = column * N_INPUTS + 2 * N_DENSE;
            parts.linear[first..][..N_SIGNS].copy_from_slice(&of_column.signs);
            parts.products[column * N_PRODUCTS..][..N_PRODUCTS]
                .copy_from_slice(&of_column.products);
            parts.intercepts[column] += answer.offsets[column] + of_column.offset;
        }
    }
    parts
}

fn terms(fitted: &Fitted, squared_idf: &[u16], n_buckets: usize) -> TermParts {
    let (weights, scales) = fitted.in_bytes(n_buckets);
    TermParts { weights, squared_idf: squared_idf.to_vec(), scales }
}

#[cfg(test)]
mod tests;

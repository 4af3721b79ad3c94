//! The few directions in which requests differ most.
//!
//! Principal components of the kernel's centred feature matrix, by subspace iteration: a block of
//! vectors goes through `X Xᵀ` a few times and is made orthonormal after each. What is wanted is a
//! space in which kinds of requests lie apart, not components to the last digit, so the number of
//! rounds is fixed.
//!
//! Source: Halko, Martinsson & Tropp, "Finding Structure with Randomness", SIAM Review 53 (2011).

use crate::{
    fold::mix,
    kernel::{Kernel, Weights},
    outcomes::narrow,
};
use linfa_linalg::{
    Order,
    eigh::{EigSort, Eigh},
};
use ndarray::Array2;

/// How many directions there are.
pub(crate) const DIMS: usize = 16;

/// Vectors that are iterated: some more than are kept, so that the last kept ones settle.
const BLOCK: usize = 24;

const ROUNDS: usize = 5;

/// Below this share of the largest variance a direction is noise, and is left out as zeros.
const LEAST_VARIANCE: f64 = 1e-6;

/// Directions, and where the training rows are.
#[derive(Debug)]
pub(crate) struct Projection {
    /// What terms and dense features add to each coordinate.
    pub(crate) weights: Weights<DIMS>,
    /// Where each row lies, seen from the mean, at distance one; zeros for a row at the mean.
    pub(crate) directions: Vec<[f64; DIMS]>,
}

impl Projection {
    /// The projection of a kernel's rows; `None` where its rows share no terms.
    pub(crate) fn new(kernel: &Kernel) -> Option<Self> {
        if kernel.n_rows() <= BLOCK || kernel.n_terms() == 0 {
            return None;
        }
        let mut basis: Vec<[f32; BLOCK]> = (0..kernel.n_rows() as u64).map(noise).collect();
        for _ in 0..ROUNDS {
            basis = kernel.image_of(&basis);
            make_orthonormal(&mut basis);
        }
        let image = kernel.image_of(&basis);
        let (variances, rotation) = leading_directions(&basis, &image)?;
        let deviations = variances.map(f64::sqrt);
        let turned = |row: &[f32; BLOCK], by: fn(f64, f64) -> f64| -> [f64; DIMS] {
            std::array::from_fn(|d| {
                let sum: f64 = (0..BLOCK).map(|c| f64::from(row[c]) * rotation[(c, d)]).sum();
                if deviations[d] == 0.0 { 0.0 } else { by(sum, deviations[d]) }
            })
        };
        let dual: Vec<[f32; DIMS]> =
            basis.iter().map(|row| turned(row, |sum, by| sum / by).map(narrow)).collect();
        let directions =
            basis.iter().map(|row| of_length_one(turned(row, |sum, by| sum * by))).collect();
        Some(Self { weights: kernel.transposed(&dual), directions })
    }
}

/// Reproducible numbers in `[-1, 1)`.
#[expect(clippy::cast_precision_loss, reason = "24 bits of a hash")]
fn noise(row: u64) -> [f32; BLOCK] {
    let one = |column: usize| {
        let bits = mix(row * BLOCK as u64 + column as u64) >> 40;
        bits as f32 / 8_388_608.0 - 1.0
    };
    std::array::from_fn(one)
}

/// Modified Gram–Schmidt, in row order; a column that depends on earlier ones becomes zeros. Columns are
/// taken apart for it, since each is gone over many times.
fn make_orthonormal(rows: &mut [[f32; BLOCK]]) {
    let mut done: Vec<Vec<f32>> = Vec::with_capacity(BLOCK);
    for at in 0..BLOCK {
        let mut column: Vec<f32> = rows.iter().map(|row| row[at]).collect();
        let before = dot(&column, &column);
        for other in &done {
            let share = dot(&column, other);
            for (value, other) in column.iter_mut().zip(other) {
                *value -= narrow(share * f64::from(*other));
            }
        }
        let square = dot(&column, &column);
        let factor = if square <= 1e-10 * before { 0.0 } else { 1.0 / square.sqrt() };
        for value in &mut column {
            *value = narrow(f64::from(*value) * factor);
        }
        done.push(column);
    }
    for (at, row) in rows.iter_mut().enumerate() {
        for (value, column) in row.iter_mut().zip(&done) {
            *value = column[at];
        }
    }
}

fn dot(left: &[f32], right: &[f32]) -> f64 {
    left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
}

/// The largest variances within the span of `basis`, and how to turn the basis towards their
/// directions; shapes `(DIMS,)` and `(BLOCK, DIMS)`.
fn leading_directions(
    basis: &[[f32; BLOCK]],
    image: &[[f32; BLOCK]],
) -> Option<([f64; DIMS], Array2<f64>)> {
    let mut within = Array2::<f64>::zeros((BLOCK, BLOCK));
    for (row, image) in basis.iter().zip(image) {
        for (a, value) in row.iter().enumerate() {
            for (b, image) in image.iter().enumerate() {
                within[(a, b)] += f64::from(*value) * f64::from(*image);
            }
        }
    }
    let symmetric = (&within + &within.t()) / 2.0;
    let (values, vectors) = symmetric.eigh().ok()?.sort_eig(Order::Largest);
    let largest = values[0];
    if !(largest.is_finite() && 0.0 < largest) {
        return None;
    }
    let kept = |d: usize| if values[d] < LEAST_VARIANCE * largest { 0.0 } else { values[d] };
    Some((std::array::from_fn(kept), vectors.slice_move(ndarray::s![.., ..DIMS])))
}

fn of_length_one(point: [f64; DIMS]) -> [f64; DIMS] {
    let length = point.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length == 0.0 { point } else { point.map(|x| x / length) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::DesignBuilder;
    use pointsman_core::{
        features::{Bigrams, FeatureSchema},
        request::Request,
    };

    /// Sixty requests about two things, in turn.
    fn kernel() -> Kernel {
        let mut design = DesignBuilder::new(FeatureSchema::new(12, Bigrams::Without).unwrap());
        for index in 0..60 {
            let (a, b) = (index / 2 % 5, index / 2 % 3);
            design.push(&Request::from_prompt(&match index % 2 {
                0 => format!("bake the bread with flour salt water{a} oven{b}"),
                _ => format!("derive an integral of sine over zero pi{a} proof{b}"),
            }));
        }
        let rows: Vec<u32> = (0..60).collect();
        Kernel::new(&design.finish(), &rows)
    }

    #[test]
    fn the_first_direction_tells_the_largest_difference() {
        let projection = Projection::new(&kernel()).unwrap();
        let side = |index: usize| projection.directions[index][0].signum();
        assert!((0..60).step_by(2).all(|index| side(index) == side(0)));
        assert!((1..60).step_by(2).all(|index| side(index) == -side(0)));
    }

    /// Coordinates by the weights are coordinates by the components, up to their length.
    #[test]
    fn weights_give_the_rows_their_directions() {
        let kernel = kernel();
        let projection = Projection::new(&kernel).unwrap();
        for (point, direction) in
            kernel.predict(&projection.weights).iter().zip(&projection.directions)
        {
            let found = of_length_one(point.map(f64::from));
            for (found, expected) in found.iter().zip(direction) {
                assert!((found - expected).abs() < 1e-3, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn orthonormal_columns_are_orthonormal() {
        let mut columns: Vec<[f32; BLOCK]> = (0..100).map(noise).collect();
        for row in &mut columns {
            row[5] = 2.0 * row[3]; // depends on another
        }
        make_orthonormal(&mut columns);
        for a in 0..BLOCK {
            for b in 0..=a {
                let dot: f64 =
                    columns.iter().map(|row| f64::from(row[a]) * f64::from(row[b])).sum();
                let expected = f64::from(u8::from(a == b && a != 5));
                assert!((dot - expected).abs() < 1e-5, "{a} {b}: {dot}");
            }
        }
    }

    #[test]
    fn rows_without_common_terms_have_no_projection() {
        let mut design = DesignBuilder::new(FeatureSchema::new(12, Bigrams::Without).unwrap());
        (0..40).for_each(|_| design.push(&Request::from_prompt("")));
        let rows: Vec<u32> = (0..40).collect();
        assert!(Projection::new(&Kernel::new(&design.finish(), &rows)).is_none());
    }
}

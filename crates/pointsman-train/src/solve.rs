//! Ridge regression of many columns at many strengths at once.
//!
//! At one strength alone there is a shorter way ([`preconditioned`]); what follows is for several.
//!
//! For a column with weights `ω` the dual problem is `(√Ω X Xᵀ √Ω + λ I) a = √Ω y`, and all
//! strengths `λ` share one Krylov space: one run of conjugate gradients on the smallest solves
//! them all, with a few extra vectors each. Columns run side by side, each with its own steps, and
//! a column that has converged stands still. So does a strength all of whose columns are solved: the
//! strong ones are after a few steps.
//!
//! Source: Frommer & Maaß, "Fast CG-based methods for Tikhonov–Phillips regularization", SIAM J.
//! Sci. Comput. 20 (1999); Jegerlehner, hep-lat/9612014.

mod preconditioned;

use crate::{kernel::Kernel, outcomes::narrow, sums::Following};
use pointsman_core::{features::N_DENSE, simd};

/// A centred feature matrix `X`, without the terms that occur once.
pub(crate) trait Matrix<const B: usize> {
    /// How many rows it has.
    fn n_rows(&self) -> usize;

    /// `X Xᵀ U`; `dual` is `U`, shape `(n_rows, B)`.
    fn image(&self, dual: &[[f32; B]]) -> Vec<[f32; B]>;

    /// The diagonal that the terms that occur once add to `X Xᵀ`, shape `(n_rows,)`.
    fn single_squares(&self) -> &[f32];

    /// Its dense columns, where it is nothing else beside a text's terms; shape `(n_rows, N_DENSE)`.
    fn dense(&self) -> Option<&[[f32; N_DENSE]]> {
        None
    }
}

impl<const B: usize> Matrix<B> for Kernel {
    fn n_rows(&self) -> usize {
        self.n_rows()
    }

    fn image(&self, dual: &[[f32; B]]) -> Vec<[f32; B]> {
        self.image_of(dual)
    }

    fn single_squares(&self) -> &[f32] {
        self.single_squares()
    }

    fn dense(&self) -> Option<&[[f32; N_DENSE]]> {
        Some(self.dense_rows())
    }
}

/// Where the residual, relative to the right-hand side, is small enough.
const TOLERANCE: f64 = 3e-4;

/// Where a column is given up; [`Path::n_unconverged`] counts those.
const MAX_ITERATIONS: usize = 200;

/// The solutions of one block of columns.
#[derive(Debug)]
pub(crate) struct Path<const B: usize> {
    /// Per strength, `√ω a`, which `Xᵀ` turns into weights; shape `(n_rows, B)`.
    pub(crate) duals: Vec<Vec<[f32; B]>>,
    /// Passes over the matrix.
    pub(crate) n_iterations: usize,
    /// Columns that had not converged at the end.
    pub(crate) n_unconverged: usize,
}

/// Where the residual of a stronger system, over that of the goal, is so small that it is left alone.
const SETTLED: f64 = 0.1;

/// One step's numbers for a shifted system of one column.
#[derive(Debug, Clone, Copy)]
struct Shift {
    distance: f64,
    zeta: f64,
    zeta_before: f64,
}

/// The systems of one strength above the smallest.
struct Shifted<const B: usize> {
    shifts: [Shift; B],
    direction: Vec<[f32; B]>,
    dual: Vec<[f32; B]>,
    /// Whether all of its columns are solved. Strong systems are long before the weakest.
    is_settled: bool,
}

/// Sizes of steps, and the ratios of squared residuals after and before them.
#[derive(Clone, Copy)]
struct Steps<const B: usize> {
    step: [f64; B],
    ratio: [f64; B],
}

/// Solves for `target`, shape `(n_rows, B)`, with weights of the same shape; `strengths` ascend.
///
/// A row with weight zero takes no part in its column.
pub(crate) fn ridge_path<const B: usize>(
    matrix: &impl Matrix<B>,
    target: &[[f32; B]],
    weights: &[[f32; B]],
    strengths: &[f64],
) -> Path<B> {
    if let ([strength], Some(dense)) = (strengths, matrix.dense()) {
        return preconditioned::ridge(matrix, dense, (target, weights), *strength);
    }
    let roots: Vec<[f32; B]> = weights.iter().map(|row| row.map(f32::sqrt)).collect();
    let mut residual: Vec<[f32; B]> = product(target, &roots);
    let mut direction = residual.clone();
    let mut dual: Vec<[f32; B]> = vec![[0.0; B]; matrix.n_rows()];
    let mut stronger: Vec<Shifted<B>> = strengths[1..]
        .iter()
        .map(|strength| Shifted::new(strength - strengths[0], &residual))
        .collect();

    let mut squared = squares(&residual);
    let goal = squared.map(|square| square * TOLERANCE * TOLERANCE);
    let mut before = Steps { step: [1.0; B], ratio: [0.0; B] };
    let mut n_iterations = 0;
    let is_open = |squared: &[f64; B], c: usize| goal[c] < squared[c] && 0.0 < squared[c];
    while n_iterations < MAX_ITERATIONS && (0..B).any(|c| is_open(&squared, c)) {
        n_iterations += 1;
        let image = apply(matrix, &direction, &roots, strengths[0]);
        let curvature = dot(&direction, &image);
        let step: [f64; B] = std::array::from_fn(|c| {
            if is_open(&squared, c) && 0.0 < curvature[c] { squared[c] / curvature[c] } else { 0.0 }
        });
        advance(&mut dual, &direction, &step);
        advance(&mut residual, &image, &step.map(|value| -value));
        let squared_after = squares(&residual);
        let ratio: [f64; B] =
            std::array::from_fn(
                |c| {
                    if step[c] == 0.0 { 0.0 } else { squared_after[c] / squared[c] }
                },
            );
        let steps = Steps { step, ratio };
        for one in stronger.iter_mut().filter(|one| !one.is_settled) {
            one.follow(&residual, (&steps, &before));
            one.settle(&step, &squared_after, &goal);
        }
        let open = step.map(|value| if value == 0.0 { 0.0 } else { 1.0 });
        let keep: [f64; B] = std::array::from_fn(|c| if open[c] == 0.0 { 1.0 } else { ratio[c] });
        turn(&mut direction, &residual, (&open, &keep));
        for c in 0..B {
            if step[c] != 0.0 {
                (before.step[c], before.ratio[c]) = (step[c], ratio[c]);
                squared[c] = squared_after[c];
            }
        }
    }
    let n_unconverged = (0..B).filter(|&c| is_open(&squared, c)).count();
    let duals = std::iter::once(dual).chain(stronger.into_iter().map(|one| one.dual));
    let duals = duals.map(|dual| product(&dual, &roots)).collect();
    Path { duals, n_iterations, n_unconverged }
}

impl<const B: usize> Shifted<B> {
    fn new(distance: f64, residual: &[[f32; B]]) -> Self {
        Self {
            shifts: [Shift { distance, zeta: 1.0, zeta_before: 1.0 }; B],
            direction: residual.to_vec(),
            dual: vec![[0.0; B]; residual.len()],
            is_settled: false,
        }
    }

    /// Takes the step that the weakest systems took, on its own scale.
    fn follow(&mut self, residual: &[[f32; B]], (now, before): (&Steps<B>, &Steps<B>)) {
        let (mut shifted_step, mut growth, mut share) = ([0.0; B], [0.0; B], [0.0; B]);
        for c in 0..B {
            if now.step[c] == 0.0 {
                share[c] = 1.0;
                continue;
            }
            let factor = self.shifts[c].next(now.step[c], (before.step[c], before.ratio[c]));
            shifted_step[c] = now.step[c] * factor;
            share[c] = now.ratio[c] * factor * factor;
            growth[c] = self.shifts[c].zeta;
        }
        simd::at_best(Following {
            step: shifted_step.map(narrow),
            growth: growth.map(narrow),
            share: share.map(narrow),
            residual,
            dual: &mut self.dual,
            direction: &mut self.direction,
        });
    }

    /// Sees whether its residuals, `ζ` times those of the weakest systems, are small enough.
    fn settle(&mut self, step: &[f64; B], squared: &[f64; B], goal: &[f64; B]) {
        self.is_settled = (0..B).all(|c| {
            let own = self.shifts[c].zeta * self.shifts[c].zeta * squared[c];
            step[c] == 0.0 || own <= SETTLED * SETTLED * goal[c]
        });
    }
}

impl Shift {
    /// Moves to the next `ζ`; returns `ζ_{n+1} / ζ_n`.
    fn next(&mut self, step: f64, (step_before, ratio_before): (f64, f64)) -> f64 {
        let Self { distance, zeta, zeta_before } = *self;
        if zeta.abs() < 1e-150 {
            return 0.0; // this system converged long ago
        }
        let denominator = step * ratio_before * (zeta_before - zeta)
            + zeta_before * step_before * (1.0 + distance * step);
        let next = zeta * zeta_before * step_before / denominator;
        *self = Self { distance, zeta: next, zeta_before: zeta };
        next / zeta
    }
}

/// `(√Ω X Xᵀ √Ω + λ I) v`.
fn apply<const B: usize>(
    matrix: &impl Matrix<B>,
    vector: &[[f32; B]],
    roots: &[[f32; B]],
    strength: f64,
) -> Vec<[f32; B]> {
    let scaled = product(vector, roots);
    let mut image = matrix.image(&scaled);
    let strength = narrow(strength);
    for (((out, scaled), (root, vector)), single) in
        image.iter_mut().zip(&scaled).zip(roots.iter().zip(vector)).zip(matrix.single_squares())
    {
        *out =
            std::array::from_fn(|c| (out[c] + single * scaled[c]) * root[c] + strength * vector[c]);
    }
    image
}

fn product<const B: usize>(left: &[[f32; B]], right: &[[f32; B]]) -> Vec<[f32; B]> {
    left.iter().zip(right).map(|(l, r)| std::array::from_fn(|c| l[c] * r[c])).collect()
}

fn advance<const B: usize>(place: &mut [[f32; B]], direction: &[[f32; B]], step: &[f64; B]) {
    let step = step.map(narrow);
    for (place, direction) in place.iter_mut().zip(direction) {
        *place = std::array::from_fn(|c| place[c] + step[c] * direction[c]);
    }
}

/// `direction = growth · residual + share · direction`.
fn turn<const B: usize>(
    direction: &mut [[f32; B]],
    residual: &[[f32; B]],
    (growth, share): (&[f64; B], &[f64; B]),
) {
    let (growth, share) = (growth.map(narrow), share.map(narrow));
    for (direction, residual) in direction.iter_mut().zip(residual) {
        *direction = std::array::from_fn(|c| growth[c] * residual[c] + share[c] * direction[c]);
    }
}

fn squares<const B: usize>(rows: &[[f32; B]]) -> [f64; B] {
    dot(rows, rows)
}

fn dot<const B: usize>(left: &[[f32; B]], right: &[[f32; B]]) -> [f64; B] {
    let mut sum = [0.0; B];
    for (left, right) in left.iter().zip(right) {
        for c in 0..B {
            sum[c] += f64::from(left[c] * right[c]);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::DesignBuilder;
    use pointsman_core::{
        features::{Bigrams, FeatureSchema},
        request::Request,
    };
    use pointsman_testkit::World;

    fn kernel(n_rows: u32) -> Kernel {
        let world = World::new(3);
        let mut design = DesignBuilder::new(FeatureSchema::new(12, Bigrams::With).unwrap());
        for index in 0..n_rows {
            design.push(&Request::from_prompt(&world.request(u64::from(index)).prompt));
        }
        Kernel::new(&design.finish(), &(0..n_rows).collect::<Vec<_>>())
    }

    /// However products are added up, they are the same to the bit.
    #[test]
    fn an_image_is_what_is_predicted_from_the_transposed() {
        let kernel = kernel(700); // more than one task
        let value = |row: usize, c: usize| {
            narrow(f64::from(u32::try_from(row * 5 + c * 7).unwrap() % 13) / 13.0) - 0.4
        };
        let dual: Vec<[f32; 8]> =
            (0..700).map(|row| std::array::from_fn(|c| value(row, c))).collect();
        let once = kernel.transposed_once(&dual); // before the matrix is turned round
        let weights = kernel.transposed(&dual);
        let expected = kernel.predict(&weights);
        let bits = |rows: &[[f32; 8]]| -> Vec<u32> {
            rows.iter().flatten().map(|value| value.to_bits()).collect()
        };
        assert_eq!(bits(&once.terms), bits(&weights.terms));
        assert_eq!((bits(&once.dense), once.at_mean), (bits(&weights.dense), weights.at_mean));
        assert_eq!(bits(&kernel.image_of(&dual)), bits(&expected));
        assert!(expected.iter().flatten().any(|value| 0.0 < value.abs()));
    }

    /// Every strength's solution satisfies its own equation, weights and skipped rows included.
    #[test]
    fn each_strength_is_solved() {
        let kernel = kernel(120);
        let column = |row: usize, c: usize| {
            narrow(f64::from(u32::try_from(row * 7 + c * 3).unwrap() % 11) / 11.0)
        };
        let target: Vec<[f32; 8]> =
            (0..120).map(|row| std::array::from_fn(|c| column(row, c) - 0.5)).collect();
        let weights: Vec<[f32; 8]> = (0..120)
            .map(|row| {
                std::array::from_fn(|c| if (row + c) % 4 == 0 { 0.0 } else { 0.5 + column(row, c) })
            })
            .collect();
        let strengths = [0.3, 1.0, 10.0, 100.0];
        let together = ridge_path(&kernel, &target, &weights, &strengths);
        let alone = strengths.map(|one| ridge_path(&kernel, &target, &weights, &[one]));
        assert_eq!(together.n_unconverged, 0);
        assert!(alone.iter().all(|path| path.n_unconverged == 0));
        assert!(alone[0].n_iterations < together.n_iterations, "dense columns are taken out");
        let together = together.duals.iter().map(|dual| (dual, 1e-3));
        let duals = together.chain(alone.iter().map(|path| (&path.duals[0], 4e-3)));
        let roots: Vec<[f32; 8]> = weights.iter().map(|row| row.map(f32::sqrt)).collect();
        let wanted = product(&target, &roots);
        for ((dual, most), strength) in duals.zip(strengths.into_iter().chain(strengths)) {
            let plain: Vec<[f32; 8]> = dual
                .iter()
                .zip(&roots)
                .map(|(d, r)| std::array::from_fn(|c| if r[c] == 0.0 { 0.0 } else { d[c] / r[c] }))
                .collect();
            let image = apply(&kernel, &plain, &roots, strength);
            for c in 0..8 {
                let error: f64 = image
                    .iter()
                    .zip(&wanted)
                    .map(|(i, w)| f64::from(i[c] - w[c]).powi(2))
                    .sum::<f64>()
                    .sqrt();
                let size: f64 = wanted.iter().map(|w| f64::from(w[c]).powi(2)).sum::<f64>().sqrt();
                assert!(error < most * size, "strength {strength}, column {c}: {error} of {size}");
            }
        }
    }

    /// With everything seen, the fit is the textbook one on the explicit matrix.
    #[test]
    fn a_tiny_problem_has_the_textbook_solution() {
        let kernel = kernel(3);
        let target = [[1.0_f32; 8], [0.0; 8], [-1.0; 8]];
        let ones = [[1.0_f32; 8]; 3];
        let path = ridge_path(&kernel, &target, &ones, &[2.0]);
        // The kernel matrix, column by column.
        let mut gram = [[0.0_f64; 3]; 3];
        for i in 0..3 {
            let mut unit = [[0.0_f32; 8]; 3];
            unit[i] = [1.0; 8];
            for (j, row) in apply(&kernel, &unit, &ones, 2.0).iter().enumerate() {
                gram[j][i] = f64::from(row[0]);
            }
        }
        for (row, wanted) in gram.iter().zip([1.0, 0.0, -1.0]) {
            let found: f64 = row.iter().zip(&path.duals[0]).map(|(g, a)| g * f64::from(a[0])).sum();
            assert!((found - wanted).abs() < 1e-3, "{found} for {wanted}");
        }
    }
}

//! The benchmark's figures beside those of the reference script in numpy, on numbers that both
//! can make: multiples of an odd constant, modulo 2³².

use pointsman_eval::{
    frontier::figures,
    matrix::{Matrix, Outcomes},
};

const N_ROWS: u32 = 300;
const N_MODELS: usize = 5;

fn pattern(multiplier: u32, n_cells: u32) -> Vec<f64> {
    let cell_value = |cell: u32| f64::from(cell.wrapping_mul(multiplier) >> 8) / 16_777_216.0;
    (0..n_cells).map(cell_value).collect()
}

fn view(values: &[f64]) -> Matrix<'_> {
    Matrix::new(values, values.len() / N_MODELS, N_MODELS).unwrap()
}

/// Quality in quarters, so that ties are common; later models are dearer.
fn reference_table() -> (Vec<f64>, Vec<f64>) {
    let cells = N_ROWS * 5;
    let quality = pattern(3_266_489_917, cells).into_iter().map(|it| (5.0 * it).floor() / 4.0);
    let scale = [1.0, 2.0, 3.0, 4.0, 5.0].into_iter().cycle();
    let cost = pattern(2_246_822_519, cells).into_iter().zip(scale).map(|(it, scale)| it * scale);
    (quality.collect(), cost.collect())
}

#[track_caller]
fn check_figures(predicted: (&[f64], &[f64]), expected: (f64, f64, f64)) {
    let (quality, cost) = reference_table();
    let predicted = Outcomes::new(view(predicted.0), Some(view(predicted.1))).unwrap();
    let actual = Outcomes::new(view(&quality), Some(view(&cost))).unwrap();
    let found = figures(&predicted, &actual).unwrap();
    let (area, share) = (found.frontier_area.unwrap(), found.cost_to_match.unwrap());
    assert!((found.quality - expected.0).abs() < 1e-12, "quality {}", found.quality);
    assert!((area - expected.1).abs() < 1e-12, "frontier_area {area}");
    assert!((share - expected.2).abs() < 1e-12, "cost_to_match {share}");
}

#[test]
fn figures_are_those_of_the_reference() {
    let (quality, cost) = reference_table();
    let mean_cost = view(&cost).column_means().repeat(300);
    let noise = pattern(2_654_435_761, N_ROWS * 5);
    let half: Vec<f64> = noise.iter().zip(&quality).map(|(p, q)| 0.5 * p + 0.5 * q).collect();
    check_figures(
        (&half, &mean_cost),
        (0.874_166_666_666_666_6, 0.824_705_651_246_446, 0.526_252_949_272_630_2),
    );
    check_figures(
        (&quality, &cost),
        (0.960_833_333_333_333_3, 0.937_142_969_004_995_2, 0.290_840_855_136_928_26),
    );
    check_figures((&noise, &mean_cost), (0.495, 0.504_574_524_313_366_4, 0.697_640_527_967_610_1));
}

/// The size of the largest public table. Predicted costs are the real ones, so a larger weight
/// never raises the mean cost.
#[test]
fn a_large_table_is_swept_whole() {
    let columns = [2_654_435_761, 2_246_822_519, 3_266_489_917].map(|it| pattern(it, 12_000 * 28));
    let view = |index: usize| Matrix::new(&columns[index], 12_000, 28).unwrap();
    let predicted = Outcomes::new(view(0), Some(view(1))).unwrap();
    let found = figures(&predicted, &Outcomes::new(view(2), Some(view(1))).unwrap()).unwrap();
    assert_eq!(found.sweep.len(), 162);
    for pair in found.sweep.windows(2) {
        assert!(pair[1].point.cost_usd <= pair[0].point.cost_usd + 1e-12);
    }
}

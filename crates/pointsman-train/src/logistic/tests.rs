use super::*;
use crate::design::DesignBuilder;
use pointsman_core::{
    features::{Bigrams, FeatureSchema},
    request::Request,
};
use pointsman_testkit::World;

const N_ROWS: u32 = 150;

fn kernel() -> Kernel {
    let world = World::new(3);
    let mut design = DesignBuilder::new(FeatureSchema::new(12, Bigrams::With).unwrap());
    for index in 0..N_ROWS {
        design.push(&Request::from_prompt(&world.request(u64::from(index)).prompt));
    }
    Kernel::new(&design.finish(), &(0..N_ROWS).collect::<Vec<_>>())
}

fn columns() -> Vec<Column> {
    let value = |row: u32, c: u32| f64::from((row * 7 + c * 3) % 11) / 10.0;
    let column = |c: u32| Column {
        target: (0..N_ROWS).map(|row| value(row, c)).collect(),
        weights: (0..N_ROWS).map(|row| f64::from((row + c) % 3)).collect(),
        dual: vec![0.0; N_ROWS as usize],
        logits: vec![0.0; N_ROWS as usize],
        intercept: 0.0,
    };
    (0..3).map(column).collect()
}

/// Fractional qualities, weights and left-out rows included.
#[test]
fn the_gradient_vanishes_at_the_solution() {
    let kernel = kernel();
    for strength in [1.0, 10.0, 100.0] {
        let mut columns = columns();
        let before: Vec<f64> = columns.iter().map(|one| one.gradient(0.0).1).collect();
        let goals = goals(&columns);
        let effort = solve::<8>(&kernel, &mut columns, &goals, strength);
        assert_eq!(effort.n_unconverged, 0);
        for (column, before) in columns.iter().zip(before) {
            let after = column.gradient(strength).1;
            assert!(after <= 1.01 * TOLERANCE * before, "{strength}: {after} of {before}");
        }
    }
}

/// A path ends where a fit that starts from nothing ends, and gets there in fewer passes.
#[test]
fn a_path_ends_where_a_fresh_start_ends() {
    let kernel = kernel();
    let mut warm = columns();
    let goals = goals(&warm);
    let (mut n_warm, mut n_fresh) = (0, 0);
    for strength in [100.0, 30.0, 10.0, 3.0, 1.0] {
        let effort = solve::<8>(&kernel, &mut warm, &goals, strength);
        assert_eq!(effort.n_unconverged, 0, "{strength}");
        n_warm += effort.n_iterations;
        let mut fresh = columns();
        n_fresh += solve::<8>(&kernel, &mut fresh, &goals, strength).n_iterations;
        for (warm, fresh) in warm.iter().zip(&fresh) {
            for row in 0..N_ROWS as usize {
                let (left, right) = (warm.probability(row), fresh.probability(row));
                assert!((left - right).abs() < 5e-3, "{strength}, row {row}: {left} {right}");
            }
        }
    }
    assert!(n_warm < n_fresh, "{n_warm} passes, {n_fresh} from fresh starts");
}

/// The logits that are carried along are those of the dual.
#[test]
fn logits_follow_from_the_dual() {
    let kernel = kernel();
    let mut columns = columns();
    let goals = goals(&columns);
    solve::<8>(&kernel, &mut columns, &goals, 3.0);
    let dual: Vec<[f32; 8]> = columns[1].dual.iter().map(|value| [narrow(*value); 8]).collect();
    let image = kernel.image(&dual);
    for (row, (image, dual)) in image.iter().zip(&dual).enumerate() {
        let of_kernel: &[f32] = Matrix::<8>::single_squares(&kernel);
        let expected = f64::from(image[0] + of_kernel[row] * dual[0]);
        assert!((columns[1].logits[row] - expected).abs() < 1e-3, "row {row}");
    }
}

/// Once with weight two is twice with weight one.
#[test]
fn a_weight_is_a_repeat() {
    let world = World::new(3);
    let fit = |repeats: u32, weight: f64| {
        let mut design = DesignBuilder::new(FeatureSchema::new(12, Bigrams::With).unwrap());
        for index in 0..60 * repeats {
            design.push(&Request::from_prompt(&world.request(u64::from(index % 60)).prompt));
        }
        let n_rows = 60 * repeats;
        // Both see the same features, the doubled ones; a row's twin weighs nothing or one.
        let kernel = Kernel::new(&design.finish(), &(0..n_rows).collect::<Vec<_>>());
        let used = |row: u32| row < 60 || weight == 1.0;
        let mut columns = vec![Column {
            target: (0..n_rows).map(|row| f64::from(row % 60 % 2)).collect(),
            weights: (0..n_rows).map(|row| if used(row) { weight } else { 0.0 }).collect(),
            dual: vec![0.0; n_rows as usize],
            logits: vec![0.0; n_rows as usize],
            intercept: 0.0,
        }];
        let goals = goals(&columns);
        assert_eq!(solve::<8>(&kernel, &mut columns, &goals, 5.0).n_unconverged, 0);
        columns.remove(0)
    };
    let (repeated, weighted) = (fit(2, 1.0), fit(2, 2.0));
    for row in 0..60 {
        let (left, right) = (repeated.probability(row), weighted.probability(row));
        assert!((left - right).abs() < 5e-3, "row {row}: {left} and {right}");
    }
}

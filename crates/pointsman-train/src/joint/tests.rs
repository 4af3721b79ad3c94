use super::*;
use crate::design::DesignBuilder;
use pointsman_core::{
    features::{Bigrams, FeatureSchema},
    request::Request,
};
use pointsman_testkit::{Draws, Stream, World};

const N_MODELS: usize = 3;

struct Log {
    kernel: Kernel,
    columns: Columns,
    /// Expected quality of every model less its mean, row after row.
    truth: Vec<f64>,
}

/// Outcomes of one model per row; `taken` says of which.
fn log(n_rows: u64, taken: impl Fn(u64) -> usize) -> Log {
    let world = World::new(7);
    let mut design = DesignBuilder::new(FeatureSchema::new(14, Bigrams::With).unwrap());
    let n_entries = usize::try_from(n_rows).unwrap() * N_MODELS;
    let (mut truth, mut seen) = (vec![], vec![]);
    for index in 0..n_rows {
        let request = world.request(index);
        design.push(&Request::from_prompt(&request.prompt));
        truth.extend(world.truth(&request)[..N_MODELS].iter().map(|one| one.expected_quality));
        seen.push(world.outcomes(&request)[taken(index)].quality);
    }
    let mut means = [0.0; N_MODELS];
    for (at, value) in truth.iter().enumerate() {
        means[at % N_MODELS] += value * len_as_float(N_MODELS) / len_as_float(n_entries);
    }
    for (at, value) in truth.iter_mut().enumerate() {
        *value -= means[at % N_MODELS];
    }
    let mut columns = Columns {
        n_columns: N_MODELS,
        target: vec![0.0; n_entries],
        weights: vec![0.0; n_entries],
    };
    for (row, (index, quality)) in (0..n_rows).zip(seen).enumerate() {
        let model = taken(index);
        columns.target[row * N_MODELS + model] = narrow(quality - means[model]);
        columns.weights[row * N_MODELS + model] = 1.0;
    }
    let rows: Vec<u32> = (0..u32::try_from(n_rows).unwrap()).collect();
    Log { kernel: Kernel::new(&design.finish(), &rows), columns, truth }
}

fn evenly(index: u64) -> usize {
    Draws::keyed(5, Stream::Logging, &[index]).position(N_MODELS)
}

fn predictions(log: &Log, slopes: &[f64], strength: f64) -> Vec<f32> {
    let apart = Apart::new(&log.kernel, &log.columns.weights, N_MODELS).unwrap();
    let solved = log.columns.pooled_by(&log.kernel, apart.columns(), (slopes, &[strength]));
    assert_eq!(solved.path.n_unconverged, 0);
    let dual = solved.dual(&[1.0], N_MODELS);
    let dual: Vec<[f32; 8]> = crate::columns::block(&dual, N_MODELS, 0);
    let rows = log.kernel.predict(&log.kernel.transposed(&dual));
    rows.iter().flat_map(|row| row[..N_MODELS].to_vec()).collect()
}

#[track_caller]
fn check_close(left: &[f32], right: &[f32], tolerance: f32) {
    let largest = right.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    for (at, (l, r)) in left.iter().zip(right).enumerate() {
        assert!((l - r).abs() <= tolerance * largest, "entry {at}: {l} and {r}");
    }
}

#[test]
fn without_a_shared_direction_models_are_fitted_apart() {
    let log = log(200, evenly);
    let (apart, _) = log.columns.predictions(&log.kernel, &[10.0]);
    check_close(&predictions(&log, &[0.0; N_MODELS], 10.0), &apart[0], 6e-3);
}

#[test]
fn without_deviations_all_models_have_the_direction_of_one_fit() {
    let log = log(200, evenly);
    let one = Columns {
        n_columns: 1,
        target: log.columns.target.chunks(N_MODELS).map(|row| row.iter().sum()).collect(),
        weights: vec![1.0; 200],
    };
    let (shared, _) = one.predictions(&log.kernel, &[10.0]);
    let all: Vec<f32> = shared[0].iter().flat_map(|value| [*value; N_MODELS]).collect();
    check_close(&predictions(&log, &[40.0; N_MODELS], 10.0), &all, 1e-2);
}

/// Both ways are given their best strength.
#[test]
fn a_model_with_twenty_outcomes_is_predicted_better_with_the_others_help() {
    let log = log(2000, |index| if index % 100 == 0 { 0 } else { 1 + evenly(index) % 2 });
    let error = |predicted: &Vec<f32>| -> f64 {
        let rows = predicted.chunks(N_MODELS).zip(log.truth.chunks(N_MODELS));
        rows.map(|(p, t)| (f64::from(p[0]) - t[0]).powi(2)).sum::<f64>() / 2000.0
    };
    let strengths = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
    let least = |all: &[Vec<f32>]| all.iter().map(error).fold(f64::INFINITY, f64::min);
    let (apart, _) = log.columns.predictions(&log.kernel, &strengths);
    let (pooled, effort) =
        log.columns.pooled_predictions(&log.kernel, N_MODELS, &strengths).unwrap();
    assert_eq!(effort.n_unconverged, 0);
    let (apart, pooled) = (least(&apart), least(&pooled));
    assert!(pooled < 0.9 * apart, "{pooled} against {apart}");
}

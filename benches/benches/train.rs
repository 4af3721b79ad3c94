//! Learning a scorer: a fit of fixed strength, and all selection by held-out value.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pointsman_benches::world::Sample;
use pointsman_train::train::{Regularisation, TrainConfig};
use std::hint::black_box;

fn train(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("train");
    group.sample_size(10);
    for n_rows in [1000, 4000] {
        let Ok(sample) = Sample::simulated(n_rows) else { unreachable!("a simulated world") };
        for (name, regularisation) in [
            ("fixed strength", Regularisation::Fixed(10.0)),
            ("all selection", Regularisation::HeldOut),
        ] {
            let Ok(config) = TrainConfig::new(1, regularisation) else {
                unreachable!("usual settings")
            };
            group.bench_function(BenchmarkId::new(name, n_rows), |bencher| {
                bencher.iter(|| black_box(sample.train(&config)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, train);
criterion_main!(benches);

//! A whole decision, from the bytes of a prompt to the drawn model.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pointsman_benches::{
    policy::{Prices, message, policy, request},
    text::{Kind, Writer},
};
use pointsman_core::{policy::Workspace, units::Probability};
use std::hint::black_box;

const N_TEXTS: u64 = 1000;

fn decide(criterion: &mut Criterion) {
    let writer = Writer::new();
    let Ok(draw) = Probability::new(0.4) else { unreachable!("a probability") };
    for n_models in [8, 32] {
        for prices in [Prices::Catalog, Prices::Learned] {
            let Ok(policy) = policy(n_models, prices) else { unreachable!("a fixed policy") };
            let mut workspace = Workspace::new(&policy);
            let mut group = criterion.benchmark_group(format!("decide {n_models} {prices:?}"));
            for n_bytes in [200, 2 * 1024] {
                let texts = writer.write_many(Kind::Prose, n_bytes, N_TEXTS);
                let mut rotation = texts.iter().cycle();
                group.bench_function(BenchmarkId::from_parameter(n_bytes), |bencher| {
                    bencher.iter(|| {
                        let text = rotation.next().map_or("", String::as_str);
                        let Ok(messages) = message(black_box(text.as_bytes())) else {
                            unreachable!("a text")
                        };
                        black_box(policy.decide(&request(&messages), draw, &mut workspace))
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, decide);
criterion_main!(benches);

//! Reading a request into features, by length and kind of text.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pointsman_benches::{
    policy::{message, request},
    text::{Kind, Writer},
};
use pointsman_core::features::{Extractor, FeatureSchema};
use std::hint::black_box;

fn features(criterion: &mut Criterion) {
    let writer = Writer::new();
    let mut group = criterion.benchmark_group("features");
    for (n_bytes, n_texts) in [(200, 1000), (2 * 1024, 1000), (32 * 1024, 100)] {
        for kind in [Kind::Prose, Kind::Code] {
            let texts = writer.write_many(kind, n_bytes, n_texts);
            let mut rotation = texts.iter().cycle();
            let mut extractor = Extractor::new(FeatureSchema::default());
            extractor.reserve();
            group.throughput(Throughput::Bytes(n_bytes as u64));
            group.bench_function(BenchmarkId::new(format!("{kind:?}"), n_bytes), |bencher| {
                bencher.iter(|| {
                    let text = rotation.next().map_or("", String::as_str);
                    let Ok(messages) = message(text.as_bytes()) else { unreachable!("a text") };
                    black_box(extractor.extract(&request(&messages)).terms.len())
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, features);
criterion_main!(benches);

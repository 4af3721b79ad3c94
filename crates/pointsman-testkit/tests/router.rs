//! Whether a plain text router gains here what routers gain in earnest: some of the gap, not all.

use std::collections::BTreeSet;

use pointsman_testkit::World;

const N_TRAIN: u64 = 8_000;
const N_TEST: u64 = 4_000;
const N_BUCKETS: usize = 1 << 16;
const N_EPOCHS: u32 = 6;

fn float(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::NAN, f64::from)
}

fn hash(words: [&str; 2]) -> usize {
    let text = words.iter().flat_map(|word| word.bytes().chain([0]));
    let hash = text.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    usize::try_from(hash ^ (hash >> 29)).map_or(0, |hash| hash % N_BUCKETS)
}

/// Buckets of the words and word pairs of a text, each once; digits are all alike.
fn terms(text: &str) -> Vec<usize> {
    let text: String = text
        .to_lowercase()
        .chars()
        .map(|mark| if mark.is_ascii_digit() { '0' } else { mark })
        .collect();
    let words: Vec<&str> =
        text.split(|mark: char| !mark.is_alphanumeric()).filter(|it| !it.is_empty()).collect();
    let single = words.iter().map(|word| hash([word, ""]));
    let pairs = words.windows(2).map(|pair| hash([pair[0], pair[1]]));
    single.chain(pairs).collect::<BTreeSet<usize>>().into_iter().collect()
}

fn score(weights: &[f64], terms: &[usize]) -> f64 {
    let scale = 1.0 / float(terms.len()).sqrt();
    terms.iter().map(|&term| weights[term]).sum::<f64>() * scale
}

/// Logistic regression by plain gradient steps on drawn outcomes.
fn fitted(rows: &[(Vec<usize>, f64)], base: f64) -> Vec<f64> {
    let mut weights = vec![0.0; N_BUCKETS];
    for epoch in 0..N_EPOCHS {
        let rate = 0.25 / f64::from(epoch + 1);
        for (terms, quality) in rows {
            let scale = 1.0 / float(terms.len()).sqrt();
            let predicted = 1.0 / (1.0 + (-base - score(&weights, terms)).exp());
            for &term in terms {
                weights[term] += rate * ((quality - predicted) * scale - 2e-4 * weights[term]);
            }
        }
    }
    weights
}

#[test]
fn words_close_a_realistic_part_of_the_gap() {
    let world = World::new(7);
    let train: Vec<_> = (0..N_TRAIN).map(|index| world.request(index)).collect();
    let train_terms: Vec<Vec<usize>> = train.iter().map(|it| terms(&it.prompt)).collect();
    let models: Vec<(f64, Vec<f64>)> = (0..world.n_models())
        .map(|model| {
            let grades = train.iter().map(|it| world.outcome(it, model).quality);
            let rows: Vec<_> = train_terms.iter().cloned().zip(grades).collect();
            let share = rows.iter().map(|row| row.1).sum::<f64>() / float(rows.len());
            let base = (share / (1.0 - share)).ln();
            (base, fitted(&rows, base))
        })
        .collect();

    let (mut routed, mut oracle, mut singles) = (0.0, 0.0, vec![0.0; world.n_models()]);
    for index in N_TRAIN..N_TRAIN + N_TEST {
        let request = world.request(index);
        let terms = terms(&request.prompt);
        let truth: Vec<f64> = world.truth(&request).iter().map(|it| it.expected_quality).collect();
        let scores: Vec<f64> =
            models.iter().map(|(base, weights)| base + score(weights, &terms)).collect();
        let chosen = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
        routed += truth[chosen];
        oracle += truth.iter().copied().fold(0.0, f64::max);
        singles.iter_mut().zip(&truth).for_each(|(sum, quality)| *sum += quality);
    }
    let single = singles.iter().copied().fold(0.0, f64::max);
    let captured = (routed - single) / (oracle - single);
    eprintln!("a linear router on words captures {captured:.3} of the gap");
    assert!((0.20..0.55).contains(&captured), "{captured}");
}

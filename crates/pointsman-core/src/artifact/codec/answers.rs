//! The readers of a policy: what was learned about models' answers.
//!
//! All readers of a file predict for equally many next models, so that each kind of number is one
//! tensor whose first dimension counts readers.

use super::{GOLDEN_PROMPTS, Reader as Tensors, Tensor, floats, malformed, tensor};
use crate::{
    answer::{Answer, AnswerExtractor, N_SIGNS},
    artifact::ArtifactError,
    escalation::{
        EscalationParts, EscalationScorer, EscalationScores, InputScaling, N_INPUTS, N_PRODUCTS,
        Reader, TermParts,
    },
    features::{Extractor, FeatureSchema, N_DENSE},
    request::Request,
    scorer::DenseScaling,
};
use safetensors::tensor::Dtype;

/// Answers to [`GOLDEN_PROMPTS`], whose scores are computed again wherever a file is loaded.
const GOLDEN_ANSWERS: [&str; GOLDEN_PROMPTS.len()] = [
    "",
    "Paris. The answer is (B). However, I am not sure; perhaps the answer is (C)",
    "```rust\nfn parse(text: &str) -> HashMap<String, u64> { todo!() }\n```",
    "12,5 % von 4.800 € sind 4800 * 0.125 = 600 €, und 2 + 2 = 5. 合計は600です。 #### 600",
    "{\"points\": [\"The meeting began at 09:30\", \"budget for 2031\"], \"open\": []",
];

/// The tensors of some readers; none without readers.
pub(super) fn tensors(readers: &[Reader]) -> Result<Vec<Tensor>, ArtifactError> {
    let Some(first) = readers.first() else { return Ok(Vec::new()) };
    let columns = first.scorer.parts().n_columns;
    if readers
        .iter()
        .any(|it| it.scorer.parts().n_columns != columns || it.next.len() + 1 != columns)
    {
        return Err(malformed("readers of different numbers of next models"));
    }
    let (n, buckets) = (readers.len(), first.scorer.schema().n_buckets());
    let each = || readers.iter().map(|reader| reader.scorer.parts());
    let mut places = Vec::new();
    for place in readers.iter().flat_map(|it| std::iter::once(&it.model).chain(&it.next)) {
        places.push(u16::try_from(*place).map_err(malformed)?);
    }
    let all = |values: &dyn Fn(&EscalationParts) -> Vec<f32>| -> Vec<f32> {
        each().flat_map(values).collect()
    };
    let (centres, factors): (Vec<f32>, Vec<f32>) =
        each().flat_map(|parts| flat(&parts.scaling)).unzip();
    let golden: Vec<f32> = readers.iter().flat_map(|it| golden_scores(&it.scorer)).collect();
    let linear = all(&|parts| parts.linear.clone());
    let products = all(&|parts| parts.products.clone());
    let intercepts = all(&|parts| parts.intercepts.clone());
    let mut tensors = vec![
        tensor("answer.readers", Dtype::U16, &[n, columns], |out| {
            out.extend(places.iter().flat_map(|place| place.to_le_bytes()));
        }),
        floats("answer.intercepts", &[n, columns], &intercepts),
        floats("answer.centres", &[n, N_INPUTS], &centres),
        floats("answer.factors", &[n, N_INPUTS], &factors),
        floats("answer.linear", &[n, columns, N_INPUTS], &linear),
        floats("answer.products", &[n, columns, N_PRODUCTS], &products),
        floats("answer.golden", &[n, GOLDEN_PROMPTS.len(), columns], &golden),
    ];
    let blocks: [(Names, PartsOf); 2] =
        [(PROMPT, |parts| &parts.prompt), (ANSWER, |parts| &parts.answer)];
    for (Names { weights, squared_idf, scales }, of) in blocks {
        let of_scales: Vec<f32> = each().flat_map(|parts| of(parts).scales.clone()).collect();
        tensors.push(tensor(weights, Dtype::I8, &[n, buckets, columns], |out| {
            let all = each().flat_map(|parts| &of(parts).weights);
            out.extend(all.map(|weight| weight.cast_unsigned()));
        }));
        tensors.push(tensor(squared_idf, Dtype::U16, &[n, buckets], |out| {
            let all = each().flat_map(|parts| &of(parts).squared_idf);
            out.extend(all.flat_map(|idf| idf.to_le_bytes()));
        }));
        tensors.push(floats(scales, &[n, columns], &of_scales));
    }
    Ok(tensors)
}

/// One of the two tables of terms.
type PartsOf = fn(&EscalationParts) -> &TermParts;

/// The tensors of one block of terms.
#[derive(Clone, Copy)]
struct Names {
    weights: &'static str,
    squared_idf: &'static str,
    scales: &'static str,
}

const PROMPT: Names = Names {
    weights: "answer.prompt.weights",
    squared_idf: "answer.prompt.squared_idf",
    scales: "answer.prompt.scales",
};

const ANSWER: Names = Names {
    weights: "answer.terms.weights",
    squared_idf: "answer.terms.squared_idf",
    scales: "answer.terms.scales",
};

/// The readers of a file; none where it has none.
pub(super) fn read(
    read: &Tensors<'_>,
    schema: FeatureSchema,
    n_models: usize,
) -> Result<Vec<Reader>, ArtifactError> {
    let Some([n, columns]) = read.shape("answer.readers")? else { return Ok(Vec::new()) };
    if n == 0 || columns < 2 {
        return Err(malformed("`answer.readers` names no model to escalate to"));
    }
    let places = read.numbers("answer.readers", Dtype::U16, &[n, columns], u16::from_le_bytes)?;
    let floats = |name: &str, shape: &[usize]| read.floats(name, shape);
    let intercepts = floats("answer.intercepts", &[n, columns])?;
    let centres = floats("answer.centres", &[n, N_INPUTS])?;
    let factors = floats("answer.factors", &[n, N_INPUTS])?;
    let linear = floats("answer.linear", &[n, columns, N_INPUTS])?;
    let products = floats("answer.products", &[n, columns, N_PRODUCTS])?;
    let golden = floats("answer.golden", &[n, GOLDEN_PROMPTS.len(), columns])?;
    let shape = [n, schema.n_buckets(), columns];
    let (prompt, answer) = (terms(read, PROMPT, shape)?, terms(read, ANSWER, shape)?);
    let mut readers = Vec::with_capacity(n);
    for (index, (prompt, answer)) in prompt.into_iter().zip(answer).enumerate() {
        let of = |values: &[f32], width: usize| values[index * width..][..width].to_vec();
        let scaling = scaling(&of(&centres, N_INPUTS), &of(&factors, N_INPUTS))?;
        let scorer = EscalationScorer::new(EscalationParts {
            schema,
            n_columns: columns,
            prompt,
            answer,
            intercepts: of(&intercepts, columns),
            scaling,
            linear: of(&linear, columns * N_INPUTS),
            products: of(&products, columns * N_PRODUCTS),
        })?;
        check_golden(&scorer, &of(&golden, GOLDEN_PROMPTS.len() * columns))?;
        let places = places[index * columns..][..columns].iter().map(|&it| usize::from(it));
        let places: Vec<usize> = places.collect();
        if places.iter().any(|&place| n_models <= place) {
            return Err(malformed("`answer.readers` names a model that the card does not have"));
        }
        readers.push(Reader { model: places[0], next: places[1..].to_vec(), scorer });
    }
    Ok(readers)
}

/// One block of terms for each reader.
fn terms(
    read: &Tensors<'_>,
    Names { weights, squared_idf, scales }: Names,
    [n, buckets, columns]: [usize; 3],
) -> Result<Vec<TermParts>, ArtifactError> {
    let weights = read.bytes(weights, Dtype::I8, &[n, buckets, columns])?;
    let idf = read.numbers(squared_idf, Dtype::U16, &[n, buckets], u16::from_le_bytes)?;
    let scales = read.floats(scales, &[n, columns])?;
    let of_reader = |index: usize| TermParts {
        weights: weights[index * buckets * columns..][..buckets * columns]
            .iter()
            .map(|byte| byte.cast_signed())
            .collect(),
        squared_idf: idf[index * buckets..][..buckets].to_vec(),
        scales: scales[index * columns..][..columns].to_vec(),
    };
    Ok((0..n).map(of_reader).collect())
}

/// Centres and factors of all inputs, in their order.
fn flat(scaling: &InputScaling) -> Vec<(f32, f32)> {
    let InputScaling { prompt, shape, sign_centres, sign_factors } = scaling;
    let centres = [&prompt.centres[..], &shape.centres, sign_centres].concat();
    let factors = [&prompt.factors[..], &shape.factors, sign_factors].concat();
    centres.into_iter().zip(factors).collect()
}

fn scaling(centres: &[f32], factors: &[f32]) -> Result<InputScaling, ArtifactError> {
    let wrong = |_| malformed("`answer.centres` or `answer.factors` is of another width");
    let dense = |from: usize| -> Result<DenseScaling, ArtifactError> {
        Ok(DenseScaling {
            centres: centres[from..from + N_DENSE].try_into().map_err(wrong)?,
            factors: factors[from..from + N_DENSE].try_into().map_err(wrong)?,
        })
    };
    let signs = |values: &[f32]| -> Result<[f32; N_SIGNS], ArtifactError> {
        values[2 * N_DENSE..].try_into().map_err(wrong)
    };
    Ok(InputScaling {
        prompt: dense(0)?,
        shape: dense(N_DENSE)?,
        sign_centres: signs(centres)?,
        sign_factors: signs(factors)?,
    })
}

/// The golden answers' scores, shape `(n_golden, n_columns)`.
fn golden_scores(scorer: &EscalationScorer) -> Vec<f32> {
    let schema = scorer.schema();
    let (mut prompts, mut answers) = (Extractor::new(schema), AnswerExtractor::new(schema));
    let mut scores = EscalationScores::default();
    let mut all = Vec::new();
    for (prompt, answer) in GOLDEN_PROMPTS.into_iter().zip(GOLDEN_ANSWERS) {
        let request = Request::from_prompt(prompt);
        let prompt = prompts.extract(&request);
        let answer = answers.extract(&request, &Answer::from_text(answer));
        scorer.score(&prompt, &answer, &mut scores);
        all.extend_from_slice(scores.quality());
    }
    all
}

fn check_golden(scorer: &EscalationScorer, written: &[f32]) -> Result<(), ArtifactError> {
    let n_columns = scorer.parts().n_columns;
    for (index, (found, expected)) in golden_scores(scorer).into_iter().zip(written).enumerate() {
        if found.to_bits() != expected.to_bits() {
            let (index, column) = (index / n_columns, index % n_columns);
            return Err(ArtifactError::Golden { index, column, found, expected: *expected });
        }
    }
    Ok(())
}

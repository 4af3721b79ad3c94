//! Bytes to artifact and back.

mod answers;
mod terms;

use super::{
    Artifact, ArtifactError, Card,
    card::{CardWire, FORMAT_VERSIONS},
    digest, foresight_wire,
};
use crate::{
    escalation::Reader as AnswerReader,
    features::{Extractor, N_DENSE, SchemaVersion},
    request::Request,
    scorer::{Clusters, DenseScaling, Factor, LogLine, Scorer, ScorerParts, Scores, TokenLength},
};
use safetensors::{
    SafeTensors,
    tensor::{Dtype, TensorView, serialize},
};
use std::{collections::HashMap, sync::Arc};

const METADATA_KEY: &str = "pointsman";

/// The inputs whose scores every artifact carries, to be computed again wherever it is loaded.
/// They are ours, so that no artifact holds anybody's prompt.
pub const GOLDEN_PROMPTS: [&str; 5] = [
    "",
    "What is the capital of France?",
    "Write a Rust function that parses \"key=value\" pairs & returns a HashMap<String, u64>.",
    "Berechne 12,5 % von 4.800 € und erkläre jeden Schritt. 合計はいくらですか？",
    "Summarise the following minutes in three bullet points, keep all names and dates, and list \
     open questions at the end. The meeting began at 09:30; the budget for 2031 was approved.",
];

/// The bytes, and their digest.
pub(super) fn encode(
    card: &Card,
    scorer: &Scorer,
    row_ids: &[u64],
    readers: &[AnswerReader],
) -> Result<(Vec<u8>, String), ArtifactError> {
    let parts = scorer.parts();
    if card.models.len() != parts.n_models || card.schema != parts.schema {
        return Err(malformed("the card and the scorer are of different policies"));
    }
    if readers.iter().any(|reader| reader.scorer.schema() != parts.schema) {
        return Err(malformed("requests and answers are read by different schemas"));
    }
    let (columns, buckets) = (parts.n_columns(), parts.schema.n_buckets());
    let golden = golden_scores(scorer);
    let mut tensors = vec![
        tensor("terms.squared_idf", Dtype::U16, &[buckets], |out| {
            extend(out, &parts.squared_idf, u16::to_le_bytes);
        }),
        floats("terms.scales", &[columns], &parts.scales),
        floats("intercepts", &[columns], &parts.intercepts),
        floats("dense.weights", &[N_DENSE, columns], &parts.dense_weights),
        floats("dense.centres", &[N_DENSE], &parts.dense_scaling.centres),
        floats("dense.factors", &[N_DENSE], &parts.dense_scaling.factors),
        floats("golden.scores", &[GOLDEN_PROMPTS.len(), parts.n_models + 1], &golden),
        doubles("input_tokens_per_byte", &[1], &[parts.input_tokens_per_byte]),
        tensor("training.row_ids", Dtype::U64, &[row_ids.len()], |out| {
            extend(out, row_ids, u64::to_le_bytes);
        }),
    ];
    for (name, lines) in [("output_tokens", &parts.output_tokens), ("cost_usd", &parts.cost_usd)] {
        if let Some(lines) = lines {
            let rows: Vec<f64> =
                lines.iter().flat_map(|l| [l.intercept, l.slope, l.least, l.most]).collect();
            tensors.push(doubles(name, &[lines.len(), 4], &rows));
        }
    }
    if let Some(Factor { rank, loadings, intercepts }) = &parts.factor {
        tensors.push(floats("factor.loadings", &[*rank, parts.n_models], loadings));
        tensors.push(floats("factor.intercepts", &[parts.n_models], intercepts));
    }
    if let Some(clusters) = &parts.clusters {
        let Clusters { centres, n_clusters, offsets } = clusters;
        tensors.push(floats("clusters.centres", &[clusters.n_dims(), *n_clusters], centres));
        tensors.push(floats("clusters.offsets", &[*n_clusters, parts.n_models], offsets));
    }
    tensors.extend(terms::tensors(card, parts));
    tensors.extend(answers::tensors(readers)?);
    let wire = CardWire::new(card, least_version(card, parts, readers));
    let json = serde_json::to_string(&wire).map_err(malformed)?;
    let views = tensors
        .iter()
        .map(|Tensor { name, dtype, shape, bytes }| {
            Ok((*name, TensorView::new(*dtype, shape.clone(), bytes).map_err(malformed)?))
        })
        .collect::<Result<Vec<_>, ArtifactError>>()?;
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
    let mut bytes = serialize(views, Some(metadata)).map_err(malformed)?;
    if digest::written(&bytes) != Some(digest::BLANK) {
        return Err(malformed("the header does not start with the digest"));
    }
    let digest = digest::seal(&mut bytes);
    Ok((bytes, digest))
}

/// Makes a file, and reads back what it says.
pub(super) fn make(
    card: &Card,
    scorer: &Scorer,
    row_ids: &[u64],
    readers: &[AnswerReader],
) -> Result<Artifact, ArtifactError> {
    let (bytes, digest) = encode(card, scorer, row_ids, readers)?;
    let Contents { card, parts, golden: _, row_ids, readers } = Contents::of(&bytes)?;
    if parts != *scorer.parts() {
        return Err(malformed("the file does not hold the weights that it was made of"));
    }
    let (scorer, file) = (scorer.clone(), Some(Arc::new(bytes)));
    Ok(Artifact { card, digest, scorer, row_ids, readers, file })
}

pub(super) fn decode(file: impl AsRef<[u8]>) -> Result<Artifact, ArtifactError> {
    let bytes = file.as_ref();
    let written = digest::written(bytes).ok_or(ArtifactError::NotAnArtifact)?;
    let digest = digest::compute(bytes);
    if digest != written {
        return Err(ArtifactError::Damaged { found: digest, written: written.to_owned() });
    }
    let Contents { card, parts, golden, row_ids, readers } = Contents::of(bytes)?;
    drop(file);
    let scorer = Scorer::new(parts)?;
    check_golden(&scorer, &golden)?;
    Ok(Artifact { card, digest, scorer, row_ids, readers, file: None })
}

/// What a file says, before its weights are put to work.
struct Contents {
    card: Card,
    parts: ScorerParts,
    golden: Vec<f32>,
    row_ids: Vec<u64>,
    readers: Vec<AnswerReader>,
}

impl Contents {
    fn of(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(malformed)?;
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
        let json = json.ok_or(ArtifactError::NotAnArtifact)?;
        check_versions(json)?;
        let wire: CardWire = serde_json::from_str(json).map_err(malformed)?;
        let format_version = wire.format_version;
        let card = Card::try_from(wire).map_err(malformed)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(malformed)?;
        let read = Reader { tensors: &tensors };
        let n_models = card.models.len();
        let (factor, clusters) = (read.factor(n_models)?, read.clusters(n_models)?);
        let with_one_length = factor.as_ref().map_or(n_models, |factor| factor.rank)
            + 1
            + clusters.as_ref().map_or(0, Clusters::n_dims);
        let token_length = read.token_length(with_one_length)?;
        let columns = with_one_length + token_length.n_columns();
        let buckets = card.schema.n_buckets();
        let parts = ScorerParts {
            schema: card.schema,
            n_models,
            term_weights: terms::read(&read, &card, columns)?,
            squared_idf: read.numbers(
                "terms.squared_idf",
                Dtype::U16,
                &[buckets],
                u16::from_le_bytes,
            )?,
            scales: read.floats("terms.scales", &[columns])?,
            intercepts: read.floats("intercepts", &[columns])?,
            dense_weights: read.floats("dense.weights", &[N_DENSE, columns])?,
            dense_scaling: DenseScaling {
                centres: read.dense("dense.centres")?,
                factors: read.dense("dense.factors")?,
            },
            factor,
            clusters,
            token_length,
            output_tokens: read.lines("output_tokens", n_models)?,
            cost_usd: read.lines("cost_usd", n_models)?,
            input_tokens_per_byte: read.numbers(
                "input_tokens_per_byte",
                Dtype::F64,
                &[1],
                f64::from_le_bytes,
            )?[0],
        };
        let readers = answers::read(&read, card.schema, n_models)?;
        foresight_wire::check(&card.foresight, &readers, &card.models).map_err(malformed)?;
        let expected = least_version(&card, &parts, &readers);
        if format_version != expected {
            return Err(malformed(format!(
                "it says format version {format_version}, its tensors are those of {expected}"
            )));
        }
        let golden = read.floats("golden.scores", &[GOLDEN_PROMPTS.len(), n_models + 1])?;
        let n_rows = read.tensor("training.row_ids")?.shape().iter().product();
        let row_ids =
            read.numbers("training.row_ids", Dtype::U64, &[n_rows], u64::from_le_bytes)?;
        if !row_ids.is_sorted() {
            return Err(malformed("`training.row_ids` is not sorted"));
        }
        Ok(Self { card, parts, golden, row_ids, readers })
    }
}

/// The least format version that can hold these parts, so that old readers read what they can.
fn least_version(card: &Card, parts: &ScorerParts, readers: &[AnswerReader]) -> u32 {
    if card.pruning.is_some() || parts.token_length == TokenLength::Own {
        return 3;
    }
    let is_second = parts.factor.is_some() || parts.clusters.is_some() || !readers.is_empty();
    if is_second { 2 } else { 1 }
}

/// Versions come before the rest of the card, which another version may have changed.
fn check_versions(json: &str) -> Result<(), ArtifactError> {
    #[derive(serde::Deserialize)]
    struct Versions {
        format_version: u32,
        feature_schema: Schema,
    }
    #[derive(serde::Deserialize)]
    struct Schema {
        version: u32,
    }
    let Versions { format_version, feature_schema } =
        serde_json::from_str(json).map_err(malformed)?;
    if !FORMAT_VERSIONS.contains(&format_version) {
        let (found, expected) = (format_version, *FORMAT_VERSIONS.end());
        return Err(ArtifactError::FormatVersion { found, expected });
    }
    if SchemaVersion::of_number(feature_schema.version).is_none() {
        let (found, expected) = (feature_schema.version, SchemaVersion::default().number());
        return Err(ArtifactError::FeatureSchema { found, expected });
    }
    Ok(())
}

/// The golden inputs' scores, shape `(n_golden, n_models + 1)`.
fn golden_scores(scorer: &Scorer) -> Vec<f32> {
    let mut extractor = Extractor::new(scorer.schema());
    let mut scores = Scores::default();
    let mut all = Vec::new();
    for prompt in GOLDEN_PROMPTS {
        scorer.score(&extractor.extract(&Request::from_prompt(prompt)), &mut scores);
        all.extend_from_slice(scores.quality());
        all.push(scores.length());
    }
    all
}

fn check_golden(scorer: &Scorer, written: &[f32]) -> Result<(), ArtifactError> {
    let n_columns = scorer.n_models() + 1;
    for (index, (found, expected)) in golden_scores(scorer).into_iter().zip(written).enumerate() {
        if found.to_bits() != expected.to_bits() {
            let (index, column) = (index / n_columns, index % n_columns);
            return Err(ArtifactError::Golden { index, column, found, expected: *expected });
        }
    }
    Ok(())
}

struct Tensor {
    name: &'static str,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn tensor(
    name: &'static str,
    dtype: Dtype,
    shape: &[usize],
    fill: impl FnOnce(&mut Vec<u8>),
) -> Tensor {
    let mut bytes = Vec::new();
    fill(&mut bytes);
    Tensor { name, dtype, shape: shape.to_vec(), bytes }
}

fn floats(name: &'static str, shape: &[usize], values: &[f32]) -> Tensor {
    tensor(name, Dtype::F32, shape, |out| extend(out, values, f32::to_le_bytes))
}

fn doubles(name: &'static str, shape: &[usize], values: &[f64]) -> Tensor {
    tensor(name, Dtype::F64, shape, |out| extend(out, values, f64::to_le_bytes))
}

/// Appends numbers by their bytes.
fn extend<T: Copy, const N: usize>(out: &mut Vec<u8>, values: &[T], bytes: fn(T) -> [u8; N]) {
    let all: Vec<[u8; N]> = values.iter().map(|&value| bytes(value)).collect();
    out.extend_from_slice(all.as_flattened());
}

/// Takes tensors out of a file, each of exactly the kind and shape that is expected.
struct Reader<'a> {
    tensors: &'a SafeTensors<'a>,
}

impl<'a> Reader<'a> {
    fn tensor(&self, name: &str) -> Result<TensorView<'a>, ArtifactError> {
        self.tensors.tensor(name).map_err(|error| malformed(format!("`{name}`: {error}")))
    }

    fn bytes(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&'a [u8], ArtifactError> {
        let found = self.tensor(name)?;
        if found.dtype() != dtype || found.shape() != shape {
            let (kind, extent) = (found.dtype(), found.shape());
            return Err(malformed(format!(
                "`{name}` is {kind:?} of shape {extent:?} where {dtype:?} of {shape:?} is needed"
            )));
        }
        Ok(found.data())
    }

    fn numbers<T, const N: usize>(
        &self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        parse: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, ArtifactError> {
        let (chunks, _) = self.bytes(name, dtype, shape)?.as_chunks::<N>();
        Ok(chunks.iter().map(|chunk| parse(*chunk)).collect())
    }

    fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ArtifactError> {
        self.numbers(name, Dtype::F32, shape, f32::from_le_bytes)
    }

    fn dense(&self, name: &str) -> Result<[f32; N_DENSE], ArtifactError> {
        self.floats(name, &[N_DENSE])?.try_into().map_err(|_| malformed(name))
    }

    /// The shape of an optional tensor of two dimensions.
    fn shape(&self, name: &str) -> Result<Option<[usize; 2]>, ArtifactError> {
        let Ok(found) = self.tensors.tensor(name) else { return Ok(None) };
        match *found.shape() {
            [rows, columns] => Ok(Some([rows, columns])),
            ref other => Err(malformed(format!("`{name}` has the shape {other:?}"))),
        }
    }

    /// Whether there is a column beside those of a scorer with one length.
    fn token_length(&self, with_one_length: usize) -> Result<TokenLength, ArtifactError> {
        let scales = self.tensor("terms.scales")?;
        let is_own = *scales.shape() == [with_one_length + 1];
        Ok(if is_own { TokenLength::Own } else { TokenLength::Shared })
    }

    fn factor(&self, n_models: usize) -> Result<Option<Factor>, ArtifactError> {
        let Some([rank, _]) = self.shape("factor.loadings")? else { return Ok(None) };
        Ok(Some(Factor {
            rank,
            loadings: self.floats("factor.loadings", &[rank, n_models])?,
            intercepts: self.floats("factor.intercepts", &[n_models])?,
        }))
    }

    fn clusters(&self, n_models: usize) -> Result<Option<Clusters>, ArtifactError> {
        let Some([n_dims, n_clusters]) = self.shape("clusters.centres")? else { return Ok(None) };
        Ok(Some(Clusters {
            centres: self.floats("clusters.centres", &[n_dims, n_clusters])?,
            n_clusters,
            offsets: self.floats("clusters.offsets", &[n_clusters, n_models])?,
        }))
    }

    fn lines(&self, name: &str, n_models: usize) -> Result<Option<Vec<LogLine>>, ArtifactError> {
        if self.tensors.tensor(name).is_err() {
            return Ok(None);
        }
        let values = self.numbers(name, Dtype::F64, &[n_models, 4], f64::from_le_bytes)?;
        let (rows, _) = values.as_chunks::<4>();
        let line =
            |&[intercept, slope, least, most]: &[f64; 4]| LogLine { intercept, slope, least, most };
        Ok(Some(rows.iter().map(line).collect()))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an adapter for `map_err`")]
fn malformed(message: impl ToString) -> ArtifactError {
    ArtifactError::Malformed { message: message.to_string() }
}

//! The file that holds a policy's learned part.
//!
//! One safetensors file, so that it opens in Python without us. Everything that is not a tensor is
//! the [`Card`], one JSON string under the metadata key `pointsman`. Its first field is a SHA-256
//! over every byte of the file, taken with its own 64 characters as zeros. Loading checks that
//! digest, the versions, every length, that every weight is finite, and that the golden inputs
//! score to the very bits that were written down; only then is there an [`Artifact`]. One that is made
//! here is read back from its bytes, all but the scorer, which has to have the weights that were written.
//!
//! The layout is described in `docs/artifact-v1.md`; it is a one-way door with a golden file.

mod card;
mod codec;
mod digest;
mod foresight_wire;
mod point_wire;
mod row_ids;
mod told;

pub use card::{Card, Origin, Provenance, Pruning, Standing};
pub use codec::GOLDEN_PROMPTS;
pub use row_ids::RowIds;

use crate::{
    escalation::{Foresight, Reader},
    scorer::{Scorer, ScorerError},
};
use std::{collections::BTreeMap, sync::Arc};

/// A checked policy file.
#[derive(Debug, Clone)]
pub struct Artifact {
    card: Card,
    digest: String,
    scorer: Scorer,
    row_ids: Vec<u64>,
    readers: Vec<Reader>,
    /// The file itself, where it was made here and not read.
    file: Option<Arc<Vec<u8>>>,
}

/// Why a file is not a usable artifact.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Some other file.
    #[error("this is not a Pointsman policy file; `pointsman train` writes them")]
    NotAnArtifact,
    /// Cut or changed after it was written.
    #[error("the file is damaged: its SHA-256 is {found}, written was {written}; copy it again")]
    Damaged { found: String, written: String },
    /// The digest holds, but what it covers is not what this version writes.
    #[error("the file does not follow the artifact format: {message}")]
    Malformed { message: String },
    /// A format of another version.
    #[error("the file has format version {found}, this build reads {expected}; train it again")]
    FormatVersion { found: u32, expected: u32 },
    /// Text was hashed by other rules.
    #[error(
        "the file was trained for feature schema {found}, this build has up to {expected}; train it \
         again"
    )]
    FeatureSchema { found: u32, expected: u32 },
    /// Numbers that do not make a scorer.
    #[error("the file's weights cannot be used: {0}")]
    Scorer(#[from] ScorerError),
    /// This machine does not compute what the trainer computed.
    #[error(
        "golden input {index} scores {found} for column {column} here, {expected} was written; \
         do not use this file on this machine, and report it"
    )]
    Golden { index: usize, column: usize, found: f32, expected: f32 },
}

impl Artifact {
    /// Puts a scorer, its card and the keyed ids of the rows it was trained on together.
    ///
    /// # Errors
    /// [`ArtifactError`] where the card and the scorer do not go together.
    pub fn new(card: &Card, scorer: &Scorer, row_ids: &[u64]) -> Result<Self, ArtifactError> {
        codec::make(card, scorer, row_ids, &[])
    }

    /// The same with what was learned about models' answers; all readers have equally many next
    /// models.
    ///
    /// # Errors
    /// [`ArtifactError`] where readers and scorer do not go together.
    pub fn with_readers(&self, readers: &[Reader]) -> Result<Self, ArtifactError> {
        codec::make(&self.card, &self.scorer, &self.row_ids, readers)
    }

    /// The same with what is foreseen of its readers' answers, so that the first decision counts on
    /// them; of a model whose answers nothing reads there is nothing to foresee.
    ///
    /// # Errors
    /// [`ArtifactError`] where a model has no reader, or is named twice.
    pub fn with_foresight(&self, foresight: Vec<Foresight>) -> Result<Self, ArtifactError> {
        let card = Card { foresight, ..self.card.clone() };
        codec::make(&card, &self.scorer, &self.row_ids, &self.readers)
    }

    /// The same with more said about how it was learned; of two entries of one name the new one
    /// stays.
    ///
    /// # Errors
    /// None for an artifact that was checked; the signature is the encoder's.
    pub fn with_settings(&self, more: BTreeMap<String, String>) -> Result<Self, ArtifactError> {
        let mut card = self.card.clone();
        card.provenance.settings.extend(more);
        codec::make(&card, &self.scorer, &self.row_ids, &self.readers)
    }

    /// The same, of which more rows are remembered as trained on; ids are made by
    /// [`Card::row_id`].
    ///
    /// # Errors
    /// None for an artifact that was checked; the signature is the encoder's.
    pub fn with_rows(&self, more: &[u64]) -> Result<Self, ArtifactError> {
        let mut row_ids = self.row_ids.clone();
        row_ids.extend_from_slice(more);
        row_ids.sort_unstable();
        row_ids.dedup();
        codec::make(&self.card, &self.scorer, &row_ids, &self.readers)
    }

    /// Reads and checks a whole file. Where the bytes are handed over, they are gone before weights are
    /// arranged for scoring, so that there are never three copies of them.
    ///
    /// # Errors
    /// [`ArtifactError`] for everything that is not exactly what [`Self::to_bytes`] writes.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, ArtifactError> {
        codec::decode(bytes)
    }

    /// The file. The same artifact gives the same bytes.
    ///
    /// # Errors
    /// None for an artifact that was checked; the signature is the encoder's.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArtifactError> {
        match &self.file {
            Some(file) => Ok(file.to_vec()),
            None => {
                codec::encode(&self.card, &self.scorer, &self.row_ids, &self.readers).map(|it| it.0)
            }
        }
    }

    /// What people and programs read about the policy.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The SHA-256 of the file, as 64 hexadecimal digits: the policy's identity in every log.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The learned part.
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// What was learned about models' answers; empty where nothing was.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// Whether a row with this id was among those it was trained on; ids are made by
    /// [`Card::row_id`].
    pub fn was_trained_on(&self, row_id: u64) -> bool {
        self.row_ids.binary_search(&row_id).is_ok()
    }

    /// How many rows it was trained on.
    pub fn n_training_rows(&self) -> usize {
        self.row_ids.len()
    }
}

#[cfg(test)]
mod tests;

//! By which rules requests are read, as files and journals name them.

/// How text becomes terms. Part of every artifact: a scorer is only good for the schema that it
/// was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureSchema {
    log2_buckets: u8,
    bigrams: Bigrams,
    version: SchemaVersion,
}

/// The version of every rule by which requests are read: change one, and there is one more. All
/// stay, since files and journals outlive rules; what is learned anew has the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum SchemaVersion {
    /// Dense features count every byte.
    First,
    /// They count what is not blank, line feeds only between words and marks, and capitals only
    /// beyond [`super::PLAIN_CAPITALS`]: doubled blanks change none of them, and a text in small
    /// letters is much like one that begins its sentences with a capital.
    #[default]
    Second,
}

/// Whether pairs of neighbouring words are terms beside the words themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bigrams {
    /// Words alone.
    Without,
    /// Words and pairs of words.
    With,
}

/// A bucket count that no schema has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("2^{found} buckets; the exponent must be from 8 to 20 (18 is usual)")]
pub struct BucketCountError {
    found: u8,
}

impl FeatureSchema {
    /// A schema with `2^log2_buckets` buckets, by the last rules.
    ///
    /// # Errors
    /// [`BucketCountError`] outside 8 to 20.
    pub fn new(log2_buckets: u8, bigrams: Bigrams) -> Result<Self, BucketCountError> {
        if (8..=20).contains(&log2_buckets) {
            return Ok(Self { log2_buckets, bigrams, version: SchemaVersion::default() });
        }
        Err(BucketCountError { found: log2_buckets })
    }

    /// The same schema with so many buckets.
    ///
    /// # Errors
    /// [`BucketCountError`] outside 8 to 20.
    pub fn with_log2_buckets(self, log2_buckets: u8) -> Result<Self, BucketCountError> {
        Ok(Self::new(log2_buckets, self.bigrams)?.with_version(self.version))
    }

    /// The same schema by the rules of a version.
    #[must_use]
    pub const fn with_version(self, version: SchemaVersion) -> Self {
        Self { log2_buckets: self.log2_buckets, bigrams: self.bigrams, version }
    }

    /// Which rules it follows.
    pub const fn version(self) -> SchemaVersion {
        self.version
    }

    /// The binary logarithm of the number of buckets.
    pub const fn log2_buckets(self) -> u8 {
        self.log2_buckets
    }

    /// The number of buckets.
    pub const fn n_buckets(self) -> usize {
        1 << self.log2_buckets
    }

    /// Whether pairs of words count.
    pub const fn bigrams(self) -> Bigrams {
        self.bigrams
    }
}

impl Default for FeatureSchema {
    fn default() -> Self {
        Self { log2_buckets: 18, bigrams: Bigrams::With, version: SchemaVersion::default() }
    }
}

impl SchemaVersion {
    /// The number that files and journals know it by.
    pub const fn number(self) -> u32 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    /// The version of that number.
    pub fn of_number(number: u32) -> Option<Self> {
        [Self::First, Self::Second].into_iter().find(|version| version.number() == number)
    }
}

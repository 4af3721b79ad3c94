//! Names for hashed terms, in a file of their own beside a policy.
//!
//! A policy file holds numbers of buckets and no words, so that it may go where prompts may not. A
//! dictionary is written only on request and is as private as the prompts are: a term stands in it
//! only if at least so many different groups of training requests hold it (k-anonymity; Sweeney,
//! International Journal of Uncertainty, Fuzziness and Knowledge-Based Systems 10, 2002). Weakness:
//! what many prompts share may still be a secret, such as the name of a customer with many prompts.

#[cfg(feature = "learn")]
mod builder;

#[cfg(feature = "learn")]
pub(crate) use builder::{DictionaryFlags, Reading};

use crate::files;
use anyhow::{Context, Result, bail};
use pointsman_core::features::{Bigrams, FeatureSchema};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// The version of the file.
const FORMAT_VERSION: u32 = 1;

/// Names of buckets, the most frequent first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dictionary {
    format_version: u32,
    schema_version: u32,
    log2_buckets: u8,
    bigrams: bool,
    data_sha256: String,
    /// Every term is in at least so many groups of requests.
    pub(crate) least_groups: usize,
    terms: BTreeMap<u32, Vec<Term>>,
}

/// A term that many requests hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Term {
    text: String,
    part: String,
    n_groups: usize,
}

impl Dictionary {
    /// Reads the dictionary of a policy that was trained on data of this digest.
    pub(crate) fn read(path: &Path, schema: FeatureSchema, data_sha256: &str) -> Result<Self> {
        let name = || path.display().to_string();
        let text = files::read_text(path, "`pointsman train --dictionary` writes dictionaries")?;
        let read: Self = serde_json::from_str(&text).with_context(|| {
            format!("{} is no dictionary; `pointsman train --dictionary` writes them", name())
        })?;
        if read.format_version != FORMAT_VERSION {
            bail!(
                "{} has format version {}, this build reads {FORMAT_VERSION}; write it again",
                name(),
                read.format_version
            );
        }
        let is_same = read.schema_version == schema.version().number()
            && read.log2_buckets == schema.log2_buckets()
            && read.bigrams == (schema.bigrams() == Bigrams::With)
            && read.data_sha256 == data_sha256;
        if !is_same {
            bail!(
                "{} was written with another policy: its features or its data differ; name the one \
                 that was written with this policy",
                name()
            );
        }
        Ok(read)
    }

    /// What a bucket stands for, as people read it; `None` where no term is frequent enough.
    pub(crate) fn name(&self, bucket: u32) -> Option<String> {
        let names: Vec<String> = self
            .terms
            .get(&bucket)?
            .iter()
            .map(|term| match &*term.part {
                "question" => format!("`{}`", term.text),
                part => format!("`{}` ({part})", term.text),
            })
            .collect();
        Some(names.join(" or "))
    }
}

//! How a dictionary is made: terms of the training requests, and how many groups hold each.

use super::{Dictionary, FORMAT_VERSION, Term};
use crate::{files, screen::Screen, wording};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    artifact::Artifact,
    features::{Bigrams, FeatureSchema, Part, for_each_piece, for_each_term_of},
    request::Request,
};
use pointsman_data::{LogOptions, ReadOptions, read_log, read_outcomes};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The most names that a bucket keeps.
const MOST_NAMES: usize = 3;

/// Flags that ask for a dictionary.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct DictionaryFlags {
    /// Also write the names of frequent terms, for `inspect --terms`; as private as the prompts.
    #[arg(long, value_name = "FILE")]
    dictionary: Option<PathBuf>,
    /// How many different prompts or conversations at least hold each term of the dictionary.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "dictionary")]
    dictionary_least: usize,
}

/// The data of a policy, and how it is read.
pub(crate) struct Reading<'a> {
    pub(crate) log: &'a [PathBuf],
    pub(crate) table: &'a [PathBuf],
    pub(crate) log_options: LogOptions,
    pub(crate) table_options: ReadOptions,
}

impl DictionaryFlags {
    /// Refuses a dictionary that would give prompts away.
    pub(crate) fn check(&self) -> Result<()> {
        let found = self.dictionary_least;
        if self.dictionary.is_some() && found < 2 {
            bail!(
                "--dictionary-least {found}: a term of one prompt gives it away; ask for 2 or more \
                 (5 is usual)"
            );
        }
        Ok(())
    }

    /// Where it goes, if it was asked for.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.dictionary.as_deref()
    }

    /// Writes it, if it was asked for. Reads the data twice: for the groups of its requests, then
    /// for the names of their terms.
    pub(crate) fn write(
        &self,
        data: &Reading<'_>,
        artifact: &Artifact,
        screen: &Screen,
    ) -> Result<()> {
        let Some(path) = &self.dictionary else { return Ok(()) };
        let mut builder = DictionaryBuilder::new(artifact.scorer().schema());
        if data.log.is_empty() {
            let prompts = read_outcomes(data.table, &data.table_options, &mut |_, _| ())?.prompts;
            read_outcomes(data.table, &data.table_options, &mut |index, request| {
                builder.push(request, prompts[index].group);
            })?;
        } else {
            let read = read_log(data.log, &data.log_options, &mut |_, _| ());
            let known = read.context("--dictionary")?;
            if let Some(&n) = known.dropped.get("the request has features and no text") {
                screen.say(&wording::counted(
                    n,
                    "request without text gives the dictionary no names",
                    "requests without text give the dictionary no names",
                ))?;
            }
            read_log(data.log, &data.log_options, &mut |index, asked| {
                if let Some(request) = asked.text() {
                    builder.push(request, known.rows[index].group);
                }
            })?;
        }
        let digest = &artifact.card().provenance.data_digest;
        let dictionary = builder.finish(self.dictionary_least, digest);
        dictionary.write(path)?;
        let n = wording::counted_length(dictionary.terms.len(), "bucket", "buckets");
        screen.say(&format!("wrote {}: names of {n}", path.display()))
    }
}

/// Collects terms while requests come by.
struct DictionaryBuilder {
    schema: FeatureSchema,
    found: BTreeMap<(u32, &'static str, String), BTreeSet<u64>>,
}

impl DictionaryBuilder {
    /// For one schema.
    fn new(schema: FeatureSchema) -> Self {
        Self { schema, found: BTreeMap::new() }
    }

    /// Adds one request of a group.
    fn push(&mut self, request: &Request<'_>, group: u64) {
        let Self { schema, found } = self;
        for_each_piece(&request.messages, |part, text| {
            for_each_term_of(*schema, part, text, |bucket, span| {
                let key = (bucket, name_of(part), folded(&text[span]));
                found.entry(key).or_default().insert(group);
            });
        });
    }

    /// The terms of at least `least_groups` groups; `data_sha256` says of which data.
    fn finish(self, least_groups: usize, data_sha256: &str) -> Dictionary {
        let mut terms: BTreeMap<u32, Vec<Term>> = BTreeMap::new();
        for ((bucket, part, text), groups) in self.found {
            if least_groups <= groups.len() {
                let term = Term { text, part: part.to_owned(), n_groups: groups.len() };
                terms.entry(bucket).or_default().push(term);
            }
        }
        for names in terms.values_mut() {
            // Equally frequent ones stay in alphabetical order.
            names.sort_by_key(|term| std::cmp::Reverse(term.n_groups));
            names.truncate(MOST_NAMES);
        }
        Dictionary {
            format_version: FORMAT_VERSION,
            schema_version: self.schema.version().number(),
            log2_buckets: self.schema.log2_buckets(),
            bigrams: self.schema.bigrams() == Bigrams::With,
            data_sha256: data_sha256.to_owned(),
            least_groups,
            terms,
        }
    }
}

impl Dictionary {
    /// Writes it as JSON.
    fn write(&self, path: &Path) -> Result<()> {
        files::write(path, format!("{}\n", serde_json::to_string(self)?).as_bytes())
    }
}

fn name_of(part: Part) -> &'static str {
    match part {
        Part::System => "system",
        Part::Question => "question",
        Part::History => "history",
        Part::Answer => "answer",
    }
}

/// A term as it is hashed: small letters, every digit as 0, and of a pair its two words alone. A
/// mark is itself.
fn folded(text: &str) -> String {
    let is_word = |character: char| character.is_ascii_alphanumeric() || !character.is_ascii();
    let fold = |character: char| if character.is_ascii_digit() { '0' } else { character };
    let words: Vec<String> = text
        .split(|character| !is_word(character))
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().flat_map(char::to_lowercase).map(fold).collect())
        .collect();
    if words.is_empty() { text.to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn schema() -> FeatureSchema {
        FeatureSchema::new(12, Bigrams::With).unwrap()
    }

    fn bucket_of(text: &str) -> u32 {
        let mut found = None;
        for_each_term_of(schema(), Part::Question, text, |bucket, span| {
            found = (span == (0..text.len())).then_some(bucket).or(found);
        });
        found.unwrap()
    }

    #[test]
    fn rare_terms_have_no_name() {
        let mut builder = DictionaryBuilder::new(schema());
        for group in 0..5 {
            builder.push(&Request::from_prompt("Add 17 and"), group);
            builder.push(&Request::from_prompt(&format!("for customer{group}x")), 9);
        }
        let dictionary = builder.finish(5, "digest");
        assert_eq!(dictionary.name(bucket_of("add")).unwrap(), "`add`");
        assert_eq!(dictionary.name(bucket_of("Add 17")).unwrap(), "`add 00`");
        assert_eq!(dictionary.name(bucket_of("for")), None, "five requests of one group");
        let text = serde_json::to_string(&dictionary).unwrap();
        assert!(!text.contains("customer"), "{text}");
    }

    #[test]
    fn only_the_policys_own_dictionary_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.json");
        let dictionary = DictionaryBuilder::new(schema()).finish(5, "digest");
        dictionary.write(&path).unwrap();
        assert_eq!(Dictionary::read(&path, schema(), "digest").unwrap(), dictionary);
        for (schema, digest) in [(schema(), "other"), (FeatureSchema::default(), "digest")] {
            let error = Dictionary::read(&path, schema, digest).unwrap_err().to_string();
            assert!(error.contains("was written with another policy"), "{error}");
        }
        fs::write(&path, "{}").unwrap();
        let error = Dictionary::read(&path, schema(), "digest").unwrap_err().to_string();
        assert!(error.contains("is no dictionary"), "{error}");
    }

    #[test]
    fn terms_are_named_as_they_are_hashed() {
        for (text, expected) in
            [("Über", "über"), ("A, b", "a b"), ("2024", "0000"), ("?", "?"), ("{", "{")]
        {
            assert_eq!(folded(text), expected);
        }
    }
}

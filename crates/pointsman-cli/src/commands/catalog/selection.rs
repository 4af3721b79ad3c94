//! Which models of a list or a catalog are meant, by name and by pattern.

use crate::nearest::did_you_mean;
use anyhow::{Result, bail};
use glob::Pattern;

/// Flags that choose models.
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// Only these models.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    models: Vec<String>,
    /// Only models whose names fit, such as `openai/*`; with --models, these too.
    #[arg(long, value_name = "GLOB")]
    like: Vec<String>,
}

/// The models that are meant.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    models: &'a [String],
    patterns: Vec<Pattern>,
}

impl Selection {
    /// Reads the patterns, and holds names and patterns against the `known` models of `place`.
    pub(super) fn among(&self, known: &[&str], place: &str) -> Result<Chosen<'_>> {
        check_names("model", &self.models, known, place)?;
        let mut patterns = Vec::with_capacity(self.like.len());
        for text in &self.like {
            let pattern = match Pattern::new(text) {
                Ok(pattern) => pattern,
                Err(problem) => bail!("--like {text}: {}; use * and ?", problem.msg),
            };
            if !known.iter().any(|name| pattern.matches(name)) {
                bail!(
                    "--like {text} fits no model of {place}; its names are like `{}`",
                    example(known)
                );
            }
            patterns.push(pattern);
        }
        Ok(Chosen { models: &self.models, patterns })
    }
}

impl Chosen<'_> {
    /// Whether nothing was asked for, so that every model is meant.
    pub(super) fn is_everything(&self) -> bool {
        self.models.is_empty() && self.patterns.is_empty()
    }

    /// Whether this model is meant.
    pub(super) fn takes(&self, model: &str) -> bool {
        self.is_everything()
            || self.models.iter().any(|name| name == model)
            || self.patterns.iter().any(|pattern| pattern.matches(model))
    }
}

/// Refuses names that are not among those that are `known`.
pub(super) fn check_names(what: &str, names: &[String], known: &[&str], place: &str) -> Result<()> {
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        let question = did_you_mean(name, known.iter().copied());
        bail!("{place} has no {what} `{name}`{question}");
    }
    Ok(())
}

fn example<'k>(known: &[&'k str]) -> &'k str {
    known.first().copied().unwrap_or_default()
}

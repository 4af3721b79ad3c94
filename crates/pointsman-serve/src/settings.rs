//! `pointsman.toml`: everything about a service that is not its policy or its catalog.
//!
//! Unknown keys are errors, so that a typo cannot pass for a setting. Nothing in it is secret: of
//! API keys it holds digests.

use crate::traces::Traces;
use pointsman_log::body::unquoted;
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf};

mod check;
mod list;

pub(crate) use check::CheckedKey;

/// How a service is set up.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where callers come in.
    pub listen: SocketAddr,
    /// Where operators come in.
    pub admin_listen: SocketAddr,
    /// The objective of calls that name none; the policy's first operating point where `None`.
    pub objective: Option<String>,
    /// How often the policy and the catalog are looked at for changes, in seconds; never where
    /// `None`.
    pub watch_s: Option<u64>,
    /// Further policies that decide along, without effect.
    pub shadow: Vec<PathBuf>,
    /// How much is gambled.
    pub explore: Explore,
    /// What is kept of decisions and outcomes.
    pub journal: Journal,
    /// How much the service takes on.
    pub limits: Limits,
    /// Who may call; anybody where empty, and then only from this machine.
    pub keys: Vec<Key>,
    /// The SHA-256 of the operators' key, in hexadecimal; anybody on the admin listener where
    /// `None`, and then only from this machine.
    pub admin_key_sha256: Option<String>,
    /// Where traces go.
    pub traces: Traces,
}

/// How much is gambled.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Explore {
    /// `greedy`, `epsilon:0.1`, `softmax:0.05` (temperature) or `igw:100` (gamma).
    pub how: String,
    /// The largest share of decisions that are not the best model's.
    pub share: f64,
    /// The most that they may cost above the best model's, in dollars a day.
    pub usd_per_day: Option<f64>,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// The folder; nothing is kept, and nothing explored, where `None`.
    pub folder: Option<PathBuf>,
    /// Where a decision is before it is answered.
    pub decisions: Durability,
    /// Where an outcome is before it is answered.
    pub outcomes: Durability,
    /// What happens to calls while the journal takes no records.
    pub when_full: WhenFull,
    /// How much of the prompts is kept.
    pub prompts: Prompts,
    /// The largest segment, in bytes.
    pub segment_bytes: u64,
    /// The oldest segments are removed while all are larger than this.
    pub keep_bytes: Option<u64>,
    /// Segments are removed once they are older than this.
    pub keep_days: Option<u64>,
    /// An outcome is late where it comes more than this after its decision, in seconds.
    pub late_after_s: u64,
    /// The lowest and the highest grade of an answer.
    pub quality_range: (i32, i32),
}

/// Where a record is before its call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Handed to the operating system: it outlives the process, not a power cut.
    Os,
    /// On the disk.
    Fsync,
}

/// What happens to calls while the journal takes no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// They are routed to the best model and answered with `logged: false`.
    Serve,
    /// They are refused.
    Refuse,
}

/// How much of the prompts is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompts {
    /// Lengths, a keyed hash whose key ends with the process, and the features that the decision
    /// was made from.
    Hash,
    /// Lengths and the keyed hash; nothing can be learned from it.
    HashOnly,
    /// The text with addresses, long tokens and digits masked.
    Redact,
    /// The text.
    Full,
}

impl Prompts {
    /// As the settings spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::HashOnly => "hash_only",
            Self::Redact => "redact",
            Self::Full => "full",
        }
    }
}

/// How much the service takes on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The longest body, in bytes.
    pub body_bytes: usize,
    /// How long a caller may take to send its headers, in milliseconds.
    pub header_ms: u64,
    /// How long a caller may take to send its body, in milliseconds.
    pub body_ms: u64,
    /// Calls that are being answered at once; more are turned away.
    pub in_flight: usize,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// The most calls in one batch.
    pub batch: usize,
    /// How long calls in flight may take once the service is told to stop, in milliseconds.
    pub drain_ms: u64,
    /// Conversations that are remembered.
    pub sessions: usize,
    /// How long a provider keeps a prompt in its cache, in seconds.
    pub cache_s: u64,
}

/// Somebody who may call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The name in logs and in the journal, as the tenant.
    pub name: String,
    /// The SHA-256 of the key, in hexadecimal.
    pub sha256: String,
    /// Calls a second, on average.
    pub per_second: Option<f64>,
    /// Calls at once, after a while without any.
    pub burst: Option<f64>,
    /// The most that its decisions may be expected to cost, in dollars a day.
    pub usd_per_day: Option<f64>,
    /// The most tokens that they may be expected to take, of prompts and answers, a day.
    pub tokens_per_day: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8788)),
            objective: None,
            watch_s: Some(2),
            shadow: Vec::new(),
            explore: Explore::default(),
            journal: Journal::default(),
            limits: Limits::default(),
            keys: Vec::new(),
            admin_key_sha256: None,
            traces: Traces::default(),
        }
    }
}

impl Default for Explore {
    fn default() -> Self {
        Self { how: "greedy".to_owned(), share: 0.1, usd_per_day: None }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            folder: None,
            decisions: Durability::Os,
            outcomes: Durability::Fsync,
            when_full: WhenFull::Serve,
            prompts: Prompts::Hash,
            segment_bytes: 64 << 20,
            keep_bytes: None,
            keep_days: None,
            late_after_s: 7 * 24 * 60 * 60,
            quality_range: (0, 1),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 10 << 20,
            header_ms: 10_000,
            body_ms: 30_000,
            in_flight: 1024,
            connections: 4096,
            batch: 256,
            drain_ms: 30_000,
            sessions: 100_000,
            cache_s: 300,
        }
    }
}

/// Settings that cannot be.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not TOML, or not of this shape.
    #[error("the settings are not valid TOML of the expected shape: {message}")]
    Toml { message: String },
    /// A value that is out of its range.
    #[error("`{key}` {problem}")]
    Value { key: String, problem: String },
    /// Open to the network without a key.
    #[error(
        "`{key}` is {address}, which others can reach, and {what}; add one, or listen on 127.0.0.1"
    )]
    Open { key: &'static str, address: SocketAddr, what: &'static str },
}

impl Settings {
    /// Reads the TOML form.
    ///
    /// # Errors
    /// [`SettingsError`] where the text is no settings, or a value in it cannot be.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        let settings = Self::from_toml_unchecked(text)?;
        settings.check()?;
        Ok(settings)
    }

    /// Reads the TOML form without asking whether its values go together, for a caller that
    /// changes some of them; [`crate::Service::new`] asks.
    ///
    /// # Errors
    /// [`SettingsError::Toml`] where the text is no settings.
    pub fn from_toml_unchecked(text: &str) -> Result<Self, SettingsError> {
        parse(text)
    }
}

/// Reads TOML, its refusal in one line, which names the line that is at fault but does not repeat it:
/// a key may stand there that should not.
fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, SettingsError> {
    toml::from_str(text).map_err(|source: toml::de::Error| {
        let message = unquoted(&source.message());
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let before = source.span().and_then(|span| text.get(..span.start));
        let message = match before {
            Some(before) => format!("line {}: {message}", 1 + before.matches('\n').count()),
            None => message,
        };
        SettingsError::Toml { message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refusal(text: &str, expected: &str) {
        let message = Settings::from_toml(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn nothing_has_to_be_set() {
        assert_eq!(Settings::from_toml("").unwrap(), Settings::default());
    }

    #[test]
    fn a_key_that_stands_in_the_settings_by_mistake_is_not_repeated() {
        for (line, expected) in [
            ("key = \"sk-canary\"", "line 4: unknown field `key`, expected one of `name`"),
            ("sha256 = \"sk-canary", "line 4: "),
            ("per_second = \"sk-canary\"", "invalid type: string, expected f64"),
            ("sk-canary", "line 4: "),
            ("sha256 = \"sk-canary\"", "`keys.a.sha256` is not a SHA-256"),
        ] {
            let text = format!("watch_s = 1\n[[keys]]\nname = \"a\"\n{line}\n");
            let message = Settings::from_toml(&text).unwrap_err().to_string();
            assert!(message.contains(expected) && !message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn every_mistake_gets_a_sentence() {
        let digest = "0".repeat(64);
        let key = format!("[[keys]]\nname = \"a\"\nsha256 = \"{digest}\"\n");
        check_refusal("port = 1", "unknown field `port`");
        check_refusal("[explore]\nhow = \"thompson\"", "`explore.how` is `thompson`; write greedy");
        check_refusal(
            "[explore]\nhow = \"epsilon:2\"",
            "`explore.how` is `epsilon:2`: 2 is not in",
        );
        check_refusal("[explore]\nhow = \"igw:100\"", "explores, but nothing is logged");
        check_refusal("[explore]\nshare = 1.5", "`explore.share` 1.5 is not in [0, 1]");
        check_refusal("[journal]\nquality_range = [1, 1]", "has to go up");
        check_refusal("[limits]\nbatch = 0", "`limits.batch` is 0");
        check_refusal("listen = \"0.0.0.0:80\"", "there are no `keys`");
        check_refusal("admin_listen = \"0.0.0.0:80\"", "there is no `admin_key_sha256`");
        check_refusal(
            "[[keys]]\nname = \"a\"\nsha256 = \"sk-1\"",
            "`keys.a.sha256` is not a SHA-256",
        );
        check_refusal(&key.replace("\"a\"", "\"a b\""), "has the name `a b`");
        check_refusal(
            &format!("{key}per_second = 0.0"),
            "`keys.a.per_second` is not a number above",
        );
        check_refusal(
            &format!("{key}tokens_per_day = 0"),
            "`keys.a.tokens_per_day` is 0; it has to be at least 1",
        );
        check_refusal(&format!("{key}tokens_per_day = 1.5"), "floating point `1.5`, expected u64");
        check_refusal(&key.repeat(2), "`keys` has `a`, or its digest, twice");
        check_refusal(
            &format!("admin_key_sha256 = \"{digest}\"\n{key}"),
            "`admin_key_sha256` is a caller's key too",
        );
    }
}

//! Settings as the service runs on them: in types that cannot be wrong, or refused with their name.

use super::{Key, Settings, SettingsError};
use crate::{budget, keys::Digest, traces::Collector};
use pointsman_core::{
    explorer::{Explorer, Rule},
    units::{Probability, Tokens, Usd},
};

/// Settings in the types that the service runs on.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) explorer: Explorer,
    pub(crate) exploration: budget::Limits,
    pub(crate) admin_key: Option<Digest>,
    pub(crate) keys: Vec<CheckedKey>,
    pub(crate) collector: Option<Collector>,
}

/// Somebody who may call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckedKey {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) per_second: Option<f64>,
    pub(crate) burst: f64,
    pub(crate) usd_per_day: Option<Usd>,
    pub(crate) tokens_per_day: Option<Tokens>,
}

#[expect(clippy::needless_pass_by_value, reason = "an adapter for `map_err`")]
fn value(key: &str, problem: impl ToString) -> SettingsError {
    SettingsError::Value { key: key.to_owned(), problem: problem.to_string() }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<Checked, SettingsError> {
        let explorer = explorer(&self.explore.how).map_err(|e| value("explore.how", e))?;
        let share = Probability::new(self.explore.share).map_err(|e| value("explore.share", e))?;
        let usd = |key: &str, dollars: Option<f64>| {
            dollars.map(Usd::from_dollars).transpose().map_err(|error| value(key, error))
        };
        let usd_per_day = usd("explore.usd_per_day", self.explore.usd_per_day)?;
        for (key, number) in [
            ("limits.body_bytes", self.limits.body_bytes),
            ("limits.in_flight", self.limits.in_flight),
            ("limits.connections", self.limits.connections),
            ("limits.batch", self.limits.batch),
        ] {
            if number == 0 {
                return Err(value(key, NONE_AT_ALL));
            }
        }
        let (lowest, highest) = self.journal.quality_range;
        if highest <= lowest {
            return Err(value("journal.quality_range", "has to go up, as in [0, 10]"));
        }
        if explorer.explores() && self.journal.folder.is_none() {
            let problem = "explores, but nothing is logged; name a folder as `journal.folder`";
            return Err(value("explore.how", problem));
        }
        let keys: Vec<CheckedKey> = self.keys.iter().map(Key::check).collect::<Result<_, _>>()?;
        for (index, key) in keys.iter().enumerate() {
            let is_twice =
                |other: &CheckedKey| other.name == key.name || other.digest == key.digest;
            if keys[..index].iter().any(is_twice) {
                return Err(value("keys", format!("has `{}`, or its digest, twice", key.name)));
            }
        }
        let digest = |hex: &String| {
            Digest::from_hex(hex).ok_or_else(|| value("admin_key_sha256", NOT_A_DIGEST))
        };
        let admin_key = self.admin_key_sha256.as_ref().map(digest).transpose()?;
        if keys.iter().any(|key| Some(key.digest) == admin_key) {
            return Err(value("admin_key_sha256", "is a caller's key too; make another one"));
        }
        self.check_open(!keys.is_empty(), admin_key.is_some())?;
        let collector = self.traces.endpoint.as_deref().map(Collector::parse).transpose();
        let collector = collector.map_err(|problem| value("traces.endpoint", problem))?;
        let exploration = budget::Limits { share: share.get(), usd_per_day };
        Ok(Checked { explorer, exploration, admin_key, keys, collector })
    }

    fn check_open(&self, has_keys: bool, has_admin_key: bool) -> Result<(), SettingsError> {
        let listeners = [
            ("listen", self.listen, has_keys, "there are no `keys`"),
            ("admin_listen", self.admin_listen, has_admin_key, "there is no `admin_key_sha256`"),
        ];
        for (key, address, is_guarded, what) in listeners {
            if !is_guarded && !address.ip().is_loopback() {
                return Err(SettingsError::Open { key, address, what });
            }
        }
        Ok(())
    }
}

const NONE_AT_ALL: &str = "is 0; it has to be at least 1";

const NOT_A_DIGEST: &str = "is not a SHA-256 of 64 hexadecimal digits; `printf %s KEY | sha256sum`";

impl Key {
    fn check(&self) -> Result<CheckedKey, SettingsError> {
        let Self { name, sha256, per_second, burst, usd_per_day, tokens_per_day } = self;
        let key = |field: &str| format!("keys.{name}.{field}");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(value(
                "keys",
                format!("has the name `{name}`; use letters, digits, . _ -"),
            ));
        }
        let digest = Digest::from_hex(sha256).ok_or_else(|| value(&key("sha256"), NOT_A_DIGEST))?;
        for (field, number) in [("per_second", per_second), ("burst", burst)] {
            if number.is_some_and(|number| !(number.is_finite() && 0.0 < number)) {
                return Err(value(&key(field), "is not a number above zero"));
            }
        }
        if *tokens_per_day == Some(0) {
            return Err(value(&key("tokens_per_day"), NONE_AT_ALL));
        }
        let usd_per_day = usd_per_day.map(Usd::from_dollars).transpose();
        Ok(CheckedKey {
            name: name.clone(),
            digest,
            per_second: *per_second,
            burst: burst.or(*per_second).unwrap_or(1.0).max(1.0),
            usd_per_day: usd_per_day.map_err(|error| value(&key("usd_per_day"), error))?,
            tokens_per_day: tokens_per_day.map(Tokens::new),
        })
    }
}

/// An explorer, as settings spell it.
fn explorer(text: &str) -> Result<Explorer, String> {
    let unknown = || format!("is `{text}`; write greedy, epsilon:0.1, softmax:0.05 or igw:100");
    let (name, number) = text.split_once(':').map_or((text, None), |(n, v)| (n, Some(v)));
    let number = number.map(str::parse::<f64>).transpose().map_err(|_| unknown())?;
    let (rule, floor) = match (name, number) {
        ("greedy", None) => (Rule::Greedy, 0.0),
        ("epsilon", Some(epsilon)) => (Rule::Greedy, epsilon),
        ("softmax", Some(temperature)) => (Rule::Softmax { temperature }, 0.0),
        ("igw", Some(gamma)) => (Rule::InverseGap { gamma }, 0.0),
        _ => return Err(unknown()),
    };
    let floor = Probability::new(floor).map_err(|error| format!("is `{text}`: {error}"))?;
    Explorer::new(rule, floor).map_err(|error| format!("is `{text}`: {error}"))
}

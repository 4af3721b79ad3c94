//! Every setting by its name, for whoever wants to know what a service runs on.

use super::{Durability, Explore, Journal, Key, Limits, Settings, SettingsError, WhenFull};
use crate::traces::Traces;
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Settings {
    /// Every setting by the name that the file has for it, such as `journal.folder`; null where it
    /// is not set. Of keys it says whose they are and what they may, not their digests.
    pub fn list(&self) -> Vec<(String, Value)> {
        let Self {
            listen,
            admin_listen,
            objective,
            watch_s,
            shadow,
            explore,
            journal,
            limits,
            keys,
            admin_key_sha256,
            traces: Traces { endpoint },
        } = self;
        let mut all = vec![
            ("listen".to_owned(), json!(listen.to_string())),
            ("admin_listen".to_owned(), json!(admin_listen.to_string())),
            ("objective".to_owned(), json!(objective)),
            ("watch_s".to_owned(), json!(watch_s)),
            ("shadow".to_owned(), shadow.iter().map(|path| path.display().to_string()).collect()),
            ("admin_key_sha256".to_owned(), hidden(admin_key_sha256.as_deref())),
        ];
        all.push(("traces.endpoint".to_owned(), json!(endpoint)));
        all.extend(under("explore", of_explore(explore)));
        all.extend(under("journal", of_journal(journal)));
        all.extend(under("limits", of_limits(limits)));
        for key in keys {
            all.extend(under(&format!("keys.{}", key.name), of_key(key)));
        }
        all
    }

    /// The names of the settings that a file sets, as [`Self::list`] has them.
    ///
    /// # Errors
    /// [`SettingsError::Toml`] where the text is no TOML.
    pub fn keys_in(text: &str) -> Result<BTreeSet<String>, SettingsError> {
        let table: toml::Table = super::parse(text)?;
        let mut found = BTreeSet::new();
        collect(&table, "", &mut found);
        Ok(found)
    }

    /// Whether a service could run on these settings.
    ///
    /// # Errors
    /// [`SettingsError`] for values that cannot be, or do not go together.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.check().map(|_checked| ())
    }
}

type Entries = Vec<(&'static str, Value)>;

fn under(table: &str, entries: Entries) -> Vec<(String, Value)> {
    entries.into_iter().map(|(key, value)| (format!("{table}.{key}"), value)).collect()
}

fn hidden(digest: Option<&str>) -> Value {
    digest.map_or(Value::Null, |_| json!("(a digest)"))
}

fn of_explore(explore: &Explore) -> Entries {
    let Explore { how, share, usd_per_day } = explore;
    vec![("how", json!(how)), ("share", json!(share)), ("usd_per_day", json!(usd_per_day))]
}

fn of_journal(journal: &Journal) -> Entries {
    let Journal {
        folder,
        decisions,
        outcomes,
        when_full,
        prompts,
        segment_bytes,
        keep_bytes,
        keep_days,
        late_after_s,
        quality_range,
    } = journal;
    let durability = |of: &Durability| match of {
        Durability::Os => "os",
        Durability::Fsync => "fsync",
    };
    let when_full = match when_full {
        WhenFull::Serve => "serve",
        WhenFull::Refuse => "refuse",
    };
    vec![
        ("folder", json!(folder.as_ref().map(|folder| folder.display().to_string()))),
        ("decisions", json!(durability(decisions))),
        ("outcomes", json!(durability(outcomes))),
        ("when_full", json!(when_full)),
        ("prompts", json!(prompts.name())),
        ("segment_bytes", json!(segment_bytes)),
        ("keep_bytes", json!(keep_bytes)),
        ("keep_days", json!(keep_days)),
        ("late_after_s", json!(late_after_s)),
        ("quality_range", json!([quality_range.0, quality_range.1])),
    ]
}

fn of_limits(limits: &Limits) -> Entries {
    let Limits {
        body_bytes,
        header_ms,
        body_ms,
        in_flight,
        connections,
        batch,
        drain_ms,
        sessions,
        cache_s,
    } = limits;
    vec![
        ("body_bytes", json!(body_bytes)),
        ("header_ms", json!(header_ms)),
        ("body_ms", json!(body_ms)),
        ("in_flight", json!(in_flight)),
        ("connections", json!(connections)),
        ("batch", json!(batch)),
        ("drain_ms", json!(drain_ms)),
        ("sessions", json!(sessions)),
        ("cache_s", json!(cache_s)),
    ]
}

fn of_key(key: &Key) -> Entries {
    let Key { name: _, sha256, per_second, burst, usd_per_day, tokens_per_day } = key;
    vec![
        ("sha256", hidden(Some(sha256))),
        ("per_second", json!(per_second)),
        ("burst", json!(burst)),
        ("usd_per_day", json!(usd_per_day)),
        ("tokens_per_day", json!(tokens_per_day)),
    ]
}

/// The names in a table; entries of `[[keys]]` go by their own name.
fn collect(table: &toml::Table, above: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let name = format!("{above}{key}");
        if let toml::Value::Table(inner) = value {
            collect(inner, &format!("{name}."), found);
        } else if let ("keys", toml::Value::Array(entries)) = (name.as_str(), value) {
            for entry in entries.iter().filter_map(toml::Value::as_table) {
                let owner = entry.get("name").and_then(toml::Value::as_str).unwrap_or_default();
                collect(entry, &format!("keys.{owner}."), found);
            }
        } else {
            found.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: &str = r#"
        listen = "127.0.0.1:1"
        admin_listen = "127.0.0.1:2"
        objective = "balanced"
        watch_s = 3
        shadow = ["a.safetensors"]
        admin_key_sha256 = "00"
        [explore]
        how = "igw:100"
        share = 0.2
        usd_per_day = 1.0
        [journal]
        folder = "journal"
        decisions = "fsync"
        outcomes = "os"
        when_full = "refuse"
        prompts = "full"
        segment_bytes = 1
        keep_bytes = 2
        keep_days = 3
        late_after_s = 4
        quality_range = [0, 10]
        [limits]
        body_bytes = 1
        header_ms = 2
        body_ms = 3
        in_flight = 4
        connections = 5
        batch = 6
        drain_ms = 7
        sessions = 8
        cache_s = 9
        [[keys]]
        name = "app"
        sha256 = "11"
        per_second = 1.0
        burst = 2.0
        usd_per_day = 3.0
        tokens_per_day = 4
        [traces]
        endpoint = "http://127.0.0.1:4318/v1/traces"
    "#;

    #[test]
    fn every_setting_of_a_file_is_listed_under_its_name() {
        let settings = Settings::from_toml_unchecked(EVERYTHING).unwrap();
        let in_file = Settings::keys_in(EVERYTHING).unwrap();
        let list = settings.list();
        for (key, value) in &list {
            assert!(in_file.contains(key) && !value.is_null(), "{key}: {value}");
        }
        // The name of a key is in the names of its settings.
        assert_eq!(in_file.len(), list.len() + 1);
    }

    #[test]
    fn what_is_listed_reads_as_it_was_written() {
        let list = Settings::from_toml_unchecked(EVERYTHING).unwrap().list();
        let of = |key: &str| list.iter().find(|(name, _)| name == key).unwrap().1.to_string();
        for (key, expected) in [
            ("journal.decisions", "\"fsync\""),
            ("journal.outcomes", "\"os\""),
            ("journal.when_full", "\"refuse\""),
            ("journal.quality_range", "[0,10]"),
            ("keys.app.burst", "2.0"),
            ("keys.app.sha256", "\"(a digest)\""),
        ] {
            assert_eq!(of(key), expected, "{key}");
        }
    }
}

//! Features of VW in VW's text notation, the same whichever form they came in.
//!
//! Features are a set with numbers, so they are sorted: by namespace, then by name. A value of one is
//! not written, and every number is in its shortest digits.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

/// Namespaces with their features.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Features {
    namespaces: BTreeMap<String, Vec<String>>,
}

impl Features {
    /// The features of an object: its objects and arrays are namespaces, what begins with `_` is not
    /// a feature (but for the words of `_text`).
    pub(crate) fn of_json(value: &Value) -> Self {
        let mut features = Self::default();
        features.add_members("", value);
        features
    }

    /// A feature from the text form; `None` where its value is no finite number.
    pub(crate) fn add_token(&mut self, namespace: &str, token: &str) -> Option<()> {
        match token.rsplit_once(':') {
            Some((name, value)) => {
                let value = value.parse::<f64>().ok().filter(|value| value.is_finite())?;
                self.add(namespace, name, value);
            }
            None => self.add(namespace, token, 1.0),
        }
        Some(())
    }

    /// The value of the first feature `id=…`.
    pub(crate) fn id(&self) -> Option<&str> {
        let mut all = self.namespaces.values().flatten();
        all.find_map(|feature| feature.strip_prefix("id=")).filter(|id| !id.is_empty())
    }

    fn add(&mut self, namespace: &str, name: &str, value: f64) {
        let name = clean(name);
        let feature = if value == 1.0 { name } else { format!("{name}:{value}") };
        let features = self.namespaces.entry(clean(namespace)).or_default();
        let at = features.partition_point(|known| *known < feature);
        features.insert(at, feature);
    }

    fn add_members(&mut self, namespace: &str, value: &Value) {
        for (key, value) in value.as_object().into_iter().flatten() {
            if key == "_text" {
                for word in value.as_str().unwrap_or_default().split_whitespace() {
                    self.add(namespace, word, 1.0);
                }
            } else if !key.starts_with('_') {
                self.add_value(namespace, key, value);
            }
        }
    }

    fn add_value(&mut self, namespace: &str, key: &str, value: &Value) {
        match value {
            Value::Null | Value::Bool(false) => {}
            Value::Bool(true) => self.add(namespace, key, 1.0),
            Value::Number(number) => {
                self.add(namespace, key, number.as_f64().unwrap_or_default());
            }
            Value::String(text) => self.add(namespace, &format!("{key}={text}"), 1.0),
            Value::Object(_) => self.add_members(key, value),
            Value::Array(values) => {
                for (at, value) in values.iter().enumerate() {
                    match value {
                        Value::Object(_) => self.add_members(key, value),
                        Value::Null
                        | Value::Bool(_)
                        | Value::Number(_)
                        | Value::String(_)
                        | Value::Array(_) => self.add_value(key, &at.to_string(), value),
                    }
                }
            }
        }
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (namespace, features)) in self.namespaces.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}|{namespace} {}", features.join(" "))?;
        }
        Ok(())
    }
}

/// A name without the characters that mean something in the text form, as VW reads it.
fn clean(name: &str) -> String {
    name.chars().map(|c| if c.is_whitespace() || c == '|' || c == ':' { '_' } else { c }).collect()
}

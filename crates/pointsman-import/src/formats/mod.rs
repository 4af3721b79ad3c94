//! The formats: what each is called, what it is recognised by, and who reads its rows.
//!
//! A format is recognised by keys that its rows have and others do not. So a row of every format needs
//! to be an object, as which rows of CSV arrive too; the text form of Vowpal Wabbit alone is told by
//! how its blocks begin.

mod helicone;
mod langfuse;
mod litellm;
pub(crate) mod mapped;
mod openai;
mod openrouter;
mod otel;
mod own;
mod tensorzero;
pub(crate) mod unseen;

use pointsman_log::record::{PropensityKind, PropensityRecord};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    call::Found,
    item::{Dropped, Item, ReadRow, Reason},
    open_bandit, vw,
};
pub use mapped::{ColumnMap, Columns};

/// Who reads the rows of a format.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reader {
    /// Rows that give calls, scores and links.
    Calls(fn(&[u8], &mut Vec<Found>) -> Result<(), Dropped>),
    /// Rows that give records.
    Records(ReadRow),
}

/// A format that is known.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What `--from` calls it.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    pub(crate) reader: Reader,
    /// Keys of which a row has all of one line; a dot goes into an object.
    pub(crate) marks: &'static [&'static [&'static str]],
}

/// The one format whose rows are not JSON.
const TEXT_BLOCKS: &str = "vw-text";

/// All formats, by name.
pub const FORMATS: &[Format] = &[
    Format {
        name: "helicone",
        title: "Helicone",
        reader: Reader::Calls(helicone::read),
        marks: helicone::MARKS,
    },
    Format {
        name: "langfuse",
        title: "Langfuse",
        reader: Reader::Calls(langfuse::read),
        marks: langfuse::MARKS,
    },
    Format {
        name: "litellm",
        title: "LiteLLM",
        reader: Reader::Calls(litellm::read),
        marks: litellm::MARKS,
    },
    Format {
        name: "open-bandit",
        title: "Open Bandit",
        reader: Reader::Records(open_bandit::read),
        marks: open_bandit::MARKS,
    },
    Format {
        name: "openai",
        title: "OpenAI stored completions",
        reader: Reader::Calls(openai::read),
        marks: openai::MARKS,
    },
    Format {
        name: "openrouter",
        title: "OpenRouter",
        reader: Reader::Calls(openrouter::read),
        marks: openrouter::MARKS,
    },
    Format {
        name: "otel",
        title: "OpenTelemetry GenAI spans",
        reader: Reader::Calls(otel::read),
        marks: otel::MARKS,
    },
    Format {
        name: "pointsman",
        title: "traffic records",
        reader: Reader::Records(own::read),
        marks: own::MARKS,
    },
    Format {
        name: "tensorzero",
        title: "TensorZero",
        reader: Reader::Calls(tensorzero::read),
        marks: tensorzero::MARKS,
    },
    Format {
        name: "vw-dsjson",
        title: "Vowpal Wabbit, dsjson",
        reader: Reader::Records(vw::dsjson::read),
        marks: vw::dsjson::MARKS,
    },
    Format {
        name: "vw-json",
        title: "Vowpal Wabbit, JSON",
        reader: Reader::Records(vw::adf_json::read),
        marks: vw::adf_json::MARKS,
    },
    Format {
        name: TEXT_BLOCKS,
        title: "Vowpal Wabbit, text",
        reader: Reader::Records(vw::text::read),
        marks: &[vw::text::MARKS],
    },
];

/// The format of that name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// The formats that `row` could be of, each with the keys that say so.
pub(crate) fn recognise(row: &[u8]) -> Vec<(&'static Format, &'static [&'static str])> {
    let Ok(row) = serde_json::from_slice::<Value>(row) else {
        let text = find(TEXT_BLOCKS).filter(|_| vw::text::begins_block(row));
        return text.map(|format| (format, vw::text::MARKS)).into_iter().collect();
    };
    let has = |mark: &&str| {
        let inner = || mark.split('.').try_fold(&row, |value, key| value.get(key));
        row.get(mark).or_else(inner).is_some()
    };
    let mark_of = |format: &'static Format| {
        let marks = format.marks.iter().copied().find(|marks| marks.iter().all(has));
        marks.map(|marks| (format, marks))
    };
    FORMATS.iter().filter_map(mark_of).collect()
}

/// The keys of a row, for a sentence that says what was found.
pub(crate) fn keys_of(row: &[u8]) -> String {
    keys_of_value(&serde_json::from_slice::<Value>(row).unwrap_or_default())
}

/// The keys of a value, as [`keys_of`].
fn keys_of_value(row: &Value) -> String {
    let Some(object) = row.as_object() else { return "no JSON object".to_owned() };
    let keys: Vec<String> = object.keys().take(12).map(|key| format!("`{key}`")).collect();
    if keys.is_empty() { "no keys".to_owned() } else { keys.join(", ") }
}

impl Reader {
    /// Reads one row; what it gives is appended to `out`.
    pub(crate) fn read(self, row: &[u8], out: &mut Vec<Found>) -> Result<(), Dropped> {
        match self {
            Self::Calls(read) => read(row, out),
            Self::Records(read) => {
                let mut items: Vec<Item> = Vec::new();
                read(row, &mut items)?;
                out.extend(items.into_iter().map(Found::Item));
                Ok(())
            }
        }
    }
}

/// A row as the type of its format.
fn parse<T: DeserializeOwned>(row: &[u8]) -> Result<T, Dropped> {
    serde_json::from_slice(row).map_err(|error| {
        let reason = match std::str::from_utf8(row) {
            Err(_) => Reason::NOT_UTF8,
            Ok(_) if error.is_data() => Reason::NOT_THE_FORMAT,
            Ok(_) => Reason::NOT_JSON,
        };
        Dropped::new(reason, error.to_string())
    })
}

/// Whether a kind of call, as its name or its path says, is answered by a chat model.
fn is_chat(kind: &str) -> bool {
    const OTHERS: [&str; 20] = [
        "embed",
        "image",
        "audio",
        "speech",
        "transcri",
        "tts",
        "moderation",
        "rerank",
        "file",
        "batch",
        "fine_tun",
        "ocr",
        "vector",
        "video",
        "thread",
        "assistant",
        "container",
        "mcp",
        "health",
        "models",
    ];
    let kind = kind.to_ascii_lowercase();
    !OTHERS.iter().any(|other| kind.contains(other))
}

/// The propensity of a call whose model nobody chose.
fn fixed_model() -> PropensityRecord {
    PropensityRecord { value: Some(1.0), kind: PropensityKind::Deterministic }
}

#[cfg(test)]
mod tests;

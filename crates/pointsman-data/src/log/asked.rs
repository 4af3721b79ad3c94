//! What a request asked, as its text or as the features that were read from it.
//!
//! Features stand in for a text only where they are of the schema that is asked for, or of more
//! buckets than it has: terms of another one are other terms, and nothing turns words into pairs.

use pointsman_core::{
    features::{FeatureSchema, Features, OwnedFeatures},
    request::Request,
};
use pointsman_log::record::FeaturesRecord;

use crate::hash::{Folder, bytes_group, terms_group};

/// The reason to leave out a request of which nothing is known.
const NO_TEXT: &str = "the request has no text";

/// The reason to leave out a request whose features nobody asked for.
const FEATURES_ALONE: &str = "the request has features and no text";

/// What is known of one request.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a, 'm> {
    /// All of it.
    Text(&'a Request<'m>),
    /// Its features. The request has needs and limits, and no message.
    Features(&'a Request<'m>, Features<'a>),
}

impl<'a, 'm> Asked<'a, 'm> {
    /// The text, where there is one.
    pub const fn text(&self) -> Option<&'a Request<'m>> {
        match *self {
            Self::Text(request) => Some(request),
            Self::Features(..) => None,
        }
    }

    /// What rows must not be split by, a conversation or else equal prompts, and a hash of all that is
    /// known of the prompt.
    pub(super) fn group_and_hash(
        &self,
        session_id: Option<&str>,
        (folder, bytes): (&mut Folder, &mut Vec<u8>),
    ) -> (u64, u64) {
        if let Some(session) = session_id {
            return (bytes_group(session.as_bytes()), self.hash(bytes));
        }
        if let Self::Text(request) = self
            && let [message] = &*request.messages
        {
            return folder.group_and_hash(&message.text);
        }
        (self.group(folder), self.hash(bytes))
    }

    /// Equal for equal prompts. The terms make the group where there is no text: they are equal
    /// where only case, white space, digits and repeated words differ.
    fn group(&self, folder: &mut Folder) -> u64 {
        match self {
            Self::Text(request) => folder.group(request.messages.iter().map(|one| &*one.text)),
            Self::Features(_, features) => terms_group(features.terms),
        }
    }

    /// A hash of all that is known of the prompt.
    fn hash(&self, bytes: &mut Vec<u8>) -> u64 {
        bytes.clear();
        match self {
            Self::Text(request) => {
                for message in request.messages.iter() {
                    bytes.extend_from_slice(message.text.as_bytes());
                    bytes.push(0);
                }
            }
            Self::Features(_, features) => {
                let Features { terms, dense, n_bytes, n_bytes_cut } = features;
                bytes.extend(terms.iter().flat_map(|term| term.to_le_bytes()));
                bytes.extend(dense.iter().flat_map(|number| number.to_le_bytes()));
                bytes.extend([n_bytes, n_bytes_cut].iter().flat_map(|n| length(**n).to_le_bytes()));
            }
        }
        bytes_group(bytes)
    }
}

/// Features as the schema that is asked for reads them, or why these are of no use; a problem where
/// no request can have had them.
pub(super) fn read(
    found: Option<&FeaturesRecord>,
    wanted: Option<FeatureSchema>,
) -> Result<Result<OwnedFeatures, String>, String> {
    let Some(found) = found else { return Ok(Err(NO_TEXT.to_owned())) };
    let Some(wanted) = wanted else { return Ok(Err(FEATURES_ALONE.to_owned())) };
    let read = read_by(found, wanted)?;
    if read.as_ref().is_ok_and(|features| features.as_features().n_bytes == 0) {
        return Ok(Err(NO_TEXT.to_owned()));
    }
    Ok(read.map_err(|why| format!("{FEATURES_ALONE}, {why}")))
}

/// Features of any text as a schema reads them, or of what other schema they are; a problem where
/// no text can have had them.
pub(super) fn read_by(
    found: &FeaturesRecord,
    wanted: FeatureSchema,
) -> Result<Result<OwnedFeatures, String>, String> {
    let Ok(schema) = found.schema.parse::<FeatureSchema>() else {
        return Ok(Err("of a schema that this version does not know".to_owned()));
    };
    let features = found.read(schema).map_err(|problem| problem.to_string())?;
    let other = || format!("of the schema {schema} and not {wanted}");
    Ok(features.coarser((schema, wanted)).ok_or_else(other))
}

/// The same number on every machine.
fn length(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

//! What a later step has to know of a decision, read without the rest of its record: the rest is
//! most of it, and a step is to take microseconds.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::{
    Journal,
    index::{Key, Kind, Place},
    locked,
    scan::{Piece, Scan},
    segments::segment_path,
};

/// A decision as a step after it sees it; the fields are those of
/// [`DecisionRecord`](crate::record::DecisionRecord).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the record documents the fields")]
pub struct Earlier {
    pub id: String,
    pub session_id: Option<String>,
    pub turn: Option<u32>,
    pub tenant: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    pub drawn: String,
    pub step: Option<u32>,
    pub spent_usd: Option<f64>,
}

impl Journal {
    /// The decision of that id, where the journal holds it whole, as a step after it sees it.
    pub fn earlier(&self, id: &str) -> Option<Earlier> {
        let tail = locked(&self.tail);
        let places = tail.index.find(Key::of(id), tail.active_number());
        drop(tail);
        let decisions = places.into_iter().filter(|place| place.kind == Kind::Decision);
        decisions.filter_map(|place| self.earlier_at(place)).find(|earlier| earlier.id == id)
    }

    fn earlier_at(&self, place: Place) -> Option<Earlier> {
        let path = segment_path(&self.dir, place.segment);
        let mut scan = Scan::open_at(&path, place.offset).ok()?;
        match scan.next_piece().ok()? {
            Piece::Sound { offset: _, line } => serde_json::from_slice(line).ok(),
            Piece::Damaged { .. } | Piece::End { .. } => None,
        }
    }
}

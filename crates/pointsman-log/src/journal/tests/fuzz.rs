//! Segments, lines and bodies after whatever may happen to bytes.

use super::{
    damage::{folder_with, reopen},
    *,
};
use crate::{body::ChatBody, ndjson};

/// A spoiled segment opens, gives only records that were written, and takes further ones.
#[test]
fn fuzzed_segments_give_only_what_was_written() {
    let decisions: Vec<_> = (0..4).map(decision).collect();
    let corpus = [segment_of(&decisions), segment_of(&decisions[..1])];
    pointsman_testkit::fuzz(&corpus, 200, |input| {
        let dir = folder_with(input);
        let (journal, _) = reopen(dir.path());
        journal.append_decision(&decision(7)).unwrap();
        drop(journal);
        let mut last = None;
        for record in read(dir.path()).unwrap().flatten() {
            let Record::Decision(found) = record else { panic!("an outcome was never written") };
            assert!(*found == decision(7) || decisions.contains(&found), "{found:?}");
            last = Some(found.id);
        }
        assert_eq!(last, Some(id(7)));
    });
}

/// Lines without a checksum, and bodies of calls: read or refused.
#[test]
fn fuzzed_lines_and_bodies_are_read_or_refused() {
    let as_json = |record: &Record| serde_json::to_vec(record).unwrap();
    let corpus = [
        as_json(&Record::Decision(Box::new(decision(0)))),
        as_json(&Record::Outcome(Box::new(outcome(0)))),
        br#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"tools":[{}],
            "provider":{"order":["a"],"max_price":{"prompt":"1"},"sort":{"by":"latency"}},
            "objective":{"min_quality":0.5},"metadata":{"task":1},"max_tokens":5}"#
            .to_vec(),
        br#"{"input":[{"type":"message","role":"user","content":"Hi"}],"session_id":"s"}"#.to_vec(),
    ];
    pointsman_testkit::fuzz(&corpus, 2_000, |input| {
        if let Ok(body) = ChatBody::from_json(input) {
            assert!(!body.to_request().messages.is_empty());
        }
        for record in ndjson::read(input).flatten() {
            if let Record::Decision(decision) = record {
                assert!(decision.check().is_ok(), "{decision:?}");
            }
        }
    });
}

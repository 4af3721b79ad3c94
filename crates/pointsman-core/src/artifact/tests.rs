use super::*;
use crate::{
    escalation::{EscalationScorer, Foresight, example},
    features::Extractor,
    objective::{Band, Favour, Guarantee, OperatingPoint, StrongShare},
    request::Request,
    scorer::{
        ScorerParts, Scores,
        tests::{clustered, factored, patterned, with_token_length},
    },
    units::Probability,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::LazyLock};

fn small() -> Artifact {
    with(patterned(3, 8))
}

fn with(parts: ScorerParts) -> Artifact {
    let band = |value: f64| Band {
        value,
        lower: value - 0.1,
        upper: value + 0.1,
        level: Probability::new(0.95).unwrap(),
    };
    let card = Card {
        name: "test \"quoted\"".to_owned(),
        schema: parts.schema,
        models: ["a", "b", "ü"].map(str::to_owned).to_vec(),
        mean_quality: Some(vec![0.5, 0.25, 1.0]),
        operating_points: vec![OperatingPoint {
            name: "balanced".to_owned(),
            per_dollar: 0.1 + 0.2,
            favour: Some(Favour { model: 2, quality_points: -0.25 }),
            quality: band(0.7),
            cost_usd: band(0.3),
            cost_share: Some(band(0.4)),
            strong_share: Some(StrongShare { model: 1, share: band(0.5) }),
            guarantee: Some(Guarantee {
                max_quality_loss: 0.01,
                against: 2,
                confidence: Probability::new(0.95).unwrap(),
                n_groups: 90,
                n_requests: 100,
                is_single: false,
            }),
        }],
        standing: Standing { best_single: "a".to_owned(), sentence: "Route.".to_owned() },
        pruning: None,
        foresight: Vec::new(),
        provenance: Provenance {
            origin: Origin::OutcomeTable,
            data_digest: "d".repeat(64),
            n_requests: 10,
            n_outcomes: 30,
            seed: 7,
            version: "0.1.0".to_owned(),
            settings: BTreeMap::from([("penalty".to_owned(), "10".to_owned())]),
        },
    };
    Artifact::new(&card, &Scorer::new(parts).unwrap(), &[1, 5, 9]).unwrap()
}

/// A small policy that reads the answers of two of its models.
fn with_readers() -> Artifact {
    let reader = |model: usize, next: usize| Reader {
        model,
        next: vec![next],
        scorer: EscalationScorer::new(example(2)).unwrap(),
    };
    small().with_readers(&[reader(0, 2), reader(1, 2)]).unwrap()
}

#[test]
fn more_rows_are_remembered_as_trained_on() {
    let card = small().card().clone();
    let new = card.row_id("a row of a trajectory");
    assert!(!small().was_trained_on(new));
    let found = small().with_rows(&[new, new]).unwrap();
    assert!(found.was_trained_on(new));
    assert_eq!(found.n_training_rows(), small().n_training_rows() + 1);
    assert_eq!(found.with_rows(&[new]).unwrap().to_bytes().unwrap(), found.to_bytes().unwrap());
}

#[test]
fn readers_are_written_and_read_back() {
    let original = with_readers();
    let bytes = original.to_bytes().unwrap();
    let read = Artifact::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes().unwrap(), bytes);
    assert_eq!(read.readers().len(), 2);
    for (read, original) in read.readers().iter().zip(original.readers()) {
        assert_eq!((read.model, &read.next), (original.model, &original.next));
        assert_eq!(read.scorer.parts(), original.scorer.parts());
    }
    assert!(small().readers().is_empty());
    let unlike =
        Reader { model: 1, next: vec![0, 2], scorer: EscalationScorer::new(example(3)).unwrap() };
    let both = [with_readers().readers()[0].clone(), unlike];
    assert!(matches!(small().with_readers(&both), Err(ArtifactError::Malformed { .. })));
}

#[test]
fn what_is_foreseen_is_written_and_read_back() {
    let foresight = |model| Foresight::new(model, vec![0.0, 0.3], vec![0.1 + 0.2, 0.0]).unwrap();
    let original = with_readers().with_foresight(vec![foresight(1)]).unwrap();
    let bytes = original.to_bytes().unwrap();
    let read = Artifact::from_bytes(&bytes).unwrap();
    assert_eq!(read.card().foresight, [foresight(1)]);
    assert_eq!(read.to_bytes().unwrap(), bytes);
    assert_eq!(read.card().told()["foresight"][0]["model"], "b");
    let without = read.with_foresight(Vec::new()).unwrap();
    assert_eq!(without.to_bytes().unwrap(), with_readers().to_bytes().unwrap());
    let refused = |artifact: Artifact, foresight: Vec<Foresight>| {
        artifact.with_foresight(foresight).unwrap_err().to_string()
    };
    let unread = refused(with_readers(), vec![foresight(2)]);
    assert!(unread.contains("`foresight` names `ü`, whose answers no reader reads"), "{unread}");
    let unread = refused(small(), vec![foresight(0)]);
    assert!(unread.contains("`foresight` names `a`, whose answers no reader reads"), "{unread}");
    let twice = refused(with_readers(), vec![foresight(0), foresight(0)]);
    assert!(twice.contains("`foresight` names `a` twice"), "{twice}");
}

#[test]
fn more_may_be_said_of_how_it_was_learned() {
    let more = BTreeMap::from([("reader.small".to_owned(), "kept".to_owned())]);
    let found = with_readers().with_settings(more).unwrap();
    let mut expected = with_readers().card().clone();
    expected.provenance.settings.insert("reader.small".to_owned(), "kept".to_owned());
    assert_eq!(*found.card(), expected);
    assert_eq!(found.readers().len(), 2);
    assert!(found.was_trained_on(5));
}

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| small().to_bytes().unwrap());

#[test]
fn what_is_written_is_read_back_and_written_the_same() {
    let read = Artifact::from_bytes(BYTES.as_slice()).unwrap();
    let original = small();
    assert_eq!(read.card(), original.card());
    assert_eq!(read.scorer().parts(), original.scorer().parts());
    assert_eq!(read.digest(), original.digest());
    assert_eq!(read.to_bytes().unwrap(), *BYTES);
    assert!(read.was_trained_on(5) && !read.was_trained_on(6));
}

#[test]
fn optional_parts_are_read_back_and_written_the_same() {
    for parts in [clustered(3, 8), factored(3, 2, 8)] {
        let original = with(parts);
        let bytes = original.to_bytes().unwrap();
        let read = Artifact::from_bytes(&bytes).unwrap();
        assert_eq!(read.scorer().parts(), original.scorer().parts());
        assert_eq!(read.to_bytes().unwrap(), bytes);
        let version = r#"\"format_version\":2"#;
        assert!(bytes.windows(version.len()).any(|window| window == version.as_bytes()));
    }
}

/// The policy without the weights of two terms in three.
fn pruned(n_kept: u64) -> Result<Artifact, ArtifactError> {
    let mut parts = clustered(3, 8);
    let n_columns = parts.n_columns();
    for (bucket, row) in parts.term_weights.chunks_exact_mut(n_columns).enumerate() {
        row.fill(if bucket % 3 == 0 { 7 } else { 0 });
    }
    let loss =
        Band { value: 0.001, lower: 0.0, upper: 0.002, level: Probability::new(0.95).unwrap() };
    let pruning = Some(Pruning { n_terms: 256, n_kept, loss, n_requests: 40 });
    let card = Card { pruning, ..with(parts.clone()).card().clone() };
    Artifact::new(&card, &Scorer::new(parts).unwrap(), &[1, 5, 9])
}

#[test]
fn a_pruned_file_holds_what_is_left() {
    let found = pruned(86).unwrap();
    let bytes = found.to_bytes().unwrap();
    let read = Artifact::from_bytes(&bytes).unwrap();
    assert_eq!(read.scorer().parts(), found.scorer().parts());
    assert_eq!(read.card(), found.card());
    assert_eq!(read.to_bytes().unwrap(), bytes);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("terms.weights").unwrap().shape()[0], 86);
    let version = r#"\"format_version\":3"#;
    assert!(bytes.windows(version.len()).any(|window| window == version.as_bytes()));
    let whole = with(found.scorer().parts().clone()).to_bytes().unwrap();
    assert!(bytes.len() + 170 * found.scorer().parts().n_columns() < whole.len() + 400);
    let message = pruned(85).unwrap_err().to_string();
    assert!(message.contains("says that 85 terms were kept, `terms.kept` 86"), "{message}");
    assert!(pruned(257).unwrap_err().to_string().contains("of 256 terms 257 were kept"));
}

#[test]
fn a_second_length_is_read_back() {
    for is_clustered in [false, true] {
        let original = with(with_token_length(3, 8, is_clustered));
        let bytes = original.to_bytes().unwrap();
        let read = Artifact::from_bytes(&bytes).unwrap();
        assert_eq!(read.scorer().parts(), original.scorer().parts());
        assert_eq!(read.to_bytes().unwrap(), bytes);
        let version = r#"\"format_version\":3"#;
        assert!(bytes.windows(version.len()).any(|window| window == version.as_bytes()));
    }
}

#[test]
fn a_pruned_file_may_keep_readers_and_more_settings() {
    let more = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let found = pruned(86).unwrap().with_readers(with_readers().readers()).unwrap();
    let found = found.with_settings(more).unwrap();
    assert_eq!((found.readers().len(), found.card().pruning.unwrap().n_kept), (2, 86));
}

#[test]
fn it_opens_as_plain_safetensors() {
    let tensors = safetensors::SafeTensors::deserialize(&BYTES).unwrap();
    assert_eq!(tensors.tensor("terms.weights").unwrap().shape(), [256, 4]);
}

#[test]
fn every_truncation_is_refused() {
    for length in 0..BYTES.len() {
        assert!(Artifact::from_bytes(&BYTES[..length]).is_err(), "accepted {length} bytes");
    }
    let mut longer = BYTES.clone();
    longer.push(0);
    assert!(Artifact::from_bytes(&longer).is_err());
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = BYTES.clone();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(Artifact::from_bytes(&bytes).is_err(), "accepted bit {bit} of byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
}

/// Whatever was done to a file, it is refused; with a digest that holds, it is read or refused.
#[test]
fn fuzzed_artifacts_are_refused() {
    let corpus = [BYTES.clone(), with(clustered(3, 8)).to_bytes().unwrap()];
    pointsman_testkit::fuzz(&corpus, 300, |input| {
        let is_whole = corpus.iter().any(|whole| whole == input);
        assert!(is_whole || Artifact::from_bytes(input).is_err(), "{} bytes", input.len());
        let mut forged = input.to_vec();
        if digest::written(&forged).is_some() {
            digest::seal(&mut forged);
            if let Ok(read) = Artifact::from_bytes(&forged) {
                assert!(read.scorer().parts().scales.iter().all(|scale| scale.is_finite()));
            }
        }
    });
}

/// Changes the header's text (to the same length) and makes the digest hold again.
fn forged(from: &str, to: &str) -> Result<Artifact, ArtifactError> {
    assert_eq!(from.len(), to.len());
    let mut bytes = BYTES.clone();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    digest::seal(&mut bytes);
    Artifact::from_bytes(&bytes)
}

#[test]
fn each_fault_has_its_sentence() {
    let message = |found: Result<Artifact, ArtifactError>| found.unwrap_err().to_string();
    let cases = [
        (message(Artifact::from_bytes(b"PAR1 something else")), "not a Pointsman policy file"),
        (message(Artifact::from_bytes(&BYTES[..BYTES.len() - 9])), "the file is damaged"),
        (message(forged(r#"\"format_version\":1"#, r#"\"format_version\":9"#)), "format version 9"),
        (
            message(forged(r#"\"format_version\":1"#, r#"\"format_version\":2"#)),
            "it says format version 2, its tensors are those of 1",
        ),
        (message(forged(r#"{\"version\":2,"#, r#"{\"version\":9,"#)), "feature schema 9"),
        (message(forged(r#"\"models\":[\"a\","#, r#"\"models\":[\"a\" "#)), "does not follow"),
        (
            message(forged(r#"\"log2_buckets\":8"#, r#"\"log2_buckets\":9"#)),
            "`terms.weights` is I8",
        ),
        (message(forged(r#"\"n_requests\""#, r#"\"n_requestz\""#)), "unknown field"),
    ];
    for (found, expected) in cases {
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_machine_that_computes_otherwise_is_found_out() {
    let mut bytes = BYTES.clone();
    let tensors = safetensors::SafeTensors::deserialize(&BYTES).unwrap();
    let golden = tensors.tensor("golden.scores").unwrap().data().as_ptr().addr();
    bytes[golden - BYTES.as_ptr().addr()] ^= 1;
    digest::seal(&mut bytes);
    let message = Artifact::from_bytes(&bytes).unwrap_err().to_string();
    assert!(message.starts_with("golden input 0 scores"), "{message}");
}

proptest! {
    /// An artifact that went through a file scores to the same bits.
    #[test]
    fn scores_survive_the_file(text in "\\PC{0,200}") {
        let request = Request::from_prompt(&text);
        let score = |artifact: &Artifact| {
            let mut extractor = Extractor::new(artifact.scorer().schema());
            let mut scores = Scores::default();
            artifact.scorer().score(&extractor.extract(&request), &mut scores);
            scores.quality().iter().map(|quality| quality.to_bits()).collect::<Vec<_>>()
        };
        prop_assert_eq!(score(&small()), score(&Artifact::from_bytes(BYTES.as_slice()).unwrap()));
    }
}

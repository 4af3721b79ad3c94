//! Policy files that were cut, changed or made by another version.

use super::{check, check_request};
use crate::{golden, tables::outcomes};
use pointsman_core::artifact::Artifact;
use pointsman_testkit::{Draws, Stream};
use sha2::{Digest as _, Sha256};

#[test]
fn a_cut_artifact_is_refused_at_every_length() {
    let bytes = golden::bytes();
    for length in (0..bytes.len()).step_by(97) {
        assert!(Artifact::from_bytes(&bytes[..length]).is_err(), "accepted {length} bytes");
    }
    for length in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        let files: [(&str, &[u8]); 1] = [("a.safetensors", &bytes[..length])];
        check("inspect a.safetensors", &files, "a.safetensors: th");
        check_request("route --policy a.safetensors", b"Hello", &files, "a.safetensors: th");
    }
}

#[test]
fn an_artifact_with_one_wrong_bit_is_refused() {
    let mut draws = Draws::keyed(2, Stream::Words, &[3]);
    let mut bytes = golden::bytes();
    let n_bits = u64::try_from(bytes.len()).unwrap() * 8;
    for round in 0..3000 {
        let bit = draws.between(0, n_bits - 1);
        let at = usize::try_from(bit / 8).unwrap();
        bytes[at] ^= 1 << (bit % 8);
        assert!(Artifact::from_bytes(&bytes).is_err(), "accepted bit {bit} wrong");
        if round % 500 == 0 {
            let files: [(&str, &[u8]); 1] = [("a.safetensors", &bytes)];
            check("inspect a.safetensors --json i.json", &files, "a.safetensors: th");
        }
        bytes[at] ^= 1 << (bit % 8);
    }
}

#[test]
fn an_artifact_of_another_version_is_refused() {
    let files = |bytes: &[u8]| [("a.safetensors", bytes.to_vec())];
    for (from, to, expected) in [
        (
            r#"{\"version\":1,"#,
            r#"{\"version\":9,"#,
            "feature schema 9, this build has up to 2; train it again",
        ),
        (
            r#"\"format_version\":1"#,
            r#"\"format_version\":4"#,
            "format version 4, this build reads 3; train it again",
        ),
        (r#"\"log2_buckets\":8"#, r#"\"log2_buckets\":9"#, "does not follow the artifact format"),
    ] {
        let forged = forged(from, to);
        let [(name, bytes)] = files(&forged);
        check("inspect a.safetensors", &[(name, &bytes)], expected);
        check_request("route --policy a.safetensors", b"Hello", &[(name, &bytes)], expected);
        let table = outcomes(0..30);
        check(
            "evaluate --table t.ndjson --policy a.safetensors --html e.html",
            &[(name, &bytes), ("t.ndjson", table.as_bytes())],
            expected,
        );
    }
}

/// The golden artifact with some text of its header changed, and a digest that holds.
fn forged(from: &str, to: &str) -> Vec<u8> {
    let mut bytes = golden::bytes();
    let place = |bytes: &[u8], text: &str| {
        bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
    };
    let at = place(&bytes, from);
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    let key = r#"\"sha256\":\""#;
    let digest = place(&bytes, key) + key.len();
    bytes[digest..digest + 64].fill(b'0');
    for (at, byte) in (digest..).step_by(2).zip(Sha256::digest(&bytes)) {
        bytes[at..at + 2].copy_from_slice(format!("{byte:02x}").as_bytes());
    }
    bytes
}

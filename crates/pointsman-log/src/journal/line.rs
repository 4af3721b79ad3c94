//! One record as a line with its checksum, and back.
//!
//! The checksum is the object's last key, `,"crc":"xxxxxxxx"}`: eight lower-case hexadecimal
//! digits of the CRC-32 over every byte before that comma. The line stays JSON, so that any tool
//! reads it, and what was checked is the bytes themselves, so that no reader has to agree on how a
//! number is printed.

use crc32fast::hash as crc32;

/// What stands between the record and its checksum.
const KEY: &[u8] = br#","crc":""#;
/// Hexadecimal digits of a checksum.
const N_DIGITS: usize = 8;
/// Bytes that follow the record: key, digits, quote and brace.
const SEAL_BYTES: usize = KEY.len() + N_DIGITS + 2;
/// How every record begins, whatever its version.
const BEGINNING: &[u8] = br#"{"v":"#;

/// How a line stands to its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    /// The line is what was written.
    Sound,
    /// The line is not what was written.
    Broken,
    /// There is no checksum.
    Absent,
}

/// The checksum of a JSON object, neither empty nor sealed: of all its bytes but the last brace.
pub(crate) fn checksum(json: &[u8]) -> u32 {
    crc32(record_of(json))
}

/// The bytes of the line that [`write`] makes of a JSON object, without its newline.
pub(crate) const fn length(json: &[u8]) -> usize {
    json.len().saturating_sub(1) + SEAL_BYTES
}

/// Appends a JSON object, neither empty nor sealed, as a line with its checksum and newline.
pub(crate) fn write(out: &mut Vec<u8>, json: &[u8], crc: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(length(json) + 1);
    out.extend_from_slice(record_of(json));
    out.extend_from_slice(KEY);
    for byte in crc.to_be_bytes() {
        let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        out.extend_from_slice(&digits);
    }
    out.extend_from_slice(b"\"}\n");
}

fn record_of(json: &[u8]) -> &[u8] {
    json.split_last().map_or(json, |(_, record)| record)
}

/// Turns a JSON object into a line with its checksum and newline.
#[cfg(test)]
pub(crate) fn seal(json: &mut Vec<u8>) {
    let mut line = Vec::new();
    write(&mut line, json, checksum(json));
    *json = line;
}

/// Holds a line, without its newline, against its checksum.
pub(crate) fn check(line: &[u8]) -> Seal {
    let Some((record, seal)) = line.split_last_chunk::<SEAL_BYTES>() else {
        return Seal::Absent;
    };
    let Some((digits, b"\"}")) =
        seal.strip_prefix(KEY).and_then(|rest| rest.split_at_checked(N_DIGITS))
    else {
        return Seal::Absent;
    };
    if written(digits) == Some(crc32(record)) { Seal::Sound } else { Seal::Broken }
}

/// The number that was written; digits in upper case were not.
fn written(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(value))
    })
}

/// The sound records inside of a damaged line, as ranges in their order.
///
/// Where the newline between two records was the byte that broke, or sectors before a record
/// were lost, what is whole is not given up: a record begins with `{"v":`, which no text inside
/// of a record can hold, since its quotes are escaped there.
pub(crate) fn salvage(line: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut starts: Vec<usize> = line
        .windows(BEGINNING.len())
        .enumerate()
        .filter(|(_, window)| *window == BEGINNING)
        .map(|(start, _)| start)
        .collect();
    starts.push(line.len());
    let whole = |pair: &[usize]| {
        let (start, next) = (*pair.first()?, *pair.get(1)?);
        let piece = line.get(start..next)?;
        let length = piece.windows(2).rposition(|end| end == b"\"}")? + 2;
        (check(piece.get(..length)?) == Seal::Sound).then_some(start..start + length)
    };
    starts.windows(2).filter_map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(json: &str) -> Vec<u8> {
        let mut line = json.as_bytes().to_vec();
        seal(&mut line);
        line.pop();
        line
    }

    #[test]
    fn a_sealed_line_is_json_that_ends_in_its_checksum() {
        let line = String::from_utf8(sealed(r#"{"v":1,"kind":"outcome"}"#)).unwrap();
        assert_eq!(line, r#"{"v":1,"kind":"outcome","crc":"2ed03db4"}"#);
        assert_eq!(checksum(br#"{"v":1,"kind":"outcome"}"#), 0x2ed0_3db4);
        assert_eq!(length(br#"{"v":1,"kind":"outcome"}"#), line.len());
    }

    #[track_caller]
    fn check_seal(line: &str, expected: Seal) {
        assert_eq!(check(line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn a_seal_is_sound_broken_or_absent() {
        check_seal(r#"{"v":1,"kind":"outcome","crc":"2ed03db4"}"#, Seal::Sound);
        check_seal(r#"{"v":1,"kind":"outcome","crc":"2ed03db5"}"#, Seal::Broken);
        check_seal(r#"{"v":1,"kind":"outcome","crc":"2ED03DB4"}"#, Seal::Broken);
        check_seal(r#"{"v":2,"kind":"outcome","crc":"2ed03db4"}"#, Seal::Broken);
        check_seal(r#"{"v":1,"kind":"outcome"}"#, Seal::Absent);
        check_seal(r#"{"v":1,"kind":"outcome","crc":"2ed03db4"} "#, Seal::Absent);
        check_seal("", Seal::Absent);
    }

    #[test]
    fn every_flipped_bit_breaks_a_line() {
        let line = sealed(r#"{"v":1,"kind":"outcome","decision_id":"d"}"#);
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut flipped = line.clone();
                flipped[at] ^= 1 << bit;
                assert_ne!(check(&flipped), Seal::Sound, "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn whole_records_in_a_damaged_line_are_found() {
        let (first, second) = (sealed(r#"{"v":1,"a":"}{\"v\":"}"#), sealed(r#"{"v":1,"b":[{}]}"#));
        let (a, b) = (first.len(), second.len());
        let joined = |between: &[u8]| [&first, between, &second].concat();
        assert_eq!(salvage(&joined(b"\x0b")), [0..a, a + 1..a + 1 + b]);
        assert_eq!(salvage(&joined(b"")), [0..a, a..a + b]);
        assert_eq!(salvage(&[&[0; 5], &second[..]].concat()).first(), Some(&(5..5 + b)));
        assert_eq!(salvage(&first[1..]), []);
        assert_eq!(salvage(b""), []);
    }
}

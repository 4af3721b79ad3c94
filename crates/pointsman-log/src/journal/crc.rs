//! CRC-32, the checksum of zlib, gzip and PNG: what any language's standard library can check.
//!
//! Sixteen tables take sixteen bytes at a time (Kounavis and Berry, 2005, had eight), which keeps
//! it below the cost of writing a record. Its weakness is intent: it finds accidents, nobody's
//! forgery.

/// The polynomial, its bits reversed.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// Bytes that are taken at a time.
const STEP: usize = 16;

static TABLES: [[u32; 256]; STEP] = tables();

const fn tables() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256_u32 {
        let mut crc = byte;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte as usize] = crc;
        byte += 1;
    }
    let mut distance = 1;
    while distance < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before: u32 = tables[distance - 1][byte];
            tables[distance][byte] = (before >> 8) ^ tables[0][(before & 255) as usize];
            byte += 1;
        }
        distance += 1;
    }
    tables
}

/// The CRC-32 of `bytes`, as `zlib.crc32` gives it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let mut crc = !0;
    for step in steps {
        let mut step = *step;
        for (byte, of_crc) in step.iter_mut().zip(u32::to_le_bytes(crc)) {
            *byte ^= of_crc;
        }
        crc = 0;
        for (table, byte) in TABLES.iter().rev().zip(step) {
            crc ^= table[usize::from(byte)];
        }
    }
    for &byte in rest {
        let [low, ..] = crc.to_le_bytes();
        crc = (crc >> 8) ^ TABLES[0][usize::from(low ^ byte)];
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection, prelude::*};

    #[track_caller]
    fn check(text: &str, expected: u32) {
        assert_eq!(crc32(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn it_is_the_checksum_of_zlib() {
        check("", 0);
        check("a", 0xE8B7_BE43);
        check("123456789", 0xCBF4_3926);
        check("The quick brown fox jumps over the lazy dog", 0x414F_A339);
    }

    proptest! {
        /// Eight bytes at a time give what one at a time gives.
        #[test]
        fn words_are_bytes(bytes in collection::vec(any::<u8>(), 0..100)) {
            let slow = bytes.iter().fold(!0_u32, |crc, &byte| {
                (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                    if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 }
                })
            });
            prop_assert_eq!(crc32(&bytes), !slow);
        }
    }
}

//! Ids of decisions: UUIDs of version 7 (RFC 9562), unique, and ascending even where the clock
//! steps back.
//!
//! The clock and the random bits are arguments. Forty-eight bits of milliseconds and a counter of
//! twelve go up with every id, whatever the clock says; the other 62 bits are random, so that two
//! processes agree on no id. Its weakness: after a step back, ids are ahead of the clock until it
//! catches up.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of the counter within one millisecond.
const COUNTER_BITS: u32 = 12;

/// Gives ids, each above the one before, to any number of threads.
#[derive(Debug)]
// On cache lines of its own: every call writes to it, and what stands beside it is only read.
#[repr(align(128))]
pub struct Ids {
    /// Milliseconds and counter of the last id, 48 and 12 bits.
    last: AtomicU64,
}

impl Ids {
    /// Ids above `newest`, the newest that is known from before; where there is none, above zero.
    pub fn after(newest: Option<u128>) -> Self {
        let last = newest.map_or(0, |id| {
            let [high, _] = split(id);
            (high >> 16) << COUNTER_BITS | high & 0xFFF
        });
        Self { last: AtomicU64::new(last) }
    }

    /// The next id. `now_ms` is the time in milliseconds since 1970 UTC, `random` are bits that
    /// nobody can guess.
    pub fn next(&self, now_ms: u64, random: u64) -> DecisionId {
        // The counter begins below its middle, so that ids of one millisecond seldom borrow from
        // the next one.
        let begin = (now_ms << 16 >> 16) << COUNTER_BITS | random >> 53;
        let step = |last: u64| Some(begin.max(last + 1));
        let last = match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(last) | Err(last) => begin.max(last + 1),
        };
        let high = (last >> COUNTER_BITS) << 16 | 0x7000 | last & 0xFFF;
        let low = 1 << 63 | random & (u64::MAX >> 2);
        DecisionId(u128::from(high) << 64 | u128::from(low))
    }
}

/// A UUID; it prints in its usual form, 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId(u128);

impl DecisionId {
    /// The id as a number; ids sort as these do.
    pub const fn number(self) -> u128 {
        self.0
    }

    /// The id as it prints.
    pub fn text(self) -> [u8; 36] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let is_digit = |at: &usize| !matches!(at, 8 | 13 | 18 | 23);
        let mut places = (0..text.len()).filter(is_digit);
        for byte in self.0.to_be_bytes() {
            for digit in [byte >> 4, byte & 15] {
                if let Some(at) = places.next() {
                    text[at] = DIGITS[usize::from(digit)];
                }
            }
        }
        text
    }
}

impl std::fmt::Display for DecisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are all of it")]
const fn split(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection, prelude::*};

    #[test]
    fn an_id_is_a_uuid_of_version_7() {
        let id = Ids::after(None).next(0x0190_a1b2_c3d4, 0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "0190a1b2-c3d4-7009-8123-456789abcdef");
        assert_eq!(crate::journal::uuid(&id.to_string()), Some(id.number()));
    }

    #[test]
    fn ids_go_on_above_what_was_there() {
        let before = Ids::after(None);
        for _ in 0..5000 {
            before.next(1_767_225_600_000, u64::MAX);
        }
        let newest = before.next(1_767_225_600_000, u64::MAX);
        let hour_before = 1_767_225_600_000 - 3_600_000;
        assert!(newest < Ids::after(Some(newest.number())).next(hour_before, 0));
    }

    proptest! {
        /// Whatever the clock does, every id is above the one before.
        #[test]
        fn ids_ascend(readings in collection::vec((0..1_u64 << 48, any::<u64>()), 1..50)) {
            let ids = Ids::after(None);
            let made: Vec<_> = readings.iter().map(|&(now, random)| ids.next(now, random)).collect();
            prop_assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
            let texts: Vec<String> = made.iter().map(DecisionId::to_string).collect();
            prop_assert!(texts.is_sorted());
        }
    }
}

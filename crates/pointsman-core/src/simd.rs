//! The two inner loops of a decision, with vector instructions where the machine has them.
//!
//! This is the only module of the workspace that may use `unsafe`: plain loops over the same data
//! take two to ten times as long, because the compiler neither keeps the accumulators in registers
//! nor prefetches rows that lie megabytes apart. Every kernel has a portable twin that gives the
//! same integers, which is what a property test holds it to; integers also make the order of
//! summation, and so the width of the registers, irrelevant to the result.

#![expect(unsafe_code, reason = "the audited module: vector loads and prefetch, see above")]

use bytes::LINE;
pub(crate) use rows::{RowTable, Rows};

/// Bytes per scanned block: one bit each in a mask.
pub(crate) const BLOCK: usize = 64;

/// For 64 bytes of text, which of them are what; bit `i` speaks of byte `i`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BlockMasks {
    /// Letters, digits and all bytes outside ASCII.
    pub(crate) word: u64,
    /// Punctuation: neither of a word nor blank.
    pub(crate) mark: u64,
    /// Digits, which are of words too.
    pub(crate) digit: u64,
    /// Line feeds, which are blanks too.
    pub(crate) newline: u64,
}

/// How many bytes of a text are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ByteCounts {
    /// Letters, digits and all bytes outside ASCII.
    pub(crate) word: u64,
    /// Neither of a word nor blank.
    pub(crate) mark: u64,
    /// `A` to `Z`.
    pub(crate) upper: u64,
    /// `0` to `9`.
    pub(crate) digit: u64,
    /// Bytes outside ASCII.
    pub(crate) high: u64,
    /// Line feeds.
    pub(crate) newline: u64,
    /// What code has more of than prose: ``[\]^_` {|}~ <=>``.
    pub(crate) code: u64,
    /// `?`.
    pub(crate) question: u64,
}

/// A computation that [`at_best`] compiles twice. Its `run` and all that is hot in it must be
/// `#[inline(always)]`: what is not is compiled once, for any machine.
pub trait Job {
    /// What it computes.
    type Output;

    /// Computes it.
    fn run(self) -> Self::Output;
}

/// Runs `job` with the instructions of a machine from 2013 on where there is one: counting and
/// finding bits, wide products and rounding are then one instruction each. Integers and fused
/// operations do not come into it, so the result is the same to the bit.
#[inline]
pub fn at_best<J: Job>(job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        // SAFETY: the machine has the instructions.
        return unsafe { x86::run(job) };
    }
    job.run()
}

/// Asks the machine for the memory of a value that will soon be read.
#[expect(clippy::inline_always, reason = "one or two instructions, in the innermost loop")]
#[inline(always)]
pub fn announce<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        let first = std::ptr::from_ref(value).cast::<i8>();
        let mut offset = 0;
        while offset < size_of::<T>() {
            // SAFETY: every machine of this architecture has the instruction; it reads nothing.
            unsafe { x86::prefetch(first.wrapping_add(offset)) };
            offset += LINE;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Writes `text` to `folded` in lower case and with every digit as `0`, and to `masks` one entry
/// per block of 64 bytes; past its end, the text reads as blanks up to the end of the block.
/// `folded` is only ever grown, and has two words' length of slack, so that a word can be loaded
/// whole wherever it ends.
pub(crate) fn scan(text: &[u8], folded: &mut Vec<u8>, masks: &mut Vec<BlockMasks>) -> ByteCounts {
    masks.clear();
    let n_blocks = text.len().div_ceil(BLOCK);
    let needed = n_blocks * BLOCK + SLACK;
    if folded.len() < needed {
        folded.resize(needed, b' ');
    }
    masks.reserve(n_blocks);
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        // SAFETY: the machine has the instructions.
        return unsafe { x86::scan(text, folded, masks) };
    }
    scan_portable(text, folded, masks)
}

/// Bytes that may be read past the last block of a folded text.
pub(crate) const SLACK: usize = 16;

fn scan_portable(text: &[u8], folded: &mut [u8], masks: &mut Vec<BlockMasks>) -> ByteCounts {
    let mut counts = ByteCounts::default();
    for (block, out) in text.chunks(BLOCK).zip(folded.chunks_mut(BLOCK)) {
        let mut found = BlockMasks::default();
        out.fill(b' ');
        for ((bit, &byte), out) in block.iter().enumerate().zip(out) {
            let (upper, digit, high) =
                (byte.is_ascii_uppercase(), byte.is_ascii_digit(), 0x80 <= byte);
            let word = byte.is_ascii_lowercase() || upper || digit || high;
            let mark = !word && b' ' < byte;
            let code = matches!(byte, 0x5b..=0x60 | 0x7b..=0x7e | 0x3c..=0x3e);
            found.word |= u64::from(word) << bit;
            found.mark |= u64::from(mark) << bit;
            found.digit |= u64::from(digit) << bit;
            found.newline |= u64::from(byte == b'\n') << bit;
            counts.word += u64::from(word);
            counts.mark += u64::from(mark);
            counts.upper += u64::from(upper);
            counts.digit += u64::from(digit);
            counts.high += u64::from(high);
            counts.newline += u64::from(byte == b'\n');
            counts.code += u64::from(code);
            counts.question += u64::from(byte == b'?');
            *out = if digit { b'0' } else { byte.to_ascii_lowercase() };
        }
        masks.push(found);
    }
    counts
}

mod bytes;
mod rows;
#[cfg(target_arch = "x86_64")]
#[expect(
    clippy::cast_ptr_alignment,
    reason = "loads and stores are unaligned ones, but for rows, whose alignment is argued there"
)]
mod x86;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The vector scan and the plain one see the same text.
        #[test]
        fn scans_agree(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut folded, mut masks) = (Vec::new(), Vec::new());
            let counts = scan(&text, &mut folded, &mut masks);
            let mut plain_folded = vec![b' '; folded.len()];
            let mut plain_masks = Vec::new();
            let plain_counts = scan_portable(&text, &mut plain_folded, &mut plain_masks);
            prop_assert_eq!(folded, plain_folded);
            prop_assert_eq!(masks, plain_masks);
            prop_assert_eq!(counts, plain_counts);
        }

        /// The vector sums and the plain ones are the same integers, for every width of row.
        #[test]
        fn sums_agree(
            n_columns in prop::sample::select(vec![1_usize, 3, 6, 7, 14, 15, 30, 33, 62, 63, 100, 190]),
            terms in prop::collection::vec(0_u32..1 << 9, 0..700),
            seed in any::<u8>(),
        ) {
            let mut table = RowTable::zeros(8, n_columns);
            for bucket in 0..1_u32 << 8 {
                let stride = table.stride();
                for (column, byte) in table.row_mut(bucket).iter_mut().enumerate() {
                    let mixed = (bucket as usize * 31 + column * 7 + usize::from(seed)) % 255;
                    let weight = u8::try_from(mixed).unwrap();
                    *byte = if column + 2 < stride && weight == 128 { 0 } else { weight };
                }
            }
            let mut sums = vec![0; table.stride()];
            let squared = table.accumulate(&terms, &mut sums);
            let mut plain = vec![0; table.stride()];
            let plain_squared = table.accumulate_portable(&terms, &mut plain);
            prop_assert_eq!(squared, plain_squared);
            prop_assert_eq!(&sums[..n_columns], &plain[..n_columns]);
        }
    }
}

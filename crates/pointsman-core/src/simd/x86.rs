//! The kernels of the parent module with the vector instructions of x86-64; audited with it.

use super::{
    BLOCK, BlockMasks, ByteCounts, Job,
    rows::{PREFETCH_AHEAD, RowTable, TERMS_PER_FLUSH},
};
use std::arch::x86_64::{
    __m128i, __m256i, _MM_HINT_T0, _mm_load_si128, _mm_loadl_epi64, _mm_loadu_si128, _mm_prefetch,
    _mm256_add_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_blendv_epi8,
    _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8,
    _mm256_cvtepi8_epi16, _mm256_cvtepi16_epi32, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16, _mm256_storeu_si256,
};
use std::sync::LazyLock;

/// The answer of [`is_available`], so that a decision need not ask for five features five times.
static IS_AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("lzcnt")
        && std::arch::is_x86_feature_detected!("popcnt")
});

/// Whether the machine has what the functions of this module are compiled for.
#[inline]
pub(super) fn is_available() -> bool {
    *IS_AVAILABLE
}

/// # Safety
/// Needs what [`is_available`] looks for.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn run<J: Job>(job: J) -> J::Output {
    job.run()
}

/// # Safety
/// Needs what [`is_available`] looks for.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn scan(
    text: &[u8],
    folded: &mut [u8],
    masks: &mut Vec<BlockMasks>,
) -> ByteCounts {
    let mut counts = ByteCounts::default();
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let (folded, _) = folded.as_chunks_mut::<BLOCK>();
    for (block, out) in blocks.iter().zip(&mut *folded) {
        masks.push(scan_block(block, out, &mut counts));
    }
    if !rest.is_empty() {
        let mut block = [b' '; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        masks.push(scan_block(&block, &mut folded[blocks.len()], &mut counts));
    }
    counts
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn scan_block(text: &[u8; BLOCK], folded: &mut [u8; BLOCK], counts: &mut ByteCounts) -> BlockMasks {
    let (low, high) = (&text[..32], &text[32..]);
    let (low_out, high_out) = folded.split_at_mut(32);
    let (low, high) = (scan_half(low, low_out), scan_half(high, high_out));
    let [word, blank, upper, digit, beyond, newline, code, question] =
        std::array::from_fn(|class| u64::from(low[class]) | u64::from(high[class]) << 32);
    let mark = !(word | blank);
    counts.word += u64::from(word.count_ones());
    counts.mark += u64::from(mark.count_ones());
    counts.upper += u64::from(upper.count_ones());
    counts.digit += u64::from(digit.count_ones());
    counts.high += u64::from(beyond.count_ones());
    counts.newline += u64::from(newline.count_ones());
    counts.code += u64::from(code.count_ones());
    counts.question += u64::from(question.count_ones());
    BlockMasks { word, mark, digit, newline }
}

/// Letters `a` to `o`, in either case: the sign bit, which is what masks are made of.
const A_TO_O: u8 = 0x80;
/// Letters `p` to `z`: a shift by one away from it.
const P_TO_Z: u8 = 0x40;
/// Digits: a shift by two away.
const DIGIT: u8 = 0x20;
/// The four rectangles of the byte table that code is recognised by.
const CODE: [u8; 4] = [1, 2, 4, 8];

/// What class a byte may have by its higher half, and by its lower half; it has those that
/// both say. Bytes outside ASCII look up zero.
///
/// Source: Langdale & Lemire, "Parsing gigabytes of JSON per second", VLDB J. 28 (2019).
const BY_HIGH: [u8; 16] = {
    let mut table = [0; 16];
    table[3] = DIGIT | CODE[0]; // < = >
    table[4] = A_TO_O;
    table[5] = P_TO_Z | CODE[0] | CODE[1] | CODE[2]; // [ \ ] ^ _
    table[6] = A_TO_O | CODE[3]; // `
    table[7] = P_TO_Z | CODE[0] | CODE[1]; // { | } ~
    table
};
const BY_LOW: [u8; 16] = {
    let mut table = [0; 16];
    let mut low = 0;
    while low < 16 {
        if 0 < low {
            table[low] |= A_TO_O;
        }
        if low <= 10 {
            table[low] |= P_TO_Z;
        }
        if low <= 9 {
            table[low] |= DIGIT;
        }
        low += 1;
    }
    table[0xc] |= CODE[0];
    table[0xd] |= CODE[0];
    table[0xe] |= CODE[0];
    table[0xb] |= CODE[1];
    table[0xf] |= CODE[2];
    table[0x0] |= CODE[3];
    table
};

/// Masks of 32 bytes: word, blank, capitals, digits, beyond ASCII, line feeds, code, `?`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn scan_half(text: &[u8], folded: &mut [u8]) -> [u32; 8] {
    assert!(text.len() == 32 && folded.len() == 32, "half a block");
    // SAFETY: 32 bytes are readable, as asserted; tables are of 16 bytes.
    let (bytes, by_high, by_low) = unsafe {
        (
            _mm256_loadu_si256(text.as_ptr().cast::<__m256i>()),
            _mm_loadu_si128(BY_HIGH.as_ptr().cast::<__m128i>()),
            _mm_loadu_si128(BY_LOW.as_ptr().cast::<__m128i>()),
        )
    };
    let (by_high, by_low) =
        (_mm256_broadcastsi128_si256(by_high), _mm256_broadcastsi128_si256(by_low));
    let splat = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
    let bits = |mask: __m256i| as_number(_mm256_movemask_epi8(mask).cast_unsigned());
    let high_half = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), splat(0x0f));
    let class = _mm256_and_si256(
        _mm256_shuffle_epi8(by_high, high_half),
        _mm256_shuffle_epi8(by_low, bytes),
    );
    let letter = _mm256_or_si256(class, _mm256_add_epi8(class, class));
    let digit = _mm256_slli_epi16::<2>(class);
    // Bit 5 is what tells lower case from upper; the sign bit moves there by a shift of two.
    let case = _mm256_and_si256(_mm256_srli_epi16::<2>(letter), splat(0x20));
    let lower = _mm256_or_si256(bytes, case);
    let out = _mm256_blendv_epi8(lower, splat(b'0'), digit);
    // SAFETY: 32 bytes are writable, as asserted.
    unsafe { _mm256_storeu_si256(folded.as_mut_ptr().cast::<__m256i>(), out) };
    let (letters, digits, beyond) = (bits(letter), bits(digit), bits(bytes));
    let not_code = _mm256_cmpeq_epi8(_mm256_and_si256(class, splat(0x0f)), _mm256_setzero_si256());
    // Signed comparison: bytes outside ASCII are negative, so below the bound too.
    let up_to_blank = bits(_mm256_cmpgt_epi8(splat(b' ' + 1), bytes));
    [
        letters | digits | beyond,
        up_to_blank & !beyond,
        letters & !bits(_mm256_slli_epi16::<2>(bytes)),
        digits,
        beyond,
        bits(_mm256_cmpeq_epi8(bytes, splat(b'\n'))),
        !bits(not_code),
        bits(_mm256_cmpeq_epi8(bytes, splat(b'?'))),
    ]
}

/// The same number, but no longer known to be the signs of a vector: where the compiler knows, it
/// joins two of them by taking them apart, bit by bit.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is no instruction at all")]
fn as_number(mut bits: u32) -> u32 {
    // SAFETY: there is nothing in it.
    unsafe {
        std::arch::asm!("/* {0:e} */", inout(reg) bits, options(pure, nomem, nostack, preserves_flags));
    }
    bits
}

/// Asks for a line of memory.
///
/// # Safety
/// Needs SSE, which every machine of this architecture has. The place is a hint, and may be any.
#[inline]
#[target_feature(enable = "sse")]
pub(super) unsafe fn prefetch(place: *const i8) {
    _mm_prefetch::<_MM_HINT_T0>(place);
}

/// # Safety
/// Needs AVX2; `sums` has one entry per byte of a row.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn accumulate(table: &RowTable, terms: &[u32], sums: &mut [i32]) -> u64 {
    match table.stride {
        // SAFETY: AVX2 and the width of `sums` are the caller's promise; a row of 64·k bytes
        // is walked in k lanes of 64.
        8 => unsafe { lanes::<8>(table, terms, 0, sums) },
        16 => unsafe { lanes::<16>(table, terms, 0, sums) },
        32 => unsafe { lanes::<32>(table, terms, 0, sums) },
        _ => {
            let mut squared = 0;
            for (lane, sums) in sums.chunks_exact_mut(64).enumerate() {
                // The last lane's last two bytes are the frequencies; the others' are weights.
                squared = unsafe { lanes::<64>(table, terms, lane * 64, sums) };
            }
            squared
        }
    }
}

/// Sums `WIDTH` bytes of each row, from byte `at` on. Returns the sum of the row's last two
/// bytes as a number where they are part of what was read, and something else otherwise.
#[target_feature(enable = "avx2")]
unsafe fn lanes<const WIDTH: usize>(
    table: &RowTable,
    terms: &[u32],
    at: usize,
    sums: &mut [i32],
) -> u64 {
    let base = table.bytes().as_ptr();
    let (stride, mask) = (table.stride, table.bucket_mask);
    // SAFETY: the mask keeps the bucket inside the table, and `at + WIDTH` inside its row.
    let row = |term: u32| unsafe { base.add((term & mask) as usize * stride + at) };
    let mut squared = 0_u64;
    for (index, chunk) in terms.chunks(TERMS_PER_FLUSH).enumerate() {
        let mut totals = [_mm256_setzero_si256(); 4];
        for (position, &term) in chunk.iter().enumerate() {
            let ahead = index * TERMS_PER_FLUSH + position + PREFETCH_AHEAD;
            if let Some(&next) = terms.get(ahead) {
                _mm_prefetch::<_MM_HINT_T0>(row(next).cast::<i8>());
            }
            let here = row(term);
            // SAFETY: rows of 16 bytes and more start at multiples of 16 of an aligned table.
            unsafe {
                if WIDTH == 8 {
                    let weights = _mm_loadl_epi64(here.cast::<__m128i>());
                    totals[0] = _mm256_add_epi16(totals[0], _mm256_cvtepi8_epi16(weights));
                }
                for (lane, total) in totals.iter_mut().enumerate().take(WIDTH / 16) {
                    let weights = _mm_load_si128(here.add(lane * 16).cast::<__m128i>());
                    *total = _mm256_add_epi16(*total, _mm256_cvtepi8_epi16(weights));
                }
                squared +=
                    u64::from(u16::from_le_bytes(here.add(WIDTH - 2).cast::<[u8; 2]>().read()));
            }
        }
        flush(&totals, sums);
    }
    squared
}

/// Adds sums of 16 bits to as many of 32 as there are, eight at a time.
#[target_feature(enable = "avx2")]
fn flush(totals: &[__m256i; 4], sums: &mut [i32]) {
    let (eights, _) = sums.as_chunks_mut::<8>();
    // Counted by the totals, so that the loops can be unrolled and totals need not be in memory.
    for (lane, total) in totals.iter().enumerate() {
        let halves = [_mm256_castsi256_si128(*total), _mm256_extracti128_si256::<1>(*total)];
        for (half, &part) in halves.iter().enumerate() {
            let Some(eight) = eights.get_mut(2 * lane + half) else { continue };
            let place = eight.as_mut_ptr().cast::<__m256i>();
            // SAFETY: eight numbers are readable and writable from there.
            unsafe {
                let sum = _mm256_add_epi32(_mm256_loadu_si256(place), _mm256_cvtepi16_epi32(part));
                _mm256_storeu_si256(place, sum);
            }
        }
    }
}

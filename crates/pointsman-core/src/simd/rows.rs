//! Weights by bucket, a row for each, and their sums over the terms of a text.

use super::bytes::{AlignedBytes, LINE};
#[cfg(target_arch = "x86_64")]
use super::x86;

/// One row of bytes per bucket: an `i8` weight per column, then, in the last two bytes, the
/// bucket's squared inverse document frequency.
#[derive(Debug)]
pub(crate) struct RowTable {
    bytes: AlignedBytes,
    pub(super) stride: usize,
    pub(super) bucket_mask: u32,
}

/// The rows of a table, to be asked for before they are added up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    bytes: &'a [u8],
    stride: usize,
    bucket_mask: u32,
}

/// Terms summed in 16 bits before they are moved to 32: 256 · 127 still fits.
pub(super) const TERMS_PER_FLUSH: usize = 256;

/// How many rows ahead are prefetched.
#[cfg(target_arch = "x86_64")]
pub(super) const PREFETCH_AHEAD: usize = 24;

impl RowTable {
    /// A table of zeros for `2^log2_buckets` buckets and `n_columns` weights each.
    pub(crate) fn zeros(log2_buckets: u8, n_columns: usize) -> Self {
        let needed = n_columns + 2;
        // No row that is shorter than a cache line lies on two.
        let stride = if needed <= LINE {
            needed.next_power_of_two().max(8)
        } else {
            needed.next_multiple_of(LINE)
        };
        let n_buckets = 1_usize << log2_buckets;
        let bytes = AlignedBytes::zeros(n_buckets * stride);
        Self { bytes, stride, bucket_mask: (1_u32 << log2_buckets) - 1 }
    }

    /// A table of weights of shape `(n_buckets, n_columns)`, row after row, and a squared inverse
    /// document frequency for each bucket.
    pub(crate) fn filled(
        log2_buckets: u8,
        n_columns: usize,
        (weights, squared_idf): (&[i8], &[u16]),
    ) -> Self {
        let mut table = Self::zeros(log2_buckets, n_columns);
        let stride = table.stride();
        let rows = weights.chunks_exact(n_columns).zip(squared_idf);
        for (bucket, (weights, idf)) in (0_u32..).zip(rows) {
            let row = table.row_mut(bucket);
            for (byte, weight) in row.iter_mut().zip(weights) {
                *byte = weight.cast_unsigned();
            }
            row[stride - 2..].copy_from_slice(&idf.to_le_bytes());
        }
        table
    }

    /// Bytes per row; also the number of sums that [`Self::accumulate`] writes.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The bytes of one row.
    pub(crate) fn row(&self, bucket: u32) -> &[u8] {
        let start = self.offset(bucket);
        &self.bytes()[start..start + self.stride]
    }

    /// The bytes of one row, to be written.
    pub(crate) fn row_mut(&mut self, bucket: u32) -> &mut [u8] {
        let (start, stride) = (self.offset(bucket), self.stride);
        &mut self.bytes.as_mut_slice()[start..start + stride]
    }

    /// All rows, one after the other; they begin at a cache line.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    fn offset(&self, bucket: u32) -> usize {
        (bucket & self.bucket_mask) as usize * self.stride
    }

    /// The rows, to be announced one by one.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows { bytes: self.bytes(), stride: self.stride, bucket_mask: self.bucket_mask }
    }

    /// Adds up the rows of `terms` into `sums`, one per byte of a row, and returns the sum of the
    /// squared inverse document frequencies. `sums` is overwritten; its last two entries, and
    /// those of columns that the table does not have, mean nothing.
    ///
    /// # Panics
    /// If `sums` is not one entry per byte of a row: a bug in the caller.
    pub(crate) fn accumulate(&self, terms: &[u32], sums: &mut [i32]) -> u64 {
        assert_eq!(sums.len(), self.stride, "one sum per byte of a row");
        sums.fill(0);
        #[cfg(target_arch = "x86_64")]
        if x86::is_available() {
            // SAFETY: the machine has AVX2.
            return unsafe { x86::accumulate(self, terms, sums) };
        }
        self.accumulate_portable(terms, sums)
    }

    pub(super) fn accumulate_portable(&self, terms: &[u32], sums: &mut [i32]) -> u64 {
        let mut squared = 0;
        for &term in terms {
            let row = self.row(term);
            for (sum, &weight) in sums.iter_mut().zip(row) {
                *sum += i32::from(weight.cast_signed());
            }
            squared += u64::from(u16::from_le_bytes([row[self.stride - 2], row[self.stride - 1]]));
        }
        squared
    }
}

impl Rows<'_> {
    /// Asks the machine for the beginning of a row that will soon be added up.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub(crate) fn announce(&self, bucket: u32) {
        if let Some(first) = self.bytes.get((bucket & self.bucket_mask) as usize * self.stride) {
            super::announce(first);
        }
    }
}

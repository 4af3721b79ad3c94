//! The features of all training requests, as one sparse matrix that texts are streamed into.

use pointsman_core::{
    features::{BucketCountError, Extractor, FeatureSchema, Features, N_DENSE},
    request::Request,
};

/// Requests by features, in compressed rows; the prompts themselves are not kept.
#[derive(Debug, Clone)]
pub struct Design {
    schema: FeatureSchema,
    starts: Vec<usize>,
    terms: Vec<u32>,
    dense: Vec<[f32; N_DENSE]>,
    n_bytes: Vec<u32>,
    n_requests_cut: u64,
}

/// Reads requests into a [`Design`], one after the other.
#[derive(Debug)]
pub struct DesignBuilder {
    extractor: Extractor,
    design: Design,
    /// About how many rows there will be; zero where nobody knows.
    n_rows_ahead: usize,
}

/// Rows whose terms tell how many the others will have.
const TELLING_ROWS: usize = 1024;

impl DesignBuilder {
    /// An empty design for one schema.
    pub fn new(schema: FeatureSchema) -> Self {
        Self { extractor: Extractor::new(schema), design: Design::empty(schema), n_rows_ahead: 0 }
    }

    /// Says about how many rows there will be, so that they need not be moved to where there is more
    /// room time and again.
    #[must_use]
    pub fn expecting(mut self, n_rows: usize) -> Self {
        self.n_rows_ahead = n_rows;
        self
    }

    /// Adds one request as the next row.
    pub fn push(&mut self, request: &Request<'_>) {
        let features = self.extractor.extract(request);
        self.design.push(&features);
        self.make_room();
    }

    /// Adds one request as the next row, whose features were read before, by the design's schema.
    pub fn push_read(&mut self, features: &Features<'_>) {
        self.design.push(features);
        self.make_room();
    }

    /// After some rows, makes room for the rest of them, where there is memory for it; what is never
    /// written to takes none.
    fn make_room(&mut self) {
        let Design { starts, terms, dense, n_bytes, .. } = &mut self.design;
        if dense.len() == TELLING_ROWS {
            let n_rows = self.n_rows_ahead.saturating_sub(TELLING_ROWS);
            let n_terms = (terms.len() / TELLING_ROWS + 1).saturating_mul(n_rows);
            // Where there is not, they grow as rows come.
            let _ = terms.try_reserve_exact(n_terms);
            let _ = starts.try_reserve_exact(n_rows);
            let _ = dense.try_reserve_exact(n_rows);
            let _ = n_bytes.try_reserve_exact(n_rows);
        }
    }

    /// The finished matrix.
    pub fn finish(self) -> Design {
        self.design
    }
}

impl Design {
    /// A design without rows.
    pub(crate) fn empty(schema: FeatureSchema) -> Self {
        Self {
            schema,
            starts: vec![0],
            terms: Vec::new(),
            dense: Vec::new(),
            n_bytes: Vec::new(),
            n_requests_cut: 0,
        }
    }

    pub(crate) fn push(&mut self, features: &Features<'_>) {
        let Features { terms, dense, n_bytes, n_bytes_cut } = *features;
        self.terms.extend_from_slice(terms);
        self.starts.push(self.terms.len());
        self.dense.push(*dense);
        self.n_bytes.push(u32::try_from(n_bytes).unwrap_or(u32::MAX));
        self.n_requests_cut += u64::from(0 < n_bytes_cut);
    }

    /// The given rows alone, in their order.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let mut selected = Self::empty(self.schema);
        for &row in rows {
            let row = row as usize;
            selected.terms.extend_from_slice(self.terms(row));
            selected.starts.push(selected.terms.len());
            selected.dense.push(self.dense[row]);
            selected.n_bytes.push(self.n_bytes[row]);
        }
        selected.n_requests_cut = self.n_requests_cut;
        selected
    }

    /// The same requests in fewer buckets, as if they had been read into that many: a bucket is
    /// the first bits of a hash. As it is where `log2_buckets` is not fewer.
    ///
    /// # Errors
    /// [`BucketCountError`] for a count that no schema has.
    pub fn coarser(&self, log2_buckets: u8) -> Result<Self, BucketCountError> {
        let schema = self.schema.with_log2_buckets(log2_buckets)?;
        let shift = self.schema.log2_buckets().saturating_sub(log2_buckets);
        if shift == 0 {
            return Ok(self.clone());
        }
        let mut coarser = Self { schema, starts: vec![0], terms: Vec::new(), ..self.clone() };
        // The row that met each bucket last, counted from one.
        let mut met = vec![0_usize; schema.n_buckets()];
        for row in 0..self.n_rows() {
            for &term in self.terms(row) {
                let bucket = term >> shift;
                if met[bucket as usize] <= row {
                    met[bucket as usize] = row + 1;
                    coarser.terms.push(bucket);
                }
            }
            coarser.starts.push(coarser.terms.len());
        }
        Ok(coarser)
    }

    /// How text became terms.
    pub fn schema(&self) -> FeatureSchema {
        self.schema
    }

    /// How many requests there are.
    pub fn n_rows(&self) -> usize {
        self.dense.len()
    }

    /// Requests of which only head and tail were read.
    pub fn n_requests_cut(&self) -> u64 {
        self.n_requests_cut
    }

    /// The buckets of one request.
    pub fn terms(&self, row: usize) -> &[u32] {
        &self.terms[self.starts[row]..self.starts[row + 1]]
    }

    /// The dense features of one request, as they were read.
    pub fn dense(&self, row: usize) -> &[f32; N_DENSE] {
        &self.dense[row]
    }

    /// The features of one request, as a scorer takes them.
    pub fn features(&self, row: usize) -> Features<'_> {
        Features {
            terms: self.terms(row),
            dense: self.dense(row),
            n_bytes: self.n_bytes(row),
            n_bytes_cut: 0,
        }
    }

    /// Bytes of text in one request.
    pub fn n_bytes(&self, row: usize) -> usize {
        self.n_bytes[row] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::features::Bigrams;

    #[test]
    fn features_that_were_read_before_are_rows_like_others() {
        let schema = FeatureSchema::new(12, Bigrams::With).unwrap();
        let (mut builder, mut extractor) = (DesignBuilder::new(schema), Extractor::new(schema));
        for text in ["Sort these: 3, 1, 2.".to_owned(), "long ".repeat(10_000)] {
            let request = Request::from_prompt(&text);
            builder.push(&request);
            builder.push_read(&extractor.extract(&request));
        }
        let design = builder.finish();
        assert_eq!((design.n_rows(), design.n_requests_cut()), (4, 2));
        for row in [0, 2] {
            assert_eq!(design.terms(row), design.terms(row + 1));
            assert_eq!(design.dense(row), design.dense(row + 1));
            assert_eq!(design.n_bytes(row), design.n_bytes(row + 1));
        }
    }

    #[test]
    fn fewer_buckets_are_what_reading_into_them_gives() {
        let texts = ["", "Sort these: 3, 1, 2.", &"many different words and more ".repeat(9), "a"];
        let read = |log2_buckets| {
            let mut builder =
                DesignBuilder::new(FeatureSchema::new(log2_buckets, Bigrams::With).unwrap());
            for text in texts {
                builder.push(&Request::from_prompt(text));
            }
            builder.finish()
        };
        let fine = read(18);
        for log2_buckets in [18, 12, 8] {
            let (found, expected) = (fine.coarser(log2_buckets).unwrap(), read(log2_buckets));
            assert_eq!(found.schema(), expected.schema());
            for row in 0..texts.len() {
                assert_eq!(found.terms(row), expected.terms(row), "{log2_buckets} {row}");
                assert_eq!(found.dense(row), expected.dense(row));
            }
        }
        assert!(fine.coarser(7).is_err());
    }
}

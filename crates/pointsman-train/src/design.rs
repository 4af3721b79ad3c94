//! The features of all training requests, as one sparse matrix that texts are streamed into.

use pointsman_core::{
    features::{Extractor, FeatureSchema, Features, N_DENSE},
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
}

impl DesignBuilder {
    /// An empty design for one schema.
    pub fn new(schema: FeatureSchema) -> Self {
        let design = Design {
            schema,
            starts: vec![0],
            terms: Vec::new(),
            dense: Vec::new(),
            n_bytes: Vec::new(),
            n_requests_cut: 0,
        };
        Self { extractor: Extractor::new(schema), design }
    }

    /// Adds one request as the next row.
    pub fn push(&mut self, request: &Request<'_>) {
        let Features { terms, dense, n_bytes, n_bytes_cut } = self.extractor.extract(request);
        let design = &mut self.design;
        design.terms.extend_from_slice(terms);
        design.starts.push(design.terms.len());
        design.dense.push(*dense);
        design.n_bytes.push(u32::try_from(n_bytes).unwrap_or(u32::MAX));
        design.n_requests_cut += u64::from(0 < n_bytes_cut);
    }

    /// The finished matrix.
    pub fn finish(self) -> Design {
        self.design
    }
}

impl Design {
    /// The given rows alone, in their order.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let mut selected = DesignBuilder::new(self.schema).design;
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

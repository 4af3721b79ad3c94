//! The ids by which a policy remembers the rows it was trained on.

use sha2::{Digest, Sha256, block_api::compress256};

/// Bytes that SHA-256 takes at a time.
const BLOCK: usize = 64;

/// The state that SHA-256 begins in: FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Gives rows the ids of [`Card::row_id`](super::Card::row_id); the data's digest is hashed once for
/// all of them.
#[derive(Debug, Clone)]
pub struct RowIds {
    keyed: Sha256,
    /// The state after the digest alone, where that is one block, as digests are: what is left of
    /// most rows is then one block too.
    after_digest: Option<[u32; 8]>,
}

impl RowIds {
    pub(super) fn new(data_digest: &str) -> Self {
        let keyed = Sha256::new().chain_update(data_digest).chain_update([0]);
        let after_digest = <[u8; BLOCK]>::try_from(data_digest.as_bytes()).ok().map(|digest| {
            let mut state = INITIAL;
            compress256(&mut state, &[digest]);
            state
        });
        Self { keyed, after_digest }
    }

    /// The id of one row.
    pub fn id(&self, row: &str) -> u64 {
        self.in_one_block(row.as_bytes()).unwrap_or_else(|| {
            let hash = self.keyed.clone().chain_update(row).finalize();
            hash[..8].iter().fold(0, |id, &byte| id << 8 | u64::from(byte))
        })
    }

    /// The same where the zero, the row and what ends a hash fit into one block.
    fn in_one_block(&self, row: &[u8]) -> Option<u64> {
        let mut state = self.after_digest?;
        let mut block = [0; BLOCK];
        let (text, length) = block.split_last_chunk_mut::<8>()?;
        let (end, text) = text.get_mut(1..row.len() + 2)?.split_last_mut()?;
        text.copy_from_slice(row);
        *end = 0x80;
        *length = u64::try_from(8 * (BLOCK + 1 + row.len())).ok()?.to_be_bytes();
        compress256(&mut state, &[block]);
        Some(u64::from(state[0]) << 32 | u64::from(state[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_beginning_of_a_hash_whatever_is_hashed() {
        let digest = "0123456789abcdef".repeat(4);
        for digest in [&digest, "short", ""] {
            for n_bytes in [0, 1, 22, 53, 54, 55, 200] {
                let row = "r".repeat(n_bytes);
                let hash = Sha256::digest([digest.as_bytes(), &[0], row.as_bytes()].concat());
                let expected = u64::from_be_bytes(hash[..8].try_into().unwrap());
                assert_eq!(RowIds::new(digest).id(&row), expected, "{digest} {n_bytes}");
            }
        }
        assert!(RowIds::new(&digest).in_one_block(&[b'r'; 54]).is_some());
        assert!(RowIds::new(&digest).in_one_block(&[b'r'; 55]).is_none());
    }
}

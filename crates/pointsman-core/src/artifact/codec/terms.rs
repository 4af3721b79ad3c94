//! The table of terms in a file: the weights of every bucket, or, of a pruned policy, the weights
//! of the buckets that have any and a bit for each bucket that says whether it is one of them.
//!
//! In memory there is one kind of table, so a pruned policy decides as fast as any other. Every
//! bucket keeps its inverse document frequency, which the length of a request depends on.

use super::{Reader, Tensor, malformed, tensor};
use crate::{
    artifact::{ArtifactError, Card},
    scorer::ScorerParts,
};
use safetensors::tensor::Dtype;

/// The tensors of the weights.
pub(super) fn tensors(card: &Card, parts: &ScorerParts) -> Vec<Tensor> {
    let (columns, buckets) = (parts.n_columns(), parts.schema.n_buckets());
    let push = |out: &mut Vec<u8>, weights: &[i8]| {
        out.extend(weights.iter().map(|weight| weight.cast_unsigned()));
    };
    if card.pruning.is_none() {
        return vec![tensor("terms.weights", Dtype::I8, &[buckets, columns], |out| {
            push(out, &parts.term_weights);
        })];
    }
    let rows: Vec<&[i8]> = parts.term_weights.chunks_exact(columns).collect();
    let is_kept = |row: &[i8]| row.iter().any(|&weight| weight != 0);
    let mut kept = vec![0_u8; buckets / 8];
    for (byte, rows) in kept.iter_mut().zip(rows.chunks(8)) {
        for (bit, row) in rows.iter().enumerate() {
            *byte |= u8::from(is_kept(row)) << bit;
        }
    }
    let rows: Vec<&[i8]> = rows.into_iter().filter(|row| is_kept(row)).collect();
    let bits = tensor("terms.kept", Dtype::U8, &[kept.len()], |out| out.extend(&kept));
    let weights = tensor("terms.weights", Dtype::I8, &[rows.len(), columns], |out| {
        for row in rows {
            push(out, row);
        }
    });
    vec![weights, bits]
}

/// The weights of all buckets, row after row.
pub(super) fn read(
    read: &Reader<'_>,
    card: &Card,
    columns: usize,
) -> Result<Vec<i8>, ArtifactError> {
    let buckets = card.schema.n_buckets();
    let Some(pruning) = &card.pruning else {
        let bytes = read.bytes("terms.weights", Dtype::I8, &[buckets, columns])?;
        return Ok(bytes.iter().map(|byte| byte.cast_signed()).collect());
    };
    let kept = read.bytes("terms.kept", Dtype::U8, &[buckets / 8])?;
    let n_kept: u64 = kept.iter().map(|byte| u64::from(byte.count_ones())).sum();
    if n_kept != pruning.n_kept {
        return Err(malformed(format!(
            "the card says that {} terms were kept, `terms.kept` {n_kept}",
            pruning.n_kept
        )));
    }
    let n_kept = usize::try_from(n_kept).map_err(malformed)?;
    let mut rows =
        read.bytes("terms.weights", Dtype::I8, &[n_kept, columns])?.chunks_exact(columns);
    let mut weights = vec![0_i8; buckets * columns];
    for (bucket, out) in weights.chunks_exact_mut(columns).enumerate() {
        let is_kept = kept[bucket / 8] & (1 << (bucket % 8)) != 0;
        let Some(row) = is_kept.then(|| rows.next()).flatten() else { continue };
        if row.iter().all(|&byte| byte == 0) {
            return Err(malformed(format!("`terms.kept` holds bucket {bucket} without weights")));
        }
        for (out, byte) in out.iter_mut().zip(row) {
            *out = byte.cast_signed();
        }
    }
    Ok(weights)
}

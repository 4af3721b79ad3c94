//! What a draw may cost more than the best model would.

use pointsman_core::{policy::Candidate, units::Usd};

/// By how much one candidate is expected to cost more than another, with what may come after its
/// answer, where that is foreseen; nothing more than itself.
pub(super) fn extra(candidates: &[Candidate], of: usize, than: usize) -> Usd {
    if of == than {
        return Usd::ZERO;
    }
    let whole = candidates[of].cascade.map_or(candidates[of].expected, |cascade| cascade.expected);
    let cost = whole.cost.unwrap_or(Usd::ZERO).nanos();
    let other = candidates[than].expected.cost.unwrap_or(Usd::ZERO).nanos();
    Usd::from_nanos(cost.saturating_sub(other))
}

/// The most that a draw may be expected to cost more than the best model.
pub(super) fn most_extra(candidates: &[Candidate], best: usize) -> Usd {
    let possible = (0..candidates.len()).filter(|&index| 0.0 < candidates[index].probability);
    possible.map(|index| extra(candidates, index, best)).max().unwrap_or(Usd::ZERO)
}

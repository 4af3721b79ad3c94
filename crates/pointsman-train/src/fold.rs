//! Which rows are held out together.

/// How many parts the training rows are cut into for choices made on held-out data.
pub(crate) const N_FOLDS: usize = 4;

/// The inner fold of a group; equal groups (one conversation, or equal prompts) share one.
#[expect(clippy::cast_possible_truncation, reason = "less than the number of folds")]
pub(crate) fn fold_of(group: u64, seed: u64) -> usize {
    (mix(group ^ mix(seed ^ 0x5851_f42d_4c95_7f2d)) % N_FOLDS as u64) as usize
}

/// One group in so many calibrates a guarantee, where one is asked for.
const CALIBRATION_PART: u64 = 4;

/// Whether a group is kept from the fit and from every choice, to prove a guarantee on.
pub(crate) fn calibrates(group: u64, seed: u64) -> bool {
    calibration_order(group, seed).is_multiple_of(CALIBRATION_PART)
}

/// A number that puts groups into an order that has nothing to do with their data.
pub(crate) fn calibration_order(group: u64, seed: u64) -> u64 {
    mix(group ^ mix(seed ^ 0xd1b5_4a32_d192_ed03))
}

/// Finaliser of `splitmix64`. Source: Steele, Lea & Flood, OOPSLA 2014.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

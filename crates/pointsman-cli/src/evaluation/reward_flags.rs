//! Who predicts quality for doubly robust values, as flags say it.

use anyhow::{Result, bail};

/// Groups are divided into so many parts where nothing else is asked for.
const N_FOLDS: u64 = 5;

/// More parts cost a fit each, and give each fit hardly more rows.
const MOST_FOLDS: u64 = 50;

/// Who is to predict quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RewardModel {
    /// The policy itself.
    #[default]
    Policy,
    /// A model that is learned from the log.
    CrossFitted {
        /// Into how many parts the log's groups are divided.
        n_folds: u64,
        /// Draws the parts.
        seed: u64,
    },
}

/// Who is to predict quality, as flags spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Policy,
    CrossFitted,
}

impl std::str::FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "policy" => Ok(Self::Policy),
            "cross-fitted" => Ok(Self::CrossFitted),
            _ => Err(format!("`{text}` is neither policy nor cross-fitted")),
        }
    }
}

/// Flags that say who predicts quality.
#[expect(clippy::struct_field_names, reason = "they are named as on the command line")]
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RewardFlags {
    /// Who predicts quality for doubly robust values from a log: the `policy` itself, or a model that
    /// is learned from the log, `cross-fitted`; `policy` where not given.
    #[arg(long, value_name = "WHO")]
    reward_model: Option<Who>,
    /// Into how many parts the log is divided for a cross-fitted reward model, each predicted by the
    /// others; 5 where not given.
    #[arg(long, value_name = "N", requires = "reward_model")]
    reward_folds: Option<u64>,
    /// Draws the parts of a cross-fitted reward model; 0 where not given.
    #[arg(long, value_name = "SEED", requires = "reward_model")]
    reward_seed: Option<u64>,
}

impl RewardFlags {
    /// Who is asked for.
    pub(crate) fn checked(&self) -> Result<RewardModel> {
        let Self { reward_model, reward_folds, reward_seed } = *self;
        if reward_model != Some(Who::CrossFitted) {
            if reward_folds.is_some() || reward_seed.is_some() {
                bail!(
                    "--reward-folds and --reward-seed are about a cross-fitted reward model; ask \
                     for one with --reward-model cross-fitted"
                );
            }
            return Ok(RewardModel::Policy);
        }
        let n_folds = reward_folds.unwrap_or(N_FOLDS);
        if !(2..=MOST_FOLDS).contains(&n_folds) {
            bail!(
                "--reward-folds: {n_folds} is not from 2 to {MOST_FOLDS}; {N_FOLDS} are usual, and \
                 each is a fit"
            );
        }
        Ok(RewardModel::CrossFitted { n_folds, seed: reward_seed.unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        who: Option<&str>,
        (reward_folds, reward_seed): (Option<u64>, Option<u64>),
        expected: Result<RewardModel, &str>,
    ) {
        let reward_model = who.map(|who| who.parse().unwrap());
        let flags = RewardFlags { reward_model, reward_folds, reward_seed };
        match (flags.checked(), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{flags:?}"),
            (Err(found), Err(expected)) => {
                assert!(found.to_string().contains(expected), "{flags:?}: {found}");
            }
            (found, _) => panic!("{flags:?}: {found:?}"),
        }
    }

    #[test]
    fn flags_are_a_reward_model() {
        let fitted = |n_folds, seed| Ok(RewardModel::CrossFitted { n_folds, seed });
        check(None, (None, None), Ok(RewardModel::Policy));
        check(Some("policy"), (None, None), Ok(RewardModel::Policy));
        check(Some("cross-fitted"), (None, None), fitted(5, 0));
        check(Some("cross-fitted"), (Some(2), Some(7)), fitted(2, 7));
        check(Some("cross-fitted"), (Some(1), None), Err("1 is not from 2 to 50"));
        check(Some("cross-fitted"), (Some(51), None), Err("51 is not from 2 to 50"));
        check(Some("policy"), (Some(5), None), Err("ask for one with --reward-model cross-fitted"));
        check(None, (None, Some(1)), Err("ask for one with --reward-model cross-fitted"));
        assert!("crossfitted".parse::<Who>().is_err());
    }
}

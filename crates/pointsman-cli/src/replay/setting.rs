//! What is learned from, how, and how often: one setting of a replay, and another against it.

use super::windows::Memory;
use crate::{
    commands::train::{LearningFlags, Loss},
    policy_flags::PolicyFlags,
};
use std::{fmt, str::FromStr};

/// How one policy learns on its way.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) retrain: Retrain,
    pub(crate) memory: Memory,
    pub(crate) learning: LearningFlags,
    pub(crate) flags: PolicyFlags,
}

/// How often a policy is learned anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retrain {
    /// After so many windows.
    Every(usize),
    /// Once, from what came before the first window it decides.
    Never,
}

impl Retrain {
    /// Whether the policy is learned anew before a window, so many windows after the last fit.
    pub(crate) fn is_due(self, n_windows: usize) -> bool {
        match self {
            Self::Every(n) => n <= n_windows,
            Self::Never => false,
        }
    }
}

impl FromStr for Retrain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<usize>()) {
            ("never", _) => Ok(Self::Never),
            (_, Ok(n)) if 0 < n => Ok(Self::Every(n)),
            (_, Ok(_) | Err(_)) => {
                Err(format!("`{text}` is no number of windows above 0, and not never"))
            }
        }
    }
}

impl fmt::Display for Retrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(1) => write!(f, "every window"),
            Self::Every(n) => write!(f, "every {n} windows"),
            Self::Never => write!(f, "never again"),
        }
    }
}

/// How the other setting differs, as a flag spells it: `frozen`, or `objective=quality,memory=7d`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AgainstFlag {
    text: String,
    changes: Vec<Change>,
}

#[derive(Debug, Clone, PartialEq)]
enum Change {
    Retrain(Retrain),
    Memory(Memory),
    Objective(String),
    Lambda(f64),
    MinQuality(f64),
    MaxCostUsd(f64),
    Explore(String),
    Penalty(f64),
    Logistic,
    DoublyRobust,
}

/// What a flag may say, for people.
const CHANGES: &str = "frozen, retrain=N, memory=30d, objective=NAME, lambda=POINTS, \
                       min-quality=QUALITY, max-cost-usd=USD, explore=HOW, penalty=STRENGTH, \
                       logistic, doubly-robust";

impl FromStr for AgainstFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let changes: Vec<Change> = text.split(',').map(change).collect::<Result<_, _>>()?;
        let has = |change: &Change| changes.contains(change);
        let has_penalty = changes.iter().any(|it| matches!(it, Change::Penalty(_)));
        if has(&Change::Logistic) && has(&Change::DoublyRobust) {
            return Err("`doubly-robust` fits squared error, `logistic` does not".to_owned());
        }
        if has(&Change::DoublyRobust) && has_penalty {
            return Err("`doubly-robust` lets held-out value decide, a penalty does not".to_owned());
        }
        Ok(Self { text: text.to_owned(), changes })
    }
}

fn change(text: &str) -> Result<Change, String> {
    let (key, value) = text.split_once('=').map_or((text, None), |(k, v)| (k, Some(v)));
    let number =
        |value: &str| value.parse::<f64>().map_err(|_| format!("{key}: `{value}` is not a number"));
    match (key, value) {
        ("frozen", None) => Ok(Change::Retrain(Retrain::Never)),
        ("logistic", None) => Ok(Change::Logistic),
        ("doubly-robust", None) => Ok(Change::DoublyRobust),
        ("retrain", Some(value)) => value.parse().map(Change::Retrain),
        ("memory", Some(value)) => value.parse().map(Change::Memory),
        ("objective", Some(value)) => Ok(Change::Objective(value.to_owned())),
        ("lambda", Some(value)) => number(value).map(Change::Lambda),
        ("min-quality", Some(value)) => number(value).map(Change::MinQuality),
        ("max-cost-usd", Some(value)) => number(value).map(Change::MaxCostUsd),
        ("penalty", Some(value)) => number(value).map(Change::Penalty),
        ("explore", Some(value)) => {
            value.parse::<crate::policy_flags::ExploreFlag>()?;
            Ok(Change::Explore(value.to_owned()))
        }
        (_, Some(_) | None) => Err(format!("`{text}` changes nothing; write {CHANGES}")),
    }
}

impl AgainstFlag {
    /// The other setting: as `base`, but for the changes.
    pub(crate) fn of(&self, base: &Setting) -> Result<Setting, String> {
        let mut setting = Setting { name: self.text.clone(), ..base.clone() };
        for change in &self.changes {
            let flags = &mut setting.flags;
            match change {
                Change::Objective(_)
                | Change::Lambda(_)
                | Change::MinQuality(_)
                | Change::MaxCostUsd(_) => {
                    (flags.objective, flags.lambda) = (None, None);
                    (flags.min_quality, flags.max_cost_usd) = (None, None);
                }
                Change::Retrain(_)
                | Change::Memory(_)
                | Change::Explore(_)
                | Change::Penalty(_)
                | Change::Logistic
                | Change::DoublyRobust => {}
            }
            match change {
                Change::Retrain(retrain) => setting.retrain = *retrain,
                Change::Memory(memory) => setting.memory = *memory,
                Change::Objective(name) => flags.objective = Some(name.clone()),
                Change::Lambda(points) => flags.lambda = Some(*points),
                Change::MinQuality(quality) => flags.min_quality = Some(*quality),
                Change::MaxCostUsd(usd) => flags.max_cost_usd = Some(*usd),
                Change::Explore(how) => flags.explore = how.parse()?,
                Change::Penalty(strength) => {
                    setting.learning.penalty = Some(*strength);
                    setting.learning.doubly_robust = false;
                }
                Change::Logistic => {
                    setting.learning.loss = Loss::Logistic;
                    setting.learning.doubly_robust = false;
                }
                Change::DoublyRobust => {
                    setting.learning.penalty = None;
                    setting.learning.loss = Loss::Squared;
                    setting.learning.doubly_robust = true;
                }
            }
        }
        Ok(setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::windows::Span;

    fn base() -> Setting {
        Setting {
            name: "base".to_owned(),
            retrain: Retrain::Every(1),
            memory: Memory::All,
            learning: LearningFlags {
                seed: 3,
                penalty: None,
                loss: Loss::Squared,
                doubly_robust: false,
                words_only: false,
                buckets: 12,
                schema_version: None,
                max_mb: None,
            },
            flags: PolicyFlags { lambda: Some(2.0), ..PolicyFlags::default() },
        }
    }

    /// What the other setting is, in the words of its parts; or why there is none.
    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let found = text.parse::<AgainstFlag>().and_then(|flag| flag.of(&base())).map(|it| {
            let Setting { name: _, retrain, memory, learning, flags } = it;
            format!(
                "{retrain}; {memory}; {:?}; {:?} {:?}; {}",
                learning.penalty, flags.objective, flags.lambda, learning.doubly_robust
            )
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{text}: {found}"),
            (found, expected) => panic!("{text}: found {found:?} for {expected:?}"),
        }
    }

    #[test]
    fn the_other_setting_differs_as_it_says() {
        check("frozen", Ok("never again; all; None; None Some(2.0); false"));
        check("retrain=7", Ok("every 7 windows; all; None; None Some(2.0); false"));
        check(
            "memory=2d,objective=quality",
            Ok("every window; 2d; None; Some(\"quality\") None; false"),
        );
        check("penalty=10,logistic", Ok("every window; all; Some(10.0); None Some(2.0); false"));
        check("doubly-robust", Ok("every window; all; None; None Some(2.0); true"));
        check("lambda=x", Err("lambda: `x` is not a number"));
        check("retrain=0", Err("is no number of windows above 0"));
        check("memory=1w", Err("is no stretch"));
        check("explore=thompson", Err("is no explorer"));
        check("logistic", Ok("every window; all; None; None Some(2.0); false"));
        check("logistic,doubly-robust", Err("fits squared error"));
        check("thawed", Err("`thawed` changes nothing; write frozen"));
        check("", Err("changes nothing"));
    }

    #[test]
    fn fits_are_due_when_they_say() {
        assert!(!Retrain::Never.is_due(900));
        assert!(Retrain::Every(2).is_due(2) && !Retrain::Every(2).is_due(1));
        assert_eq!("48".parse::<Retrain>(), Ok(Retrain::Every(48)));
        assert_eq!("2d".parse::<Memory>(), Ok(Memory::Last(Span::Ms(172_800_000))));
    }
}

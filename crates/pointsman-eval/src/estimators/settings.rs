//! The numbers that some estimators take, each with the range in which it has a meaning.
//!
//! Names are those of Open Bandit Pipeline and of Vowpal Wabbit's `estimators`, so that nobody has
//! to learn new ones; their λ means something else in each formula, which is why it is a type here.

use crate::{error::SettingError, estimators::Estimator};

/// The largest weight a row may have; finite and above zero. It trades variance for bias.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct WeightClip(f64);

impl WeightClip {
    /// # Errors
    /// [`SettingError::Clip`] for anything but a finite number above zero.
    pub fn new(largest_weight: f64) -> Result<Self, SettingError> {
        if largest_weight.is_finite() && 0.0 < largest_weight {
            return Ok(Self(largest_weight));
        }
        Err(SettingError::Clip { found: largest_weight })
    }

    /// The largest weight a row may have.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Where a weight begins to be too large, from zero (every weight is) to infinity (none is).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Threshold(f64);

impl Threshold {
    /// No weight is too large.
    pub const NONE: Self = Self(f64::INFINITY);

    /// # Errors
    /// [`SettingError::Threshold`] for a number below zero or none at all.
    pub fn new(threshold: f64) -> Result<Self, SettingError> {
        if 0.0 <= threshold {
            return Ok(Self(threshold));
        }
        Err(SettingError::Threshold { found: threshold })
    }

    /// The threshold; may be infinite.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// How far weights are bent towards one: 0 leaves them, 1 makes them all alike.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Bend(f64);

impl Bend {
    /// Weights as they are.
    pub const NONE: Self = Self(0.0);

    /// # Errors
    /// [`SettingError::Bend`] for anything outside `[0, 1]`.
    pub fn new(bend: f64) -> Result<Self, SettingError> {
        if (0.0..=1.0).contains(&bend) {
            return Ok(Self(bend));
        }
        Err(SettingError::Bend { found: bend })
    }

    /// The bend, in `[0, 1]`.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Estimator {
    /// Every name, in the order in which tables show them.
    pub const NAMES: [&'static str; 14] = [
        "ipw",
        "snipw",
        "dm",
        "dr",
        "sndr",
        "switch-dr",
        "dr-os",
        "sg-ipw",
        "sg-dr",
        "b-ipw",
        "mrdr",
        "mle",
        "cressieread",
        "rm",
    ];

    /// The name that Open Bandit Pipeline or Vowpal Wabbit has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ips { clip: _ } => "ipw",
            Self::Snips => "snipw",
            Self::Dm => "dm",
            Self::Dr { clip: _ } => "dr",
            Self::Sndr => "sndr",
            Self::SwitchDr { threshold: _ } => "switch-dr",
            Self::DrOs { threshold: _ } => "dr-os",
            Self::SgIps { bend: _ } => "sg-ipw",
            Self::SgDr { bend: _ } => "sg-dr",
            Self::BalancedIps { clip: _ } => "b-ipw",
            Self::Mrdr { clip: _ } => "mrdr",
            Self::Mle => "mle",
            Self::CressieRead => "cressieread",
            Self::Replay => "rm",
        }
    }

    /// The estimator of this name that leaves weights as they are.
    ///
    /// # Errors
    /// [`SettingError::Name`] for a name that no estimator has.
    pub fn named(name: &str) -> Result<Self, SettingError> {
        Ok(match name {
            "ipw" => Self::Ips { clip: None },
            "snipw" => Self::Snips,
            "dm" => Self::Dm,
            "dr" => Self::Dr { clip: None },
            "sndr" => Self::Sndr,
            "switch-dr" => Self::SwitchDr { threshold: Threshold::NONE },
            "dr-os" => Self::DrOs { threshold: Threshold::NONE },
            "sg-ipw" => Self::SgIps { bend: Bend::NONE },
            "sg-dr" => Self::SgDr { bend: Bend::NONE },
            "b-ipw" => Self::BalancedIps { clip: None },
            "mrdr" => Self::Mrdr { clip: None },
            "mle" => Self::Mle,
            "cressieread" => Self::CressieRead,
            "rm" => Self::Replay,
            _ => return Err(SettingError::Name { found: name.to_owned() }),
        })
    }

    /// Its λ; `None` for an estimator without one.
    pub fn lambda(self) -> Option<f64> {
        match self {
            Self::Ips { clip }
            | Self::Dr { clip }
            | Self::BalancedIps { clip }
            | Self::Mrdr { clip } => Some(clip.map_or(f64::INFINITY, WeightClip::get)),
            Self::SwitchDr { threshold } | Self::DrOs { threshold } => Some(threshold.get()),
            Self::SgIps { bend } | Self::SgDr { bend } => Some(bend.get()),
            Self::Snips | Self::Dm | Self::Sndr | Self::Mle | Self::CressieRead | Self::Replay => {
                None
            }
        }
    }

    /// The same estimator at another λ; one without λ as it is.
    ///
    /// # Errors
    /// [`SettingError`] where λ is out of the estimator's range.
    pub fn at(self, lambda: f64) -> Result<Self, SettingError> {
        let clip =
            || if lambda == f64::INFINITY { Ok(None) } else { WeightClip::new(lambda).map(Some) };
        Ok(match self {
            Self::Ips { clip: _ } => Self::Ips { clip: clip()? },
            Self::Dr { clip: _ } => Self::Dr { clip: clip()? },
            Self::BalancedIps { clip: _ } => Self::BalancedIps { clip: clip()? },
            Self::Mrdr { clip: _ } => Self::Mrdr { clip: clip()? },
            Self::SwitchDr { threshold: _ } => {
                Self::SwitchDr { threshold: Threshold::new(lambda)? }
            }
            Self::DrOs { threshold: _ } => Self::DrOs { threshold: Threshold::new(lambda)? },
            Self::SgIps { bend: _ } => Self::SgIps { bend: Bend::new(lambda)? },
            Self::SgDr { bend: _ } => Self::SgDr { bend: Bend::new(lambda)? },
            Self::Snips | Self::Dm | Self::Sndr | Self::Mle | Self::CressieRead | Self::Replay => {
                self
            }
        })
    }

    /// The same estimator with weights as they are.
    pub(super) fn untempered(self) -> Self {
        Self::named(self.name()).unwrap_or(self)
    }

    /// The clip of an estimator that has one.
    pub(crate) fn clip(self) -> Option<WeightClip> {
        match self {
            Self::Ips { clip }
            | Self::Dr { clip }
            | Self::BalancedIps { clip }
            | Self::Mrdr { clip } => clip,
            Self::Snips
            | Self::Dm
            | Self::Sndr
            | Self::SwitchDr { threshold: _ }
            | Self::DrOs { threshold: _ }
            | Self::SgIps { bend: _ }
            | Self::SgDr { bend: _ }
            | Self::Mle
            | Self::CressieRead
            | Self::Replay => None,
        }
    }
}

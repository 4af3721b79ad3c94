//! What the service takes from outside: times and random bits. They are arguments, so that tests
//! have the clock and the dice in their hands.

use pointsman_core::units::Probability;
use std::fmt;

pub(crate) const NANOS_PER_MS: u64 = 1_000_000;

/// The clocks and the dice of a service.
pub struct Effects {
    /// Milliseconds since 1970 UTC; may step.
    pub now_ms: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Nanoseconds since some moment; never steps back.
    pub elapsed_ns: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Sixty-four random bits that nobody outside can guess.
    pub random: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effects").finish_non_exhaustive()
    }
}

impl Effects {
    /// A number from zero up to, but not including, one.
    pub(crate) fn draw(&self) -> Probability {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let draw = ((self.random)() >> 11) as f64 / (1_u64 << 53) as f64;
        Probability::new(draw).unwrap_or(Probability::ZERO)
    }
}

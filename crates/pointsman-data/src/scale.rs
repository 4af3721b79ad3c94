//! The checks that every value passes on its way in, for tables and logs alike.

use std::path::Path;

use crate::error::DataError;

/// Where a value stands, for the sentence that refuses it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The file.
    pub(crate) path: &'a Path,
    /// The row in the file, from 1.
    pub(crate) row: u64,
    /// Names the row in words, such as "prompt `p1`, model `m`".
    pub(crate) subject: &'a dyn Fn() -> String,
}

/// The grades a table uses, from worst to best.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    pub(crate) fn new((low, high): (f64, f64)) -> Result<Self, DataError> {
        if low.is_finite() && high.is_finite() && low < high {
            return Ok(Self { low, high });
        }
        Err(DataError::QualityRange { low, high })
    }

    /// The grade in `[0, 1]`.
    pub(crate) fn quality(&self, value: f64, place: &Place<'_>) -> Result<f64, DataError> {
        if (self.low..=self.high).contains(&value) {
            return Ok((value - self.low) / (self.high - self.low));
        }
        Err(DataError::Quality {
            path: place.path.to_path_buf(),
            value,
            subject: (place.subject)(),
            row: place.row,
            low: self.low,
            high: self.high,
            advice: self.advice(value),
        })
    }

    fn advice(&self, value: f64) -> String {
        let usual = [(0.0, 1.0), (0.0, 10.0), (0.0, 100.0), (-1.0, 1.0)];
        let fits = |&(low, high): &(f64, f64)| {
            (low..=high).contains(&value) && low <= self.low && self.high <= high
        };
        match usual.into_iter().find(fits) {
            _ if value.is_nan() => "leave it empty if it is not known".to_owned(),
            Some((low, high)) => format!("pass --quality-range {low}..{high} if that is its scale"),
            None => "pass --quality-range with the ends of its scale".to_owned(),
        }
    }
}

/// A cost, latency or the like: from zero up, and finite.
pub(crate) fn not_negative(
    value: Option<f64>,
    column: &'static str,
    place: &Place<'_>,
) -> Result<Option<f64>, DataError> {
    match value {
        Some(value) if !(value.is_finite() && 0.0 <= value) => Err(DataError::Negative {
            path: place.path.to_path_buf(),
            column,
            value,
            subject: (place.subject)(),
            row: place.row,
        }),
        other => Ok(other),
    }
}

/// A whole number from zero to `most`, as a column of floats holds it.
pub(crate) fn whole(
    value: Option<f64>,
    column: &'static str,
    most: u32,
    place: &Place<'_>,
) -> Result<Option<u32>, DataError> {
    let Some(value) = not_negative(value, column, place)? else { return Ok(None) };
    if value.fract() != 0.0 || f64::from(most) < value {
        return Err(DataError::BadValue {
            path: place.path.to_path_buf(),
            column: column.to_owned(),
            row: place.row,
            value: value.to_string(),
            expected: if most == u32::MAX { "a whole number" } else { "a whole number below 256" },
        });
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked on the lines above"
    )]
    Ok(Some(value as u32))
}

/// A count that a column of floats holds, exact below 2⁵³; below zero it is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the sign was checked, and no count has 2^53"
)]
pub(crate) fn count(value: Option<f64>) -> Option<u64> {
    value.filter(|value| 0.0 <= *value && value.is_finite()).map(|value| value as u64)
}

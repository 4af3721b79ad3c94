//! Days of the calendar, for prices that change from one day to the next.
//!
//! Only what a price list needs: reading, writing, order, and the day of a moment. There is no time
//! zone but UTC.

use std::{fmt, str::FromStr};

const MS_PER_DAY: u64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: u64 = 719_468;
const DAYS_PER_400_YEARS: u64 = 146_097;

/// A day in UTC, from 1970-01-01 to 9999-12-31; written as `2026-05-01`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    // In this order, so that the derived order is that of the calendar.
    year: u16,
    month: u8,
    day: u8,
}

/// A text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a day from 1970 to 9999; write it as 2026-05-01")]
pub struct NotADate {
    found: String,
}

impl Date {
    /// The last day there is.
    pub const MAX: Self = Self { year: 9999, month: 12, day: 31 };

    /// The day with these numbers; `None` where the calendar has none, or before 1970.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let is_day = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && 1 <= day
            && day <= days_of(year, month);
        is_day.then_some(Self { year, month, day })
    }

    /// The day of a moment in milliseconds since 1970 UTC; [`Date::MAX`] for moments after it.
    ///
    /// Counts in cycles of 400 years that begin on the first of March, so that the day that comes
    /// and goes is the last of its year (after Howard Hinnant's `civil_from_days`).
    pub fn of_ms(ts_ms: u64) -> Self {
        let days = ts_ms / MS_PER_DAY + DAYS_BEFORE_1970;
        let (cycle, of_cycle) = (days / DAYS_PER_400_YEARS, days % DAYS_PER_400_YEARS);
        let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
        let of_year = of_cycle - (365 * year + year / 4 - year / 100);
        let months_since_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * months_since_march + 2) / 5 + 1;
        let is_next_year = 10 <= months_since_march;
        let month = if is_next_year { months_since_march - 9 } else { months_since_march + 3 };
        let numbers = || {
            let year = u16::try_from(cycle * 400 + year + u64::from(is_next_year)).ok()?;
            Self::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
        };
        numbers().unwrap_or(Self::MAX)
    }
}

fn days_of(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl FromStr for Date {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?
        };
        let read = || {
            let is_shaped = text.len() == 10 && text.get(4..5)? == "-" && text.get(7..8)? == "-";
            let (month, day) = (number(5, 7)?, number(8, 10)?);
            is_shaped.then_some(())?;
            Self::new(number(0, 4)?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
        };
        read().ok_or_else(|| NotADate { found: text.to_owned() })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl TryFrom<String> for Date {
    type Error = NotADate;

    fn try_from(text: String) -> Result<Self, NotADate> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["1970-01-01", "2024-02-29", "2000-02-29", "2026-11-30", "9999-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-5-1",
            "2026/05/01",
            "2026-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-04-31",
            "1969-12-31",
            "2026-05-01T00:00:00Z",
            "+026-05-01",
            "２０２６-05",
        ] {
            let message = text.parse::<Date>().unwrap_err().to_string();
            assert!(message.contains("write it as 2026-05-01"), "{message}");
        }
    }

    #[test]
    fn moments_have_their_day() {
        for (ts_ms, day) in [
            (0, "1970-01-01"),
            (86_399_999, "1970-01-01"),
            (86_400_000, "1970-01-02"),
            (951_782_400_000, "2000-02-29"),
            (951_868_800_000, "2000-03-01"),
            (1_767_225_600_000, "2026-01-01"),
            (1_767_225_599_999, "2025-12-31"),
            (u64::MAX, "9999-12-31"),
        ] {
            assert_eq!(Date::of_ms(ts_ms).to_string(), day, "{ts_ms}");
        }
    }

    proptest! {
        /// The next day is later, and one of the calendar's.
        #[test]
        fn days_follow_one_another(n in 0_u64..2_932_000) {
            let (today, tomorrow) = (Date::of_ms(n * MS_PER_DAY), Date::of_ms((n + 1) * MS_PER_DAY));
            prop_assert!(today < tomorrow);
            prop_assert_eq!(tomorrow.to_string().parse::<Date>().unwrap(), tomorrow);
            let is_next = tomorrow.day == today.day + 1
                || (tomorrow.day == 1 && today.day == days_of(today.year, today.month));
            prop_assert!(is_next);
        }
    }
}

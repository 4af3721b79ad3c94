//! Stretches of time, or of rows, and how they cut rows in time order.

use anyhow::{Result, bail};
use std::{fmt, ops::Range, str::FromStr};

/// More windows than this are a chart that nobody reads, and each costs a fit.
pub(crate) const MOST_WINDOWS: usize = 1_000;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A length of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// So many rows.
    Rows(usize),
    /// So many milliseconds.
    Ms(u64),
}

/// What of the past is learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Everything before.
    All,
    /// The last stretch.
    Last(Span),
}

/// Rows in time order, cut into windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Windows {
    /// None of them empty, one behind the other.
    pub(crate) ranges: Vec<Range<usize>>,
    /// Windows of time between the first and the last in which nothing came.
    pub(crate) n_empty: u64,
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no stretch; write days, hours or minutes as 1d, 6h, 30m, or rows as 10000"
            )
        };
        let unit = match text.chars().last() {
            Some('d') => Some(DAY_MS),
            Some('h') => Some(HOUR_MS),
            Some('m') => Some(MINUTE_MS),
            Some('s') => Some(SECOND_MS),
            Some(_) | None => None,
        };
        let digits = unit.map_or(text, |_| &text[..text.len() - 1]);
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        if number == 0 {
            return Err(wrong());
        }
        match unit {
            Some(unit) => number.checked_mul(unit).map(Self::Ms).ok_or_else(wrong),
            None => usize::try_from(number).map(Self::Rows).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rows(n) => write!(f, "{n} rows"),
            Self::Ms(ms) => {
                let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s")];
                match units.iter().find(|(unit, _)| ms.is_multiple_of(*unit)) {
                    Some((unit, name)) => write!(f, "{}{name}", ms / unit),
                    None => write!(f, "{ms} ms"),
                }
            }
        }
    }
}

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.parse().map(Self::Last)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => write!(f, "all"),
            Self::Last(span) => write!(f, "{span}"),
        }
    }
}

impl Memory {
    /// The first row that is remembered where row `now` is the next; `times` ascend.
    pub(crate) fn start(self, times: Option<&[u64]>, now: usize) -> usize {
        match (self, times) {
            // A memory of time without times is refused before the walk begins.
            (Self::All, _) | (Self::Last(Span::Ms(_)), None) => 0,
            (Self::Last(Span::Rows(n)), _) => now.saturating_sub(n),
            (Self::Last(Span::Ms(ms)), Some(times)) => {
                let Some(&at) = times.get(now) else { return now };
                times.partition_point(|&time| time < at.saturating_sub(ms)).min(now)
            }
        }
    }
}

/// Cuts rows into windows. Those of time begin at whole multiples of their length since 1970 UTC, so
/// that days are days; `times` ascend.
pub(crate) fn cut(span: Span, times: Option<&[u64]>, n_rows: usize) -> Result<Windows> {
    let windows = match (span, times) {
        (Span::Rows(n), _) => by_rows(n, n_rows),
        (Span::Ms(ms), Some(times)) => by_time(ms, times),
        (Span::Ms(_), None) => {
            bail!(
                "--window {span}: not every row says when it came, so nothing can be cut by time; \
                 give rows, such as --window 10000, or --arrivals for a table"
            )
        }
    };
    match windows.ranges.len() {
        0 | 1 => bail!(
            "--window {span} makes {} window of {n_rows} rows; a replay learns in one and decides in \
             the next, so take shorter ones",
            windows.ranges.len()
        ),
        n if MOST_WINDOWS < n => {
            bail!(
                "--window {span} makes {n} windows; {MOST_WINDOWS} are the most, take longer ones"
            )
        }
        _ => Ok(windows),
    }
}

fn by_rows(n: usize, n_rows: usize) -> Windows {
    let starts = (0..n_rows).step_by(n.max(1));
    let ranges = starts.map(|start| start..start.saturating_add(n).min(n_rows)).collect();
    Windows { ranges, n_empty: 0 }
}

fn by_time(ms: u64, times: &[u64]) -> Windows {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut start, mut n_empty) = (0, 0);
    while let Some(&first) = times.get(start) {
        let window = first / ms;
        let end = times.partition_point(|&time| time / ms <= window);
        if let Some(before) = ranges.last().and_then(|range| times.get(range.start)) {
            n_empty += window - before / ms - 1;
        }
        ranges.push(start..end);
        start = end;
    }
    Windows { ranges, n_empty }
}

/// A moment as people write it, to the minute, in UTC.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013.
pub(crate) fn utc(ms: u64) -> String {
    let minutes = ms / MINUTE_MS;
    let (days, minute) = (minutes / (24 * 60), minutes % (24 * 60));
    let shifted = days + DAYS_TO_1970;
    let (era, day_of_era) = (shifted / DAYS_PER_ERA, shifted % DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
}

/// The milliseconds of a moment written as `2026-01-31 23:59:59.123`, in UTC; the time of day and
/// what is finer than milliseconds may be missing. Years before 1970 are none.
pub(crate) fn ms_of(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches('Z');
    let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let in_range = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && parts.next().is_none();
    if !in_range {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let from_march = if 2 < month { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * DAYS_PER_ERA + day_of_era).checked_sub(DAYS_TO_1970)?;
    let mut parts = clock.split(':');
    let hour: u64 = parts.next()?.parse().ok()?;
    let minute: u64 = parts.next()?.parse().ok()?;
    let seconds = parts.next().unwrap_or("0");
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let second: u64 = second.parse().ok()?;
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let millis: u64 = millis.parse().ok()?;
    if 24 <= hour || 60 <= minute || 61 <= second || parts.next().is_some() {
        return None;
    }
    Some(days * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + millis)
}

/// Days of the 400 years after which the calendar repeats.
const DAYS_PER_ERA: u64 = 146_097;

/// Days from 1 March of the year 0 to 1 January 1970.
const DAYS_TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(span: &str, times: Option<&[u64]>, n_rows: usize, expected: Result<&[usize], &str>) {
        let span: Span = span.parse().unwrap();
        let found = cut(span, times, n_rows).map_err(|error| error.to_string());
        match (found, expected) {
            (Ok(windows), Ok(ends)) => {
                let found: Vec<usize> = windows.ranges.iter().map(|range| range.end).collect();
                assert_eq!(found, ends);
                let starts: Vec<usize> = windows.ranges.iter().map(|range| range.start).collect();
                assert_eq!(starts[0], 0);
                assert_eq!(starts[1..], found[..found.len() - 1]);
            }
            (Err(sentence), Err(expected)) => assert!(sentence.contains(expected), "{sentence}"),
            (found, expected) => panic!("found {found:?} for {expected:?}"),
        }
    }

    #[test]
    fn rows_are_cut_by_number_or_by_time() {
        check("3", None, 8, Ok(&[3, 6, 8]));
        check("4", Some(&[0; 8]), 8, Ok(&[4, 8]));
        let day = DAY_MS;
        check("1d", Some(&[5, day - 1, day, 4 * day, 4 * day + 9]), 5, Ok(&[2, 3, 5]));
        check("12h", Some(&[0, day / 2, day / 2, day]), 4, Ok(&[1, 3, 4]));
        check("1d", None, 8, Err("not every row says when it came"));
        check("1d", Some(&[0, 1, 2]), 3, Err("makes 1 window of 3 rows"));
        check("9", None, 8, Err("take shorter ones"));
        check("1", None, 1_001, Err("makes 1001 windows"));
    }

    #[test]
    fn windows_in_which_nothing_came_are_counted() {
        let windows = cut(Span::Ms(10), Some(&[5, 9, 40, 41, 50]), 5).unwrap();
        assert_eq!(windows.ranges, [0..2, 2..4, 4..5]);
        assert_eq!(windows.n_empty, 3);
    }

    #[test]
    fn spans_are_spelled_in_one_way() {
        for (text, expected) in [
            ("1d", Some("1d")),
            ("36h", Some("36h")),
            ("48h", Some("2d")),
            ("90s", Some("90s")),
            ("10000", Some("10000 rows")),
            ("0", None),
            ("0d", None),
            ("d", None),
            ("1w", None),
            ("-1d", None),
            ("1.5d", None),
            ("18446744073709551615d", None),
            ("1é", None),
            ("", None),
        ] {
            let found = text.parse::<Span>().ok().map(|span| span.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert_eq!("all".parse::<Memory>(), Ok(Memory::All));
        assert_eq!("30d".parse::<Memory>(), Ok(Memory::Last(Span::Ms(30 * DAY_MS))));
    }

    #[test]
    fn memory_reaches_back_as_far_as_it_says() {
        let times = [0, 10, 20, 30, 40];
        for (memory, now, expected) in [
            (Memory::All, 4, 0),
            (Memory::Last(Span::Rows(2)), 4, 2),
            (Memory::Last(Span::Rows(9)), 4, 0),
            (Memory::Last(Span::Ms(20)), 4, 2),
            (Memory::Last(Span::Ms(5)), 4, 4),
            (Memory::Last(Span::Ms(99)), 4, 0),
        ] {
            assert_eq!(memory.start(Some(&times), now), expected, "{memory:?}");
        }
    }

    #[test]
    fn moments_are_read_and_written() {
        for (text, ms) in [
            ("1970-01-01 00:00", 0),
            ("2000-02-29 12:30", 951_827_400_000),
            ("2026-01-01 00:00", 1_767_225_600_000),
            ("2023-11-16 18:17", 1_700_158_620_000),
        ] {
            assert_eq!(utc(ms), text);
            assert_eq!(ms_of(text), Some(ms));
        }
        assert_eq!(ms_of("2023-11-16 18:17:03.9799600"), Some(1_700_158_623_979));
        assert_eq!(ms_of("2023-11-16T18:17:03Z"), Some(1_700_158_623_000));
        assert_eq!(ms_of("2023-11-16"), Some(1_700_092_800_000));
        for text in ["", "TIMESTAMP", "2023-13-01", "1969-01-01", "2023-11-16 25:00", "12"] {
            assert_eq!(ms_of(text), None, "{text}");
        }
    }
}

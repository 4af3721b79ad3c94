//! Times as foreign logs write them, as milliseconds since 1970 UTC.

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by its size:
/// up to the year 5138 a number below 10¹¹ is seconds. `None` for what is negative or not finite.
pub(crate) fn of_number(number: f64) -> Option<u64> {
    let ms = match number {
        seconds if (0.0..1e11).contains(&seconds) => seconds * 1e3,
        ms if (1e11..1e14).contains(&ms) => ms,
        us if (1e14..1e17).contains(&us) => us / 1e3,
        ns if (1e17..1e20).contains(&ns) => ns / 1e6,
        _ => return None,
    };
    Some(rounded(ms))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is not negative and below 10^14"
)]
fn rounded(ms: f64) -> u64 {
    // The small part makes up for fractions that binary numbers cannot hold, so that 1.001 s is
    // 1001 ms; times are otherwise cut, not rounded.
    (ms + 1e-3) as u64
}

/// A date and time of day as in ISO 8601 or SQL, or a number as text. Without a zone it is UTC.
/// `None` for everything else, and for what was before 1970.
pub(crate) fn of_text(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return of_number(number);
    }
    let date = text.get(..10)?;
    let mut parts = date.split('-').map(digits);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let rest = text.get(10..)?;
    let (of_day, offset) = match rest.strip_prefix(['T', 't', ' ']) {
        Some(clock) => of_clock(clock)?,
        None if rest.is_empty() => (0, 0),
        None => return None,
    };
    let ms = days_since_1970(year, month, day) * DAY_MS + of_day - offset;
    u64::try_from(ms).ok()
}

/// The milliseconds of `12:34:56.789+02:00` since midnight, and of its zone.
fn of_clock(clock: &str) -> Option<(i64, i64)> {
    let zone_at = clock.find(['Z', 'z', '+', '-', ' ']).unwrap_or(clock.len());
    let (time, zone) = (clock.get(..zone_at)?, clock.get(zone_at..)?.trim());
    let mut parts = time.split(':');
    let (hour, minute) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once(['.', ',']) {
            None => (digits(seconds)?, 0),
            Some((whole, fraction)) => (digits(whole)?, thousandths(fraction)?),
        },
    };
    if 24 < hour || 59 < minute || 60 < second || parts.next().is_some() {
        return None;
    }
    Some((((hour * 60 + minute) * 60 + second) * 1000 + fraction, of_zone(zone)?))
}

/// The milliseconds that a zone is ahead of UTC.
fn of_zone(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z" | "UTC" | "+00") {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, zone.strip_prefix('-')?),
    };
    let plain: String = rest.chars().filter(|one| *one != ':').collect();
    let (hours, minutes) = match plain.len() {
        2 => (digits(&plain)?, 0),
        4 => (digits(plain.get(..2)?)?, digits(plain.get(2..)?)?),
        _ => return None,
    };
    Some(sign * (hours * 60 + minutes) * 60_000)
}

fn digits(text: &str) -> Option<i64> {
    let are_digits =
        !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    if are_digits { text.parse().ok() } else { None }
}

/// The first three digits of a fraction.
fn thousandths(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded: String = fraction.chars().chain("00".chars()).take(3).collect();
    padded.parse().ok()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms".
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A time as people read it, to the minute and in UTC: `2026-01-31 14:05`.
pub fn minute(ts_ms: u64) -> String {
    let (days, of_day) = (ts_ms / 86_400_000, ts_ms % 86_400_000);
    // The inverse of `days_since_1970`, from the same source; days since 1970 are never negative.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(of_text(text), expected, "{text}");
    }

    #[test]
    fn times_are_read_in_every_usual_form() {
        let new_year = 1_767_225_600_000;
        check("2026-01-01T00:00:00Z", Some(new_year));
        check("2026-01-01", Some(new_year));
        check("2026-01-01 00:00:00.123456", Some(new_year + 123));
        check("2026-01-01T00:00:00.5+00:00", Some(new_year + 500));
        check("2026-01-01T02:00:00+02:00", Some(new_year));
        check("2025-12-31 19:00:00-0500", Some(new_year));
        check("2026-01-01 00:00:00 UTC", Some(new_year));
        check("2024-02-29T12:00Z", Some(1_709_208_000_000));
        check("1767225600", Some(new_year));
        check("1767225600123", Some(new_year + 123));
        check("1767225600.25", Some(new_year + 250));
        check("1767225600000000000", Some(new_year));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "yesterday", "2026-13-01", "2026-01-01T25:00Z", "2026-01-01X", "-5", "1e30"]
        {
            check(text, None);
        }
        check("1969-12-31T23:59:59Z", None);
        check("２０２６-01-01", None);
    }

    #[test]
    fn minutes_read_back() {
        for text in ["1970-01-01 00:00", "2000-02-29 23:59", "2026-01-01 14:05", "2100-12-31 01:00"]
        {
            assert_eq!(minute(of_text(text).unwrap()), text);
        }
    }
}

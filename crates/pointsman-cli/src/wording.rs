//! How numbers and counts read.

use std::collections::BTreeMap;

/// A quality, to three decimals.
pub(crate) fn quality(value: f64) -> String {
    format!("{value:.3}")
}

/// A predicted quality, to three decimals. A sum of many words' effects may leave the scale; people
/// are told its end, and JSON keeps the number that choices are made by.
pub(crate) fn predicted(value: f64) -> String {
    quality(value.clamp(0.0, 1.0))
}

/// A value with its interval.
pub(crate) fn with_interval(value: f64, lower: f64, upper: f64) -> String {
    format!("{value:.4} [{lower:.4}, {upper:.4}]")
}

/// Dollars per request, as dollars per thousand requests.
pub(crate) fn per_thousand(dollars: f64) -> String {
    format!("${:.4}", dollars * 1000.0)
}

/// A difference with its sign; what rounds to nothing has no minus.
pub(crate) fn signed(difference: f64) -> String {
    let text = format!("{difference:+.4}");
    if text == "-0.0000" { "+0.0000".to_owned() } else { text }
}

/// A number to nine significant digits, without the tail that a binary fraction has in decimal.
pub(crate) fn digits(number: f64) -> String {
    format!("{number:.8e}").parse::<f64>().unwrap_or(number).to_string()
}

/// A whole number with thousands separated.
pub(crate) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// Digits with thousands separated.
pub(crate) fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with what it counts: in the words for one, or in those for any other number.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A length, as [`counted`].
pub(crate) fn counted_length(number: usize, one: &str, many: &str) -> String {
    counted(number as u64, one, many)
}

/// A length, as [`count`].
pub(crate) fn length(number: usize) -> String {
    count(number as u64)
}

/// What was dropped and why, as one line; `None` where nothing was.
pub(crate) fn dropped(reasons: &BTreeMap<String, u64>) -> Option<String> {
    let reasons: Vec<String> = reasons
        .iter()
        .filter(|(_, n)| 0 < **n)
        .map(|(reason, n)| format!("{} ({reason})", count(*n)))
        .collect();
    (!reasons.is_empty()).then(|| format!("dropped rows: {}", reasons.join(", ")))
}

/// How many texts were too long to be read whole, as one line; `None` where none was. They are called
/// `one` or `many`.
pub(crate) fn cut(n: u64, (one, many): (&str, &str)) -> Option<String> {
    let were = if n == 1 { "is over 32 KiB and was" } else { "are over 32 KiB and were" };
    (0 < n).then(|| format!("{} {were} read head and tail only", counted(n, one, many)))
}

/// What a journal's reader passed over, as one line; `None` where that is nothing.
pub(crate) fn damaged(n_lines: u64, n_missing_segments: u64) -> Option<String> {
    let lines = counted(n_lines, "damaged line", "damaged lines");
    let segments = counted(n_missing_segments, "missing segment", "missing segments");
    match (n_lines, n_missing_segments) {
        (0, 0) => None,
        (_, 0) => Some(format!("passed over in the journal: {lines}")),
        (0, _) => Some(format!("passed over in the journal: {segments}")),
        (_, _) => Some(format!("passed over in the journal: {lines} and {segments}")),
    }
}

/// That decisions were kept by lot, as one line; `None` where all were kept.
pub(crate) fn thinned(n: u64) -> Option<String> {
    (0 < n).then(|| {
        format!(
            "{} kept with a probability below 1 (`keep_prob`); each counts as one row all the same, \
             so that values are those of the kept decisions, not of all traffic",
            counted(n, "decision was", "decisions were")
        )
    })
}

/// The first part of a text, on one line.
pub(crate) fn excerpt(text: &str, max_chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= max_chars {
        return line;
    }
    let head: String = line.chars().take(max_chars - 1).collect();
    format!("{}…", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), expected);
        }
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(0, "row", "rows"), "0 rows");
        assert_eq!(counted(2_000, "row was", "rows were"), "2,000 rows were");
        assert_eq!(counted_length(1, "part", "parts"), "1 part");
        assert_eq!(per_thousand(0.0012), "$1.2000");
        assert_eq!(per_thousand(0.000_000_5), "$0.0005");
        assert_eq!(digits(0.018_260_000_000_000_002), "0.01826");
        assert_eq!(digits(12.5), "12.5");
        for (difference, read) in [(-1e-9, "+0.0000"), (-0.0, "+0.0000"), (-0.0001, "-0.0001")] {
            assert_eq!(signed(difference), read);
        }
        assert_eq!(digits(0.0), "0");
        assert_eq!(cut(0, ("prompt", "prompts")), None);
        let cut = |n| cut(n, ("prompt", "prompts")).unwrap();
        assert_eq!(cut(1), "1 prompt is over 32 KiB and was read head and tail only");
        assert_eq!(cut(2), "2 prompts are over 32 KiB and were read head and tail only");
        assert_eq!(thinned(0), None);
        assert!(thinned(1200).is_some_and(|text| text.starts_with("1,200 decisions were kept")));
        assert_eq!(excerpt("one  two\nthree", 8), "one two…");
        assert_eq!(excerpt("short", 8), "short");
    }
}

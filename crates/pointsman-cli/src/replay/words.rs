//! A replay for people, on a terminal.

use super::contents::{
    Estimate, GateRow, ModelsRow, PolicyRow, Replay, SettingRow, SourceKind, Values, WindowRow,
};
use crate::{screen, wording};

/// Eighths of a line's height, from the lowest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// At most so many bars, so that a line stays a line.
const MOST_BARS: usize = 72;

/// The whole replay: what it comes to first.
pub(crate) fn text(replay: &Replay) -> String {
    let mut text = format!("{}\n\n", replay.sentence);
    for setting in &replay.settings {
        text.push_str(&format!("  {}\n", setting_words(setting)));
    }
    let title = match replay.source {
        SourceKind::Log => "by window, estimated off-policy where the policy had not yet learned",
        SourceKind::Table => "by window, on rows that the policy had not yet learned from",
    };
    let rows = replay.windows.iter().map(|row| cells(replay, row));
    text.push_str(&format!("\n{title}:\n{}\n", screen::columns(header(replay), rows)));
    for (name, line) in lines(replay) {
        text.push_str(&format!("\n  {name:<24} {line}"));
    }
    text.push('\n');
    for row in &replay.windows {
        if let Some(words) = models_words(&row.models) {
            text.push_str(&format!("\n  window {} ({}): {words}", row.number, row.begins));
        }
    }
    if let Some(words) = so_far_words(replay) {
        text.push_str(&format!("\n  {words}"));
    }
    if has_policies_of_several_windows(replay) {
        let rows = replay.policies.iter().map(policy_cells);
        let title = "by policy, on all requests that each decided:";
        text.push_str(&format!("\n{title}\n{}\n", screen::columns(policy_header(), rows)));
    }
    for line in gate_words(replay) {
        text.push_str(&format!("\n  {line}"));
    }
    let level = 100.0 * replay.confidence;
    text.push_str(&format!(
        "\n  {} only learned from; every interval of a window stands alone, at {level} %; {SO_FAR}",
        match replay.n_warm_up {
            1 => "1 window was".to_owned(),
            n => format!("{} windows were", wording::length(n)),
        }
    ));
    for note in &replay.notes {
        text.push_str(&format!("\n! {note}"));
    }
    text
}

/// What is to be known of intervals of all windows so far.
pub(crate) const SO_FAR: &str = "those of all windows so far are anytime-valid: each holds its running \
                                 mean after all windows at once, if propensities are right and no \
                                 outcome leaves its range";

/// What it comes to, in a sentence.
pub(crate) fn sentence(total: &Values, rows: &[WindowRow], settings: &[SettingRow]) -> String {
    let mut parts = vec![format!(
        "Over {} and {} quality is {}",
        wording::counted_length(rows.len(), "window", "windows"),
        wording::counted_length(total.n_rows, "request", "requests"),
        plain(&total.quality)
    )];
    if let (Some(difference), Some(logged)) = (&total.against_logged, total.logged_quality) {
        parts.push(format!("{} against the {logged:.4} that was logged", signed(difference)));
    }
    if let (Some(difference), Some(other)) = (&total.against_other, settings.get(1)) {
        parts.push(format!("{} against `{}`", signed(difference), other.name));
    }
    if let Some(regret) = &total.regret {
        parts.push(format!(
            "{} against always `{}`, the best single model in hindsight",
            signed(&turned(&regret.to_best_single)),
            regret.best_single
        ));
    }
    if let Some(cost) = total.cost_usd.as_ref().and_then(|cost| cost.value) {
        let logged = total.logged_cost_usd.map_or_else(String::new, |logged| {
            format!(" instead of {}", wording::per_thousand(logged))
        });
        parts.push(format!("for {}{logged} per 1,000 requests", wording::per_thousand(cost)));
    }
    let n_with = |verdict: &str| {
        let gates = rows.iter().filter_map(|row| row.gate.as_ref());
        gates.filter(|gate| gate.verdict == verdict).count()
    };
    let gate = if rows.iter().any(|row| row.gate.is_some()) {
        format!(
            "; a gate on each window's rows would have shipped it {} and held it {}",
            wording::counted_length(n_with("ship"), "time", "times"),
            wording::counted_length(n_with("hold"), "time", "times"),
        )
    } else {
        String::new()
    };
    format!("{}{gate}.", parts.join(", "))
}

/// What fits took, for standard error: processor time, and of how many requests features were in memory.
pub(super) fn fits(
    n_fits: usize,
    n_selections: usize,
    (seconds, most_held): (Option<f64>, usize),
) -> String {
    let took = seconds.map_or_else(
        || "the system does not say how long they took".to_owned(),
        |seconds| format!("{seconds:.1} seconds of processor time"),
    );
    let n_fits = wording::counted_length(n_fits, "fit", "fits");
    format!(
        "{n_fits}, held-out rows asked how to learn before {n_selections} of them: {took}; features of \
         no more than {} requests in memory at a time",
        wording::length(most_held)
    )
}

/// The running means after the last window, with intervals that are good for all windows at once.
pub(crate) fn so_far_words(replay: &Replay) -> Option<String> {
    let so_far = replay.windows.last()?.so_far.as_ref()?;
    let mut parts = vec![format!("quality {}", plain(&so_far.quality))];
    parts.extend(so_far.against_logged.as_ref().map(|it| format!("{} against logged", signed(it))));
    if let (Some(difference), Some(other)) = (&so_far.against_other, replay.settings.get(1)) {
        parts.push(format!("{} against `{}`", signed(difference), other.name));
    }
    if let Some(regret) = &so_far.regret {
        parts.push(format!("regret {}", signed(&regret.to_best_single)));
    }
    Some(format!("so far, anytime-valid: {}", parts.join(", ")))
}

/// Whether the verdicts on policies say more than those on windows.
fn has_policies_of_several_windows(replay: &Replay) -> bool {
    replay.policies.iter().any(|row| 1 < row.n_windows)
}

/// The titles of the table of policies.
pub(crate) fn policy_header() -> Vec<String> {
    let titles = ["learned before", "learned on", "strengths", "windows", "requests", "gate"];
    Vec::from(titles.map(str::to_owned))
}

/// One policy's cells under [`policy_header`].
pub(crate) fn policy_cells(row: &PolicyRow) -> Vec<String> {
    vec![
        format!("window {} ({})", row.learned_before, row.begins),
        wording::length(row.n_learned),
        row.strengths.to_owned(),
        wording::length(row.n_windows),
        wording::length(row.n_decided),
        row.gate.as_ref().map_or_else(|| "-".to_owned(), |gate| gate.verdict.replace('_', " ")),
    ]
}

/// Which policies a gate would have held, and why it could not tell of others, a line each; nothing
/// where there was no gate.
pub(crate) fn gate_words(replay: &Replay) -> Vec<String> {
    let judged: Vec<(&PolicyRow, &GateRow)> =
        replay.policies.iter().filter_map(|row| Some((row, row.gate.as_ref()?))).collect();
    if judged.is_empty() {
        return Vec::new();
    }
    let named = |verdict: &str| -> Vec<String> {
        let found = judged.iter().filter(|(_, gate)| gate.verdict == verdict);
        found.map(|(row, _)| format!("{} ({})", row.learned_before, row.begins)).collect()
    };
    let held = named("hold");
    let n = judged.len();
    let mut lines = vec![match held.len() {
        0 => format!("on all that each decided, a gate would have held none of {n} policies"),
        n_held => format!(
            "on all that each decided, a gate would have held {n_held} of {n} policies, those that \
             were learned before windows {}",
            held.join(", ")
        ),
    }];
    let doubtful: Vec<&String> =
        judged.iter().filter_map(|(_, gate)| gate.doubts.first()).collect();
    if let Some(doubt) = doubtful.last() {
        let n_doubtful = doubtful.len();
        lines.push(format!("{n_doubtful} of {n} may not ship on their rows; of the last: {doubt}"));
    }
    lines
}

/// What a setting is, on one line.
pub(crate) fn setting_words(setting: &SettingRow) -> String {
    let SettingRow { name, objective, retrain, memory, n_fits, n_selections, n_fits_missed: _ } =
        setting;
    format!(
        "`{name}`: {objective}; learned {retrain}, {}, {n_selections} of them with a selection of \
         strengths; memory {memory}",
        wording::counted_length(*n_fits, "fit", "fits")
    )
}

/// The title of each column that has something to show.
pub(crate) fn header(replay: &Replay) -> Vec<String> {
    let fourth = match replay.source {
        SourceKind::Log => "against logged",
        SourceKind::Table => "regret",
    };
    let other = replay
        .settings
        .get(1)
        .map_or_else(|| "-".to_owned(), |it| format!("against {}", wording::excerpt(&it.name, 24)));
    let title = str::to_owned;
    let titles = [
        title("window"),
        title("requests"),
        title("learned on"),
        title("quality"),
        title(fourth),
        other,
        title("per 1,000 requests"),
        title("gate"),
    ];
    shown(replay, titles)
}

/// All columns but those of a second setting and of a gate, where there is none.
fn shown(replay: &Replay, all: [String; 8]) -> Vec<String> {
    let [window, requests, learned, quality, fourth, other, cost, gate] = all;
    let mut columns = vec![window, requests, learned, quality, fourth];
    if 1 < replay.settings.len() {
        columns.push(other);
    }
    columns.push(cost);
    if replay.windows.iter().any(|row| row.gate.is_some()) {
        columns.push(gate);
    }
    columns
}

/// One window's cells under [`header`].
pub(crate) fn cells(replay: &Replay, row: &WindowRow) -> Vec<String> {
    let dash = || "-".to_owned();
    let of = |pick: fn(&Values) -> Option<String>| {
        row.values.as_ref().and_then(pick).unwrap_or_else(dash)
    };
    let fourth: fn(&Values) -> Option<String> = match replay.source {
        SourceKind::Log => |values| values.against_logged.as_ref().map(signed),
        SourceKind::Table => {
            |values| values.regret.as_ref().map(|regret| signed(&regret.to_best_single))
        }
    };
    let all = [
        row.begins.clone(),
        wording::length(row.n_decided),
        wording::length(row.n_learned),
        of(|values| Some(plain(&values.quality))),
        of(fourth),
        of(|values| values.against_other.as_ref().map(signed)),
        of(|values| {
            values.cost_usd.as_ref().and_then(|cost| cost.value).map(wording::per_thousand)
        }),
        row.gate.as_ref().map_or_else(dash, |gate| gate.verdict.replace('_', " ")),
    ];
    shown(replay, all)
}

/// The lines that are drawn over time, with their names.
fn lines(replay: &Replay) -> Vec<(&'static str, String)> {
    let windows = |pick: fn(&Values) -> Option<f64>| -> Vec<Option<f64>> {
        replay.windows.iter().map(|row| row.values.as_ref().and_then(pick)).collect()
    };
    let so_far = |pick: fn(&Values) -> Option<f64>| -> Vec<Option<f64>> {
        replay.windows.iter().map(|row| row.so_far.as_ref().and_then(pick)).collect()
    };
    let all = [
        ("quality", windows(|it| it.quality.value)),
        ("logged", windows(|it| it.logged_quality)),
        ("so far, against logged", so_far(|it| it.against_logged.as_ref()?.value)),
        ("so far, against other", so_far(|it| it.against_other.as_ref()?.value)),
        ("quality so far, at least", so_far(|it| Some(it.quality.lower))),
        ("quality so far, at most", so_far(|it| Some(it.quality.upper))),
        ("regret, summed", so_far(|it| Some(it.regret.as_ref()?.sum_to_best_single))),
        ("cost of a request", windows(|it| it.cost_usd.as_ref()?.value)),
    ];
    let is_known = |points: &[Option<f64>]| points.iter().any(Option::is_some);
    all.into_iter()
        .filter(|(_, points)| is_known(points))
        .map(|(name, points)| (name, spark(&points)))
        .collect()
}

/// Numbers as bars between the least and the largest, which stand beside them; a blank where there
/// is none. Of more than fit, the mean of neighbours.
pub(crate) fn spark(points: &[Option<f64>]) -> String {
    let per_bar = points.len().div_ceil(MOST_BARS).max(1);
    let bars: Vec<Option<f64>> = points.chunks(per_bar).map(mean).collect();
    let known = || bars.iter().flatten().copied().filter(|it| it.is_finite());
    let (low, high) =
        (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    if high < low {
        return "no value".to_owned();
    }
    let bar = |point: &Option<f64>| match point {
        Some(value) if value.is_finite() => {
            // Upper edges of the eighths; a flat line lies in the middle.
            let share = if low < high { (value - low) / (high - low) } else { 0.5 };
            let above = (1..8_u32).filter(|eighth| f64::from(*eighth) / 8.0 <= share).count();
            BARS[above.min(7)]
        }
        Some(_) | None => ' ',
    };
    let line: String = bars.iter().map(bar).collect();
    format!("{line}  {} to {}", number(low), number(high))
}

fn mean(points: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = points.iter().flatten().copied().collect();
    let n = pointsman_core::units::len_as_float(known.len());
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / n)
}

/// Four digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || 0.01 <= size => format!("{value:.4}"),
        _ => format!("{value:.3e}"),
    }
}

fn plain(estimate: &Estimate) -> String {
    let Estimate { value, lower, upper, .. } = estimate;
    match value {
        Some(value) => wording::with_interval(*value, *lower, *upper),
        None => format!("[{lower:.4}, {upper:.4}]"),
    }
}

/// The same difference, seen from the other side: a shortfall of less than nothing is a gain.
fn turned(estimate: &Estimate) -> Estimate {
    // Taken from zero, so that none becomes a negative zero.
    let negated = |value: f64| 0.0 - value;
    Estimate {
        value: estimate.value.map(negated),
        lower: negated(estimate.upper),
        upper: negated(estimate.lower),
        ..estimate.clone()
    }
}

/// A difference with its interval, signs and all.
pub(crate) fn signed(estimate: &Estimate) -> String {
    let Estimate { value, lower, upper, .. } = estimate;
    match value {
        Some(value) => format!("{value:+.4} [{lower:+.4}, {upper:+.4}]"),
        None => format!("[{lower:+.4}, {upper:+.4}]"),
    }
}

/// Who came and went in a window; `None` where nobody did.
pub(crate) fn models_words(models: &ModelsRow) -> Option<String> {
    let ModelsRow { arrived, left, newcomers, not_learned } = models;
    let parts = [
        ("new here", arrived),
        ("not here any more, so not eligible", left),
        ("nothing learned yet, eligible by what is expected of a newcomer", newcomers),
        ("nothing learned yet, so not eligible", not_learned),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", names.join(", ")))
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparklines_rise_and_fall_with_their_numbers() {
        for (points, expected) in [
            (vec![], "no value"),
            (vec![None, None], "no value"),
            (vec![Some(0.5)], "▅  0.5000 to 0.5000"),
            (vec![Some(0.0), None, Some(1.0)], "▁ █  0.0000 to 1.0000"),
            (vec![Some(0.0), Some(0.5), Some(f64::NAN)], "▁█   0.0000 to 0.5000"),
            (vec![Some(0.0), Some(0.000_2)], "▁█  0.0000 to 2.000e-4"),
        ] {
            assert_eq!(spark(&points), expected, "{points:?}");
        }
        let many: Vec<Option<f64>> = (0..720).map(|it| Some(f64::from(it))).collect();
        assert_eq!(spark(&many).chars().take_while(|it| *it != ' ').count(), MOST_BARS);
    }

    #[test]
    fn a_shortfall_of_less_than_nothing_is_a_gain() {
        let regret = |value, lower, upper| Estimate {
            value,
            lower,
            upper,
            interval_kind: "asymptotic",
            interval_method: "normal",
            reasons: Vec::new(),
        };
        for (estimate, expected) in [
            (regret(Some(-0.0045), -0.011, 0.0021), "+0.0045 [-0.0021, +0.0110]"),
            (regret(Some(0.0), 0.0, 0.0), "+0.0000 [+0.0000, +0.0000]"),
            (regret(None, -0.5, 0.25), "[-0.2500, +0.5000]"),
        ] {
            assert_eq!(signed(&turned(&estimate)), expected);
        }
    }

    #[test]
    fn who_came_and_went_is_said() {
        assert_eq!(models_words(&ModelsRow::default()), None);
        let models = ModelsRow {
            arrived: vec!["b".to_owned()],
            not_learned: vec!["b".to_owned(), "c".to_owned()],
            ..ModelsRow::default()
        };
        let expected = "new here: b; nothing learned yet, so not eligible: b, c";
        assert_eq!(models_words(&models).as_deref(), Some(expected));
    }
}

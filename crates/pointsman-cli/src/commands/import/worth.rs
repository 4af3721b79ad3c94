//! What can be learned from a log, and what cannot, in one paragraph.

use crate::wording;
use pointsman_import::Survey;

/// The paragraph.
pub(super) fn sentences(survey: &Survey) -> String {
    let n = survey.known.n_decisions;
    if n == 0 {
        return "What this log is good for: it holds no call of a chat model, so nothing can be \
                learned from it."
            .to_owned();
    }
    let sentences = [
        Some(quality(survey)),
        text(survey),
        Some(propensities(survey)),
        models(survey),
        missing(survey),
    ];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    format!("What this log is good for: {}", sentences.join(" "))
}

fn quality(survey: &Survey) -> String {
    let (n, n_quality) = (survey.known.n_decisions, survey.known.n_quality);
    if n_quality == n {
        return "every call has a quality.".to_owned();
    }
    if 0 < n_quality {
        let missing = wording::count(n - n_quality);
        return format!("{missing} calls have no quality; unless they failed, they are left out.");
    }
    let names: Vec<&str> = survey.scores.counts.keys().map(String::as_str).take(5).collect();
    let advice = if names.is_empty() {
        "derive one with --quality-rules".to_owned()
    } else {
        format!(
            "name one of its scores with --score ({}), or use --quality-rules",
            names.join(", ")
        )
    };
    format!("no call has a quality, so it does not tell which answers were good; {advice}.")
}

fn text(survey: &Survey) -> Option<String> {
    let n_without = survey.known.n_decisions.saturating_sub(survey.n_with_text);
    let n_without_text = wording::count(n_without);
    (0 < n_without).then(|| {
        format!(
            "{n_without_text} calls have no prompt: they tell of cost and latency, not of which \
             prompts are hard."
        )
    })
}

fn propensities(survey: &Survey) -> String {
    let of = |kind: &str| survey.propensities.get(kind).copied().unwrap_or(0);
    let drawn = of("exact") + of("estimated");
    let mut sentences = Vec::new();
    if 0 < drawn {
        let n = wording::count(drawn);
        sentences.push(format!(
            "{n} decisions have a propensity: `train`, `evaluate --log` and `gate` can use them."
        ));
    }
    if 0 < of("deterministic") {
        let n = wording::count(of("deterministic"));
        sentences.push(format!(
            "{n} had a fixed model: `evaluate` bounds what another choice would have brought, and \
             cannot say it."
        ));
    }
    if 0 < of("unknown") {
        let n = wording::count(of("unknown"));
        sentences.push(format!(
            "{n} do not say how likely their model was: `train` and `evaluate` leave them out, since \
             whether a model got the easier prompts cannot be told; they do tell what calls cost, how \
             long they take and how often they fail. A log that answers comes from choices that are \
             drawn, as `serve` draws them."
        ));
    }
    sentences.join(" ")
}

fn models(survey: &Survey) -> Option<String> {
    (survey.models.counts.len() == 1)
        .then(|| "There is one model only, so there is nothing to compare it with.".to_owned())
}

fn missing(survey: &Survey) -> Option<String> {
    let known = &survey.known;
    let lacks =
        [("cost", known.n_cost), ("latency", known.n_latency), ("token counts", known.n_tokens)];
    let lacking: Vec<&str> = lacks
        .into_iter()
        .filter(|(_, n)| *n * 2 < known.n_decisions)
        .map(|(name, _)| name)
        .collect();
    (!lacking.is_empty()).then(|| format!("Most calls lack their {}.", lacking.join(" and their ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[track_caller]
    fn check(edit: impl FnOnce(&mut Survey), has: &[&str], has_not: &[&str]) {
        let mut survey = Survey::default();
        edit(&mut survey);
        let text = sentences(&survey);
        for part in has {
            assert!(text.contains(part), "{part}: {text}");
        }
        for part in has_not {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_paragraph_says_what_is_missing() {
        check(|_| {}, &["no call of a chat model"], &["propensity"]);
        check(
            |survey| {
                survey.known.n_decisions = 10;
                survey.propensities = BTreeMap::from([("unknown".to_owned(), 10)]);
                survey.scores.counts = BTreeMap::from([("thumbs".to_owned(), 4)]);
            },
            &["--score (thumbs)", "10 calls have no prompt", "leave them out", "lack their cost"],
            &["fixed model"],
        );
        check(
            |survey| {
                survey.known.n_decisions = 10;
                (survey.known.n_quality, survey.known.n_cost) = (10, 10);
                (survey.known.n_latency, survey.known.n_tokens) = (10, 10);
                survey.n_with_text = 10;
                survey.propensities = BTreeMap::from([("exact".to_owned(), 10)]);
            },
            &["every call has a quality", "`gate` can use them"],
            &["lack", "no prompt", "--score"],
        );
    }
}

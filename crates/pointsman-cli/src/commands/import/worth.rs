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
        let missing = wording::counted(
            n - n_quality,
            "call has no quality; unless it failed, it is",
            "calls have no quality; unless they failed, they are",
        );
        return format!("{missing} left out.");
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
    let (one, many) = ("call has no prompt: it tells", "calls have no prompt: they tell");
    let without_text = wording::counted(n_without, one, many);
    (0 < n_without)
        .then(|| format!("{without_text} of cost and latency, not of which prompts are hard."))
}

fn propensities(survey: &Survey) -> String {
    let of = |kind: &str| survey.propensities.get(kind).copied().unwrap_or(0);
    let drawn = of("exact") + of("estimated");
    let mut sentences = Vec::new();
    if 0 < drawn {
        let n = wording::counted(drawn, "decision has", "decisions have");
        sentences
            .push(format!("{n} a propensity: `train`, `evaluate --log` and `gate` can use them."));
    }
    if 0 < of("deterministic") {
        let n = wording::count(of("deterministic"));
        sentences.push(format!(
            "{n} had a fixed model: `evaluate` bounds what another choice would have brought, and \
             cannot say it."
        ));
    }
    if 0 < of("unknown") {
        let (one, many) = ("does not say how likely its", "do not say how likely their");
        let n = wording::counted(of("unknown"), one, many);
        let use_of_them = match choice(survey) {
            Choice::Shown => {
                "`train`, `evaluate` and `gate` leave them out, unless --estimate-propensities has \
                 them estimate it from the requests, which is right only if nothing else moved the \
                 choice; `gate` then ships with --accept-estimated alone."
            }
            Choice::BetweenGroups => {
                "each `model_group` has one model, so nothing is known of any other there; only if \
                 callers chose by the request which group to ask for, --estimate-propensities with \
                 --candidates-by none can learn from them."
            }
            Choice::None => {
                "no other was drawn in its place, so that nothing is known of any other; they \
                 tell what calls cost, how long they take and how often they fail."
            }
        };
        sentences.push(format!(
            "{n} model was: {use_of_them} A log that answers comes from \
             choices that are drawn, as `serve` draws them."
        ));
    }
    sentences.join(" ")
}

/// What decisions show of a choice that say neither candidates nor propensity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Several models for what was asked for, or candidates in the log.
    Shown,
    /// Several models, and one for each thing that was asked for.
    BetweenGroups,
    /// One model.
    None,
}

fn choice(survey: &Survey) -> Choice {
    let of_one = survey.pools.n();
    let n_unknown = survey.propensities.get("unknown").copied().unwrap_or(0);
    if of_one < n_unknown || 0 < survey.pools.n_with_choice() {
        return Choice::Shown;
    }
    if 1 < survey.pools.models.len() && 1 < survey.models.counts.len() {
        return Choice::BetweenGroups;
    }
    Choice::None
}

/// The command that comes next, for the folder that was written and the catalog that was named;
/// `None` where there is none yet.
pub(super) fn next(survey: &Survey, out: &str, catalog: Option<&str>) -> Option<String> {
    let of = |kind: &str| survey.propensities.get(kind).copied().unwrap_or(0);
    if survey.n_with_text == 0 || survey.models.counts.len() < 2 {
        return None;
    }
    if survey.known.n_quality == 0 {
        let score = survey.scores.counts.keys().next()?;
        return Some(format!(
            "import again into another folder with --score {score}, if that is the quality"
        ));
    }
    let flags = match (of("exact") + of("estimated"), of("unknown"), choice(survey)) {
        (1.., _, _) => "",
        (0, 1.., Choice::Shown) => " --estimate-propensities",
        (0, 1.., Choice::BetweenGroups) => " --estimate-propensities --candidates-by none",
        (0, _, _) => return None,
    };
    let catalog = catalog.unwrap_or("catalog.toml");
    Some(format!("pointsman train --log {out} --catalog {catalog} --out policy.safetensors{flags}"))
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

    /// A log of graded calls that name the drawn model alone, by group and model.
    fn undisclosed(calls: &[(&str, &str, u64)]) -> Survey {
        let mut survey = Survey::default();
        for &(group, model, n) in calls {
            survey.known.n_decisions += n;
            *survey.models.counts.entry(model.to_owned()).or_default() += n;
            let models = survey.pools.models.entry(group.to_owned()).or_default();
            *models.counts.entry(model.to_owned()).or_default() += n;
        }
        let n = survey.known.n_decisions;
        (survey.known.n_quality, survey.n_with_text) = (n, n);
        survey.propensities = BTreeMap::from([("unknown".to_owned(), n)]);
        survey
    }

    #[track_caller]
    fn check_next(survey: &Survey, expected: Option<&str>) {
        let found = next(survey, "logs", Some("mine.toml"));
        let ends = found.as_deref().zip(expected).is_some_and(|(found, end)| found.ends_with(end));
        assert!(ends || found.is_none() && expected.is_none(), "{found:?}, expected {expected:?}");
    }

    #[test]
    fn the_next_command_is_that_of_the_log() {
        let mixed = undisclosed(&[("chat", "small", 6), ("chat", "large", 4)]);
        check_next(&mixed, Some("--out policy.safetensors --estimate-propensities"));
        let apart = undisclosed(&[("a", "small", 6), ("b", "large", 4)]);
        check_next(&apart, Some("--estimate-propensities --candidates-by none"));
        check_next(&undisclosed(&[("a", "small", 6)]), None);
        check_next(&Survey::default(), None);
        let mut drawn = mixed.clone();
        drawn.propensities = BTreeMap::from([("exact".to_owned(), 10)]);
        check_next(&drawn, Some("--log logs --catalog mine.toml --out policy.safetensors"));
        let mut fixed = mixed.clone();
        fixed.propensities = BTreeMap::from([("deterministic".to_owned(), 10)]);
        check_next(&fixed, None);
        let mut ungraded = mixed;
        ungraded.known.n_quality = 0;
        check_next(&ungraded, None);
        ungraded.scores.counts = BTreeMap::from([("thumbs".to_owned(), 4)]);
        check_next(&ungraded, Some("with --score thumbs, if that is the quality"));
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
            &["fixed model", "--candidates-by"],
        );
        check(
            |survey| *survey = undisclosed(&[("a", "small", 6), ("b", "large", 4)]),
            &["each `model_group` has one model", "--candidates-by none"],
            &["leave them out"],
        );
        check(
            |survey| *survey = undisclosed(&[("", "small", 10)]),
            &["nothing is known of any other"],
            &["--estimate-propensities"],
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

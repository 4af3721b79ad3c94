//! What can be learned from a log, and what cannot, in one paragraph.

use crate::wording;
use pointsman_import::Survey;

/// The paragraph.
pub(super) fn sentences(survey: &Survey) -> String {
    let sentences = if survey.known.n_decisions == 0 {
        vec![nothing(survey)]
    } else {
        let sentences = [
            Some(quality(survey)),
            text(survey),
            propensities(survey),
            models(survey),
            missing(survey),
            left_out(survey),
        ];
        sentences.into_iter().flatten().collect()
    };
    format!("What this log is good for: {}", sentences.join(" "))
}

/// Of a log without a decision.
fn nothing(survey: &Survey) -> String {
    let n_waiting = survey.known.n_orphans + survey.n_unjoined;
    if 0 < n_waiting {
        let n = wording::counted(
            n_waiting,
            "score or outcome, and not the call that it is of",
            "scores or outcomes, and none of the calls that they are of",
        );
        return format!(
            "it holds {n}, so nothing can be learned from it alone; import it into another folder, \
             together with the files of those calls."
        );
    }
    let dropped = dropped(survey).map_or_else(String::new, |dropped| format!("; {dropped}"));
    format!("it holds no call of a chat model, so nothing can be learned from it{dropped}.")
}

/// Of how many rows there are some were dropped, and how many for the reason of most of them.
fn dropped(survey: &Survey) -> Option<String> {
    let reasons = survey.dropped.iter().map(|(reason, rows)| (reason, rows.n));
    let (reason, n) = reasons.max_by_key(|(_, n)| *n)?;
    let were = if survey.n_dropped() == 1 { "was" } else { "were" };
    Some(format!(
        "{} of {} rows or pieces of them {were} left out, {} for this reason: {reason}",
        wording::count(survey.n_dropped()),
        wording::count(n_rows(survey)),
        wording::count(n)
    ))
}

/// Rows, or the pieces of those that hold several.
fn n_rows(survey: &Survey) -> u64 {
    survey.n_pieces.max(survey.n_rows)
}

/// That most of the file gave nothing.
fn left_out(survey: &Survey) -> Option<String> {
    let dropped = dropped(survey).filter(|_| n_rows(survey) < 2 * survey.n_dropped())?;
    Some(format!("All this is said of a part: {dropped}."))
}

/// Decisions of which the log has the prompt, or its features.
const fn n_readable(survey: &Survey) -> u64 {
    survey.n_with_text + survey.n_with_features
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
    if n_readable(survey) == 0 {
        let none = "No call has a prompt, by which policies learn and decide, so `train`, `evaluate` and \
                    `gate` leave them all out; they tell of cost, latency and failures.";
        return Some(none.to_owned());
    }
    let mut sentences = Vec::new();
    let n_without = survey.known.n_decisions.saturating_sub(n_readable(survey));
    if 0 < n_without {
        let (one, many) = ("call has no prompt: it tells", "calls have no prompt: they tell");
        let n = wording::counted(n_without, one, many);
        sentences.push(format!("{n} of cost and latency, not of which prompts are hard."));
    }
    if 0 < survey.n_with_features {
        sentences.push(wording::counted(
            survey.n_with_features,
            "call has features in place of its prompt: policies with the same features learn from it.",
            "calls have features in place of their prompts: policies with the same features learn from \
             them.",
        ));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// What can be said of other choices; `None` where that is nothing, since there are no prompts.
fn propensities(survey: &Survey) -> Option<String> {
    if n_readable(survey) == 0 {
        return None;
    }
    let of = |kind: &str| survey.propensities.get(kind).copied().unwrap_or(0);
    let drawn = of("exact") + of("estimated");
    let mut sentences = Vec::new();
    if 0 < drawn {
        let n = wording::counted(drawn, "decision has", "decisions have");
        let once = if survey.known.n_quality == 0 { " once they have a quality" } else { "" };
        sentences.push(format!(
            "{n} a propensity: `train`, `evaluate --log` and `gate` can use them{once}."
        ));
    }
    if 0 < of("estimated") {
        let n = wording::counted(of("estimated"), "is", "are");
        sentences.push(format!(
            "Of these, {n} estimated: `gate` ships on them with --accept-estimated alone."
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
        let (one, many) =
            ("decision does not say how likely its", "decisions do not say how likely their");
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
    Some(sentences.join(" "))
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
    if n_readable(survey) == 0 || survey.models.counts.len() < 2 {
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
    // What the drawn models do not tell was said where nothing else is known of the choice.
    let is_said = 0 < n_readable(survey) && survey.propensities.contains_key("unknown");
    (survey.models.counts.len() == 1 && !is_said)
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
    use pointsman_import::DroppedRows;
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
                (survey.known.n_decisions, survey.n_with_text) = (10, 4);
                survey.propensities = BTreeMap::from([("unknown".to_owned(), 10)]);
                survey.scores.counts = BTreeMap::from([("thumbs".to_owned(), 4)]);
            },
            &["--score (thumbs)", "6 calls have no prompt", "leave them out", "lack their cost"],
            &["fixed model", "--candidates-by", "All this is said of a part"],
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
            &["every call has a quality", "`gate` can use them."],
            &["lack", "no prompt", "--score", "--accept-estimated"],
        );
    }

    /// A log of drawn models, of which everything else is known.
    fn drawn(edit: impl FnOnce(&mut Survey)) -> impl FnOnce(&mut Survey) {
        move |survey: &mut Survey| {
            *survey = undisclosed(&[("", "small", 6), ("", "large", 4)]);
            survey.propensities = BTreeMap::from([("exact".to_owned(), 10)]);
            edit(survey);
        }
    }

    #[test]
    fn the_paragraph_promises_nothing_that_is_not_there() {
        check(
            drawn(|survey| survey.n_with_text = 0),
            &["No call has a prompt", "leave them all out", "every call has a quality"],
            &["can use them"],
        );
        check(
            drawn(|survey| (survey.n_with_text, survey.n_with_features) = (0, 10)),
            &["10 calls have features in place of their prompts", "can use them."],
            &["no prompt", "No call"],
        );
        check(
            drawn(|survey| survey.known.n_quality = 0),
            &["`gate` can use them once they have a quality."],
            &[],
        );
        check(
            drawn(|survey| _ = survey.propensities.insert("estimated".to_owned(), 1)),
            &["Of these, 1 is estimated: `gate` ships on them with --accept-estimated alone."],
            &[],
        );
        check(
            |survey| *survey = undisclosed(&[("", "small", 10)]),
            &["10 decisions do not say how likely their model was: no other was drawn"],
            &["one model only"],
        );
        check(
            drawn(|survey| survey.models.counts = BTreeMap::from([("small".to_owned(), 10)])),
            &["There is one model only"],
            &[],
        );
    }

    #[test]
    fn a_log_without_calls_says_what_it_holds() {
        check(
            |survey| survey.known.n_orphans = 1,
            &["it holds 1 score or outcome, and not the call that it is of", "another folder"],
            &["no call of a chat model"],
        );
        let embeddings = |survey: &mut Survey| {
            survey.n_rows = 40;
            let rows = DroppedRows { n: 30, examples: Vec::new() };
            survey.dropped = BTreeMap::from([("not a chat call".to_owned(), rows)]);
        };
        check(
            embeddings,
            &[
                "no call of a chat model, so nothing can be learned from it; 30 of 40 rows or pieces of \
                 them were left out, 30 for this reason: not a chat call.",
            ],
            &["All this"],
        );
        check(
            drawn(embeddings),
            &["30 of 40 rows or pieces of them were left out, 30 for this reason"],
            &["no call of a chat model"],
        );
    }
}

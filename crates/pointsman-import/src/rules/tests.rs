use super::*;
use crate::call::{Draft, Found};
use pointsman_log::record::MessageRecord;

const RULES: &str = include_str!("../../testdata/rules.toml");

fn call(id: &str, ts_ms: u64, says: &str, edit: impl FnOnce(&mut Draft)) -> Call {
    let mut draft = Draft {
        id: Some(id.to_owned()),
        asked: Some("wren".to_owned()),
        start_ms: Some(ts_ms),
        session: Some("s".to_owned()),
        ..Draft::default()
    };
    for (place, turn) in says.split('|').enumerate() {
        let role = if place % 2 == 0 { RoleRecord::User } else { RoleRecord::Assistant };
        draft.prompt.messages.push(MessageRecord { role, content: turn.to_owned() });
    }
    edit(&mut draft);
    let Ok(Found::Call(call)) = draft.finish() else { panic!("a call") };
    *call
}

fn quality(judge: &Judge, mut call: Call) -> Option<f64> {
    judge.grade(&mut call);
    call.outcome.metric(QUALITY)
}

#[test]
fn the_first_rule_that_fits_counts() {
    let judge = Judge::new(Rules::from_toml(RULES).unwrap());
    let thumbs = |value| vec![metric("thumbs", value, None, Scope::Request)];
    let length = || Some("LENGTH".to_owned());
    let cases = [
        (call("a", 1, "Hi", |_| {}), Some(0.8)),
        (call("a", 1, "Hi", |one| one.is_failed = true), Some(0.0)),
        (call("a", 1, "Hi", |one| one.finish_reason = length()), Some(0.4)),
        (call("a", 1, "Hi", |one| one.metrics = thumbs(1.0)), Some(1.0)),
        (call("a", 1, "Hi", |one| one.metrics = thumbs(0.0)), Some(0.8)),
        (
            call("a", 1, "Hi", |one| {
                one.metrics = vec![metric(QUALITY, 0.3, None, Scope::Request)];
            }),
            Some(0.3),
        ),
    ];
    for (call, expected) in cases {
        assert_eq!(quality(&judge, call), expected);
    }
    assert_eq!(judge.rules().of_score(&thumbs(1.0)[0]).map(|metric| metric.value), Some(1.0));
    assert_eq!(judge.rules().of_score(&thumbs(0.0)[0]), None);
}

#[track_caller]
fn check_next(first: Call, second: Call, expected: Option<f64>) {
    let mut judge = Judge::new(Rules::from_toml(RULES).unwrap());
    let mut next = |mut call: Call| {
        judge.grade(&mut call);
        judge.next(&call.decision, Some(&call.outcome))
    };
    assert_eq!(next(first), None);
    let correction = next(second);
    assert_eq!(correction.as_ref().map(|one| one.metric.value), expected);
    let replaced = correction.as_ref().and_then(|one| one.replaces.as_deref());
    assert_eq!(replaced, expected.map(|_| "rule 6: otherwise"));
    assert!(correction.is_none_or(|one| one.decision_id == "a"));
}

#[test]
fn what_callers_do_next_corrects_the_call_before() {
    let plain = |id, ts_ms, says| call(id, ts_ms, says, |_| {});
    let hour = 3_600_000;
    check_next(plain("a", 1, "How far?"), plain("b", 2, "Thanks"), None);
    check_next(plain("a", 1, "How far?"), plain("b", 2, "how  FAR?"), Some(0.2));
    check_next(plain("a", 1, "How far?"), plain("b", hour, "How far?"), None);
    let complaint = "How far?|Near.|No, that is wrong.";
    check_next(plain("a", 1, "How far?"), plain("b", 2, complaint), Some(0.1));
    check_next(plain("a", 1, "How far?"), plain("b", 2, "I hear that is wrong."), None);
    // A rule further up had fitted, or the log has a quality of its own.
    let failed = call("a", 1, "How far?", |one| one.is_failed = true);
    check_next(failed, plain("b", 2, "How far?"), None);
    let graded = |one: &mut Draft| one.metrics = vec![metric(QUALITY, 0.3, None, Scope::Request)];
    check_next(call("a", 1, "How far?", graded), plain("b", 2, "How far?"), None);
    // A clock that goes backwards corrects nothing.
    check_next(plain("a", 5, "How far?"), plain("b", 2, "How far?"), None);
}

/// Of an answer that its reader changed, the share of it that was changed decides.
#[test]
fn edits_of_an_answer_are_a_quality() {
    let rules = "[[rules]]\nwhen = \"edited\"\nat_most = 0.0\nquality = 1.0\n\
                 [[rules]]\nwhen = \"edited\"\nat_most = 0.25\nquality = 0.7\n\
                 [[rules]]\nwhen = \"edited\"\nquality = 0.2";
    let judge = Judge::new(Rules::from_toml(rules).unwrap());
    for (answer, kept, expected) in [
        (Some("two wrens"), Some("two wrens"), Some(1.0)),
        (Some("two wrens"), Some("ten wrens"), Some(0.7)),
        (Some("two wrens"), Some("two wrens!"), Some(0.7)),
        (Some("two wrens"), Some("a heron, and no wren at all"), Some(0.2)),
        (Some("two wrens"), None, None),
        (None, Some("two wrens"), None),
    ] {
        let call = call("a", 1, "Hi", |one| {
            one.answer = answer.map(str::to_owned);
            one.kept_answer = kept.map(str::to_owned);
        });
        assert_eq!(quality(&judge, call), expected, "{answer:?} {kept:?}");
    }
    let names: Vec<String> = judge.rules().names().collect();
    assert_eq!(names[1], "rule 2: edited by 0 to 0.25");
}

/// A question that is asked again in nearly the same words corrects the call before.
#[test]
fn a_question_is_asked_again_with_small_edits() {
    let rules = |at_most: &str| {
        let text = format!("[[rules]]\nwhen = \"regenerated\"\n{at_most}\nquality = 0.2");
        Rules::from_toml(&text).unwrap()
    };
    let asked_again = |at_most: &str, first: &str, second: &str| {
        let mut judge = Judge::new(rules(at_most));
        let mut next = |id: &str, ts_ms: u64, says: &str| {
            let call = call(id, ts_ms, says, |_| {});
            judge.next(&call.decision, Some(&call.outcome))
        };
        assert_eq!(next("a", 1, first), None);
        next("b", 2, second).is_some()
    };
    let (first, second) = ("How far is the moon?", "How far is the Moon, then?");
    assert!(asked_again("at_most = 0.3", first, second));
    assert!(!asked_again("at_most = 0.1", first, second));
    assert!(!asked_again("", first, second));
    assert!(!asked_again("at_most = 0.3", first, "Thank you."));
    // What is too long to be kept has to be the same.
    let long = "word ".repeat(1_000);
    assert!(asked_again("at_most = 0.3", &long, &long));
    assert!(!asked_again("at_most = 0.3", &long, &format!("{long} more")));
    let name = rules("at_most = 0.3").names().next();
    assert_eq!(name.as_deref(), Some("rule 1: asked again, edited by up to 0.3"));
}

#[track_caller]
fn check_refusal(text: &str, expected: &str) {
    let message = Rules::from_toml(text).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn every_mistake_gets_a_sentence() {
    check_refusal("", "there is none");
    check_refusal("rules = 3", "the quality rules:");
    check_refusal("[[rules]]\nwhen = \"moon\"\nquality = 1.0", "rule 1: when = \"moon\"");
    check_refusal("[[rules]]\nwhen = \"error\"\nquality = 2.0", "from 0 to 1");
    check_refusal("[[rules]]\nwhen = \"error\"\nquality = 0\nis = []", "`is` has no meaning");
    check_refusal("[[rules]]\nwhen = \"finish_reason\"\nquality = 0", "`is` has to list");
    check_refusal("[[rules]]\nwhen = \"complaint\"\nquality = 0\nphrases = [\"\"]", "`phrases`");
    check_refusal("[[rules]]\nwhen = \"error\"\nqualty = 0", "line 3: unknown field");
    check_refusal(
        "[[rules]]\nwhen = \"edited\"\nquality = 0\nat_most = 20",
        "`at_least` and `at_most` have to be shares",
    );
    check_refusal(
        "[[rules]]\nwhen = \"edited\"\nquality = 0\nat_least = 0.5\nat_most = 0.2",
        "the first not above the second",
    );
    check_refusal(
        "[[rules]]\nwhen = \"regenerated\"\nquality = 0\nat_least = 0.5",
        "`at_least` has no meaning",
    );
}

use super::*;
use crate::features::{MAX_BYTES_PER_PART, N_DENSE};
use proptest::prelude::*;

/// One sign of an answer to a prompt.
fn sign_of(prompt: &str, answer: &Answer<'_>, name: &str) -> f32 {
    let mut extractor = AnswerExtractor::new(FeatureSchema::default());
    let features = extractor.extract(&Request::from_prompt(prompt), answer);
    features.signs[SIGN_NAMES.iter().position(|&known| known == name).unwrap()]
}

#[track_caller]
fn check(prompt: &str, answer: &str, name: &str, expected: f32) {
    let found = sign_of(prompt, &Answer::from_text(answer), name);
    assert!((found - expected).abs() < 1e-6, "{name} of {answer:?}: {found}, not {expected}");
}

const YES: f32 = 1.0;
const NO: f32 = 0.0;

#[test]
fn names_are_distinct() {
    for (at, name) in SIGN_NAMES.iter().enumerate() {
        assert!(!SIGN_NAMES[..at].contains(name), "{name}");
    }
}

#[test]
fn words_are_counted() {
    check("abc", "abc", "log length over the prompt's", 0.0);
    check("", "abc", "log length over the prompt's", 4.0_f32.ln());
    check("", "perhaps, or maybe not", "hedging", 3.0_f32.ln());
    check("", "Sorry, I cannot", "refusing", 3.0_f32.ln());
    check("", "1 and 2", "numbers among words", 0.5);
    check("", "x = y", "equals signs among words", 1.0 / 3.0);
    check("", "no no no no no no", "vocabulary", 2.0 / 13.0);
}

#[test]
fn final_answers_are_found_and_compared() {
    check("", "So it is.", "no final answer", YES);
    check("", "The answer is (C).", "no final answer", NO);
    check("", "The answer is (C).", "final answer is a letter", YES);
    check("", "#### 12", "final answer is a number", YES);
    check("", "The answer is (C). The answer is (C).", "contradicts itself", NO);
    check("", "The answer is (C). The answer is (D).", "contradicts itself", YES);
}

#[test]
fn sums_are_checked() {
    check("", "2 + 2 = 4", "a sum is wrong", NO);
    check("", "2 + 2 = 5", "a sum is wrong", YES);
    check("", "2 + 2 = 5 and 1 + 1 = 2", "log sums checked", 3.0_f32.ln());
}

#[test]
fn what_is_not_closed_is_seen() {
    check("", "f(x) = [1, 2", "unclosed bracket", YES);
    check("", "a) f(x) = [1, 2]", "unclosed bracket", NO);
    check("", "```\ncode", "unclosed code fence", YES);
    check("", "```\ncode\n```", "unclosed code fence", NO);
    check("", "and then the", "ends in mid-sentence", YES);
    check("", "That is all. ", "ends in mid-sentence", NO);
    check("", "", "ends in mid-sentence", YES);
}

#[test]
fn numbers_are_compared_with_the_prompt() {
    let prompt = "There are 16 eggs, and 3 are eaten. How many are left?";
    check(prompt, "16 - 3 = 13. #### 13", "last number is whole", YES);
    check(prompt, "It is 12.5", "last number is whole", NO);
    check(prompt, "16 - 3 = 13. #### 13", "last number is repeated", YES);
    check(prompt, "16 - 3 = 13", "last number is repeated", NO);
    check(prompt, "I say 16", "last number is in the prompt", YES);
    check(prompt, "16 - 3 = 13", "prompt's numbers used", 2.0 / 3.0);
    check(prompt, "none", "prompt's numbers used", 0.0);
    check(prompt, "16 - 3 = 13, and 13 again", "log new numbers", 2.0_f32.ln());
}

#[test]
fn a_choice_is_compared_with_the_words_for_it() {
    let prompt = "How many?\nA. 12 eggs\nB. 13 eggs\nC. none of these";
    let wrong = "16 - 3 = 13, so 13 eggs. The answer is (A).";
    let right = "16 - 3 = 13, so 13 eggs. The answer is (B).";
    check(prompt, right, "names a choice", YES);
    check(prompt, right, "words for the choice", 1.0);
    check(prompt, right, "words for it over the next best", 0.5);
    check(prompt, wrong, "words for it over the next best", -0.5);
    check(prompt, wrong, "number of the choice missing", YES);
    check(prompt, right, "number of another choice found", NO);
    check(prompt, "The answer is (C).", "choice is none of these", YES);
    check(prompt, "The answer is (F).", "names a choice", NO);
    check("How many?", right, "names a choice", NO);
}

#[test]
fn scripts_and_languages_are_compared() {
    let prompt = "What is the name of the cat that is on the mat?";
    check(
        prompt,
        "Der Hund ist nicht das Problem, und die Katze ist es.",
        "other language than the prompt",
        YES,
    );
    check(
        prompt,
        "The name of the cat is Tom, and that is the end of it.",
        "other language than the prompt",
        NO,
    );
    check(prompt, "東京", "other script than the prompt", 1.0);
    check(prompt, "Tom", "other script than the prompt", 0.0);
}

#[test]
fn json_is_checked_where_it_is_asked_for_or_offered() {
    check("", r#"{"a": 1}"#, "broken JSON", NO);
    check("", r#"{"a": 1"#, "broken JSON", YES);
    check("", "```json\n{\"a\": 1}\n```", "broken JSON", NO);
    check("", "plain words", "broken JSON", NO);
    let keys = ["a", "b", "c"].map(Cow::Borrowed);
    let missing = |text| {
        let answer = Answer { required_keys: Cow::Borrowed(&keys), ..Answer::from_text(text) };
        let broken = sign_of("", &answer, "broken JSON");
        (broken, sign_of("", &answer, "log required keys missing"))
    };
    assert_eq!(missing(r#"{"a": 1, "b": 2, "c": {}}"#), (NO, 0.0));
    assert_eq!(missing(r#"{"a": {"b": 2}}"#), (NO, 3.0_f32.ln()));
    assert_eq!(missing("plain words"), (YES, 4.0_f32.ln()));
}

#[test]
fn calls_are_held_against_the_tools_that_were_offered() {
    let offered = ["search", "add"].map(Cow::Borrowed);
    let call = |name, arguments| {
        let calls = [ToolCall { name: Cow::Borrowed(name), arguments: Cow::Borrowed(arguments) }];
        let answer = Answer {
            tool_calls: Cow::Borrowed(&calls),
            offered_tools: Cow::Borrowed(&offered),
            ..Answer::default()
        };
        let sign = |name| sign_of("", &answer, name);
        assert_eq!(sign("empty"), NO, "a call is an answer");
        (sign("log calls of unknown tools"), sign("log calls with broken arguments"))
    };
    let one = 2.0_f32.ln();
    assert_eq!(call("search", r#"{"q": "x"}"#), (0.0, 0.0));
    assert_eq!(call("seek", "{}"), (one, 0.0));
    assert_eq!(call("add", "[1]"), (0.0, one));
}

#[test]
fn how_it_ended_and_how_sure_it_was_are_signs() {
    let of = |finish, name| sign_of("", &Answer { finish, ..Answer::from_text("x") }, name);
    assert_eq!(of(FinishReason::Length, "cut off at the token limit"), YES);
    assert_eq!(of(FinishReason::Stop, "cut off at the token limit"), NO);
    assert_eq!(of(FinishReason::ContentFilter, "ended by a filter"), YES);
    for (name, reason) in [
        ("max_tokens", FinishReason::Length),
        ("MAX_TOKENS", FinishReason::Length),
        ("STOP", FinishReason::Stop),
        ("Safety", FinishReason::ContentFilter),
        ("weather", FinishReason::Unknown),
        ("", FinishReason::Unknown),
    ] {
        assert_eq!(FinishReason::named(name), reason, "{name}");
        assert_eq!(reason.name().map_or(FinishReason::Unknown, FinishReason::named), reason);
    }
    let sure = LogProbabilities::of([-0.5, -1.5]);
    let answer = Answer { log_probabilities: sure, ..Answer::from_text("x") };
    assert_eq!(sign_of("", &answer, "log-probabilities known"), YES);
    assert_eq!(sign_of("", &answer, "mean log-probability"), -1.0);
    assert_eq!(sign_of("", &answer, "least log-probability"), -1.5);
    assert_eq!(LogProbabilities::of([]), None);
    let odd = LogProbabilities::of([f64::NAN, f64::NEG_INFINITY, 1.0]).unwrap();
    assert!(odd.mean.is_finite() && odd.least.is_finite());
}

#[test]
fn a_long_answer_is_read_head_and_tail() {
    let middle = "2 + 2 = 5. ".repeat(100_000);
    let answer = format!("perhaps. {middle} The answer is (C).");
    let mut extractor = AnswerExtractor::new(FeatureSchema::default());
    let answer = Answer::from_text(&answer);
    let features = extractor.extract(&Request::from_prompt("Which?"), &answer);
    assert_eq!(features.text.n_bytes_cut, answer.text.len() - MAX_BYTES_PER_PART);
    assert_eq!(features.text.dense[N_DENSE - 1], 1.0);
    assert!(features.signs.iter().all(|sign| sign.is_finite()));
    for name in ["hedging", "final answer is a letter", "a sum is wrong"] {
        assert!(0.0 < sign_of("Which?", &answer, name), "{name}");
    }
}

fn check_finite(prompt: &str, text: &str) {
    let mut extractor = AnswerExtractor::new(FeatureSchema::default());
    let answer = Answer::from_text(text);
    let features = extractor.extract(&Request::from_prompt(prompt), &answer);
    for (name, sign) in SIGN_NAMES.iter().zip(features.signs) {
        assert!(sign.is_finite(), "{name}: {sign}");
    }
    assert!(features.text.dense.iter().all(|value| value.is_finite()));
}

#[test]
fn awkward_answers_have_finite_features() {
    let large = "a".repeat(1 << 20);
    let digits = "9".repeat(1 << 20);
    let high = "é".repeat(1 << 19);
    let open = "(".repeat(1 << 16);
    let sums = "1/0=".repeat(1 << 12);
    for text in ["", " ", "\0", "=", "````", &large, &digits, &high, &open, &sums] {
        check_finite("", text);
        check_finite(text, text);
        check_finite(text, "");
    }
}

proptest! {
    /// What was found while the request was read is what would be found again.
    #[test]
    fn a_request_that_was_read_is_not_read_again(
        texts in prop::collection::vec("[a-zA-Z0-9 .,=+()é\n]{0,200}", 1..4),
        roles in prop::collection::vec(0_usize..3, 3),
        answer in "[a-zA-Z0-9 .,=+()é\n]{0,200}",
    ) {
        let roles = roles.iter().map(|&role| [Role::User, Role::Assistant, Role::System][role]);
        let messages: Vec<Message<'_>> = (texts.iter().zip(roles))
            .map(|(text, role)| Message { role, text: Cow::Borrowed(text) })
            .collect();
        let request = Request { messages: Cow::Owned(messages), ..Request::default() };
        let answer = Answer::from_text(&answer);
        let mut of_request = Extractor::new(FeatureSchema::default());
        of_request.extract(&request);
        let mut alone = AnswerExtractor::new(FeatureSchema::default());
        let mut beside = AnswerExtractor::new(FeatureSchema::default());
        let expected = *alone.extract(&request, &answer).signs;
        let found = beside.extract_beside(Some(&of_request), (&request, &answer), |_| ());
        prop_assert_eq!(found.signs, &expected);
    }

    /// Bytes of any kind, made text as an edge makes them, and cut anywhere.
    #[test]
    fn any_bytes_have_finite_features(
        prompt in prop::collection::vec(any::<u8>(), 0..300),
        answer in prop::collection::vec(any::<u8>(), 0..600),
        cut in 0_usize..600,
    ) {
        let answer = &answer[..cut.min(answer.len())];
        check_finite(&String::from_utf8_lossy(&prompt), &String::from_utf8_lossy(answer));
    }

    /// What a sum may be written with, in any order.
    #[test]
    fn any_sums_have_finite_features(answer in "[0-9+*/x=(). $%,#-]{0,80}") {
        check_finite("A. 1\nB. 2", &answer);
    }

    /// An extractor carries nothing over from one answer to the next.
    #[test]
    fn readings_are_independent(first in "\\PC{0,200}", second in "\\PC{0,200}") {
        let mut extractor = AnswerExtractor::new(FeatureSchema::default());
        extractor.extract(&Request::from_prompt(&second), &Answer::from_text(&first));
        let request = Request::from_prompt(&first);
        let again = extractor.extract(&request, &Answer::from_text(&second));
        let mut fresh = AnswerExtractor::new(FeatureSchema::default());
        let alone = fresh.extract(&request, &Answer::from_text(&second));
        prop_assert_eq!(again.signs, alone.signs);
        prop_assert_eq!(again.text.terms, alone.text.terms);
        prop_assert_eq!(again.text.dense, alone.text.dense);
    }
}

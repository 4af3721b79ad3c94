use super::*;
use proptest::prelude::*;
use std::borrow::Cow;

fn terms_of(text: &str) -> Vec<u32> {
    let mut extractor = Extractor::new(FeatureSchema::default());
    extractor.extract(&Request::from_prompt(text)).terms.to_vec()
}

fn words_of(text: &str) -> Vec<String> {
    let schema = FeatureSchema::new(18, Bigrams::Without).unwrap();
    let mut words = Vec::new();
    for_each_term_of(schema, Part::Question, text, |_, span| words.push(text[span].to_owned()));
    words
}

#[test]
fn words_are_found_whatever_stands_between_them() {
    for (text, expected) in [
        ("Hello, world!", vec!["Hello", "world", ",", "!"]),
        ("  a\tb\n", vec!["a", "b"]),
        ("3.14 is pi", vec!["3", "14", "is", "pi", "."]),
        ("", vec![]),
        ("...!?", vec![".", ".", ".", "!", "?"]),
        ("naïve Über Müll", vec!["naïve", "Über", "Müll"]),
        ("東京 tower", vec!["東", "京", "tower"]),
        ("x東y", vec!["x", "東", "y"]),
        ("internationalisation", vec!["internationalisation"]),
    ] {
        assert_eq!(words_of(text), expected, "{text:?}");
    }
}

#[test]
fn a_word_across_a_block_is_one_word() {
    for blanks in 55..70 {
        let text = format!("{}crossing", " ".repeat(blanks));
        assert_eq!(words_of(&text), ["crossing"], "after {blanks} blanks");
    }
}

#[test]
fn trivial_edits_change_no_term() {
    for (one, other) in [
        ("What is the capital of France?", "what is  the CAPITAL of france??"),
        ("Add 17 and 25", "add 38 and 44"),
        ("Ärger mit ÖPNV", "ärger mit öpnv"),
    ] {
        assert_eq!(terms_of(one), terms_of(other), "{one:?}");
    }
    assert_ne!(terms_of("Add 17 and 25"), terms_of("Add 170 and 25"));
    assert_ne!(terms_of("dog bites man"), terms_of("man bites dog"));
}

#[test]
fn equal_words_of_different_parts_are_different_terms() {
    let message = |role, text| Message { role, text: Cow::Borrowed(text) };
    let messages = [
        message(Role::System, "ship"),
        message(Role::User, "ship"),
        message(Role::Assistant, "ship"),
    ];
    let request = Request { messages: Cow::Borrowed(&messages), ..Request::default() };
    let mut extractor = Extractor::new(FeatureSchema::default());
    assert_eq!(extractor.extract(&request).terms.len(), 3);
}

#[test]
fn long_texts_are_read_head_and_tail_and_say_so() {
    let middle = "middle ".repeat(20_000);
    let text = format!("alpha {middle} omega");
    let mut extractor = Extractor::new(FeatureSchema::default());
    let features = extractor.extract(&Request::from_prompt(&text));
    assert_eq!(features.n_bytes, text.len());
    assert_eq!(features.n_bytes_cut, text.len() - MAX_BYTES_PER_PART);
    assert_eq!(features.dense[N_DENSE - 1], 1.0);
    let alpha = terms_of("alpha")[0];
    let omega = terms_of("omega")[0];
    assert!(features.terms.contains(&alpha) && features.terms.contains(&omega));
}

#[test]
fn dense_features_count_what_they_say() {
    let names = [
        "digits",
        "capitals",
        "log line feeds",
        "brackets and backticks",
        "punctuation",
        "log question marks",
        "log word length",
    ];
    let one_more = 2.0_f32.ln();
    for (version, expected) in [
        (
            SchemaVersion::First,
            [2.0 / 13.0, 2.0 / 13.0, one_more, 3.0 / 13.0, 4.0 / 13.0, one_more, 3.25_f32.ln()],
        ),
        (
            SchemaVersion::Second,
            [2.0 / 9.0, 2.0 / 9.0, 0.0, 3.0 / 9.0, 4.0 / 9.0, one_more, 2.25_f32.ln()],
        ),
    ] {
        let mut extractor = Extractor::new(FeatureSchema::default().with_version(version));
        let features = extractor.extract(&Request::from_prompt("Is A[1] = 2?\n"));
        for (name, expected) in names.into_iter().zip(expected) {
            let found = features.dense[DENSE_NAMES.iter().position(|&n| n == name).unwrap()];
            assert!((found - expected).abs() < 1e-6, "{version:?}, {name}: {found}");
        }
    }
}

#[test]
fn versions_have_numbers() {
    for version in [SchemaVersion::First, SchemaVersion::Second] {
        assert_eq!(SchemaVersion::of_number(version.number()), Some(version));
    }
    assert_eq!(SchemaVersion::of_number(3), None);
}

#[test]
fn bucket_counts_have_limits() {
    for (exponent, ok) in [(7, false), (8, true), (20, true), (21, false)] {
        assert_eq!(FeatureSchema::new(exponent, Bigrams::With).is_ok(), ok, "{exponent}");
    }
}

proptest! {
    /// Doubled blanks and blanks at the ends change nothing; nor do small letters where capitals
    /// are as rare as in prose.
    #[test]
    fn trivial_edits_change_no_dense_feature(words in "[a-z]{20,30}( [a-z,.?]{1,9}){0,30}\n?[a-z]?") {
        let mut extractor = Extractor::new(FeatureSchema::default());
        let mut dense = |text: &str| *extractor.extract(&Request::from_prompt(text)).dense;
        let expected = dense(&words);
        prop_assert_eq!(dense(&format!("\n {}\n\n", words.replace(' ', "  "))), expected);
        let mut sentence = words.clone();
        sentence[..1].make_ascii_uppercase();
        prop_assert_eq!(dense(&sentence), expected);
    }

    /// An extractor carries nothing over from one request to the next.
    #[test]
    fn readings_are_independent(first in ".{0,200}", second in ".{0,200}") {
        let mut extractor = Extractor::new(FeatureSchema::default());
        extractor.extract(&Request::from_prompt(&first));
        let again = extractor.extract(&Request::from_prompt(&second));
        let mut fresh = Extractor::new(FeatureSchema::default());
        let alone = fresh.extract(&Request::from_prompt(&second));
        prop_assert_eq!(again.terms, alone.terms);
        prop_assert_eq!(again.dense, alone.dense);
    }

    /// Every term is a bucket of the schema and stands once; explanations see the same terms.
    #[test]
    fn terms_are_distinct_buckets(text in "\\PC{0,300}", log2_buckets in 8_u8..=20) {
        let schema = FeatureSchema::new(log2_buckets, Bigrams::With).unwrap();
        let mut extractor = Extractor::new(schema);
        let features = extractor.extract(&Request::from_prompt(&text));
        let mut explained = Vec::new();
        for_each_term_of(schema, Part::Question, &text, |bucket, span| {
            assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            if !explained.contains(&bucket) {
                explained.push(bucket);
            }
        });
        prop_assert_eq!(features.terms, &explained[..]);
        prop_assert!(features.terms.iter().all(|&term| (term as usize) < schema.n_buckets()));
        prop_assert!(features.dense.iter().all(|value| value.is_finite()));
    }
}

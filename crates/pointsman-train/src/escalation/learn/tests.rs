use super::*;
use crate::{
    design::{Design, DesignBuilder},
    escalation::{AnswerDesign, AnswerDesignBuilder},
};
use pointsman_core::{
    answer::Answer,
    escalation::{EscalationScorer, EscalationScores},
    features::{Bigrams, FeatureSchema},
    request::Request,
};

/// Requests whose answers show, by a sum that is wrong, when they are wrong; the next model is
/// right on two of three.
struct Example {
    prompts: Design,
    answers: AnswerDesign,
    quality: Vec<f32>,
    groups: Vec<u64>,
    rows: Vec<u32>,
}

impl Example {
    fn new(n: u32) -> Self {
        let schema = FeatureSchema::new(12, Bigrams::With).unwrap();
        let (mut prompts, mut answers) =
            (DesignBuilder::new(schema), AnswerDesignBuilder::new(schema));
        let mut quality = Vec::new();
        for row in 0..n {
            let (a, b) = (row % 17 + 2, row % 13 + 3);
            let is_right = row % 5 % 2 == 0;
            let prompt = format!("What do {a} boxes and {b} bags weigh in lot {}?", row % 7);
            let sum = if is_right { a + b } else { a + b + 1 };
            let answer = format!("They weigh {a} + {b} = {sum} pounds. The answer is {sum}.");
            let request = Request::from_prompt(&prompt);
            prompts.push(&request);
            answers.push(&request, &Answer::from_text(&answer));
            quality
                .extend([if is_right { 1.0 } else { 0.0 }, if row % 3 == 0 { 0.0 } else { 1.0 }]);
        }
        Self {
            prompts: prompts.finish(),
            answers: answers.finish(),
            quality,
            groups: (0..u64::from(n)).collect(),
            rows: (0..n).collect(),
        }
    }

    fn set(&self) -> EscalationSet<'_> {
        EscalationSet {
            prompts: &self.prompts,
            answers: Some(&self.answers),
            quality: &self.quality,
            weights: None,
            n_next: 1,
            groups: &self.groups,
            rows: &self.rows,
        }
    }

    /// Predictions of the quality in hand, row by row.
    fn predicted(&self, parts: &EscalationParts) -> Vec<f32> {
        let scorer = EscalationScorer::new(parts.clone()).unwrap();
        let mut scores = EscalationScores::default();
        (0..self.prompts.n_rows())
            .map(|row| {
                scorer.score(&self.prompts.features(row), &self.answers.features(row), &mut scores);
                scores.quality()[0]
            })
            .collect()
    }
}

#[test]
fn what_an_answer_shows_is_learned() {
    let example = Example::new(300);
    let trained = train_escalation(&example.set(), 1).unwrap();
    assert_eq!(trained.n_unconverged, 0);
    let predicted = example.predicted(&trained.parts);
    let mean_of = |quality: f32| {
        let of: Vec<f32> = predicted
            .iter()
            .zip(example.quality.chunks_exact(2))
            .filter(|(_, row)| row[0] == quality)
            .map(|(predicted, _)| *predicted)
            .collect();
        of.iter().sum::<f32>() / f32::from(u16::try_from(of.len()).unwrap())
    };
    assert!(0.2 < mean_of(1.0) - mean_of(0.0), "{} {}", mean_of(1.0), mean_of(0.0));
    let prompts_alone = EscalationSet { answers: None, ..example.set() };
    let blind = train_escalation(&prompts_alone, 1).unwrap();
    let best = |trained: &TrainedEscalation| {
        trained.strengths.iter().map(|it| it.mean_gain).fold(f64::NEG_INFINITY, f64::max)
    };
    assert!(best(&blind) < best(&trained), "{} {}", best(&blind), best(&trained));
}

/// Of each row one quality is known, drawn with probability 1/4 or 3/4, as in a log.
fn logged_weights(n: u32) -> Vec<f32> {
    let of_row = |row: u32| {
        let is_accepted = (row * 7).is_multiple_of(4);
        if is_accepted { [4.0, 0.0] } else { [0.0, 4.0 / 3.0] }
    };
    (0..n).flat_map(of_row).collect()
}

#[test]
fn what_an_answer_shows_is_learned_from_one_quality_of_each_row() {
    let example = Example::new(1200);
    let weights = logged_weights(1200);
    let set = EscalationSet { weights: Some(&weights), ..example.set() };
    let trained = train_escalation(&set, 1).unwrap();
    let predicted = example.predicted(&trained.parts);
    let mean_of = |quality: f32| {
        let rows = predicted.iter().zip(example.quality.chunks_exact(2));
        let of: Vec<f32> = rows.filter(|(_, row)| row[0] == quality).map(|(it, _)| *it).collect();
        of.iter().sum::<f32>() / f32::from(u16::try_from(of.len()).unwrap())
    };
    assert!(0.2 < mean_of(1.0) - mean_of(0.0), "{} {}", mean_of(1.0), mean_of(0.0));
}

#[test]
fn what_is_not_known_counts_for_nothing() {
    let example = Example::new(240);
    let weights = logged_weights(240);
    let other: Vec<f32> = example
        .quality
        .iter()
        .zip(&weights)
        .map(|(quality, weight)| if *weight == 0.0 { 1.0 - quality } else { *quality })
        .collect();
    let train = |quality: &[f32]| {
        let set = EscalationSet { quality, weights: Some(&weights), ..example.set() };
        train_escalation(&set, 1).unwrap()
    };
    let (one, two) = (train(&example.quality), train(&other));
    assert_eq!((one.parts, one.held_out), (two.parts, two.held_out));
}

/// Weights of one are no weights.
#[test]
fn everything_known_is_as_without_weights() {
    let example = Example::new(120);
    let ones = vec![1.0; 240];
    let set = EscalationSet { weights: Some(&ones), ..example.set() };
    let (with, without) = (train_escalation(&set, 3), train_escalation(&example.set(), 3));
    assert_eq!(with.unwrap().parts, without.unwrap().parts);
}

#[test]
fn the_same_set_and_seed_give_the_same_parts() {
    let example = Example::new(120);
    let train = || train_escalation(&example.set(), 5).unwrap().parts;
    assert_eq!(train(), train());
}

/// The scorer says what the solution of the fit says: its predictions of the training rows have
/// the mean of their qualities.
#[test]
fn predictions_have_the_mean_of_the_outcomes() {
    let example = Example::new(200);
    let parts = train_escalation(&example.set(), 2).unwrap().parts;
    let predicted = example.predicted(&parts);
    let mean =
        |values: &mut dyn Iterator<Item = f32>| values.map(f64::from).sum::<f64>() / f64::from(200);
    let found = mean(&mut predicted.into_iter());
    let expected = mean(&mut example.quality.iter().copied().step_by(2));
    assert!((found - expected).abs() < 0.02, "{found} for {expected}");
}

#[test]
fn mean_gain_is_the_area_under_what_is_gained() {
    let check = |gains: &[(f32, f64)], expected: f64| {
        let found = mean_gain(gains.to_vec());
        assert!((found - expected).abs() < 1e-12, "{gains:?}: {found} for {expected}");
    };
    check(&[], 0.0);
    check(&[(0.1, 1.0)], 0.5);
    // Shares 0, 1/2, 1 gain 0, 1/2, 1/2: trapezoids of 1/8 and 1/4.
    check(&[(0.1, 0.0), (0.9, 1.0)], 0.375);
    check(&[(0.9, 0.0), (0.1, 1.0)], 0.125);
}

#[test]
fn sets_that_teach_nothing_are_refused() {
    let (example, weights) = (Example::new(40), logged_weights(40));
    let set = example.set();
    let refusal = |set: EscalationSet<'_>| train_escalation(&set, 0).unwrap_err().to_string();
    for (set, expected) in [
        (EscalationSet { n_next: 0, ..set }, "there is no model to escalate to; name at least one"),
        (
            EscalationSet { rows: &example.rows[..19], ..set },
            "19 answers; learning when to escalate takes at least 20",
        ),
        (
            EscalationSet { quality: &example.quality[..79], ..set },
            "`quality` has 79 entries where 80 are needed",
        ),
        (
            EscalationSet { weights: Some(&[1.0; 3]), ..set },
            "`weights` has 3 entries where 80 are needed",
        ),
        (
            EscalationSet { weights: Some(&[-1.0; 80]), ..set },
            "row 0: a weight of -1 is not a finite number from 0 up",
        ),
        (
            EscalationSet { weights: Some(&weights), ..set },
            "10 known qualities in column 0; learning takes at least 20",
        ),
        (
            EscalationSet { groups: &[7; 40], ..set },
            "all answers are to one prompt, or nearly so; nothing can be held out",
        ),
    ] {
        assert_eq!(refusal(set), expected);
    }
}

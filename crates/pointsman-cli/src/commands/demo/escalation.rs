//! The last part of the demo: a reader of a cheap model's answers, and two answers that it reads.
//!
//! The sample's answers are simulated like everything in it, and so are the two that are shown: what
//! is decided about them, and why, is the policy's.

use crate::{
    commands::{
        route::{Asked, Given},
        train,
    },
    files,
    policy_flags::PolicyFlags,
    screen::{self, Screen},
    wording,
};
use anyhow::Result;
use pointsman_core::{
    answer::{Answer, FinishReason},
    catalog::Catalog,
    request::Request,
    units::{Probability, Usd},
};
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

/// Who answers in the sample's file of answers.
const ANSWERED_BY: &str = "tern-mini";

/// Buckets of terms, as a binary logarithm; few are enough for the sample's words.
const LOG2_BUCKETS: u8 = 16;

/// A request as the sample has them, with an answer.
struct Case {
    prompt: &'static str,
    answer: &'static str,
}

/// The same kind of request twice; the sums of the second answer do not add up.
const CASES: [Case; 2] = [
    Case {
        prompt: "Homework question about a bakery order of 180 rolls. Each unit costs 2 euros and 15 \
                 cents. Give the answer with its unit. Show every step. It is for year 8.",
        answer: "Let me take this step by step. First 45 * 4 = 180. Then 180 + 12 = 192. The answer \
                 is 192. That is all that was asked.",
    },
    Case {
        prompt: "Homework question about a water tank of 640 litres. It begins at 08:15 and lasts 4 \
                 hours. Give the answer with its unit. Show every step. It is for year 8.",
        answer: "Let me take this step by step. First 64 * 8 = 512. Then 512 + 30 = 547. The answer \
                 is 547. That is all that was asked.",
    },
];

/// Where the demo reads and writes.
pub(super) struct Places<'a> {
    pub(super) sample: &'a Path,
    pub(super) catalog: &'a Path,
    pub(super) out: &'a Path,
}

/// Learns from the sample's answers and shows what is decided after two.
pub(super) fn show(places: &Places<'_>, catalog: &Catalog, screen: &Screen) -> Result<()> {
    let answers = places.sample.join("answers.parquet");
    if !answers.is_file() {
        return screen.say(&format!(
            "  there is no {}, so no answer can be read; the sample of the project has it",
            answers.display()
        ));
    }
    let policy = places.out.join("escalation.safetensors");
    train::run(&train_args(places, answers, &policy), screen)?;
    let artifact = files::read_artifact(&policy)?;
    if artifact.readers().is_empty() {
        return screen.say("  no reader was kept, so every answer would be accepted");
    }
    let loaded =
        PolicyFlags::default().apply(artifact, "demo-escalation".to_owned(), Some(catalog))?;
    let mut found: Vec<Value> = Vec::new();
    for Case { prompt, answer } in &CASES {
        screen.say(&format!(
            "\n  {}\n  {ANSWERED_BY} (simulated): {}",
            wording::excerpt(prompt, 200),
            wording::excerpt(answer, 200)
        ))?;
        let answer = Answer {
            text: Cow::Borrowed(*answer),
            finish: FinishReason::Stop,
            ..Answer::default()
        };
        let asked = Asked {
            loaded: &loaded,
            request: &Request::from_prompt(prompt),
            draw: Probability::ZERO,
            is_explained: true,
        };
        let given = Given { answer: &answer, answered_by: ANSWERED_BY, spent: Usd::ZERO };
        found.push(asked.after(&given, screen)?);
    }
    let all = json!({"simulated": true, "cases": found});
    screen::json(Some(&places.out.join("escalation.json")), &all)
}

/// From the table, since an answer is judged by what every model made of its request.
fn train_args(places: &Places<'_>, answers: PathBuf, policy: &Path) -> train::Args {
    let table = places.sample.join("outcomes.parquet");
    let mut args = super::train_args(&table, places.catalog, policy);
    args.table = std::mem::take(&mut args.log);
    args.name = Some("demo-escalation".to_owned());
    args.answers.answers = vec![answers];
    args.learning.buckets = LOG2_BUCKETS;
    args
}

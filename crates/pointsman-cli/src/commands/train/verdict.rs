//! What was learned of models' answers and what that is worth; which readers are kept, on the card and
//! on the screen.

use crate::{screen::Screen, wording};
use anyhow::Result;
use pointsman_core::{
    artifact::Artifact,
    escalation::{EscalationScorer, Foresight, Reader},
};
use pointsman_eval::{
    full::MeanValue,
    interval::ConfidenceLevel,
    reading::{ReadingRows, worth_of_reading},
};
use pointsman_train::escalation::TrainedEscalation;

/// What became of one model's answers.
pub(super) struct Verdict {
    pub(super) name: String,
    pub(super) n_answers: usize,
    /// What is known of them, in words; empty where everything is.
    pub(super) rests_on: String,
    /// Or why nothing was learned.
    pub(super) learned: Result<Learned, String>,
}

/// What was learned about one model's answers.
pub(super) struct Learned {
    /// What reading adds.
    pub(super) worth: MeanValue,
    pub(super) reader: Reader,
    /// What the first decision may count on.
    pub(super) foresight: Foresight,
    pub(super) strength: f64,
}

/// What is known of the rows that were learned from; qualities and costs have the shape
/// `(rows, 1 + next models)`, the answer in hand first.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) quality: &'a [f64],
    pub(super) cost_usd: &'a [f64],
    /// What each next model's answer is expected to cost.
    pub(super) expected_usd: &'a [f64],
    pub(super) groups: &'a [u64],
}

impl Learned {
    /// Of the answers of `model`, by a fit that read them and one that did not; what they are worth
    /// is a mean over some weights on cost.
    pub(super) fn new(
        (model, next): (usize, Vec<usize>),
        (read, unread): (TrainedEscalation, TrainedEscalation),
        known: Known<'_>,
        weights: &[f64],
    ) -> Result<Self> {
        let (by_answer, by_prompt) = (widened(&read), widened(&unread));
        let rows = ReadingRows {
            n_next: next.len(),
            quality: known.quality,
            cost_usd: known.cost_usd,
            expected_usd: known.expected_usd,
            from_prompt: &by_prompt,
            from_answer: &by_answer,
            groups: known.groups,
        };
        let worth = worth_of_reading(&rows, weights, ConfidenceLevel::P95)?;
        let foresight = rows.foresight(model)?;
        let scorer = EscalationScorer::new(read.parts)?;
        let reader = Reader { model, next, scorer };
        Ok(Self { worth, reader, foresight, strength: read.strength })
    }
}

fn widened(trained: &TrainedEscalation) -> Vec<f64> {
    trained.held_out.iter().map(|&it| f64::from(it)).collect()
}

/// The artifact with the readers that are kept, and with what became of each.
pub(super) fn finish(
    artifact: &Artifact,
    verdicts: Vec<Verdict>,
    screen: &Screen,
) -> Result<Artifact> {
    describe(&verdicts, screen)?;
    let settings = verdicts.iter().map(|it| (format!("reader.{}", it.name), it.sentence()));
    let artifact = artifact.with_settings(settings.collect())?;
    let mut kept: Vec<Learned> = verdicts.into_iter().filter_map(Verdict::kept).collect();
    kept.sort_by_key(|learned| learned.reader.model);
    let (readers, foresight): (Vec<Reader>, Vec<Foresight>) =
        kept.into_iter().map(|learned| (learned.reader, learned.foresight)).unzip();
    if readers.is_empty() {
        screen.say("no reader is kept, so the policy decides by requests alone")?;
        return Ok(artifact);
    }
    screen.say(
        "what follows is of first answers alone, each accepted: what readers add is not in it",
    )?;
    Ok(artifact.with_readers(&readers)?.with_foresight(foresight)?)
}

impl Verdict {
    /// Whether the reader goes into the policy.
    pub(super) fn is_kept(&self) -> bool {
        self.learned.as_ref().is_ok_and(|learned| 0.0 < learned.worth.interval.lower)
    }

    fn kept(self) -> Option<Learned> {
        let is_kept = self.is_kept();
        self.learned.ok().filter(|_| is_kept)
    }

    /// How it came about, for the card.
    fn sentence(&self) -> String {
        let (n_answers, rests_on) = (self.n_answers, &self.rests_on);
        match &self.learned {
            Ok(Learned { worth, strength, .. }) => format!(
                "{}; reading its answers adds {:+.5} [{:+.5}, {:+.5}] of utility; {n_answers} \
                 answers{rests_on}, strength {strength}",
                if self.is_kept() { "kept" } else { "left out" },
                worth.value,
                worth.interval.lower,
                worth.interval.upper,
            ),
            Err(error) => format!("left out: {error}"),
        }
    }
}

fn describe(verdicts: &[Verdict], screen: &Screen) -> Result<()> {
    screen.say(
        "\nreading answers, against deciding after them by the request alone (utility on held-out \
         rows, mean over the operating points, 95 %, asymptotic):",
    )?;
    let rows = verdicts.iter().map(|verdict| {
        let worth = verdict.learned.as_ref().map_or_else(
            |_| "-".to_owned(),
            |Learned { worth, .. }| {
                let MeanValue { value, interval, .. } = worth;
                wording::with_interval(*value, interval.lower, interval.upper)
            },
        );
        let fate = if verdict.is_kept() { "kept" } else { "left out" };
        [verdict.name.clone(), wording::length(verdict.n_answers), worth, fate.to_owned()]
    });
    screen.table(["answers of", "answers", "utility gained", "reader"], rows)?;
    for verdict in verdicts {
        if !verdict.rests_on.is_empty() {
            let n = wording::counted_length(verdict.n_answers, "answer", "answers");
            screen.say(&format!("{}: {n}{}", verdict.name, verdict.rests_on))?;
        }
        if let Err(error) = &verdict.learned {
            screen.say(&format!("nothing is learned from {}: {error}", verdict.name))?;
        }
    }
    Ok(())
}

//! What each model may be expected to do with a prompt, and draws of what it did.
//!
//! Quality is the logistic of
//!
//! ```text
//! strength(m, task) − sensitivity(m) · difficulty(task, topic, demands) + fit(m, task, topic)
//!     − long prompts + hidden(prompt) + hidden(prompt, m)
//! ```
//!
//! The first line and the penalty for long prompts can be read off the text, the two hidden terms
//! cannot, so no router comes near the oracle. Weakness: terms add up on the log-odds scale, which
//! suits linear learners better than reality does.

use crate::draw::{Draws, Stream, logistic};
use crate::models::SimulatedModel;
use crate::prompts::{Task, Traits};

/// Chance that a provider fails; such an answer has quality zero but is billed.
pub(crate) const FAILURE_RATE: f64 = 0.005;

const TOPIC_SPREAD: f64 = 0.35;
const TOPIC_FIT_SPREAD: f64 = 0.35;
const HIDDEN_COMMON_SPREAD: f64 = 0.60;
const HIDDEN_OWN_SPREAD: f64 = 0.50;
const HIDDEN_CONVERSATION_SPREAD: f64 = 0.35;
const PLAIN_DEMAND_DIFFICULTY: f64 = 0.12;
const HARD_DEMAND_DIFFICULTY: (f64, f64) = (0.35, 1.05);
const LENGTH_PER_DEMAND: f64 = 0.15;
const HIDDEN_LENGTH_SPREAD: f64 = 0.20;
const LENGTH_SPREAD: f64 = 0.35;
const SPEED_SPREAD: f64 = 0.25;
const INPUT_MS_PER_TOKEN: f64 = 0.05;

/// The expectations behind the outcomes of one request with one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Mean quality, in `[0, 1]`; failures count as zero.
    pub expected_quality: f64,
    /// Mean length of the answer, in the model's tokens, before the model's own limit.
    pub expected_output_tokens: f64,
    /// Mean time to the end of the answer, in milliseconds.
    pub expected_latency_ms: f64,
    /// Mean cost, in nanodollars, before rounding.
    pub expected_cost_nanodollars: f64,
}

/// What came of one request with one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The grade, in `[0, 1]`: right or wrong for most tasks, in quarters for matters of taste.
    pub quality: f64,
    /// Length of the prompt, in the model's tokens.
    pub input_tokens: u64,
    /// Length of the answer, in the model's tokens.
    pub output_tokens: u64,
    /// What was billed, each of the two parts rounded up to a whole nanodollar.
    pub cost_nanodollars: u64,
    /// Time to the end of the answer, in milliseconds.
    pub latency_ms: f64,
    /// Whether the provider failed; then the quality is zero, and the tokens are billed all the same.
    pub failed: bool,
}

/// Everything the truth depends on: what the text shows, and the keys of what it does not.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) traits: Traits,
    pub(crate) prompt_bytes: u64,
    /// Equal for a prompt and its repetitions.
    pub(crate) prompt_key: u64,
    /// Equal for all turns of a conversation.
    pub(crate) conversation_key: u64,
}

/// The truth of one prompt for every model, in model order.
pub(crate) fn truth_of(seed: u64, content: &Content, models: &[SimulatedModel]) -> Vec<Truth> {
    let difficulty = visible_difficulty(seed, &content.traits);
    let mut conversation = Draws::keyed(seed, Stream::Hidden, &[0, content.conversation_key]);
    let mut hidden = Draws::keyed(seed, Stream::Hidden, &[1, content.prompt_key]);
    let common =
        HIDDEN_CONVERSATION_SPREAD * conversation.normal() + HIDDEN_COMMON_SPREAD * hidden.normal();
    let length =
        usual_output_tokens(&content.traits) * hidden.log_normal_factor(HIDDEN_LENGTH_SPREAD);

    (0_u64..)
        .zip(models)
        .map(|(position, model)| {
            let log_odds = visible_log_odds(seed, &content.traits, (position, model), difficulty)
                + common
                + HIDDEN_OWN_SPREAD * hidden.normal();
            let expected_output_tokens = length * model.verbosity;
            let input_tokens = input_tokens(content, model);
            Truth {
                expected_quality: (1.0 - FAILURE_RATE) * logistic(log_odds),
                expected_output_tokens,
                expected_latency_ms: waiting_ms(input_tokens, model)
                    + writing_ms(expected_output_tokens, model),
                expected_cost_nanodollars: mean_cost(input_tokens, expected_output_tokens, model),
            }
        })
        .collect()
}

/// Draws what came of one request with `model`, whose expectations are `truth`.
pub(crate) fn drawn_outcome(
    content: &Content,
    model: &SimulatedModel,
    truth: Truth,
    mut draws: Draws,
) -> Outcome {
    let failed = draws.chance(FAILURE_RATE);
    let grade =
        grade(content.traits.task, truth.expected_quality / (1.0 - FAILURE_RATE), &mut draws);
    let length = truth.expected_output_tokens * draws.log_normal_factor(LENGTH_SPREAD);
    let output_tokens = whole(length).clamp(1, model.max_output_tokens);
    let input_tokens = input_tokens(content, model);
    let mean_ms = waiting_ms(input_tokens, model) + writing_ms(float(output_tokens), model);
    Outcome {
        quality: if failed { 0.0 } else { grade },
        input_tokens,
        output_tokens,
        cost_nanodollars: billed(model.input_nanodollars_per_million, input_tokens)
            + billed(model.output_nanodollars_per_million, output_tokens),
        latency_ms: mean_ms * draws.log_normal_factor(SPEED_SPREAD),
        failed,
    }
}

/// The log-odds of a good answer as far as the text shows them.
fn visible_log_odds(
    seed: u64,
    traits: &Traits,
    (position, model): (u64, &SimulatedModel),
    difficulty: f64,
) -> f64 {
    let task = traits.task.position();
    let key = [2, position, wide(task), traits.topic];
    let fit = TOPIC_FIT_SPREAD * Draws::keyed(seed, Stream::Difficulty, &key).normal();
    let long = if traits.is_long { model.long_prompt_penalty } else { 0.0 };
    model.strengths[task] - model.sensitivity * difficulty + fit - long
}

fn visible_difficulty(seed: u64, traits: &Traits) -> f64 {
    let task = wide(traits.task.position());
    let mut topic = Draws::keyed(seed, Stream::Difficulty, &[0, task, traits.topic]);
    let (easiest, hardest) = HARD_DEMAND_DIFFICULTY;
    let hard: f64 = traits
        .hard_demands
        .iter()
        .map(|&demand| {
            let share = Draws::keyed(seed, Stream::Difficulty, &[1, task, demand]).uniform();
            easiest + (hardest - easiest) * share
        })
        .sum();
    TOPIC_SPREAD * topic.normal()
        + hard
        + PLAIN_DEMAND_DIFFICULTY * f64::from(traits.n_plain_demands)
}

fn usual_output_tokens(traits: &Traits) -> f64 {
    let base = match traits.task {
        Task::SupportMail => 220.0,
        Task::Summary => 160.0,
        Task::JsonExtraction | Task::Algebra => 190.0,
        Task::Sql => 130.0,
        Task::CodeWriting => 420.0,
        Task::BugFixing => 340.0,
        Task::WordProblem | Task::LogAnalysis => 260.0,
        Task::Translation => 120.0,
        Task::SmallTalk => 80.0,
        Task::LegalClause => 380.0,
        Task::MedicalTriage => 330.0,
        Task::CreativeWriting => 560.0,
        Task::DataCleaning => 240.0,
    };
    let n_demands = f64::from(traits.n_plain_demands) + float(wide(traits.hard_demands.len()));
    let long = if traits.is_long { 1.5 } else { 1.0 };
    base * long * (1.0 + LENGTH_PER_DEMAND * n_demands)
}

/// A grade with mean `probability`: right or wrong, or four independent quarters.
fn grade(task: Task, probability: f64, draws: &mut Draws) -> f64 {
    match task {
        Task::SupportMail
        | Task::Summary
        | Task::Translation
        | Task::SmallTalk
        | Task::CreativeWriting => {
            (0..4).map(|_| if draws.chance(probability) { 0.25 } else { 0.0 }).sum()
        }
        Task::JsonExtraction
        | Task::Sql
        | Task::CodeWriting
        | Task::BugFixing
        | Task::WordProblem
        | Task::Algebra
        | Task::LegalClause
        | Task::MedicalTriage
        | Task::DataCleaning
        | Task::LogAnalysis => f64::from(u8::from(draws.chance(probability))),
    }
}

fn input_tokens(content: &Content, model: &SimulatedModel) -> u64 {
    whole((float(content.prompt_bytes) / model.bytes_per_token).ceil())
}

fn waiting_ms(input_tokens: u64, model: &SimulatedModel) -> f64 {
    model.first_token_ms + INPUT_MS_PER_TOKEN * float(input_tokens)
}

fn writing_ms(output_tokens: f64, model: &SimulatedModel) -> f64 {
    1000.0 * output_tokens / model.tokens_per_second
}

fn mean_cost(input_tokens: u64, output_tokens: f64, model: &SimulatedModel) -> f64 {
    (float(model.input_nanodollars_per_million) * float(input_tokens)
        + float(model.output_nanodollars_per_million) * output_tokens)
        / 1e6
}

/// Cannot overflow: prices stay below twenty dollars per million and answers below 2^17 tokens.
fn billed(nanodollars_per_million: u64, tokens: u64) -> u64 {
    (nanodollars_per_million * tokens).div_ceil(1_000_000)
}

fn wide(position: usize) -> u64 {
    u64::try_from(position).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts and prices stay far below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are not negative and stay far below 2^63"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills_round_up() {
        //  price, tokens, nanodollars
        for (price, tokens, expected) in
            [(150_000_000, 1_000, 150_000), (37_500_000, 1, 38), (1, 1, 1), (600_000_000, 0, 0)]
        {
            assert_eq!(billed(price, tokens), expected);
        }
    }

    #[test]
    fn grades_keep_their_mean_and_their_steps() {
        let mut draws = Draws::keyed(4, Stream::Outcome, &[]);
        for (task, steps) in [(Task::Sql, 1.0), (Task::Summary, 4.0)] {
            let grades: Vec<f64> = (0..4_000).map(|_| grade(task, 0.7, &mut draws)).collect();
            assert!(grades.iter().all(|grade| (grade * steps).fract() == 0.0), "{task:?}");
            assert!((grades.iter().sum::<f64>() / 4_000.0 - 0.7).abs() < 0.03, "{task:?}");
        }
    }
}

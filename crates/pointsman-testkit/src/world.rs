//! The world: an endless, fixed sequence of requests, and what any model would make of each.
//!
//! Indices fall into blocks, blocks into conversations; each is drawn from its own key, so any
//! request can be asked for alone. Weakness: the turns of a conversation follow each other without
//! others in between, and the mix of tasks never drifts.

use crate::answers::{SimulatedAnswer, answer_of};
use crate::draw::{Draws, Stream};
use crate::models::{SimulatedModel, catalog_toml, default_models};
use crate::prompts::{Setting, Task, compose};
use crate::truth::{Content, Outcome, Truth, drawn_outcome, truth_of};

/// Conversations never reach over the border of a block of this many indices.
const BLOCK_LENGTH: u64 = 60;
/// How often a conversation has one to six turns.
const TURN_WEIGHTS: [f64; 6] = [0.60, 0.16, 0.10, 0.07, 0.04, 0.03];
/// Share of the requests without a conversation that repeat a popular prompt word for word.
const REPEAT_SHARE: f64 = 0.14;
const N_POPULAR_PROMPTS: u64 = 160;
/// Keys from here on belong to popular prompts, below it to indices.
const POPULAR_KEYS: u64 = 1 << 62;
/// The first request arrives on 1 January 2026, the others 40 seconds apart on average.
const FIRST_TIMESTAMP_MS: u64 = 1_767_225_600_000;
const REQUEST_INTERVAL_MS: u64 = 40_000;

/// Relative frequency of each task, in the order of [`Task::ALL`].
const TASK_WEIGHTS: [f64; Task::COUNT] =
    [12.0, 9.0, 9.0, 7.0, 10.0, 8.0, 6.0, 4.0, 9.0, 7.0, 4.0, 4.0, 5.0, 3.0, 3.0];

/// One request to the simulated service.
#[derive(Debug, Clone)]
pub struct SimulatedRequest {
    /// The index it was asked for by.
    pub index: u64,
    /// Unique within a world.
    pub id: String,
    /// Equal for the turns of one conversation; single requests are conversations of one turn.
    pub conversation: String,
    /// The position in its conversation, from zero.
    pub turn: u32,
    /// The name of its kind of task, one of [`Task::name`].
    pub task: &'static str,
    /// What the user wrote.
    pub prompt: String,
    /// When it arrived, in milliseconds since the Unix epoch; grows with the index.
    pub timestamp_ms: u64,
    pub(crate) content: Content,
}

impl SimulatedRequest {
    /// What kind of task it is.
    pub const fn task_kind(&self) -> Task {
        self.content.traits.task
    }
}

/// A simulated service with its models. Two worlds with the same seed are the same world.
#[derive(Debug, Clone)]
pub struct World {
    seed: u64,
    models: Vec<SimulatedModel>,
}

impl World {
    /// Makes the world of this seed, with the default catalogue of six models.
    pub fn new(seed: u64) -> Self {
        Self { seed, models: default_models() }
    }

    /// The number of models.
    pub fn n_models(&self) -> usize {
        self.models.len()
    }

    /// The models; their order is that of every vector of truths and probabilities.
    pub fn models(&self) -> &[SimulatedModel] {
        &self.models
    }

    /// The models and their endpoints as a catalog file.
    pub fn catalog_toml(&self) -> String {
        catalog_toml(&self.models)
    }

    /// The request at `index`; a function of the seed and the index alone.
    pub fn request(&self, index: u64) -> SimulatedRequest {
        let (start, n_turns) = self.conversation_at(index);
        let turn = index - start;
        let repeated = if n_turns == 1 { self.popular_prompt(index) } else { None };
        let conversation_key = repeated.unwrap_or(start);
        let prompt_key = repeated.unwrap_or(index);

        let mut about = Draws::keyed(self.seed, Stream::Setting, &[conversation_key]);
        let task = Task::ALL[about.weighted_position(&TASK_WEIGHTS)];
        let setting = Setting::drawn(about);
        let words = Draws::keyed(self.seed, Stream::Words, &[prompt_key]);
        let turn = u32::try_from(turn).unwrap_or(u32::MAX);
        let (prompt, traits) = compose(task, turn, &setting, words);

        let mut arrival = Draws::keyed(self.seed, Stream::Arrival, &[index]);
        SimulatedRequest {
            index,
            id: format!("r{index:07}"),
            conversation: format!("c{start:07}"),
            turn,
            task: task.name(),
            timestamp_ms: FIRST_TIMESTAMP_MS
                + index * REQUEST_INTERVAL_MS
                + arrival.between(0, REQUEST_INTERVAL_MS - 1),
            content: Content {
                traits,
                prompt_bytes: u64::try_from(prompt.len()).unwrap_or(u64::MAX),
                prompt_key,
                conversation_key,
            },
            prompt,
        }
    }

    /// What may be expected of each model; shape `(n_models,)`.
    pub fn truth(&self, request: &SimulatedRequest) -> Vec<Truth> {
        truth_of(self.seed, &request.content, &self.models)
    }

    /// What came of `request` with the model at position `model`; always the same.
    ///
    /// # Panics
    /// If there is no such model.
    pub fn outcome(&self, request: &SimulatedRequest, model: usize) -> Outcome {
        let truth = self.truth(request)[model];
        self.outcome_given(request, model, truth)
    }

    /// What came of `request` with each model; shape `(n_models,)`.
    pub fn outcomes(&self, request: &SimulatedRequest) -> Vec<Outcome> {
        self.truth(request)
            .into_iter()
            .enumerate()
            .map(|(model, truth)| self.outcome_given(request, model, truth))
            .collect()
    }

    /// What the model at position `model` said to `request`, in a text that shows signs of how good
    /// the outcome is; always the same.
    ///
    /// # Panics
    /// If there is no such model.
    pub fn answer(&self, request: &SimulatedRequest, model: usize) -> SimulatedAnswer {
        let quality = self.outcome(request, model).quality;
        let key = [request.index, u64::try_from(model).unwrap_or(u64::MAX)];
        let draws = Draws::keyed(self.seed, Stream::Answers, &key);
        answer_of(request.task_kind(), quality, draws)
    }

    fn outcome_given(&self, request: &SimulatedRequest, model: usize, truth: Truth) -> Outcome {
        let key = [request.index, u64::try_from(model).unwrap_or(u64::MAX)];
        let draws = Draws::keyed(self.seed, Stream::Outcome, &key);
        drawn_outcome(&request.content, &self.models[model], truth, draws)
    }

    /// Where the conversation that holds `index` starts, and how many turns it has.
    fn conversation_at(&self, index: u64) -> (u64, u64) {
        let block = index / BLOCK_LENGTH;
        let end = (block + 1) * BLOCK_LENGTH;
        let mut draws = Draws::keyed(self.seed, Stream::Conversations, &[block]);
        let mut start = block * BLOCK_LENGTH;
        loop {
            let extra = draws.weighted_position(&TURN_WEIGHTS);
            let n_turns = (u64::try_from(extra).unwrap_or(0) + 1).min(end - start);
            if index < start + n_turns {
                return (start, n_turns);
            }
            start += n_turns;
        }
    }

    /// The key of the popular prompt that this request repeats, if it does.
    fn popular_prompt(&self, index: u64) -> Option<u64> {
        let mut draws = Draws::keyed(self.seed, Stream::Repeats, &[index]);
        draws.chance(REPEAT_SHARE).then(|| POPULAR_KEYS + draws.between(0, N_POPULAR_PROMPTS - 1))
    }
}

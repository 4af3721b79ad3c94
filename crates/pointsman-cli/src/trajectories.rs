//! Logs with steps after an answer, read into what training and evaluation take of them.

use crate::{screen::Screen, wording};
use anyhow::Result;
use pointsman_core::{features::FeatureSchema, request::Request};
use pointsman_data::{
    Asked, DataError, LogOptions, TrafficLog, TrajectoryLog, decisions_ahead, read_trajectories,
};
use pointsman_train::{
    design::{Design, DesignBuilder},
    escalation::{AnswerDesign, AnswerDesignBuilder},
};
use std::path::PathBuf;

/// Trajectories whose requests and answers are features.
#[derive(Debug)]
pub(crate) struct LoadedTrajectories {
    pub(crate) found: TrajectoryLog,
    /// The requests, a row for each trajectory.
    pub(crate) prompts: Design,
    /// Their needs and limits, without their texts.
    pub(crate) requests: Vec<Request<'static>>,
    /// The answers, in the order that steps number them in.
    pub(crate) answers: AnswerDesign,
}

/// Whether decisions after an answer stand in a log that was read without them.
pub(crate) fn are_in(log: &TrafficLog) -> bool {
    log.dropped.contains_key(TrafficLog::LATER_STEP)
}

/// Whether a log cannot be read without its decisions after an answer, and perhaps can with them.
pub(crate) fn may_help(error: &anyhow::Error) -> bool {
    let data = error.downcast_ref::<DataError>();
    matches!(data, Some(DataError::NothingUsable { reasons, .. })
        if reasons.contains(TrafficLog::LATER_STEP))
}

/// Whether an error says that no row of a log can be used.
pub(crate) fn is_unusable(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<DataError>(), Some(DataError::NothingUsable { .. }))
}

/// Reads a log's trajectories; every request goes by `on_request` first, in the order of the calls
/// that rows name.
pub(crate) fn load(
    paths: &[PathBuf],
    (options, schema): (&LogOptions, FeatureSchema),
    screen: &Screen,
    on_request: &mut dyn FnMut(Asked<'_, '_>),
) -> Result<LoadedTrajectories> {
    let bar = screen.progress_about("reading trajectories", || decisions_ahead(paths));
    let mut prompts = DesignBuilder::new(schema);
    let mut answers = AnswerDesignBuilder::new(schema);
    let mut bare: Vec<Request<'static>> = Vec::new();
    let found = read_trajectories(
        paths,
        (options, schema),
        &mut |asked| {
            on_request(asked);
            match asked {
                Asked::Text(request) => {
                    prompts.push(request);
                    bare.push(without_text(request));
                }
                Asked::Features(request, features) => {
                    prompts.push_read(&features);
                    bare.push(without_text(request));
                }
            }
            bar.inc(1);
        },
        &mut |answer| answers.push_read(answer),
    );
    bar.finish_and_clear();
    let found = found?;
    let rows: Vec<u32> =
        found.requests.iter().map(|&row| u32::try_from(row)).collect::<Result<_, _>>()?;
    let requests = found.requests.iter().map(|&row| without_text(&bare[row])).collect();
    Ok(LoadedTrajectories {
        prompts: prompts.finish().select(&rows),
        requests,
        answers: answers.finish(),
        found,
    })
}

/// What of a request is no text. Logs have no constraints.
fn without_text(request: &Request<'_>) -> Request<'static> {
    Request {
        needs: request.needs,
        n_tools: request.n_tools,
        max_tokens: request.max_tokens,
        input_tokens: request.input_tokens,
        ..Request::default()
    }
}

impl LoadedTrajectories {
    /// What was read and what was left out, for people.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let TrajectoryLog { log, steps, n_stray_steps, n_carried_costs, .. } = &self.found;
        let n_steps: usize = steps.iter().map(Vec::len).sum();
        let n_unasked = steps.iter().filter(|steps| steps.is_empty()).count() as u64;
        let mut sentences = vec![format!(
            "read {} with {}",
            wording::counted_length(log.rows.len(), "trajectory", "trajectories"),
            wording::counted_length(n_steps, "step after an answer", "steps after an answer"),
        )];
        sentences.extend(wording::dropped(&log.dropped));
        for (n, one, many) in [
            (
                n_unasked,
                "answer was given without a step, and is taken to be so by any policy",
                "answers were given without a step, and are taken to be so by any policy",
            ),
            (
                *n_stray_steps,
                "step that no first decision of the log leads to",
                "steps that no first decision of the log leads to",
            ),
            (
                *n_carried_costs,
                "answer without a reported cost; what its step carried counts",
                "answers without a reported cost; what their steps carried counts",
            ),
        ] {
            if 0 < n {
                sentences.push(wording::counted(n, one, many));
            }
        }
        sentences
    }
}

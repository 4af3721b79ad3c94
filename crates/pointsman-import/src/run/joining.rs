//! Scores of traces, once every call is known.

use std::path::Path;

use super::files::{Run, damaged, edit};
use crate::{
    call::{Found, Score, Target},
    error::ImportError,
    formats::unseen::Unseen,
    manifest::InputState,
    open::open,
    rows::{Next, Rows},
    sink::Sink,
    traces::Traces,
};

/// Takes what one row gave, and the row's number.
type OnRow<'r> = dyn FnMut(u64, &mut Vec<Found>) -> Result<(), ImportError> + 'r;

impl<'a> Run<'a, '_> {
    /// Gives scores of traces to the calls of their traces, now that all calls are known.
    pub(super) fn join_traces(
        &mut self,
        sink: &mut Sink<'a>,
        places: &[usize],
    ) -> Result<(), ImportError> {
        let states: Vec<InputState> = places
            .iter()
            .map(|place| sink.manifest.inputs.get(*place).cloned().unwrap_or_default())
            .collect();
        if states.iter().all(|state| state.is_joined) {
            return Ok(());
        }
        sink.commit()?;
        let mut traces = Traces::default();
        sink.traces(&mut traces)?;
        for (path, state) in self.options.inputs.iter().zip(&states) {
            if state.has_links {
                self.reread(path, state, &mut |_, found: &mut Vec<Found>| {
                    for one in found.drain(..) {
                        if let Found::Link { decision_id, trace } = one {
                            traces.link(&trace, &decision_id);
                        }
                    }
                    Ok(())
                })?;
            }
        }
        sink.manifest.survey.n_left_out_of_traces = traces.n_left_out;
        for ((path, place), state) in self.options.inputs.iter().zip(places).zip(&states) {
            if state.is_joined {
                continue;
            }
            self.reread(path, state, &mut |n, found: &mut Vec<Found>| {
                if n <= state.n_joined_rows {
                    return Ok(());
                }
                for one in found.drain(..) {
                    if let Found::Score(score) = one {
                        join(sink, &traces, (path, n), *score);
                    }
                }
                edit(sink, *place, |state| state.n_joined_rows = n);
                if sink.is_full() { sink.commit() } else { Ok(()) }
            })?;
            edit(sink, *place, |state| state.is_joined = true);
        }
        Ok(())
    }

    /// Hands over what each row of a file that was read gives, with the number of the row.
    fn reread(
        &self,
        path: &Path,
        state: &InputState,
        on_row: &mut OnRow<'_>,
    ) -> Result<(), ImportError> {
        let (reader, _) = self.reader(path, state)?;
        let mut rows = Rows::new(open(path)?.bytes, self.options.max_row_bytes)
            .map_err(|error| damaged(path, 0, &error))?;
        let mut found = Vec::new();
        for n in 1..=state.n_rows {
            match rows.next().map_err(|error| damaged(path, n, &error))? {
                Next::Row | Next::Open => {}
                Next::TooLong | Next::CutOff => continue,
                Next::End => break,
            }
            found.clear();
            // What gave nothing was counted when it was read first.
            if reader.read(&rows.row, &mut found, &mut Unseen::default()).is_ok() {
                on_row(n, &mut found)?;
            }
        }
        Ok(())
    }
}

/// Gives one score to the calls of its trace.
fn join(sink: &mut Sink<'_>, traces: &Traces, (path, n): (&Path, u64), score: Score) {
    let place = || format!("{}, row {n}", path.display());
    let (trace, may_be_call) = match &score.target {
        Target::Decision(_) => return,
        Target::Trace(trace) => (trace.clone(), false),
        Target::Either(trace) => (trace.clone(), true),
    };
    if may_be_call && sink.ids.decided(&trace).is_some() {
        let target = Target::Decision(trace);
        sink.take(Found::Score(Box::new(Score { target, ..score })), &place);
        return;
    }
    let calls = traces.of(&trace);
    if calls.is_empty() {
        sink.manifest.survey.n_unjoined += 1;
    }
    for call in calls {
        let mut one = score.clone();
        one.target = Target::Decision(call.clone());
        one.metric.scope = pointsman_log::record::Scope::Episode;
        sink.take(Found::Score(Box::new(one)), &place);
    }
}

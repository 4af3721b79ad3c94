//! Calls that come in one body: decided one after the other, written together, told in their order.
//!
//! A call of a conversation is told at once, with all before it, since the one after it may be its
//! next turn. Its weakness: nothing of a batch is answered before all of it is.

use super::{Answer, Told};
use crate::{
    keys::{Caller, Expense},
    problem::{Code, Problem},
    service::Service,
};
use pointsman_log::{body::unquoted, journal::Position};
use serde_json::value::RawValue;

impl Service {
    /// Decides every call of a batch, `{"requests": […]}`. The reply is a list in the same order;
    /// what is wrong with one call stands in its place.
    ///
    /// # Errors
    /// [`Problem`] for a body that is no batch, or too long a one, and for a caller's limits.
    pub(crate) fn route_batch(
        &self,
        bytes: &[u8],
        caller: Option<&Caller>,
    ) -> Result<Told, Problem> {
        let requests = requests_of(bytes)?;
        let (n, most) = (requests.len(), self.settings.limits.batch);
        if n == 0 || most < n {
            let message = format!("{n} requests; send at least one and at most {most}");
            return Err(Problem::new(Code::InvalidRequest, message));
        }
        if let Some(caller) = caller {
            let n = u32::try_from(n).unwrap_or(u32::MAX);
            caller.admit(f64::from(n), (self.effects.elapsed_ns)(), self.now_ms())?;
        }
        let mut batch = Batch {
            service: self,
            caller,
            waiting: Vec::with_capacity(n),
            ahead: Expense::default(),
            results: Vec::new(),
            position: None,
        };
        for request in requests {
            batch.decide(request.get().as_bytes());
        }
        Ok(batch.end())
    }
}

/// The calls of a batch as they were sent, so that each is read as it would be alone.
fn requests_of(bytes: &[u8]) -> Result<Vec<&RawValue>, Problem> {
    #[derive(serde::Deserialize)]
    #[serde(expecting = "an object with `requests`")]
    struct BatchFile<'a> {
        #[serde(borrow)]
        requests: Vec<&'a RawValue>,
    }
    let refused =
        |code, why: &str| Problem::new(code, format!("the body is no batch of requests: {why}"));
    let is_list = bytes.trim_ascii_start().starts_with(b"[");
    match serde_json::from_slice(bytes) {
        Ok(BatchFile { requests }) if !is_list => Ok(requests),
        Err(error) if !error.is_data() => Err(refused(Code::InvalidJson, &unquoted(&error))),
        Err(error) if !is_list => Err(refused(Code::InvalidRequest, &unquoted(&error))),
        // A list passes for an object whose keys are left out, and for one that lacks some.
        Ok(_) | Err(_) => {
            Err(refused(Code::InvalidRequest, "it is a list; send {\"requests\": […]}"))
        }
    }
}

/// The calls of a batch so far.
struct Batch<'a, 'b> {
    service: &'a Service,
    caller: Option<&'a Caller>,
    /// Calls that are decided or refused, and not yet told.
    waiting: Vec<(&'b [u8], Result<Answer, Problem>)>,
    /// What those that are decided are expected to take.
    ahead: Expense,
    /// What was told, with commas.
    results: Vec<u8>,
    /// Of the last record.
    position: Option<Position>,
}

impl<'b> Batch<'_, 'b> {
    fn decide(&mut self, body: &'b [u8]) {
        let admitted = match self.caller {
            Some(caller) => caller.admit_after(self.ahead, self.service.now_ms()),
            None => Ok(()),
        };
        let decided = admitted.and_then(|()| self.service.route(body, self.caller));
        let mut is_turn = false;
        if let Ok(answer) = &decided {
            self.ahead = self.ahead + answer.counted.expense();
            is_turn = answer.counted.turn.is_some();
        }
        self.waiting.push((body, decided));
        if is_turn {
            self.tell();
        }
    }

    /// Tells the calls that wait; the first of them has the records of all written.
    fn tell(&mut self) {
        let (service, caller) = (self.service, self.caller);
        self.ahead = Expense::default();
        for (body, decided) in self.waiting.drain(..) {
            if !self.results.is_empty() {
                self.results.push(b',');
            }
            match decided.and_then(|answer| service.tell(answer, (body, caller))) {
                Ok(told) => {
                    self.position = self.position.max(told.position);
                    self.results.extend_from_slice(&told.json);
                }
                Err(problem) => {
                    service.metrics.problem(&problem);
                    problem.write_json(&mut self.results);
                }
            }
        }
    }

    fn end(mut self) -> Told {
        self.tell();
        let json = [&b"{\"results\":["[..], &self.results[..], &b"]}"[..]].concat();
        Told { json, position: self.position }
    }
}

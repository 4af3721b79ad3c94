//! How every endpoint does right now, from the outcomes that come in.
//!
//! Times and speeds are exponentially weighted means, each outcome counting a fifth; operators see
//! the median and the 90th percentile of the newest hundred beside them. Five failures
//! in a row take an endpoint out for thirty seconds, longer each time, at most five minutes; after
//! that, by a clock that never steps, the next call tries it. The last endpoint that is left is never
//! taken out. Its weakness: callers that report no outcomes leave it blind, and the catalog's typical
//! figures stand.
//!
//! Source of the ejection: Envoy's outlier detection,
//! <https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier>.

use crate::{json, loaded::Loaded};
use pointsman_core::circumstances::{Health, LiveEndpoint, LiveEndpoints};
use pointsman_log::record::{OutcomeRecord, Status};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

mod window;

use window::Window;

/// Endpoints that are remembered; reports of further ones are passed over.
const MOST_ENDPOINTS: usize = 10_000;

/// The percentiles that operators see.
const PERCENTS: [usize; 2] = [50, 90];

/// What the newest outcome counts.
const NEWEST_SHARE: f64 = 0.2;
const FAILURES_IN_A_ROW: u32 = 5;
const OUT_MS: u64 = 30_000;
const LONGEST_OUT_MS: u64 = 300_000;

/// What is known of every endpoint, by model and provider.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    endpoints: Mutex<BTreeMap<(String, String), Signal>>,
}

/// A figure that changes: its weighted mean, and its newest values.
#[derive(Debug, Default, Clone)]
struct Figure {
    mean: Option<f64>,
    newest: Window,
}

impl Figure {
    fn take(&mut self, value: f64) {
        self.mean = Some(self.mean.map_or(value, |old| old + NEWEST_SHARE * (value - old)));
        self.newest.add(value);
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"mean\":");
        json::value(out, &self.mean);
        let quantiles = self.newest.quantiles(PERCENTS);
        for (index, percent) in PERCENTS.iter().enumerate() {
            let quantile = quantiles.and_then(|quantiles| quantiles.get(index).copied());
            json::field(out, &format!("p{percent}"), &quantile);
        }
        json::field(out, "n", &self.newest.len());
        out.push(b'}');
    }
}

#[derive(Debug, Default, Clone)]
struct Signal {
    ttft_ms: Figure,
    latency_ms: Figure,
    tokens_per_second: Figure,
    n_failures: u32,
    n_times_out: u64,
    out_until_ms: u64,
}

impl Signal {
    fn take(&mut self, outcome: &OutcomeRecord, elapsed_ms: u64) {
        match outcome.status {
            Status::Ok => (self.n_failures, self.n_times_out) = (0, 0),
            Status::Failed => {
                self.n_failures += 1;
                if FAILURES_IN_A_ROW <= self.n_failures {
                    self.n_times_out += 1;
                    let out_ms = (OUT_MS * self.n_times_out).min(LONGEST_OUT_MS);
                    (self.n_failures, self.out_until_ms) = (0, elapsed_ms.saturating_add(out_ms));
                }
                return;
            }
        }
        if let Some(ttft_ms) = outcome.ttft_ms {
            self.ttft_ms.take(ttft_ms);
        }
        if let Some(latency_ms) = outcome.latency_ms {
            self.latency_ms.take(latency_ms);
        }
        if let (Some(latency_ms), Some(n_tokens)) = (outcome.latency_ms, outcome.usage.output) {
            let answering_ms = latency_ms - outcome.ttft_ms.unwrap_or(0.0);
            #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 may round")]
            let per_second = 1000.0 * n_tokens as f64 / answering_ms;
            if per_second.is_finite() && 0.0 < per_second {
                self.tokens_per_second.take(per_second);
            }
        }
    }
}

impl Signals {
    /// Takes in what came of a call to an endpoint.
    pub(crate) fn take(
        &self,
        (model, provider): (&str, &str),
        outcome: &OutcomeRecord,
        elapsed_ms: u64,
    ) {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (model.to_owned(), provider.to_owned());
        if endpoints.len() < MOST_ENDPOINTS || endpoints.contains_key(&at) {
            endpoints.entry(at).or_default().take(outcome, elapsed_ms);
        }
    }

    /// What is known of every endpoint that was reported on, for operators.
    pub(crate) fn to_json(&self, elapsed_ms: u64) -> Vec<u8> {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = b"{\"endpoints\":[".to_vec();
        for (index, ((model, provider), signal)) in endpoints.iter().enumerate() {
            let start: &[u8] = if index == 0 { b"{\"model\":" } else { b",{\"model\":" };
            out.extend_from_slice(start);
            json::value(&mut out, model);
            json::field(&mut out, "provider", provider);
            let health = if elapsed_ms < signal.out_until_ms { "failing" } else { "up" };
            json::field(&mut out, "health", health);
            for (key, figure) in [
                ("ttft_ms", &signal.ttft_ms),
                ("latency_ms", &signal.latency_ms),
                ("tokens_per_second", &signal.tokens_per_second),
            ] {
                json::raw_key(&mut out, key);
                figure.write_json(&mut out);
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        out
    }

    /// Whether an outcome ever came from an endpoint.
    pub(crate) fn knows(&self, model: &str, provider: &str) -> bool {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.contains_key(&(model.to_owned(), provider.to_owned()))
    }

    /// What is known, as the decisions of a policy take it; `None` where it is nothing.
    pub(crate) fn of(&self, loaded: &Loaded, elapsed_ms: u64) -> Option<Arc<LiveEndpoints>> {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if endpoints.is_empty() {
            return None;
        }
        let mut models: Vec<Vec<LiveEndpoint>> = Vec::new();
        for (index, name) in loaded.policy.models().enumerate() {
            let listed = loaded.policy.listed(index).map_or(&[][..], |model| &model.endpoints[..]);
            let live = listed.iter().map(|endpoint| {
                let at = (name.to_owned(), endpoint.provider.clone());
                let Some(signal) = endpoints.get(&at) else { return LiveEndpoint::default() };
                let is_out = elapsed_ms < signal.out_until_ms;
                LiveEndpoint {
                    health: if is_out { Health::Failing } else { Health::Up },
                    ttft_ms: signal.ttft_ms.mean,
                    tokens_per_second: signal.tokens_per_second.mean,
                }
            });
            models.push(live.collect());
        }
        let mut all = models.iter_mut().flatten();
        if all.all(|endpoint| endpoint.health == Health::Failing) {
            for endpoint in models.iter_mut().flatten() {
                endpoint.health = Health::Up;
            }
        }
        Some(Arc::new(LiveEndpoints::new(models)))
    }
}

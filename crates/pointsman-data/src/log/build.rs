//! Decisions in, log out: interning, checking, counting, hashing.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    path::Path,
};

use pointsman_core::{features::FeatureSchema, request::Request, units::len_as_float};
use pointsman_log::{journal::Damage, record::PropensityKind};

use super::{
    LogOptions, LoggedRow, Steps, TrafficLog, Undrawn, Unknown,
    asked::{self, Asked},
    candidates::checked_candidates,
    cell::{DecisionCell, Decisions, OutcomeCell},
    in_use::Drawn,
};
use crate::{
    error::DataError,
    hash::{Folder, RowDigest, bytes_group, number_word},
    model_names::{ModelNames, sorted},
    scale::{Place, Scale, not_negative, whole},
};

/// Probabilities that room is made for at most before they are there.
const MOST_CELLS_AHEAD: usize = 1 << 26;

/// Rows whose candidates tell how many the others will have.
const TELLING_ROWS: usize = 256;

/// A [`TrafficLog`] in the making; models are numbered by appearance until the end.
pub(super) struct LogBuilder<'f> {
    on_request: &'f mut dyn FnMut(usize, Asked<'_, '_>),
    scale: Scale,
    models: ModelNames,
    /// The candidates of the decision that comes next, and those of them that were excluded.
    candidates: Vec<(u16, f64)>,
    excluded: Vec<u16>,
    seen: HashSet<u64>,
    rows: Vec<LoggedRow>,
    /// The probabilities above zero of all rows, and where each row's end.
    cells: Vec<(u16, f32)>,
    ends: Vec<usize>,
    /// About how many decisions there will be; zero where nobody knows.
    n_ahead: usize,
    dropped: BTreeMap<String, u64>,
    missing_metric: String,
    undrawn: Undrawn,
    unknown: Unknown,
    steps: Steps,
    /// Those that rows keep, then the one that tells candidates apart, if any does.
    tags: Vec<String>,
    n_kept_tags: usize,
    drawn: Drawn,
    n_thinned: u64,
    features: Option<FeatureSchema>,
    n_decisions_read: u64,
    times_ms: Option<(u64, u64)>,
    n_without_outcome: u64,
    damage: Damage,
    digest: RowDigest,
    folder: Folder,
    text: Vec<u8>,
}

impl Decisions for LogBuilder<'_> {
    fn wanted_tags(&self) -> &[String] {
        &self.tags
    }

    fn make_room(&mut self, n_decisions: usize) {
        // Where there is not, they grow as rows come.
        let _ = self.rows.try_reserve(n_decisions);
        let _ = self.ends.try_reserve(n_decisions);
        let _ = self.seen.try_reserve(n_decisions);
        self.n_ahead = self.rows.len() + n_decisions;
    }

    fn begin_candidates(&mut self) {
        self.candidates.clear();
        self.excluded.clear();
    }

    fn exclude_last(&mut self) {
        self.excluded.extend(self.candidates.last().map(|(model, _)| *model));
    }

    fn candidate(
        &mut self,
        model: &str,
        probability: f64,
        slot: &mut u16,
    ) -> Result<(), DataError> {
        let index = self.models.index_by(slot, model)?;
        self.candidates.push((index, probability));
        Ok(())
    }

    fn known_candidates(&mut self, slots: &[u16], probabilities: &[f64]) {
        self.candidates.extend(slots.iter().copied().zip(probabilities.iter().copied()));
    }

    fn add_damage(&mut self, damage: Damage) {
        self.damage += damage;
    }

    fn push(
        &mut self,
        decision: &DecisionCell<'_>,
        request: &Request<'_>,
    ) -> Result<(), DataError> {
        let mut denied = names_of(&self.excluded, &self.models);
        denied.retain(|name| **name != *decision.drawn);
        if denied.is_empty() {
            self.take(decision, request)
        } else {
            // What was ruled out then is ruled out for whoever decides it anew.
            self.take(decision, &request.denying(&denied))
        }
    }
}

impl<'f> LogBuilder<'f> {
    fn take(
        &mut self,
        decision: &DecisionCell<'_>,
        request: &Request<'_>,
    ) -> Result<(), DataError> {
        self.n_decisions_read += 1;
        widen(&mut self.times_ms, decision.ts_ms);
        let taken = checked_candidates(&self.candidates, &self.models, decision)?;
        let pool = self.pool(decision, taken);
        let outcome = match self.usable(decision) {
            Ok(outcome) => outcome,
            Err(reason) => return self.drop_row(reason),
        };
        let mut propensity = decision.propensity;
        if decision.kind == PropensityKind::Deterministic {
            self.candidates = vec![(taken, 1.0)];
            propensity = Some(1.0);
        }
        if decision.kind == PropensityKind::Unknown {
            propensity = Some(self.even_candidates(taken));
        }
        let Some(propensity) = propensity else {
            return self.drop_row("the propensity is missing");
        };
        let subject = || format!("decision `{}`", decision.id);
        let place = Place { path: decision.path, row: decision.number, subject: &subject };
        let quality = match (outcome.is_failed, outcome.quality) {
            (true, _) => 0.0,
            (false, Some(quality)) => self.scale.quality(quality, &place)?,
            (false, None) => {
                let reason = self.missing_metric.clone();
                return self.drop_row(&reason);
            }
        };
        let read;
        let asked = if 0 < request.n_bytes() {
            Asked::Text(request)
        } else {
            let found = asked::read(decision.features, self.features);
            read = match found.map_err(|problem| decision.wrong(problem))? {
                Ok(features) => features,
                Err(reason) => return self.drop_row(&reason),
            };
            Asked::Features(request, read.as_features())
        };
        if !self.seen.insert(bytes_group(decision.id.as_bytes())) {
            return self.drop_row("duplicate of an earlier decision");
        }
        let buffers = (&mut self.folder, &mut self.text);
        let (group, prompt) = asked.group_and_hash(decision.session_id, buffers);
        let input = outcome.input_tokens.or(decision.input_tokens);
        let row = LoggedRow {
            id: decision.id.to_owned(),
            ts_ms: decision.ts_ms,
            group,
            task: decision.task.as_deref().map(str::to_owned),
            tenant: decision.tenant.map(str::to_owned),
            tags: decision.tags.iter().take(self.n_kept_tags).cloned().collect(),
            taken,
            propensity,
            propensity_kind: decision.kind,
            was_served: true,
            n_answers: 1,
            quality,
            cost_usd: not_negative(outcome.cost_usd, "cost_usd", &place)?,
            input_tokens: whole(input, "input tokens", u32::MAX, &place)?,
            output_tokens: whole(outcome.output_tokens, "output tokens", u32::MAX, &place)?,
            latency_ms: not_negative(outcome.latency_ms, "latency_ms", &place)?,
        };
        if let Some(pool) = pool {
            self.drawn.add_row(self.rows.len(), pool);
        }
        self.n_thinned += u64::from(decision.keep_prob.is_some_and(|kept| kept < 1.0));
        self.add(row, (asked, prompt));
        Ok(())
    }

    pub(super) fn new(
        options: &LogOptions,
        on_request: &'f mut dyn FnMut(usize, Asked<'_, '_>),
    ) -> Result<Self, DataError> {
        let telling = options.candidates_by.iter().filter(|_| options.unknown == Unknown::Keep);
        Ok(Self {
            on_request,
            scale: Scale::new(options.quality_range)?,
            models: ModelNames::default(),
            candidates: Vec::new(),
            excluded: Vec::new(),
            seen: HashSet::new(),
            rows: Vec::new(),
            cells: Vec::new(),
            ends: Vec::new(),
            n_ahead: 0,
            dropped: BTreeMap::new(),
            missing_metric: format!("the outcome has no `{}`", options.quality_metric),
            undrawn: options.undrawn,
            unknown: options.unknown,
            steps: options.steps,
            tags: options.tags.iter().chain(telling).cloned().collect(),
            n_kept_tags: options.tags.len(),
            drawn: Drawn::default(),
            n_thinned: 0,
            features: options.features,
            n_decisions_read: 0,
            times_ms: None,
            n_without_outcome: 0,
            damage: Damage::default(),
            digest: RowDigest::new(),
            folder: Folder::default(),
            text: Vec::new(),
        })
    }

    /// Where a decision that names only the model that was drawn takes its candidates from.
    fn pool(&mut self, decision: &DecisionCell<'_>, taken: u16) -> Option<usize> {
        let is_unknown = decision.kind == PropensityKind::Unknown && self.unknown == Unknown::Keep;
        let by_tenant = self.tags.get(self.n_kept_tags).is_some_and(|tag| tag == "tenant");
        let tag = decision.tags.get(self.n_kept_tags).and_then(Option::as_deref);
        let tag = tag.or(decision.tenant.filter(|_| by_tenant));
        (is_unknown && self.candidates.len() == 1)
            .then(|| self.drawn.add(tag, taken, decision.ts_ms))
    }

    /// Gives every candidate that was not excluded the same probability, and says which.
    fn even_candidates(&mut self, taken: u16) -> f64 {
        let Self { candidates, excluded, .. } = self;
        candidates.retain(|(model, _)| *model == taken || !excluded.contains(model));
        let even = 1.0 / len_as_float(candidates.len().max(1));
        for (_, probability) in candidates.iter_mut() {
            *probability = even;
        }
        even
    }

    /// The log; `path` stands for the files in an error.
    pub(super) fn finish(self, path: &Path) -> Result<TrafficLog, DataError> {
        if self.n_decisions_read == 0 {
            return Err(DataError::Empty { path: path.to_path_buf() });
        }
        if self.rows.is_empty() {
            let dropped = self.dropped.iter().map(|(why, n)| (why.as_str(), *n));
            return Err(DataError::nothing_usable(path, self.n_decisions_read, dropped));
        }
        let (models, sorted_index) = sorted(self.models.all());
        let place = |model: u16| sorted_index.get(usize::from(model)).copied().unwrap_or(0);
        let mut rows = self.rows;
        let in_use = self.drawn.in_use();
        let found = self.drawn.settle(&in_use, &mut rows);
        let mut probabilities = vec![0f32; rows.len() * models.len()];
        let mut start = 0;
        for (row, &end) in probabilities.chunks_mut(models.len()).zip(&self.ends) {
            for &(model, probability) in self.cells.get(start..end).unwrap_or_default() {
                if let Some(slot) = row.get_mut(usize::from(place(model))) {
                    *slot = probability;
                }
            }
            start = end;
        }
        for &(at, pool) in self.drawn.rows() {
            let Some(row) = rows.get(at) else { continue };
            for model in in_use.candidates(pool, row.ts_ms) {
                let slot = at * models.len() + usize::from(place(model));
                if let Some(slot) = probabilities.get_mut(slot) {
                    *slot = single(row.propensity);
                }
            }
        }
        for row in &mut rows {
            row.taken = place(row.taken);
        }
        Ok(TrafficLog {
            models,
            rows,
            probabilities,
            dropped: self.dropped,
            n_decisions_read: self.n_decisions_read,
            times_ms: self.times_ms,
            n_without_outcome: self.n_without_outcome,
            n_damaged_lines: self.damage.n_lines,
            n_missing_segments: self.damage.n_missing_segments,
            in_use: found,
            n_thinned: self.n_thinned,
            digest: self.digest.hex(),
        })
    }

    /// Why the decision is of no use, or its outcome.
    fn usable<'a>(&mut self, decision: &DecisionCell<'a>) -> Result<OutcomeCell<'a>, &'static str> {
        if decision.is_later_step && self.steps == Steps::First {
            return Err(TrafficLog::LATER_STEP);
        }
        let Some(outcome) = decision.outcome else {
            self.n_without_outcome += 1;
            return Err("there is no outcome");
        };
        match decision.kind {
            PropensityKind::Exact | PropensityKind::Estimated => {}
            PropensityKind::Deterministic if self.undrawn == Undrawn::Keep => {}
            PropensityKind::Deterministic => return Err(TrafficLog::UNDRAWN),
            PropensityKind::Unknown if self.unknown == Unknown::Keep => {}
            PropensityKind::Unknown => return Err("the propensity is unknown"),
        }
        if outcome.served_model.is_some_and(|served| served != decision.drawn) {
            return Err("another model answered than was drawn");
        }
        Ok(outcome)
    }

    fn add(&mut self, row: LoggedRow, (asked, prompt): (Asked<'_, '_>, u64)) {
        self.hash(&row, prompt);
        (self.on_request)(self.rows.len(), asked);
        let chances = self.candidates.iter().filter(|(_, probability)| 0.0 < *probability);
        self.cells.extend(chances.map(|&(model, probability)| (model, single(probability))));
        self.ends.push(self.cells.len());
        self.rows.push(row);
        if self.rows.len() == TELLING_ROWS {
            let n_rows = self.n_ahead.saturating_sub(TELLING_ROWS);
            let n_cells = self.cells.len().div_ceil(TELLING_ROWS).saturating_mul(n_rows);
            let _ = self.cells.try_reserve_exact(n_cells.min(MOST_CELLS_AHEAD));
        }
    }

    fn hash(&mut self, row: &LoggedRow, prompt: u64) {
        let model = self.models.name(row.taken).unwrap_or_default();
        for text in [&row.id, model, row.task.as_deref().unwrap_or_default()] {
            self.digest.text(text);
        }
        let count_word = |count: Option<u32>| count.map_or(u64::MAX, u64::from);
        self.digest.words([
            row.ts_ms,
            row.group,
            prompt,
            number_word(Some(row.propensity)),
            number_word(Some(row.quality)),
            number_word(row.cost_usd),
            number_word(row.latency_ms),
            count_word(row.input_tokens),
            count_word(row.output_tokens),
        ]);
        for &(_, probability) in &self.candidates {
            self.digest.number(Some(probability));
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends `push`, which can fail")]
    fn drop_row(&mut self, reason: &str) -> Result<(), DataError> {
        *self.dropped.entry(reason.to_owned()).or_default() += 1;
        Ok(())
    }
}

/// The names of some models.
fn names_of(indices: &[u16], models: &ModelNames) -> Vec<Cow<'static, str>> {
    let name = |&index: &u16| models.name(index).map(|name| Cow::Owned(name.to_owned()));
    indices.iter().filter_map(name).collect()
}

/// Takes a time into a span of times; zero is none.
pub(super) fn widen(times_ms: &mut Option<(u64, u64)>, ts_ms: u64) {
    if 0 < ts_ms {
        let (first, last) = times_ms.unwrap_or((ts_ms, ts_ms));
        *times_ms = Some((first.min(ts_ms), last.max(ts_ms)));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "evaluation needs no more digits")]
pub(super) const fn single(probability: f64) -> f32 {
    probability as f32
}

//! Decisions in, log out: interning, checking, counting, hashing.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    path::Path,
};

use pointsman_core::{
    request::Request,
    units::{Propensity, len_as_float},
};
use pointsman_log::{journal::Damage, record::PropensityKind};

use super::{LogOptions, LoggedRow, Steps, TrafficLog, Undrawn, Unknown};
use crate::{
    error::DataError,
    hash::{Folder, RowDigest, bytes_group},
    model_names::{ModelNames, sorted},
    scale::{Place, Scale, not_negative, whole},
};

/// How far probabilities may be from one in sum: columns may be single precision.
const SUM_TOLERANCE: f64 = 1e-5;
/// How far an exact propensity may be from the drawn candidate's probability.
const PROPENSITY_TOLERANCE: f64 = 1e-6;

/// One decision as a reader hands it over; its candidates were handed over just before.
pub(super) struct DecisionCell<'a> {
    pub(super) path: &'a Path,
    /// The row in the file, from 1.
    pub(super) number: u64,
    pub(super) id: &'a str,
    pub(super) ts_ms: u64,
    pub(super) session_id: Option<&'a str>,
    pub(super) task: Option<Cow<'a, str>>,
    pub(super) tenant: Option<&'a str>,
    /// The values of [`LogBuilder::wanted_tags`], in their order.
    pub(super) tags: Vec<Option<String>>,
    pub(super) drawn: &'a str,
    pub(super) propensity: Option<f64>,
    pub(super) kind: PropensityKind,
    /// Whether it is about an answer, and no first decision.
    pub(super) is_later_step: bool,
    /// As counted at the decision, for where the outcome does not say.
    pub(super) input_tokens: Option<f64>,
    pub(super) outcome: Option<OutcomeCell<'a>>,
}

/// What came of a decision; values are not checked.
#[derive(Clone, Copy, Default)]
pub(super) struct OutcomeCell<'a> {
    pub(super) served_model: Option<&'a str>,
    pub(super) is_failed: bool,
    pub(super) quality: Option<f64>,
    pub(super) cost_usd: Option<f64>,
    pub(super) input_tokens: Option<f64>,
    pub(super) output_tokens: Option<f64>,
    pub(super) latency_ms: Option<f64>,
}

/// A [`TrafficLog`] in the making; models are numbered by appearance until the end.
pub(super) struct LogBuilder<'f> {
    on_request: &'f mut dyn FnMut(usize, &Request<'_>),
    scale: Scale,
    models: ModelNames,
    /// The candidates of the decision that comes next.
    candidates: Vec<(u16, f64)>,
    /// Those of them that were excluded.
    excluded: Vec<u16>,
    seen: HashSet<u64>,
    rows: Vec<LoggedRow>,
    /// The probabilities above zero of all rows, and where each row's end.
    cells: Vec<(u16, f64)>,
    ends: Vec<usize>,
    dropped: BTreeMap<String, u64>,
    missing_metric: String,
    undrawn: Undrawn,
    unknown: Unknown,
    steps: Steps,
    tags: Vec<String>,
    n_decisions_read: u64,
    n_without_outcome: u64,
    damage: Damage,
    digest: RowDigest,
    folder: Folder,
    text: Vec<u8>,
}

impl<'f> LogBuilder<'f> {
    pub(super) fn new(
        options: &LogOptions,
        on_request: &'f mut dyn FnMut(usize, &Request<'_>),
    ) -> Result<Self, DataError> {
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
            dropped: BTreeMap::new(),
            missing_metric: format!("the outcome has no `{}`", options.quality_metric),
            undrawn: options.undrawn,
            unknown: options.unknown,
            steps: options.steps,
            tags: options.tags.clone(),
            n_decisions_read: 0,
            n_without_outcome: 0,
            damage: Damage::default(),
            digest: RowDigest::new(),
            folder: Folder::default(),
            text: Vec::new(),
        })
    }

    /// The tags that a decision is to bring beside its task.
    pub(super) fn wanted_tags(&self) -> &[String] {
        &self.tags
    }

    /// Hands over the candidates of the decision that is pushed next.
    pub(super) fn begin_candidates(&mut self) {
        self.candidates.clear();
        self.excluded.clear();
    }

    /// Says that the last candidate was excluded.
    pub(super) fn exclude_last(&mut self) {
        self.excluded.extend(self.candidates.last().map(|(model, _)| *model));
    }

    /// One candidate; `slot` says where in the list the same model stood last time.
    pub(super) fn candidate(
        &mut self,
        model: &str,
        probability: f64,
        slot: &mut u16,
    ) -> Result<(), DataError> {
        if self.models.name(*slot) != Some(model) {
            *slot = self.models.index(model)?;
        }
        self.candidates.push((*slot, probability));
        Ok(())
    }

    /// Counts what a journal's reader passed over.
    pub(super) fn add_damage(&mut self, damage: Damage) {
        self.damage.n_lines += damage.n_lines;
        self.damage.n_bytes += damage.n_bytes;
        self.damage.n_missing_segments += damage.n_missing_segments;
    }

    /// Takes one decision, or counts why not.
    pub(super) fn push(
        &mut self,
        decision: &DecisionCell<'_>,
        request: Option<&Request<'_>>,
    ) -> Result<(), DataError> {
        self.n_decisions_read += 1;
        let taken = self.checked_candidates(decision)?;
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
        let Some(request) = request.filter(|request| 0 < request.n_bytes()) else {
            return self.drop_row("the request has no text");
        };
        if !self.seen.insert(bytes_group(decision.id.as_bytes())) {
            return self.drop_row("duplicate of an earlier decision");
        }
        let input = outcome.input_tokens.or(decision.input_tokens);
        let row = LoggedRow {
            id: decision.id.to_owned(),
            ts_ms: decision.ts_ms,
            group: self.group(decision.session_id, request),
            task: decision.task.as_deref().map(str::to_owned),
            tenant: decision.tenant.map(str::to_owned),
            tags: decision.tags.clone(),
            taken,
            propensity,
            propensity_kind: decision.kind,
            was_served: true,
            quality,
            cost_usd: not_negative(outcome.cost_usd, "cost_usd", &place)?,
            input_tokens: whole(input, "input tokens", u32::MAX, &place)?,
            output_tokens: whole(outcome.output_tokens, "output tokens", u32::MAX, &place)?,
            latency_ms: not_negative(outcome.latency_ms, "latency_ms", &place)?,
        };
        self.add(row, request);
        Ok(())
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
            let reasons: Vec<_> =
                self.dropped.iter().map(|(why, n)| format!("{why} ({n})")).collect();
            return Err(DataError::NothingUsable {
                path: path.to_path_buf(),
                n_rows: self.n_decisions_read,
                reasons: reasons.join(", "),
            });
        }
        let (models, sorted_index) = sorted(self.models.all());
        let place = |model: u16| sorted_index.get(usize::from(model)).copied().unwrap_or(0);
        let mut probabilities = vec![0f32; self.rows.len() * models.len()];
        let mut start = 0;
        for (row, &end) in probabilities.chunks_mut(models.len()).zip(&self.ends) {
            for &(model, probability) in self.cells.get(start..end).unwrap_or_default() {
                if let Some(slot) = row.get_mut(usize::from(place(model))) {
                    *slot = single(probability);
                }
            }
            start = end;
        }
        let mut rows = self.rows;
        for row in &mut rows {
            row.taken = place(row.taken);
        }
        Ok(TrafficLog {
            models,
            rows,
            probabilities,
            dropped: self.dropped,
            n_decisions_read: self.n_decisions_read,
            n_without_outcome: self.n_without_outcome,
            n_damaged_lines: self.damage.n_lines,
            n_missing_segments: self.damage.n_missing_segments,
            digest: self.digest.hex(),
        })
    }

    /// Why the decision is of no use, or its outcome.
    fn usable<'a>(&mut self, decision: &DecisionCell<'a>) -> Result<OutcomeCell<'a>, &'static str> {
        if decision.is_later_step && self.steps == Steps::First {
            return Err("a later step of a cascade");
        }
        let Some(outcome) = decision.outcome else {
            self.n_without_outcome += 1;
            return Err("there is no outcome");
        };
        match decision.kind {
            PropensityKind::Exact | PropensityKind::Estimated => {}
            PropensityKind::Deterministic if self.undrawn == Undrawn::Keep => {}
            PropensityKind::Deterministic => return Err("the propensity is deterministic"),
            PropensityKind::Unknown if self.unknown == Unknown::Keep => {}
            PropensityKind::Unknown => return Err("the propensity is unknown"),
        }
        if outcome.served_model.is_some_and(|served| served != decision.drawn) {
            return Err("another model answered than was drawn");
        }
        Ok(outcome)
    }

    /// Refuses what is no distribution or no draw from it; the drawn model's index.
    fn checked_candidates(&mut self, decision: &DecisionCell<'_>) -> Result<u16, DataError> {
        let wrong = |problem: String| DataError::Decision {
            path: decision.path.to_path_buf(),
            id: decision.id.to_owned(),
            row: decision.number,
            problem,
        };
        let total: f64 = self.candidates.iter().map(|&(_, probability)| probability).sum();
        let is_wrong = |&(_, probability): &(u16, f64)| !(0.0..=1.0).contains(&probability);
        if let Some((_, probability)) = self.candidates.iter().find(|one| is_wrong(one)) {
            return Err(wrong(format!(
                "gives a candidate the probability {probability}, which is not in [0, 1]"
            )));
        }
        let mut drawn = None;
        for &(model, probability) in &self.candidates {
            if self.models.name(model) == Some(decision.drawn) {
                if drawn.is_some() {
                    return Err(wrong(format!("lists the candidate `{}` twice", decision.drawn)));
                }
                drawn = Some((model, probability));
            }
        }
        let Some((taken, probability)) = drawn else {
            return Err(wrong(format!(
                "drew `{}`, which is not among its candidates",
                decision.drawn
            )));
        };
        let is_known = match decision.kind {
            PropensityKind::Exact | PropensityKind::Estimated => true,
            PropensityKind::Deterministic | PropensityKind::Unknown => false,
        };
        let (true, Some(value)) = (is_known, decision.propensity) else { return Ok(taken) };
        if Propensity::new(value).is_err() {
            return Err(DataError::Propensity {
                path: decision.path.to_path_buf(),
                value,
                id: decision.id.to_owned(),
                row: decision.number,
            });
        }
        if SUM_TOLERANCE < (total - 1.0).abs() {
            return Err(wrong(format!(
                "has candidate probabilities that sum to {total} instead of 1"
            )));
        }
        let is_exact = decision.kind == PropensityKind::Exact;
        if is_exact && PROPENSITY_TOLERANCE < (value - probability).abs() {
            return Err(wrong(format!(
                "has the exact propensity {value}, but drew with probability {probability}"
            )));
        }
        Ok(taken)
    }

    fn group(&mut self, session_id: Option<&str>, request: &Request<'_>) -> u64 {
        match session_id {
            Some(session) => bytes_group(session.as_bytes()),
            None => self.folder.group(request.messages.iter().map(|message| &*message.text)),
        }
    }

    fn add(&mut self, row: LoggedRow, request: &Request<'_>) {
        self.hash(&row, request);
        (self.on_request)(self.rows.len(), request);
        self.cells.extend(self.candidates.iter().filter(|(_, probability)| 0.0 < *probability));
        self.ends.push(self.cells.len());
        self.rows.push(row);
    }

    fn hash(&mut self, row: &LoggedRow, request: &Request<'_>) {
        self.text.clear();
        for message in request.messages.iter() {
            self.text.extend_from_slice(message.text.as_bytes());
            self.text.push(0);
        }
        let model = self.models.name(row.taken).unwrap_or_default();
        for text in [&row.id, model, row.task.as_deref().unwrap_or_default()] {
            self.digest.text(text);
        }
        for word in [row.ts_ms, row.group, bytes_group(&self.text)] {
            self.digest.word(word);
        }
        let numbers = [Some(row.propensity), Some(row.quality), row.cost_usd, row.latency_ms];
        for number in numbers {
            self.digest.number(number);
        }
        for count in [row.input_tokens, row.output_tokens] {
            self.digest.word(count.map_or(u64::MAX, u64::from));
        }
        for &(_, probability) in &self.candidates {
            self.digest.number(Some(probability));
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends `push`, which can fail")]
    fn drop_row(&mut self, reason: &str) -> Result<(), DataError> {
        match self.dropped.get_mut(reason) {
            Some(n) => *n += 1,
            None => _ = self.dropped.insert(reason.to_owned(), 1),
        }
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "evaluation needs no more digits")]
const fn single(probability: f64) -> f32 {
    probability as f32
}

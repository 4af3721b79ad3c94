//! What is known of the rows of a log while it is walked through: as little as every row has to keep.

use crate::load::Drawn;
use pointsman_data::{LoggedRow, TrafficLog};
use pointsman_log::record::PropensityKind;
use std::collections::BTreeMap;

/// A log in the order of its walk.
pub(crate) struct Logged {
    pub(super) models: Vec<String>,
    pub(super) rows: Vec<LoggedFacts>,
    /// The logger's distribution; row-major, shape `(n_rows, n_models)`.
    pub(super) probabilities: Vec<f32>,
    /// All ids, one behind the other, and where each ends.
    ids: String,
    id_ends: Vec<usize>,
    /// The names of tasks, by place.
    tasks: Vec<String>,
}

/// What is known of one row, besides its id. What may be missing has a bit that says whether it is
/// there, since an option of it would take as much room again.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoggedFacts {
    propensity: f64,
    quality: f64,
    cost_usd: f64,
    pub(super) group: u64,
    input_tokens: u32,
    output_tokens: u32,
    /// A place among the tasks.
    task: u32,
    taken: u16,
    pub(super) propensity_kind: PropensityKind,
    has: u8,
}

/// Bits of [`LoggedFacts::has`].
const COST: u8 = 1;
const INPUT: u8 = 2;
const OUTPUT: u8 = 4;
const TASK: u8 = 8;

impl LoggedFacts {
    fn of(row: &LoggedRow, task: Option<u32>) -> Self {
        let Drawn { taken, propensity, quality, cost_usd, input_tokens, output_tokens } =
            Drawn::from(row);
        let bit = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
        Self {
            propensity,
            quality,
            cost_usd: cost_usd.unwrap_or(0.0),
            group: row.group,
            input_tokens: input_tokens.unwrap_or(0),
            output_tokens: output_tokens.unwrap_or(0),
            task: task.unwrap_or(0),
            taken,
            propensity_kind: row.propensity_kind,
            has: bit(cost_usd.is_some(), COST)
                | bit(input_tokens.is_some(), INPUT)
                | bit(output_tokens.is_some(), OUTPUT)
                | bit(task.is_some(), TASK),
        }
    }

    const fn has(&self, bit: u8) -> bool {
        self.has & bit != 0
    }

    /// What was drawn, and what came of it.
    pub(super) fn drawn(&self) -> Drawn {
        Drawn {
            taken: self.taken,
            propensity: self.propensity,
            quality: self.quality,
            cost_usd: self.has(COST).then_some(self.cost_usd),
            input_tokens: self.has(INPUT).then_some(self.input_tokens),
            output_tokens: self.has(OUTPUT).then_some(self.output_tokens),
        }
    }

    fn task(&self) -> Option<u32> {
        self.has(TASK).then_some(self.task)
    }
}

impl Logged {
    /// The rows of a log in the given order, or as they stand.
    pub(super) fn of(log: TrafficLog, order: Option<&[u32]>) -> Self {
        let TrafficLog { models, rows, probabilities, .. } = log;
        let n_models = models.len();
        let mut logged = Self {
            models,
            rows: Vec::with_capacity(rows.len()),
            probabilities: Vec::new(),
            ids: String::new(),
            id_ends: Vec::with_capacity(rows.len()),
            tasks: Vec::new(),
        };
        let mut known = BTreeMap::new();
        let Some(order) = order else {
            for row in rows {
                logged.push(&row, &mut known);
            }
            logged.probabilities = probabilities;
            return logged;
        };
        for &row in order {
            logged.push(&rows[row as usize], &mut known);
        }
        let chances = |&row: &u32| &probabilities[row as usize * n_models..][..n_models];
        logged.probabilities = order.iter().flat_map(chances).copied().collect();
        logged
    }

    /// Adds a row; `known` says where each task that came before stands.
    fn push(&mut self, row: &LoggedRow, known: &mut BTreeMap<String, u32>) {
        let task = row.task.as_ref().map(|name| {
            known.get(name).copied().unwrap_or_else(|| {
                // A log has fewer than 2³² rows, and no more tasks than rows.
                let place = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX);
                self.tasks.push(name.clone());
                known.insert(name.clone(), place);
                place
            })
        });
        self.ids.push_str(&row.id);
        self.id_ends.push(self.ids.len());
        self.rows.push(LoggedFacts::of(row, task));
    }

    pub(super) fn id(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.id_ends[before]);
        &self.ids[start..self.id_ends[row]]
    }

    pub(super) fn task(&self, row: usize) -> Option<&str> {
        self.rows[row].task().map(|place| self.tasks[place as usize].as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::fixtures;

    fn row(id: &str, task: Option<&str>, taken: u16) -> LoggedRow {
        LoggedRow {
            id: id.to_owned(),
            ts_ms: 7,
            group: 9,
            task: task.map(str::to_owned),
            tenant: Some("acme".to_owned()),
            propensity_kind: PropensityKind::Estimated,
            cost_usd: (taken == 0).then_some(0.002),
            input_tokens: Some(u32::MAX),
            output_tokens: (taken == 1).then_some(0),
            ..fixtures::row(0, taken, (0.25, 0.5))
        }
    }

    fn log() -> TrafficLog {
        let rows = vec![
            row("first", Some("sql"), 0),
            row("", None, 1),
            row("third", Some("mail"), 1),
            row("ünder", Some("sql"), 0),
        ];
        fixtures::log_of(&["large", "small"], rows, vec![0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6])
    }

    #[test]
    fn rows_are_what_they_were_in_any_order() {
        for order in [None, Some([3, 1, 0, 2])] {
            let whole = log();
            let logged = Logged::of(whole.clone(), order.as_ref().map(<[u32; 4]>::as_slice));
            for at in 0..4 {
                let from = order.map_or(at, |order| order[at] as usize);
                let (found, expected) = (&logged.rows[at], &whole.rows[from]);
                assert_eq!(logged.id(at), expected.id, "{at}");
                assert_eq!(logged.task(at), expected.task.as_deref(), "{at}");
                assert_eq!(found.drawn(), Drawn::from(expected), "{at}");
                assert_eq!((found.group, found.propensity_kind), (9, PropensityKind::Estimated));
                let chances = &logged.probabilities[2 * at..][..2];
                assert_eq!(chances, &whole.probabilities[2 * from..][..2], "{at}");
            }
            assert_eq!(logged.tasks.len(), 2, "a name of a task is kept once");
        }
    }

    #[test]
    fn a_row_takes_few_bytes() {
        assert!(size_of::<LoggedFacts>() <= 48, "{}", size_of::<LoggedFacts>());
    }
}

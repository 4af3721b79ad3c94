//! The prices of each window's own day.
//!
//! A catalog with a history knows what was charged when. A window is decided at the prices of the
//! day on which it begins, and a cost that was not logged is counted at those of the row's own day.
//! What was logged stays as it was logged, and a price that is asked about holds on every day.

use crate::{load, what_if::WhatIf, wording};
use anyhow::Result;
use pointsman_core::catalog::{Catalog, Date, Model};
use pointsman_data::{OutcomeMatrix, TrafficLog};
use std::collections::BTreeSet;

/// The catalog, and what is changed about it, as of a day.
#[derive(Debug)]
pub(super) struct DayPrices<'q> {
    of_all_days: (Option<&'q Catalog>, &'q WhatIf),
    has_history: bool,
    day: Option<Date>,
    catalog: Option<Catalog>,
    what_if: WhatIf,
}

impl<'q> DayPrices<'q> {
    /// The latest prices, until a day is asked for.
    pub(super) fn new(catalog: Option<&'q Catalog>, what_if: &'q WhatIf) -> Self {
        Self {
            of_all_days: (catalog, what_if),
            has_history: catalog.is_some_and(Catalog::has_history) || what_if.has_history(),
            day: None,
            catalog: catalog.cloned(),
            what_if: what_if.clone(),
        }
    }

    /// Turns to a day; whether any price is another than before. Without a day, all stays as it is.
    pub(super) fn turn_to(&mut self, day: Option<Date>) -> bool {
        let is_new = |day: &Date| self.has_history && self.day != Some(*day);
        let Some(day) = day.filter(is_new) else { return false };
        let (catalog, what_if) = self.of_all_days;
        let (catalog, what_if) = (catalog.map(|all| all.as_of(day)), what_if.as_of(day));
        let is_changed = catalog != self.catalog || what_if != self.what_if;
        (self.day, self.catalog, self.what_if) = (Some(day), catalog, what_if);
        is_changed
    }

    pub(super) fn catalog(&self) -> Option<&Catalog> {
        self.catalog.as_ref()
    }

    pub(super) fn what_if(&self) -> &WhatIf {
        &self.what_if
    }

    /// What there is to say of prices, for rows that come from a day on, or do not say when.
    pub(super) fn notes(&self, first: Option<Date>) -> Vec<String> {
        let (Some(catalog), true) = (self.of_all_days.0, self.has_history) else {
            return Vec::new();
        };
        let Some(first) = first else {
            return vec![
                "the rows do not say when they came, so all are decided at the catalog's latest \
                 prices"
                    .to_owned(),
            ];
        };
        let mut notes = vec![
            "the catalog knows the prices of other days: each window is decided at those of the \
             day on which it begins; logged costs stay as they were logged"
                .to_owned(),
        ];
        let late = catalog.not_priced_on(first).map(|(model, _)| model.id.as_str());
        let late: Vec<&str> = late.collect::<BTreeSet<_>>().into_iter().collect();
        if !late.is_empty() {
            notes.push(format!(
                "what was charged on {first} is not known of {}; the earliest known prices stand in",
                late.join(", ")
            ));
        }
        notes
    }
}

/// Counts costs that were not logged from tokens, at the prices of each row's own day, where the
/// catalog knows the model; what was done, for people.
pub(super) fn fill(log: &mut TrafficLog, catalog: Option<&Catalog>) -> Option<String> {
    let catalog = catalog?;
    let listed: Vec<Option<&Model>> = log.models.iter().map(|name| catalog.find(name)).collect();
    let mut n_counted = 0;
    for row in log.rows.iter_mut().filter(|row| row.cost_usd.is_none()) {
        let model = listed.get(usize::from(row.taken)).copied().flatten();
        let (Some(model), Some(tokens)) = (model, row.input_tokens.zip(row.output_tokens)) else {
            continue;
        };
        let (input, output) = tokens;
        row.cost_usd = Some(if 0 < row.ts_ms && model.has_history() {
            load::cheapest(&model.as_of(Date::of_ms(row.ts_ms)), input, output)
        } else {
            load::cheapest(model, input, output)
        });
        n_counted += 1;
    }
    (0 < n_counted).then(|| {
        format!(
            "{} decisions have no logged cost; it is counted from their tokens at the catalog's \
             prices of their day",
            wording::length(n_counted)
        )
    })
}

/// Costs of a table that recorded none, shape `(n_rows, n_models)`, in the order of `places`, each at
/// the prices of the day on which its prompt comes; `None` where no tokens are known.
///
/// # Errors
/// Where a model is not in the catalog.
pub(super) fn of_table(
    matrix: &OutcomeMatrix,
    catalog: &Catalog,
    (places, times): (&[u32], &[u64]),
) -> Result<Option<Vec<f64>>> {
    if matrix.output_tokens.iter().all(Option::is_none) {
        return Ok(None);
    }
    let names: Vec<&str> = matrix.models.iter().map(String::as_str).collect();
    let models = load::listed(&names, catalog)?;
    let mut costs = Vec::with_capacity(places.len() * models.len());
    let (mut day, mut of_day) = (None, Vec::new());
    for (&place, &time) in places.iter().zip(times) {
        let today = Date::of_ms(time);
        if day != Some(today) {
            day = Some(today);
            of_day = models.iter().map(|model| model.as_of(today)).collect();
        }
        let start = place as usize * models.len();
        for (at, model) in (start..).zip(&of_day) {
            let tokens = matrix.input_tokens[at].zip(matrix.output_tokens[at]);
            let cost = |(input, output)| load::cheapest(model, input, output);
            costs.push(tokens.map_or(f64::NAN, cost));
        }
    }
    Ok(Some(costs))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOG: &str = r#"
        [[models]]
        id = "small"
        [[models.endpoints]]
        provider = "harbour"
        input_usd_per_million = 3.0
        output_usd_per_million = 6.0
        since = "2026-01-11"
        [[models.endpoints.history]]
        input_usd_per_million = 1.0
        output_usd_per_million = 2.0
        since = "2026-01-05"
    "#;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn prices_change_on_their_day_and_only_then() {
        let (catalog, what_if) = (Catalog::from_toml(CATALOG).unwrap(), WhatIf::default());
        let mut prices = DayPrices::new(Some(&catalog), &what_if);
        let dollars = |prices: &DayPrices<'_>| {
            prices.catalog().unwrap().models()[0].endpoints[0].input.dollars_per_million()
        };
        assert_eq!(dollars(&prices), 3.0);
        for (on, is_changed, expected) in [
            ("2026-01-06", true, 1.0),
            ("2026-01-06", false, 1.0),
            ("2026-01-10", false, 1.0),
            ("2026-01-11", true, 3.0),
            ("2026-02-01", false, 3.0),
        ] {
            assert_eq!(prices.turn_to(Some(day(on))), is_changed, "{on}");
            assert_eq!(dollars(&prices), expected, "{on}");
        }
        assert!(!prices.turn_to(None));
        assert_eq!(prices.notes(Some(day("2026-01-05"))).len(), 1);
        let notes = prices.notes(Some(day("2026-01-01")));
        assert!(notes[1].contains("2026-01-01 is not known of small"), "{notes:?}");
        assert!(prices.notes(None)[0].contains("latest prices"));
    }

    #[test]
    fn a_catalog_without_a_history_never_changes() {
        let catalog = Catalog::from_toml(CATALOG).unwrap().as_of(Date::new(2026, 1, 6).unwrap());
        let what_if = WhatIf::default();
        let mut prices = DayPrices::new(Some(&catalog), &what_if);
        assert!(!prices.turn_to(Some(day("2026-01-01"))));
        assert!(prices.notes(Some(day("2026-01-01"))).is_empty());
    }
}

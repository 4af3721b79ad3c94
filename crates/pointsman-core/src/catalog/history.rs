//! What endpoints charged on other days.
//!
//! An endpoint has the prices that hold now, from [`Endpoint::since`] on, and those that held
//! before, oldest first, each until the next began. A replay asks for the prices of a row's own day;
//! what was charged before the first known day is not known, and is taken to be the earliest price.

use super::{Catalog, Date, Endpoint, Model};
use crate::units::Price;

/// What an endpoint charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// Price of the prompt.
    pub input: Price,
    /// Price of the answer.
    pub output: Price,
    /// Price of what of the prompt is read from the provider's cache; the full price where `None`.
    pub cached_input: Option<Price>,
}

/// What an endpoint charged from some day on, until the next prices began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastPrices {
    /// The first day; `None` where it had always been so.
    pub since: Option<Date>,
    /// What was charged.
    pub prices: Prices,
}

/// What came of new prices for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repriced {
    /// It charged the same already.
    Unchanged,
    /// The prices of that same day were put right.
    Corrected,
    /// The old prices are history now.
    Changed,
}

impl Catalog {
    /// The same catalog with the prices of `day`, and no later ones.
    ///
    /// An endpoint whose prices are known from a later day on has its earliest ones;
    /// [`Catalog::not_priced_on`] names those.
    #[must_use]
    pub fn as_of(&self, day: Date) -> Self {
        let models = self.models.iter().map(|model| model.as_of(day)).collect();
        Self { models, as_of: self.as_of }
    }

    /// Whether any endpoint had other prices before.
    pub fn has_history(&self) -> bool {
        self.models.iter().any(Model::has_history)
    }

    /// The endpoints whose prices on `day` are not known, in the order of the file.
    pub fn not_priced_on(&self, day: Date) -> impl Iterator<Item = (&Model, &Endpoint)> {
        self.models.iter().flat_map(move |model| {
            let late = model.endpoints.iter().filter(move |endpoint| !endpoint.is_priced_on(day));
            late.map(move |endpoint| (model, endpoint))
        })
    }
}

impl Model {
    /// The same model with the prices of `day`, as [`Catalog::as_of`].
    #[must_use]
    pub fn as_of(&self, day: Date) -> Self {
        let mut model = self.clone();
        for endpoint in &mut model.endpoints {
            endpoint.go_back_to(day);
        }
        model
    }

    /// Whether any of its endpoints had other prices before.
    pub fn has_history(&self) -> bool {
        self.endpoints.iter().any(|endpoint| !endpoint.history.is_empty())
    }
}

impl Endpoint {
    /// What it charges now.
    pub const fn prices(&self) -> Prices {
        Prices { input: self.input, output: self.output, cached_input: self.cached_input }
    }

    /// Whether it is known what was charged on `day`.
    pub fn is_priced_on(&self, day: Date) -> bool {
        let first = self.history.first().map_or(self.since, |first| first.since);
        first.is_none_or(|first| first <= day)
    }

    /// Sets what is charged from `day` on. Lists have to come oldest first: a `day` before
    /// [`Endpoint::since`] would be lost, and is the caller's to refuse.
    pub fn reprice(&mut self, prices: Prices, day: Date) -> Repriced {
        if prices == self.prices() {
            return Repriced::Unchanged;
        }
        if self.since == Some(day) {
            self.set_prices(prices);
            // Back to what it had been before: then nothing changed on that day.
            if self.history.last().is_some_and(|last| last.prices == prices) {
                self.since = self.history.pop().and_then(|last| last.since);
            }
            return Repriced::Corrected;
        }
        self.history.push(PastPrices { since: self.since, prices: self.prices() });
        self.set_prices(prices);
        self.since = Some(day);
        Repriced::Changed
    }

    fn go_back_to(&mut self, day: Date) {
        while self.since.is_some_and(|since| day < since) {
            let Some(PastPrices { since, prices }) = self.history.pop() else { return };
            self.since = since;
            self.set_prices(prices);
        }
    }

    fn set_prices(&mut self, prices: Prices) {
        let Prices { input, output, cached_input } = prices;
        self.input = input;
        self.output = output;
        self.cached_input = cached_input;
    }
}

/// Whether each prices began later than those before them; only the first may always have been.
pub(super) fn is_in_order(history: &[PastPrices], since: Option<Date>) -> bool {
    let days: Vec<Option<Date>> = history.iter().map(|past| past.since).chain([since]).collect();
    // `None` is before every day, and not before itself.
    days.is_sorted_by(|earlier, later| earlier < later)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATED: &str = r#"
        as_of = "2026-06-01"
        [[models]]
        id = "small"
        [[models.endpoints]]
        provider = "harbour"
        input_usd_per_million = 3.0
        output_usd_per_million = 6.0
        since = "2026-05-01"
        [[models.endpoints.history]]
        input_usd_per_million = 1.0
        output_usd_per_million = 2.0
        since = "2026-01-01"
        [[models.endpoints.history]]
        input_usd_per_million = 2.0
        output_usd_per_million = 4.0
        cached_input_usd_per_million = 0.5
        since = "2026-03-01"
        [[models.endpoints]]
        provider = "quarry"
        input_usd_per_million = 9.0
        output_usd_per_million = 9.0
    "#;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check_price(on: &str, dollars: f64, is_known: bool) {
        let catalog = Catalog::from_toml(DATED).unwrap();
        let then = catalog.as_of(day(on));
        let [harbour, quarry] = &then.models()[0].endpoints[..] else { panic!("two endpoints") };
        assert_eq!(harbour.input, Price::from_dollars_per_million(dollars).unwrap());
        assert_eq!(quarry.input, Price::from_dollars_per_million(9.0).unwrap());
        assert_eq!(catalog.not_priced_on(day(on)).count(), usize::from(!is_known));
    }

    #[test]
    fn a_day_has_the_prices_that_held_on_it() {
        check_price("2025-12-31", 1.0, false);
        check_price("2026-01-01", 1.0, true);
        check_price("2026-02-28", 1.0, true);
        check_price("2026-03-01", 2.0, true);
        check_price("2026-04-30", 2.0, true);
        check_price("2026-05-01", 3.0, true);
        check_price("2030-01-01", 3.0, true);
    }

    #[test]
    fn cached_prices_are_those_of_the_day_too() {
        let catalog = Catalog::from_toml(DATED).unwrap();
        let cached = |on| catalog.as_of(day(on)).models()[0].endpoints[0].cached_input;
        assert_eq!(cached("2026-03-01"), Some(Price::from_nanos_per_million(500_000_000)));
        assert_eq!(cached("2026-05-01"), None);
    }

    #[test]
    fn models_go_back_as_their_catalog_does() {
        let catalog = Catalog::from_toml(DATED).unwrap();
        assert!(catalog.has_history());
        for on in ["2026-01-01", "2026-03-31", "2026-05-01"] {
            let then = catalog.as_of(day(on));
            assert_eq!(catalog.models()[0].as_of(day(on)), then.models()[0], "{on}");
            assert_eq!(then.dated(), catalog.dated());
        }
        assert!(!catalog.as_of(day("2026-01-01")).has_history());
    }

    #[test]
    fn histories_out_of_order_are_refused() {
        for text in [
            DATED.replace("since = \"2026-03-01\"", "since = \"2026-01-01\""),
            DATED.replace("since = \"2026-03-01\"", "since = \"2025-01-01\""),
            DATED.replace("since = \"2026-03-01\"", ""),
            DATED.replace("since = \"2026-05-01\"", ""),
            DATED.replace("since = \"2026-05-01\"", "since = \"2026-02-01\""),
        ] {
            let message = Catalog::from_toml(&text).unwrap_err().to_string();
            assert!(message.contains("provider `harbour`: its price history"), "{message}");
        }
        assert!(Catalog::from_toml(&DATED.replace("since = \"2026-01-01\"", "")).is_ok());
        let message =
            Catalog::from_toml(&DATED.replace("2026-06-01", "1 June")).unwrap_err().to_string();
        assert!(message.contains("`1 June` is not a day"), "{message}");
    }

    proptest! {
        /// After any prices of any days, oldest first, each day has the latest that had come by then.
        #[test]
        fn histories_remember_every_day(lists in prop::collection::vec((1_u8..28, 1_u64..4), 1..12)) {
            let mut lists = lists;
            lists.sort_by_key(|(of_month, _)| *of_month);
            let mut catalog = Catalog::from_toml(DATED).unwrap();
            let prices = |nanos| Prices {
                input: Price::from_nanos_per_million(nanos),
                output: Price::from_nanos_per_million(nanos),
                cached_input: None,
            };
            let on = |of_month| Date::new(2026, 7, of_month).unwrap();
            for &(of_month, nanos) in &lists {
                catalog.models[0].endpoints[1].reprice(prices(nanos), on(of_month));
            }
            let endpoint = &catalog.models[0].endpoints[1];
            prop_assert!(is_in_order(&endpoint.history, endpoint.since));
            for of_month in 1..28 {
                let expected = lists.iter().rev().find(|(listed, _)| *listed <= of_month);
                let found = catalog.as_of(on(of_month)).models[0].endpoints[1].input;
                let always = Price::from_nanos_per_million(9_000_000_000);
                let expected = expected
                    .map_or(always, |(_, nanos)| Price::from_nanos_per_million(*nanos));
                prop_assert_eq!(found, expected, "on day {}", of_month);
            }
        }
    }
}

//! The prices of a list into a catalog that is there.
//!
//! Only prices change: limits, capabilities and what was written by hand stay as they are. What
//! changes price keeps its old price as history.

use anyhow::{Result, bail};
use pointsman_core::catalog::{Catalog, Date, Endpoint, Model, Repriced};

/// Whether models and endpoints that a catalog lacks are added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strangers {
    Added,
    PassedOver,
}

/// A catalog with newer prices, and what became of its endpoints.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) catalog: Catalog,
    /// Endpoints whose price is another since that day.
    pub(super) changed: Vec<String>,
    /// Endpoints whose price of that same day was put right.
    pub(super) corrected: Vec<String>,
    /// Endpoints that were not there before.
    pub(super) added: Vec<String>,
    /// Endpoints that cost what they did.
    pub(super) n_unchanged: u64,
    /// Endpoints of the catalog that were asked for and that the list does not have.
    pub(super) not_listed: Vec<String>,
    /// Endpoints of the list that the catalog does not have, and was not given.
    pub(super) n_passed_over: u64,
}

/// The catalog `old`, or an empty one, with the prices that `listed` has on `day`. What of a
/// catalog's models and providers was asked for says `is_meant`.
pub(super) fn merge(
    old: Option<Catalog>,
    listed: Vec<Model>,
    day: Date,
    strangers: Strangers,
    is_meant: &dyn Fn(&str, &str) -> bool,
) -> Result<Merged> {
    let dated = old.as_ref().and_then(Catalog::dated);
    if let Some(dated) = dated.filter(|dated| day < *dated) {
        bail!("it holds the prices of {dated} already; import price lists oldest first");
    }
    let models = old.map_or_else(Vec::new, |old| old.models().to_vec());
    let mut work = Work { day, strangers, models, said: Said::default() };
    let mut unseen = work.names(is_meant);
    for model in listed {
        work.take(model, &mut unseen)?;
    }
    let Work { models, said, day: _, strangers: _ } = work;
    let catalog = Catalog::from_models(models, Some(day))?;
    let Said { changed, corrected, added, n_unchanged, n_passed_over } = said;
    Ok(Merged {
        catalog,
        changed,
        corrected,
        added,
        n_unchanged,
        not_listed: unseen,
        n_passed_over,
    })
}

struct Work {
    day: Date,
    strangers: Strangers,
    models: Vec<Model>,
    said: Said,
}

#[derive(Default)]
struct Said {
    changed: Vec<String>,
    corrected: Vec<String>,
    added: Vec<String>,
    n_unchanged: u64,
    n_passed_over: u64,
}

impl Work {
    /// The names of the endpoints that are meant.
    fn names(&self, is_meant: &dyn Fn(&str, &str) -> bool) -> Vec<String> {
        let mut names = Vec::new();
        for model in &self.models {
            let meant = model.endpoints.iter().filter(|one| is_meant(&model.id, &one.provider));
            names.extend(meant.map(|endpoint| name(&model.id, endpoint)));
        }
        names
    }

    /// Takes over what the list says of one model, and its endpoints out of `unseen`.
    fn take(&mut self, listed: Model, unseen: &mut Vec<String>) -> Result<()> {
        let Some(at) = self.models.iter().position(|model| model.id == listed.id) else {
            self.add_model(listed);
            return Ok(());
        };
        for endpoint in listed.endpoints {
            let name = name(&listed.id, &endpoint);
            unseen.retain(|known| *known != name);
            self.take_endpoint(at, endpoint, name)?;
        }
        Ok(())
    }

    fn take_endpoint(&mut self, at: usize, listed: Endpoint, name: String) -> Result<()> {
        let (day, said) = (self.day, &mut self.said);
        let Some(model) = self.models.get_mut(at) else { return Ok(()) };
        let Some(known) = model.endpoints.iter_mut().find(|known| is_same(known, &listed)) else {
            match self.strangers {
                Strangers::Added => {
                    model.endpoints.push(Endpoint { since: Some(day), ..listed });
                    said.added.push(name);
                }
                Strangers::PassedOver => said.n_passed_over += 1,
            }
            return Ok(());
        };
        if let Some(since) = known.since.filter(|since| day < *since) {
            bail!("{name} has had its price since {since}; import price lists oldest first");
        }
        match known.reprice(listed.prices(), day) {
            Repriced::Unchanged => said.n_unchanged += 1,
            Repriced::Corrected => said.corrected.push(name),
            Repriced::Changed => said.changed.push(name),
        }
        Ok(())
    }

    fn add_model(&mut self, mut listed: Model) {
        if self.strangers == Strangers::PassedOver {
            self.said.n_passed_over += listed.endpoints.len() as u64;
            return;
        }
        for endpoint in &mut listed.endpoints {
            endpoint.since = Some(self.day);
            self.said.added.push(name(&listed.id, endpoint));
        }
        self.models.push(listed);
    }
}

/// Whether two endpoints of a model are the same place.
pub(super) fn is_same(left: &Endpoint, right: &Endpoint) -> bool {
    left.provider == right.provider && left.quantization == right.quantization
}

/// An endpoint in the words of a report.
pub(super) fn name(model: &str, endpoint: &Endpoint) -> String {
    match &endpoint.quantization {
        Some(quantization) => format!("{model} at {} ({quantization})", endpoint.provider),
        None => format!("{model} at {}", endpoint.provider),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(input: f64) -> Catalog {
        let text = format!(
            "[[models]]\nid = \"swift\"\ncontext_window = {}\n[[models.endpoints]]\n\
             provider = \"north\"\ninput_usd_per_million = {input}\noutput_usd_per_million = 2.0\n",
            if input < 2.0 { 1000 } else { 2000 }
        );
        Catalog::from_toml(&text).unwrap()
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn merged(old: Option<Catalog>, input: f64, on: &str) -> Merged {
        merge(old, catalog(input).models().to_vec(), day(on), Strangers::Added, &|_, _| true)
            .unwrap()
    }

    #[test]
    fn prices_become_history_and_nothing_else_changes() {
        let one = merged(None, 1.0, "2026-01-01");
        assert_eq!(one.added, ["swift at north"]);
        let two = merged(Some(one.catalog), 3.0, "2026-02-01");
        assert_eq!(two.changed, ["swift at north"]);
        let again = merged(Some(two.catalog.clone()), 3.0, "2026-02-01");
        assert_eq!((again.n_unchanged, &again.catalog), (1, &two.catalog));
        assert_eq!(
            two.catalog.to_toml().unwrap(),
            r#"as_of = "2026-02-01"

[[models]]
id = "swift"
context_window = 1000

[[models.endpoints]]
provider = "north"
input_usd_per_million = 3.0
output_usd_per_million = 2.0
since = "2026-02-01"

[[models.endpoints.history]]
since = "2026-01-01"
input_usd_per_million = 1.0
output_usd_per_million = 2.0
"#
        );
    }

    #[test]
    fn older_lists_are_refused() {
        let one = merged(Some(catalog(1.0)), 3.0, "2026-02-01");
        let listed = catalog(1.0).models().to_vec();
        let refused =
            merge(Some(one.catalog), listed, day("2026-01-31"), Strangers::Added, &|_, _| true);
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("the prices of 2026-02-01 already"), "{message}");
    }

    #[test]
    fn strangers_are_counted_and_departures_named() {
        let mut listed = catalog(1.0).models().to_vec();
        listed[0].endpoints[0].provider = "south".to_owned();
        let merged = |is_meant: &dyn Fn(&str, &str) -> bool| {
            let (old, listed) = (Some(catalog(1.0)), listed.clone());
            merge(old, listed, day("2026-01-01"), Strangers::PassedOver, is_meant).unwrap()
        };
        let found = merged(&|_, _| true);
        assert_eq!((found.n_passed_over, found.n_unchanged), (1, 0));
        assert_eq!(found.not_listed, ["swift at north"]);
        assert!(merged(&|_, provider| provider == "south").not_listed.is_empty());
        assert_eq!(found.catalog.models(), catalog(1.0).models());
    }
}

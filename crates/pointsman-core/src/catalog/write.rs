//! Catalogs as text again, for importers.
//!
//! Prices come out as they went in: a whole number of nanodollars is the decimal that it was read
//! from. What is the default is not written. Comments of a file that was read are lost.

use super::{
    Catalog, CatalogError, CatalogFile, Endpoint, EndpointFile, Model, ModelFile, PastFile,
    PastPrices, one_line,
};
use crate::{
    request::DataPolicy,
    units::{Price, Quality, Tokens},
};

impl Catalog {
    /// The TOML form; reading it gives the same catalog.
    ///
    /// # Errors
    /// [`CatalogError::Unwritable`] where a limit is above what TOML can hold (2⁶³ - 1).
    pub fn to_toml(&self) -> Result<String, CatalogError> {
        toml::to_string(&CatalogFile::from(self))
            .map_err(|source| CatalogError::Unwritable { message: one_line(&source.to_string()) })
    }

    /// The JSON form, indented; reading it gives the same catalog.
    ///
    /// # Errors
    /// [`CatalogError::Unwritable`] where JSON cannot hold a value; there is none.
    pub fn to_json(&self) -> Result<String, CatalogError> {
        serde_json::to_string_pretty(&CatalogFile::from(self))
            .map_err(|source| CatalogError::Unwritable { message: source.to_string() })
    }
}

impl From<&Catalog> for CatalogFile {
    fn from(catalog: &Catalog) -> Self {
        let Catalog { models, as_of } = catalog;
        Self { as_of: *as_of, models: models.iter().map(ModelFile::from).collect() }
    }
}

impl From<&Model> for ModelFile {
    fn from(model: &Model) -> Self {
        let Model { id, context_window, max_output_tokens, capabilities, prior_quality, endpoints } =
            model;
        Self {
            id: id.clone(),
            context_window: context_window.map(Tokens::get),
            max_output_tokens: max_output_tokens.map(Tokens::get),
            capabilities: capabilities.names().map(str::to_owned).collect(),
            prior_quality: prior_quality.map(Quality::get),
            endpoints: endpoints.iter().map(EndpointFile::from).collect(),
        }
    }
}

impl From<&Endpoint> for EndpointFile {
    fn from(endpoint: &Endpoint) -> Self {
        let Endpoint {
            provider,
            input,
            output,
            cached_input,
            context_window,
            data_policy,
            ttft_ms,
            tokens_per_second,
            quantization,
            parameters,
            since,
            history,
        } = endpoint;
        Self {
            provider: provider.clone(),
            input_usd_per_million: input.dollars_per_million(),
            output_usd_per_million: output.dollars_per_million(),
            cached_input_usd_per_million: cached_input.map(Price::dollars_per_million),
            context_window: context_window.map(Tokens::get),
            data_policy: (*data_policy != DataPolicy::default()).then_some(*data_policy),
            ttft_ms: *ttft_ms,
            tokens_per_second: *tokens_per_second,
            quantization: quantization.clone(),
            parameters: parameters.clone(),
            since: *since,
            history: history.iter().map(PastFile::from).collect(),
        }
    }
}

impl From<&PastPrices> for PastFile {
    fn from(past: &PastPrices) -> Self {
        let PastPrices { since, prices } = past;
        Self {
            since: *since,
            input_usd_per_million: prices.input.dollars_per_million(),
            output_usd_per_million: prices.output.dollars_per_million(),
            cached_input_usd_per_million: prices.cached_input.map(Price::dollars_per_million),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL: &str = r#"as_of = "2026-05-01"

[[models]]
id = "small"
context_window = 128000
max_output_tokens = 8192
capabilities = ["tools", "images"]
prior_quality = 0.71

[[models.endpoints]]
provider = "harbour"
input_usd_per_million = 0.15
output_usd_per_million = 2.0
cached_input_usd_per_million = 0.000000001
context_window = 64000
data_policy = "zero_retention"
ttft_ms = 300.0
tokens_per_second = 120.5
quantization = "fp8"
parameters = ["seed", "temperature"]
since = "2026-04-01"

[[models.endpoints.history]]
input_usd_per_million = 0.2
output_usd_per_million = 2.5

[[models]]
id = "plain"

[[models.endpoints]]
provider = "quarry"
input_usd_per_million = 1.0
output_usd_per_million = 1.0
"#;

    #[test]
    fn catalogs_are_written_as_they_are_read() {
        let catalog = Catalog::from_toml(FULL).unwrap();
        assert_eq!(catalog.to_toml().unwrap(), FULL);
        let json = catalog.to_json().unwrap();
        assert_eq!(Catalog::from_json(&json).unwrap(), catalog);
    }

    proptest! {
        /// No price changes by being written and read.
        #[test]
        fn prices_survive(input in 0_u64..1 << 48, output in 0_u64..1 << 48) {
            let mut catalog = Catalog::from_toml(FULL).unwrap();
            catalog.models[0].endpoints[0].input = Price::from_nanos_per_million(input);
            catalog.models[0].endpoints[0].output = Price::from_nanos_per_million(output);
            prop_assert_eq!(&Catalog::from_toml(&catalog.to_toml().unwrap()).unwrap(), &catalog);
            prop_assert_eq!(&Catalog::from_json(&catalog.to_json().unwrap()).unwrap(), &catalog);
        }
    }
}

//! What is known before the log is read: margins, and the most that one request can cost or take.

use pointsman_core::{
    catalog::{Catalog, Endpoint, Model},
    units::Tokens,
};

/// How far each difference may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Margins {
    /// At least, in quality points.
    pub(crate) quality: f64,
    /// At most, in dollars per request; not tested where `None`.
    pub(crate) cost_usd: Option<f64>,
    /// At most; not tested where `None`.
    pub(crate) latency_ms: Option<f64>,
}

/// What bounds rest on besides the rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Stated {
    pub(crate) largest_cost_usd: Option<f64>,
    pub(crate) largest_latency_ms: Option<f64>,
    /// The least that the logger gives a model which it may draw.
    pub(crate) smallest_propensity: Option<f64>,
}

/// The most that one request can cost by the catalog, whichever of the models answers it; a
/// sentence that says what is missing where that has no end.
pub(super) fn largest_cost(models: &[String], catalog: Option<&Catalog>) -> Result<f64, String> {
    let Some(catalog) = catalog else {
        return Err("no largest cost of one request is stated; give --largest-cost-usd, or \
             --catalog with the token limits of every model"
            .to_owned());
    };
    let mut largest = 0.0_f64;
    for name in models {
        let Some(model) = catalog.find(name) else {
            return Err(format!(
                "model `{name}` of the log is not in the catalog; add it there, \
                 or give --largest-cost-usd"
            ));
        };
        for endpoint in &model.endpoints {
            largest = largest.max(largest_of(model, endpoint)?);
        }
    }
    Ok(largest)
}

/// The dearest division of an endpoint's context window into prompt and answer.
fn largest_of(model: &Model, endpoint: &Endpoint) -> Result<f64, String> {
    let window = match (model.context_window, endpoint.context_window) {
        (Some(of_model), Some(of_endpoint)) => of_model.get().min(of_endpoint.get()),
        (Some(window), None) | (None, Some(window)) => window.get(),
        (None, None) => {
            return Err(format!(
                "model `{}` has no context_window in the catalog, so its costs have no end; add \
                 it there, or give --largest-cost-usd",
                model.id
            ));
        }
    };
    let answer = model.max_output_tokens.map_or(window, |limit| limit.get().min(window));
    let cost = |output: u64| {
        let (input, output) = (Tokens::new(window - output), Tokens::new(output));
        (endpoint.input.of(input) + endpoint.output.of(output)).as_dollars()
    };
    Ok(cost(0).max(cost(answer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOG: &str = r#"
        [[models]]
        id = "small"
        context_window = 1000000
        max_output_tokens = 100000
        [[models.endpoints]]
        provider = "harbour"
        input_usd_per_million = 1.0
        output_usd_per_million = 2.0
    "#;

    #[track_caller]
    fn check(catalog: &str, expected: Result<f64, &str>) {
        let catalog = Catalog::from_toml(catalog).unwrap();
        match (largest_cost(&["small".to_owned()], Some(&catalog)), expected) {
            (Ok(found), Ok(expected)) => assert!((found - expected).abs() < 1e-9, "{found}"),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn the_dearest_request_fills_the_window() {
        check(CATALOG, Ok(1.1));
        check(&CATALOG.replace("2.0", "0.5"), Ok(1.0));
        check(&CATALOG.replace("max_output_tokens = 100000", ""), Ok(2.0));
        check(&format!("{CATALOG}context_window = 500000"), Ok(0.6));
        check(&CATALOG.replace("context_window = 1000000", ""), Err("has no context_window"));
        check(&CATALOG.replace("small", "other"), Err("`small` of the log is not in the catalog"));
        let found = largest_cost(&["small".to_owned()], None).unwrap_err();
        assert!(found.contains("give --largest-cost-usd"), "{found}");
    }
}

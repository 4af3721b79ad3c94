use super::*;
use pointsman_core::catalog::Catalog;
use std::path::Path;

const OPENROUTER: &str = r#"{"data": [
    {"id": "acme/swift", "context_length": 131072,
     "architecture": {"input_modalities": ["text", "image", "file"], "output_modalities": ["text"]},
     "pricing": {"prompt": "0.00000015", "completion": "0.0000006", "input_cache_read": "0.000000075",
                 "input_cache_write": "0.00000019", "internal_reasoning": "0.0000006", "request": "0"},
     "top_provider": {"context_length": 131072, "max_completion_tokens": 16384},
     "supported_parameters": ["tools", "seed", "structured_outputs", "tools"]},
    {"id": "acme/swift:free", "architecture": {"output_modalities": ["text"]},
     "pricing": {"prompt": "0", "completion": "0"}},
    {"id": "acme/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
    {"id": "acme/painter", "architecture": {"output_modalities": ["image"]},
     "pricing": {"prompt": "0.000001", "completion": "0.000001"}},
    {"id": "acme/odd", "pricing": {"prompt": "cheap", "completion": "0.1"}},
    {"id": "acme/priceless", "context_length": null},
    {"pricing": {"prompt": "1", "completion": "1"}},
    17
]}"#;

const MODELS_DEV: &str = r#"{
    "north": {"id": "north", "models": {
        "swift": {"id": "swift", "tool_call": true, "reasoning": true, "structured_output": true,
            "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
            "cost": {"input": 0.15, "output": 0.6, "cache_read": 0.075, "cache_write": 0.15},
            "limit": {"context": 128000, "output": 16384}},
        "embedder": {"modalities": {"input": ["text"], "output": ["vector"]},
            "cost": {"input": 0.02, "output": 0}, "limit": {"context": 8192}}}},
    "south": {"id": "south", "models": {
        "swift": {"tool_call": true, "reasoning": false, "status": "deprecated",
            "modalities": {"input": ["text", "image"], "output": ["text"]},
            "cost": {"input": 0.2, "output": 0.6, "context_over_200k": {"input": 0.4}},
            "limit": {"context": 64000, "output": 8192}},
        "gift": {"cost": {"input": 0, "output": 0}}}},
    "west": {"name": "no models"}
}"#;

const LITELLM: &str = r#"{
    "sample_spec": {"litellm_provider": "one of many", "mode": "chat", "input_cost_per_token": 0.0},
    "swift": {"litellm_provider": "north", "mode": "chat", "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07, "cache_read_input_token_cost": 7.500000000000001e-08,
        "max_input_tokens": 128000, "max_output_tokens": 16384.0, "supports_function_calling": true,
        "supports_vision": true, "input_cost_per_token_above_200k_tokens": 3e-07},
    "south/swift": {"litellm_provider": "south", "mode": "responses", "input_cost_per_token": "2e-07",
        "output_cost_per_token": 6e-07, "max_tokens": "64000", "supports_function_calling": true,
        "supports_vision": true},
    "south/east/swift": {"litellm_provider": "south", "mode": "chat", "input_cost_per_token": 2e-07,
        "output_cost_per_token": 8e-07},
    "south/painter": {"litellm_provider": "south", "mode": "image_generation"},
    "south/tiered": {"litellm_provider": "south", "mode": "chat", "tiered_pricing": []},
    "south/list": {"litellm_provider": "south", "mode": "chat", "input_cost_per_token": [1]},
    "nobody": {"mode": "chat"}
}"#;

fn read(text: &str, free: Free) -> (PriceFormat, PriceList) {
    let (format, offers) = offers(text.as_bytes(), None).unwrap();
    (format, assemble(offers, free))
}

fn toml(list: &PriceList) -> String {
    Catalog::from_models(list.models.clone(), None).unwrap().to_toml().unwrap()
}

/// What was left out, by reason, and what was noted.
fn said(list: &PriceList) -> Vec<String> {
    let left_out = list.left_out.iter().map(|(why, names)| format!("{why}: {}", names.join(", ")));
    let notes = list.notes.iter().map(|(note, n)| format!("{n} {}", note.of(*n)));
    left_out.chain(notes).collect()
}

#[test]
fn openrouter_lists_are_read() {
    let (format, list) = read(OPENROUTER, Free::LeftOut);
    assert_eq!(format, PriceFormat::OpenRouter);
    assert_eq!(
        toml(&list),
        r#"[[models]]
id = "acme/swift"
context_window = 131072
max_output_tokens = 16384
capabilities = ["tools", "images", "json_schema", "files"]

[[models.endpoints]]
provider = "openrouter"
input_usd_per_million = 0.15
output_usd_per_million = 0.6
cached_input_usd_per_million = 0.075
parameters = ["seed", "structured_outputs", "tools"]
"#
    );
    assert_eq!(
        said(&list),
        [
            "no chat model: it takes no text, gives none, or is called otherwise: \
             acme/painter at openrouter",
            "not an entry of this list: an entry without `id` at openrouter, \
             an entry without `id` at openrouter",
            "no price per token: acme/priceless at openrouter",
            "a negative price: a router that decides at each call: acme/auto at openrouter",
            "a price that is no number, or too large: acme/odd at openrouter",
            "free of charge: acme/swift:free at openrouter",
            "1 charges for what is written to the cache",
        ]
    );
    let (_, list) = read(OPENROUTER, Free::Kept);
    assert_eq!(list.models.len(), 2);
}

#[test]
fn endpoints_of_one_model_are_offers() {
    let text = r#"{"data": {"id": "acme/swift", "supported_parameters": ["seed"],
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "endpoints": [
            {"provider_name": "North", "context_length": 131072, "quantization": "fp8",
             "max_completion_tokens": 4096, "pricing": {"prompt": "0.000001", "completion": "0.000002"},
             "supported_parameters": ["tools"]},
            {"provider_name": "North", "context_length": 65536, "quantization": "fp7",
             "pricing": {"prompt": "0.0000005", "completion": "0.000002"}},
            {"provider_name": "North", "context_length": 1, "quantization": "fp8",
             "pricing": {"prompt": "0.0000001", "completion": "0.000002"}}]}}"#;
    let (_, list) = read(text, Free::LeftOut);
    assert_eq!(
        toml(&list),
        r#"[[models]]
id = "acme/swift"
context_window = 131072
max_output_tokens = 4096

[[models.endpoints]]
provider = "North"
input_usd_per_million = 0.5
output_usd_per_million = 2.0
context_window = 65536
parameters = ["seed"]

[[models.endpoints]]
provider = "North"
input_usd_per_million = 1.0
output_usd_per_million = 2.0
quantization = "fp8"
parameters = ["tools"]
"#
    );
    assert_eq!(
        said(&list),
        [
            "a second entry for its model and provider: acme/swift at North",
            "1 has a weight format that is not known",
            "1 has a capability that not every provider states",
        ]
    );
}

#[test]
fn models_dev_is_read_with_the_places_of_a_model_together() {
    let (format, list) = read(MODELS_DEV, Free::LeftOut);
    assert_eq!(format, PriceFormat::ModelsDev);
    assert_eq!(
        toml(&list),
        r#"[[models]]
id = "swift"
context_window = 128000
max_output_tokens = 8192
capabilities = ["tools", "images"]

[[models.endpoints]]
provider = "north"
input_usd_per_million = 0.15
output_usd_per_million = 0.6
cached_input_usd_per_million = 0.075

[[models.endpoints]]
provider = "south"
input_usd_per_million = 0.2
output_usd_per_million = 0.6
context_window = 64000
"#
    );
    assert_eq!(
        said(&list),
        [
            "no chat model: it takes no text, gives none, or is called otherwise: embedder at north",
            "not an entry of this list: a provider without `models` at west",
            "free of charge: gift at south",
            "1 charges more for long prompts",
            "1 is said to be on its way out",
            "1 has a capability that not every provider states",
            "1 has providers with different longest answers",
        ]
    );
}

#[test]
fn litellm_is_read_with_the_places_of_a_model_together() {
    let (format, list) = read(LITELLM, Free::LeftOut);
    assert_eq!(format, PriceFormat::LiteLlm);
    assert_eq!(
        toml(&list),
        r#"[[models]]
id = "east/swift"

[[models.endpoints]]
provider = "south"
input_usd_per_million = 0.2
output_usd_per_million = 0.8

[[models]]
id = "swift"
context_window = 128000
max_output_tokens = 16384
capabilities = ["tools", "images"]

[[models.endpoints]]
provider = "north"
input_usd_per_million = 0.15
output_usd_per_million = 0.6
cached_input_usd_per_million = 0.075

[[models.endpoints]]
provider = "south"
input_usd_per_million = 0.2
output_usd_per_million = 0.6
context_window = 64000
"#
    );
    assert_eq!(
        said(&list),
        [
            "no chat model: it takes no text, gives none, or is called otherwise: painter at south",
            "the sample entry of the list: sample_spec at one of many",
            "not an entry of this list: nobody at unknown",
            "no price per token: tiered at south",
            "a price that is no number, or too large: list at south",
            "1 charges more for long prompts",
            "1 has a price that was rounded to a whole nanodollar",
        ]
    );
}

#[track_caller]
fn check_refusal(text: &str, format: Option<PriceFormat>, expected: &str) {
    let message = offers(text.as_bytes(), format).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn what_is_no_list_gets_a_sentence() {
    check_refusal("", None, "it is not JSON: EOF");
    check_refusal("PAR1\u{15}\u{4}", None, "it is Parquet, and price lists are JSON");
    check_refusal("{\"data\": [", None, "download the list again");
    check_refusal("[]", None, "it is no price list of OpenRouter");
    check_refusal("{}", None, "it is no price list of OpenRouter");
    check_refusal("{\"a\": 1}", None, "name its format with --from");
    check_refusal(
        "{\"data\": 3}",
        Some(PriceFormat::OpenRouter),
        "not of the form of OpenRouter: its `data` is no list of models",
    );
    check_refusal("{}", Some(PriceFormat::OpenRouter), "it has no `data`");
    check_refusal("[]", Some(PriceFormat::ModelsDev), "it is no object of providers");
    check_refusal("[]", Some(PriceFormat::LiteLlm), "it is no object of models");
}

/// Real lists hold what no fixture thinks of: every price has to come out, and every entry has to be
/// either an endpoint or counted.
#[test]
fn real_lists_are_read_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/catalogue");
    for name in
        ["openrouter_models_via_modelsdev_2026-05.json", "litellm_model_prices_1.109.1.json"]
    {
        let path = folder.join(name);
        let Ok(text) = std::fs::read(&path) else {
            eprintln!("skipped: {} is not there", path.display());
            continue;
        };
        let (_, offers) = offers(&text, None).unwrap();
        let n_offers = offers.len();
        let list = assemble(offers, Free::LeftOut);
        let n_endpoints: usize = list.models.iter().map(|model| model.endpoints.len()).sum();
        let n_left_out: usize = list.left_out.values().map(Vec::len).sum();
        assert_eq!(n_endpoints + n_left_out, n_offers, "{name}");
        assert!(!list.left_out.contains_key(&LeftOut::BadPrice), "{:?}", list.left_out);
        let catalog = Catalog::from_models(list.models, None).unwrap();
        assert_eq!(Catalog::from_toml(&catalog.to_toml().unwrap()).unwrap(), catalog, "{name}");
    }
}

//! A service with a small policy, a clock that stands still and dice that repeat themselves.

use axum::{Router, body::Body, http::Request};
use http_body_util::BodyExt;
use pointsman_core::{
    artifact::{Artifact, Card, Origin, Provenance, Standing},
    catalog::Catalog,
    features::{Bigrams, FeatureSchema, N_DENSE},
    objective::{Band, OperatingPoint},
    scorer::{DenseScaling, LogLine, Scorer, ScorerParts, TokenLength},
    units::Probability,
};
use pointsman_log::journal::{Disk, Storage};
use pointsman_serve::{
    Service,
    effects::Effects,
    http::{self, Reload},
    loaded::Loaded,
    settings::Settings,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

pub(crate) const MODELS: [&str; 4] = ["large", "middle", "small", "tiny"];

pub(crate) const CATALOG: &str = r#"
    [[models]]
    id = "large"
    context_window = 100000
    capabilities = ["tools", "images", "json_schema"]
    [[models.endpoints]]
    provider = "quarry"
    input_usd_per_million = 2.5
    output_usd_per_million = 10.0
    cached_input_usd_per_million = 0.25
    data_policy = "no_training"
    ttft_ms = 400.0
    tokens_per_second = 40.0
    [[models.endpoints]]
    provider = "harbour"
    input_usd_per_million = 3.0
    output_usd_per_million = 12.0
    data_policy = "zero_retention"
    quantization = "fp16"
    [[models]]
    id = "middle"
    capabilities = ["tools"]
    [[models.endpoints]]
    provider = "quarry"
    input_usd_per_million = 0.5
    output_usd_per_million = 2.0
    [[models]]
    id = "small"
    capabilities = ["tools"]
    [[models.endpoints]]
    provider = "harbour"
    input_usd_per_million = 0.15
    output_usd_per_million = 0.6
    [[models]]
    id = "tiny"
    context_window = 1000
    [[models.endpoints]]
    provider = "harbour"
    input_usd_per_million = 0.05
    output_usd_per_million = 0.2
"#;

/// An artifact whose models differ in their intercepts; `seed` makes another file of it.
pub(crate) fn artifact(seed: u64) -> Artifact {
    artifact_of(seed, &[0.9, 0.8, 0.7, 0.4])
}

/// An artifact of the first models, with their intercepts.
pub(crate) fn artifact_of(seed: u64, intercepts: &[f32]) -> Artifact {
    let schema = FeatureSchema::new(8, Bigrams::With).unwrap();
    let (n_models, n_columns) = (intercepts.len(), intercepts.len() + 1);
    let line = LogLine { intercept: 5.0, slope: 0.0, least: 1.0, most: 4000.0 };
    let parts = ScorerParts {
        schema,
        n_models,
        term_weights: (0..schema.n_buckets() * n_columns)
            .map(|index| i8::try_from(index * 7 % 41).unwrap() - 20)
            .collect(),
        squared_idf: vec![256; schema.n_buckets()],
        scales: vec![0.001; n_columns],
        intercepts: [intercepts, &[0.0]].concat(),
        dense_weights: vec![0.0; N_DENSE * n_columns],
        dense_scaling: DenseScaling { centres: [0.0; N_DENSE], factors: [0.0; N_DENSE] },
        factor: None,
        clusters: None,
        token_length: TokenLength::Shared,
        output_tokens: Some(vec![line; n_models]),
        cost_usd: None,
        input_tokens_per_byte: 0.25,
    };
    let band =
        |value| Band { value, lower: value, upper: value, level: Probability::new(0.95).unwrap() };
    let point = |name: &str, per_dollar| OperatingPoint {
        name: name.to_owned(),
        per_dollar,
        favour: None,
        quality: band(0.8),
        cost_usd: band(0.001),
        cost_share: None,
        strong_share: None,
        guarantee: None,
    };
    let card = Card {
        name: "test".to_owned(),
        schema,
        models: MODELS[..n_models].iter().map(|&name| name.to_owned()).collect(),
        mean_quality: None,
        operating_points: vec![point("quality", 0.0), point("economy", 1e6)],
        standing: Standing { best_single: "large".to_owned(), sentence: "Route.".to_owned() },
        pruning: None,
        foresight: Vec::new(),
        provenance: Provenance {
            origin: Origin::OutcomeTable,
            data_digest: "0".repeat(64),
            n_requests: 1,
            n_outcomes: 1,
            seed,
            version: "test".to_owned(),
            settings: BTreeMap::new(),
        },
    };
    Artifact::new(&card, &Scorer::new(parts).unwrap(), &[1]).unwrap()
}

pub(crate) fn loaded(seed: u64) -> Loaded {
    loaded_from(artifact(seed))
}

pub(crate) fn loaded_from(artifact: Artifact) -> Loaded {
    Loaded::new(artifact, &Catalog::from_toml(CATALOG).unwrap(), None).unwrap()
}

/// The numbers of `SplitMix64`, whose steps any number of threads may take.
///
/// Source: Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
fn dice() -> impl Fn() -> u64 + Send + Sync {
    let state = AtomicU64::new(7);
    move || {
        let mut z = state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// A service in a folder of its own.
pub(crate) struct Bench {
    pub(crate) service: Arc<Service>,
    pub(crate) clock_ms: Arc<AtomicU64>,
    /// By how much the time of day has stepped back.
    back_ms: Arc<AtomicU64>,
    callers: Router,
    operators: Router,
    folder: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// What has to be an error object, as its status and code.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        let json = self.json();
        let error = &json["error"];
        assert!(error["message"].is_string() && error["type"].is_string(), "{json}");
        (self.status, error["code"].as_str().unwrap().to_owned())
    }
}

impl Bench {
    /// A service with a journal, and further settings as TOML.
    pub(crate) fn new(toml: &str) -> Self {
        Self::with(toml, Vec::new())
    }

    pub(crate) fn with(toml: &str, shadows: Vec<Loaded>) -> Self {
        let folder = TempDir::new().unwrap();
        let journal = format!("folder = {:?}", folder.path().join("journal"));
        let toml = if toml.contains("[journal]") {
            toml.replace("[journal]", &format!("[journal]\n{journal}"))
        } else {
            format!("{toml}\n[journal]\n{journal}\n")
        };
        Self::in_folder(folder, Arc::new(Disk), (&Settings::from_toml(&toml).unwrap(), shadows))
    }

    /// A service whose journal is on a disk that may run full.
    pub(crate) fn on(storage: Arc<dyn Storage>, journal: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let toml = format!(
            "[explore]\nhow = \"epsilon:1\"\nshare = 1.0\n[journal]\nfolder = {:?}\n{journal}",
            folder.path().join("journal")
        );
        Self::in_folder(folder, storage, (&Settings::from_toml(&toml).unwrap(), Vec::new()))
    }

    fn in_folder(
        folder: TempDir,
        storage: Arc<dyn Storage>,
        (settings, shadows): (&Settings, Vec<Loaded>),
    ) -> Self {
        let clock_ms = Arc::new(AtomicU64::new(NOW_MS));
        let back_ms = Arc::new(AtomicU64::new(0));
        let (now, elapsed) = (Arc::clone(&clock_ms), Arc::clone(&clock_ms));
        let back = Arc::clone(&back_ms);
        let effects = Effects {
            now_ms: Box::new(move || now.load(Ordering::Relaxed) - back.load(Ordering::Relaxed)),
            elapsed_ns: Box::new(move || 1_000_000 * (elapsed.load(Ordering::Relaxed) - NOW_MS)),
            random: Box::new(dice()),
        };
        let service = Service::on(storage, settings.clone(), loaded(1), (shadows, effects));
        let service = service.unwrap();
        let service = Arc::new(service);
        let reload: Reload = Arc::new(|service: &Service| {
            service.swap(loaded(2));
            Ok(artifact(2).digest().to_owned())
        });
        let callers = http::callers(Arc::clone(&service));
        let operators = http::admin(Arc::clone(&service), reload);
        Self { service, clock_ms, back_ms, callers, operators, folder }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// The lines of the journal.
    pub(crate) fn lines(&self) -> Vec<Value> {
        lines(&self.journal())
    }

    pub(crate) fn passes(&self, ms: u64) {
        self.clock_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// The time of day steps back; what has passed since the start does not.
    pub(crate) fn steps_back(&self, ms: u64) {
        self.back_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn send(&self, request: Request<Body>) -> Answer {
        answer(&self.callers, request)
    }

    pub(crate) fn operate(&self, request: Request<Body>) -> Answer {
        answer(&self.operators, request)
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::post(path).body(body.into()).unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
    }

    /// Routes a call that has to succeed.
    #[track_caller]
    pub(crate) fn route(&self, body: &str) -> Value {
        let answer = self.post("/route", body.to_owned());
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

pub(crate) fn lines(journal: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn answer(router: &Router, request: Request<Body>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = router.clone().oneshot(request).await.unwrap();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    })
}

//! The rules of the tree, as data; `e2e/edges.rs` holds the manifests to them.
//!
//! The design draws the same edges in ARCHITECTURE.md. An edge that is not here is not allowed: a
//! new one is a decision about where a boundary runs, and is made here first.

/// What each package may name in `[dependencies]`, of the packages of this workspace.
pub const MAY_DEPEND_ON: [(&str, &[&str]); 9] = [
    ("pointsman-core", &[]),
    ("pointsman-log", &["pointsman-core"]),
    ("pointsman-data", &["pointsman-core", "pointsman-log"]),
    ("pointsman-train", &["pointsman-core"]),
    ("pointsman-eval", &["pointsman-core"]),
    ("pointsman-serve", &["pointsman-core", "pointsman-log"]),
    ("pointsman-import", &["pointsman-core", "pointsman-log"]),
    (
        "pointsman-cli",
        &[
            "pointsman-core",
            "pointsman-log",
            "pointsman-data",
            "pointsman-train",
            "pointsman-eval",
            "pointsman-serve",
            "pointsman-import",
        ],
    ),
    ("pointsman-testkit", &[]),
];

/// Packages that nothing depends on and that may depend on everything.
pub const MAY_DEPEND_ON_ALL: [&str; 2] = ["pointsman-tests", "pointsman-benches"];

/// What every package may name in `[dev-dependencies]`, besides what it may depend on.
pub const FOR_TESTS: &str = "pointsman-testkit";

/// Crates that cost minutes or megabytes, or do what some packages must not do, with the packages
/// that may have them below them. A name ending in `*` stands for all that begin so.
pub const ONLY_BELOW: [(&str, &[&str]); 8] = [
    ("polars*", &["pointsman-data", "pointsman-cli"]),
    ("linfa*", &["pointsman-train", "pointsman-cli"]),
    ("tokio*", &["pointsman-serve", "pointsman-data", "pointsman-cli"]),
    ("axum*", &["pointsman-serve", "pointsman-cli"]),
    // Polars brings a client of object stores with its feature `lazy`; nothing calls it.
    ("hyper*", &["pointsman-serve", "pointsman-data", "pointsman-cli"]),
    ("reqwest", &["pointsman-serve", "pointsman-data", "pointsman-cli"]),
    ("clap*", &["pointsman-cli"]),
    // linfa-linear brings an optimiser that has it; nothing of ours below the command line uses it.
    ("anyhow", &["pointsman-data", "pointsman-train", "pointsman-cli"]),
];

/// Crates by which `pointsman-core` could read a clock, draw a number, call out, or wait.
pub const NEVER_BELOW_CORE: [&str; 8] =
    ["rand", "rand_core", "chrono", "time", "tokio", "mio", "reqwest", "rayon"];

//! The packages depend on each other as the design says, and carry what they may.

use crate::workbench::cargo;
use pointsman_tests::{FOR_TESTS, MAY_DEPEND_ON, MAY_DEPEND_ON_ALL, NEVER_BELOW_CORE, ONLY_BELOW};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One line of a manifest: who names whom, and whether in `[dependencies]`.
#[derive(Debug)]
struct Edge {
    from: String,
    to: String,
    is_for_tests: bool,
}

#[test]
fn edges_are_those_of_the_design() {
    let (packages, edges) = workspace();
    for package in &packages {
        let is_known = MAY_DEPEND_ON.iter().any(|(name, _)| name == package)
            || MAY_DEPEND_ON_ALL.contains(&package.as_str());
        assert!(is_known, "say in tests/src/lib.rs what {package} may depend on");
    }
    for Edge { from, to, is_for_tests } in edges.iter().filter(|edge| packages.contains(&edge.to)) {
        if MAY_DEPEND_ON_ALL.contains(&from.as_str()) {
            continue;
        }
        let allowed = MAY_DEPEND_ON.iter().find(|(name, _)| name == from).map(|(_, to)| *to);
        let is_allowed = allowed.is_some_and(|allowed| allowed.contains(&to.as_str()));
        assert!(
            is_allowed || (*is_for_tests && to == FOR_TESTS),
            "{from} must not depend on {to}: the design draws no such edge"
        );
    }
}

#[test]
fn heavy_crates_stay_where_they_belong() {
    let (packages, _) = workspace();
    for package in packages.iter().filter(|name| !MAY_DEPEND_ON_ALL.contains(&name.as_str())) {
        for dependency in below(package) {
            for (heavy, allowed) in ONLY_BELOW {
                assert!(
                    !is_named(&dependency, heavy) || allowed.contains(&package.as_str()),
                    "{package} has {dependency} below it, which only {allowed:?} may"
                );
            }
        }
    }
}

#[test]
fn core_can_read_no_clock_and_draw_no_number() {
    let found = below("pointsman-core");
    for name in NEVER_BELOW_CORE {
        assert!(!found.contains(name), "pointsman-core has {name} below it");
    }
}

/// The demo builds one package, the tests build all: with other features of a common dependency,
/// everything above it, Polars first, would be compiled twice.
#[test]
fn demo_and_tests_share_their_dependencies() {
    let format = "--format={p}\t{f}";
    let tree = |selection, edges| {
        features(&cargo(&["tree", "--locked", selection, edges, "--prefix=none", format]))
    };
    let together = tree("--workspace", "--edges=normal,dev");
    for (package, of_demo) in tree("--package=pointsman-cli", "--edges=normal") {
        // More in the tests is what build scripts and macros have, which are compiled apart.
        let of_tests = &together[&package];
        assert!(
            of_demo.is_subset(of_tests),
            "{package} has the features {of_tests:?} in the tests, {of_demo:?} in the demo"
        );
    }
}

fn features(tree: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tree.lines() {
        let (package, listed) =
            line.trim_end_matches(" (*)").split_once('\t').unwrap_or((line, ""));
        let listed = listed.trim().to_owned();
        features.entry(package.to_owned()).or_default().insert(listed);
    }
    features
}

fn is_named(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// The packages of the workspace, and every dependency that their manifests name.
fn workspace() -> (BTreeSet<String>, Vec<Edge>) {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version=1", "--locked"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (mut packages, mut edges) = (BTreeSet::new(), Vec::new());
    for package in metadata["packages"].as_array().unwrap() {
        packages.insert(text(&package["name"]));
        for dependency in package["dependencies"].as_array().unwrap() {
            edges.push(Edge {
                from: text(&package["name"]),
                to: text(&dependency["name"]),
                is_for_tests: dependency["kind"] == "dev",
            });
        }
    }
    (packages, edges)
}

/// The names of all that is compiled into a package.
fn below(package: &str) -> BTreeSet<String> {
    let package = format!("--package={package}");
    let tree =
        cargo(&["tree", "--locked", &package, "--edges=normal", "--prefix=none", "--format={p}"]);
    tree.lines().skip(1).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

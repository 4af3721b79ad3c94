//! Figures as other benchmarks define them, from the command line.

use crate::{tables::outcomes, workbench::Workbench};
use serde_json::Value;

/// The rows of two models of the world, one clearly better than the other, or of all of them.
fn table(models: Option<[usize; 2]>) -> String {
    let all = outcomes(0..300);
    let n_models = pointsman_testkit::World::new(11).n_models();
    let is_kept = |line: usize| models.is_none_or(|models| models.contains(&(line % n_models)));
    let lines = all.lines().enumerate().filter(|(line, _)| is_kept(*line));
    lines.flat_map(|(_, line)| [line, "\n"]).collect()
}

fn routers(table: &str) -> Value {
    let bench = Workbench::with(&[("t.ndjson", table.as_bytes())]);
    let text = bench.done("benchmark t.ndjson --json b.json");
    let found = bench.json("b.json")["tables"]["t"]["routers"].clone();
    let has_pair = !found["oracle"]["published"]["routellm"].is_null();
    assert_eq!(text.contains("CPT(50 %)"), has_pair, "{text}");
    found
}

#[test]
fn two_models_have_the_figures_of_a_pair() {
    let found = routers(&table(Some([0, 2])));
    let pair = |router: &str| found[router]["published"]["routellm"].clone();
    let number = |router: &str, figure: &str| pair(router)[figure].as_f64().unwrap();
    // Knowing every outcome recovers the gap with fewer calls than knowing none.
    assert!(number("oracle", "cpt_50") < number("best_single", "cpt_50"));
    assert!(number("oracle", "apgr") > number("pointsman", "apgr"));
    for router in ["pointsman", "best_single", "oracle"] {
        assert!(number(router, "cpt_50") <= number(router, "cpt_80"), "{router}");
        let points = pair(router)["pgr"].as_array().unwrap().clone();
        assert_eq!(points.len(), 11, "{router}");
        assert_eq!(points[0]["strong_share"], 0.0);
        assert_eq!(points[10]["strong_share"], 1.0);
    }
    assert!(pair("mix").is_null() && pair("random").is_null());
}

#[test]
fn more_models_have_the_others() {
    let found = routers(&table(None));
    for router in ["pointsman", "oracle"] {
        let published = &found[router]["published"];
        assert!(published["routellm"].is_null());
        assert!(published["routerbench"]["aiq"].is_f64(), "{published}");
        assert!(published["llmrouterbench"]["perf_gain"].is_f64(), "{published}");
    }
    let saving = found["oracle"]["published"]["llmrouterbench"]["cost_save"].as_f64().unwrap();
    let match_share = found["oracle"]["cost_to_match"].as_f64().unwrap();
    assert!((saving + match_share - 1.0).abs() < 1e-12);
}

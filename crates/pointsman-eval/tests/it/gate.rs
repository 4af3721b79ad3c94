//! The gate's own decision on simulated logs: rarely wrong at a margin's edge, and right more
//! often the clearer the case. `docs/gate.md` shows the figures, which are held to it here.

use crate::{
    choice::{EVEN, World},
    coverage::Draws,
};
use pointsman_eval::{
    bounds::{Evidence, Rival, ValueRange},
    gate::{Condition, Decision, Verdict, Wanted, decide},
    interval::ConfidenceLevel,
};

/// The true difference to the logger, which takes the second model with its propensity.
fn truth(world: World) -> f64 {
    let [first, second] = world.success;
    world.truth() - (world.propensity * second + (1.0 - world.propensity) * first)
}

/// What is stated about a log, and what is asked besides quality.
#[derive(Clone, Copy)]
struct Setting {
    is_support_stated: bool,
    asks_cost: bool,
}

/// Of `n_logs` logs, the shares that ship and that are held, where the truth exceeds the margin of
/// quality by `room`. A cost of one or two cents a row follows the model that was taken, and keeps
/// its margin with ease.
fn shares(setting: Setting, n_logs: u32, n_rows: usize, room: f64) -> (f64, f64) {
    let mut draws = Draws::new(11);
    let (mut n_shipped, mut n_held) = (0, 0);
    for _ in 0..n_logs {
        let (weights, values) = EVEN.log(&mut draws, n_rows);
        let costs: Vec<f64> = values.iter().map(|value| 0.01 + 0.01 * value).collect();
        let (quality, cost) = (ValueRange::QUALITY, ValueRange::new(0.0, 0.03).unwrap());
        let pair = |values, range| {
            let pair = Evidence::new(&weights, values, range).unwrap();
            let pair = pair.against(Rival::Logged).unwrap();
            let pair =
                if setting.is_support_stated { pair.with_full_support(2.0).unwrap() } else { pair };
            Some(pair)
        };
        let margin = Wanted::AtLeast(truth(EVEN) - room);
        let mut conditions = vec![Condition { wanted: margin, evidence: pair(&values, quality) }];
        if setting.asks_cost {
            let wanted = Wanted::AtMost(0.02);
            conditions.push(Condition { wanted, evidence: pair(&costs, cost) });
        }
        let Decision { verdict, .. } = decide(&conditions, 0, ConfidenceLevel::P95).unwrap();
        n_shipped += u32::from(verdict == Verdict::Ship);
        n_held += u32::from(verdict == Verdict::Hold);
    }
    let share = |n: u32| f64::from(n) / f64::from(n_logs);
    (share(n_shipped), share(n_held))
}

const SETTINGS: [Setting; 4] = [
    Setting { is_support_stated: true, asks_cost: false },
    Setting { is_support_stated: false, asks_cost: false },
    Setting { is_support_stated: true, asks_cost: true },
    Setting { is_support_stated: false, asks_cost: true },
];

/// Of 1,000 logs, one in twenty may ship; two standard errors of that are 1.4 %.
#[test]
fn the_margins_edge_rarely_ships_and_is_rarely_held() {
    for setting in SETTINGS {
        for n_rows in [300, 1000, 3000] {
            let (shipped, held) = shares(setting, 1000, n_rows, 0.0);
            assert!(shipped <= 0.064, "{n_rows} rows: ships {shipped}");
            assert!(held <= 0.064, "{n_rows} rows: holds {held}");
        }
    }
}

/// The table of the page, row for row: the share of 500 logs that ship.
#[test]
fn the_power_is_what_the_page_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gate.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut missing = Vec::new();
    for n_rows in [300, 1000, 3000, 10_000] {
        let mut row = format!("| {n_rows} |");
        for room in [-0.05, 0.0, 0.02, 0.05, 0.1, 0.2] {
            let (shipped, _) = shares(SETTINGS[3], 500, n_rows, room);
            row += &format!(" {:.1} % |", 100.0 * shipped);
        }
        if !page.contains(&row) {
            missing.push(row);
        }
    }
    assert!(missing.is_empty(), "docs/gate.md lacks\n{}", missing.join("\n"));
}

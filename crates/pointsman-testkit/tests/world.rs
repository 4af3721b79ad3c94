//! Laws of the simulated world, on thousands of requests: bands, repetition, agreement with truth.

use std::collections::BTreeSet;

use pointsman_testkit::{SimulatedRequest, Task, World, log_rounds, true_value};

const SEED: u64 = 20_260_101;
const N_REQUESTS: u64 = 5_000;
const CHEAP: usize = 0;

fn float(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::NAN, f64::from)
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / float(values.len())
}

fn best(values: &[f64]) -> usize {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

fn requests(world: &World, n: u64) -> Vec<SimulatedRequest> {
    (0..n).map(|index| world.request(index)).collect()
}

fn qualities(world: &World, requests: &[SimulatedRequest]) -> Vec<Vec<f64>> {
    requests
        .iter()
        .map(|request| world.truth(request).iter().map(|it| it.expected_quality).collect())
        .collect()
}

fn mean_per_model(rows: &[Vec<f64>]) -> Vec<f64> {
    (0..rows[0].len()).map(|model| mean(rows.iter().map(|row| row[model]))).collect()
}

#[test]
fn the_same_seed_is_the_same_world() {
    let (one, two, other) = (World::new(SEED), World::new(SEED), World::new(SEED + 1));
    let mut n_same = 0;
    for index in (0..400).rev().step_by(7) {
        let (left, right) = (one.request(index), two.request(index));
        assert_eq!(left.prompt, right.prompt);
        assert_eq!((&left.id, &left.conversation), (&right.id, &right.conversation));
        assert_eq!((left.turn, left.timestamp_ms), (right.turn, right.timestamp_ms));
        assert_eq!(one.truth(&left), two.truth(&right));
        assert_eq!(one.outcomes(&left), two.outcomes(&right));
        for (model, outcome) in one.outcomes(&left).iter().enumerate() {
            assert_eq!(*outcome, one.outcome(&left, model));
        }
        n_same += u32::from(other.request(index).prompt == left.prompt);
    }
    assert_eq!(n_same, 0);
}

#[test]
fn prompts_are_varied_and_of_bearable_length() {
    let requests = requests(&World::new(SEED), N_REQUESTS);
    let distinct: BTreeSet<&str> = requests.iter().map(|it| it.prompt.as_str()).collect();
    let share = float(distinct.len()) / float(requests.len());
    let mut lengths: Vec<usize> = requests.iter().map(|it| it.prompt.len()).collect();
    lengths.sort_unstable();
    let at = |percent: usize| lengths[(lengths.len() - 1) * percent / 100];
    eprintln!(
        "distinct {share:.4}, bytes: mean {:.0}, least {}, 5 % {}, median {}, 95 % {}, most {}",
        mean(lengths.iter().map(|&bytes| float(bytes))),
        at(0),
        at(5),
        at(50),
        at(95),
        at(100)
    );
    assert!((0.93..0.995).contains(&share), "{share}");
    assert!(60 <= at(0) && at(90) <= 900 && at(100) <= 4_000);
    assert!(2_000 < at(100), "some prompts are long");
    assert!(requests.iter().all(|it| !it.prompt.contains(['‹', '›'])));
    let tasks: BTreeSet<&str> = requests.iter().map(|it| it.task).collect();
    assert_eq!(tasks.len(), Task::COUNT);
}

#[test]
fn conversations_are_short_runs_of_one_task() {
    let requests = requests(&World::new(SEED), N_REQUESTS);
    for pair in requests.windows(2) {
        assert!(pair[0].timestamp_ms < pair[1].timestamp_ms);
        if pair[1].turn == 0 {
            assert_ne!(pair[0].conversation, pair[1].conversation);
        } else {
            assert_eq!(pair[0].conversation, pair[1].conversation);
            assert_eq!(pair[0].turn + 1, pair[1].turn);
            assert_eq!(pair[0].task, pair[1].task);
        }
    }
    let longest = requests.iter().map(|it| it.turn).max();
    assert_eq!(longest, Some(5));
}

#[test]
fn repeated_prompts_have_the_same_truth_and_their_own_outcomes() {
    let world = World::new(SEED);
    let mut requests: Vec<SimulatedRequest> =
        requests(&world, N_REQUESTS).into_iter().filter(|it| it.turn == 0).collect();
    requests.sort_by(|a, b| a.prompt.cmp(&b.prompt));
    let (mut n_repeats, mut n_different) = (0, 0);
    for pair in requests.windows(2).filter(|pair| pair[0].prompt == pair[1].prompt) {
        n_repeats += 1;
        assert_eq!(world.truth(&pair[0]), world.truth(&pair[1]));
        n_different += u32::from(world.outcomes(&pair[0]) != world.outcomes(&pair[1]));
    }
    assert!(20 < n_repeats, "{n_repeats}");
    assert_eq!(n_repeats, n_different);
}

#[track_caller]
fn check_bands(seed: u64) {
    let world = World::new(seed);
    let requests = requests(&world, N_REQUESTS);
    let rows = qualities(&world, &requests);
    let means = mean_per_model(&rows);
    let single = means[best(&means)];
    let oracle = mean(rows.iter().map(|row| row[best(row)]));
    eprintln!("seed {seed}: means {means:.3?}, best single {single:.4}, oracle {oracle:.4}");
    assert!(rows.iter().flatten().all(|quality| (0.0..=1.0).contains(quality)));
    assert!((0.78..0.84).contains(&single), "best single {single}");
    assert!((0.05..0.08).contains(&(oracle - single)), "oracle gap {}", oracle - single);
    assert!((0.60..0.66).contains(&means[CHEAP]), "cheap {}", means[CHEAP]);
}

#[test]
fn means_stay_in_their_bands() {
    for seed in [SEED, 1, 2, 3, 7, 42, 99] {
        check_bands(seed);
    }
}

#[test]
fn specialists_lead_in_their_field() {
    let world = World::new(SEED);
    let requests = requests(&world, N_REQUESTS);
    for (task, leader) in [
        (Task::CodeWriting, "kestrel-code"),
        (Task::BugFixing, "kestrel-code"),
        (Task::Translation, "plover-lingua"),
        (Task::Algebra, "crane-reason"),
    ] {
        let of_task: Vec<SimulatedRequest> =
            requests.iter().filter(|it| it.task_kind() == task).cloned().collect();
        let means = mean_per_model(&qualities(&world, &of_task));
        assert_eq!(world.models()[best(&means)].id, leader, "{task:?}: {means:.3?}");
    }
}

#[test]
fn outcomes_agree_with_the_truth_in_the_mean() {
    let world = World::new(SEED);
    let requests = requests(&world, N_REQUESTS);
    let mut n_failed = 0;
    for model in 0..world.n_models() {
        let mut differences: [Vec<f64>; 4] = std::array::from_fn(|_| Vec::new());
        for request in &requests {
            let (truth, outcome) = (world.truth(request)[model], world.outcome(request, model));
            assert!((0.0..=1.0).contains(&outcome.quality) && 0.0 < outcome.latency_ms);
            assert!(!outcome.failed || outcome.quality == 0.0);
            assert!(0 < outcome.input_tokens && 0 < outcome.output_tokens);
            n_failed += u32::from(outcome.failed);
            let number = |n: u64| f64::from(u32::try_from(n).unwrap());
            differences[0].push(outcome.quality - truth.expected_quality);
            differences[1].push(number(outcome.output_tokens) - truth.expected_output_tokens);
            differences[2].push(outcome.latency_ms - truth.expected_latency_ms);
            differences[3].push(number(outcome.cost_nanodollars) - truth.expected_cost_nanodollars);
        }
        for (what, differences) in ["quality", "tokens", "latency", "cost"].iter().zip(differences)
        {
            let bias = mean(differences.iter().copied());
            let variance = mean(differences.iter().map(|it| (it - bias).powi(2)));
            let std_error = (variance / float(differences.len())).sqrt();
            assert!(bias.abs() < 4.0 * std_error, "{what} of model {model}: {bias} ± {std_error}");
        }
    }
    let share = f64::from(n_failed) / (6.0 * float(requests.len()));
    assert!((0.003..0.007).contains(&share), "{share}");
}

#[test]
fn logged_rounds_weigh_back_to_the_true_value() {
    let world = World::new(SEED);
    let logger = |request: &SimulatedRequest| {
        let mut probabilities = vec![0.1; 6];
        probabilities[request.prompt.len() % 6] += 0.4;
        probabilities
    };
    let uniform = |_: &SimulatedRequest| vec![1.0 / 6.0; 6];
    let rounds = log_rounds(&world, 0..N_REQUESTS, &logger, 9);
    let weighted: Vec<f64> =
        rounds.iter().map(|it| it.outcome.quality / (6.0 * it.propensity)).collect();
    assert!(rounds.iter().all(|it| [0.1, 0.5].contains(&it.propensity)));
    let value = mean(weighted.iter().copied());
    let variance = mean(weighted.iter().map(|it| (it - value).powi(2)));
    let truth = true_value(&world, 0..N_REQUESTS, &uniform);
    let std_error = (variance / float(weighted.len())).sqrt();
    assert!((value - truth).abs() < 4.0 * std_error, "{value} against {truth} ± {std_error}");
}

//! A team's own log, from what its gateway wrote to a decision: every step of "use it on your logs".
//!
//! The gateway is simulated: for one `model_group` it draws one of three models, the dear one the more
//! often the longer the request is, and writes down neither that nor what else it could have drawn.

use crate::{
    tables::{CATALOG, QUICK},
    workbench::{Finished, Workbench},
};
use pointsman_core::{
    artifact::Artifact,
    policy::{Policy, Workspace},
    request::Request,
    units::{Probability, as_float},
};
use pointsman_testkit::{Draws, SimulatedRequest, Stream, World};
use serde_json::json;
use std::{fmt::Write as _, ops::Range};

/// The models behind the gateway's group.
const POOL: [&str; 3] = ["heron-large", "kestrel-code", "tern-mini"];

const EARLIER: Range<u64> = 0..1500;
const LATER: Range<u64> = 1500..3000;

/// The gateway's chances, which nobody wrote down, in the order of [`POOL`].
fn chances(request: &SimulatedRequest) -> [f64; 3] {
    let n_bytes = as_float(u64::try_from(request.prompt.len()).unwrap());
    let length = ((n_bytes.ln() - 4.0) / 4.0).clamp(0.0, 1.0);
    let dear = 0.2 + 0.5 * length;
    [dear, (1.0 - dear) / 2.0, (1.0 - dear) / 2.0]
}

fn place(world: &World, name: &str) -> usize {
    world.models().iter().position(|model| model.id == name).unwrap()
}

/// What LiteLLM's callbacks write of some requests, one payload a line; `group` says what was asked
/// for where a model answered.
fn payloads(world: &World, indices: Range<u64>, group: impl Fn(&str) -> String) -> String {
    let mut log = String::new();
    for index in indices {
        let request = world.request(index);
        let drawn =
            Draws::keyed(5, Stream::Logging, &[index]).weighted_position(&chances(&request));
        let model = POOL[drawn];
        let outcome = world.outcome(&request, place(world, model));
        let start = as_float(request.timestamp_ms) / 1e3;
        let row = json!({
            "id": request.id,
            "trace_id": request.conversation,
            "call_type": "acompletion",
            "startTime": start,
            "endTime": start + outcome.latency_ms / 1e3,
            "model": model,
            "model_group": group(model),
            "custom_llm_provider": world.models()[place(world, model)].provider,
            "messages": [{"role": "user", "content": request.prompt}],
            "response_cost": as_float(outcome.cost_nanodollars) / 1e9,
            "prompt_tokens": outcome.input_tokens,
            "completion_tokens": outcome.output_tokens,
            "status": if outcome.failed { "failure" } else { "success" },
            "metadata": {"eval_information": [
                {"eval_name": "correct", "overall_score": outcome.quality},
            ]},
        });
        writeln!(log, "{row}").unwrap();
    }
    log
}

/// The mean true quality of what a policy file does when quality is all that counts.
fn worth(file: &[u8], world: &World) -> f64 {
    let artifact = Artifact::from_bytes(file).unwrap();
    let names = &artifact.card().models;
    let policy = Policy::new(artifact.scorer().clone(), names, None).unwrap();
    let mut workspace = Workspace::new(&policy);
    let quality = |index| {
        let request = world.request(index);
        let asked = Request::from_prompt(&request.prompt);
        let decision = policy.decide(&asked, Probability::ZERO, &mut workspace).unwrap();
        world.truth(&request)[place(world, &names[decision.model])].expected_quality
    };
    LATER.map(quality).sum::<f64>() / as_float(LATER.end - LATER.start)
}

/// The mean true quality of what the gateway does.
fn logged(world: &World) -> f64 {
    let quality = |index| {
        let request = world.request(index);
        let truths = world.truth(&request);
        let of = |(name, chance): (&str, f64)| chance * truths[place(world, name)].expected_quality;
        POOL.into_iter().zip(chances(&request)).map(of).sum::<f64>()
    };
    LATER.map(quality).sum::<f64>() / as_float(LATER.end - LATER.start)
}

/// Both halves of the gateway's log, imported.
fn bench(world: &World, group: impl Fn(&str) -> String) -> Workbench {
    let bench = Workbench::with(&[
        ("spend.jsonl", payloads(world, EARLIER, &group).as_bytes()),
        ("later.jsonl", payloads(world, LATER, &group).as_bytes()),
        ("catalog.toml", CATALOG.as_bytes()),
        ("prompt.txt", b"Fix this function so that it compiles."),
    ]);
    bench.done("import --from litellm later.jsonl --out later --score correct");
    bench
}

/// The command's code, and one line that has to be told.
#[track_caller]
fn told(bench: &Workbench, arguments: &str, code: i32, expected: &str) -> String {
    let Finished { code: found, stdout, stderr } = bench.run(arguments);
    assert_eq!(found, Some(code), "{arguments}\n{stdout}{stderr}");
    let said = format!("{stdout}{stderr}");
    assert!(said.contains(expected), "{arguments}: `{expected}` is not in\n{said}");
    if code == 2 {
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    }
    said
}

const TRAIN: &str = "train --log logs --catalog catalog.toml --out policy.safetensors";
const EVALUATE: &str = "evaluate --log later --policy policy.safetensors --catalog catalog.toml";
const GATE: &str = "gate --log later --policy policy.safetensors --catalog catalog.toml \
                    --objective quality --against logged";
const ESTIMATED: &str = "--estimate-propensities";

#[test]
fn a_gateways_log_becomes_a_policy_that_is_better() {
    let world = World::new(11);
    let bench = bench(&world, |_| "chat".to_owned());
    let import = "import --from litellm spend.jsonl --out logs --score correct";
    let next = format!("next: pointsman {TRAIN} {ESTIMATED}");
    told(&bench, import, 0, &next);

    told(&bench, &format!("{TRAIN} {QUICK}"), 2, "--estimate-propensities estimates those");
    let said = told(
        &bench,
        &format!("{TRAIN} {QUICK} {ESTIMATED}"),
        0,
        "decisions name only the model that was drawn",
    );
    assert!(said.contains("are estimated by a model of the logger, not known"), "{said}");
    assert!(said.contains("Propensities are estimated."), "{said}");
    let card = told(&bench, "inspect policy.safetensors", 0, "Propensities are estimated.");
    assert!(card.contains("propensities = estimated for 1,"), "{card}");
    let (learned, logger) = (worth(&bench.read("policy.safetensors"), &world), logged(&world));
    assert!(logger + 0.02 < learned, "learned {learned:.4}, as logged {logger:.4}");

    told(&bench, EVALUATE, 2, "--estimate-propensities estimates those");
    told(&bench, &format!("{EVALUATE} {ESTIMATED}"), 0, "Propensities are estimated.");

    let margin = "--min-quality-delta -0.3";
    told(&bench, &format!("{GATE} {margin}"), 2, "--estimate-propensities estimates those");
    let said = told(&bench, &format!("{GATE} {margin} {ESTIMATED}"), 1, "Cannot tell whether");
    assert!(said.contains("unless --accept-estimated says"), "{said}");
    let accepted = format!("{GATE} {margin} {ESTIMATED} --accept-estimated --json gate.json");
    let said = told(&bench, &accepted, 0, "Ship `policy`");
    assert!(said.contains("Propensities are estimated."), "{said}");
    let report = bench.json("gate.json");
    assert_eq!(report["is_estimated_accepted"], true);
    assert!(1000 < report["rows"]["n_estimated"].as_u64().unwrap(), "{report}");

    let route = "route --policy policy.safetensors --catalog catalog.toml --json -";
    let routed = bench.run_with(route, &bench.read("prompt.txt"));
    assert_eq!(routed.code, Some(0), "{}", routed.stderr);
    assert!(POOL.iter().any(|model| routed.stdout.contains(model)), "{}", routed.stdout);
}

/// Callers name the model themselves: nothing tells of another one, unless they chose by the request.
#[test]
fn a_group_of_one_model_tells_of_no_other() {
    let world = World::new(11);
    let bench = bench(&world, str::to_owned);
    let import = "import --from litellm spend.jsonl --out logs --score correct";
    told(&bench, import, 0, "each `model_group` has one model");
    let estimating = format!("{TRAIN} {QUICK} {ESTIMATED}");
    told(&bench, &estimating, 2, "no decision of the log had a choice");
    told(&bench, &format!("{estimating} --candidates-by none"), 0, "Propensities are estimated.");
    told(&bench, &format!("{EVALUATE} {ESTIMATED}"), 0, "Not identifiable");
    let accepted = format!("{GATE} --min-quality-delta -0.3 {ESTIMATED} --accept-estimated");
    told(&bench, &accepted, 1, "Cannot tell whether");
}

/// A guarantee is a proof, and estimates prove nothing.
#[test]
fn estimates_guarantee_nothing() {
    let world = World::new(11);
    let bench = bench(&world, |_| "chat".to_owned());
    let proof = "train --log later --out p.safetensors --max-quality-loss 0.01";
    told(&bench, &format!("{proof} {ESTIMATED}"), 2, "--max-quality-loss is proved from");
}

//! `pointsman route`: one decision; the request on standard input.

mod answer;

#[cfg(feature = "learn")]
pub(crate) use answer::{Asked, Given};

use super::inspect::prior_json;
use crate::{
    nearest::did_you_mean,
    policy_flags::{LoadedPolicy, PolicyFlags, optional_catalog},
    screen::{self, Screen},
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    explain::{Explanation, explain},
    policy::{Candidate, CascadeAhead, CostBasis, Decision, Workspace},
    request::Request,
    units::{Probability, Usd},
};
use pointsman_log::body::ChatBody;
use serde_json::{Value, json};
use std::{
    io::{self, Read},
    path::PathBuf,
};

/// The largest request that is read from standard input.
const MAX_REQUEST_BYTES: u64 = 64 << 20;

/// How many terms an explanation shows.
const TERMS_SHOWN: usize = 8;

/// Flags of `route`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy file.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Models and prices (TOML or JSON).
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    #[command(flatten)]
    flags: PolicyFlags,
    /// The random number of the draw, from 0 to 1; matters only with `--explore`.
    #[arg(long, default_value_t = 0.0)]
    draw: f64,
    #[command(flatten)]
    answer: answer::AnswerFlags,
    /// Say which words moved the decision.
    #[arg(long)]
    explain: bool,
    /// Also write the decision as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let catalog = optional_catalog(args.catalog.as_deref())?;
    let mut loaded = args.flags.load(&args.policy, catalog.as_ref())?;
    let draw = Probability::new(args.draw).context("--draw")?;
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_REQUEST_BYTES + 1).read_to_end(&mut bytes)?;
    if MAX_REQUEST_BYTES < bytes.len() as u64 {
        bail!("the request on standard input is over 64 MiB; send a shorter one");
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let body;
    let is_body = bytes.trim_ascii_start().starts_with(b"{");
    let request = if is_body {
        body = ChatBody::from_json(bytes).context("standard input")?;
        let n_unknown = body.n_unknown_keys();
        if 0 < n_unknown {
            screen.aside(&format!(
                "keys of the request that nobody here knows, and that were passed over: {n_unknown}"
            ))?;
        }
        loaded = loaded.asked(&body.asks)?;
        body.to_request()
    } else {
        let text = std::str::from_utf8(bytes).context("standard input is not UTF-8 text")?;
        if text.trim_start().starts_with("[{") {
            bail!("standard input is a JSON array; send an object such as {{\"messages\": [...]}}");
        }
        if text.trim().is_empty() {
            bail!("standard input is empty; send a prompt, or a chat body in JSON");
        }
        Request::from_prompt(text)
    };
    if let Some(path) = &args.answer.answer {
        let is_explained = args.explain;
        let asked = answer::Asked { loaded: &loaded, request: &request, draw, is_explained };
        let from = (path.as_path(), is_body.then_some(bytes));
        return screen::json(args.json.as_deref(), &args.answer.decide(from, asked, screen)?);
    }
    let mut workspace = Workspace::new(&loaded.policy);
    let unknown = unknown_models(&loaded, &request);
    let Ok(decision) = loaded.policy.decide(&request, draw, &mut workspace) else {
        let mut why = reasons(&loaded, workspace.candidates());
        why.extend(unknown);
        bail!("no model may answer this request: {}", why.join("; "));
    };
    for sentence in &unknown {
        screen.aside(sentence)?;
    }
    let explanation = args.explain.then(|| {
        let made = (workspace.candidates(), workspace.scores());
        explain(&loaded.policy, &request, decision.model, made)
    });
    describe(&loaded, &decision, workspace.candidates(), screen)?;
    describe_cascades(&loaded, (decision.model, workspace.candidates()), screen)?;
    describe_priors(&loaded, (decision.model, args.explain), screen)?;
    if let Some(explanation) = &explanation {
        describe_explanation(explanation, name_of(&loaded, decision.model), screen)?;
    }
    screen::json(
        args.json.as_deref(),
        &decision_json(&loaded, &decision, workspace.candidates(), explanation.as_ref()),
    )
}

fn name_of(loaded: &LoadedPolicy, model: usize) -> &str {
    loaded.policy.models().nth(model).unwrap_or_default()
}

/// The models that the request allows or denies and the policy does not have, in sentences.
fn unknown_models(loaded: &LoadedPolicy, request: &Request<'_>) -> Vec<String> {
    let limits = &request.constraints;
    let named = limits.allow_models.iter().chain(limits.deny_models.iter()).map(|name| &**name);
    named
        .filter(|name| !loaded.policy.models().any(|model| model == *name))
        .map(|name| {
            let question = did_you_mean(name, loaded.policy.models());
            format!("the policy has no model `{name}`, which the request names{question}")
        })
        .collect()
}

fn reasons(loaded: &LoadedPolicy, candidates: &[Candidate]) -> Vec<String> {
    let reason = |(name, candidate): (&str, &Candidate)| {
        candidate.excluded_by.map(|excluded| format!("{name} {excluded}"))
    };
    loaded.policy.models().zip(candidates).filter_map(reason).collect()
}

fn describe(
    loaded: &LoadedPolicy,
    decision: &Decision,
    candidates: &[Candidate],
    screen: &Screen,
) -> Result<()> {
    let chosen = name_of(loaded, decision.model);
    let at = loaded
        .policy
        .provider(decision.model, &candidates[decision.model])
        .map_or_else(String::new, |provider| format!(" at {provider}"));
    screen.say(&format!(
        "{chosen}{at} (objective {}, propensity {:.4})",
        loaded.objective,
        decision.propensity.get()
    ))?;
    let basis = loaded.policy.cost_basis();
    let cost = |cost: Option<Usd>| {
        cost.map_or_else(|| "-".to_owned(), |cost| wording::per_thousand(cost.as_dollars()))
    };
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| candidates[b].utility.total_cmp(&candidates[a].utility));
    let rows = order.into_iter().map(|model| {
        let candidate = &candidates[model];
        [
            name_of(loaded, model).to_owned(),
            wording::predicted(candidate.expected.quality),
            cost(candidate.expected.cost),
            format!("{:.4}", candidate.probability),
            candidate.excluded_by.map_or_else(String::new, |reason| reason.to_string()),
        ]
    });
    screen.table(["model", "quality", "per 1,000 requests", "probability", "excluded"], rows)?;
    screen.say(match basis {
        CostBasis::CatalogAndTokens => "costs: catalog prices and learned output tokens",
        CostBasis::CatalogAndAssumedTokens => {
            "costs: catalog prices and 500 output tokens, since no lengths were in the training data"
        }
        CostBasis::Learned => "costs: learned from the training data",
        CostBasis::Unknown => "costs: not known, so every model counts as free",
    })?;
    let expected = &candidates[decision.model].expected;
    if let Some(missed) = loaded.policy.objective().missed_by(expected) {
        screen.say(&format!("the objective is not reached: {missed}; this comes nearest"))?;
    }
    if 0 < decision.n_bytes_cut {
        screen.say(&wording::counted_length(
            decision.n_bytes_cut,
            "byte in the middle of the request was not read",
            "bytes in the middle of the request were not read",
        ))?;
    }
    Ok(())
}

/// What is foreseen after each model's answer, and what the chosen one then takes; nothing where
/// answers are not read.
fn describe_cascades(
    loaded: &LoadedPolicy,
    (chosen, candidates): (usize, &[Candidate]),
    screen: &Screen,
) -> Result<()> {
    for (model, candidate) in candidates.iter().enumerate() {
        let Some(CascadeAhead { expected, next, escalates }) = candidate.cascade else { continue };
        let cost = expected.cost.map_or_else(String::new, |cost| {
            format!(" for {} per 1,000 requests", wording::per_thousand(cost.as_dollars()))
        });
        screen.say(&format!(
            "{} is judged by what may follow its answer: {} is called after it with probability \
             {escalates:.2}, and a quality of {}{cost} is expected of both together",
            name_of(loaded, model),
            name_of(loaded, next),
            wording::predicted(expected.quality),
        ))?;
        if model == chosen {
            screen.say(
                "ask again with its answer, by --answer; where its answer is final, say so in a chat \
                 body: `\"escalate\": false`",
            )?;
        }
    }
    Ok(())
}

/// What the newcomers' qualities rest on: of the chosen model, and of all where explained.
fn describe_priors(
    loaded: &LoadedPolicy,
    (chosen, is_explained): (usize, bool),
    screen: &Screen,
) -> Result<()> {
    for (model, name) in loaded.policy.models().enumerate() {
        let Some(prior) = loaded.policy.prior(model) else { continue };
        if is_explained || model == chosen {
            let band = prior.band();
            screen.say(&format!(
                "nothing was learned about {name}: its mean quality is expected to be {} ({})",
                wording::with_interval(band.value, band.lower, band.upper),
                prior.basis
            ))?;
        }
    }
    Ok(())
}

fn describe_explanation(explanation: &Explanation, chosen: &str, screen: &Screen) -> Result<()> {
    let Explanation { lead, standing, terms, dense, cluster } = explanation;
    let kind = cluster.map_or_else(String::new, |(cluster, effect)| {
        format!(" and {effect:+.4} on requests of its kind (cluster {cluster})")
    });
    screen.say(&format!(
        "\n{chosen} is predicted {lead:+.4} against the mean of the eligible models, of which {standing:+.4} on any request{kind}:"
    ))?;
    let shown = terms.iter().take(TERMS_SHOWN).map(|effect| {
        [format!("`{}`", wording::excerpt(&effect.source, 40)), format!("{:+.4}", effect.quality)]
    });
    let others = dense
        .iter()
        .take(TERMS_SHOWN / 2)
        .map(|effect| [effect.source.clone(), format!("{:+.4}", effect.quality)]);
    screen.table(["words and shape of the request", "effect"], shown.chain(others))
}

fn decision_json(
    loaded: &LoadedPolicy,
    decision: &Decision,
    candidates: &[Candidate],
    explanation: Option<&Explanation>,
) -> Value {
    let candidate = |(model, candidate): (usize, &Candidate)| {
        json!({
            "model": name_of(loaded, model),
            "provider": loaded.policy.provider(model, candidate),
            "quality": candidate.expected.quality,
            "cost_usd": candidate.expected.cost.map(Usd::as_dollars),
            "latency_ms": candidate.expected.latency_ms,
            "output_tokens": candidate.output_tokens,
            "probability": candidate.probability,
            "cascade": candidate.cascade.map(|cascade| json!({
                "next": name_of(loaded, cascade.next),
                "escalates": cascade.escalates,
                "quality": cascade.expected.quality,
                "cost_usd": cascade.expected.cost.map(Usd::as_dollars),
                "latency_ms": cascade.expected.latency_ms,
            })),
            "prior": loaded.policy.prior(model).map(|p| prior_json(name_of(loaded, model), p)),
            "excluded_by": candidate.excluded_by.map(|reason| reason.to_string()),
        })
    };
    let effects = |effects: &[pointsman_core::explain::Effect]| -> Vec<Value> {
        effects.iter().map(|e| json!({"source": e.source, "quality": e.quality})).collect()
    };
    json!({
        "model": name_of(loaded, decision.model),
        "provider": loaded.policy.provider(decision.model, &candidates[decision.model]),
        "propensity": decision.propensity.get(),
        "objective": loaded.objective,
        "policy": {"name": loaded.artifact.card().name, "digest": loaded.artifact.digest()},
        "candidates": candidates.iter().enumerate().map(candidate).collect::<Vec<_>>(),
        "n_bytes_cut": decision.n_bytes_cut,
        "explanation": explanation.map(|e| json!({
            "lead": e.lead,
            "standing": e.standing,
            "terms": effects(&e.terms),
            "dense": effects(&e.dense),
            "cluster": e.cluster.map(|(index, quality)| json!({"index": index, "quality": quality})),
        })),
    })
}

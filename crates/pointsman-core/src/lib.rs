//! Pointsman's decision: request → features → scores → distribution over models, and the
//! artifact that holds what was learned.
//!
//! This crate is pure: it takes bytes and numbers and gives numbers. It reads no clock, no file
//! and no network, and draws nothing at random: the random number of a decision is an argument.
//! Serving, training and evaluation all score through the functions of this crate, so that they
//! cannot differ.
//!
//! | from | by | to |
//! |---|---|---|
//! | a file that `pointsman train` wrote | [`artifact`] | a [`scorer`], operating points and readers of answers |
//! | a list of models and prices | [`catalog`] | endpoints with costs, limits and data policies |
//! | what a caller sent | [`request`] | messages, needs and constraints |
//! | a request | [`features`] | buckets of hashed words and eighteen dense numbers |
//! | features | [`scorer`] | a predicted quality for each model, and one length |
//! | a request and endpoints | [`eligibility`] | those that may answer, and why others may not |
//! | qualities, costs, latencies | [`objective`] | a utility for each model |
//! | utilities | [`explorer`] | a probability for each model |
//! | a probability for each model and a random number | [`policy`] | a decision with its propensity |
//! | a model's answer | [`answer`], [`escalation`] | accept it, or call another model |
//!
//! [`units`] has the types of money, tokens, prices, probabilities and quality; [`circumstances`] is
//! what else is in force for one decision, [`newcomers`] what to expect of models that nothing was
//! learned about, and [`explain`] which terms moved a score.
//!
//! ```
//! use pointsman_core::{artifact::Artifact, catalog::Catalog, explorer::{Explorer, Rule}};
//! use pointsman_core::{policy::{Policy, Workspace}, request::Request, units::Probability};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = include_bytes!("../../../tests/golden/artifact-v1.safetensors");
//! let artifact = Artifact::from_bytes(file)?;
//! let names = artifact.card().models.clone();
//! # let list = |name: &String| format!("[[models]]\nid = {name:?}\n[[models.endpoints]]\n\
//! #     provider = \"p\"\ninput_usd_per_million = 1.0\noutput_usd_per_million = 2.0\n");
//! # let prices: String = names.iter().map(list).collect();
//! let catalog = Catalog::from_toml(&prices)?;
//! let policy = Policy::new(artifact.scorer().clone(), &names, Some(&catalog))?
//!     .with_explorer(Explorer::new(Rule::Greedy, Probability::new(0.3)?)?);
//! let mut workspace = Workspace::new(&policy); // one for each thread
//! let request = Request::from_prompt("Write a haiku about rain.");
//! let decision = policy.decide(&request, Probability::new(0.5)?, &mut workspace)?;
//! println!("{} with {}", names[decision.model], decision.propensity.get());
//! # let candidates = workspace.candidates();
//! # assert_eq!(candidates[decision.model].probability, decision.propensity.get());
//! # let total: f64 = candidates.iter().map(|candidate| candidate.probability).sum();
//! # assert!((total - 1.0).abs() < 1e-9 && candidates.iter().all(|one| 0.09 < one.probability));
//! # Ok(())
//! # }
//! ```

/// What `docs/library.md` shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
pub struct Library;

pub mod units;

pub mod catalog;
pub mod request;

pub mod features;

pub mod answer;

pub mod escalation;
pub mod scorer;
pub mod simd;

pub mod eligibility;
pub mod explorer;
pub mod newcomers;
pub mod objective;

pub mod circumstances;
pub mod policy;

pub mod explain;

pub mod artifact;

//! What is expected of some models, and who of them may answer, without a distribution: for whoever
//! weighs them by predictions of its own. It is what a decision among all models would find of them, where
//! what follows their answers is not looked at.

use super::{Candidate, Policy, Workspace, endpoints::Asked, weigh::lengths};
use crate::{
    circumstances::{Circumstances, Outlook},
    features::Features,
    request::Request,
    scorer::{LengthScorer, Scores},
    simd::{self, Job},
};

/// Of which models something is expected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// By their places.
    pub(crate) models: &'a [usize],
    /// Of the policy's own scorer.
    pub(crate) lengths: &'a LengthScorer,
}

/// Some models of one request, about to be looked at.
struct Expecting<'a, 'r> {
    policy: &'a Policy,
    asked: Asked<'a, 'r>,
    /// By their places; something was learned about each.
    models: &'a [usize],
    workspace: &'a mut Workspace,
}

impl Job for Expecting<'_, '_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    fn run(self) {
        let Self { policy, asked, models, workspace } = self;
        let most = lengths(policy, asked, workspace);
        let Workspace { output_tokens, cost_usd, candidates, .. } = workspace;
        candidates.clear();
        candidates.resize(policy.models.len(), Candidate::UNKNOWN);
        let learned = (&output_tokens[..], &cost_usd[..]);
        for &place in models {
            let Some(candidate) = candidates.get_mut(place) else { continue };
            // Whoever asks knows better what quality to expect.
            let expected = policy.expect_of((place, 0.0), (asked, most), learned, candidate);
            candidate.excluded_by = expected.err();
        }
    }
}

impl Policy {
    /// Reads a request and leaves what is expected of some models, but for their quality, in the
    /// workspace's candidates; of others nothing is known there. Every term is announced as soon as it
    /// is read.
    pub(crate) fn expect_announcing(
        &self,
        circumstances: &Circumstances<'_>,
        request: &Request<'_>,
        (wanted, workspace): (Wanted<'_>, &mut Workspace),
        announce: impl Fn(u32) + Copy,
    ) {
        let rows = wanted.lengths.rows();
        let features = workspace.extractor.extract_announcing(request, move |term| {
            rows.announce(term);
            announce(term);
        });
        let n_bytes = features.n_bytes;
        self.score_wanted((circumstances, wanted), &features, &mut workspace.scores);
        self.expect(circumstances, (request, n_bytes), (wanted, workspace));
    }

    /// As [`Self::expect_announcing`], of a request whose features were read before.
    pub(crate) fn expect_read(
        &self,
        circumstances: &Circumstances<'_>,
        (request, features): (&Request<'_>, &Features<'_>),
        (wanted, workspace): (Wanted<'_>, &mut Workspace),
    ) {
        self.score_wanted((circumstances, wanted), features, &mut workspace.scores);
        self.expect(circumstances, (request, features.n_bytes), (wanted, workspace));
    }

    /// Whether a held model may be left, and what newcomers cost, shows among all models only.
    fn shows_among_all(&self, circumstances: &Circumstances<'_>, wanted: Wanted<'_>) -> bool {
        let n_learned = self.scorer.n_models();
        circumstances.held.is_some() || wanted.models.iter().any(|&place| n_learned <= place)
    }

    fn score_wanted(
        &self,
        (circumstances, wanted): (&Circumstances<'_>, Wanted<'_>),
        features: &Features<'_>,
        scores: &mut Scores,
    ) {
        if self.shows_among_all(circumstances, wanted) {
            self.scorer.score(features, scores);
        } else {
            wanted.lengths.score(features, scores);
        }
    }

    fn expect(
        &self,
        circumstances: &Circumstances<'_>,
        (request, n_bytes): (&Request<'_>, usize),
        (wanted, workspace): (Wanted<'_>, &mut Workspace),
    ) {
        if self.shows_among_all(circumstances, wanted) {
            let around = Circumstances { outlook: Outlook::FinalAnswer, ..*circumstances };
            let _whether_any_may = self.weigh(&around, (request, n_bytes), workspace);
            return;
        }
        workspace.input_tokens = self.input_tokens(request, n_bytes);
        let asked = Asked::new(request, workspace.input_tokens, circumstances);
        simd::at_best(Expecting { policy: self, asked, models: wanted.models, workspace });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::Catalog,
        objective::Expected,
        scorer::{Scorer, tests::patterned},
        units::{Tokens, Usd},
    };
    use proptest::prelude::*;
    use std::borrow::Cow;

    const N_MODELS: usize = 5;

    fn policy() -> Policy {
        let model = |index: usize| {
            format!(
                "[[models]]\nid = \"m{index}\"\ncontext_window = {}\n[[models.endpoints]]\n\
                 provider = \"east\"\ninput_usd_per_million = {index}.5\n\
                 output_usd_per_million = 1.5\nttft_ms = 100.0\ntokens_per_second = 50.0\n",
                600 * (index + 1),
            )
        };
        let catalog = Catalog::from_toml(&(0..N_MODELS).map(model).collect::<String>()).unwrap();
        let names: Vec<String> = (0..N_MODELS).map(|index| format!("m{index}")).collect();
        Policy::new(Scorer::new(patterned(N_MODELS, 8)).unwrap(), &names, Some(&catalog)).unwrap()
    }

    /// All that is to be known of these models.
    fn known(workspace: &Workspace, models: &[usize]) -> String {
        let of_model = |&place: &usize| {
            let Candidate { excluded_by, endpoint, expected, output_tokens, .. } =
                workspace.candidates()[place];
            let Expected { quality: _, cost, latency_ms } = expected;
            format!(
                "{place}: {excluded_by:?} {endpoint:?} {cost:?} {latency_ms:?} {output_tokens:?}\n"
            )
        };
        let of_models: String = models.iter().map(of_model).collect();
        format!("{:?}\n{of_models}", workspace.input_tokens())
    }

    proptest! {
        #[test]
        fn of_some_models_is_expected_what_is_expected_of_them_among_all(
            models in prop::collection::vec(0..N_MODELS, 0..N_MODELS),
            input_tokens in 0_u64..4000,
            cap in prop::option::of(0_u64..6_000_000),
            is_one_denied in any::<bool>(),
        ) {
            let policy = policy();
            let mut request = Request::from_prompt("Sort these: 3, 1, 2.");
            request.input_tokens = Some(Tokens::new(input_tokens));
            request.constraints.max_cost = cap.map(Usd::from_nanos);
            if is_one_denied {
                request.constraints.deny_models = Cow::Owned(vec![Cow::Borrowed("m1")]);
            }
            let around = policy.circumstances();
            let mut all = Workspace::new(&policy);
            let _whether_any_may = policy.distribute_in(&around, &request, &mut all);
            let lengths = LengthScorer::new(policy.scorer());
            let wanted = Wanted { models: &models, lengths: &lengths };
            let mut some = Workspace::new(&policy);
            policy.expect_announcing(&around, &request, (wanted, &mut some), |_| ());
            prop_assert_eq!(known(&some, &models), known(&all, &models));
            let bare = Request { messages: Cow::Borrowed(&[]), ..request.clone() };
            let mut read = Workspace::new(&policy);
            policy.expect_read(&around, (&bare, &all.features()), (wanted, &mut read));
            prop_assert_eq!(known(&read, &models), known(&all, &models));
            for (place, candidate) in some.candidates().iter().enumerate() {
                prop_assert!(models.contains(&place) || *candidate == Candidate::UNKNOWN);
            }
        }
    }
}

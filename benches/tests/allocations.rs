//! A decision allocates nothing once its workspace exists.

use pointsman_benches::{
    allocations::{Counting, n_allocations},
    policy::{Prices, policy, reader},
    text::{Kind, Writer},
};
use pointsman_core::{
    answer::Answer,
    escalation::{
        EscalationPolicy, EscalationWorkspace, Foresight, InHand, Reader, decide_escalation,
    },
    policy::Workspace,
    request::{Capabilities, Constraints, Message, Request, Role},
    units::{Probability, Tokens, Usd},
};
use std::borrow::Cow;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Texts from one byte to more than is read of a part, of either kind, and some outside ASCII.
fn texts() -> Vec<String> {
    let writer = Writer::new();
    let mut texts = vec!["?".to_owned(), "Grüße aus 東京, на всякий случай 🙂 ".repeat(40)];
    for (key, n_bytes) in (0..).zip([1, 63, 64, 65, 200, 2_048, 9_000, 33_000, 100_000]) {
        texts.push(writer.write(Kind::Prose, n_bytes, key));
        texts.push(writer.write(Kind::Code, n_bytes, key));
    }
    texts
}

#[test]
fn decisions_allocate_nothing() {
    let texts = texts();
    let conversations: Vec<[Message<'_>; 4]> = (0..texts.len())
        .map(|index| {
            let text = |offset: usize| Cow::Borrowed(&*texts[(index + offset) % texts.len()]);
            [
                Message { role: Role::System, text: text(3) },
                Message { role: Role::User, text: text(1) },
                Message { role: Role::Assistant, text: text(2) },
                Message { role: Role::User, text: text(0) },
            ]
        })
        .collect();
    let denied = [Cow::Borrowed("vendor/model-3"), Cow::Borrowed("nobody")];
    for (n_models, prices) in [
        (8, Prices::Catalog),
        (32, Prices::Catalog),
        (16, Prices::CatalogWithNewcomers),
        (32, Prices::Learned),
    ] {
        let policy = policy(n_models, prices).unwrap();
        let mut workspace = Workspace::new(&policy);
        let warm_up = Request::default();
        policy.decide(&warm_up, Probability::ZERO, &mut workspace).unwrap();
        for (index, conversation) in conversations.iter().enumerate() {
            for from in [0, 3] {
                let request = Request {
                    messages: Cow::Borrowed(&conversation[from..]),
                    needs: [Capabilities::NONE, Capabilities::TOOLS][index % 2],
                    max_tokens: [None, Some(Tokens::new(300))][index % 2],
                    constraints: Constraints {
                        deny_models: Cow::Borrowed(&denied[..index % 3]),
                        ..Constraints::default()
                    },
                    ..Request::default()
                };
                let draw = Probability::new(0.9).unwrap();
                let before = n_allocations();
                let decision = policy.decide(&request, draw, &mut workspace);
                let n = n_allocations() - before;
                assert!(decision.is_ok());
                assert_eq!(n, 0, "{n_models} models, {prices:?}, conversation {index} from {from}");
            }
        }
    }
}

#[test]
fn first_decisions_of_a_cascade_allocate_nothing() {
    let readers = [Reader { model: 0, next: vec![3, 5], scorer: reader(3).unwrap() }];
    let foresight = Foresight::new(0, vec![0.0, 10.0, 100.0], vec![2.0; 3]).unwrap();
    let policy = policy(8, Prices::Catalog).unwrap().foreseeing(&readers, &[foresight]);
    let mut workspace = Workspace::new(&policy);
    let draw = Probability::new(0.9).unwrap();
    policy.decide(&Request::default(), draw, &mut workspace).unwrap();
    let mut n_foreseen = 0;
    for (index, text) in texts().iter().enumerate() {
        let request = Request::from_prompt(text);
        let before = n_allocations();
        let decision = policy.decide(&request, draw, &mut workspace);
        let n = n_allocations() - before;
        assert!(decision.is_ok());
        assert_eq!(n, 0, "text {index}");
        n_foreseen += usize::from(workspace.candidates()[0].cascade.is_some());
    }
    assert!(10 < n_foreseen, "{n_foreseen}");
}

#[test]
fn decisions_after_an_answer_allocate_nothing() {
    let texts = texts();
    let policy = policy(8, Prices::Catalog).unwrap();
    let readers = vec![Reader { model: 0, next: vec![3, 5], scorer: reader(3).unwrap() }];
    let escalation = EscalationPolicy::new(readers, &policy, 3).unwrap();
    let (mut first, mut second) = (Workspace::new(&policy), EscalationWorkspace::new(&escalation));
    let circumstances = policy.circumstances();
    let draw = Probability::new(0.9).unwrap();
    let mut decide = |request: &Request<'_>, text: &str| {
        let answer = Answer::from_text(text);
        let in_hand = InHand {
            request,
            circumstances: &circumstances,
            answer: &answer,
            model: 0,
            n_answers: 1,
            spent: Usd::ZERO,
        };
        let before = n_allocations();
        let workspaces = (&mut first, &mut second);
        let decision = decide_escalation((&policy, &escalation), &in_hand, draw, workspaces);
        let n = n_allocations() - before;
        assert!(0.0 < decision.propensity.get());
        n
    };
    decide(&Request::default(), "");
    for (index, text) in texts.iter().enumerate() {
        let request = Request::from_prompt(&texts[(index + 1) % texts.len()]);
        assert_eq!(decide(&request, text), 0, "text {index}");
    }
}

//! What the simulated models say: texts that show signs of their grades, as far as signs go.
//!
//! A bad answer mostly shows it: a sum that does not add up, two final answers, doubt, a refusal, an
//! end in the middle of a sentence. A good one rarely looks bad, and some bad ones look good. So
//! reading answers is worth something, and less than knowing the grade. Weakness: an answer has
//! nothing to do with what was asked but for the kind of task, and the sums in it are its own.

use crate::draw::Draws;
use crate::prompts::Task;

/// An invented answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedAnswer {
    /// Its text; ASCII.
    pub text: String,
    /// Why it ends where it does, in the words of providers.
    pub finish_reason: &'static str,
}

/// How often an answer of quality zero shows a flaw, and how often one of quality one.
const SHOWN_BY_BAD: f64 = 0.75;
const SHOWN_BY_GOOD: f64 = 0.06;

/// What can be seen of an answer without knowing the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    WrongSum,
    TwoAnswers,
    Doubt,
    Refusal,
    CutOff,
}

const FLAWS_OF_SUMS: [Flaw; 5] =
    [Flaw::WrongSum, Flaw::WrongSum, Flaw::TwoAnswers, Flaw::Doubt, Flaw::CutOff];
const FLAWS_OF_TEXTS: [Flaw; 4] = [Flaw::Doubt, Flaw::Doubt, Flaw::Refusal, Flaw::CutOff];

const OPENINGS: [&str; 5] = [
    "Here is what was asked for.",
    "Let me take this step by step.",
    "Certainly.",
    "The short version first.",
    "This follows from what was given.",
];
const BODIES: [&str; 8] = [
    "Each point of the request stands in its own paragraph, in the order in which it came.",
    "The names and the dates are those of the text, and nothing else was added.",
    "The first part says what happened, the second one what is to be done about it.",
    "Whatever was marked as fixed stays as it is, and the rest is put in fewer words.",
    "The tone is kept, and so are the terms that have a fixed meaning.",
    "Every case is covered, with the usual one first and the exceptions behind it.",
    "The steps can be done one after the other, and each of them can be undone.",
    "What is not stated is left open, and the place for it is named.",
];
const DOUBTS: [&str; 4] = [
    "I am not sure about this, and it might be wrong.",
    "Perhaps a part of it is missing; it seems unclear what was meant.",
    "This is only a guess and could possibly be mistaken.",
    "It probably holds, but that is uncertain.",
];
const REFUSALS: [&str; 3] = [
    "I am sorry, but I cannot help with this request.",
    "Sorry, I am unable to do that with what was given.",
    "I apologize, but this is impossible to answer.",
];
const CLOSINGS: [&str; 4] = [
    "That is all that was asked.",
    "Tell me if another form is needed.",
    "So nothing is left open.",
    "The rest follows in the same way.",
];

/// What a model says whose answer to such a task is worth so much.
pub(crate) fn answer_of(task: Task, quality: f64, mut draws: Draws) -> SimulatedAnswer {
    let has_sums = has_sums(task);
    let is_flawed = draws.chance(SHOWN_BY_BAD + (SHOWN_BY_GOOD - SHOWN_BY_BAD) * quality);
    let flaw = match (is_flawed, has_sums) {
        (false, _) => None,
        (true, true) => Some(draws.choice(&FLAWS_OF_SUMS)),
        (true, false) => Some(draws.choice(&FLAWS_OF_TEXTS)),
    };
    if flaw == Some(Flaw::Refusal) {
        return SimulatedAnswer { text: draws.choice(&REFUSALS).to_owned(), finish_reason: "stop" };
    }
    let opening = draws.choice(&OPENINGS);
    let body = if has_sums { sums(flaw, &mut draws) } else { sentences(&mut draws) };
    let mut text = format!("{opening} {body}");
    match flaw {
        Some(Flaw::CutOff) => {
            let n_bytes = text.len() / 2 + draws.position(text.len() / 4);
            text.truncate(n_bytes);
            return SimulatedAnswer { text, finish_reason: "length" };
        }
        Some(Flaw::Doubt) => {
            text.push(' ');
            text.push_str(draws.choice(&DOUBTS));
        }
        Some(Flaw::WrongSum | Flaw::TwoAnswers | Flaw::Refusal) | None => {}
    }
    text.push(' ');
    text.push_str(draws.choice(&CLOSINGS));
    SimulatedAnswer { text, finish_reason: "stop" }
}

/// Two sums and a final answer; wrong by a little, or two of them, where that is the flaw.
fn sums(flaw: Option<Flaw>, draws: &mut Draws) -> String {
    let (each, n_pieces, more) = (draws.between(12, 90), draws.between(3, 9), draws.between(2, 40));
    let product = each * n_pieces;
    let off = draws.between(1, 9);
    let total = product + more + if flaw == Some(Flaw::WrongSum) { off } else { 0 };
    let text = format!(
        "First {each} * {n_pieces} = {product}. Then {product} + {more} = {total}. The answer is \
         {total}."
    );
    if flaw == Some(Flaw::TwoAnswers) {
        return format!("{text} Wait, that is a mistake. The answer is {}.", total + off);
    }
    text
}

/// Two sentences that say nothing wrong.
fn sentences(draws: &mut Draws) -> String {
    let first = draws.position(BODIES.len());
    let second = (first + 1 + draws.position(BODIES.len() - 1)) % BODIES.len();
    format!("{} {}", BODIES[first], BODIES[second])
}

/// Whether answers to such a task calculate.
fn has_sums(task: Task) -> bool {
    match task {
        Task::WordProblem | Task::Algebra | Task::DataCleaning | Task::LogAnalysis => true,
        Task::SupportMail
        | Task::Summary
        | Task::JsonExtraction
        | Task::Sql
        | Task::CodeWriting
        | Task::BugFixing
        | Task::Translation
        | Task::SmallTalk
        | Task::LegalClause
        | Task::MedicalTriage
        | Task::CreativeWriting => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Stream;

    fn share(task: Task, quality: f64, is_it: impl Fn(&SimulatedAnswer) -> bool) -> f64 {
        let answer = |key| answer_of(task, quality, Draws::keyed(5, Stream::Answers, &[key]));
        let n = (0..4_000).map(answer).filter(|it| is_it(it)).count();
        f64::from(u32::try_from(n).unwrap()) / 4_000.0
    }

    /// A sum of two numbers in the text that is not what stands behind it.
    fn has_wrong_sum(answer: &SimulatedAnswer) -> bool {
        let numbers: Vec<u64> = answer
            .text
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let is_wrong = matches!(numbers[..], [_, _, _, a, b, sum, ..] if a + b != sum);
        is_wrong && answer.finish_reason == "stop"
    }

    #[test]
    fn bad_answers_show_it_more_often_than_good_ones() {
        for (quality, least, most) in [(0.0, 0.27, 0.33), (1.0, 0.01, 0.04)] {
            let found = share(Task::Algebra, quality, has_wrong_sum);
            assert!((least..most).contains(&found), "{quality}: {found}");
        }
        let is_cut = |answer: &SimulatedAnswer| answer.finish_reason == "length";
        assert!(share(Task::Summary, 1.0, is_cut) < 0.05);
        assert!(0.1 < share(Task::Summary, 0.0, is_cut));
        let refuses = |answer: &SimulatedAnswer| REFUSALS.contains(&answer.text.as_str());
        assert_eq!(share(Task::Algebra, 0.0, refuses), 0.0);
        assert!(0.1 < share(Task::Summary, 0.0, refuses));
    }

    #[test]
    fn answers_are_plain_text_of_bearable_length() {
        for task in Task::ALL {
            let is_unfit = |answer: &SimulatedAnswer| {
                !answer.text.is_ascii() || !(30..400).contains(&answer.text.len())
            };
            for quality in [0.0, 0.25, 1.0] {
                assert_eq!(share(task, quality, is_unfit), 0.0, "{task:?}");
            }
        }
    }
}

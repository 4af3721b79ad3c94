//! Prompts, written by one grammar per kind of task.
//!
//! A prompt is an opening about a topic, some material (a mail, a log, a clause), a few demands
//! and a closing. What makes it hard is in the text: which topic, how many demanding demands and
//! which, how long. That is what a router can learn; the rest of the difficulty is hidden in
//! [`crate::truth`]. Weakness: sentences are drawn independently, so a prompt reads like a busy
//! person's notes rather than like one train of thought.

mod banks;
mod code;
mod documents;
mod language;
mod maths;
mod records;
mod service;
mod template;

use crate::draw::Draws;

pub(crate) use template::Setting;
use template::Writer;

/// Prompts shorter than this get another closing sentence.
const MIN_PROMPT_BYTES: usize = 60;
/// Share of prompts, where the grammar has material at all, that carry a lot of it.
const LONG_SHARE: f64 = 0.06;
/// How often a prompt has 0, 1, 2, 3 or 4 hard demands.
const HARD_DEMAND_WEIGHTS: [f64; 5] = [0.30, 0.26, 0.21, 0.14, 0.09];

/// What a request asks for.
#[expect(missing_docs, reason = "the names are the documentation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    SupportMail,
    Summary,
    JsonExtraction,
    Sql,
    CodeWriting,
    BugFixing,
    WordProblem,
    Algebra,
    Translation,
    SmallTalk,
    LegalClause,
    MedicalTriage,
    CreativeWriting,
    DataCleaning,
    LogAnalysis,
}

impl Task {
    /// How many kinds of task there are.
    pub const COUNT: usize = 15;

    /// Every task, in the order of [`crate::SimulatedModel::strengths`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::SupportMail,
        Self::Summary,
        Self::JsonExtraction,
        Self::Sql,
        Self::CodeWriting,
        Self::BugFixing,
        Self::WordProblem,
        Self::Algebra,
        Self::Translation,
        Self::SmallTalk,
        Self::LegalClause,
        Self::MedicalTriage,
        Self::CreativeWriting,
        Self::DataCleaning,
        Self::LogAnalysis,
    ];

    /// The name under which requests carry this task.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SupportMail => "support_mail",
            Self::Summary => "summary",
            Self::JsonExtraction => "json_extraction",
            Self::Sql => "sql",
            Self::CodeWriting => "code_writing",
            Self::BugFixing => "bug_fixing",
            Self::WordProblem => "word_problem",
            Self::Algebra => "algebra",
            Self::Translation => "translation",
            Self::SmallTalk => "small_talk",
            Self::LegalClause => "legal_clause",
            Self::MedicalTriage => "medical_triage",
            Self::CreativeWriting => "creative_writing",
            Self::DataCleaning => "data_cleaning",
            Self::LogAnalysis => "log_analysis",
        }
    }

    /// The position of this task in [`Task::ALL`].
    pub const fn position(self) -> usize {
        self as usize
    }

    fn grammar(self) -> &'static Grammar {
        match self {
            Self::SupportMail => &service::SUPPORT_MAIL,
            Self::Summary => &documents::SUMMARY,
            Self::JsonExtraction => &documents::JSON_EXTRACTION,
            Self::Sql => &records::SQL,
            Self::CodeWriting => &code::CODE_WRITING,
            Self::BugFixing => &code::BUG_FIXING,
            Self::WordProblem => &maths::WORD_PROBLEM,
            Self::Algebra => &maths::ALGEBRA,
            Self::Translation => &language::TRANSLATION,
            Self::SmallTalk => &service::SMALL_TALK,
            Self::LegalClause => &documents::LEGAL_CLAUSE,
            Self::MedicalTriage => &service::MEDICAL_TRIAGE,
            Self::CreativeWriting => &language::CREATIVE_WRITING,
            Self::DataCleaning => &records::DATA_CLEANING,
            Self::LogAnalysis => &records::LOG_ANALYSIS,
        }
    }
}

/// How the sentences of a prompt's material stand.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Prose,
    Lines,
    /// As in a log, where lines begin with their time.
    SortedLines,
}

/// The sentences one kind of task is made of; all of them templates.
#[derive(Debug)]
struct Grammar {
    topics: &'static [&'static str],
    openings: &'static [&'static str],
    layout: Layout,
    material: &'static [&'static str],
    /// Fewest and most pieces of material in a prompt of usual length.
    n_material: (u64, u64),
    plain_demands: &'static [&'static str],
    hard_demands: &'static [&'static str],
    closings: &'static [&'static str],
}

/// What of a prompt decides how hard it is, apart from what is hidden.
#[derive(Debug, Clone)]
pub(crate) struct Traits {
    pub(crate) task: Task,
    /// Position among the topics of the task.
    pub(crate) topic: u64,
    /// Positions among the hard demands of the task.
    pub(crate) hard_demands: Vec<u64>,
    pub(crate) n_plain_demands: u32,
    pub(crate) is_long: bool,
}

const FOLLOW_UPS: &[&str] = &[
    "Thanks, that helps. Next one: ",
    "Good. Now a related thing. ",
    "That was close to what I needed. ",
    "Okay, and while we are at it: ",
    "Fine, ‹person› agreed with that. ",
    "One more for ‹company›. ",
    "Understood. ",
    "The last answer was a little long. ",
];

/// Writes the prompt of one turn; `turn` counts from zero and later turns refer back.
pub(crate) fn compose(task: Task, turn: u32, setting: &Setting, draws: Draws) -> (String, Traits) {
    let grammar = task.grammar();
    let mut draws = draws;
    let topic = draws.position(grammar.topics.len());
    let n_hard = draws.weighted_position(&HARD_DEMAND_WEIGHTS);
    let n_plain = 1 + draws.position(2);
    let mut traits = Traits {
        task,
        topic: count(topic),
        hard_demands: Vec::with_capacity(n_hard),
        n_plain_demands: if n_plain == 1 { 1 } else { 2 },
        is_long: !grammar.material.is_empty() && draws.chance(LONG_SHARE),
    };

    let mut writer = Writer::new(setting, grammar.topics[topic], draws);
    if 0 < turn {
        writer.write_one_of(FOLLOW_UPS);
    }
    writer.write_one_of(grammar.openings);
    write_material(grammar, traits.is_long, &mut writer);

    let hard = distinct(&mut writer.draws, grammar.hard_demands.len(), n_hard);
    let plain = distinct(&mut writer.draws, grammar.plain_demands.len(), n_plain);
    let mut demands: Vec<&str> = hard.iter().map(|&at| grammar.hard_demands[at]).collect();
    demands.extend(plain.iter().map(|&at| grammar.plain_demands[at]));
    traits.hard_demands.extend(hard.iter().map(|&at| count(at)));
    write_demands(&mut demands, &mut writer);
    write_closing(grammar, &mut writer);
    writer.text.truncate(writer.text.trim_end().len());
    (writer.text, traits)
}

fn write_material(grammar: &Grammar, is_long: bool, writer: &mut Writer<'_>) {
    if grammar.material.is_empty() {
        return;
    }
    let separator = match grammar.layout {
        Layout::Prose => " ",
        Layout::Lines | Layout::SortedLines => "\n",
    };
    let n_pieces = writer.draws.between(grammar.n_material.0, grammar.n_material.1);
    let min_bytes = if is_long { writer.draws.position(900) + 1700 } else { 0 };
    let mut order = distinct(&mut writer.draws, grammar.material.len(), grammar.material.len());
    let mut n_written = 0;
    let start = writer.text.len();
    while n_written < n_pieces || writer.text.len() < min_bytes {
        if order.is_empty() {
            order = distinct(&mut writer.draws, grammar.material.len(), grammar.material.len());
        }
        let Some(at) = order.pop() else { break };
        writer.text.push_str(separator);
        writer.write(grammar.material[at]);
        n_written += 1;
    }
    if let Layout::SortedLines = grammar.layout {
        let mut lines: Vec<String> =
            writer.text.split_off(start).lines().map(str::to_owned).collect();
        lines.sort_unstable();
        writer.text.push_str(&lines.join("\n"));
    }
    if 0 < n_written {
        writer.text.push('\n');
    }
}

fn write_demands(demands: &mut [&str], writer: &mut Writer<'_>) {
    for last in (1..demands.len()).rev() {
        let other = writer.draws.position(last + 1);
        demands.swap(last, other);
    }
    let as_list = 2 < demands.len() && writer.draws.chance(0.4);
    for demand in demands {
        if as_list {
            writer.text.push_str(if writer.text.ends_with('\n') { "- " } else { "\n- " });
        } else {
            push_space(&mut writer.text);
        }
        writer.write(demand);
    }
    if as_list {
        writer.text.push('\n');
    }
}

fn write_closing(grammar: &Grammar, writer: &mut Writer<'_>) {
    let at = writer.draws.position(grammar.closings.len());
    if writer.draws.chance(0.5) {
        push_space(&mut writer.text);
        writer.write(grammar.closings[at]);
    }
    while writer.text.len() < MIN_PROMPT_BYTES {
        push_space(&mut writer.text);
        writer.write(grammar.closings[(at + 1) % grammar.closings.len()]);
    }
}

fn push_space(text: &mut String) {
    if !text.ends_with('\n') {
        text.push(' ');
    }
}

/// `n` different positions below `length`, in random order; all of them when `length` is less.
fn distinct(draws: &mut Draws, length: usize, n: usize) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..length).collect();
    let n = n.min(length);
    for start in 0..n {
        let other = start + draws.position(length - start);
        positions.swap(start, other);
    }
    positions.truncate(n);
    positions
}

fn count(position: usize) -> u64 {
    u64::try_from(position).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Stream;

    /// Every sentence of every grammar, filled many times over.
    #[test]
    fn no_slot_is_left_open() {
        for task in Task::ALL {
            let grammar = task.grammar();
            let sentences = [
                grammar.openings,
                grammar.material,
                grammar.plain_demands,
                grammar.hard_demands,
                grammar.closings,
                FOLLOW_UPS,
            ];
            for key in 0..30 {
                let setting = Setting::drawn(Draws::keyed(1, Stream::Setting, &[key]));
                for topic in grammar.topics {
                    let draws = Draws::keyed(1, Stream::Words, &[key]);
                    let mut writer = Writer::new(&setting, topic, draws);
                    sentences.iter().copied().flatten().for_each(|sentence| writer.write(sentence));
                    assert!(!writer.text.contains(['‹', '›']), "{task:?}: {}", writer.text);
                }
            }
        }
    }

    #[test]
    fn tasks_stand_at_their_position() {
        for (position, task) in Task::ALL.iter().enumerate() {
            assert_eq!(task.position(), position);
        }
    }

    #[test]
    fn grammars_can_fill_the_hardest_prompt() {
        for task in Task::ALL {
            let grammar = task.grammar();
            assert!(HARD_DEMAND_WEIGHTS.len() <= grammar.hard_demands.len() + 1, "{task:?}");
            assert!(2 <= grammar.plain_demands.len(), "{task:?}");
            assert!(4 <= grammar.topics.len(), "{task:?}");
        }
    }
}

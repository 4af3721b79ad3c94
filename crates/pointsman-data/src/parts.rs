//! Which prompts may train and which may test.
//!
//! A figure is worth nothing if the same prompt stands on both sides. Rows of a training part
//! whose prompt, case and white space aside, also stands in the test part are taken out.

use std::collections::{BTreeSet, HashSet};

use crate::{
    matrix::OutcomeMatrix,
    table::{OutcomeTable, Prompt},
};

/// Folds where the table brings neither a split nor folds.
const N_FOLDS: u64 = 5;

/// One way to divide the rows of a matrix; rows in neither part are not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainTest {
    /// Rows of the [`OutcomeMatrix`], or of the prompts asked for, that may train, ascending.
    pub train: Vec<u32>,
    /// Rows of the same that test, ascending.
    pub test: Vec<u32>,
    /// Training rows taken out since their prompt stands in the test part too.
    pub n_leaked: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Train,
    Test,
    Unused,
}

/// The parts in which a router on this matrix is to be measured.
///
/// Where the column `split` has both `train` and `test`, that is the one division. Else there is
/// one for each value of `fold`, which tests while the others train; a prompt without a fold
/// always trains. A table with fewer than two folds gets five by the hash of the prompt.
pub fn train_test_parts(table: &OutcomeTable, matrix: &OutcomeMatrix) -> Vec<TrainTest> {
    parts_of_prompts(table, &matrix.prompts)
}

/// The same of any prompts of a table; rows are places in `prompts`.
pub fn parts_of_prompts(table: &OutcomeTable, prompts: &[u32]) -> Vec<TrainTest> {
    let prompts: Vec<&Prompt> = prompts
        .iter()
        .filter_map(|&prompt| table.prompts.get(usize::try_from(prompt).unwrap_or(usize::MAX)))
        .collect();
    let has_split = |name| prompts.iter().any(|prompt| prompt.split.as_deref() == Some(name));
    if has_split("train") && has_split("test") {
        return vec![part(&prompts, |prompt| match prompt.split.as_deref() {
            Some("train") => Side::Train,
            Some("test") => Side::Test,
            _ => Side::Unused,
        })];
    }
    let folds: BTreeSet<u8> = prompts.iter().filter_map(|prompt| prompt.fold).collect();
    let side = |is_test| if is_test { Side::Test } else { Side::Train };
    if 1 < folds.len() {
        let of_fold = |&fold| part(&prompts, |prompt| side(prompt.fold == Some(fold)));
        return folds.iter().map(of_fold).collect();
    }
    (0..N_FOLDS).map(|fold| part(&prompts, |prompt| side(prompt.group % N_FOLDS == fold))).collect()
}

fn part(prompts: &[&Prompt], side: impl Fn(&Prompt) -> Side) -> TrainTest {
    let of_test = |prompt: &&&Prompt| side(prompt) == Side::Test && !prompt.is_empty;
    let tested: HashSet<u64> = prompts.iter().filter(of_test).map(|prompt| prompt.group).collect();
    let mut parts = TrainTest { train: Vec::new(), test: Vec::new(), n_leaked: 0 };
    for (row, prompt) in (0u32..).zip(prompts) {
        match side(prompt) {
            Side::Test => parts.test.push(row),
            Side::Train if !prompt.is_empty && tested.contains(&prompt.group) => {
                parts.n_leaked += 1;
            }
            Side::Train => parts.train.push(row),
            Side::Unused => {}
        }
    }
    parts
}

//! The features of the training rows: request, answer, and the dense columns of both, side by side.

use super::{AnswerDesign, block::Block};
use crate::{design::Design, kernel::Kernel, solve::Matrix};

/// Blocks of columns beside each other; `X Xᵀ` is the sum of theirs.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) prompt: Kernel,
    /// Without it, the answer is not read.
    pub(crate) answer: Option<(Kernel, Block)>,
    single_squares: Vec<f32>,
}

impl Beside {
    /// Of the given rows.
    pub(crate) fn new(prompts: &Design, answers: Option<&AnswerDesign>, rows: &[u32]) -> Self {
        let prompt = Kernel::new(prompts, rows);
        let mut single_squares = prompt.single_squares().to_vec();
        let answer = answers.map(|answers| {
            let text = Kernel::new(&answers.text, rows);
            for (sum, more) in single_squares.iter_mut().zip(text.single_squares()) {
                *sum += more;
            }
            let block = Block::new((prompts, answers), rows, (&prompt, &text));
            (text, block)
        });
        Self { prompt, answer, single_squares }
    }
}

impl<const B: usize> Matrix<B> for Beside {
    fn n_rows(&self) -> usize {
        self.prompt.n_rows()
    }

    fn image(&self, dual: &[[f32; B]]) -> Vec<[f32; B]> {
        let mut out = self.prompt.image_of(dual);
        if let Some((text, block)) = &self.answer {
            for (out, more) in out.iter_mut().zip(text.image_of(dual)) {
                *out = std::array::from_fn(|c| out[c] + more[c]);
            }
            block.add_predictions(&block.transposed(dual), &mut out);
        }
        out
    }

    fn single_squares(&self) -> &[f32] {
        &self.single_squares
    }
}

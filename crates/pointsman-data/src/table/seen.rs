//! Which models each prompt of a table has an outcome of: one bit for each.

/// The pairs of a prompt and a model that were met.
#[derive(Debug, Default)]
pub(super) struct Seen {
    of_prompt: Vec<Vec<u64>>,
}

impl Seen {
    /// Remembers a pair; `false` where it was met before.
    pub(super) fn insert(&mut self, prompt: usize, model: u16) -> bool {
        let (word, bit) = (usize::from(model) / 64, 1_u64 << (model % 64));
        if self.of_prompt.len() <= prompt {
            self.of_prompt.resize_with(prompt + 1, Vec::new);
        }
        let Some(words) = self.of_prompt.get_mut(prompt) else { return false };
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        let Some(bits) = words.get_mut(word) else { return false };
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        /// In any order, a pair is new once.
        #[test]
        fn a_pair_is_new_once(pairs in prop::collection::vec((0_usize..9, 0_u16..200), 0..300)) {
            let (mut seen, mut known) = (Seen::default(), HashSet::new());
            for (prompt, model) in pairs {
                prop_assert_eq!(seen.insert(prompt, model), known.insert((prompt, model)));
            }
        }
    }
}

//! What requests asked for beside their texts, in little room: every row of a replay keeps it.

use pointsman_core::{
    request::{Capabilities, Request},
    units::Tokens,
};

/// What a request asked for beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) needs: Capabilities,
    pub(super) n_tools: u32,
    pub(super) max_tokens: Option<Tokens>,
    pub(super) input_tokens: Option<Tokens>,
}

/// The same, with a bit for each number that is there, since an option would take as much room again.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedAsk {
    max_tokens: Tokens,
    input_tokens: Tokens,
    n_tools: u32,
    needs: Capabilities,
    has: u8,
}

/// Bits of [`PackedAsk::has`].
const MAX_TOKENS: u8 = 1;
const INPUT_TOKENS: u8 = 2;

impl PackedAsk {
    pub(super) fn of(request: &Request<'_>) -> Self {
        let Request { needs, n_tools, max_tokens, input_tokens, .. } = *request;
        let bit = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
        Self {
            max_tokens: max_tokens.unwrap_or_default(),
            input_tokens: input_tokens.unwrap_or_default(),
            n_tools,
            needs,
            has: bit(max_tokens.is_some(), MAX_TOKENS) | bit(input_tokens.is_some(), INPUT_TOKENS),
        }
    }

    pub(super) fn ask(self) -> Ask {
        let Self { max_tokens, input_tokens, n_tools, needs, has } = self;
        let there = |tokens: Tokens, bit: u8| (has & bit != 0).then_some(tokens);
        Ask {
            needs,
            n_tools,
            max_tokens: there(max_tokens, MAX_TOKENS),
            input_tokens: there(input_tokens, INPUT_TOKENS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_what_was_asked() {
        let tokens = [None, Some(Tokens::new(0)), Some(Tokens::new(u64::MAX))];
        for (max_tokens, input_tokens) in
            tokens.into_iter().flat_map(|max| tokens.into_iter().map(move |input| (max, input)))
        {
            let (needs, n_tools) = (Capabilities::TOOLS, 3);
            let request =
                Request { needs, n_tools, max_tokens, input_tokens, ..Request::default() };
            let expected = Ask { needs, n_tools, max_tokens, input_tokens };
            assert_eq!(PackedAsk::of(&request).ask(), expected);
        }
    }

    #[test]
    fn an_ask_takes_few_bytes() {
        assert!(size_of::<PackedAsk>() <= 24, "{}", size_of::<PackedAsk>());
    }
}

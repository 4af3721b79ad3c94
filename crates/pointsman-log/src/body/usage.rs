//! Tokens that were billed, under each of the names that they have.

use serde::Deserialize;

use crate::record::UsageRecord;

/// Billed tokens as a caller sends them. Some gateways send two names of one count and leave one of
/// them at zero, so the larger number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct UsageBody {
    input: Option<u64>,
    input_tokens: Option<u64>,
    prompt_tokens: Option<u64>,
    output: Option<u64>,
    output_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    cached_read: Option<u64>,
    cached_write: Option<u64>,
    reasoning: Option<u64>,
}

impl UsageBody {
    /// Each count under its one name in records.
    pub fn to_record(self) -> UsageRecord {
        UsageRecord {
            input: self.input.max(self.input_tokens).max(self.prompt_tokens),
            output: self.output.max(self.output_tokens).max(self.completion_tokens),
            cached_read: self.cached_read,
            cached_write: self.cached_write,
            reasoning: self.reasoning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, input: Option<u64>, output: Option<u64>) {
        let usage: UsageBody = serde_json::from_str(json).unwrap();
        let expected = UsageRecord { input, output, ..UsageRecord::default() };
        assert_eq!(usage.to_record(), expected, "{json}");
    }

    #[test]
    fn of_tokens_under_two_names_the_larger_number_counts() {
        check("{}", None, None);
        check(r#"{"input":3,"output":9}"#, Some(3), Some(9));
        check(r#"{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}"#, Some(3), Some(9));
        check(
            r#"{"prompt_tokens":3,"completion_tokens":9,"input_tokens":0,"output_tokens":0}"#,
            Some(3),
            Some(9),
        );
        check(r#"{"input":3,"input_tokens":4,"prompt_tokens":null}"#, Some(4), None);
        let cached = r#"{"cached_read":1,"cached_write":2,"reasoning":3}"#;
        let usage: UsageBody = serde_json::from_str(cached).unwrap();
        let expected = UsageRecord {
            cached_read: Some(1),
            cached_write: Some(2),
            reasoning: Some(3),
            ..UsageRecord::default()
        };
        assert_eq!(usage.to_record(), expected);
        for json in [r#"{"input":1,"input":2}"#, r#"{"input":-1}"#, r#"{"output":1e99}"#] {
            serde_json::from_str::<UsageBody>(json).unwrap_err();
        }
    }
}

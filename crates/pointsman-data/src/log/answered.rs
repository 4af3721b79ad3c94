//! The answer that a step is about, as its text or as what was read of it.
//!
//! Signs that were written count, since they may be of more than the text: tools that were offered,
//! a schema that was asked for, log-probabilities. Where there are none they are read from the text,
//! which takes the request's text too.

use std::borrow::Cow;

use pointsman_core::{
    answer::{Answer, AnswerExtractor, AnswerFeatures, FinishReason, OwnedAnswerFeatures},
    request::Request,
};
use pointsman_log::record::AnswerRecord;

use super::asked::read_by;

/// The reason why an answer is not known of which nothing was kept.
const NOT_KEPT: &str = "the answer was not kept";

/// Reads what is kept of an answer and hands it over; why it is not known, where it is not. An
/// outer error is a problem of the record: no answer can have had these features.
pub(super) fn read(
    found: Option<&AnswerRecord>,
    request: &Request<'_>,
    extractor: &mut AnswerExtractor,
    on_answer: &mut dyn FnMut(&AnswerFeatures<'_>),
) -> Result<Result<(), String>, String> {
    let Some(found) = found else { return Ok(Err(NOT_KEPT.to_owned())) };
    let AnswerRecord { text, finish_reason, features, signs } = found;
    let written = if signs.is_empty() {
        None
    } else {
        let read = OwnedAnswerFeatures::read_signs(signs);
        Some(read.map_err(|problem| problem.to_string())?)
    };
    if let Some(text) = text {
        if written.is_none() && request.n_bytes() == 0 {
            return Ok(Err("the answer has no signs, and its request no text".to_owned()));
        }
        let finish = finish_reason.as_deref().map_or(FinishReason::Unknown, FinishReason::named);
        let answer = Answer { text: Cow::Borrowed(text.as_str()), finish, ..Answer::default() };
        let read = extractor.extract(request, &answer);
        let signs = written.as_ref().unwrap_or(read.signs);
        on_answer(&AnswerFeatures { text: read.text, signs });
        return Ok(Ok(()));
    }
    let (Some(features), Some(_)) = (features, &written) else {
        return Ok(Err(NOT_KEPT.to_owned()));
    };
    match read_by(features, extractor.schema())? {
        Ok(text) => {
            let owned = OwnedAnswerFeatures::new(text, signs);
            on_answer(&owned.map_err(|problem| problem.to_string())?.as_features());
            Ok(Ok(()))
        }
        Err(why) => Ok(Err(format!("the answer has features and no text, {why}"))),
    }
}

//! Odd spans and log records of `OpenTelemetry`.

use super::*;

/// A span with further attributes, as one line.
fn span(others: &str, attributes: &[(&str, &str)]) -> String {
    let attribute =
        |(key, value): &(&str, &str)| format!(",{{\"key\":\"{key}\",\"value\":{value}}}");
    let attributes: String = attributes.iter().map(attribute).collect();
    format!(
        "{{\"traceId\":\"t\",\"spanId\":\"a\",\"startTimeUnixNano\":\"1767225600000000000\"{others},\
         \"attributes\":[{{\"key\":\"gen_ai.request.model\",\"value\":{{\"stringValue\":\"wren\"}}}}{attributes}]}}\n"
    )
}

#[test]
fn odd_rows_of_otel_are_told() {
    check(&span("", &[]), &[OK, r#""session_id":"t""#, "!usage", "!latency_ms"]);
    let nulls = r#","endTimeUnixNano":null,"status":null,"events":null,"name":null,"links":[{}]"#;
    check(&span(nulls, &[("new.attribute", "{\"bytesValue\":\"AA==\"}"), ("odd", "null")]), &[OK]);
    check(&span(r#","status":{"code":"STATUS_CODE_ERROR"}"#, &[]), &[FAILED]);
    check(&span("", &[("error.type", "{\"stringValue\":\"timeout\"}")]), &[FAILED]);
    let numbers = [
        ("gen_ai.response.time_to_first_chunk", "{\"doubleValue\":0.5}"),
        ("gen_ai.usage.input_tokens", "{\"intValue\":\"9\"}"),
        ("gen_ai.usage.cache_read.input_tokens", "{\"intValue\":4}"),
        ("gen_ai.usage.cache_creation.input_tokens", "{\"intValue\":\"2\"}"),
    ];
    check(
        &span("", &numbers),
        &[r#""ttft_ms":500.0"#, r#""input":9"#, r#""cached_read":4"#, r#""cached_write":2"#],
    );
    let score = |name: &str, value: &str| {
        format!(
            "{{\"timeUnixNano\":\"1767225700000000000\",\"name\":\"gen_ai.evaluation.result\",\"attributes\":[{{\"key\":\"gen_ai.evaluation.name\",\"value\":{{\"stringValue\":\"{name}\"}}}},{{\"key\":\"gen_ai.evaluation.score.value\",\"value\":{value}}}]}}"
        )
    };
    let two = [
        score("fit", "{\"doubleValue\":1}"),
        score("tone", "{\"doubleValue\":0.5}"),
        score("odd", "null"),
    ];
    check(
        &span(&format!(",\"events\":[{}]", two.join(",")), &[]),
        &[
            r#""name":"fit","value":1.0"#,
            r#""name":"tone","value":0.5"#,
            "dropped 1: a score that is no number",
        ],
    );
    let operation = ("gen_ai.operation.name", "{\"stringValue\":\"embeddings\"}");
    let other = span("", &[operation]).replace(r#""spanId":"a""#, r#""spanId":"b""#);
    check(&(span("", &[]) + &other), &["dropped 1: not a chat call"]);
}

/// Nothing of an export is passed over in silence.
#[test]
fn otel_exports_say_what_is_left_out() {
    let export = |spans: &str| {
        format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{spans}]}}]}}]}}\n")
    };
    let nameless = span("", &[]).replace(r#""spanId":"a","#, "");
    check(
        &export(&format!("{},{nameless}", span("", &[]))),
        &["dropped 1: it has no id", r#""id":"t-a""#],
    );
    let record = |event: &str| {
        format!(
            "{{\"timeUnixNano\":\"1767225700000000000\",\"traceId\":\"t\",\"spanId\":\"a\",\"eventName\":\"{event}\",\"attributes\":[{{\"key\":\"gen_ai.evaluation.name\",\"value\":{{\"stringValue\":\"fit\"}}}},{{\"key\":\"gen_ai.evaluation.score.value\",\"value\":{{\"doubleValue\":1}}}}]}}"
        )
    };
    let logs = format!(
        "{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{},{}]}}]}}]}}\n",
        record("gen_ai.evaluation.result"),
        record("gen_ai.user.message")
    );
    let left_out = "dropped 1: a log record that is no score";
    check(
        &(export(&span("", &[])) + &logs),
        &[r#""id":"t-a""#, r#""name":"fit","value":1.0"#, left_out],
    );
    // A page without an array of rows, such as an error, is a row that gives nothing.
    check(&(export(&span("", &[])) + "{\"error\":\"overloaded\"}\n"), &["dropped 1: an export"]);
    check(&logs, &[r#""name":"fit","value":1.0"#, left_out]);
}

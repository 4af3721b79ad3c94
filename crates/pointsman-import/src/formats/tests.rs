use super::*;

#[test]
fn every_format_has_a_name_and_marks_of_its_own() {
    for (place, format) in FORMATS.iter().enumerate() {
        assert!(!format.marks.is_empty(), "{}", format.name);
        assert!(FORMATS.iter().skip(place + 1).all(|other| format.name < other.name), "in order");
        assert_eq!(find(format.name).map(|found| found.title), Some(format.title));
    }
}

#[test]
fn rows_are_recognised_by_their_keys() {
    for (row, expected) in [
        (r#"{"call_type":"completion","startTime":1,"spend":0,"x":null}"#, Some("litellm")),
        (r#"{"data":{"native_tokens_prompt":3}}"#, Some("openrouter")),
        (r#"{"object":"chat.completion","created":1,"model":"m","choices":[]}"#, Some("openai")),
        (r#"{"traceId":"t","startTime":"x","type":"GENERATION"}"#, Some("langfuse")),
        (r#"{"trace_id":"t","observation_id":null,"name":"n","value":1}"#, Some("langfuse")),
        (r#"{"request_id":"r","request_created_at":"x","delay_ms":1}"#, Some("helicone")),
        (r#"{"function_name":"f","variant_name":"v","episode_id":"e"}"#, Some("tensorzero")),
        (r#"{"scopeSpans":[]}"#, Some("otel")),
        (r#"{"v":1,"kind":"outcome","decision_id":"d"}"#, Some("pointsman")),
        (r#"{"EventId":"e","a":[1],"c":{"_multi":[{}]},"p":[1]}"#, Some("vw-dsjson")),
        (r#"{"_multi":[{"_label":"0:1:1"}]}"#, Some("vw-json")),
        (r#"{"action":"3","pscore":"0.5","click":"1","x":null}"#, Some("open-bandit")),
        ("shared |u x\n0:1:0.5 |a y\n", Some("vw-text")),
        ("prompt,small|total_cost\n", None),
        (r#"{"model":"m","prompt":"p"}"#, None),
        ("[1]", None),
        ("{broken", None),
    ] {
        let found: Vec<_> = recognise(row.as_bytes()).iter().map(|(one, _)| one.name).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{row}");
    }
}

#[test]
fn what_is_no_chat_is_told_by_its_name() {
    for kind in
        ["acompletion", "text_completion", "anthropic_messages", "responses", "/v1/messages", ""]
    {
        assert!(is_chat(kind), "{kind}");
    }
    for kind in ["aembedding", "image_generation", "/v1/audio/speech", "Moderation", "arerank"] {
        assert!(!is_chat(kind), "{kind}");
    }
}

/// Whatever the bytes are, a reader gives something or says why not.
#[test]
fn no_row_brings_a_reader_down() {
    let rows: [&[u8]; 12] = [
        b"",
        b"{",
        b"null",
        b"3",
        b"\"text\"",
        b"[]",
        b"{}",
        b"{\"id\":{},\"messages\":{\"messages\":3},\"model\":[1]}",
        b"{\"data\":[3,null,\"x\",[]]}",
        b"{\"id\":\"\xff\"}",
        b"{\"id\":1e999}",
        b"{\"spans\":[{\"spanId\":1,\"startTimeUnixNano\":-1,\"attributes\":{\"key\":\"x\"}}]}",
    ];
    for format in FORMATS {
        for row in rows {
            let mut out = Vec::new();
            let read = format.reader.read(row, &mut out);
            let gave = out.iter().any(|one| !matches!(one, Found::Dropped(_)));
            assert!(read.is_err() || !gave, "{}: {}", format.name, String::from_utf8_lossy(row));
        }
    }
}

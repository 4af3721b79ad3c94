use super::*;
use pointsman_core::request::Role;
use proptest::prelude::*;

#[track_caller]
fn body(json: &str) -> ChatBody {
    ChatBody::from_json(json.as_bytes()).unwrap()
}

#[track_caller]
fn check_messages(json: &str, expected: &[(Role, &str)]) {
    let body = body(json);
    let request = body.to_request();
    let said: Vec<_> = request.messages.iter().map(|one| (one.role, &*one.text)).collect();
    assert_eq!(said, expected);
}

#[test]
fn the_three_forms_of_a_prompt() {
    use Role::{Assistant, System, Tool, User};
    check_messages(r#"{"prompt":"Hi"}"#, &[(User, "Hi")]);
    check_messages(r#"{"input":"Hi"}"#, &[(User, "Hi")]);
    check_messages(
        r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]}]}"#,
        &[(User, "Hi")],
    );
    check_messages(
        r#"{"model":"auto","temperature":0.2,"prompt":"unused","messages":[
            {"role":"developer","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"One"},{"type":"text","text":"Two"}]},
            {"role":"assistant","content":null,"tool_calls":[]},
            {"role":"assistant"},
            {"role":"tool","tool_call_id":"1","content":"42"}]}"#,
        &[
            (System, "Be brief."),
            (User, "One\nTwo"),
            (Assistant, ""),
            (Assistant, ""),
            (Tool, "42"),
        ],
    );
}

#[track_caller]
fn check_needs(rest: &str, expected: &[&str]) {
    let json = format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}],{rest}}}"#);
    assert_eq!(body(&json).to_request().needs.names().collect::<Vec<_>>(), expected);
}

#[test]
fn parameters_become_needs() {
    check_needs(r#""tools":[],"response_format":null,"reasoning":null"#, &[]);
    check_needs(r#""tools":[{"type":"function"}]"#, &["tools"]);
    check_needs(r#""functions":[{},{}]"#, &["tools"]);
    check_needs(r#""response_format":{"type":"text"}"#, &[]);
    check_needs(r#""response_format":{"type":"json_object"}"#, &["json_schema"]);
    check_needs(r#""response_format":{"type":"json_schema","json_schema":{}}"#, &["json_schema"]);
    check_needs(r#""reasoning_effort":"low""#, &["reasoning"]);
    check_needs(r#""reasoning_effort":"none""#, &[]);
    check_needs(r#""reasoning":{"max_tokens":100}"#, &["reasoning"]);
    check_needs(r#""reasoning":{"enabled":false}"#, &[]);
    check_needs(r#""reasoning":{"effort":"none"}"#, &[]);
}

#[track_caller]
fn check_part(part: &str, expected: &[&str]) {
    let json = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"What?"}},{part}]}}]}}"#
    );
    let body = body(&json);
    let request = body.to_request();
    assert_eq!(request.needs.names().collect::<Vec<_>>(), expected);
    assert_eq!(request.messages[0].text, "What?");
}

#[test]
fn parts_become_needs() {
    check_part(
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}"#,
        &["images"],
    );
    check_part(r#"{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}"#, &["audio"]);
    check_part(r#"{"type":"file","file":{"file_id":"f"}}"#, &["files"]);
    check_part(r#"{"type":"hologram"}"#, &[]);
}

#[track_caller]
fn check_constraints(rest: &str, expected: &Constraints<'_>) {
    let body = body(&format!(r#"{{"prompt":"Hi",{rest}}}"#));
    assert_eq!(format!("{:?}", body.to_request().constraints), format!("{expected:?}"));
}

#[test]
fn the_callers_limits_become_constraints() {
    let names = |names: &[&'static str]| names.iter().map(|&name| Cow::Borrowed(name)).collect();
    let none = Constraints::default;
    check_constraints(r#""provider":{}"#, &none());
    check_constraints(
        r#""models":["a","b"],"deny":["c"]"#,
        &Constraints { allow_models: names(&["a", "b"]), deny_models: names(&["c"]), ..none() },
    );
    check_constraints(
        r#""candidates":["a"]"#,
        &Constraints { allow_models: names(&["a"]), ..none() },
    );
    check_constraints(
        r#""provider":{"only":["north"],"ignore":["south"],"data_collection":"deny","sort":"price"}"#,
        &Constraints {
            allow_providers: names(&["north"]),
            deny_providers: names(&["south"]),
            data_policy: DataPolicy::NoTraining,
            ..none()
        },
    );
    check_constraints(
        r#""provider":{"zdr":true,"data_collection":"allow"}"#,
        &Constraints { data_policy: DataPolicy::ZeroRetention, ..none() },
    );
    check_constraints(
        r#""max_cost_usd":0.002,"max_latency_ms":1500"#,
        &Constraints {
            max_cost: Some(Usd::from_nanos(2_000_000)),
            max_latency_ms: Some(1500.0),
            ..none()
        },
    );
}

#[test]
fn the_smallest_token_limit_counts() {
    let body = body(r#"{"prompt":"Hi","max_tokens":90,"max_completion_tokens":40,"tools":[1,2]}"#);
    let request = body.to_request();
    assert_eq!(request.max_tokens, Some(Tokens::new(40)));
    assert_eq!(request.n_tools, 2);
}

#[track_caller]
fn check_refused(json: &str, problem: &str) {
    assert_eq!(ChatBody::from_json(json.as_bytes()).unwrap_err().to_string(), problem);
}

#[test]
fn what_is_no_request_is_refused_in_one_sentence() {
    check_refused("Hi", "the body is not JSON: expected value at line 1 column 1");
    check_refused("{}", "the body has no `messages`, `prompt` or `input`; send one of them");
    check_refused(r#"{"messages":[]}"#, "`messages` is empty; send at least one message");
    check_refused(r#"{"input":[]}"#, "`input` is empty; send at least one message");
    check_refused(
        r#"{"messages":[{"role":"user","content":7}]}"#,
        "the body is not a chat request: invalid type: integer `7`, expected a text or a list of content parts at line 1 column 39",
    );
    check_refused(
        r#"{"input":7}"#,
        "the body is not a chat request: `input` is neither a text nor a list of messages at line 1 column 11",
    );
    check_refused(
        r#"{"prompt":"Hi","max_cost_usd":-1}"#,
        "`max_cost_usd`: -1 is not in [0, 9 billion] dollars",
    );
    check_refused(
        r#"{"prompt":"Hi","max_latency_ms":0}"#,
        "`max_latency_ms`: 0 is not in (0, inf)",
    );
}

proptest! {
    /// A prompt arrives as it was sent, in each of its forms.
    #[test]
    fn text_is_kept(text in any::<String>()) {
        let message = serde_json::json!({"role": "user", "content": text});
        for json in [
            serde_json::json!({"prompt": text}),
            serde_json::json!({"input": text}),
            serde_json::json!({"messages": [message]}),
        ] {
            let body = ChatBody::from_json(json.to_string().as_bytes()).unwrap();
            prop_assert_eq!(&body.to_request().messages[0].text, &text);
        }
    }

    /// No body makes the reader panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(ChatBody::from_json(&bytes).is_err());
    }
}

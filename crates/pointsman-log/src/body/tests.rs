use super::*;
use pointsman_core::{
    request::{Constraints, DataPolicy, EndpointChoice, EndpointSort, OtherProviders},
    units::Price,
};
use proptest::prelude::*;

#[track_caller]
fn body(json: &str) -> ChatBody<'_> {
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
    let json = format!(r#"{{"prompt":"Hi",{rest}}}"#);
    let body = body(&json);
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
        r#""provider":{"order":["north","south"],"allow_fallbacks":false,"quantizations":["fp8"],
            "sort":{"by":"latency","partition":"none"},"max_price":{"prompt":1,"completion":"2.5"},
            "preferred_min_throughput":{"p50":40,"p90":10},"preferred_max_latency":0.5}"#,
        &Constraints {
            quantizations: names(&["fp8"]),
            max_input_price: Price::from_dollars_per_million(1.0).ok(),
            max_output_price: Price::from_dollars_per_million(2.5).ok(),
            endpoints: EndpointChoice {
                order: names(&["north", "south"]),
                others: OtherProviders::Refused,
                sort: EndpointSort::Latency,
                min_tokens_per_second: Some(40.0),
                max_ttft_ms: Some(500.0),
            },
            ..none()
        },
    );
    check_constraints(
        r#""temperature":0.2,"seed":null,"max_tokens":5,"tools":[],"logprobs":true,
            "provider":{"require_parameters":true}"#,
        &Constraints { parameters: names(&["max_tokens", "temperature", "logprobs"]), ..none() },
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
        r#"{"messages":"a prompt"}"#,
        "the body is not a chat request: invalid type: string, expected a sequence at line 1 column 22",
    );
    check_refused(
        r#"{"input":7}"#,
        "the body is not a chat request: invalid type: integer `7`, expected a text or a list of messages at line 1 column 10",
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

#[test]
fn items_of_the_responses_form_need_no_role() {
    use Role::{Assistant, System, Tool, User};
    check_messages(
        r#"{"instructions":"Be brief.","input":[
            {"role":"user","content":"Weather?"},
            {"type":"reasoning","summary":[]},
            {"type":"function_call","call_id":"1","name":"sky","arguments":"{}"},
            {"type":"function_call_output","call_id":"1","output":"clear"}]}"#,
        &[
            (System, "Be brief."),
            (User, "Weather?"),
            (Assistant, ""),
            (Assistant, "{}"),
            (Tool, "clear"),
        ],
    );
    check_needs(r#""text":{"format":{"type":"json_schema"}}"#, &["json_schema"]);
}

#[track_caller]
fn check_asks(rest: &str, expected: &Asks<'_>) {
    let json = format!(r#"{{"prompt":"Hi",{rest}}}"#);
    assert_eq!(body(&json).asks, *expected);
}

#[test]
fn callers_ask_things_of_the_router() {
    let none = Asks::default;
    let own = |objective| Some(Aim::Objective(objective));
    let tradeoff = Objective::Tradeoff(Weights::new(40.0, 0.0).unwrap());
    let floor = Objective::QualityFloor(Quality::new(0.8).unwrap());
    let cap = Objective::CostCap(Usd::from_nanos(1_000_000));
    let point = || Some(Aim::Point("economy".into()));
    check_asks(r#""stream":true"#, &none());
    check_asks(r#""objective":"economy""#, &Asks { aim: point(), ..none() });
    check_asks(r#""objective":{"preset":"economy"}"#, &Asks { aim: point(), ..none() });
    check_asks(r#""objective":{"lambda":40}"#, &Asks { aim: own(tradeoff), ..none() });
    check_asks(r#""objective":{"min_quality":0.8}"#, &Asks { aim: own(floor), ..none() });
    check_asks(r#""objective":{"max_cost_usd":0.001}"#, &Asks { aim: own(cap), ..none() });
    check_asks(
        r#""session_id":"s","turn":3,"explain":true,"explore":false,"escalate":false,
            "metadata":{"task":"sums","b":1,"a":true,"nothing":null}"#,
        &Asks {
            session_id: Some("s".into()),
            turn: Some(3),
            explain: Explain::Yes,
            explore: Explore::Refused,
            outlook: Outlook::FinalAnswer,
            tags: vec![
                ("a".into(), "true".into()),
                ("b".into(), "1".into()),
                ("task".into(), "sums".into()),
            ],
            ..none()
        },
    );
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let prompt = |rest: &str| format!(r#"{{"prompt":"Hi",{rest}}}"#);
    let long = format!(r#""session_id":"{}""#, "é".repeat(257));
    let many: Vec<String> = (0..17).map(|index| format!(r#""{index}":"x""#)).collect();
    let many = format!(r#""metadata":{{{}}}"#, many.join(","));
    let tag = format!(r#""metadata":{{"x":"{}"}}"#, "x".repeat(513));
    for (rest, problem) in [
        (
            r#""objective":{}"#,
            "`objective` holds 0 of preset, lambda, min_quality and max_cost_usd; give one",
        ),
        (
            r#""objective":{"lambda":1,"min_quality":0.5}"#,
            "`objective` holds 2 of preset, lambda, min_quality and max_cost_usd; give one",
        ),
        (
            r#""objective":{"lambda":-1}"#,
            "`objective.lambda`: a weight of -1; it must be zero or more, in quality points per dollar or second",
        ),
        (r#""objective":{"min_quality":1.5}"#, "`objective.min_quality`: 1.5 is not in [0, 1]"),
        (
            r#""provider":{"max_price":{"prompt":-1}}"#,
            "`provider.max_price.prompt`: -1 is not in [0, 9 billion] dollars",
        ),
        (
            r#""provider":{"preferred_max_latency":0}"#,
            "`provider.preferred_max_latency`: 0 is not in (0, inf)",
        ),
        (r#""max_tokens":9223372036854775808"#, "`max_tokens` is 2^63 tokens or more"),
        (r#""input_tokens":18446744073709551615"#, "`input_tokens` is 2^63 tokens or more"),
        (&long, "`session_id` is over 256 characters"),
        (&many, "`metadata` has over 16 entries"),
        (&tag, "`metadata` has a name over 64 characters or a value over 512"),
    ] {
        check_refused(&prompt(rest), problem);
    }
    check_refused(
        r#"{"messages":[{"role":"user","content":"Hi"},{"content":"Ho"}]}"#,
        "`messages[1]` has no `role`; say system, user, assistant or tool",
    );
    for (rest, fragment) in [
        (r#""objective":7"#, "expected the name of an operating point or an object as `objective`"),
        (
            r#""provider":{"sort":"beauty"}"#,
            "`provider.sort` is neither price, throughput nor latency",
        ),
        (
            r#""provider":{"preferred_min_throughput":{}}"#,
            "an object of percentiles that names none",
        ),
        (r#""max_tokens":1e999"#, "number out of range"),
        (r#""deny":["a"],"deny":["b"]"#, "duplicate field `deny`"),
        (r#""metadata":{"a":[1]}"#, "expected a text, a number or a truth value"),
    ] {
        let json = prompt(rest);
        let message = ChatBody::from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(message.contains(fragment), "{rest}: {message}");
    }
}

#[test]
fn keys_that_are_nearly_ours_are_refused() {
    for (rest, problem) in [
        (r#""candidate":["a"]"#, "`candidate` is not known; did you mean `candidates`?"),
        (r#""objectives":"economy""#, "`objectives` is not known; did you mean `objective`?"),
        (r#""sesion_id":"s""#, "`sesion_id` is not known; did you mean `session_id`?"),
        (r#""explian":true"#, "`explian` is not known; did you mean `explain`?"),
        (r#""ma\u0078cost_usd":1"#, "`maxcost_usd` is not known; did you mean `max_cost_usd`?"),
        (
            r#""provider":{"onyl":["a"]}"#,
            "`provider.onyl` is not known; did you mean `provider.only`?",
        ),
        (
            r#""provider":{"max_price":{"promt":1}}"#,
            "`provider.max_price.promt` is not known; did you mean `provider.max_price.prompt`?",
        ),
        (
            r#""objective":{"lamda":1}"#,
            "`objective.lamda` is not known; did you mean `objective.lambda`?",
        ),
        (
            r#""objective":{"lambda":1,"speed":2}"#,
            "`objective.speed` is not known; leave it out, or send one of preset, lambda, min_quality, max_cost_usd",
        ),
        (
            r#""objective":{"a\nb":1}"#,
            "`objective.a\\nb` is not known; leave it out, or send one of preset, lambda, min_quality, max_cost_usd",
        ),
    ] {
        check_refused(&format!(r#"{{"prompt":"Hi",{rest}}}"#), problem);
    }
    let long = format!(r#"{{"prompt":"Hi","objective":{{"{}":1}}}}"#, "é".repeat(10_000));
    let message = ChatBody::from_json(long.as_bytes()).unwrap_err().to_string();
    assert!(message.len() < 300, "{message}");
}

#[track_caller]
fn check_unknown(rest: &str, (n, named): (u32, &[&str])) {
    let json = format!(r#"{{"prompt":"Hi",{rest}}}"#);
    let body = body(&json);
    assert_eq!((body.n_unknown_keys(), body.unknown_keys()), (n, &*to_owned(named)), "{rest}");
}

fn to_owned(texts: &[&str]) -> Vec<String> {
    texts.iter().copied().map(str::to_owned).collect()
}

#[test]
fn keys_that_are_the_providers_are_passed_over() {
    let none: (u32, &[&str]) = (0, &[]);
    check_unknown(r#""model":"auto","stream":true,"user":"u","temperature":0.2,"n":1"#, none);
    check_unknown(r#""candidates":["a"],"deny":["b"],"provider":{"only":["c"]}"#, none);
    check_unknown(r#""objective":{"lambda":1},"metadata":{"anything":"x"}"#, none);
    check_unknown(r#""decision_id":"d","answer":"a","usage":{"prompt_tokens":1}"#, none);
    check_unknown(r#""sparkle":{"objectives":1},"glitter":[[]]"#, (2, &["sparkle", "glitter"]));
    check_unknown(
        r#""provider":{"enforce_distillable_text":true,"max_price":{"request":1,"prompt":2}}"#,
        (2, &["provider.enforce_distillable_text", "provider.max_price.request"]),
    );
}

#[test]
fn the_first_few_keys_that_nobody_knows_are_named_in_one_line_each() {
    let many: Vec<String> = (0..9).map(|n| format!(r#""sparkle{n}":1"#)).collect();
    let named = ["sparkle0", "sparkle1", "sparkle2", "sparkle3"];
    check_unknown(&many.join(","), (9, &named));
    check_unknown(r#""glit\nter\u001b[2J":1"#, (1, &["glit\\nter\\u{1b}[2J"]));
    let long = "x".repeat(1000);
    check_unknown(&format!(r#""{long}":1"#), (1, &[&long[..64]]));
}

#[test]
fn keys_of_our_own_and_of_vendors_are_known_apart() {
    for key in wishes::OWN {
        assert!(!vendors::KEYS.contains(key), "{key}");
        // Known to the shape as well: it is read, and so neither counted nor refused for its name.
        let json = format!(r#"{{"prompt":"Hi","{key}":null}}"#);
        assert_eq!(body(&json).n_unknown_keys(), 0, "{key}");
    }
}

#[test]
fn texts_are_borrowed_where_they_can_be() {
    let json =
        br#"{"messages":[{"role":"user","content":"plain"},{"role":"user","content":"a\nb"}]}"#;
    let body = ChatBody::from_json(json).unwrap();
    let is_borrowed: Vec<bool> =
        body.messages.iter().map(|one| matches!(one.text, Cow::Borrowed(_))).collect();
    assert_eq!(is_borrowed, [true, false]);
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
            let json = json.to_string();
            let body = ChatBody::from_json(json.as_bytes()).unwrap();
            prop_assert_eq!(&body.to_request().messages[0].text, &text);
        }
    }

    /// No body makes the reader panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(ChatBody::from_json(&bytes).is_err());
    }
}

//! Odd rows of every format: fields that are missing, null, unknown or of another type, two scores,
//! streamed answers, failures, tokens from a cache, and calls that are no chat.

mod otel;

use super::*;

/// What rows give: their records, and a line for each reason for which some were dropped.
fn gives(rows: &str, edit: impl FnOnce(&mut Options)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), "log", rows.as_bytes());
    let mut options = options(&[path], &dir.path().join("out"));
    edit(&mut options);
    let survey = run(&options).unwrap_or_else(|error| panic!("{error}\n{rows}")).survey;
    let mut text = records(&options.out);
    for (reason, rows) in survey.dropped {
        text += &format!("dropped {}: {reason}\n", rows.n);
    }
    text
}

/// Each of `parts` is in what the rows give, or, after an exclamation mark, is not.
#[track_caller]
fn check(rows: &str, parts: &[&str]) {
    check_by(&gives(rows, |_| {}), parts);
}

#[track_caller]
fn check_by(text: &str, parts: &[&str]) {
    for part in parts {
        match part.strip_prefix('!') {
            Some(absent) => assert!(!text.contains(absent), "{absent} is in {text}"),
            None => assert!(text.contains(part), "{part} is not in {text}"),
        }
    }
}

/// A row of `common` fields and others.
fn row(common: &str, others: &str) -> String {
    format!("{{{common}{}{others}}}\n", if others.is_empty() { "" } else { "," })
}

const FAILED: &str = r#""status":"failed""#;
const OK: &str = r#""status":"ok""#;

#[test]
fn odd_rows_of_litellm_are_told() {
    let call = |others: &str| {
        let common = r#""id":"a","call_type":"acompletion","startTime":1767225600,"model":"wren""#;
        row(common, others)
    };
    let cost = r#""response_cost":0.001"#;
    check(&call(cost), &[r#""drawn":"wren""#, OK, "!latency_ms", "!usage", "!messages"]);
    check(
        &call(
            r#""response_cost":null,"status":null,"endTime":null,"metadata":null,"messages":null,
            "response":null,"error_str":null,"eval_information":null,"model_parameters":null,
            "cache_hit":null,"trace_id":null,"prompt_tokens":null"#,
        )
        .replace('\n', " "),
        &[r#""drawn":"wren""#, OK, "!cost_usd", "!session_id", "!usage"],
    );
    check(
        &call(&format!(r#"{cost},"prompt_tokens":{{"odd":1}},"metadata":"odd","new":[1]"#)),
        &[OK],
    );
    check(
        &call(r#""response_cost":0.0,"error_str":"overloaded","status":"failure""#),
        &[FAILED, "!cost_usd"],
    );
    check(
        &call(&format!(
            r#"{cost},"stream":true,"completionStartTime":1767225600.5,"endTime":1767225602"#
        )),
        &[r#""ttft_ms":500.0"#, r#""latency_ms":2000.0"#],
    );
    check(
        &call(&format!(
            r#"{cost},"metadata":{{"usage_object":{{"cache_read_input_tokens":7,"cache_creation_input_tokens":2}}}}"#
        )),
        &[r#""cached_read":7"#, r#""cached_write":2"#],
    );
    check(
        &call(&format!(
            r#"{cost},"eval_information":[{{"eval_name":"a","overall_score":1}},{{"eval_name":"b","overall_score":0.5}},
            {{"eval_name":"c","overall_score":"good"}}]"#
        ))
        .replace('\n', " "),
        &[r#""name":"a","value":1.0"#, r#""name":"b","value":0.5"#, r#"!"name":"c""#],
    );
    for kind in ["embedding", "aimage_generation", "atranscription", "moderation", "arerank"] {
        let other = call(cost).replace("acompletion", kind);
        let both = format!("{}{other}", call(cost).replace(r#""a""#, r#""b""#));
        check(&both, &["dropped 1: not a chat call"]);
    }
}

#[test]
fn odd_rows_of_litellm_spend_logs_are_told() {
    let header =
        "request_id,call_type,spend,startTime,endTime,model,prompt_tokens,metadata,cache_hit,new\n";
    let rows = |rows: &str| format!("{header}{rows}");
    let at = "2026-01-01 00:00:10,2026-01-01 00:00:12";
    check(&rows(&format!("a,acompletion,0.5,{at},wren,7,{{}},,x\n")), &[OK, r#""input":7"#]);
    check(&rows(&format!("a,,,{at},wren,,,,\n")), &[OK, "!cost_usd", "!usage"]);
    check(&rows(&format!("a,acompletion,0.5,{at},wren\n")), &[OK]); // fewer cells than the header
    let failed = r#""{""status"":""failure""}""#;
    check(&rows(&format!("a,acompletion,0,{at},wren,7,{failed},False,\n")), &[FAILED, "!cost_usd"]);
    let two = format!(
        "a,acompletion,0,{at},wren,7,{{}},True,\nb,acompletion,0,{at},wren,7,{{}},False,\n"
    );
    check(&rows(&two), &["dropped 1: answered from the gateway's cache", r#""id":"b""#]);
}

#[test]
fn odd_rows_of_openrouter_are_told() {
    let call = |others: &str| {
        let common = r#""id":"a","created_at":"2026-01-01T00:00:00Z","model":"n/wren","provider_name":"N","native_tokens_prompt":9"#;
        row(common, others)
    };
    check(&call(""), &[r#""drawn":"n/wren""#, OK, "!cost_usd", "!latency_ms"]);
    check(
        &call(
            r#""total_cost":null,"latency":null,"generation_time":null,"finish_reason":null,"api_type":null,"router":null,"session_id":null"#,
        ),
        &[OK, "!cost_usd", "!ttft_ms", r#""name":"imported""#],
    );
    check(&call(r#""model_of_2030":{"a":[]},"latency":"odd""#), &[OK, "!ttft_ms"]);
    check(&call(r#""finish_reason":"error""#), &[FAILED]);
    check(
        &call(r#""streamed":true,"latency":300,"generation_time":700"#),
        &[r#""ttft_ms":300.0"#, r#""latency_ms":1000.0"#],
    );
    check(&call(r#""native_tokens_cached":4"#), &[r#""cached_read":4"#]);
    let both = call(r#""api_type":"embeddings""#) + &call("").replace(r#""a""#, r#""b""#);
    check(&both, &["dropped 1: not a chat call"]);
}

#[test]
fn odd_rows_of_openrouter_broadcasts_are_told() {
    let trace = |observations: &str| {
        row(
            r#""id":"t","userId":null,"sessionId":null"#,
            &format!(r#""observations":[{observations}]"#),
        )
    };
    let one = |others: &str| {
        row(
            r#""id":"a","type":"GENERATION","startTime":"2026-01-01T00:00:00Z","model":"n/wren""#,
            others,
        )
        .replace('\n', "")
    };
    check(&trace(&one("")), &[OK, r#""session_id":"t""#, "!cost_usd"]);
    check(&trace(&one(r#""level":"ERROR","totalCost":null,"input":null,"new":1"#)), &[FAILED]);
    check(
        &trace(&one(
            r#""completionStartTime":"2026-01-01T00:00:00.5Z","promptTokensDetails":{"cachedTokens":3}"#,
        )),
        &[r#""ttft_ms":500.0"#, r#""cached_read":3"#],
    );
    let embedding = r#"{"id":"e","type":"EMBEDDING"}"#;
    let tool = r#"{"id":"s","type":"TOOL"}"#;
    check(
        &trace(&format!("{embedding},{tool},{}", one(""))),
        &["dropped 1: not a chat call", "dropped 1: a step that called no model", OK],
    );
    let bare = format!("{}{}", trace(tool), trace(&one("")));
    check(&bare, &["dropped 1: a trace without a generation"]);
}

#[test]
fn odd_rows_of_openai_are_told() {
    let call = |others: &str| {
        row(
            r#""id":"a","object":"chat.completion","created":1767225600,"model":"wren","choices":[]"#,
            others,
        )
    };
    check(&call(""), &[OK, "!cost_usd", "!latency_ms", "!usage"]);
    check(&call(r#""usage":null,"metadata":null,"tools":null,"input":null,"new":{}"#), &[OK]);
    check(
        &call(r#""metadata":{"thumbs":"1","stars":"4.5","note":"kind","empty":""}"#),
        &[r#""name":"stars","value":4.5"#, r#""name":"thumbs","value":1.0"#, "!note", "!empty"],
    );
    check(
        &call(
            r#""usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}"#,
        ),
        &[r#""cached_read":4"#, r#""reasoning":2"#],
    );
    // A stream that was logged piece by piece is no whole answer, and neither is an embedding.
    for object in ["chat.completion.chunk", "embedding", "list.odd"] {
        let other = call("").replace(r#""chat.completion""#, &format!("\"{object}\""));
        let both = format!("{other}{}", call("").replace(r#""a""#, r#""b""#));
        check(&both, &["dropped 1: not a chat call"]);
    }
}

#[test]
fn odd_rows_of_langfuse_are_told() {
    let call = |others: &str| {
        row(
            r#""id":"a","trace_id":"t","type":"GENERATION","start_time":"2026-01-01 00:00:00","provided_model_name":"wren""#,
            others,
        )
    };
    check(&call(""), &[OK, r#""session_id":"t""#, "!usage", "!latency_ms"]);
    check(
        &call(
            r#""end_time":null,"input":null,"usage_details":null,"cost_details":null,"total_cost":null,"level":null,"model_parameters":null,"metadata":null,"user_id":null"#,
        ),
        &[OK, "!usage", "!cost_usd", "!tenant"],
    );
    check(
        &call(r#""usage_details":"odd","project_id":"p","environment":"x","new":[{}]"#),
        &[OK, "!usage"],
    );
    check(&call(r#""level":"ERROR","status_message":"x""#), &[FAILED]);
    check(
        &call(
            r#""latency":2,"time_to_first_token":0.5,"usage_details":{"input":9,"input_cached_tokens":4}"#,
        ),
        &[r#""ttft_ms":500.0"#, r#""latency_ms":2000.0"#, r#""cached_read":4"#],
    );
    let score = |id: &str, name: &str, value: &str| {
        format!(
            "{{\"id\":\"{id}\",\"trace_id\":\"t\",\"observation_id\":\"a\",\"name\":\"{name}\",\"value\":{value},\"timestamp\":\"2026-01-01 00:00:01\"}}\n"
        )
    };
    let scored = call("")
        + &score("s", "tone", "0.5")
        + &score("r", "fit", "1")
        + &score("q", "odd", "null");
    check(
        &scored,
        &[
            r#""name":"tone","value":0.5"#,
            r#""name":"fit","value":1.0"#,
            "dropped 1: a score that is no number",
        ],
    );
    let old = call("").replace("trace_id", "traceId").replace("start_time", "startTime");
    check(&old.replace("provided_model_name", "model"), &[OK, r#""drawn":"wren""#]);
    let both = call("") + &call("").replace("GENERATION", "EMBEDDING");
    check(&both, &["dropped 1: not a chat call"]);
}

#[test]
fn odd_rows_of_helicone_are_told() {
    let call = |others: &str| {
        row(
            r#""request_id":"a","request_created_at":"2026-01-01T00:00:00Z","request_model":"wren""#,
            others,
        )
    };
    check(&call(""), &[OK, "!usage", "!cost_usd"]);
    check(
        &call(
            r#""request_body":null,"response_body":null,"request_properties":null,"response_status":null,"scores":null,"feedback":null,"costUSD":null,"provider":null"#,
        ),
        &[OK, "!metrics", "!provider", "!cost_usd"],
    );
    check(
        &call(r#""request_body":"<html>","new":{"a":1},"delay_ms":"soon""#),
        &[OK, "!latency_ms"],
    );
    for status in ["500", "429", "-3", "\"503\""] {
        check(&call(&format!("\"response_status\":{status}")), &[FAILED]);
    }
    check(&call(r#""response_status":"200""#), &[OK]);
    check(
        &call(
            r#""time_to_first_token":120,"delay_ms":900,"prompt_tokens":9,"prompt_cache_read_tokens":4"#,
        ),
        &[r#""ttft_ms":120.0"#, r#""latency_ms":900.0"#, r#""cached_read":4"#],
    );
    check(
        &call(r#""scores":{"fit":1,"tone":0.5,"odd":"good"},"feedback":{"rating":false}"#),
        &[
            r#""name":"fit","value":1.0"#,
            r#""name":"tone","value":0.5"#,
            r#""name":"feedback","value":0.0"#,
            "!odd",
        ],
    );
    let both = call("") + &call(r#""request_path":"/v1/embeddings""#);
    check(&both, &["dropped 1: not a chat call"]);
}

#[test]
fn odd_rows_of_tensorzero_are_told() {
    let id = "019b7682-8c00-7000-8000-000000000001";
    let call = |others: &str| {
        let common = format!(
            r#""id":"m","inference_id":"{id}","model_name":"wren","model_provider_name":"n""#
        );
        row(&common, others)
    };
    check(&call(""), &[OK, "!usage", "!cost_usd", r#""ts_ms":1767219825664"#]);
    check(
        &call(
            r#""timestamp":null,"system":null,"input_messages":null,"cost":null,"cached":null,"tool_params":null,"finish_reason":null"#,
        ),
        &[OK, "!messages"],
    );
    check(&call(r#""raw_request":"{}","snapshot_hash":1,"input_tokens":"odd""#), &[OK, "!usage"]);
    check(&call(r#""ttft_ms":120,"response_time_ms":900"#), &[r#""ttft_ms":120.0"#]);
    let cached = call(r#""cached":true"#).replace(id, "019b7682-8c00-7000-8000-000000000009");
    check(&(call("") + &cached), &["dropped 1: answered from the gateway's cache, by no model"]);
    let score = |name: &str, value: &str| {
        format!(
            "{{\"id\":\"f\",\"target_id\":\"{id}\",\"metric_name\":\"{name}\",\"value\":{value},\"timestamp\":\"2026-01-01 00:10:00\"}}\n"
        )
    };
    let scored = call("") + &score("fit", "true") + &score("tone", "0.5") + &score("odd", "\"x\"");
    check(
        &scored,
        &[
            r#""name":"fit","value":1.0"#,
            r#""name":"tone","value":0.5"#,
            "dropped 1: a score that is no number",
        ],
    );
    let shown = format!(
        "{{\"id\":\"d\",\"inference_id\":\"{id}\",\"value\":\"better\",\"timestamp\":\"2026-01-01 00:10:00\"}}\n"
    );
    check(&(call("") + &shown), &["dropped 1: a comment or demonstration, not a number"]);
    let json = format!(
        "{{\"id\":\"{id}\",\"function_name\":\"f\",\"variant_name\":\"v\",\"episode_id\":\"e\",\"output_schema\":\"{{}}\",\"processing_time_ms\":45}}\n"
    );
    check(&(call("") + &json), &[r#""latency_ms":45.0"#]);
}

#[test]
fn odd_rows_of_columns_are_told() {
    let map = "[columns]\nid = \"id\"\nmodel = \"m\"\ntime = \"at\"\nprompt = \"q\"\nstatus = \"code\"\n\
               error = \"err\"\nttft_ms = \"first\"\ncached_tokens = \"cached\"\ninput_tokens = \"use.in\"\n\
               kind = \"call.kind\"\n\
               [scores]\nfit = \"fit\"\ntone = \"tone\"";
    let check = |others: &str, parts: &[&str]| {
        let rows = row(r#""id":"a","m":"wren","at":"2026-01-01""#, others);
        let text = gives(&rows, |one| {
            one.origin = Origin::Columns;
            one.map = ColumnMap::from_toml(map).unwrap();
        });
        check_by(&text, parts);
    };
    check("", &[OK, "!usage", "!metrics", "!messages"]);
    check(r#""q":null,"code":null,"err":null,"first":null,"use":null,"fit":null"#, &[OK, "!usage"]);
    check(r#""new":{"x":1},"use":3,"cached":"many""#, &[OK, "!usage"]);
    for failed in [r#""code":500"#, r#""code":"Timeout""#, r#""err":"overloaded""#] {
        check(failed, &[FAILED]);
    }
    check(r#""code":200,"err":"""#, &[OK]);
    check(
        r#""first":120,"use":{"in":9},"cached":4,"fit":true,"tone":"0.5""#,
        &[
            r#""ttft_ms":120.0"#,
            r#""input":9"#,
            r#""cached_read":4"#,
            r#""name":"fit","value":1.0"#,
            r#""name":"tone","value":0.5"#,
        ],
    );
    check(r#""q":[{"role":"user","content":"Hi"}]"#, &[r#""content":"Hi""#]);
    check(r#""call":{"kind":"chat"}"#, &[OK]);
    check(r#""call":{"kind":null}"#, &[OK]);
    let embedding = r#""call":{"kind":"embedding"}"#;
    check(embedding, &["dropped 1: not a chat call", "!drawn"]);
}

/// Records of our own come as they are, but for those that cannot be true.
#[test]
fn odd_records_are_told() {
    let decision = |p: &str| {
        format!(
            "{{\"v\":1,\"kind\":\"decision\",\"id\":\"a{p}\",\"ts_ms\":1767225600000,\"request\":{{\"tools\":0}},\"candidates\":[{{\"model\":\"wren\",\"probability\":{p}}}],\"drawn\":\"wren\",\"propensity\":{{\"value\":{p},\"kind\":\"exact\"}},\"policy\":{{\"name\":\"p\"}}}}\n"
        )
    };
    let scores = "{\"v\":1,\"kind\":\"outcome\",\"decision_id\":\"a1.0\",\"ts_ms\":1767225600001,\"status\":\"ok\",\"metrics\":[{\"name\":\"fit\",\"value\":1.0,\"scope\":\"request\"},{\"name\":\"tone\",\"value\":0.5,\"scope\":\"request\"}]}\n";
    check(&(decision("1.0") + scores), &[r#""name":"fit""#, r#""name":"tone""#, "!dropped"]);
    check(&(decision("1.0") + &decision("1.5")), &["dropped 1:", r#"!"id":"a1.5""#]);
    let failed = scores.replace("\"ok\"", "\"failed\"");
    check(&(decision("1.0") + &failed), &[FAILED]);
    check(
        &(decision("1.0") + "{\"v\":99,\"kind\":\"decision\"}\n"),
        &["dropped 1: not a row of this format"],
    );
}

//! What is documented is what there is.

use crate::workbench::Bench;
use axum::{body::Body, http::Request};
use pointsman_serve::{
    http::{OPENAPI, OPENAPI_ADMIN},
    problem::Code,
};
use serde_json::Value;

#[test]
fn every_code_is_documented_with_its_status() {
    for document in [OPENAPI, OPENAPI_ADMIN] {
        check_codes(&serde_json::from_str(document).unwrap());
    }
}

#[track_caller]
fn check_codes(document: &Value) {
    let page = include_str!("../../../../docs/http.md");
    for code in Code::ALL {
        let (status, name) = (code.status().as_u16(), code.name());
        let response = &document["components"]["responses"][format!("E{status}")];
        let text = response["description"].as_str().unwrap();
        assert!(text.contains(&format!("`{name}`")), "{status} {name}: {text}");
        let codes = &document["components"]["schemas"]["Error"]["properties"]["error"]["properties"]
            ["code"]["enum"];
        assert!(codes.as_array().unwrap().iter().any(|one| one == name), "{name}");
        assert!(
            page.contains(&format!("| {status} | `{name}` |")),
            "{status} {name} in docs/http.md"
        );
    }
}

#[test]
fn every_documented_path_of_operators_is_there() {
    let bench = Bench::new("");
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let document = bench.operate(get("/openapi.json")).json();
    let page = include_str!("../../../../docs/http.md");
    for (path, operations) in document["paths"].as_object().unwrap() {
        assert!(
            page.contains(&format!("`{path}`")) || page.contains(&format!(" {path}`")),
            "{path}"
        );
        for (method, operation) in operations.as_object().unwrap() {
            let request = Request::builder().method(&*method.to_uppercase()).uri(path);
            let answer = bench.operate(request.body(Body::from("{}")).unwrap());
            let status = answer.status.to_string();
            assert!(operation["responses"][&status].is_object(), "{method} {path}: {status}");
            let request = Request::delete(path).body(Body::empty()).unwrap();
            assert_eq!(
                bench.operate(request).problem(),
                (405, "wrong_method".to_owned()),
                "{path}"
            );
        }
    }
}

#[test]
fn every_documented_path_is_there() {
    let bench = Bench::new("");
    let document = bench.get("/openapi.json").json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let request = Request::builder().method(&*method.to_uppercase()).uri(path);
            let answer = bench.send(request.body(Body::from("{}")).unwrap());
            let status = answer.status.to_string();
            assert!(operation["responses"][&status].is_object(), "{method} {path}: {status}");
            let request = Request::delete(path).body(Body::empty()).unwrap();
            assert_eq!(bench.send(request).problem(), (405, "wrong_method".to_owned()), "{path}");
        }
    }
}

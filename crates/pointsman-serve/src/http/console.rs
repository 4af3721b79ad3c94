//! The console: one page for operators, which asks for everything that it shows with their key.
//!
//! The page itself holds nothing of the service and is given to everybody who reaches the admin
//! listener. It runs its own script and no other, and talks to its own origin alone.

use crate::{keys::Plane, service::Service};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use std::sync::Arc;

const PAGE: &str = include_str!("../console/page.html");
const STYLE: &str = include_str!("../console/page.css");
const SCRIPT: &str = include_str!("../console/page.js");

/// The page.
pub(super) async fn console(State(service): State<Arc<Service>>) -> Response {
    let random = || (service.effects.random)();
    let nonce = format!("{:016x}{:016x}", random(), random());
    let mut response =
        Response::new(Body::from(page(&nonce, service.keys.load().is_guarded(Plane::Operators))));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The three files as one; only what bears the nonce is run or applied.
fn page(nonce: &str, is_guarded: bool) -> String {
    let page = PAGE.replace("{{nonce}}", nonce);
    let page = page.replace("{{guarded}}", if is_guarded { "yes" } else { "no" });
    page.replace("{{style}}", STYLE).replace("{{script}}", SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_asks_nobody_else() {
        let page = page("0123", true);
        assert!(!page.contains("{{"), "something was not filled in");
        assert_eq!(page.matches("nonce=\"0123\"").count(), 2);
        for elsewhere in ["http://", "https://", "src=\"", "@import", "url("] {
            let found = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn nothing_is_put_into_the_page_as_markup() {
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(way), "{way}");
        }
        for handler in
            [" onclick=", " onload=", " onsubmit=", " oninput=", " style=", "javascript:"]
        {
            assert!(!PAGE.contains(handler), "{handler}");
        }
    }
}

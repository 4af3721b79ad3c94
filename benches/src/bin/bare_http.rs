//! What the service is held against: an axum handler that parses a chat body and answers as many
//! bytes, and does nothing else. Prints where it listens.

use axum::{Router, body::Bytes, response::Response, routing::post};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde::Deserialize;
use std::{borrow::Cow, env, error::Error, io::Write};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let n_bytes: usize = env::args().nth(1).ok_or("say how many bytes a reply has")?.parse()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(n_bytes))
}

async fn serve(n_bytes: usize) -> Result<(), Box<dyn Error>> {
    let answer = move |bytes: Bytes| async move {
        let parsed: Result<Body<'_>, _> = serde_json::from_slice(&bytes);
        let n_said = parsed.map_or(0, |body| {
            body.messages.iter().map(|said| said.role.len() + said.content.len()).sum::<usize>()
        });
        let mut reply = Vec::with_capacity(n_bytes + 32);
        reply.extend_from_slice(format!("{{\"said\":{n_said},\"rest\":\"").as_bytes());
        reply.resize(n_bytes.saturating_sub(2), b'x');
        reply.extend_from_slice(b"\"}");
        let mut response = Response::new(axum::body::Body::from(reply));
        let kind = axum::http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(axum::http::header::CONTENT_TYPE, kind);
        response
    };
    let router = Router::new().route("/route", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    loop {
        let (stream, _from) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let router = router.clone();
        tokio::spawn(async move {
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            // What a caller does to its own connection ends that connection.
            drop(serving.await);
        });
    }
}

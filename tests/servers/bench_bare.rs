//! The yardstick of `scripts/bench.sh`: what this machine can do at most over HTTP with axum.
//!
//! A handler that reads the whole request and answers a constant, as long as an answer of our own `health_check`, with the
//! headers that we send: no JSON is read, no session is known, nothing is stored. Every speed that we state is a share of
//! this one, measured in the same run.

use std::convert::Infallible;

use anyhow::Context;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

/// An answer to `tools/call` of `health_check`.
const BODY: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1000000000,"result":{"content":[{"type":"text","text":"#,
    r#""{\"success\":true,\"health\":{\"status\":\"healthy\",\"database\":true,\"database_ms\":0.275,"#,
    r#"\"last_health_check\":\"2026-11-20T10:00:00.000Z\"},\"uptime_seconds\":1.22,"#,
    r#"\"timestamp\":\"2026-11-20T10:00:00.000Z\"}"}],"structuredContent":{"success":true,"#,
    r#""health":{"status":"healthy","database":true,"database_ms":0.275,"#,
    r#""last_health_check":"2026-11-20T10:00:00.000Z"},"uptime_seconds":1.22,"#,
    r#""timestamp":"2026-11-20T10:00:00.000Z"},"isError":false}}"#
);
const ARCHON_SESSION: &str = "8d2f1b9e-15c7-4e6f-8a35-5b0e9c2d4f22";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port of 127.0.0.1 can be bound")?;
    println!("listening on http://{}/mcp", listener.local_addr()?);
    let router = Router::new().route("/mcp", post(answer));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, router.clone()));
    }
}

async fn answer(_whole: Bytes) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE.as_str(), "application/json"), ("x-archon-session-id", ARCHON_SESSION)];
    (headers, BODY)
}

/// One connection, until the client leaves; how it ends is of no interest here.
async fn serve(stream: TcpStream, router: Router) {
    let service = service_fn(move |request| {
        let answer = router.clone().call(request);
        async { Ok::<_, Infallible>(answer.await.into_response()) }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.unwrap_or_default();
}

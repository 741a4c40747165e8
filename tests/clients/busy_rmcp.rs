//! Clients of the Rust SDK at work: each one object that is never reconnected. What is printed is that of `busy.py`.
//!
//! `busy_rmcp URL CLIENTS`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{RoleClient, ServiceExt, service::RunningService};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// What failed, if it did.
async fn attempt(client: &RunningService<RoleClient, ()>) -> Option<Value> {
    let began = now();
    let call = client.call_tool(CallToolRequestParams::new("health_check"));
    let why = match tokio::time::timeout(Duration::from_mins(1), call).await {
        Ok(Ok(result)) if result.is_error != Some(true) => return None,
        Ok(Ok(result)) => format!("{result:?}"),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer within a minute".to_owned(),
    };
    Some(json!([began, now(), why]))
}

async fn work(client: RunningService<RoleClient, ()>, done: Arc<AtomicBool>) {
    let (mut calls, mut failed) = (0_u64, Vec::new());
    while !done.load(Relaxed) {
        failed.extend(attempt(&client).await);
        calls += 1;
        tokio::time::sleep(Duration::from_millis(20 + calls * 37 % 180)).await;
    }
    let last = attempt(&client).await.map(|failure| failure[2].clone());
    println!("{}", json!({"calls": calls, "failed": failed, "last": last}));
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let (url, clients) = (args.next().expect("URL"), args.next().and_then(|n| n.parse().ok()).expect("CLIENTS"));
    let done = Arc::<AtomicBool>::default();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        // Once is enough, and more do no harm.
        _ = rustls::crypto::ring::default_provider().install_default();
        let client = ().serve(StreamableHttpClientTransport::from_uri(url.clone())).await.expect("a session");
        tasks.spawn(work(client, done.clone()));
    }
    println!("ready");
    _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    done.store(true, Relaxed);
    tasks.join_all().await;
}

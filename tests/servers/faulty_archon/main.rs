//! An archonctl that is broken on purpose, in one way: a proxy before the real one. It shows that `selftest` can fail.
//!
//! `faulty_archon FAULT ARCHONCTL serve …` starts `ARCHONCTL serve …` on a port of its own, listens where it was told to,
//! and passes everything on but for what the fault changes.

mod database;
mod message;
mod proxy;

use std::io::{BufRead, Write};
use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};

use database::{execute, triggers};
use message::{Message, answer};
use proxy::Proxy;

async fn proxied(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (method, headers) = (parts.method, parts.headers);
    let message = Message { method, path, headers, body: body.to_vec(), ..Message::default() };
    // In a task of its own: a client that hangs up does not stop what it began.
    let handled = tokio::spawn(async move { proxy.handle(message).await }).await;
    let got = handled.unwrap_or_else(|_| answer(500, "the proxy broke"));
    (got.status, got.headers, got.body).into_response()
}

/// What stands after `--bind` is ours; the server behind takes any free port.
fn bind_of(args: &mut [String]) -> String {
    let place = args.iter().position(|arg| arg == "--bind").expect("--bind") + 1;
    std::mem::replace(&mut args[place], "127.0.0.1:0".to_owned())
}

#[tokio::main]
async fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let bind = bind_of(&mut args);
    let (fault, program) = (args.remove(0), args.remove(0));
    let mut child = std::process::Command::new(program)
        .args(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the real server starts");
    let mut log = std::io::BufReader::new(child.stderr.take().expect("its log")).lines();
    let behind = loop {
        let line = log.next().expect("a server that listens").expect("a line");
        match line.split_once("listening on http://") {
            Some((_, rest)) => break rest.split('/').next().expect("an address").to_owned(),
            None => eprintln!("{line}"),
        }
    };
    // The group is told to stop: the server behind does, and then so do we.
    let deaf = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a handler");
    execute(&triggers(&fault)).await;
    let listener = tokio::net::TcpListener::bind(&bind).await.expect("the address that was asked for");
    eprintln!("listening on http://{}/mcp", listener.local_addr().expect("an address"));
    std::thread::spawn(move || log.map_while(Result::ok).for_each(|line| eprintln!("{line}")));

    let stdin = child.stdin.take().expect("its input");
    let clock_fault = fault.clone();
    std::thread::spawn(move || follow(stdin, &clock_fault));
    std::thread::spawn(move || {
        let code = child.wait().ok().and_then(|status| status.code()).unwrap_or(1);
        std::process::exit(code);
    });
    let proxy = Arc::new(Proxy::new(fault, behind));
    axum::serve(listener, Router::new().fallback(proxied).with_state(proxy)).await.expect("serving");
    drop(deaf);
}

/// Standard input is the clock; its end is ours, too.
fn follow(mut behind: std::process::ChildStdin, fault: &str) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match fault {
            "clock-stands-still" => eprintln!("clock advanced, they say"),
            "reaps-everything" => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let end = |table: &str| {
                    format!(
                        "UPDATE {table} SET status = 'expired', disconnect_reason = 'timeout' WHERE status = 'active'"
                    )
                };
                let all = ["archon_mcp_sessions", "archon_mcp_protocol_sessions"];
                runtime.block_on(execute(&all.map(end)));
                eprintln!("clock advanced, and everybody is gone");
            }
            _ => _ = writeln!(behind, "{line}"),
        }
    }
}

//! Clients that know nothing of what fails: they call, list, ping, open and close sessions at any of the servers, and hold
//! each answer against what is promised.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Scene;
use super::ledger::{Known, Life, count, locked};
use super::{SERVERS, SOON};
use crate::http::Answer;
use crate::replicas::REVISION;

/// Opens as many sessions as are kept alive, before anything fails.
pub(super) async fn open_all(scene: &Scene, rng: &mut Rng) {
    let servers: Vec<_> = (0..scene.sessions).map(|_| rng.usize(..SERVERS)).collect();
    for some in servers.chunks(16) {
        join_all(some.iter().map(|server| open(scene, *server))).await;
    }
    assert_eq!(scene.ledger.live_count(), scene.sessions);
}

/// Plays one client until all is over.
pub(super) async fn play(scene: Arc<Scene>, mut rng: Rng) {
    while !scene.is_done.load(Relaxed) {
        turn(&scene, &mut rng).await;
        sleep(scene.pause.mul_f64(rng.f64() * 2.0)).await;
    }
}

async fn turn(scene: &Scene, rng: &mut Rng) {
    let server = rng.usize(..SERVERS);
    let any_live = |rng: &mut Rng| scene.ledger.any(rng, |life| life == Life::Live);
    match rng.u32(..100) {
        // As many as end.
        0..6 if scene.ledger.live_count() < scene.sessions => open(scene, server).await,
        6..8 => {
            if let Some(known) = any_live(rng) {
                close(scene, server, &known).await;
            }
        }
        8..16 => {
            if let Some(known) = scene.ledger.any(rng, |life| life != Life::Live) {
                let method = if rng.bool() { "ping" } else { "tools/list" };
                request(scene, server, &known, &json!({"jsonrpc": "2.0", "id": 1, "method": method})).await;
            }
        }
        choice => {
            let Some(known) = any_live(rng) else { return };
            match choice {
                16..20 => make_project(scene, server, &known, rng).await,
                20..25 => name(scene, server, &known, rng).await,
                25..30 => ping(scene, server, &known).await,
                30..33 => notify(scene, server, &known).await,
                _ => call(scene, server, &known).await,
            }
        }
    }
}

/// `initialize` gives an id, or fails.
async fn open(scene: &Scene, server: usize) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "suite", "version": "1"}}});
    let Ok(answer) = scene.mcps[server].post(&[], body.to_string()).await else {
        return scene.ledger.answers.add("initialize: none");
    };
    scene.ledger.answers.add(format!("initialize: {}", answer.status));
    match (answer.status, answer.header("mcp-session-id"), answer.header("x-archon-session-id")) {
        (200, Some(id), Some(archon)) => scene.ledger.add(Known::new(id, archon)),
        (503, None, _) => refused(scene, &answer),
        _ => broken(scene, server, "initialize", &answer),
    }
}

async fn close(scene: &Scene, server: usize, known: &Known) {
    known.may_end();
    let began = Instant::now();
    let Ok(answer) = scene.mcps[server].delete(&known.id).await else {
        return scene.ledger.answers.add("DELETE: none");
    };
    scene.ledger.answers.add(format!("DELETE: {}", answer.status));
    match answer.status {
        204 => known.has_ended(),
        503 => refused(scene, &answer),
        _ => broken(scene, server, &format!("DELETE of {} after {:?}", known.id, began.elapsed()), &answer),
    }
}

async fn call(scene: &Scene, server: usize, known: &Known) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "test_echo", "arguments": {"text": "x"}}});
    match request(scene, server, known, &body).await {
        Told::Done { promised: true, .. } => count(&known.promised),
        Told::Done { .. } | Told::Unknown => count(&known.in_doubt),
        Told::Refused => {}
    }
}

/// A request whose row can be told from all others.
async fn name(scene: &Scene, server: usize, known: &Known, rng: &mut Rng) {
    let name = format!("test/{:016x}", rng.u64(..));
    let told = request(scene, server, known, &json!({"jsonrpc": "2.0", "id": 1, "method": name})).await;
    locked(&scene.ledger.named).push((name, matches!(told, Told::Done { promised: true, .. })));
}

async fn make_project(scene: &Scene, server: usize, known: &Known, rng: &mut Rng) {
    let title = format!("{:016x}", rng.u64(..));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "manage_project", "arguments": {"action": "create", "title": title}}});
    let told = request(scene, server, known, &body).await;
    let is_made = matches!(&told, Told::Done { message, .. } if message["result"]["isError"] == false);
    scene.ledger.answers.add(if is_made { "projects: made" } else { "projects: not made" });
    locked(&scene.ledger.projects).push((title, is_made));
}

async fn ping(scene: &Scene, server: usize, known: &Known) {
    request(scene, server, known, &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).await;
}

async fn notify(scene: &Scene, server: usize, known: &Known) {
    let body = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    request(scene, server, known, &body).await;
}

/// What an answer says of the row of its request.
enum Told {
    Done {
        promised: bool,
        message: Value,
    },
    /// It did not run.
    Refused,
    Unknown,
}

/// Sends a request in a session, and holds the answer against what is known of it.
async fn request(scene: &Scene, server: usize, known: &Known, body: &Value) -> Told {
    let began = Instant::now();
    // Asked before, so that an end that is made meanwhile may be seen or not.
    let is_over = known.is_over_at(began) && scene.weather.is_well(server, began);
    let answer = scene.mcps[server].post(&[("mcp-session-id", &known.id)], body.to_string()).await;
    let Ok(answer) = answer else {
        scene.ledger.answers.add("none");
        return Told::Unknown;
    };
    scene.ledger.answers.add(answer.status.to_string());
    let what = || format!("{} of {} ({:?}) after {:?}", body["method"], known.id, known.life(), began.elapsed());
    match answer.status {
        200 | 202 if is_over && scene.weather.is_well(server, began) => {
            broken(scene, server, &what(), &answer);
            Told::Unknown
        }
        202 => Told::Refused,
        200 => {
            let archon = answer.header("x-archon-session-id");
            if archon != Some(&known.archon) && !known.is_renewed.load(Relaxed) && known.is_live() {
                broken(scene, server, &format!("another Archon session, {archon:?}, in {}", what()), &answer);
            }
            told(scene, &answer)
        }
        404 if !known.is_live() => {
            if is_over {
                scene.ledger.answers.add("404 that nothing excuses from");
            }
            known.has_ended();
            Told::Refused
        }
        503 => {
            refused(scene, &answer);
            Told::Refused
        }
        _ => {
            broken(scene, server, &what(), &answer);
            Told::Unknown
        }
    }
}

/// What an answer to a request says of its row. A stream may be cut before its end; it tells in a comment what others tell
/// in a header.
fn told(scene: &Scene, answer: &Answer) -> Told {
    let text = answer.text();
    let is_stream = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let data = if is_stream { text.lines().rev().find_map(|line| line.strip_prefix("data:")) } else { Some(&*text) };
    let Some(message) = data.and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
        scene.ledger.answers.add("streams that were cut");
        return Told::Unknown;
    };
    let record = answer.header("x-archon-record").map(str::to_owned);
    let record =
        record.or_else(|| text.lines().find_map(|line| Some(line.strip_prefix(": x-archon-record: ")?.to_owned())));
    if let Some(record) = &record {
        scene.ledger.answers.add(format!("rows {record}"));
    }
    if is_stream {
        scene.ledger.answers.add("streams");
    }
    if let Some(reason) = message["error"]["data"]["reason"].as_str() {
        scene.ledger.answers.add(format!("errors {reason}"));
        // Refused after a while, in a stream: nothing ran.
        if reason != "cut_short" && reason != "unknown_method" {
            return Told::Unknown;
        }
    }
    Told::Done { promised: record.is_none(), message }
}

/// "Try again" says when, and what happened.
fn refused(scene: &Scene, answer: &Answer) {
    let when = answer.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
    if when.is_none() || !answer.text().contains("\"error\"") {
        scene.ledger.is_broken(format!("503 without a word: {:?} {}", answer.headers, answer.text()));
    }
}

fn broken(scene: &Scene, server: usize, what: &str, answer: &Answer) {
    scene.ledger.is_broken(format!(
        "server {server}: {what}: {} {} {:?}",
        answer.status,
        answer.text(),
        answer.headers
    ));
}

/// Every server serves it, or refuses it.
pub(super) async fn roll_call(scene: &Scene, known: &Known) {
    let wanted = match known.life() {
        Life::Live => 200,
        Life::Ended(_) => 404,
        Life::MayEnd(_) => return,
    };
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    for (server, mcp) in scene.mcps.iter().enumerate() {
        let answer = mcp.post(&[("mcp-session-id", &known.id)], body.clone()).await.expect("an answer");
        if answer.status != wanted {
            broken(scene, server, &format!("all is quiet, and {} is {:?}", known.id, known.life()), &answer);
        }
    }
}

/// Calls at one server, all of them promised, for what becomes of them when it is killed.
pub(super) async fn call_at(scene: &Scene, server: usize, calls: usize, rng: &mut Rng) {
    let (mut done, deadline) = (0, Instant::now() + SOON);
    while done < calls {
        let Some(known) = scene.ledger.any(rng, |life| life == Life::Live) else { continue };
        let before = known.promised.load(Relaxed);
        call(scene, server, &known).await;
        done += usize::from(known.promised.load(Relaxed) > before);
        assert!(Instant::now() < deadline, "{done} calls were promised a row");
    }
}

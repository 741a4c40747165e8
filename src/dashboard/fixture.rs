//! Dashboards with made-up sessions at one moment, for tests of screens and keys.

use std::time::Duration;

use super::app::{App, Settings};
use super::data::{Answer, History, Part, Pulse, Step};
use super::message::Message;
use super::theme::Theme;
use super::update::update;
use crate::model::timestamp::Timestamp;
use crate::queries::boots::Boot;
use crate::queries::clients::ClientUse;
use crate::queries::events::Event;
use crate::queries::latest::Latest;
use crate::queries::minutes::Minute;
use crate::queries::percentiles::Percentiles;
use crate::queries::requests::Request;
use crate::queries::sessions::{Session, Status};
use crate::queries::standings::{Counts, Crowd};
use crate::queries::story::{ProtocolSession, Story};
use crate::queries::usage::{By, Source, Statistics, Usage};
use crate::queries::window::SessionWindow;

/// 2026-01-10 12:00:00.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_768_046_400_000);

pub(super) fn ago(seconds: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(seconds))
}

/// The n-th id.
pub(super) fn id(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

/// A dashboard that has no answer yet.
pub(super) fn blank(size: (u16, u16)) -> App {
    let settings = Settings {
        interval: 2,
        paused: false,
        read_only: false,
        theme: Theme::Colored,
        database: "sqlite".to_owned(),
        serve_hint: "archonctl serve".to_owned(),
    };
    App::new(settings, NOW, size)
}

pub(super) fn give(app: &mut App, answer: Answer) {
    _ = update(app, Message::Answer(Box::new(answer), NOW));
}

/// A server that is up, and nothing else.
pub(super) fn empty(size: (u16, u16)) -> App {
    let mut app = blank(size);
    _ = update(&mut app, Message::Took(Duration::from_micros(400)));
    give(&mut app, Answer::Pulse(Pulse { boots: vec![boot(1, 40)], boots_today: 1, ..Pulse::default() }));
    give(&mut app, Answer::Counts(Counts::default()));
    give(&mut app, Answer::Sessions(SessionWindow::default()));
    give(&mut app, Answer::Requests(vec![], Part::Whole));
    give(&mut app, Answer::Events(vec![], Part::Whole));
    give(&mut app, Answer::Tools(statistics(By::Tool, vec![])));
    give(&mut app, Answer::Clients(vec![]));
    app
}

/// A busy morning, in which all is well.
pub(super) fn populated(size: (u16, u16)) -> App {
    let mut app = blank(size);
    _ = update(&mut app, Message::Took(Duration::from_micros(400)));
    let minute = |n: u32| Minute {
        minute: ago(60 * u64::from(n)).minute(),
        calls: i64::from(40 + n * 7 % 30),
        errors: i64::from(n % 5 == 3),
        p95_ms: Some(3.0 + f64::from(n % 4)),
    };
    let minutes = (0..30).rev().map(minute).collect();
    let boots = vec![
        boot(12, 10_920),
        Boot { ended_at: Some(ago(10_932)), end_cause: Some("crash".into()), ..boot(11, 90_000) },
    ];
    give(&mut app, Answer::Pulse(Pulse { boots: boots.clone(), boots_today: 2, minutes, original: false }));
    give(&mut app, Answer::Boots(boots.into_iter().map(|b| Boot { recovered: Some(7), ..b }).collect()));
    give(&mut app, Answer::Counts(Counts { active: 3, idle: 1, disconnected: 40, expired: 7 }));
    let rows = vec![
        session(1, "Claude Code", Some("alice"), (3, 7200), (42, 1)),
        session(2, "Cursor", Some("bob"), (700, 9000), (7, 0)),
        session(3, "Windsurf", None, (30, 400), (120, 2)),
    ];
    let revisions =
        rows.iter().map(|s| (s.protocol_session_id.clone().unwrap_or_default(), "2025-06-18".into())).collect();
    give(&mut app, Answer::Sessions(SessionWindow { rows, revisions, more: false, now: NOW }));
    let latest = |tool: &str, ms| Latest {
        last_tool: Some(tool.into()),
        last_ms: Some(ms),
        p95_ms: Some(ms * 2.0),
        failed_in_a_row: 0,
    };
    let all = [
        (id(1), latest("find_projects", 1.2)),
        (id(2), latest("manage_project", 4.0)),
        (id(3), latest("health_check", 0.3)),
    ];
    give(&mut app, Answer::Latest(all.into_iter().collect()));
    give(
        &mut app,
        Answer::Tools(statistics(By::Tool, vec![usage("find_projects", 1204, 3), usage("health_check", 600, 0)])),
    );
    give(&mut app, Answer::Requests((1..=6).map(request).collect(), Part::Whole));
    give(&mut app, Answer::Events(vec![event(1, "initialised"), event(2, "created"), event(3, "ended")], Part::Whole));
    give(&mut app, Answer::Clients(clients()));
    let hours = vec![usage("2026-01-10T10:00:00.000Z", 900, 3), usage("2026-01-10T11:00:00.000Z", 904, 0)];
    let begun = vec![(ago(7200), 4), (ago(3600), 8)];
    give(
        &mut app,
        Answer::History(History { step: Step::Hour, usage: statistics(By::Hour, hours), begun, clients: clients() }),
    );
    app
}

/// The same morning, in which much is wrong.
pub(super) fn troubled(size: (u16, u16)) -> App {
    let mut app = populated(size);
    let stuck = Latest {
        last_tool: Some("manage_project".into()),
        last_ms: Some(900.0),
        p95_ms: Some(900.0),
        failed_in_a_row: 4,
    };
    let slow = Latest {
        last_tool: Some("find_projects".into()),
        last_ms: Some(800.0),
        p95_ms: Some(800.0),
        failed_in_a_row: 0,
    };
    give(&mut app, Answer::Latest([(id(2), stuck), (id(1), slow)].into_iter().collect()));
    let mut list = app.data.sessions.clone().expect("a list");
    list.rows[1].errors = 6;
    list.rows[2].expires_at = Some(NOW.plus(Duration::from_secs(100)));
    list.rows.push(Session { called_tools: false, ..session(4, "Gemini CLI", None, (300, 301), (0, 0)) });
    give(&mut app, Answer::Sessions(list));
    let crowd = Crowd { client_type: "Cursor".into(), user_name: "bob".into(), sessions: 25 };
    give(&mut app, Answer::Crowds(vec![crowd]));
    app
}

/// Names that are long, wide, or would drive the terminal.
pub(super) fn strange(size: (u16, u16)) -> App {
    let mut app = populated(size);
    let mut list = app.data.sessions.clone().expect("a list");
    list.rows[0].client_type = "会話クライアントの長い長い名前".into();
    list.rows[0].user_name = Some("山田太郎山田太郎山田太郎".into());
    list.rows[1].client_type = "An extraordinarily long name of a client that nobody would choose".into();
    list.rows[2].client_type = "evil\u{1b}[2Jname\nof two lines".into();
    give(&mut app, Answer::Sessions(list));
    app
}

pub(super) fn boot(number: i64, seconds: u64) -> Boot {
    Boot {
        number,
        pid: Some(4242),
        version: "0.1.0".into(),
        started_at: ago(seconds),
        heartbeat_at: ago(seconds.min(5)),
        cleanup_at: Some(ago(seconds.min(120))),
        ended_at: None,
        end_cause: None,
        outage_s: 12,
        recovered: None,
    }
}

/// The n-th session: used and begun so long ago, with so many calls and errors.
pub(super) fn session(
    n: u32,
    client: &str,
    owner: Option<&str>,
    (used, began): (u64, u64),
    (calls, errors): (i64, i64),
) -> Session {
    Session {
        session_id: id(n),
        protocol_session_id: Some(format!("a{}", &id(n)[1..])),
        status: Status::Active,
        called_tools: true,
        client_type: client.into(),
        client_name: Some(client.to_lowercase().replace(' ', "-")),
        client_version: Some("1.0.0".into()),
        user_id: None,
        user_name: owner.map(Into::into),
        user_email: None,
        connected_at: ago(began),
        last_activity: ago(used),
        expires_at: Some(ago(used).plus(Duration::from_hours(1))),
        disconnected_at: None,
        disconnect_reason: None,
        ended_by: None,
        duration_s: began,
        calls,
        errors,
        prompt_tokens: calls * 10,
        completion_tokens: calls * 20,
    }
}

fn usage(name: &str, calls: i64, errors: i64) -> Usage {
    let latency = Percentiles { p50_ms: Some(1.2), p95_ms: Some(3.1), p99_ms: Some(9.0) };
    let (prompt_tokens, completion_tokens) = (calls * 4, calls * 6);
    Usage {
        name: name.into(),
        calls,
        errors,
        timeouts: Some(0),
        mean_ms: Some(1.4),
        latency,
        prompt_tokens,
        completion_tokens,
    }
}

fn statistics(by: By, groups: Vec<Usage>) -> Statistics {
    let calls = groups.iter().map(|group| group.calls).sum();
    let total = Usage { calls, ..Usage::default() };
    Statistics { by, source: Source::Rollups, since: None, total, groups, more: false, now: NOW }
}

pub(super) fn request(n: u32) -> Request {
    let failed = n.is_multiple_of(3);
    Request {
        id: n.to_string(),
        timestamp: Some(ago(u64::from(60 - n * 5))),
        session_id: Some(id(1)),
        protocol_session_id: Some(format!("a{}", &id(1)[1..])),
        client_type: Some("Claude Code".into()),
        user_name: Some("alice".into()),
        method: Some("tools/call".into()),
        tool_name: Some(if failed { "manage_project" } else { "find_projects" }.into()),
        status: Some(if failed { "error" } else { "success" }.into()),
        duration_ms: Some(f64::from(n) * 1.5),
        prompt_tokens: Some(10),
        completion_tokens: Some(20),
        estimated_cost_usd: None,
        error_message: failed.then(|| "no project has the id 7; find_projects lists them".into()),
        session_rule: Some("bound".into()),
        late: false,
        number: n.into(),
    }
}

fn event(n: i64, kind: &str) -> Event {
    let ended = kind == "ended";
    Event {
        id: n,
        at: ago(60),
        kind: kind.into(),
        session_id: Some(id(1)),
        protocol_session_id: None,
        reason: ended.then(|| "timeout".into()),
        actor: ended.then(|| "server".into()),
    }
}

fn clients() -> Vec<ClientUse> {
    let client = |client: &str, (sessions, open, closed, timed_out): (i64, i64, i64, i64)| ClientUse {
        client_type: client.into(),
        client_version: "1.0.0".into(),
        sessions,
        open,
        silent: 0,
        closed,
        timed_out,
        calls: sessions * 20,
        errors: 2,
        lasted: closed + timed_out,
        lasted_s: (closed + timed_out) * 604,
    };
    vec![client("Claude Code", (12, 1, 10, 1)), client("Cursor", (8, 1, 0, 7))]
}

/// The first session, closely.
pub(super) fn story() -> Story {
    let session = session(1, "Claude Code", Some("alice"), (3, 7200), (42, 1));
    let protocol = ProtocolSession {
        protocol_session_id: session.protocol_session_id.clone().unwrap_or_default(),
        protocol_version: "2025-06-18".into(),
        client_name: session.client_name.clone(),
        client_version: session.client_version.clone(),
        status: Status::Active,
        bound_by: Some("new".into()),
        connected_at: session.connected_at,
        last_activity: session.last_activity,
        expires_at: session.expires_at,
        disconnected_at: None,
        disconnect_reason: None,
        ended_by: None,
    };
    Story {
        session,
        client_capabilities: serde_json::value::RawValue::from_string(r#"{"sampling":{}}"#.into()).ok(),
        end_note: None,
        protocol_sessions: vec![protocol],
        requests: (1..=6).map(request).collect(),
        events: vec![event(1, "initialised"), event(2, "created")],
    }
}

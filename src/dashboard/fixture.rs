//! Dashboards with made-up sessions at one moment, for tests of screens and keys.

mod rows;

use std::time::Duration;

use super::app::App;
use super::data::{Answer, History, Part, Pulse};
use super::message::Message;
use super::question::Step;
use super::state::{Settings, State};
use super::theme::Theme;
use super::update::update;
use crate::model::boot::EndCause;
use crate::model::event::EventKind;
use crate::model::request::RequestStatus;
use crate::model::word::Word;
use crate::queries::boots::Boot;
use crate::queries::clients::ClientUse;
use crate::queries::events::Event;
use crate::queries::latest::Latest;
use crate::queries::minutes::Minute;
use crate::queries::requests::Request;
use crate::queries::sessions::Session;
use crate::queries::standings::{Counts, Crowd};
use crate::queries::trends::Trends;
use crate::queries::usage::Group;
use crate::queries::window::SessionWindow;

pub(super) use rows::{NOW, archon_id, id, request, story};

use rows::{ago, boot, clients, event, session, statistics, trends, usage};

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
    App::new(State::new(settings, NOW, size))
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
    give(&mut app, Answer::Tools(statistics(Group::Tool, vec![])));
    give(&mut app, Answer::Trends(Trends::default()));
    give(&mut app, Answer::Clients(vec![]));
    let none = History { step: Step::Hour, usage: statistics(Group::Hour, vec![]), begun: vec![], clients: vec![] };
    give(&mut app, Answer::History(none));
    give(&mut app, Answer::Boots(vec![boot(1, 40)]));
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
        Boot { ended_at: Some(ago(10_932)), end_cause: Some(EndCause::Crash.into()), ..boot(11, 90_000) },
    ];
    give(&mut app, Answer::Pulse(Pulse { boots: boots.clone(), boots_today: 2, minutes, original: false }));
    give(&mut app, Answer::Boots(boots.into_iter().map(|b| Boot { recovered: Some(7), ..b }).collect()));
    give(&mut app, Answer::Counts(Counts { active: 2, idle: 1, ended: 47, disconnected: 40, expired: 7 }));
    let rows = vec![
        session(1, "Claude Code", Some("alice"), (3, 7200), (42, 1)),
        session(2, "Cursor", Some("bob"), (700, 9000), (7, 0)),
        session(3, "Windsurf", None, (4000, 9400), (120, 2)),
    ];
    give(&mut app, Answer::Sessions(SessionWindow { rows, more: false, now: NOW }));
    let latest = |tool: &str, ms| Latest {
        last_tool: Some(tool.into()),
        last_ms: Some(ms),
        p95_ms: Some(ms * 2.0),
        failed_in_a_row: 0,
    };
    let all = [
        (archon_id(1), latest("find_projects", 1.2)),
        (archon_id(2), latest("manage_project", 4.0)),
        (archon_id(3), latest("health_check", 0.3)),
    ];
    give(&mut app, Answer::Latest(all.into_iter().collect()));
    give(
        &mut app,
        Answer::Tools(statistics(Group::Tool, vec![usage("find_projects", 1204, 3), usage("health_check", 600, 0)])),
    );
    give(&mut app, Answer::Trends(trends()));
    give(&mut app, Answer::Requests((1..=6).map(request).collect(), Part::Whole));
    give(
        &mut app,
        Answer::Events(
            vec![event(1, EventKind::Initialised), event(2, EventKind::Created), event(3, EventKind::Ended)],
            Part::Whole,
        ),
    );
    give(&mut app, Answer::Clients(clients()));
    let hours = vec![usage("2026-01-10T10:00:00.000Z", 900, 3), usage("2026-01-10T11:00:00.000Z", 904, 0)];
    let begun = vec![(ago(7200), 4), (ago(3600), 8)];
    give(
        &mut app,
        Answer::History(History { step: Step::Hour, usage: statistics(Group::Hour, hours), begun, clients: clients() }),
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
    give(&mut app, Answer::Latest([(archon_id(2), stuck), (archon_id(1), slow)].into_iter().collect()));
    let mut list = app.state().data.sessions.clone().expect("a list");
    list.rows[1].errors = 6;
    list.rows[2].expires_at = Some(NOW.plus(Duration::from_secs(100)));
    list.rows.push(Session { called_tools: false, ..session(4, "Gemini CLI", None, (300, 301), (0, 0)) });
    give(&mut app, Answer::Sessions(list));
    let crowd = Crowd { client_type: "Cursor".into(), user_name: "bob".into(), sessions: 25 };
    give(&mut app, Answer::Crowds(vec![crowd]));
    let failing = vec![usage("manage_project", 12_345, 4200), usage("find_projects", 1204, 3)];
    give(&mut app, Answer::Tools(statistics(Group::Tool, failing)));
    let failed = |n| Request { status: Some(RequestStatus::Timeout.into()), late: true, ..request(n) };
    give(
        &mut app,
        Answer::Requests((1..=6).map(|n| if n > 3 { failed(n) } else { request(n) }).collect(), Part::Whole),
    );
    give(
        &mut app,
        Answer::Events(
            vec![event(1, EventKind::Refused), event(2, EventKind::Expire), event(3, EventKind::Ended)],
            Part::Whole,
        ),
    );
    let dead = Boot { heartbeat_at: ago(300), recovered: Some(0), ..boot(10, 200_000) };
    let boots = app.state().data.sums.boots.clone().unwrap_or_default();
    give(&mut app, Answer::Boots(boots.into_iter().chain([dead]).collect()));
    app
}

/// Names that are long, wide, or would drive the terminal.
pub(super) fn strange(size: (u16, u16)) -> App {
    const WIDE: &str = "会話クライアントの長い長い名前";
    const LONG: &str = "An extraordinarily long name of a client that nobody would choose";
    const EVIL: &str = "evil\u{1b}[2Jname\nof two lines";
    named(populated(size), [WIDE, LONG, EVIL], "山田太郎山田太郎山田太郎")
}

/// A dashboard with these names, and a user of that one, wherever there is a name.
pub(super) fn named(mut app: App, names: [&'static str; 3], user: &str) -> App {
    let [wide, long, evil] = names;
    let mut list = app.state().data.sessions.clone().expect("a list");
    for (row, name) in list.rows.iter_mut().zip(names) {
        row.client_type = name.into();
    }
    list.rows[0].user_name = Some(user.into());
    give(&mut app, Answer::Sessions(list));
    give(&mut app, Answer::Tools(statistics(Group::Tool, names.iter().map(|name| usage(name, 1204, 3)).collect())));
    let client =
        |name: &&str| ClientUse { client_type: (*name).into(), client_version: wide.into(), ..clients()[0].clone() };
    give(&mut app, Answer::Clients(names.iter().map(client).collect()));
    let call = |(n, name): (u32, &&str)| Request {
        tool_name: Some((*name).into()),
        client_type: Some(wide.into()),
        user_name: Some(long.into()),
        error_message: Some(evil.repeat(3)),
        ..request(n)
    };
    give(&mut app, Answer::Requests((1..).zip(&names).map(call).collect(), Part::Whole));
    let end = |(n, name): (i64, &&str)| Event {
        reason: Some((*name).into()),
        actor: Some(Word::read(long.into())),
        ..event(n, EventKind::Ended)
    };
    give(&mut app, Answer::Events((1..).zip(&names).map(end).collect(), Part::Whole));
    let history = app.state().data.sums.history.clone().expect("a history");
    let clients = names.iter().map(client).collect();
    give(&mut app, Answer::History(History { clients, ..history }));
    app
}

/// A dashboard whose database never answered.
pub(super) fn broken(size: (u16, u16)) -> App {
    let mut app = blank(size);
    _ = update(&mut app, Message::Failed("the database file /var/lib/archonctl/archon.db is gone".into()));
    app
}

/// One whose database has gone away.
pub(super) fn stale(size: (u16, u16)) -> App {
    let mut app = populated(size);
    _ = update(&mut app, Message::Failed("the database file /var/lib/archonctl/archon.db is gone".into()));
    app
}

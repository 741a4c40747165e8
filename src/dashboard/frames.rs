//! Every screen as it looks, at every size and in every state, at one moment.

use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::app::App;
use super::data::Answer;
use super::fixture::{archon_id, broken, empty, give, id, named, populated, stale, story, strange, troubled};
use super::once::text_of;
use super::screens;
use super::tests::press;
use super::view_model::areas;
use crate::model::harmless::is_harmful;
use crate::queries::latest::CaptureRow;
use crate::queries::sessions::{Session, SessionStatus, State};

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 50)];

/// The screens with a number: keys from the one before, and its name.
const TABS: [(&str, &str); 8] = [
    ("", "sessions"),
    ("2", "requests"),
    ("3", "tools"),
    ("4", "clients"),
    ("5", "events"),
    ("6", "history"),
    ("a", "history by day, while it is read"),
    ("7", "boots"),
];

/// The lines of a frame without spaces at their ends, and without empty lines in a row: those say nothing.
fn lines(app: &App) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(app.state().size.0, app.state().size.1)).expect("a terminal");
    terminal.draw(|frame| screens::draw(app, frame.buffer_mut())).expect("a frame");
    let mut lines: Vec<String> = text_of(terminal.backend().buffer()).lines().map(str::to_owned).collect();
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    lines
}

/// All screens of one dashboard, one below the other; the header, which they share, only once.
fn all(mut app: App) -> String {
    let body = usize::from(areas(app.state().size).tabs.y);
    let mut all = Vec::new();
    let mut add = |app: &App, name: &str, whole: bool| {
        all.push(format!("== {name}"));
        all.extend(lines(app).into_iter().skip(if whole { 0 } else { body }));
    };
    for (n, (keys, name)) in TABS.into_iter().enumerate() {
        press(&mut app, keys);
        add(&app, name, n == 0);
    }
    press(&mut app, "1");
    if app.seen().under_cursor(app.state()).is_some() {
        press(&mut app, "<enter>");
        add(&app, "session, while it is read", false);
        let mut told = story();
        told.session =
            app.state().data.sessions.as_ref().and_then(|list| list.rows.first().cloned()).expect("a session");
        give(&mut app, Answer::Story(told.session.id().to_owned(), Some(Box::new(told))));
        add(&app, "session", false);
        press(&mut app, "<enter>");
        let words = CaptureRow { arguments: r#"{"query": "x", "token": "***"}"#.into(), answer: None };
        give(&mut app, Answer::Capture(6, Some(words)));
        add(&app, "request", false);
    }
    all.join("\n")
}

#[test]
fn populated_empty_troubled_and_with_strange_names() {
    for size @ (wide, high) in SIZES {
        for (state, app) in [
            ("populated", populated(size)),
            ("empty", empty(size)),
            ("warnings", troubled(size)),
            ("names", strange(size)),
        ] {
            assert_snapshot!(format!("{state}_{wide}x{high}"), all(app));
        }
    }
}

#[test]
fn no_name_does_more_than_stand_there() {
    const EVIL: &str = "x\u{9b}31m\u{202e}\u{2066}\u{200f}\u{2028}\u{feff}\u{7f}\u{1b}]0;x\u{7}";
    for size in SIZES {
        for app in [populated(size), troubled(size)] {
            let text = all(named(app, [EVIL; 3], EVIL));
            let harm: Vec<_> = text.chars().filter(|c| *c != '\n' && is_harmful(*c)).collect();
            assert!(harm.is_empty() && text.contains("x\u{fffd}"), "{harm:?} in {text}");
        }
    }
}

#[test]
fn without_a_database_from_the_beginning_and_later() {
    for size @ (wide, high) in SIZES {
        let (never, gone) = (all(broken(size)), lines(&stale(size)).join("\n"));
        assert_snapshot!(format!("broken_{wide}x{high}"), format!("{never}\n== sessions, of before\n{gone}"));
    }
}

#[test]
fn what_stands_over_the_screens() {
    for size @ (wide, high) in SIZES {
        let mut all = Vec::new();
        for (keys, name) in [
            (" jx", "before sessions end"),
            ("?", "keys"),
            ("/idle>10m nothing:x", "a filter that names no column"),
            (":sort", "a command"),
            ("/xyz<enter>", "nothing passes"),
            (":sort calls<enter> ", "sorted, and one is tagged"),
        ] {
            let mut app = populated(size);
            press(&mut app, keys);
            all.push(format!("== {name}"));
            all.extend(lines(&app));
        }
        assert_snapshot!(format!("over_{wide}x{high}"), all.join("\n"));
    }
}

#[test]
fn no_state_is_told_by_colour_alone() {
    // What is printed has no colours: the words must tell the states apart.
    let mut app = populated((120, 40));
    let mut list = app.state().data.sessions.clone().expect("a list");
    let all = [SessionStatus::Disconnected, SessionStatus::Expired];
    for (row, status) in list.rows.iter_mut().zip(all) {
        (row.status, row.state) = (status, State::Ended);
    }
    list.rows.push(Session {
        session_id: archon_id(4),
        protocol_session_id: Some(id(4)),
        state: State::Active,
        ..list.rows[2].clone()
    });
    give(&mut app, Answer::Sessions(list));
    let text = lines(&app).join("\n");
    for (n, state) in [(1, "disco"), (2, "expired"), (3, "idle"), (4, "active")] {
        let row = text.lines().find(|line| line.contains(&id(n)[..8])).expect("its row");
        assert!(row.contains(state), "{row}");
    }
}

//! Keys and the mouse as they work, at one moment.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::app::App;
use super::data::Answer;
use super::fixture::{self, blank, empty, give, id, populated, story, strange, troubled};
use super::message::{Effect, Message};
use super::once::text;
use super::question::Question;
use super::screens;
use super::state::Dialog;
use super::update::update;
use super::view::{Detail, ListId, Tab};
use super::view_model::areas;
use super::wants::wants;
use crate::queries::sessions::{SessionState, State};

/// Presses keys; a name in angle brackets is one key.
pub(super) fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let (code, after) = match named {
            Some(("enter", after)) => (KeyCode::Enter, after),
            Some(("esc", after)) => (KeyCode::Esc, after),
            Some(("tab", after)) => (KeyCode::Tab, after),
            Some(("end", after)) => (KeyCode::End, after),
            _ => (KeyCode::Char(first), &rest[first.len_utf8()..]),
        };
        effects.extend(update(app, Message::Key(KeyEvent::new(code, KeyModifiers::NONE))));
        rest = after;
    }
    effects
}

/// The key of the row under the cursor.
fn under_cursor(app: &App) -> Option<String> {
    app.seen().under_cursor(app.state())
}

/// The screen as a terminal of that size shows it.
fn screen(app: &App) -> String {
    let mut terminal = Terminal::new(TestBackend::new(app.state().size.0, app.state().size.1)).expect("a terminal");
    terminal.draw(|frame| screens::draw(app, frame.buffer_mut())).expect("a frame");
    terminal.backend().to_string()
}

#[test]
fn nothing_is_drawn_outside_of_any_terminal() {
    for wide in [1, 2, 7, 20, 39, 61, 300] {
        for high in [1, 2, 4, 5, 7, 13, 19, 100] {
            for app in [blank((wide, high)), empty((wide, high)), troubled((wide, high)), strange((wide, high))] {
                for keys in ["", "?", "x", "/abc", "<enter>", "2<enter>", "6", ":"] {
                    let mut app = app.clone();
                    press(&mut app, keys);
                    give(&mut app, Answer::Story(id(1), Some(Box::new(story()))));
                    screen(&app);
                }
            }
        }
    }
}

#[test]
fn no_screen_shows_what_would_drive_the_terminal() {
    assert!(!text(&strange((120, 40))).contains('\u{1b}'));
}

#[test]
fn three_keys_lead_from_a_warning_to_the_call() {
    let mut app = troubled((120, 40));
    press(&mut app, "w");
    assert_eq!(app.state().view.details, [Detail::Session(id(2))]);
    assert!(wants(&app).contains(&Question::Story(id(2))));
    give(&mut app, Answer::Story(id(1), Some(Box::new(story()))));
    assert!(app.state().data.closer.story.is_none(), "an answer to another question");
    give(&mut app, Answer::Story(id(2), Some(Box::new(story()))));
    press(&mut app, "<enter>");
    let Some(Detail::Request(request)) = app.state().view.details.last() else {
        panic!("{:?}", app.state().view.details)
    };
    assert_eq!(request.error_message.as_deref(), Some("no project has the id 7; find_projects lists them"));
    assert!(wants(&app).contains(&Question::Capture(6)));
    press(&mut app, "<esc><esc>");
    assert_eq!(app.state().view.details, []);
}

#[test]
fn a_key_leads_from_a_tool_to_its_slowest_call() {
    let mut app = populated((120, 40));
    press(&mut app, "s");
    assert!(app.state().view.details.is_empty() && app.state().notice.is_some(), "sessions have none");
    press(&mut app, "3js");
    let Some(Detail::Request(request)) = app.state().view.details.last() else {
        panic!("{:?}", app.state().view.details)
    };
    assert_eq!((request.tool_name.as_deref(), request.id.as_str()), (Some("health_check"), "5"));
    assert!(wants(&app).contains(&Question::Capture(5)));
    press(&mut app, "<esc>");
    assert_eq!(under_cursor(&app).as_deref(), Some("health_check"));
    let mut app = empty((120, 40));
    press(&mut app, "3s");
    assert!(app.state().view.details.is_empty());
}

#[test]
fn what_is_tagged_ends_once_it_is_agreed() {
    let mut app = populated((80, 24));
    assert_eq!(press(&mut app, "  xn"), []);
    assert!(app.state().dialog.is_none() && app.state().view.tagged.len() == 2);
    let effects = press(&mut app, "xy");
    let [Effect::Expire(sessions)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(sessions.iter().map(|s| s.id().to_owned()).collect::<Vec<_>>(), [id(1), id(2)]);
    assert_eq!(update(&mut app, Message::Expired(Ok(2))), Some(Effect::Refresh));
    assert!(app.state().view.tagged.is_empty());
}

#[test]
fn nothing_ends_where_nothing_may_be_changed() {
    let mut app = populated((80, 24));
    app.change(|state, _| state.settings.read_only = true);
    assert_eq!(press(&mut app, " xy"), [Effect::Copy(id(2))], "y copies: there is no question that it could answer");
    assert!(app.state().dialog.is_none());
    press(&mut app, "?");
    assert!(!screen(&app).contains("end the tagged"));
    let mut app = populated((80, 24));
    let mut list = app.state().data.sessions.clone().expect("a list");
    list.rows[0].state = State::Ended;
    give(&mut app, Answer::Sessions(list));
    press(&mut app, "x");
    assert!(app.state().dialog.is_none(), "an ended session cannot end");
}

#[test]
fn a_filter_is_followed_kept_or_given_up() {
    let mut app = populated((80, 24));
    press(&mut app, "/curs");
    assert_eq!(under_cursor(&app), Some(id(2)));
    press(&mut app, "<esc>");
    assert_eq!(under_cursor(&app), Some(id(1)));
    press(&mut app, "/idle>10m client:cur<enter>");
    let questions = wants(&app);
    let asked = questions.iter().find_map(|q| if let Question::Sessions(query) = q { Some(query) } else { None });
    assert_eq!(asked.map(|q| (q.idle_s, q.client.as_deref())), Some((Some(600), Some("cur"))));
    for (word, standings) in [
        ("active", SessionState::ACTIVE),
        ("idle", &[SessionState::Idle]),
        ("live", &[SessionState::Alive]),
        ("ended", SessionState::ENDED),
        ("expired", SessionState::TIMED_OUT),
    ] {
        let mut app = populated((80, 24));
        press(&mut app, &format!("/status:{word}<enter>"));
        let questions = wants(&app);
        let asked = questions.iter().find_map(|q| if let Question::Sessions(query) = q { Some(query) } else { None });
        assert_eq!(asked.map(|q| q.standings.as_slice()), Some(standings), "{word}");
        let left = app.seen().listing().map(|listing| listing.rows.len());
        let expected = match word {
            "active" => 2,
            "idle" => 1,
            "live" => 3,
            _ => 0,
        };
        assert_eq!(left, Some(expected), "{word}");
    }
    press(&mut app, "23");
    press(&mut app, "1");
    assert_eq!(app.state().list(ListId::Tab(Tab::Sessions)).filter.text, "idle>10m client:cur");
    press(&mut app, "<esc>");
    assert_eq!(app.seen().listing().map(|listing| listing.rows.len()), Some(3));
}

#[test]
fn any_column_sorts_both_ways() {
    let mut app = populated((120, 40));
    let order =
        |app: &App| app.seen().listing().map(|l| l.rows.iter().map(|r| r.key[7..8].to_owned()).collect::<String>());
    press(&mut app, ":sort calls<enter>");
    assert_eq!(order(&app).as_deref(), Some("312"));
    press(&mut app, "i");
    assert_eq!(order(&app).as_deref(), Some("213"));
    press(&mut app, ":sort user desc<enter>");
    assert_eq!(order(&app).as_deref(), Some("213"), "who has no name comes last");
    press(&mut app, ":sort nothing<enter>");
    assert!(
        app.state().notice.as_ref().is_some_and(|(text, _)| text.contains("there are id client")),
        "{:?}",
        app.state().notice
    );
    press(&mut app, ">");
    assert!(app.state().list(ListId::Tab(Tab::Sessions)).sort.is_some_and(|(key, _)| key != "user"));
}

#[test]
fn the_cursor_stays_on_its_row_and_at_the_top_when_it_is_there() {
    let mut app = populated((80, 24));
    press(&mut app, "j");
    assert_eq!(under_cursor(&app), Some(id(2)));
    let mut list = app.state().data.sessions.clone().expect("a list");
    list.rows.swap(1, 2);
    give(&mut app, Answer::Sessions(list.clone()));
    assert_eq!(under_cursor(&app), Some(id(2)));
    press(&mut app, "gk");
    list.rows.swap(0, 2);
    give(&mut app, Answer::Sessions(list));
    assert_eq!(under_cursor(&app), Some(id(2)));
    press(&mut app, "<end>");
    assert_eq!(under_cursor(&app), Some(id(1)));
}

#[test]
fn the_mouse_does_what_it_points_at() {
    let mut app = populated((80, 24));
    let click = |app: &mut App, x: u16, y: u16| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        _ = update(app, Message::Mouse(MouseEvent { kind, column: x, row: y, modifiers: KeyModifiers::NONE }));
    };
    let places = areas(app.state().size);
    click(&mut app, 3, places.body.y + 2);
    assert_eq!(under_cursor(&app), Some(id(2)));
    click(&mut app, 3, places.body.y + 2);
    assert_eq!(app.state().view.details.len(), 1);
    click(&mut app, 13, places.tabs.y);
    assert_eq!((app.state().view.tab, app.state().view.details.len()), (Tab::Requests, 0));
    click(&mut app, 2, places.body.y);
    assert_eq!(app.state().list(ListId::Tab(Tab::Requests)).sort, Some(("time", false)));
}

#[test]
fn the_rest_of_the_hands() {
    let mut app = populated((80, 24));
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
    assert_eq!(press(&mut app, "y"), [Effect::Copy(id(1))]);
    let effects = press(&mut app, "e");
    let [Effect::Write(export)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((export.name.as_str(), export.extension), ("archonctl-sessions-20260110T120000", "csv"));
    assert_eq!(export.content.lines().count(), 4);
    press(&mut app, "p++-");
    assert_eq!((app.state().settings.paused, app.state().settings.interval().as_secs()), (true, 5));
    press(&mut app, ":interval 30s<enter>");
    assert_eq!(app.state().settings.interval().as_secs(), 30);
    press(&mut app, "3<enter>");
    assert_eq!(
        (app.state().view.tab, app.state().list(ListId::Tab(Tab::Requests)).filter.text.as_str()),
        (Tab::Requests, "tool:find_projects")
    );
    press(&mut app, "<tab><tab>?");
    assert!(matches!(app.state().dialog, Some(Dialog::Help(0))));
}

#[test]
fn choices_survive_a_restart() {
    use super::preferences::Preferences;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state/dashboard.json");
    let mut app = populated((80, 24));
    press(&mut app, "/client:cur<enter>:sort calls asc<enter>a+5");
    Preferences::of(app.state()).write(&file).expect("written");
    let mut again = blank((80, 24));
    let read = Preferences::read(&file).expect("read");
    again.change(|state, _| read.apply(state));
    assert_eq!(Preferences::of(again.state()), Preferences::of(app.state()));
    let list = again.state().list(ListId::Tab(Tab::Sessions));
    assert_eq!((list.filter.text.as_str(), list.sort), ("client:cur", Some(("calls", false))));
    assert_eq!(
        (again.state().view.tab, again.state().view.all, again.state().settings.interval().as_secs()),
        (Tab::Events, true, 5)
    );
    std::fs::write(&file, "no json").expect("written");
    assert!(Preferences::read(&file).is_none());
}

#[test]
fn an_hour_of_refreshes_is_not_held() {
    use super::data::{MINUTES, Part, Pulse, SESSIONS, STREAM};
    use crate::queries::latest::Latest;
    use crate::queries::minutes::Minute;
    let mut app = populated((80, 24));
    for n in 0..1800u32 {
        let rows =
            (0..40).map(|i| crate::queries::requests::Request { id: (n * 40 + i).to_string(), ..fixture::request(1) });
        give(&mut app, Answer::Requests(rows.collect(), Part::More));
        let latest = (0..20).map(|i| (id(n * 20 + i), Latest::default()));
        give(&mut app, Answer::Latest(latest.collect()));
        let minute = fixture::NOW.plus(std::time::Duration::from_secs(u64::from(n) * 2)).minute();
        let minutes = vec![Minute { minute, calls: 1, errors: 0, p95_ms: None }];
        give(&mut app, Answer::Pulse(Pulse { minutes, ..Pulse::default() }));
    }
    assert_eq!(app.state().data.streams.requests.as_ref().map(std::collections::VecDeque::len), Some(STREAM));
    assert!(app.state().data.latest.len() <= 10 * SESSIONS + 20, "{}", app.state().data.latest.len());
    assert_eq!(app.state().data.pulse.as_ref().map(|pulse| pulse.minutes.len()), Some(MINUTES));
}

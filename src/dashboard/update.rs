//! What happens, and what comes of it: pure.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::actions::{move_by, on_action, open, show, sort_by};
use super::app::{App, Dialog};
use super::commands;
use super::data::Answer;
use super::filter::Filter;
use super::keys::{self, Action};
use super::message::{Effect, Message};
use super::screens;
use super::text::several;
use super::view::Detail;
use crate::model::timestamp::Timestamp;

/// How long a notice is told.
const TOLD_FOR: std::time::Duration = std::time::Duration::from_secs(6);

/// Takes in what happened; says what shall be done.
pub(super) fn update(app: &mut App, message: Message) -> Option<Effect> {
    let effect = match message {
        Message::Key(event) if event.kind == KeyEventKind::Release => None,
        Message::Key(event) => on_key(app, event),
        Message::Mouse(event) => on_mouse(app, event),
        Message::Resize(width, height) => {
            app.size = (width, height);
            None
        }
        Message::Tick(now) => {
            app.now = now;
            app.notice.take_if(|(_, until)| *until < now);
            None
        }
        Message::Answer(answer, at) => {
            on_answer(app, *answer, at);
            None
        }
        Message::Took(took) => {
            app.link.took = Some(took);
            None
        }
        Message::Failed(error) => {
            app.link.error = Some(error);
            None
        }
        Message::Done(done) => {
            tell(app, done.unwrap_or_else(|error| error));
            None
        }
        Message::Expired(Ok(count)) => {
            app.view.tagged.clear();
            tell(app, format!("Ended {}.", several(i64::try_from(count).unwrap_or(0), "session")));
            Some(Effect::Refresh)
        }
        Message::Expired(Err(error)) => {
            tell(app, format!("Not ended: {error}"));
            None
        }
    };
    app.settle();
    effect
}

/// Tells something for a while.
pub(super) fn tell(app: &mut App, text: impl Into<String>) {
    app.notice = Some((text.into(), app.now.plus(TOLD_FOR)));
}

fn on_answer(app: &mut App, answer: Answer, at: Timestamp) {
    let current = match &answer {
        Answer::Story(id, _) => app.view.details.last() == Some(&Detail::Session(id.clone())),
        Answer::History(history) => history.step == app.view.step,
        _ => true,
    };
    app.link.error = None;
    app.link.answered_at = Some(at);
    if let Answer::Pulse(pulse) = &answer {
        app.settings.read_only |= pulse.original;
    }
    // An answer to a question that is no longer asked is not shown under another's name.
    if current {
        app.data.take(answer);
    }
}

fn on_key(app: &mut App, event: KeyEvent) -> Option<Effect> {
    match app.dialog.take() {
        None => on_action(app, keys::action(event)?),
        Some(Dialog::Help(line)) => {
            on_help_key(app, event, line);
            None
        }
        Some(Dialog::Confirm(sessions)) if matches!(event.code, KeyCode::Char('y' | 'Y')) => {
            Some(Effect::Expire(sessions))
        }
        Some(Dialog::Confirm(_)) => {
            tell(app, "Nothing was ended.");
            None
        }
        Some(Dialog::Filter(text, before)) => {
            on_filter_key(app, event, &text, *before);
            None
        }
        Some(Dialog::Command(text)) => match typed(&text, event) {
            Typed::Text(text) => {
                app.dialog = Some(Dialog::Command(text));
                None
            }
            Typed::Left => None,
            Typed::Done => commands::run(app, &text),
        },
    }
}

fn on_help_key(app: &mut App, event: KeyEvent, line: usize) {
    let line = match keys::action(event) {
        Some(Action::Move(by)) => line.saturating_add_signed(by as isize),
        Some(Action::Page(by)) => line.saturating_add_signed(by as isize * 10),
        Some(Action::First) => 0,
        _ => return,
    };
    app.dialog = Some(Dialog::Help(line.min(keys::BINDINGS.len())));
}

/// What a key did to a line that is typed.
enum Typed {
    /// It is this now.
    Text(String),
    /// It is given up.
    Left,
    /// It is ready.
    Done,
}

fn typed(text: &str, event: KeyEvent) -> Typed {
    let mut text = text.to_owned();
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    match event.code {
        KeyCode::Esc => return Typed::Left,
        KeyCode::Enter => return Typed::Done,
        KeyCode::Char('c') if ctrl => return Typed::Left,
        KeyCode::Char('u') if ctrl => text.clear(),
        KeyCode::Char('w') if ctrl => {
            let kept = text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            text.truncate(kept);
        }
        KeyCode::Backspace if text.is_empty() => return Typed::Left,
        KeyCode::Backspace => _ = text.pop(),
        KeyCode::Char(c) if !ctrl => text.push(c),
        _ => {}
    }
    Typed::Text(text)
}

/// The list follows what is typed.
fn on_filter_key(app: &mut App, event: KeyEvent, text: &str, before: Filter) {
    let filter = match typed(text, event) {
        Typed::Done => Filter::parse(text),
        Typed::Left => before,
        Typed::Text(text) => {
            let filter = Filter::parse(&text);
            app.dialog = Some(Dialog::Filter(text, Box::new(before)));
            filter
        }
    };
    set_filter(app, filter);
}

/// Filters the list that is seen, from its top on.
pub(super) fn set_filter(app: &mut App, filter: Filter) {
    if let Some(list) = app.list_mut().filter(|list| list.filter != filter) {
        (list.filter, list.cursor, list.key) = (filter, 0, None);
    }
}

fn on_mouse(app: &mut App, event: MouseEvent) -> Option<Effect> {
    match event.kind {
        MouseEventKind::ScrollDown => move_by(app, 3),
        MouseEventKind::ScrollUp => move_by(app, -3),
        MouseEventKind::Down(MouseButton::Left) if app.dialog.is_none() => on_click(app, event.column, event.row),
        _ => {}
    }
    None
}

fn on_click(app: &mut App, x: u16, y: u16) {
    match screens::at(app, x, y) {
        Some(screens::Spot::Tab(tab)) => show(app, tab),
        Some(screens::Spot::Head(key)) => sort_by(app, key),
        Some(screens::Spot::Row(at)) => {
            let before = app.place().map(|place| app.list(place).cursor);
            let by = isize::try_from(at).unwrap_or(0) - isize::try_from(before.unwrap_or(0)).unwrap_or(0);
            if by == 0 { open(app) } else { move_by(app, by) }
        }
        None => {}
    }
}

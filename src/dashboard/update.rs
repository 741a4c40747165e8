//! What happens, and what comes of it: pure.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::actions::{move_by, on_action, open, show, sort_by};
use super::app::App;
use super::commands;
use super::data::Answer;
use super::filter::Filter;
use super::keys::{self, Action};
use super::message::{Effect, Message};
use super::state::{Dialog, State};
use super::text::several;
use super::view::Detail;
use super::view_model::{Spot, ViewModel, spot};
use crate::model::timestamp::Timestamp;

/// Takes in what happened; says what shall be done.
pub(super) fn update(app: &mut App, message: Message) -> Option<Effect> {
    app.change(|state, seen| on_message(state, seen, message))
}

fn on_message(state: &mut State, seen: &ViewModel, message: Message) -> Option<Effect> {
    match message {
        Message::Key(event) if event.kind == KeyEventKind::Release => {}
        Message::Key(event) => return on_key(state, seen, event),
        Message::Mouse(event) => on_mouse(state, seen, event),
        Message::Resize(width, height) => state.size = (width, height),
        Message::Tick(now) => {
            state.now = now;
            state.notice.take_if(|(_, until)| *until < now);
        }
        Message::Answer(answer, at) => on_answer(state, *answer, at),
        Message::Took(took) => state.link.took = Some(took),
        Message::Failed(error) => state.link.error = Some(error),
        Message::Done(done) => state.show_notice(done.unwrap_or_else(|error| error)),
        Message::Expired(Ok(count)) => {
            state.view.tagged.clear();
            state.show_notice(format!("Ended {}.", several(i64::try_from(count).unwrap_or(0), "session")));
            return Some(Effect::Refresh);
        }
        Message::Expired(Err(error)) => state.show_notice(format!("Not ended: {error}")),
    }
    None
}

fn on_answer(state: &mut State, answer: Answer, at: Timestamp) {
    let current = match &answer {
        Answer::Story(id, _) => state.view.details.last() == Some(&Detail::Session(id.clone())),
        Answer::History(history) => history.step == state.view.step,
        _ => true,
    };
    state.link.error = None;
    state.link.answered_at = Some(at);
    if let Answer::Pulse(pulse) = &answer {
        state.settings.read_only |= pulse.original;
    }
    // An answer to a question that is no longer asked is not shown under another's name.
    if current {
        state.data.take(answer);
    }
}

fn on_key(state: &mut State, seen: &ViewModel, event: KeyEvent) -> Option<Effect> {
    match state.dialog.take() {
        None => on_action(state, seen, keys::action(event)?),
        Some(Dialog::Help(line)) => {
            on_help_key(state, event, line);
            None
        }
        Some(Dialog::Confirm(sessions)) if matches!(event.code, KeyCode::Char('y' | 'Y')) => {
            Some(Effect::Expire(sessions))
        }
        Some(Dialog::Confirm(_)) => {
            state.show_notice("Nothing was ended.");
            None
        }
        Some(Dialog::Filter(text, before)) => {
            on_filter_key(state, event, &text, *before);
            None
        }
        Some(Dialog::Command(text)) => match typed(&text, event) {
            Typed::Text(text) => {
                state.dialog = Some(Dialog::Command(text));
                None
            }
            Typed::Left => None,
            Typed::Done => commands::run(state, seen, &text),
        },
    }
}

fn on_help_key(state: &mut State, event: KeyEvent, line: usize) {
    let line = match keys::action(event) {
        Some(Action::Move(by)) => line.saturating_add_signed(by as isize),
        Some(Action::Page(by)) => line.saturating_add_signed(by as isize * 10),
        Some(Action::First) => 0,
        _ => return,
    };
    state.dialog = Some(Dialog::Help(line.min(keys::BINDINGS.len())));
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
fn on_filter_key(state: &mut State, event: KeyEvent, text: &str, before: Filter) {
    let filter = match typed(text, event) {
        Typed::Done => Filter::parse(text),
        Typed::Left => before,
        Typed::Text(text) => {
            let filter = Filter::parse(&text);
            state.dialog = Some(Dialog::Filter(text, Box::new(before)));
            filter
        }
    };
    state.set_filter(filter);
}

fn on_mouse(state: &mut State, seen: &ViewModel, event: MouseEvent) {
    match event.kind {
        MouseEventKind::ScrollDown => move_by(state, seen, 3),
        MouseEventKind::ScrollUp => move_by(state, seen, -3),
        MouseEventKind::Down(MouseButton::Left) if state.dialog.is_none() => {
            on_click(state, seen, event.column, event.row);
        }
        _ => {}
    }
}

fn on_click(state: &mut State, seen: &ViewModel, x: u16, y: u16) {
    match spot(state, seen, (x, y)) {
        Some(Spot::Tab(tab)) => show(state, tab),
        Some(Spot::Head(key)) => sort_by(state, seen, key),
        Some(Spot::Row(at)) => {
            let before = state.seen_list().map_or(0, |list| list.cursor);
            let by = isize::try_from(at).unwrap_or(0) - isize::try_from(before).unwrap_or(0);
            if by == 0 { open(state, seen) } else { move_by(state, seen, by) }
        }
        None => {}
    }
}

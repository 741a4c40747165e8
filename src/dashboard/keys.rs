//! The keys: one table, from which both what they do and the help page come.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::Tab;

/// What a key can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The cursor by a number of rows.
    Move(i32),
    /// The cursor by a number of pages.
    Page(i32),
    /// The cursor to the first row.
    First,
    /// The cursor to the last row.
    Last,
    /// Look closer at what is under the cursor.
    Open,
    /// The slowest call of the tool under the cursor.
    Slowest,
    /// Back to where one came from.
    Back,
    /// Another screen.
    Show(Tab),
    /// The next screen.
    Next,
    /// The screen before.
    Previous,
    /// Type a filter.
    Filter,
    /// Type a command.
    Command,
    /// Sort by the next column, or the one before.
    SortBy(i32),
    /// Sort the other way round.
    Reverse,
    /// Tag the row, or untag it.
    Tag,
    /// Untag all.
    Untag,
    /// End the tagged sessions.
    Expire,
    /// Copy the id.
    Copy,
    /// Write the list to a file, as JSON if so.
    Export(bool),
    /// Live sessions only, or all; hours or days.
    Toggle,
    /// To the most urgent warning.
    Warning,
    /// Stop refreshing, and go on.
    Pause,
    /// A longer or shorter interval.
    Interval(i32),
    /// Refresh now.
    Refresh,
    /// The keys.
    Help,
    /// To the shell, until `fg`.
    Suspend,
    /// Leave.
    Quit,
}

/// Some keys and what they do.
pub(super) struct Binding {
    /// The keys.
    pub(super) keys: &'static [Key],
    /// What they do.
    pub(super) action: Action,
    /// The same in words.
    pub(super) help: &'static str,
    /// Whether they change something outside: not offered with `--read-only`.
    pub(super) changes: bool,
}

/// A key, with Ctrl or without.
pub(super) type Key = (KeyCode, bool);

const fn key(c: char) -> Key {
    (KeyCode::Char(c), false)
}

const fn ctrl(c: char) -> Key {
    (KeyCode::Char(c), true)
}

const fn code(code: KeyCode) -> Key {
    (code, false)
}

const fn on(keys: &'static [Key], action: Action, help: &'static str) -> Binding {
    Binding { keys, action, help, changes: false }
}

/// The keys and what they do.
pub(super) const BINDINGS: &[Binding] = &[
    on(&[key('j'), code(KeyCode::Down)], Action::Move(1), "down"),
    on(&[key('k'), code(KeyCode::Up)], Action::Move(-1), "up"),
    on(&[ctrl('d'), code(KeyCode::PageDown)], Action::Page(1), "a page down"),
    on(&[ctrl('u'), code(KeyCode::PageUp)], Action::Page(-1), "a page up"),
    on(&[key('g'), code(KeyCode::Home)], Action::First, "to the first row"),
    on(&[key('G'), code(KeyCode::End)], Action::Last, "to the last row"),
    on(&[code(KeyCode::Enter), key('l'), code(KeyCode::Right)], Action::Open, "open the row"),
    on(&[key('s')], Action::Slowest, "the slowest call of the tool under the cursor"),
    on(&[code(KeyCode::Esc), key('h'), code(KeyCode::Left)], Action::Back, "back; clear the filter"),
    on(&[key('1')], Action::Show(Tab::Sessions), "sessions"),
    on(&[key('2')], Action::Show(Tab::Requests), "requests"),
    on(&[key('3')], Action::Show(Tab::Tools), "tools"),
    on(&[key('4')], Action::Show(Tab::Clients), "clients"),
    on(&[key('5')], Action::Show(Tab::Events), "events"),
    on(&[key('6')], Action::Show(Tab::History), "history"),
    on(&[key('7')], Action::Show(Tab::Boots), "boots"),
    on(&[code(KeyCode::Tab)], Action::Next, "the next screen"),
    on(&[code(KeyCode::BackTab)], Action::Previous, "the screen before"),
    on(&[key('w')], Action::Warning, "to the most urgent warning"),
    on(&[key('/')], Action::Filter, "filter"),
    on(&[key('a')], Action::Toggle, "live sessions or all; hours or days"),
    on(&[key('>')], Action::SortBy(1), "sort by the next column"),
    on(&[key('<')], Action::SortBy(-1), "sort by the column before"),
    on(&[key('i')], Action::Reverse, "sort the other way round"),
    on(&[key(' ')], Action::Tag, "tag, or untag"),
    on(&[key('u')], Action::Untag, "untag all"),
    Binding {
        keys: &[key('x'), code(KeyCode::Delete)],
        action: Action::Expire,
        help: "end the tagged sessions, or the one under the cursor",
        changes: true,
    },
    on(&[key('y')], Action::Copy, "copy the id"),
    on(&[key('e')], Action::Export(false), "write this list to a CSV file"),
    on(&[key('E')], Action::Export(true), "write this list to a JSON file"),
    on(&[key('p')], Action::Pause, "pause, and go on"),
    on(&[key('+'), key('=')], Action::Interval(1), "refresh less often"),
    on(&[key('-')], Action::Interval(-1), "refresh more often"),
    on(&[key('r'), ctrl('l')], Action::Refresh, "refresh and redraw now"),
    on(&[key(':')], Action::Command, "type a command"),
    on(&[key('?'), code(KeyCode::F(1))], Action::Help, "these keys"),
    on(&[ctrl('z')], Action::Suspend, "to the shell; fg comes back"),
    on(&[key('q'), ctrl('c')], Action::Quit, "quit"),
];

/// What a key asks for.
pub(super) fn action(event: KeyEvent) -> Option<Action> {
    let pressed = (event.code, event.modifiers.contains(KeyModifiers::CONTROL));
    BINDINGS.iter().find(|binding| binding.keys.contains(&pressed)).map(|binding| binding.action)
}

/// How a key is called.
pub(super) fn name((code, ctrl): Key) -> String {
    let name = match code {
        KeyCode::Char(' ') => "Space".to_owned(),
        KeyCode::Char(c) if ctrl => c.to_ascii_uppercase().to_string(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::BackTab => "Shift-Tab".to_owned(),
        KeyCode::Down => "↓".to_owned(),
        KeyCode::Up => "↑".to_owned(),
        KeyCode::Left => "←".to_owned(),
        KeyCode::Right => "→".to_owned(),
        other => other.to_string(),
    };
    if ctrl { format!("Ctrl-{name}") } else { name }
}

/// The keys of a binding.
pub(super) fn names(binding: &Binding) -> String {
    binding.keys.iter().map(|key| name(*key)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things() {
        let all: Vec<_> = BINDINGS.iter().flat_map(|binding| binding.keys).collect();
        for (at, key) in all.iter().enumerate() {
            assert!(!all[..at].contains(key), "{}", name(**key));
        }
    }

    #[test]
    fn keys_are_called_by_their_names() {
        let help = |action| BINDINGS.iter().find(|b| b.action == action).map(names);
        assert_eq!(help(Action::Quit).as_deref(), Some("q Ctrl-C"));
        assert_eq!(help(Action::Tag).as_deref(), Some("Space"));
        assert_eq!(action(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Action::Quit));
        assert_eq!(action(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::NONE)), None);
    }
}

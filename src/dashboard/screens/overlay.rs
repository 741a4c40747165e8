//! What stands over the screens: the line at the foot, the help page, the question before sessions end.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Clear, Widget};

use super::write;
use crate::dashboard::app::{App, Dialog};
use crate::dashboard::commands::{COMMANDS, FILTERS};
use crate::dashboard::keys::{self, BINDINGS};
use crate::dashboard::text::{clean, count, pad, several, width};
use crate::dashboard::theme::Tone;
use crate::dashboard::view::{Detail, Tab};
use crate::queries::sessions::Session;

type Line = Vec<(String, Tone)>;

/// So many sessions are named before one agrees to end them.
const NAMED: usize = 8;

/// What is typed, what was done last, or the keys that help most here.
pub(super) fn draw_footer(app: &App, area: Rect, buffer: &mut Buffer) {
    let pieces = match (&app.dialog, &app.notice) {
        (Some(Dialog::Filter(text, _)), _) => filter_line(app, text),
        (Some(Dialog::Command(text)), _) => vec![(format!(":{text}█"), Tone::Strong)],
        (None, Some((notice, _))) => vec![(clean(notice), Tone::Strong)],
        _ => hints(app, area.width.into())
            .into_iter()
            .flat_map(|(key, text)| [(key.to_owned(), Tone::Strong), (format!(" {text}  "), Tone::Dim)])
            .collect(),
    };
    write(app, (area.x, area.y), area.right(), &pieces, buffer);
}

fn filter_line(app: &App, text: &str) -> Line {
    let mut line = vec![(format!("/{text}█"), Tone::Strong)];
    let unknown = app.listing().and_then(|listing| {
        let filter = crate::dashboard::filter::Filter::parse(text);
        let name = filter.unknown(&listing)?.to_owned();
        let names: Vec<_> = listing.columns.iter().map(|column| column.key).collect();
        Some(format!("  no column {name:?}; there are {}", names.join(" ")))
    });
    line.push((unknown.unwrap_or_else(|| "  Enter keeps it, Esc does not".to_owned()), Tone::Dim));
    line
}

/// As many as there is room for; the one that leads to all others is always among them.
fn hints(app: &App, room: usize) -> Vec<(&'static str, &'static str)> {
    const KEYS: (&str, &str) = ("?", "keys");
    let mut hints: Vec<(&str, &str)> = match (app.view.details.last(), app.view.tab) {
        (Some(Detail::Request(_)), _) => vec![("Esc", "back"), ("Enter", "its session"), ("y", "copy id")],
        (Some(Detail::Session(_)), _) => {
            vec![("Esc", "back"), ("Enter", "the request"), ("x", "end it"), ("y", "copy id")]
        }
        (None, Tab::Sessions) => {
            vec![("Enter", "open"), ("/", "filter"), (">", "sort"), ("Space", "tag"), ("x", "end")]
        }
        (None, Tab::Requests | Tab::Events) => vec![("Enter", "open"), ("/", "filter"), ("p", "pause")],
        (None, Tab::Tools) => vec![("Enter", "its calls"), ("s", "the slowest"), (">", "sort"), ("e", "export")],
        (None, Tab::Clients) => vec![("Enter", "open"), (">", "sort"), ("e", "export")],
        (None, Tab::History | Tab::Boots) => vec![(">", "sort"), ("e", "export")],
    };
    hints.retain(|(key, _)| !(app.settings.read_only && matches!(*key, "x" | "Space")));
    let wide = |hints: &[(&str, &str)]| hints.iter().map(|(key, text)| width(key) + width(text) + 3).sum::<usize>();
    while wide(&hints) + wide(&[KEYS]) > room + 2 && hints.pop().is_some() {}
    hints.extend([KEYS, ("q", "quit")]);
    if wide(&hints) > room + 2 {
        hints.pop();
    }
    hints
}

/// Draws what asks for an answer.
pub(super) fn draw_dialog(app: &App, buffer: &mut Buffer) {
    match &app.dialog {
        Some(Dialog::Help(from)) => draw_box(app, " Keys: ↑↓ scroll, any other closes ", &help(app), *from, buffer),
        Some(Dialog::Confirm(sessions)) => {
            let title = format!(" End {}? ", several(i64::try_from(sessions.len()).unwrap_or(0), "session"));
            draw_box(app, &title, &question(sessions, usize::from(app.size.0).saturating_sub(6)), 0, buffer);
        }
        _ => {}
    }
}

fn help(app: &App) -> Vec<Line> {
    let head = |text: &str| vec![(text.to_owned(), Tone::Strong)];
    let row = |left: &str, right: &str, wide: usize| {
        vec![(pad(left, wide.max(width(left)), false), Tone::Strong), (format!("  {right}"), Tone::Plain)]
    };
    let offered = BINDINGS.iter().filter(|binding| !(binding.changes && app.settings.read_only));
    let mut lines: Vec<Line> = offered.map(|binding| row(&keys::names(binding), binding.help, 18)).collect();
    lines.push(row("mouse", "click a row (twice: look closer), a head (sort), a screen's name; wheel", 18));
    lines.extend([Line::new(), head("Filters")]);
    lines.extend(FILTERS.iter().map(|(text, help)| row(text, help, 34)));
    lines.extend([Line::new(), head("Commands")]);
    lines.extend(COMMANDS.iter().map(|(text, help)| row(text, help, 34)));
    lines
}

/// What ends, and what is lost with it.
fn question(sessions: &[Session], room: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for session in sessions.iter().take(NAMED) {
        let user = session.user_name.as_deref().map(|user| format!(" of {}", clean(user))).unwrap_or_default();
        let id = session.id().get(..8).unwrap_or_default();
        let text = format!("{id}  {}{user}  {}", clean(&session.client_type), several(session.calls, "call"));
        lines.push(vec![(text, Tone::Plain)]);
    }
    if sessions.len() > NAMED {
        lines.push(vec![(format!("… and {} more", sessions.len() - NAMED), Tone::Plain)]);
    }
    lines.push(Line::new());
    let calls: i64 = sessions.iter().map(|session| session.calls).sum();
    let tokens: i64 = sessions.iter().map(|session| session.prompt_tokens + session.completion_tokens).sum();
    let lost = format!(
        "What ends: {} with {} tokens of context. Servers refuse them within a second; their clients have to begin anew. \
         The records stay. It cannot be undone.",
        several(calls, "call"),
        count(tokens)
    );
    lines.extend(wrapped(&lost, room.clamp(20, 70)).into_iter().map(|line| vec![(line, Tone::Warn)]));
    lines.extend([
        Line::new(),
        vec![("y".to_owned(), Tone::Strong), (" end   any other key: keep".to_owned(), Tone::Plain)],
    ]);
    lines
}

fn draw_box(app: &App, title: &str, lines: &[Line], from: usize, buffer: &mut Buffer) {
    let (wide, high) = app.size;
    let longest = lines.iter().map(|line| line.iter().map(|(text, _)| width(text)).sum::<usize>()).max().unwrap_or(0);
    let clamp = |n: usize, most: u16| u16::try_from(n).unwrap_or(most).min(most);
    let (w, h) = (clamp(longest.max(width(title)) + 4, wide), clamp(lines.len() + 2, high));
    let area = Rect { x: (wide - w) / 2, y: (high - h) / 2, width: w, height: h };
    Clear.render(area, buffer);
    Block::bordered().title(title).render(area, buffer);
    let from = from.min((lines.len() + 2).saturating_sub(usize::from(high)));
    for (y, line) in (area.y + 1..area.bottom().saturating_sub(1)).zip(lines.iter().skip(from)) {
        write(app, (area.x + 2, y), area.right().saturating_sub(1), line, buffer);
    }
}

/// The text in lines that are no wider than a number of columns, apart at spaces where there are some. Indented lines stay so.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut current: String = line.chars().take_while(|c| *c == ' ').collect();
        let mut empty = true;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            if !empty && width(&current) + 1 + width(word) > columns {
                lines.push(std::mem::take(&mut current));
                empty = true;
            }
            if !empty {
                current.push(' ');
            }
            empty = false;
            for c in clean(word).chars() {
                current.push(c);
                if width(&current) > columns {
                    current.pop();
                    lines.push(std::mem::take(&mut current));
                    current.push(c);
                }
            }
        }
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_are_broken_at_spaces_or_within_long_words() {
        assert_eq!(wrapped("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("  \"key\": 1\n}", 20), ["  \"key\": 1", "}"]);
        assert_eq!(wrapped("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrapped("会話会話", 5), ["会話", "会話"]);
    }
}

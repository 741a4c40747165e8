//! One session: facts, its life as a line, its latencies, its events, and its requests as a list:
//!
//! ```text
//! active  Claude Code 1.0.0 (claude-code)  of alice            ⚠ 3 of 7 calls failed
//! began 2026-01-10 10:00:00, 2h05m ago   used 3s ago   ends in 59m unless used
//! protocol session 7c9e6679-…  2025-06-18 (legacy)  bound by new
//! 42 calls  1 failed  p95 12ms  1240 tokens
//! life    ▪▪ ▪▪▪  ✗▪
//! latency ▁▁▂▁█▁
//! ```

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{LOADING, draw_list, requests, sessions, write};
use crate::dashboard::app::App;
use crate::dashboard::table::Listing;
use crate::dashboard::text::{clean, clock, curve, millis, pad, several, span, when};
use crate::dashboard::theme::Tone;
use crate::dashboard::warnings;
use crate::queries::sessions::Status;
use crate::queries::story::Story;

type Line = Vec<(String, Tone)>;

/// Events stand below the list where there is room: a head and so many lines.
const EVENTS: u16 = 6;

fn story(app: &App) -> Option<&Story> {
    app.data.closer.story.as_deref()
}

/// Its requests, the newest first.
pub(super) fn listing(app: &App) -> Listing {
    match story(app) {
        Some(story) => requests::of(story.requests.iter().rev()),
        None => Listing { empty: String::new(), ..requests::of(std::iter::empty()) },
    }
}

/// Where the list of requests stands.
pub(super) fn list_area(app: &App, body: Rect) -> Rect {
    let facts = u16::try_from(lines(app, body.width.into()).len()).unwrap_or(0);
    // On a low screen the list has half of it; facts are cut from below.
    let above = facts.min(body.height / 2);
    let below = if body.height > above + 2 * EVENTS + 4 { EVENTS + 1 } else { 0 };
    Rect { y: body.y + above, height: body.height - above - below, ..body }
}

/// Draws it.
pub(super) fn draw(app: &App, body: Rect, buffer: &mut Buffer) {
    let list = list_area(app, body);
    for (y, line) in (body.y..list.y).zip(lines(app, body.width.into())) {
        write(app, (body.x, y), body.right(), &line, buffer);
    }
    draw_list(app, list, buffer);
    let Some(story) = story(app).filter(|_| list.bottom() < body.bottom()) else { return };
    let head = vec![("Events".to_owned(), Tone::Strong)];
    write(app, (body.x + 1, list.bottom()), body.right(), &head, buffer);
    for (y, event) in (list.bottom() + 1..body.bottom()).zip(story.events.iter().rev()) {
        let by = event.actor.as_deref().map(|by| format!("  by {}", clean(by))).unwrap_or_default();
        let why = event.reason.as_deref().map(|why| format!("  {}", clean(why))).unwrap_or_default();
        let line = [
            (format!("{}  ", clock(event.at)), Tone::Dim),
            (event.kind.clone(), super::events::tone(&event.kind)),
            (format!("{by}{why}"), Tone::Plain),
        ];
        write(app, (body.x + 1, y), body.right(), &line, buffer);
    }
}

fn lines(app: &App, room: usize) -> Vec<Line> {
    let Some(story) = story(app) else {
        let gone = app.data.closer.gone;
        let text = if gone { "This session is gone: it was older than what the server keeps." } else { LOADING };
        return vec![vec![(text.to_owned(), Tone::Plain)]];
    };
    let mut lines = vec![who(app, story)];
    lines.extend(
        warnings::of_session(app, &story.session)
            .iter()
            .map(|warning| vec![(format!("⚠ {}", warning.text), warning.tone())]),
    );
    lines.push(times(app, story));
    lines.extend(protocol(story));
    lines.push(figures(story));
    if story.session.calls > 0 {
        lines.push(vec![("life     ".to_owned(), Tone::Dim), (life(app, story, room.saturating_sub(10)), Tone::Plain)]);
        lines.push(vec![("latency  ".to_owned(), Tone::Dim), (latencies(story, room.saturating_sub(22)), Tone::Good)]);
    }
    lines.push(Line::new());
    lines
}

fn who(app: &App, story: &Story) -> Line {
    let session = &story.session;
    let (state, tone) = sessions::state(app, session);
    let mut client = format!("  {}", clean(&session.client_type));
    for part in [&session.client_version, &session.client_name.as_ref().map(|name| format!("({name})"))] {
        client.extend(part.iter().flat_map(|part| [" ".to_owned(), clean(part)]));
    }
    let user = session.user_name.as_deref().or(session.user_email.as_deref());
    let user = user.map(|user| format!("  of {}", clean(user))).unwrap_or_default();
    let can = story.client_capabilities.as_ref().and_then(|json| {
        let can: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json.get()).ok()?;
        let names: Vec<_> = can.keys().map(|name| clean(name)).collect();
        (!names.is_empty()).then(|| format!("  can {}", names.join(", ")))
    });
    vec![(state.to_owned(), tone), (client, Tone::Strong), (user + &can.unwrap_or_default(), Tone::Plain)]
}

fn times(app: &App, story: &Story) -> Line {
    let session = &story.session;
    let began = when(session.connected_at);
    let text = if session.status == Status::Active {
        let (age, used) = (span(app.now.since(session.connected_at)), span(app.now.since(session.last_activity)));
        let end = session.expires_at.map(|end| format!("   ends in {} unless used", span(end.since(app.now))));
        format!("began {began}, {age} ago   used {used} ago{}", end.unwrap_or_default())
    } else {
        let lasted = span(Duration::from_secs(session.duration_s));
        let at = session.disconnected_at.map(when).unwrap_or_default();
        let by = session.ended_by.as_deref().map(|by| format!(" by {}", clean(by))).unwrap_or_default();
        let why = session.disconnect_reason.as_deref().map(clean).unwrap_or_default();
        let note = story.end_note.as_deref().map(|note| format!(": {}", clean(note))).unwrap_or_default();
        format!("began {began}, lasted {lasted}   ended {at}{by}, {why}{note}")
    };
    vec![(text, Tone::Plain)]
}

/// Both ids: the Archon session's stands in the title.
fn protocol(story: &Story) -> Vec<Line> {
    let line = |session: &crate::queries::story::ProtocolSession| {
        let bound = match session.bound_by.as_deref() {
            Some("new") => "  made this session",
            Some("client") => "  named this session",
            Some("bound") => "  bound to this session",
            _ => "",
        };
        let era = sessions::era(&session.protocol_version);
        let text = format!("  {} ({era})  {}{bound}", session.protocol_version, session.status.as_str());
        vec![(format!("Mcp-Session-Id {}", clean(&session.protocol_session_id)), Tone::Plain), (text, Tone::Dim)]
    };
    // The last ones: an Archon session may have had many.
    let skipped = story.protocol_sessions.len().saturating_sub(3);
    story.protocol_sessions.iter().skip(skipped).map(line).collect()
}

fn figures(story: &Story) -> Line {
    let session = &story.session;
    let failed = if session.errors > 0 { Tone::Warn } else { Tone::Plain };
    let tokens = session.prompt_tokens + session.completion_tokens;
    let mut took: Vec<f64> =
        story.requests.iter().filter(|r| r.tool_name.is_some()).filter_map(|r| r.duration_ms).collect();
    took.sort_by(f64::total_cmp);
    let rank = (took.len() * 95).div_ceil(100);
    let p95 = rank.checked_sub(1).and_then(|rank| took.get(rank)).map(|ms| format!("  p95 {}", millis(*ms)));
    vec![
        (several(session.calls, "call"), Tone::Strong),
        (format!("  {} failed", session.errors), failed),
        (format!("{}  {}", p95.unwrap_or_default(), several(tokens, "token")), Tone::Plain),
    ]
}

/// The session's life from its beginning to its end or now: where it called, and where a call failed.
fn life(app: &App, story: &Story, room: usize) -> String {
    let session = &story.session;
    let (from, to) = (session.connected_at, session.disconnected_at.unwrap_or(app.now));
    let (room, whole) = (room.clamp(10, 120), to.since(from).as_millis().max(1));
    let mut line = vec!['·'; room];
    for request in &story.requests {
        let Some(at) = request.timestamp else { continue };
        let place = at.since(from).as_millis() * (room as u128 - 1) / whole;
        let Some(mark) = usize::try_from(place).ok().and_then(|place| line.get_mut(place)) else { continue };
        let failed = request.status.as_deref().is_some_and(|status| status != "success");
        *mark = if failed || *mark == '✗' { '✗' } else { '▪' };
    }
    line.into_iter().collect()
}

/// How long its last calls took, one column a call.
fn latencies(story: &Story, room: usize) -> String {
    let calls = story.requests.iter().filter(|request| request.tool_name.is_some());
    let took: Vec<f64> = calls.filter_map(|request| request.duration_ms).collect();
    let shown = &took[took.len().saturating_sub(room.clamp(4, 120))..];
    let most = shown.iter().copied().fold(0.0, f64::max);
    pad(&curve(shown), shown.len(), false) + &format!("  up to {}", millis(most))
}

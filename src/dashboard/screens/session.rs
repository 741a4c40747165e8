//! One session: facts, its life as a line, its latencies, its events, and its requests as a list:
//!
//! ```text
//! active  Claude Code 1.0.0 (claude-code)  of alice  2025-06-18 (legacy)            ⚠ 3 of 7 calls failed
//! began 2026-01-10 10:00:00, 2h05m ago   used 3s ago   ends in 29d23h unless used
//! Archon session 7c9e6679-…  40 calls in 1h02m  ended by server, timeout
//! Archon session 550e8400-…  2 calls in 3m  ends in 59m unless used
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
use crate::model::request::RequestStatus;
use crate::model::word::Word;
use crate::queries::sessions::{SessionStatus, State};
use crate::queries::story::{ArchonSession, Story};

type Line = Vec<(String, Tone)>;

/// Events stand below the list where there is room: a head and this number of lines.
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
        let by = event.actor.as_ref().map(|by| format!("  by {}", clean(by.as_str()))).unwrap_or_default();
        let why = event.reason.as_deref().map(|why| format!("  {}", clean(why))).unwrap_or_default();
        let line = [
            (format!("{}  ", clock(event.at)), Tone::Dim),
            (event.kind.to_string(), super::events::tone(&event.kind)),
            (format!("{by}{why}"), Tone::Plain),
        ];
        write(app, (body.x + 1, y), body.right(), &line, buffer);
    }
}

/// So many Archon sessions are told.
const ARCHON_SESSIONS: usize = 3;

fn lines(app: &App, room: usize) -> Vec<Line> {
    let Some(story) = story(app) else {
        let gone = app.data.closer.gone;
        let text = if gone { "This session is gone: it was older than what the server keeps." } else { LOADING };
        return vec![vec![(text.to_owned(), Tone::Plain)]];
    };
    let mut lines = vec![who(story)];
    lines.extend(
        warnings::of_session(app, &story.session)
            .iter()
            .map(|warning| vec![(format!("⚠ {}", warning.text), warnings::tone(warning))]),
    );
    lines.push(times(app, story));
    lines.extend(archon(app, story));
    lines.extend(shared(story));
    lines.push(figures(story));
    if story.session.calls > 0 {
        lines.push(vec![("life     ".to_owned(), Tone::Dim), (life(app, story, room.saturating_sub(10)), Tone::Plain)]);
        lines.push(vec![("latency  ".to_owned(), Tone::Dim), (latencies(story, room.saturating_sub(22)), Tone::Good)]);
    }
    lines.push(Line::new());
    lines
}

fn who(story: &Story) -> Line {
    let session = &story.session;
    let (state, tone) = sessions::state(session);
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
    let revision = session.protocol_version.as_deref();
    let revision = revision.map(|revision| format!("  {} ({})", clean(revision), sessions::era(revision)));
    let rest = format!("{user}{}{}", revision.unwrap_or_default(), can.unwrap_or_default());
    vec![(state.to_owned(), tone), (client, Tone::Strong), (rest, Tone::Plain)]
}

fn times(app: &App, story: &Story) -> Line {
    let session = &story.session;
    let began = when(session.connected_at);
    let text = if session.state == State::Ended {
        let lasted = span(Duration::from_secs(session.duration_s));
        let at = session.disconnected_at.map(when).unwrap_or_default();
        let by = session.ended_by.as_ref().map(|by| format!(" by {}", clean(by.as_str()))).unwrap_or_default();
        let why = session.disconnect_reason.as_ref().map(|why| clean(why.as_str())).unwrap_or_default();
        let note = story.end_note.as_deref().map(|note| format!(": {}", clean(note))).unwrap_or_default();
        format!("began {began}, lasted {lasted}   ended {at}{by}, {why}{note}")
    } else {
        let (age, used) = (span(app.now.since(session.connected_at)), span(app.now.since(session.last_activity)));
        let end = session.expires_at.map(|end| format!("   ends in {} unless used", span(end.since(app.now))));
        format!("began {began}, {age} ago   used {used} ago{}", end.unwrap_or_default())
    };
    vec![(text, Tone::Plain)]
}

/// The Archon sessions of a connection, whose own id stands in the title: the last ones, one after the other.
fn archon(app: &App, story: &Story) -> Vec<Line> {
    let session = &story.session;
    let all = &story.archon_sessions;
    let skipped = all.len().saturating_sub(ARCHON_SESSIONS);
    let mut lines = Vec::new();
    let removed = if story.older_removed { "older ones were removed" } else { "" };
    match (skipped, story.older_removed) {
        (0, false) => {}
        (0, true) => lines.push(vec![(format!("Archon sessions: {removed}"), Tone::Dim)]),
        (n, false) => lines.push(vec![(format!("{n} earlier Archon sessions"), Tone::Dim)]),
        (n, true) => lines.push(vec![(format!("{n} earlier Archon sessions; {removed}"), Tone::Dim)]),
    }
    lines.extend(all.iter().skip(skipped).map(|archon| archon_line(app, archon)));
    let is_there = all.iter().any(|archon| archon.session_id == session.session_id);
    if session.protocol_session_id.is_some() && session.state != State::Ended && !is_there {
        let id = (format!("Archon session {}", clean(&session.session_id)), Tone::Plain);
        lines.push(vec![id, ("  reserved for the next tool call".to_owned(), Tone::Dim)]);
    }
    lines
}

fn archon_line(app: &App, archon: &ArchonSession) -> Line {
    let live = archon.status == SessionStatus::Active;
    let lasted = if live { app.now.since(archon.connected_at) } else { Duration::from_secs(archon.duration_s) };
    let end = match (live, archon.expires_at) {
        (true, Some(end)) => format!("  ends in {} unless used", span(end.since(app.now))),
        (true, None) => String::new(),
        (false, _) => {
            let by = archon.ended_by.as_ref().map(|by| format!(" by {}", clean(by.as_str()))).unwrap_or_default();
            format!("  ended{by}, {}", clean(archon.disconnect_reason.as_ref().map(Word::as_str).unwrap_or_default()))
        }
    };
    let shared = if archon.shared_from.is_some() { "  opened by another connection" } else { "" };
    let text = format!("  {} in {}{end}{shared}", several(archon.calls, "call"), span(lasted));
    vec![(format!("Archon session {}", clean(&archon.session_id)), Tone::Plain), (text, Tone::Dim)]
}

/// Who else calls in its Archon session.
fn shared(story: &Story) -> Option<Line> {
    let own = story.session.protocol_session_id.as_deref();
    let mut others = story.protocol_sessions.iter().filter(|other| Some(&*other.protocol_session_id) != own);
    let first = others.next()?;
    let more = match others.count() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(vec![(format!("shared with {}{more}", clean(&first.protocol_session_id)), Tone::Dim)])
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
        let failed = request.status.as_ref().is_some_and(|status| !status.is(RequestStatus::Success));
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

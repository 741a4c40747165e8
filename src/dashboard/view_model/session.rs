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

use ratatui::layout::Rect;

use super::empty::LOADING;
use super::requests;
use crate::dashboard::state::State;
use crate::dashboard::table::Listing;
use crate::dashboard::text::{clean, clock, curve, millis, pad, several, span, when};
use crate::dashboard::theme::{Line, Tone};
use crate::dashboard::warnings;
use crate::diagnosis::{Finding, Thresholds, of_session};
use crate::model::request::RequestStatus;
use crate::model::word::Word;
use crate::queries::events::Event;
use crate::queries::sessions::{Session, SessionStatus, State as Stands};
use crate::queries::story::{ArchonSession, Story};

/// Events stand below the list where there is room: a head and this number of lines.
const EVENTS: u16 = 6;

fn story(state: &State) -> Option<&Story> {
    state.data.closer.story.as_deref()
}

/// Its requests, the newest first.
pub(super) fn listing(state: &State) -> Listing {
    match story(state) {
        Some(story) => requests::of_session(state, story.requests.iter().rev()),
        None => Listing { empty: String::new(), ..requests::of_session(state, std::iter::empty()) },
    }
}

/// Where the list of requests stands below that many lines of facts.
pub(super) fn list_area(facts: usize, body: Rect) -> Rect {
    let facts = u16::try_from(facts).unwrap_or(u16::MAX);
    // On a low screen the list has half of it; facts are cut from below.
    let above = facts.min(body.height / 2);
    let below = if body.height > above + 2 * EVENTS + 4 { EVENTS + 1 } else { 0 };
    Rect { y: body.y + above, height: body.height - above - below, ..body }
}

/// Its events, the newest first, below a head.
pub(super) fn events(state: &State) -> Vec<Line> {
    let Some(story) = story(state) else { return Vec::new() };
    let line = |event: &Event| {
        let by = event.actor.as_ref().map(|by| format!("  by {}", clean(by.as_str()))).unwrap_or_default();
        let why = event.reason.as_deref().map(|why| format!("  {}", clean(why))).unwrap_or_default();
        vec![
            (format!("{}  ", clock(event.at)), Tone::Dim),
            (event.kind.to_string(), event.tone()),
            (format!("{by}{why}"), Tone::Plain),
        ]
    };
    let head = vec![("Events".to_owned(), Tone::Strong)];
    std::iter::once(head).chain(story.events.iter().rev().map(line)).collect()
}

/// The number of Archon sessions that are shown.
const ARCHON_SESSIONS: usize = 3;

/// Facts about it, its life and its latencies, for a terminal `room` columns wide.
pub(super) fn facts(state: &State, room: usize) -> Vec<Line> {
    let Some(story) = story(state) else {
        let gone = state.data.closer.gone;
        let text = if gone { "This session is gone: it was older than what the server keeps." } else { LOADING };
        return vec![vec![(text.to_owned(), Tone::Plain)]];
    };
    let mut lines = vec![who(story)];
    let findings = of_session(&warnings::snapshot(state), &story.session, &Thresholds::default());
    let warned = |finding: &Finding| vec![(format!("⚠ {}", finding.text), warnings::tone(finding))];
    lines.extend(findings.iter().map(warned));
    lines.push(times(state, story));
    lines.extend(archon(state, story));
    lines.extend(shared(story));
    lines.push(figures(story));
    if story.session.calls > 0 {
        lines.push(vec![
            ("life     ".to_owned(), Tone::Dim),
            (life(state, story, room.saturating_sub(10)), Tone::Plain),
        ]);
        lines.push(vec![("latency  ".to_owned(), Tone::Dim), (latencies(story, room.saturating_sub(22)), Tone::Good)]);
    }
    lines.push(Line::new());
    lines
}

fn who(story: &Story) -> Line {
    let session = &story.session;
    let (standing, tone) = standing(session);
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
    let revision = session.protocol_version.as_deref().zip(session.era());
    let revision = revision.map(|(revision, era)| format!("  {} ({era})", clean(revision)));
    let rest = format!("{user}{}{}", revision.unwrap_or_default(), can.unwrap_or_default());
    vec![(standing.to_owned(), tone), (client, Tone::Strong), (rest, Tone::Plain)]
}

/// Where it stands in a word, and how that is meant.
fn standing(session: &Session) -> (&'static str, Tone) {
    let word = if session.state == Stands::Ended { session.status.as_str() } else { session.state.as_str() };
    (word, session.state_cell().tone)
}

fn times(state: &State, story: &Story) -> Line {
    let session = &story.session;
    let began = when(session.connected_at);
    let text = if session.state == Stands::Ended {
        let lasted = span(Duration::from_secs(session.duration_s));
        let at = session.disconnected_at.map(when).unwrap_or_default();
        let by = session.ended_by.as_ref().map(|by| format!(" by {}", clean(by.as_str()))).unwrap_or_default();
        let why = session.disconnect_reason.as_ref().map(|why| clean(why.as_str())).unwrap_or_default();
        let note = story.end_note.as_deref().map(|note| format!(": {}", clean(note))).unwrap_or_default();
        format!("began {began}, lasted {lasted}   ended {at}{by}, {why}{note}")
    } else {
        let (age, used) = (span(state.now.since(session.connected_at)), span(state.now.since(session.last_activity)));
        let end = session.expires_at.map(|end| format!("   ends in {} unless used", span(end.since(state.now))));
        format!("began {began}, {age} ago   used {used} ago{}", end.unwrap_or_default())
    };
    vec![(text, Tone::Plain)]
}

/// The Archon sessions of a connection, whose own id stands in the title: the last ones, one after the other.
fn archon(state: &State, story: &Story) -> Vec<Line> {
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
    lines.extend(all.iter().skip(skipped).map(|archon| archon_line(state, archon)));
    let is_there = all.iter().any(|archon| archon.session_id == session.session_id);
    if session.protocol_session_id.is_some() && session.state != Stands::Ended && !is_there {
        let id = (format!("Archon session {}", clean(&session.session_id)), Tone::Plain);
        lines.push(vec![id, ("  reserved for the next tool call".to_owned(), Tone::Dim)]);
    }
    lines
}

fn archon_line(state: &State, archon: &ArchonSession) -> Line {
    let live = archon.status == SessionStatus::Active;
    let lasted = if live { state.now.since(archon.connected_at) } else { Duration::from_secs(archon.duration_s) };
    let end = match (live, archon.expires_at) {
        (true, Some(end)) => format!("  ends in {} unless used", span(end.since(state.now))),
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
fn life(state: &State, story: &Story, room: usize) -> String {
    let session = &story.session;
    let (from, to) = (session.connected_at, session.disconnected_at.unwrap_or(state.now));
    let (room, whole) = (room.clamp(10, 120), to.since(from).as_millis().max(1));
    let mut line = vec!['·'; room];
    for request in &story.requests {
        let Some(at) = request.timestamp else { continue };
        let list_id = at.since(from).as_millis() * (room as u128 - 1) / whole;
        let Some(mark) = usize::try_from(list_id).ok().and_then(|list_id| line.get_mut(list_id)) else { continue };
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

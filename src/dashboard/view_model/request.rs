//! One request in full, with its error, and its words where they were kept:
//!
//! ```text
//! time        2026-01-10 12:00:04.123
//! tool        find_projects (tools/call)
//! status      error
//! ```

use crate::dashboard::state::State;
use crate::dashboard::text::{clean, millis, wrapped};
use crate::dashboard::theme::{Line, Tone};
use crate::dashboard::view::Detail;
use crate::model::session::SessionRule;
use crate::model::word::Word;
use crate::queries::requests::Request;

/// The columns of the screen that a name takes.
const NAME: usize = 12;

/// A name, what it is, and how that is meant.
type Fact = (&'static str, String, Tone);

/// The lines of its page, broken for a terminal `room` columns wide.
pub(super) fn page(state: &State, room: usize) -> Vec<Line> {
    let line = |(name, text, tone): Fact| vec![(format!("{name:<NAME$}"), Tone::Dim), (text, tone)];
    lines(state, room).into_iter().map(line).collect()
}

/// Names and what they are of it, in lines.
fn lines(state: &State, room: usize) -> Vec<Fact> {
    let Some(Detail::Request(request)) = state.view.details.last() else { return Vec::new() };
    let mut lines = Vec::new();
    for (name, text, tone) in facts(request) {
        let broken = wrapped(&text, room.saturating_sub(NAME).max(10));
        let named = broken.into_iter().enumerate().map(|(n, line)| (if n == 0 { name } else { "" }, line, tone));
        lines.extend(named);
    }
    let words = state.data.closer.capture.as_ref().filter(|(number, _)| *number == request.number());
    match words.map(|(_, words)| words) {
        Some(Some(words)) => {
            block(&mut lines, "arguments", &words.arguments, room);
            if let Some(answer) = &words.answer {
                block(&mut lines, "answer", answer, room);
            }
        }
        Some(None) if request.tool_name.is_some() => {
            let text = "not kept: archonctl serve --capture errors (or all) keeps them, masked, for a day";
            lines.push(("arguments", text.to_owned(), Tone::Dim));
        }
        _ => {}
    }
    lines
}

fn facts(request: &Request) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |name, text: Option<String>, tone| {
        facts.extend(text.filter(|text| !text.is_empty()).map(|text| (name, text, tone)));
    };
    let status = request.status.as_ref();
    let method = request.method.as_deref().unwrap_or_default();
    let tool = request.tool_name.as_ref().map(|tool| format!("{} ({})", clean(tool), clean(method)));
    fact("time", request.timestamp.map(|at| format!("{} UTC", at.sql_text())), Tone::Plain);
    fact("tool", tool, Tone::Strong);
    fact("method", request.tool_name.is_none().then(|| clean(method)), Tone::Strong);
    fact("status", status.map(ToString::to_string), request.status_cell().tone);
    fact("error", request.error_message.as_deref().map(clean), Tone::Warn);
    fact("late", request.late.then(|| "it began before its session ended and finished after".to_owned()), Tone::Warn);
    fact("took", request.duration_ms.map(millis), Tone::Plain);
    let tokens = request.prompt_tokens.zip(request.completion_tokens);
    fact("tokens", tokens.map(|(to, from)| format!("{to} of arguments, {from} of the result")), Tone::Plain);
    fact("cost", request.estimated_cost_usd.map(|usd| format!("${usd:.6}")), Tone::Plain);
    fact("client", request.client_type.as_deref().map(clean), Tone::Plain);
    fact("user", request.user_name.as_deref().map(clean), Tone::Plain);
    fact("session", request.protocol_session_id.as_deref().map(clean), Tone::Plain);
    fact("archon", request.session_id.clone(), Tone::Plain);
    let rule = request.session_rule.as_ref().map(|rule| match rule {
        Word::Ours(SessionRule::Client) => "its X-Archon-Session-Id header".to_owned(),
        Word::Ours(SessionRule::Bound) => "its connection, bound by an earlier call".to_owned(),
        Word::Ours(SessionRule::New) => "opening the Archon session".to_owned(),
        Word::Other(rule) => clean(rule),
    });
    fact("bound by", rule, Tone::Dim);
    facts
}

/// JSON as people read it; what was cut is shown as it is.
fn block(lines: &mut Vec<Fact>, name: &'static str, text: &str, room: usize) {
    let value = serde_json::from_str::<serde_json::Value>(text);
    let text =
        value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned());
    let broken = wrapped(&text, room.saturating_sub(NAME).max(10));
    lines.extend(broken.into_iter().enumerate().map(|(n, line)| (if n == 0 { name } else { "" }, line, Tone::Plain)));
}

//! Which of the messages that a server sends is the answer to a request. Lenient where servers of the field are careless:
//! a byte order mark, an array around the answer, the id as a text.

use serde_json::value::RawValue;

use crate::protocol::frame::{self, Body, Message, Notification, Request};
use crate::protocol::reply::Reply;

/// A message, seen from a request that waits for its answer.
#[derive(Debug)]
pub(super) enum Heard<'a> {
    /// The answer.
    Answer(Reply),
    /// A question of the server's own.
    Question(Request<'a>),
    /// A notification.
    Note(Notification<'a>),
    /// An answer that nobody waits for, or nothing at all.
    Other,
}

/// The messages of a body or an event: one, or an array of them, as 2025-03-26 has it.
///
/// # Errors
/// When it is not JSON.
pub(super) fn messages(text: &[u8]) -> serde_json::Result<Vec<&RawValue>> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let is_array = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_array { serde_json::from_slice(text) } else { serde_json::from_slice(text).map(|message| vec![message]) }
}

/// What a message is to the request of that id.
///
/// # Errors
/// When it is no JSON-RPC.
pub(super) fn hear(message: &RawValue, id: u64) -> serde_json::Result<Heard<'_>> {
    let reply: Reply = serde_json::from_str(message.get())?;
    if answers(&reply, id) {
        return Ok(Heard::Answer(reply));
    }
    match frame::parse(message.get().as_bytes()) {
        Ok(Body::Single(Message::Request(question))) => Ok(Heard::Question(question)),
        Ok(Body::Single(Message::Notification(note))) => Ok(Heard::Note(note)),
        _ => Ok(Heard::Other),
    }
}

/// Whether a reply is the one to that request: by its id, or as an error from a server that could not read ours.
fn answers(reply: &Reply, id: u64) -> bool {
    match &reply.id {
        Some(raw) => {
            (reply.result.is_some() || reply.error.is_some()) && (is_same(raw, id) || is_of_nobody(reply, raw))
        }
        None => reply.error.is_some(),
    }
}

/// Whether that is the id: as it was sent, as a text, or as a language has it that knows no integers.
pub(super) fn is_same(raw: &RawValue, id: u64) -> bool {
    number(raw) == Some(id)
}

/// The id of a request of ours, if it can be one.
pub(super) fn number(raw: &RawValue) -> Option<u64> {
    let text = raw.get().trim_matches('"');
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

/// Whether it is an error under an id that is no request's: the Python SDK says `server-error`, others the empty text.
fn is_of_nobody(reply: &Reply, raw: &RawValue) -> bool {
    reply.error.is_some() && matches!(raw.get(), "\"server-error\"" | "\"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_matching_answer_counts() {
        for (reply, ours) in [
            (r#"{"id":7,"result":{}}"#, true),
            (r#"{"id":7,"error":{"code":1}}"#, true),
            (r#"{"id":null,"error":{"code":1}}"#, true),
            (r#"{"id":"server-error","error":{"code":1}}"#, true),
            (r#"{"id":"7","result":{}}"#, true),
            (r#"{"id":7.0,"result":{}}"#, true),
            ("\u{feff}{\"id\":7,\"result\":{}}", true),
            (r#" [{"id":7,"result":{}}]"#, true),
            (r#"[{"method":"x"},{"id":6,"result":{}},{"id":"7","result":{}}]"#, true),
            (r#"{"id":8,"result":{}}"#, false),
            (r#"{"id":"8","result":{}}"#, false),
            (r#"{"id":"77","result":{}}"#, false),
            (r#"{"id":7.5,"result":{}}"#, false),
            (r#"{"id":"server-error","result":{}}"#, false),
            (r#"{"id":7,"method":"ping"}"#, false),
            (r#"{"result":{}}"#, false),
            ("{}", false),
            ("[]", false),
            (r#"[[{"id":7,"result":{}}]]"#, false),
        ] {
            let messages = messages(reply.as_bytes()).expect("JSON");
            let heard = messages.iter().map(|message| hear(message, 7));
            let found = heard.filter_map(Result::ok).any(|heard| matches!(heard, Heard::Answer(_)));
            assert_eq!(found, ours, "{reply}");
        }
        assert!(messages(b"<html>").is_err() && messages(b"").is_err());
    }

    #[test]
    fn a_question_is_told_from_a_notification() {
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#, "question ping"),
            (r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#, "note notifications/progress"),
            (r#"{"jsonrpc":"2.0","id":9,"result":{}}"#, "nothing"),
        ] {
            let messages = messages(text.as_bytes()).expect("JSON");
            let heard = match hear(messages[0], 7).expect("JSON-RPC") {
                Heard::Answer(_) => "answer".to_owned(),
                Heard::Question(question) => format!("question {}", question.method),
                Heard::Note(note) => format!("note {}", note.method),
                Heard::Other => "nothing".to_owned(),
            };
            assert_eq!(heard, expected, "{text}");
        }
    }
}

//! JSON-RPC frames, against what a plain reading of the JSON says.

use archonctl::protocol::error::PARSE_ERROR;
use archonctl::protocol::frame::{self, Body, FrameError, Message};
use serde_json::Value;
use serde_json::value::RawValue;

use super::driver::{Target, hold};
use crate::protocol::check;

const TARGET: Target = Target {
    folders: &["tests/corpus/frames"],
    words: &[
        "\"jsonrpc\":\"2.0\"",
        "\"id\":",
        "\"method\":",
        "\"params\":",
        "\"result\":",
        "\"error\":",
        "null",
        "true",
        "-0",
        "1e999",
        "\\u0000",
        "\\ud800",
        "\\udc00",
        "{}",
        "[]",
        ",",
        ":",
        "\"",
        "\\",
        "\u{feff}",
        " \r\n\t",
        "[[[[[[[[",
        "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}",
        "18446744073709551616",
    ],
    cases: 10000,
};

/// What a frame comes to, so that two readings can be compared.
fn verdict(read: &Result<Message<'_>, FrameError>) -> String {
    match read {
        Ok(Message::Request(r)) => format!("request {} {:?} {:?}", r.id.get(), r.method, r.params.map(RawValue::get)),
        Ok(Message::Notification(n)) => format!("notification {:?} {:?}", n.method, n.params.map(RawValue::get)),
        Ok(Message::Response(_)) => "response".to_owned(),
        // The text of an error names a place in the bytes, which may differ.
        Err(error) => format!("error {} {:?}", error.body.code, error.id),
    }
}

fn single(body: &[u8]) -> Option<Result<Message<'_>, FrameError>> {
    match frame::parse(body) {
        Ok(Body::Single(message)) => Some(Ok(message)),
        Ok(Body::Batch(_)) => None,
        Err(error) => Some(Err(error)),
    }
}

/// -32700 is for what is no JSON, and for that alone.
fn judges_the_syntax(body: &[u8]) {
    // A byte order mark may stand before it.
    let text = str::from_utf8(body).map(|text| text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']));
    let is_json = text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    let is_refused = matches!(frame::parse(body), Err(error) if error.body.code == PARSE_ERROR);
    assert_eq!(is_json, !is_refused, "{:?}", frame::parse(body).map(|_| ()));
}

/// What was read of a message, written anew, reads the same.
fn comes_back(message: &Message<'_>) {
    let params = |params: Option<&RawValue>| params.map_or(String::new(), |raw| format!(",\"params\":{}", raw.get()));
    let again = match message {
        Message::Request(request) => {
            let (id, method) = (request.id.get(), Value::from(&*request.method));
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":{method}{}}}", params(request.params))
        }
        Message::Notification(note) => {
            let method = Value::from(&*note.method);
            format!("{{\"jsonrpc\":\"2.0\",\"method\":{method}{}}}", params(note.params))
        }
        Message::Response(_) => return,
    };
    let read = single(again.as_bytes()).expect("one message");
    assert_eq!(verdict(&read), verdict(&Ok(message.clone())));
}

/// Space around a frame changes nothing, and each member of a batch is judged as if it stood alone.
fn stands_alone(body: &[u8]) {
    let spaced = [b" \r\n\t", body, b"\n "].concat();
    if let (Some(read), Some(again)) = (single(body), single(&spaced)) {
        assert_eq!(verdict(&read), verdict(&again), "with space around it");
    }
    let Ok(Body::Batch(members)) = frame::parse(body) else { return };
    let raw: Vec<&RawValue> = serde_json::from_slice(body).expect("a batch is a list");
    assert_eq!(members.len(), raw.len());
    for (member, raw) in members.iter().zip(raw) {
        // A list in a list is no batch.
        if !raw.get().starts_with('[') {
            assert_eq!(verdict(member), verdict(&single(raw.get().as_bytes()).expect("one message")));
        }
    }
}

#[test]
fn frames() {
    hold(&TARGET, |body| {
        check(body).expect("what is said of it holds");
        judges_the_syntax(body);
        stands_alone(body);
        if let Ok(Body::Single(message)) = frame::parse(body) {
            comes_back(&message);
        }
    });
}

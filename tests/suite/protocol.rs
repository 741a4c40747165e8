//! The envelope against whatever bytes may come.

use archonctl::protocol::frame::{self, Body, FrameError, Message};
use proptest::prelude::*;
use serde_json::Value;

/// Frames that are accepted, to be broken.
const VALID: [&str; 5] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":"a\"\u00e4","method":"tools/call","params":{"name":"x","arguments":{"a":[1,null]}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
    r#"{"jsonrpc":"2.0","id":-1.5e3,"error":{"code":1,"message":"no"}}"#,
    r#"[{"jsonrpc":"2.0","id":2,"method":"ping"},{"jsonrpc":"2.0","method":"x"},7]"#,
];

/// What is said of a message holds: its id stands in the body byte for byte, and it is one that may be echoed.
fn check_message(body: &[u8], message: &Message<'_>) -> Result<(), TestCaseError> {
    if let Message::Request(request) = message {
        let id = request.id.get();
        prop_assert!(body.windows(id.len()).any(|window| window == id.as_bytes()), "{id} is not in the body");
        prop_assert!(id.len() <= frame::MAX_ID_BYTES);
        prop_assert!(id.starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']), "{id}");
        prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(id).is_ok(), "{id} is not JSON");
    }
    Ok(())
}

fn check_error(error: &FrameError) -> Result<(), TestCaseError> {
    prop_assert!([-32700, -32600].contains(&error.body.code), "{error:?}");
    let reply = archonctl::protocol::reply::error(error.id.as_deref(), &error.body);
    prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&reply).is_ok(), "an answer that is no JSON");
    Ok(())
}

/// Parses, and checks whatever comes out.
pub(crate) fn check(body: &[u8]) -> Result<(), TestCaseError> {
    match frame::parse(body) {
        Ok(Body::Single(message)) => check_message(body, &message),
        Ok(Body::Batch(members)) => members.iter().try_for_each(|member| match member {
            Ok(message) => check_message(body, message),
            Err(error) => check_error(error),
        }),
        Err(error) => check_error(&error),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from("2.0")),
    ];
    let key = prop_oneof!["jsonrpc|id|method|params|result|error".prop_map(String::from), any::<String>(),];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A valid frame of which some bytes are replaced, dropped or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    (prop::sample::select(VALID.to_vec()), prop::collection::vec(change, 1..6)).prop_map(|(frame, changes)| {
        let mut bytes = frame.as_bytes().to_vec();
        for (place, byte, kind) in changes {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ if bytes.len() > 1 => _ = bytes.remove(place),
                _ => {}
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_judged_without_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&body)?;
    }

    #[test]
    fn random_json_is_judged_without_panic(value in any_json()) {
        check(value.to_string().as_bytes())?;
        check(serde_json::json!([value]).to_string().as_bytes())?;
    }

    #[test]
    fn broken_frames_are_judged_without_panic(body in mutated()) {
        check(&body)?;
    }

    #[test]
    fn an_id_comes_back_byte_for_byte(id in any_json(), method in any::<String>()) {
        let (raw, method) = (id.to_string(), Value::from(method));
        let body = format!(r#"{{"jsonrpc":"2.0","id":{raw},"method":{method}}}"#);
        let may_be_echoed = (id.is_string() || id.is_number()) && raw.len() <= frame::MAX_ID_BYTES;
        match frame::parse(body.as_bytes()) {
            Ok(Body::Single(Message::Request(request))) => {
                prop_assert!(may_be_echoed);
                prop_assert_eq!(request.id.get(), raw);
                prop_assert_eq!(Value::from(&*request.method), method);
            }
            other => prop_assert!(!may_be_echoed, "{:?}", other),
        }
    }

    #[test]
    fn only_objects_are_messages(id in 0..9_u8, rest in prop::collection::vec(any_json(), 0..5)) {
        // The members of a message, in the order in which serde would take them.
        let list: Vec<Value> = ["2.0".into(), id.into(), "ping".into()].into_iter().chain(rest).collect();
        match frame::parse(serde_json::json!([list]).to_string().as_bytes()) {
            Ok(Body::Batch(judged)) => prop_assert!(judged.iter().all(Result::is_err), "{:?}", judged),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

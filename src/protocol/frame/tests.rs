//! Messages as they come.

use super::*;

fn code(body: &str) -> i32 {
    parse(body.as_bytes()).expect_err("should be refused").body.code
}

#[test]
fn tells_requests_notifications_and_responses_apart() {
    let request = parse(br#"{"jsonrpc":"2.0","id":"a\"b","method":"ping"}"#);
    assert!(
        matches!(request, Ok(Body::Single(Message::Request(r))) if r.id.get() == r#""a\"b""# && r.method == "ping")
    );
    let note = parse(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert!(matches!(note, Ok(Body::Single(Message::Notification(_)))));
    for response in [r#""id":1,"result":null"#, r#""id":null,"error":{}"#, r#""error":{}"#, r#""id":"a","error":{}"#] {
        let read = format!(r#"{{"jsonrpc":"2.0",{response}}}"#);
        assert!(matches!(parse(read.as_bytes()), Ok(Body::Single(Message::Response(_)))), "{response}");
    }
}

#[test]
fn passes_over_a_byte_order_mark() {
    for mark in ["\u{feff}", " \u{feff}\n", "\u{feff}\u{feff}"] {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        assert!(matches!(parse(format!("{mark}{ping}").as_bytes()), Ok(Body::Single(Message::Request(_)))), "{mark:?}");
        assert!(matches!(parse(format!("{mark}[{ping}]").as_bytes()), Ok(Body::Batch(_))), "{mark:?}");
    }
    for other in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"\0\0\xfe\xff\0\0\0{"] {
        let error = parse(other).expect_err("refused").body;
        assert!(error.code == PARSE_ERROR && error.message.contains("UTF-16"), "{error}");
    }
}

#[test]
fn an_id_may_be_written_in_more_than_one_way() {
    for (one, other) in [("1", "1.0"), ("1e2", "100"), (r#""a""#, r#""\u0061""#), ("0.5", "0.5")] {
        assert!(is_same_id(one, other) && is_same_id(other, one), "{one} {other}");
    }
    for (one, other) in [("1", r#""1""#), ("1", "2.0"), (r#""a""#, r#""A""#), ("1", "1.5"), ("null", "{}")] {
        assert!(!is_same_id(one, other) && !is_same_id(other, one), "{one} {other}");
    }
}

#[test]
fn refuses_what_is_not_json_rpc() {
    assert_eq!(code("{"), PARSE_ERROR);
    assert_eq!(code(""), PARSE_ERROR);
    assert_eq!(code("2m"), PARSE_ERROR);
    let not_utf8 = parse(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"ignored\":\"\xa3\"}");
    assert_eq!(not_utf8.expect_err("should be refused").body.code, PARSE_ERROR);
    assert_eq!(code(r#"{"id":1,"id":2,"#), PARSE_ERROR);
    for json in [r#"{"id":1,"id":2}"#, "1e999", r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#] {
        assert_eq!(code(json), INVALID_REQUEST, "{json}");
    }
    assert_eq!(code("[]"), INVALID_REQUEST);
    assert_eq!(code(r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#), INVALID_REQUEST);
    for null in [r#""method":"x""#, r#""result":1"#, r#""result":1,"error":{}"#, r#""method":"x","error":{}"#] {
        assert_eq!(code(&format!(r#"{{"jsonrpc":"2.0","id":null,{null}}}"#)), INVALID_REQUEST, "{null}");
    }
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":[1],"method":"x"}"#), INVALID_REQUEST);
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":1}"#), INVALID_REQUEST);
    assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":7}"#), INVALID_REQUEST);
}

#[test]
fn a_deep_body_costs_no_stack() {
    let deep =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert!(matches!(parse(deep.as_bytes()), Ok(Body::Single(Message::Request(_)))));
}

#[test]
fn judges_each_member_of_a_batch_for_itself() {
    let Ok(Body::Batch(members)) = parse(br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}, 7]"#) else {
        panic!("a batch")
    };
    assert!(members[0].is_ok() && members[1].is_err());
}

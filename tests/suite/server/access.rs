//! Who is let in: tokens, Host and Origin, and what is nobody's.

use super::{House, LATEST, PING, assert_refused, assert_serves, initialize};
use crate::databases::Database;
use crate::http::Mcp;
use crate::process::archonctl;
use crate::token_file::lines;

/// A server that knows ada (token `a`) and bob (token `b`).
pub(super) async fn with_tokens(arguments: &[&str]) -> House {
    let db = Database::sqlite();
    let file = db.folder().join("tokens");
    std::fs::write(&file, lines(&[("a", "ada"), ("b", "bob"), ("c,d", "carl")])).expect("a token file");
    let path = file.to_str().expect("a path").to_owned();
    House::open_on(db, &[&["--token-file", &path], arguments].concat()).await
}

#[tokio::test]
async fn a_token_is_asked_for() {
    let house = with_tokens(&[]).await;
    let wrong = [None, Some("Bearer wrong"), Some("Bearer "), Some("Basic YTpi"), Some("a")];
    for authorization in wrong {
        let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
        // Before anything is said of path and method.
        let lines =
            ["DELETE /mcp", "GET /mcp", "PUT /mcp/", "OPTIONS /mcp", "GET /health", "POST /metrics", "GET /nothing"];
        for (line, body) in
            lines.map(|line| (line, String::new())).into_iter().chain([("POST /mcp", initialize(LATEST))])
        {
            let headers = [&headers[..], &[("content-type", "application/json")]].concat();
            let answer = house.request(line, &headers, &body).await;
            assert_refused(&answer, 401, -32000, "unauthorized");
            assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{line}");
        }
    }
    let opened = house.post(&[("authorization", "bearer a")], initialize(LATEST)).await;
    assert_eq!(opened.status, 200, "the scheme has no case: {}", opened.text());
    let json = ("content-type", "application/json");
    for (status, said) in [
        (200, &["Bearer a", "BEARER  a "][..]),
        (200, &["Bearer a , Bearer\ta"]),
        (200, &["Bearer c,d"]),
        (401, &["Bearer a", "Bearer b"]),
        (401, &["Bearer wrong", "Bearer a"]),
        (401, &["Bearer a, Basic YTpi"]),
    ] {
        let headers: Vec<_> = said.iter().map(|value| ("authorization", *value)).chain([json]).collect();
        assert_eq!(house.request("POST /mcp", &headers, &initialize(LATEST)).await.status, status, "{said:?}");
    }
}

#[tokio::test]
async fn anothers_session_is_not_found_and_noted_once() {
    let house = with_tokens(&[]).await;
    let client = |token| Mcp::new(house.server.url()).with_token(token);
    let (ada, bob) = (client("a").initialize(LATEST).await, client("b").initialize(LATEST).await);
    let theirs = [("mcp-session-id", ada.id.as_str())];
    for _ in 0..3 {
        assert_refused(&client("b").post(&theirs, PING).await.expect("an answer"), 404, -32001, "session_unknown");
    }
    let headers = [theirs[0], ("authorization", "Bearer b")];
    assert_refused(&house.request("DELETE /mcp", &headers, "").await, 404, -32001, "session_unknown");
    let event = format!("kind = 'refused' AND protocol_session_id = '{}' AND reason LIKE '%bob%'", ada.id);
    house.until(&format!("SELECT count(*) FROM archon_mcp_session_events WHERE {event}"), "1").await;
    assert_serves(&ada).await;
    assert_serves(&bob).await;
    let archon = ada.archon.as_deref().expect("an Archon session");
    house.until(&format!("SELECT user_name FROM archon_mcp_sessions WHERE session_id = '{archon}'"), "ada").await;
}

#[tokio::test]
async fn strangers_by_host_or_origin_are_refused() {
    let house = House::open(&[]).await;
    let body = initialize(LATEST);
    let json = ("content-type", "application/json");
    for host in ["evil.example.com", "127.0.0.1.evil.com", "localhost.evil.com:80", ""] {
        for line in ["POST /mcp", "DELETE /mcp", "GET /mcp", "GET /nothing", "GET /health"] {
            assert_refused(&house.request(line, &[("host", host), json], &body).await, 403, -32000, "foreign_host");
        }
    }
    for origin in ["http://evil.example.com", "null", "http://127.0.0.1.evil.com", "file://"] {
        let answer = house.request("POST /mcp", &[("origin", origin), json], &body).await;
        assert_refused(&answer, 403, -32000, "foreign_host");
    }
    for origin in ["http://localhost:6274", "https://127.0.0.1", "http://[::1]:1"] {
        assert_eq!(house.request("POST /mcp", &[("origin", origin), json], &body).await.status, 200, "{origin}");
    }
}

#[tokio::test]
async fn a_second_origin_does_not_hide_behind_the_first() {
    let house = House::open(&[]).await;
    let (json, body) = (("content-type", "application/json"), initialize(LATEST));
    let (good, evil) = ("http://localhost", "http://evil.example.com");
    for origins in [&[good, evil][..], &[evil, good], &["http://localhost, http://evil.example.com"], &["", " ,"]] {
        let headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).chain([json]).collect();
        assert_refused(&house.request("POST /mcp", &headers, &body).await, 403, -32000, "foreign_host");
    }
    for origins in [&[good, good][..], &[" HTTP://LocalHost:1 ,"], &[good, "http://[::1]:7"]] {
        let headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).chain([json]).collect();
        assert_eq!(house.request("POST /mcp", &headers, &body).await.status, 200, "{origins:?}");
    }
}

#[tokio::test]
async fn a_request_has_one_host() {
    let house = House::open(&[]).await;
    for line in ["GET /healthz", "POST /mcp", "GET /", "OPTIONS /mcp", "GET /token"] {
        for hosts in [
            "",
            "Host: localhost\r\nHost: localhost\r\n",
            "Host: localhost, localhost\r\n",
            "Host: [::1\r\n",
            "Host: http://localhost\r\n",
            "Host: local host\r\n",
        ] {
            let mut connection = house.connect().await;
            let request = format!("{line} HTTP/1.1\r\n{hosts}Origin: http://localhost\r\nContent-Length: 0\r\n\r\n");
            connection.send(request).await.expect("sent");
            assert_refused(&connection.answer().await.expect("an answer"), 400, -32000, "bad_host");
        }
    }
    // The target's own host goes before the header (RFC 9112, 3.2.2).
    for (target, host, status) in [
        ("http://localhost:1/healthz", "evil.example", 200),
        ("http://LOCALHOST./mcp", "evil.example", 405),
        ("http://evil.example/mcp", "localhost", 403),
    ] {
        let answer = house.request(&format!("GET {target}"), &[("host", host)], "").await;
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
    }
}

#[tokio::test]
async fn who_is_refused_is_named_to_the_client_and_in_the_log() {
    // Each address has a line of its own.
    let house = House::open(&["--trust-proxy"]).await;
    for (from, header, name, flag) in [
        ("192.0.2.1", "host", "host.docker.internal:8051", "--allow-host host.docker.internal"),
        ("192.0.2.2", "host", "10.1.2.3", "--allow-host 10.1.2.3"),
        ("192.0.2.3", "origin", "https://app.example.org:1", "--allow-origin https://app.example.org:1"),
    ] {
        let answer = house.request("GET /health", &[("x-forwarded-for", from), (header, name)], "").await;
        let json = assert_refused(&answer, 403, -32000, "foreign_host");
        assert!(json["error"]["message"].as_str().is_some_and(|message| message.contains(flag)), "{json}");
        house.server.wait_for_line(flag, super::SOON).await;
    }
    for _ in 0..40 {
        house.request("GET /health", &[("host", "flood.example")], "").await;
    }
    let told = house.server.lines().iter().filter(|line| line.contains("flood.example")).count();
    assert_eq!(told, 1, "{told} lines");
    for (header, name) in [
        ("origin", "https://app.example\u{1b}[2J"),
        ("origin", "https://\u{fc}.example"),
        ("origin", "https://$(reboot).example"),
        ("origin", "https://*.example"),
        ("host", "a$(reboot).example"),
    ] {
        let answer = house.request("GET /health", &[(header, name)], "").await;
        if answer.status != 400 {
            let message = assert_refused(&answer, 403, -32000, "foreign_host")["error"].to_string();
            let flags: Vec<_> = message.split("--allow-").skip(1).filter_map(|flag| flag.split('"').next()).collect();
            assert!(flags.iter().all(|flag| !flag.contains(['.', '?', '$'])), "{name}: {flags:?}");
        }
    }
    // What cannot be read is no line of its own, and not endless.
    let strange = house.request("GET /health", &[("origin", &format!("\u{e9}\u{1b}x{}", "y".repeat(5000)))], "").await;
    assert!(strange.status == 400 || strange.text().len() < 2000, "{}", strange.text());
}

#[tokio::test]
async fn hosts_and_origins_are_written_as_people_write_them() {
    let hosts = "mcp.example.org:*, *.example.net:8051,https://three.example.com/mcp,[fd00::7]:1";
    let house =
        House::open(&["--allow-host", hosts, "--allow-origin", "https://*.example.org,http://dev.example:*"]).await;
    for (host, status) in [
        ("mcp.example.org", 200),
        ("MCP.example.org.:1", 200),
        ("a.b.example.net:443", 200),
        ("three.example.com", 200),
        ("[FD00:0::7]", 200),
        ("example.net", 403),
        ("evil-example.net", 403),
        ("four.example.com", 403),
    ] {
        assert_eq!(house.request("GET /health", &[("host", host)], "").await.status, status, "{host}");
    }
    for (origin, status) in [
        ("https://a.example.org", 200),
        ("http://dev.example:5173", 200),
        ("http://a.example.org", 403),
        ("https://a.example.org:8443", 403),
        ("https://dev.example", 403),
    ] {
        assert_eq!(house.request("GET /health", &[("origin", origin)], "").await.status, status, "{origin}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_at_the_start() {
    let home = tempfile::TempDir::new().expect("a folder");
    for (flag, value, right_form) in [
        ("--allow-host", "*", "*.example.org"),
        ("--allow-host", "mcp.example.org, *:8051", "*.example.org"),
        ("--allow-host", "mcp.example.org/mcp", "write mcp.example.org"),
        ("--allow-host", ".example.org", "*.example.org"),
        ("--allow-origin", "*", "https://app.example.org"),
        ("--allow-origin", "null", "over HTTP"),
        ("--allow-origin", "app.example.org:8080", "write https://app.example.org:8080"),
    ] {
        let args = ["serve", "--bind", "127.0.0.1:0", "--database-url", "sqlite://x.db", flag, value];
        let output = archonctl(home.path()).args(args).output().expect("it ran");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{value}: {said}");
        assert!(said.contains(flag) && said.contains(right_form), "{value}: {said}");
    }
    assert!(!home.path().join("x.db").exists(), "nothing was made");
}

#[tokio::test]
async fn the_operator_lets_others_in() {
    let flags = ["--allow-host", "mcp.example.org", "--allow-origin", "https://app.example.org", "--trust-proxy"];
    let house = House::open(&flags).await;
    let (json, body) = (("content-type", "application/json"), initialize(LATEST));
    let cases = [
        (200, vec![("host", "mcp.example.org:443"), ("origin", "https://app.example.org")]),
        (200, vec![("host", "backend.internal"), ("x-forwarded-host", "mcp.example.org")]),
        (403, vec![("host", "mcp.example.org"), ("x-forwarded-host", "other.example.org")]),
        (403, vec![("host", "mcp.example.org"), ("origin", "http://app.example.org")]),
        (403, vec![("host", "app.example.org")]),
    ];
    for (status, headers) in cases {
        let answer = house.request("POST /mcp", &[&headers[..], &[json]].concat(), &body).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_proxy_tells_the_host_in_its_last_word() {
    let house = House::open(&["--allow-host", "mcp.example.org", "--trust-proxy"]).await;
    for (status, forwarded) in [
        (200, &["mcp.example.org"][..]),
        (200, &["evil.example, MCP.Example.org:443 "]),
        (200, &["evil.example", "mcp.example.org"]),
        (403, &["mcp.example.org, evil.example"]),
        (403, &["mcp.example.org", "evil.example"]),
        (403, &["mcp.example.org, localhost"]),
        (403, &["mcp.example.org,[::1]:8051,"]),
        (403, &[" , "]),
    ] {
        let lines = forwarded.iter().map(|value| ("x-forwarded-host", *value));
        let headers: Vec<_> = lines.chain([("host", "backend:8051")]).collect();
        let answer = house.request("GET /health", &headers, "").await;
        assert_eq!(answer.status, status, "{forwarded:?}: {}", answer.text());
    }
    // A proxy of this machine, for a page of this machine.
    let own = [("x-forwarded-host", "localhost:3000"), ("host", "127.0.0.1:8051")];
    assert_eq!(house.request("GET /health", &own, "").await.status, 200);
}

#[tokio::test]
async fn oauth_is_answered_in_its_own_shape() {
    let (open, closed) = (House::open(&[]).await, with_tokens(&[]).await);
    for (house, words) in [(&open, "asks for no token"), (&closed, "its operator")] {
        for path in [
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
            "/mcp/.well-known/openid-configuration",
            "/register",
            "/authorize?response_type=code",
            "/token/",
        ] {
            for (method, body) in [("GET", ""), ("POST", r#"{"redirect_uris":["http://localhost:1/"]}"#)] {
                let answer = house.request(&format!("{method} {path}"), &[("content-type", "text/plain")], body).await;
                assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/json")), "{path}");
                let json = answer.json();
                assert_eq!(json["error"], "invalid_request", "{json}");
                assert!(json["error_description"].as_str().is_some_and(|text| text.contains(words)), "{json}");
            }
        }
        let stranger = house.request("GET /token", &[("host", "evil.example")], "").await;
        assert_refused(&stranger, 403, -32000, "foreign_host");
    }
}

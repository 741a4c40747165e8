//! The page at `/`, for people who open the address.

use super::access::with_tokens;
use super::{House, assert_refused};

#[tokio::test]
async fn says_what_this_is_how_it_is_and_how_to_connect() {
    let house = House::open(&["--allow-host", "*.example.org", "--trust-proxy"]).await;
    let page = house.request("GET /", &[], "").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    let text = page.text();
    for words in ["MCP server", "It is healthy.", &format!("http://{}/mcp", house.server.address())] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let secrets = [house.db.folder().to_str().expect("a path"), "sqlite", "TOKEN"];
    assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    let proxied = [("host", "backend"), ("x-forwarded-host", "mcp.example.org"), ("x-forwarded-proto", "http, HTTPS")];
    assert!(house.request("GET /", &proxied, "").await.text().contains("https://mcp.example.org/mcp"));
    for host in ["a&'b.example.org", "$(reboot).example.org", "a;reboot;.example.org"] {
        let marked = house.request("GET /", &[("host", host)], "").await.text();
        assert!(marked.contains("http://127.0.0.1/mcp") && !marked.contains("example.org"), "{host}: {marked}");
    }
    let mut connection = house.connect().await;
    connection.request("HEAD /", &[], "").await.expect("sent");
    assert_eq!(connection.head().await.expect("a head").status, 200);
    let post = house.request("POST /", &[("content-type", "application/json")], super::PING).await;
    let json = assert_refused(&post, 405, -32000, "method_not_allowed");
    assert!(json["error"]["message"].as_str().is_some_and(|message| message.contains("/mcp")), "{json}");
    assert_refused(&house.request("GET /", &[("host", "evil.example")], "").await, 403, -32000, "foreign_host");
}

#[tokio::test]
async fn without_a_token_it_tells_no_more_than_how_to_connect() {
    let house = with_tokens(&[]).await;
    let closed = house.request("GET /", &[], "").await;
    let text = closed.text();
    assert!(closed.status == 200 && text.contains("Bearer TOKEN") && text.contains("/mcp"), "{text}");
    assert!(!text.contains("well") && !text.contains("ada"), "{text}");
    let open = house.request("GET /", &[("authorization", "Bearer a")], "").await;
    assert!(open.text().contains("It is healthy."), "{}", open.text());
}

//! `/`: a small page for people who open the address in a browser. What this is, how to connect and, to whom is let in,
//! whether it is well. Nothing else, and no script.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};

use super::App;
use super::authority::Authority;
use super::headers::members;
use crate::session::status::Health;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;\
     color:#222;background:#fff}pre{background:#f3f3f3;padding:.75rem;overflow:auto}\
     @media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}pre{background:#262626}}";

/// Handles a GET.
pub(super) async fn page(app: &App, headers: &HeaderMap) -> Response {
    let asks_for_tokens = app.principals.now().are_required();
    // Who is let in at all may know how the server is.
    let state = match app.principal(headers) {
        Ok(_) => Some(state(app).await),
        Err(_) => None,
    };
    let text = written(&address(app, headers), asks_for_tokens, state);
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn state(app: &App) -> &'static str {
    let status = app.engine.sessions().readiness().await;
    match status.health() {
        Health::Healthy => "It is healthy.",
        Health::Degraded if status.draining => "It is stopping; its sessions are kept.",
        Health::Degraded => "It is unhealthy: its database takes no writes.",
        Health::Unhealthy => "It is unhealthy: its database does not answer.",
    }
}

/// Where the reader's client finds us: by the name that the reader's browser used.
fn address(app: &App, headers: &HeaderMap) -> String {
    let last = |name| members(headers, name).last().and_then(|value| str::from_utf8(value).ok());
    let forwarded = |name| if app.hosts.trusts_proxy() { last(name) } else { None };
    let is_https = forwarded("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let host = forwarded("x-forwarded-host").or_else(|| last(HOST.as_str()));
    let host = host.filter(|host| is_plain(host)).unwrap_or("127.0.0.1");
    escaped(&format!("{}://{host}/mcp", if is_https { "https" } else { "http" }))
}

/// Whether it is a name of DNS or an address, perhaps with a port. More than those a Host may have, and the reader copies
/// what stands here into a shell.
fn is_plain(host: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = |host: &str| host.starts_with(|first: char| first != '-') && host.bytes().all(is_of_name);
    Authority::parse(host).is_some_and(|read| host.starts_with('[') || is_name(read.host))
}

fn written(address: &str, asks_for_tokens: bool, state: Option<&str>) -> String {
    let state = state.map(|state| format!("<p>{state}</p>\n")).unwrap_or_default();
    let (option, token) = if asks_for_tokens {
        (
            " --header 'Authorization: Bearer TOKEN'",
            "<p>It asks for a token, which its operator hands out: the client sends it as <code>Authorization: Bearer \
             TOKEN</code>.</p>\n",
        )
    } else {
        ("", "")
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>archonctl</title>\n<style>{STYLE}</style>\n\
         <h1>archonctl</h1>\n\
         <p>This is an MCP server. AI agents and editors talk to it, and their sessions survive its restarts.</p>\n\
         {state}<h2>Connect</h2>\n\
         <p>Give this address to your MCP client, as Streamable HTTP:</p>\n<pre>{address}</pre>\n{token}\
         <p>With Claude Code, and from a shell:</p>\n\
         <pre>claude mcp add --transport http archon {address}{option}\n\
         archonctl call health_check --url {address}</pre>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_no_more_than_the_reader_may_know() {
        let open = written("http://localhost:8051/mcp", false, Some("It is well."));
        assert!(open.contains("It is well.") && open.contains("<pre>http://localhost:8051/mcp</pre>"), "{open}");
        assert!(!open.contains("TOKEN"), "{open}");
        let closed = written("http://localhost:8051/mcp", true, None);
        assert!(closed.contains("Bearer TOKEN") && !closed.contains("well"), "{closed}");
        for plain in ["localhost", "127.0.0.1:8051", "[::1]:8051", "mcp_1.Example.org.", "[fe80::a]"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in
            ["", ":80", "a;reboot", "$(reboot)", "a&b", "a'b", "a*", "a%20b", "-x", "a b", "a:b", "[::1];", "a\nb"]
        {
            assert!(!is_plain(other), "{other}");
        }
        assert_eq!(escaped("a'<b>\"&"), "a&#39;&lt;b&gt;&quot;&amp;");
    }
}

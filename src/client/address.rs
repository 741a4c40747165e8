//! A server's address, as people write it.

use std::borrow::Cow;

use reqwest::Url;

use super::options_error::OptionsError;

/// The URL that a text is: `http` or `https`, or `host:port` for short.
pub(super) fn parse(text: &str) -> Result<Url, OptionsError> {
    let whole = with_scheme(text.trim());
    let url = Url::parse(&whole).map_err(|e| OptionsError::Url { reason: reason(&whole, e) })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(OptionsError::Url { reason: format!("MCP runs over http or https, not {}", url.scheme()) });
    }
    Ok(url)
}

/// `host:port` and `host:port/path` are meant as they are meant to other programs: over HTTP, on 443 over HTTPS.
/// Without a path the endpoint is where it is with most servers.
fn with_scheme(text: &str) -> Cow<'_, str> {
    let (authority, path) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse().ok());
    let Some(port) = port.filter(|_: &u16| !text.contains("://")) else { return Cow::Borrowed(text) };
    let scheme = if port == 443 { "https" } else { "http" };
    let (path, rest) =
        if path.starts_with('/') && path.len() > 1 { ("", path) } else { ("/mcp", path.trim_start_matches('/')) };
    Cow::Owned(format!("{scheme}://{authority}{path}{rest}"))
}

/// The parser's words; where the scheme alone is missing, what to write. The text itself may hold a secret.
fn reason(text: &str, error: impl std::fmt::Display) -> String {
    let lacks_scheme = !text.is_empty() && !text.contains("://") && !text.starts_with('/');
    if lacks_scheme { "it begins with http:// or https://, or is host:port".to_owned() } else { error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_http_urls_only() {
        assert!(parse("http://127.0.0.1:8051/mcp").is_ok());
        assert!(parse(" https://example.com/mcp\n").is_ok());
        for bad in
            ["", "nonsense", "/mcp", "ftp://example.com", "http://", ":8051", "host:port", "host:99999", "me:hunter2@h"]
        {
            let error = parse(bad).expect_err(bad);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_host_and_its_port_will_do() {
        for (given, meant) in [
            ("127.0.0.1:8051", "http://127.0.0.1:8051/mcp"),
            (" localhost:8051/\n", "http://localhost:8051/mcp"),
            ("[::1]:8051", "http://[::1]:8051/mcp"),
            ("archon:8051/other", "http://archon:8051/other"),
            ("example.org:443", "https://example.org/mcp"),
            ("example.org:443?key=1:2", "https://example.org/mcp?key=1:2"),
            ("http://127.0.0.1:8051", "http://127.0.0.1:8051/"),
            ("http://127.0.0.1:8051/a:1", "http://127.0.0.1:8051/a:1"),
        ] {
            assert_eq!(parse(given).expect(given).as_str(), meant, "{given}");
        }
    }
}

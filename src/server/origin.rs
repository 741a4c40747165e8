//! Which origins an operator lets in: what people write for them, and what fits.

use super::authority::Authority;
use super::patterns::{EVERYBODY, Fault, HostPattern, PatternError, authority_of, host_pattern, split_port};

/// Origins that are let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    scheme: String,
    host: HostPattern,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    Any,
    /// Empty where it is the scheme's own.
    One(String),
}

impl OriginPattern {
    /// `scheme://host`, with `:port` or `:*`, and `*.name` for the host. A path behind it does not matter.
    ///
    /// # Errors
    /// [`PatternError`], with the right form.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        origin_of(text.trim()).map_err(PatternError::from)
    }

    pub(super) fn fits(&self, origin: &Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(origin.scheme)
            && match &self.port {
                Port::Any => true,
                Port::One(port) => port == origin.port,
            }
            && self.host.fits(origin.host)
    }
}

fn origin_of(text: &str) -> Result<OriginPattern, Fault> {
    let shown = || "https://app.example.org".to_owned();
    match text {
        "*" => return Err((EVERYBODY, shown())),
        "null" => {
            return Err((
                "every page from a file or in a sandbox has it",
                "the address of the page, and serve it over HTTP".to_owned(),
            ));
        }
        _ => {}
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let host = text.split(['/', '?', '#']).next().unwrap_or_default();
        let way_out = if split_port(host).and_then(|(host, _)| host_pattern(host)).is_ok() {
            format!("https://{host}")
        } else {
            shown()
        };
        return Err(("an origin begins with its scheme", way_out));
    };
    if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
        return Err(("that is not an origin", shown()));
    }
    let (host, port) = split_port(authority_of(rest)?)?;
    let host = host_pattern(host)?;
    let port = if port == "*" { Port::Any } else { Port::One(own_port(scheme, port).to_owned()) };
    Ok(OriginPattern { scheme: scheme.to_owned(), host, port })
}

/// An `Origin` as a browser sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: &'a str,
}

impl<'a> Origin<'a> {
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let (scheme, authority) = str::from_utf8(value).ok()?.split_once("://")?;
        let Authority { host, port } = Authority::parse(authority)?;
        Some(Self { scheme, host, port: own_port(scheme, port) })
    }

    /// A page of this machine, on whatever port.
    pub(super) fn is_loopback(&self) -> bool {
        let is_web = ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(self.scheme));
        is_web && Authority { host: self.host, port: self.port }.is_loopback()
    }
}

/// Browsers leave out the port that is the scheme's own.
fn own_port<'a>(scheme: &str, port: &'a str) -> &'a str {
    let is_own = (scheme.eq_ignore_ascii_case("http") && port == "80")
        || (scheme.eq_ignore_ascii_case("https") && port == "443");
    if is_own { "" } else { port }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(written: &str, origin: &str) -> bool {
        let pattern = OriginPattern::parse(written).unwrap_or_else(|error| panic!("{error}"));
        Origin::parse(origin.as_bytes()).is_some_and(|origin| pattern.fits(&origin))
    }

    #[test]
    fn takes_what_people_write_for_an_origin() {
        for (written, origin) in [
            ("https://app.example.org", "https://app.example.org"),
            ("https://app.example.org/", "HTTPS://APP.example.org"),
            ("https://app.example.org:443/index.html", "https://app.example.org"),
            ("https://app.example.org", "https://app.example.org:443"),
            ("http://app.example.org:8080", "http://app.example.org:8080"),
            ("http://app.example.org:*", "http://app.example.org:1"),
            ("https://*.example.org", "https://a.b.example.org"),
            ("http://[fe80::1]:80", "http://[FE80:0::1]"),
            ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ] {
            assert!(fits(written, origin), "{written} {origin}");
        }
        for (written, origin) in [
            ("https://app.example.org", "http://app.example.org"),
            ("https://app.example.org", "https://app.example.org:8443"),
            ("https://*.example.org", "https://example.org"),
            ("https://*.example.org", "https://evil-example.org"),
            ("https://app.example.org", "https://app.example.org.evil.com"),
            ("https://app.example.org", "https://app.example.org/"),
            ("https://app.example.org", "null"),
        ] {
            assert!(!fits(written, origin), "{written} {origin}");
        }
    }

    #[test]
    fn refuses_an_origin_that_cannot_be_meant_and_shows_the_right_form() {
        for (written, way_out) in [
            ("*", "https://app.example.org"),
            ("null", "over HTTP"),
            ("app.example.org:8080", "https://app.example.org:8080"),
            ("*.example.org", "https://*.example.org"),
            ("localhost:*", "https://localhost:*"),
            ("https://*", "*.example.org"),
            ("https://*:*", "*.example.org"),
            ("https://me@app.example.org", "app.example.org"),
            ("://app", "https://app.example.org"),
            ("file:///home/me/page.html", "mcp.example.org"),
            ("", "https://app.example.org"),
        ] {
            let error = OriginPattern::parse(written).expect_err(written);
            assert!(error.to_string().contains(way_out), "{written}: {error:?}");
        }
    }
}

//! Which hosts an operator lets in: what people write for them, and what fits.

use std::net::{IpAddr, Ipv6Addr};

use super::authority::{Authority, is_same_host, without_point};

/// A host or origin that an operator wrote and that cannot be meant so: what is wrong with it, and the right form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}; write {instead}")]
pub struct PatternError {
    fault: &'static str,
    instead: String,
}

/// Hosts that are let in: one, or all below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    name: String,
    /// All hosts below that name, and not itself.
    below: bool,
}

/// What is wrong, and what to write instead.
pub(super) type Fault = (&'static str, String);

pub(super) const EVERYBODY: &str = "that would let everybody in, and with them every page that a browser here shows";

impl From<Fault> for PatternError {
    fn from((fault, instead): Fault) -> Self {
        Self { fault, instead }
    }
}

impl From<IpAddr> for HostPattern {
    fn from(address: IpAddr) -> Self {
        Self { name: address.to_string(), below: false }
    }
}

impl HostPattern {
    /// A name, an address, `name:port`, `name:*`, `*.name` or a URL. The port does not matter, nor does a URL's path.
    ///
    /// # Errors
    /// [`PatternError`], with the right form.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        host_of(text.trim()).map_err(PatternError::from)
    }

    pub(super) fn fits(&self, host: &str) -> bool {
        if !self.below {
            return is_same_host(&self.name, host);
        }
        let host = without_point(host).as_bytes();
        let end = host.len().saturating_sub(self.name.len());
        end > 1 && host[end - 1] == b'.' && host[end..].eq_ignore_ascii_case(self.name.as_bytes())
    }

    /// A name or address, without port.
    fn named(name: &str) -> Result<Self, Fault> {
        let shown = "mcp.example.org, or *.example.org for all below it".to_owned();
        if name == "*" {
            return Err((EVERYBODY, shown));
        }
        if !name.is_ascii() {
            return Err(("a name is ASCII in a header", "its ASCII form, which begins with xn--".to_owned()));
        }
        let below = name.strip_prefix("*.");
        let bare = without_point(below.unwrap_or(name));
        let is_label =
            |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !bare.split('.').all(is_label) {
            let fault =
                if bare.contains('*') { "a star may stand for the first labels alone" } else { "that is not a host" };
            return Err((fault, shown));
        }
        Ok(Self { name: bare.to_owned(), below: below.is_some() })
    }
}

fn host_of(text: &str) -> Result<HostPattern, Fault> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return match text.split_once(['/', '?', '#']) {
            Some((host, _)) => Err(("that is not a host", host.to_owned())),
            None => split_port(text).and_then(|(host, _)| host_pattern(host)),
        };
    };
    if !["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return Err(("that is not an address of a web server", "its host alone".to_owned()));
    }
    split_port(authority_of(rest)?).and_then(|(host, _)| host_pattern(host))
}

pub(super) fn host_pattern(host: &str) -> Result<HostPattern, Fault> {
    if host.contains(':') { Ok(HostPattern { name: host.to_owned(), below: false }) } else { HostPattern::named(host) }
}

/// What stands between `://` and the path of a URL.
pub(super) fn authority_of(rest: &str) -> Result<&str, Fault> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((_, host)) => Err(("a header names no user", host.to_owned())),
        None => Ok(authority),
    }
}

/// The host, IPv6 without brackets, and the port or `*`.
pub(super) fn split_port(text: &str) -> Result<(&str, &str), Fault> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, ""));
    }
    let (host, is_any) = text.strip_suffix(":*").map_or((text, false), |host| (host, true));
    match Authority::parse(host) {
        Some(read) if is_any && !read.port.is_empty() => Err(("that has two ports", "one of them".to_owned())),
        Some(read) => Ok((read.host, if is_any { "*" } else { read.port })),
        // The name's own fault says more.
        None if !text.is_ascii() => Ok((text, "")),
        None => Err(("that is not a host", "HOST, HOST:PORT or [IPV6]:PORT".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_people_write_for_a_host() {
        for (written, host) in [
            ("mcp.example.org", "MCP.Example.org."),
            ("mcp.example.org:8051", "mcp.example.org"),
            ("mcp.example.org:*", "mcp.example.org"),
            (" mcp.example.org. ", "mcp.example.org"),
            ("*.example.org", "a.b.EXAMPLE.org"),
            ("*.example.org:*", "a.example.org."),
            ("https://mcp.example.org", "mcp.example.org"),
            ("HTTP://mcp.example.org:80/mcp?a=b#c", "mcp.example.org"),
            ("https://*.example.org/", "x.example.org"),
            ("http://[2001:db8::1]:8051/mcp", "2001:DB8:0::1"),
            ("::1", "0::1"),
            ("[::1]:*", "::1"),
            ("10.0.0.5", "10.0.0.5"),
            ("host_1", "HOST_1"),
        ] {
            let pattern = HostPattern::parse(written).unwrap_or_else(|error| panic!("{error}"));
            assert!(pattern.fits(host), "{written}");
            for stranger in
                ["example.org", "evil.org", "badexample.org", ".example.org", "", "::2", "mcp.example.org.evil.org"]
            {
                assert!(!pattern.fits(stranger), "{written}: {stranger}");
            }
        }
    }

    #[test]
    fn refuses_a_host_that_cannot_be_meant_and_shows_the_right_form() {
        for (written, way_out) in [
            ("*", "*.example.org"),
            ("*:8051", "*.example.org"),
            ("http://*:*/", "*.example.org"),
            ("mcp.*.org", "*.example.org"),
            ("*mcp.example.org", "*.example.org"),
            (".example.org", "*.example.org"),
            ("a..b", "mcp.example.org"),
            ("", "mcp.example.org"),
            ("mcp.example.org/mcp", "mcp.example.org"),
            ("10.0.0.0/8", "10.0.0.0"),
            ("b\u{fc}cher.example", "xn--"),
            ("https://me:pw@mcp.example.org", "mcp.example.org"),
            ("postgres://db", "host alone"),
            ("[::1", "[IPV6]"),
            ("a b", "HOST"),
            ("a:1:*", "one of them"),
        ] {
            let error = HostPattern::parse(written).expect_err(written);
            assert!(error.to_string().contains(way_out), "{written}: {error:?}");
        }
    }
}

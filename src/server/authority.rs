//! `host:port`, as it stands in `Host`, in a URL and in an `Origin`.

use std::net::Ipv6Addr;

/// Characters of a name or an IPv4 address besides letters and digits (RFC 3986, 3.2.2). Never a comma: it would be two.
const MARKS: &[u8] = b"-._~%!$&'()*+;=";

/// A host, and perhaps a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// A name or an address; IPv6 without its brackets. Empty where there is none.
    pub(super) host: &'a str,
    /// Digits, or nothing.
    pub(super) port: &'a str,
}

impl<'a> Authority<'a> {
    /// Reads it, if it is one.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok())?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
        let port = if rest.is_empty() { "" } else { rest.strip_prefix(':')? };
        let is_whole = text.starts_with('[') || host.bytes().all(is_host);
        (is_whole && port.bytes().all(|digit| digit.is_ascii_digit())).then_some(Self { host, port })
    }

    /// Reads it from a header.
    pub(super) fn of(value: &'a [u8]) -> Option<Self> {
        Self::parse(str::from_utf8(value).ok()?)
    }

    /// Whether it is this machine, by one of the names that lead nowhere else.
    pub(super) fn is_loopback(&self) -> bool {
        ["localhost", "127.0.0.1", "::1"].iter().any(|own| is_same_host(own, self.host))
    }
}

/// Upper and lower case are the same, and so is an IPv6 address in whatever form. A name may end with a point.
pub(super) fn is_same_host(one: &str, other: &str) -> bool {
    let (one, other) = (without_point(one), without_point(other));
    let address = |text: &str| text.parse::<Ipv6Addr>().ok();
    one.eq_ignore_ascii_case(other)
        || (one.contains(':') && other.contains(':') && address(one).is_some_and(|one| address(other) == Some(one)))
}

/// `example.org.` is `example.org` in full.
pub(super) fn without_point(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hosts_and_ports() {
        for (text, host, port) in [
            ("localhost", "localhost", ""),
            ("127.0.0.1:8051", "127.0.0.1", "8051"),
            ("[::1]:8051", "::1", "8051"),
            ("[2001:DB8::1]", "2001:DB8::1", ""),
            ("a_b.example.org.:", "a_b.example.org.", ""),
            ("", "", ""),
        ] {
            assert_eq!(Authority::parse(text), Some(Authority { host, port }), "{text}");
        }
        for text in
            ["[::1", "[::1]evil.com", "[evil]", "::1", "a:b", "a:1:2", "a b", "a, b", "a/b", "u@a", "\u{fc}", "a\\b"]
        {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_host_has_many_spellings() {
        for same in
            [("LOCALHOST", "localhost"), ("a.org.", "A.org"), ("::1", "0:0:0:0:0:0:0:1"), ("FE80::A", "fe80::a")]
        {
            assert!(is_same_host(same.0, same.1), "{same:?}");
        }
        for others in
            [("localhost", "localhost.evil.com"), ("a.org", "b.a.org"), ("::1", "::2"), ("", "a"), ("1:", ":1")]
        {
            assert!(!is_same_host(others.0, others.1), "{others:?}");
        }
    }
}

//! The Host and Origin rules against DNS rebinding (basic/transports, security).

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Version};

use super::authority::Authority;
use super::headers::members;
use super::origin::{Origin, OriginPattern};
use super::patterns::HostPattern;
use super::refusal::Refusal;

/// Which `Host` and `Origin` headers are let in, besides the loopback ones.
#[derive(Debug, Clone, Default)]
pub struct HostRules {
    hosts: Vec<HostPattern>,
    origins: Vec<OriginPattern>,
    /// Behind a proxy the client's `Host` comes as `X-Forwarded-Host`.
    trust_proxy: bool,
}

const FORWARDED_HOST: &str = "x-forwarded-host";

/// Where the page is from whose script asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// No script of a page.
    None,
    /// It is let in: the origin, to be told so; none where it is said twice, and differently.
    Allowed(Option<HeaderValue>),
    Stranger,
}

impl HostRules {
    /// The rules of an operator.
    pub fn new(hosts: Vec<HostPattern>, origins: Vec<OriginPattern>, trust_proxy: bool) -> Self {
        Self { hosts, origins, trust_proxy }
    }

    /// Whether we answer to that name.
    pub(super) fn check_host(&self, named: &Authority<'_>, headers: &HeaderMap) -> Result<(), Refusal> {
        // What the proxy before us wrote stands last; what stands before that, anybody may have written.
        let forwarded = if self.trust_proxy { members(headers, FORWARDED_HOST).last() } else { None };
        if let Some(forwarded) = forwarded {
            let read = Authority::of(forwarded);
            if read.is_some_and(|read| self.knows(read.host)) {
                return Ok(());
            }
            // Anybody can say that, and no proxy has reason to: it is left to the name itself.
            if !read.is_some_and(|read| read.is_loopback()) {
                return Err(Refusal::foreign_host("X-Forwarded-Host", forwarded));
            }
        }
        if named.is_loopback() || self.knows(named.host) {
            return Ok(());
        }
        Err(Refusal::foreign_host("Host", named.host.as_bytes()))
    }

    pub(super) fn trusts_proxy(&self) -> bool {
        self.trust_proxy
    }

    fn knows(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own.fits(host))
    }

    /// Where the page is from, if a page's script asks.
    pub(super) fn page(&self, headers: &HeaderMap) -> Page {
        if !headers.contains_key(ORIGIN) {
            return Page::None;
        }
        let mut origins = members(headers, ORIGIN.as_str());
        let Some(first) = origins.next().filter(|first| self.allows_origin(first)) else { return Page::Stranger };
        let mut is_one = true;
        for other in origins {
            is_one &= other == first;
            if !self.allows_origin(other) {
                return Page::Stranger;
            }
        }
        Page::Allowed(HeaderValue::from_bytes(first).ok().filter(|_| is_one))
    }

    fn allows_origin(&self, origin: &[u8]) -> bool {
        let origin = Origin::parse(origin);
        origin.is_some_and(|origin| origin.is_loopback() || self.origins.iter().any(|own| own.fits(&origin)))
    }
}

/// By which name the client asks for us (RFC 9112, 3.2): the target's, where it has one, else that of `Host`.
pub(super) fn named(request: &Parts) -> Result<Authority<'_>, Refusal> {
    let mut lines = request.headers.get_all(HOST).iter();
    let host = match (lines.next(), lines.next()) {
        (Some(one), None) => one.as_bytes(),
        (Some(_), Some(_)) => return Err(Refusal::bad_host("the request has more than one Host header")),
        (None, _) if request.version < Version::HTTP_11 => b"",
        (None, _) => return Err(Refusal::bad_host("the request has no Host header")),
    };
    let named = request.uri.authority().map_or_else(|| Authority::of(host), |own| Authority::parse(own.as_str()));
    named.ok_or_else(|| Refusal::bad_host("the Host header is not HOST or HOST:PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(line: &str, headers: &[(&'static str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(line);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn rules(trust_proxy: bool) -> HostRules {
        let hosts = ["mcp.example.org", "*.lan"].map(|host| HostPattern::parse(host).expect("a host"));
        let origin = OriginPattern::parse("https://app.example.org").expect("an origin");
        HostRules::new(hosts.into(), vec![origin], trust_proxy)
    }

    fn status(rules: &HostRules, request: &Parts) -> u16 {
        let judged = named(request).and_then(|named| rules.check_host(&named, &request.headers));
        judged.map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    #[test]
    fn a_request_has_one_name() {
        let rules = HostRules::default();
        for (wanted, line, hosts) in [
            (200, "/mcp", &["localhost:1"][..]),
            (200, "/mcp", &["LOCALHOST."]),
            (200, "/mcp", &["[0:0::1]:8051"]),
            (200, "http://127.0.0.1:8051/mcp", &["evil.example"]),
            (403, "http://evil.example/mcp", &["localhost"]),
            (403, "/mcp", &["127.0.0.1.evil.example"]),
            (403, "/mcp", &[""]),
            (400, "/mcp", &[]),
            (400, "http://localhost/mcp", &[]),
            (400, "/mcp", &["localhost", "localhost"]),
            (400, "/mcp", &["localhost, localhost"]),
            (400, "/mcp", &["[::1"]),
            (400, "/mcp", &["[::1]evil.example"]),
            (400, "http://me@localhost/mcp", &["localhost"]),
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(status(&rules, &asks(line, &headers)), wanted, "{line} {hosts:?}");
        }
    }

    #[test]
    fn a_proxy_tells_the_name_and_nobody_else_does() {
        for (trusting, not, host, forwarded) in [
            (200, 403, "backend:80", &["mcp.example.org"][..]),
            (200, 403, "10.0.0.5:8051", &["evil.example, MCP.example.org:443"]),
            (200, 403, "10.0.0.5:8051", &["evil.example", "a.lan"]),
            (403, 403, "10.0.0.5:8051", &["mcp.example.org", "evil.example"]),
            (403, 200, "mcp.example.org", &["mcp.example.org , evil.example,"]),
            (403, 403, "evil.example", &["localhost"]),
            (403, 403, "evil.example", &["mcp.example.org, 127.0.0.1:8051"]),
            (200, 200, "localhost:8051", &["localhost:3000"]),
            (403, 403, "evil.example", &["", " , "]),
            (200, 200, "mcp.example.org", &[""]),
            (403, 200, "localhost", &["[::1"]),
        ] {
            let headers: Vec<_> =
                forwarded.iter().map(|value| (FORWARDED_HOST, *value)).chain([("host", host)]).collect();
            let request = asks("/mcp", &headers);
            let statuses = (status(&rules(true), &request), status(&rules(false), &request));
            assert_eq!(statuses, (trusting, not), "{host} {forwarded:?}");
        }
    }

    #[test]
    fn every_origin_that_is_said_must_be_let_in() {
        let rules = rules(false);
        let page = |origins: &[&str]| {
            let headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
            rules.page(&asks("/mcp", &headers).headers)
        };
        let allowed = |origin: &'static str| Page::Allowed(Some(HeaderValue::from_static(origin)));
        assert_eq!(page(&[]), Page::None);
        for one in ["http://localhost:6274", "https://[::1]", "HTTP://127.0.0.1:1", "https://app.example.org"] {
            assert_eq!(page(&[one]), allowed(one));
            assert_eq!(page(&[one, one]), allowed(one));
            assert_eq!(page(&[&format!(" ,{one} , {one}")]), allowed(one));
            assert_eq!(page(&[one, "http://localhost"]), Page::Allowed(None));
            assert_eq!(page(&[one, "http://evil.example"]), Page::Stranger);
            assert_eq!(page(&[&format!("http://evil.example, {one}")]), Page::Stranger);
        }
        for stranger in
            ["", " , ", "null", "file://", "http://localhost.evil.example", "http://app.example.org", "localhost"]
        {
            assert_eq!(page(&[stranger]), Page::Stranger, "{stranger}");
        }
    }
}

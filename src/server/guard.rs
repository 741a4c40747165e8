//! Who may knock: the Host and Origin rules against DNS rebinding (basic/transports, security), and bearer tokens.

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, Uri};

use super::App;
use super::refusal::Refusal;
use crate::model::principal::Principal;

/// Which `Host` and `Origin` headers are let in.
#[derive(Debug, Clone, Default)]
pub struct HostRules {
    /// Host names or addresses besides the loopback ones, without port.
    pub hosts: Vec<String>,
    /// Origins besides the loopback ones, as browsers send them: `https://example.org`.
    pub origins: Vec<String>,
    /// Behind a proxy the client's `Host` comes as `X-Forwarded-Host`.
    pub trust_proxy: bool,
}

const FORWARDED_HOST: &str = "x-forwarded-host";
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

impl HostRules {
    /// Checks `Host` and `Origin`.
    pub(super) fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
        let forwarded = self.trust_proxy && headers.contains_key(FORWARDED_HOST);
        let name = if forwarded { FORWARDED_HOST } else { HOST.as_str() };
        let is_allowed = if headers.contains_key(name) {
            // Each of them: whoever sends two has one for us and one for somebody in between.
            all_texts(headers, name, |host| self.allows_host(host))
        } else {
            uri.host().is_some_and(|host| self.allows_host(host))
        };
        if !is_allowed {
            return Err(Refusal::foreign("Host", "--allow-host"));
        }
        if all_texts(headers, ORIGIN.as_str(), |origin| self.allows_origin(origin)) {
            Ok(())
        } else {
            Err(Refusal::foreign("Origin", "--allow-origin"))
        }
    }

    fn allows_host(&self, host: &str) -> bool {
        let name = without_port(host);
        LOOPBACK.iter().any(|own| own.eq_ignore_ascii_case(name))
            || self.hosts.iter().any(|own| without_port(own).eq_ignore_ascii_case(name))
    }

    fn allows_origin(&self, origin: &str) -> bool {
        let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        own.is_some_and(|host| LOOPBACK.iter().any(|l| l.eq_ignore_ascii_case(without_port(host))))
            || self.origins.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin))
    }
}

/// Whether every header of that name is a text that fulfils the rule; none at all does.
fn all_texts(headers: &HeaderMap, name: &str, rule: impl Fn(&str) -> bool) -> bool {
    headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(&rule))
}

/// The host of `host:port`, `[v6]:port` or a bare name or address.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

impl App {
    /// Whose request this is.
    pub(super) fn principal(&self, headers: &HeaderMap) -> Result<Principal, Refusal> {
        let principals = self.principals.now();
        if !principals.are_required() {
            return Ok(Principal::anonymous());
        }
        let header = headers.get(AUTHORIZATION).ok_or_else(|| Refusal::unauthorized("a bearer token is needed"))?;
        let token = header.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let principal = token.and_then(|token| principals.of_token(token));
        principal.cloned().ok_or_else(|| Refusal::unauthorized("the bearer token is not known here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &HostRules, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("header"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("header"));
        }
        rules.check(&headers, &Uri::from_static("/mcp")).is_ok()
    }

    #[test]
    fn loopback_is_let_in_and_strangers_are_not() {
        let rules = HostRules::default();
        for host in ["localhost", "127.0.0.1:8051", "[::1]:8051", "LOCALHOST:1"] {
            assert!(check(&rules, host, None), "{host}");
        }
        for host in ["evil.example.com", "localhost.evil.com", "127.0.0.1.evil.com", "evil.com:8051", ""] {
            assert!(!check(&rules, host, None), "{host}");
        }
        assert!(check(&rules, "localhost", Some("http://127.0.0.1:6274")));
        for origin in ["http://evil.example.com", "null", "file://", "http://localhost.evil.com"] {
            assert!(!check(&rules, "localhost", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_let_in() {
        let rules = HostRules {
            hosts: vec!["mcp.example.org".into()],
            origins: vec!["https://app.example.org".into()],
            trust_proxy: false,
        };
        assert!(check(&rules, "MCP.example.org:443", Some("https://app.example.org")));
        assert!(!check(&rules, "mcp.example.org", Some("https://other.example.org")));
    }
}

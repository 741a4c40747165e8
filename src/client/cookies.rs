//! The cookies of one server (RFC 6265, as far as balancers use it): what keeps a client with the one of several servers
//! that knows its session.
//!
//! They belong to the server's own origin: whatever a cookie says of its domain, it is sent nowhere else.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use http::{HeaderMap, HeaderValue, header};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;

/// Cookies that are kept; beyond it the oldest are dropped.
const MOST: usize = 50;
/// The longest name and value that is kept, together, in bytes.
const LONGEST: usize = 4096;

/// A cookie. `Debug` shows that there is one, not what it says: it may let somebody in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie {
    name: String,
    value: String,
    /// The path below which it is sent.
    path: String,
    /// Whether it may not leave in the clear.
    #[serde(default)]
    secure: bool,
    /// When it ends; without it, with the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookie").field("name", &self.name).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The cookies that one server has set.
#[derive(Debug, Default)]
pub(super) struct Jar(Mutex<Vec<Cookie>>);

impl Jar {
    pub(super) fn new(cookies: Vec<Cookie>) -> Self {
        Self(Mutex::new(cookies))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Cookie> {
        self.cookies().clone()
    }

    /// Takes what an answer sets, and drops what it ends.
    pub(super) fn take(&self, url: &Url, answered: &HeaderMap) {
        let set = answered.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        for cookie in set.filter_map(|line| parse(line, url)) {
            let mut cookies = self.cookies();
            let is_new = !cookies.contains(&cookie);
            cookies.retain(|held| (&held.name, &held.path) != (&cookie.name, &cookie.path));
            if cookie.is_over(Clock::uncorrected()) {
                debug!(name = cookie.name, "the server took a cookie back");
                continue;
            }
            if is_new {
                debug!(name = cookie.name, path = cookie.path, "the server set a cookie");
            }
            cookies.push(cookie);
            let surplus = cookies.len().saturating_sub(MOST);
            cookies.drain(..surplus);
        }
    }

    /// The `Cookie` header of a request, those of the caller first; `None` without any.
    pub(super) fn header(&self, url: &Url, given: Option<&HeaderValue>) -> Option<HeaderValue> {
        let now = Clock::uncorrected();
        let given = given.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let named = |name: &str| given.split(';').any(|pair| pair.split('=').next().is_some_and(|n| n.trim() == name));
        let ours = self.cookies();
        let mut fit: Vec<&Cookie> =
            ours.iter().filter(|c| c.is_for(url) && !c.is_over(now) && !named(&c.name)).collect();
        // The one of the longest path first (section 5.4).
        fit.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs = fit.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
        let all: Vec<String> = Some(given.to_owned()).filter(|g| !g.is_empty()).into_iter().chain(pairs).collect();
        if all.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_str(&all.join("; ")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn cookies(&self) -> MutexGuard<'_, Vec<Cookie>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cookie {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    fn is_for(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(self.path.as_str());
        let is_below = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'));
        is_below && (!self.secure || is_safe(url))
    }
}

/// Whether what is sent there cannot be read on the way.
fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// One `Set-Cookie` line; `None` where it is none, or not for this server.
fn parse(line: &str, url: &Url) -> Option<Cookie> {
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.len() + value.len() > LONGEST {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        path: default_path(url).to_owned(),
        secure: false,
        expires_at: None,
    };
    let mut lasts = None;
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "domain" if !is_of_domain(url.host_str()?, value) => return None,
            "max-age" => lasts = value.parse::<i64>().ok().or(lasts),
            "expires" => cookie.expires_at = date(value),
            _ => {}
        }
    }
    // Of the two this one holds (section 5.3).
    if let Some(seconds) = lasts {
        let now = Clock::uncorrected();
        let seconds = u64::try_from(seconds).unwrap_or_default().min(u64::from(u32::MAX));
        cookie.expires_at = Some(now.plus(Duration::from_secs(seconds)));
    }
    Some(cookie)
}

/// Where a cookie without a path is sent: below the last slash of the address that set it.
fn default_path(url: &Url) -> &str {
    match url.path().rfind('/') {
        None | Some(0) => "/",
        Some(end) => &url.path()[..end],
    }
}

fn is_of_domain(host: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    let above = host.strip_suffix(domain.as_str());
    domain.is_empty() || above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`, with dashes as well.
fn date(text: &str) -> Option<Timestamp> {
    let text = text.replace('-', " ");
    let (_, without_weekday) = text.split_once(',').unwrap_or(("", &text));
    let moment = DateTime::parse_from_rfc2822(without_weekday.trim()).ok()?;
    Some(Timestamp::from_chrono(moment.to_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    /// What is sent to one address after another has set these.
    fn sent(from: &str, lines: &[&str], to: &str) -> Option<String> {
        let jar = Jar::default();
        let headers = lines.iter().map(|line| (header::SET_COOKIE, line.parse().expect("a header")));
        let mut answered = HeaderMap::new();
        headers.for_each(|(name, value)| _ = answered.append(name, value));
        jar.take(&url(from), &answered);
        jar.header(&url(to), None).map(|value| value.to_str().expect("text").to_owned())
    }

    #[test]
    fn sends_back_what_was_set() {
        let here = "http://127.0.0.1:8051/mcp";
        for (lines, expected) in [
            (&["A=1"][..], Some("A=1")),
            (&["A=1; Path=/; HttpOnly; SameSite=Lax", "B=2"], Some("A=1; B=2")),
            (&["A=1", "A=2"], Some("A=2")),
            (&["A="], Some("A=")),
            (&["A=b=c; Path=mcp"], Some("A=b=c")),
            (&["A=\"x y\""], Some("A=\"x y\"")),
            (&["A=1; Path=/other"], None),
            (&["A=1; Path=/mc"], None),
            (&["A=1; Path=/mcp/"], None),
            (&["A=root", "B=deep; Path=/mcp"], Some("B=deep; A=root")),
            (&["A=1", "A=; Max-Age=0"], None),
            (&["A=1", "A=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None),
            (&["A=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT"], None),
            (&["A=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60"], Some("A=1")),
            (&["A=1; Expires=Sun, 01 Jan 2090 00:00:00 GMT"], Some("A=1")),
            (&["A=1; Expires=soon"], Some("A=1")),
            (&["A=1; Secure"], Some("A=1")),
            (&["novalue", "=x", ";"], None),
        ] {
            assert_eq!(sent(here, lines, here).as_deref(), expected, "{lines:?}");
        }
        assert_eq!(sent("http://a/x/mcp", &["A=1"], "http://a/mcp"), None, "a cookie without a path stays beside");
        assert_eq!(sent("http://a/mcp", &["A=1"], "http://a/mcp/").as_deref(), Some("A=1"));
        assert_eq!(sent("https://a/mcp", &["A=1; Secure"], "http://a/mcp"), None, "nothing secure in the clear");
    }

    #[test]
    fn a_foreign_domain_sets_nothing() {
        let here = "http://pod.example.org/mcp";
        for (domain, ours) in [
            ("example.org", true),
            (".Example.org", true),
            ("pod.example.org", true),
            ("", true),
            ("org.example", false),
            ("other.example.org", false),
            ("ample.org", false),
        ] {
            assert_eq!(sent(here, &[&format!("A=1; Domain={domain}")], here).is_some(), ours, "{domain}");
        }
    }

    #[test]
    fn the_callers_own_go_first_and_hold() {
        let jar = Jar::default();
        let here = url("http://a/mcp");
        for line in ["A=1", "B=2"] {
            jar.take(&here, &HeaderMap::from_iter([(header::SET_COOKIE, line.parse().expect("a header"))]));
        }
        let given = HeaderValue::from_static("B=mine");
        let sent = jar.header(&here, Some(&given)).expect("cookies");
        assert_eq!(sent, "B=mine; A=1");
        assert!(sent.is_sensitive() && !format!("{jar:?}").contains('2'), "{jar:?}");
    }

    #[test]
    fn their_number_and_length_are_bounded() {
        let jar = Jar::default();
        let here = url("http://a/mcp");
        for n in 0..MOST + 5 {
            let line = format!("C{n}=1");
            jar.take(&here, &HeaderMap::from_iter([(header::SET_COOKIE, line.parse().expect("a header"))]));
        }
        let names: Vec<String> = jar.all().into_iter().map(|cookie| cookie.name).collect();
        assert_eq!((names.len(), names[0].as_str()), (MOST, "C5"));
        assert_eq!(sent("http://a/", &[&format!("A={}", "x".repeat(LONGEST))], "http://a/"), None);
    }
}

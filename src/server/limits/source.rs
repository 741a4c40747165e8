//! Whose a connection, a request and its bytes are: a principal's, where tokens are asked for, else an address's.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;

use crate::server::headers::members;

/// Who has a share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::server) enum Source {
    /// Whoever has its token.
    Principal(Arc<str>),
    /// A network, see [`network`].
    Address(IpAddr),
    /// Programs of the same user, by a socket in the file system.
    Local,
}

impl Source {
    pub(in crate::server) fn of(address: Option<IpAddr>) -> Self {
        address.map_or(Self::Local, Self::Address)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Principal(name) => write!(f, "of {name}"),
            Self::Address(address) => write!(f, "from {address}"),
            Self::Local => f.write_str("of this user's programs"),
        }
    }
}

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address that stands for all that one client may have: of IPv6 that is a network of 64 bits.
pub(in crate::server) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The client's address as the proxy before us says it. That stands last; what stands before, anybody may have written.
pub(in crate::server) fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = members(headers, FORWARDED_FOR).last()?;
    let text = str::from_utf8(last).ok()?.trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())).map(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_its_network() {
        for (one, other, is_same) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let network = |text: &str| network(text.parse().expect("an address"));
            assert_eq!(network(one) == network(other), is_same, "{one} {other}");
        }
    }

    #[test]
    fn the_last_proxy_says_who_it_is() {
        let told = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().expect("a header"));
            }
            forwarded(&headers).map(|address| address.to_string())
        };
        for (lines, address) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
            (&["198.51.100.9", "192.0.2.1:4711"], "192.0.2.1"),
            (&["2001:db8::5"], "2001:db8::"),
            (&["[2001:db8::5]"], "2001:db8::"),
            (&["x, [2001:db8::5]:443"], "2001:db8::"),
        ] {
            assert_eq!(told(lines).as_deref(), Some(address), "{lines:?}");
        }
        for none in [&[][..], &[""], &["unknown"], &["192.0.2.1, _hidden"]] {
            assert_eq!(told(none), None, "{none:?}");
        }
    }
}

//! Who may knock: by which name, from which page, with which token.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::App;
use super::guard::{Page, named};
use super::head;
use super::headers::members;
use super::refusal::Refusal;
use crate::model::principal::Principal;
use crate::model::refused::Reason;

/// Why nobody is let in by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenFault {
    Missing,
    Unknown,
    Two,
}

impl App {
    /// Lets in by name and page. Probes come by whatever name: an orchestrator asks an address, and learns nothing else.
    pub(super) fn admit(&self, request: &Parts, page: &Page, is_probe: bool) -> Result<(), Refusal> {
        let (named, headers) = (named(request)?, &request.headers);
        if is_probe {
            return Ok(());
        }
        self.hosts.check_host(&named, headers)?;
        match page {
            Page::None | Page::Allowed(_) => Ok(()),
            Page::Stranger => {
                let origin = members(headers, "origin").last().unwrap_or(b"");
                Err(Refusal::foreign_origin(origin))
            }
        }
    }

    /// Whose request this is.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Principal, Refusal> {
        self.principal(headers).map_err(|fault| Refusal::unauthorized(fault.reason(), fault.fact()))
    }

    /// Notes that a request is refused for what it is as HTTP.
    pub(super) fn refused(&self, headers: &HeaderMap, address: Option<IpAddr>, refusal: &Refusal) {
        let head = head::read(headers, address);
        self.engine.sessions().note_refused(&head.refused(refusal.reason, "", &refusal.body.message));
    }

    /// The same for a place that is open to everybody.
    pub(super) fn principal(&self, headers: &HeaderMap) -> Result<Principal, TokenFault> {
        let principals = self.principals.now();
        if !principals.are_required() {
            return Ok(Principal::anonymous());
        }
        // One line is one value: its token may hold a comma.
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        if let (Some(line), None) = (lines.next(), lines.next())
            && let Some(principal) = bearer_token(line.as_bytes()).and_then(|token| principals.of_token(token))
        {
            return Ok(principal.clone());
        }
        let mut credentials = members(headers, AUTHORIZATION.as_str());
        let first = credentials.next().ok_or(TokenFault::Missing)?;
        let token = bearer_token(first).ok_or(TokenFault::Unknown)?;
        if credentials.any(|other| bearer_token(other) != Some(token)) {
            return Err(TokenFault::Two);
        }
        principals.of_token(token).cloned().ok_or(TokenFault::Unknown)
    }
}

impl TokenFault {
    fn fact(self) -> &'static str {
        match self {
            Self::Missing => "a bearer token is needed",
            Self::Unknown => "the bearer token is not known here",
            Self::Two => "two Authorization headers differ",
        }
    }

    fn reason(self) -> Reason {
        match self {
            Self::Missing => Reason::NoToken,
            Self::Unknown | Self::Two => Reason::WrongToken,
        }
    }
}

fn bearer_token(credentials: &[u8]) -> Option<&str> {
    let (scheme, token) = str::from_utf8(credentials).ok()?.split_once([' ', '\t'])?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

//! Who may knock: by which name, from which page, with which token.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::App;
use super::guard::{Page, named};
use super::headers::members;
use super::refusal::Refusal;
use crate::model::principal::Principal;

impl App {
    /// Lets in by name and page. Probes come by whatever name: an orchestrator asks an address, and learns nothing else.
    pub(super) fn admit(&self, request: &Parts, page: &Page, is_probe: bool) -> Result<(), Refusal> {
        let named = named(request)?;
        if is_probe {
            return Ok(());
        }
        let judged = self.hosts.check_host(&named, &request.headers).and_then(|()| match page {
            Page::Stranger => Err(Refusal::foreign_origin(members(&request.headers, "origin").last().unwrap_or(b""))),
            Page::None | Page::Allowed(_) => Ok(()),
        });
        judged.inspect_err(|refusal| {
            // An operator whose clients come by a new name sees it here.
            if let Some(more) = self.warned.few_of("door", self.engine.sessions().clock().elapsed()) {
                tracing::warn!("refused at the door: {}{more}", refusal.body.message);
            }
        })
    }

    /// Whose request this is.
    pub(super) fn principal(&self, headers: &HeaderMap) -> Result<Principal, Refusal> {
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
        let first = credentials.next().ok_or_else(|| Refusal::unauthorized("a bearer token is needed"))?;
        let unknown = || Refusal::unauthorized("the bearer token is not known here");
        let token = bearer_token(first).ok_or_else(unknown)?;
        if credentials.any(|other| bearer_token(other) != Some(token)) {
            return Err(Refusal::unauthorized("two Authorization headers differ"));
        }
        principals.of_token(token).cloned().ok_or_else(unknown)
    }
}

fn bearer_token(credentials: &[u8]) -> Option<&str> {
    let (scheme, token) = str::from_utf8(credentials).ok()?.split_once([' ', '\t'])?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

//! What stands where, and the order of the guards before it: name, page, preflight, what needs no token, token, path,
//! method. What a POST carries is looked at in `post`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Method};
use http_body::Body;
use hyper::body::Incoming;

use super::activity::Activity;
use super::guard::Page;
use super::refusal::{MCP_METHODS, Refusal};
use super::reply::Reply;
use super::turn::Turn;
use super::{App, body, cors, delete, get, health, home, metrics, oauth, post};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Mcp,
    Home,
    Health,
    Alive,
    Ready,
    Metrics,
    OAuth,
    Nothing,
}

impl Endpoint {
    /// A slash at the end changes nothing: there are clients that add one, and a 404 would look like a lost session.
    fn of(path: &str) -> Self {
        match path.strip_suffix('/').unwrap_or(path) {
            "/mcp" => Self::Mcp,
            "" => Self::Home,
            "/health" => Self::Health,
            "/healthz" | "/livez" => Self::Alive,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            _ if oauth::is_asked_for(path) => Self::OAuth,
            _ => Self::Nothing,
        }
    }

    fn is_probe(self) -> bool {
        matches!(self, Self::Alive | Self::Ready)
    }
}

/// All routes of one server.
#[derive(Debug)]
pub(super) struct Routes {
    app: Arc<App>,
}

impl Routes {
    pub(super) fn new(app: Arc<App>) -> Arc<Self> {
        Arc::new(Self { app })
    }

    /// Answers a request. While the server drains, each answer is the last one on its connection: the client opens
    /// another, which a balancer leads to a server that stays, and no request meets a connection that is just being
    /// closed.
    pub(super) async fn answer(self: Arc<Self>, request: http::Request<Incoming>, activity: Arc<Activity>) -> Response {
        let page = self.app.hosts.page(request.headers());
        let place = Endpoint::of(request.uri().path());
        let (parts, body) = request.into_parts();
        let mut turn = Turn::new(activity);
        let mut answer = if place == Endpoint::Mcp && parts.method == Method::POST {
            post::post(&self.app, &parts, body, &page, &mut turn).await
        } else {
            turn.begin();
            Box::pin(self.other(place, &parts, body, (&page, &mut turn))).await
        };
        cors::add_headers(page, answer.headers_mut());
        if self.app.is_draining() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        turn.answered(answer)
    }

    /// Anything but a POST to the MCP endpoint, which nearly every request is.
    async fn other(
        &self,
        place: Endpoint,
        parts: &Parts,
        body: Incoming,
        (page, turn): (&Page, &mut Turn),
    ) -> Response {
        let answer = self.found(place, parts, page, turn).await;
        let answer = answer.unwrap_or_else(|refusal| {
            self.app.refused(&parts.headers, turn.address(&self.app, &parts.headers), &refusal);
            Reply::from(refusal).into_response()
        });
        if !body.is_end_stream() {
            turn.is_unread();
            body::discard(answer.status(), &parts.headers, body, &self.app.limits).await;
            turn.begin();
        }
        answer
    }

    async fn found(&self, place: Endpoint, parts: &Parts, page: &Page, turn: &mut Turn) -> Result<Response, Refusal> {
        let app = &self.app;
        let address = turn.address(app, &parts.headers);
        app.admit(parts, page, place.is_probe())?;
        if cors::is_preflight(parts) && matches!(page, Page::Allowed(_)) {
            return Ok(cors::preflight(&parts.headers));
        }
        match place {
            Endpoint::OAuth => return Ok(oauth::there_is_none(app.principals.now().are_required())),
            Endpoint::Alive => return only_get(parts).map(|()| health::alive()),
            Endpoint::Ready => {
                only_get(parts)?;
                return Ok(health::ready(app).await);
            }
            Endpoint::Home => {
                only_get(parts)?;
                return Ok(home::page(app, &parts.headers).await);
            }
            Endpoint::Mcp | Endpoint::Health | Endpoint::Metrics | Endpoint::Nothing => {}
        }
        let principal = app.caller(&parts.headers)?;
        match place {
            Endpoint::Mcp if parts.method == Method::DELETE => {
                Ok(delete::end(app, &parts.headers, &principal, address).await)
            }
            Endpoint::Mcp if parts.method == Method::GET => {
                let (in_flight, _) = turn.enter(app, &principal, address)?;
                turn.keep(in_flight);
                get::listen(app, &parts.headers, principal, address).await
            }
            // A 404 would look like a lost session.
            Endpoint::Mcp => Err(Refusal::method(MCP_METHODS)),
            Endpoint::Health => {
                only_get(parts)?;
                Ok(health::health(app).await)
            }
            Endpoint::Metrics => {
                only_get(parts)?;
                Ok(metrics::metrics(app).await)
            }
            _ => Err(Refusal::no_such_route()),
        }
    }
}

fn only_get(parts: &Parts) -> Result<(), Refusal> {
    if parts.method == Method::GET || parts.method == Method::HEAD { Ok(()) } else { Err(Refusal::method("GET, HEAD")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_more_is_the_same_place() {
        for (path, place) in [
            ("/mcp", Endpoint::Mcp),
            ("/", Endpoint::Home),
            ("/readyz", Endpoint::Ready),
            ("/metrics", Endpoint::Metrics),
        ] {
            assert_eq!(Endpoint::of(path), place);
            assert_eq!(Endpoint::of(&format!("{}/", path.trim_end_matches('/'))), place, "{path}");
        }
        for path in ["/mcp//", "/MCP", "/mcp/x", "/mcpx", "//", "/health/z"] {
            assert_eq!(Endpoint::of(path), Endpoint::Nothing, "{path}");
        }
    }
}

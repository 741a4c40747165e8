//! Accepting connections, and stopping: `axum::serve` has neither read timeouts nor a limit, so the loop is ours.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use futures_util::FutureExt;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::App;
use super::activity::Activity;
use super::connection_io::ConnectionIo;
use super::limits::{Source, network};
use super::route::Routes;
use super::wire::{Listener, Wire};
use crate::session::Limit;

/// After the grace, what still runs is cut and has this long to be recorded.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// How often a connection is looked at while the server stops; half of a request has this long to become a whole one.
const MOMENT: Duration = Duration::from_millis(100);
/// How long a server that stops goes on while connections are open: each answer is the last one on its connection, and says
/// so. A connection that closes under a request looks like a lost server.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// How often late heads are looked for.
const TIDY_EVERY: Duration = Duration::from_millis(500);

/// How a server stops.
#[derive(Debug, Clone, Copy)]
pub struct Shutdown {
    /// Between `/readyz` saying 503 and the end of accepting: time for a balancer to notice.
    pub drain_delay: Duration,
    /// For how long running calls may go on after that.
    pub grace: Duration,
}

/// Serves on `listener` until `stop` is done, then stops in order. The caller binds, and ends the sessions' work after.
pub async fn run(app: Arc<App>, listener: Listener, stop: impl Future<Output = ()>, shutdown: Shutdown) {
    let open = Open::default();
    let accepting = accept(&app, &listener, &open);
    tokio::select! {
        () = accepting => {}
        () = tidy(&app) => {}
        () = async {
            stop.await;
            app.engine.begin_draining();
            tokio::time::sleep(shutdown.drain_delay).await;
            _ = tokio::time::timeout(LAST_ANSWERS, open.left()).await;
        } => {}
    }
    drop(listener);
    let finished = async {
        open.finish().await;
        app.engine.finish().await;
    };
    tokio::pin!(finished);
    if tokio::time::timeout(shutdown.grace, &mut finished).await.is_err() {
        tracing::warn!("calls that still run after {:?} are cut short", shutdown.grace);
        app.engine.cut_short();
        // What cannot even be cut ends with the process.
        _ = tokio::time::timeout(LAST_MOMENT, finished).await;
    }
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Open {
    connections: TaskTracker,
    finishing: CancellationToken,
}

impl Open {
    /// Returns when none is left.
    async fn left(&self) {
        self.connections.close();
        self.connections.wait().await;
    }

    /// Returns when all have ended: at once where no request runs.
    async fn finish(&self) {
        self.finishing.cancel();
        self.left().await;
    }
}

/// Closes connections whose heads do not come, and forgets clients that are gone, for as long as the server runs.
async fn tidy(app: &App) {
    let mut ticks = tokio::time::interval(TIDY_EVERY);
    loop {
        ticks.tick().await;
        app.connections.close_late(app.limits.head_time);
        app.shares.forget_unused();
    }
}

async fn accept(app: &Arc<App>, listener: &Listener, open: &Open) {
    let routes = Routes::new(app.clone());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(app.limits.idle_time).max_buf_size(64 * 1024);
    // A client that has said all may close its half: it still listens.
    http.half_close(true);
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                app.connections.room(|| log_full(app)).await;
                let address = address.map(network);
                let own = app.shares.of(Source::of(address));
                let held = app.shares.hold(&own);
                let place = app.connections.enter(address, own);
                let stream = ConnectionIo::new(stream, app.limits.write_time, place.activity.clone(), held);
                let (routes, working) = (routes.clone(), place.activity.clone());
                let service =
                    service_fn(move |request| routes.clone().answer(request, working.clone()).map(Ok::<_, Infallible>));
                let connection = http.serve_connection(TokioIo::new(stream), service);
                let finishing = open.finishing.clone();
                open.connections.spawn(async move { serve(connection, &place.activity, &finishing).await });
            }
            Err(error) => {
                // Out of descriptors, mostly: fewer connections help, and a busy loop would not.
                app.connections.make_room();
                if let Some(more) = app.warned.of("accept", app.engine.sessions().clock().elapsed()) {
                    tracing::warn!(%error, "cannot accept connections; trying again{more}");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn log_full(app: &App) {
    let fact = format_args!("{} connections are open; those on which nothing runs give way", app.connections.most());
    app.engine.sessions().limits().note(Limit::Connections, fact);
}

/// Serves a connection until it ends, until it gives way to another, or until the server stops and no request runs on it. Who
/// holds a connection, or has sent half of a request, is hardly waited for.
async fn serve<S>(
    connection: http1::Connection<TokioIo<ConnectionIo<Box<dyn Wire>>>, S>,
    activity: &Activity,
    finishing: &CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    let mut connection = pin!(connection);
    let mut ended = tokio::select! {
        // An answer that has just been given leaves before its connection is closed.
        biased;
        ended = connection.as_mut() => Some(ended),
        () = activity.gives_way() => return,
        () = finishing.cancelled() => None,
    };
    if ended.is_none() {
        // One that was opened just now has a moment for its request: it would be closed at once.
        ended = tokio::time::timeout(MOMENT, connection.as_mut()).await.ok();
    }
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
    }
    while ended.is_none() {
        ended = tokio::time::timeout(MOMENT, connection.as_mut()).await.ok();
        if ended.is_none() && !activity.is_on() {
            return;
        }
    }
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

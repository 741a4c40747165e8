//! Accepting connections, and stopping: `axum::serve` has neither read timeouts nor a limit, so the loop is ours.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use futures_util::FutureExt;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::App;
use super::patient::Patient;
use super::route::Routes;

/// After the grace, what still runs is cut and has this long to be recorded.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// How a server stops.
#[derive(Debug, Clone, Copy)]
pub struct Shutdown {
    /// Between `/readyz` saying 503 and the end of accepting: time for a balancer to notice.
    pub drain_delay: Duration,
    /// For how long running calls may go on after that.
    pub grace: Duration,
}

/// Serves on `listener` until `stop` is done, then stops in order. The caller binds, and ends the sessions' work after.
pub async fn run(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>, shutdown: Shutdown) {
    let graceful = GracefulShutdown::new();
    let accepting = accept(&app, &listener, &graceful);
    tokio::select! {
        () = accepting => {}
        () = async {
            stop.await;
            app.engine.sessions().begin_draining();
            tokio::time::sleep(shutdown.drain_delay).await;
        } => {}
    }
    drop(listener);
    app.orphans.close();
    let finished = async {
        graceful.shutdown().await;
        app.orphans.wait().await;
    };
    tokio::pin!(finished);
    if tokio::time::timeout(shutdown.grace, &mut finished).await.is_err() {
        tracing::warn!("calls that still run after {:?} are cut short", shutdown.grace);
        app.engine.cut_short();
        // What cannot even be cut ends with the process.
        _ = tokio::time::timeout(LAST_MOMENT, finished).await;
    }
}

async fn accept(app: &Arc<App>, listener: &TcpListener, graceful: &GracefulShutdown) {
    let routes = Routes::new(app.clone());
    let service = service_fn(move |request| routes.clone().answer(request).map(Ok));
    let places = Arc::new(Semaphore::new(app.limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(app.limits.head_time).max_buf_size(64 * 1024);
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => serve(made_ready(stream, app), place, &http, service.clone(), graceful),
            Err(error) => {
                // Out of descriptors, mostly: waiting is all that helps, and a busy loop would not.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn made_ready(stream: TcpStream, app: &App) -> Patient<TcpStream> {
    // Without it an answer waits up to 40 ms for the client's acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    Patient::new(stream, app.limits.write_time)
}

fn serve<S>(
    stream: Patient<TcpStream>,
    place: OwnedSemaphorePermit,
    http: &http1::Builder,
    service: S,
    graceful: &GracefulShutdown,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Send + 'static,
{
    let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
        drop(place);
    });
}

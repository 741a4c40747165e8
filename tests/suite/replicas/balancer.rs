//! A plain TCP balancer: it asks each server's `/readyz` and leads new connections to those that say yes, in turn. What
//! it has led somewhere stays there, as with any balancer that does not read HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::http::Connection;

/// How often a server is asked.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running balancer. Its drop ends it, and every connection through it.
pub(super) struct Balancer {
    address: String,
    // Held for its drop.
    _tasks: JoinSet<()>,
}

struct Server {
    address: String,
    is_ready: AtomicBool,
}

impl Balancer {
    /// Before these servers.
    pub(super) async fn before(addresses: &[String]) -> Self {
        let server = |address: &String| Server { address: address.clone(), is_ready: true.into() };
        let servers: Arc<[Server]> = addresses.iter().map(server).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut tasks = JoinSet::new();
        for n in 0..servers.len() {
            tasks.spawn(look(servers.clone(), n));
        }
        tasks.spawn(accept(listener, servers));
        Self { address, _tasks: tasks }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

async fn look(servers: Arc<[Server]>, n: usize) {
    let server = &servers[n];
    loop {
        server.is_ready.store(is_ready(&server.address).await.is_ok_and(|ready| ready), Relaxed);
        sleep(LOOK_EVERY).await;
    }
}

async fn is_ready(address: &str) -> std::io::Result<bool> {
    let mut connection = Connection::open(address).await?;
    connection.request("GET /readyz", &[("connection", "close")], "").await?;
    Ok(connection.answer().await?.status == 200)
}

async fn accept(listener: TcpListener, servers: Arc<[Server]>) {
    let mut led = JoinSet::new();
    for n in 0.. {
        let (mut client, _) = listener.accept().await.expect("a connection");
        // Where none is ready, the client is told so by a connection that closes at once.
        let ready: Vec<&Server> = servers.iter().filter(|server| server.is_ready.load(Relaxed)).collect();
        let Some(server) = ready.get(n % ready.len().max(1)) else { continue };
        let address = server.address.clone();
        led.spawn(async move {
            let Ok(mut server) = TcpStream::connect(&address).await else { return };
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("a socket");
            }
            // Whichever side ends it has ended it for both.
            _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

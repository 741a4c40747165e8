//! The socket that a server listens on: one that was handed over to it, or one that it binds.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use listenfd::ListenFd;
use rustix::net::listen;
use rustix::stdio::dup2_stdin;
use tokio::time::sleep;

use crate::cli::exit::Usage;

/// How often a port is tried that is in use.
const PAUSE: Duration = Duration::from_millis(50);

/// How many connections wait to be accepted at most, where the system (`net.core.somaxconn`) allows as many. What we bind
/// ourselves has the same.
const BACKLOG: i32 = 1024;

/// The socket that a service manager listens on for us (`LISTEN_FDS`), if there is one. To be called before there is any
/// thread: what says so is taken out of the environment.
///
/// # Errors
/// When there are several, or it is no TCP socket.
pub(in crate::cli) fn handed_over() -> Result<Option<TcpListener>, Usage> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() > 1 {
        return Err(Usage::new(
            format!("{} sockets were handed over (LISTEN_FDS), and one is served", sockets.len()),
            "leave one ListenStream= in the .socket unit; a server listens on one address",
        ));
    }
    if sockets.len() == 0 {
        return Ok(None);
    }
    let mut taken = || {
        let listener = sockets.take_tcp_listener(0)?;
        // Whoever bound it may have left this to us, and on one that listens it changes the length of the queue alone.
        listener.as_ref().map(|listener| listen(listener, BACKLOG)).transpose()?;
        Ok(listener)
    };
    taken().map_err(|error: io::Error| {
        Usage::new(
            format!("the socket that was handed over (LISTEN_FDS) is no TCP socket that can listen: {error}"),
            "give the .socket unit a ListenStream= with an address and a port",
        )
    })
}

/// The socket that is our standard input; what reads standard input after us finds nothing.
///
/// # Errors
/// When standard input is something else.
pub(super) fn standard_input() -> Result<TcpListener, Usage> {
    let taken = || -> io::Result<TcpListener> {
        let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
        listener.local_addr()?;
        dup2_stdin(std::fs::File::open("/dev/null")?)?;
        Ok(listener)
    };
    taken().map_err(|error| {
        Usage::new(
            format!("standard input is not a socket that listens: {error}"),
            "--kept-by is for `serve --keep-port` alone, which passes it on by itself",
        )
    })
}

/// Binds. What waits to be accepted is up to what the system allows (`net.core.somaxconn`), and 1,024 where it allows more.
///
/// # Errors
/// When the port cannot be had.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Usage> {
    let bound = async { tokio::net::TcpListener::bind(address).await?.into_std() };
    bound.await.map_err(|error| refused(address, &error))
}

/// The same, after a while if need be: the server before may be ending just now.
///
/// # Errors
/// When the port cannot be had by then.
pub(super) async fn bind_in_time(address: SocketAddr, patience: Duration) -> Result<TcpListener, Usage> {
    let began = Instant::now();
    loop {
        match tokio::net::TcpListener::bind(address).await.and_then(tokio::net::TcpListener::into_std) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && began.elapsed() < patience => sleep(PAUSE).await,
            bound => return bound.map_err(|error| refused(address, &error)),
        }
    }
}

fn refused(address: SocketAddr, error: &io::Error) -> Usage {
    match error.kind() {
        ErrorKind::AddrInUse => Usage::new(
            format!("{address} is in use by another program"),
            "stop it, or choose another port with --bind; port 0 takes a free one",
        ),
        _ => Usage::new(format!("cannot listen on {address}: {error}"), "choose another address with --bind"),
    }
}

//! What a server listens on, and what comes of it: TCP, or a socket in the file system.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

/// What a server listens on.
#[derive(Debug)]
pub enum Listener {
    /// An address and a port.
    Tcp(TcpListener),
    /// A socket in the file system, for programs of the same user.
    Unix(UnixListener),
}

/// A connection, whatever it came by.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

impl Listener {
    /// The next connection, and the address that it comes from, where it has one.
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Wire>, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Without it an answer waits up to 40 ms for the client's acknowledgement of the one before.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                Ok((Box::new(stream), Some(peer.ip())))
            }
            Self::Unix(listener) => Ok((Box::new(listener.accept().await?.0), None)),
        }
    }
}

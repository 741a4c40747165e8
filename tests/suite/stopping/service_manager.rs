//! A service manager holds the port, is told how the server is, and sees that it lives.

use std::fs;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use tokio::net::TcpSocket;

use super::*;
use crate::process::archonctl;

/// Starts it the way systemd does: the socket is descriptor 3.
async fn with_socket(db: &Database, socket: OwnedFd, arguments: &[&str]) -> ServeProcess {
    let program = env!("CARGO_BIN_EXE_archonctl");
    let script = format!("exec 3<&0; LISTEN_FDS=1 LISTEN_PID=$$ exec {program} \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", "serve", "--database-url", db.url()]).args(arguments);
    command.env("HOME", db.folder()).stdin(Stdio::from(socket));
    ServeProcess::launch_command(command).await
}

#[tokio::test]
async fn a_socket_of_the_service_manager_is_served_instead_of_bind() {
    let db = Database::sqlite();
    for keep in [&[][..], &["--keep-port"]] {
        let arguments = [&["--bind", "127.0.0.1:1"], keep].concat();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut server = with_socket(&db, listener.into(), &arguments).await;
        assert_eq!(server.address(), address, "not that of --bind");
        server.wait_for_line("--bind is not used", SOON).await;
        assert!(Mcp::new(server.url()).initialize(REVISION).await.archon.is_some());
        server.sigterm();
        assert_eq!(server.ended(SOON).await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_socket_that_is_bound_and_does_not_listen_yet_is_served() {
    let db = Database::sqlite();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let server = with_socket(&db, socket.as_fd().try_clone_to_owned().expect("a descriptor"), &[]).await;
    assert!(Mcp::new(server.url()).initialize(REVISION).await.archon.is_some());
}

#[tokio::test]
async fn a_socket_that_cannot_be_served_is_refused() {
    let db = Database::sqlite();
    let program = env!("CARGO_BIN_EXE_archonctl");
    let refused = |script: &str, stdin: OwnedFd, said: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{script} exec {program} serve --database-url {}", db.url())]);
        let output = command.env("HOME", db.folder()).stdin(Stdio::from(stdin)).output().expect("started");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(said), "{log}");
    };
    let one = || TcpListener::bind("127.0.0.1:0").expect("a port");
    refused("exec 3<&0 4<&0; LISTEN_FDS=2 LISTEN_PID=$$", one().into(), "2 sockets were handed over");
    let other = UnixDatagram::unbound().expect("a socket");
    refused("exec 3<&0; LISTEN_FDS=1 LISTEN_PID=$$", other.into(), "no TCP socket");
    // What is open to other machines asks for tokens, whoever listens.
    let open = TcpListener::bind("0.0.0.0:0").expect("a port");
    refused("exec 3<&0; LISTEN_FDS=1 LISTEN_PID=$$", open.into(), "is open to other machines");
    // Standard input that is no socket.
    let file = fs::File::open("/dev/null").expect("a file");
    let mut command = archonctl(db.folder());
    command.args(["serve", "--kept-by", "1", "--database-url", db.url()]).stdin(Stdio::from(file));
    assert_eq!(command.output().expect("started").status.code(), Some(2));
}

#[tokio::test]
async fn a_service_manager_is_told_and_its_watchdog_is_fed() {
    let db = Database::sqlite();
    let path = db.folder().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(SOON)).expect("a patience");
    let hear = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let mut command = archonctl(db.folder());
    command.args(["serve", "--bind", "127.0.0.1:0", "--database-url", db.url()]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "5000000");
    let mut server = ServeProcess::launch_command(command).await;
    let mut heard: Vec<_> = (0..3).map(|_| hear()).collect();
    heard.sort_unstable();
    assert_eq!(heard, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    server.sigterm();
    while hear() != "STOPPING=1" {}
    assert_eq!(server.ended(SOON).await.code(), Some(0));
}

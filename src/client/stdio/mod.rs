//! A server on the pipes of a process of ours (basic/transports, stdio): a message a line.

mod lines;
mod process;
mod waiting;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::protocol::error::{ErrorBody, METHOD_NOT_FOUND};
use crate::protocol::reply;

use super::answer::messages;
use super::error::{ClientError, ProtocolError};
use super::http::MAX_ANSWER;
use super::program::Program;
use lines::Lines;
use process::Process;
pub(super) use waiting::Inbox;
use waiting::{Routed, Waiting};

/// Messages that wait to be written.
const QUEUE: usize = 16;
/// How long a process may take to end once its standard input is closed, and again once it was asked to by signal.
const END_PATIENCE: Duration = Duration::from_millis(1500);

/// A process, and what goes over its pipes. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Stdio {
    place: String,
    /// Closed when the server is to end: it is told so by the end of its standard input.
    written: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    waiting: Arc<Waiting>,
    process: Arc<Process>,
}

impl Stdio {
    /// Starts the program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(program: &Program) -> Result<Self, ClientError> {
        let place = program.command.clone();
        let (process, stdin, stdout) = Process::start(program).map_err(|e| ClientError::Program {
            program: place.clone(),
            what: format!("cannot be started: {e}"),
            said: Vec::new(),
        })?;
        let (written, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write(stdin, queue));
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(read(stdout, waiting.clone(), written.downgrade()));
        Ok(Self { place, written: Mutex::new(Some(written)), waiting, process: Arc::new(process) })
    }

    /// The command.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Sends a request; gives the messages that come for it.
    ///
    /// # Errors
    /// When the process has ended.
    pub(super) async fn request(&self, id: u64, message: Vec<u8>) -> Result<(Inbox, Ended), ClientError> {
        let inbox = self.waiting.wait(id);
        let ended = Ended { place: self.place.clone(), process: self.process.clone(), waiting: self.waiting.clone() };
        match self.send(message).await {
            Ok(()) => Ok((inbox, ended)),
            Err(()) => Err(ended.why().await),
        }
    }

    /// Sends a message that has no answer.
    ///
    /// # Errors
    /// When the process has ended.
    pub(super) async fn notify(&self, message: Vec<u8>) -> Result<(), ClientError> {
        let ended =
            || Ended { place: self.place.clone(), process: self.process.clone(), waiting: self.waiting.clone() };
        match self.send(message).await {
            Ok(()) => Ok(()),
            Err(()) => Err(ended().why().await),
        }
    }

    async fn send(&self, mut message: Vec<u8>) -> Result<(), ()> {
        let queue = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(())?;
        // JSON has its line breaks escaped: this one ends the message.
        message.push(b'\n');
        queue.send(message).await.map_err(|_| ())
    }

    /// Ends the process in order (basic/lifecycle, shutdown): closes its standard input, waits, asks it by SIGTERM, waits,
    /// kills it.
    pub(super) async fn end(&self) {
        drop(self.written.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.process.end(END_PATIENCE).await;
    }
}

/// What it means that no more messages come.
#[derive(Debug)]
pub(super) struct Ended {
    place: String,
    process: Arc<Process>,
    waiting: Arc<Waiting>,
}

impl Ended {
    /// Why.
    pub(super) async fn why(&self) -> ClientError {
        if let Some(limit) = self.waiting.outgrown() {
            return ProtocolError::TooLarge { limit }.into();
        }
        let (what, said) = self.process.last_words().await;
        ClientError::Program { program: self.place.clone(), what, said }
    }
}

/// Writes whole lines: a caller that leaves must not leave half a message behind.
async fn write(mut stdin: ChildStdin, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = queue.recv().await {
        if let Err(error) = async { stdin.write_all(&line).await.and(stdin.flush().await) }.await {
            debug!("the server reads no more: {error}");
            return;
        }
    }
}

/// Hands what the server says to whoever waits for it, until it says no more.
async fn read(stdout: ChildStdout, waiting: Arc<Waiting>, way_back: mpsc::WeakSender<Vec<u8>>) {
    let mut lines = Lines::new(stdout, MAX_ANSWER);
    let mut is_told = false;
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(limit) => {
                waiting.outgrow(limit);
                break;
            }
        };
        let Ok(read) = messages(&line) else {
            // Servers of the field greet people there.
            if !line.trim_ascii().is_empty() && !std::mem::replace(&mut is_told, true) {
                warn!("the server prints lines that are not JSON-RPC: {}", String::from_utf8_lossy(&line).trim());
            }
            continue;
        };
        for message in read {
            hand_on(message, &waiting, &way_back).await;
        }
    }
    waiting.close();
}

async fn hand_on(message: &RawValue, waiting: &Waiting, way_back: &mpsc::WeakSender<Vec<u8>>) {
    match waiting.route(message) {
        // It goes to somebody who may have left meanwhile.
        Routed::To(inbox) => _ = inbox.send(message.to_owned()).await,
        Routed::Question { id, method } => {
            // Nobody waits, and still a ping has its answer.
            let mut reply = match method.as_str() {
                "ping" => reply::result(&id, &json!({})),
                method => {
                    let error = ErrorBody::new(METHOD_NOT_FOUND, format!("this client does not offer {method} now"));
                    reply::error(Some(id.get()), &error)
                }
            };
            reply.push(b'\n');
            if let Some(queue) = way_back.upgrade() {
                _ = queue.send(reply).await;
            }
        }
        Routed::Nowhere => debug!("the server says something that nobody waits for"),
    }
}

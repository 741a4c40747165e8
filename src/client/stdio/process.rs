//! The process: started in a group of its own, so that Ctrl-C reaches it by us, and never left behind.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::super::program::Program;
use super::lines::Lines;

/// How many lines of its standard error are kept, the last ones.
const KEPT: usize = 20;
/// The longest line of it that is kept, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// How often it is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);
/// How long a process whose outputs are closed may take to be gone.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// A process and the last of what it has said to people.
#[derive(Debug)]
pub(super) struct Process {
    child: Mutex<Child>,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    /// Starts it; gives its standard input and output.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(program: &Program) -> io::Result<(Self, ChildStdin, ChildStdout)> {
        let mut command = Command::new(&program.command);
        command.args(&program.arguments).envs(program.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &program.folder {
            command.current_dir(folder);
        }
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        debug!(pid = child.id(), "started {}", program.command);
        let said = Arc::default();
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(listen(stderr, Arc::clone(&said)));
        }
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((Self { child: Mutex::new(child), said }, stdin, stdout))
    }

    /// Waits until it ends, and makes it end when it does not.
    pub(super) async fn end(&self, patience: Duration) {
        for signal in [Signal::TERM, Signal::KILL] {
            if let Some(status) = self.ended(patience).await {
                return debug!("the server has ended: {status}");
            }
            debug!("the server does not end; sending {signal:?}");
            self.signal(signal);
        }
        self.ended(patience).await;
    }

    /// How it ended, and what it said before.
    pub(super) async fn last_words(&self) -> (String, Vec<String>) {
        let what = match self.ended(LAST_MOMENT).await {
            Some(status) => format!("has ended ({status})"),
            None => "has closed its standard output".to_owned(),
        };
        // Its last lines may still be on their way to us.
        sleep(POLL).await;
        (what, locked(&self.said).iter().cloned().collect())
    }

    async fn ended(&self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            if let Ok(Some(status)) = locked(&self.child).try_wait() {
                return Some(status);
            }
            if Instant::now() > until {
                return None;
            }
            sleep(POLL).await;
        }
    }

    /// Sends it, and what it has started, a signal. A process that was waited for has no id any more.
    fn signal(&self, signal: Signal) {
        let id = locked(&self.child).id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // It fails only when nobody is left in the group.
        _ = id.map(|group| kill_process_group(group, signal));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Keeps the last of what it says to people; `-v` shows all of it.
async fn listen(stderr: ChildStderr, said: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = Lines::new(stderr, MAX_LINE);
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => String::from_utf8_lossy(&line).trim_end().to_owned(),
            Ok(None) => return,
            // It must not wait for us, whatever it writes.
            Err(_) => continue,
        };
        debug!("the server says: {line}");
        let mut said = locked(&said);
        if said.len() == KEPT {
            said.pop_front();
        }
        said.push_back(line);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

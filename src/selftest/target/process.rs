//! A server's process: started in a group of its own, read, signalled, and never left behind. Whatever ends us short of
//! SIGKILL drops it, and the drop kills the whole group. After a SIGKILL our own servers end because their standard input
//! does, and the group of another's is killed by its [`Guard`].

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, test_kill_process_group, waitid,
};
use tokio::sync::watch;

/// Lines of the log that are kept; the oldest go first.
const MAX_LINES: usize = 20_000;
/// The longest line that is kept, in bytes.
const MAX_LINE: u64 = 8 * 1024;
/// How long the children of a process that was killed may live on.
const LAST_MOMENT: Duration = Duration::from_millis(500);
/// How often it is asked whether a process has ended.
const POLL: Duration = Duration::from_millis(5);

/// What a server has printed, over all its lives. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::selftest) struct ServerLog {
    lines: Arc<watch::Sender<Vec<String>>>,
    /// Outputs that are still read; they end with whoever has them open.
    open: Arc<AtomicUsize>,
}

impl Default for ServerLog {
    fn default() -> Self {
        Self { lines: Arc::new(watch::Sender::new(Vec::new())), open: Arc::default() }
    }
}

impl ServerLog {
    /// The first line from the `from`-th on that fulfils the condition, printed already or in time.
    pub(in crate::selftest) async fn wait_for(
        &self,
        from: usize,
        patience: Duration,
        is_it: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let find = |lines: &Vec<String>| lines.iter().skip(from).find(|line| is_it(line)).cloned();
        let mut log = self.lines.subscribe();
        let found = tokio::time::timeout(patience, log.wait_for(|lines| find(lines).is_some())).await;
        found.ok()?.ok().and_then(|lines| find(&lines))
    }

    /// Waits, a moment at most, until all is read that an ended process has printed.
    pub(super) async fn settle(&self) {
        let began = Instant::now();
        while self.open.load(SeqCst) > 0 && began.elapsed() < LAST_MOMENT {
            tokio::time::sleep(POLL).await;
        }
    }

    /// How many lines there are.
    pub(in crate::selftest) fn len(&self) -> usize {
        self.lines.borrow().len()
    }

    /// The last lines.
    pub(in crate::selftest) fn tail(&self, count: usize) -> Vec<String> {
        let lines = self.lines.borrow();
        lines[lines.len().saturating_sub(count)..].to_vec()
    }

    /// Reads one output of a process, on a thread of its own, so that the process never waits for us.
    fn collect(&self, output: impl Read + Send + 'static) {
        let (lines, open) = (self.lines.clone(), self.open.clone());
        open.fetch_add(1, SeqCst);
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut line = Vec::new();
                match (&mut output).take(MAX_LINE).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => {
                        open.fetch_sub(1, SeqCst);
                        return;
                    }
                    Ok(_) => {}
                }
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                lines.send_modify(|lines| {
                    if lines.len() >= MAX_LINES {
                        lines.drain(..MAX_LINES / 2);
                    }
                    lines.push(line);
                });
            }
        });
    }
}

/// A running process and its group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    stdin: Option<ChildStdin>,
    guard: Option<Guard>,
}

impl Process {
    /// Starts it; what it prints goes to the log.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(super) fn start(mut command: Command, log: &ServerLog) -> std::io::Result<Self> {
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(output) = child.stdout.take() {
            log.collect(output);
        }
        if let Some(output) = child.stderr.take() {
            log.collect(output);
        }
        let stdin = child.stdin.take();
        Ok(Self { child, group, stdin, guard: None })
    }

    /// From now on its group ends with us, even when we are killed. Where there is no shell, all is as before.
    pub(super) fn guard(&mut self) {
        self.guard = self.group.and_then(|group| Guard::of(group).ok());
    }

    /// Writes a line to its standard input.
    pub(super) fn write_line(&mut self, line: &str) -> std::io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => writeln!(stdin, "{line}").and_then(|()| stdin.flush()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Whether it has ended. It is not reaped by this, so that its group keeps its number until we have ended that, too.
    pub(super) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.group.is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    /// Sends the group a signal and waits until the process is gone; kills what is left of the group then.
    ///
    /// # Errors
    /// When it does not end in time, or a process that it has started outlives it. It is killed all the same.
    pub(super) async fn stop(mut self, signal: Signal, patience: Duration) -> Result<(), String> {
        let descendants = descendants(self.child.id());
        self.signal(signal);
        let began = Instant::now();
        while !self.has_ended() {
            if began.elapsed() > patience {
                return Err(format!("the server does not end within {}", humantime::format_duration(patience)));
            }
            tokio::time::sleep(POLL).await;
        }
        let group = self.group;
        self.end();
        // Whoever was killed along with it may need a moment more to let go of ports and locks. A zombie that nobody buries
        // counts as one of the group, but holds nothing: it is not waited for long.
        let began = Instant::now();
        while group.is_some_and(|group| test_kill_process_group(group).is_ok()) && began.elapsed() < LAST_MOMENT {
            tokio::time::sleep(POLL).await;
        }
        let survivors: Vec<_> = descendants.into_iter().filter(Descendant::is_alive).collect();
        survivors.iter().for_each(Descendant::kill);
        match survivors.first() {
            Some(survivor) => Err(format!("a process that it has started outlived it (pid {})", survivor.pid)),
            None => Ok(()),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It fails only when nobody is left in the group.
            _ = kill_process_group(group, signal);
        }
    }

    /// Kills the group, and then gives up its number.
    fn end(&mut self) {
        self.signal(Signal::KILL);
        self.guard = None;
        self.group = None;
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A shell that waits for the end of its standard input, which we alone hold open, and then kills a group. Dropped in time it
/// kills nobody.
#[derive(Debug)]
struct Guard(Child);

impl Guard {
    fn of(group: Pid) -> std::io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", "read _; kill -s KILL -- \"-$0\"", &group.as_raw_nonzero().to_string()]);
        // It is hit by no Ctrl-C, and holds no folder.
        command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A process that another has started, or one of those has. Linux tells; elsewhere there are none that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Descendant {
    pid: u32,
    /// When it began, in the kernel's ticks: a number may be given again.
    began: String,
}

/// All that live now.
fn descendants(of: u32) -> Vec<Descendant> {
    let tasks = std::fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let mut found = Vec::new();
    for pid in lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()) {
        found.extend(began(pid).map(|began| Descendant { pid, began }));
        found.extend(descendants(pid));
    }
    found
}

/// When a process began that lives: a zombie does not.
fn began(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name may hold anything, a bracket too.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    fields.next().filter(|state| *state != "Z")?;
    fields.nth(18).map(str::to_owned)
}

impl Descendant {
    fn is_alive(&self) -> bool {
        began(self.pid).as_ref() == Some(&self.began)
    }

    fn kill(&self) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.group.is_some() {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests;

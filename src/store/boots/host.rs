//! Where a server runs, so that one on the same machine can tell at once that another is dead, without waiting for its
//! silence.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The place of this process. What a system does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Host {
    /// The machine's name.
    pub(in crate::store) name: Option<String>,
    /// This run of the kernel: after a restart of the machine it is another one.
    pub(in crate::store) kernel_boot: Option<String>,
    /// In which the pid counts: containers have their own.
    pub(in crate::store) pid_namespace: Option<String>,
    /// When the process began, in the kernel's ticks: a pid may be given again.
    pub(in crate::store) pid_started: Option<i64>,
}

impl Host {
    /// Of this process.
    pub(in crate::store) fn here() -> Self {
        let kernel_boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok();
        Self {
            name: whoami::hostname().ok(),
            kernel_boot: kernel_boot.map(|id| id.trim().to_owned()),
            pid_namespace: namespace.map(|link| link.to_string_lossy().into_owned()),
            pid_started: stat("self").map(|stat| stat.started),
        }
    }
}

/// Whether a process is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Presence {
    /// It has ended for certain.
    Gone,
    /// It is there, perhaps stopped by a signal or a debugger.
    There { is_stopped: bool },
    /// It is hidden from us, or of another machine.
    Unknown,
}

/// Whether a process of this machine and pid namespace, which began at that moment, is there.
pub(in crate::store) fn presence(pid: i64, started: i64) -> Presence {
    let raw = i32::try_from(pid).ok().filter(|raw| *raw > 0);
    let Some(id) = raw.and_then(Pid::from_raw) else { return Presence::Unknown };
    if test_kill_process(id) == Err(Errno::SRCH) {
        return Presence::Gone;
    }
    match stat(&pid.to_string()) {
        None => Presence::Unknown,
        Some(stat) if stat.started != started || matches!(stat.state, 'Z' | 'X') => Presence::Gone,
        Some(stat) => Presence::There { is_stopped: matches!(stat.state, 'T' | 't') },
    }
}

/// Whether it has ended for certain.
pub(in crate::store) fn is_gone(pid: i64, started: i64) -> bool {
    presence(pid, started) == Presence::Gone
}

/// What /proc says of a process.
struct Stat {
    /// `Z` and `X` where it has ended, and nobody has asked how; `T` where it was stopped.
    state: char,
    started: i64,
}

fn stat(pid: &str) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything, brackets too.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat { state: fields.first()?.chars().next()?, started: fields.get(19)?.parse().ok()? })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use rustix::process::{Signal, kill_process};

    use super::*;

    #[test]
    fn a_process_is_gone_when_it_has_ended_or_its_pid_is_anothers() {
        let here = Host::here();
        assert_eq!(here, Host::here());
        assert!(here.kernel_boot.is_some_and(|id| id.len() == 36) && here.pid_namespace.is_some());
        let (own, started) = (i64::from(std::process::id()), here.pid_started.expect("a start"));
        assert!(!is_gone(own, started));
        assert!(is_gone(own, started - 1), "the pid was given again");

        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a process");
        let pid = i64::from(child.id());
        let started = stat(&pid.to_string()).expect("a process").started;
        assert_eq!(presence(pid, started), Presence::There { is_stopped: false });
        kill_process(Pid::from_child(&child), Signal::STOP).expect("a signal");
        while presence(pid, started) != (Presence::There { is_stopped: true }) {
            std::thread::yield_now();
        }
        child.kill().expect("a kill");
        // Not waited for yet: it is a zombie in a moment.
        while !is_gone(pid, started) {
            std::thread::yield_now();
        }
        child.wait().expect("an end");
        assert!(is_gone(pid, started));
        assert!(!is_gone(0, 0) && !is_gone(-1, 0) && !is_gone(i64::MAX, 0), "no pids at all");
    }
}

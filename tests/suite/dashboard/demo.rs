//! `archonctl demo` on a terminal: all is there, and nothing of it stays.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::tmux::{DEADLINE, Tmux, has_tmux};
use crate::databases::Database;

/// The processes that were started with a variable of that value: the demonstration's own, whatever became of them.
fn processes(mark: &str) -> Vec<u32> {
    let mark = format!("TMPDIR={mark}");
    let of = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let program = fs::read(entry.path().join("cmdline")).ok()?;
        let ours = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        (ours && program.windows(9).any(|name| name == b"archonctl")).then_some(pid)
    };
    fs::read_dir("/proc").expect("processes").flatten().filter_map(of).collect()
}

/// Waits until no process that was started with that folder for its temporary files is there, nor any file in it.
pub(crate) fn wait_until_all_is_gone(temporary: &Path) {
    let began = Instant::now();
    loop {
        let left: Vec<_> = fs::read_dir(temporary).expect("a folder").flatten().map(|entry| entry.path()).collect();
        let running = processes(&temporary.display().to_string());
        if left.is_empty() && running.is_empty() {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "there are still {left:?} and the processes {running:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts it, and ends it in that way.
fn nothing_stays_after(end: impl FnOnce(&Tmux, u32)) {
    if !has_tmux() {
        return;
    }
    // For its folder; the demonstration has a database of its own.
    let db = Database::sqlite();
    let temporary = db.folder().join("temporary");
    fs::create_dir(&temporary).expect("a folder");
    let tmux = Tmux::start(db.folder(), (120, 30));
    tmux.wait_for("ready>");
    let (home, program) = (db.folder().display(), env!("CARGO_BIN_EXE_archonctl"));
    tmux.write(&format!(
        "(echo $BASHPID >{home}/pid; HOME={home} TMPDIR={} exec {program} demo); echo left $?",
        temporary.display()
    ));
    tmux.press(&["Enter"]);
    // A server, and clients of all habits.
    tmux.wait("the clients", |s| {
        ["server up", "Claude Code", "Cursor", "Windsurf", "Codex"].iter().all(|words| s.contains(words))
    });
    tmux.wait_for("× in a row");
    assert_eq!(processes(&temporary.display().to_string()).len(), 2, "the demonstration and its server");
    let pid = fs::read_to_string(db.folder().join("pid")).expect("a pid").trim().parse().expect("a number");
    end(&tmux, pid);
    wait_until_all_is_gone(&temporary);
}

fn kill(signal: &str, pid: u32) {
    let killed = std::process::Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill runs");
    assert!(killed.success());
}

#[test]
fn nothing_stays_when_its_user_leaves() {
    nothing_stays_after(|tmux, _| {
        tmux.write("q");
        tmux.wait_for("left 0");
        tmux.wait_for_the_terminal();
    });
}

#[test]
fn nothing_stays_when_it_is_told_to_stop() {
    nothing_stays_after(|tmux, pid| {
        kill("-TERM", pid);
        tmux.wait_for("left 143");
        tmux.wait_for_the_terminal();
    });
}

#[test]
fn nothing_stays_when_its_terminal_is_closed() {
    nothing_stays_after(|_, pid| kill("-HUP", pid));
}

#[test]
fn nothing_stays_when_it_is_killed() {
    nothing_stays_after(|tmux, pid| {
        kill("-KILL", pid);
        tmux.wait_for("left 137");
    });
}

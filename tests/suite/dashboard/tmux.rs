//! tmux: a terminal that a test types on, and whose screen it reads.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::databases::Database;

/// What is to be seen is seen within that time.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// A terminal of its own, with a shell in it. Dropping it ends both.
pub(super) struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    pub(super) fn start(folder: &Path, (wide, high): (u16, u16)) -> Self {
        let tmux = Self { socket: folder.join("tmux.sock") };
        let (wide, high) = (wide.to_string(), high.to_string());
        let shell = "env -i PATH=/usr/bin:/bin TERM=screen-256color PS1='ready> ' bash --norc --noprofile";
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", &wide, "-y", &high, shell]);
        tmux
    }

    pub(super) fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let output = command.env_remove("TMUX").arg("-S").arg(&self.socket).args(args).output().expect("tmux is there");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(super) fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// Types keys by their names in tmux.
    pub(super) fn press(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    pub(super) fn write(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
    }

    /// Waits until the screen is so.
    pub(super) fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < DEADLINE, "never {what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Waits until the terminal is as a shell wants it: its own screen, a cursor, no mouse, lines that are edited.
    pub(super) fn wait_for_the_terminal(&self) {
        self.wait("the shell", |screen| screen.trim_end().ends_with("ready>"));
        let state = self.run(&["display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"]);
        assert_eq!(state.trim(), "0 1 0");
        self.write("stty -a | tr ';' '\\n' | grep -o -- '-*icanon\\|-*echo ' | tr '\\n' ' '; echo $((6 * 7))");
        self.press(&["Enter"]);
        let screen = self.wait("an echo", |screen| screen.lines().any(|line| line.ends_with("42")));
        assert!(screen.contains("icanon echo  42") || screen.contains("icanon echo 42"), "{screen}");
    }

    /// Waits until something is in the clipboard; returns it.
    pub(super) fn wait_for_buffer(&self) -> String {
        let began = Instant::now();
        while self.run(&["list-buffers"]).trim().is_empty() {
            assert!(began.elapsed() < DEADLINE, "nothing is in the clipboard");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.run(&["show-buffer"])
    }

    /// A click with the left button, as a terminal tells it: on a column and line that count from one.
    pub(super) fn click(&self, (column, line): (usize, usize)) {
        self.send(&format!("\u{1b}[<0;{column};{line}M\u{1b}[<0;{column};{line}m"));
    }

    /// One turn of the wheel towards the reader.
    pub(super) fn wheel_down(&self) {
        self.send("\u{1b}[<65;5;12M");
    }

    /// Bytes as a terminal would send them.
    fn send(&self, text: &str) {
        let bytes: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        self.run(&[&["send-keys", "-H"], bytes.as_slice()].concat());
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        _ = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

/// Whether there is a tmux to type with. Only where `CI` is set must there be one.
pub(super) fn has_tmux() -> bool {
    let found = Command::new("tmux").arg("-V").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "no tmux: scripts/install.sh tmux installs it");
    if !found {
        eprintln!("skipped: there is no tmux");
    }
    found
}

/// A command line that shows the dashboard of a database.
pub(super) fn dashboard(db: &Database) -> String {
    let (home, program) = (db.folder().display(), env!("CARGO_BIN_EXE_archonctl"));
    format!("HOME={home} {program} dashboard --interval 500ms --database-url {}", db.url())
}
